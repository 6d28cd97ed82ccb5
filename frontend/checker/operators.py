"""Calls of builtin operators: overload resolution, implicit conversions, defaults, and the nodes that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...ir.attributes import Constant
from ...ir.core import Value
from ...ir.diagnostics import Note
from ...ir.overloads import (
    Conversion,
    Default,
    Failure,
    Given,
    Match,
    Matched,
    Operand,
    OverloadError,
    candidates,
    conversion_to,
    resolve,
)
from ...ir.script_types import (
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    BoolType,
    ClassType,
    DictType,
    FloatType,
    FunctionRefType,
    IntType,
    ListType,
    NumberType,
    OptionalType,
    PoisonType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.source import Span
from ...ir.subtyping import is_subtype, members_of
from ..ast import BinaryOperator, ComparisonOperator
from .meanings import CallArguments
from .script_classes import SPECIAL_METHODS
from .state import Fault, FunctionState, is_poison, script_type

BINARY: Final[dict[BinaryOperator, str]] = {
    "+": "aten::add",
    "-": "aten::sub",
    "*": "aten::mul",
    "/": "aten::div",
    "//": "aten::floordiv",
    "%": "aten::remainder",
    "**": "aten::pow",
    "@": "aten::matmul",
    "&": "aten::__and__",
    "|": "aten::__or__",
    "^": "aten::__xor__",
    "<<": "aten::__lshift__",
    ">>": "aten::__rshift__",
}

COMPARISON: Final[dict[ComparisonOperator, str]] = {
    "==": "aten::eq",
    "!=": "aten::ne",
    "<": "aten::lt",
    "<=": "aten::le",
    ">": "aten::gt",
    ">=": "aten::ge",
    "is": "aten::__is__",
    "is not": "aten::__isnot__",
    "in": "aten::__contains__",
}

_MIRRORED: Final = {
    "aten::add": "aten::add",
    "aten::mul": "aten::mul",
    "aten::eq": "aten::eq",
    "aten::ne": "aten::ne",
    "aten::lt": "aten::gt",
    "aten::le": "aten::ge",
    "aten::gt": "aten::lt",
    "aten::ge": "aten::le",
}
"""number OP tensor is tensor OP' number."""

_NUMBERS: Final = (INT, FLOAT, COMPLEX)
_TRACED_WITH_NUMBERS: Final = frozenset(f"aten::{name}{end}" for name in ("add", "sub", "mul", "div", "true_divide") for end in ("", "_"))


