"""PyTorch's CPU random numbers and default initialisation, bit for bit where PyTorch's own bits are portable.

Each function writes into a numpy array (a view of a parameter, usually) and draws from the stream (`ir/generator.py`)
exactly what PyTorch draws, so that a seed gives PyTorch's weights. Source of the formulas: torch/nn/init.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..ir.generator import Generator, fma

Array = npt.NDArray[Any]

_BLOCK = 1 << 20  # numbers drawn at a time


def _store(tensor: Array, values: Array) -> Array:
    tensor[...] = values.reshape(tensor.shape)
    return tensor


def uniform_(tensor: Array, generator: Generator, a: float = 0.0, b: float = 1.0) -> Array:
    if tensor.size > _BLOCK and tensor.flags.c_contiguous:
        flat = tensor.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            part = flat[start : start + _BLOCK]
            part[...] = generator.uniform(part.size, tensor.dtype, a, b)
        return tensor
    return _store(tensor, generator.uniform(tensor.size, tensor.dtype, a, b))


def normal_(tensor: Array, generator: Generator, mean: float = 0.0, std: float = 1.0) -> Array:
    if tensor.size >= 16 and not tensor.flags.c_contiguous:
        values = generator.normal_pairs(tensor.size)
        return _store(tensor, fma(values, np.asarray(std), np.asarray(mean)))
    return _store(tensor, generator.normal(tensor.size, tensor.dtype, mean, std))


def trunc_normal_(
    tensor: Array, generator: Generator, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Array:
    """Normal numbers in [a, b]: what falls outside is drawn again, all at once."""
    if std <= 0 or a >= b:
        raise ValueError("trunc_normal_ needs std > 0 and a < b")
    covered = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    if covered <= 0.3:
        return _trunc_normal_by_rejection(tensor, generator, mean, std, a, b)
    low, high = tensor.dtype.type(a), tensor.dtype.type(b)
    normal_(tensor, generator, mean, std)
    result = np.array(tensor)
    while (outside := (result < low) | (result > high)).any():
        result = np.where(outside, normal_(np.empty_like(result), generator, mean, std), result)
    tensor[...] = result
    return tensor


def _trunc_normal_by_rejection(
    tensor: Array, generator: Generator, mean: float, std: float, a: float, b: float
) -> Array:
    """Uniform candidates, kept with the probability of the density; for intervals in a tail."""
    mode = max(a, min(mean, b))
    peak = -0.5 * ((mode - mean) / std) ** 2
    result = np.array(uniform_(tensor, generator, a, b))
    candidates = result
    pending = np.ones(tensor.shape, np.bool_)
    while True:
        log_density = ((candidates - mean) / std) ** 2 * -0.5 - peak
        with np.errstate(divide="ignore"):
            accept = np.log(uniform_(np.empty_like(result), generator))
        pending &= accept > log_density
        if not pending.any():
            break
        candidates = uniform_(np.empty_like(result), generator, a, b)
        result = np.where(pending, candidates, result)
    tensor[...] = result
    return tensor


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def constant_(tensor: Array, val: float) -> Array:
    tensor[...] = val
    return tensor


def eye_(tensor: Array) -> Array:
    if tensor.ndim != 2:
        raise ValueError("only tensors with 2 dimensions are supported")
    tensor[...] = np.eye(*tensor.shape)
    return tensor


def dirac_(tensor: Array, groups: int = 1) -> Array:
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    tensor[...] = 0
    per_group = tensor.shape[0] // groups
    center = tuple(s // 2 for s in tensor.shape[2:])
    for g in range(groups):
        for d in range(min(per_group, tensor.shape[1])):
            tensor[(g * per_group + d, d, *center)] = 1
    return tensor


def fan_in_and_out(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    if nonlinearity in ("linear", "sigmoid") or nonlinearity.startswith("conv"):
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


def xavier_uniform_(tensor: Array, generator: Generator, gain: float = 1.0) -> Array:
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(sum(fan_in_and_out(tensor.shape))))
    return uniform_(tensor, generator, -bound, bound)


def xavier_normal_(tensor: Array, generator: Generator, gain: float = 1.0) -> Array:
    return normal_(tensor, generator, 0.0, gain * math.sqrt(2.0 / float(sum(fan_in_and_out(tensor.shape)))))


def _kaiming_std(tensor: Array, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = fan_in_and_out(tensor.shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Array, generator: Generator, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Array:
    if 0 in tensor.shape:
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, generator, -bound, bound)


def kaiming_normal_(
    tensor: Array, generator: Generator, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Array:
    if 0 in tensor.shape:
        return tensor
    return normal_(tensor, generator, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def orthogonal_(tensor: Array, generator: Generator, gain: float = 1) -> Array:
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.size == 0:
        return tensor
    rows = tensor.shape[0]
    flat = normal_(np.empty((rows, tensor.size // rows), tensor.dtype), generator)
    wide = flat.shape[0] < flat.shape[1]
    q, r = np.linalg.qr(flat.T if wide else flat)
    q = q * np.sign(np.diagonal(r))
    return _store(tensor, np.ascontiguousarray(q.T if wide else q) * tensor.dtype.type(gain))


def sparse_(tensor: Array, generator: Generator, sparsity: float, std: float = 0.01) -> Array:
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, generator, 0.0, std)
    for column in range(columns):
        tensor[permutation(rows, generator)[:zeros], column] = 0
    return tensor


def permutation(n: int, generator: Generator) -> npt.NDArray[np.int64]:
    """`torch.randperm`."""
    result = np.arange(n, dtype=np.int64)
    draws = generator.random32(max(n - 1, 0))
    for i, draw in enumerate(draws.tolist()):
        j = i + draw % (n - i)
        result[i], result[j] = result[j], result[i]
    return result


def integers(count: int, low: int, high: int, generator: Generator) -> npt.NDArray[np.int64]:
    """`torch.randint`."""
    if high <= low:
        raise ValueError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    width = np.uint64(high - low)
    raw = generator.random64(count) if high - low >= 1 << 28 else generator.random32(count)
    return (raw % width).astype(np.int64) + low


def bernoulli(probabilities: Array, generator: Generator) -> npt.NDArray[np.bool_]:
    return generator.unit(probabilities.size, probabilities.dtype).reshape(probabilities.shape) < probabilities


RANDOM: Final[dict[str, Callable[..., Array]]] = {
    "uniform_": uniform_,
    "normal_": normal_,
    "trunc_normal_": trunc_normal_,
    "xavier_uniform_": xavier_uniform_,
    "xavier_normal_": xavier_normal_,
    "kaiming_uniform_": kaiming_uniform_,
    "kaiming_normal_": kaiming_normal_,
    "orthogonal_": orthogonal_,
    "sparse_": sparse_,
}
"""`torch.nn.init` functions that draw: (array, generator, ...)."""

FIXED: Final[dict[str, Callable[..., Array]]] = {"constant_": constant_, "eye_": eye_, "dirac_": dirac_}
"""`torch.nn.init` functions that do not: (array, ...). `ones_` and `zeros_` are `constant_`."""
