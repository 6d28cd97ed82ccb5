"""Conditions: what they say about the types of variables, and which of them are decided at compile time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...ir.core import Value
from ...ir.diagnostics import CompileError
from ...ir.script_types import (
    ANY_LIST,
    ANY_TUPLE,
    BOOL,
    POISON,
    AnyType,
    ClassType,
    EnumMember,
    ListType,
    NoneType,
    NumberType,
    OptionalType,
    PoisonType,
    ScriptType,
    TupleType,
    UnionType,
)
from ...ir.source import Span
from ...ir.subtyping import is_subtype, members_of, union
from .. import ast
from ..values import BuiltinRef
from .branches import Branches
from .meanings import Host
from .operators import COMPARISON
from .state import Fault, script_type

Facts = Mapping[str, ScriptType]


@dataclass(frozen=True)
class Condition:
    """A truth value, the types that variables have where it is true and where it is false, and its value if known."""

    value: Value
    if_true: Facts = field(default_factory=dict[str, ScriptType])
    if_false: Facts = field(default_factory=dict[str, ScriptType])
    static: bool | None = None

    def negated(self, value: Value) -> Condition:
        return Condition(value, self.if_false, self.if_true, None if self.static is None else not self.static)


@dataclass(frozen=True)
class _Class:
    """What isinstance tests for: a type, or any list or tuple."""

    type: ScriptType | None
    kind: type[ScriptType] | None = None

    def covers(self, type_: ScriptType) -> bool:
        if self.kind is not None:
            return isinstance(type_, self.kind) or type_ == self.any_of_kind
        assert self.type is not None
        return is_subtype(type_, self.type)

    @property
    def any_of_kind(self) -> ScriptType:
        return ANY_LIST if self.kind is ListType else ANY_TUPLE


_DECIDED: Final[dict[str, bool]] = {
    "torch.jit.is_scripting": True,
    "torch.jit._script.is_scripting": True,
    "torch._jit_internal.is_scripting": True,
    "torch.jit.is_tracing": False,
    "torch._jit_internal.is_tracing": False,
    "torch.onnx.is_in_onnx_export": False,
    "torch.overrides.has_torch_function": False,
    "torch.overrides.has_torch_function_unary": False,
    "torch.overrides.has_torch_function_variadic": False,
    "torch.compiler.is_compiling": False,
    "torch.compiler.is_dynamo_compiling": False,
    "torch._utils.is_compiling": False,
}
"""Calls whose answer is the same in every TorchScript program."""


class Conditions(Branches):
    def condition(self, node: ast.Expr) -> Condition:
        """A condition with what it says about types; errors in it are reported, and it is poison then."""
        try:
            result = self._condition(node)
        except (Fault, CompileError) as fault:
            self.report(fault)
            result = Condition(self.poison(node.span))
        node.type = BOOL if result.value.type != POISON else POISON
        return result

    def _condition(self, node: ast.Expr) -> Condition:
        match node:
            case ast.UnaryOp(op="not"):
                inner = self.condition(node.operand)
                if inner.static is not None:
                    return inner.negated(self.constant(not inner.static, node.span))
                return inner.negated(self.call_operator("aten::__not__", [inner.value], span=node.span))
            case ast.BoolOp():
                return self.bool_op(node)
            case ast.Compare(ops=[("is" | "is not")]):
                return self._is(node)
            case ast.Compare() if len(node.ops) > 1:
                return self.bool_op(_chain(node))
            case ast.Call():
                decided = self._decided_call(node)
                if decided is not None:
                    return decided
                if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
                    self.meaning(node.func)  # PyTorch looks at what is called before it calls it: the receiver is evaluated twice
            case _:
                pass
        value = self.to_bool(self.value(node), node.span)
        constant = value.defining_op("prim::Constant")
        static = bool(constant.attributes["value"]) if constant is not None and value.type == BOOL else None
        return Condition(value, static=static)

    def refine(self, facts: Facts, span: Span) -> None:
        """Gives variables the types that a condition has told."""
        for name, type_ in facts.items():
            value = self.frame.find(name)
            if isinstance(value, Value) and value.type != type_ and not isinstance(value.type, PoisonType):
                cast = self.one("prim::unchecked_cast", (value,), type_, span=span)
                self.name_value(cast, name)
                self.frame.set(name, cast)

    # and, or

    def bool_op(self, node: ast.BoolOp) -> Condition:
        result = self.condition(node.values[0])
        for right in node.values[1:]:
            result = self._and_or(node.op, result, right)
        return result

    def _and_or(self, op: str, left: Condition, right: ast.Expr) -> Condition:
        is_and = op == "and"
        span = right.span
        if left.static is not None:
            if left.static is not is_and:
                return left
            self.refine(left.if_true if is_and else left.if_false, span)
            return self._combine(is_and, left, self.condition(right), None)
        found: list[Condition] = []

        def evaluated() -> Value:
            self.refine(left.if_true if is_and else left.if_false, span)
            found.append(self.condition(right))
            return found[0].value

        def short_cut() -> Value:
            return self.constant(not is_and, span)

        branches = (evaluated, short_cut) if is_and else (short_cut, evaluated)
        value = self.choose(left.value, *branches, span)
        if value is None:
            return Condition(self.poison(span))
        return self._combine(is_and, left, found[0], value)

    def _combine(self, is_and: bool, left: Condition, right: Condition, value: Value | None) -> Condition:
        """Both hold (and is true, or is false); or one of them does not, and only what both would say is known."""
        if is_and:
            both, either = {**left.if_true, **right.if_true}, _common(left.if_false, right.if_false)
        else:
            either, both = _common(left.if_true, right.if_true), {**left.if_false, **right.if_false}
        static: bool | None = None
        if value is None:
            value, static = right.value, right.static
        elif right.static is (not is_and):
            static = right.static
        return Condition(value, both, either, static) if is_and else Condition(value, either, both, static)

    # is None

    def _is(self, node: ast.Compare) -> Condition:
        left, right = node.operands
        positive = node.ops[0] == "is"
        a, b = self.value(left), self.value(right)
        none_a, none_b = _none_ness(script_type(a)), _none_ness(script_type(b))
        if none_a is not None and none_b is not None and (none_a or none_b):
            static = (none_a == none_b) is positive
            return Condition(self.constant(static, node.span), static=static)
        if a is not b and any(_names_member(v, n) for v, n in ((a, left), (b, right))):
            return Condition(self.constant(not positive, node.span))  # an object of its own, that nothing else is
        value = self.call_operator(COMPARISON[node.ops[0]], [a, b], span=node.span, shown=node.ops[0])
        # What is None keeps its type: it may be set to something else in a block inside the branch.
        is_value: dict[str, ScriptType] = {}
        for name, subject, other in ((left, a, b), (right, b, a)):
            if isinstance(other.type, NoneType) and isinstance(name, ast.Name):
                type_ = script_type(subject)
                if isinstance(type_, OptionalType | UnionType):
                    is_value[name.id] = union(m for m in members_of(type_) if not isinstance(m, NoneType))
        return Condition(value, {}, is_value) if positive else Condition(value, is_value, {})

    # calls that are decided at compile time

    def _decided_call(self, node: ast.Call) -> Condition | None:
        if not isinstance(node.func, ast.Name | ast.Attribute):
            return None
        meaning = self.callee(node.func)
        if not isinstance(meaning, Host) or not isinstance(meaning.value, BuiltinRef):
            return None
        name = meaning.value.name
        if name in ("builtins.isinstance", "torch.jit.isinstance", "torch.jit._isinstance"):
            return self.is_instance(node)
        if name == "builtins.hasattr":
            return self._has_attribute(node)
        if name in _DECIDED and not node.keywords:
            answer = _DECIDED[name]
            return Condition(self.constant(answer, node.span), static=answer)
        return None

    def callee(self, node: ast.Expr) -> object:
        """What a called name means if it is a global one: found out without making code."""
        if isinstance(node, ast.Name):
            return None if self.frame.find(node.id) is not None else Host(self.scope.lookup(node.id))
        if isinstance(node, ast.Attribute):
            base = self.callee(node.value)
            if isinstance(base, Host) and not isinstance(base.value, int | float | str | bool | None):
                return Host(self.unit.attribute(base.value, node.name, node.span))
        return None

    def is_instance(self, node: ast.Call) -> Condition:
        if len(node.args) != 2 or node.keywords:
            raise self.fault(node.span, f"isinstance takes 2 arguments, found {len(node.args) + len(node.keywords)}")
        subject, classes = node.args
        value = self.value(subject)
        tests = self._classes(classes)
        actual = script_type(value)
        if isinstance(actual, PoisonType):
            return Condition(value)
        yes = [m for m in members_of(actual) if any(t.covers(m) for t in tests)]
        no = [m for m in members_of(actual) if not any(t.covers(m) for t in tests)]
        if isinstance(actual, AnyType | NumberType):
            if all(t.covers(actual) for t in tests):
                return Condition(self.constant(True, node.span), static=True)
            known = union([t.any_of_kind if t.type is None else t.type for t in tests])
            facts = {subject.id: known} if isinstance(subject, ast.Name) else {}
            return Condition(self._instance_test(value, tests, node.span), facts)
        if not yes or not no:
            answer = bool(yes)
            return Condition(self.constant(answer, node.span), static=answer)
        test = self._instance_test(value, tests, node.span)
        if not isinstance(subject, ast.Name):
            return Condition(test)
        return Condition(test, {subject.id: union(yes)}, {subject.id: union(no)})

    def _instance_test(self, value: Value, tests: list[_Class], span: Span) -> Value:
        types: list[Any] = [t.type if t.kind is None else ("list" if t.kind is ListType else "tuple") for t in tests]
        return self.one("prim::isinstance", (value,), BOOL, {"types": tuple(types)}, span=span)

    def _classes(self, node: ast.Expr) -> list[_Class]:
        if isinstance(node, ast.TupleExpr):
            return [c for e in node.elements for c in self._classes(e)]
        if isinstance(node, ast.BinaryOp) and node.op == "|":
            return self._classes(node.left) + self._classes(node.right)
        if isinstance(node, ast.Name | ast.Attribute):
            host = self.callee(node)
            name = host.value.name if isinstance(host, Host) and isinstance(host.value, BuiltinRef) else ""
            kind = {
                "builtins.list": ListType,
                "builtins.tuple": TupleType,
            }.get(name)
            if kind is not None:
                return [_Class(None, kind)]
        return [_Class(self.unit.annotations.read(node, self.scope))]

    def _has_attribute(self, node: ast.Call) -> Condition:
        if len(node.args) != 2 or node.keywords:
            raise self.fault(node.span, "hasattr takes 2 arguments")
        subject, name = node.args
        if not isinstance(name, ast.Literal_) or not isinstance(name.value, str):
            raise self.fault(name.span, "the name of an attribute must be a string literal")
        type_ = script_type(self.value(subject))
        if not isinstance(type_, ClassType):
            raise self.fault(subject.span, f"hasattr needs an object, found {type_.annotation}")
        answer = self.has_attribute(type_, name.value)
        return Condition(self.constant(answer, node.span), static=answer)

    def has_attribute(self, type_: ClassType, name: str) -> bool:
        if name in type_.attributes or name in type_.constants or name in type_.methods:
            return True
        return type_.is_module and self.unit.class_info(type_).has(name)


def _chain(node: ast.Compare) -> ast.BoolOp:
    """`a < b < c` as `a < b and b < c`; the middle operand is the same node twice."""
    pairs: list[ast.Expr] = []
    for op, left, right in zip(node.ops, node.operands, node.operands[1:], strict=False):
        pairs.append(ast.Compare(left.span.to(right.span), [op], [left, right]))
    return ast.BoolOp(node.span, "and", pairs)


def _common(a: Facts, b: Facts) -> Facts:
    return {name: type_ for name, type_ in a.items() if b.get(name) == type_}


def _names_member(value: Value, node: ast.Expr) -> bool:
    """Whether the expression itself names a member of an Enum."""
    constant = value.defining_op("prim::Constant")
    is_member = constant is not None and isinstance(constant.attributes.get("value"), EnumMember)
    return is_member and isinstance(node, ast.Attribute)


def _none_ness(type_: ScriptType) -> bool | None:
    """Whether a value of this type is None; None if only the run can tell."""
    if isinstance(type_, NoneType):
        return True
    if isinstance(type_, OptionalType | PoisonType):
        return None
    # of `Any` PyTorch says that it is never None, and compiles `if x is None` accordingly
    if isinstance(type_, UnionType):
        return None if any(isinstance(m, NoneType) for m in type_.members) else False
    return False
