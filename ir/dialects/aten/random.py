"""Random tensors: typed and known, not compiled yet, for a compiled program has no generator state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ...dtypes import DType
from ...operator import Operator, unsupported
from ...script_types import TensorType
from .cast import known_dtype
from .factories import check_sizes
from .rules import DEFAULT_FLOAT, Array, array_type, cast_array, dtype_of, is_array, operand_of, shape_of
from .shapes import known

_OPTIONS = "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
_INDEX_OPTIONS = "ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None"
_LIKE_OPTIONS = f"{_OPTIONS}, MemoryFormat? memory_format=None"
_WHY = "random numbers are not compiled: pass them in as an argument, or put the module in eval mode"


@cache
def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def _draw(kind: str, shape: Sequence[int], low: int = 0, high: int = 1) -> Array:
    match kind:
        case "uniform":
            return _generator().random(shape)
        case "normal":
            return _generator().standard_normal(shape)
        case "integers":
            return _generator().integers(low, high, shape)
        case _:
            return _generator().permutation(high)


def _random(signature: str, kind: str, default: DType | None = None) -> Operator:
    """`size` says the shape (else `self` does); `default` the dtype (else that of `self`)."""

    def dtype_for(arguments: dict[str, Any], of_self: DType | None) -> DType:
        wanted = arguments.get("dtype")
        chosen = known_dtype(wanted) if wanted is not None else default or of_self
        return DEFAULT_FLOAT if chosen is None else chosen

    def infer(**arguments: Any) -> TensorType:
        if kind == "permutation":
            return TensorType(dtype_for(arguments, None), (known(arguments["n"]),))
        size = arguments.get("size")
        if size is None:
            self: TensorType = arguments["self"]
            return TensorType(dtype_for(arguments, dtype_of(self)), shape_of(self))
        check_sizes(size)
        return TensorType(dtype_for(arguments, None), tuple(known(e) for e in size))

    def reference(**arguments: Any) -> Array:
        if kind == "permutation":
            return cast_array(_draw(kind, (), high=arguments["n"]), dtype_for(arguments, None))
        size = arguments.get("size")
        shape = arguments["self"].shape if size is None else tuple(size)
        of_self = None if size is not None else array_type(arguments["self"]).dtype
        values = _draw(kind, shape, arguments.get("low", 0), arguments.get("high", 1))
        return cast_array(values, dtype_for(arguments, of_self))

    return Operator(signature, infer, unsupported(_WHY), reference, lambda: ())


def _infer_bernoulli(self: TensorType, generator: Any, p: Any = None) -> TensorType:
    del generator, p
    return self


def _reference_bernoulli(self: Array, generator: Any, p: Any = None) -> Array:
    del generator
    chance = self if p is None else p
    return (_generator().random(self.shape) < chance).astype(self.dtype)


def _infer_normal(mean: Any, std: Any, generator: Any) -> TensorType:
    del generator
    return mean if isinstance(mean, TensorType) else std


def _reference_normal(mean: Any, std: Any, generator: Any) -> Array:
    del generator
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    dtype = dtype_of(operand_of(mean if is_array(mean) else std))
    return cast_array(_generator().standard_normal(shape) * std + mean, dtype)


_FLOAT, _INT = DType.float32, DType.int64

OPERATORS: tuple[Operator, ...] = (
    _random(f"aten::rand(SymInt[] size, *, {_OPTIONS}) -> Tensor", "uniform", _FLOAT),
    _random(f"aten::randn(SymInt[] size, *, {_OPTIONS}) -> Tensor", "normal", _FLOAT),
    _random(f"aten::rand_like(Tensor self, *, {_LIKE_OPTIONS}) -> Tensor", "uniform"),
    _random(f"aten::randn_like(Tensor self, *, {_LIKE_OPTIONS}) -> Tensor", "normal"),
    _random(f"aten::randint(SymInt high, SymInt[] size, *, {_INDEX_OPTIONS}) -> Tensor", "integers", _INT),
    _random(
        f"aten::randint.low(SymInt low, SymInt high, SymInt[] size, *, {_INDEX_OPTIONS}) -> Tensor", "integers", _INT
    ),
    _random(f"aten::randint_like(Tensor self, SymInt high, *, {_LIKE_OPTIONS}) -> Tensor", "integers"),
    _random(
        f"aten::randint_like.low_dtype(Tensor self, SymInt low, SymInt high, *, {_LIKE_OPTIONS}) -> Tensor", "integers"
    ),
    _random(f"aten::randperm(SymInt n, *, {_INDEX_OPTIONS}) -> Tensor", "permutation", _INT),
    *(
        Operator(signature, _infer_bernoulli, unsupported(_WHY), _reference_bernoulli, lambda: ())
        for signature in (
            "aten::bernoulli(Tensor self, *, Generator? generator=None) -> Tensor",
            "aten::bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor",
        )
    ),
    *(
        Operator(signature, _infer_normal, unsupported(_WHY), _reference_normal, lambda: ())
        for signature in (
            "aten::normal.Tensor_float(Tensor mean, float std=1., *, Generator? generator=None) -> Tensor",
            "aten::normal.float_Tensor(float mean, Tensor std, *, Generator? generator=None) -> Tensor",
            "aten::normal.Tensor_Tensor(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor",
        )
    ),
)
