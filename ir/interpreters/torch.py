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
import numpy.typing as npt

from .. import quantized_rules
from ..attributes import ComplexParts, Constant, ForeignTensor
from ..autocast import ATTRIBUTES, OFF, Autocast, dtype_argument
from ..class_groups import member_index
from ..core import Block, Operation, Value, lookup, symbol
from ..diagnostics import ExecutionError, InternalError, raised_text
from ..dialects import torch
from ..dialects.aten import generators
from ..dialects.aten.factories import nested_shape
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
from ..string_operators import BYTES_OF, OF_BYTES
from . import builtins, output, quantized

Array = npt.NDArray[Any]
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

    def import_value(self, value: Any) -> Any:
        """A compile-time value (attribute, constant) as a run-time one; the same object or tensor gives the same one."""
        match value:
            case ComplexParts():
                return complex(*value)
            case ScriptObject():
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
        if base in _METADATA:
            view = self.apply_named(
                f"{base[:-1]}{op.name[len(base) :]}", [self.interpreter.current(a) for a in arguments], op
            )
            self.interpreter.change(arguments[0], view)
            return arguments[0]
        given, arguments = arguments, [self.interpreter.current(a) for a in arguments]
        first = given[0] if given else None
        if base in _RESIZING:
            sizes = arguments[1].shape if base == "aten::resize_as_" else arguments[1]
            self.interpreter.change(given[0], _resized(arguments[0], sizes))
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
        if base in _TENSOR_BUILTINS:
            return _TENSOR_BUILTINS[base](*arguments)
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
        types: Any = record.infer(**{name: _inferred(value) for name, value in named.items()})
        for type_ in types if isinstance(types, list | tuple) else (types,):
            if isinstance(type_, TensorType) and type_.shape is not None and type_.dtype is not None:
                self.interpreter.reserve(math.prod(e or 0 for e in type_.shape) * type_.dtype.itemsize)
        state = named.get("generator")
        with generators.drawing_from(state) if state is not None else nullcontext():
            result = record.reference(**(named if state is None else {**named, "generator": None}))
        if form.name == "aten::as_strided":
            return _strided(arguments[0], *arguments[1:])
        if is_view(form):
            return _viewed(form, arguments, result, copies=bool(named.get("copy")))
        results = _normal(form, result)
        inputs = [a for argument in arguments for a in _arrays(argument)]
        dense = gives_contiguous(form.name) or all(a.flags.c_contiguous for a in inputs)
        return _map_arrays(results, lambda a: _fresh(a, inputs, dense))

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
                now = _resized(now, value.shape)
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
    "prim::DictConstruct": lambda frame, op, arguments: (dict(zip(arguments[::2], arguments[1::2])),),
    "prim::TupleUnpack": lambda frame, op, arguments: arguments[0],
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


# tensors


def dtype_of(array: Array) -> DType:
    found = from_numpy(array.dtype)
    if found is None:
        raise InternalError(f"array of dtype {array.dtype}")
    return found


def truth(value: Any) -> bool:
    """A condition; a tensor must have one element."""
    return bool(_one_element(value)) if isinstance(value, np.ndarray) else bool(value)


def _one_element(x: Array) -> Any:
    if x.size == 0:
        raise OperatorError("Boolean value of Tensor with no values is ambiguous")
    if x.size != 1:
        raise OperatorError("Boolean value of Tensor with more than one value is ambiguous")
    return x.reshape(()).item()


def item(x: Any) -> Any:
    """A one-element tensor as the Python number of its dtype."""
    if not isinstance(x, np.ndarray):
        return x
    if x.size != 1:
        raise OperatorError(f"a Tensor with {x.size} elements cannot be converted to Scalar")
    value = x.reshape(()).item()
    return float(value) if dtype_of(x).is_floating else value


def _implicit(kind: str) -> Callable[[Any], Any]:
    def convert(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            if x.ndim:
                raise OperatorError("Cannot input a tensor of dimension other than 0 as a scalar argument")
            if kind == "int" and not (dtype_of(x).is_integral or dtype_of(x) is DType.bool):
                raise OperatorError(f"Cannot input a tensor of type {dtype_of(x).graph_name} as an integral argument")
        value = item(x)
        return value if kind == "scalar" else {"int": int, "float": float, "complex": complex}[kind](value)

    return convert


def _size(x: Array, dim: int | None = None) -> Any:
    if dim is None:
        return [int(e) for e in x.shape]
    return int(x.shape[_dimension(dim, x.ndim)])


def _dimension(dim: int, rank: int) -> int:
    span = max(rank, 1)
    if not -span <= dim < span:
        raise OperatorError(f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})")
    return dim % span


