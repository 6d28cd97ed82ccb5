"""Partial evaluation of a program for given arguments: the first pass of lowering.

In: a `Program` (functions as the frontend wrote them, with calls, objects, lists, strings) and an `ArgumentSpec` for
each parameter. Out: a module with one flat `torch.func` in which every tensor has a known dtype and rank and only
primitive operators, numbers and residual control flow are left, and its `Signature`. Writes to tensors are left as
`aten::copy_`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, lookup, new_module
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import torch
from ...ir.program import Program
from ...ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
)
from ...ir.signature import (
    ArgumentSpec,
    ConstantResult,
    ConstantSpec,
    Dim,
    Leaf,
    Parameter,
    ResultTree,
    ScalarSpec,
    SequenceResult,
    SequenceSpec,
    Signature,
    TensorSpec,
)
from .evaluator import Composite, Evaluator
from .values import (
    Abstract,
    Diverged,
    Enumerator,
    Function,
    Known,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Uninitialized,
    describe,
    type_of,
)


def specialize(
    program: Program,
    arguments: Sequence[ArgumentSpec],
    composite: Composite = lambda name: None,
    name: str | None = None,
) -> tuple[Operation, Signature]:
    """The entry of `program` for these arguments, as function `name` (the entry's own name unless given).

    Parameters without a spec take their defaults. `composite` gives the function that defines a composite operator.
    """
    function = lookup(program.module, program.entry)
    if function is None:
        raise InternalError(f"the program has no function {program.entry}")
    title = name if name is not None else program.entry
    entry = _Entry(function, composite)
    values = entry.receive(program, arguments)
    try:
        result = entry.evaluator.call(function, values)
    except Diverged:
        result = None
    tree = ConstantResult(None) if result is None else entry.flatten(result)
    return entry.finish(title, tree)


def tensor_type_of(spec: TensorSpec) -> TensorType:
    return TensorType(spec.dtype, tuple(None if isinstance(d, Dim) else d for d in spec.shape))


@dataclass
class _Entry:
    """The boundary: arguments taken apart, results put in order."""

    function: Operation
    composite: Composite
    block: Block = field(default_factory=Block)
    parameters: list[Parameter] = field(default_factory=list[Parameter])
    results: list[Value] = field(default_factory=list[Value])
    _dims: dict[str, tuple[Value, int]] = field(default_factory=dict[str, tuple[Value, int]])

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(Builder(self.block), self.composite)

    # arguments

    def receive(self, program: Program, arguments: Sequence[ArgumentSpec]) -> list[Abstract]:
        formal = program.schema.arguments
        if len(arguments) > len(formal):
            raise CompileError.at(
                self.function.span, f"{program.schema.base}() takes {len(formal)} arguments, {len(arguments)} are given"
            )
        values: list[Abstract] = []
        if program.receiver is not None:
            values.append(self.evaluator.import_value(program.receiver))
        for i, parameter in enumerate(formal):
            if i < len(arguments):
                spec = arguments[i]
            elif parameter.has_default:
                spec = ConstantSpec(parameter.default)
            else:
                raise CompileError.at(
                    self.function.span,
                    f"argument '{parameter.name}' of {program.schema.base}() is not given",
                    help=f"say what it is, as in --input {parameter.name}=f32[2,3]",
                )
            values.append(self._argument(parameter.name, spec, parameter.type))
        return values

    def _argument(self, name: str, spec: ArgumentSpec, formal: ScriptType) -> Abstract:
        declared = formal.element if isinstance(formal, OptionalType) else formal
        match spec:
            case TensorSpec():
                value = self.block.add_argument(tensor_type_of(spec), name)
                self.parameters.append(Parameter(name, spec))
                self._note_dims(value, spec)
                return Tensor(value)
            case ScalarSpec():
                if spec.type not in (INT, FLOAT, BOOL):
                    raise CompileError.at(
                        self.function.span, f"argument '{name}': {describe(spec.type)} cannot be given at run time"
                    )
                value = self.block.add_argument(spec.type, name)
                self.parameters.append(Parameter(name, spec))
                return Scalar(value)
            case ConstantSpec():
                value = spec.value
                if isinstance(declared, ListType) and isinstance(value, tuple):
                    value = list(cast("tuple[object, ...]", value))
                if declared == FLOAT and isinstance(value, int):
                    value = float(value)
                return self.evaluator.import_value(value, declared)
            case SequenceSpec():
                return self._sequence(name, spec, declared)

    def _note_dims(self, value: Value, spec: TensorSpec) -> None:
        """Extents of one name are taken from the first parameter that has it."""
        for i, dim in enumerate(spec.shape):
            if isinstance(dim, Dim):
                first = self._dims.setdefault(dim.name, (value, i))
                self.evaluator.equal_dims[value, i] = first

    def _sequence(self, name: str, spec: SequenceSpec, declared: ScriptType) -> Abstract:
        elements: list[Abstract] = []
        for i, element in enumerate(spec.elements):
            formal = declared.element if isinstance(declared, ListType) else None
            if isinstance(declared, TupleType) and i < len(declared.elements):
                formal = declared.elements[i]
            elements.append(self._argument(f"{name}[{i}]", element, formal or TensorType()))
        if spec.is_tuple and not isinstance(declared, ListType):
            return Tuple(tuple(elements))
        type_ = declared if isinstance(declared, ListType) else ListType(self.evaluator.common_type(elements))
        return self.evaluator.new_list(elements, type_)

    # results

    def flatten(self, value: Abstract) -> ResultTree:
        ev = self.evaluator
        match value:
            case Tensor():
                return self._leaf(ev.current(value).value)
            case Scalar():
                return self._leaf(value.value)
            case Known():
                return ConstantResult(value.value)
            case Tuple():
                return SequenceResult(tuple(self.flatten(e) for e in value.elements), True)
            case Ref() if value.kind == "list":
                return SequenceResult(tuple(self.flatten(e) for e in ev.elements(value)), False)
            case Uninitialized():
                return ConstantResult(None)
            case RunTimeOnly():
                raise ev.use_error(value)
            case Text():
                ev.place(self.function.span)
                raise ev.not_static("the text that is returned")
            case Ref() | Enumerator() | Function():
                raise CompileError.at(
                    self.function.span,
                    f"{describe(type_of(value))} cannot be returned from compiled code",
                    help="return tensors, numbers, lists or tuples",
                )

    def _leaf(self, value: Value) -> Leaf:
        if value not in self.results:
            self.results.append(value)
        return Leaf(self.results.index(value), cast(ScriptType, value.type))

    def finish(self, name: str, tree: ResultTree) -> tuple[Operation, Signature]:
        ev = self.evaluator
        torch.return_(ev.b, self.results)
        for op in reversed(ev.pool.operations):
            if op.result.uses:
                self.block.insert_before(op, self.block.first)
        module = new_module()
        function = torch.func(module, name, [p.name for p in self.parameters], [])
        function.span = self.function.span
        function.regions[0].blocks.clear()
        function.regions[0].add_block(self.block)
        types = tuple(cast(ScriptType, v.type) for v in self.results)
        return module, Signature(name, tuple(self.parameters), types, tree)
