"""`gpu`: kernels and their launches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..attributes import UNIT, DenseArrayAttr, SymbolRef
from ..builder import Builder
from ..core import Block, Operation, Region, Value
from ..definition import OpDefinition, Trait
from ..types import I32, INDEX, FunctionType, Type

SHARED_SPACE: Final = 3
"""Memory space of block-shared buffers."""

AXES: Final = ("x", "y", "z")


def gpu_module(module: Operation, name: str) -> Operation:
    """An empty kernel container; the host module is marked as one that contains kernels."""
    module.attributes["gpu.container_module"] = UNIT
    op = Operation("gpu.module", attributes={"sym_name": name}, regions=[Region([Block()])])
    return module.body().insert_before(op, module.body().first)


def kernel(container: Operation, name: str, inputs: Sequence[Type], names: Sequence[str | None] = ()) -> Operation:
    """A kernel function whose body is to be filled in; it ends with `gpu.return`."""
    attributes = {"sym_name": name, "function_type": FunctionType(tuple(inputs), ()), "gpu.kernel": UNIT}
    op = Operation("gpu.func", attributes=attributes, regions=[Region([Block(inputs, names)])])
    return container.body().append(op)


def launch_func(b: Builder, container: str, name: str, grid: Sequence[Value], block: Sequence[Value], operands: Sequence[Value]) -> Operation:
    """Launches a kernel on a grid of blocks (three index values each) and waits for it."""
    assert len(grid) == 3 and len(block) == 3
    segments = DenseArrayAttr((0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, len(operands), 0), I32)
    attributes = {"kernel": (SymbolRef(container), SymbolRef(name)), "operandSegmentSizes": segments}
    return b.create("gpu.launch_func", (*grid, *block, *operands), (), attributes)


def _position(name: str, b: Builder, axis: str) -> Value:
    assert axis in AXES
    return b.create(name, (), (INDEX,), {"dimension": axis}).result


def thread_id(b: Builder, axis: str) -> Value:
    return _position("gpu.thread_id", b, axis)


def block_id(b: Builder, axis: str) -> Value:
    return _position("gpu.block_id", b, axis)


def block_dim(b: Builder, axis: str) -> Value:
    return _position("gpu.block_dim", b, axis)


def grid_dim(b: Builder, axis: str) -> Value:
    return _position("gpu.grid_dim", b, axis)


def barrier(b: Builder) -> Operation:
    return b.create("gpu.barrier")


def return_(b: Builder) -> Operation:
    return b.create("gpu.return")


_PURE: Final = frozenset({Trait.PURE})
_LAUNCH_OPERANDS: Final = (
    "asyncDependencies*",
    *("gridSizeX", "gridSizeY", "gridSizeZ", "blockSizeX", "blockSizeY", "blockSizeZ"),
    *("clusterSizeX?", "clusterSizeY?", "clusterSizeZ?", "dynamicSharedMemorySize?"),
    "kernelOperands*",
    "asyncObject?",
)

OPS: tuple[OpDefinition, ...] = (
    OpDefinition("gpu.module", results=0, regions=1, traits=frozenset({Trait.SYMBOL, Trait.ISOLATED})),
    OpDefinition("gpu.func", results=0, regions=1, traits=frozenset({Trait.SYMBOL, Trait.ISOLATED})),
    OpDefinition("gpu.launch_func", _LAUNCH_OPERANDS, results=0),
    *(OpDefinition(f"gpu.{n}", assembly="#dimension attr-dict", traits=_PURE) for n in ("thread_id", "block_id", "block_dim", "grid_dim")),
    OpDefinition("gpu.barrier", results=0, assembly="attr-dict"),
    OpDefinition("gpu.return", results=0, assembly="attr-dict", traits=frozenset({Trait.TERMINATOR})),
)
