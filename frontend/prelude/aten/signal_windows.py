# Windows of a signal.

import torch
from torch import Tensor
from typing import Optional


def _h_window_type(name: str, length: int, dtype: Optional[int]) -> int:
    kind = torch.float32
    if dtype is not None:
        kind = dtype
    if length < 0:
        raise RuntimeError("{} requires non-negative window_length, got window_length={}".format(name, length))
    if not torch.empty([0], dtype=kind).is_floating_point():
        raise RuntimeError("{} expects floating point dtypes".format(name))
    return kind


def _h_cosines(length: int, periodic: bool, a: float, b: float, c: float, kind: int) -> Tensor:
    if length < 2:
        return torch.ones([length], dtype=kind)
    steps = _h_wide(torch.arange(length).to(kind))
    angle = steps * (2.0 * 3.141592653589793 / float(length if periodic else length - 1))
    window = a - b * torch.cos(angle)
    if c != 0.0:
        window = window + c * torch.cos(2.0 * angle)
    return _h_narrow(window, kind)


def hann_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, True, 0.5, 0.5, 0.0, _h_window_type("hann_window", window_length, dtype))


def hann_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, 0.5, 0.5, 0.0, _h_window_type("hann_window", window_length, dtype))


def hamming_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, True, 0.54, 0.46, 0.0, _h_window_type("hamming_window", window_length, dtype))


def hamming_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, 0.54, 0.46, 0.0, _h_window_type("hamming_window", window_length, dtype))


def hamming_window__periodic_alpha(
    window_length: int,
    periodic: bool,
    alpha: float,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, alpha, 0.46, 0.0, _h_window_type("hamming_window", window_length, dtype))


def hamming_window__periodic_alpha_beta(
    window_length: int,
    periodic: bool,
    alpha: float,
    beta: float,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, alpha, beta, 0.0, _h_window_type("hamming_window", window_length, dtype))


def blackman_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, True, 0.42, 0.5, 0.08, _h_window_type("blackman_window", window_length, dtype))


def blackman_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, 0.42, 0.5, 0.08, _h_window_type("blackman_window", window_length, dtype))


def _h_triangle(length: int, periodic: bool, kind: int) -> Tensor:
    if length < 2:
        return torch.ones([length], dtype=kind)
    slope = _h_wide(torch.arange(length).to(kind)) * (2.0 / float(length if periodic else length - 1))
    return _h_narrow(torch.minimum(slope, 2.0 - slope), kind)


def bartlett_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_triangle(window_length, True, _h_window_type("bartlett_window", window_length, dtype))


def bartlett_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_triangle(window_length, periodic, _h_window_type("bartlett_window", window_length, dtype))


def _h_kaiser(length: int, periodic: bool, beta: float, kind: int) -> Tensor:
    if length < 2:
        return torch.ones([length], dtype=kind)
    steps = _h_wide(torch.arange(length + 1 if periodic else length).to(kind))
    place = steps * (2.0 / float(length if periodic else length - 1)) - 1.0
    inside = torch.clamp(1.0 - place * place, min=0.0)
    window = torch.i0(beta * torch.sqrt(inside)) / torch.i0(torch.full([], beta, dtype=steps.dtype))
    return _h_narrow(window[:length], kind)


def kaiser_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_kaiser(window_length, True, 12.0, _h_window_type("kaiser_window", window_length, dtype))


def kaiser_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_kaiser(window_length, periodic, 12.0, _h_window_type("kaiser_window", window_length, dtype))


def kaiser_window__beta(
    window_length: int,
    periodic: bool,
    beta: float,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_kaiser(window_length, periodic, beta, _h_window_type("kaiser_window", window_length, dtype))
