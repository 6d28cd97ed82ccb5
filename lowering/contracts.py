"""What holds between stages of lowering: each contract checks a module and names the first operation that breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..ir.core import Block, Operation, Value, functions
from ..ir.diagnostics import InternalError
from ..ir.dialects import DEFINITIONS, torch
from ..ir.operators import find
from ..ir.script_types import (
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    NEVER,
    STR,
    ClassType,
    DictType,
    EnumType,
    FutureType,
    InstanceType,
    ListType,
    NoneType,
    OptionalType,
    TensorType,
    TupleType,
    UnionType,
)
from ..ir.types import MemRefType, RankedTensorType, VectorType
from .graph.aliases import WRITE
from .graph.memory import is_in_memory
from .loops.bufferize import aliases
from .tensor.run_time_dicts import is_dict_node
from .tensor.run_time_lists import is_list_node
from .tensor.run_time_records import is_record_node
from .tensor.run_time_strings import is_string_node

_CONTROL: Final = frozenset({"prim::If", "prim::Loop", "prim::RaiseException"})
_VALUES: Final = frozenset(
    {
        "prim::Constant",
        "prim::ListConstruct",
        "prim::ListUnpack",
        "prim::TupleConstruct",
        "prim::TupleUnpack",
        "prim::Uninitialized",
        "prim::fork",
        "prim::future",
        "aten::wait",
    }
)
_OF_PLACES: Final = ("aten::stride.int", "aten::storage_offset")
"""Questions to a tensor in memory."""


def _is_container_node(op: Operation) -> bool:
    """Whether the node makes a list, dict or string at run time, changes or reads one."""
    return is_list_node(op) or is_dict_node(op) or is_record_node(op) or is_string_node(op)


def check_graph(module: Operation) -> None:
    """GRAPH, after lowering/graph: one `torch.func`, and those that it forks; primitive operators that have records and write to nothing; every
    tensor of known dtype and rank; lists only as operands of operators, or values made at run time (`run_time_values.py`),
    which only builtins on them change."""
    entry, *others = functions(module)
    forked = {op.attributes.get("callee") for op in module.walk() if op.name == "prim::fork"}
    if entry.name != torch.FUNC or any(f.attributes["sym_name"] not in forked for f in others):
        raise InternalError("the graph contract wants one torch.func, and those that it forks")
    for function in (entry, *others):
        for fault in _graph_faults(function):
            raise InternalError(f"graph contract: {fault}")


def _graph_faults(function: Operation) -> Iterator[str]:
    for value in function.body().args:
        yield from _value_faults(value, function)
    for op in function.walk():
        if op is function:
            continue
        yield from _operation_faults(op)


def _operation_faults(op: Operation) -> Iterator[str]:
    if op.name in (WRITE, *_OF_PLACES) and is_in_memory(op.operand(0)):
        return
    if op.name.startswith(("aten::", "prim::")) and op.name not in _CONTROL | _VALUES and not _is_container_node(op):
        record = find(op.name)
        if record is None:
            yield f"{op.name} at {op.span} has no record"
        elif any(a.is_written for a in record.schema.arguments):
            yield f"{op.name} at {op.span} writes to an argument"
        elif len(record.schema.arguments) != len(op.operands):
            yield f"{op.name} at {op.span} has {len(op.operands)} operands instead of {len(record.schema.arguments)}"
    elif op.name not in _CONTROL | _VALUES and op.name not in (torch.RETURN, torch.YIELD) and not _is_container_node(op):
        yield f"{op.name} at {op.span} is no operation of a specialised graph"
    if op.name == "prim::Constant":
        return
    for block in _blocks(op):
        for argument in block.args:
            yield from _value_faults(argument, op)
    for result in op.results:
        if isinstance(result.type, ListType) and op.name == "prim::ListConstruct":
            strangers = [
                u.name
                for u in result.users
                if not u.name.startswith(("aten::", "prim::Tuple")) and u.name != "prim::ListUnpack"
            ]
            if strangers:
                yield f"the list made by {op.name} at {op.span} is used by {strangers[0]}"
        else:
            yield from _value_faults(result, op)


def _blocks(op: Operation) -> list[Block]:
    return [block for region in op.regions for block in region.blocks]


def _value_faults(value: Value, op: Operation) -> Iterator[str]:
    pending = [value.type]
    for type_ in pending:
        match type_:
            case TensorType() as t:
                if t.dtype is None or t.shape is None:
                    yield f"{op.name} at {op.span} has a tensor of unknown dtype or rank"
            case ListType():
                pending.append(type_.element)
            case DictType():
                pending += [type_.key, type_.value]
            case TupleType():
                pending += type_.elements
            case OptionalType() | FutureType():
                pending.append(type_.element)
            case UnionType():
                pending += type_.members
            case InstanceType():
                pending += [a for _, attributes in type_.group for a in attributes]
            case ClassType() | EnumType() | NoneType():
                pass
            case t if t not in (INT, FLOAT, BOOL, COMPLEX, STR, NEVER):
                yield f"{op.name} at {op.span} has a value of type {t}"
            case _:
                pass


_TENSOR_DIALECTS: Final = frozenset({"builtin", "func", "arith", "complex", "math", "scf", "cf", "tensor", "linalg", "linalg_ext", "rt"})
_LOOPS_DIALECTS: Final = frozenset(
    {"builtin", "func", "arith", "complex", "math", "scf", "cf", "memref", "vector", "llvm", "gpu", "rt"}
)
_OWNER_CHANGES: Final = frozenset({"func.return", "scf.yield", "scf.condition", "scf.for", "scf.while"})


def verify_tensor(module: Operation) -> None:
    """TENSOR, after lowering/tensor: functions of values; no `torch` operations, no buffers, no vectors; elements are computed
    in the bodies of structured operations."""
    for fault in _tensor_faults(module):
        raise InternalError(f"tensor contract: {fault}")


def verify_loops(module: Operation) -> None:
    """LOOPS, after lowering/loops: no tensors and no structured operations are left; parallel loops have no results; every
    buffer is deallocated in the block that made it or handed on to an owner."""
    for fault in _loops_faults(module):
        raise InternalError(f"loops contract: {fault}")


def _tensor_faults(module: Operation) -> Iterator[str]:
    for op in module.walk():
        dialect = op.name.partition(".")[0]
        if dialect not in _TENSOR_DIALECTS or op.name not in DEFINITIONS:
            yield f"{op.name} at {op.span} does not belong to this stage"
        if any(isinstance(v.type, MemRefType | VectorType) for v in (*op.operands, *op.results)):
            yield f"{op.name} at {op.span} has a buffer or a vector"
        if dialect in ("arith", "math") and op.name not in ("arith.constant", "arith.select"):
            if any(isinstance(r.type, RankedTensorType) for r in op.results):
                yield f"{op.name} at {op.span} computes on a whole tensor"


def _loops_faults(module: Operation) -> Iterator[str]:
    for op in module.walk():
        dialect = op.name.partition(".")[0]
        if dialect not in _LOOPS_DIALECTS or op.name not in DEFINITIONS:
            yield f"{op.name} at {op.span} does not belong to this stage"
        if any(isinstance(v.type, RankedTensorType) for v in (*op.operands, *op.results)):
            yield f"{op.name} at {op.span} has a tensor"
        if op.name == "scf.parallel" and op.results:
            yield f"{op.name} at {op.span} has results"
        if op.name == "memref.alloc" and not _has_owner(op):
            yield f"the buffer made by {op.name} at {op.span} has no owner"


def _has_owner(alloc: Operation) -> bool:
    return any(
        user.name in _OWNER_CHANGES or (user.name == "memref.dealloc" and user.parent is alloc.parent)
        for alias in aliases(alloc.result)
        for user in alias.users
    )
