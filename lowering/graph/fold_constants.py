"""Evaluates operators on constants at compile time, with the reference of their records.

Tensors up to `LIMIT` elements are folded; what merely fills (`zeros`, `full`) is left as it is, but what is computed
from it is folded. Larger ones are folded where they come from weights (a weight in another parametrisation, a matrix of
low rank added to it), by operators that are cheap and for as long as that does not multiply the memory of the weights; a
mere view of a large constant stays a view. Works on functional graphs: a constant is never written to.
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
from ...ir.script_types import DictType, ListType, ScriptType, TensorType, constant_type

LIMIT: Final = 1 << 18

_LARGE_FLOOR: Final = 64 << 20
"""Bytes that large results may take together, or 3 times those of the weights."""

_MAX_PRODUCTS: Final = 1 << 32
"""Multiplications of one matrix product."""

_CHEAP: Final = frozenset(
    f"aten::{name}"
    for name in (
        "add", "sub", "rsub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "pow",
        "sign", "sin", "cos", "tanh", "sigmoid", "relu", "clamp", "clamp_min", "clamp_max", "where", "masked_fill",
        "eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and", "bitwise_not", "round", "floor", "to", "_to_copy",
        "clone", "contiguous", "cat", "stack", "sum", "mean", "amax", "amin", "norm", "linalg_vector_norm", "index_select",
        "index", "gather", "flip", "roll", "tril", "triu", "constant_pad_nd", "permute", "transpose", "t", "view", "reshape",
        "flatten", "unflatten", "squeeze", "unsqueeze", "expand", "expand_as", "ones_like", "zeros_like", "full_like", "select", "slice", "alias", "detach", "diagonal",
    )
)  # fmt: skip
_PRODUCTS: Final = frozenset(("aten::mm", "aten::matmul", "aten::bmm", "aten::addmm", "aten::outer"))

_FILLS: Final = tuple(
    f"aten::{name}" for name in ("zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "new_empty")
)
RANDOM: Final = tuple(
    f"aten::{name}"
    for name in (
        "rand", "bernoulli", "multinomial", "normal", "uniform", "dropout", "native_dropout", "exponential", "poisson",
        "random", "cauchy", "log_normal", "geometric", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "rrelu",
        "binomial", "manual_seed", "_generator", "empty",
    )
)  # fmt: skip


def fold_constants(module: Operation) -> None:
    for function in functions(module):
        _Folder().block(function.body())


@dataclass
class _Folder:
    known: dict[Value, Any] = field(default_factory=dict[Value, Any])
    """Values that are known: arrays, numbers, strings, lists of them."""
    kept: set[Operation] = field(default_factory=set[Operation])
    """Views of large constants: known, but not worth a constant of their own."""
    weights: int = 0
    """Bytes of the constants met so far."""
    spent: int = 0
    """Bytes of large results."""
    _names: int = 0

    def block(self, block: Block) -> None:
        computed: list[Operation] = []
        for op in block.operations():
            if op.name == "prim::Constant":
                value = op.attributes.get("value")
                self.known[op.result] = value.array if isinstance(value, Constant) else value
                self.weights += value.array.nbytes if isinstance(value, Constant) else 0
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
        if op.name.startswith(RANDOM) or not all(v in self.known for v in op.operands):
            return False
        if any(isinstance(r.type, TensorType) and r.type.in_memory for r in op.results):
            return False
        values = [self.known[v] for v in op.operands]
        is_large = any(isinstance(r.type, TensorType) and _elements(r.type) > LIMIT for r in op.results)
        if is_large and not self.may_be_large(op, values):
            return False
        results = computed(op, values)
        if results is None:
            return False
        if is_large:
            arrays = [cast(npt.NDArray[Any], r) for r in results if isinstance(r, np.ndarray)]
            if all(any(np.may_share_memory(a, v) for v in _arrays(values)) for a in arrays):
                self.kept.add(op)
            else:
                self.spent += sum(a.nbytes for a in arrays)
        self.known.update(zip(op.results, results))
        return True

    def may_be_large(self, op: Operation, values: Sequence[Any]) -> bool:
        """Whether a large result is worth its memory: a cheap function of constants that are about as large."""
        base = op.name.partition(".")[0]
        sources = _arrays(values)
        if len(op.results) != 1 or not sources or not isinstance(op.result.type, TensorType) or not op.result.type.dtype:
            return False
        elements = _elements(op.result.type)
        if base in _PRODUCTS:
            inner = max(s.shape[-1] if s.ndim else 1 for s in sources)
            if elements * inner > _MAX_PRODUCTS or any(s.dtype.char not in "fd" for s in sources):
                return False
        elif base not in _CHEAP:
            return False
        size = elements * op.result.type.dtype.itemsize
        given = sum(s.nbytes for s in sources)
        is_view = base in ("aten::expand", "aten::expand_as")
        growth = 4 if any(s.dtype.itemsize == 1 for s in sources) else 2  # quantized weights are computed with as floats
        return (size <= growth * given or base in _PRODUCTS or is_view) and self.spent + size <= max(
            _LARGE_FLOOR, (growth + 1) * self.weights
        )

    def replace(self, op: Operation) -> None:
        """Constants for the results that others need."""
        if op.name.startswith(_FILLS) or op in self.kept:
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
        if user in self.kept:
            return any(self.is_needed(u) for r in user.results for u in r.users)
        return not user.results or any(r not in self.known for r in user.results)


def _arrays(values: Sequence[Any]) -> list[npt.NDArray[Any]]:
    """The tensors among operands, those in lists too."""
    found: list[npt.NDArray[Any]] = []
    for value in values:
        if isinstance(value, np.ndarray):
            found.append(cast(npt.NDArray[Any], value))
        elif isinstance(value, list | tuple):
            found += _arrays(cast(Sequence[Any], value))
    return found


def _elements(type_: TensorType) -> int:
    if type_.shape is None or None in type_.shape:
        return 1 << 62
    return math.prod(e or 0 for e in type_.shape)


def computed(op: Operation, values: Sequence[Any]) -> list[Any] | None:
    """What an operator gives on known operands; None where that is not known, or is an error."""
    record = find(op.name)
    if any(isinstance(r.type, DictType | ListType) for r in op.results):
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
