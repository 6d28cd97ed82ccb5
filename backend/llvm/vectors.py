"""`vector`: one-dimensional vectors, which are LLVM's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ...ir.attributes import DenseArrayAttr
from ...ir.core import Operation, Value
from ...ir.diagnostics import InternalError
from ...ir.dialects import llvm
from ...ir.types import F32, I1, INDEX, IndexType, IntegerType, Type, VectorType, element_type, with_shape_of
from .arithmetic import fastmath, float_operation
from .buffers import Buffer
from .emitter import Emit, Emitter
from .precision import from_f32, to_f32
from .types import dense, is_low_precision, lanes, literal, memory_type, register_type, suffix


def _place(e: Emitter, base: Value, indices: Sequence[Value], *, inbounds: bool = True) -> tuple[Buffer, str, int]:
    buffer = e.buffer(base)
    if buffer.strides and buffer.strides[-1].known() != 1:
        raise InternalError("a vector access along a dimension that is not contiguous")
    pointer, alignment = e.address(buffer, [e.linear(i) for i in indices], inbounds=inbounds)
    return buffer, pointer, alignment


def _load(e: Emitter, op: Operation) -> None:
    buffer, pointer, alignment = _place(e, op.operand(0), op.operands[1:])
    t = memory_type(op.result.type)
    value = e.op(t, f"load {t}, {e.pointer(buffer.space)} {pointer}, align {alignment}{e.access_suffix()}")
    e.set(op.result, _from_memory(e, value, op.result.type))


def _store(e: Emitter, op: Operation) -> None:
    value, base, *indices = op.operands
    buffer, pointer, alignment = _place(e, base, indices)
    text = _to_memory(e, e.text(value), value.type)
    hint = e.context.nontemporal() if "nontemporal" in op.attributes else ""
    e.line(
        f"store {memory_type(value.type)} {text}, {e.pointer(buffer.space)} {pointer}, "
        f"align {alignment}{hint}{e.access_suffix()}"
    )


def _from_memory(e: Emitter, value: str, t: Type) -> str:
    if element_type(t) != I1:
        return value
    return e.pure(register_type(t), f"icmp ne {memory_type(t)} {value}, zeroinitializer")


def _to_memory(e: Emitter, value: str, t: Type) -> str:
    if element_type(t) != I1:
        return value
    return e.pure(memory_type(t), f"zext {register_type(t)} {value} to {memory_type(t)}")


def _masked_load(e: Emitter, op: Operation) -> None:
    base, *indices, mask, other = op.operands
    buffer, pointer, alignment = _place(e, base, indices, inbounds=False)
    t, flags = memory_type(op.result.type), register_type(mask.type)
    default = _to_memory(e, e.text(other), other.type)
    name = f"@llvm.masked.load.{_memory_suffix(op.result.type)}.p{buffer.space}"
    kind = e.pointer(buffer.space)
    call = (
        f"call {t} {name}({kind} align {alignment} {pointer}, {flags} {e.text(mask)}, {t} {default}){e.access_suffix()}"
    )
    e.set(op.result, _from_memory(e, e.op(t, call), op.result.type))


def _masked_store(e: Emitter, op: Operation) -> None:
    base, *indices, mask, value = op.operands
    buffer, pointer, alignment = _place(e, base, indices, inbounds=False)
    t, flags = memory_type(value.type), register_type(mask.type)
    name = f"@llvm.masked.store.{_memory_suffix(value.type)}.p{buffer.space}"
    text = _to_memory(e, e.text(value), value.type)
    kind = e.pointer(buffer.space)
    if _is_one_lane(e.text(mask)):
        # of one lane that was truncated, LLVM's x86 backend stores all of it: 4 bytes of a byte
        element = memory_type(element_type(value.type))
        first = e.pure(element, f"extractelement {t} {text}, i64 0")
        e.line(f"store {element} {first}, {kind} {pointer}, align {alignment}{e.access_suffix()}")
        return
    e.line(
        f"call void {name}({t} {text}, {kind} align {alignment} {pointer}, {flags} {e.text(mask)}){e.access_suffix()}"
    )


def _is_one_lane(mask: str) -> bool:
    """Whether the text of a mask is a constant with one lane set, the first."""
    lanes_set = [lane.split()[-1] in ("1", "true") for lane in mask.strip("<>").split(", ")] if mask[0] == "<" else []
    return sum(lanes_set) == 1 and lanes_set[0]


def _memory_suffix(t: Type) -> str:
    """Intrinsics' names for what stands in memory: f16 and bf16 are i16 there, i1 is i8."""
    element = element_type(t)
    name = "i8" if element == I1 else "i16" if is_low_precision(t) else suffix(element)
    return f"v{lanes(t)}{name}"


