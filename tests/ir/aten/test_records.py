"""What every operator record is tested for, on its samples: schema, inference, numpy reference, linalg code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from torchcc.ir.builder import Builder
from torchcc.ir.core import Value, new_module
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dialects import func
from torchcc.ir.dialects.aten import OPERATORS
from torchcc.ir.dialects.aten.lowering import LoweringContext, tensor_type_of
from torchcc.ir.dialects.aten.rules import array_type
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.operator import Operator, OperatorError, Sample, Unknown, Unsupported
from torchcc.ir.overloads import schema_of
from torchcc.ir.printer import print_module
from torchcc.ir.schema import parse_schema
from torchcc.ir.script_types import BOOL, FLOAT, INT, ScriptType, TensorType
from torchcc.ir.types import F64, I1, I64, FunctionType, Type

RECORDS = [pytest.param(record, id=name.removeprefix("aten::")) for name, record in sorted(OPERATORS.items())]


def bound(record: Operator, sample: Sample) -> dict[str, Any]:
    """All arguments by name, defaults filled in."""
    schema = record.schema
    arguments: dict[str, Any] = {}
    positional = [a for a in schema.arguments if not a.keyword_only]
    for argument, value in zip(positional, sample.args, strict=False):
        arguments[argument.name] = value
    arguments.update(sample.kwargs)
    for argument in schema.arguments:
        if argument.name not in arguments:
            assert argument.has_default, f"{record.name}: sample lacks {argument.name}"
            default = argument.default
            arguments[argument.name] = list(default) if isinstance(default, tuple) else default
        value = arguments[argument.name]
        if argument.size is not None and isinstance(value, int):
            arguments[argument.name] = [value] * argument.size
    return {a.name: arguments[a.name] for a in schema.arguments}


def described(value: Any, dynamic: bool = False) -> Any:
    """The `infer` view of an argument."""
    if isinstance(value, np.ndarray | np.generic):
        known = array_type(value)
        return TensorType(known.dtype, (None,) * known.rank) if dynamic else known
    if isinstance(value, list | tuple):
        return [described(v, dynamic) for v in value]
    return value


def samples(record: Operator) -> Iterator[Sample]:
    yield from record.samples()


def flat(value: Any) -> list[Any]:
    return [x for v in value for x in flat(v)] if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize("record", RECORDS)
def test_parameters_are_named_as_in_the_signature(record: Operator) -> None:
    names = [a.name for a in record.schema.arguments]
    for rule in (record.infer, record.reference, record.lower):
        parameters = list(inspect.signature(rule).parameters.values())
        if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
            continue
        given = [p.name for p in parameters if p.name in names or p.default is p.empty]
        assert sorted(given) == sorted(["cx", *names] if rule is record.lower else names)


OWN = "aten::_generator_"
"""Operators that PyTorch does not have: no program names them, and they have no samples."""


def test_schemas_are_pytorchs() -> None:
    """The alias marks and defaults included: everything derived from a record hangs on them."""
    shipped = {name: schema_of(name) for name in OPERATORS}
    wrong = [(str(OPERATORS[n].schema), str(s)) for n, s in shipped.items() if s not in (None, OPERATORS[n].schema)]
    assert not wrong


def test_schemas_that_are_not_shipped_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    for name, record in OPERATORS.items():
        if schema_of(name) is None and not name.startswith(OWN):
            schema = pytorch_function(torch, record)._schema
            assert parse_schema(str(schema)) == record.schema


@pytest.mark.parametrize("record", RECORDS)
def test_inference_agrees_with_the_reference(record: Operator) -> None:
    for sample in samples(record):
        arguments = bound(record, sample)
        types = {n: described(v) for n, v in arguments.items()}
        if sample.raises is not None:
            with pytest.raises(OperatorError) as caught:
                record.infer(**types)
                record.reference(**arguments)
            assert sample.raises in str(caught.value)
            continue
        inferred = flat(record.infer(**types))
        values = flat(record.reference(**arguments))
        assert len(inferred) == len(values), sample
        for type, value in zip(inferred, values, strict=True):
            check_described(type, value, sample)


def check_described(type: Any, value: Any, sample: Sample) -> None:
    if not isinstance(type, TensorType):
        assert isinstance(type, ScriptType | Unknown) or type == value, sample
        return
    found = array_type(value)
    assert found.dtype is type.dtype, sample
    assert type.shape is not None
    assert len(type.shape) == found.rank, sample
    assert all(e is None or e == f for e, f in zip(type.shape, found.shape or (), strict=True)), (type, sample)


# against PyTorch

TOLERANCE = {
    np.dtype(np.float16): (2e-3, 1e-3),
    np.dtype(ml_dtypes.bfloat16): (1.6e-2, 1e-2),
    np.dtype(np.float32): (2e-5, 1e-5),
    np.dtype(np.float64): (1e-9, 1e-9),
    np.dtype(np.complex64): (2e-5, 1e-5),
    np.dtype(np.complex128): (1e-9, 1e-9),
}


def close(value: Any, expected: Any, what: object) -> None:
    """Equal, floats within a tolerance of their dtype."""
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.dtype == expected.dtype, what
    assert value.shape == expected.shape, what
    rtol, atol = TOLERANCE.get(value.dtype, (0.0, 0.0))
    wide = np.float64 if value.dtype.kind not in "cbiu" else value.dtype
    np.testing.assert_allclose(value.astype(wide), expected.astype(wide), rtol=rtol, atol=atol, err_msg=str(what))


def same_number(value: Any, expected: Any, rtol: float = 1e-12) -> bool:
    if isinstance(expected, float):
        return isinstance(value, float) and bool(np.isclose(value, expected, rtol=rtol, atol=1e-15, equal_nan=True))
    return bool(type(value) is type(expected) and value == expected)


def to_torch(torch: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype == ml_dtypes.bfloat16:
            return torch.tensor(np.asarray(value, np.float32)).to(torch.bfloat16)
        return torch.tensor(np.asarray(value))
    if isinstance(value, list | tuple):
        return [to_torch(torch, v) for v in value]
    return value


def from_torch(torch: Any, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if value.dtype is torch.bfloat16:
            return value.float().numpy().astype(ml_dtypes.bfloat16)
        return value.resolve_conj().numpy()
    if isinstance(value, list | tuple):
        return [from_torch(torch, v) for v in value]
    if isinstance(value, torch.dtype):
        return next(int(d) for d in DType if getattr(torch, d.name) is value)
    return str(value) if isinstance(value, torch.device) else value


def scalar_types(torch: Any) -> dict[int, Any]:
    return {int(d): getattr(torch, d.name) for d in DType}


# `torch.ops` cannot pass a `t[]`.
BY_NAME = {"aten::tensor": "tensor", "aten::as_tensor.list": "as_tensor"}


KILLS_PYTORCH = {"aten::remainder", "aten::remainder.int"}
"""An integer % 0 ends its process (SIGFPE)."""


def pytorch_function(torch: Any, record: Operator) -> Any:
    if record.name in BY_NAME:
        return getattr(torch, BY_NAME[record.name])
    schema = record.schema
    packet = getattr(getattr(torch.ops, schema.namespace), schema.base)
    return getattr(packet, schema.overload or "default")


@pytest.mark.parametrize("record", RECORDS)
def test_reference_agrees_with_pytorch(record: Operator) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    schema = record.schema
    if schema.name.startswith(OWN):
        assert not list(samples(record))
        return
    call = pytorch_function(torch, record)
    dtypes = scalar_types(torch)
    for sample in samples(record):
        arguments = bound(record, sample)
        given = {n: to_torch(torch, v) for n, v in arguments.items()}
        for argument in schema.arguments:
            if argument.kind == "ScalarType" and given[argument.name] is not None:
                given[argument.name] = dtypes[int(given[argument.name])]
        positional = [given[a.name] for a in schema.arguments if not a.keyword_only]
        keywords = {a.name: given[a.name] for a in schema.arguments if a.keyword_only}
        if sample.raises is not None and record.name in KILLS_PYTORCH:
            continue
        if sample.raises is not None:
            with pytest.raises((RuntimeError, IndexError, ValueError, TypeError, NotImplementedError)) as caught:
                call(*positional, **keywords)
            assert sample.raises in str(caught.value), sample
            continue
        expected = flat(from_torch(torch, call(*positional, **keywords)))
        values = flat(record.reference(**arguments))
        assert len(values) == len(expected), sample
        for value, wanted in zip(values, expected, strict=True):
            if isinstance(value, np.ndarray | np.generic):
                close(value, wanted, sample)
            else:
                # Functions of a `Scalar` are computed in float32 by PyTorch.
                rtol = 1e-6 if schema.overload == "Scalar" else 1e-12
                assert same_number(value, wanted, rtol), (sample, value, wanted)


# linalg code, run by the interpreter

SCALARS: dict[type, tuple[ScriptType, Type]] = {bool: (BOOL, I1), int: (INT, I64), float: (FLOAT, F64)}
NUMBER_KINDS = ("Scalar", "SymInt")
"""Arguments that are numbers at run time too, in the third mode; with no tensor about, all numbers are."""


class Trial:
    """One sample as a function of the linalg stage: its arguments' leaves are parameters, or constants."""

    def __init__(self, record: Operator, sample: Sample, dynamic: bool, numbers: bool) -> None:
        self.record = record
        self.dynamic = dynamic
        self.numbers = numbers
        self.kinds = {a.name: a.kind for a in record.schema.arguments}
        has_tensor = "Tensor" in self.kinds.values()
        self.number_kinds = NUMBER_KINDS if has_tensor else (*NUMBER_KINDS, "int", "float", "bool")
        self.arguments = bound(record, sample)
        self.leaves: list[Any] = []
        self.types: list[Type] = []
        self.uint8: list[int] = []
        self.described = {n: self.describe(v, n) for n, v in self.arguments.items()}

    def describe(self, value: Any, name: str) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            type = described(value, self.dynamic)
            if type.dtype is DType.uint8:
                self.uint8.append(len(self.leaves))
            self.leaves.append(value)
            self.types.append(tensor_type_of(type))
            return type
        if isinstance(value, list | tuple):
            return [self.describe(v, name) for v in value]
        if self.numbers and self.kinds[name] in self.number_kinds and type_of(value) is not None:
            kind, lowered = SCALARS[type_of(value)]
            self.leaves.append(value)
            self.types.append(lowered)
            return Unknown(kind)
        return value

    def run(self) -> list[Any]:
        results = self.record.infer(**self.described)
        module = new_module()
        function = func.func(module, "f", self.types, [])
        block = function.body()
        b = Builder(block)
        cx = LoweringContext(b)
        for i in self.uint8:
            cx.set_dtype(block.args[i], DType.uint8)
        parameters = iter(block.args)
        operands = {n: self.place(v, parameters) for n, v in self.described.items()}
        lowered = flat(cx.lower(self.record, operands, tuple(flat(results)), None))
        computed = [v for v in lowered if isinstance(v, Value)]
        func.return_(b, computed)
        function.attributes["function_type"] = FunctionType(tuple(self.types), tuple(v.type for v in computed))
        self.module = module
        found = iter(interpret(module, "f", self.leaves))
        return [next(found) if isinstance(v, Value) else v for v in lowered]

    def place(self, value: Any, parameters: Iterator[Value]) -> Any:
        if isinstance(value, TensorType | Unknown):
            return next(parameters)
        if isinstance(value, list):
            return [self.place(v, parameters) for v in value]
        return value


