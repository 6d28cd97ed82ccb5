"""Two-way branches: `prim::If` with the variables, flags and results of both sides put together behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...ir.core import Block, Region, Value
from ...ir.diagnostics import Note
from ...ir.script_types import BOOL, ScriptType
from ...ir.source import Span
from ...ir.subtyping import unify
from .frames import DEAD, Conflict, Flag, Flow, Frame
from .meanings import describe, is_first_class
from .operators import Operators
from .state import is_poison, script_type


@dataclass(eq=False)
class Side:
    """One side of a branch: its block, the names that it sets, and how it ends."""

    block: Block
    frame: Frame
    name: str
    flow: Flow = DEAD

    @property
    def matters(self) -> bool:
        """Whether its variables can be read behind the branch."""
        return not self.flow.dead and self.flow.returned is not True

    @property
    def goes_on(self) -> bool:
        return self.flow.exited is False and not self.flow.dead


def base_value(value: Value) -> Value:
    """The value behind refinements of its type."""
    op = value.defining_op("prim::unchecked_cast")
    while op is not None:
        value = op.operand(0)
        op = value.defining_op("prim::unchecked_cast")
    return value


class Branches(Operators):
    def side(self, name: str) -> Side:
        return Side(Block(), Frame(self.frame), name)

    def run_side(self, side: Side, run: Callable[[], Flow]) -> None:
        with self.inside(side.block, side.frame):
            side.flow = run()

    def choose(
        self, condition: Value, then: Callable[[], Value], orelse: Callable[[], Value], span: Span
    ) -> Value | None:
        """The value of one of two expressions; None where their types do not unify (the code is then dropped)."""
        blocks: list[Block] = []
        values: list[Value] = []
        for run in (then, orelse):
            block = Block()
            with self.inside(block, Frame(self.frame)):
                values.append(run())
            blocks.append(block)
        result = unify(script_type(values[0]), script_type(values[1]))
        if result is None:
            return None
        for block, value in zip(blocks, values, strict=True):
            with self.b.inside(block):
                self.emit("torch.yield", (value,), span=span)
        return self.emit("prim::If", (condition,), (result,), regions=[Region([b]) for b in blocks], span=span).result

    def agree(self, left: Side, stays: Side, span: Span) -> None:
        """Takes from `stays` what `left`, which ends in `break` or `continue`, does not know.

        For names and types PyTorch has such a branch go on: what follows sees only what both sides have set.
        """
        with self.inside(stays.block, stays.frame):
            for name in dict.fromkeys([*left.frame.names, *left.frame.missing, *stays.frame.names]):
                ours, theirs = stays.frame.find(name), left.frame.find(name)
                if ours is None or ours is theirs:
                    continue
                if theirs is None:
                    note = left.frame.why_missing(name) or Note(f"`{name}` is not set in the {left.name}", span)
                    stays.frame.forget(name, note)
                elif isinstance(ours, Value) and isinstance(theirs, Value):
                    self._agree_on(name, (stays, ours), (left, theirs), span)

    def _agree_on(self, name: str, stays: tuple[Side, Value], left: tuple[Side, Value], span: Span) -> None:
        (side, ours), (_, theirs) = stays, left
        before = self.frame.parent.find(name) if self.frame.parent is not None else None
        type_ = unify(script_type(ours), script_type(theirs))
        if isinstance(before, Value) and base_value(ours) is base_value(before):
            if type_ is None or type_ == before.type:
                side.frame.set(name, before)
            elif type_ != ours.type:
                side.frame.set(name, self.one("prim::unchecked_cast", (before,), type_, span=span))
        elif type_ is None:
            side.frame.forget(name, _conflict(name, left, stays, span))
        elif type_ != ours.type:
            side.frame.set(name, self.widened(ours, type_, span))

    def join(self, condition: Value, then: Side, orelse: Side, span: Span) -> Flow:
        """Writes the `prim::If` of two finished sides; sets the names that are visible behind it; returns its flow."""
        merge = _Merge(self, then, orelse, span)
        merge.variables()
        flow = merge.flow()
        for side, values in ((then, merge.then_values), (orelse, merge.else_values)):
            with self.b.inside(side.block):
                self.emit("torch.yield", values, span=span)
        regions = [Region([then.block]), Region([orelse.block])]
        op = self.emit("prim::If", (condition,), merge.types, regions=regions, span=span)
        return merge.finish(flow, op.results)


def _conflict(name: str, one: tuple[Side, Value], other: tuple[Side, Value], span: Span) -> Conflict:
    (a, first), (b, second) = one, other
    message = (
        f"type mismatch: `{name}` is {script_type(first).annotation} after the {a.name} "
        f"and {script_type(second).annotation} after the {b.name}"
    )
    return Conflict(message, span, help=f"give `{name}` the same type in both branches")


class _Merge:
    """Collects the results of one `prim::If`. A result that is not there yet stands for its index (`int`)."""

    def __init__(self, owner: Branches, then: Side, orelse: Side, span: Span) -> None:
        self.owner = owner
        self.then = then
        self.orelse = orelse
        self.span = span
        self.types: list[ScriptType] = []
        self.then_values: list[Value] = []
        self.else_values: list[Value] = []
        self.named: list[tuple[str, int]] = []
        self.refined: list[tuple[str, Value, ScriptType]] = []

    def result(self, then: Value, orelse: Value, type_: ScriptType) -> int:
        self.types.append(type_)
        self.then_values.append(then)
        self.else_values.append(orelse)
        return len(self.types) - 1

    def uninitialized(self, side: Side, type_: ScriptType) -> Value:
        with self.owner.b.inside(side.block):
            return self.owner.one("prim::Uninitialized", (), type_, span=self.span)

    # variables

    def variables(self) -> None:
        touched = [
            *self.then.frame.names,
            *self.then.frame.missing,
            *self.orelse.frame.names,
            *self.orelse.frame.missing,
        ]
        for name in dict.fromkeys(touched):
            self.variable(name)

    def variable(self, name: str) -> None:
        then, orelse = self.then, self.orelse
        if not then.matters and not orelse.matters:
            return
        for side, other in ((then, orelse), (orelse, then)):
            if not side.matters:
                self.only_one(name, other)
                return
        a, b = then.frame.find(name), orelse.frame.find(name)
        outer = self.owner.frame
        if a is None or b is None:
            lacking = then if a is None else orelse
            why = lacking.frame.why_missing(name) or Note(f"`{name}` is not set in the {lacking.name}", self.span)
            outer.forget(name, why)
        elif a is b:
            outer.set(name, a)
        elif (wrong := next((v for v in (a, b) if isinstance(v, Value) and is_poison(v)), None)) is not None:
            outer.set(name, wrong)
        elif isinstance(a, Value) and isinstance(b, Value) and (self.owner.scope.is_archive or (is_first_class(a) and is_first_class(b))):
            self.values(name, a, b)
        else:
            outer.forget(name, Note(f"`{name}` means different things in the two branches", self.span))

    def only_one(self, name: str, side: Side) -> None:
        """The other side never reaches the code behind: what this one has set is what is visible."""
        found = side.frame.find(name)
        outer = self.owner.frame
        before = outer.find(name)
        if found is None:
            outer.forget(name, side.frame.why_missing(name))
        elif found is before:
            return
        elif not isinstance(found, Value) or not (is_first_class(found) or self.owner.scope.is_archive):
            outer.forget(name, Note(f"`{name}` is {describe(found)}, which no branch hands on", self.span))
        elif isinstance(before, Value) and base_value(found) is base_value(before):
            self.refined.append((name, before, script_type(found)))
        else:
            missing = self.uninitialized(self.orelse if side is self.then else self.then, script_type(found))
            pair = (found, missing) if side is self.then else (missing, found)
            self.named.append((name, self.result(*pair, script_type(found))))

    def values(self, name: str, a: Value, b: Value) -> None:
        outer = self.owner.frame
        type_ = unify(script_type(a), script_type(b))
        before = outer.find(name)
        is_before = isinstance(before, Value) and base_value(a) is base_value(before) is base_value(b)
        if type_ is None and is_before:
            return  # a Union that either branch has looked into
        if type_ is None:
            if self.then.goes_on and self.orelse.goes_on:
                self.mismatch(name, a, b)
            else:
                outer.forget(name)
            return
        if isinstance(before, Value) and is_before:
            if before.type != type_:
                self.refined.append((name, before, type_))
            return
        self.named.append((name, self.result(a, b, type_)))

    def mismatch(self, name: str, a: Value, b: Value) -> None:
        """Only an error if the name is used."""
        self.owner.frame.forget(name, _conflict(name, (self.then, a), (self.orelse, b), self.span))

    # flow

    def flow(self) -> tuple[Flag | int, Flag | int, Flag | int, Value | int | None, bool]:
        a, b = self.then.flow, self.orelse.flow
        if a.dead and b.dead:
            return True, True, False, None, True
        exited = self.flag(a.exited, b.exited)
        proceed = self.flag(a.proceed, b.proceed)
        same = a.exited is a.returned and b.exited is b.returned
        returned = exited if same else self.flag(a.returned, b.returned)
        return exited, proceed, returned, self.returned_value(a.result, b.result), False

    def flag(self, a: Flag, b: Flag) -> Flag | int:
        if self.then.flow.dead and isinstance(b, bool):
            return b
        if self.orelse.flow.dead and isinstance(a, bool):
            return a
        if isinstance(a, bool) and isinstance(b, bool) and a == b:
            return a
        return self.result(self.flag_value(a, self.then), self.flag_value(b, self.orelse), BOOL)

    def flag_value(self, flag: Flag, side: Side) -> Value:
        if side.flow.dead:
            return self.uninitialized(side, BOOL)
        return self.owner.constant(flag, self.span) if isinstance(flag, bool) else flag

    def returned_value(self, a: Value | None, b: Value | None) -> Value | int | None:
        if a is None and b is None:
            return None
        if a is b:
            return a
        if a is None or b is None:
            found = a if a is not None else b
            assert found is not None
            missing = self.uninitialized(self.then if a is None else self.orelse, script_type(found))
            pair = (missing, found) if a is None else (found, missing)
            return self.result(*pair, script_type(found))
        # a mismatch has been reported at the second `return`
        type_ = unify(script_type(a), script_type(b)) or script_type(a)
        return self.result(a, b, type_)

    def finish(
        self, flow: tuple[Flag | int, Flag | int, Flag | int, Value | int | None, bool], results: Sequence[Value]
    ) -> Flow:
        owner = self.owner
        for name, index in self.named:
            owner.name_value(results[index], name)
            owner.frame.set(name, results[index])
        for name, before, type_ in self.refined:
            cast = (
                before if before.type == type_ else owner.one("prim::unchecked_cast", (before,), type_, span=self.span)
            )
            owner.name_value(cast, name)
            owner.frame.set(name, cast)

        def flag(value: Flag | int) -> Flag:
            return value if isinstance(value, bool | Value) else results[value]

        exited, proceed, returned, result, dead = flow
        if isinstance(result, int):
            result = results[result]
        return DEAD if dead else Flow(flag(exited), flag(proceed), flag(returned), result)
