"""Functions with `@torch.jit._overload`: one definition, compiled with the types of each declaration."""

from __future__ import annotations

from .. import ast
from ..values import FunctionValue


def variants(function: FunctionValue) -> list[FunctionValue]:
    """The function with the types of each of its declarations, in their order."""
    if not function.variants:
        function.variants += [_variant(function, d, i) for i, d in enumerate(function.overloads)]
    return function.variants


def _variant(function: FunctionValue, declared: ast.FunctionDef, index: int) -> FunctionValue:
    body = function.definition
    assert isinstance(body, ast.FunctionDef)
    defaults = {p.name: p.default for p in body.params}
    params = [
        ast.Param(p.span, p.name, p.annotation, p.default or defaults.get(p.name), p.kind) for p in declared.params
    ]
    name = body.name if index == 0 else f"{body.name}__{index}"
    definition = ast.FunctionDef(
        body.span, name, body.name_span, params, declared.returns, body.body, [], declared.type_comment
    )
    qualified = f"{function.qualified.rpartition('.')[0]}.{name}".lstrip(".")
    return FunctionValue(definition, function.scope, qualified, function.owner, (), function.closure)
