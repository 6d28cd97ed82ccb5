"""`torch` -> `linalg`: each node becomes what its operator record lowers it to; blocks become structured control flow.

In: the specialised, functional `torch.func` of the graph contract, with its `Signature`. Out: one `func.func` of the
tensor contract: tensors are values, ints are i64, floats f64, bools i1; extents that are not static are `?`.

    %2 : Float(3, device=cpu) = aten::relu(%x)      ->      linalg.generic ... ins(%x) outs(%empty) { maximum with 0 }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...ir.attributes import Constant, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Block, BlockArgument, Operation, OpResult, Value, functions, new_module, symbol
from ...ir.diagnostics import CompileError, Diagnostic, InternalError, placed
from ...ir.dialects import arith, func, linalg, rt, rt_forks, rt_records, scf, tensor, torch
from ...ir.dialects.aten import OPERATORS
from ...ir.dialects.aten.lowering import LoweringContext
from ...ir.operator import Operator, OperatorError, Unsupported
from ...ir.script_types import FutureType, ScriptType, TensorType, TupleType
from ...ir.signature import Dim, Signature, TensorSpec
from ...ir.types import I1, I64, INDEX, STRING, RankedTensorType, Type
from . import memory, run_time_dicts, run_time_lists, run_time_records, run_time_strings, run_time_values

Lowered = Any
"""What a torch value became: a Value, a Python constant, None, or a list of these."""


@dataclass(frozen=True)
class ConvertTorchToLinalg:
    """`signature` tells which extents of the arguments are equal."""

    signature: Signature
    name: str = "convert-torch-to-linalg"

    def apply(self, module: Operation) -> Operation:
        target = new_module()
        entry, *forked = functions(module)
        for op in forked:
            _Converter(target, self.signature).convert_forked(op)
        _Converter(target, self.signature).convert(entry)
        return target


def converted_type(t: ScriptType) -> Type:
    """Type of a torch value in the linalg stage, of one that is one value there."""
    forms = run_time_values.forms_of(t)
    if len(forms) != 1:
        raise InternalError(f"a value of type {t} is {len(forms)} values in the linalg stage")
    return forms[0]


class _Converter:
    def __init__(self, target: Operation, signature: Signature) -> None:
        self.target = target
        self.signature = signature
        self.values: dict[Value, Lowered] = {}
        self.boxes: dict[Value, Value] = {}
        """Of tensors that are given to other threads."""
        self.faults: list[Diagnostic] = []
        """What cannot be lowered: all of it is reported together."""

    def convert(self, source: Operation) -> None:
        body = source.body()
        inputs = [converted_type(cast(ScriptType, a.type)) for a in body.args]
        results = [converted_type(t) for t in self.signature.results]
        function = func.func(self.target, symbol(source), inputs, results, [a.name for a in body.args])
        b = Builder(function.body(), span=source.span)
        self.cx = LoweringContext(b)
        for old, new in zip(body.args, function.body().args, strict=True):
            self.values[old] = new
            self.remember_dtype(new, cast(ScriptType, old.type))
        self.share_named_extents(function.body())
        self.convert_block(body)
        if self.faults:
            raise CompileError(list(dict.fromkeys(self.faults)))
        returned = body.terminator.operands
        values = [self.materialise(v, t) for v, t in zip(returned, results, strict=True)]
        func.return_(b, values)

    def convert_forked(self, source: Operation) -> None:
        """A function that is forked: it returns the slots of a value made at run time."""
        body = source.body()
        (returned,) = body.terminator.operands
        result = cast(ScriptType, returned.type)
        inputs = [converted_type(cast(ScriptType, a.type)) for a in body.args]
        function = func.func(self.target, symbol(source), inputs, run_time_values.slots_of(result), [a.name for a in body.args])
        b = Builder(function.body(), span=source.span)
        self.cx = LoweringContext(b)
        for old, new in zip(body.args, function.body().args, strict=True):
            self.values[old] = new
            self.remember_dtype(new, cast(ScriptType, old.type))
        self.convert_block(body)
        if self.faults:
            raise CompileError(list(dict.fromkeys(self.faults)))
        func.return_(b, run_time_values.slots(self.cx, self.values[returned], result))

    def share_named_extents(self, entry: Block) -> None:
        """Extents of one name are one SSA value, so that no equality has to be checked between them."""
        seen: dict[str, Value] = {}
        for argument, parameter in zip(entry.args, self.signature.parameters, strict=True):
            if isinstance(parameter.spec, TensorSpec):
                for axis, extent in enumerate(parameter.spec.shape):
                    if isinstance(extent, Dim):
                        first = seen.get(extent.name)
                        if first is None:
                            seen[extent.name] = cast(Value, self.cx.dim(argument, axis))
                        else:
                            dims = self.cx.dims(argument)
                            dims[axis] = first
                            self.cx.set_dims(argument, dims)

    def convert_block(self, block: Block) -> None:
        for op in block.operations():
            if op is not block.terminator:
                self.convert_op(op)

    def convert_op(self, op: Operation) -> None:
        self.cx.b.span = op.span
        with placed(op.span):
            self.convert_placed(op)

    def convert_placed(self, op: Operation) -> None:
        convert = _PRIM.get(op.name)
        if not op.regions and memory.handles(op, [self.values[v] for v in op.operands]):
            self.bind(op, memory.lower(self.cx, op, [self.values[v] for v in op.operands]))
            return
        if run_time_strings.is_string_node(op):
            self.bind(op, run_time_strings.lower(self.cx, op, [self.values[v] for v in op.operands]))
        elif run_time_records.is_record_node(op):
            self.bind(op, run_time_records.lower(self.cx, op, [self.values[v] for v in op.operands]))
        elif run_time_dicts.is_dict_node(op):
            self.bind(op, run_time_dicts.lower(self.cx, op, [self.values[v] for v in op.operands]))
        elif op.name not in _CONTROL and run_time_lists.handles(op, [self.values[v] for v in op.operands]):
            self.convert_list(op)
        elif convert is not None:
            convert(self, op)
        else:
            self.convert_operator(op)

    def convert_list(self, op: Operation) -> None:
        self.bind(op, run_time_lists.lower(self.cx, op, [self.values[v] for v in op.operands]))

    def convert_operator(self, op: Operation) -> None:
        """By its record: `aten::` operators, and those of `prim::` that compute (`prim::max.int`)."""
        record = OPERATORS.get(op.name)
        if record is None:
            raise CompileError.at(op.span, f"operator {op.name} is not supported yet")
        arguments = {a.name: self.values[v] for a, v in zip(record.schema.arguments, op.operands, strict=True)}
        try:
            lowered = self.lowered(record, op, arguments)
        except CompileError as error:
            self.faults += error.diagnostics
            lowered = [self.placeholder(cast(ScriptType, r.type)) for r in op.results]
        self.bind(op, lowered)

    def lowered(self, record: Operator, op: Operation, arguments: Mapping[str, Lowered]) -> Sequence[Lowered]:
        try:
            return self.cx.lower(record, arguments, tuple(cast(ScriptType, r.type) for r in op.results), op.span)
        except Unsupported as reason:
            raise CompileError.at(op.span, f"{record.name}: {reason}") from reason
        except OperatorError as reason:
            raise CompileError.at(op.span, str(reason)) from reason

    def bind(self, op: Operation, lowered: Sequence[Lowered]) -> None:
        for result, value in zip(op.results, lowered, strict=True):
            self.values[result] = value
            if isinstance(value, Value):
                value.name = value.name or result.name
                self.remember_dtype(value, cast(ScriptType, result.type))

    def remember_dtype(self, value: Value, type: ScriptType) -> None:
        """uint8 and int8 are one element type: the context has to be told."""
        if isinstance(type, TensorType) and type.dtype is not None:
            self.cx.set_dtype(value, type.dtype)

    # values

    def materialise(self, value: Value, to: Type) -> Value:
        """The lowered value as an SSA value of exactly this type."""
        lowered = self.values[value]
        b = self.cx.b
        if not isinstance(lowered, Value):
            assert lowered is not None and not isinstance(lowered, str | list), f"cannot materialise {lowered!r}"
            return arith.constant(b, lowered, to)
        if lowered.type == to:
            return lowered
        if isinstance(to, RankedTensorType) and isinstance(lowered.type, RankedTensorType):
            return tensor.cast_(b, lowered, to)
        raise InternalError(f"value of type {lowered.type} where {to} is expected")

    def constant(self, op: Operation) -> None:
        value = op.attributes.get("value")
        if isinstance(value, Constant):
            type = converted_type(cast(ScriptType, op.result.type))
            self.bind(op, [arith.dense(self.cx.b, _dense(value, cast(RankedTensorType, type)))])
        else:
            self.values[op.result] = value

    def list_construct(self, op: Operation) -> None:
        self.values[op.result] = [self.values[v] for v in op.operands]

    def tuple_unpack(self, op: Operation) -> None:
        whole = self.values[op.operand(0)]
        self.bind(op, run_time_values.parts(self.cx, whole) if isinstance(whole, Value | complex) else whole)

    def list_unpack(self, op: Operation) -> None:
        self.bind(op, self.values[op.operand(0)])

    def num_to_tensor(self, op: Operation) -> None:
        result = cast(RankedTensorType, converted_type(cast(ScriptType, op.result.type)))
        number = self.materialise(op.operand(0), result.element)
        self.values[op.result] = tensor.from_elements(self.cx.b, [number], (), result.element)

    def uninitialized(self, op: Operation) -> None:
        self.values[op.result] = self.placeholder(cast(ScriptType, op.result.type))

    def placeholder(self, t: ScriptType) -> Lowered:
        """A value that nobody needs: zero, or a tensor without elements in its dynamic extents. Tensors may be read."""
        match t:
            case TensorType() if t.in_memory:
                return memory.blank(self.cx, t)
            case TupleType():
                return [self.placeholder(e) for e in t.elements]
            case _:
                pass
        parts = [self.nothing(form) for form in run_time_values.forms_of(t)]
        return run_time_values.put_together(self.cx, parts, t)

    def nothing(self, type: Type) -> Value:
        b = self.cx.b
        if type == STRING:
            return run_time_strings.string(b, "")
        if rt.is_counted(type):
            return rt_records.null(b, type)
        if not isinstance(type, RankedTensorType):
            return arith.constant(b, 0, type)
        zero = arith.constant(b, 0, INDEX)
        empty = tensor.empty(b, [zero if e is None else e for e in type.shape], type.element)
        return linalg.fill(b, arith.constant(b, 0, type.element), empty).result

    def raise_exception(self, op: Operation) -> None:
        known = [self.values[v] for v in op.operands[2:]]
        holes = [run_time_strings.string(self.cx.b, k) if isinstance(k, str) else k for k in known]
        message = op.attributes.get("message")
        text = message if isinstance(message, str) else self.values[op.operand(0)]
        self.cx.check(arith.constant(self.cx.b, False, I1), cast(str, text), holes)

    # forks

    def convert_fork(self, op: Operation) -> None:
        given = [self.given(v) for v in op.operands]
        type = run_time_values.future_type(cast(FutureType, op.result.type))
        here = torch.HERE in op.attributes
        self.bind(op, [rt_forks.fork(self.cx.b, cast(str, op.attributes["callee"]), given, type, here=here)])

    def given(self, value: Value) -> Value:
        """What a function on another thread gets: a tensor that does not live as long as the call in a box, made once."""
        known, wanted = self.values[value], converted_type(cast(ScriptType, value.type))
        if rt.is_counted(wanted) and not isinstance(known, Value):
            return run_time_strings.string(self.cx.b, cast(str, known))
        lowered = self.materialise(value, wanted)
        if not isinstance(wanted, RankedTensorType) or _is_parameter(lowered):
            return lowered
        if value in self.boxes:
            return self.boxes[value]
        inner = lowered.defining_op("rt.unbox")
        if inner is not None:
            return inner.operand(0)
        if known is not lowered:
            return rt.box(self.cx.b, lowered)
        b = Builder.after(lowered.op) if isinstance(lowered, OpResult) else Builder.at_start(cast(BlockArgument, lowered).block)
        self.boxes[value] = rt.box(b, lowered)
        return self.boxes[value]

    def convert_wait(self, op: Operation) -> None:
        held = rt_forks.wait(self.cx.b, cast(Value, self.values[op.operand(0)]))
        self.bind(op, [run_time_values.value(self.cx, held, cast(ScriptType, op.result.type))])

    def convert_ready(self, op: Operation) -> None:
        t = cast(ScriptType, op.operand(0).type)
        self.bind(op, [rt_forks.ready(self.cx.b, run_time_values.slots(self.cx, self.values[op.operand(0)], t))])

    # control flow

    def taken_apart(self, values: Sequence[Value], types: Sequence[ScriptType]) -> list[Value]:
        """The lowered values as those that control flow hands on."""
        return [p for v, t in zip(values, types, strict=True) for p in run_time_values.taken_apart(self.cx, self.values[v], t)]

    def put_together(self, parts: Sequence[Value], types: Sequence[ScriptType]) -> list[Lowered]:
        found: list[Lowered] = []
        for t in types:
            count = len(run_time_values.forms_of(t))
            found.append(run_time_values.put_together(self.cx, parts[:count], t))
            parts = parts[count:]
        return found

    def convert_if(self, op: Operation) -> None:
        types = [cast(ScriptType, r.type) for r in op.results]
        forms = [f for t in types for f in run_time_values.forms_of(t)]

        def branch(index: int) -> scf.Body:
            def body(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
                del b, args
                block = op.body(index)
                self.convert_block(block)
                return self.taken_apart(block.terminator.operands, types)

            return body

        condition = self.materialise(op.operand(0), I1)
        converted = scf.if_(self.cx.b, condition, forms, branch(0), branch(1))
        self.bind(op, self.put_together(converted.results, types))

    def convert_loop(self, op: Operation) -> None:
        body = op.body()
        types = [cast(ScriptType, r.type) for r in op.results]
        inits = self.taken_apart(op.operands[2:], types)
        runs_to_the_end = self.values[op.operand(1)] is True and self.is_true(body.terminator.operand(0))
        converted = (self.counted_loop if runs_to_the_end else self.conditional_loop)(op, body, inits, types)
        self.bind(op, self.put_together(converted, types))

    def is_true(self, condition: Value) -> bool:
        constant = condition.defining_op("prim::Constant")
        return constant is not None and constant.attributes.get("value") is True

    def bind_arguments(self, body: Block, index: Value, parts: Sequence[Value], types: Sequence[ScriptType]) -> None:
        for argument, value in zip(body.args, [index, *self.put_together(parts, types)], strict=True):
            self.values[argument] = value

    def counted_loop(
        self, op: Operation, body: Block, inits: Sequence[Value], types: Sequence[ScriptType]
    ) -> Sequence[Value]:
        b = self.cx.b
        zero, one = arith.constant(b, 0, INDEX), arith.constant(b, 1, INDEX)
        trips = arith.index_cast(b, self.materialise(op.operand(0), I64), INDEX)

        def step(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            self.bind_arguments(body, arith.index_cast(inner, args[0], I64), args[1:], types)
            self.convert_block(body)
            return self.taken_apart(body.terminator.operands[1:], types)

        return scf.for_(b, zero, trips, one, inits, step, body.args[0].name).results

    def conditional_loop(
        self, op: Operation, body: Block, inits: Sequence[Value], types: Sequence[ScriptType]
    ) -> Sequence[Value]:
        b = self.cx.b
        trips = self.materialise(op.operand(0), I64)
        first = [arith.constant(b, 0, I64), self.materialise(op.operand(1), I1), *inits]

        def before(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            more = arith.cmpi(inner, "slt", args[0], trips)
            return [arith.andi(inner, more, args[1]), *args]

        def after(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            self.bind_arguments(body, args[0], args[2:], types)
            self.convert_block(body)
            following = arith.addi(inner, args[0], arith.constant(inner, 1, I64))
            condition, *carried = body.terminator.operands
            return [following, self.materialise(condition, I1), *self.taken_apart(carried, types)]

        return scf.while_(b, first, before, after).results[2:]


def _is_parameter(value: Value) -> bool:
    """Whether it lives as long as the call."""
    if not isinstance(value, BlockArgument):
        return False
    parent = value.block.parent_op
    return parent is not None and parent.name == func.FUNC


def _dense(constant: Constant, type: RankedTensorType) -> DenseAttr:
    """Small constants as text, so that folding can see them; large ones by name."""
    array = constant.array
    if array.size > 16 or array.size == 0:
        return DenseAttr(constant, type)
    values = array.reshape(-1).tolist()
    return DenseAttr(values[0] if len(set(map(repr, values))) == 1 else tuple(values), type)


_PRIM = {
    "prim::Constant": _Converter.constant,
    "prim::ListConstruct": _Converter.list_construct,
    "prim::ListUnpack": _Converter.list_unpack,
    "prim::TupleConstruct": _Converter.list_construct,
    "prim::TupleUnpack": _Converter.tuple_unpack,
    "prim::NumToTensor": _Converter.num_to_tensor,
    "prim::Uninitialized": _Converter.uninitialized,
    "prim::RaiseException": _Converter.raise_exception,
    "prim::If": _Converter.convert_if,
    "prim::Loop": _Converter.convert_loop,
    "prim::fork": _Converter.convert_fork,
    "prim::future": _Converter.convert_ready,
    "aten::wait": _Converter.convert_wait,
}

_CONTROL = frozenset(
    f"prim::{name}" for name in ("If", "Loop", "ListConstruct", "TupleConstruct", "Uninitialized", "fork", "future")
)
"""Nodes that take lists of run-time length like any other value."""
