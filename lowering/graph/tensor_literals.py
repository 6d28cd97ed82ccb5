"""Tensors from numbers and lists of them (`torch.tensor`), and back (`tolist`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.diagnostics import NotStatic
from ...ir.dtypes import DType
from ...ir.interpreters import builtins
from ...ir.interpreters.arrays import default_dtype
from ...ir.operator import OperatorError
from ...ir.operators import schema, split_name
from ...ir.script_types import BOOL, FLOAT, INT, TENSOR, ListType, ScriptType, TensorType
from . import calls, run_time_lists, tensor_builtins, tensor_parts, tensor_writes
from .values import (
    NONE_VALUE,
    Abstract,
    Complex,
    Known,
    Ref,
    RunTimeOnly,
    Tensor,
    Tuple,
    Undecided,
    Variant,
    is_static,
    known,
    to_python,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

_WIDE: Final[Mapping[ScriptType, DType]] = {BOOL: DType.bool, INT: DType.int64, FLOAT: DType.float64}
"""Dtypes that hold every number of a type."""

LITERAL_LIMIT: Final = 4096
"""`tolist` of at most so many elements."""


def from_data(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    """`torch.tensor(data)`, `as_tensor`, a number as a tensor."""
    form = schema(name)
    options = {} if form is None else dict(zip((a.name for a in form.arguments), arguments))
    wanted = options.get("dtype")
    if wanted is not None and not isinstance(wanted, Known):
        raise ev.not_static("this dtype")
    dtype = None if wanted is None or wanted.value is None else DType(cast(int, wanted.value))
    data = arguments[0]
    if isinstance(data, Tensor):
        result = data if dtype is None else tensor_writes.cast_to(ev, data, dtype)
        return (tensor_builtins.clone(ev, result) if split_name(name)[0] == "aten::tensor" and result is data else result,)
    if split_name(name)[0] == "aten::scalar_tensor" and dtype is None:
        dtype = DType.float32
    if split_name(name)[0] == "prim::NumToTensor" and type_of(data) == FLOAT:
        dtype = DType.float64
    try:
        if split_name(name)[0] == "aten::scalar_tensor" and not is_static(data, ev.heap):
            return (_filled(ev, data, dtype or DType.float32),)  # which refuses what the dtype does not hold
        return (_literal(ev, data, dtype),)
    except NotStatic:
        found = run_time_lists.promoted(ev, name, arguments)
        if found is None:
            raise
        return found


def _literal(ev: Evaluator, data: Abstract, dtype: DType | None) -> Abstract:
    if is_static(data, ev.heap):
        values = to_python(data, ev.heap)
        kind = dtype or default_dtype(values)
        try:
            is_made_wide = kind.is_integral or kind is DType.complex32
            array = np.asarray(values).astype(kind.numpy) if is_made_wide else np.asarray(values, kind.numpy)
        except ValueError:
            raise ev.operator_error("expected a sequence of equal length") from None
        constant = Tensor(
            ev.pool.tensor(Constant(ev.literal_name(), np.ascontiguousarray(array).reshape(array.shape)), kind)
        )
        # each evaluation makes a tensor of its own, which may be written to
        return tensor_builtins.clone(ev, constant)
    leaves = _leaves(ev, data)
    if any(isinstance(v, Tensor) for v in leaves):
        return _stacked_tensors(ev, data, dtype)
    kind = dtype or _leaf_dtype(leaves)
    if not isinstance(data, Ref | Tuple) or isinstance(data, Complex):
        return tensor_writes.cast_to(ev, _filled(ev, data, _WIDE.get(type_of(data), DType.complex128)), kind)
    elements = ev.elements(data) if isinstance(data, Ref) else list(data.elements)
    parts = [_literal(ev, e, kind) for e in elements]
    return calls.single(ev, "aten::stack", [ev.new_list(parts, ListType(TENSOR)), known(0)])


def _filled(ev: Evaluator, number: Abstract, dtype: DType) -> Tensor:
    """A tensor without dimensions."""
    arguments = [ev.new_list([], ListType(INT)), number, known(int(dtype)), *[NONE_VALUE] * 3]
    return cast(Tensor, calls.single(ev, "aten::full", arguments))


def _stacked_tensors(ev: Evaluator, data: Abstract, dtype: DType | None) -> Abstract:
    elements = ev.elements(data) if isinstance(data, Ref) else list(cast(Tuple, data).elements)
    parts = [_number_in(ev, e) if isinstance(e, Tensor) else _literal(ev, e, dtype) for e in elements]
    stacked = calls.single(ev, "aten::stack", [ev.new_list(parts, ListType(TENSOR)), known(0)])
    return stacked if dtype is None else tensor_writes.cast_to(ev, cast(Tensor, stacked), dtype)


def _number_in(ev: Evaluator, element: Tensor) -> Tensor:
    """A tensor that stands for the number in it."""
    shape = ev.tensor_type(element).shape
    if shape is None or any(e != 1 for e in shape):
        raise ev.operator_error("only one element tensors can be converted to Python scalars")
    return element if not shape else cast(Tensor, calls.single(ev, "aten::reshape", [element, ev.new_list([], ListType(INT))]))


def _leaves(ev: Evaluator, data: Abstract) -> list[Abstract]:
    match data:
        case Ref() if data.kind == "list":
            return [v for e in ev.elements(data) for v in _leaves(ev, e)]
        case Complex():
            return [data]
        case Tuple():
            return [v for e in data.elements for v in _leaves(ev, e)]
        case RunTimeOnly():
            raise ev.use_error(data)
        case Variant():
            raise Undecided(data.selector)
        case _:
            return [data]


def _leaf_dtype(leaves: Sequence[Abstract]) -> DType:
    kinds: Mapping[ScriptType, DType] = {BOOL: DType.bool, INT: DType.int64, FLOAT: DType.float32}
    return max((kinds.get(type_of(v), DType.complex64) for v in leaves), key=lambda d: d.category)


def to_list(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    tensor = arguments[0]
    if not isinstance(tensor, Tensor):
        return None
    if len(arguments) == 3 and all(isinstance(a, Known) for a in arguments[1:]):
        depth, kind = (cast(int, cast(Known, a).value) for a in arguments[1:])
        type_ = ev.tensor_type(tensor)
        try:
            builtins.check_tolist(cast(DType, type_.dtype), type_.rank, depth, kind)
        except OperatorError as error:
            raise ev.operator_error(str(error)) from None
    return (_listed(ev, tensor),)


def _listed(ev: Evaluator, tensor: Tensor) -> Abstract:
    type_ = ev.tensor_type(tensor)
    if type_.rank == 0:
        return tensor_builtins.item(ev, tensor, [])
    shape = type_.shape or ()
    if (None in shape or np.prod([e or 0 for e in shape]) > LITERAL_LIMIT) and not ev.static_lists:
        declared = _listed_type(ev, type_)

        def part(i: Abstract) -> Abstract:
            return _listed(ev, cast(Tensor, calls.single(ev, "aten::select.int", [tensor, known(0), i])))

        return run_time_lists.generated(ev, ev.size(tensor, 0), declared, part)
    extent = tensor_parts.static_extent(ev, tensor, 0, "the length of this list")
    parts = [
        _listed(ev, cast(Tensor, calls.single(ev, "aten::select.int", [tensor, known(0), known(i)]))) for i in range(extent)
    ]
    return ev.new_list(parts, ListType(ev.common_type(parts)))


def _listed_type(ev: Evaluator, type_: TensorType) -> ScriptType:
    """The type of the elements of `tolist`."""
    result = calls.number_type(cast(DType, type_.dtype))
    for _ in range(type_.rank - 1):
        result = ListType(result)
    return result
