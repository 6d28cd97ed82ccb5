"""Runs functions of the `linalg` and `loops` stages on numpy values: the engine under the dialects' interpreters.

Each block is compiled once to a list of Python closures over a frame (a list with one slot per SSA value), so loops
cost one call per operation and iteration. Values: numpy scalars for numbers, arrays for tensors and vectors, `MemRef`
for buffers. `i1` is np.bool_, other integers and `index` are signed numpy integers; operations say how bits are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..attributes import Attribute, Constant, DenseAttr, FloatAttr, IntegerAttr
from ..core import Block, Operation, Value, functions, symbol
from ..definition import Trait
from ..diagnostics import InternalError
from ..dialects import DEFINITIONS
from ..dialects.tensor import DYNAMIC_SENTINEL
from ..types import (
    COMPLEX_F16,
    COMPLEX_F32,
    COMPLEX_F64,
    FloatType,
    FunctionType,
    IndexType,
    IntegerType,
    RankedTensorType,
    Type,
    VectorType,
    element_type,
)

Array = npt.NDArray[Any]
Frame = list[Any]
Step = Callable[[Frame], None]
"""One operation: reads its operands from the frame and writes its results there."""

Code = Callable[[Frame], list[Any]]
"""A block without its terminator; gives the terminator's operands."""

CONTEXT: Final = 0
"""Slot of the `Context`."""

_DTYPES: Final[dict[Type, np.dtype[Any]]] = {
    IndexType(): np.dtype(np.int64),
    IntegerType(1): np.dtype(np.bool_),
    **{IntegerType(w): np.dtype(f"i{w // 8}") for w in (8, 16, 32, 64)},
    FloatType("f16"): np.dtype(np.float16),
    FloatType("bf16"): np.dtype(ml_dtypes.bfloat16),
    FloatType("f32"): np.dtype(np.float32),
    FloatType("f64"): np.dtype(np.float64),
    COMPLEX_F16: np.dtype(ml_dtypes.complex32),
    COMPLEX_F32: np.dtype(np.complex64),
    COMPLEX_F64: np.dtype(np.complex128),
}


def dtype_of(type: Type) -> np.dtype[Any]:
    """numpy's dtype of a scalar type, or of the elements of a shaped one."""
    element = element_type(type)
    if element not in _DTYPES:
        raise InternalError(f"the interpreter has no values of type {element}")
    return _DTYPES[element]


def attribute_value(attribute: Attribute) -> Any:
    """numpy value of a typed number or dense constant."""
    match attribute:
        case IntegerAttr(value, type):
            return integer(value, dtype_of(type))
        case FloatAttr(value, type):
            return dtype_of(type).type(value)
        case DenseAttr(Constant() as constant, type):
            return as_elements(constant.array, type)
        case DenseAttr(value, RankedTensorType() | VectorType() as type):
            dtype = dtype_of(type)
            shape = cast(tuple[int, ...], type.shape)
            if isinstance(value, tuple):
                return np.array([number(v, dtype) for v in value], dtype).reshape(shape)
            return np.full(shape, number(value, dtype), dtype)
        case _:
            raise InternalError(f"the interpreter cannot evaluate the attribute {attribute}")


def number(value: Any, dtype: np.dtype[Any]) -> Any:
    return dtype.type(value) if dtype.kind not in "i" else integer(value, dtype)


def integer(value: int, dtype: np.dtype[Any]) -> Any:
    """The signless integer: modulo 2**width, read as signed."""
    if dtype.kind == "b":
        return np.bool_(value & 1)
    width = 8 * dtype.itemsize
    wrapped = int(value) & ((1 << width) - 1)
    return dtype.type(wrapped - (1 << width) if wrapped >> (width - 1) else wrapped)


def as_elements(array: Array, type: Type) -> Array:
    """An array from outside, with the element type that the IR gives it (uint8 bits are read as i8)."""
    dtype = dtype_of(type)
    if array.dtype == dtype:
        return array
    if array.dtype.kind in "ui" and array.dtype.itemsize == dtype.itemsize and dtype.kind == "i":
        return array.view(dtype)
    raise InternalError(f"an array of {array.dtype} is given for {type}")


@dataclass
class Context:
    """What a running thread of the program knows: its place in a GPU grid; values noted for a failing assertion."""

    position: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    barrier: Callable[[], None] = lambda: None
    shared: dict[str, Any] = field(default_factory=dict[str, Any])
    """Buffers of the thread block, by symbol."""
    notes: list[Any] = field(default_factory=list[Any])
    objects: list[Any] = field(default_factory=list[Any])
    """Lists and boxes that were made (`rt`)."""


Rule = Callable[["Compiler", Operation], Step]
External = Callable[..., Any]
Function = Callable[[Context, Sequence[Any]], list[Any]]


