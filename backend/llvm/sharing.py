"""Bodies of parallel loops that differ in nothing but the constants they read become one function.

A network repeats its layers: three quarters of the kernels of a ResNet differ in their weights only. LLVM then compiles
each once. In: the outlined bodies of a module, as text. Out: definitions; of several equal bodies one with the addresses of
its constants as parameters, and for each a function that passes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NODE: Final = re.compile(r"!(\d+)\b")
"""A metadata node's number."""

_PARAMETERS: Final = ("ptr noalias readonly %context", "i64 %begin", "i64 %end")


@dataclass(frozen=True)
class Body:
    """`define internal i32 symbol(ptr context, i64 begin, i64 end)`, without its first and last line."""

    symbol: str
    text: str
    is_scalar: bool = True
    """Whether it has loops that LLVM's mid-end should see; vector code does as well without."""
    place: str = ""
    """Of the source: file and line."""
    like: Body | None = None
    """An earlier body with the same text, but for its constants: nobody needs to compare them."""
    constants: tuple[tuple[str, str], ...] = ()
    """Symbols in the text of `like`, and what stands in their place."""


@dataclass(frozen=True)
class Definition:
    """A function of the module, as text."""

    symbol: str
    parameters: tuple[str, ...]
    """Types, attributes and names."""
    body: str
    is_scalar: bool
    passes_on: bool = False
    """Whether it only calls another one."""
    places: tuple[str, ...] = ()
    """Where the source says what it computes; one for each time that it is called."""

    @property
    def text(self) -> str:
        return f"define internal i32 {self.symbol}({', '.join(self.parameters)}) #0 {{\n{self.body}\n}}\n"

    @property
    def exported(self) -> str:
        """The definition in a module of its own."""
        return self.text.replace("define internal", "define", 1)

    @property
    def declaration(self) -> str:
        """What other modules say of it then."""
        return f"declare i32 {self.symbol}({', '.join(p.rpartition(' %')[0] for p in self.parameters)}) #0\n"


def shared_definitions(
    bodies: Sequence[Body], data: Mapping[str, int], metadata: Sequence[str], prefix: str, alignment: int
) -> list[Definition]:
    """Definitions of all bodies. `data`: bytes of external constants by symbol, without `@`."""
    symbols = re.compile("|".join(f'@"{re.escape(name)}"' for name in sorted(data, key=len, reverse=True)) or r"(?!)")
    groups: dict[str, list[tuple[Body, list[str]]]] = {}
    placed: dict[str, tuple[str, list[str]]] = {}
    for body in bodies:
        if body.like is not None:
            key, found = placed[body.like.symbol]
            own = dict(body.constants)
            groups[key].append((body, [own[s] for s in found]))
            continue
        numbers: dict[str, str] = {}
        text = symbols.sub(lambda m, numbers=numbers: numbers.setdefault(m[0], f"%data{len(numbers)}"), body.text)
        key = _canonical(text, metadata, [data[s[2:-1]] for s in numbers])
        placed[body.symbol] = key, list(numbers)
        groups.setdefault(key, []).append((body, list(numbers)))
    definitions: list[Definition] = []
    for group in groups.values():
        first, constants = group[0]
        if len(group) == 1:
            definitions.append(Definition(first.symbol, _PARAMETERS, first.text, first.is_scalar, places=(first.place,)))
            continue
        numbers = {s: f"%data{i}" for i, s in enumerate(constants)}
        shared = f'@"{prefix}.shared.{len(definitions)}"'
        # What LLVM knows of a constant it is told of the parameter.
        facts = [f"ptr noalias readonly align {alignment} dereferenceable({max(1, data[s[2:-1]])})" for s in constants]
        text = symbols.sub(lambda m, numbers=numbers: numbers[m[0]], first.text)
        more = tuple(f"{f} {n}" for f, n in zip(facts, numbers.values(), strict=True))
        places = tuple(body.place for body, _ in group)
        definitions.append(Definition(shared, (*_PARAMETERS, *more), text, first.is_scalar, places=places))
        for body, own in group:
            given = "".join(f", ptr {s}" for s in own)
            call = f"tail call i32 {shared}(ptr %context, i64 %begin, i64 %end{given}) noinline"
            passing = f"entry:\n  %status = {call}\n  ret i32 %status"
            definitions.append(Definition(body.symbol, _PARAMETERS, passing, is_scalar=False, passes_on=True))
    return definitions


def _canonical(text: str, metadata: Sequence[str], sizes: Sequence[int]) -> str:
    """The body and the metadata that it refers to, nodes numbered in the order they are met in."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"!{numbers.setdefault(match[1], len(numbers))}"

    parts = [NODE.sub(number, text), str(sizes)]
    done = 0
    while done < len(numbers):
        node = list(numbers)[done]
        parts.append(NODE.sub(number, metadata[int(node)]))
        done += 1
    return "\n".join(parts)
