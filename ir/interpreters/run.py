"""`interpret(module, function, arguments)`: runs a function of the `linalg` or `loops` stage on numpy values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..core import Operation
from ..diagnostics import InternalError
from ..types import IndexType, IntegerType, MemRefType, RankedTensorType, Type, VectorType
from . import (
    arith,
    cf,
    complex,
    func,
    gpu,
    linalg,
    linalg_ext,
    llvm,
    math,
    memref,
    rt,
    rt_clock,
    rt_dicts,
    rt_forks,
    rt_random,
    rt_records,
    rt_strings,
    rt_views,
    scf,
    tensor,
    vector,
)
from .engine import Context, External, Interpreter, Rule, as_elements, dtype_of, function_type, integer
from .memory import MemRef

RULES: Final[dict[str, Rule]] = {
    name: rule
    for dialect in (func, arith, complex, math, scf, cf, tensor, linalg, linalg_ext, memref, vector, llvm, gpu, rt, rt_clock, rt_dicts, rt_forks, rt_random, rt_records, rt_strings, rt_views)
    for name, rule in dialect.RULES.items()
}


def interpret(
    module: Operation, function: str, arguments: Sequence[Any], externals: Mapping[str, External] | None = None
) -> list[Any]:
    """Results of a `func.func`: numpy scalars and arrays.

    Tensor and memref arguments are arrays (uint8 stands for i8 too); a contiguous array given for a memref is written
    to in place. `externals` are Python functions for symbols that are only declared. Failing assertions raise
    ExecutionError; what the IR leaves undefined (an index out of bounds) InternalError.
    """
    interpreter = Interpreter(module, RULES, externals or {})
    op = interpreter.symbol(function)
    types = function_type(op).inputs
    if len(types) != len(arguments):
        raise InternalError(f"@{function} takes {len(types)} arguments, {len(arguments)} are given")
    with np.errstate(all="ignore"):
        values = [argument_value(value, type) for value, type in zip(arguments, types, strict=True)]
        context = Context()
        results = interpreter.function(op)(context, values)
    rt.check_given_back(module, context)
    return [r.array if isinstance(r, MemRef) else r for r in results]


def argument_value(value: Any, type: Type) -> Any:
    match type:
        case RankedTensorType() | VectorType() | MemRefType():
            if isinstance(value, MemRef):
                return value
            array = as_elements(np.asarray(value), type)
            fits = array.ndim == len(type.shape) and all(
                e is None or e == n for e, n in zip(type.shape, array.shape, strict=True)
            )
            if not fits:
                raise InternalError(f"an argument of shape {list(array.shape)} is given for {type}")
            return MemRef.contiguous(array) if isinstance(type, MemRefType) else array
        case IntegerType() | IndexType():
            return integer(int(value), dtype_of(type))
        case _:
            return dtype_of(type).type(value)
