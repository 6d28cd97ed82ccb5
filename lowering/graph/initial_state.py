"""A function that gives the state a module starts with: for programs that keep it themselves, as C programs do.

In: the signature of a specialised function and the module. Out: a module with a `torch.func` of no parameters, and its
signature, whose results are the state parameters of the first.
"""

from __future__ import annotations

from typing import Any, cast

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.columns import encoded, vectors
from ...ir.core import Block, Operation, Value, new_module
from ...ir.diagnostics import InternalError
from ...ir.dialects import torch
from ...ir.dtypes import from_numpy
from ...ir.places import Places, located, value_at
from ...ir.script_types import ScriptObject, ScriptType, TensorType
from ...ir.signature import ConstantResult, Leaf, ScalarSpec, Signature, StateResult


def initial_state(receiver: ScriptObject, signature: Signature, name: str) -> tuple[Operation, Signature]:
    """The function `name`; its results are named as the parameters that they are for."""
    block = Block()
    b = Builder(block)
    attributes = Places(receiver).attributes
    results: list[Value] = []
    state: list[StateResult] = []
    types: list[ScriptType] = []
    columns = {c.first: c for c in signature.columns if c.path is not None}
    pending: list[tuple[str, Any]] = []
    for i, parameter in enumerate(signature.parameters):
        if parameter.path is None:
            continue
        value = value_at(located(parameter.path, attributes))
        if i in columns:
            names = [v.name for v in vectors(columns[i].type, parameter.path)]
            pending = list(zip(names, encoded(_opened(value), columns[i].type), strict=True))
        path = parameter.path
        if pending:
            path, array = pending.pop(0)
            value = Constant(f"{name}_{i}", array)
        type_ = _type(value, parameter.spec.type if isinstance(parameter.spec, ScalarSpec) else None)
        state.append(StateResult(path, Leaf(len(results), type_)))
        results.append(b.create("prim::Constant", (), (type_,), {"value": value}).result)
        types.append(type_)
    torch.return_(b, results)
    module = new_module()
    function = torch.func(module, name, [], [])
    function.regions[0].blocks.clear()
    function.regions[0].add_block(block)
    return module, Signature(name, (), tuple(types), ConstantResult(None), tuple(state))


def _opened(value: Any) -> Any:
    """The value of an attribute with arrays for tensors."""
    match value:
        case Constant():
            return value.array
        case list():
            return [_opened(v) for v in cast("list[Any]", value)]
        case tuple():
            return tuple(_opened(v) for v in cast("tuple[Any, ...]", value))
        case dict():
            return {k: _opened(v) for k, v in cast("dict[Any, Any]", value).items()}
        case _:
            return value


def _type(value: object, scalar: ScriptType | None) -> ScriptType:
    if not isinstance(value, Constant):
        if scalar is None:
            raise InternalError("a tensor of the state is none")
        return scalar
    return TensorType(from_numpy(value.array.dtype), tuple(value.array.shape))
