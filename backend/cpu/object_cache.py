"""Object code on disk (`ir/cache.py`): a program is compiled by LLVM once per machine."""

from __future__ import annotations

from ...ir import cache
from ..llvm.binding import LLVM_VERSION, LLVMLITE_VERSION
from .host import CpuTarget


def key(text: str, target: CpuTarget, optimized: bool) -> str:
    """Hash of everything that the object code depends on."""
    return cache.key(LLVM_VERSION, LLVMLITE_VERSION, target.triple, target.cpu, target.features, str(optimized), text)
