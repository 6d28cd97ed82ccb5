"""Reference interpreter of the `torch` stage: any `torch.func`, before and after specialisation.

In: a function and Python values (tensors are numpy arrays, `self` a ScriptObject); out: the values it returns.
Aliasing is PyTorch's: view operators give numpy views, in-place operators write into the array, arguments included.
The objects given are not changed: modules are run on copies that live as long as the interpreter. Failures are
`ExecutionError`s.
"""

# The values of a running TorchScript program are untyped by nature; tables of one-line lambdas work on them.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np

from .. import quantized_rules
from ..attributes import ComplexParts, Constant, ForeignTensor
from ..autocast import ATTRIBUTES, OFF, Autocast, dtype_argument
from ..class_groups import member_index
from ..core import Block, Operation, Value, lookup, symbol
from ..diagnostics import ExecutionError, InternalError, raised_text
from ..dialects import torch
from ..dialects.aten import generators
from ..dtypes import DType, from_numpy
from ..operator import Operator, OperatorError, Unsupported
from ..operators import (
    ON_LISTS_OF_TENSORS,
    find,
    functional_form,
    gives_contiguous,
    is_view,
    keywords,
    resolve_exact,
    schema,
    split_name,
)
from ..places import Places
from ..program import Program
from ..schema import Schema
from ..script_types import (
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    AnyListType,
    AnyTupleType,
    AnyType,
    BoolType,
    ClassType,
    ComplexType,
    DeviceType,
    DictType,
    EnumMember,
    EnumType,
    FloatType,
    InstanceType,
    InterfaceType,
    IntType,
    ListType,
    NoneType,
    NumberType,
    OptionalType,
    ScriptObject,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ..shared_memory import copied, pieces
from ..string_operators import BYTES_OF, OF_BYTES
from . import builtins, output, quantized
from .arrays import (
    METADATA,
    RESIZING,
    TENSOR_BUILTINS,
    Array,
    arrays_of,
    dtype_of,
    fresh,
    inferred,
    map_arrays,
    normal,
    resized,
    strided,
    truth,
    viewed,
    write,
)

Composite = Callable[[str], Operation | None]
"""The prelude's function for an operator with overload, None where it has none."""

MAX_DEPTH: Final = 200


@dataclass(eq=False)
class Instance:
    """A running object: attributes are run-time values."""

    type: ClassType
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Interpreter:
    composite: Composite = lambda name: None
    _instances: dict[int, tuple[ScriptObject, Instance]] = field(default_factory=dict[int, Any])
    _tensors: dict[int, tuple[Any, Array]] = field(default_factory=dict[int, Any])
    _changed: dict[int, tuple[Array, Array]] = field(default_factory=dict[int, Any])
    """Tensors whose metadata was changed in place (`unsqueeze_`), by identity: what they are now."""
    _foreign: dict[int, tuple[ForeignTensor, Any]] = field(default_factory=dict[int, Any])
    depth: int = 0
    autocast: tuple[Autocast, ...] = (OFF,)
    """What is on, and what was before."""
    contexts: list[tuple[Operation, Instance]] = field(default_factory=list[Any])
    """Objects of `with` that have been entered, the outermost first, and the modules that their methods are in."""

    def run(self, function: Operation, arguments: Sequence[Any]) -> list[Any]:
        """The values that `function` returns; array arguments are used, and written to, as they are."""
        results = _Frame(self, function).call([self.import_value(a) for a in arguments])
        return [self.current(_plain(r)) for r in results]

    def run_program(self, program: Program, arguments: Sequence[Any]) -> Any:
        """The result of the entry function; `self` is added, and defaults for arguments that are missing."""
        function = lookup(program.module, program.entry)
        if function is None:
            raise InternalError(f"the program has no function {program.entry}")
        receiver = [] if program.receiver is None else [program.receiver]
        missing = program.schema.arguments[len(arguments) :]
        defaults = [list(a.default) if isinstance(a.type, ListType) and a.default else a.default for a in missing]
        self.contexts, self.autocast = [], (OFF,)
        try:
            return self.run(function, [*receiver, *arguments, *defaults])[0]
        except ExecutionError:
            self.unwind()
            raise

    def unwind(self) -> None:
        """After an error: calls `__exit__` of all contexts that are open, as PyTorch does; errors in these are lost."""
        self.depth = 0
        while self.contexts:
            module, context = self.contexts.pop()
            leave = lookup(module, context.type.methods.get("__exit__", ""))
            if leave is not None:
                with suppress(ExecutionError):
                    _Frame(self, leave).call([context, None, None, None])

    def attribute(self, owner: ScriptObject, name: str) -> Any:
        """What an attribute of the module is now."""
        return self.current(cast(Instance, self.import_value(owner)).attributes[name])

    def print(self, data: bytes) -> None:
        """Writes what the program prints."""
        output.write(data)

    # limits, for whoever runs what it does not trust

    def before(self, op: Operation, arguments: Sequence[Any]) -> None:
        """Called before every operation, terminators included; raises an ExecutionError where it is one too many."""

    def reserve(self, size: int, op: Operation | None = None) -> None:
        """Called before a tensor of so many bytes is computed."""

    def after(self, op: Operation, results: Sequence[Any]) -> None:
        """Called with what an operation has given."""

    def current(self, value: Any) -> Any:
        """A value with its tensors as in-place changes of their metadata have left them."""
        if not self._changed:
            return value
        match value:
            case np.ndarray():
                return self._changed.get(id(value), (value, value))[1]
            case list():
                return [self.current(v) for v in cast(list[Any], value)]
            case tuple():
                return tuple(self.current(v) for v in cast(tuple[Any, ...], value))
            case _:
                return value

    def change(self, tensor: Array, view: Array) -> None:
        """From now on the tensor object `tensor` is `view`."""
        self._changed[id(tensor)] = (tensor, view)

    def _quantized(self, value: ForeignTensor) -> Any:
        if id(value) not in self._foreign:
            found = quantized.parts(value)
            instance = value if found is None else Instance(found[0], found[1])
            self._foreign[id(value)] = value, instance
        return self._foreign[id(value)][1]

    def _import_shared(self, module: ScriptObject) -> None:
        """Tensors of a module that lie in one memory, so that their copies do, too."""
        constants = [c for _, c in Places(module).tensors()]
        arrays = [c.array if c.strided is None else c.strided for c in constants]
        chosen = [i for _, _, members in pieces(arrays) for i in members]
        for i, array in zip(chosen, copied([arrays[i] for i in chosen]), strict=True):
            self._tensors[id(constants[i].array)] = constants[i], array

    def import_value(self, value: Any) -> Any:
        """A compile-time value (attribute, constant) as a run-time one; the same object or tensor gives the same one."""
        match value:
            case ComplexParts():
                return complex(*value)
            case ScriptObject():
                if not self._instances:
                    self._import_shared(value)
                if id(value) not in self._instances:
                    instance = Instance(value.type)
                    self._instances[id(value)] = (value, instance)
                    for name, attribute in {**value.type.constants, **value.attributes}.items():
                        instance.attributes[name] = self.import_value(attribute)
                return self._instances[id(value)][1]
            case ForeignTensor():
                return self._quantized(value)
            case Constant():
                if id(value.array) not in self._tensors:
                    self._tensors[id(value.array)] = (value, value.array.copy())
                return self._tensors[id(value.array)][1]
            case list():
                return [self.import_value(v) for v in cast(list[Any], value)]
            case tuple():
                return tuple(self.import_value(v) for v in cast(tuple[Any, ...], value))
            case dict():
                return {k: self.import_value(v) for k, v in cast(dict[Any, Any], value).items()}
            case np.generic():
                return np.asarray(value)
            case DType():
                return int(value)
            case _:
                return value


class _Frame:
    """One call of a function."""

    def __init__(self, interpreter: Interpreter, function: Operation) -> None:
        self.interpreter = interpreter
        self.function = function
        self.values: dict[Value, Any] = {}

    def call(self, arguments: Sequence[Any]) -> list[Any]:
        block = self.function.body()
        if len(arguments) != len(block.args):
            name = symbol(self.function)
            raise ExecutionError(
                f"{name}() takes {len(block.args)} arguments, {len(arguments)} given", self.function.span
            )
        if self.interpreter.depth >= MAX_DEPTH:
            raise ExecutionError("calls are nested too deeply", self.function.span)
        self.interpreter.depth += 1
        autocast = self.interpreter.autocast
        try:
            return self.run_block(block, arguments)
        finally:
            self.interpreter.depth -= 1
            self.interpreter.autocast = autocast

    def run_block(self, block: Block, arguments: Sequence[Any] = ()) -> list[Any]:
        """Runs a block; the operands of its terminator."""
        self.values.update(zip(block.args, arguments))
        for op in block.operations():
            if op.name in (torch.RETURN, torch.YIELD):
                self.interpreter.before(op, ())
                return [self.values[v] for v in op.operands]
            try:
                results = self.execute(op)
            except (OperatorError, Unsupported) as error:
                raise ExecutionError(str(error), op.span) from error
            if len(results) != len(op.results):
                raise InternalError(f"{op.name} gave {len(results)} results instead of {len(op.results)}")
            self.interpreter.after(op, results)
            self.values.update(zip(op.results, results))
        raise InternalError("block without a terminator")

    def execute(self, op: Operation) -> Sequence[Any]:
        handler = _PRIM.get(op.name)
        arguments = [self.values[v] for v in op.operands]
        self.interpreter.before(op, arguments)
        if handler is not None:
            return handler(self, op, arguments)
        if self.interpreter.autocast[-1] is not OFF:
            arguments = self.cast(op, arguments)
        result = self.apply(op, arguments)
        if len(op.results) == 1:
            return (result,)
        return () if not op.results else cast(Sequence[Any], result)

    def cast(self, op: Operation, arguments: list[Any]) -> list[Any]:
        """The operands of an operator as autocast gives them to it."""
        on = self.interpreter.autocast[-1]
        base, _ = split_name(op.name)
        policy = on.policy(base)
        at = None if policy is None else dtype_argument(op.name, policy)
        if policy is None or (at is not None and arguments[at : at + 1] not in ([], [None])):
            return arguments

        def cast_one(value: Any) -> Any:
            wanted = on.cast(policy, dtype_of(value)) if isinstance(value, np.ndarray) else None
            return value if wanted is None else self.apply_named("aten::to.dtype", [value, int(wanted), False, False, None], op)

        return [cast_one(self.interpreter.current(a)) for a in arguments]

    # operators

    def apply(self, op: Operation, arguments: list[Any]) -> Any:
        if op.name in ON_LISTS_OF_TENSORS:
            return self.call_composite(op.name, arguments, op)
        builtin = builtins.find(op.name, arguments)
        if builtin is not None:
            result = builtin(*arguments)
            # Python's sum of no floats is an int
            is_float = type(result) is int and len(op.results) == 1 and op.results[0].type == FLOAT
            return float(result) if is_float else result
        base, _ = split_name(op.name)
        if base in METADATA:
            view = self.apply_named(
                f"{base[:-1]}{op.name[len(base) :]}", [self.interpreter.current(a) for a in arguments], op
            )
            self.interpreter.change(arguments[0], view)
            return arguments[0]
        given, arguments = arguments, [self.interpreter.current(a) for a in arguments]
        first = given[0] if given else None
        if base in RESIZING:
            sizes = arguments[1].shape if base == "aten::resize_as_" else arguments[1]
            self.interpreter.change(given[0], resized(arguments[0], sizes))
            return given[0]
        form, derived = schema(op.name), functional_form(op.name)
        if form is not None and derived is not None and any(a.is_written and a.keyword_only for a in form.arguments):
            return self.write_out(form, derived, given, op)
        result = self.apply_operator(op, base, arguments)
        return first if arguments and result is arguments[0] else result

    def apply_operator(self, op: Operation, base: str, arguments: list[Any]) -> Any:
        found = quantized_rules.apply(self.quantized(op), op.name, arguments)
        if found is not None:
            return found[0] if len(found) == 1 else tuple(found)
        rule = generators.REFERENCES.get(op.name)
        if rule is not None:
            return rule(*arguments)
        if base in TENSOR_BUILTINS:
            return TENSOR_BUILTINS[base](*arguments)
        form = schema(op.name)
        for value, formal in zip(arguments, form.arguments if form is not None else ()):
            if value is None and isinstance(formal.type, TensorType):
                raise OperatorError(builtins.undefined_tensor(formal.name))
        record = find(op.name)
        if record is not None and form is not None:
            return self.call_record(record, arguments)
        derived = functional_form(op.name)
        if derived is not None and form is not None and self.interpreter.composite(op.name) is None:
            return self.write_in_place(form, derived, arguments, op)
        return self.call_composite(op.name, arguments, op)

    def quantized(self, op: Operation) -> quantized.Engine:
        def call(name: str, arguments: list[Any]) -> Any:
            if "." not in name and find(name) is None:
                name = resolve_exact(name, [_type_of(a) for a in arguments]) or name
            return self.apply_named(name, arguments, op)

        return quantized.Engine(call, Instance)

    def call_record(self, record: Operator, arguments: list[Any]) -> Any:
        form = record.schema
        named = keywords(form, arguments)
        # refuses what PyTorch refuses
        types: Any = record.infer(**{name: inferred(value) for name, value in named.items()})
        for type_ in types if isinstance(types, list | tuple) else (types,):
            if isinstance(type_, TensorType) and type_.shape is not None and type_.dtype is not None:
                self.interpreter.reserve(math.prod(e or 0 for e in type_.shape) * type_.dtype.itemsize)
        state = named.get("generator")
        with generators.drawing_from(state) if state is not None else nullcontext():
            result = record.reference(**(named if state is None else {**named, "generator": None}))
        if form.name == "aten::as_strided":
            return strided(arguments[0], *arguments[1:])
        if is_view(form):
            return viewed(form, arguments, result, copies=bool(named.get("copy")))
        results = normal(form, result)
        inputs = [a for argument in arguments for a in arrays_of(argument)]
        dense = gives_contiguous(form.name) or all(a.flags.c_contiguous for a in inputs)
        return map_arrays(results, lambda a: fresh(a, inputs, dense))

    def write_out(self, form: Schema, derived: tuple[str, tuple[str, ...]], given: list[Any], op: Operation) -> Any:
        """Results into the `out=` tensors, which get their shapes."""
        functional, written = derived
        places = [i for i, a in enumerate(form.arguments) if a.name in written]
        values = {a.name: self.interpreter.current(v) for a, v in zip(form.arguments, given)}
        values.setdefault("dtype", int(dtype_of(values[written[0]])))
        own = schema(functional)
        assert own is not None
        result = self.apply_named(functional, [values.get(a.name) for a in own.arguments], op)
        targets = [given[i] for i in places]
        for target, value in zip(targets, result if len(places) > 1 else [result], strict=True):
            now = self.interpreter.current(target)
            if now.shape != value.shape:
                now = resized(now, value.shape)
                self.interpreter.change(target, now)
            write(now, value)
        return tuple(targets) if len(places) > 1 else targets[0]

    def write_in_place(self, form: Schema, derived: tuple[str, tuple[str, ...]], arguments: list[Any], op: Operation) -> Any:
        functional, _ = derived
        target, others = arguments[0], arguments
        if split_name(functional)[0] in _DRAWING:  # in the order of memory
            wide = [i for i in range(target.ndim) if target.shape[i] != 1]
            rest = iter(sorted(wide, key=lambda i: -target.strides[i]))
            view = target.transpose([next(rest) if i in wide else i for i in range(target.ndim)])
            write(view, self.apply_named(functional, [np.empty_like(view, order="C"), *others[1:]], op))
            return target
        result = self.apply_named(functional, others, op)
        write(target, result)
        return target

    def apply_named(self, name: str, arguments: list[Any], op: Operation) -> Any:
        form, record = schema(name), find(name)
        if record is not None and form is not None:
            return self.call_record(record, arguments)
        if name == "aten::zero":
            return np.zeros_like(arguments[0])
        return self.call_composite(name, arguments, op)

    def call_composite(self, name: str, arguments: list[Any], op: Operation) -> Any:
        function = self.interpreter.composite(name)
        if function is None:
            base, _ = split_name(name)
            exact = resolve_exact(base, [_type_of(a) for a in arguments])
            if exact is not None and exact != name and (find(exact) is not None or self.interpreter.composite(exact)):
                return self.apply_named(exact, arguments, op)
            raise ExecutionError(f"operator {name} is not supported", op.span)
        autocast, self.interpreter.autocast = self.interpreter.autocast, (OFF,)
        try:
            return _Frame(self.interpreter, function).call(arguments)[0]
        finally:
            self.interpreter.autocast = autocast


# prim nodes: (frame, operation, operands) -> results


_DRAWING: Final = ("aten::uniform", "aten::random", "aten::normal_functional", "aten::log_normal")
"""Operators that draw a number for each element."""


def _constant(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    del arguments
    if "name" in op.attributes:
        return (op.attributes["name"],)
    return (frame.interpreter.import_value(op.attributes.get("value")),)


def _if(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    return frame.run_block(op.body(0 if truth(arguments[0]) else 1))


def _loop(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    trip, condition, *carried = arguments
    i = 0
    while i < trip and condition:
        condition, *carried = frame.run_block(op.body(), [i, *carried])
        i += 1
    return carried


def _list_unpack(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    values = cast(list[Any], arguments[0])
    if len(values) != len(op.results):
        raise ExecutionError(f"Expected {len(op.results)} elements in a list but found {len(values)}", op.span)
    return values


def _tuple_index(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    values, index = arguments
    if not -len(values) <= index < len(values):
        raise ExecutionError("Tuple index out of range", op.span)
    return (values[index],)


def _parts_of(value: Any) -> Sequence[Any]:
    """What a tuple is unpacked into; of a complex number, its parts."""
    return (value.real, value.imag) if isinstance(value, complex) else value


def _tuple_slice(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    return (arguments[0][op.attributes["beg"] : op.attributes["end"]],)


def _get_attribute(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    name = cast(str, op.attributes["name"])
    attributes = cast(Instance, arguments[0]).attributes
    if name not in attributes:
        raise ExecutionError(f"object has no attribute '{name}'", op.span)
    return (attributes[name],)


def _set_attribute(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    cast(Instance, arguments[0]).attributes[cast(str, op.attributes["name"])] = arguments[1]
    return ()


def _call_method(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    receiver = cast(Instance, arguments[0])
    name = cast(str, op.attributes["name"])
    method = receiver.type.methods.get(name)
    if op.attributes.get(torch.CONTEXT):
        module = frame.function.parent_op
        assert module is not None
        if name == "__enter__":
            frame.interpreter.contexts.append((module, receiver))
        else:
            frame.interpreter.contexts.pop()
    return _call(frame, op, method, arguments)


def _call_function(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    return _call(frame, op, arguments[0], arguments[1:])


def _call(frame: _Frame, op: Operation, name: str | None, arguments: Sequence[Any]) -> Sequence[Any]:
    module = frame.function.parent_op
    function = None if module is None or name is None else lookup(module, name)
    if function is None:
        raise InternalError(f"call of an unknown function {name}")
    return _Frame(frame.interpreter, function).call(arguments)


def _create_object(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    t = op.result.type
    return (Instance(t.of if isinstance(t, InstanceType) else cast(ClassType, t)),)


@dataclass(frozen=True, eq=False)
class Member:
    """A value of a Union, with the type that it has there: an empty list does not tell its own."""

    value: Any
    type: ScriptType


def _plain(value: Any) -> Any:
    """A result without the types of members of Unions."""
    match value:
        case Member():
            return _plain(value.value)
        case list():
            value[:] = map(_plain, cast(list[Any], value))
            return value
        case tuple():
            return tuple(map(_plain, cast(tuple[Any, ...], value)))
        case dict():
            return {k: _plain(v) for k, v in cast(dict[Any, Any], value).items()}
        case _:
            return value


def _unchecked_cast(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    """What is not there, or another member of a Union, gives a value that is never read."""
    (value,), t, given = arguments, cast(ScriptType, op.result.type), cast(ScriptType, op.operand(0).type)
    if isinstance(value, Member):
        return (value.value if value.type == t else placeholder(t),)
    if isinstance(given, EnumType) and t == INT:
        return (list(given.members).index(value.name),)
    if isinstance(t, EnumType) and given == INT:
        return (EnumMember(t, list(t.members)[value]),)
    if isinstance(t, UnionType) and isinstance(value, list | dict | tuple | np.ndarray | Instance):
        member = member_index(t, given)
        if member is not None:
            return (Member(value, t.members[member]),)
    if isinstance(t, UnionType):
        return (value,)  # numbers, strings, None and members of Enums tell their type
    if isinstance(given, UnionType) and t in given.members and not is_instance(value, t):
        return (placeholder(t),)
    return (placeholder(t) if value is None else value,)


def placeholder(t: Any) -> Any:
    """A value of this type that is never read."""
    match t:
        case ListType():
            return []
        case DictType():
            return {}
        case TupleType():
            return tuple(map(placeholder, t.elements))
        case ComplexType():
            return 0j
        case InstanceType():
            return Instance(t.of)
        case UnionType() if t.members:
            return Member(placeholder(t.members[0]), t.members[0])
        case TensorType(dtype, shape) if dtype is not None and shape is not None:
            return np.zeros([0 if e is None else e for e in shape], dtype.numpy)
        case EnumType():
            return EnumMember(t, next(iter(t.members)))
        case _:
            return _PLACEHOLDERS.get(t)


_PLACEHOLDERS: Final[Mapping[ScriptType, Any]] = {INT: 0, FLOAT: 0.0, BOOL: False, STR: ""}


def _module_index(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    owner, index = cast(Instance, arguments[0]), str(arguments[1])
    if index not in owner.type.submodules:
        raise ExecutionError(f"{owner.type} does not have a field with name '{index}'", op.span)
    return (owner.attributes[index],)


def _raise(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    message, name, *holes = arguments
    if holes:
        message = builtins.format_(message, *holes)
    raise ExecutionError(raised_text(name, message), op.span)


def _print(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    line = builtins.strings.to_bytes(" ".join(map(builtins.to_text, arguments)))
    frame.interpreter.print(line + b"\n")
    return ()


def _string_of_bytes(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    return (builtins.strings.to_string(arguments[0].tobytes()),)


def _bytes_of_string(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    return (np.frombuffer(builtins.strings.to_bytes(arguments[0]), np.uint8).copy(),)


def _isinstance(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    types = cast(tuple[Any, ...], op.attributes["types"])
    if isinstance(arguments[0], Member):
        return (arguments[0].type in types,)
    return (any(is_instance(arguments[0], t) for t in types),)


def _uninitialized(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    return (placeholder(op.result.type),)


def _to_list(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    array, depth, kind = cast(Array, arguments[0]), *arguments[1:]
    builtins.check_tolist(cast(DType, from_numpy(array.dtype)), array.ndim, depth, kind)
    return (array.tolist(),)


@dataclass(frozen=True, eq=False)
class Future:
    """What a fork has given, or the error that waiting for it raises."""

    value: Any = None
    error: ExecutionError | None = None


def _fork(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    """Runs at once, which is one of the orders that a program may see."""
    callee = cast("str | None", op.attributes.get("callee"))
    autocast, frame.interpreter.autocast = frame.interpreter.autocast, (OFF,)
    try:
        (value,) = frame.run_block(op.body()) if callee is None else _call(frame, op, callee, arguments)
    except ExecutionError as error:
        return (Future(error=error),)
    finally:
        frame.interpreter.autocast = autocast
    return (Future(value),)


def _enter(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    context, before = cast(Instance, arguments[0]), frame.interpreter.autocast
    device, enabled, dtype = (context.attributes[n] for n in ATTRIBUTES)
    frame.interpreter.autocast = (*before, before[-1].inside(device, enabled, dtype))
    return (context,)


def _exit(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    frame.interpreter.autocast = frame.interpreter.autocast[:-1]
    return ()


def _wait(frame: _Frame, op: Operation, arguments: list[Any]) -> Sequence[Any]:
    future = cast(Future, arguments[0])
    if future.error is not None:
        raise future.error
    return (future.value,)


_PRIM: Final[dict[str, Callable[[_Frame, Operation, list[Any]], Sequence[Any]]]] = {
    "prim::Constant": _constant,
    "prim::future": lambda frame, op, arguments: (Future(arguments[0]),),
    "prim::Enter": _enter,
    "prim::Exit": _exit,
    "aten::is_autocast_enabled": lambda frame, op, arguments: (frame.interpreter.autocast[-1].cuda,),
    "aten::is_autocast_cpu_enabled": lambda frame, op, arguments: (frame.interpreter.autocast[-1].cpu is not None,),
    "aten::wait": _wait,
    "prim::ModuleContainerIndex.list": _module_index,
    "prim::ModuleContainerIndex.dict": _module_index,
    "prim::If": _if,
    "prim::Loop": _loop,
    "prim::ListConstruct": lambda frame, op, arguments: (arguments,),
    "prim::TupleConstruct": lambda frame, op, arguments: (tuple(arguments),),
    "prim::DictConstruct": lambda frame, op, arguments: (dict(zip(map(builtins.dict_key, arguments[::2]), arguments[1::2])),),
    "prim::TupleUnpack": lambda frame, op, arguments: _parts_of(arguments[0]),
    "prim::TupleIndex": _tuple_index,
    "prim::TupleSlice": _tuple_slice,
    "prim::ListUnpack": _list_unpack,
    "prim::GetAttr": _get_attribute,
    "prim::SetAttr": _set_attribute,
    "prim::CallMethod": _call_method,
    "prim::CallFunction": _call_function,
    "prim::CreateObject": _create_object,
    "prim::id": lambda frame, op, arguments: (id(arguments[0]),),
    "prim::RaiseException": _raise,
    "prim::Print": _print,
    OF_BYTES: _string_of_bytes,
    BYTES_OF: _bytes_of_string,
    "prim::isinstance": _isinstance,
    "prim::unchecked_cast": _unchecked_cast,
    "prim::Uninitialized": _uninitialized,
    "prim::tolist": _to_list,
    "prim::fork": _fork,
    "aten::warn": lambda frame, op, arguments: (),
}


# types of run-time values


def _type_of(value: Any) -> ScriptType:
    kinds: Mapping[type, ScriptType] = {bool: BOOL, int: INT, float: FLOAT, complex: COMPLEX, type(None): NONE}
    return TENSOR if isinstance(value, np.ndarray) else kinds.get(type(value), AnyType())


def is_instance(value: Any, type_: Any) -> bool:
    """Whether a run-time value has a type (a ScriptType; `list` and `tuple` stand for any of their kind)."""
    if isinstance(type_, str):
        return isinstance(value, {"list": list, "tuple": tuple, "dict": dict}[type_])
    match type_:
        case AnyListType():
            return isinstance(value, list)
        case AnyTupleType():
            return isinstance(value, tuple)
        case AnyType():
            return True
        case TensorType():
            return isinstance(value, np.ndarray)
        case BoolType():
            return isinstance(value, bool)
        case IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case FloatType():
            return isinstance(value, float)
        case ComplexType():
            return isinstance(value, complex)
        case NumberType():
            return isinstance(value, int | float | complex) and not isinstance(value, bool)
        case StrType() | DeviceType():
            return isinstance(value, str)
        case NoneType():
            return value is None
        case OptionalType():
            return value is None or is_instance(value, type_.element)
        case UnionType():
            return any(is_instance(value, m) for m in type_.members)
        case ListType():
            return isinstance(value, list) and all(is_instance(v, type_.element) for v in cast(list[Any], value))
        case TupleType():
            if not isinstance(value, tuple):
                return False
            elements = cast(tuple[Any, ...], value)
            return len(elements) == len(type_.elements) and all(map(is_instance, elements, type_.elements))
        case DictType():
            return isinstance(value, dict) and all(
                is_instance(k, type_.key) and is_instance(v, type_.value)
                for k, v in cast(dict[Any, Any], value).items()
            )
        case ClassType():
            return isinstance(value, Instance) and value.type is type_
        case InterfaceType():
            return isinstance(value, Instance) and type_.is_met_by(value.type)
        case EnumType():
            return isinstance(value, EnumMember) and value.type is type_
        case _:
            return False
