"""Windows and complex numbers for the module evaluator: what the buffers of audio models are made of, in numpy.

Functions take what the user passes, by PyTorch's names; windows are computed in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ..ir.dtypes import DType
from .host_tensor import DEFAULT_DTYPE, Array, HostTensor

Shape = Callable[[Array], Array]
"""A window as a function of the angle: 0 to one turn."""


def _window(shape: Shape) -> Callable[..., HostTensor]:
    """`f(length, periodic=True)`; a periodic window is one that is one longer, without its last number."""

    def make(
        cx: Any, window_length: int, periodic: bool = True, *, dtype: DType | None = None, **_: Any
    ) -> HostTensor:
        return _sampled(cx, window_length, periodic, dtype, shape)

    return make


def _sampled(cx: Any, length: int, periodic: bool, dtype: DType | None, shape: Shape) -> HostTensor:
    kind = (dtype or DEFAULT_DTYPE).numpy
    if length < 0:
        raise ValueError(f"a window cannot have {length} numbers")
    cx.reserve(length, 8)
    if length < 2:
        return HostTensor(np.ones(length, kind))
    turns = np.arange(length) / (length if periodic else length - 1)
    return HostTensor(shape(2 * np.pi * turns).astype(kind))


def hamming_window(
    cx: Any,
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    **_: Any,
) -> HostTensor:
    return _sampled(cx, window_length, periodic, dtype, lambda angle: alpha - beta * np.cos(angle))


def kaiser_window(
    cx: Any, window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: DType | None = None, **_: Any
) -> HostTensor:
    def shape(angle: Array) -> Array:
        return np.i0(beta * np.sqrt(np.maximum(0.0, 1 - (angle / np.pi - 1) ** 2))) / np.i0(beta)

    return _sampled(cx, window_length, periodic, dtype, shape)


def _bartlett(angle: Array) -> Array:
    return 1 - np.abs(angle / np.pi - 1)


def _blackman(angle: Array) -> Array:
    return 0.42 - 0.5 * np.cos(angle) + 0.08 * np.cos(2 * angle)


# complex numbers


def _from_parts(re: Array, im: Array) -> HostTensor:
    if re.dtype != im.dtype or re.dtype.name not in ("float32", "float64"):
        raise TypeError(f"expected two tensors of float32 or of float64, got {re.dtype} and {im.dtype}")
    kind = DType.complex64 if re.dtype.name == "float32" else DType.complex128
    made = np.empty(np.broadcast_shapes(re.shape, im.shape), kind.numpy)
    made.real, made.imag = re, im
    return HostTensor(made)


def complex_(_: Any, real: HostTensor, imag: HostTensor) -> HostTensor:
    return _from_parts(real.array, imag.array)


def polar(_: Any, abs: HostTensor, angle: HostTensor) -> HostTensor:
    return _from_parts(abs.array * np.cos(angle.array), abs.array * np.sin(angle.array))


def real(_: Any, input: HostTensor) -> HostTensor:
    return HostTensor(np.real(input.array))


def imag(_: Any, input: HostTensor) -> HostTensor:
    if input.array.dtype.kind != "c":
        raise TypeError("imag is not implemented for tensors with non-complex dtypes.")
    return HostTensor(np.imag(input.array))


def conj(_: Any, input: HostTensor) -> HostTensor:
    return HostTensor(np.conjugate(input.array) if input.array.dtype.kind == "c" else input.array)


def angle(_: Any, input: HostTensor) -> HostTensor:
    array = input.array
    return HostTensor(np.asarray(np.angle(array), np.real(array).dtype if array.dtype.kind in "fc" else np.float32))


def view_as_real(_: Any, input: HostTensor) -> HostTensor:
    if input.array.dtype.kind != "c":
        raise TypeError("view_as_real is only supported for complex tensors")
    return HostTensor(np.stack([np.real(input.array), np.imag(input.array)], -1))


def view_as_complex(_: Any, input: HostTensor) -> HostTensor:
    if input.array.ndim == 0 or input.array.shape[-1] != 2:
        raise ValueError("Tensor must have a last dimension of size 2")
    return _from_parts(input.array[..., 0], input.array[..., 1])


METHODS: Final[dict[str, Callable[..., Any]]] = {"conj": conj, "angle": angle}
"""Also methods."""

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    **METHODS,
    "hann_window": _window(lambda angle: 0.5 - 0.5 * np.cos(angle)),
    "hamming_window": hamming_window,
    "bartlett_window": _window(_bartlett),
    "blackman_window": _window(_blackman),
    "kaiser_window": kaiser_window,
    "complex": complex_,
    "polar": polar,
    "real": real,
    "imag": imag,
    "view_as_real": view_as_real,
    "view_as_complex": view_as_complex,
}
"""`torch.f`."""
