"""How the tensors of a graph under construction lie in memory: the strides that PyTorch would give them.

In: values of a specialised graph, those of which composite operators were made among them, for which `note` says what
PyTorch's own kernel gives. Out: a `Place` for each: its strides where they are known, and where it begins in its storage.
Nothing that is computed depends on it; it decides what programs ask (`stride`, `is_contiguous`) and what operators decide by
strides (`view`, `reshape`, `contiguous`).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import BlockArgument, Operation, OpResult, Value
from ...ir.dialects.aten import elementwise as elementwise_records
from ...ir.dialects.torch import FUNC
from ...ir.operators import find, gives_contiguous, is_view, schema, split_name
from ...ir.script_types import TensorType
from . import strides as rules
from .aliases import RESHAPES, SAME, WRITE, is_complex_view, static_shape, view_of
from .layout_rules import special, suggested
from .nodes import inferred
from .strides import Strides


@dataclass(frozen=True)
class Place:
    """Where the elements of a tensor are. `strides`: None where they are not known; `offset` too."""

    root: Value | None
    """What made the storage; None where several may be meant."""
    strides: Strides | None = None
    is_contiguous: bool = False
    """Whether it is row-major, whatever its extents are at run time."""
    offset: int | None = 0


UNKNOWN: Final = Place(None, offset=None)

_LIKE_ELEMENTWISE: Final = frozenset(
    f"aten::{name}"
    for name in (
        "gelu", "clamp", "where", "remainder", "fmod", "floor_divide", "div", "nan_to_num", "round", "dropout", "clip",
        "relu6", "selu", "celu", "logit", "log_sigmoid", "softsign", "logical_not", "mse_loss", "smooth_l1_loss", "huber_loss",
    )
)  # fmt: skip
"""Without a formula of one line here, but elementwise kernels in PyTorch."""

_KEEPING: Final = frozenset(
    f"aten::{name}"
    for name in (
        "clone", "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like", "fill",
        "sort", "copy", "bernoulli", "flip", "index_fill", "index_put",
    )
)  # fmt: skip
"""The layout of the first operand, made dense."""

_ROW_MAJOR: Final = frozenset(
    f"aten::{name}"
    for name in (
        "softmax", "log_softmax", "_softmax", "_log_softmax", "layer_norm", "native_layer_norm", "cumsum", "cumprod", "mm",
        "bmm", "matmul", "linear", "addmm", "baddbmm", "dot", "mv", "norm", "var", "std", "logsumexp", "one_hot", "bincount",
        "masked_select", "arange", "linspace", "zeros", "ones", "full", "eye", "tril_indices", "triu_indices", "histc", "triu",
        "tril", "repeat_interleave", "instance_norm", "topk", "max", "min", "kthvalue", "median", "cummax", "cummin", "scatter",
        "scatter_add", "scatter_reduce", "index_add", "index_copy", "take_along_dim", "masked_fill", "aminmax", "count_nonzero",
    )
)  # fmt: skip
"""Row-major whatever the operands are."""

_SUGGESTED: Final = frozenset(
    f"aten::{name}"
    for name in (
        "conv1d", "conv2d", "conv3d", "convolution", "_convolution", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
        "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
        "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "max_pool2d_with_indices",
        "max_pool3d_with_indices", "constant_pad_nd", "pad", "group_norm", "native_group_norm", "roll", "upsample_nearest1d",
        "upsample_nearest2d", "upsample_nearest3d", "upsample_bilinear2d", "upsample_bicubic2d", "interpolate", "__interpolate",
        "pixel_shuffle", "pixel_unshuffle",
    )
)  # fmt: skip
"""Channels last where the first operand is, and row-major otherwise."""

_WRAPPED: Final = frozenset(
    f"aten::{name}"
    for name in (
        "add", "sub", "rsub", "mul", "div", "true_divide", "eq", "ne", "lt", "le", "gt", "ge", "bitwise_and", "bitwise_or",
        "bitwise_xor", "__and__", "__or__", "__xor__", "remainder", "fmod", "floor_divide", "copysign", "xlogy", "where",
    )
)  # fmt: skip
"""Whose number is a tensor without dimensions to the kernel, with which no fast path is taken."""

_CHANGED_DTYPE: Final = ("aten::to.", "aten::_to_copy", "aten::_cast", "aten::type_as")


@dataclass
class Layouts:
    """What is known so far, by value."""

    known: dict[Value, Place] = field(default_factory=dict[Value, Place])
    asked: set[Value] = field(default_factory=set[Value])
    """Arguments of the function by whose strides something was decided."""
    questions: list[Value] = field(default_factory=list[Value])
    """What operators made, by whose strides something was decided: so by those of the arguments behind it."""
    settled: set[Value] = field(default_factory=set[Value])
    """What composite operators made that give row-major tensors."""
    sharing: set[Value] = field(default_factory=set[Value])
    """Those by whose strides it was decided whether memory is shared, which matters where something is written."""
    is_strided: bool = False
    """Whether an argument is not row-major: then nothing is, unless it is known."""
    copies: dict[Value, BlockArgument] = field(default_factory=dict[Value, BlockArgument])
    """Copies that were decided so, of which argument; it matters to callers, too, whether they get a copy."""

    def of(self, value: Value) -> Place:
        """Where the tensor lies; looks at what it is made of as far as that is not known yet."""
        pending = [value]
        while pending:
            at = pending[-1]
            if at in self.known:
                pending.pop()
                continue
            missing = [v for v in _sources(at) if v not in self.known]
            if missing and len(pending) < _MAX_PENDING:
                pending += missing
                continue
            self.known[at] = self._place(at)
            pending.pop()
        return self.known[value]

    def note(self, name: str, operands: Sequence[Value], result: Value) -> None:
        """What PyTorch's kernel for a composite operator gives, where that is not the layout of its parts."""
        root, form = self.of(result).root, schema(name)
        if result in operands or (form is not None and is_view(form)) or any(self.of(v).root is root for v in operands if root):
            return  # a view
        is_row_major = gives_row_major(name)
        owner = result.owner
        if isinstance(owner, Operation) and not all(_is_row_major(v, self.of(v)) for v in operands):
            if is_row_major or not (is_elementwise(name) or split_name(name)[0] in _KEEPING):
                owner.attributes[f"{LAYOUT}{cast(OpResult, result).index}"] = "row-major" if is_row_major else "unknown"
        if root is None:
            return
        self.known[result] = self._new(name, [(v, self.of(v)) for v in operands], result)
        if is_row_major:
            self.settled.add(result)

    def arguments_behind(self, *values: Value) -> set[BlockArgument]:
        """Arguments of the function by whose strides it may be decided how tensors lie."""
        return arguments_behind(*values, settled=self.settled)

    def returned_copies(self, results: Sequence[Value]) -> set[Value]:
        """Arguments of which results are copies because of how they lie."""
        found: set[Value] = set()
        for at in results if self.copies else ():
            while at not in self.copies and (op := at.defining_op()) is not None:
                form = schema(op.name)
                if form is None or not is_view(form) or not op.operands:
                    break
                at = op.operand(0)
            found |= {self.copies[at]} if at in self.copies else set()
        return found

    def argument(self, value: Value, strides: Strides | None = None) -> None:
        """An argument of the function: row-major unless it is given otherwise."""
        self.known[value] = _row_major(value) if strides is None else _fresh(value, strides)
        self.is_strided |= strides is not None

    def _place(self, value: Value) -> Place:
        op = value.defining_op()
        if op is None:
            return UNKNOWN  # arguments of the function are known from the start
        if op.name == "prim::If":
            return self._joined([op.body(i).terminator.operand(cast(OpResult, value).index) for i in range(2)], value)
        if op.name == "prim::Constant":
            return _constant(op)
        if not op.name.startswith("aten::"):
            return UNKNOWN
        form = schema(op.name)
        if op.name == WRITE:
            return self.of(op.operand(0))
        if form is not None and is_view(form) and op.operands and isinstance(op.operand(0).type, TensorType):
            return _view(op, cast(OpResult, value).index, self.of(op.operand(0)))
        if split_name(op.name)[0] in _STRIDED:
            return _fresh(value, _given_strides(op, static_shape(value.type)))
        operands = [(v, self.of(v)) for v in _sources(value)]
        return self._new(op.name, operands, value, _memory_format(op))

    def _new(
        self, name: str, operands: Sequence[tuple[Value, Place]], result: Value, memory_format: int | None = None
    ) -> Place:
        """A tensor that an operator makes."""
        if name.startswith(_UNLIKE_OPERANDS):
            return _fresh(result, _made(name, operands, static_shape(result.type), memory_format))
        found = _made(name, operands, static_shape(result.type), memory_format)
        all_plain = all(_is_row_major(v, p) for v, p in operands)
        if found is None and all_plain and memory_format in (None, rules.CONTIGUOUS_FORMAT, rules.PRESERVE_FORMAT):
            return _row_major(result)
        return _fresh(result, found)

    def _joined(self, values: Sequence[Value], result: Value) -> Place:
        places = [self.of(v) if isinstance(v.type, TensorType) else UNKNOWN for v in values]
        if all(_is_row_major(v, p) for v, p in zip(values, places, strict=True)):
            return replace(_row_major(result), root=None, offset=None)
        same = places[0].strides == places[1].strides and values[0].type == values[1].type
        return Place(None, places[0].strides if same else None, offset=None)