def type_of(value: Any) -> Any:
    return type(value) if type(value) in SCALARS else None


def retype(found: Any, expected: Any) -> Any:
    """An interpreter's result in the reference's terms: i8 may be uint8 and so on, numpy scalars are numbers."""
    if isinstance(expected, np.ndarray | np.generic):
        array = np.asarray(found)
        is_unsigned = expected.dtype.kind == "u" and array.dtype.kind == "i" and array.dtype.itemsize == expected.dtype.itemsize
        return array.view(expected.dtype) if is_unsigned else array
    return found.item() if isinstance(found, np.generic) else found


def is_refused(record: Operator) -> bool:
    return getattr(record.lower, "__name__", "") == "unsupported"


MODES = [
    pytest.param(False, False, id="static"),
    pytest.param(True, False, id="dynamic"),
    pytest.param(True, True, id="numbers"),
]


@pytest.mark.parametrize(("dynamic", "numbers"), MODES)
@pytest.mark.parametrize("record", RECORDS)
def test_lowered_code_agrees_with_the_reference(record: Operator, dynamic: bool, numbers: bool) -> None:
    if is_refused(record):
        pytest.skip("not lowered")
    for sample in samples(record):
        trial = Trial(record, sample, dynamic, numbers)
        if numbers and not any(isinstance(x, Unknown) for x in flat(list(trial.described.values()))):
            continue
        if sample.raises is not None:
            with pytest.raises((OperatorError, ExecutionError, Unsupported)) as caught:
                trial.run()
            if isinstance(caught.value, Unsupported):
                assert dynamic, sample
                continue
            assert matches(sample.raises, str(caught.value), dynamic), (sample, str(caught.value))
            continue
        try:
            found = trial.run()
        except Unsupported:
            assert dynamic, sample  # how many pieces, or whether an extent is 1, may be needed at compile time
            continue
        expected = flat(record.reference(**trial.arguments))
        assert len(found) == len(expected), sample
        for value, wanted in zip(found, expected, strict=True):
            value = retype(value, wanted)
            if isinstance(wanted, np.ndarray | np.generic):
                close(value, wanted, sample)
            else:
                assert same_number(value, wanted), (sample, value, wanted)


def matches(expected: str, text: str, dynamic: bool) -> bool:
    """At run time sizes may be left as holes: only the words are compared then."""
    if expected in text:
        return True
    return dynamic and any(word in text for word in expected.split(" (")[:1])


@pytest.mark.parametrize("record", RECORDS)
def test_lowered_code_is_upstream_mlir(record: Operator) -> None:
    mlir = pytest.importorskip("torch_mlir.ir", reason="parses with upstream MLIR")
    if is_refused(record):
        pytest.skip("not lowered")
    accepted = [s for s in samples(record) if s.raises is None][:3]
    for sample in accepted:
        for dynamic in (False, True):
            trial = Trial(record, sample, dynamic, numbers=False)
            try:
                trial.run()
            except Unsupported:
                assert dynamic, sample
                continue
            with mlir.Context():
                assert mlir.Module.parse(print_module(trial.module)).operation.verify()
