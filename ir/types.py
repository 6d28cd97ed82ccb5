"""Types of the `linalg` and `loops` stages: MLIR's builtin types, with MLIR's spelling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


class Type:
    """Base of every type of every stage. `str(type)` is its spelling in that stage's text."""


@dataclass(frozen=True)
class IntegerType(Type):
    """Signless integer, as in upstream MLIR: operations, not types, say how bits are read."""

    width: int

    def __str__(self) -> str:
        return f"i{self.width}"


@dataclass(frozen=True)
class IndexType(Type):
    def __str__(self) -> str:
        return "index"


@dataclass(frozen=True)
class FloatType(Type):
    """`name` is one of f16, bf16, f32, f64."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def width(self) -> int:
        return {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}[self.name]


@dataclass(frozen=True)
class ComplexType(Type):
    """Two floats: a real and an imaginary part."""

    element: FloatType

    def __str__(self) -> str:
        return f"complex<{self.element}>"


Extent = int | None


def _extent(e: Extent) -> str:
    return "?" if e is None else str(e)


def _shape(shape: tuple[Extent, ...]) -> str:
    return "".join(f"{_extent(e)}x" for e in shape)


@dataclass(frozen=True)
class RankedTensorType(Type):
    shape: tuple[Extent, ...]
    element: Type

    def __str__(self) -> str:
        return f"tensor<{_shape(self.shape)}{self.element}>"

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class StridedLayout:
    """Strides and offset in elements; `None` for an entry known only at run time."""

    strides: tuple[Extent, ...]
    offset: Extent = 0

    def __str__(self) -> str:
        offset = "" if self.offset == 0 else f", offset: {_extent(self.offset)}"
        return f"strided<[{', '.join(map(_extent, self.strides))}]{offset}>"


@dataclass(frozen=True)
class MemRefType(Type):
    """A buffer. `layout` None is the contiguous row-major one; `space` is a `gpu` address space number or None."""

    shape: tuple[Extent, ...]
    element: Type
    layout: StridedLayout | None = None
    space: int | None = None

    def __str__(self) -> str:
        layout = "" if self.layout is None else f", {self.layout}"
        space = "" if self.space is None else f", {self.space}"
        return f"memref<{_shape(self.shape)}{self.element}{layout}{space}>"

    @property
    def rank(self) -> int:
        return len(self.shape)

    def strides(self) -> tuple[Extent, ...]:
        """Strides in elements, outermost first; `None` where only known at run time."""
        if self.layout is not None:
            return self.layout.strides
        strides: list[Extent] = []
        step: Extent = 1
        for extent in reversed(self.shape):
            strides.append(step)
            step = None if step is None or extent is None else step * extent
        return tuple(reversed(strides))

    @property
    def offset(self) -> Extent:
        return 0 if self.layout is None else self.layout.offset


@dataclass(frozen=True)
class VectorType(Type):
    shape: tuple[int, ...]
    element: Type

    def __str__(self) -> str:
        return f"vector<{_shape(self.shape)}{self.element}>"


@dataclass(frozen=True)
class BoxType(Type):
    """A tensor on the heap, never changed, with a reference count: what lists hold."""

    tensor: RankedTensorType

    def __str__(self) -> str:
        return f"!rt.box<{self.tensor}>"


@dataclass(frozen=True)
class RunTimeListType(Type):
    """A list whose length is known at run time, with a reference count. Each element is one value of each slot's type:
    i64, f64, i1, a box, a list; tuples have several slots."""

    slots: tuple[Type, ...]

    def __str__(self) -> str:
        return f"!rt.list<{', '.join(map(str, self.slots))}>"


@dataclass(frozen=True)
class RunTimeDictType(Type):
    """A dict whose keys are known at run time, in the order in which they were put in, with a reference count. A key is
    i64, f64, complex<f64>, i1 or a string; its value is one value of each of `slots`, as in lists."""

    key: Type
    slots: tuple[Type, ...]

    def __str__(self) -> str:
        return f"!rt.dict<{self.key} : {', '.join(map(str, self.slots))}>"


@dataclass(frozen=True)
class StringType(Type):
    """A string whose bytes are known at run time; never changed, with a reference count."""

    def __str__(self) -> str:
        return "!rt.str"


@dataclass(frozen=True)
class RecordType(Type):
    """An object with one field for each slot, with a reference count."""

    slots: tuple[Type, ...]

    def __str__(self) -> str:
        return f"!rt.record<{', '.join(map(str, self.slots))}>"


@dataclass(frozen=True)
class FutureType(Type):
    """What a call on another thread gives: a value of these slots, or an error; with a reference count."""

    slots: tuple[Type, ...]

    def __str__(self) -> str:
        return f"!rt.future<{', '.join(map(str, self.slots))}>"


@dataclass(frozen=True)
class AnyObjectType(Type):
    """A counted object of a type that is not told."""

    def __str__(self) -> str:
        return "!rt.any"


@dataclass(frozen=True)
class FunctionType(Type):
    inputs: tuple[Type, ...]
    results: tuple[Type, ...]

    def __str__(self) -> str:
        results = ", ".join(map(str, self.results))
        if len(self.results) != 1 or isinstance(self.results[0], FunctionType):
            results = f"({results})"
        return f"({', '.join(map(str, self.inputs))}) -> {results}"


I1: Final = IntegerType(1)
I8: Final = IntegerType(8)
I16: Final = IntegerType(16)
I32: Final = IntegerType(32)
I64: Final = IntegerType(64)
INDEX: Final = IndexType()
F16: Final = FloatType("f16")
BF16: Final = FloatType("bf16")
F32: Final = FloatType("f32")
F64: Final = FloatType("f64")
COMPLEX_F16: Final = ComplexType(F16)
COMPLEX_F32: Final = ComplexType(F32)
COMPLEX_F64: Final = ComplexType(F64)
STRING: Final = StringType()
ANY_OBJECT: Final = AnyObjectType()


def element_type(t: Type) -> Type:
    """The scalar type of a tensor, memref or vector; a scalar type itself."""
    return t.element if isinstance(t, RankedTensorType | MemRefType | VectorType) else t


def with_shape_of(t: Type, element: Type) -> Type:
    """`element`, in the shape of `t`: a vector, tensor or memref of it, or the scalar."""
    match t:
        case VectorType():
            return VectorType(t.shape, element)
        case RankedTensorType():
            return RankedTensorType(t.shape, element)
        case MemRefType():
            return MemRefType(t.shape, element, t.layout, t.space)
        case _:
            return element
