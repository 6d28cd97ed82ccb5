"""Folds batch norms into the convolutions before them, in a graph of which shapes are not known yet.

In: a `torch.func` in which weights are constants. Out: the same function; `batch_norm(conv(x, w, b), ...)` in evaluation
mode is a convolution with other constants. Without shapes the rank of `x` is not known: a convolution takes one sample
without a batch too, and a batch norm behind it would scale another dimension. A check of the rank that is there already
is kept, otherwise one is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Region, Value
from ...ir.dialects import torch
from ...ir.dtypes import DType, from_numpy
from ...ir.operators import keywords, schema
from ...ir.script_types import BOOL, INT, NONE, STR, TENSOR
from .fold_batch_norm import scaled_weight

Array = npt.NDArray[Any]

_CONVOLUTIONS: Final = tuple(
    f"aten::{name}"
    for name in (
        "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution", "_convolution",
    )
)  # fmt: skip

_DTYPES: Final = (DType.float32, DType.float64)

_MESSAGE: Final = "expected a batch: the batch norm behind this convolution is folded into it"


def fold_frozen_batch_norm(function: Operation) -> bool:
    """Whether anything changed."""
    count = 0
    for op in list(function.walk()):
        if op.name == "aten::batch_norm" and op.parent is not None and _fold(op, count):
            count += 1
    return count > 0


@dataclass(frozen=True)
class _Norm:
    scale: Array
    shift: Array


def _fold(op: Operation, number: int) -> bool:
    form = schema(op.name)
    assert form is not None
    arguments = keywords(form, op.operands)
    conv = arguments["input"].defining_op()
    if conv is None or conv.parent is not op.parent:
        return False
    norm = _norm(arguments) if conv.name.partition(".")[0] in _CONVOLUTIONS else None
    others = [u for u in conv.result.users if u is not op]
    if norm is None or any(u.name != "aten::dim" for u in others):
        return False
    inputs = keywords(schema(conv.name) or form, conv.operands)
    weight, bias = _array(inputs["weight"]), _array(inputs["bias"])
    groups = torch.constant_value(inputs["groups"]) if torch.is_constant(inputs["groups"]) else None
    is_transposed = "transpose" in conv.name
    if "transposed" in inputs:
        if not torch.is_constant(inputs["transposed"]):
            return False
        is_transposed = torch.constant_value(inputs["transposed"]) is True
    if weight is None or weight.ndim < 3 or not isinstance(groups, int) or (bias is None and inputs["bias"].type != NONE):
        return False
    channels = weight.shape[1] * groups if is_transposed else weight.shape[0]
    if from_numpy(weight.dtype) not in _DTYPES or norm.scale.shape != (channels,) or weight.shape[0] % groups:
        return False
    with np.errstate(all="ignore"):
        folded: Array = scaled_weight(weight, norm.scale, groups, is_transposed=is_transposed).astype(weight.dtype)
        shifted: Array = norm.shift if bias is None else bias * norm.scale + norm.shift
        offset: Array = shifted.astype(weight.dtype)
    if not np.isfinite(folded).all() or not np.isfinite(offset).all():
        return False
    _rewrite(op, conv, folded, offset, number)
    _keep_rank(conv, inputs["input"], weight.ndim, others)
    return True


def _rewrite(op: Operation, conv: Operation, weight: Array, bias: Array, number: int) -> None:
    b = Builder.before(conv)
    form = schema(conv.name)
    assert form is not None
    layer = _name(conv)
    for name, array in (("weight", weight), ("bias", bias)):
        at = form.index(name)
        assert at is not None
        constant = Constant(f"{layer}_{name}_folded_{number}", np.ascontiguousarray(array))
        conv.set_operand(at, torch.constant(b, constant, TENSOR))
    conv.result.name = op.result.name
    op.replace_with((conv.result,))


def _name(conv: Operation) -> str:
    form = schema(conv.name)
    at = form.index("weight") if form is not None else None
    assert at is not None
    value = torch.constant_value(conv.operand(at))
    return value.name.removesuffix(".weight") if isinstance(value, Constant) else "convolution"


def _keep_rank(conv: Operation, given: Value, rank: int, others: list[Operation]) -> None:
    """A convolution's result has as many dimensions as what it is given."""
    is_checked = any(_is_check(u, rank, conv.parent) for u in others)
    for user in others:
        user.set_operand(0, given)
    if is_checked:
        return
    b = Builder.before(conv)
    found = b.create("aten::dim", (given,), (INT,)).result
    differs = b.create("aten::ne.int", (found, torch.constant(b, rank, INT)), (BOOL,)).result
    message, kind = torch.constant(b, _MESSAGE, STR), torch.constant(b, "builtins.ValueError", STR)
    wrong, right = Block(), Block()
    with b.inside(wrong):
        b.create("prim::RaiseException", (message, kind))
        torch.yield_(b, ())
    with b.inside(right):
        torch.yield_(b, ())
    b.create("prim::If", (differs,), (), {}, (Region([wrong]), Region([right])))


def _is_check(dim: Operation, rank: int, block: Block | None) -> bool:
    """`if dim(x) != rank: raise`, in the same block."""
    for compared in dim.result.users:
        other = compared.operand(1) if compared.name == "aten::ne.int" else None
        if other is None or not torch.is_constant(other) or torch.constant_value(other) != rank:
            continue
        for branch in compared.result.users:
            raises = branch.name == "prim::If" and any(o.name == "prim::RaiseException" for o in branch.body(0).operations())
            if raises and branch.parent is block:
                return True
    return False


def _norm(arguments: dict[str, Value]) -> _Norm | None:
    training, eps = arguments["training"], arguments["eps"]
    if not torch.is_constant(training) or torch.constant_value(training) is not False or not torch.is_constant(eps):
        return None
    mean, variance = _array(arguments["running_mean"]), _array(arguments["running_var"])
    weight, bias = _array(arguments["weight"]), _array(arguments["bias"])
    if mean is None or variance is None or any(from_numpy(a.dtype) not in _DTYPES for a in (mean, variance)):
        return None
    if any(v is None and arguments[n].type != NONE for v, n in ((weight, "weight"), (bias, "bias"))):
        return None
    small = torch.constant_value(eps)
    if not isinstance(small, int | float):
        return None
    with np.errstate(all="ignore"):
        scale = 1 / np.sqrt(variance.astype(np.float64) + float(small))
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
    return _Norm(scale, shift)


def _array(value: Value) -> Array | None:
    found = torch.constant_value(value) if torch.is_constant(value) else None
    return found.array if isinstance(found, Constant) else None
