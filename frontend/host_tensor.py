"""A tensor at compile time: a numpy array that may be a view of another one, with PyTorch's bookkeeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(eq=False)
class HostTensor:
    """`array` may be a view: writes through it are seen by every tensor of the same storage, as in PyTorch."""

    array: npt.NDArray[Any]
    requires_grad: bool = False
    is_parameter: bool = False
