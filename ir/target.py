"""Plain facts about a machine that scheduling decisions need: registers, caches, cores. No decisions here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .types import ComplexType, FloatType, IntegerType, Type


@dataclass(frozen=True)
class Target:
    """A CPU core and its caches. Sizes in bytes."""

    name: str
    vector_bytes: int
    """Width of the widest register that is worth using."""
    vector_registers: int
    fma_per_cycle: int = 2
    """Full-width fused multiply-adds a core starts per cycle."""
    loads_per_cycle: int = 2
    fma_latency: int = 4
    l1_bytes: int = 32 << 10
    l1_ways: int = 8
    l2_bytes: int = 1 << 20
    l2_bytes_per_cycle: float = 32.0
    l3_bytes_per_cycle: float = 24.0
    memory_bytes_per_cycle: float = 10.0
    """What a cycle brings to one core from the second-level cache, from the last one, and from memory."""
    byte_dots: bool = False
    """Whether one instruction adds up products of four bytes each, unsigned times signed, in every lane of 32 bits (vpdpbusd)."""
    word_dots: bool = False
    """Whether one adds up products of two numbers of 16 bits each (pmaddwd)."""
    cores: int = 1
    """Threads that a parallel loop may use."""
    fused: bool = True
    """Whether multiply-add is one instruction."""
    streams: bool = False
    """Whether stores past the caches save reading the lines first."""
    fast: bool = False
    """Whether sums may be rounded more than PyTorch's are, where that saves time: 3x3 convolutions by tiles of 4x4."""
    short_weights: bool = False
    """Whether weights of linear layers may be rounded to bf16."""

    @property
    def l3_bytes(self) -> int:
        """What a core may count on of the last cache, where others use it too."""
        return 16 * self.l2_bytes

    def lanes(self, element: Type) -> int:
        """Elements of a vector register."""
        return max(1, self.vector_bytes // element_bytes(element))


def element_bytes(element: Type) -> int:
    """Bytes that one element takes in memory (i1 takes one; index is 64 bits)."""
    match element:
        case IntegerType(width):
            return max(1, width // 8)
        case FloatType():
            return element.width // 8
        case ComplexType(part):
            return 2 * element_bytes(part)
        case _:
            return 8


AVX512: Final = Target("x86-64-v4", vector_bytes=64, vector_registers=32, word_dots=True, streams=True)
AVX2: Final = Target("x86-64-v3", vector_bytes=32, vector_registers=16, word_dots=True, l2_bytes=512 << 10, streams=True)
SSE2: Final = Target("x86-64", vector_bytes=16, vector_registers=16, fma_per_cycle=1, word_dots=True, l2_bytes=256 << 10, fused=False)
NEON: Final = Target("aarch64", vector_bytes=16, vector_registers=32, l1_ways=4, l2_bytes=512 << 10)
