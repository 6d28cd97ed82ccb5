"""How a group of operations is computed, as data: one `Schedule` per group, and those that somebody gave instead of the model's.

In: what `lowering/loops/` decided for each group of a program, by the group's key (`lowering/loops/group_key.py`). Out: the text
of these decisions (TOML, which `torchcc dump --print-schedules` writes), and fields read from such a text, checked for names, types
and ranges; whether they make sense for a group, the lowering says.

    [product-49-512-by-2048-f32-1c9f02ab]
    algorithm = "panels"
    rows = 13
    vectors = 2
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from .diagnostics import CompileError, Diagnostic

Algorithm = Literal["loops", "vectors", "in-place", "panels", "winograd"]
Axis = Literal["rows", "panels"]
Value = int | bool | str | tuple[int, ...]
Fields = Mapping[str, Value]
"""Some fields of a schedule, by name."""

ALGORITHMS: Final[tuple[str, ...]] = get_args(Algorithm)


@dataclass(frozen=True)
class Schedule:
    """Every decision about one group. 0 stands for `all of them` where a size is meant, and for `none` where a distance is."""

    algorithm: Algorithm
    """loops: scalar loops, which LLVM vectorises. vectors: a register tile, both operands as vectors. in-place: a register tile, one
    scalar per row times vectors read where they lie. panels: the same, vectors from packed panels. winograd: 3x3 convolutions."""
    inner: int = 0
    """loops: the dimension of the group that is the innermost loop."""
    written_out: bool = False
    """loops: whether the steps of a short reduction are written out."""
    rows: int = 1
    vectors: int = 1
    """The register tile: rows x vectors of the target's lanes."""
    unroll: int = 1
    """Steps of the reduction in an iteration of the innermost loop."""
    depth: int = 0
    """panels: steps of the reduction that are done for the whole result before the next ones."""
    chunk: int = 0
    """panels: rows that one task works on."""
    axis: Axis = "panels"
    """panels: what threads share out first: rows of the result, each for all panels, or panels."""
    spread: tuple[int, ...] = ()
    """panels of constants: positions of each further dimension, outermost first, that belong to one task; 0: all."""
    prefetch: int = 0
    """panels: steps that the panel is fetched ahead into the first-level cache."""
    next_panel: bool = False
    """panels: whether the panel that follows is fetched into the second-level cache meanwhile."""
    fetch_result: bool = False
    """Register tiles: whether what a tile ends with, its part of the result and what is added to it there, is fetched before it begins."""
    outputs: int = 0
    """winograd: a tile is outputs x outputs elements of the result."""
    tile_rows: int = 0
    tile_columns: int = 0
    """winograd: the tiles of a block, which is what one task works on."""

    @property
    def fields(self) -> dict[str, Value]:
        """What the algorithm looks at, by name."""
        return {name: getattr(self, name) for name in ("algorithm", *FIELDS[self.algorithm])}

    @property
    def layouts(self) -> str:
        """How operands lie, in words: a consequence of the algorithm."""
        return _LAYOUTS[self.algorithm]

    @property
    def text(self) -> str:
        """One line: `panels rows=13 vectors=2 ...`."""
        return " ".join([self.algorithm, *(f"{n}={_plain(v)}" for n, v in self.fields.items() if n != "algorithm")])


FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "loops": ("inner", "written_out"),
    "vectors": ("rows", "vectors", "unroll", "fetch_result"),
    "in-place": ("rows", "vectors", "unroll", "fetch_result"),
    "panels": ("rows", "vectors", "unroll", "depth", "chunk", "axis", "spread", "prefetch", "next_panel", "fetch_result"),
    "winograd": ("outputs", "tile_rows", "tile_columns"),
}
"""What each algorithm looks at."""

_LAYOUTS: Final[Mapping[str, str]] = {
    "loops": "operands as they lie",
    "vectors": "operands as they lie, vectors of each",
    "in-place": "scalars and vectors of operands as they lie",
    "panels": "scalars of one operand as it lies, the other in panels [panel][step][column]",
    "winograd": "tiles [product][tile][channel], filters [product][channel][given]",
}

_LEAST: Final[Mapping[str, int]] = {"rows": 1, "vectors": 1, "unroll": 1, "tile_rows": 1, "tile_columns": 1, "outputs": 2}
_MOST: Final[Mapping[str, int]] = {"rows": 64, "vectors": 16, "unroll": 64, "prefetch": 1024, "outputs": 4}
_UNLIMITED: Final = 1 << 31


@dataclass(frozen=True)
class Decision:
    """What was decided for a group, and who did: `model`, `given` or `tuned`."""

    group: str
    schedule: Schedule
    origin: str
    about: str = ""
    """The group in words."""


