# Operators over lists of tensors: for each tensor what the operator of the same name does.
#
# What stands below `# each: NAMES` is written for all of them, with the name for `EACH`.

import torch
from torch import Tensor
from typing import List, Optional


def _h_some(xs: List[Tensor]) -> None:
    if len(xs) == 0:
        raise RuntimeError("Tensor list must have at least one tensor.")


def _h_as_many(xs: List[Tensor], ys: List[Tensor]) -> None:
    _h_some(xs)
    if len(xs) != len(ys):
        raise RuntimeError(
            "Tensor lists must have the same number of tensors, got {} and {}".format(len(xs), len(ys))
        )


# each: abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round rsqrt sigmoid
# each: sign sin sinh sqrt tan tanh trunc


def _foreach_EACH(self: List[Tensor]) -> List[Tensor]:
    _h_some(self)
    return [torch.EACH(x) for x in self]


def _foreach_EACH_(self: List[Tensor]) -> None:
    _h_some(self)
    for x in self:
        x.EACH_()


# each: mul div clamp_min clamp_max


def _foreach_EACH__List(self: List[Tensor], other: List[Tensor]) -> List[Tensor]:
    _h_as_many(self, other)
    return [torch.EACH(self[i], other[i]) for i in range(len(self))]


def _foreach_EACH___List(self: List[Tensor], other: List[Tensor]) -> None:
    _h_as_many(self, other)
    for i in range(len(self)):
        self[i].EACH_(other[i])


# each: add sub mul div clamp_min clamp_max


def _foreach_EACH__Scalar(self: List[Tensor], scalar: number) -> List[Tensor]:
    _h_some(self)
    return [torch.EACH(self[i], scalar) for i in range(len(self))]


def _foreach_EACH___Scalar(self: List[Tensor], scalar: number) -> None:
    _h_some(self)
    for i in range(len(self)):
        self[i].EACH_(scalar)


# each: mul div


def _foreach_EACH__Tensor(self: List[Tensor], other: Tensor) -> List[Tensor]:
    _h_some(self)
    return [torch.EACH(self[i], other) for i in range(len(self))]


def _foreach_EACH___Tensor(self: List[Tensor], other: Tensor) -> None:
    _h_some(self)
    for i in range(len(self)):
        self[i].EACH_(other)


# each: add sub


def _foreach_EACH__List(self: List[Tensor], other: List[Tensor], alpha: number) -> List[Tensor]:
    _h_as_many(self, other)
    return [torch.EACH(self[i], other[i], alpha=alpha) for i in range(len(self))]


def _foreach_EACH___List(self: List[Tensor], other: List[Tensor], alpha: number) -> None:
    _h_as_many(self, other)
    for i in range(len(self)):
        self[i].EACH_(other[i], alpha=alpha)


# each: addcmul addcdiv


def _foreach_EACH__Scalar(self: List[Tensor], tensor1: List[Tensor], tensor2: List[Tensor], value: number) -> List[Tensor]:
    _h_as_many(self, tensor1)
    _h_as_many(self, tensor2)
    return [torch.EACH(self[i], tensor1[i], tensor2[i], value=value) for i in range(len(self))]


def _foreach_EACH___Scalar(self: List[Tensor], tensor1: List[Tensor], tensor2: List[Tensor], value: number) -> None:
    _h_as_many(self, tensor1)
    _h_as_many(self, tensor2)
    for i in range(len(self)):
        self[i].EACH_(tensor1[i], tensor2[i], value=value)


# end of each


def _foreach_add__Tensor(self: List[Tensor], other: Tensor, alpha: number) -> List[Tensor]:
    _h_some(self)
    return [torch.add(self[i], other, alpha=alpha) for i in range(len(self))]


def _foreach_add___Tensor(self: List[Tensor], other: Tensor, alpha: number) -> None:
    _h_some(self)
    for i in range(len(self)):
        self[i].add_(other, alpha=alpha)


def _foreach_maximum__List(self: List[Tensor], other: List[Tensor]) -> List[Tensor]:
    return _foreach_clamp_min__List(self, other)


def _foreach_maximum___List(self: List[Tensor], other: List[Tensor]) -> None:
    _foreach_clamp_min___List(self, other)


