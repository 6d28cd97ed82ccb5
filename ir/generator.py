"""PyTorch's CPU random number generator, for what runs in Python: the interpreters, and modules being initialised.

mt19937, seeded as `torch.manual_seed` does; numbers are made from its bits as PyTorch makes them. The generator of native
code is its twin in `backend/runtime/random.ll`. Sources of the formulas: ATen/core/DistributionsHelper.h,
native/cpu/DistributionTemplates.h, native/cpu/avx_mathfun.h.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

WORDS: Final = 316
"""Of 64 bits, in the state of a generator: see `words_of`."""

DEFAULT_SEED: Final = 67280421310721
"""Of a `torch.Generator()` that is made without one."""

GROUP: Final = 16
"""Normal numbers are made in groups of so many; fewer are made one by one, in double precision."""

LOG_POLYNOMIAL: Final = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
LOG_LOW: Final = -2.12194440e-4
LOG_HIGH: Final = 0.693359375
SQRT_HALF: Final = 0.707106781186547524
FOUR_OVER_PI: Final = 1.27323954473516
QUARTER_PI: Final = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
COS_POLYNOMIAL: Final = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
SIN_POLYNOMIAL: Final = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
"""Cephes' single precision log and sincos, which PyTorch's normal numbers are made with; highest power first."""


@dataclass(frozen=True)
class State:
    """All that decides what a generator gives next."""

    seed: int
    position: int
    key: npt.NDArray[np.uint32]
    next_normal: float | None


def words_of(state: State) -> npt.NDArray[np.int64]:
    """The state as the run time has it: seed, position, whether there is a next normal number, it, and the key."""
    words = np.zeros(WORDS, np.int64)
    seed = state.seed & ((1 << 64) - 1)
    words[:3] = seed - (seed >> 63 << 64), state.position, state.next_normal is not None
    words[3:4].view(np.float64)[0] = state.next_normal or 0.0
    words[4:].view(np.uint32)[:] = state.key
    return words


def state_of(words: npt.NDArray[np.int64]) -> State:
    """What `words_of` has given for it."""
    words = np.ascontiguousarray(words)
    kept = float(words[3:4].view(np.float64)[0]) if words[2] else None
    return State(int(words[0]), min(max(int(words[1]), 0), 624), words[4:].view(np.uint32).copy(), kept)


class Generator:
    """A stream of random numbers; `torch.Generator`. Without a seed, another one each time."""

    def __init__(self, seed: int | None = None) -> None:
        self.manual_seed(secrets.randbits(53) if seed is None else seed)

    def manual_seed(self, seed: int) -> None:
        self.seed = seed
        key = np.zeros(624, np.uint32)
        value = seed & 0xFFFFFFFF
        key[0] = value
        for i in range(1, 624):  # Knuth's initialisation; numpy's own seeding differs
            value = (1812433253 * (value ^ (value >> 30)) + i) & 0xFFFFFFFF
            key[i] = value
        self.state = State(seed, 624, key, None)

    def reseed(self) -> int:
        """Starts anew from a seed that nobody knows, and gives it."""
        self.manual_seed(secrets.randbits(53))
        return self.seed

    @property
    def state(self) -> State:
        inner: Any = self._bits.state["state"]
        return State(self.seed, int(inner["pos"]), np.array(inner["key"], np.uint32), self.next_normal_sample)

    @state.setter
    def state(self, state: State) -> None:
        self.seed = state.seed
        self._bits = np.random.MT19937(0)
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": state.key.copy(), "pos": state.position}}
        self.next_normal_sample = state.next_normal

    def random32(self, count: int) -> npt.NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(count), np.uint64)

    def random64(self, count: int) -> npt.NDArray[np.uint64]:
        raw = self.random32(2 * count)
        return (raw[0::2] << np.uint64(32)) | raw[1::2]

    def unit(self, count: int, dtype: np.dtype[Any]) -> Array:
        """`count` numbers in [0, 1): float64 of 53 bits, else float32 of 24."""
        if dtype == np.float64:
            return (self.random64(count) & np.uint64((1 << 53) - 1)).astype(np.float64) * 2.0**-53
        return (self.random32(count) & np.uint64((1 << 24) - 1)).astype(np.float32) * np.float32(2.0**-24)

    def uniform(self, count: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0) -> Array:
        """`count` numbers in [low, high) of the precision of `dtype`."""
        working = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        start = working.type(low)
        values = fma(self.unit(count, working), np.asarray(working.type(high) - start), np.asarray(start))
        if dtype == working:
            return np.where(values == working.type(high), start, values)
        narrow = values.astype(dtype)
        return np.where(narrow == dtype.type(high), dtype.type(low), narrow)

    def take_normal(self) -> float | None:
        """The number of N(0, 1) that was made along with an earlier one, if it has not been given out."""
        value, self.next_normal_sample = self.next_normal_sample, None
        return value

    def normal_pairs(self, count: int) -> Array:
        """`count` numbers of N(0, 1) in double precision; they come in pairs, and what is left of one is kept."""
        kept = [] if count == 0 else [v for v in (self.take_normal(),) if v is not None]
        missing = count - len(kept)
        first, second = self.unit(2 * ((missing + 1) // 2), np.dtype(np.float64)).reshape(-1, 2).T
        radius = np.sqrt(-2.0 * np.log1p(-second))
        theta = 2.0 * math.pi * first
        pairs = np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=-1).reshape(-1)
        if missing % 2:
            self.next_normal_sample = float(pairs[-1])
        return np.concatenate([np.array(kept), pairs[:missing]])

    def normal(self, count: int, dtype: np.dtype[Any], mean: float = 0.0, std: float = 1.0) -> Array:
        """`count` numbers of N(mean, std), as `Tensor.normal_` of a contiguous tensor draws them."""
        if count < GROUP:
            return fma(self.normal_pairs(count), np.asarray(std), np.asarray(mean)).astype(dtype)
        working = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        is_half = dtype.itemsize == 2
        whole = count // GROUP * GROUP
        uniform = self.unit(whole if is_half else count, working)
        result = np.empty(count, working)
        result[:whole] = box_muller(uniform[:whole].reshape(-1, GROUP), mean, std).reshape(-1)
        if count % GROUP:  # the last ones are drawn again, as a whole group
            last = self.unit(GROUP, working)
            result[-GROUP:] = box_muller(last.reshape(1, GROUP), mean, std).reshape(-1)
        return result.astype(dtype)


def box_muller(groups: Array, mean: float, std: float) -> Array:
    """Rows of 16 uniform numbers to normal ones: 0..7 give the radius, 8..15 the angle."""
    number = groups.dtype.type
    u1, u2 = number(1) - groups[:, :8], groups[:, 8:]
    theta = number(2 * math.pi) * u2
    if groups.dtype == np.float64:
        radius = np.sqrt(-2.0 * np.log(u1))
        sine, cosine = np.sin(theta), np.cos(theta)
    else:
        radius = np.sqrt(np.float32(-2) * _log(u1))
        sine, cosine = _sincos(theta)
    spread, centre = np.asarray(number(std)), np.asarray(number(mean))
    return np.concatenate([fma(radius * cosine, spread, centre), fma(radius * sine, spread, centre)], axis=1)


def fma(x: Array, y: Array, z: Array) -> Array:
    """x * y + z with one rounding: of float32 through float64, which holds the product exactly."""
    if x.dtype != np.float32:
        return _fma64(x, y, z)
    return (x.astype(np.float64) * y.astype(np.float64) + z.astype(np.float64)).astype(np.float32)


def _fma64(x: Array, y: Array, z: Array) -> Array:
    """In double precision: product and sum with their errors (Dekker, Knuth), added up last."""
    with np.errstate(all="ignore"):
        product = x * y
        x1 = x * 134217729.0 - (x * 134217729.0 - x)
        y1 = y * 134217729.0 - (y * 134217729.0 - y)
        x2, y2 = x - x1, y - y1
        low = ((x1 * y1 - product) + x1 * y2 + x2 * y1) + x2 * y2
        total = product + z
        part = total - product
        error = (product - (total - part)) + (z - part)
        result = total + (low + error)
        return np.where(np.isfinite(result), result, total)


def _f32(value: float) -> Array:
    return np.asarray(np.float32(value))


def _polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    result = np.full_like(x, np.float32(coefficients[0]))
    for coefficient in coefficients[1:]:
        result = fma(result, x, _f32(coefficient))
    return result


def _log(x: Array) -> Array:
    """log256_ps of avx_mathfun.h, multiplications and additions contracted as in PyTorch's builds."""
    bits = np.ascontiguousarray(x).view(np.int32)
    exponent = ((bits >> 23) - 126).astype(np.float32)
    mantissa = ((bits & np.int32(0x807FFFFF - (1 << 32))) | np.int32(0x3F000000)).view(np.float32)
    small = mantissa < np.float32(SQRT_HALF)
    f = mantissa - np.float32(1) + np.where(small, mantissa, np.float32(0))
    exponent -= small.astype(np.float32)
    square = f * f
    y = fma(_polynomial(f, LOG_POLYNOMIAL) * f, square, exponent * np.float32(LOG_LOW))
    y = fma(square, _f32(-0.5), y)
    return fma(exponent, _f32(LOG_HIGH), f + y)


def _sincos(x: Array) -> tuple[Array, Array]:
    """sincos256_ps of avx_mathfun.h for x >= 0."""
    octant = ((x * np.float32(FOUR_OVER_PI)).astype(np.int32) + 1) & ~1
    for part in QUARTER_PI:
        x = fma(octant.astype(np.float32), _f32(part), x)
    square = x * x
    cosine = fma(_polynomial(square, COS_POLYNOMIAL) * square, square, square * np.float32(-0.5)) + np.float32(1)
    sine = fma(_polynomial(square, SIN_POLYNOMIAL) * square, x, x)
    plain = (octant & 2) == 0
    s, c = np.where(plain, sine, cosine), np.where(plain, cosine, sine)
    return np.where((octant & 4) != 0, -s, s), np.where(((octant - 2) & 4) == 0, -c, c)


DEFAULT: Final = Generator()
"""The one that interpreters draw from."""