def _gather(e: Emitter, op: Operation) -> None:
    base, *indices, positions, mask, other = op.operands
    buffer, pointer, alignment = _place(e, base, indices, inbounds=False)
    t, flags, wide = (
        memory_type(op.result.type),
        register_type(mask.type),
        register_type(with_shape_of(positions.type, INDEX)),
    )
    steps = e.text(positions)
    if register_type(positions.type) != wide:
        steps = e.pure(wide, f"sext {register_type(positions.type)} {steps} to {wide}")
    count, kind = lanes(op.result.type), e.pointer(buffer.space)
    pointers = e.pure(
        f"<{count} x {kind}>", f"getelementptr {memory_type(buffer.element)}, {kind} {pointer}, {wide} {steps}"
    )
    name = f"@llvm.masked.gather.{_memory_suffix(op.result.type)}.v{count}p{buffer.space}"
    default = _to_memory(e, e.text(other), other.type)
    arguments = f"<{count} x {kind}> align {alignment} {pointers}, {flags} {e.text(mask)}, {t} {default}"
    call = f"call {t} {name}({arguments}){e.access_suffix()}"
    e.set(op.result, _from_memory(e, e.op(t, call), op.result.type))


def _broadcast(e: Emitter, op: Operation) -> None:
    source, result = op.operand(0), cast(VectorType, op.result.type)
    t, element = register_type(result), register_type(result.element)
    value = e.text(source)
    if isinstance(source.type, VectorType):
        if lanes(source.type) == lanes(result):
            e.set(op.result, value)
            return
        value = e.pure(element, f"extractelement {register_type(source.type)} {value}, i64 0")
    if not value.startswith("%"):
        e.set(op.result, f"splat ({element} {value})")
        return
    first = e.pure(t, f"insertelement {t} poison, {element} {value}, i64 0")
    e.set(op.result, e.pure(t, f"shufflevector {t} {first}, {t} poison, <{lanes(result)} x i32> zeroinitializer"))


def _fma(e: Emitter, op: Operation) -> None:
    name = "fma" if e.context.fused else "fmuladd"  # a sum of products: without the instruction, it would be calls of libm

    def call(register: str, t: Type, texts: list[str]) -> str:
        return f"call {register} @llvm.{name}.{suffix(t)}({', '.join(f'{register} {x}' for x in texts)})"

    e.set(op.result, float_operation(e, op.result.type, op.operands, call))


def _position(op: Operation) -> int:
    positions = cast(DenseArrayAttr, op.attributes["static_position"]).values
    if len(positions) > 1:
        raise InternalError(f"{op.name} at more than one position")
    return positions[0] if positions else 0


def _extract(e: Emitter, op: Operation) -> None:
    source = op.operand(0)
    if len(op.operands) > 1:
        index = e.text(op.operand(1))
    else:
        index = str(_position(op))
    t = register_type(source.type)
    e.set(op.result, e.pure(register_type(op.result.type), f"extractelement {t} {e.text(source)}, i64 {index}"))


def _insert(e: Emitter, op: Operation) -> None:
    value, dest = op.operand(0), op.operand(1)
    t = register_type(dest.type)
    index = e.text(op.operand(2)) if len(op.operands) > 2 else str(_position(op))
    e.set(
        op.result,
        e.pure(t, f"insertelement {t} {e.text(dest)}, {register_type(value.type)} {e.text(value)}, i64 {index}"),
    )


_REDUCTIONS: Final = {
    "add": "add", "mul": "mul", "and": "and", "or": "or", "xor": "xor", "minsi": "smin", "maxsi": "smax",
    "minui": "umin", "maxui": "umax", "minimumf": "fminimum", "maximumf": "fmaximum", "minnumf": "fmin",
    "maxnumf": "fmax",
}  # fmt: skip
_COMBINE: Final = {
    "add": "add", "mul": "mul", "and": "and", "or": "or", "xor": "xor",
}  # fmt: skip


