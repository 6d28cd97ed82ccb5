"""The exported C function around a function of the `loops` stage.

It checks each argument against the signature, packs strided ones, calls the function, and hands out the results. The
checks are tables of constants that the run time reads (`runtime/tensors.ll`), so the code stays small.

    define i32 @NAME(ptr %x, i64 %k, ..., ptr %out0, ...)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ...ir.diagnostics import CompileError, InternalError
from ...ir.dtypes import DType
from ...ir.script_types import BoolType, ScriptType, TensorType
from ...ir.signature import Dim, Parameter, Signature, TensorSpec
from ...ir.types import MemRefType, Type
from ..llvm.control import result_type
from ..llvm.emitter import FunctionFacts
from ..llvm.types import register_type
from ..runtime.abi import DATA_TYPES, describe, scalar_kind
from .text import FunctionText

_MAX_RANK: Final = 64
_NO_MAXIMUM: Final = 2**63 - 1
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check_name(name: str) -> str:
    """The exported name, if C can say it."""
    if not _IDENTIFIER.match(name):
        raise CompileError.at(
            None, f"`{name}` is no name for a C function", help="choose another one for the exported function"
        )
    return name


def dimensions(signature: Signature) -> dict[str, Dim]:
    """Dynamic dimensions by name, in order of appearance, their ranges intersected."""
    found: dict[str, Dim] = {}
    for parameter in signature.parameters:
        if not isinstance(parameter.spec, TensorSpec):
            continue
        for dim in parameter.spec.shape:
            if isinstance(dim, Dim):
                old = found.get(dim.name, dim)
                tops = [m for m in (old.maximum, dim.maximum) if m is not None]
                found[dim.name] = Dim(dim.name, max(old.minimum, dim.minimum), min(tops) if tops else None)
    return found


def exported_function(signature: Signature, facts: FunctionFacts, prefix: str, wakes_pool: bool) -> str:
    """LLVM text of the C function `signature.name` around the function with these facts."""
    w = FunctionText(prefix)
    dims = dimensions(signature)
    numbers = {name: i for i, name in enumerate(dims)}
    if len(facts.inputs) != len(signature.parameters) or len(facts.results) != len(signature.results):
        raise InternalError(f"@{signature.name}: its function type does not fit its signature")
    outputs = signature.outputs
    parameters = [_parameter(p, i) for i, p in enumerate(signature.parameters)] + [
        f"ptr %out{k}" for k in range(len(outputs))
    ]

    w.line(f"%values = alloca [{max(1, len(dims))} x i64], align 8")
    w.line("%arena = call ptr @torchcc.arena_mark()")
    w.line("%blocks = call ptr @torchcc.block_mark()")
    if wakes_pool:
        w.line("call void @torchcc.wake_pool()")
    for i in range(len(dims)):
        w.line(f"store i64 -1, ptr {w.op(f'getelementptr i64, ptr %values, i64 {i}')}")
    table = _dimension_table(w, dims)
    checks: dict[int, str] = {}
    data: dict[int, str] = {}
    for i, parameter in enumerate(signature.parameters):
        if isinstance(parameter.spec, TensorSpec):
            spec = parameter.spec
            extents = [-1 - numbers[e.name] if isinstance(e, Dim) else e for e in spec.shape]
            checks[i] = _tensor_check(
                w, f"argument `{parameter.name}`", spec.dtype, extents, describe(spec.dtype, spec.shape)
            )
            data[i] = w.op(f"call ptr @torchcc.bind(ptr %p{i}, ptr {checks[i]}, ptr {table}, ptr %values)")
            w.fail_if(w.op(f"icmp eq ptr {data[i]}, null"))
    arguments = [
        _arguments(w, p, (i, data.get(i, "")), facts.inputs[i], numbers) for i, p in enumerate(signature.parameters)
    ]
    parts = _call(w, facts, ", ".join(a for group in arguments for a in group))
    _hand_out(w, signature, facts, parts, checks)

    w.line("call void @torchcc.end_call(ptr %blocks, i1 true)")
    w.line("call void @torchcc.arena_release(ptr %arena)")
    w.line("ret i32 0")
    w.label("fail")
    w.line("call void @torchcc.end_call(ptr %blocks, i1 false)")
    w.line("call void @torchcc.arena_release(ptr %arena)")
    w.line("ret i32 1")
    body = "\n".join(w.lines)
    definition = f"define i32 @{check_name(signature.name)}({', '.join(parameters)}) #0 {{\nentry:\n{body}\n}}\n"
    return "\n".join((*w.globals, "", definition))


def _parameter(parameter: Parameter, index: int) -> str:
    if isinstance(parameter.spec, TensorSpec):
        return f"ptr %p{index}"
    kind = scalar_kind(parameter.spec.type)
    return f"{kind.llvm}{' zeroext' if kind.llvm == 'i8' else ''} %p{index}"


def _maximum(dim: Dim) -> int:
    return _NO_MAXIMUM if dim.maximum is None else dim.maximum


def _dimension_table(w: FunctionText, dims: dict[str, Dim]) -> str:
    entries = [
        f"%DimensionCheck {{ ptr {w.string(d.name)}, i64 {d.minimum}, i64 {_maximum(d)} }}" for d in dims.values()
    ]
    return w.constant(f"[{len(entries)} x %DimensionCheck]", f"[{', '.join(entries)}]") if entries else "null"


def _tensor_check(w: FunctionText, role: str, dtype: DType, extents: Sequence[int], expected: str) -> str:
    if len(extents) > _MAX_RANK:
        raise CompileError.at(None, f"{role}: tensors of more than {_MAX_RANK} dimensions are not supported")
    code, bits = DATA_TYPES[dtype]
    numbers = ", ".join(f"i64 {e}" for e in extents)
    shape = w.constant(f"[{len(extents)} x i64]", f"[{numbers}]") if extents else "null"
    fields = f"ptr {w.string(role)}, ptr {w.string(expected)}, i8 {code}, i8 {bits}, i32 {len(extents)}, ptr {shape}"
    return w.constant("%TensorCheck", f"{{ {fields} }}")


def _arguments(w: FunctionText, parameter: Parameter, place: tuple[int, str], t: Type, numbers: dict[str, int]) -> list[str]:
    """The registers of one argument of the inner function; `place` is its number and, of a tensor, its bound data."""
    index, data = place
    if not isinstance(t, MemRefType) or not isinstance(parameter.spec, TensorSpec):
        if isinstance(t, MemRefType) or isinstance(parameter.spec, TensorSpec):
            raise InternalError(f"parameter {parameter.name} does not fit its function's type")
        if isinstance(parameter.spec.type, BoolType):
            return [f"i1 {w.op(f'icmp ne i8 %p{index}, 0')}"]
        return [f"{register_type(t)} %p{index}"]
    registers = [f"ptr {data}"]
    for extent, declared in zip(t.shape, parameter.spec.shape, strict=True):
        if extent is not None:
            continue
        if isinstance(declared, Dim):
            slot = w.op(f"getelementptr i64, ptr %values, i64 {numbers[declared.name]}")
            registers.append(f"i64 {w.op(f'load i64, ptr {slot}')}")
        else:
            registers.append(f"i64 {declared}")
    return registers


def _component_count(t: Type) -> int:
    return 1 + sum(e is None for e in t.shape) if isinstance(t, MemRefType) else 1


def _component_types(t: Type) -> list[str]:
    return ["ptr"] + ["i64"] * (_component_count(t) - 1) if isinstance(t, MemRefType) else [register_type(t)]


def _call(w: FunctionText, facts: FunctionFacts, arguments: str) -> list[list[str]]:
    """The call, its status check, and the registers of each result."""
    flat = (["i32"] if facts.can_fail else []) + [c for t in facts.results for c in _component_types(t)]
    whole = result_type(flat)
    if not flat:
        w.line(f"call void {facts.symbol}({arguments})")
        return []
    value = w.op(f"call {whole} {facts.symbol}({arguments})")
    registers = [value] if len(flat) == 1 else [w.op(f"extractvalue {whole} {value}, {i}") for i in range(len(flat))]
    if facts.can_fail:
        w.fail_if(w.op(f"icmp ne i32 {registers[0]}, 0"))
        registers = registers[1:]
    parts: list[list[str]] = []
    for t in facts.results:
        count = _component_count(t)
        parts.append(registers[:count])
        registers = registers[count:]
    return parts


def _hand_out(
    w: FunctionText, signature: Signature, facts: FunctionFacts, parts: list[list[str]], checks: dict[int, str]
) -> None:
    """First all checks, then all results, so that a bad output tensor leaves the others untouched."""
    outputs = signature.outputs
    tensors: list[tuple[str, str, str, str, bool]] = []
    for k, i in enumerate(outputs):
        t = signature.results[i]
        if isinstance(t, TensorType):
            shape = _shape(w, facts.results[i], parts[i])
            check = _tensor_check(w, f"output {k}", _dtype(t), [-1] * t.rank, describe(_dtype(t), t.shape or ()))
            tensors.append((f"%out{k}", check, parts[i][0], shape, False))
    for i, parameter in enumerate(signature.parameters):
        if parameter.write_back is not None:
            result = parts[parameter.write_back]
            shape = _shape(w, facts.results[parameter.write_back], result)
            tensors.append((f"%p{i}", checks[i], result[0], shape, True))
    for place, check, _, shape, _ in tensors:
        fits = w.op(f"call i1 @torchcc.check_output(ptr {place}, ptr {check}, ptr {shape})")
        w.fail_if(w.op(f"xor i1 {fits}, true"))
    for place, check, data, shape, written in tensors:
        arguments = f"ptr {place}, ptr {check}, ptr {data}, ptr {shape}"
        if written:
            w.line(f"call void @torchcc.write_back({arguments})")
        else:
            given = w.op(f"call i1 @torchcc.give_output({arguments})")
            w.fail_if(w.op(f"xor i1 {given}, true"))
    for k, i in enumerate(outputs):
        if not isinstance(signature.results[i], TensorType):
            _store_scalar(w, f"%out{k}", signature.results[i], parts[i][0])


def _dtype(t: TensorType) -> DType:
    if t.dtype is None or t.shape is None:
        raise InternalError("a result of unknown dtype or rank")
    return t.dtype


def _shape(w: FunctionText, t: Type, registers: list[str]) -> str:
    """The result's extents in memory."""
    assert isinstance(t, MemRefType)
    rest = iter(registers[1:])
    name = w.op(f"alloca [{max(1, t.rank)} x i64], align 8")
    for i, extent in enumerate(t.shape):
        value = next(rest) if extent is None else str(extent)
        w.line(f"store i64 {value}, ptr {w.op(f'getelementptr i64, ptr {name}, i64 {i}')}")
    return name


def _store_scalar(w: FunctionText, place: str, t: ScriptType, value: str) -> None:
    kind = scalar_kind(t).llvm
    if kind == "i8":
        value = w.op(f"zext i1 {value} to i8")
    w.counter += 1
    wanted, done = f"store{w.counter}", f"stored{w.counter}"
    missing = w.op(f"icmp eq ptr {place}, null")
    w.line(f"br i1 {missing}, label %{done}, label %{wanted}")
    w.label(wanted)
    w.line(f"store {kind} {value}, ptr {place}")
    w.line(f"br label %{done}")
    w.label(done)
