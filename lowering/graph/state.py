"""Attributes that outlive a call, while a program is specialised.

An attribute of the module is a constant unless it is declared as state. A write to one that is not is noted here and
takes effect for the rest of the evaluation; at the end `StateNeeded` names all of them, and the caller tries again with
these declared: as inputs, and with their values at the end as results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...ir.script_types import ScriptObject
from .values import Abstract, Ref

Slot = tuple[int, str]
"""Identity of an object, and the name of its attribute."""


@dataclass
class State:
    """What is declared, and what is found out about the rest."""

    given: dict[Slot, Abstract | ScriptObject] = field(default_factory=dict[Slot, Any])
    """Values of the attributes that are declared."""
    owners: dict[Ref, ScriptObject] = field(default_factory=dict[Ref, ScriptObject])
    """Objects that outlive the call."""
    holders: dict[Ref, list[tuple[ScriptObject, str]]] = field(default_factory=dict[Ref, Any])
    """Attributes that hold a list or dict that outlives the call."""
    used: dict[Slot, None] = field(default_factory=dict[Slot, None])
    needed: dict[Slot, tuple[ScriptObject, str]] = field(default_factory=dict[Slot, Any])

    def is_given(self, owner: ScriptObject, name: str) -> bool:
        return (id(owner), name) in self.given

    def use(self, ref: Ref, name: str) -> None:
        """An attribute is read or written."""
        owner = self.owners.get(ref)
        if owner is not None and (id(owner), name) in self.given:
            self.used[id(owner), name] = None

    def write(self, ref: Ref, name: str) -> None:
        """An attribute of an object that outlives the call is set."""
        self.use(ref, name)
        self._need(self.owners[ref], name)

    def change(self, ref: Ref) -> None:
        """The contents of a list or dict that outlives the call are changed."""
        for owner, name in self.holders.get(ref, ()):
            self._need(owner, name)

    def hold(self, ref: Ref, owner: ScriptObject, name: str) -> None:
        self.holders.setdefault(ref, []).append((owner, name))

    def _need(self, owner: ScriptObject, name: str) -> None:
        if (id(owner), name) not in self.given:
            self.needed[id(owner), name] = (owner, name)

