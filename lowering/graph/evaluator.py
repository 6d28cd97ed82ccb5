"""The walk over a program that partial evaluation is: blocks, calls and `prim::` nodes.

In: functions of the `torch` stage as the frontend wrote them, and abstract arguments. Out: abstract results, and
through `Evaluator.b` the operations that are left to be done at run time. Operators are in `calls.py`, lists, dicts
and strings in `containers.py`, `If` in `branches.py`, `Loop` in `loops.py`, what a run-time bool decides in `variants.py`.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Attribute, Constant, ForeignTensor
from ...ir.autocast import OFF
from ...ir.builder import Builder
from ...ir.core import Block, BlockArgument, Operation, Value, lookup, symbol
from ...ir.diagnostics import CompileError, InternalError, Note, NotStatic, raised_text
from ...ir.dialects import torch
from ...ir.dtypes import DType, from_numpy
from ...ir.script_types import (
    ANY,
    BOOL,
    DEVICE,
    INT,
    NONE,
    STR,
    ClassType,
    DeviceType,
    DictType,
    EnumMember,
    FunctionRefType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)
from ...ir.source import Span
from . import (
    autocast,
    branches,
    calls,
    forks,
    loops,
    quantized_tensors,
    run_time_dicts,
    run_time_lists,
    run_time_objects,
    run_time_strings,
    run_time_values,
    texts,
    variants,
)
from .layouts import Layouts
from .merging import Choice, decided_contents, negate
from .state import State
from .unrolling import Unrolling
from .values import (
    HANDLE,
    Abstract,
    Complex,
    ConstantPool,
    Contents,
    Diverged,
    Enumerator,
    Foreign,
    Function,
    Heap,
    Known,
    KnownValue,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Undecided,
    Uninitialized,
    Variant,
    VariantContents,
    known,
    list_contents,
    matches,
    named_anew,
    same,
    tensor_type,
    type_of,
)

Composite = Callable[[str], Operation | None]
STATICALLY_KNOWN: Final = "_h_statically_known"
"""The function of the prelude that asks whether a condition holds at compile time; what only the run time knows does not."""

MAX_CALL_DEPTH: Final = 200
MAX_OPERATIONS: Final = 400_000
MAX_FORKS: Final = 8
"""A node is written for at most so many run-time bools, one inside the other."""


@dataclass
class Frame:
    """One inlined call: the function and what its values are."""

    function: Operation
    values: dict[Value, Abstract] = field(default_factory=dict[Value, Abstract])

    @property
    def module(self) -> Operation:
        module = self.function.parent_op
        assert module is not None
        return module


@dataclass
class Evaluator:
    b: Builder
    composite: Composite
    heap: Heap = field(default_factory=dict[Any, Any])
    pool: ConstantPool = field(default_factory=ConstantPool)
    state: State = field(default_factory=State)
    assumed: dict[Value, KnownValue] = field(default_factory=dict[Value, KnownValue])
    """Conditions, and numbers compared in them, that are known here because of the branch that this is in."""
    computed: ChainMap[Any, tuple[Value, bool]] = field(default_factory=ChainMap[Any, tuple[Value, bool]])
    """Comparisons written before, that this place can use."""
    texts: dict[Value, tuple[str | Scalar, ...]] = field(default_factory=dict[Value, Any])
    """Strings made of literal parts and numbers: their parts. Messages take these, so that no string has to be made."""
    choices: dict[Value, Choice] = field(default_factory=dict[Value, Any])
    """Numbers that are one of few constants."""
    plain: dict[Ref, Contents] = field(default_factory=dict[Ref, Contents])
    """Contents of lists and dicts in which nothing is undecided."""
    undecided: bool = False
    """Whether there are values whose structure, or number, a run-time bool decides."""
    forks: forks.Forks = field(default_factory=forks.Forks)
    hints: Mapping[Any, ScriptType] = field(default_factory=dict[Any, ScriptType])
    """What earlier attempts have found that lists, dicts and objects hold: by where and as what the program makes them."""
    declaring: list[ClassType] = field(default_factory=list[ClassType])
    """Classes whose attributes' types are being looked at."""
    list_attempts: int = 0
    """How many loops around this place are being written with run-time lists."""
    static_lists: bool = False
    """Lists stay as they are, whatever fails for it: a way to write a loop is tried that may do without."""
    generous_lists: bool = False
    """Tensors in lists of run-time length are taken to be of any extents."""
    conditional: int = 0
    """How many run-time conditions the code being written stands under."""
    looks: dict[Value, set[Value]] = field(default_factory=dict[Value, set[Value]])
    """What tensors have been whose metadata was changed in place: themselves, and views of them."""
    inlined_at: Span | None = None
    """Inside a composite operator: the user's line."""
    in_library: Span | None = None
    """The line of the library that is being evaluated, if it is one."""
    equal_dims: dict[tuple[Value, int], tuple[Value, int]] = field(default_factory=dict[Any, Any])
    """Extents of arguments that are declared equal: to which one."""
    layouts: Layouts = field(default_factory=Layouts)
    regions: autocast.State = autocast.START
    """What autocast is here, and what it was before."""
    _calls: list[Span | None] = field(default_factory=list[Span | None])
    _sizes: dict[tuple[Value, int], Value] = field(default_factory=dict[Any, Value])
    _objects: dict[int, tuple[Any, Ref]] = field(default_factory=dict[int, Any])
    _containers: dict[int, tuple[Any, Ref]] = field(default_factory=dict[int, Any])
    _foreign: dict[int, tuple[ForeignTensor, Abstract]] = field(default_factory=dict[int, Any])
    """Lists and dicts of the module that are imported already."""
    _holder: tuple[ScriptObject, str] | None = None
    """The attribute whose value is being imported."""
    _emitted: int = 0
    on_objects: int = 0
    """Nodes that make, read or change strings, lists, dicts and objects at run time."""
    unrolling: Unrolling = field(default_factory=Unrolling)
    takes_numbers: bool = False
    """Whether the caller gave numbers at run time that he could give as constants."""
    _literals: int = 0
    _forks: int = 0

    # errors

    @property
    def span(self) -> Span | None:
        return self.b.span

    def error(self, message: str, *, help: str | None = None, kind: type[CompileError] = CompileError) -> CompileError:
        """A CompileError at the current line, with the calls that led there."""
        at = self.span
        notes = [] if self.in_library is None else [Note("raised in the library", self.in_library)]
        calls = dict.fromkeys(s for s in reversed(self._calls) if s is not None and s != at)
        notes += [Note("called from here", s) for s in calls]
        return kind(CompileError.at(at, message, help=help, notes=notes[:8]).diagnostics)

    def not_static(self, what: str, *, help: str | None = None) -> CompileError:
        return self.error(f"{what} is only known at run time", help=help, kind=NotStatic)

    def operator_error(self, message: str) -> Exception:
        """Arguments that an operator refuses: an error now; if a condition decides whether, when the code is reached."""
        if not self.conditional:
            return self.error(message)
        return self.emit_raise([message])

    def place(self, span: Span | None) -> None:
        """What follows belongs to this line; inside the library, to the user's line that called it."""
        self.b.span = self.inlined_at or span or self.b.span
        self.in_library = None
        if self.inlined_at is None and span is not None and span.file.is_library and self._calls and self._calls[-1]:
            self.b.span, self.in_library = self._calls[-1], span

    # writing operations

    @property
    def emitted(self) -> int:
        """How many operations have been written, those of failed attempts included."""
        return self._emitted

    def emit(
        self,
        name: str,
        operands: Sequence[Value],
        types: Sequence[ScriptType],
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Operation:
        self._emitted += 1
        if self._emitted > MAX_OPERATIONS:
            raise self.error("the program is too large once its loops are unrolled and its calls inlined")
        if _is_on_object(operands, types):
            self.on_objects += 1
        return self.b.create(name, operands, types, attributes)

    def emit_raise(self, parts: Sequence[str | Scalar]) -> Diverged:
        """Writes code that raises; the caller raises the returned exception.

        Operands of the node: the message, None, and the numbers that fill the `{}` of the message.
        """
        parts = [run_time_strings.word(self, p) if isinstance(p, Scalar) and type_of(p) == BOOL else p for p in parts]
        for op in self.b.block.operations():
            # what the program would have done with its result is not written any more; the text of a message is in its parts
            is_needed = not op.results or any(r.uses or r.type == STR for r in op.results)
            if op.name.startswith("aten::") and (not is_needed or op.name.startswith(_LOOKUPS)):
                op.attributes[torch.KEPT] = True
        template = ""
        holes: list[Value] = []
        for part in parts:
            # `{}` marks a hole: a text that has or makes one fills a hole itself
            is_text = isinstance(part, str) and "{}" not in template[-1:] + part and not part.endswith("{")
            template += cast(str, part) if is_text else "{}"
            if not is_text:
                holes.append(self.pool.number(part, STR) if isinstance(part, str) else part.value)
        message = self.pool.number(template, STR)
        self.emit("prim::RaiseException", [message, self.pool.number(None, NONE), *holes], ())
        return Diverged()

    def materialise(self, value: Abstract) -> Value:
        """`value` as an operand."""
        match value:
            case Known():
                return self.pool.number(value.value, value.type)
            case Scalar():
                return value.value
            case Tensor():
                return self.current(value).value
            case Ref() if value.kind == "list":
                elements = [self.materialise(e) for e in self.elements(value)]
                return self.emit("prim::ListConstruct", elements, (value.type,)).result
            case Tuple():
                elements = [self.materialise(e) for e in value.elements]
                return self.emit("prim::ListConstruct", elements, (ListType(self.common_type(value.elements)),)).result
            case RunTimeOnly():
                raise self.use_error(value)
            case Variant():
                raise Undecided(value.selector)
            case Text():
                raise self.not_static("this string")
            case _:
                raise self.error(f"a value of type {type_of(value).annotation} cannot be given to this operator")

    def common_type(self, elements: Sequence[Abstract]) -> ScriptType:
        return type_of(elements[0]) if elements else ANY

    def use_error(self, value: RunTimeOnly) -> CompileError:
        if isinstance(value, Foreign):
            return self.error(f"{value.what} is used here, which is not supported")
        again = run_time_values.loops_again(self, value.loops)
        if again is not None:
            return again
        error = self.not_static(value.what)
        if value.span is None:
            return error
        first = error.diagnostics[0]
        note = Note("it depends on a condition here", value.span)
        return NotStatic(CompileError.at(first.span, first.message, notes=(note, *first.notes)).diagnostics)

    # tensors

    def current(self, value: Tensor) -> Tensor:
        """The tensor with what in-place changes of its metadata (`unsqueeze_`) have made of it."""
        contents = self.heap.get(value.value)
        if contents is None:
            return value
        return cast(Tensor, self._decided(contents)[0])

    def tensor_type(self, value: Tensor) -> TensorType:
        return tensor_type(self.current(value))

    def size(self, tensor: Tensor, dim: int) -> Abstract:
        """An extent; `dim` counted from 0. Written right behind the tensor's definition: it is there for all uses."""
        value = self.current(tensor).value
        shape = cast(TensorType, value.type).shape
        assert shape is not None
        extent = shape[dim]
        if extent is not None:
            return known(extent)
        value, dim = self.equal_dims.get((value, dim), (value, dim))
        if (value, dim) not in self._sizes:
            op = Operation("aten::size.int", (value, self.pool.number(dim, INT)), (INT,), span=self.span)
            if isinstance(value, BlockArgument):
                Builder.at_start(value.block).insert(op)
            else:
                owner = value.defining_op()
                assert owner is not None
                Builder.after(owner).insert(op)
            self._sizes[value, dim] = op.result
        return Scalar(self._sizes[value, dim])

    def shape(self, tensor: Tensor) -> list[Abstract]:
        return [self.size(tensor, d) for d in range(self.tensor_type(tensor).rank)]

    # heap

    def new_list(self, elements: Sequence[Abstract], type_: ScriptType) -> Ref:
        return self.new_ref("list", type_, list_contents(elements))

    def new_ref(self, kind: Any, type_: ScriptType, contents: Contents, *, is_outer: bool = False) -> Ref:
        ref = Ref(kind, type_, is_outer, self.span)
        self.heap[ref] = contents
        return ref

    def contents(self, ref: Ref) -> Contents:
        contents = self.heap[ref]
        return self._decided(contents) if self.plain.get(ref) is not contents else cast(Contents, contents)

    def _decided(self, contents: Contents | VariantContents | RunTimeOnly) -> Contents:
        if isinstance(contents, RunTimeOnly):
            raise self.use_error(contents)
        if isinstance(contents, Mapping) and not self.undecided:
            return contents
        left = decided_contents(self, contents, self.assumed)
        if isinstance(left, VariantContents):
            raise Undecided(left.selector)
        return left

    def elements(self, ref: Ref) -> list[Abstract]:
        """The elements of a list of known length."""
        contents = self.contents(ref)
        if HANDLE in contents:
            raise self.not_static("the length of this list")
        return list(contents.values())

    def promote(self, ref: Ref, t: ScriptType | None = None) -> Value:
        """Makes a list, dict or object at run time; `t`: what its type has to hold."""
        return run_time_values.promote(self, ref, t)

    def retyped(self, ref: Ref, wanted: ScriptType) -> Exception:
        """The error that has what is made at run time for `ref` be of a type that holds this one as well."""
        if self.list_attempts and not self.generous_lists:
            return run_time_values.mismatch(self, "the kind of what this holds", False)
        return run_time_values.retyped(self, ref, wanted)

    def may_be_promoted(self, ref: Ref) -> bool:
        return run_time_values.may_be_promoted(ref)

    def contents_type(self, ref: Ref) -> ScriptType:
        """The type of a list, dict or object, were it made at run time."""
        return run_time_values.contents_type(self, ref)

    def joined(self, types: Sequence[ScriptType]) -> ScriptType:
        """A type for values of all of these."""
        return run_time_values.joined(self, types[1:], types[0])

    def grouped(self, value: Abstract, group: Sequence[Ref], t: ScriptType) -> Abstract:
        """The value with those of its alternatives that are in the group as one, made at run time."""
        return run_time_values.grouped(self, value, group, t)

    def set_contents(self, ref: Ref, contents: Contents) -> None:
        run_time_values.before_change(self, ref)
        if ref.is_outer:
            self.state.change(ref)
        self.heap[ref] = contents

    # compile-time values

    def literal_name(self) -> str:
        self._literals += 1
        return f"literal_{self._literals}"

    def device(self, name: str) -> Known:
        return Known(name, DEVICE)

    def import_value(self, value: Any, type_: ScriptType | None = None, name: str = "") -> Abstract:
        """A Python value, module instance or constant tensor as an abstract one."""
        match value:
            case ScriptObject():
                return self._import_object(value)
            case Constant():
                return self._import_tensor(value)
            case np.ndarray():
                array = cast(npt.NDArray[Any], value)
                return self._import_tensor(Constant(name or f"constant_{id(array):x}", array))
            case complex():
                return Complex((known(value.real), known(value.imag)))
            case bool() | int() | float() | str() | None:
                if isinstance(value, DType):
                    return known(int(value))
                return Known(value, DEVICE) if _is_device(type_, value) else known(value)
            case list():
                return self._import_list(cast(list[Any], value), type_)
            case tuple():
                types = type_.elements if isinstance(type_, TupleType) else ()
                elements = cast(tuple[Any, ...], value)
                return Tuple(
                    tuple(self.import_value(v, types[i] if i < len(types) else None) for i, v in enumerate(elements))
                )
            case dict():
                if isinstance(type_, OptionalType):
                    type_ = type_.element
                of_value = type_.value if isinstance(type_, DictType) else None
                entries = cast(dict[Any, Any], value)
                contents = {k: self.import_value(v, of_value) for k, v in entries.items()}
                return self._import_container(
                    entries, "dict", type_ if type_ is not None else DictType(STR, ANY), contents
                )
            case EnumMember():
                return Enumerator(value)
            case ForeignTensor():
                return self._import_foreign(value)
            case Enumerator() | Known() | Scalar() | Tensor() | Ref() | Tuple() | Function() | Text() | Variant():
                return value
            case _:
                raise InternalError(f"value of class {type(value).__name__} in a program")

    def _import_foreign(self, value: ForeignTensor) -> Abstract:
        if id(value) not in self._foreign:
            found = quantized_tensors.imported(self, value)
            self._foreign[id(value)] = value, found or Foreign(f"`{value.name}`, {value.description},", None)
        return self._foreign[id(value)][1]

    def _import_list(self, values: list[Any], type_: ScriptType | None) -> Abstract:
        if isinstance(type_, OptionalType):
            type_ = type_.element
        element = type_.element if isinstance(type_, ListType) else None
        elements = [self.import_value(v, element) for v in values]
        own = type_ if isinstance(type_, ListType) else ListType(self.common_type(elements))
        return self._import_container(values, "list", own, list_contents(elements))

    def _import_container(self, value: Any, kind: Any, type_: ScriptType, contents: Contents) -> Ref:
        """A list or dict; one that an attribute holds outlives the call, and is the same one wherever it stands."""
        if self._holder is None:
            return self.new_ref(kind, type_, contents)
        if id(value) not in self._containers:
            self._containers[id(value)] = (value, Ref(kind, type_, is_outer=True))
        ref = self._containers[id(value)][1]
        self.state.hold(ref, *self._holder)
        self.heap.setdefault(ref, contents)
        return ref

    def container(self, ref: Ref) -> Any:
        """The list or dict of the module that this is; None for others."""
        return next((value for value, own in self._containers.values() if own is ref), None)

    def object_ref(self, value: ScriptObject) -> Ref:
        """What stands for the object; `import_value` gives it its contents."""
        if id(value) not in self._objects:
            ref = Ref("object", value.type, is_outer=True)
            self._objects[id(value)] = (value, ref)
            self.state.owners[ref] = value
        return self._objects[id(value)][1]

    def _import_object(self, value: ScriptObject) -> Ref:
        ref = self.object_ref(value)
        if ref not in self.heap:
            contents: dict[Any, Abstract] = {}
            self.heap[ref] = contents
            saved = self._holder
            for name, attribute in {**value.type.constants, **value.attributes}.items():
                self._holder = (value, name)
                held = self.state.given.get((id(value), name), attribute)
                contents[name] = named_anew(
                    self.import_value(held, value.type.attributes.get(name), f"{value.type.name}.{name}")
                )
            self._holder = saved
        return ref

    def _import_tensor(self, constant: Constant) -> Tensor:
        dtype = from_numpy(constant.array.dtype)
        if dtype is None:
            raise self.error(f"tensors of dtype {constant.array.dtype} are not supported")
        return Tensor(self.pool.tensor(constant, dtype))

    # running

    def call(self, function: Operation, arguments: Sequence[Abstract]) -> Abstract:
        """Inlines a call; the function's one result."""
        if len(self._calls) >= MAX_CALL_DEPTH:
            raise self.error(f"calls are nested more than {MAX_CALL_DEPTH} deep")
        block = function.body()
        if len(block.args) != len(arguments):
            raise InternalError(f"{symbol(function)} takes {len(block.args)} arguments, {len(arguments)} given")
        self._calls.append(self.span)
        saved = self.b.span
        try:
            return self.run_block(Frame(function), block, arguments)[0]
        finally:
            self._calls.pop()
            self.b.span = saved

    def call_composite(self, function: Operation, arguments: Sequence[Abstract]) -> Abstract:
        """Inlines the function that defines an operator: errors and operations in it belong to the user's line."""
        saved = self.inlined_at
        self.inlined_at = saved or self.span
        try:
            with autocast.off(self):
                return self.call(function, arguments)
        finally:
            self.inlined_at = saved

    def run_block(self, frame: Frame, block: Block, arguments: Sequence[Abstract] = ()) -> list[Abstract]:
        """Evaluates a block; the operands of its terminator."""
        values = frame.values
        values.update(zip(block.args, arguments))
        outside = self.regions
        try:
            return self._run_block(frame, block)
        finally:
            self.regions = outside  # a region ends in its block, and with an error

    def _run_block(self, frame: Frame, block: Block) -> list[Abstract]:
        values = frame.values
        for op in block.operations():
            operands = [values[v] for v in op.operands]
            if op.name in (torch.RETURN, torch.YIELD):
                return [variants.settled(self, o) if isinstance(o, Variant) else o for o in operands]
            if self.undecided or self.assumed:
                operands = [variants.settled(self, o) for o in operands]
            self.place(op.span)
            results = self.evaluate(frame, op, operands)
            if len(results) != len(op.results):
                raise InternalError(f"{op.name} gave {len(results)} results instead of {len(op.results)}")
            for result, value in zip(op.results, results):
                values[result] = value
                if result.name is not None and isinstance(value, Scalar | Tensor) and value.value.name is None:
                    value.value.name = result.name
        raise InternalError("block without a terminator")

    def evaluate(self, frame: Frame, op: Operation, operands: list[Abstract]) -> Sequence[Abstract]:
        """Results of a node; one whose operands a run-time bool decides is evaluated for each of its values."""
        if op.name in FORWARDING:
            selector = variants.undecided_operand(operands[: FORWARDING[op.name]])
            if selector is not None:
                return self.forked(frame, op, operands, selector)
            return self._evaluate(frame, op, operands)
        comparison = variants.comparison(op.name, operands)
        if comparison is not None and comparison[0] in self.computed:
            return (self._compared(*comparison),)
        folded = variants.folded_choice(self, op.name, operands, self.assumed) if self.choices else None
        results = self._decisive(frame, op, operands) if folded is None else (folded,)
        if comparison is not None and isinstance(results[0], Scalar):
            self.computed[comparison[0]] = (results[0].value, comparison[1])
        return results

    def settled(self, value: Abstract) -> Abstract:
        """The value under the conditions that hold here."""
        return variants.settled(self, value)

    def _compared(self, key: Any, negated: bool) -> Abstract:
        value, opposite = self.computed[key]
        return variants.settled(self, negate(self, Scalar(value)) if negated != opposite else Scalar(value))

    def _decisive(self, frame: Frame, op: Operation, operands: list[Abstract]) -> Sequence[Abstract]:
        selector = variants.undecided_operand(operands)
        if selector is not None:
            return self.forked(frame, op, operands, selector)
        try:
            return self._evaluate(frame, op, operands)
        except Undecided as found:
            return self.forked(frame, op, operands, found.selector)
        except NotStatic:
            selector = variants.deciding_choice(self, operands)
            if selector is None:
                raise
            return self.forked(frame, op, operands, selector)

    def forked(self, frame: Frame, op: Operation, operands: list[Abstract], selector: Value) -> Sequence[Abstract]:
        """Results of a node that is written for both values of a run-time bool."""
        if selector in self.assumed:
            raise InternalError(f"{op.name} asks for what is decided")
        if self._forks >= MAX_FORKS:
            raise self.not_static("which of too many structures this has")

        def side() -> list[Abstract]:
            return list(self.evaluate(frame, op, [variants.settled(self, o) for o in operands]))

        self._forks += 1
        try:
            return branches.fork(self, Scalar(selector), side, side)
        finally:
            self._forks -= 1

    def _evaluate(self, frame: Frame, op: Operation, operands: list[Abstract]) -> Sequence[Abstract]:
        handler = _PRIM.get(op.name)
        if handler is not None:
            return handler(self, frame, op, operands)
        for operand in operands:
            if isinstance(operand, RunTimeOnly):
                raise self.use_error(operand)
        if self.regions[-1] is not OFF:
            operands = autocast.operands(self, op.name, operands)
        return calls.apply(self, op.name, operands, op)

    def condition(self, value: Abstract) -> bool | Scalar:
        """A condition: known, or to be tested at run time."""
        match value:
            case Known():
                return bool(value.value)
            case Scalar():
                decided = variants.settled(self, value)
                return bool(decided.value) if isinstance(decided, Known) else value
            case RunTimeOnly():
                raise self.use_error(value)
            case _:
                raise InternalError(f"condition of type {type_of(value)}")

    # writing on approval

    @contextmanager
    def attempt(self) -> Generator[None]:
        """Code written inside is kept if it ends well or raises at run time, and forgotten on any other exception."""
        saved = self.heap, self.assumed, self.conditional, len(self._calls), self.inlined_at, self.b.span, self._forks
        computed = self.computed
        self.heap, self.computed = dict(self.heap), computed.new_child()
        block = Block()
        try:
            with self.b.inside(block):
                yield
        except Diverged:
            self.splice(block)
            raise
        except BaseException:
            self.heap, self.assumed, self.conditional, depth, self.inlined_at, self.b.span, self._forks = saved
            self.computed = computed
            del self._calls[depth:]
            raise
        computed.update(self.computed.maps[0])
        self.computed = computed
        self.splice(block)

    def splice(self, block: Block) -> None:
        """Moves the operations of a detached block to the insertion point."""
        for op in list(block.operations()):
            self.b.insert(op.detach())


def _is_on_object(operands: Sequence[Value], types: Sequence[ScriptType]) -> bool:
    first = types[0] if types else operands[0].type if operands else None
    if isinstance(first, StrType | DictType | InstanceType | ClassType):
        return True
    source = operands[0].type if operands else None
    return isinstance(source, ListType | StrType | DictType | InstanceType | ClassType)


_LOOKUPS: Final = ("aten::__getitem__", "aten::pop")


def _is_device(type_: ScriptType | None, value: Any) -> bool:
    if isinstance(type_, OptionalType):
        type_ = type_.element
    return isinstance(type_, DeviceType) and isinstance(value, str)


# prim nodes: (evaluator, frame, operation, operands) -> results

_Results = Sequence[Abstract]


def _constant(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    if isinstance(op.result.type, FunctionRefType):
        return (Function(cast(str, op.attributes.get("name", op.result.type.name)), frame.module),)
    before = frame.values.get(op.result)
    if isinstance(before, Enumerator):
        return (before,)  # in a loop it is the same object each time
    return (named_anew(ev.import_value(op.attributes.get("value"), cast(ScriptType, op.result.type))),)


def _if(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    condition = ev.condition(operands[0])
    if not isinstance(condition, Scalar):
        return ev.run_block(frame, op.body(0 if condition else 1))
    return branches.fork(
        ev,
        condition,
        lambda: ev.run_block(frame, op.body(0)),
        lambda: ev.run_block(frame, op.body(1)),
    )


def _loop(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    trip, condition, *carried = operands
    if isinstance(trip, RunTimeOnly):
        raise ev.use_error(trip)
    choice = variants.deciding_choice(ev, [trip]) if isinstance(trip, Scalar) else None

    def run() -> list[Abstract]:
        return loops.run(ev, trip, condition, carried, lambda arguments: ev.run_block(frame, op.body(), arguments))

    if choice is None:
        return run()
    try:
        with ev.attempt():
            return run()
    except NotStatic:
        # the length of a list is one of few: one loop for each
        return ev.forked(frame, op, operands, choice)


def _list_construct(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    return (ev.new_list(operands, cast(ScriptType, op.result.type)),)


def _dict_construct(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    declared = cast(DictType, op.result.type)
    if any(isinstance(k, Scalar) for k in operands[::2]):
        return (run_time_dicts.constructed(ev, operands, declared),)
    entries = {calls.dict_key(ev, k): v for k, v in zip(operands[::2], operands[1::2])}
    return (ev.new_ref("dict", declared, entries),)


def _tuple_construct(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    return (Tuple(tuple(operands)),)


def _elements(ev: Evaluator, value: Abstract) -> Sequence[Abstract]:
    match value:
        case Tuple():
            return value.elements
        case Ref() if value.kind == "list":
            return ev.elements(value)
        case RunTimeOnly():
            raise ev.use_error(value)
        case Uninitialized():
            return ()
        case _:
            raise InternalError(f"{type_of(value)} is unpacked")


def _unpack(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    at_run_time = run_time_values.handle(ev, operands[0])
    if at_run_time is not None and isinstance(at_run_time.type, ListType):
        return run_time_lists.unpack(ev, at_run_time, len(op.results))
    if isinstance(operands[0], Uninitialized):
        return [Uninitialized(cast(ScriptType, r.type)) for r in op.results]
    elements = _elements(ev, operands[0])
    if len(elements) != len(op.results):
        raise ev.operator_error(f"Expected {len(op.results)} elements in a list but found {len(elements)}")
    return elements


def _tuple_index(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    if isinstance(operands[0], Uninitialized):
        return (Uninitialized(cast(ScriptType, op.result.type)),)
    elements = _elements(ev, operands[0])
    index = operands[1]
    if not isinstance(index, Known):
        raise ev.not_static("the index into this tuple")
    at = cast(int, index.value)
    if not -len(elements) <= at < len(elements):
        raise ev.operator_error("Tuple index out of range")
    return (elements[at],)


def _tuple_slice(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    elements = _elements(ev, operands[0])
    return (Tuple(tuple(elements[cast(int, op.attributes["beg"]) : cast(int, op.attributes["end"])])),)


def _object(ev: Evaluator, value: Abstract) -> Ref:
    match value:
        case Ref():
            return value
        case RunTimeOnly():
            raise ev.use_error(value)
        case _:
            raise InternalError(f"attribute of {type_of(value)}")


def _get_attribute(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    name = cast(str, op.attributes["name"])
    if isinstance(operands[0], Tuple):
        raise InternalError("GetAttr of a tuple")
    ref = _object(ev, operands[0])
    own = run_time_values.handle(ev, ref)
    if own is not None:
        return (run_time_objects.get(ev, ref, own, name),)
    contents = ev.contents(ref)
    if name not in contents:
        raise ev.error(f"the object has no value for its attribute '{name}'")
    if ref.is_outer:
        ev.state.use(ref, name)
    return (contents[name],)


def _set_attribute(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    name = cast(str, op.attributes["name"])
    ref = _object(ev, operands[0])
    own = run_time_values.handle(ev, ref)
    if own is not None:
        run_time_objects.set_(ev, ref, own, name, operands[1])
        return ()
    contents = ev.contents(ref)
    if ref.is_outer:
        if name in contents and same(contents[name], operands[1]):
            ev.state.use(ref, name)
            return ()
        ev.state.write(ref, name)
    ev.set_contents(ref, {**contents, name: operands[1]})
    return ()


def _create_object(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    return (ev.new_ref("object", cast(ScriptType, op.result.type), {}),)


def _call_function(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    function, *arguments = operands
    if isinstance(function, RunTimeOnly):
        raise ev.use_error(function)
    assert isinstance(function, Function)
    if ev.inlined_at is not None and function.symbol == STATICALLY_KNOWN:
        return (arguments[0] if isinstance(arguments[0], Known) else known(False),)
    return (ev.call(_lookup(function.module, function.symbol), arguments),)


def _call_method(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    receiver = _object(ev, operands[0])
    name = cast(str, op.attributes["name"])
    method = cast(ClassType, receiver.type).methods.get(name)
    if method is None:
        raise InternalError(f"class {receiver.type} has no method {name}")
    return (ev.call(_lookup(frame.module, method), operands),)


def _module_index(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    """An element of a list or dict of modules, maybe by a run-time index: one after the other is tried."""
    owner = _object(ev, operands[0])
    contents, index = ev.contents(owner), operands[1]
    names = list(cast(ClassType, owner.type).submodules)
    if isinstance(index, Known):
        if str(index.value) not in names:
            raise ev.operator_error(f"{owner.type} does not have a field with name '{index.value}'")
        return (contents[str(index.value)],)
    if not isinstance(index, Scalar):
        raise ev.not_static("which module this is")

    def pick(left: list[str]) -> list[Abstract]:
        if not left:
            raise ev.emit_raise([f"{owner.type} does not have a field with name '", index, "'"])
        here = ev.condition(calls.single(ev, "aten::eq.int", [index, known(int(left[0]))]))
        if isinstance(here, Scalar):
            return branches.fork(ev, here, lambda: [contents[left[0]]], lambda: pick(left[1:]))
        return [contents[left[0]]] if here else pick(left[1:])

    return pick([n for n in names if n.isdecimal()])


def _lookup(module: Operation, name: str) -> Operation:
    function = lookup(module, name)
    if function is None:
        raise InternalError(f"call of an unknown function {name}")
    return function


def _raise(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    message, name, *holes = operands
    if holes:
        ev.emit("prim::RaiseException", [ev.materialise(v) for v in operands], ())
        raise Diverged
    match message:
        case Known():
            parts: tuple[str | Scalar, ...] = (cast(str, message.value),)
        case Text():
            parts = message.parts
        case Scalar() if type_of(message) == STR:
            parts = ev.texts.get(message.value, (message,))
        case _:
            parts = ("(the message is only known at run time)",)
    if ev.inlined_at is not None and not ev.conditional and not any(isinstance(p, Scalar) for p in parts):
        raise ev.error("".join(cast("tuple[str, ...]", parts)))  # an operator that is a function of the library
    if isinstance(name, Known) and name.value is not None:
        parts = (raised_text(cast(str, name.value)), *parts)
    raise ev.emit_raise(parts)


def _print(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    line = texts.line(ev, operands)
    ev.emit("prim::Print", (ev.materialise(line),), ())
    return ()


def _isinstance(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    if isinstance(operands[0], RunTimeOnly):
        raise ev.use_error(operands[0])
    types = cast(tuple[Any, ...], op.attributes["types"])
    return (known(any(matches(operands[0], t) for t in types)),)


def _cast(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    if isinstance(operands[0], Variant):
        return (variants.cast_to(ev, operands[0], cast(ScriptType, op.result.type)),)
    return operands


def _enter(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    autocast.enter(ev, operands[0])
    return operands


def _exit(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    autocast.leave(ev)
    return ()


def _uninitialized(ev: Evaluator, frame: Frame, op: Operation, operands: list[Abstract]) -> _Results:
    return (Uninitialized(cast(ScriptType, op.result.type)),)


_PRIM: Final[dict[str, Callable[[Evaluator, Frame, Operation, list[Abstract]], _Results]]] = {
    "prim::Constant": _constant,
    "prim::ModuleContainerIndex.list": _module_index,
    "prim::ModuleContainerIndex.dict": _module_index,
    "prim::If": _if,
    "prim::Loop": _loop,
    "prim::ListConstruct": _list_construct,
    "prim::DictConstruct": _dict_construct,
    "prim::TupleConstruct": _tuple_construct,
    "prim::TupleUnpack": _unpack,
    "prim::ListUnpack": _unpack,
    "prim::TupleIndex": _tuple_index,
    "prim::TupleSlice": _tuple_slice,
    "prim::GetAttr": _get_attribute,
    "prim::SetAttr": _set_attribute,
    "prim::CreateObject": _create_object,
    "prim::CallFunction": _call_function,
    "prim::CallMethod": _call_method,
    "prim::RaiseException": _raise,
    "prim::Print": _print,
    "prim::isinstance": _isinstance,
    "prim::unchecked_cast": _cast,
    "prim::fork": lambda ev, frame, op, operands: forks.fork(ev, frame, op),
    "prim::future": lambda ev, frame, op, operands: operands,
    "aten::wait": lambda ev, frame, op, operands: (forks.wait(ev, operands[0]),),
    "prim::Enter": _enter,
    "prim::Exit": _exit,
    "aten::is_autocast_enabled": lambda ev, frame, op, operands: (known(ev.regions[-1].cuda),),
    "aten::is_autocast_cpu_enabled": lambda ev, frame, op, operands: (known(ev.regions[-1].cpu is not None),),
    "prim::Uninitialized": _uninitialized,
    "aten::warn": lambda ev, frame, op, operands: (),
}

FORWARDING: Final[Mapping[str, int]] = {
    "prim::Constant": 0,
    "prim::If": 1,
    "prim::Loop": 2,
    "prim::ListConstruct": 0,
    "prim::TupleConstruct": 0,
    "prim::SetAttr": 1,
    "prim::CallFunction": 1,
    "prim::CallMethod": 1,
    "prim::unchecked_cast": 0,
    "prim::future": 0,
    "aten::wait": 0,
    "prim::Uninitialized": 0,
}
"""Nodes that take values whatever their structure is; only of so many operands must the structure be decided."""
