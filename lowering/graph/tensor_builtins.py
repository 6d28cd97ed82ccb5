"""Operators on tensors that follow from the tensor's type, or that have no record: sizes, dtypes, `item`, `to`.

Those that give lists of views are in `tensor_parts.py`, tensors from numbers in `tensor_literals.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ...ir.dtypes import DType
from ...ir.operators import find, schema
from ...ir.script_types import INT, ListType
from . import calls, tensor_layouts, tensor_literals, tensor_parts, tensor_writes
from .strides import PRESERVE_FORMAT
from .tensor_numbers import number_behind
from .values import NONE_VALUE, Abstract, Complex, Known, Scalar, Tensor, is_static, known, to_python

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

MAX_DYNAMIC_SQUEEZED: Final = 3
"""`squeeze` of at most so many dimensions whose extents are known at run time only."""


# what follows from the type of a tensor: (evaluator, arguments, name) -> results, None where it does not apply

Builtin = Callable[[Any, list[Abstract], str], "Results | None"]


def of_tensor(function: Callable[[Evaluator, Tensor, list[Abstract]], Abstract | None]) -> Builtin:
    """For operators whose first argument is a tensor; others of the name are not meant, nor where there is no result."""

    def apply_to(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
        tensor = arguments[0] if arguments else None
        result = function(ev, tensor, arguments[1:]) if isinstance(tensor, Tensor) else None
        return None if result is None else (result,)

    return apply_to


def dtype_of(ev: Evaluator, tensor: Tensor) -> DType:
    return cast(DType, ev.tensor_type(tensor).dtype)


def dimension(ev: Evaluator, value: Abstract, rank: int) -> int:
    """A `dim` argument, counted from 0."""
    if not isinstance(value, Known):
        raise ev.not_static("this dimension")
    dim, span = cast(int, value.value), max(rank, 1)
    if not -span <= dim < span:
        raise ev.operator_error(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})"
        )
    return dim % span


def _size(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    tensor, *rest = arguments
    if not isinstance(tensor, Tensor):
        return None
    if not rest:
        return (ev.new_list(ev.shape(tensor), ListType(INT)),)
    if not isinstance(rest[0], Known):
        return None
    rank = ev.tensor_type(tensor).rank
    if rank == 0:
        raise ev.operator_error(f"Dimension specified as {rest[0].value} but tensor has no dimensions")
    return (ev.size(tensor, dimension(ev, rest[0], rank)),)


def _len(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    if ev.tensor_type(tensor).rank == 0:
        raise ev.operator_error("len() of a 0-d tensor")
    return ev.size(tensor, 0)


def _numel(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    count: Abstract = known(1)
    for extent in ev.shape(tensor):
        count = calls.single(ev, "aten::mul.int", [count, extent])
    return count


def _constant(compute: Callable[[Any, Tensor], Any]) -> Builtin:
    return of_tensor(lambda ev, tensor, rest: ev.import_value(compute(ev, tensor)))


def item(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    shape = ev.tensor_type(tensor).shape
    assert shape is not None
    if any(e not in (1, None) for e in shape):
        count = int(np.prod([1 if e is None else e for e in shape]))
        raise ev.operator_error(f"a Tensor with {count} elements cannot be converted to Scalar")
    number = number_behind(ev, tensor, lambda name, numbers: calls.single(ev, name, numbers))
    if number is not None:
        return number
    dtype = dtype_of(ev, tensor)
    if dtype.is_complex:
        parts = [cast(Tensor, calls.single(ev, f"aten::{part}", [tensor])) for part in ("real", "imag")]
        re, im = (item(ev, part, []) for part in parts)
        return Complex((re, im))
    form, record = schema("aten::item"), find("aten::item")
    if form is not None and record is not None:
        return calls.recorded(ev, form, record, [tensor])[0]
    return Scalar(ev.emit("aten::item", [ev.materialise(tensor)], [calls.number_type(dtype)]).result)


def _converted(base: str, *, implicit: bool = False) -> Builtin:
    def convert(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
        type_ = ev.tensor_type(tensor)
        if implicit and type_.rank:
            raise ev.operator_error("Cannot input a tensor of dimension other than 0 as a scalar argument")
        dtype = cast(DType, type_.dtype)
        if implicit and base == "aten::Int" and dtype.category != 1:
            raise ev.operator_error(f"Cannot input a tensor of type {dtype.graph_name} as an integral argument")
        number = item(ev, tensor, [])
        return number if base == "" else calls.single(ev, base, [number])

    return of_tensor(convert)


def _truth(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    shape = ev.tensor_type(tensor).shape or ()
    if 0 in shape:
        raise ev.operator_error("Boolean value of Tensor with no values is ambiguous")
    if any(e not in (1, None) for e in shape):
        raise ev.operator_error("Boolean value of Tensor with more than one value is ambiguous")
    return calls.single(ev, "aten::Bool", [item(ev, tensor, [])])


def alias(ev: Evaluator, tensor: Tensor, rest: list[Abstract] | None = None) -> Tensor:
    """The same elements as another tensor object."""
    type_ = ev.tensor_type(tensor)
    return Tensor(ev.emit("aten::alias", [ev.materialise(tensor)], [type_]).result)


def _contiguous(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    found = tensor_layouts.contiguous(ev, tensor, rest)
    if found is not None:
        return alias(ev, tensor) if found is tensor else found
    memory_format = ev.pool.number(0, INT)
    return Tensor(ev.emit("aten::contiguous", [ev.materialise(tensor), memory_format], [ev.tensor_type(tensor)]).result)


def _to(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    """All overloads of `to`: a dtype, another tensor's dtype; devices are those of the compiled code."""
    form = schema(name)
    tensor = arguments[0]
    if form is None or not isinstance(tensor, Tensor):
        return None
    named = dict(zip((a.name for a in form.arguments), arguments))
    dtype = dtype_of(ev, tensor)
    wanted, other = named.get("dtype"), named.get("other")
    if isinstance(other, Tensor):
        dtype = dtype_of(ev, other)
    elif isinstance(wanted, Known) and wanted.value is not None:
        dtype = DType(cast(int, wanted.value))
    elif wanted is not None and not isinstance(wanted, Known):
        raise ev.not_static("this dtype")
    layout = named.get("memory_format", NONE_VALUE)
    keeps = isinstance(layout, Known) and layout.value in (None, PRESERVE_FORMAT)
    if dtype is not dtype_of(ev, tensor):
        changed = tensor_writes.cast_to(ev, tensor, dtype)
        return (changed if keeps else clone(ev, changed, layout),)
    copy = named.get("copy")
    if name == "aten::_to_copy" or (isinstance(copy, Known) and copy.value):
        return (clone(ev, tensor, layout),)
    return (alias(ev, tensor) if keeps else calls.single(ev, "aten::contiguous", [tensor, layout]),)


