"""The schedule of a group: the cost model's, or what was given instead of it, where that makes sense.

In: a `Nest`, and for each way to compute it the model's schedule and a check of others. Out: the schedule that the loops are made
from, a record of it (`Schedules`), and the attribute `schedule` on the loops, which is what a dump shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

from ...ir.builder import Builder
from ...ir.core import Operation
from ...ir.schedule import FIELDS, Fields, Schedule, Schedules, changed
from .group_key import about, group_key
from .nest import Nest

ATTRIBUTE: Final = "schedule"
"""Of a loop: for each group in it, its key and its schedule in one line."""

_LOOPS: Final = ("scf.parallel", "scf.for")

Check = Callable[[Schedule], "tuple[str, str] | None"]
"""(field, why) where a schedule makes no sense for the group."""


@dataclass
class Group:
    """One group while its loops are being made."""

    nest: Nest
    """As it was read: keys are of it, whatever dimensions are merged later."""
    schedules: Schedules

    @cached_property
    def key(self) -> str:
        return group_key(self.nest)

    @property
    def given(self) -> Fields:
        return self.schedules.of(self.key)

    @property
    def wanted(self) -> str | None:
        """The algorithm that is asked for."""
        return cast("str | None", self.given.get("algorithm"))

    def allows(self, *algorithms: str) -> bool:
        """Whether one of them may be taken."""
        return self.wanted is None or self.wanted in algorithms

    def settle(self, model: Schedule, check: Check) -> Schedule:
        """The given fields in place of the model's; the model's own where these make no sense. CompileError where a user gave them."""
        given: Fields = self.given
        nothing: Fields = {}
        if given.get("algorithm", model.algorithm) != model.algorithm:
            self.schedules.refuse(self.key, "algorithm", f"cannot be `{given['algorithm']}` here; the compiler takes `{model.algorithm}`")
            given = nothing
        foreign = [n for n in given if n not in ("algorithm", *FIELDS[model.algorithm])]
        if foreign:
            self.schedules.refuse(self.key, foreign[0], f"is nothing that `{model.algorithm}` looks at")
            given = nothing
        chosen = changed(model, given) if given else model
        problem = check(chosen) if given else None
        if problem is not None:
            self.schedules.refuse(self.key, *problem)
            chosen = model
        self.schedules.keep(self.key, chosen, about(self.nest))
        return chosen

    def mark(self, b: Builder, before: Operation | None) -> None:
        """Writes the schedule on the loops that stand behind `before` (None: at the start) and before `b`."""
        decision = self.schedules.decided.get(self.key)
        op = b.block.first if before is None else before.next
        while op is not None and op is not b.anchor:
            if op.name in _LOOPS and decision is not None:
                op.attributes[ATTRIBUTE] = (f"{decision.group}: {decision.schedule.text}",)
            op = op.next


def last_before(b: Builder) -> Operation | None:
    """What stands before the place where `b` inserts."""
    return b.block.last if b.anchor is None else b.anchor.prev


def join(into: Operation, *loops: Operation) -> None:
    """The loop `into` holds the groups of others."""
    parts: list[Any] = [part for loop in loops for part in cast("tuple[Any, ...]", loop.attributes.get(ATTRIBUTE, ()))]
    if parts:
        into.attributes[ATTRIBUTE] = tuple(dict.fromkeys(parts))


def groups_of(op: Operation) -> list[str]:
    """Keys of the groups that stand in a loop, in the order of the text."""
    found: list[str] = []
    for inner in op.walk():
        for part in cast("tuple[Any, ...]", inner.attributes.get(ATTRIBUTE, ())):
            found.append(str(part).partition(":")[0])
    return list(dict.fromkeys(found))
