"""Reads the declarative `assembly` formats of `definition.py`: one string in, a tuple of elements out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Literal:
    text: str


@dataclass(frozen=True)
class OperandGroup:
    name: str


@dataclass(frozen=True)
class TypeOf:
    """Types of an operand group; of the results for None."""

    name: str | None


@dataclass(frozen=True)
class FunctionalType:
    pass


@dataclass(frozen=True)
class AttrDict:
    pass


@dataclass(frozen=True)
class AttributeOf:
    name: str


@dataclass(frozen=True)
class NextRegion:
    pass


@dataclass(frozen=True)
class Optional:
    """Left out when the operand group `group` is empty."""

    elements: tuple[Element, ...]
    group: str


Element = Literal | OperandGroup | TypeOf | FunctionalType | AttrDict | AttributeOf | NextRegion | Optional


@cache
def parse_assembly(text: str) -> tuple[Element, ...]:
    """Elements of a format. Tokens are separated by spaces; `[? $x ]?` is a bracketed group that may be missing."""
    elements: list[Element] = []
    enclosing: list[list[Element]] = []
    for token in text.split():
        match token:
            case "attr-dict":
                elements.append(AttrDict())
            case "functional-type":
                elements.append(FunctionalType())
            case "region":
                elements.append(NextRegion())
            case "type(results)":
                elements.append(TypeOf(None))
            case "[?" | "(?":
                enclosing.append(elements)
                elements = [Literal(token[0])]
            case "]?" | ")?":
                inner = (*elements, Literal(token[0]))
                elements = enclosing.pop()
                elements.append(Optional(inner, next(e.name for e in inner if isinstance(e, OperandGroup))))
            case _ if token.startswith("type($"):
                elements.append(TypeOf(token[6:-1]))
            case _ if token.startswith("$"):
                elements.append(OperandGroup(token[1:]))
            case _ if token.startswith("#"):
                elements.append(AttributeOf(token[1:]))
            case _:
                elements.append(Literal(token))
    return tuple(elements)
