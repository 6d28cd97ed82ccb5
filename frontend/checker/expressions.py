"""Expressions: every kind of syntax node with a value, dispatched to the layers below."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from ...ir.core import Block, Operation, Value
from ...ir.dead_code import has_effect
from ...ir.diagnostics import CompileError
from ...ir.script_types import (
    STR,
    TENSOR,
    ClassType,
    DictType,
    ListType,
    OptionalType,
    PoisonType,
    ScriptType,
    TupleType,
    UnionType,
)
from ...ir.subtyping import is_subtype, unify_all
from .. import ast
from .calls import Calls
from .meanings import Group, Meaning, ModuleGroup, is_first_class
from .operators import BINARY, COMPARISON
from .state import Fault, script_type

_LIMIT = 1 << 63

_MAX_REPEATED = 6
"""Expressions that are evaluated twice, one inside the other."""


class Expressions(Calls):
    def meaning(self, node: ast.Expr, hint: ScriptType | None = None) -> Meaning:
        try:
            result = self._expression(node, hint)
        except (Fault, CompileError) as fault:
            self.report(fault)
            result = self.poison(node.span)
        node.type = script_type(result) if isinstance(result, Value) else None
        return result

    def _expression(self, node: ast.Expr, hint: ScriptType | None) -> Meaning:
        match node:
            case ast.Name():
                return self.name(node)
            case ast.Literal_():
                return self._literal(node)
            case ast.Attribute():
                return self.attribute(node)
            case ast.Subscript():
                return self.subscript(node, hint)
            case ast.Call():
                return self.call(node, hint)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinaryOp():
                return self._binary_chain(node)
            case ast.BoolOp():
                return self.condition(node).value
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp():
                return self._if_expression(node, hint)
            case ast.ListExpr():
                return self._list_display(node, hint)
            case ast.TupleExpr():
                return self._tuple_display(node, hint)
            case ast.DictExpr():
                return self._dict_display(node, hint)
            case ast.FString():
                return self._format(node)
            case ast.ListComp():
                return self.list_comprehension(node, hint)
            case ast.DictComp():
                return self.dict_comprehension(node, hint)
            case _:
                raise self._refuse(node)

    @abstractmethod
    def list_comprehension(self, node: ast.ListComp, hint: ScriptType | None) -> Value:
        """`[value for target in iterable]`: by a loop."""

    @abstractmethod
    def dict_comprehension(self, node: ast.DictComp, hint: ScriptType | None) -> Value:
        """`{key: value for target in iterable}`: by a loop."""

    def _refuse(self, node: ast.Expr) -> Fault:
        match node:
            case ast.EllipsisLiteral():
                return self.fault(node.span, "`...` is only supported inside an index")
            case ast.SetExpr():
                return self.fault(
                    node.span, "sets are not supported", help="use a list, or a Dict with the elements as keys"
                )
            case ast.Lambda():
                return self.fault(
                    node.span, "lambdas are not supported", help="define a function with `def` outside of this one"
                )
            case ast.Starred():
                return self.fault(node.span, "`*` is only supported in calls and in assignments")
            case ast.FormattedValue():
                what = "conversions (`!r`)" if node.conversion else "formats (`:...`)"
                return self.fault(node.span, f"{what} in f-strings are not supported", help="only `{expression}` is")
            case ast.Unsupported():
                if node.name:
                    self.frame.set(node.name, self.poison(node.span))
                return self.fault(node.span, f"{node.what} are not supported")
            case _:
                return self.fault(node.span, "this expression is not supported")

    # literals

    def _literal(self, node: ast.Literal_) -> Value:
        value = node.value
        if isinstance(value, int) and not -_LIMIT <= value < _LIMIT:
            raise self.fault(node.span, "integral constant out of range: it does not fit 64 bits")
        return self.constant(value, node.span)

    def _format(self, node: ast.FString) -> Value:
        template = ""
        values: list[Value] = []
        for part in node.parts:
            if isinstance(part, str):
                template += part
            else:
                template += "{}"
                values.append(self.value(part))
        return self.call_operator("aten::format", [self.constant(template, node.span), *values], span=node.span)

    def _list_display(self, node: ast.ListExpr, hint: ScriptType | None) -> Value:
        wanted = hint.element if isinstance(hint, OptionalType) else hint
        if isinstance(wanted, UnionType):
            lists = [m for m in wanted.members if isinstance(m, ListType)]
            wanted = lists[0] if len(lists) == 1 else None
        expected = wanted.element if isinstance(wanted, ListType) else None
        values: list[Value] = []
        nodes: list[ast.Expr] = []
        for element in node.elements:
            # what stands in a display has its own type, whatever the annotation says: `[]` is a list of tensors there
            found = self.unpack_starred(element) if isinstance(element, ast.Starred) else [self.value(element)]
            values += found
            nodes += [element] * len(found)
        if not values:
            return self.empty_list(wanted, node.span)
        types = [script_type(v) for v in values]
        if any(isinstance(t, PoisonType) for t in types):
            return self.poison(node.span)
        if expected is not None:
            values = self._elements_as(expected, values, nodes)
        element = expected or unify_all(types, or_union=True)
        assert element is not None
        return self.one("prim::ListConstruct", values, ListType(element), span=node.span)

    def _elements_as(self, expected: ScriptType, values: Sequence[Value], nodes: Sequence[ast.Expr]) -> list[Value]:
        found: list[Value] = []
        for value, node in zip(values, nodes, strict=True):
            if not is_subtype(script_type(value), expected):
                actual = script_type(value).annotation
                raise self.fault(
                    node.span,
                    f"the list is annotated with elements of type {expected.annotation}, but this element is {actual}",
                    label=f"this is {actual}",
                )
            found.append(value)
        return found

    def _tuple_display(self, node: ast.TupleExpr, hint: ScriptType | None) -> Meaning:
        wanted = hint.element if isinstance(hint, OptionalType) else hint
        hints: list[ScriptType | None] = [None] * len(node.elements)
        if isinstance(wanted, TupleType) and len(wanted.elements) == len(node.elements):
            hints = list(wanted.elements)
        elements: list[Meaning] = []
        for element, inner in zip(node.elements, hints, strict=True):
            if isinstance(element, ast.Starred):
                elements += self.unpack_starred(element)
            else:
                elements.append(self.meaning(element, inner))
        if any(isinstance(e, ModuleGroup | Group) for e in elements):
            return Group(tuple(elements))
        return self.as_value(Group(tuple(elements)), node.span)

    def _dict_display(self, node: ast.DictExpr, hint: ScriptType | None) -> Value:
        wanted = hint.element if isinstance(hint, OptionalType) else hint
        if isinstance(wanted, UnionType):
            dicts = [m for m in wanted.members if isinstance(m, DictType)]
            wanted = dicts[0] if len(dicts) == 1 else None
        expected = wanted if isinstance(wanted, DictType) else None
        if not node.values:
            return self.one("prim::DictConstruct", (), expected or DictType(STR, TENSOR), span=node.span)
        operands: list[Value] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                raise self.fault(value.span, "dicts cannot be unpacked (`**`) in a dict display")
            operands += [self.value(key), self.value(value)]
        types = [script_type(v) for v in operands]
        if any(isinstance(t, PoisonType) for t in types):
            return self.poison(node.span)
        if expected is not None:
            for value, at, type_ in zip(
                operands, _interleaved(node), [expected.key, expected.value] * len(node.values), strict=True
            ):
                if not is_subtype(script_type(value), type_):
                    raise self.fault(
                        at.span,
                        f"the dict is annotated as {expected.annotation}, but this is {script_type(value).annotation}",
                    )
            return self.one("prim::DictConstruct", operands, expected, span=node.span)
        key_type = unify_all(types[::2])
        value_type = unify_all(types[1::2], or_union=True)
        if key_type is None or value_type is None:
            raise self.fault(node.span, "the keys of a dict must have one type")
        self.require_key(key_type, node.span)
        return self.one("prim::DictConstruct", operands, DictType(key_type, value_type), span=node.span)

    # operators

    def _unary(self, node: ast.UnaryOp) -> Value:
        if node.op == "not":
            return self.condition(node).value
        literal = node.operand.value if isinstance(node.operand, ast.Literal_) else None
        if node.op == "-" and isinstance(literal, int | float | complex) and not isinstance(literal, bool):
            if isinstance(literal, int) and literal > _LIMIT:
                raise self.fault(node.span, "integral constant out of range: it does not fit 64 bits")
            node.operand.type = script_type(self.constant(-literal, node.span))
            return self.constant(-literal, node.span)
        if node.op == "+":
            raise self.fault(node.span, "unary `+` is not supported", help="leave it out")
        base = "aten::neg" if node.op == "-" else "aten::bitwise_not"
        operand = self.value(node.operand)
        return self.call_operator(base, [operand], span=node.span, shown=node.op, spans=[node.operand.span])

    def _binary_chain(self, node: ast.BinaryOp) -> Value:
        """`a + b + c + ...` from the left, in a loop: there may be thousands."""
        chain = [node]
        while isinstance(inner := chain[-1].left, ast.BinaryOp):
            chain.append(inner)
        block, before = self.b.block, self.b.block.last
        left = self.value(chain[-1].left)
        while True:
            part = chain.pop()
            if part.op == "%" and _has_effect_behind(before, block):
                left = self._repeated(part)
            right = self.value(part.right)
            if not chain:
                return self.binary(part.op, left, right, part)
            try:
                left = self.binary(part.op, left, right, part)
            except (Fault, CompileError) as fault:
                self.report(fault)
                left = self.poison(part.span)
            part.type = script_type(left)

    def _repeated(self, node: ast.BinaryOp) -> Value:
        """PyTorch looks whether the left side of `%` is a string, and evaluates it anew then."""
        if self.repeated >= _MAX_REPEATED:
            raise self.fault(node.span, "`%` is nested too deeply: its left side, which has calls, is evaluated twice")
        self.repeated += 1
        try:
            return self.value(node.left)
        finally:
            self.repeated -= 1

    def binary(self, op: ast.BinaryOperator, left: Value, right: Value, node: ast.BinaryOp | ast.AugAssign) -> Value:
        spans = (
            (node.left.span, node.right.span) if isinstance(node, ast.BinaryOp) else (node.target.span, node.value.span)
        )
        a, b = script_type(left), script_type(right)
        if op == "%" and a == STR:
            return self.call_operator("aten::percentFormat", [left, right], span=node.span)
        if op == "+" and isinstance(a, TupleType) and isinstance(b, TupleType):
            items = [*self.unpack_tuple(left, node.span), *self.unpack_tuple(right, node.span)]
            return self.one("prim::TupleConstruct", items, TupleType((*a.elements, *b.elements)), span=node.span)
        return self.call_operator(BINARY[op], [left, right], span=node.span, shown=op, spans=spans)

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) > 1 or node.ops[0] in ("is", "is not"):
            return self.condition(node).value
        op, (left, right) = node.ops[0], node.operands
        if op not in ("in", "not in"):
            values = [self.value(left), self.value(right)]
            return self.call_operator(COMPARISON[op], values, span=node.span, shown=op, spans=[left.span, right.span])
        item, container = self.value(left), self.value(right)
        type_ = script_type(container)
        if isinstance(type_, ClassType) and type_.is_module and self.unit.class_info(type_).instance.container:
            self.require_modules(type_, "`in`", node.span)
            key = left.value if isinstance(left, ast.Literal_) else None
            if not isinstance(key, str):
                raise self.fault(left.span, "whether a module dict has a key must be asked with a string literal")
            return self.constant((key in self.container_names(type_)) is (op == "in"), node.span)
        spans = [right.span, left.span]
        found = self.call_operator("aten::__contains__", [container, item], span=node.span, shown="in", spans=spans)
        return found if op == "in" else self.call_operator("aten::__not__", [found], span=node.span)

    def _if_expression(self, node: ast.IfExp, hint: ScriptType | None) -> Meaning:
        condition = self.condition(node.test)
        if condition.static is not None:
            self_frame = dict(self.frame.names)
            self.refine(condition.if_true if condition.static else condition.if_false, node.span)
            result = self.value(node.body if condition.static else node.orelse, hint)
            self.frame.names = self_frame
            if is_first_class(result) or self.scope.is_archive:
                return result
            return self.one("prim::unchecked_cast", (result,), script_type(result), span=node.span)  # no name of a module any more

        def then() -> Value:
            self.refine(condition.if_true, node.body.span)
            return self.value(node.body, hint)

        def orelse() -> Value:
            self.refine(condition.if_false, node.orelse.span)
            return self.value(node.orelse, hint)

        result = self.choose(condition.value, then, orelse, node.span)
        if result is not None:
            return result
        a, b = (n.type.annotation if n.type else "?" for n in (node.body, node.orelse))
        raise self.fault(
            node.span,
            f"if-expression's true branch has type {a} but false branch has type {b}",
            help="give both branches the same type",
        )


def _has_effect_behind(before: Operation | None, block: Block) -> bool:
    """Whether what stands in the block behind `before` does more than compute."""
    op = block.last
    while op is not None and op is not before:
        if has_effect(op):
            return True
        op = op.prev
    return False


def _interleaved(node: ast.DictExpr) -> list[ast.Expr]:
    return [e for pair in zip(node.keys, node.values, strict=True) for e in pair if e is not None]
