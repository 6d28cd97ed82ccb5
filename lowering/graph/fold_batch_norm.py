"""Folds what scales and shifts the channels of a convolution or linear layer into its weight and bias.

In: a functional graph in which constants are folded. Out: the same graph with fewer operations. In evaluation a batch
norm is `x * scale + shift` with constants per channel; behind a convolution whose weights are constant and whose result
nothing else uses, that is a convolution with other constants:

    %y = aten::conv2d(%x, %w, %none, ...)        %z = aten::conv2d(%x, %w * scale, shift, ...)
    %s = aten::mul(%y, %scale)                ->
    %z = aten::add(%s, %shift, %one)

PyTorch's `freeze` does the same. Results differ from the separate operations by rounding only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import torch
from ...ir.dtypes import DType, from_numpy
from ...ir.operators import keywords, schema
from ...ir.script_types import NONE, TensorType

Array = npt.NDArray[Any]

_CONVOLUTIONS: Final = (
    "aten::conv1d",
    "aten::conv2d",
    "aten::conv3d",
    "aten::convolution",
    "aten::_convolution",
    "aten::_convolution_mode",
)
_TRANSPOSED: Final = ("aten::conv_transpose1d", "aten::conv_transpose2d", "aten::conv_transpose3d")
_LINEAR: Final = "aten::linear"

_DTYPES: Final = (DType.float32, DType.float64)
"""Narrow types would round the weights where only results were rounded before."""


def fold_batch_norm(module: Operation) -> None:
    for function in functions(module):
        _Folder().block(function.body())


@dataclass(frozen=True)
class _Layer:
    """A convolution or linear layer with constant weights."""

    op: Operation
    weight: Array
    bias: Array | None
    axis: int
    """Of the result: the dimension of the channels."""
    groups: int
    is_transposed: bool

    @property
    def channels(self) -> int:
        return self.weight.shape[1] * self.groups if self.is_transposed else self.weight.shape[0]

    @property
    def rank(self) -> int:
        return cast(TensorType, self.op.result.type).rank

    def per_channel(self, number: Array) -> Array | None:
        """What is broadcast against the result, as one number per channel; None if it differs in other dimensions."""
        if number.ndim > self.rank:
            return None
        shape = [1] * (self.rank - number.ndim) + list(number.shape)
        others = shape[: self.axis] + shape[self.axis + 1 :]
        if any(n != 1 for n in others) or shape[self.axis] not in (1, self.channels):
            return None
        return np.broadcast_to(number.reshape(-1), (self.channels,))

    def scaled(self, scale: Array) -> Array:
        return scaled_weight(self.weight, scale, self.groups, is_transposed=self.is_transposed)


def scaled_weight(weight: Array, scale: Array, groups: int, *, is_transposed: bool) -> Array:
    """The weight of a layer whose result is multiplied by one number per channel."""
    if not is_transposed:
        return weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    grouped = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    factors = scale.reshape(groups, 1, weight.shape[1], *[1] * (weight.ndim - 2))
    return (grouped * factors).reshape(weight.shape)


@dataclass
class _Folder:
    _names: int = 0

    def block(self, block: Block) -> None:
        for op in list(block.operations()):
            for region in op.regions:
                for inner in region.blocks:
                    self.block(inner)
            if op.parent is not None:
                self.fold(op)

    def fold(self, op: Operation) -> None:
        """Takes `op` into the layer that one of its operands comes from, if it only scales or shifts its channels."""
        change = _scale_and_shift(op)
        if change is None:
            return
        value, scale, shift = change
        layer = _layer(value)
        if layer is None or len(value.uses) != 1 or value.type != op.result.type or layer.op.parent is not op.parent:
            return
        factors = None if scale is None else layer.per_channel(scale)
        offsets = None if shift is None else layer.per_channel(shift)
        if (factors is None) != (scale is None) or (offsets is None) != (shift is None):
            return
        weight, bias = layer.weight, layer.bias
        with np.errstate(all="ignore"):
            if factors is not None:
                weight, bias = layer.scaled(factors), None if bias is None else bias * factors
            if offsets is not None:
                bias = offsets if bias is None else bias + offsets
        if not np.isfinite(weight).all() or (bias is not None and not np.isfinite(bias).all()):
            return
        self.replace(op, layer, weight, bias)

    def replace(self, op: Operation, layer: _Layer, weight: Array, bias: Array | None) -> None:
        b = Builder.before(layer.op)
        form = schema(layer.op.name)
        assert form is not None
        operands = list(layer.op.operands)
        for name, array, old in (("weight", weight, layer.weight), ("bias", bias, layer.bias)):
            if array is not None and array is not old:
                at = form.index(name)
                assert at is not None
                operands[at] = self.constant(b, operands[at], array)
        new = b.create(layer.op.name, operands, (op.result.type,))
        new.result.name = op.result.name or layer.op.result.name
        op.replace_with([new.result])
        layer.op.erase()

    def constant(self, b: Builder, old: Value, array: Array) -> Value:
        was = torch.constant_value(old)
        self._names += 1
        name = f"{was.name}_folded_{self._names}" if isinstance(was, Constant) else f"bias_folded_{self._names}"
        dtype = from_numpy(array.dtype)
        constant = Constant(name, np.ascontiguousarray(array))
        return torch.constant(b, constant, TensorType(dtype, tuple(array.shape)))


def _layer(value: Value) -> _Layer | None:
    op = value.defining_op()
    form = None if op is None else schema(op.name)
    if op is None or form is None:
        return None
    base = op.name.partition(".")[0]
    if base not in (*_CONVOLUTIONS, *_TRANSPOSED, _LINEAR):
        return None
    arguments = keywords(form, op.operands)
    weight, bias = _array(arguments["weight"]), _array(arguments["bias"])
    groups = _number(arguments["groups"]) if "groups" in arguments else 1
    transposed = _number(arguments["transposed"]) if "transposed" in arguments else base in _TRANSPOSED
    if weight is None or from_numpy(weight.dtype) not in _DTYPES or not isinstance(groups, int) or transposed is None:
        return None
    if bias is None and arguments["bias"].type != NONE:
        return None
    if bias is not None and bias.dtype != weight.dtype:
        return None
    type_ = cast(TensorType, op.result.type)
    if type_.dtype is not from_numpy(weight.dtype) or weight.ndim < 2 or not weight.size:
        return None
    axis = type_.rank - 1 if base == _LINEAR else type_.rank - (weight.ndim - 2) - 1
    return _Layer(op, weight, bias, axis, groups, bool(transposed)) if 0 <= axis < type_.rank else None


def _scale_and_shift(op: Operation) -> tuple[Value, Array | None, Array | None] | None:
    """(x, scale, shift) where `op` is `x * scale`, `x + shift`, `x - shift` or `x / scale` with constants."""
    base = op.name.partition(".")[0]
    if base not in ("aten::mul", "aten::add", "aten::sub", "aten::div") or len(op.results) != 1:
        return None
    type_ = op.result.type
    if not isinstance(type_, TensorType) or type_.dtype is None or type_.dtype not in _DTYPES:
        return None
    if base == "aten::div" and len(op.operands) != 2:
        return None
    dtype = type_.dtype.numpy
    left, right = op.operand(0), op.operand(1)
    number = _operand(right, dtype)
    if number is None and base in ("aten::mul", "aten::add"):
        left, right = right, left
        number = _operand(right, dtype)
        if base == "aten::add" and _alpha(op) != 1:
            return None
    alpha = _alpha(op) if base in ("aten::add", "aten::sub") else 1
    if number is None or alpha is None or not isinstance(left.type, TensorType) or not np.isfinite(number).all():
        return None
    match base:
        case "aten::mul":
            return left, number, None
        case "aten::div":
            return None if (number == 0).any() else (left, 1 / number, None)
        case "aten::add":
            return left, None, number * dtype.type(alpha)
        case _:
            return left, None, number * dtype.type(-alpha)


def _operand(value: Value, dtype: np.dtype[Any]) -> Array | None:
    """A constant tensor of the same dtype, or a number."""
    array = _array(value)
    if array is not None:
        return array if array.dtype == dtype else None
    number = _number(value)
    return None if number is None or isinstance(number, bool) else np.asarray(number, dtype)


def _alpha(op: Operation) -> float | None:
    return _number(op.operand(2)) if len(op.operands) > 2 else 1


def _array(value: Value) -> Array | None:
    if not torch.is_constant(value):
        return None
    constant = torch.constant_value(value)
    return constant.array if isinstance(constant, Constant) else None


def _number(value: Value) -> Any:
    found = torch.constant_value(value) if torch.is_constant(value) else None
    return found if isinstance(found, bool | int | float) else None


@dataclass(frozen=True)
class FoldBatchNorm:
    name: str = "fold-batch-norm"

    def apply(self, module: Operation) -> Operation:
        fold_batch_norm(module)
        return module
