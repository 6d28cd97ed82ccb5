"""What a place in a random program may name, and what is drawn there: features, types, one of several ways to go on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from programs import (
    BOOL,
    FLOAT,
    INT,
    STR,
    ClassDefinition,
    Function,
    Type,
    dict_of,
    list_of,
    optional_of,
    tensor_of,
    tuple_of,
    union_of,
)

FEATURES = (
    "lists", "nested", "tuples", "records", "enums", "strings", "dicts", "objects", "optionals", "tensors", "views",
    "functions", "raises", "prints", "arguments", "layouts", "protocols", "calls", "unions", "dataclasses",
)  # fmt: skip
"""What can be switched: `arguments` are lists, dicts, strings and optionals given by the caller; `views` writes in place; `layouts` asks for strides;
`protocols` are properties, special methods and contexts of classes, `calls` are those with names, stars and forks."""

RATES = {"prints": 0.3, "raises": 0.5, "functions": 0.5, "layouts": 0.1, "protocols": 0.5, "calls": 0.5, "unions": 0.4}
"""How many of the programs have a feature that is asked for, where that is not 0.7."""

WORDS = ("", "a", "ab", "b,c", "Foo bar", "x1", " y ", "zz-z", "7")
MAX_DEPTH = 3


@dataclass(frozen=True)
class Variable:
    name: str
    type: Type
    is_assignable: bool = True


@dataclass
class Scope:
    """What may be named at a place, and what may be said there."""

    variables: list[Variable]
    sizes: dict[str, str]
    """Extents by symbol: what says them."""
    returns: Type | None
    loop: str = ""
    """'loop' where break may stand, 'unrolled' in a loop over a tuple."""
    depth: int = 0
    loops: int = 0
    can_return: bool = True
    iterates: bool = False
    """Whether a list that may be any is being iterated: none is to become shorter, as PyTorch drops errors that nobody sees."""

    def inner(self, *variables: Variable, loop: str | None = None) -> Scope:
        hidden = {v.name for v in variables}
        known = [v for v in self.variables if v.name not in hidden]
        deeper = self.loops + (loop is not None)
        return Scope(
            [*known, *variables], self.sizes, self.returns, self.loop if loop is None else loop, self.depth + 1, deeper,
            self.can_return, self.iterates,
        )  # fmt: skip


class Choices:
    """What is drawn: features, types, one of several."""

    def __init__(self, seed: int, features: frozenset[str]) -> None:
        self.random = random.Random(seed)
        # each program has some of the features only: otherwise each had a little of everything
        self.features = frozenset(f for f in FEATURES if f in features and self.random.random() < RATES.get(f, 0.7))
        self.count = 0
        self.pure = 0
        """Above 0, expressions have no calls: PyTorch evaluates subscripts of tensors several times."""
        self.functions: list[Function] = []
        self.classes: list[ClassDefinition] = []
        self.records: list[ClassDefinition] = []
        self.enums: list[ClassDefinition] = []

    # choices

    def has(self, *features: str) -> bool:
        return all(f in self.features for f in features)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def choose(self, options: Sequence[Any]) -> Any:
        return options[self.random.randrange(len(options))]

    def weighted(self, options: Sequence[tuple[float, Callable[[], Any]]]) -> Callable[[], Any]:
        return self.random.choices([f for _, f in options], [w for w, _ in options])[0]

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def scalar_type(self) -> Type:
        types = [INT, INT, FLOAT, BOOL]
        if self.has("strings"):
            types += [STR, STR]
        return self.choose(types)

    def key_type(self) -> Type:
        return self.choose([INT, STR, STR] if self.has("strings") else [INT])

    def element_type(self, depth: int = 1) -> Type:
        options = [(4.0, self.scalar_type)]
        if depth and self.has("tuples"):
            options.append((1.0, lambda: self.tuple_type(0)))
        if depth and self.has("nested"):
            options.append((1.5, lambda: list_of(self.element_type(0))))
        if depth and self.has("nested", "dicts"):
            options.append((0.7, lambda: dict_of(self.key_type(), self.element_type(0))))
        if depth and self.has("optionals", "nested"):
            options.append((0.8, lambda: optional_of(self.scalar_type())))
        if depth and self.has("tensors"):
            options.append((1.5, self.tensor_type))
        if depth and self.classes:
            options.append((1.5, lambda: self.choose(self.classes).type))
        if self.records:
            options.append((0.7, lambda: self.choose(self.records).type))
        if self.enums:
            options.append((0.5, lambda: self.choose(self.enums).type))
        return self.weighted(options)()

    def tuple_type(self, depth: int = 1) -> Type:
        return tuple_of(*(self.element_type(depth) for _ in range(self.random.randrange(2, 4))))

    def tensor_type(self) -> Type:
        dtype = self.choose(["float32", "float32", "int64", "int64", "bool"])
        dims = self.choose([("n",), ("n", "m"), ("n", "m"), ("n", "m"), ("m",), ("m",), ("?",), ("?", "m"), (), ("m", "3"), ("n", "m", "2")])
        exact = dtype != "float32" or self.chance(0.8)
        return tensor_of(dtype, *dims, exact=exact)

    def variable_type(self) -> Type:
        options = [(3.0, self.scalar_type)]
        if self.has("lists"):
            options.append((3.0, lambda: list_of(self.element_type())))
        if self.has("dicts"):
            options.append((2.0, lambda: dict_of(self.key_type(), self.element_type())))
        if self.has("tuples"):
            options.append((1.0, self.tuple_type))
        if self.has("tensors"):
            options.append((3.0, self.tensor_type))
        if self.has("optionals"):
            options.append((1.5, self.optional_type))
        if self.has("unions"):
            options.append((1.5, self.union_type))
        if self.classes:
            options.append((2.0, lambda: self.choose(self.classes).type))
        if self.records:
            options.append((1.0, lambda: self.choose(self.records).type))
        if self.enums:
            options.append((0.7, lambda: self.choose(self.enums).type))
        return self.weighted(options)()

    def union_type(self) -> Type:
        members = [INT, FLOAT, BOOL, *([STR] if self.has("strings") else []), *([list_of(INT)] if self.has("lists") else [])]
        return union_of(*self.random.sample(members, self.random.randrange(2, len(members) + 1)))

    def optional_type(self) -> Type:
        inner = self.element_type()
        return inner if inner.kind == "optional" else optional_of(inner)

    def definition(self, type: Type) -> ClassDefinition:
        return next(c for c in [*self.classes, *self.records, *self.enums] if c.type == type)


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value of one type may stand where the other is wanted; a tensor of known extents has open ones too."""
    if given.kind != "tensor" or wanted.kind != "tensor":
        return given == wanted
    if given.name != wanted.name or len(given.dims) != len(wanted.dims) or (wanted.exact and not given.exact):
        return False
    return all(w in ("?", g) for g, w in zip(given.dims, wanted.dims))


def holds_tensors(type: Type) -> bool:
    return type.kind == "tensor" or any(holds_tensors(p) for p in type.parts)


def holds_objects(type: Type) -> bool:
    return type.kind in ("class", "enum") or any(holds_objects(p) for p in type.parts)
