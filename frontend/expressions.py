"""Expressions, assignment and operators of the module evaluator."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn

import numpy as np

from ..ir.dtypes import DType
from ..ir.source import Span
from . import ast, module_methods
from .host_tensor import HostTensor
from .machine import fail, is_iterable
from .objects import Objects
from .python_builtins import bounded_int, format_value, power
from .tensor_functions import FUNCTIONS
from .values import (
    MISSING,
    BuiltinRef,
    ClassValue,
    Device,
    EnumMember,
    Frame,
    FunctionValue,
    ModuleInstance,
    ModuleRef,
    ObjectValue,
    Super,
    TypeExpression,
    Unavailable,
    Value,
)

_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
}
_TENSOR_OPERATORS: Final = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_divide",
    "%": "remainder",
    "**": "pow",
    "@": "matmul",
    "&": "bitwise_and",
    "|": "bitwise_or",
    "^": "bitwise_xor",
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
}
_METHODS: Final = {
    "+": "__add__",
    "-": "__sub__",
    "*": "__mul__",
    "/": "__truediv__",
    "//": "__floordiv__",
    "%": "__mod__",
    "**": "__pow__",
    "@": "__matmul__",
    "==": "__eq__",
    "!=": "__ne__",
    "<": "__lt__",
    "<=": "__le__",
    ">": "__gt__",
    ">=": "__ge__",
}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PLAIN = (int, float, complex, str, list, tuple, dict, set, range, type(None))
_OBJECTS = (ObjectValue, ModuleInstance, EnumMember)
_TYPE_CONSTRUCTORS = (BuiltinRef, ClassValue, TypeExpression, type(None))
_MAX_SHIFT = 16_384
_TEXT_DEPTH = 4


class Expressions(Objects):
    """The middle layer of the interpreter."""

    def evaluate(self, expression: ast.Expr, frame: Frame) -> Value:
        self.charge(1, expression.span)
        match expression:
            case ast.Name():
                return self._name(expression, frame)
            case ast.Literal_():
                return expression.value
            case ast.Attribute():
                return self._attribute_expression(expression, frame)
            case ast.Call():
                return self._call_expression(expression, frame)
            case ast.Subscript():
                return self._subscript(expression, frame)
            case ast.BinaryOp():
                left, right = self.evaluate(expression.left, frame), self.evaluate(expression.right, frame)
                return self.binary(expression.op, left, right, expression.span)
            case ast.UnaryOp():
                return self._unary(expression, self.evaluate(expression.operand, frame))
            case ast.BoolOp():
                return self._bool(expression, frame)
            case ast.Compare():
                return self._comparison(expression, frame)
            case ast.IfExp():
                chosen = (
                    expression.body
                    if self.truth(self.evaluate(expression.test, frame), expression.test.span)
                    else expression.orelse
                )
                return self.evaluate(chosen, frame)
            case ast.ListExpr():
                return self._elements(expression.elements, frame)
            case ast.TupleExpr():
                return tuple(self._elements(expression.elements, frame))
            case ast.SetExpr():
                with self.errors_at(expression.span, ""):
                    return set(self._elements(expression.elements, frame))
            case ast.DictExpr():
                return self._dict(expression, frame)
            case ast.ListComp():
                items = [
                    self.evaluate(expression.element, inner)
                    for inner in self._comprehension(
                        expression.generators, 0, Frame(frame.scope, {}, frame, frame.function)
                    )
                ]
                return set(items) if expression.kind == "set" else items
            case ast.DictComp():
                frames = self._comprehension(expression.generators, 0, Frame(frame.scope, {}, frame, frame.function))
                return {
                    self.evaluate(expression.key, inner): self.evaluate(expression.value, inner) for inner in frames
                }
            case ast.FString():
                return self._fstring(expression, frame)
            case ast.FormattedValue():
                return self._formatted(expression, frame)
            case ast.Lambda():
                function = FunctionValue(
                    expression, frame.scope, "<lambda>", None, (), frame if frame.function is not None else None
                )
                function.defaults = self._defaults(expression.params, frame)
                return function
            case ast.EllipsisLiteral():
                return ...
            case ast.Unsupported():
                return fail(expression.span, f"{expression.what} are not supported")
            case _:
                return fail(expression.span, "this expression is not supported here")

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        value = frame.lookup(node.id)
        if value is MISSING:
            fail(node.span, f"`{node.id}` is not defined")
        return self._available(value, node.span)

    def _available(self, value: Value, span: Span) -> Value:
        if isinstance(value, Unavailable):
            fail(span, f"`{value.name}` cannot be used: {value.reason}")
        return value

    def _attribute_expression(self, node: ast.Attribute, frame: Frame) -> Value:
        owner = self.evaluate(node.value, frame)
        value = self.attribute(owner, node.name, node.span)
        if value is MISSING:
            fail(node.name_span, f"{self.text(owner)} has no attribute `{node.name}`")
        return self._available(value, node.span)

    def _elements(self, nodes: list[ast.Expr], frame: Frame) -> list[Value]:
        values: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values += self.iterate(self.evaluate(node.value, frame), node.span)
            else:
                values.append(self.evaluate(node, frame))
        return values

    def _dict(self, node: ast.DictExpr, frame: Frame) -> dict[Value, Value]:
        result: dict[Value, Value] = {}
        for key, value in zip(node.keys, node.values):
            if key is None:
                result.update(self.evaluate(value, frame))
                continue
            with self.errors_at(key.span, ""):
                result[self.evaluate(key, frame)] = self.evaluate(value, frame)
        return result

    def _call_expression(self, node: ast.Call, frame: Frame) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.keywords:
            return self._super_object(node, frame)
        function = self.evaluate(node.func, frame)
        args = self._elements(node.args, frame)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.name is not None:
                keywords[keyword.name] = value
            elif isinstance(value, dict) and all(isinstance(k, str) for k in value):  # pyright: ignore[reportUnknownVariableType]
                keywords.update(value)  # pyright: ignore[reportUnknownArgumentType]
            else:
                fail(keyword.span, "`**` needs a dict with string keys")
        return self.call(function, args, keywords, node.span)

    def _super_object(self, node: ast.Call, frame: Frame) -> Value:
        if len(node.args) == 2:
            after, receiver = (self.evaluate(a, frame) for a in node.args)
        else:
            method: Frame | None = frame
            while method is not None and (method.function is None or method.function.owner is None):
                method = method.parent
            if method is None or method.function is None or not method.function.definition.params:
                fail(node.span, "`super()` needs to be called in a method")
            after = method.function.owner
            receiver = method.lookup(method.function.definition.params[0].name)
        if not isinstance(after, ClassValue) or not isinstance(receiver, ModuleInstance | ObjectValue | ClassValue):
            fail(node.span, "`super()` cannot be resolved here")
        return Super(receiver, after)

    def _fstring(self, node: ast.FString, frame: Frame) -> str:
        parts = [p if isinstance(p, str) else self.text(self.evaluate(p, frame)) for p in node.parts]
        self.charge(sum(map(len, parts)), node.span)
        return "".join(parts)

    def _formatted(self, node: ast.FormattedValue, frame: Frame) -> str:
        value = self.evaluate(node.value, frame)
        if node.conversion is not None:
            value = repr(value) if isinstance(value, str) and node.conversion != "s" else self.text(value)
        spec = "" if node.format is None else self._fstring(node.format, frame)
        with self.errors_at(node.span, ""):
            return format_value(self, node.span, value, spec)

    def _comprehension(self, generators: list[ast.Comprehension], index: int, frame: Frame) -> Iterator[Frame]:
        """The frame with the loop variables set, once for every element."""
        if index == len(generators):
            yield frame
            return
        generator = generators[index]
        for item in self.iterate(self.evaluate(generator.iterable, frame), generator.iterable.span):
            self.assign(generator.target, item, frame)
            if all(self.truth(self.evaluate(c, frame), c.span) for c in generator.conditions):
                yield from self._comprehension(generators, index + 1, frame)

    # operators

    def binary(self, op: str, left: Value, right: Value, span: Span) -> Value:
        if isinstance(left, HostTensor) or isinstance(right, HostTensor):
            return self._tensor_operator(op, left, right, span)
        if isinstance(left, _OBJECTS):
            method = self.attribute(left, _METHODS.get(op, "__or__"), span)
            if method is not MISSING:
                return self.call(method, [right], {}, span)
        if op == "|" and isinstance(left, _TYPE_CONSTRUCTORS):
            return BuiltinRef("typing.Union")
        if not isinstance(left, _PLAIN) or not isinstance(right, _PLAIN):
            self._unsupported_operands(op, left, right, span)
        with self.errors_at(span, ""):
            if op == "*":
                return self._times(left, right, span)
            if op == "**":
                return power(left, right, span)
            if op == "<<":
                if isinstance(right, int) and right > _MAX_SHIFT:
                    fail(span, "the number is too large")
            if op == "%" and isinstance(left, str):
                return self._percent(left, right, span)
            if op not in _ARITHMETIC:
                self._unsupported_operands(op, left, right, span)
            result = _ARITHMETIC[op](left, right)
            if isinstance(result, str | list | tuple):
                self.charge(len(result), span)  # pyright: ignore[reportUnknownArgumentType]
            return bounded_int(result, span)

    def _times(self, left: Any, right: Any, span: Span) -> Any:
        for sequence, count in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and isinstance(count, int):
                self.charge(len(sequence) * max(count, 0), span)  # pyright: ignore[reportUnknownArgumentType]
        return bounded_int(left * right, span)

    def _percent(self, text: str, values: Any, span: Span) -> str:
        args: list[Any] = list(values) if isinstance(values, tuple) else [values]  # pyright: ignore[reportUnknownArgumentType]
        if (
            any(len(digits) > 4 for digits in "".join(c if c.isdigit() or c == "*" else " " for c in text).split())
            or "*" in text
        ):
            fail(span, "the width of the format is too large")
        return text % tuple(a if isinstance(a, int | float | str) else self.text(a) for a in args)

    def _tensor_operator(self, op: str, left: Value, right: Value, span: Span) -> Value:
        if op not in _TENSOR_OPERATORS or not all(
            isinstance(v, HostTensor | int | float | complex) for v in (left, right)
        ):
            self._unsupported_operands(op, left, right, span)
        with self.errors_at(span, f"`{op}`"):
            return FUNCTIONS[_TENSOR_OPERATORS[op]](self, left, right)

    def _unsupported_operands(self, op: str, left: Value, right: Value, span: Span) -> NoReturn:
        fail(span, f"`{op}` cannot be applied to {self.text(left)} and {self.text(right)}")

    def _unary(self, node: ast.UnaryOp, value: Value) -> Value:
        if node.op == "not":
            return not self.truth(value, node.operand.span)
        if isinstance(value, HostTensor):
            name = {"-": "neg", "~": "bitwise_not"}.get(node.op)
            return value if name is None else FUNCTIONS[name](self, value)
        if not isinstance(value, int | float | complex) or isinstance(value, DType):
            fail(node.span, f"`{node.op}` cannot be applied to {self.text(value)}")
        if node.op == "~":
            if not isinstance(value, int):
                fail(node.span, f"`~` cannot be applied to {self.text(value)}")
            return ~value
        return -value if node.op == "-" else +value

    def _bool(self, node: ast.BoolOp, frame: Frame) -> Value:
        value: Value = None
        for operand in node.values:
            value = self.evaluate(operand, frame)
            if self.truth(value, operand.span) is (node.op == "or"):
                break
        return value

    def _comparison(self, node: ast.Compare, frame: Frame) -> Value:
        left = self.evaluate(node.operands[0], frame)
        result: Value = True
        for op, operand in zip(node.ops, node.operands[1:]):
            right = self.evaluate(operand, frame)
            result = self.compare(op, left, right, node.span)
            if len(node.ops) > 1 and not self.truth(result, node.span):
                return result
            left = right
        return result

    def compare(self, op: str, left: Value, right: Value, span: Span | None) -> Value:
        if op in ("is", "is not"):
            same = left is right or (isinstance(left, ModuleRef | BuiltinRef | bool | DType) and left == right)
            return same is (op == "is")
        if op in ("in", "not in"):
            return self._contains(right, left, span) is (op == "in")
        if isinstance(left, HostTensor) or isinstance(right, HostTensor):
            if isinstance(left, HostTensor | int | float) and isinstance(right, HostTensor | int | float):
                with self.errors_at(span, f"`{op}`"):
                    return FUNCTIONS[_TENSOR_OPERATORS[op]](self, left, right)
            return op == "!="
        if isinstance(left, ObjectValue):
            method = self.attribute(left, _METHODS[op], span)
            if method is not MISSING:
                return self.call(method, [right], {}, span)
        with self.errors_at(span, ""):
            if isinstance(left, list | tuple | dict | str) and isinstance(right, list | tuple | dict | str):
                self.charge(min(len(left), len(right)), span)  # pyright: ignore[reportUnknownArgumentType]
            return _COMPARISONS[op](left, right)

    def _contains(self, container: Value, item: Value, span: Span | None) -> bool:
        if isinstance(container, str | dict | set | range):
            with self.errors_at(span, ""):
                return item in container
        method = MISSING if isinstance(container, list | tuple) else self.attribute(container, "__contains__", span)
        if method is not MISSING:
            return self.truth(self.call(method, [item], {}, span), span)
        return any(
            i is item or self.truth(self.compare("==", i, item, span), span) for i in self.iterate(container, span)
        )

    # conversions

    def truth(self, value: Value, span: Span | None) -> bool:
        if isinstance(value, HostTensor):
            if value.array.size != 1:
                fail(span, "the truth of a tensor with more than one element is ambiguous")
            return bool(value.array.reshape(()))
        if isinstance(value, ModuleInstance | ObjectValue):
            for name in ("__bool__", "__len__"):
                method = self.attribute(value, name, span)
                if method is not MISSING:
                    return bool(self.call(method, [], {}, span))
            return True
        return bool(value)

    def iterate(self, value: Value, span: Span | None) -> Iterable[Value]:
        items: Iterable[Value]
        match value:
            case _ if is_iterable(value):
                items = value
            case HostTensor():
                if not value.array.ndim:
                    fail(span, "a 0-dim tensor cannot be iterated")
                items = (HostTensor(np.asarray(row)) for row in value.array)
            case ClassValue() if value.kind == "enum":
                items = [m for n, m in value.members.items() if isinstance(m, EnumMember) and m.name == n]
            case ObjectValue() if value.cls.kind == "named_tuple":
                items = list(value.attributes.values())
            case _:
                method = self.attribute(value, "__iter__", span) if isinstance(value, _OBJECTS) else MISSING
                if method is MISSING:
                    fail(span, f"{self.text(value)} cannot be iterated")
                items = self.iterate(self.call(method, [], {}, span), span)
        for item in items:
            self.charge(1, span)
            yield item

    def text(self, value: Value) -> str:
        return value if isinstance(value, str) else self._text(value, 0)

    def _text(self, value: Value, depth: int) -> str:
        self.charge(1, self.current_span)
        if depth > _TEXT_DEPTH:
            return "..."
        match value:
            case DType():
                return f"torch.{value.name}"
            case HostTensor():
                return f"a tensor of shape {list(value.shape)}"
            case ModuleInstance():
                return f"{value.cls.name}(...)"
            case ObjectValue():
                return f"a `{value.cls.name}`"
            case EnumMember():
                return f"{value.cls.name}.{value.name}"
            case ClassValue():
                return f"the class `{value.name}`"
            case FunctionValue():
                return f"the function `{value.name}`"
            case ModuleRef() | BuiltinRef():
                return f"`{value.name.removeprefix('builtins.')}`"
            case Device():
                return value.name
            case list() | tuple() | set():
                elements: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
                items = [self._text(v, depth + 1) for v in elements]
                opening, closing = "[]" if isinstance(value, list) else "{}" if isinstance(value, set) else "()"
                comma = "," if isinstance(value, tuple) and len(items) == 1 else ""
                return f"{opening}{', '.join(items)}{comma}{closing}"
            case dict():
                pairs: list[Any] = list(value.items())  # pyright: ignore[reportUnknownArgumentType]
                texts = [f"{self._text(k, depth + 1)}: {self._text(v, depth + 1)}" for k, v in pairs]
                return f"{{{', '.join(texts)}}}"
            case str() | int() | float() | complex() | range() | None:
                return repr(value)
            case _:
                return f"a {type(value).__name__.lower()}"

    # subscripts

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        owner = self.evaluate(node.value, frame)
        if isinstance(owner, BuiltinRef | TypeExpression):
            return (
                owner
                if isinstance(owner, BuiltinRef) and owner.name in ("typing.Generic", "typing.Protocol")
                else TypeExpression(node, frame.scope)
            )
        return self._get_item(owner, self._index(node, frame), node.span)

    def _index(self, node: ast.Subscript, frame: Frame) -> Value:
        indices = [self._index_part(i, frame) for i in node.indices]
        return tuple(indices) if node.tuple else indices[0]

    def _index_part(self, node: ast.Expr | ast.Slice, frame: Frame) -> Value:
        if isinstance(node, ast.Slice):
            bounds = [None if b is None else self.evaluate(b, frame) for b in (node.lower, node.upper, node.step)]
            return slice(*bounds)
        return self.evaluate(node, frame)

    def _get_item(self, owner: Value, index: Value, span: Span) -> Value:
        if isinstance(owner, HostTensor):
            with self.errors_at(span, "indexing"):
                return HostTensor(np.asarray(owner.array[_numpy_index(index)]))
        if is_iterable(owner):
            container: Any = owner
            with self.errors_at(span, ""):
                result = container[index]
                if isinstance(index, slice):
                    self.charge(len(result), span)
                return result
        if isinstance(owner, ObjectValue) and owner.cls.kind == "named_tuple":
            with self.errors_at(span, ""):
                return list(owner.attributes.values())[index]
        if isinstance(owner, ClassValue) and owner.kind == "enum" and isinstance(owner.members.get(index), EnumMember):
            return owner.members[index]
        method = self.attribute(owner, "__getitem__", span) if isinstance(owner, _OBJECTS) else MISSING
        if method is MISSING:
            fail(span, f"{self.text(owner)} cannot be indexed")
        return self.call(method, [index], {}, span)

    def _set_item(self, owner: Value, index: Value, value: Value, span: Span) -> None:
        if isinstance(owner, HostTensor):
            with self.errors_at(span, "indexing"):
                owner.array[_numpy_index(index)] = value.array if isinstance(value, HostTensor) else value
            return
        if isinstance(owner, list | dict):
            with self.errors_at(span, ""):
                owner[index] = list(self.iterate(value, span)) if isinstance(index, slice) else value  # pyright: ignore[reportArgumentType, reportCallIssue]
            return
        method = self.attribute(owner, "__setitem__", span) if isinstance(owner, _OBJECTS) else MISSING
        if method is MISSING:
            fail(span, f"an element of {self.text(owner)} cannot be assigned")
        self.call(method, [index, value], {}, span)

    # assignment

    def assign(self, target: ast.Expr, value: Value, frame: Frame) -> None:
        match target:
            case ast.Name():
                frame.names[target.id] = value
            case ast.Attribute():
                self.set_attribute(self.evaluate(target.value, frame), target.name, value, target.span)
            case ast.Subscript():
                self._set_item(self.evaluate(target.value, frame), self._index(target, frame), value, target.span)
            case ast.TupleExpr() | ast.ListExpr():
                self._unpack(target, list(self.iterate(value, target.span)), frame)
            case _:
                fail(target.span, "cannot assign to this")

    def _unpack(self, target: ast.TupleExpr | ast.ListExpr, values: list[Value], frame: Frame) -> None:
        elements = target.elements
        star = next((i for i, e in enumerate(elements) if isinstance(e, ast.Starred)), None)
        wanted = len(elements) - (star is not None)
        if len(values) < wanted or (star is None and len(values) > wanted):
            fail(target.span, f"{len(values)} values cannot be unpacked into {wanted} names")
        if star is not None:
            extra = len(values) - wanted
            values = [*values[:star], values[star : star + extra], *values[star + extra :]]
        for element, value in zip(elements, values):
            self.assign(element.value if isinstance(element, ast.Starred) else element, value, frame)

    def augmented_assign(self, node: ast.AugAssign, frame: Frame) -> None:
        """`+=` extends lists and writes into tensors in place; else it is an operator and an assignment."""
        current = self.evaluate(node.target, frame)
        value = self.evaluate(node.value, frame)
        if isinstance(current, list) and node.op == "+":
            current.extend(self.iterate(value, node.span))  # pyright: ignore[reportUnknownMemberType]
            result: Value = current  # pyright: ignore[reportUnknownVariableType]
        elif (
            isinstance(current, HostTensor)
            and node.op in _TENSOR_OPERATORS
            and isinstance(value, HostTensor | int | float)
        ):
            with self.errors_at(node.span, f"`{node.op}=`"):
                current.array[...] = FUNCTIONS[_TENSOR_OPERATORS[node.op]](self, current, value).array
            result = current
        elif (
            isinstance(current, ModuleInstance)
            and node.op == "+"
            and self.attribute(current, "__iadd__", node.span) is not MISSING
        ):
            result = self.call(self.attribute(current, "__iadd__", node.span), [value], {}, node.span)
        elif isinstance(current, dict) and node.op == "|":
            current.update(value)  # pyright: ignore[reportUnknownMemberType]
            result = current  # pyright: ignore[reportUnknownVariableType]
        else:
            result = self.binary(node.op, current, value, node.span)
        self.assign(node.target, result, frame)

    def delete(self, target: ast.Expr, frame: Frame) -> None:
        match target:
            case ast.Name() if target.id in frame.names:
                del frame.names[target.id]
                return
            case ast.Attribute():
                owner = self.evaluate(target.value, frame)
                if isinstance(owner, ModuleInstance) and module_methods.delete(owner, target.name):
                    return
                if isinstance(owner, ObjectValue) and target.name in owner.attributes:
                    del owner.attributes[target.name]
                    return
            case ast.Subscript():
                owner, index = self.evaluate(target.value, frame), self._index(target, frame)
                if isinstance(owner, list | dict):
                    with self.errors_at(target.span, ""):
                        del owner[index]  # pyright: ignore[reportArgumentType, reportCallIssue]
                    return
                method = self.attribute(owner, "__delitem__", target.span)
                if method is not MISSING:
                    self.call(method, [index], {}, target.span)
                    return
            case _:
                pass
        fail(target.span, "this cannot be deleted")


def _numpy_index(index: Value) -> Any:
    if isinstance(index, HostTensor):
        return index.array
    if isinstance(index, tuple):
        return tuple(_numpy_index(i) for i in index)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(index, slice):
        bounds: list[Any] = [index.start, index.stop, index.step]  # pyright: ignore[reportUnknownMemberType]
        return slice(*(int(b.array) if isinstance(b, HostTensor) else b for b in bounds))
    return index