def _len(x: Array) -> int:
    if x.ndim == 0:
        raise OperatorError("len() of a 0-d tensor")
    return int(x.shape[0])


def _to_int(x: Any) -> int:
    return cast(int, builtins.NUMBERS["aten::Int"](item(x)))


def strides_of(x: Array) -> list[int]:
    return [s // x.itemsize for s in x.strides]


def _contiguous(x: Array, memory_format: int = 0) -> Array:
    return x if x.flags.c_contiguous else np.ascontiguousarray(x).reshape(x.shape)


def tensor_of(data: Any, dtype: int | None = None) -> Array:
    """`torch.tensor(data)`: dtype from the values unless given."""
    if isinstance(data, np.ndarray):
        return data.astype(DType(dtype).numpy) if dtype is not None else data.copy()
    if isinstance(data, list) and data and isinstance(data[0], np.ndarray):
        stacked = np.stack([np.asarray(v).reshape(()) for v in cast(list[Any], data)])
        return stacked.astype(DType(dtype).numpy) if dtype is not None else stacked
    kind = DType(dtype) if dtype is not None else default_dtype(data)
    nested_shape(data)
    return np.asarray(data, kind.numpy)


def default_dtype(data: Any) -> DType:
    """The dtype that PyTorch infers for (nested lists of) numbers."""
    leaf = data
    kinds: list[DType] = []
    pending = [leaf]
    while pending:
        value = pending.pop()
        if isinstance(value, list | tuple):
            pending.extend(cast(list[Any], value))
        else:
            kinds.append(
                DType.bool
                if isinstance(value, bool)
                else DType.int64
                if isinstance(value, int)
                else DType.complex64
                if isinstance(value, complex)
                else DType.float32
            )
    return max(kinds, key=lambda d: d.category) if kinds else DType.float32


def _view(x: Array, size: Any) -> Array:
    if isinstance(size, int):
        return x.view(DType(size).numpy)
    record = find("aten::view")
    shape = size if record is None else np.shape(record.reference(self=x, size=size))
    view = x.view()
    try:
        view = view.reshape(shape, copy=False)
    except ValueError:
        raise OperatorError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        ) from None
    return view


_TENSOR_BUILTINS: Final[dict[str, Callable[..., Any]]] = {
    "aten::size": _size,
    "aten::len": _len,
    "aten::dim": lambda x: x.ndim,
    "aten::numel": lambda x: int(x.size),
    "aten::item": item,
    "aten::Int": _to_int,
    "aten::Float": lambda x: float(item(x)),
    "aten::Bool": truth,
    "aten::Complex": lambda x, y=0: complex(item(x), item(y)),
    "aten::is_nonzero": truth,
    "aten::IntImplicit": _implicit("int"),
    "aten::FloatImplicit": _implicit("float"),
    "aten::ScalarImplicit": _implicit("scalar"),
    "aten::ComplexImplicit": _implicit("complex"),
    "prim::dtype": lambda x: int(dtype_of(x)),
    "prim::device": lambda x: "cpu",
    "prim::layout": lambda x: 0,
    "prim::shape": _size,
    "prim::data": lambda x: x,
    "prim::grad": lambda x: None,
    "prim::requires_grad": lambda x: False,
    "prim::is_cuda": lambda x: False,
    "prim::is_cpu": lambda x: True,
    "prim::is_sparse": lambda x: False,
    "prim::is_quantized": lambda x: False,
    "prim::is_mkldnn": lambda x: False,
    "prim::is_meta": lambda x: False,
    "prim::is_nested": lambda x: False,
    "prim::itemsize": lambda x: x.itemsize,
    "prim::nbytes": lambda x: x.nbytes,
    "aten::is_floating_point": lambda x: dtype_of(x).is_floating,
    "aten::is_complex": lambda x: dtype_of(x).is_complex,
    "aten::is_contiguous": lambda x, memory_format=0: bool(x.flags.c_contiguous),
    "aten::stride": lambda x, dim=None: strides_of(x) if dim is None else strides_of(x)[_dimension(dim, x.ndim)],
    "aten::storage_offset": lambda x: 0,
    "aten::element_size": lambda x: x.itemsize,
    "aten::contiguous": _contiguous,
    "aten::detach": lambda x: x.view(),
    "aten::alias": lambda x: x.view(),
    "aten::lift_fresh": lambda x: x,
    "aten::requires_grad_": lambda x, flag=True: x,
    "aten::detach_": lambda x: x,
    "aten::tensor": lambda data, dtype=None, device=None, requires_grad=False: tensor_of(data, dtype),
    "aten::as_tensor": lambda data, dtype=None, device=None: (
        data if isinstance(data, np.ndarray) and dtype in (None, int(dtype_of(data))) else tensor_of(data, dtype)
    ),
    "aten::scalar_tensor": lambda data, dtype=None, *rest: tensor_of(data, 6 if dtype is None else dtype),
    "prim::NumToTensor": tensor_of,
    "aten::view": _view,
    "aten::type_as": lambda x, other: x if x.dtype == other.dtype else _converted(x, other),
    "aten::real": lambda x: x.real,
}