@dataclass(eq=False)
class Schedules:
    """Schedules that are to be used instead of the model's, by group, and a record of what was decided.

    What a user gave (`given`) is an error where it makes no sense; what was measured (`tuned`) is left out then.
    """

    given: Mapping[str, Fields] = field(default_factory=dict[str, Fields])
    tuned: Mapping[str, Fields] = field(default_factory=dict[str, Fields])
    decided: dict[str, Decision] = field(default_factory=dict[str, Decision])

    name: str = "schedules"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedules) and self.given == other.given and self.tuned == other.tuned

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it changes

    def of(self, group: str) -> Fields:
        """The fields given for a group; none: the model decides."""
        return self.given.get(group) or self.tuned.get(group) or {}

    def keep(self, group: str, schedule: Schedule, about: str = "") -> None:
        """Records a decision."""
        fields = self.of(group)
        taken = bool(fields) and all(schedule.fields.get(n) == v for n, v in fields.items())
        origin = "model" if not taken else "given" if self.given.get(group) else "tuned"
        self.decided[group] = Decision(group, schedule, origin, about)

    def refuse(self, group: str, name: str, why: str) -> None:
        """Fields that make no sense: CompileError where a user gave them."""
        if self.given.get(group):
            raise wrong(group, name, why)

    def check_used(self) -> None:
        """CompileError for a user's group that the program does not have."""
        unknown = [g for g in self.given if g not in self.decided]
        if not unknown:
            return
        import difflib  # noqa: PLC0415 - this module is loaded by every run, which has no time for it

        near = difflib.get_close_matches(unknown[0], self.decided, 1, 0.0)
        help = f"the nearest that it has is `{near[0]}`" if near else "it has no groups"
        raise CompileError(Diagnostic(f"schedule of group `{unknown[0]}`: the program has no such group for this target", help=help))


def wrong(group: str, name: str, why: str) -> CompileError:
    """That a field of a group's schedule makes no sense."""
    help = "`torchcc dump --print-schedules` shows the groups and what was chosen for them"
    return CompileError(Diagnostic(f"schedule of group `{group}`: `{name}` {why}", help=help))


# text


def print_schedules(decisions: Iterable[Decision], target: str, *, everything: bool = True) -> str:
    """TOML; `everything`: also groups of plain loops."""
    lines = [f"# Schedules for {target}. Leave out what the compiler is to decide by itself; sizes of 0 are all there is."]
    for d in sorted(decisions, key=lambda d: d.group):
        if not everything and d.schedule.algorithm == "loops":
            continue
        origin = "" if d.origin == "model" else f" ({d.origin})"
        lines += ["", *([f"# {d.about}{origin}; {d.schedule.layouts}"] if d.about else []), f"[{d.group}]"]
        lines += [f"{name} = {_toml(value)}" for name, value in d.schedule.fields.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else _plain(value)


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def read_schedules(path: str | Path) -> dict[str, Fields]:
    """`parse_schedules` of a file. CompileError where it cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CompileError(Diagnostic(f"cannot read `{path}`: {getattr(error, 'strerror', None) or error}")) from None
    return parse_schedules(text, str(path))


def parse_schedules(text: str, file: str) -> dict[str, Fields]:
    """What `print_schedules` writes, or parts of it. CompileError, which names group and field, for anything else."""
    import tomllib  # noqa: PLC0415 - as above

    try:
        groups = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CompileError(Diagnostic(f"{file} is not TOML: {error}")) from None
    found: dict[str, Fields] = {}
    for group, entries in groups.items():
        if not isinstance(entries, dict):
            raise CompileError(Diagnostic(f"{file}: `{group}` belongs to no group", help="a group begins with `[its key]`"))
        found[group] = checked(group, cast("dict[str, Any]", entries))
    return found


def checked(group: str, entries: Mapping[str, Any]) -> Fields:
    """Fields of known names, of their types and in their ranges. CompileError for others."""
    types: dict[str, type[Any]] = {f.name: type(getattr(_EXAMPLE, f.name)) for f in dataclasses.fields(Schedule)}
    found: dict[str, Value] = {}
    for name, value in entries.items():
        if name not in types:
            raise wrong(group, name, f"is no field; there are {', '.join(types)}")
        value = tuple(cast("list[Any]", value)) if isinstance(value, list) else value
        if type(value) is not types[name] or (isinstance(value, tuple) and any(type(v) is not int for v in cast("tuple[Any, ...]", value))):
            kind = {int: "a whole number", bool: "true or false", str: "a text", tuple: "a list of whole numbers"}[types[name]]
            raise wrong(group, name, f"is {kind}, not {value!r}")
        for number in cast("tuple[int, ...]", value) if isinstance(value, tuple) else (value,) if type(value) is int else ():
            if not _LEAST.get(name, 0) <= number <= _MOST.get(name, _UNLIMITED):
                raise wrong(group, name, f"is at least {_LEAST.get(name, 0)} and at most {_MOST.get(name, _UNLIMITED)}, not {number}")
        if name == "algorithm" and value not in ALGORITHMS:
            raise wrong(group, name, f"is one of {', '.join(ALGORITHMS)}, not `{value}`")
        if name == "axis" and value not in get_args(Axis):
            raise wrong(group, name, f"is one of {', '.join(get_args(Axis))}, not `{value}`")
        found[name] = value
    algorithm = found.get("algorithm")
    for name in found:
        if algorithm is not None and name not in ("algorithm", *FIELDS[cast(str, algorithm)]):
            raise wrong(group, name, f"is nothing that `{algorithm}` looks at")
    return found


_EXAMPLE: Final = Schedule("loops")


def changed(schedule: Schedule, fields: Fields) -> Schedule:
    """The schedule with these fields in place of its own."""
    return dataclasses.replace(schedule, **cast("dict[str, Any]", dict(fields)))
