"""The samples of every operator record, run as machine code: what the code computes is what the record's numpy reference says.

Many samples share one compiled function, whose parameters are all their tensors (and numbers, in the dynamic form). A
group that fails is taken apart, so that a failure names its samples. The short form takes some samples of each record,
`--long` all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from torchcc import driver
from torchcc.backend.cpu import compile as cpu
from torchcc.backend.cpu.host import host
from torchcc.backend.cpu.jit import load
from torchcc.ir.builder import Builder
from torchcc.ir.core import Value, new_module
from torchcc.ir.diagnostics import CompileError, ExecutionError, TorchccError
from torchcc.ir.dialects import torch as torch_dialect
from torchcc.ir.dialects.aten import OPERATORS
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.operator import Operator, Sample
from torchcc.ir.program import Program
from torchcc.ir.schema import Argument, Schema
from torchcc.ir.script_types import BOOL, FLOAT, INT, NONE, STR, TENSOR, ListType, OptionalType, ScriptType, TupleType
from torchcc.ir.signature import ArgumentSpec, Dim, ScalarSpec, TensorSpec
from torchcc.lowering.pass_manager import PassManager

GROUP = 24
SHORT = 3
"""Samples of a record in the short form."""
NUMBER_KINDS = ("Scalar", "SymInt", "float")
"""Parameters whose numbers come at run time in the dynamic form; where there is no tensor, all numbers do."""
SCALARS: dict[type, ScriptType] = {bool: BOOL, int: INT, float: FLOAT}
TOLERANCE = {
    np.dtype(np.float16): (2e-3, 1e-3),
    np.dtype(ml_dtypes.bfloat16): (1.6e-2, 1e-2),
    np.dtype(np.float32): (2e-5, 1e-5),
    np.dtype(np.float64): (1e-9, 1e-9),
}


# building


@dataclass(frozen=True)
class Call:
    record: Operator
    sample: Sample

    def __str__(self) -> str:
        shown = ", ".join([short(v) for v in self.sample.args] + [f"{k}={short(v)}" for k, v in self.sample.kwargs.items()])
        return f"{self.record.name}({shown})"

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments by name, defaults filled in."""
        schema = self.record.schema
        positional = [a for a in schema.arguments if not a.keyword_only]
        given = {a.name: v for a, v in zip(positional, self.sample.args, strict=False)} | dict(self.sample.kwargs)
        result: dict[str, Any] = {}
        for argument in schema.arguments:
            value = given.get(argument.name, argument.default)
            if isinstance(value, tuple) and argument.name not in given:
                value = list(value)
            result[argument.name] = [value] * argument.size if argument.size is not None and isinstance(value, int) else value
        return result


def short(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        values = np.asarray(value)
        inside = "=" + np.array2string(values, separator=",", threshold=12).replace("\n", "") if values.size <= 12 else ""
        return f"{values.dtype}{list(values.shape)}{inside}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(short, value))}]"
    return repr(value)


class Group:
    """One function that makes all the calls and returns all their results."""

    def __init__(self, calls: Sequence[Call], dynamic: bool, numbers: bool | None = None) -> None:
        self.calls = calls
        self.dynamic = dynamic
        self.numbers = dynamic if numbers is None else numbers
        self.specs: list[ArgumentSpec] = []
        self.leaves: list[Any] = []
        self.formals: list[Argument] = []
        module = new_module()
        function = torch_dialect.func(module, "f", (), ())
        self.block = function.body()
        self.b = Builder(self.block)
        torch_dialect.return_(self.b, [self.tuple([self.call(c) for c in calls])])
        function.attributes["arg_names"] = tuple(a.name for a in self.formals)
        returns = (Argument("", TENSOR, "Any"),)
        self.program = Program(module, "f", Schema("", "f", "", tuple(self.formals), returns))

    def parameter(self, leaf: Any, spec: ArgumentSpec, type_: ScriptType, kind: str) -> Value:
        name = f"a{len(self.leaves)}"
        self.leaves.append(leaf)
        self.specs.append(spec)
        self.formals.append(Argument(name, type_, kind))
        return self.block.add_argument(type_, name)

    def call(self, call: Call) -> Value:
        schema = call.record.schema
        has_tensor = any(a.kind == "Tensor" for a in schema.arguments)
        self.run_time = NUMBER_KINDS if has_tensor else (*NUMBER_KINDS, "int", "bool")
        operands = [self.operand(v, a) for v, a in zip(call.arguments.values(), schema.arguments, strict=True)]
        op = self.b.create(call.record.name, operands, [r.type for r in schema.returns])
        return op.result if len(op.results) == 1 else self.tuple(list(op.results))

    def tuple(self, values: Sequence[Value]) -> Value:
        return self.b.create("prim::TupleConstruct", values, (TupleType(tuple(v.type for v in values)),)).result

    def operand(self, value: Any, argument: Argument) -> Value:
        formal = argument.type.element if isinstance(argument.type, OptionalType) else argument.type
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            dtype = from_numpy(array.dtype)
            assert dtype is not None
            shape = tuple(Dim(f"d{len(self.leaves)}_{i}") for i in range(array.ndim)) if self.dynamic else array.shape
            return self.parameter(array, TensorSpec(dtype, shape), TENSOR, "Tensor")
        if isinstance(value, list | tuple):
            element = formal.element if isinstance(formal, ListType) else INT
            inner = Argument(argument.name, element, argument.kind)
            return self.b.create("prim::ListConstruct", [self.operand(v, inner) for v in value], (ListType(element),)).result
        if self.numbers and argument.kind in self.run_time and type(value) in SCALARS:
            type_ = SCALARS[type(value)]
            return self.parameter(value, ScalarSpec(type_), type_, str(type_))
        kind = NONE if value is None else STR if isinstance(value, str) else SCALARS[type(value)]
        return torch_dialect.constant(self.b, value, kind)

    def run(self) -> list[Any]:
        """Results of each call."""
        lowered = driver.lower(self.program, self.specs, manager=PassManager(verify=False))
        module = cpu.translate(lowered.modules["loops"], lowered.signature, host())
        if self.dynamic:
            module = replace(module, optimize=False)  # half the time; the static form runs LLVM's mid-end
        compiled = load(module, host())
        return list(compiled(*self.leaves))


# checking


def flat(value: Any) -> list[Any]:
    return [x for v in value for x in flat(v)] if isinstance(value, list | tuple) else [value]


def fault(found: Any, expected: Any) -> str | None:
    """What is wrong with a result, in words."""
    found, expected = flat(found), flat(expected)
    if len(found) != len(expected):
        return f"{len(found)} results, {len(expected)} expected"
    return next((text for f, e in zip(found, expected, strict=True) if (text := difference(f, e)) is not None), None)


def difference(found: Any, expected: Any) -> str | None:
    if not isinstance(expected, np.ndarray | np.generic):
        equal = type(found) is type(expected) and (found == expected or (found != found and expected != expected))
        if isinstance(found, float) and isinstance(expected, float):
            equal = bool(np.isclose(found, expected, rtol=1e-12, atol=1e-15, equal_nan=True))
        return None if equal else f"{found!r} != {expected!r}"
    found, expected = np.asarray(found), np.asarray(expected)
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype}{found.shape} != {expected.dtype}{expected.shape}"
    rtol, atol = TOLERANCE.get(found.dtype, (0.0, 0.0))
    wide = np.float64 if found.dtype.kind not in "cbiu" else found.dtype
    if np.allclose(found.astype(wide), expected.astype(wide), rtol=rtol, atol=atol, equal_nan=True):
        return None
    return f"{short(found)} != {short(expected)}"