def _converted(x: Array, other: Array) -> Array:
    """The elements of one tensor in the dtype of another."""
    record = find("aten::copy")
    assert record is not None
    return np.array(record.reference(self=np.empty(x.shape, other.dtype), src=x, non_blocking=False))


def _expand(x: Array, shape: tuple[int, ...]) -> Array:
    wide = np.broadcast_to(x, shape)
    return np.lib.stride_tricks.as_strided(x, wide.shape, wide.strides)


_METADATA: Final = frozenset(
    ["aten::unsqueeze_", "aten::squeeze_", "aten::transpose_", "aten::t_", "aten::swapaxes_", "aten::swapdims_", "aten::as_strided_"]
)
"""Operators that change how a tensor is looked at, not its elements."""

_RESIZING: Final = frozenset(["aten::resize_", "aten::resize_as_"])

_SAME: Final = frozenset(["aten::positive", "aten::conj", "aten::resolve_conj", "aten::resolve_neg"])
"""Operators that return their input (real numbers only)."""

_MAYBE_COPIES: Final = frozenset(
    [
        "aten::reshape",
        "aten::reshape_as",
        "aten::flatten",
        "aten::to",
        "aten::type_as",
        "aten::contiguous",
        "aten::_reshape_alias",
        "aten::expand",
        "aten::ravel",
        "aten::real",
        "aten::view_as",
        "aten::_to_copy",
        "aten::float",
        "aten::unflatten",
    ]
)


def _resized(x: Array, shape: Sequence[int]) -> Array:
    """`resize_`: the first elements of its memory, or more of them in memory of its own."""
    count = math.prod(shape)
    memory = _memory(x)
    offset = (_address(x) - _address(memory)) // x.itemsize
    if memory.flags.c_contiguous and memory.dtype == x.dtype and offset + count <= memory.size:
        return memory.reshape(-1)[offset : offset + count].reshape(shape)
    larger = np.zeros(count, x.dtype)
    larger[: x.size] = x.reshape(-1)[:count]
    return larger.reshape(shape)


