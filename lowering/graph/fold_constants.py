"""Evaluates operators on constants at compile time, with the reference of their records.

Tensors up to `LIMIT` elements are folded; what merely fills (`zeros`, `full`) is left as it is, but what is computed
from it is folded. Works on functional graphs: a constant is never written to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import torch
from ...ir.dtypes import from_numpy
from ...ir.interpreters import builtins
from ...ir.operator import OperatorError, Unsupported
from ...ir.operators import find, keywords
from ...ir.script_types import ListType, ScriptType, TensorType, constant_type

LIMIT: Final = 1 << 16

_FILLS: Final = tuple(
    f"aten::{name}" for name in ("zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "new_empty")
)
_RANDOM: Final = tuple(
    f"aten::{name}"
    for name in (
        "rand", "bernoulli", "multinomial", "normal", "uniform", "dropout", "native_dropout", "exponential", "poisson",
        "random", "cauchy", "log_normal", "geometric", "alpha_dropout", "feature_dropout", "rrelu", "empty",
    )
)  # fmt: skip


def fold_constants(module: Operation) -> None:
    for function in functions(module):
        _Folder().block(function.body())


@dataclass
class _Folder:
    known: dict[Value, Any] = field(default_factory=dict[Value, Any])
    """Values that are known: arrays, numbers, strings, lists of them."""
    _names: int = 0

    def block(self, block: Block) -> None:
        computed: list[Operation] = []
        for op in block.operations():
            if op.name == "prim::Constant":
                value = op.attributes.get("value")
                self.known[op.result] = value.array if isinstance(value, Constant) else value
            elif op.name == "prim::ListConstruct":
                if all(v in self.known for v in op.operands):
                    self.known[op.result] = [self.known[v] for v in op.operands]
            elif op.regions:
                for region in op.regions:
                    for inner in region.blocks:
                        self.block(inner)
            elif op.name.startswith(("aten::", "prim::")) and self.evaluate(op):
                computed.append(op)
        for op in computed:
            self.replace(op)

    def evaluate(self, op: Operation) -> bool:
        """Computes the results if all operands are known and they are small enough."""
        if op.name.startswith(_RANDOM) or not all(v in self.known for v in op.operands):
            return False
        for result in op.results:
            type_ = cast(ScriptType, result.type)
            if isinstance(type_, TensorType) and _elements(type_) > LIMIT:
                return False
        values = [self.known[v] for v in op.operands]
        results = _computed(op, values)
        if results is None:
            return False
        self.known.update(zip(op.results, results))
        return True

    def replace(self, op: Operation) -> None:
        """Constants for the results that others need."""
        if op.name.startswith(_FILLS):
            return
        for result in op.results:
            if not any(self.is_needed(user) for user in result.users):
                continue
            b = Builder.before(op)
            value = self.known[result]
            if isinstance(value, np.ndarray):
                self._names += 1
                array = cast(npt.NDArray[Any], value)
                value = Constant(f"folded_{self._names}", np.ascontiguousarray(array).reshape(array.shape))
            type_ = cast(ScriptType, result.type)
            constant = torch.constant(b, value, type_ if isinstance(value, Constant) else constant_type(value))
            self.known[constant] = self.known[result]
            result.replace_all_uses_with(constant)

    def is_needed(self, user: Operation) -> bool:
        """Whether an operation that stays uses a value."""
        if user.name == "prim::ListConstruct":
            return any(self.is_needed(u) for u in user.result.users)
        return not user.results or any(r not in self.known for r in user.results)


def _elements(type_: TensorType) -> int:
    if type_.shape is None or None in type_.shape:
        return LIMIT + 1
    return math.prod(e or 0 for e in type_.shape)


def _computed(op: Operation, values: Sequence[Any]) -> list[Any] | None:
    record = find(op.name)
    if any(isinstance(r.type, ListType) for r in op.results):
        return None
    builtin = None if any(isinstance(v, np.ndarray | list) for v in values) else builtins.find(op.name, values)
    try:
        if builtin is not None and not any(isinstance(r.type, TensorType) for r in op.results):
            value = builtin(*values)
        elif record is not None:
            value = record.reference(**keywords(record.schema, values))
        else:
            return None
    except (OperatorError, Unsupported):
        return None
    results = list(cast(Sequence[Any], value)) if len(op.results) != 1 or isinstance(value, list | tuple) else [value]
    if len(results) != len(op.results):
        return None
    return [_typed(v, cast(ScriptType, r.type)) for v, r in zip(results, op.results)]


def _typed(value: Any, type_: ScriptType) -> Any:
    if isinstance(type_, TensorType):
        array = np.asarray(value)
        assert from_numpy(array.dtype) is type_.dtype, f"reference gives {array.dtype} where {type_} is inferred"
        return array
    return cast(Any, value).item() if isinstance(value, np.generic | np.ndarray) else value


@dataclass(frozen=True)
class FoldConstants:
    name: str = "fold-constants"

    def apply(self, module: Operation) -> Operation:
        fold_constants(module)
        return module
