"""Whether what a value refers to may be written to, in a graph that is not specialised yet.

In: a value of the `torch` stage whose calls are inlined. Out: a conservative answer: True also where it is not known.
"""

from __future__ import annotations

from typing import Final

from ...ir.core import Operation, Value
from ...ir.dialects import torch
from ...ir.operators import schema
from ...ir.script_types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NONE,
    NUMBER,
    STR,
    DictType,
    EnumType,
    ListType,
    OptionalType,
)
from ...ir.types import Type

_IMMUTABLE: Final = (INT, FLOAT, BOOL, STR, NONE, NUMBER, COMPLEX, DEVICE)

_MAY_GIVE_ITS_ARGUMENT: Final = frozenset(
    f"aten::{name}"
    for name in (
        "dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "type_as", "einsum", "meshgrid",
        "broadcast_tensors", "atleast_1d", "atleast_2d", "atleast_3d", "cartesian_prod", "pad", "constant_pad_nd",
        "to", "contiguous", "reshape", "flatten", "ravel", "real", "imag", "conj", "resolve_conj", "resolve_neg", "positive",
        "adaptive_avg_pool1d", "wait", "requires_grad_", "as_tensor", "tensor_split", "hsplit", "vsplit", "dsplit", "cat",
        "concat", "align_tensors", "align_as", "align_to", "_unwrap_optional", "unflatten", "movedim", "moveaxis", "chain_matmul",
        "squeeze", "expand_as", "view_as", "reshape_as", "swapaxes", "swapdims", "diag", "block_diag", "data", "detach",
        "pin_memory", "cpu", "expand", "narrow", "numpy_T", "matrix_power", "linalg_matrix_power", "rename", "refine_names",
    )
)  # fmt: skip
"""Operators without a word about it in their signatures, or only where the arguments are right for it."""

_NORMS: Final = {"aten::batch_norm": "training", "aten::instance_norm": "use_input_stats"}
_STATISTICS: Final = ("running_mean", "running_var")


def may_be_written(value: Value) -> bool:
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        for user, index in current.uses:
            followed = _followed(user, index, current)
            if followed is None:
                return True
            fresh = [v for v in followed if v not in seen and not is_immutable(v.type)]
            seen.update(fresh)
            pending += fresh
    return False


def is_immutable(type: Type) -> bool:
    if isinstance(type, OptionalType):
        return is_immutable(type.element)
    return type in _IMMUTABLE or isinstance(type, EnumType)


def updates_statistics(op: Operation) -> bool:
    """Whether a norm changes its running statistics, as far as is known."""
    base = op.name.partition(".")[0]
    form = schema(op.name) if base in _NORMS else None
    at = form.index(_NORMS[base]) if form is not None else None
    if form is None or at is None:
        return False
    flag = op.operand(at)
    has_statistics = any(a.name in _STATISTICS and o.type != NONE for a, o in zip(form.arguments, op.operands))
    return has_statistics and not (torch.is_constant(flag) and torch.constant_value(flag) is False)


def _followed(user: Operation, index: int, value: Value) -> list[Value] | None:
    """What may refer to the same after a use; None if that writes, or may."""
    match user.name:
        case torch.RETURN:
            return []
        case torch.YIELD:
            return _after_block(user, index)
        case "prim::If" | "prim::GetAttr" | "prim::isinstance" | "prim::id" | "prim::RaiseException" | "prim::Print":
            return []
        case "prim::Loop":
            return [] if index < 2 else [user.body().args[index - 1], user.results[index - 2]]
        case "prim::SetAttr":
            return [] if index == 0 else None
        case "prim::CallMethod" | "prim::CallFunction":
            return None
        case _:
            return _after_operator(user, index, value)


def _after_block(user: Operation, index: int) -> list[Value]:
    assert user.parent is not None
    parent = user.parent.parent_op
    assert parent is not None
    if parent.name in ("prim::If", "prim::fork"):
        return [parent.results[index]]
    return [] if index == 0 else [parent.results[index - 1], parent.body().args[index]]


def _after_operator(user: Operation, index: int, value: Value) -> list[Value] | None:
    results = list[Value](user.results)
    if not user.name.startswith("aten::"):
        return results
    form = schema(user.name)
    if form is None:
        return None
    argument = form.arguments[index] if index < len(form.arguments) else None
    is_container = isinstance(value.type, ListType | DictType)
    if argument is not None:
        first = user.operand(0).type
        stores = isinstance(first, ListType | DictType) and any(a.is_written for a in form.arguments)
        if argument.is_written or stores or (argument.name in _STATISTICS and updates_statistics(user)):
            return None
    if isinstance(value.type, ListType) and is_immutable(value.type.element):
        return [r for r in results if isinstance(r.type, ListType)]
    is_alias = argument is None or argument.alias is not None or is_container
    return results if is_alias or user.name.partition(".")[0] in _MAY_GIVE_ITS_ARGUMENT else []