class Operators(FunctionState):
    def call_operator(
        self,
        base: str,
        positional: Sequence[Value],
        keywords: Mapping[str, Value] | None = None,
        *,
        receiver: Value | None = None,
        span: Span,
        shown: str | None = None,
        spans: Sequence[Span] = (),
    ) -> Value:
        """The result of a builtin operator; None as a value for those without one.

        `shown` is the operator's name in messages, `spans` the places of the positional arguments.
        """
        named = dict(keywords or {})
        everything = [*positional, *named.values(), *([receiver] if receiver is not None else [])]
        if any(map(is_poison, everything)):
            return self.poison(span)
        if base in ("aten::sort", "aten::sorted") and everything:
            sorted_ = self._sort_objects(base, [*([receiver] if receiver is not None else []), *positional], named, span)
            if sorted_ is not None:
                return sorted_
        if positional and base in SPECIAL_METHODS and isinstance(positional[0].type, ClassType) and receiver is None:
            return self._special_operator(base, positional, span, shown)
        if receiver is None and self.scope.is_archive and base in _TRACED_WITH_NUMBERS and "rounding_mode" not in named:
            positional = self._as_traced(positional, span)
        if not named:
            operands = [receiver, *positional] if receiver is not None else list(positional)
            special = self._script_builtin(base, operands, span)
            if special is not None:
                return special
        try:
            match = resolve(
                base,
                [self.operand(v) for v in positional],
                {name: self.operand(v) for name, v in named.items()},
                None if receiver is None else self.operand(receiver),
            )
        except OverloadError as error:
            arguments = CallArguments(positional, named, spans)
            raise self._no_variant(
                shown or base.replace("aten::", "torch."), error, arguments, receiver, span
            ) from None
        return self.emit_match(match, positional, named, receiver, span)

    def _as_traced(self, operands: Sequence[Value], span: Span) -> Sequence[Value]:
        """Tracing writes the number of `x * 2.5` as a tensor without dimensions, which decides no dtype when an archive is run."""
        op = operands[1].defining_op("prim::Constant") if len(operands) > 1 else None
        constant = None if op is None else op.attributes.get("value")
        if not isinstance(constant, Constant) or constant.array.shape != () or script_type(operands[0]) != TENSOR:
            return operands
        return [operands[0], self.constant(constant.array.item(), span), *operands[2:]]

    def _sort_objects(
        self, base: str, operands: Sequence[Value], named: Mapping[str, Value], span: Span
    ) -> Value | None:
        """Sorting a list of objects: a loop that calls their `__lt__`."""
        if not operands:
            return None
        list_type = script_type(operands[0])
        type_ = list_type.element if isinstance(list_type, ListType) else None
        if not isinstance(type_, ClassType) or type_.is_module or len(operands) > 2 or named.keys() - {"reverse"}:
            return None
        reverse = [*operands[1:], *named.values()]
        if reverse and base == "aten::sorted":
            raise self.fault(span, "`sorted` of objects takes no `reverse`", help="copy the list, and write `.sort(reverse=True)`")
        subject = operands[0]
        if base == "aten::sorted":
            subject = self.call_operator("aten::list", [subject], span=span)
        compiled = self.unit.function(self.unit.sorting(type_), span)
        flag = reverse[0] if reverse else self.constant(False, span)
        result = self.call_symbol(compiled.symbol, [subject, flag], compiled.result, span)
        return subject if base == "aten::sorted" else result

    def _special_operator(self, base: str, operands: Sequence[Value], span: Span, shown: str | None) -> Value:
        """An operator on an object: a special method of its class."""
        method = SPECIAL_METHODS[base]
        found = self.special(operands[0], method, operands[1:], span)
        if found is None:
            type_ = script_type(operands[0]).annotation
            raise self.fault(span, f"`{shown or base}` is not defined for objects of {type_}", help=f"give the class a `{method}`")
        return found

    def operand(self, value: Value) -> Operand:
        op = value.defining_op("prim::TupleConstruct") if self.empty_lists else None
        elements = () if op is None else tuple(map(self.operand, op.operands))
        if not any(e.empty_list or e.elements for e in elements):
            elements = ()
        return Operand(script_type(value), value in self.empty_lists, elements)

    def emit_match(
        self,
        match: Match,
        positional: Sequence[Value],
        keywords: Mapping[str, Value],
        receiver: Value | None,
        span: Span,
    ) -> Value:
        operands = self.match_operands(match, positional, keywords, receiver, span)
        upgrader = self.unit.upgrader(match.schema.name, self.scope)
        if upgrader is not None:
            compiled = self.unit.function(upgrader, span)
            return self.call_symbol(compiled.symbol, operands, compiled.result, span)
        name = "aten::abs" if match.schema.name == "prim::abs" else match.schema.name  # of a tensor; numbers have overloads
        op = self.emit(name, operands, match.returns, span=span)
        if not op.results:
            return self.constant(None, span)
        if len(op.results) == 1:
            return op.result
        return self.one("prim::TupleConstruct", op.results, TupleType(match.returns), span=span)

    def call_symbol(self, symbol: str, operands: Sequence[Value], result: ScriptType, span: Span) -> Value:
        """A call of a compiled function."""
        reference = self.one("prim::Constant", (), FunctionRefType(symbol), {"name": symbol}, span=span)
        return self.one("prim::CallFunction", [reference, *operands], result, span=span)

    def match_operands(
        self,
        match: Match,
        positional: Sequence[Value],
        keywords: Mapping[str, Value],
        receiver: Value | None,
        span: Span,
    ) -> list[Value]:
        """The operands in the schema's order, converted."""

        def given(argument: Given) -> Value:
            if isinstance(argument.source, int):
                value = positional[argument.source]
            elif argument.source == "self" and receiver is not None:
                value = receiver
            else:
                value = keywords[argument.source]
            return self.convert(argument.conversion, value, span)

        def operand(argument: Matched) -> Value:
            match argument:
                case Given():
                    return given(argument)
                case Default():
                    formal = argument.argument
                    if formal.default is None and isinstance(formal.type, TensorType):
                        raise self.fault(
                            span, f"the default of `{formal.name}` is no tensor", help="annotate it: `Optional[Tensor]`"
                        )
                    has_kind = formal.default is not None and _keeps_type(formal.type)
                    return self.constant(formal.default, span, formal.type if has_kind else None)
                case _:
                    items = [given(item) for item in argument.items]
                    return self.one("prim::ListConstruct", items, argument.type, span=span)

        return [operand(argument) for argument in match.arguments]

    # conversions

    def convert(self, conversion: Conversion, value: Value, span: Span) -> Value:
        match conversion.kind:
            case "as_is":
                return value
            case "call":
                op = value.defining_op("prim::Constant")
                if conversion.operator == "aten::device" and op is not None and "value" in op.attributes:
                    return self.constant(op.attributes["value"], span, DEVICE)
                return self.one(conversion.operator, (value,), conversion.type, span=span)
            case "repeat":
                return self.one("prim::ListConstruct", [value] * conversion.count, conversion.type, span=span)
            case "empty_list":
                return self.one("prim::ListConstruct", (), conversion.type, span=span)
            case "to_list" | "tuple":
                parts = self.unpack_tuple(value, span)
                items = [self.convert(c, p, span) for c, p in zip(conversion.elements, parts, strict=True)]
                name = "prim::ListConstruct" if conversion.kind == "to_list" else "prim::TupleConstruct"
                return self.one(name, items, conversion.type, span=span)

    def unpack_tuple(self, value: Value, span: Span) -> list[Value]:
        op = value.defining_op("prim::TupleConstruct")
        if op is not None and not any(isinstance(v.type, ClassType) and v.type.is_module for v in op.operands):
            return list(op.operands)
        type_ = script_type(value)
        assert isinstance(type_, TupleType)
        return list(self.emit("prim::TupleUnpack", (value,), type_.elements, span=span).results)

    def to_type(self, value: Value, type_: ScriptType, span: Span) -> Value | None:
        """`value` as a `type_` by the implicit conversions of assignments and calls; None where there is none."""
        conversion = conversion_to(type_, self.operand(value))
        if not is_subtype(conversion.type, type_):
            return None
        return self.convert(conversion, value, span)

    def widened(self, value: Value, type_: ScriptType, span: Span) -> Value:
        """The same value under a wider static type, `None` as an `Optional[int]`."""
        if script_type(value) == type_ or isinstance(value.type, PoisonType):
            return value
        op = value.defining_op("prim::Constant")
        if value.type == NONE and op is not None:
            return self.constant(None, span, type_)
        return self.one("prim::unchecked_cast", (value,), type_, span=span)

    def to_bool(self, value: Value, span: Span) -> Value:
        """The truth value, as conditions take it."""
        match script_type(value):
            case BoolType() | PoisonType():
                return value
            case IntType() | FloatType() | TensorType():
                return self.call_operator("aten::Bool", [value], span=span)
            case NumberType():
                as_float = self.call_operator("aten::Float", [value], span=span)
                return self.call_operator("aten::Bool", [as_float], span=span)
            case ListType() | DictType() | StrType():
                length = self.call_operator("aten::len", [value], span=span)
                return self.call_operator("aten::gt", [length, self.constant(0, span)], span=span)
            case OptionalType() as type_:
                raise self.fault(
                    span,
                    f"a value of type {type_.annotation} has no truth value",
                    label=f"this is {type_.annotation}",
                    help="say what is meant: `x is not None`, or the value itself after that check",
                )
            case ClassType() as type_:
                found = self.special(value, "__bool__", (), span)
                if found is None and (length := self.special(value, "__len__", (), span)) is not None:
                    found = self.call_operator("aten::gt", [length, self.constant(0, span)], span=span)
                if found is None:
                    raise self.fault(
                        span,
                        f"an object of {type_.annotation} has no truth value",
                        help="give the class a `__bool__` or a `__len__`",
                    )
                return self.to_bool(found, span)
            case type_:
                raise self.fault(span, f"a value of type {type_.annotation} has no truth value")

    # operators that PyTorch defines in TorchScript itself

    def _script_builtin(self, base: str, operands: Sequence[Value], span: Span) -> Value | None:
        if len(operands) != 2:
            return None
        left, right = operands
        left_type, right_type = script_type(left), script_type(right)
        if left_type in _NUMBERS and isinstance(right_type, TensorType):
            return self._number_and_tensor(base, left, right, span)
        if base == "aten::floordiv" and isinstance(left_type, TensorType) and right_type in (*_NUMBERS, TENSOR):
            return self.call_operator("aten::floor_divide", [left, right], span=span)
        if base == "aten::__contains__" and left_type == STR and right_type == STR:
            length = self.call_operator("aten::len", [left], span=span)
            found = self.call_operator("aten::find", [left, right, self.constant(0, span), length], span=span)
            return self.call_operator("aten::ne", [found, self.constant(-1, span)], span=span)
        return None

    def _number_and_tensor(self, base: str, number: Value, tensor: Value, span: Span) -> Value | None:
        if base in _MIRRORED:
            return self.call_operator(_MIRRORED[base], [tensor, number], span=span)
        if base == "aten::sub":
            negative = self.call_operator("aten::neg", [tensor], span=span)
            return self.call_operator("aten::add", [negative, number], span=span)
        if base == "aten::div":
            reciprocal = self.call_operator("aten::reciprocal", [tensor], span=span)
            return self.call_operator("aten::mul", [reciprocal, number], span=span)
        return None

    # errors

    def _no_variant(
        self,
        shown: str,
        error: OverloadError,
        arguments: CallArguments,
        receiver: Value | None,
        span: Span,
    ) -> Fault:
        positional, keywords, spans = arguments
        actual = [script_type(v) for v in positional]
        found = ", ".join(
            [t.annotation for t in actual] + [f"{n}: {script_type(v).annotation}" for n, v in keywords.items()]
        )
        on = "" if receiver is None else f" on a {script_type(receiver).annotation}"
        likely = _likely(error.failures, actual)
        advice = _advice([*actual, *[script_type(v) for v in keywords.values()]])
        known = {a.name for f in error.failures for a in f.schema.arguments}
        wrong = next((n for n in keywords if n not in known), None)
        if wrong is not None:
            advice = self.did_you_mean(wrong, sorted(known))
        if advice is None and any("expects List[Tensor], found Tensor" in f.reason for f in likely):
            advice = "put the tensors in a list: `[x]`"
        if advice is None and ListType(TENSOR) in (*actual, receiver.type if receiver is not None else None):
            advice = "an empty list is a List[Tensor] unless it is annotated: `x: List[int] = []`"
        where = span
        label = ""
        if len(likely) == 1:
            message = f"arguments for call of `{shown}` are not valid: {likely[0].reason}"
            source = likely[0].source
            if isinstance(source, int) and source < len(spans):
                where, label = spans[source], f"this is {actual[source].annotation}" if source < len(actual) else ""
        else:
            message = f"arguments for call of `{shown}` are not valid: no variant takes ({found}){on}"
        notes = [Note(f"{f.schema}: {f.reason}" if len(likely) > 1 else str(f.schema)) for f in likely[:_SHOWN]]
        if len(likely) > _SHOWN:
            notes.append(Note(f"and {len(likely) - _SHOWN} more"))
        return self.fault(where, message, label=label, help=advice, notes=notes)

    def exists(self, base: str) -> bool:
        return bool(candidates(base))


