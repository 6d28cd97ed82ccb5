"""Statements, and the flow of control between them.

`break`, `continue` and an early `return` leave no trace of their own in the code: what follows an `if` whose one branch
has left goes on inside the other branch, and where only the run can tell, flags guard it. So

    if c: return a          %r = prim::If(%c)
    b = f(a)                  block0(): -> (%a)
    return b                  block1(): %b = f(%a); -> (%b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ...ir import autocast
from ...ir.core import Value
from ...ir.diagnostics import CompileError, Note
from ...ir.dialects.torch import CONTEXT
from ...ir.script_types import (
    FLOAT,
    INT,
    STR,
    ClassType,
    DictType,
    ListType,
    OptionalType,
    PoisonType,
    ScriptType,
    TensorType,
    TupleType,
)
from ...ir.source import Span
from ...ir.subtyping import unify
from .. import ast
from ..values import BuiltinRef, ClassValue
from .branches import Side
from .calls import is_exception_name, unmangled
from .conditions import Condition
from .frames import DEAD, OPEN, Flow, Frame
from .loops import INT_MAX, Iteration, Loops
from .meanings import Awaitable, ExceptionObject, Forked, Group, Host, Meaning, ModuleGroup, describe, is_first_class
from .names import assigned_names, loop_exit, target_names
from .operators import BINARY
from .state import Fault, is_poison, plural, script_type

Item = ast.Stmt | Callable[[], Flow]

_IN_PLACE_METHODS: Final[dict[ast.BinaryOperator, str]] = {
    "+": "__iadd__", "-": "__isub__", "*": "__imul__", "/": "__itruediv__", "%": "__imod__", "**": "__ipow__",
    "&": "__iand__", "|": "__ior__", "^": "__ixor__", "<<": "__ilshift__", ">>": "__irshift__",
}  # fmt: skip
"""Special methods of classes; those that have none use that of the operator."""

_IN_PLACE: Final[dict[ast.BinaryOperator, str]] = {
    "+": "aten::add_",
    "-": "aten::sub_",
    "*": "aten::mul_",
    "/": "aten::div_",
    "%": "aten::fmod_",
    "<<": "aten::__ilshift__",
    ">>": "aten::__irshift__",
    "|": "aten::bitwise_or",
    "&": "aten::bitwise_and",
    "^": "aten::bitwise_xor",
    "**": "aten::pow",
}
"""Augmented assignment to a tensor; the last four rebind the name, as PyTorch does."""

_IGNORED_CONTEXTS: Final = frozenset(
    {
        "torch.no_grad",
        "torch.autograd.no_grad",
        "torch.autograd.profiler.record_function",
        "torch.profiler.record_function",
        "torch.autograd.grad_mode.no_grad",
    }
)
"""Contexts that change nothing in a program that computes no gradients."""

_GRADIENT_MODES: Final = frozenset(
    f"__torch__.torch.autograd.{name}"
    for name in ("grad_mode.no_grad", "grad_mode.enable_grad", "grad_mode.inference_mode", "profiler.record_function")
)


class Statements(Loops):
    declared_return: ScriptType | None = None
    return_type: ScriptType | None = None
    """The types returned so far, unified."""
    without_gradients: tuple[int, ...] = ()
    """Where bodies of `with torch.no_grad()` start and end in the file: nothing here computes gradients, but PyTorch may."""
    forking: tuple[ast.FunctionDef, ...] = ()
    """Forked functions whose statements are being compiled."""
    contexts: list[tuple[Value, ast.WithItem]]
    """Objects whose `__exit__` is still to be called, the outermost first."""
    has_unknown_flow: bool = False
    """A statement was refused that may have returned."""

    def run(self, items: Sequence[Item]) -> Flow:
        """Code for a list of statements; what stands behind one that always leaves is not compiled."""
        pending = list(items)
        while pending:
            item = pending.pop(0)
            if isinstance(item, ast.If):
                expanded, flow = self._if(item, pending)
                pending = expanded
            elif isinstance(item, ast.For):
                pending, flow = self._expand(item, pending)
            else:
                flow = self._simple(item)
            if flow.is_closed:
                return flow
            if not flow.is_open:
                return self._guard(flow, pending) if pending else flow
        return OPEN

    def _guard(self, flow: Flow, rest: Sequence[Item]) -> Flow:
        """The rest of a list behind something that may have left already."""
        assert isinstance(flow.exited, Value)
        span = self.b.span or _first_span(rest)
        assert span is not None
        left, stayed = self.side("path that has left"), self.side("path that goes on")
        left.flow = Flow(True, flow.proceed, flow.returned if self.loop_depth else True, flow.result)
        stayed.frame.joined = True
        self.run_side(stayed, lambda: self.run(rest))
        return self.join(flow.exited, left, stayed, span)

    def _give_up(self, fault: Fault | CompileError, statement: Item) -> None:
        """Reports, and gives the names that the statement should have set a poisoned value."""
        self.report(fault)
        if not isinstance(statement, ast.Stmt):
            return
        for name in assigned_names([statement]):
            self.frame.set(name, self.poison(statement.span))

    def _simple(self, statement: Item) -> Flow:
        try:
            return self._statement(statement) if isinstance(statement, ast.Stmt) else statement()
        except (Fault, CompileError) as fault:
            self._give_up(fault, statement)
            if isinstance(statement, ast.Return):
                return Flow(True, not self.loop_depth, True, self.poison(statement.span))
            if isinstance(statement, ast.UnsupportedStmt):
                # it may hold the `return` that is missed at the end
                self.has_unknown_flow = True
            return DEAD if isinstance(statement, ast.Raise) else OPEN

    def _statement(self, statement: ast.Stmt) -> Flow:
        match statement:
            case ast.ExprStmt():
                asserted = self._asserted(statement)
                if asserted is not None:
                    return self._assert(asserted)
                if not isinstance(statement.value, ast.Literal_):
                    self.meaning(statement.value)
            case ast.Assign():
                self._assign(statement)
            case ast.AnnAssign():
                self._annotated(statement)
            case ast.AugAssign():
                self._augmented(statement)
            case ast.Return():
                return self._return(statement)
            case ast.While():
                return self._while(statement)
            case ast.With():
                return self._with(statement)
            case ast.Break() | ast.Continue():
                if not self.loop_depth:
                    word = "break" if isinstance(statement, ast.Break) else "continue"
                    raise self.fault(statement.span, f"`{word}` outside of a loop")
                return Flow(exited=True, proceed=isinstance(statement, ast.Continue))
            case ast.Pass():
                pass
            case ast.Assert():
                return self._assert(statement)
            case ast.Raise():
                return self._raise(statement)
            case ast.Delete():
                self._delete(statement)
            case ast.FunctionDef() if is_forked(statement):
                self.frame.set(statement.name, Forked(statement))
            case _:
                raise self._refuse_statement(statement)
        return OPEN

    def _refuse_statement(self, statement: ast.Stmt) -> Fault:
        match statement:
            case ast.UnsupportedStmt():
                return self.fault(statement.span, f"{statement.what} are not supported")
            case ast.Import():
                return self.fault(
                    statement.span,
                    "import statements inside functions are not supported",
                    help="import at the top of the file",
                )
            case ast.FunctionDef():
                return self.fault(
                    statement.name_span,
                    "nested functions are not supported",
                    help="define the function outside of this one",
                )
            case ast.ClassDef():
                return self.fault(statement.name_span, "classes inside functions are not supported")
            case _:
                return self.fault(statement.span, "this statement is not supported")

    # if

    def _if(self, node: ast.If, rest: Sequence[Item]) -> tuple[list[Item], Flow]:
        """(statements still to do, flow so far)."""
        condition = self.condition(node.test)
        if condition.static is not None:
            facts = condition.if_true if condition.static else condition.if_false

            def refine() -> Flow:
                self.refine(facts, node.test.span)
                return OPEN

            return [refine, *(node.body if condition.static else node.orelse), *rest], OPEN
        return self.branch(condition, node.body, node.orelse, rest, node.test.span)

    def branch(
        self, condition: Condition, body: Sequence[Item], orelse: Sequence[Item], rest: Sequence[Item], span: Span
    ) -> tuple[list[Item], Flow]:
        then, other = self.side("true branch"), self.side("false branch")

        def then_body() -> Flow:
            self.refine(condition.if_true, span)
            return self.run(body)

        def else_body() -> Flow:
            self.refine(condition.if_false, span)
            return self.run(orelse)

        self.run_side(then, then_body)
        self.run_side(other, else_body)
        for left, stays in ((then, other), (other, then)):
            if rest and left.flow.exited is True and not left.flow.dead and stays.goes_on:
                stays.frame.joined = True
                self._forget_what_is_no_value(stays, span)
                if left.flow.returned is not True:
                    self.agree(left, stays, span)
                self.run_side(stays, lambda: self.run(rest))
                return [], self.join(condition.value, then, other, span)
        return list(rest), self.join(condition.value, then, other, span)

    def _forget_what_is_no_value(self, stays: Side, span: Span) -> None:
        """Modules and functions that a branch has named are not known behind it, as in PyTorch."""
        for name, meaning in list(stays.frame.names.items()):
            stays_known = isinstance(meaning, Awaitable) or is_first_class(meaning) or self.scope.is_archive
            if not stays_known and self.frame.find(name) is not meaning:
                stays.frame.forget(name, Note(f"`{name}` is {describe(meaning)}, which no branch hands on", span))

    # loops

    def _expand(self, node: ast.For, rest: list[Item]) -> tuple[list[Item], Flow]:
        """(statements still to do, flow so far); unrolled loops become part of the list."""
        try:
            return self._expanded(node, rest)
        except (Fault, CompileError) as fault:
            self._give_up(fault, node)
            return rest, OPEN

    def _expanded(self, node: ast.For, rest: list[Item]) -> tuple[list[Item], Flow]:
        if node.orelse:
            raise self.fault(node.orelse[0].span, "else branches of for loops are not supported")
        iteration = self.iteration(self.meaning(node.iterable), node.iterable.span)
        if iteration.elements is None:
            return rest, self._for(node, iteration)
        leaves = loop_exit(node.body)
        if leaves is not None:
            word = "break" if isinstance(leaves, ast.Break) else "continue"
            raise self.fault(
                leaves.span,
                f"`{word}` is not supported in a loop over modules or a tuple",
                label="the loop is unrolled",
                help="put what follows into an `if` instead",
            )
        items: list[Item] = []
        for element in iteration.elements:

            def assign(element: Meaning = element) -> Flow:
                self.assign(node.target, element, node.target.span)
                return OPEN

            items += [assign, *node.body]
        return [*items, *rest], OPEN

    def _for(self, node: ast.For, iteration: Iteration) -> Flow:
        def body(index: Value) -> Flow:
            element = iteration.element(index)
            if isinstance(node.target, ast.Name) and element is index:
                index.name = node.target.id if node.target.id != "_" else None
            self.assign(node.target, element, node.target.span)
            return self._in_loop(node.body)

        carried = list(dict.fromkeys([*target_names(node.target), *assigned_names(node.body)]))
        return self.loop(
            trips=iteration.length(),
            start=self.constant(True, node.span),
            carried=carried,
            body=body,
            again=None,
            span=node.iterable.span,
        )

    def _in_loop(self, body: Sequence[ast.Stmt]) -> Flow:
        self.loop_depth += 1
        try:
            return self.run(body)
        finally:
            self.loop_depth -= 1

    def _while(self, node: ast.While) -> Flow:
        if node.orelse:
            raise self.fault(node.orelse[0].span, "else branches of while loops are not supported")

        always = isinstance(node.test, ast.Literal_) and node.test.value is True

        def condition() -> Value:
            return self.condition(node.test).value

        flow = self.loop(
            trips=self.constant(INT_MAX, node.span),
            start=condition(),
            carried=assigned_names(node.body),
            body=lambda index: self._in_loop(node.body),
            again=None if always else condition,
            span=node.test.span,
        )
        endless = always and not _has_break(node.body)
        if endless and isinstance(flow.returned, Value) and not self.loop_depth:
            # nothing but a `return` ends it, so what stands behind it is never reached
            return Flow(True, True, True, flow.result)
        return DEAD if endless and flow.is_open else flow

    def _with(self, node: ast.With) -> Flow:
        """Contexts are entered in order; all ways out of the body pass their `__exit__`, in the opposite order."""
        entered = len(self.contexts)
        for item in node.items:
            if self._changes_nothing(item):
                if self._turns_gradients_off(item):
                    self.without_gradients += (node.body[0].span.start, node.body[-1].span.end)
                if item.target is not None:  # what such a context gives is of no use
                    self.assign(item.target, self.constant(None, item.span), item.span)
                continue
            context = self.value(item.context)
            if is_poison(context):
                if item.target is not None:
                    self.assign(item.target, context, item.span)
                continue
            if _is_autocast(context):
                result = self.one("prim::Enter", (context,), script_type(context), span=item.span)
            else:
                result = self._special_of_context(context, "__enter__", (), item)
            if item.target is not None:
                self.assign(item.target, result, item.span)
            self.contexts.append((context, item))
        flow = self.run(node.body)
        left = self.contexts[entered:]
        if not flow.dead:
            self._leave(left)
        del self.contexts[entered:]
        return flow

    def _leave(self, contexts: Sequence[tuple[Value, ast.WithItem]], *, raising: bool = False) -> None:
        """Writes the ends of regions; those of autocast stand where the region starts, in the same block."""
        for context, item in reversed(contexts):
            if _is_autocast(context):
                if not raising:
                    self.emit("prim::Exit", (context,), span=item.span)
                continue
            nothing = self.constant(None, item.span)
            self._special_of_context(context, "__exit__", (nothing, nothing, nothing), item)

    def _special_of_context(self, context: Value, name: str, arguments: Sequence[Value], item: ast.WithItem) -> Value:
        found = self.special(context, name, arguments, item.context.span)
        if found is None:
            raise self.fault(
                item.context.span,
                f"`with {item.context.span.text}` is not supported",
                label=f"this is {script_type(context).annotation}, which has no `{name}`",
                help="objects of script classes with `__enter__` and `__exit__` are, and `torch.no_grad()`",
            )
        call = found.defining_op("prim::CallMethod")
        if call is not None:
            call.attributes[CONTEXT] = True
        return found

    def _changes_nothing(self, item: ast.WithItem) -> bool:
        """Whether the context changes nothing in a program that computes no gradients."""
        call = item.context
        callee = self.callee(call.func) if isinstance(call, ast.Call) else None
        name = callee.value.name if isinstance(callee, Host) and isinstance(callee.value, BuiltinRef) else ""
        if name in _IGNORED_CONTEXTS:
            return True
        if name.startswith("torch."):
            raise self.fault(
                item.span, f"`with {item.context.span.text}` is not supported", help="`with torch.no_grad()` is"
            )
        return self._is_gradient_mode(item.context)

    def forked(self, definition: ast.FunctionDef) -> Value:
        *body, last = definition.body
        if definition in self.forking:
            raise self.fault(definition.name_span, "a forked function forks itself, which is not supported")
        if definition.params or not isinstance(last, ast.Return) or last.value is None:
            raise self.fault(definition.name_span, "a forked function has another form than archives give it")
        self.forking += (definition,)
        try:
            with self.inside(self.b.block, Frame(self.frame)):
                flow = self.run(body)
                if not flow.is_open:
                    raise self.fault(definition.name_span, "a forked function has another form than archives give it")
                return self.value(last.value)
        finally:
            self.forking = self.forking[:-1]

    def _turns_gradients_off(self, item: ast.WithItem) -> bool:
        callee = self.callee(item.context.func) if isinstance(item.context, ast.Call) else None
        if isinstance(callee, Host) and isinstance(callee.value, BuiltinRef):
            return callee.value.name.endswith(".no_grad")
        found = self.frame.find(item.context.id) if isinstance(item.context, ast.Name) else None
        return isinstance(found, Value) and str(found.type).endswith(".no_grad")

    def _is_gradient_mode(self, context: ast.Expr) -> bool:
        """Whether this is an object that archives make for `torch.no_grad()` and its like."""
        found = self.frame.find(context.id) if isinstance(context, ast.Name) else None
        if not isinstance(found, Value) or not isinstance(found.type, ClassType):
            return False
        return unmangled(found.type.name) in _GRADIENT_MODES

    # assert, raise, return, del

    def _asserted(self, statement: ast.ExprStmt) -> ast.Assert | None:
        """`torch._assert(condition, message)` as the statement that it stands for."""
        call = statement.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute | ast.Name):
            return None
        callee = self.callee(call.func)
        if not isinstance(callee, Host) or callee.value != BuiltinRef("torch._assert"):
            return None
        given = dict(zip(("condition", "message"), call.args, strict=False)) | {k.name: k.value for k in call.keywords}
        if len(given) != 2 or len(call.args) + len(call.keywords) != 2 or not {"condition", "message"} >= given.keys():
            raise self.fault(call.span, "torch._assert takes a condition and a message")
        return ast.Assert(statement.span, given["condition"], given["message"])

    def _assert(self, node: ast.Assert) -> Flow:
        condition = self.condition(node.test)
        if condition.static is True:
            self.refine(condition.if_true, node.span)
            return OPEN

        def fail() -> Flow:
            prefix = self.constant("AssertionError: ", node.span)
            if node.message is None:
                message = prefix
            else:
                text = self.value(node.message)
                literal = text.defining_op("prim::Constant")
                if literal is not None and isinstance(literal.attributes.get("value"), str):
                    message = self.constant(f"AssertionError: {literal.attributes['value']}", node.span)
                else:
                    text = text if text.type == STR else self.call_operator("aten::str", [text], span=node.span)
                    message = self.call_operator("aten::add", [prefix, text], span=node.span)
            return self._raise_exception(message, None, node.span)

        if condition.static is False:
            return fail()
        return self.branch(condition, [], [fail], [], node.span)[1]

    def _raise(self, node: ast.Raise) -> Flow:
        if node.exception is None:
            raise self.fault(node.span, "`raise` without an exception is not supported")
        meaning = self.meaning(node.exception)
        match meaning:
            case ExceptionObject():
                return self._raise_exception(meaning.message, meaning.name, node.span)
            case Host(value=ClassValue(kind="exception")):
                return self._raise_exception(self.constant("", node.span), None, node.span)
            case Host(value=BuiltinRef(name=name)) if is_exception_name(name):
                return self._raise_exception(self.constant("", node.span), None, node.span)
            case Value() if is_poison(meaning):
                return DEAD
            case _:
                raise self.fault(
                    node.exception.span,
                    "exceptions must derive from BaseException",
                    label=f"this is {describe(meaning)}",
                    help='write `raise RuntimeError("...")`',
                )

    def _raise_exception(self, message: Value, name: str | None, span: Span) -> Flow:
        self._leave(self.contexts, raising=True)
        self.emit("prim::RaiseException", (message, self.constant(name, span)), span=span)
        return DEAD

    def _return(self, node: ast.Return) -> Flow:
        declared = self.declared_return
        if node.value is None:
            value = self.constant(None, node.span)
        else:
            value = self.value(node.value, declared)
        return self.returning(value, node.value.span if node.value is not None else node.span)

    def returning(self, value: Value, span: Span) -> Flow:
        declared = self.declared_return
        if declared is not None and not is_poison(value):
            value = self._as_declared(value, declared, span)
        elif declared is None:
            before = self.return_type
            found = script_type(value)
            merged = found if before is None else unify(before, found)
            if merged is None and before is not None:
                raise self.fault(
                    span,
                    f"a return statement before this one returns a value of type {before.annotation}, "
                    f"but this one returns a value of type {found.annotation}",
                    label=f"this is {found.annotation}",
                    help="all return statements of a function must agree on a type",
                )
            self.return_type = merged
        return Flow(exited=True, proceed=not self.loop_depth, returned=True, result=value)

    def _as_declared(self, value: Value, declared: ScriptType, span: Span) -> Value:
        # only tensors are converted here: `-> float` does not take an int
        is_number = declared in (INT, FLOAT) and not isinstance(value.type, TensorType)
        converted = None if is_number and value.type != declared else self.to_type(value, declared, span)
        if converted is None:
            found = script_type(value).annotation
            help = None
            if declared == FLOAT and value.type == INT:
                help = "TorchScript does not turn an int into a float here: write `float(...)`"
            raise self.fault(
                span,
                f"return value was annotated as having type {declared.annotation} but is actually of type {found}",
                label=f"this is {found}",
                help=help,
            )
        return converted

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            match target:
                case ast.Name():
                    self.name(target)
                    self.frame.forget(target.id)
                case ast.Subscript():
                    self.delete_subscript(target)
                case _:
                    raise self.fault(target.span, "only variables and single elements can be deleted")

    # assignments

    def _assign(self, node: ast.Assign) -> None:
        meaning = self.meaning(node.value)
        for target in node.targets:
            self.assign(target, meaning, node.value.span)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Attribute) and self.defines is not None and node.value is not None:
            declared = self.unit.annotations.read(node.annotation, self.scope)
            value = self.value(node.value, declared)
            fitted = self.declared(value, declared, node.value.span, "the attribute is annotated")
            # the type of the attribute is that of the value: with `self.v: Optional[int] = None` it is NoneType
            self.assign_attribute(node.target, fitted if value in self.empty_lists else value)
            return
        if not isinstance(node.target, ast.Name):
            raise self.fault(
                node.span,
                "only local variables can be annotated here",
                help="annotate attributes in the body of the class",
            )
        type_ = self.unit.annotations.read(node.annotation, self.scope)
        if node.value is None:
            raise self.fault(node.span, "an annotated variable needs a value")
        # what stands in a tuple has the type that it would have without the annotation, as in PyTorch
        inner = type_.element if isinstance(type_, OptionalType) else type_
        hint = None if isinstance(inner, TupleType) and not self.scope.is_archive else type_
        self.set_variable(node.target, self.value(node.value, hint), node.value.span, type_)

    def assign(self, target: ast.Expr, meaning: Meaning, span: Span, declared: ScriptType | None = None) -> None:
        match target:
            case ast.Name():
                self.set_variable(target, meaning, span, declared)
            case ast.Attribute():
                self.assign_attribute(target, self.as_value(meaning, span))
            case ast.Subscript():
                self.assign_subscript(target, self.as_value(meaning, span))
            case ast.TupleExpr():
                self._unpack(target, target.elements, meaning, span)
            case ast.ListExpr():
                raise self.fault(target.span, "a list cannot be assigned to", help="write the names as a tuple: `a, b = ...`")
            case _:
                raise self.fault(target.span, "this cannot be assigned to")

    def set_variable(self, target: ast.Name, meaning: Meaning, span: Span, declared: ScriptType | None) -> None:
        name = target.id
        outside = self.frame.find_outside(name)
        if outside is not None:
            if declared is not None:
                raise self.fault(
                    target.span,
                    f"`{name}` is already defined in an outer block, so it cannot be annotated here",
                    help="annotate it where it is set first",
                )
            meaning = self._reassigned(name, meaning, outside, span)
        elif is_first_class(meaning) and not self.scope.is_archive and self._names_no_value(name):
            return
        if isinstance(meaning, Value):
            if declared is not None:
                meaning = self.declared(meaning, declared, span, f"variable '{name}' is annotated")
            self.name_value(meaning, name)
            target.type = script_type(meaning)
        self.frame.set(name, meaning)

    def _names_no_value(self, name: str) -> bool:
        """Whether the name stands for something that is no value, as `m` in `m = self.layer`: to PyTorch it goes on doing so."""
        before = self.frame.find(name)
        return before is not None and not isinstance(before, Awaitable) and not is_first_class(before)

    def _reassigned(self, name: str, meaning: Meaning, outside: Meaning, span: Span) -> Value:
        for side in (meaning, outside):
            if not isinstance(side, Value) or not (is_first_class(side) or self.scope.is_archive):
                raise self.fault(
                    span,
                    f"`{name}` is set in an outer block too, so it must be a value in both places",
                    label=f"this is {describe(side)}",
                )
        assert isinstance(meaning, Value) and isinstance(outside, Value)
        if is_poison(meaning) or is_poison(outside):
            return meaning
        converted = self.to_type(meaning, script_type(outside), span)
        if converted is None:
            before, now = script_type(outside).annotation, script_type(meaning).annotation
            self.frame.set(name, self.poison(span))
            raise self.fault(
                span,
                f"variable '{name}' previously had type {before} but is now being assigned to a value of type {now}",
                label=f"this is {now}",
                help=f"a variable keeps its type inside branches and loops: use another name, or convert to {before}",
            )
        return converted

    def _unpack(self, target: ast.Expr, targets: Sequence[ast.Expr], meaning: Meaning, span: Span) -> None:
        starred = [i for i, t in enumerate(targets) if isinstance(t, ast.Starred)]
        if len(starred) > 1:
            raise self.fault(targets[starred[1]].span, "only one starred name is allowed in an assignment")
        parts = self._parts(meaning, len(targets), bool(starred), span)
        if parts is None:
            for name in target_names(target):
                self.frame.set(name, self.poison(span))
            return
        wanted = len(targets) - len(starred)
        if len(parts) < wanted or (len(parts) > wanted and not starred):
            few = len(parts) < wanted
            found = f"only {len(parts)}" if few else str(len(parts))
            raise self.fault(
                target.span,
                f"need {'at least ' if starred else ''}{plural(wanted, 'value')} to unpack but found {found}",
            )
        if starred:
            at = starred[0]
            behind = len(targets) - at - 1
            middle = Group(tuple(parts[at : len(parts) - behind]))
            parts = [*parts[:at], self.as_value(middle, span), *parts[len(parts) - behind :]]
        for element, part in zip(targets, parts, strict=True):
            inner = element.value if isinstance(element, ast.Starred) else element
            self.assign(inner, part, span)

    def _parts(self, meaning: Meaning, count: int, starred: bool, span: Span) -> list[Meaning] | None:
        match meaning:
            case Group():
                return list(meaning.elements)
            case ModuleGroup():
                return self.group_elements(meaning, span)
            case Value():
                pass
            case _:
                raise self.fault(span, f"{describe(meaning)} cannot be unpacked")
        match script_type(meaning):
            case TupleType():
                return list(self.unpack_tuple(meaning, span))
            case ListType() as type_:
                if starred:
                    raise self.fault(
                        span,
                        "cannot statically infer the expected size of a list in this context",
                        label="a list of unknown length",
                    )
                return list(self.emit("prim::ListUnpack", (meaning,), [type_.element] * count, span=span).results)
            case PoisonType():
                return None
            case type_:
                raise self.fault(
                    span, f"a value of type {type_.annotation} cannot be unpacked", label=f"this is {type_.annotation}"
                )

    # augmented assignment

    def _augmented(self, node: ast.AugAssign) -> None:
        if node.op in ("//", "@"):
            name = node.target.span.text
            raise self.fault(
                node.span,
                f"unsupported augmented assignment `{node.op}=`",
                help=f"write `{name} = {name} {node.op} ...`",
            )
        match node.target:
            case ast.Name():
                before = self.value(node.target)
                result = self._augment(node, before, self.value(node.value))
                self.set_variable(node.target, result, node.span, None)
            case ast.Attribute():
                base = self.value(node.target.value)
                before = self.as_value(self.attribute_of(base, node.target.name, node.target), node.target.span)
                node.target.type = script_type(before)
                self.assign_attribute(node.target, self._augment(node, before, self.value(node.value)))
            case ast.Subscript():
                self._augment_element(node, node.target)
            case _:
                raise self.fault(node.target.span, "this cannot be assigned to")

    def _augment(self, node: ast.AugAssign, before: Value, value: Value, decides: ScriptType | None = None) -> Value:
        """`decides`: the type by which it is decided whether the value is changed in place, if that is not its own."""
        own_type = before.type if decides is None else decides
        in_place = isinstance(own_type, TensorType) or (isinstance(own_type, ListType) and node.op in ("+", "*"))
        # `%=` is C's remainder also of numbers, and gives a float; `+=` makes a list of a tuple: as PyTorch has it
        operator = _IN_PLACE[node.op] if in_place else "aten::fmod" if node.op == "%" else BINARY[node.op]
        if isinstance(before.type, ClassType):
            own = self.special(before, _IN_PLACE_METHODS[node.op], [value], node.span)
            if own is not None:
                return own
            operator = BINARY[node.op]
        spans = (node.target.span, node.value.span)
        return self.call_operator(operator, [before, value], span=node.span, shown=f"{node.op}=", spans=spans)

    def _augment_element(self, node: ast.AugAssign, target: ast.Subscript) -> None:
        base = self.value(target.value)
        span = node.span
        match script_type(base):
            case TensorType():
                index = self.take_apart(base, target)
                value = self.value(node.value)
                if not index.tensors:
                    self._augment(node, index.base, value)
                    return
                indices = self.index_list(index, span)
                before = self.call_operator("aten::index", [index.base, indices], span=span)
                after = self._augment(node, before, value)
                self.call_operator("aten::index_put_", [index.base, indices, after], span=span)
            case PoisonType():
                self.value(node.value)
            case _:
                if target.tuple or not target.indices or isinstance(target.indices[0], ast.Slice):
                    raise self.fault(target.span, "this cannot be assigned to")
                key = self.value(target.indices[0])
                if isinstance(base.type, ClassType):
                    raise self.fault(
                        span,
                        f"{base.type.annotation} does not support augmented assignment",
                        help=f"write `{target.span.text} = {target.span.text} {node.op} ...`",
                    )
                before = self.call_operator("aten::__getitem__", [base, key], span=target.span, shown="[]")
                # PyTorch goes by the type of the keys: what stands in a dict is replaced, not changed
                decides = base.type.key if isinstance(base.type, DictType) else None
                after = self._augment(node, before, self.value(node.value), decides)
                self.call_operator("aten::_set_item", [base, key, after], span=span, shown="[]=")


def _has_break(body: Sequence[ast.Stmt]) -> bool:
    for statement in body:
        match statement:
            case ast.Break():
                return True
            case ast.If():
                if _has_break(statement.body) or _has_break(statement.orelse):
                    return True
            case ast.With():
                if _has_break(statement.body):
                    return True
            case _:
                pass
    return False


def is_forked(definition: ast.FunctionDef) -> bool:
    """Whether this is how archives write what is given to `fork`."""
    return definition.name.startswith("__forked_function")


def _first_span(items: Sequence[Item]) -> Span | None:
    return next((i.span for i in items if isinstance(i, ast.Node)), None)


def _is_autocast(context: Value) -> bool:
    return isinstance(context.type, ClassType) and autocast.is_context(context.type.name)