def arguments_behind(*values: Value, settled: AbstractSet[Value] = frozenset()) -> set[BlockArgument]:
    """Arguments of the function by whose strides it may be decided how tensors lie."""
    found: set[BlockArgument] = set()
    pending, met = list(values), set(values)
    while pending:
        at = pending.pop()
        owner = at.owner
        if isinstance(at, BlockArgument):
            loop = at.block.parent_op
            if loop is None or loop.name == FUNC:
                found.add(at)
            sources = [] if loop is None or loop.name != "prim::Loop" else [loop.operand(at.index + 1), at.block.terminator.operand(at.index)]
        elif isinstance(owner, Operation) and owner.name == "prim::Loop":
            index = cast(OpResult, at).index
            sources = [owner.operand(index + 2), owner.body().terminator.operand(index + 1)]
        elif isinstance(owner, Operation) and (gives_contiguous(owner.name) or split_name(owner.name)[0] in _ROW_MAJOR):
            sources = []
        else:
            sources = [] if at in settled else _sources(at)
        fresh = [v for v in sources if v not in met and isinstance(v.type, TensorType)]
        met.update(fresh)
        pending += fresh
    return {a for a in found if cast(TensorType, a.type).rank > 1}


_MAX_PENDING: Final = 100_000
_UNLIKE_OPERANDS: Final = (
    *("aten::nonzero", "aten::new_empty_strided", "aten::linalg_", "aten::_linalg", "aten::empty_strided", "aten::empty_permuted", "aten::einsum"),
    *("aten::svd", "aten::qr", "aten::inverse", "aten::cholesky", "aten::lu", "aten::eig", "aten::fft_", "aten::stft"),
)
"""Not row-major even where their operands are, or not always."""