def clone(ev: Evaluator, tensor: Abstract, layout: Abstract = NONE_VALUE) -> Abstract:
    return calls.single(ev, "aten::clone", [tensor, layout])


def _type_as(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    dtype = dtype_of(ev, cast(Tensor, rest[0]))
    return alias(ev, tensor) if dtype is dtype_of(ev, tensor) else tensor_writes.cast_to(ev, tensor, dtype)


def _stride(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    dim = dimension(ev, rest[0], ev.tensor_type(tensor).rank) if rest else None
    return tensor_layouts.stride(ev, tensor, rest, dim)


def _squeeze(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    """Extents known at run time only: a tensor of as many dimensions as that gives. Others are the record's."""
    tensor = arguments[0]
    if not isinstance(tensor, Tensor):
        return None
    shape = ev.tensor_type(tensor).shape or ()
    listed: list[int] = list(range(len(shape)))
    if len(arguments) > 1:
        given: Any = to_python(arguments[1], ev.heap) if is_static(arguments[1], ev.heap) else []
        listed = [given] if isinstance(given, int) else given
    if any(not -len(shape) <= d < len(shape) for d in listed):
        return None
    dims = sorted(d % len(shape) for d in listed)
    dynamic = sum(shape[d] is None for d in dims)
    if not dynamic:
        return None
    if ev.takes_numbers or dynamic > MAX_DYNAMIC_SQUEEZED:
        raise ev.not_static("whether this extent is 1", help="give the dimensions to squeeze, or reshape")
    return (_squeezed(ev, tensor, [d for d in dims if shape[d] in (1, None)]),)


def _squeezed(ev: Evaluator, tensor: Tensor, dims: list[int]) -> Abstract:
    if not dims:
        return alias(ev, tensor)
    *others, dim = dims
    is_one = calls.single(ev, "aten::eq.int", [ev.size(tensor, dim), known(1)])

    def without() -> Abstract:
        return _squeezed(ev, cast(Tensor, calls.single(ev, "aten::select.int", [tensor, known(dim), known(0)])), others)

    return calls.choose(ev, is_one, without, lambda: _squeezed(ev, tensor, others))


def _triangle_indices(lower: bool) -> Builtin:
    """Of sizes that are not all known; the record has the others."""

    def apply_to(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
        *sizes, dtype = arguments[:4]
        if all(isinstance(size, Known) for size in sizes):
            return None
        function = ev.composite("aten::_h_triangle_indices")
        assert function is not None
        return (ev.call_composite(function, [*sizes, known(lower), dtype]),)

    return apply_to


TENSOR_BUILTINS: Final[dict[str, Builtin]] = {
    "aten::size": _size,
    "prim::shape": _size,
    "aten::len": of_tensor(_len),
    "aten::dim": _constant(lambda ev, t: ev.tensor_type(t).rank),
    "aten::numel": of_tensor(_numel),
    "prim::dtype": _constant(lambda ev, t: int(dtype_of(ev, t))),
    "prim::device": of_tensor(lambda ev, t, rest: ev.device("cpu")),
    "prim::layout": _constant(lambda ev, t: 0),
    "prim::data": of_tensor(alias),
    "prim::grad": of_tensor(lambda ev, t, rest: NONE_VALUE),
    "prim::requires_grad": _constant(lambda ev, t: False),
    "prim::is_cuda": _constant(lambda ev, t: False),
    "prim::is_cpu": _constant(lambda ev, t: True),
    "prim::is_xla": _constant(lambda ev, t: False),
    "prim::is_xpu": _constant(lambda ev, t: False),
    "prim::is_sparse": _constant(lambda ev, t: False),
    "prim::is_sparse_csr": _constant(lambda ev, t: False),
    "prim::is_quantized": _constant(lambda ev, t: False),
    "prim::is_mkldnn": _constant(lambda ev, t: False),
    "prim::is_meta": _constant(lambda ev, t: False),
    "prim::is_mps": _constant(lambda ev, t: False),
    "prim::is_nested": _constant(lambda ev, t: False),
    "prim::is_vulkan": _constant(lambda ev, t: False),
    "prim::is_ipu": _constant(lambda ev, t: False),
    "prim::is_leaf": _constant(lambda ev, t: True),
    "aten::is_leaf": _constant(lambda ev, t: True),
    "aten::retains_grad": _constant(lambda ev, t: False),
    "aten::output_nr": _constant(lambda ev, t: 0),
    "aten::get_device": _constant(lambda ev, t: -1),
    "aten::is_pinned": _constant(lambda ev, t: False),
    "prim::itemsize": _constant(lambda ev, t: dtype_of(ev, t).itemsize),
    "prim::nbytes": of_tensor(
        lambda ev, t, rest: calls.single(ev, "aten::mul.int", [_numel(ev, t, []), known(dtype_of(ev, t).itemsize)])
    ),
    "aten::element_size": _constant(lambda ev, t: dtype_of(ev, t).itemsize),
    "aten::is_floating_point": _constant(lambda ev, t: dtype_of(ev, t).is_floating),
    "aten::is_complex": _constant(lambda ev, t: dtype_of(ev, t).is_complex),
    "aten::is_signed": _constant(lambda ev, t: dtype_of(ev, t).is_signed),
    "aten::is_conj": _constant(lambda ev, t: False),
    "aten::is_neg": _constant(lambda ev, t: False),
    "aten::is_contiguous": of_tensor(tensor_layouts.is_contiguous),
    "aten::stride": of_tensor(_stride),
    "aten::sym_stride": of_tensor(_stride),
    "aten::storage_offset": of_tensor(tensor_layouts.storage_offset),
    "aten::sym_storage_offset": of_tensor(tensor_layouts.storage_offset),
    "aten::item": of_tensor(item),
    "aten::Int.Tensor": _converted("aten::Int"),
    "aten::Float.Tensor": _converted("aten::Float"),
    "aten::Bool.Tensor": of_tensor(_truth),
    "aten::is_nonzero": of_tensor(_truth),
    "aten::IntImplicit": _converted("aten::Int", implicit=True),
    "aten::FloatImplicit": _converted("aten::Float", implicit=True),
    "aten::ScalarImplicit": _converted("", implicit=True),
    "aten::ComplexImplicit": _converted("aten::Complex", implicit=True),
    "aten::contiguous": of_tensor(_contiguous),
    "aten::detach": of_tensor(alias),
    "aten::alias": of_tensor(alias),
    "aten::lift_fresh": of_tensor(alias),
    "aten::detach_": of_tensor(lambda ev, t, rest: t),
    "aten::requires_grad_": of_tensor(lambda ev, t, rest: t),
    "aten::to": _to,
    "aten::_to_copy": _to,
    "aten::to_dense": _to,
    "aten::type_as": of_tensor(_type_as),
    "aten::squeeze": _squeeze,
    "aten::unbind": of_tensor(tensor_parts.unbind),
    "aten::split": of_tensor(tensor_parts.split),
    "aten::split_with_sizes": of_tensor(tensor_parts.split_sizes),
    "aten::unsafe_split": of_tensor(tensor_parts.split),
    "aten::chunk": of_tensor(tensor_parts.chunk),
    "aten::unsafe_chunk": of_tensor(tensor_parts.chunk),
    "aten::tensor_split.sections": of_tensor(tensor_parts.sections),
    "aten::tensor_split.indices": of_tensor(tensor_parts.at_indices),
    "aten::tril_indices": _triangle_indices(True),
    "aten::triu_indices": _triangle_indices(False),
    "aten::tensor": tensor_literals.from_data,
    "aten::as_tensor": tensor_literals.from_data,
    "aten::scalar_tensor": tensor_literals.from_data,
    "prim::NumToTensor": tensor_literals.from_data,
    "prim::tolist": tensor_literals.to_list,
    "aten::_unwrap_optional": lambda ev, arguments, name: _unwrap(ev, arguments),
    "prim::unchecked_unwrap_optional": lambda ev, arguments, name: arguments,
}



def _unwrap(ev: Evaluator, arguments: list[Abstract]) -> Results:
    if isinstance(arguments[0], Known) and arguments[0].value is None:
        raise ev.operator_error("Unwrapping null optional")
    return arguments
