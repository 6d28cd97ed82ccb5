"""Which overload of an operator a call means, and what has to be done to its arguments: PyTorch's own mechanism.

In: the operator's base name and the types of the arguments. Out: a `Match`: the schema, and for each of its arguments
where it comes from (`Given`, `Packed`, `Default`) and how it is converted (`Conversion`), in the schema's order.

The candidates are those of `schemas.tsv` (PyTorch's signatures, shipped as data), in the order of registration. All
are tried without implicit conversions first, then with them; the first that fits is meant. An operator with one schema
only is tried with conversions at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal

from . import quantized
from .schema import Argument, Schema, parse_schema
from .script_types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NUMBER,
    STR,
    TENSOR,
    ListType,
    NoneType,
    OptionalType,
    PoisonType,
    ScriptType,
    TupleType,
)
from .subtyping import bind_variables, is_subtype, substitute


@dataclass(frozen=True)
class Conversion:
    """How a value becomes an operand of type `type`.

    `as_is`; `call` of the unary builtin `operator`; `repeat` `count` times into a list; a tuple unpacked `to_list`, or
    rebuilt of converted `elements` as a `tuple`; an untyped `[]` made again as an `empty_list` of `type`.
    """

    kind: Literal["as_is", "call", "repeat", "to_list", "tuple", "empty_list"]
    type: ScriptType
    operator: str = ""
    count: int = 0
    elements: tuple[Conversion, ...] = ()


@dataclass(frozen=True)
class Given:
    """An argument of the call: its position, or its keyword; `self` of a method call is "self"."""

    source: int | str
    conversion: Conversion


@dataclass(frozen=True)
class Packed:
    """Positional arguments packed into a list: `x.view(2, 3)`."""

    items: tuple[Given, ...]
    type: ListType


@dataclass(frozen=True)
class Default:
    """The schema's default."""

    argument: Argument


Matched = Given | Packed | Default


@dataclass(frozen=True)
class Match:
    schema: Schema
    arguments: tuple[Matched, ...]
    """In the schema's order; varargs follow."""
    returns: tuple[ScriptType, ...]

    @property
    def result(self) -> ScriptType:
        """The one type of the call as an expression: a tuple for several results."""
        return self.returns[0] if len(self.returns) == 1 else TupleType(self.returns)


@dataclass(frozen=True)
class Operand:
    """An argument of a call: its type; `empty_list` marks a literal `[]`, which may still become a list of anything.

    `elements`: those of a tuple that holds such a literal; empty for every other value.
    """

    type: ScriptType
    empty_list: bool = False
    elements: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a candidate does not fit; `source` is the argument to blame (position or keyword), where it is one."""

    schema: Schema
    reason: str
    source: int | str | None = None


class OverloadError(Exception):
    """No candidate fits."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(f"{f.schema}: {f.reason}" for f in failures))


# candidates