def _sources(value: Value) -> list[Value]:
    """The tensors that decide how this one lies."""
    op = value.defining_op()
    if op is None:
        return []
    if op.name == "prim::If":
        index = cast(OpResult, value).index
        found = [op.body(i).terminator.operand(index) for i in range(2)]
        return [v for v in found if isinstance(v.type, TensorType)]
    if not op.name.startswith("aten::"):
        return []
    form = schema(op.name)
    if op.name == WRITE or (form is not None and is_view(form)):
        return [v for v in op.operands[:1] if isinstance(v.type, TensorType)]
    found: list[Value] = []
    for operand in op.operands:
        made = operand.defining_op("prim::ListConstruct")
        found += [v for v in (operand,) if isinstance(v.type, TensorType)]
        found += [v for v in made.operands if isinstance(v.type, TensorType)] if made is not None else []
    return found


def _row_major(value: Value) -> Place:
    shape = static_shape(value.type)
    return Place(value, None if shape is None else rules.contiguous(shape), True)


def _fresh(value: Value, strides: Strides | None) -> Place:
    shape = static_shape(value.type)
    if cast(TensorType, value.type).rank < 2:
        return _row_major(value)
    if strides is None or shape is None:
        return Place(value)
    return Place(value, strides, rules.is_contiguous(shape, strides))


def _is_row_major(value: Value, place: Place) -> bool:
    return place.is_contiguous or cast(TensorType, value.type).rank == 0


