"""Looks for schedules that are faster on this machine than the cost model's, by measuring.

In: a program, what it is specialised for, and values to call it with. Out: for each group of operations the schedule to keep.

Programs are measured whole, with a clock around each kernel: caches, neighbours and threads are those of real calls. A trial gives
many groups another schedule at once, one per kernel, and runs in turn with the program as the cost model makes it. What was
faster for a group is where its next trial starts from. In the end all that won is measured together, several times; a schedule is
kept where each time its kernels took less than `_GAIN` of what they took before, and only if the whole call is not slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from . import driver
from .backend.cpu.host import host
from .ir.program import Program
from .ir.schedule import Fields, Schedule, Schedules
from .ir.signature import ArgumentSpec, StateSpec
from .ir.tuned import keep
from .lowering.loops.neighbours import neighbours
from .measure import Instrumented, instrumented

_GAIN: Final = 0.97
"""A schedule is kept below this share of the model's time: the rest is noise."""

_LEAD: Final = 0.985
"""A trial below this share of the best one so far is where the next starts from."""

_CONFIRMATIONS: Final = 3
_LEAST_SHARE: Final = 0.004
"""Of a call: groups that take less are left alone."""

_TRIAL_SECONDS: Final = 0.5
_LEAST_CALLS: Final = 5
_MOST_CALLS: Final = 60
_TOLERANCE: Final = 1e-2
"""Of the largest element: by so much may results of two schedules differ; more is a bug, and never kept."""


@dataclass(frozen=True)
class Tuned:
    """What came of it."""

    groups: int
    """Distinct groups that were looked at."""
    trials: int
    kept: Mapping[str, Schedule]
    before: float
    after: float
    """Seconds of a call."""


@dataclass
class _Search:
    """One group: where it stands, and what is still to be tried."""

    best: Schedule
    share: float
    ratio: float = 1.0
    tried: set[Schedule] = field(default_factory=set[Schedule])

    def next(self) -> Schedule | None:
        return next((s for s in neighbours(self.best, host().facts) if s not in self.tried), None)


