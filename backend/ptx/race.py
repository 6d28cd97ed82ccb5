"""Finds accesses to shared memory that no barrier orders: per byte, who wrote and read it last, and in which epoch.

Two accesses of different threads, one of them a write, are ordered by a barrier of the block between them, or by one of
the warp where both threads are of it. Two writes of one value by one instruction, and atomics among themselves, are fine.
"""

from __future__ import annotations

import numpy as np

from .alu import Array, PtxFault

_NOBODY = -1
_SEVERAL = -2
_ATOMIC = -3


class _Accesses:
    """The last accesses of one kind to each byte."""

    def __init__(self, size: int) -> None:
        self.thread = np.full(size, _NOBODY, np.int32)
        self.warp = np.full(size, _NOBODY, np.int32)
        self.epoch = np.zeros(size, np.int32)
        self.warp_epoch = np.zeros(size, np.int32)


class RaceCheck:
    """Shared memory of a batch of blocks as one flat array of bytes; `warp_of`: the warp of every lane."""

    def __init__(self, size: int, block_of: Array, warp_of: Array) -> None:
        self.block_of = block_of
        self.warp_of = warp_of
        self.epochs = np.zeros(int(block_of.max(initial=0)) + 1, np.int32)
        self.warp_epochs = np.zeros(int(warp_of.max(initial=0)) + 1, np.int32)
        self.writes = _Accesses(size)
        self.reads = _Accesses(size)

    def block_barrier(self, lanes: Array) -> None:
        """A barrier of part of a block counts as one of the block: races across it may be missed."""
        self.epochs[np.unique(self.block_of[lanes])] += 1

    def warp_barrier(self, lanes: Array) -> None:
        self.warp_epochs[np.unique(self.warp_of[lanes])] += 1

    def read(self, offsets: Array, size: int, lanes: Array) -> None:
        places, lanes = _bytes(offsets, size, lanes)
        self._refuse(self.writes, places, lanes, "reads what", "wrote")
        others = self._unordered(self.reads, places, lanes)
        mixed = others & (self.reads.warp[places] != self.warp_of[lanes])
        self._note(self.reads, places, lanes)
        # Read by others before, or by several at once: a later write has to be ordered after all of them.
        mixed |= self.reads.warp[places] != self.warp_of[lanes]
        others |= self.reads.thread[places] != lanes
        self.reads.thread[places[others]] = _SEVERAL
        self.reads.warp[places[mixed]] = _SEVERAL

    def write(self, offsets: Array, size: int, lanes: Array, values: Array) -> None:
        """`values`: the bytes, one row per lane."""
        places, lanes = _bytes(offsets, size, lanes)
        self._refuse(self.writes, places, lanes, "overwrites what", "wrote")
        self._refuse(self.reads, places, lanes, "overwrites what", "read")
        order = np.argsort(places, kind="stable")
        same = places[order][1:] == places[order][:-1]
        differs = same & (values.reshape(-1)[order][1:] != values.reshape(-1)[order][:-1])
        if differs.any():
            raise PtxFault("race: threads write different values to one place of shared memory at once")
        self._note(self.writes, places, lanes)

    def atomic(self, offsets: Array, size: int, lanes: Array) -> None:
        places, lanes = _bytes(offsets, size, lanes)
        self._refuse(self.writes, places, lanes, "updates what", "wrote", atomics=False)
        self._refuse(self.reads, places, lanes, "updates what", "read")
        self._note(self.writes, places, lanes)
        self.writes.thread[places] = _ATOMIC

    def _unordered(self, accesses: _Accesses, places: Array, lanes: Array) -> Array:
        """Whether the last access was another thread's, with no barrier since."""
        thread, warp = accesses.thread[places], accesses.warp[places]
        recent = accesses.epoch[places] == self.epochs[self.block_of[lanes]]
        same_warp = warp == self.warp_of[lanes]
        ordered = same_warp & (accesses.warp_epoch[places] != self.warp_epochs[self.warp_of[lanes]])
        return (thread != _NOBODY) & (thread != lanes) & recent & ~ordered

    def _refuse(
        self, accesses: _Accesses, places: Array, lanes: Array, does: str, did: str, *, atomics: bool = True
    ) -> None:
        wrong = self._unordered(accesses, places, lanes)
        if not atomics:
            wrong &= accesses.thread[places] != _ATOMIC
        if wrong.any():
            lane = int(lanes[wrong][0])
            raise PtxFault(f"race: lane {lane} {does} another thread {did}, with no barrier between")

    def _note(self, accesses: _Accesses, places: Array, lanes: Array) -> None:
        accesses.thread[places] = lanes
        accesses.warp[places] = self.warp_of[lanes]
        accesses.epoch[places] = self.epochs[self.block_of[lanes]]
        accesses.warp_epoch[places] = self.warp_epochs[self.warp_of[lanes]]


def _bytes(offsets: Array, size: int, lanes: Array) -> tuple[Array, Array]:
    return (offsets[:, None] + np.arange(size)).reshape(-1), np.repeat(lanes, size)
