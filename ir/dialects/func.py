"""`func`: functions, calls, returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ..attributes import SymbolRef
from ..builder import Builder
from ..core import Block, Operation, Region, Value, lookup
from ..definition import OpDefinition, Trait
from ..types import FunctionType, Type

FUNC: Final = "func.func"


def func(module: Operation, name: str, inputs: Sequence[Type], results: Sequence[Type], names: Sequence[str | None] = ()) -> Operation:
    """A new function at the end of `module`, its entry block with one argument per input and no operation yet."""
    op = Operation(
        FUNC,
        attributes={"sym_name": name, "function_type": FunctionType(tuple(inputs), tuple(results))},
        regions=[Region([Block(inputs, names)])],
    )
    module.body().append(op)
    return op


def declare(module: Operation, name: str, inputs: Sequence[Type], results: Sequence[Type] = ()) -> Operation:
    """A private declaration at the start of `module` (the existing one where there is one)."""
    existing = lookup(module, name)
    if existing is not None:
        return existing
    op = Operation(
        FUNC,
        attributes={"sym_name": name, "function_type": FunctionType(tuple(inputs), tuple(results)), "sym_visibility": "private"},
        regions=[Region()],
    )
    return module.body().insert_before(op, module.body().first)


def function_type(op: Operation) -> FunctionType:
    return cast(FunctionType, op.attributes["function_type"])


def is_declaration(op: Operation) -> bool:
    return not op.regions[0].blocks


def return_(b: Builder, values: Sequence[Value] = ()) -> Operation:
    return b.create("func.return", values)


def call(b: Builder, callee: str, operands: Sequence[Value], results: Sequence[Type] = ()) -> Operation:
    return b.create("func.call", operands, results, {"callee": SymbolRef(callee)})


OPS: tuple[OpDefinition, ...] = (
    OpDefinition("builtin.module", results=0, regions=1, traits=frozenset({Trait.ISOLATED})),
    OpDefinition(FUNC, results=0, regions=1, traits=frozenset({Trait.SYMBOL, Trait.ISOLATED})),
    OpDefinition("func.return", ("operands*",), results=0, traits=frozenset({Trait.TERMINATOR})),
    OpDefinition("func.call", ("operands*",), results=None, assembly="#callee ( $operands ) attr-dict : functional-type"),
)
