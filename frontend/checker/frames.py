"""Local variables and the flow of control while a function is compiled.

A `Frame` holds the names that a block has set. A `Flow` says how a list of statements ends; its facts are Python bools
where the compiler knows them and SSA values (flags) where only the run does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ir.core import Value
from ...ir.diagnostics import Note
from .meanings import Meaning


@dataclass(frozen=True)
class Conflict(Note):
    """Why a name has no value behind a branch: its types on the two sides differ. The message is that of the error."""

    help: str = ""


@dataclass(eq=False)
class Frame:
    """Names set in one block; others are looked up in `parent`, the block around it.

    `joined`: the code after an `if` goes on inside one of its branches (the other one has left); for the typing rules
    this frame is then the same block as its parent.
    """

    parent: Frame | None
    names: dict[str, Meaning] = field(default_factory=dict[str, Meaning])
    missing: dict[str, Note | None] = field(default_factory=dict[str, Note | None])
    """Names that are not set on every path, with the reason."""
    joined: bool = False

    @property
    def is_outermost(self) -> bool:
        """Whether this is the body of the function itself."""
        frame = self
        while frame.joined and frame.parent is not None:
            frame = frame.parent
        return frame.parent is None

    def find(self, name: str) -> Meaning | None:
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            if name in frame.missing:
                return None
            frame = frame.parent
        return None

    def find_outside(self, name: str) -> Meaning | None:
        """The meaning of a name in the blocks around this one: what an assignment here has to agree with."""
        frame = self
        while frame.joined and frame.parent is not None:
            frame = frame.parent
        return None if frame.parent is None else frame.parent.find(name)

    def why_missing(self, name: str) -> Note | None:
        frame: Frame | None = self
        while frame is not None:
            if name in frame.missing:
                return frame.missing[name]
            frame = frame.parent
        return None

    def set(self, name: str, meaning: Meaning) -> None:
        self.missing.pop(name, None)
        self.names[name] = meaning

    def forget(self, name: str, why: Note | None = None) -> None:
        self.names.pop(name, None)
        self.missing[name] = why

    def visible(self) -> list[str]:
        """All names that have a meaning here."""
        names: dict[str, None] = {}
        frame: Frame | None = self
        while frame is not None:
            names.update(dict.fromkeys(frame.names))
            frame = frame.parent
        return [n for n in names if self.find(n) is not None]


Flag = bool | Value


@dataclass(frozen=True)
class Flow:
    """How control leaves a list of statements.

    `exited`: it does not reach the statement behind the list. `proceed`: the loop around goes on (false after `break`
    and `return`). `returned`: the function returns `result`. `dead`: nothing behind is ever reached (`raise`).
    """

    exited: Flag = False
    proceed: Flag = True
    returned: Flag = False
    result: Value | None = None
    dead: bool = False

    @property
    def is_open(self) -> bool:
        """Control certainly goes on."""
        return self.exited is False and not self.dead

    @property
    def is_closed(self) -> bool:
        """Control certainly does not go on."""
        return self.exited is True or self.dead


OPEN = Flow()
DEAD = Flow(dead=True)