def _reduction(e: Emitter, op: Operation) -> None:
    kind = cast(str, op.attributes["kind"])
    vector = op.operand(0)
    t, value = vector.type, e.text(vector)
    start = e.text(op.operand(1)) if len(op.operands) > 1 else None
    low = is_low_precision(t)
    if low:
        value = to_f32(e, value, t)
        start = to_f32(e, start, op.result.type) if start is not None else None
        t = with_shape_of(t, F32)
    element = element_type(t)
    scalar, register = register_type(element), register_type(t)
    flags = fastmath(op)
    is_float = not isinstance(element, IntegerType | IndexType)
    if is_float and kind in ("add", "mul"):
        neutral = literal(-0.0 if kind == "add" else 1.0, element)
        name = f"@llvm.vector.reduce.f{kind}.{suffix(t)}"
        total = e.pure(scalar, f"call {flags}{scalar} {name}({scalar} {start or neutral}, {register} {value})")
    else:
        name = f"@llvm.vector.reduce.{_REDUCTIONS[kind]}.{suffix(t)}"
        total = e.pure(scalar, f"call {flags if is_float else ''}{scalar} {name}({register} {value})")
        if start is not None:
            total = _combined(e, kind, element, total, start)
    e.set(op.result, from_f32(e, total, op.result.type) if low else total)


def _combined(e: Emitter, kind: str, element: Type, total: str, start: str) -> str:
    scalar = register_type(element)
    if kind in _COMBINE:
        return e.pure(scalar, f"{_COMBINE[kind]} {scalar} {total}, {start}")
    names = {"minimumf": "minimum", "maximumf": "maximum", "minnumf": "minnum", "maxnumf": "maxnum"}
    name = names.get(kind) or _REDUCTIONS[kind]
    return e.pure(scalar, f"call {scalar} @llvm.{name}.{suffix(element)}({scalar} {total}, {scalar} {start})")


def _create_mask(e: Emitter, op: Operation) -> None:
    count = lanes(op.result.type)
    flags, wide = register_type(op.result.type), VectorType((count,), INDEX)
    known = e.linear(op.operand(0)).known()
    if known is not None:
        e.set(op.result, dense([i < known for i in range(count)], cast(VectorType, op.result.type)))
        return
    t = register_type(wide)
    first = e.pure(t, f"insertelement {t} poison, i64 {e.text(op.operand(0))}, i64 0")
    limit = e.pure(t, f"shufflevector {t} {first}, {t} poison, <{count} x i32> zeroinitializer")
    e.set(op.result, e.pure(flags, f"icmp slt {t} {dense(range(count), wide)}, {limit}"))


def _step(e: Emitter, op: Operation) -> None:
    e.set(op.result, dense(range(lanes(op.result.type)), cast(VectorType, op.result.type)))


def _shuffle(e: Emitter, op: Operation) -> None:
    a, b = op.operands
    mask = cast(DenseArrayAttr, op.attributes["mask"]).values
    t = register_type(a.type)
    if register_type(b.type) != t:
        raise InternalError("vector.shuffle of vectors of different lengths")
    lanes_text = ", ".join(f"i32 {i}" for i in mask)
    e.set(
        op.result,
        e.pure(
            register_type(op.result.type),
            f"shufflevector {t} {e.text(a)}, {t} {e.text(b)}, <{len(mask)} x i32> <{lanes_text}>",
        ),
    )


def _bitcast(e: Emitter, op: Operation) -> None:
    source, result = op.operand(0), register_type(op.result.type)
    e.set(op.result, e.pure(result, f"bitcast {register_type(source.type)} {e.text(source)} to {result}"))


def _call_intrinsic(e: Emitter, op: Operation) -> None:
    arguments = ", ".join(f"{register_type(v.type)} {e.text(v)}" for v in op.operands)
    result = register_type(op.result.type)
    e.set(op.result, e.pure(result, f"call {result} @{llvm.name_of(op)}({arguments})"))


EMITTERS: Final[dict[str, Emit]] = {
    "vector.load": _load,
    "vector.store": _store,
    "vector.maskedload": _masked_load,
    "vector.maskedstore": _masked_store,
    "vector.gather": _gather,
    "vector.broadcast": _broadcast,
    "vector.fma": _fma,
    "vector.extract": _extract,
    "vector.insert": _insert,
    "vector.reduction": _reduction,
    "vector.create_mask": _create_mask,
    "vector.step": _step,
    "vector.shuffle": _shuffle,
    "vector.bitcast": _bitcast,
    "llvm.call_intrinsic": _call_intrinsic,
}
