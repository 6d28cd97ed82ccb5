"""Results of which only the run time knows whether they are views: of an argument, of the state, of another result.

In: a specialised graph before its writes are removed, and what `aliases.py` found in it. Out: the same graph, which gives for each
such result, as further results, what it is a view of and where it lies in that (`PlacedResult`); what is computed stays as it is.
The places go along beside the tensors: conditions and loops hand them on as numbers. What such numbers need of the arguments,
their strides, are further parameters (`Parameter.stride`). A tensor that is surely new, or surely a view, costs nothing. What comes out
of lists and the like made at run time is put in memory (`memory.py`), where it knows its place.

    %y : Float(6) = prim::If(%c)                     %y : Float(6), %at : int = prim::If(%c)
      block0():                                        block0():
        %a = aten::select(%x, 0, %i)           =>        %a = aten::select(%x, 0, %i)
        -> (%a)                                          %n = aten::mul(%i, %stride)
      block1():                                          -> (%a, %n)
        ...                                              ...
    return (%y)                                      return (%y, 0, %at, %stride1)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from ...ir import columns
from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.core import Block, BlockArgument, Operation, OpResult, Value
from ...ir.diagnostics import CompileError
from ...ir.program import StateNeeded
from ...ir.script_types import INT, ScriptType, TensorType, TupleType
from ...ir.signature import (
    FIRST_CELL,
    FlatNumber,
    Parameter,
    PlacedColumn,
    PlacedResult,
    ScalarSpec,
    Signature,
    is_mirrored,
    leaf_numbers,
)
from ...ir.source import Span
from .aliases import (
    WRITE,
    Aliases,
    Storage,
    enclosing,
    is_contiguous,
    is_defined_in,
    is_run_time_list,
    is_tensor,
    static_shape,
    storages,
    waits_alone,
)
from .memory import BY_LAYOUT, Classes, SharedFuture, contents
from .place_rules import (
    NEW,
    Arithmetic,
    Flag,
    Number,
    Place,
    Stride,
    is_view_of_tensor,
    new_place,
    place_of_view,
    same_number,
)
from .placed_elements import Gathered, are_apart, gathered_columns, placed_column


@dataclass
class Following:
    """How far results are followed, and whether it was that far."""

    through_containers: bool = True
    was_through_containers: bool = False
    is_held: Callable[[Constant], bool] = lambda constant: False
    """Whether a constant is a tensor of the module, which may be given as state instead."""


def place_results(function: Operation, signature: Signature, aliases: Aliases, following: Following) -> Signature:
    """Writes into the graph where results lie that may be views; the signature says which. `aliases.unclear` may grow.

    StateNeeded where a caller would get a tensor of the module that is a constant here.
    """
    candidates = _candidates(function, signature, aliases)
    gathered = gathered_columns(function, signature) if following.through_containers else []
    if not candidates and not gathered:
        return signature
    given_out = dict(_constants(function, aliases, candidates, following))
    if given_out:
        raise StateNeeded((), given_out)
    placing = _Placing(function, signature, aliases)
    placing.find_bases(candidates, gathered, following)
    if not placing.wanted and not placing.columns and not placing.held:
        return signature
    following.was_through_containers = bool(placing.held or placing.columns)
    return placing.results(candidates)


def _candidates(function: Operation, signature: Signature, aliases: Aliases) -> list[int]:
    """Results of which it is not known at compile time what they are views of."""
    returned = function.body().terminator.operands
    known = {v.result for v in signature.views}
    given_out = {*signature.returned, *(i for s in signature.state for i in leaf_numbers(s.tree))}
    return [i for i in sorted(given_out) if i not in known and is_tensor(returned[i]) and returned[i] in aliases.of]


def _constants(
    function: Operation, aliases: Aliases, candidates: Sequence[int], following: Following
) -> Iterator[tuple[int, tuple[Constant, Span | None]]]:
    """Tensors of the module that results may be views of."""
    returned = function.body().terminator.operands
    for i in candidates:
        for storage in storages(aliases.of[returned[i]].storage.atoms):
            op = storage.root.defining_op("prim::Constant")
            constant = None if op is None else op.attributes.get("value")
            if isinstance(constant, Constant) and following.is_held(constant):
                yield id(constant.array), (constant, op.span if op is not None else None)


def _parts(place: Place) -> list[Number]:
    return [place.base, place.offset, *place.strides]


def _place(parts: Sequence[Number]) -> Place:
    return Place(parts[0], parts[1], tuple(parts[2:]))


_BASE: Final = 0


@dataclass
class _Loop:
    """A loop that carries places."""

    numbers: dict[int, None] = field(default_factory=dict[int, None])
    """Which carried tensors have one."""
    carried: dict[tuple[int, int], BlockArgument] = field(default_factory=dict[tuple[int, int], BlockArgument])
    """By tensor and part of its place: those that change from one iteration to the next."""
    fixed: dict[tuple[int, int], Number] = field(default_factory=dict[tuple[int, int], Number])
    """The others, as far as they are known."""
    is_running: bool = False
    is_changed: bool = False


@dataclass
class _Placing:
    function: Operation
    signature: Signature
    aliases: Aliases
    wanted: set[Storage] = field(default_factory=set[Storage])
    """Memory that a result may be a view of, so that somebody sees it."""
    bases: dict[Value, int] = field(default_factory=dict[Value, int])
    """The tensors that are this memory, with the numbers that stand for them (`PlacedResult`)."""
    hidden: dict[Value, int] = field(default_factory=dict[Value, int])
    """New tensors, numbered, that several results may be parts of and that are not there at the end, or are new only in some calls."""
    extra: list[Value] = field(default_factory=list[Value])
    """Tensors that are further results, so that others can be views of them."""
    held: dict[Value, list[Value]] = field(default_factory=dict[Value, list[Value]])
    """Tensors that are put in memory, out of containers made at run time, each with the arguments that it may be a view of."""
    columns: list[tuple[Gathered, list[Value]]] = field(default_factory=list[Any])
    """Results that are such containers, with the arguments that tensors in them may be views of."""
    places: dict[Value, Place] = field(default_factory=dict[Value, Place])
    strides: dict[Stride, Value] = field(default_factory=dict[Stride, Value])
    parameters: list[Parameter] = field(default_factory=list[Parameter])
    loops: dict[Operation, _Loop] = field(default_factory=dict[Operation, _Loop])
    positions: dict[tuple[Operation, int, int], int] = field(default_factory=dict[tuple[Operation, int, int], int])
    """Which result of an `If` is a part of the place of another one."""

    # what there may be views of

    def find_bases(self, candidates: Sequence[int], gathered: Sequence[Gathered], following: Following) -> None:
        body = self.function.body()
        returned = body.terminator.operands
        own = [storages(self.aliases.of[returned[i]].storage.atoms) for i in candidates]
        seen = set[Storage]().union(*own)
        encoded = self.encoded(of_state=following.through_containers)
        arguments = [a for a in body.args if is_tensor(a) and a.index not in encoded]
        if following.through_containers:
            self.find_held(seen, arguments, gathered, [returned[i] for i in candidates], following)
            self.hold_laid(seen, arguments, [returned[i] for i in candidates])
        for argument in arguments:
            storage = self.aliases.of[argument].storage
            is_given = any(argument in given for given in (*self.held.values(), *(given for _, given in self.columns)))
            if storage in seen or is_given:
                self.wanted.add(storage)
                self.bases[argument] = argument.index
        for root in self.shared_roots():
            storage = self.aliases.of[root].storage
            if any(storage in atoms and returned[i] is not root for i, atoms in zip(candidates, own, strict=True)):
                self.wanted.add(storage)
                if _is_there(root, body) and storage.atoms == frozenset((storage,)):
                    self.bases[root] = self.number_of(root, returned)
                else:
                    self.hidden.setdefault(root, len(self.hidden))
        if len(candidates) > 1:  # whether these are new is for the strides of the caller to say
            for op in self.function.walk():
                if op.name in BY_LAYOUT and _is_counted(op) and self.may_be_seen(op.result):
                    if op.result not in returned and op.result not in self.bases:
                        self.hidden.setdefault(op.result, len(self.hidden))

    def encoded(self, *, of_state: bool = False) -> set[int]:
        """The parameters that are the vectors of something else, `of_state`: that a module holds."""
        given = [c for c in self.signature.columns if not of_state or c.path is not None]
        return {c.first + i for c in given for i in range(len(columns.vectors(c.type, "")))}

    def find_held(
        self,
        seen: Iterable[Storage],
        arguments: Sequence[BlockArgument],
        gathered: Sequence[Gathered],
        results: Sequence[Value],
        following: Following,
    ) -> None:
        """Puts what is taken out of containers, and may be part of an argument or of another result, in memory."""
        taken = [s for s in seen if _is_taken_out(s.root)]
        if not taken and not gathered:
            return
        self.check_futures([cast(OpResult, s.root).op for s in taken])
        classes = Classes(self.aliases)
        classes.visit(self.function.body())
        given_out = {classes.of(v) for v in (*(s.root for s in taken), *(g.item for g in gathered))}
        self.check_constants([v for v in _tensor_constants(self.function) if classes.of(v) in given_out], following)
        for storage in taken:
            own = classes.of(storage.root)
            found: list[Value] = [a for a in arguments if classes.of(a) is own]
            others = [v for v in dict.fromkeys(results) if classes.of(v) is own]
            if found or len(others) > 1:
                self.held[storage.root] = found
                self.held.update((v, found) for v in others if not isinstance(v, BlockArgument))
                self.wanted.add(storage)
                message = f"whether this shares memory with {'an argument' if found else 'another result'} is only known at run time"
                self.aliases.unclear.setdefault(storage, CompileError.at(cast(OpResult, storage.root).op.span, message))
        self.find_columns(classes, arguments, gathered, results)
        chosen = {classes.of(v) for v in (*self.held, *(g.item for g, _ in self.columns))}
        by_layout = [op.operand(0) for op in self.function.walk() if op.name in BY_LAYOUT]
        decided = chosen & {classes.of(v) for v in by_layout}
        parameters = list(self.signature.parameters)
        for argument in arguments:  # where views of them are decided by strides, these have to be the ones that are known
            if classes.of(argument) in decided:
                parameters[argument.index] = replace(parameters[argument.index], by_layout=True)
        self.signature = replace(self.signature, parameters=tuple(parameters))

    def hold_laid(self, seen: Iterable[Storage], arguments: Sequence[BlockArgument], results: Sequence[Value]) -> None:
        """Puts new tensors that are not row-major in memory where it decides about results how they lie."""
        roots = {s for s in seen if s.kind == "fresh" and not self.is_row_major(s.root)}
        asking = [op for op in self.function.walk() if roots and op.name in BY_LAYOUT and is_tensor(op.operand(0))]
        asking = [op for op in asking if not roots.isdisjoint(storages(self.aliases.of[op.operand(0)].storage.atoms))]
        if not asking:
            return
        classes = Classes(self.aliases)
        classes.visit(self.function.body())
        for op in asking:
            own = classes.of(op.operand(0))
            found: list[Value] = [a for a in arguments if classes.of(a) is own]
            others = [v for v in dict.fromkeys(results) if classes.of(v) is own and not isinstance(v, BlockArgument)]
            if not others or (not found and len(others) < 2):
                continue
            message = "whether this shares memory with another result is only known at run time"
            for value in others:
                self.held[value] = found
                storage = self.aliases.of[value].storage
                self.wanted.add(storage)
                self.aliases.unclear.setdefault(storage, CompileError.at(op.span, message))

    def is_row_major(self, value: Value) -> bool:
        layout, shape = self.aliases.layouts.get(value), static_shape(value.type)
        if layout == "contiguous" or cast(TensorType, value.type).rank < 2:
            return True
        return layout is not None and shape is not None and is_contiguous(shape, layout)

    def check_constants(self, given_out: Sequence[OpResult], following: Following) -> None:
        """StateNeeded where a container that a caller gets may hold tensors of the module."""
        found: dict[int, tuple[Constant, Span | None]] = {}
        for value in given_out:
            constant = value.op.attributes.get("value")
            if isinstance(constant, Constant) and following.is_held(constant):
                found[id(constant.array)] = constant, value.op.span
        if found:
            raise StateNeeded((), found)

    def check_futures(self, taken: Sequence[Operation]) -> None:
        """SharedFuture where a result comes out of one of several futures, and these may give what others have."""
        waits = [wait for wait in map(_wait, taken) if wait is not None and not waits_alone(wait)]
        if not waits:
            return
        ready = [op.operand(0) for op in self.function.walk() if op.name == "prim::future"]
        atoms = [self.aliases.of[v].storage.atoms for value in ready for v in contents(value) if v in self.aliases.of]
        if len(waits) > 1 or any(s.kind != "fresh" for own in atoms for s in storages(own)):
            message = "what this future gives may be what others have"
            raise SharedFuture(CompileError.at(waits[0].span, message).diagnostics)

    def find_columns(
        self, classes: Classes, arguments: Sequence[BlockArgument], gathered: Sequence[Gathered], results: Sequence[Value]
    ) -> None:
        """Columns of tensors that may share memory with anything, and results that may share memory with these."""
        of_columns = Counter(classes.of(g.item) for g in gathered)
        for g in gathered:
            own = classes.of(g.item)
            given: list[Value] = [a for a in arguments if classes.of(a) is own]
            others = [v for v in dict.fromkeys(results) if classes.of(v) is own]
            if not given and not others and of_columns[own] == 1 and are_apart(self.function, self.aliases, classes, own):
                continue
            self.columns.append((g, given))
            self.held.update((v, given) for v in others if not isinstance(v, BlockArgument))
            message = "whether this shares memory with another result is only known at run time"
            storage = self.aliases.of[g.item].storage
            self.aliases.unclear.setdefault(storage, CompileError.at(cast(OpResult, g.item).op.span, message))
            self.wanted.update(self.aliases.of[a].storage for a in given)

    def shared_roots(self) -> list[Value]:
        """New tensors that several results may be views of."""
        body = self.function.body()
        returned = body.terminator.operands
        given = {*self.signature.returned, *(i for s in self.signature.state for i in leaf_numbers(s.tree))}
        values = dict.fromkeys(returned[i] for i in sorted(given) if is_tensor(returned[i]))
        counts = Counter(s for v in values for s in storages(self.aliases.of[v].storage.atoms))
        shared = [s.root for s, n in counts.items() if n > 1 and s.kind == "fresh" and s.root not in self.held]
        return [root for root in shared if isinstance(root.owner, Operation) and is_tensor(root) and _is_counted(root.owner)]

    def number_of(self, root: Value, returned: Sequence[Value]) -> int:
        if root in returned:
            return -2 - returned.index(root)
        self.extra.append(root)
        return -2 - (len(self.signature.results) + len(self.extra) - 1)

    # the outcome

    def results(self, candidates: Sequence[int]) -> Signature:
        terminator = self.function.body().terminator
        returned = list(terminator.operands)
        found = {i: self.place(returned[i]) for i in candidates if self.bases.get(returned[i]) != -2 - i}
        returned += self.extra
        n = Arithmetic(Builder.before(terminator), self.given)
        numbers: dict[Value, int] = {}

        def number(part: Number) -> int | FlatNumber:
            if isinstance(part, int):
                return part
            value = n.value(part)
            if value not in numbers:
                numbers[value] = len(returned)
                returned.append(value)
            return FlatNumber(numbers[value])

        placed: list[PlacedResult] = []
        for i, place in found.items():
            if place.base == NEW:
                continue
            if self.is_whole(place, cast(TensorType, returned[i].type)):
                placed.append(PlacedResult(i, number(place.base)))
            else:
                base, offset, *strides = map(number, _parts(place))
                placed.append(PlacedResult(i, base, offset, tuple(strides)))
        in_containers = self.placed_columns(returned, n.b)
        types = tuple(cast(ScriptType, v.type) for v in returned)
        if not placed and not in_containers:
            return self.signature
        terminator.set_operands(returned)
        names = cast("tuple[str, ...]", self.function.attributes["arg_names"])
        self.function.attributes["arg_names"] = (*names, *(cast(str, v.name) for v in self.function.body().args[len(names) :]))
        parameters = (*self.signature.parameters, *self.parameters)
        return replace(self.signature, parameters=parameters, results=types, placed=tuple(placed), placed_columns=tuple(in_containers))

    def placed_columns(self, returned: list[Value], end: Builder) -> list[PlacedColumn]:
        """Where tensors in containers lie; what is `returned` grows."""
        found: list[PlacedColumn] = []
        for gathered, arguments in self.columns:
            cells: list[tuple[int, int]] = []
            for argument in arguments:
                cells.append((self.bases[argument], len(returned)))
                returned.append(end.create("prim::id", [argument], (INT,)).result)
            column, vectors = placed_column(gathered, len(returned), cells, end)
            returned += vectors
            found.append(column)
        return found

    def is_whole(self, place: Place, type: TensorType) -> bool:
        """Whether it is all of its base, as that lies; the real parts of complex numbers are not."""
        owners = {s.parameter if isinstance(s, Stride) else None for s in place.strides}
        in_order = [s.dimension if isinstance(s, Stride) else None for s in place.strides] == list(range(len(place.strides)))
        known = owners == {place.base} or (not isinstance(place.base, int) and len(owners) == 1 and None not in owners)
        if not place.strides or not in_order or not known or place.offset != 0:
            return False
        owner = cast(int, owners.pop())
        if owner in self.encoded():
            return False
        root = next(v for v, number in self.bases.items() if number == owner)
        of = cast(TensorType, root.type)
        return of.rank == len(place.strides) and of.dtype == type.dtype

    def given(self, stride: Stride) -> Value:
        """The number of a stride: a parameter, or computed for a result."""
        found = self.strides.get(stride)
        if found is not None:
            return found
        root = next(v for v, number in self.bases.items() if number == stride.parameter)
        if stride.parameter >= 0:
            name = f"{self.signature.parameters[stride.parameter].name}.stride({stride.dimension})"
            found = self.function.body().add_argument(INT, f"stride_{stride.parameter}_{stride.dimension}")
            self.parameters.append(Parameter(name, ScalarSpec(INT), stride=(stride.parameter, stride.dimension)))
        else:
            owner = cast(OpResult, root).op
            n = Arithmetic(Builder.after(owner), self.given)
            dtype = cast(TensorType, root.type).dtype
            assert dtype is not None
            found = n.value(n.contiguous(n.sizes(root), dtype.itemsize)[stride.dimension])
        self.strides[stride] = found
        return found

    # places

    def may_be_seen(self, value: Value) -> bool:
        alias = self.aliases.of.get(value)
        return alias is not None and not self.wanted.isdisjoint(storages(alias.storage.atoms))

    def place(self, value: Value) -> Place:
        pending, met = [value], set[Value]()
        while pending:  # not recursive: programs may be long
            at = pending[-1]
            missing = [] if at in self.places or at in met else [v for v in self.sources(at) if v not in self.places]
            met.add(at)
            if missing:
                pending += missing
                continue
            if at not in self.places:
                self.places[at] = self.found(at)
            pending.pop()
        return self.places[value]

    def sources(self, value: Value) -> list[Value]:
        """The tensors of which the place is computed first."""
        op = value.defining_op()
        if op is None or value in self.bases or value in self.held or not self.may_be_seen(value):
            return []
        if op.name == "prim::If":
            index = cast(OpResult, value).index
            return [op.body(i).terminator.operand(index) for i in range(2)]
        if op.name == "prim::Loop":
            return [op.operand(cast(OpResult, value).index + 2)]
        return [op.operand(0)] if op.name == WRITE or is_view_of_tensor(op) else []

    def found(self, value: Value) -> Place:
        rank = cast(TensorType, value.type).rank
        number = self.bases.get(value)
        if number is not None:
            return Place(number, 0, tuple(Stride(number, d) for d in range(rank)))
        if value in self.held:
            n = Arithmetic(Builder.after(cast(OpResult, value).op), self.given)
            return self.in_memory(n, value)
        if not self.may_be_seen(value):
            return new_place(rank)
        op = value.defining_op()
        if op is None:
            loop = cast(BlockArgument, value).block.parent_op
            assert loop is not None
            return self.carried(loop, cast(BlockArgument, value).index - 1) if loop.name == "prim::Loop" else new_place(rank)
        if op.name == WRITE:
            return self.place(op.operand(0))
        index = cast(OpResult, value).index
        if is_view_of_tensor(op):
            source = self.place(op.operand(0))
            n = Arithmetic(Builder.after(op), self.given)
            if source.base == NEW:
                return _place(self.own_place(n, value)) if value in self.hidden else new_place(rank)
            place = place_of_view(n, op, index, source)
            return self.or_own(n, value, place) if op.name in BY_LAYOUT else place
        if op.name == "prim::If":
            return self.merged(op, index)
        if op.name == "prim::Loop":
            return self.after_loop(op, index)
        if value in self.hidden:
            return _place(self.own_place(Arithmetic(Builder.after(op), self.given), value))
        return new_place(rank)

    def own_place(self, n: Arithmetic, value: Value, base: Number | None = None) -> list[Number]:
        """Of a new tensor, as it lies."""
        dtype = cast(TensorType, value.type).dtype
        assert dtype is not None
        return [self.hidden_base(n, value) if base is None else base, 0, *n.contiguous(n.sizes(value), dtype.itemsize)]

    def hidden_base(self, n: Arithmetic, value: Value) -> Number:
        """A number that no other tensor has, nor one made in another iteration: odd, so that it is that of no cell in memory."""
        counts = [op.body().args[0] for op in enclosing(cast(OpResult, value).op) if op.name == "prim::Loop"]
        made: Number = 0
        is_known: Flag = True
        for i, count in enumerate(counts):  # paired as Cantor does, so that no loop needs to know how often another one runs
            total = n.add(made, count)
            if i:
                is_known = n.both(is_known, n.below(total, _MOST_PAIRED))
                total = n.add(n.floordiv(n.mul(total, n.add(total, 1)), 2), count)
            made = total
        number = n.add(n.mul(made, len(self.hidden)), self.hidden[value])
        return n.chosen(is_known, n.sub(FIRST_CELL - 1, n.mul(number, 2)), NEW)

    def or_own(self, n: Arithmetic, value: Value, place: Place) -> Place:
        """Where a result is that may be new, and is the memory of other results then."""
        body = self.function.body()
        returned = body.terminator.operands
        if value not in self.hidden and (place.base == NEW or value not in returned or not _is_there(value, body)):
            return place
        is_new = n.equal(place.base, NEW)
        own = self.own_place(n, value, None if value in self.hidden else -2 - returned.index(value))
        return _place([n.chosen(is_new, a, b) for a, b in zip(own, _parts(place), strict=True)])

    def in_memory(self, n: Arithmetic, value: Value) -> Place:
        """Of a tensor in memory, which knows its place in the copy of an argument: row-major, or as that was given."""
        rank = cast(TensorType, value.type).rank

        def number(name: str, *operands: Value) -> Value:
            return n.b.create(name, operands, (INT,)).result

        steps = [number("aten::stride.int", value, n.value(d)) for d in range(rank)]
        first = number("aten::storage_offset", value)
        own = number("prim::id", value)
        dtype = cast(TensorType, value.type).dtype
        assert dtype is not None
        lies = [n.mul(part, dtype.itemsize) for part in (first, *steps)]
        found = _place([n.sub(FIRST_CELL, own), *lies])
        for argument in self.held[value]:
            sizes = n.sizes(argument)
            number_of = self.bases[argument]
            if number_of >= 0 and is_mirrored(self.signature.parameters[number_of].spec):
                offset, *strides = lies
            else:
                offset = self.lying(n, argument, sizes, first)
                strides = [n.sub(self.lying(n, argument, sizes, n.add(first, step)), offset) for step in steps]
            is_own = n.equal(own, number("prim::id", argument))
            there = _parts(Place(self.bases[argument], offset, tuple(strides)))
            found = _place([n.chosen(is_own, a, b) for a, b in zip(there, _parts(found), strict=True)])
        return found

    def lying(self, n: Arithmetic, argument: Value, sizes: Sequence[Number], at: Number) -> Number:
        """Where the element of an argument lies that has this number in row-major order."""
        found: Number = 0
        for d in reversed(range(len(sizes))):
            digit = n.mod(at, n.most(sizes[d], 1)) if d else at
            found = n.add(found, n.mul(digit, n.value(Stride(self.bases[argument], d))))
            at = n.floordiv(at, n.most(sizes[d], 1))
        return found

    # conditions

    def merged(self, op: Operation, index: int) -> Place:
        bodies = [op.body(i) for i in range(2)]
        sides = [self.place(b.terminator.operand(index)) for b in bodies]
        if all(side.base == NEW for side in sides):
            return sides[0]
        parts: list[Number] = []
        for k, pair in enumerate(zip(*map(_parts, sides), strict=True)):
            known = [n for n, side in zip(pair, sides, strict=True) if k == _BASE or side.base != NEW]
            if all(same_number(n, known[0]) for n in known) and _is_outside(known[0], op):
                parts.append(known[0])
                continue
            values: list[Value] = []
            for number, body in zip(pair, bodies, strict=True):
                values.append(Arithmetic(Builder.before(body.terminator), self.given).value(number))
            parts.append(self.handed_on(op, (index, k), values))
        return _place(parts)

    def handed_on(self, op: Operation, part: tuple[int, int], values: Sequence[Value]) -> Value:
        """A further result of an `If`."""
        at = self.positions.get((op, *part))
        for i, value in enumerate(values):
            terminator = op.body(i).terminator
            if at is None:
                terminator.set_operands([*terminator.operands, value])
            else:
                terminator.set_operand(at, value)
        if at is None:
            at = self.positions[op, *part] = len(op.results)
            op.results.append(OpResult(op, at, INT))
        return op.results[at]

    # loops

    def after_loop(self, op: Operation, index: int) -> Place:
        if self.may_be_seen(op.body().terminator.operand(index + 1)):
            self.carried(op, index)
            return self.places[op.results[index]]
        initial = self.place(op.operand(index + 2))
        n = Arithmetic(Builder.after(op), self.given)
        count, condition = (_known(op.operand(i)) for i in range(2))
        entered = n.both(n.below(0, cast(Number, count)), cast("bool | Value", condition))
        base = n.chosen(entered, NEW, initial.base)
        return new_place(len(initial.strides)) if base == NEW else replace(initial, base=base)

    def carried(self, op: Operation, index: int) -> Place:
        """The place of a carried tensor at the start of an iteration; notes that after the loop, too."""
        body = op.body()
        loop = self.loops.setdefault(op, _Loop())
        loop.numbers[index] = None
        if loop.is_running:  # another one depends on it
            loop.is_changed = True
            self.start(op, loop, index)
            return self.at_start(op, loop, index)
        loop.is_running, loop.is_changed = True, True
        loop.fixed.clear()
        before = self.places
        while loop.is_changed:
            loop.is_changed = False
            self.places = before
            for k in loop.numbers:
                self.start(op, loop, k)
            before = dict(self.places)
            for k in loop.numbers:
                self.places[body.args[k + 1]] = self.at_start(op, loop, k)
            for k in list(loop.numbers):
                self.compare(op, loop, k, self.place(body.terminator.operand(k + 1)))
        loop.is_running = False
        self.finish(op, loop)
        return self.places[body.args[index + 1]]

    def start(self, op: Operation, loop: _Loop, k: int) -> None:
        initial = self.place(op.operand(k + 2))
        for c, number in enumerate(_parts(initial)):
            if c == _BASE or initial.base != NEW:
                loop.fixed.setdefault((k, c), number)

    def at_start(self, op: Operation, loop: _Loop, k: int) -> Place:
        rank = cast(TensorType, op.results[k].type).rank
        return _place([loop.carried.get((k, c), loop.fixed.get((k, c), 0)) for c in range(rank + 2)])

    def compare(self, op: Operation, loop: _Loop, k: int, after: Place) -> None:
        """What an iteration leaves, with what it starts from."""
        for c, number in enumerate(_parts(after)):
            if (k, c) in loop.carried or (c != _BASE and after.base == NEW):
                continue
            if (k, c) in loop.fixed and same_number(loop.fixed[k, c], number):
                continue
            loop.is_changed = True
            if (k, c) not in loop.fixed and _is_outside(number, op):
                loop.fixed[k, c] = number
            else:
                loop.carried[k, c] = op.body().add_argument(INT)

    def finish(self, op: Operation, loop: _Loop) -> None:
        body = op.body()
        ahead, inside = Builder.before(op), Builder.before(body.terminator)
        for (k, c), argument in loop.carried.items():
            first = Arithmetic(ahead, self.given).value(_parts(self.places[op.operand(k + 2)])[c])
            last = Arithmetic(inside, self.given).value(_parts(self.places[body.terminator.operand(k + 1)])[c])
            if argument.index <= len(op.results):
                op.set_operand(argument.index + 1, first)
                body.terminator.set_operand(argument.index, last)
                continue
            op.set_operands([*op.operands, first])
            body.terminator.set_operands([*body.terminator.operands, last])
            op.results.append(OpResult(op, len(op.results), INT))
        for k in loop.numbers:
            parts = _parts(self.places[body.args[k + 1]])
            after = {c: op.results[argument.index - 1] for (own, c), argument in loop.carried.items() if own == k}
            self.places[op.results[k]] = _place([after.get(c, n) for c, n in enumerate(parts)])


_MOST_PAIRED: Final = 1 << 25
"""Counts up to this make pairs below 2^50, which many tensors may share."""


def _is_there(root: Value, body: Block) -> bool:
    """Whether a tensor is there at the end of the function."""
    return isinstance(root.owner, Operation) and root.owner.parent is body


def _is_counted(op: Operation) -> bool:
    """Whether it is known how often the operator has run before."""
    return all(parent.name in ("prim::If", "prim::Loop") for parent in enclosing(op))


def _is_taken_out(value: Value) -> bool:
    """Whether a tensor comes out of what is made at run time."""
    op = value.defining_op()
    return op is not None and any(is_run_time_list(v) or isinstance(v.type, TupleType) for v in op.operands)


def _tensor_constants(function: Operation) -> list[OpResult]:
    return [op.result for op in function.walk() if op.name == "prim::Constant" and is_tensor(op.result)]


def _wait(taken: Operation) -> Operation | None:
    """What waits for the future that a tensor comes out of."""
    while taken.name in ("prim::TupleUnpack", "prim::TupleIndex"):
        made = taken.operand(0).defining_op()
        if made is None:
            return None
        taken = made
    return taken if taken.name == "aten::wait" else None


def _known(value: Value) -> object:
    op = value.defining_op("prim::Constant")
    return value if op is None else op.attributes.get("value")


def _is_outside(number: Number, op: Operation) -> bool:
    """Whether the number is there before `op`."""
    return not isinstance(number, Value) or not is_defined_in(number, op)
