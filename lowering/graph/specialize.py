"""Partial evaluation of a program for given arguments: the first pass of lowering.

In: a `Program` (functions as the frontend wrote them, with calls, objects, lists, strings) and an `ArgumentSpec` for
each parameter. Out: a module with one flat `torch.func` in which every tensor has a known dtype and rank and only
primitive operators, numbers and residual control flow are left, and its `Signature`. Writes to tensors are left as
`aten::copy_`. Attributes of the module that are declared as state are parameters, their new values results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Final, cast

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.class_groups import leads_to_itself
from ...ir.columns import vectors
from ...ir.core import Block, BlockArgument, Operation, Value, lookup, new_module
from ...ir.diagnostics import CompileError, Diagnostic, InternalError, NotStatic
from ...ir.dialects import torch
from ...ir.places import Places, identity
from ...ir.program import Program, StateNeeded
from ...ir.script_types import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    STR,
    ClassType,
    DictType,
    EnumType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TensorType,
    TupleType,
)
from ...ir.signature import (
    ArgumentSpec,
    Column,
    ColumnsArgument,
    ColumnsSpec,
    ConstantResult,
    ConstantSpec,
    DictColumn,
    DictResult,
    DictSpec,
    Dim,
    EnumColumn,
    EnumResult,
    InstanceSpec,
    KeptResult,
    Leaf,
    ListColumn,
    ListResult,
    ObjectColumn,
    ObjectResult,
    ObjectSpec,
    OptionalColumn,
    Parameter,
    PartSpec,
    Pool,
    PoolsColumn,
    ResultTree,
    SameSpec,
    ScalarSpec,
    SequenceResult,
    SequenceSpec,
    Signature,
    StateResult,
    StateSpec,
    StringColumn,
    StringResult,
    TableResult,
    TensorColumn,
    TensorSpec,
    TupleColumn,
    UnionColumn,
    ValueResult,
    VariantResult,
    has_columns,
)
from . import calls, run_time_arguments, run_time_columns, run_time_strings, run_time_values
from .branches import fork
from .evaluator import Composite, Evaluator
from .forks import Forks, forked_functions
from .laid_results import noted
from .result_views import steps_between
from .survey import Surveyor, surveyed
from .unrolling import Unrolling
from .values import (
    Abstract,
    Complex,
    Contents,
    Diverged,
    Enumerator,
    Function,
    Known,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Uninitialized,
    Variant,
    VariantContents,
    describe,
    named_anew,
    same,
    type_of,
)

MAX_RETYPES: Final = 32
"""Attempts with ever more known of what lists, dicts and objects hold."""


def specialize(
    program: Program,
    arguments: Sequence[ArgumentSpec],
    composite: Composite = lambda name: None,
    name: str | None = None,
    state: Sequence[StateSpec] = (),
    *,
    generous_lists: bool = False,
    forks: bool = True,
) -> tuple[Operation, Signature]:
    """The entry of `program` for these arguments, as function `name` (the entry's own name unless given).

    Parameters without a spec take their defaults. `composite` gives the function that defines a composite operator.
    `state` declares attributes of the receiver that the program changes; StateNeeded where it changes others.
    `generous_lists`: tensors in lists of run-time length are of any extents, also where the first ones are all alike.
    `forks`: what is forked may run on other threads, as functions of its own that follow the entry.
    """
    hints: dict[Any, Any] = {}
    attempts = 0
    unrolling = Unrolling()
    forked = Forks(forks)
    while True:
        try:
            return _specialized(program, arguments, composite, name, state, generous_lists, hints, forked, unrolling)
        except run_time_values.Retype as found:
            attempts += 1
            if attempts > MAX_RETYPES:
                raise
            hints[found.key] = found.type
        except StateNeeded:
            raise
        except CompileError:
            if unrolling.was_cut:
                unrolling, hints, attempts = Unrolling(is_limited=False), {}, 0
                continue
            again = forked.without()
            if again is None:
                raise
            forked, hints, attempts = again, {}, 0


def _specialized(
    program: Program,
    arguments: Sequence[ArgumentSpec],
    composite: Composite,
    name: str | None,
    state: Sequence[StateSpec],
    generous_lists: bool,
    hints: Mapping[Any, ScriptType],
    forks: Forks,
    unrolling: Unrolling,
) -> tuple[Operation, Signature]:
    function = lookup(program.module, program.entry)
    if function is None:
        raise InternalError(f"the program has no function {program.entry}")
    title = name if name is not None else program.entry
    evaluator = Evaluator(
        Builder(Block()), composite, generous_lists=generous_lists, hints=hints, forks=forks, unrolling=unrolling
    )
    entry = _Entry(function, evaluator)
    try:
        values = entry.receive(program, arguments, state)
        try:
            result = entry.evaluator.call(function, values)
        except Diverged:
            tree, after = ConstantResult(None), ()
        else:
            tree, after = entry.flatten(result), entry.state_results()
    except CompileError as error:
        if isinstance(error, run_time_values.ElementMismatch) and not generous_lists:
            return _specialized(program, arguments, composite, name, state, True, hints, forks, unrolling)
        if isinstance(error, run_time_values.Retype):
            raise
        entry.check_state()  # the error may come from taking for a constant what is none
        if has_columns(arguments) or (isinstance(error, NotStatic) and entry.evaluator.takes_numbers):
            raise  # the caller may try again with constants
        raise type(error)(_all_faults(error, program, function, composite, arguments, state)) from None
    entry.check_state()
    return entry.finish(title, tree, after)


def _all_faults(
    first: CompileError,
    program: Program,
    function: Operation,
    composite: Composite,
    arguments: Sequence[ArgumentSpec],
    state: Sequence[StateSpec],
) -> list[Diagnostic]:
    """The error that was met, and all others that do not follow from it."""
    surveyor = Surveyor(Builder(Block()), composite)
    entry = _Entry(function, surveyor)
    found = surveyed(surveyor, lambda: surveyor.call(function, entry.receive(program, arguments, state)))
    seen = {(d.message, d.span) for d in first.diagnostics}
    return [*first.diagnostics, *(d for d in found if (d.message, d.span) not in seen)]


def contents_of(contents: Contents | VariantContents | RunTimeOnly | None) -> list[Abstract]:
    """All values in a list or dict, whichever of several it is."""
    match contents:
        case VariantContents():
            return [*contents_of(contents.then), *contents_of(contents.otherwise)]
        case None | RunTimeOnly():
            return []
        case _:
            return list(contents.values())


def _with_leaves(tree: Any, leaves: Sequence[Leaf]) -> Any:
    """The tree with `leaves[i]` in place of every leaf of number i."""
    match tree:
        case Leaf(index):
            return leaves[index]
        case tuple():
            return tuple(_with_leaves(t, leaves) for t in cast("tuple[Any, ...]", tree))
        case _ if is_dataclass(tree) and not isinstance(tree, ScriptType | type):
            changed = {f.name: _with_leaves(getattr(tree, f.name), leaves) for f in fields(tree)}
            return replace(tree, **changed)
        case _:
            return tree


def tensor_type_of(spec: TensorSpec) -> TensorType:
    return TensorType(spec.dtype, tuple(None if isinstance(d, Dim) else d for d in spec.shape))


_KEYS: Final[dict[type, ScriptType]] = {bool: BOOL, int: INT, float: FLOAT, str: STR}


@dataclass
class _Entry:
    """The boundary: arguments taken apart, results put in order."""

    function: Operation
    evaluator: Evaluator
    parameters: list[Parameter] = field(default_factory=list[Parameter])
    results: list[Value] = field(default_factory=list[Value])
    columns: list[ColumnsArgument] = field(default_factory=list[ColumnsArgument])
    _dims: dict[str, tuple[Value, int]] = field(default_factory=dict[str, tuple[Value, int]])

    _slots: list[tuple[str, ScriptObject, str]] = field(default_factory=list[Any])
    """Attributes declared as state: path, owner, name."""
    _numbered: list[tuple[Abstract, str, str]] = field(default_factory=list[Any])
    """What `SameSpec` refers to: the value, its path, and the path of the attribute."""
    _tensors: list[Tensor] = field(default_factory=list[Tensor])
    """The tensors among the arguments, in order: what `SameSpec` refers to there."""
    _wholes: dict[tuple[bool, int], Tensor] = field(default_factory=dict[tuple[bool, int], Tensor])
    """Memory that several arguments, or attributes, lie in: what `PartSpec` refers to."""
    _in_whole: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    """The attributes that lie in a piece of memory: who needs one needs all."""
    _same: dict[str, set[str]] = field(default_factory=dict[str, Any])
    """For an attribute the others in which what it holds stood first."""
    _before: dict[Ref, Contents] = field(default_factory=dict[Ref, Any])
    """Lists and dicts of the state as they are given."""
    _places: Places | None = None
    _keeping: bool = False
    """Whether what is flattened is kept in the module."""
    _new: dict[Ref, str] = field(default_factory=dict[Ref, str])
    _taken_apart: dict[Ref, int] = field(default_factory=dict[Ref, int])
    """What is made at run time and kept, and how often it has been taken apart again."""
    _seen: Value | None = None
    """A dict of all that is made at run time and kept in the module, by `prim::id`."""
    _inside: list[Ref] = field(default_factory=list[Ref])
    """Objects, and what holds them, that are being looked at."""

    @property
    def block(self) -> Block:
        return self.evaluator.b.block

    # arguments

    def receive(
        self, program: Program, arguments: Sequence[ArgumentSpec], state: Sequence[StateSpec]
    ) -> list[Abstract]:
        formal = program.schema.arguments
        if len(arguments) > len(formal):
            raise CompileError.at(
                self.function.span, f"{program.schema.base}() takes {len(formal)} arguments, {len(arguments)} are given"
            )
        values: list[Abstract] = []
        numbers = any(isinstance(spec, ScalarSpec) for spec in arguments)
        self.evaluator.takes_numbers = numbers or has_columns(arguments)
        for i, parameter in enumerate(formal):
            if i < len(arguments):
                spec = arguments[i]
            elif parameter.has_default:
                spec = ConstantSpec(parameter.default)
            else:
                raise CompileError.at(
                    self.function.span,
                    f"argument '{parameter.name}' of {program.schema.base}() is not given",
                    help=f"say what it is, as in --input {parameter.name}=f32[2,3]",
                )
            values.append(self._argument(parameter.name, spec, parameter.type))
        if program.receiver is not None:
            self._places = Places(program.receiver)
            self._declare(self._places, state)
            values.insert(0, self.evaluator.import_value(program.receiver))
        return values

    def _argument(self, name: str, spec: ArgumentSpec, formal: ScriptType) -> Abstract:
        declared = formal.element if isinstance(formal, OptionalType) else formal
        match spec:
            case TensorSpec():
                value = self.block.add_argument(tensor_type_of(spec), name)
                self.parameters.append(Parameter(name, spec))
                self._note_dims(value, spec)
                self.evaluator.looks[value] = {value}
                self.evaluator.layouts.argument(value, spec.strides)
                self._tensors.append(Tensor(value))
                return self._tensors[-1]
            case ScalarSpec():
                if spec.type not in (INT, FLOAT, BOOL):
                    raise CompileError.at(
                        self.function.span, f"argument '{name}': {describe(spec.type)} cannot be given at run time"
                    )
                value = self.block.add_argument(spec.type, name)
                self.parameters.append(Parameter(name, spec))
                return Scalar(value)
            case ConstantSpec():
                value = spec.value
                if isinstance(declared, ListType) and isinstance(value, tuple):
                    value = list(cast("tuple[object, ...]", value))
                if declared == FLOAT and isinstance(value, int):
                    value = float(value)
                return named_anew(self.evaluator.import_value(value, declared))
            case SequenceSpec():
                return self._sequence(name, spec, declared)
            case DictSpec():
                if isinstance(declared, DictType) and isinstance(declared.key, TensorType):
                    raise CompileError.at(
                        self.function.span, f"argument '{name}': a dict with tensors for keys is not supported", help="use ints, floats, bools or strings"
                    )
                of_value = declared.value if isinstance(declared, DictType) else TensorType()
                pairs = zip(spec.keys, spec.values, strict=True)
                table = {k: self._argument(f"{name}[{k!r}]", v, of_value) for k, v in pairs}
                if isinstance(declared, DictType):
                    return self.evaluator.new_ref("dict", declared, table)
                key = next((_KEYS[type(k)] for k in spec.keys), STR)
                return self.evaluator.new_ref("dict", DictType(key, self.evaluator.common_type(list(table.values()))), table)
            case ColumnsSpec(type_):
                return self._columns(name, type_)
            case SameSpec(index):
                return self._tensors[index]
            case PartSpec():
                return self._part(name, spec)
            case InstanceSpec(of, inner):
                pairs = zip(of.attributes.items(), inner, strict=True)
                held = {a: self._argument(f"{name}.{a}", s, t) for (a, t), s in pairs}
                return self.evaluator.new_ref("object", of, held)
            case ObjectSpec():
                raise InternalError(f"argument '{name}' is specified as state")

    def _part(self, name: str, spec: PartSpec, path: str | None = None) -> Abstract:
        """A tensor in memory that several arguments, or attributes (`path`), lie in, which is one parameter."""
        key = path is not None, spec.whole
        if spec.length is not None:
            memory = TensorSpec(spec.dtype, (spec.length,))
            self._wholes[key] = cast(Tensor, self._argument(name, memory, TensorType()))
            self._tensors.pop()  # `SameSpec` does not count it
            if path is not None:
                self.parameters[-1] = replace(self.parameters[-1], path=path, part=spec)
        ev = self.evaluator
        ev.place(self.function.span)
        sizes, strides = (ev.new_list([Known(n, INT) for n in numbers], ListType(INT)) for numbers in (spec.shape, spec.strides))
        return calls.single(ev, "aten::as_strided", [self._wholes[key], sizes, strides, Known(spec.offset, INT)])

    def _columns(self, name: str, t: ScriptType, path: str | None = None) -> Abstract:
        """`path`: where it stands, if it is state."""
        self.columns.append(ColumnsArgument(name, t, len(self.parameters), path))
        specs = [(v.name, TensorSpec(v.dtype, (Dim(v.length),))) for v in vectors(t, name)]
        given = [cast(Tensor, self._argument(n, spec, TensorType())) for n, spec in specs]
        first = len(self.parameters) - len(given)
        self.parameters[first:] = [replace(p, path=path) for p in self.parameters[first:]]
        self.evaluator.place(self.function.span)
        return run_time_arguments.received(self.evaluator, given, t, name)

    def _note_dims(self, value: Value, spec: TensorSpec) -> None:
        """Extents of one name are taken from the first parameter that has it."""
        for i, dim in enumerate(spec.shape):
            if isinstance(dim, Dim):
                first = self._dims.setdefault(dim.name, (value, i))
                self.evaluator.equal_dims[value, i] = first

    def _sequence(self, name: str, spec: SequenceSpec, declared: ScriptType) -> Abstract:
        elements: list[Abstract] = []
        for i, element in enumerate(spec.elements):
            formal = declared.element if isinstance(declared, ListType) else None
            if isinstance(declared, TupleType) and i < len(declared.elements):
                formal = declared.elements[i]
            elements.append(self._argument(f"{name}[{i}]", element, formal or TensorType()))
        if spec.is_tuple and not isinstance(declared, ListType):
            number = declared.element if isinstance(declared, OptionalType) else declared
            return (Complex if spec.is_complex or number == COMPLEX else Tuple)(tuple(elements))
        type_ = declared if isinstance(declared, ListType) else ListType(self.evaluator.common_type(elements))
        return self.evaluator.new_list(elements, type_)

    # state

    def _declare(self, places: Places, state: Sequence[StateSpec]) -> None:
        """Attributes as parameters, before the objects that have them are imported."""
        for declared in state:
            owner, name = places.attributes[declared.path]
            self._slots.append((declared.path, owner, name))
            formal = owner.type.attributes.get(name, ANY)
            value = self._state_value(declared.path, declared.spec, formal, declared.path)
            self.evaluator.state.given[id(owner), name] = value

    def _state_value(self, path: str, spec: ArgumentSpec, formal: ScriptType, slot: str) -> Abstract:
        ev = self.evaluator
        declared = formal.element if isinstance(formal, OptionalType) else formal
        match spec:
            case SameSpec(index):
                value, _, first = self._numbered[index]
                self._same.setdefault(slot, set()).add(first)
                return value
            case ObjectSpec():
                assert self._places is not None
                return ev.object_ref(self._places.values[spec.path])
            case TensorSpec() | ScalarSpec():
                value = self._argument(f"self.{path}", spec, declared)
                self.parameters[-1] = replace(self.parameters[-1], path=path)
                if isinstance(value, Tensor):
                    self._numbered.append((value, path, slot))
                return value
            case ConstantSpec():
                return ev.import_value(spec.value, declared)
            case SequenceSpec() if spec.is_tuple:
                types = declared.elements if isinstance(declared, TupleType) else (ANY,) * len(spec.elements)
                parts = zip(spec.elements, types, strict=True)
                return Tuple(tuple(self._state_value(f"{path}[{i}]", s, t, slot) for i, (s, t) in enumerate(parts)))
            case SequenceSpec():
                of_element = declared.element if isinstance(declared, ListType) else ANY
                return self._state_container(path, dict(enumerate(spec.elements)), declared, of_element, slot)
            case DictSpec():
                of_value = declared.value if isinstance(declared, DictType) else ANY
                entries = dict(zip(spec.keys, spec.values, strict=True))
                return self._state_container(path, entries, declared, of_value, slot)
            case InstanceSpec(of, inner):
                ref = Ref("object", of)
                self._numbered.append((ref, path, slot))
                parts = zip(of.attributes.items(), inner, strict=True)
                contents = {n: self._state_value(f"{path}.{n}", s, t, slot) for (n, t), s in parts}
                ev.heap[ref] = self._before[ref] = contents
                return ref
            case ColumnsSpec(type_):
                number = len(self._numbered)
                value = self._columns(f"self.{path}", type_, path)
                if type_ != STR:  # of which it matters to nobody where else it is
                    self._numbered.insert(number, (value, path, slot))
                return value
            case PartSpec():
                value = self._part(f"self.{path}", spec, path)
                self._numbered.append((value, path, slot))
                slots = self._in_whole.setdefault(spec.whole, set())
                slots.add(slot)
                self._same.update({s: self._same.get(s, set()) | slots for s in slots})
                return value

    def _state_container(
        self, path: str, specs: Mapping[Any, ArgumentSpec], declared: ScriptType, of_value: ScriptType, slot: str
    ) -> Ref:
        ref = Ref("list" if isinstance(declared, ListType) else "dict", declared, site=self.function.span)
        self._numbered.append((ref, path, slot))
        contents = {k: self._state_value(f"{path}[{k!r}]", s, of_value, slot) for k, s in specs.items()}
        self.evaluator.heap[ref] = contents
        self._before[ref] = contents
        return ref

    def check_state(self) -> None:
        """StateNeeded for what was written without being declared."""
        ev = self.evaluator
        tensors: dict[int, Any] = {}
        for key in ev.heap:  # tensors that are looked at in another way now (`unsqueeze_`)
            op = key.defining_op("prim::Constant") if isinstance(key, Value) else None
            constant = op.attributes.get("value") if op is not None else None
            if isinstance(constant, Constant):
                tensors[id(constant.array)] = (constant, ev.span)
        if tensors or ev.state.needed:
            raise StateNeeded(ev.state.needed.values(), tensors)

    def state_results(self) -> tuple[StateResult, ...]:
        """New values of the attributes that are something else now."""
        ev = self.evaluator
        self._keeping = True
        ev.place(self.function.span)
        self._seen = run_time_columns.nothing_seen(ev) if self._slots else None
        found: list[StateResult] = []
        for path, owner, name in self._slots:
            if (id(owner), name) not in ev.state.used:
                continue
            before = cast(Abstract, ev.state.given[id(owner), name])
            after = ev.contents(ev.object_ref(owner))[name]
            if not same(before, after) or not self._is_unchanged(after):
                found.append(StateResult(path, self.flatten(after)))
        self._keeping = False
        return tuple(found)

    def _is_unchanged(self, value: Abstract) -> bool:
        """Whether it holds what it held before the call, if it was there."""
        match value:
            case Ref():
                contents = self._before.get(value)
                if value.is_outer:
                    return True
                unchanged = contents is not None and self.evaluator.heap.get(value) is contents
                return unchanged and all(map(self._is_unchanged, cast(Contents, contents).values()))
            case Tuple():
                return all(map(self._is_unchanged, value.elements))
            case Tensor():
                return self.evaluator.current(value) is value
            case _:
                return True

    def _kept(self, value: Abstract) -> KeptResult | None:
        """What was in the module before the call, and is still the same."""
        places, path = self._places, None
        assert places is not None
        match value:
            case Tensor() if self.evaluator.current(value) is value:
                argument, op = value.value, value.value.defining_op("prim::Constant")
                constant = op.attributes.get("value") if op is not None else None
                if isinstance(argument, BlockArgument) and argument.block is self.block:
                    path = self.parameters[argument.index].path
                elif isinstance(constant, Constant):
                    path = places.paths.get(identity(constant))
            case Ref() if value.is_outer:
                owner = self.evaluator.state.owners.get(value)
                original = owner if owner is not None else self.evaluator.container(value)
                path = places.paths.get(id(original))
            case Ref() if self._is_unchanged(value):
                path = self._path_before(value)
            case _:
                pass
        return None if path is None else KeptResult(path)

    def _path_before(self, ref: Ref) -> str | None:
        return next((path for value, path, _ in self._numbered if value is ref), None)

    def _identity(self, ref: Ref) -> str | None:
        if not self._keeping:
            return None
        return self._path_before(ref) or self._new.setdefault(ref, f"#{len(self._new)}")

    # results

    def flatten(self, value: Abstract) -> ResultTree:
        ev = self.evaluator
        kept = self._kept(value) if self._keeping else None
        if kept is not None:
            return kept
        match value:
            case Tensor():
                return self._leaf(ev.current(value).value)
            case Scalar() if type_of(value) == STR:
                ev.place(self.function.span)
                return StringResult(self._leaf(run_time_strings.to_bytes(ev, value).value))
            case Scalar() if isinstance(of := type_of(value), EnumType):
                ev.place(self.function.span)
                return EnumResult(of, self._leaf(run_time_columns.enum_number(ev, value.value)))
            case Scalar():
                return self._leaf(value.value)
            case Known():
                return ConstantResult(value.value)
            case Complex():
                return SequenceResult(tuple(self.flatten(e) for e in value.elements), True, is_complex=True)
            case Tuple():
                return SequenceResult(tuple(self.flatten(e) for e in value.elements), True)
            case Variant():
                sides = (lambda: self.flatten(value.then)), (lambda: self.flatten(value.otherwise))
                return self._one_of(value.selector, self._is_made(value), *sides)
            case Ref() if run_time_values.handle(ev, value) is not None:
                return self._run_time_list(value)
            case Ref() if value.kind == "list":
                return self._list(ev.heap[value], self._identity(value))
            case Ref() if value.kind == "dict":
                return self._dict(ev.heap[value], self._identity(value))
            case Ref() if isinstance(value.type, ClassType) and not value.type.is_module:
                return self._object(value, value.type)
            case Enumerator():
                return ConstantResult(value.member)
            case Uninitialized():
                return ConstantResult(None)
            case RunTimeOnly():
                raise ev.use_error(value)
            case Text():
                ev.place(self.function.span)
                raise ev.not_static("the text that is returned")
            case Ref() | Function():
                raise CompileError.at(
                    self.function.span,
                    f"{describe(type_of(value))} cannot be returned from compiled code",
                    help="return tensors, numbers, lists or tuples",
                )

    def _object(self, ref: Ref, of: ClassType) -> ResultTree:
        """An object that is not made at run time; one that may lead to itself is, so that it is found where it does."""
        ev = self.evaluator
        if leads_to_itself(of) or ref in self._inside:
            ev.place(self.function.span)
            try:
                ev.promote(ref)
            except run_time_values.ElementMismatch:
                raise run_time_values.retyped(ev, ref, ev.contents_type(ref)) from None
            return self._run_time_list(ref)
        self._inside.append(ref)
        try:
            return self._attributes(ev.heap[ref], of, self._identity(ref))
        finally:
            self._inside.pop()

    def _attributes(self, contents: Contents | VariantContents | RunTimeOnly, of: ClassType, identity: str | None) -> ResultTree:
        match contents:
            case VariantContents():
                then, otherwise = contents.then, contents.otherwise
                sides = (lambda: self._attributes(then, of, identity)), (lambda: self._attributes(otherwise, of, identity))
                return self._one_of(contents.selector, any(map(self._is_made, contents_of(contents))), *sides)
            case RunTimeOnly():
                self.evaluator.place(self.function.span)
                raise self.evaluator.use_error(contents)
            case _:
                names = tuple(n for n in of.attributes if n in contents)
                return ObjectResult(of, names, tuple(self.flatten(contents[n]) for n in names), identity)

    def _one_of(
        self, selector: Value, is_made: bool, then: Callable[[], ResultTree], otherwise: Callable[[], ResultTree]
    ) -> ResultTree:
        """The result of one of two structures. `is_made`: what is made at run time is in them."""
        sides = self._sides(selector, then, otherwise) if is_made else [then(), otherwise()]
        return VariantResult(self._leaf(selector), *sides)

    def _sides(
        self, selector: Value, then: Callable[[], ResultTree], otherwise: Callable[[], ResultTree]
    ) -> list[ResultTree]:
        """Lists and the like made at run time are there, and taken apart, only where they are what is returned."""
        outer = self.results
        trees: list[ResultTree] = []
        parts: list[list[Abstract]] = []
        counts: list[int] = []

        def side(flattened: Callable[[], ResultTree]) -> list[Abstract]:
            self.results = []
            trees.append(flattened())
            own: list[Abstract] = [Tensor(v) if isinstance(v.type, TensorType) else Scalar(v) for v in self.results]
            counts.append(len(own))
            blank: list[Abstract] = [Uninitialized(type_of(v)) for v in own]
            for before in parts:
                own[:0] = [Uninitialized(type_of(v)) for v in before]
                before += blank
            parts.append(own)
            return own

        try:
            merged = fork(self.evaluator, Scalar(selector), lambda: side(then), lambda: side(otherwise))
        finally:
            self.results = outer
        count = counts[0]
        leaves = [self._leaf(self.evaluator.materialise(v)) for v in merged]
        return [_with_leaves(trees[0], leaves[:count]), _with_leaves(trees[1], leaves[count:])]

    def _is_made(self, value: Abstract) -> bool:
        """Whether there are lists, dicts, strings and the like made at run time in it."""
        match value:
            case Scalar():
                return type_of(value) == STR or isinstance(type_of(value), EnumType)
            case Ref():
                if run_time_values.handle(self.evaluator, value) is not None:
                    return True
                if value.kind == "object" and (leads_to_itself(value.type) or value in self._inside):
                    return True
                contents = self.evaluator.heap.get(value)
                self._inside.append(value)
                try:
                    return any(map(self._is_made, contents_of(contents)))
                finally:
                    self._inside.pop()
            case Tuple():
                return any(map(self._is_made, value.elements))
            case Variant():
                return self._is_made(value.then) or self._is_made(value.otherwise)
            case _:
                return False

    def _run_time_list(self, ref: Ref) -> ResultTree:
        ev = self.evaluator
        ev.place(self.function.span)
        found = run_time_values.handle(ev, ref)
        assert found is not None
        seen = None
        if self._keeping:
            times = self._taken_apart[ref] = self._taken_apart.get(ref, -1) + 1
            assert self._seen is not None
            seen = run_time_columns.Seen(self._seen, list(self._taken_apart).index(ref), times)
            if not isinstance(found.type, InstanceType):  # which its pool notes
                run_time_columns.keep(ev, found, seen, whole=True)
        if isinstance(found.type, DictType):
            length, keys, values = run_time_columns.dict_columns(ev, found, seen)
            return TableResult(self._leaf(length), self._column(keys), self._column(values), self._identity(ref))
        if isinstance(found.type, InstanceType):
            return ValueResult(self._column(run_time_columns.object_columns(ev, found, seen)), self._identity(ref))
        length, columns = run_time_columns.columns(ev, found, seen)
        return ListResult(self._leaf(length), self._column(columns), self._identity(ref))

    def _column(self, column: run_time_columns.Columns) -> Column:
        match column:
            case Value():
                return self._leaf(column)
            case tuple():
                return TupleColumn(tuple(self._column(c) for c in column))
            case run_time_columns.OfComplex(re, im):
                return TupleColumn((self._leaf(re), self._leaf(im)), is_complex=True)
            case run_time_columns.OfLists(lengths, elements):
                return ListColumn(self._leaf(lengths), self._column(elements))
            case run_time_columns.OfDicts(lengths, keys, values):
                return DictColumn(self._leaf(lengths), self._column(keys), self._column(values))
            case run_time_columns.OfStrings(lengths, data):
                return StringColumn(self._leaf(lengths), self._leaf(data))
            case run_time_columns.OfUnions(tags, members):
                columns = tuple(None if m is None else self._column(m) for m in members)
                return UnionColumn(self._leaf(tags), columns)
            case run_time_columns.OfOptionals(present, values):
                return OptionalColumn(self._leaf(present), self._column(values))
            case run_time_columns.OfEnums(numbers, of):
                return EnumColumn(self._leaf(numbers), of)
            case run_time_columns.OfObjects(numbers, pool):
                return ObjectColumn(self._leaf(numbers), pool)
            case run_time_columns.OfPools(pools, elements):
                made = (Pool(of, self._leaf(count), tuple(map(self._column, parts))) for of, count, parts in pools)
                return PoolsColumn(tuple(made), self._column(elements))
            case run_time_columns.OfTensors(elements, extents, rank):
                return TensorColumn(self._leaf(elements), self._leaf(extents), rank)

    def _list(self, contents: Contents | VariantContents | RunTimeOnly, identity: str | None) -> ResultTree:
        match contents:
            case VariantContents():
                then, otherwise = contents.then, contents.otherwise
                sides = (lambda: self._list(then, identity)), (lambda: self._list(otherwise, identity))
                return self._one_of(contents.selector, any(map(self._is_made, contents_of(contents))), *sides)
            case RunTimeOnly():
                self.evaluator.place(self.function.span)
                raise self.evaluator.use_error(contents)
            case _:
                return SequenceResult(tuple(self.flatten(e) for e in contents.values()), False, identity)

    def _dict(self, contents: Contents | VariantContents | RunTimeOnly, identity: str | None) -> ResultTree:
        match contents:
            case VariantContents():
                then, otherwise = contents.then, contents.otherwise
                sides = (lambda: self._dict(then, identity)), (lambda: self._dict(otherwise, identity))
                return self._one_of(contents.selector, any(map(self._is_made, contents_of(contents))), *sides)
            case RunTimeOnly():
                self.evaluator.place(self.function.span)
                raise self.evaluator.use_error(contents)
            case _:
                return DictResult(tuple(contents), tuple(self.flatten(v) for v in contents.values()), identity)

    def _leaf(self, value: Value) -> Leaf:
        if value not in self.results:
            self.results.append(value)
        return Leaf(self.results.index(value), cast(ScriptType, value.type))

    def _used(self) -> tuple[str, ...]:
        """Attributes that the program needs to be given; parameters of others are dropped."""
        used = {path for path, owner, name in self._slots if (id(owner), name) in self.evaluator.state.used}
        for whole in self._wholes.values():
            for part in list(whole.value.users):
                if part.name == "aten::as_strided" and not part.result.uses:
                    part.erase()
        pending = list(used)
        while pending:
            more = self._same.get(pending.pop(), set()) - used
            used |= more
            pending += more
        for i in reversed(range(len(self.parameters))):
            path = self.parameters[i].path
            if path is None:
                continue
            slot = next(s for s, _, _ in self._slots if path == s or path.startswith((f"{s}[", f"{s}.")))
            if slot in used or self.block.args[i].uses:
                used.add(slot)
            else:
                self.block.erase_argument(i)
                del self.parameters[i]
                self.columns = [replace(c, first=c.first - (c.first > i)) for c in self.columns]
        return tuple(path for path, _, _ in self._slots if path in used)

    def _note_layouts(self) -> None:
        """Parameters by whose strides something was decided, and those that the caller sees in another shape now."""
        ev = self.evaluator
        numbers: dict[Value, int] = {a: i for i, a in enumerate(self.block.args) if not isinstance(a.type, TensorType)}
        writes = bool(ev.layouts.sharing) and any(o.name == "aten::copy_" for op in self.block.operations() for o in op.walk())
        static = {a for a, p in zip(self.block.args, self.parameters) if None not in getattr(a.type, "shape", ()) and p.path is None}
        ev.layouts.asked |= static & ev.layouts.returned_copies(self.results)
        ev.layouts.asked |= ev.layouts.arguments_behind(*ev.layouts.questions)
        for i, (argument, parameter) in enumerate(zip(self.block.args, self.parameters, strict=True)):
            is_given = parameter.path is None  # what a module holds lies as it was made
            if (argument in ev.layouts.asked and is_given) or (argument in ev.layouts.sharing and writes):
                self.parameters[i] = replace(parameter, by_layout=True)
            if parameter.path is not None or argument not in ev.heap:
                continue
            contents = ev.heap[argument]
            now = contents.get(0) if isinstance(contents, Mapping) else None
            looks = steps_between(argument, now.value, numbers) if isinstance(now, Tensor) else None
            if looks is None:
                message = f"the shape that `{parameter.name}` has after the call is only known at run time"
                raise CompileError.at(self.function.span, message, help="give a new tensor back: unsqueeze, not unsqueeze_")
            self.parameters[i] = replace(self.parameters[i], looks=looks)

    def finish(self, name: str, tree: ResultTree, state: tuple[StateResult, ...]) -> tuple[Operation, Signature]:
        ev = self.evaluator
        torch.return_(ev.b, self.results)
        used = self._used()
        for op in reversed(ev.pool.operations):
            if op.result.uses:
                self.block.insert_before(op, self.block.first)
        module = new_module()
        function = torch.func(module, name, [p.name for p in self.parameters], [])
        function.span = self.function.span
        function.regions[0].blocks.clear()
        function.regions[0].add_block(self.block)
        for forked in forked_functions(function, ev.forks.made):
            module.body().append(forked)
        self._note_layouts()
        types = tuple(cast(ScriptType, v.type) for v in self.results)
        prints = any(op.name == "prim::Print" for op in module.walk())
        columns, laid = tuple(self.columns), noted(ev.layouts, self.results)
        return module, Signature(name, tuple(self.parameters), types, tree, state, used, columns=columns, prints=prints, laid=laid)
