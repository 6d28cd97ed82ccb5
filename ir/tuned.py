"""Schedules that were measured to be faster than the cost model's, kept in the cache (`ir/cache.py`) for each target.

One entry per target holds those of all groups, as TOML. What compiled code depends on includes `digest`, so a program that was
compiled before its groups were tuned is compiled anew. With the cache switched off nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Final

from . import cache
from .diagnostics import CompileError
from .schedule import Decision, Fields, Schedule, Schedules, parse_schedules, print_schedules, read_schedules
from .target import Target

_FORMAT: Final = "schedules 1"
"""Changes when keys of groups or the meaning of fields change: older entries are not found then."""


VARIABLE: Final = "TORCHCC_SCHEDULES"
"""Names a file of schedules for every program that is compiled for this machine; groups that a program does not have are passed over."""


def _name(target: Target) -> str:
    return cache.key(_FORMAT, repr(target))


def digest(target: Target) -> str:
    """Of all that `chosen` gives for a target; empty where that is nothing."""
    data, path = cache.load(_name(target)), os.environ.get(VARIABLE)
    text = _canonical(read_schedules(path)) if path else ""
    return "" if data is None and not text else hashlib.blake2b((data or b"") + text.encode(), digest_size=16).hexdigest()


def _canonical(given: Mapping[str, Fields]) -> str:
    """The same for the same fields."""
    return repr(sorted((g, sorted(f.items(), key=lambda item: item[0])) for g, f in given.items()))


def chosen(target: Target) -> Schedules:
    """What programs of this machine are compiled with: the schedules that TORCHCC_SCHEDULES names, and those that were tuned."""
    path = os.environ.get(VARIABLE)
    return Schedules(read_schedules(path) if path else {}, _kept(target))


def _kept(target: Target) -> Mapping[str, Fields]:
    data = cache.load(_name(target))
    if data is None:
        return {}
    try:
        return parse_schedules(data.decode(), "the cache")
    except (CompileError, UnicodeDecodeError):
        return {}  # of a version with other fields


def keep(target: Target, found: Mapping[str, Schedule | None]) -> None:
    """Keeps schedules of some groups beside what is there; None where the cost model's is best."""
    fields = {g: f for g, f in _kept(target).items() if g not in found}
    known = {g: Schedule(**f) for g, f in fields.items() if "algorithm" in f}  # pyright: ignore[reportArgumentType]
    known |= {g: s for g, s in found.items() if s is not None}
    if not known and cache.load(_name(target)) is None:
        return
    text = print_schedules([Decision(g, s, "tuned") for g, s in known.items()], target.name)
    cache.store(_name(target), text.encode())