def _constant(op: Operation) -> Place:
    constant = op.attributes.get("value")
    if not isinstance(constant, Constant):
        return UNKNOWN
    array = constant.array
    steps = tuple(s // array.itemsize for s in array.strides)
    strides = rules.contiguous(array.shape) if array.flags.c_contiguous else steps
    return Place(op.result, strides, rules.is_contiguous(array.shape, strides))


_STRIDED: Final = ("aten::empty_strided", "aten::new_empty_strided", "aten::empty_permuted")


def _given_strides(op: Operation, shape: tuple[int, ...] | None) -> Strides | None:
    """Of a tensor that is made with strides, or with its dimensions in an order."""
    form = schema(op.name)
    at = None if form is None else form.index("stride") if "strided" in op.name else form.index("physical_layout")
    given = None if at is None else inferred(op.operand(at))
    if shape is None or not isinstance(given, list) or not all(isinstance(n, int) for n in cast(list[Any], given)):
        return None
    numbers = tuple(cast(list[int], given))
    if "strided" in op.name:
        return numbers
    inner = rules.contiguous([shape[d] for d in numbers])
    return tuple(inner[numbers.index(d)] for d in range(len(shape)))


def _memory_format(op: Operation) -> int | None:
    form = schema(op.name)
    at = None if form is None else form.index("memory_format")
    given = inferred(op.operand(at)) if at is not None and at < len(op.operands) else None
    return given if isinstance(given, int) else None


def _made(
    name: str,
    operands: Sequence[tuple[Value, Place]],
    shape: tuple[int, ...] | None,
    memory_format: int | None = None,
) -> Strides | None:
    """Strides of a new tensor; None where they are not known."""
    base, overload = split_name(name)
    if shape is None:
        return None
    plain = [(own, p.strides) for v, p in operands if (own := static_shape(v.type)) is not None and p.strides is not None]
    found = special(base, overload, plain if len(plain) == len(operands) else (), shape)
    if found is not None and memory_format in (None, rules.PRESERVE_FORMAT):
        return found
    if gives_contiguous(name) or (base in _ROW_MAJOR and overload != "other"):
        return rules.contiguous(shape)
    if memory_format is not None and memory_format != rules.PRESERVE_FORMAT:
        return rules.formatted(shape, memory_format)
    known: list[tuple[tuple[int, ...], Strides]] = []
    for value, place in operands:
        own = static_shape(value.type)
        if own is None or place.strides is None:
            return None
        known.append((own, place.strides))
    if not known:
        return None
    if base in _KEEPING:
        return rules.kept(*known[0])
    if name.startswith(_CHANGED_DTYPE):
        return known[0][1] if rules.is_dense(*known[0]) else rules.contiguous(shape)
    if base in _SUGGESTED:
        return suggested(shape, *known[0])
    if base == "aten::cat":
        same = next((f for f in (rules.CHANNELS_LAST, rules.CHANNELS_LAST_3D) if all(rules.is_contiguous(*k, f) for k in known)), 0)
        return rules.formatted(shape, same)
    if is_elementwise(name):
        if overload.startswith("Scalar") and base in _WRAPPED:
            known.append(((), ()))
        return rules.elementwise(known)
    return None


LAYOUT: Final = "layout"
"""Attributes of operations while a graph is specialised, one per result: what PyTorch's kernel for a composite operator gives."""


@dataclass(frozen=True)
class Kind:
    """A rule for the strides of new tensors, whatever those of the operands are."""

    name: Literal["row-major", "formatted", "kept", "converted", "elementwise"]
    memory_format: int = rules.CONTIGUOUS_FORMAT

    @property
    def asks(self) -> bool:
        """Whether the strides of operands matter."""
        return self.name not in ("row-major", "formatted")


def kind_of(op: Operation, result: Value) -> Kind | None:
    """How an operator lays a result; None where that is not known."""
    mark = op.attributes.get(f"{LAYOUT}{cast(OpResult, result).index}")
    if mark is not None:
        return Kind("row-major") if mark == "row-major" and op.name.startswith("aten::") else None
    base, rank, memory_format = split_name(op.name)[0], cast(TensorType, result.type).rank, _memory_format(op)
    if op.name.startswith(_UNLIKE_OPERANDS):
        return None
    if gives_contiguous(op.name) or base in _ROW_MAJOR:
        return Kind("row-major")
    if memory_format is not None and memory_format != rules.PRESERVE_FORMAT:
        return None if rules.order_of_format(memory_format, rank) is None else Kind("formatted", memory_format)
    if base in _KEEPING:
        return Kind("kept")
    if op.name.startswith(_CHANGED_DTYPE):
        return Kind("converted")
    if base in _SUGGESTED or base == "aten::cat":
        return Kind("row-major") if rank < 4 else None
    return Kind("elementwise") if is_elementwise(op.name) else None


def made_layout(op: Operation, result: Value, operands: Sequence[tuple[Value, Strides]]) -> Strides | None:
    """Strides of a new tensor of static shape by those of all tensors that it is made of."""
    mark = op.attributes.get(f"{LAYOUT}{cast(OpResult, result).index}")
    shape = static_shape(result.type)
    if mark is not None or op.name.startswith(_UNLIKE_OPERANDS):
        return rules.contiguous(shape) if mark == "row-major" and shape is not None else None
    places = [(v, Place(v, strides)) for v, strides in operands]
    return _made(op.name, places, shape, _memory_format(op))


def gives_row_major(name: str) -> bool:
    """Whether PyTorch's kernel gives a row-major tensor whatever its operands are."""
    return gives_contiguous(name) or split_name(name)[0] in _ROW_MAJOR


def is_elementwise(name: str) -> bool:
    if split_name(name)[0] in _LIKE_ELEMENTWISE:
        return True
    record = find(name)
    return record is not None and record.lower.__module__ == elementwise_records.__name__


def _view(op: Operation, index: int, source: Place) -> Place:
    """Where a view of a tensor lies; or a copy, where the operator makes one."""
    result, own = op.results[index], op.operand(0)
    shape, wanted = static_shape(own.type), static_shape(result.type)
    if op.name.startswith(_CHANGED_DTYPE):
        if cast(TensorType, own.type).dtype is cast(TensorType, result.type).dtype:
            memory_format = _memory_format(op)
            if memory_format in (None, rules.PRESERVE_FORMAT) or shape is None or source.strides is None:
                return source
            if rules.is_contiguous(shape, source.strides, memory_format):
                return source
            return _fresh(result, rules.formatted(shape, memory_format))
        if source.is_contiguous and source.strides is None:
            return _row_major(result)
        return _fresh(result, _made(op.name, [(own, source)], wanted, _memory_format(op)))
    if is_complex_view(op):
        return Place(result if op.name == "aten::conj" else source.root, offset=None)
    if op.name in SAME:
        return source
    is_reshape = op.name in RESHAPES or op.name.startswith(("aten::view", "aten::unflatten"))
    if op.name == "aten::contiguous":
        return source if source.is_contiguous else _row_major(result)
    if source.is_contiguous and is_reshape and (source.strides is None or wanted is None):
        return replace(_row_major(result), root=source.root, offset=source.offset)
    if shape is None or wanted is None or source.strides is None:
        keeps = source.is_contiguous and op.name == "aten::unsqueeze"
        return Place(source.root, None, keeps, source.offset if keeps else None)
    if is_reshape:
        strides = rules.viewed(shape, source.strides, wanted)
        return _row_major(result) if strides is None else _at(source, wanted, strides, source.offset)
    if op.name == "aten::unsqueeze":
        axis = inferred(op.operand(1))
        axis = cast(int, axis) % len(wanted)
        return _at(source, wanted, rules.unsqueezed(shape, source.strides, axis), source.offset)
    if op.name in ("aten::expand", "aten::expand_as", "aten::broadcast_to"):
        return _at(source, wanted, rules.expanded(shape, source.strides, wanted), source.offset)
    if op.name == "aten::as_strided":
        given = [inferred(v) for v in op.operands[1:]]
        strides = given[1]
        if not isinstance(strides, list) or not all(isinstance(s, int) for s in cast(list[Any], strides)):
            return Place(source.root, offset=None)
        first = given[2] if len(given) > 2 and given[2] is not None else source.offset
        return _at(source, wanted, tuple(cast(list[int], strides)), first if isinstance(first, int) else None)
    return _through(op, index, source, shape, wanted)


def _at(source: Place, shape: tuple[int, ...], strides: Strides, offset: int | None) -> Place:
    return Place(source.root, strides, rules.is_contiguous(shape, strides), offset)


def _through(op: Operation, index: int, source: Place, shape: tuple[int, ...], wanted: tuple[int, ...]) -> Place:
    """By running the operator on an array that lies so; its elements are never touched."""
    assert source.strides is not None
    whole = np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), shape, source.strides)
    view = view_of(op, index, whole)
    if view is None or view.shape != wanted:
        return Place(source.root, offset=None)
    is_open = any(_has_unknown(inferred(v)) for v in op.operands[1:])
    offset = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    is_open = is_open or 0 in wanted  # numpy does not go behind the end of an array
    first = None if source.offset is None or is_open else source.offset + int(offset)
    return _at(source, wanted, tuple(int(s) for s in view.strides), first)


def _has_unknown(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_unknown, cast("Sequence[Any]", value)))
    return not isinstance(value, int | float | None)