_SHOWN: Final = 4


def _likely(failures: Sequence[Failure], positional: Sequence[ScriptType]) -> list[Failure]:
    """The candidates that come nearest, best first: without `out=` forms, by how many arguments they would take."""
    plain = [f for f in failures if not any(a.is_written and a.keyword_only for a in f.schema.arguments)] or list(
        failures
    )
    scores = [_score(f, positional) for f in plain]
    best = max(scores)
    return [f for f, s in zip(plain, scores, strict=True) if s == best]


def _score(failure: Failure, positional: Sequence[ScriptType]) -> int:
    """How many of the positional arguments fit by themselves (the content of an Optional counts too)."""
    pairs = zip(failure.schema.arguments, positional, strict=False)
    return sum(any(is_subtype(m, a.type) for m in members_of(t)) for a, t in pairs)


def _advice(types: Sequence[ScriptType]) -> str | None:
    for type_ in types:
        if isinstance(type_, OptionalType):
            return f"an {type_.annotation} may be None: check it with `is not None` first (in a local variable)"
        if isinstance(type_, UnionType):
            return f"a value of type {type_.annotation} can be used once `isinstance` has told which type it is"
        if isinstance(type_, ClassType):
            return None
    return None


def _keeps_type(type_: ScriptType) -> bool:
    """Whether a default needs its declared type: lists and devices do, a number for a Scalar does not."""
    inner = type_.element if isinstance(type_, OptionalType) else type_
    return isinstance(inner, ListType | TupleType) or inner == DEVICE
