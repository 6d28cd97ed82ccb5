"""Writes `aten::` nodes into a specialised graph: operands from values or Python constants, result types from the
record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...ir.builder import Builder
from ...ir.core import Value
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import torch
from ...ir.operator import OperatorError, Unknown, Unsupported
from ...ir.operators import find
from ...ir.script_types import INT, ListType, ScriptType, TensorType, constant_type


@dataclass
class NodeWriter:
    b: Builder

    def emit(self, name: str, arguments: Sequence[Any]) -> Any:
        """The result of `name`: a value, a list of values, or a Python number where the record knows it."""
        record = find(name)
        if record is None:
            raise InternalError(f"{name} has no record")
        form = record.schema
        given = [*arguments, *(_default(a.default) for a in form.arguments[len(arguments) :])]
        known = {a.name: inferred(v) for a, v in zip(form.arguments, given, strict=True)}
        try:
            types = record.infer(**known)
        except OperatorError as error:
            raise CompileError.at(self.b.span, str(error)) from None
        except Unsupported as error:
            raise CompileError.at(self.b.span, f"{name}: {error}") from None
        if not isinstance(types, ScriptType | list | tuple):
            return types
        flat = list(cast(Sequence[ScriptType], types)) if isinstance(types, list | tuple) else [types]
        op = self.b.create(name, [self.operand(v, a.type) for v, a in zip(given, form.arguments)], flat)
        return op.result if isinstance(types, ScriptType) else list(op.results)

    def operand(self, value: Any, formal: ScriptType) -> Value:
        if isinstance(value, Value):
            return value
        if isinstance(value, list | tuple):
            elements = [self.operand(v, INT) for v in cast(Sequence[Any], value)]
            type_ = formal if isinstance(formal, ListType) else ListType(INT)
            return self.b.create("prim::ListConstruct", elements, (type_,)).result
        return torch.constant(self.b, value, constant_type(value))


def _default(value: Any) -> Any:
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


def inferred(value: Any) -> Any:
    """A value as rules of records see it: a type, a constant, an Unknown, a list."""
    if isinstance(value, list | tuple):
        return [inferred(v) for v in cast(Sequence[Any], value)]
    if not isinstance(value, Value):
        return value
    if isinstance(value.type, TensorType):
        return value.type
    op = value.defining_op()
    if op is not None and op.name == "prim::Constant":
        return op.attributes.get("value")
    if op is not None and op.name == "prim::ListConstruct":
        return [inferred(v) for v in op.operands]
    return Unknown(cast(ScriptType, value.type))