@cache
def _signatures() -> dict[str, list[tuple[str, bool]]]:
    """Base name -> signature texts in registration order, each with its Core ATen mark."""
    table: dict[str, list[tuple[str, bool]]] = {}
    lines = resources.files(__package__ or "").joinpath("schemas.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines[1:]:
        text, core = line.split("\t")
        base = text[: text.index("(")].partition(".")[0]
        table.setdefault(base, []).append((text, core == "core"))
    for text in quantized.SIGNATURES:
        table.setdefault(text[: text.index("(")].partition(".")[0], []).append((text, False))
    return table


@cache
def candidates(base: str) -> tuple[Schema, ...]:
    """Schemas of `aten::add`, in registration order; the one of `aten::add.Tensor`; none for an unknown name."""
    group, overload, _ = base.partition(".")
    found = tuple(parse_schema(text) for text, _ in _signatures().get(group, ()))
    return tuple(s for s in found if s.name == base) if overload else found


def names() -> tuple[str, ...]:
    """All base names that have a schema."""
    return tuple(_signatures())


def core_names() -> tuple[str, ...]:
    """Full names of the Core ATen overloads."""
    return tuple(parse_schema(text).name for group in _signatures().values() for text, core in group if core)


def schema_of(name: str) -> Schema | None:
    """The schema of a full name with overload: `aten::add.Tensor`."""
    return next((s for s in candidates(name.partition(".")[0]) if s.name == name), None)


def has_method(base: str, receiver: ScriptType) -> bool:
    """Whether some overload takes a value of this type as its `self`."""
    for schema in candidates(base):
        index = schema.index("self")
        if index is None:
            continue
        bindings: dict[str, ScriptType] = {}
        formal = schema.arguments[index].type
        if bind_variables(formal, receiver, bindings) is None:
            concrete = substitute(formal, bindings)
            if concrete is not None and is_subtype(receiver, concrete):
                return True
    return False


def suggest(base: str, receiver: ScriptType | None = None) -> list[str]:
    """Operator names close to a misspelt one; with `receiver`, only those that it has as methods."""
    namespace, _, word = base.partition("::")
    pool = [n.removeprefix(f"{namespace}::") for n in names() if n.startswith(f"{namespace}::")]
    found = difflib.get_close_matches(word, [n for n in pool if not n.startswith("_")], 6, 0.7)
    usable = [n for n in found if receiver is None or has_method(f"{namespace}::{n}", receiver)]
    return usable[:3]


# matching

_AMBIGUOUS: Final = frozenset({"aten::view.dtype", "aten::max.unary_out", "aten::min.unary_out"})
"""Overloads that TorchScript cannot tell from others of their name (a dtype is an int), and never takes."""


def resolve(
    base: str,
    positional: Sequence[Operand | ScriptType] = (),
    keywords: Mapping[str, Operand | ScriptType] | None = None,
    receiver: Operand | ScriptType | None = None,
) -> Match:
    """The overload that a call means. `receiver` is the `self` of a method call. OverloadError where none fits."""
    return resolve_among(candidates(base), positional, keywords, receiver)


def resolve_among(
    schemas: Sequence[Schema],
    positional: Sequence[Operand | ScriptType] = (),
    keywords: Mapping[str, Operand | ScriptType] | None = None,
    receiver: Operand | ScriptType | None = None,
) -> Match:
    """`resolve` for given candidates: functions of the user have a schema too."""
    args = [_operand(a) for a in positional]
    named = {name: _operand(a) for name, a in (keywords or {}).items()}
    self_ = None if receiver is None else _operand(receiver)
    failures: list[Failure] = []
    for convert in (True,) if len(schemas) == 1 else (False, True):
        failures = []
        for schema in schemas:
            found = _Matcher(schema, args, named, self_, convert).match()
            if isinstance(found, Match):
                return found
            failures.append(found)
    raise OverloadError(failures)


def resolve_operands(base: str, types: Sequence[ScriptType]) -> Schema | None:
    """The overload of a printed node: all arguments are operands, conversions are nodes of their own already."""
    fallback: Schema | None = None
    for schema in candidates(base):
        if schema.name in _AMBIGUOUS:
            continue
        enough = len(types) >= len(schema.arguments) if schema.varargs else len(types) == len(schema.arguments)
        if not enough:
            continue
        fallback = fallback or schema
        bindings: dict[str, ScriptType] = {}
        if all(_fits(a.type, t, bindings) for a, t in zip(schema.arguments, types, strict=False)):
            return schema
    return fallback if len(candidates(base)) == 1 else None


def _fits(formal: ScriptType, actual: ScriptType, bindings: dict[str, ScriptType]) -> bool:
    if bind_variables(formal, actual, bindings) is not None:
        return False
    concrete = substitute(formal, bindings)
    return concrete is not None and is_subtype(actual, concrete)


def _operand(argument: Operand | ScriptType) -> Operand:
    return argument if isinstance(argument, Operand) else Operand(argument)


class _Matcher:
    """One candidate against one call."""

    def __init__(
        self,
        schema: Schema,
        positional: Sequence[Operand],
        keywords: Mapping[str, Operand],
        receiver: Operand | None,
        convert: bool,
    ) -> None:
        self.schema = schema
        self.positional = positional
        self.keywords = keywords
        self.receiver = receiver
        self.convert = convert
        self.bindings: dict[str, ScriptType] = {}
        self.used = 0
        self.used_keywords: set[str] = set()

    def match(self) -> Match | Failure:
        if self.schema.name in _AMBIGUOUS:
            return Failure(self.schema, "this overload cannot be called from TorchScript")
        found: list[Matched] = []
        for index in range(len(self.schema.arguments)):
            matched = self.argument(index)
            if isinstance(matched, Failure):
                return matched
            found.append(matched)
        if self.receiver is not None:
            return Failure(self.schema, "it has no `self` argument, so it is no method", "self")
        if self.schema.varargs:
            rest = range(self.used, len(self.positional))
            found += [Given(i, Conversion("as_is", self.positional[i].type)) for i in rest]
            self.used = len(self.positional)
        left = self.left_over()
        if left is not None:
            return left
        returns = [substitute(r.type, self.bindings) for r in self.schema.returns]
        return Match(self.schema, tuple(found), tuple(r for r in returns if r is not None))

    def left_over(self) -> Failure | None:
        count = len(self.positional)
        if self.used < count:
            plural = "" if self.used == 1 else "s"
            reason = f"expected at most {self.used} positional argument{plural}, found {count}"
            return Failure(self.schema, reason, self.used)
        for name in self.keywords:
            if name not in self.used_keywords:
                known = self.schema.index(name) is not None
                reason = f"argument `{name}` is given twice" if known else f"unknown keyword argument `{name}`"
                return Failure(self.schema, reason, name)
        return None

    def argument(self, index: int) -> Matched | Failure:
        argument = self.schema.arguments[index]
        if argument.name == "self" and self.receiver is not None:
            receiver, self.receiver = self.receiver, None
            return self.given(argument, "self", receiver)
        if not argument.keyword_only and self.used < len(self.positional):
            if self.convert and self.packs(index) and not self.is_list(argument):
                return self.packed(argument)
            self.used += 1
            return self.given(argument, self.used - 1, self.positional[self.used - 1])
        name = self.keyword(argument.name)
        if name is not None:
            self.used_keywords.add(name)
            return self.given(argument, name, self.keywords[name])
        if argument.has_default:
            return Default(argument)
        return Failure(self.schema, f"argument `{argument.name}` is missing")

    def keyword(self, name: str) -> str | None:
        if name in self.keywords:
            return name
        # torch.relu(input=x): Python's name of the first argument of functions
        is_input = name == "self" and self.schema.namespace == "aten" and "input" in self.keywords
        return "input" if is_input else None

    # several positional arguments as one list

    def packs(self, index: int) -> bool:
        """The list must be the last positional argument, not of fixed length (an int is one already), not of `t`."""
        arguments = self.schema.arguments
        argument = arguments[index]
        is_last = index + 1 == len(arguments) or arguments[index + 1].keyword_only
        is_list = isinstance(argument.type, ListType) and substitute(argument.type, {}) is not None
        return is_last and is_list and argument.size is None

    def is_list(self, argument: Argument) -> bool:
        actual = self.positional[self.used].type
        return isinstance(actual, ListType) or _is_list_like(actual, argument.type)

    def packed(self, argument: Argument) -> Packed | Failure:
        assert isinstance(argument.type, ListType)
        element = Argument(argument.name, argument.type.element, argument.kind)
        items: list[Given] = []
        for i in range(self.used, len(self.positional)):
            item = self.given(element, i, self.positional[i])
            if isinstance(item, Failure):
                return item
            items.append(item)
        self.used = len(self.positional)
        return Packed(tuple(items), argument.type)

    # one argument

    def given(self, argument: Argument, source: int | str, operand: Operand) -> Given | Failure:
        if isinstance(operand.type, PoisonType):
            return Given(source, Conversion("as_is", operand.type))
        if _repeats(operand.type, argument):
            count = argument.size or 1
            return Given(source, Conversion("repeat", ListType(operand.type), count=count))
        why = bind_variables(argument.type, operand.type, self.bindings)
        if why is not None:
            return Failure(self.schema, f"argument `{argument.name}`: {why}", source)
        formal = substitute(argument.type, self.bindings)
        if formal is None:
            reason = (
                f"argument `{argument.name}`: the type {argument.type} does not follow from {operand.type.annotation}"
            )
            return Failure(self.schema, reason, source)
        conversion = conversion_to(formal, operand, self.convert)
        if is_subtype(conversion.type, formal):
            return Given(source, conversion)
        reason = f"argument `{argument.name}` expects {formal.annotation}, found {operand.type.annotation}"
        return Failure(self.schema, reason, source)


def _repeats(actual: ScriptType, argument: Argument) -> bool:
    """`int[2]` and `float[2]` take one number."""
    formal = argument.type.element if isinstance(argument.type, OptionalType) else argument.type
    if argument.size is None or not isinstance(formal, ListType) or actual not in (INT, FLOAT):
        return False
    return formal.element == actual


def _is_list_like(actual: ScriptType, formal: ScriptType) -> bool:
    """Whether a value converts to the list type: it is one, or a tuple of its elements."""
    if isinstance(formal, OptionalType):
        formal = formal.element
    if not isinstance(formal, ListType):
        return False
    if isinstance(actual, TupleType):
        return all(is_subtype(e, formal.element) for e in actual.elements)
    return is_subtype(actual, formal)


_IMPLICIT: Final[dict[ScriptType, dict[ScriptType, tuple[str, ScriptType]]]] = {
    TENSOR: {
        FLOAT: ("aten::FloatImplicit", FLOAT),
        COMPLEX: ("aten::ComplexImplicit", COMPLEX),
        INT: ("aten::IntImplicit", INT),
        NUMBER: ("aten::ScalarImplicit", NUMBER),
    },
    NUMBER: {
        FLOAT: ("aten::Float.Scalar", FLOAT),
        COMPLEX: ("aten::Complex.Scalar", COMPLEX),
        INT: ("aten::Int.Scalar", INT),
    },
    BOOL: {
        FLOAT: ("aten::Float.bool", FLOAT),
        INT: ("aten::Int.bool", INT),
        NUMBER: ("aten::Int.bool", INT),
    },
    STR: {DEVICE: ("aten::device", DEVICE)},
}
"""Actual type -> expected type -> the operator that converts, and its result."""


def conversion_to(formal: ScriptType, operand: Operand, convert: bool = True) -> Conversion:
    """How `operand` becomes a `formal`, as far as it can: the result's type still has to be checked.

    Tuples become lists and `[]` any list always; numbers are converted only if `convert`.
    """
    actual = operand.type
    if isinstance(formal, OptionalType) and not isinstance(actual, OptionalType | NoneType):
        return conversion_to(formal.element, operand, convert)
    if operand.empty_list and isinstance(formal, ListType):
        return Conversion("empty_list", formal)
    if isinstance(actual, TupleType):
        if isinstance(formal, ListType) and _is_list_like(actual, formal):
            return Conversion("to_list", formal, elements=tuple(Conversion("as_is", e) for e in actual.elements))
        if (
            isinstance(formal, TupleType)
            and len(formal.elements) == len(actual.elements)
            and not is_subtype(actual, formal)
        ):
            pairs = zip(formal.elements, operand.elements or map(Operand, actual.elements), strict=True)
            elements = tuple(conversion_to(f, a, convert) for f, a in pairs)
            return Conversion("tuple", TupleType(tuple(e.type for e in elements)), elements=elements)
    if convert:
        source = TENSOR if is_subtype(actual, TENSOR) and not isinstance(actual, PoisonType) else actual
        operator = _IMPLICIT.get(source, {}).get(formal)
        if operator is not None:
            return Conversion("call", operator[1], operator[0])
    return Conversion("as_is", actual)