def _memory(x: Array) -> Array:
    """What it is a view of, at last."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def _strided(x: Array, size: list[int], stride: list[int], offset: int | None = None) -> Array:
    """Offsets count from the start of the memory, wherever the tensor lies in it."""
    memory = _memory(x)
    start = _address(x) - _address(memory) if offset is None else offset * x.itemsize
    if not memory.flags.c_contiguous or any(n < 0 for n in (start, *stride)):
        raise OperatorError("as_strided of this layout")
    if 0 not in size and start + (sum((n - 1) * s for n, s in zip(size, stride)) + 1) * x.itemsize > memory.nbytes:
        raise OperatorError("setStorage: sizes and strides are out of bounds for the storage")
    elements = memory.reshape(-1, copy=False)[start // x.itemsize :]
    steps = [s * x.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(elements, size, steps, writeable=x.flags.writeable)


def _address(x: Array) -> int:
    return cast(int, x.__array_interface__["data"][0])


def _viewed(form: Schema, arguments: list[Any], result: Any, *, copies: bool = False) -> Any:
    """The result of a view operator as views of its input, given what its reference computed."""
    source = cast(Array, arguments[0])
    base, _ = split_name(form.name)
    if copies:
        return np.array(result)
    if base == "aten::conj" and source.dtype.kind == "c":
        value = np.array(result)
        value.flags.writeable = False  # numpy has no view that conjugates
        return value
    if base in _SAME and np.shape(result) == source.shape and np.asarray(result).dtype == source.dtype:
        return source
    if isinstance(result, list | tuple):
        parts = [np.asarray(v) for v in cast(list[Any], result)]
        if all(np.may_share_memory(p, source) or p.size == 0 for p in parts):
            return [_writable(p, source) for p in parts]
        raise InternalError(f"the reference of {form.name} gives no views")
    value = np.asarray(result)
    if base == "aten::expand":
        return _expand(source, value.shape)
    if np.may_share_memory(value, source) or value.size == 0:
        return _writable(value, source)
    if base in _MAYBE_COPIES:
        return value
    raise InternalError(f"the reference of {form.name} gives no view")


def _writable(view: Array, source: Array) -> Array:
    """numpy makes some views read-only; what is a view of writable memory can be written."""
    if source.flags.writeable and not view.flags.writeable:
        view.flags.writeable = True
    return view


def write(target: Array, value: Any) -> None:
    """`target[...] = value` under the rules of in-place operators."""
    source = np.asarray(value)
    if target.shape != source.shape:
        try:
            wide = np.broadcast_shapes(target.shape, source.shape)
        except ValueError:
            wide = source.shape
        if wide != target.shape:
            shown = list(target.shape), list(wide)
            raise OperatorError(f"output with shape {shown[0]} doesn't match the broadcast shape {shown[1]}")
    if target.size and any(s == 0 and e > 1 for s, e in zip(target.strides, target.shape)):
        raise OperatorError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    record = find("aten::copy")
    if source.dtype != target.dtype and record is not None:
        source = np.asarray(record.reference(self=target, src=source, non_blocking=False))
    with np.errstate(all="ignore"):
        target[...] = source.astype(target.dtype, copy=False)


def _inferred(value: Any) -> Any:
    """A run-time value as `infer` rules take it."""
    if isinstance(value, np.ndarray):
        return TensorType(dtype_of(value), tuple(int(e) for e in value.shape))
    if isinstance(value, list | tuple):
        return [_inferred(v) for v in cast(Sequence[Any], value)]
    return value


def _normal(form: Schema, result: Any) -> Any:
    """numpy scalars become arrays where a tensor is meant, Python numbers otherwise."""
    if len(form.returns) == 1:
        return _normal_value(form.returns[0].type, result)
    return tuple(_normal_value(r.type, v) for r, v in zip(form.returns, cast(Sequence[Any], result)))


def _normal_value(type_: ScriptType, value: Any) -> Any:
    if isinstance(type_, OptionalType):
        return None if value is None else _normal_value(type_.element, value)
    if isinstance(type_, TensorType):
        return value if value is None else np.asarray(value)
    if isinstance(type_, ListType) and isinstance(value, list | tuple):
        return [_normal_value(type_.element, v) for v in cast(Sequence[Any], value)]
    if isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0:
        return value.item()
    return value


def _fresh(array: Array, inputs: Sequence[Array], dense: bool) -> Array:
    """A result with memory of its own; from contiguous tensors PyTorch makes contiguous ones."""
    if dense and not array.flags.c_contiguous:
        return np.ascontiguousarray(array)
    return array.copy(order="K") if any(np.may_share_memory(array, i) for i in inputs) else array


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list | tuple):
        return [a for v in cast(Sequence[Any], value) for a in _arrays(v)]
    return []


def _map_arrays(value: Any, function: Callable[[Array], Array]) -> Any:
    if isinstance(value, np.ndarray):
        return function(value)
    if isinstance(value, list):
        return [_map_arrays(v, function) for v in cast(list[Any], value)]
    if isinstance(value, tuple):
        return tuple(_map_arrays(v, function) for v in cast(tuple[Any, ...], value))
    return value


# types of run-time values


def _type_of(value: Any) -> ScriptType:
    kinds: Mapping[type, ScriptType] = {bool: BOOL, int: INT, float: FLOAT, complex: COMPLEX, type(None): NONE}
    return TENSOR if isinstance(value, np.ndarray) else kinds.get(type(value), AnyType())


def is_instance(value: Any, type_: Any) -> bool:
    """Whether a run-time value has a type (a ScriptType; `list` and `tuple` stand for any of their kind)."""
    if isinstance(type_, str):
        return isinstance(value, {"list": list, "tuple": tuple, "dict": dict}[type_])
    match type_:
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