class Interpreter:
    """A module with its functions, compiled when first called."""

    def __init__(self, module: Operation, rules: Mapping[str, Rule], externals: Mapping[str, External]) -> None:
        self.module = module
        self.rules = rules
        self.externals = externals
        self.globals: dict[str, Any] = {}
        self._symbols: dict[str, Operation] = {}
        self._compiled: dict[Operation, Function] = {}
        for function in functions(module):
            self._symbols[symbol(function)] = function

    def symbol(self, name: str) -> Operation:
        """The top-level function of that name."""
        if name not in self._symbols:
            raise InternalError(f"no function @{name} in this module")
        return self._symbols[name]

    def function(self, op: Operation) -> Function:
        """`run(context, arguments)` of a `func.func` or `gpu.func`."""
        if op not in self._compiled:
            self._compiled[op] = self._compile(op)
        return self._compiled[op]

    def _compile(self, op: Operation) -> Function:
        if not op.regions[0].blocks:
            name = symbol(op)
            external = self.externals.get(name)
            if external is None:
                raise InternalError(f"@{name} is only declared, and no external function of that name is given")
            return lambda context, arguments: _as_list(external(*arguments))
        compiler = Compiler(self)
        body = op.body()
        slots = [compiler.slot(a) for a in body.args]
        code = compiler.block(body)

        def run(context: Context, arguments: Sequence[Any]) -> list[Any]:
            frame: Frame = [None] * compiler.size
            frame[CONTEXT] = context
            for slot, argument in zip(slots, arguments, strict=True):
                frame[slot] = argument
            return code(frame)

        return run


def _as_list(results: Any) -> list[Any]:
    if results is None:
        return []
    return list(cast(Sequence[Any], results)) if isinstance(results, list | tuple) else [results]


class Compiler:
    """Compiles one function: gives every value a slot, every operation a step."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.size = CONTEXT + 1
        self._slots: dict[Value | Operation, int] = {}

    def extra_slot(self, op: Operation) -> int:
        """A slot for what an operation tells the ones inside it."""
        return self._slot(op)

    def slot(self, value: Value) -> int:
        return self._slot(value)

    def _slot(self, key: Value | Operation) -> int:
        if key not in self._slots:
            self._slots[key] = self.size
            self.size += 1
        return self._slots[key]

    def slots(self, values: Sequence[Value]) -> list[int]:
        return [self.slot(v) for v in values]

    def step(self, op: Operation) -> Step:
        rule = self.interpreter.rules.get(op.name)
        if rule is None:
            raise InternalError(f"the interpreter does not know {op.name}")
        return rule(self, op)

    def block(self, block: Block) -> Code:
        """Steps of a block; the result gives the operands of its terminator."""
        operations = list(block.operations())
        definition = DEFINITIONS.get(operations[-1].name) if operations else None
        if definition is None or Trait.TERMINATOR not in definition.traits:
            raise InternalError("a block without a terminator cannot be run")
        steps = tuple(self.step(op) for op in operations[:-1])
        outs = self.slots(operations[-1].operands)

        def run(frame: Frame) -> list[Any]:
            for step in steps:
                step(frame)
            return [frame[i] for i in outs]

        return run

    def body(self, op: Operation, index: int = 0) -> tuple[list[int], Code]:
        """Slots of the arguments and the code of a region of one block."""
        block = op.body(index)
        return self.slots(block.args), self.block(block)


def pure(evaluate: Callable[[Operation], Callable[..., Any]]) -> Rule:
    """Rule of an operation with one result that is a function of its operands: `evaluate(op)` gives that function."""

    def rule(compiler: Compiler, op: Operation) -> Step:
        function = evaluate(op)
        out = compiler.slot(op.result)
        slots = compiler.slots(op.operands)
        match slots:
            case [a]:

                def one(f: Frame) -> None:
                    f[out] = function(f[a])

                return one
            case [a, b]:

                def two(f: Frame) -> None:
                    f[out] = function(f[a], f[b])

                return two
            case _:

                def many(f: Frame) -> None:
                    f[out] = function(*[f[i] for i in slots])

                return many

    return rule


def constant_step(compiler: Compiler, op: Operation, value: Any) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = value

    return run


def failure(op: Operation, message: str) -> InternalError:
    """A program that does what the IR leaves undefined: a bug of a lowering."""
    where = f" at {op.span}" if op.span else ""
    return InternalError(f"{op.name}{where}: {message}")


def garbage(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """What uninitialised memory holds here: NaN and odd numbers, so that reading it shows."""
    if dtype.kind == "b":
        return np.ones(shape, dtype)
    if dtype.kind == "i":
        return np.full(shape, 0x5B, dtype)
    return np.full(shape, np.nan, dtype)


def extents(shape: Sequence[int | None], dynamic: Sequence[Any]) -> tuple[int, ...]:
    """A shape with its run-time extents filled in."""
    rest = iter(dynamic)
    return tuple(int(next(rest)) if e is None else e for e in shape)


def mixed(static: Sequence[int], dynamic: Sequence[Any]) -> list[int]:
    """Entries of a `static_...` attribute with the operands filled in."""
    rest = iter(dynamic)
    return [int(next(rest)) if e == DYNAMIC_SENTINEL else e for e in static]


def function_type(op: Operation) -> FunctionType:
    return cast(FunctionType, op.attributes["function_type"])
