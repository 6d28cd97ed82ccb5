"""Delta debugging on the program's tree: the smallest program that fails in the same way.

A cut replaces a slice of one list of the tree (statements, expressions, definitions, inputs) and is kept if `still_fails` says so.
Cuts that make the program invalid (a name that is no longer defined) are undone like those that make it right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from programs import BOOL, FLOAT, INT, STR, Block, ClassDefinition, Expr, Function, Line, Program, Statement

Cut = tuple[list[Any], int, int, list[Any]]
"""A list, the slice of it that goes, and what comes there."""

SIMPLEST = {INT: "1", FLOAT: "1.0", BOOL: "True", STR: "'a'"}


def shrink(program: Program, still_fails: Callable[[Program], bool], attempts: int = 2000) -> Program:
    """Cuts the program in place until no cut helps, or after so many tries; gives it back."""
    budget = [attempts]
    helps = True
    while helps and budget[0] > 0:
        helps = False
        for cuts in PASSES:
            helps = _pass(program, cuts, still_fails, budget) or helps
    return program


def _pass(program: Program, cuts: Callable[[Program], Iterator[Cut]], still_fails: Callable[[Program], bool], budget: list[int]) -> bool:
    """Tries every cut of one kind, going on where the last good one was made; whether any helped."""
    helped, position = False, 0
    while budget[0] > 0:
        cut = next((c for i, c in enumerate(cuts(program)) if i == position), None)
        if cut is None:
            return helped
        target, start, end, new = cut
        old, before = target[start:end], program.text()
        target[start:end] = new
        budget[0] -= 1
        changed = program.text() != before or target is program.inputs
        if changed and still_fails(program):
            helped = True
        else:
            target[start : start + len(new)] = old
            position += 1
    return helped


def _statement_cuts(program: Program) -> Iterator[Cut]:
    """Whole runs of statements, long ones first."""
    for block in _blocks(program):
        size = len(block.statements)
        length = size
        while length:
            for start in range(0, size - length + 1, max(1, length // 2)):
                yield block.statements, start, start + length, []
            length //= 2


def _hoists(program: Program) -> Iterator[Cut]:
    """A statement becomes the contents of one of its blocks; its last block goes (`else`)."""
    for block in _blocks(program):
        for i, statement in enumerate(block.statements):
            inner = [b for b in statement.items if isinstance(b, Block)]
            for b in inner:
                yield block.statements, i, i + 1, b.statements[:]
            if len(inner) > 1:
                yield statement.items, len(statement.items) - 2, len(statement.items), []


def _expression_cuts(program: Program) -> Iterator[Cut]:
    """An expression becomes a literal, or one inside it of the same type."""
    for parts, i, e in _expressions(program):
        simple = SIMPLEST.get(e.type)
        if simple is not None and str(e) != simple:
            yield parts, i, i + 1, [Expr(e.type, [simple])]
        for inner in _inside(e):
            if inner.type == e.type:
                yield parts, i, i + 1, [inner]


def _other_cuts(program: Program) -> Iterator[Cut]:
    for i in range(len(program.inputs)):
        if len(program.inputs) > 1:
            yield program.inputs, i, i + 1, []
    for i in range(len(program.definitions)):
        yield program.definitions, i, i + 1, []
    for i in range(len(program.results)):
        yield program.results, i, i + 1, []


PASSES = (_other_cuts, _statement_cuts, _hoists, _expression_cuts)


def _functions(program: Program) -> Iterator[Function]:
    yield program.main
    for definition in program.definitions:
        if isinstance(definition, ClassDefinition):
            yield from definition.methods
        else:
            yield definition


def _blocks(program: Program) -> Iterator[Block]:
    for function in _functions(program):
        yield from _below(function.body)


def _below(block: Block) -> Iterator[Block]:
    yield block
    for statement in block.statements:
        for item in statement.items:
            if isinstance(item, Block):
                yield from _below(item)


def _lines(statements: list[Statement]) -> Iterator[Line]:
    for statement in statements:
        yield from (item for item in statement.items if isinstance(item, Line))


def _expressions(program: Program) -> Iterator[tuple[list[Any], int, Expr]]:
    for block in _blocks(program):
        for item in _lines(block.statements):
            yield from _operands(item.parts)


def _operands(parts: list[Any]) -> Iterator[tuple[list[Any], int, Expr]]:
    for i, part in enumerate(parts):
        if isinstance(part, Expr):
            yield parts, i, part
            yield from _operands(part.parts)


def _inside(e: Expr) -> Iterator[Expr]:
    for part in e.parts:
        if isinstance(part, Expr):
            yield part
            yield from _inside(part)
