"""Splits a program's LLVM text into modules that are compiled on their own, several at a time.

In: the definitions that `sharing.py` makes of parallel loops, and what they refer to. Out: which of them stay with the
functions that run them, and modules for the others. A loop of vector code is finished when it comes here, so its module skips
LLVM's mid-end, which would spend more time on it than on all scalar loops together; those have modules of their own.

What moves is called through its address only, and refers to nothing but the run time and constants: constants of the program are
copied, weights are external symbols. Nothing is lost by it: LLVM could not have inlined a function that the pool of threads calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .sharing import NODE, Definition

_ENOUGH: Final = 96 << 10
"""Characters of definitions that make a module: a few make work for all cores, and each costs some milliseconds."""

_LITTLE: Final = 32 << 10
"""Characters that are not worth a module of their own."""

_GLOBAL: Final = re.compile(r'@"[^"]+"|@[\w.$-]+')
_CONSTANT: Final = re.compile(r'(@"[^"]+") = (?:external |internal |private )(?:unnamed_addr )?constant ')
_OUTSIDE: Final = ("@torchcc.", "@torchcc_", "@llvm.")
"""Starts of names that every module declares, or that are LLVM's."""


@dataclass(frozen=True)
class Part:
    """Definitions for a module of their own, with everything they refer to but the run time's declarations."""

    text: str
    is_scalar: bool
    """Whether LLVM's mid-end is to see it."""
    places: tuple[str, ...] = ()
    """Of the source, that its definitions come from."""


@dataclass(frozen=True)
class Partition:
    kept: tuple[str, ...]
    """Definitions, and declarations of those that moved."""
    parts: tuple[Part, ...]


def partition(
    definitions: Sequence[Definition],
    constants: Sequence[str],
    metadata: Sequence[str],
    attributes: str,
    *,
    apart: bool = False,
) -> Partition:
    """`constants`: lines that define or declare globals; `attributes`: the line that defines `#0`.

    `apart`: each definition that can moves, to a module of its own.
    """
    known = _constants(constants)
    movable = [d for d in definitions if not d.passes_on and _is_movable(d, known)]
    if sum(len(d.text) for d in movable) < (1 if apart else _LITTLE):
        return Partition(tuple(d.text for d in definitions), ())
    moved = {d.symbol for d in movable}
    kept = tuple(d.declaration if d.symbol in moved else d.text for d in definitions)
    enough = 1 if apart else _ENOUGH
    groups = [g for scalar in (False, True) for g in _groups([d for d in movable if d.is_scalar == scalar], enough)]
    parts: list[Part] = []
    for group in groups:
        text = _module([d.exported for d in group], known, metadata, attributes)
        parts.append(Part(text, group[0].is_scalar, tuple(p for d in group for p in d.places)))
    return Partition(kept, tuple(parts))


def _constants(lines: Sequence[str]) -> Mapping[str, str]:
    """Lines of constants by symbol; of those that are no single constant nothing is known, so what uses them stays."""
    found: dict[str, str] = {}
    for line in lines:
        match = _CONSTANT.match(line)
        if match is not None and "\n" not in line:
            found[match[1]] = line
    return found


def _is_movable(definition: Definition, known: Mapping[str, str]) -> bool:
    names = set(_GLOBAL.findall(definition.text)) - {definition.symbol}
    return all(n in known or n.startswith(_OUTSIDE) for n in names) and "@torchcc.no_box" not in names


def _groups(definitions: Sequence[Definition], enough: int) -> list[list[Definition]]:
    groups: list[list[Definition]] = []
    room = 0
    for d in definitions:
        if room <= 0:
            groups.append([])
            room = enough
        groups[-1].append(d)
        room -= len(d.text)
    return groups


def _module(definitions: Sequence[str], known: Mapping[str, str], metadata: Sequence[str], attributes: str) -> str:
    text = "\n".join(definitions)
    constants: dict[str, str] = {}
    waiting = [text]
    while waiting:
        for name in _GLOBAL.findall(waiting.pop()):
            if name in known and name not in constants:
                constants[name] = known[name]
                waiting.append(known[name])
    nodes: dict[int, str] = {}
    numbers = [int(n) for n in NODE.findall(text)]
    while numbers:
        number = numbers.pop()
        if number not in nodes:
            nodes[number] = metadata[number]
            numbers += [int(n) for n in NODE.findall(metadata[number])]
    return "\n".join((*constants.values(), "", text, attributes, *(nodes[n] for n in sorted(nodes)), ""))
