"""Interpreter of `rt.clock`."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from ..core import Operation
from .engine import Compiler, Frame, Rule, Step


def _clock(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = np.int64(time.monotonic_ns())

    return run


RULES: Final[dict[str, Rule]] = {"rt.clock": _clock}