def _foreach_minimum__List(self: List[Tensor], other: List[Tensor]) -> List[Tensor]:
    return _foreach_clamp_max__List(self, other)


def _foreach_minimum___List(self: List[Tensor], other: List[Tensor]) -> None:
    _foreach_clamp_max___List(self, other)


def _foreach_maximum__Scalar(self: List[Tensor], scalar: number) -> List[Tensor]:
    _h_some(self)
    return [torch.clamp_min(self[i], scalar) for i in range(len(self))]


def _foreach_maximum___Scalar(self: List[Tensor], scalar: number) -> None:
    _h_some(self)
    for i in range(len(self)):
        self[i].clamp_min_(scalar)


def _foreach_minimum__Scalar(self: List[Tensor], scalar: number) -> List[Tensor]:
    _h_some(self)
    return [torch.clamp_max(self[i], scalar) for i in range(len(self))]


def _foreach_minimum___Scalar(self: List[Tensor], scalar: number) -> None:
    _h_some(self)
    for i in range(len(self)):
        self[i].clamp_max_(scalar)


def _foreach_pow__List(self: List[Tensor], exponent: List[Tensor]) -> List[Tensor]:
    _h_as_many(self, exponent)
    return [torch.pow(self[i], exponent[i]) for i in range(len(self))]


def _foreach_pow___List(self: List[Tensor], exponent: List[Tensor]) -> None:
    _h_as_many(self, exponent)
    for i in range(len(self)):
        self[i].pow_(exponent[i])


def _foreach_pow__Scalar(self: List[Tensor], exponent: number) -> List[Tensor]:
    _h_some(self)
    return [torch.pow(self[i], exponent) for i in range(len(self))]


def _foreach_pow___Scalar(self: List[Tensor], exponent: number) -> None:
    _h_some(self)
    for i in range(len(self)):
        self[i].pow_(exponent)


def _foreach_lerp__List(self: List[Tensor], tensors1: List[Tensor], weights: List[Tensor]) -> List[Tensor]:
    _h_as_many(self, tensors1)
    _h_as_many(self, weights)
    return [torch.lerp(self[i], tensors1[i], weights[i]) for i in range(len(self))]


def _foreach_lerp___List(self: List[Tensor], tensors1: List[Tensor], weights: List[Tensor]) -> None:
    _h_as_many(self, tensors1)
    _h_as_many(self, weights)
    for i in range(len(self)):
        self[i].lerp_(tensors1[i], weights[i])


def _foreach_lerp__Scalar(self: List[Tensor], tensors1: List[Tensor], weight: number) -> List[Tensor]:
    _h_as_many(self, tensors1)
    return [torch.lerp(self[i], tensors1[i], weight) for i in range(len(self))]


def _foreach_lerp___Scalar(self: List[Tensor], tensors1: List[Tensor], weight: number) -> None:
    _h_as_many(self, tensors1)
    for i in range(len(self)):
        self[i].lerp_(tensors1[i], weight)


def _foreach_pow__ScalarAndTensor(self: number, exponent: List[Tensor]) -> List[Tensor]:
    _h_some(exponent)
    return [torch.pow(self, x) for x in exponent]


def _foreach_norm__Scalar(self: List[Tensor], ord: number, dtype: Optional[int]) -> List[Tensor]:
    _h_some(self)
    return [torch.linalg_vector_norm(x, ord, None, False, dtype=dtype) for x in self]


def _foreach_max(self: List[Tensor]) -> List[Tensor]:
    _h_some(self)
    return [torch.max(x) for x in self]


def _foreach_mm(self: List[Tensor], mat2: List[Tensor]) -> List[Tensor]:
    _h_as_many(self, mat2)
    return [torch.mm(self[i], mat2[i]) for i in range(len(self))]


def _foreach_clone(self: List[Tensor], memory_format: Optional[int]) -> List[Tensor]:
    _h_some(self)
    return [torch.clone(x, memory_format=memory_format) for x in self]


def _foreach_zero_(self: List[Tensor]) -> None:
    _h_some(self)
    for x in self:
        x.zero_()


def _foreach_copy_(self: List[Tensor], src: List[Tensor], non_blocking: bool) -> None:
    _h_as_many(self, src)
    for i in range(len(self)):
        self[i].copy_(src[i])
