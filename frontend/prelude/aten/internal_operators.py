# Operators that PyTorch's own functions and initialisers call, by the names that traced and written programs hold.

import math
import torch
from torch import Generator, Tensor
from typing import List, Optional, Tuple


def batch_norm_update_stats(
    input: Tensor, running_mean: Optional[Tensor], running_var: Optional[Tensor], momentum: float
) -> Tuple[Tensor, Tensor]:
    dims = [0] + [i + 2 for i in range(input.dim() - 2)]
    mean = input.mean(dims)
    variance = input.var(dims, False)
    count = input.numel() // input.size(1)
    if running_mean is not None:
        running_mean.copy_((1.0 - momentum) * running_mean + momentum * mean)
    if running_var is not None:
        running_var.copy_((1.0 - momentum) * running_var + momentum * variance * (float(count) / float(count - 1)))
    return mean, variance


def _scaled_dot_product_attention_math(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Optional[Tensor],
    dropout_p: float,
    is_causal: bool,
    dropout_mask: Optional[Tensor],
    scale: Optional[float],
    enable_gqa: bool,
) -> Tuple[Tensor, Tensor]:
    if enable_gqa:
        groups = query.size(-3) // key.size(-3)
        k = key.repeat_interleave(groups, -3)
        v = value.repeat_interleave(groups, -3)
    else:
        k = key
        v = value
    factor = math.sqrt(1.0 / math.sqrt(float(query.size(-1))) if scale is None else scale)
    scores = torch.matmul(query * factor, (k * factor).transpose(-2, -1))
    if is_causal:
        kept = torch.ones([query.size(-2), k.size(-2)], dtype=torch.bool).tril()
        scores = scores.masked_fill(kept.logical_not(), -float("inf"))
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(attn_mask.logical_not(), -float("inf"))
        else:
            scores = scores + attn_mask
    weights = torch.softmax(scores, -1)
    if dropout_p > 0.0:
        if dropout_mask is not None:
            weights = weights.masked_fill(dropout_mask.logical_not(), 0.0)
            return torch.matmul(weights, v * (1.0 / (1.0 - dropout_p))), weights
        weights = torch.dropout(weights, dropout_p, True)
    return torch.matmul(weights, v), weights


def _index_put_impl_(
    self: Tensor, indices: List[Optional[Tensor]], values: Tensor, accumulate: bool, unsafe: bool
) -> Tensor:
    return self.index_put_(indices, values, accumulate)


def _index_put_impl___hacked_twin(
    self: Tensor, indices: List[Tensor], values: Tensor, accumulate: bool, unsafe: bool
) -> Tensor:
    return self.index_put_(indices, values, accumulate)


def _no_grad_fill_(tensor: Tensor, val: float) -> Tensor:
    return tensor.fill_(val)


def _no_grad_zero_(tensor: Tensor) -> Tensor:
    return tensor.zero_()


def _no_grad_uniform_(tensor: Tensor, a: float, b: float, generator: Optional[Generator]) -> Tensor:
    return tensor.uniform_(a, b, generator=generator)


def _no_grad_normal_(tensor: Tensor, mean: float, std: float, generator: Optional[Generator]) -> Tensor:
    return tensor.normal_(mean, std, generator=generator)


def Complex__Tensor_Tensor(a: Tensor, b: Tensor) -> complex:
    return complex(float(a), float(b))


def Complex__Tensor_float(x: Tensor, y: float) -> complex:
    return complex(float(x), y)


def Complex__Tensor_int(x: Tensor, y: int) -> complex:
    return complex(float(x), y)


def Complex__Tensor_bool(x: Tensor, y: bool) -> complex:
    return complex(float(x), int(y))
