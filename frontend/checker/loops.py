"""Iteration: `prim::Loop` over anything that has a length, unrolled loops over what is known at compile time.

A loop carries the variables that its body sets and that exist before it; a `return` inside adds a flag and the result.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...ir.core import Block, Operation, Region, Value
from ...ir.diagnostics import Note
from ...ir.script_types import (
    BOOL,
    INT,
    TENSOR,
    ClassType,
    DictType,
    ListType,
    OptionalType,
    PoisonType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)
from ...ir.source import Span
from ...ir.subtyping import is_subtype, unify
from .. import ast
from ..values import ClassValue, EnumMember
from .expressions import Expressions
from .frames import OPEN, Flow, Frame
from .meanings import Enumerate, Group, Host, Meaning, ModuleGroup, Range, Zip, describe, is_first_class
from .state import script_type

INT_MAX = (1 << 63) - 1


@dataclass(frozen=True, eq=False)
class Iteration:
    """What a loop runs over: `elements` if they are known at compile time, else `length` and the element of an index.

    PyTorch knows the length of no range, even of literals.
    """

    length: Callable[[], Value]
    element: Callable[[Value], Meaning]
    elements: Sequence[Meaning] | None = None
    unbounded: bool = False
    """The counter of `enumerate`: as long as its partner."""


class Loops(Expressions):
    def iteration(self, iterable: Meaning, span: Span) -> Iteration:
        match iterable:
            case Range():
                return self._range_iteration(iterable, span)
            case Group():
                return _static(iterable.elements)
            case ModuleGroup():
                return _static(self.group_elements(iterable, span))
            case Enumerate():
                return self._enumerate_iteration(iterable, span)
            case Zip():
                return self._zip_iteration([self.iteration(i, span) for i in iterable.iterables], span)
            case Value():
                return self._value_iteration(iterable, span)
            case Host(value=ClassValue(kind="enum") as cls):
                members = [m for n, m in cls.members.items() if isinstance(m, EnumMember) and m.name == n]
                elements = [self.constant(self.unit.enum_member(m), span) for m in members]
                types = [script_type(e) for e in elements]
                listed = self.one("prim::ListConstruct", elements, ListType(types[0]), span=span)
                return self._value_iteration(listed, span)
            case _:
                raise self.fault(span, f"{describe(iterable)} cannot be iterated over")

    def group_elements(self, group: ModuleGroup, span: Span) -> list[Meaning]:
        if group.kind == "keys":
            return [self.constant(n, span) for n in group.names]
        if group.kind == "items":
            pairs = zip(group.names, group.modules, strict=True)
            return [Group((self.constant(n, span), m)) for n, m in pairs]
        return list(group.modules)

    def _range_iteration(self, iterable: Range, span: Span) -> Iteration:
        start, stop, step = iterable.start, iterable.stop, iterable.step
        if start is None:
            return Iteration(lambda: stop, lambda i: i)
        by = step if step is not None else self.constant(1, span)
        return Iteration(
            lambda: self.call_operator("aten::__range_length", [start, stop, by], span=span),
            lambda i: self.call_operator("aten::__derive_index", [i, start, by], span=span),
        )

    def _value_iteration(self, value: Value, span: Span) -> Iteration:
        match script_type(value):
            case DictType():
                value = self.call_operator("aten::keys", [value], span=span)
            case TupleType():
                return _static(self.unpack_tuple(value, span))
            case ClassType() as type_ if self._is_container(value, type_):
                is_dict = self.unit.class_info(type_).instance.container in ("module_dict", "parameter_dict")
                group = self.module_group(value, type_, span, "keys" if is_dict else "values")
                return _static(self.group_elements(group, span))
            case ListType() | StrType() | TensorType():
                pass
            case PoisonType():
                return Iteration(lambda: value, lambda i: value)
            case type_:
                help = None
                if isinstance(type_, OptionalType):
                    help = "the value may be None: check it with `is not None` first (in a local variable)"
                raise self.fault(span, f"'{type_.annotation}' object is not iterable", help=help)
        length = lambda: self.call_operator("aten::len", [value], span=span)  # noqa: E731
        if isinstance(value.type, TensorType):
            zero = self.constant(0, span)
            return Iteration(length, lambda i: self.call_operator("aten::select", [value, zero, i], span=span))
        return Iteration(length, lambda i: self.call_operator("aten::__getitem__", [value, i], span=span))

    def _is_container(self, value: Value, type_: ClassType) -> bool:
        """Whether it is a ModuleList or the like by its name; one that a condition gives is no such thing."""
        if not type_.is_module or (is_first_class(value) and not self.scope.is_archive):
            return False
        return bool(self.unit.class_info(type_).instance.container)

    def _enumerate_iteration(self, iterable: Enumerate, span: Span) -> Iteration:
        start = iterable.start

        def number(i: Value) -> Value:
            return i if start is None else self.call_operator("aten::add", [i, start], span=span)

        counter = Iteration(lambda: self.constant(INT_MAX, span), number, unbounded=True)
        return self._zip_iteration([counter, self.iteration(iterable.iterable, span)], span)

    def _zip_iteration(self, parts: list[Iteration], span: Span) -> Iteration:
        if any(p.elements is not None for p in parts):
            return self._static_zip(parts, span)
        bounded = [p for p in parts if not p.unbounded]

        def length() -> Value:
            lengths = [p.length() for p in bounded]
            if len(lengths) == 1:
                return lengths[0]
            as_list = self.one("prim::ListConstruct", lengths, ListType(INT), span=span)
            return self.call_operator("prim::min", [as_list], span=span)

        return Iteration(length, lambda i: Group(tuple(p.element(i) for p in parts)))

    def _static_zip(self, parts: list[Iteration], span: Span) -> Iteration:
        lengths: list[int] = []
        for part in parts:
            if part.elements is not None:
                lengths.append(len(part.elements))
            elif not part.unbounded:
                raise self.fault(
                    span,
                    "modules and tuples can only be iterated together with something of a "
                    "statically determinable length",
                    label="a part of this has a length known at run time only",
                    help="number the elements by `enumerate`",
                )
        rows: list[Meaning] = []
        for i in range(min(lengths)):
            index = self.constant(i, span)
            row = [p.elements[i] if p.elements is not None else p.element(index) for p in parts]
            rows.append(Group(tuple(row)))
        return _static(rows)

    # loops

    def loop(
        self,
        *,
        trips: Value,
        start: Value,
        carried: Sequence[str],
        body: Callable[[Value], Flow],
        again: Callable[[], Value] | None,
        span: Span,
    ) -> Flow:
        """A `prim::Loop`. `again` is the condition of a `while`, evaluated at the end of each round."""
        outer = self.frame
        variables: list[tuple[str, Value]] = []
        for name in carried:
            found = outer.find(name)
            if isinstance(found, Value):
                variables.append((name, found))
        header, block = Frame(outer), Block()
        index = block.add_argument(INT)
        for name, value in variables:
            header.set(name, block.add_argument(script_type(value), name))
        frame = Frame(header)
        with self.inside(block, frame):
            flow = body(index)
            condition, yielded = self._end_of_round(flow, frame, variables, again, span)
            extra = self._returning(flow, span)
            self.emit("torch.yield", [condition, *yielded, *[e for e, _ in extra]], span=span)
        for value, _ in extra:
            block.add_argument(script_type(value))
        operands = [trips, start, *[v for _, v in variables], *[initial for _, initial in extra]]
        types = [script_type(a) for a in block.args[1:]]
        op = self.emit("prim::Loop", operands, types, regions=[Region([block])], span=span)
        for (name, _), result in zip(variables, op.results, strict=False):
            result.name = name
            outer.set(name, result)
        self._forget_inner(frame, outer, span)
        return self._after(op, len(extra))

    def _end_of_round(
        self,
        flow: Flow,
        frame: Frame,
        variables: Sequence[tuple[str, Value]],
        again: Callable[[], Value] | None,
        span: Span,
    ) -> tuple[Value, list[Value]]:
        values: list[Value] = []
        for name, before in variables:
            found = frame.find(name)
            wanted = script_type(before)
            if not isinstance(found, Value) or not is_subtype(script_type(found), wanted):
                found = self.one("prim::Uninitialized", (), wanted, span=span)
            values.append(found)
        proceed = False if flow.dead else flow.proceed
        if again is None or proceed is False:
            return (self.constant(proceed, span) if isinstance(proceed, bool) else proceed), values
        if proceed is True:
            return again(), values
        condition = self.choose(proceed, again, lambda: self.constant(False, span), span)
        return condition if condition is not None else self.poison(span), values

    def _returning(self, flow: Flow, span: Span) -> list[tuple[Value, Value]]:
        """(value at the end of a round, value before the loop) of the flag and the result of a `return` inside."""
        if flow.dead or flow.returned is False or flow.result is None:
            return []
        flag = self.constant(flow.returned, span) if isinstance(flow.returned, bool) else flow.returned
        return [(flag, self.constant(False, span)), (flow.result, self._nothing(script_type(flow.result), span))]

    def _nothing(self, type_: ScriptType, span: Span) -> Value:
        """A placeholder made at the top of the function, so that it can stand before any loop."""
        op = Operation("prim::Uninitialized", (), (type_,), span=span)
        anchor = self.entry.first
        while anchor is not None and anchor.name == "prim::Constant":
            anchor = anchor.next
        self.entry.insert_before(op, anchor)
        return op.result

    def _after(self, op: Operation, extra: int) -> Flow:
        if not extra:
            return OPEN
        returned, result = op.results[-2:]
        if not self.loop_depth:
            return Flow(returned, True, returned, result)
        proceed = self.one("aten::__not__", (returned,), BOOL, span=op.span)
        return Flow(returned, proceed, returned, result)

    def _forget_inner(self, inner: Frame, outer: Frame, span: Span) -> None:
        for name in inner.names:
            if outer.find(name) is None and outer.why_missing(name) is None:
                outer.forget(name, Note(f"`{name}` is only set inside this loop, which may run zero times", span))

    # comprehensions

    def list_comprehension(self, node: ast.ListComp, hint: ScriptType | None) -> Value:
        if node.kind == "set":
            raise self.fault(node.span, "sets are not supported", help="use a list")
        generator = self._only_generator(node.generators, node.span)
        wanted = hint.element if isinstance(hint, OptionalType) else hint
        expected = wanted.element if isinstance(wanted, ListType) else None
        iteration = self.iteration(self.meaning(generator.iterable), generator.iterable.span)
        if iteration.elements is not None:
            return self._unrolled_comprehension(node, generator, iteration.elements, expected)
        result = self.one("prim::ListConstruct", (), ListType(expected or TENSOR), span=node.span)
        types: list[ScriptType] = []

        def body(index: Value) -> Flow:
            self.assign(generator.target, iteration.element(index), generator.target.span)
            value = self.value(node.element)
            types.append(script_type(value))
            if expected is None:
                result.type = ListType(types[0])
            if isinstance(value.type, PoisonType):
                return OPEN
            self.call_operator("aten::append", [result, value], span=node.element.span)
            return OPEN

        self._comprehension_loop(iteration, body, node.span)
        return result

    def dict_comprehension(self, node: ast.DictComp, hint: ScriptType | None) -> Value:
        generator = self._only_generator(node.generators, node.span)
        iteration = self.iteration(self.meaning(generator.iterable), generator.iterable.span)
        wanted = hint if isinstance(hint, DictType) else None
        result = self.one("prim::DictConstruct", (), wanted or DictType(INT, INT), span=node.span)

        def body(element: Meaning) -> None:
            self.assign(generator.target, element, generator.target.span)
            key, value = self.value(node.key), self.value(node.value)
            if wanted is None:
                self.require_key(script_type(key), node.key.span)
                result.type = DictType(script_type(key), script_type(value))
            self.call_operator("aten::_set_item", [result, key, value], span=node.span)

        if iteration.elements is not None:
            for element in iteration.elements:
                with self.inside(self.b.block, Frame(self.frame)):
                    body(element)
            return result

        def round_(index: Value) -> Flow:
            body(iteration.element(index))
            return OPEN

        self._comprehension_loop(iteration, round_, node.span)
        return result

    def _comprehension_loop(self, iteration: Iteration, body: Callable[[Value], Flow], span: Span) -> None:
        true = self.constant(True, span)
        saved = self.frame
        self.frame = Frame(saved)
        try:
            self.loop(trips=iteration.length(), start=true, carried=(), body=body, again=None, span=span)
        finally:
            self.frame = saved

    def _unrolled_comprehension(
        self, node: ast.ListComp, generator: ast.Comprehension, elements: Sequence[Meaning], expected: ScriptType | None
    ) -> Value:
        values: list[Value] = []
        for element in elements:
            with self.inside(self.b.block, Frame(self.frame)):
                self.assign(generator.target, element, generator.target.span)
                values.append(self.value(node.element, expected))
        type_ = expected
        for value in values:
            if expected is None:
                type_ = script_type(value) if type_ is None else unify(type_, script_type(value))
                if type_ is None:
                    raise self.fault(node.element.span, "the elements of a list comprehension must have one type")
        return self.one("prim::ListConstruct", values, ListType(type_ or TENSOR), span=node.span)

    def _only_generator(self, generators: Sequence[ast.Comprehension], span: Span) -> ast.Comprehension:
        if len(generators) != 1:
            raise self.fault(
                generators[1].target.span,
                "only a single `for` in a comprehension is supported",
                help="write nested loops",
            )
        if generators[0].conditions:
            raise self.fault(
                generators[0].conditions[0].span,
                "an `if` in a comprehension is not supported",
                help="write a loop with `append`",
            )
        return generators[0]

    def list_of(self, iterable: Meaning, span: Span) -> Value:
        iteration = self.iteration(iterable, span)
        if iteration.elements is not None:
            values = [self.as_value(e, span) for e in iteration.elements]
            type_ = script_type(values[0]) if values else TENSOR
            return self.one("prim::ListConstruct", values, ListType(type_), span=span)
        result = self.one("prim::ListConstruct", (), ListType(TENSOR), span=span)

        def body(index: Value) -> Flow:
            value = self.as_value(iteration.element(index), span)
            result.type = ListType(script_type(value))
            self.call_operator("aten::append", [result, value], span=span)
            return OPEN

        self._comprehension_loop(iteration, body, span)
        return result

    # what the layer above does

    @abstractmethod
    def assign(self, target: ast.Expr, meaning: Meaning, span: Span, declared: ScriptType | None = None) -> None:
        """Binds the names of a target to a meaning."""


def _static(elements: Sequence[Meaning]) -> Iteration:
    def never(*_: object) -> Value:
        raise AssertionError("an unrolled loop has no length at run time")

    return Iteration(never, never, elements)
