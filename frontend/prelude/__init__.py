"""The prelude: operators and functions written in TorchScript, shipped as text, parsed by our own frontend.

The files of `aten/` hold composite operators, those of `functional/` the functions of `torch.nn.functional`. Both are
data, never imported. What stands in them is found by a scan for `def` lines, so that one function costs no parse of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from ...ir.source import SourceFile

Module = Literal["aten", "functional"]

_FOLDER: Final = Path(__file__).parent
_FUNCTION: Final = re.compile(r"^def (\w+)\(.*?(?=^[^\s)]|\Z)", re.MULTILINE | re.DOTALL)
_SEPARATOR: Final = re.compile(r"(?<=.)__(?!_)")
"""Between name and overload: the last two of several underscores (`_index_put_impl_` has one of its own)."""
_UNSPLIT: Final = frozenset(["linalg__powsum"])
"""Names with two underscores and no overload."""
_EACH: Final = re.compile(
    r"(?P<names>(?:^# each: [^\n]*\n)+)(?P<body>.*?)(?=^# each: |^# end of each|\Z)", re.MULTILINE | re.DOTALL
)
_CALL: Final = re.compile(r"(?<![\w.])(\w+)\(")


@dataclass(frozen=True)
class Definition:
    """Where a function stands: in which file, and where in its text."""

    file: str
    """Relative to the prelude's folder: `aten/softmax.py`."""
    place: slice

    @property
    def text(self) -> str:
        return text(self.file)[self.place]


@cache
def files(module: Module) -> tuple[str, ...]:
    """The files whose functions make up the module, relative to the prelude's folder."""
    return tuple(f"{module}/{p.name}" for p in sorted((_FOLDER / module).glob("*.py")) if p.name != "__init__.py")


@cache
def text(file: str) -> str:
    """The file, with what stands below `# each: NAMES` (to the next such line, or `# end of each`) written once for every name."""
    whole = (_FOLDER / file).read_text(encoding="utf-8")
    return _EACH.sub(_each, whole) if "\n# each: " in whole else whole  # the expression is slow over all of the text


def _each(match: re.Match[str]) -> str:
    return "".join(match["body"].replace("EACH", name) for name in match["names"].replace("# each:", "").split())


@cache
def functions(module: Module) -> dict[str, Definition]:
    """Every function of the module by name. All files of a module share one scope, so a name stands once."""
    found: dict[str, Definition] = {}
    for file in files(module):
        for match in _FUNCTION.finditer(text(file)):
            name = match.group(1)
            if name in found:
                raise AssertionError(f"{name} stands in {found[name].file} and in {file}")
            found[name] = Definition(file, slice(match.start(), match.end()))
    return found


def function_name(operator: str) -> str:
    """Name of the function that defines a composite: `softmax__int` for `aten::softmax.int`."""
    return operator.removeprefix("aten::").replace(".", "__", 1)


def operator_name(function: str) -> str:
    """Inverse of `function_name`."""
    if function in _UNSPLIT:
        return f"aten::{function}"
    base, _, overload = _SEPARATOR.sub(".", function, count=1).partition(".")
    return f"aten::{base}" + (f".{overload}" if overload else "")


def is_composite(operator: str) -> bool:
    """Whether `aten::name.Overload` is defined in the prelude."""
    return operator.startswith("aten::") and function_name(operator) in functions("aten")


def composites() -> Iterable[str]:
    """Full names of all composite operators; helpers (a name of no operator starts with `_h_`) are left out."""
    return (operator_name(f) for f in functions("aten") if not f.startswith("_h_"))


@cache
def excerpt(module: Module, name: str) -> tuple[SourceFile, ...]:
    """The function `name` and what it calls: each file that holds some of it, with everything else blanked.

    The lines above a file's first function, its imports, stay; and so do line numbers.
    """
    found = functions(module)
    needed, pending = set[str](), [name]
    while pending:
        current = pending.pop()
        if current not in needed:
            needed.add(current)
            pending += [c for c in _CALL.findall(found[current].text) if c in found and c != current]
    places: dict[str, list[slice]] = {}
    for definition in sorted((found[f] for f in needed), key=lambda d: d.place.start):
        places.setdefault(definition.file, []).append(definition.place)
    return tuple(SourceFile(f"frontend/prelude/{file}", _blanked(file, kept)) for file, kept in sorted(places.items()))


def _blanked(file: str, kept: list[slice]) -> str:
    """The file's text with empty lines for everything between its head and the places that are kept."""
    whole = text(file)
    first = _FUNCTION.search(whole)
    end = first.start() if first is not None else 0
    parts = [whole[:end]]
    for place in kept:
        parts += ["\n" * whole.count("\n", end, place.start), whole[place]]
        end = place.stop
    return "".join(parts)
