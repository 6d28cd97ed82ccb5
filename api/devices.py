"""Devices as Python gets them: a string that has what `torch.device` has."""

from __future__ import annotations

from typing import Any


class Device(str):
    """`"cpu"`, `"cuda:1"`: equal to that text, and to a `torch.device` of that type and index; PyTorch takes it as one."""

    __slots__ = ()

    @property
    def type(self) -> str:
        """The part before the colon."""
        return str(self).partition(":")[0]

    @property
    def index(self) -> int | None:  # pyright: ignore[reportIncompatibleMethodOverride] - `str.index` is of no use for a device
        """The number behind the colon, None without one."""
        number = str(self).partition(":")[2]
        return int(number) if number else None

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, str) or not (hasattr(other, "type") and hasattr(other, "index")):
            return str.__eq__(self, other)
        return (self.type, self.index) == (other.type, other.index)

    def __ne__(self, other: Any) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"