def faults(calls: Sequence[Call], dynamic: bool, numbers: bool | None = None) -> Iterator[str]:
    """Every call of the group that goes wrong."""
    try:
        results = Group(calls, dynamic, numbers).run()
    except (TorchccError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        if len(calls) == 1:
            if isinstance(error, driver.NeedsConstant) and dynamic and numbers is None:
                yield from faults(calls, dynamic, numbers=False)
            elif not (dynamic and is_refusal(error)):
                yield f"{calls[0]}: {type(error).__name__}: {str(error)[:300]}"
            return
        middle = len(calls) // 2
        yield from faults(calls[:middle], dynamic)
        yield from faults(calls[middle:], dynamic)
        return
    for call, found in zip(calls, results, strict=True):
        text = fault(found, call.record.reference(**call.arguments))
        if text is not None:
            yield f"{call}: {text}"


def is_refusal(error: Exception) -> bool:
    """Extents that must be known at compile time: how many pieces there are, whether one is 1."""
    return isinstance(error, CompileError) and ("known at compile time" in str(error) or "only at run time" in str(error) or "only known at run time" in str(error))


def matches(expected: str, text: str, dynamic: bool) -> bool:
    """With sizes known at run time only, how much of them a message tells may differ; an item and a truth value are one node."""
    if expected in text:
        return True
    return dynamic and (expected.split(" (", maxsplit=1)[0] in text or "cannot be converted to Scalar" in text)


def chosen(record: Operator, long: bool) -> list[Call]:
    calls = [Call(record, s) for s in record.samples() if s.raises is None]
    if long or len(calls) <= SHORT:
        return calls
    step = (len(calls) - 1) / (SHORT - 1)
    return [calls[round(i * step)] for i in range(SHORT)]


def is_lowered(record: Operator) -> bool:
    return getattr(record.lower, "__name__", "") != "unsupported"


NAMES = sorted(name for name, record in OPERATORS.items() if is_lowered(record))
PARTS = [NAMES[i : i + 40] for i in range(0, len(NAMES), 40)]
"""Operators that are tested together."""


def part_name(part: Sequence[str]) -> str:
    return f"{part[0]}-{part[-1]}".replace("aten::", "")


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("part", PARTS, ids=part_name)
def test_native_code_agrees_with_the_reference(part: Sequence[str], dynamic: bool, long: bool) -> None:
    calls = [c for name in part for c in chosen(OPERATORS[name], long)]
    found = [text for i in range(0, len(calls), GROUP) for text in faults(calls[i : i + GROUP], dynamic)]
    assert not found, "\n".join([f"{len(found)} of {len(calls)} calls are wrong:", *found])


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("part", PARTS, ids=part_name)
def test_errors_are_raised(part: Sequence[str], dynamic: bool, long: bool) -> None:
    wrong: list[str] = []
    for record in map(OPERATORS.__getitem__, part):
        refused = [Call(record, s) for s in record.samples() if s.raises is not None]
        for call in refused if long else refused[: 1 if dynamic else 2]:
            text = call.sample.raises
            try:
                Group([call], dynamic).run()
            except CompileError as error:
                if not dynamic and text not in str(error):
                    wrong.append(f"{call}: {error}")
            except ExecutionError as error:
                if not matches(text, str(error), dynamic):
                    wrong.append(f"{call}: {error}")
            else:
                wrong.append(f"{call}: no error, {text!r} expected")
    assert not wrong, "\n".join(wrong)
