"""Runs the `__init__` of a user's modules, and the top level of a file, over our syntax tree; Python runs nothing.

In: a parsed `SourceModule`. Out: values of `values.py`: a tree of `ModuleInstance` with its tensors, or a function.
Work is bounded (`Limits`): a hostile file ends in a CompileError, not in a hang.

    interpreter = Interpreter(seed=0)
    scope = interpreter.module_scope(parse(file))          # what the file's global names mean
    model = interpreter.evaluate_entry(scope, "Net(10)")   # ModuleInstance
    interpreter.attribute(ModuleRef("torch"), "nn", span)  # ModuleRef("torch.nn")

A type checker needs: `Scope.lookup` (a global name), `Interpreter.attribute` (a name behind a dot), and the dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.source import Span
from .ast import Expr, SourceModule
from .values import Frame, Scope, Value


@dataclass(frozen=True)
class Limits:
    """Bounds of one evaluation."""

    steps: int = 10_000_000
    tensor_bytes: int = 16 << 30
    depth: int = 100


class Interpreter:
    def __init__(self, *, seed: int | None = None, limits: Limits | None = None) -> None: ...

    def module_scope(self, module: SourceModule, name: str = "") -> Scope:
        """The global names of a file. Definitions that cannot be evaluated are `Unavailable`."""
        ...

    def evaluate_entry(self, scope: Scope, text: str) -> Value:
        """What `Name`, `Name.method` or `Name(arguments)` of a command line means; a module class is instantiated."""
        ...

    def evaluate(self, expression: Expr, frame: Frame) -> Value: ...

    def attribute(self, value: Value, name: str, span: Span | None) -> Value:
        """`value.name`. Of a ModuleRef: ModuleRef, BuiltinRef, ClassValue, FunctionValue or a constant."""
        ...

    def call(self, function: Value, args: list[Value], keywords: dict[str, Value], span: Span | None) -> Value: ...
