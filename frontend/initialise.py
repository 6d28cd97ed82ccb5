"""PyTorch's CPU random numbers and default initialisation, bit for bit where PyTorch's own bits are portable.

The generator is mt19937, seeded as `torch.manual_seed` does. Each function writes into a numpy array (a view of a
parameter, usually) and draws from the stream exactly what PyTorch draws, so that a seed gives PyTorch's weights.
Sources of the formulas: ATen/core/DistributionsHelper.h, native/cpu/DistributionTemplates.h, torch/nn/init.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_BLOCK = 1 << 20  # numbers drawn at a time


class Generator:
    """A stream of random numbers; `torch.Generator`."""

    def __init__(self, seed: int) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        self.seed = seed
        key = np.zeros(624, np.uint32)
        value = seed & 0xFFFFFFFF
        key[0] = value
        for i in range(1, 624):  # Knuth's initialisation; numpy's own seeding differs
            value = (1812433253 * (value ^ (value >> 30)) + i) & 0xFFFFFFFF
            key[i] = value
        self._bits = np.random.MT19937(0)
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": 624}}
        self._next_normal: float | None = None

    def random32(self, count: int) -> npt.NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(count), np.uint64)

    def random64(self, count: int) -> npt.NDArray[np.uint64]:
        raw = self.random32(2 * count)
        return (raw[0::2] << np.uint64(32)) | raw[1::2]

    def uniform(self, count: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0) -> Array:
        """`count` numbers in [low, high) of the precision of `dtype`."""
        if dtype == np.float64:
            unit = (self.random64(count) & np.uint64((1 << 53) - 1)).astype(np.float64) * 2.0**-53
            return unit * (high - low) + low
        unit = (self.random32(count) & np.uint64((1 << 24) - 1)).astype(np.float32) * np.float32(2.0**-24)
        # One rounding, as the fused multiply-add of PyTorch's kernels: float64 holds the product exactly.
        low32, high32 = np.float32(low), np.float32(high)
        values = (unit.astype(np.float64) * np.float64(high32 - low32) + np.float64(low32)).astype(np.float32)
        # Half precision is the rounded float32 value. PyTorch draws it by other means: a seed gives other numbers.
        return values if dtype == np.float32 else values.astype(dtype)

    def next_normal(self) -> float:
        """One number of N(0, 1); they come in pairs, the second is kept."""
        if self._next_normal is not None:
            value, self._next_normal = self._next_normal, None
            return value
        u1, u2 = self.uniform(2, np.dtype(np.float64))
        radius = math.sqrt(-2.0 * math.log1p(-u2))
        theta = 2.0 * math.pi * u1
        self._next_normal = radius * math.sin(theta)
        return radius * math.cos(theta)

    def normal(self, count: int, dtype: np.dtype[Any], mean: float = 0.0, std: float = 1.0) -> Array:
        """`count` numbers of N(mean, std), as `Tensor.normal_` of a contiguous tensor draws them."""
        if count < 16:
            return np.array([self.next_normal() * std + mean for _ in range(count)]).astype(dtype)
        working = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        uniform = self.uniform(count, working)
        whole = count // 16 * 16
        uniform[:whole] = _box_muller(uniform[:whole].reshape(-1, 16), mean, std).reshape(-1)
        if count % 16:  # the last 16 are drawn again, as a whole group
            last = self.uniform(16, working)
            uniform[-16:] = _box_muller(last.reshape(1, 16), mean, std).reshape(-1)
        return uniform.astype(dtype)


def _box_muller(groups: Array, mean: float, std: float) -> Array:
    """Rows of 16 uniform numbers to normal ones: 0..7 give the radius, 8..15 the angle."""
    one = groups.dtype.type(1)
    radius = np.sqrt(groups.dtype.type(-2) * np.log(one - groups[:, :8]))
    theta = groups.dtype.type(2 * math.pi) * groups[:, 8:]
    std, mean = groups.dtype.type(std), groups.dtype.type(mean)
    return np.concatenate([radius * np.cos(theta) * std + mean, radius * np.sin(theta) * std + mean], axis=1)


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
        values = np.array([generator.next_normal() * std + mean for _ in range(tensor.size)])
        return _store(tensor, values)
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
    working = np.dtype(np.float64 if probabilities.dtype == np.float64 else np.float32)
    return generator.uniform(probabilities.size, working).reshape(probabilities.shape) < probabilities


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