def tune(
    program: Program,
    specs: Sequence[ArgumentSpec],
    values: Sequence[Any],
    seconds: float,
    state: Sequence[StateSpec] = (),
    report: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Measures for about `seconds`, and keeps what it finds in the cache for later compilations (`ir/tuned.py`)."""
    end = time.perf_counter() + seconds
    lower = driver.variants(program, specs, state)

    def made(given: Mapping[str, Fields]) -> Instrumented:
        return instrumented(lower(Schedules({}, given)), program, specs, values)

    base = made({})
    first = _medians(_in_turn([base], _calls(base)))[0]
    searches = _searches(base, first)
    trials, longest = 0, 0.0
    while time.perf_counter() + 2 * longest < end:
        begin = time.perf_counter()
        trial = _trial(base, searches)
        if not trial:
            break
        _run_trial(base, made(_fields(trial)), trial, searches)
        trials += 1
        longest = max(longest, time.perf_counter() - begin)
        won = sum(s.ratio < _GAIN for s in searches.values())
        report(f"trial {trials}: {len(trial)} of {len(searches)} groups, {won} faster so far")
    found = {g: s.best for g, s in searches.items() if s.ratio < _GAIN}
    found, before, after = _confirmed(base, made, found, float(first[-1]))
    keep(host().facts, {g: found.get(g) for g in searches})
    return Tuned(len(searches), trials, found, before, after)


# trials


def _searches(base: Instrumented, times: npt.NDArray[Any]) -> dict[str, _Search]:
    """Groups whose kernels take long enough, those that take longest first."""
    total = float(times[-1])
    found: dict[str, _Search] = {}
    for group, decision in base.schedules.decided.items():
        share = sum(float(times[k]) for k, groups in enumerate(base.groups) if group in groups) / total
        if share >= _LEAST_SHARE:
            found[group] = _Search(decision.schedule, share, tried={decision.schedule})
    return dict(sorted(found.items(), key=lambda item: -item[1].share))


def _trial(base: Instrumented, searches: Mapping[str, _Search]) -> dict[str, Schedule]:
    """The next schedule of each group, as far as no kernel holds two groups that change."""
    chosen: dict[str, Schedule] = {}
    taken: set[str] = set()
    order = sorted(searches, key=lambda g: (len(searches[g].tried), -searches[g].share))
    for group in order:
        near = {g for groups in base.groups if group in groups for g in groups}
        following = None if near & taken else searches[group].next()
        if following is not None:
            chosen[group] = following
            taken.add(group)
    return chosen


def _run_trial(base: Instrumented, other: Instrumented, trial: Mapping[str, Schedule], searches: Mapping[str, _Search]) -> None:
    for group, schedule in trial.items():
        searches[group].tried.add(schedule)
    if not _agree(base, other):
        return
    old, new = _medians(_in_turn([base, other], _calls(base)))
    for group, schedule in trial.items():
        if other.schedules.decided.get(group) is None or other.schedules.decided[group].schedule != schedule:
            continue  # not possible for this group
        ratio = _ratio(group, base, other, old, new, trial)
        if ratio is not None and ratio < searches[group].ratio * _LEAD:
            searches[group].best, searches[group].ratio = schedule, ratio


def _ratio(
    group: str, base: Instrumented, other: Instrumented, old: npt.NDArray[Any], new: npt.NDArray[Any], changed: Mapping[str, Any]
) -> float | None:
    """Time of the kernels that hold a group, new to old; where loops were fused otherwise, of all that hold the same groups. None
    where that cannot be told from what other groups gained."""
    inside = {group}
    while True:
        wider = {g for program in (base, other) for groups in program.groups if inside & set(groups) for g in groups}
        if base.groups_with(group) == other.groups_with(group) or wider == inside:
            break
        inside = wider
    if any(g in changed for g in inside if g != group):
        return None
    before, after = (
        sum(float(times[k]) for k, groups in enumerate(program.groups) if inside & set(groups))
        for program, times in ((base, old), (other, new))
    )
    return after / before if before else None


def _confirmed(
    base: Instrumented, made: Callable[[Mapping[str, Fields]], Instrumented], found: dict[str, Schedule], first: float
) -> tuple[dict[str, Schedule], float, float]:
    """What is faster every time that all of it is measured together, and seconds of a call before and after."""
    before = after = first
    for _ in range(2):
        if not found:
            return {}, before, before
        together = made(_fields(found))
        if not _agree(base, together):
            return {}, before, before
        rounds = [_medians(_in_turn([base, together], _calls(base))) for _ in range(_CONFIRMATIONS)]
        before, after = (float(np.median([r[i][-1] for r in rounds])) for i in (0, 1))
        ratios = {g: [_ratio(g, base, together, old, new, {}) for old, new in rounds] for g in found}
        held = {g: s for g, s in found.items() if all(r is not None and r < _GAIN for r in ratios[g])}
        if held == found:
            break
        found = held
    return (found, before, after) if found and after < before else ({}, before, before)


def _fields(schedules: Mapping[str, Schedule]) -> dict[str, Fields]:
    return {g: s.fields for g, s in schedules.items()}


# measuring


def _calls(program: Instrumented) -> int:
    """How often a program is called in a trial."""
    begin = time.perf_counter()
    program.times()
    return int(min(_MOST_CALLS, max(_LEAST_CALLS, _TRIAL_SECONDS / 2 / max(1e-6, time.perf_counter() - begin))))


def _in_turn(programs: Sequence[Instrumented], calls: int) -> list[list[npt.NDArray[Any]]]:
    for program in programs:
        program.times()
    tables: list[list[npt.NDArray[Any]]] = [[] for _ in programs]
    for number in range(calls):
        for i in _order(len(programs), number):
            tables[i].append(programs[i].times())
    return tables


def _order(count: int, number: int) -> Iterator[int]:
    """Each goes first in turn: what the one before left in the caches helps nobody."""
    return iter(range(count) if number % 2 else range(count - 1, -1, -1))


def _medians(tables: Sequence[Sequence[npt.NDArray[Any]]]) -> list[npt.NDArray[Any]]:
    """For each program the seconds of each kernel, and of a call at the end."""
    return [np.median(np.array(rows), 0) for rows in tables]


def _agree(base: Instrumented, other: Instrumented) -> bool:
    """Whether results are the same but for rounding. Random programs never are, and not tuned."""
    for x, y in zip(base.results(), other.results(), strict=True):
        if not isinstance(x, np.ndarray):
            continue
        a, b = cast("npt.NDArray[Any]", x), np.asarray(y)
        if a.shape != b.shape:
            return False
        if a.dtype.kind in "fc" and a.size:
            with np.errstate(all="ignore"):
                limit = _TOLERANCE * float(np.nanmax(np.abs(a), initial=0.0, where=np.isfinite(a)))
                if not np.allclose(a, b, rtol=_TOLERANCE, atol=limit, equal_nan=True):
                    return False
    return True
