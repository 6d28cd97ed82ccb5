"""Products of matrices and vectors.

One idea: a contraction of two tensors whose dimensions carry labels, as in `einsum`. It becomes `linalg.matmul` or
`linalg.batch_matmul` where it is one, else a `linalg.generic` whose maps read transposed operands in place. 16-bit
floats are accumulated in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...affine import AffineConstant, AffineDim, AffineExpr, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import arith, linalg, tensor
from .. import complex as complexes
from ..linalg import PARALLEL, REDUCTION
from .einsum_types import step_dtypes
from .elementwise import Scalars
from .layout import itself
from .lowering import Extent, LoweringContext, Number
from .rules import Array, Shape, array_type, broadcast, cast_array, not_implemented, opmath, shape_of
from .shapes import Known, floats, integers, product

# types


def _dtype_of(left: TensorType, right: TensorType, kernel: str) -> DType:
    """The common dtype of two factors: PyTorch promotes nothing here."""
    assert left.dtype is not None and right.dtype is not None
    if left.dtype is not right.dtype:
        names = {
            d: {"Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16"}.get(
                d.graph_name, d.graph_name
            )
            for d in (left.dtype, right.dtype)
        }
        raise OperatorError(
            f"expected m1 and m2 to have the same dtype, but got: {names[left.dtype]} != {names[right.dtype]}"
        )
    if left.dtype is DType.bool:
        raise not_implemented(kernel, left.dtype)
    return left.dtype


def _text(extent: Known) -> str:
    return "?" if extent is None else str(extent)


def _need_common(left: Shape, right: Shape, m: int, k: int, k2: int, n: int) -> None:
    """Extents `k` of the left and `k2` of the right must be equal, as far as they are known."""
    if left[k] is not None and right[k2] is not None and left[k] != right[k2]:
        shapes = f"{_text(left[m])}x{_text(left[k])} and {_text(right[k2])}x{_text(right[n])}"
        raise OperatorError(f"mat1 and mat2 shapes cannot be multiplied ({shapes})")


def infer_mm(self: TensorType, mat2: TensorType) -> TensorType:
    if self.rank != 2 or mat2.rank != 2:
        raise OperatorError("self must be a matrix" if self.rank != 2 else "mat2 must be a matrix")
    dtype = _dtype_of(self, mat2, "addmm_impl_cpu_")
    left, right = shape_of(self), shape_of(mat2)
    _need_common(left, right, 0, 1, 0, 1)
    return TensorType(dtype, (left[0], right[1]))


def infer_bmm(self: TensorType, mat2: TensorType) -> TensorType:
    if self.rank != 3 or mat2.rank != 3:
        raise OperatorError("batch1 must be a 3D tensor" if self.rank != 3 else "batch2 must be a 3D tensor")
    dtype = _dtype_of(self, mat2, "bmm")
    left, right = shape_of(self), shape_of(mat2)
    if _differ(left[0], right[0]) or _differ(left[2], right[1]):
        raise OperatorError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{_text(left[0])}, {_text(left[2])}]"
            f" but got: [{_text(right[0])}, {_text(right[1])}]."
        )
    return TensorType(dtype, (left[0] if left[0] is not None else right[0], left[1], right[2]))


def _differ(x: Known, y: Known) -> bool:
    return x is not None and y is not None and x != y


def infer_mv(self: TensorType, vec: TensorType) -> TensorType:
    if self.rank != 2 or vec.rank != 1:
        raise OperatorError(f"vector + matrix @ vector expected, got 1, {self.rank}, {vec.rank}")
    dtype = _dtype_of(self, vec, "addmv_impl_cpu")
    left, right = shape_of(self), shape_of(vec)
    if _differ(left[1], right[0]):
        raise OperatorError(
            f"size mismatch, got input ({_text(left[0])}), mat ({_text(left[0])}x{_text(left[1])}), vec "
            f"({_text(right[0])})"
        )
    return TensorType(dtype, (left[0],))


def infer_dot(self: TensorType, tensor: TensorType) -> TensorType:
    if self.rank != 1 or tensor.rank != 1:
        raise OperatorError(f"1D tensors expected, but got {self.rank}D and {tensor.rank}D tensors")
    dtype = _dtype_of(self, tensor, "dot")
    left, right = shape_of(self), shape_of(tensor)
    if _differ(left[0], right[0]):
        raise OperatorError(
            f"inconsistent tensor size, expected tensor [{left[0]}] and src [{right[0]}] to have the same number of "
            f"elements, but got {left[0]} and {right[0]} elements respectively"
        )
    return TensorType(dtype, ())


def _same_dtype(self: TensorType, dtype: DType) -> None:
    if self.dtype is not dtype:
        assert self.dtype is not None
        raise OperatorError(
            f"self and mat2 must have the same dtype, but got {self.dtype.graph_name} and {dtype.graph_name}"
        )


def _expands_to(shape: Shape, target: Shape) -> None:
    """The added tensor is broadcast to the product's shape, never the other way round."""
    if len(shape) > len(target):
        raise OperatorError(f"expand: the requested shape has too few dimensions ({len(target)} < {len(shape)})")
    for i, (extent, wanted) in enumerate(zip(reversed(shape), reversed(target), strict=False)):
        if extent != 1 and _differ(extent, wanted):
            dim = len(target) - 1 - i
            raise OperatorError(
                f"The expanded size of the tensor ({wanted}) must match the existing size ({extent}) at "
                f"non-singleton dimension {dim}."
            )


def infer_addmm(self: TensorType, mat1: TensorType, mat2: TensorType, beta: Any, alpha: Any) -> TensorType:
    del beta, alpha
    if mat1.rank != 2 or mat2.rank != 2:
        raise OperatorError(
            f"mat1 must be a matrix, got {mat1.rank}-D tensor"
            if mat1.rank != 2
            else f"mat2 must be a matrix, got {mat2.rank}-D tensor"
        )
    result = infer_mm(mat1, mat2)
    assert result.dtype is not None
    _same_dtype(self, result.dtype)
    _expands_to(shape_of(self), shape_of(result))
    return result


def infer_baddbmm(self: TensorType, batch1: TensorType, batch2: TensorType, beta: Any, alpha: Any) -> TensorType:
    del beta, alpha
    result = infer_bmm(batch1, batch2)
    assert result.dtype is not None
    _same_dtype(self, result.dtype)
    _expands_to(shape_of(self), shape_of(result))
    return result


def infer_matmul(self: TensorType, other: TensorType) -> TensorType:
    if self.rank == 0 or other.rank == 0:
        raise OperatorError(
            f"both arguments to matmul need to be at least 1D, but they are {self.rank}D and {other.rank}D"
        )
    if self.rank == 1 and other.rank == 1:
        return infer_dot(self, other)
    dtype = _dtype_of(self, other, "addmm_impl_cpu_")
    left, right = shape_of(self), shape_of(other)
    rows = (left[-2],) if self.rank > 1 else ()
    columns = (right[-1],) if other.rank > 1 else ()
    k = right[-2] if other.rank > 1 else right[0]
    if _differ(left[-1], k):
        _raise_matmul_mismatch(left, right)
    return TensorType(dtype, (*broadcast(left[:-2], right[:-2]), *rows, *columns))


def _raise_matmul_mismatch(left: Shape, right: Shape) -> None:
    if len(right) == 1:
        rows = product(left[:-1])
        raise OperatorError(
            f"size mismatch, got input ({_text(rows)}), mat ({_text(rows)}x{_text(left[-1])}), vec ({_text(right[0])})"
        )
    m = 1 if len(left) == 1 else product(left[:-1]) if len(right) == 2 else left[-2]
    raise OperatorError(
        f"mat1 and mat2 shapes cannot be multiplied ({_text(m)}x{_text(left[-1])} and "
        f"{_text(right[-2])}x{_text(right[-1])})"
    )


def infer_linear(input: TensorType, weight: TensorType, bias: TensorType | None) -> TensorType:
    if weight.rank not in (1, 2) or input.rank == 0:
        raise OperatorError(
            f"linear(): input and weight must be at least 1D and weight at most 2D, but they are {input.rank}D and "
            f"{weight.rank}D"
        )
    dtype = _dtype_of(input, weight, "addmm_impl_cpu_")
    x, w = shape_of(input), shape_of(weight)
    if _differ(x[-1], w[-1]):
        columns = w[0] if weight.rank == 2 else 1
        raise OperatorError(
            f"mat1 and mat2 shapes cannot be multiplied ({_text(product(x[:-1]))}x{_text(x[-1])} and "
            f"{_text(w[-1])}x{_text(columns)})"
        )
    shape = (*x[:-1], *w[:-1])
    if bias is not None:
        _same_dtype(bias, dtype)
        _expands_to(shape_of(bias), shape)
    return TensorType(dtype, shape)


# contractions

Labels = Sequence[str]
"""One label per dimension; labels that stand in both factors and not in the result are summed over."""


def multiply_accumulate(cx: LoweringContext, dtype: DType) -> Any:
    """Body of a contraction: factors of `dtype`, accumulator of its computing dtype."""
    wide = opmath(dtype)

    def body(b: Builder, *args: Value) -> Value:
        s = Scalars(b, wide)
        factors = [cx.cast(b, a, dtype, wide) for a in args[:-1]]
        value = factors[0]
        for f in factors[1:]:
            value = s.mul(value, f)
        return s.add(args[-1], value)

    return body


def contract(
    cx: LoweringContext,
    operands: Sequence[Value],
    labels: Sequence[Labels],
    out: Labels,
    init: Value | None = None,
) -> Value:
    """The sum of products of `operands` over the labels that `out` leaves out, in the computing dtype of the operands.

    An operand whose extent is 1 where the label's is not is broadcast. `init` (of the computing dtype) is added to.
    """
    dtype = cx.dtype(operands[0])
    if dtype.is_complex and len(operands) == 2:

        def multiply(x: Value, y: Value, start: Value | None) -> Value:
            return contract(cx, [x, y], labels, out, start)

        return product_of_parts(cx, operands[0], operands[1], init, multiply)
    extents = label_extents(cx, operands, labels)
    order = [*out, *(n for n in extents if n not in out)]
    place = {name: AffineDim(i) for i, name in enumerate(order)}
    maps = [_map(cx, v, names, extents, place) for v, names in zip(operands, labels, strict=True)]
    dims = [extents[n] for n in out]
    wide = opmath(dtype).element
    start = cx.fill(dims, wide, 0) if init is None else init
    iterators = [PARALLEL] * len(out) + [REDUCTION] * (len(order) - len(out))
    result = cx.generic(operands, maps, dims, wide, iterators, multiply_accumulate(cx, dtype), init=start)
    return cx.set_dtype(result, opmath(dtype))


def product_of_parts(
    cx: LoweringContext,
    left: Value,
    right: Value,
    init: Value | None,
    multiply: Callable[[Value, Value, Value | None], Value],
) -> Value:
    """A product of complex tensors as four of real ones, `multiply(left, right, init)`, added to `init`."""
    dtype = cx.dtype(left)

    def part(z: Value, body: Callable[..., Value]) -> Value:
        return cx.pointwise([z], dtype.real, body)

    def minus(b: Builder, z: Value) -> Value:
        return arith.negf(b, complexes.im(b, z))

    a, b, c, d = (part(z, which) for z in (left, right) for which in (complexes.re, complexes.im))
    starts = [None if init is None else part(init, which) for which in (complexes.re, complexes.im)]
    re = multiply(a, c, multiply(part(left, minus), d, starts[0]))
    im = multiply(a, d, multiply(b, c, starts[1]))
    return cx.pointwise([re, im], dtype, complexes.create)


def label_extents(cx: LoweringContext, operands: Sequence[Value], labels: Sequence[Labels]) -> dict[str, Extent]:
    """The extent that each label stands for: that of the operands which are not statically 1, checked to be equal."""
    extents: dict[str, Extent] = {}
    for value, names in zip(operands, labels, strict=True):
        for name, extent in zip(names, cx.dims(value), strict=True):
            known = extents.get(name, 1)
            if isinstance(known, int) and known == 1:
                extents[name] = extent
            elif extent is not known and extent not in (known, 1):
                same = cx.compare("eq", known, extent)
                cx.check(
                    same,
                    "einsum(): the extents of a summed dimension must be equal, but got {} and {}",
                    [known, extent],
                )
                extents[name] = known if isinstance(known, int) else extent
    return extents


def _map(
    cx: LoweringContext, value: Value, names: Labels, extents: Mapping[str, Extent], place: Mapping[str, AffineDim]
) -> AffineMap:
    results: list[AffineExpr] = []
    for name, extent in zip(names, cx.dims(value), strict=True):
        repeated = isinstance(extent, int) and extent == 1 and extents[name] != 1
        results.append(AffineConstant(0) if repeated else place[name])
    return AffineMap(len(place), tuple(results))


def rounded(cx: LoweringContext, value: Value, dtype: DType) -> Value:
    """A finished accumulation in the result's dtype."""
    return cx.cast_tensor(value, dtype)


def collapse_leading(cx: LoweringContext, value: Value, kept: int) -> Value:
    """All but the last `kept` dimensions as one."""
    rank = cx.rank(value)
    lead = rank - kept
    if lead <= 1:
        return value
    groups = [list(range(lead)), *([i] for i in range(lead, rank))]
    dtype = cx.dtype(value)
    return cx.set_dtype(tensor.collapse_shape(cx.b, value, groups), dtype)


def expand_leading(cx: LoweringContext, value: Value, lead: Sequence[Extent]) -> Value:
    """Inverse of `collapse_leading`: the first dimension becomes `lead`."""
    if len(lead) <= 1:
        return value
    dims = [*lead, *cx.dims(value)[1:]]
    groups = [list(range(len(lead))), *([i] for i in range(len(lead), len(dims)))]
    dtype = cx.dtype(value)
    result = cx.set_dims(tensor.expand_shape(cx.b, value, groups, dims), dims)
    return cx.set_dtype(result, dtype)


def _check_common(cx: LoweringContext, left: Value, right: Value, k: int, k2: int, transposed: bool = False) -> None:
    ld, rd = cx.dims(left), cx.dims(right)
    shape = [rd[1 - k2], rd[k2]] if transposed else [rd[k2], rd[1 - k2]]
    order = [shape[1], shape[0]] if transposed else shape
    cx.check(
        cx.compare("eq", ld[k], rd[k2]),
        "mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})",
        [cx.product(ld[:k]), ld[k], *order],
    )


def _matmul(cx: LoweringContext, left: Value, right: Value, init: Value | None = None) -> Value:
    """[m, k] x [k, n] in the computing dtype."""
    dtype = cx.dtype(left)
    _check_common(cx, left, right, 1, 0)
    if dtype.is_complex:
        return product_of_parts(cx, left, right, init, partial(_matmul, cx))
    if opmath(dtype) is not dtype:
        return contract(cx, [left, right], ["mk", "kn"], "mn", init)
    dims = [cx.dim(left, 0), cx.dim(right, 1)]
    out = cx.fill(dims, dtype.element, 0) if init is None else init
    return cx.set_dtype(linalg.matmul(cx.b, left, right, out).result, dtype)


def _batch_matmul(cx: LoweringContext, left: Value, right: Value, init: Value | None = None) -> Value:
    dtype = cx.dtype(left)
    a, c = cx.dims(left), cx.dims(right)
    fits = cx.all_of(cx.compare("eq", a[0], c[0]), cx.compare("eq", a[2], c[1]))
    cx.check(
        fits,
        "Expected size for first two dimensions of batch2 tensor to be: [{}, {}] but got: [{}, {}].",
        [a[0], a[2], c[0], c[1]],
    )
    if dtype.is_complex:
        return product_of_parts(cx, left, right, init, partial(_batch_matmul, cx))
    if opmath(dtype) is not dtype:
        return contract(cx, [left, right], ["bmk", "bkn"], "bmn", init)
    out = cx.fill([a[0], a[1], c[2]], dtype.element, 0) if init is None else init
    return cx.set_dtype(linalg.batch_matmul(cx.b, left, right, out).result, dtype)


def lower_mm(cx: LoweringContext, self: Value, mat2: Value) -> Value:
    return rounded(cx, _matmul(cx, self, mat2), cx.result_dtype())


def lower_bmm(cx: LoweringContext, self: Value, mat2: Value) -> Value:
    return rounded(cx, _batch_matmul(cx, self, mat2), cx.result_dtype())


def lower_mv(cx: LoweringContext, self: Value, vec: Value) -> Value:
    a, x = cx.dims(self), cx.dims(vec)
    cx.check(
        cx.compare("eq", a[1], x[0]), "size mismatch, got input ({}), mat ({}x{}), vec ({})", [a[0], a[0], a[1], x[0]]
    )
    return rounded(cx, contract(cx, [self, vec], ["mk", "k"], "m"), cx.result_dtype())


def lower_dot(cx: LoweringContext, self: Value, tensor: Value) -> Value:
    x, y = cx.dim(self, 0), cx.dim(tensor, 0)
    cx.check(
        cx.compare("eq", x, y),
        "inconsistent tensor size, expected tensor [{}] and src [{}] to have the same number of elements, but got {} "
        "and {} elements respectively",
        [x, y, x, y],
    )
    return rounded(cx, contract(cx, [self, tensor], ["k", "k"], ""), cx.result_dtype())


def broadcast_to(cx: LoweringContext, value: Value, dims: Sequence[Extent], dtype: DType, factor: Number = 1) -> Value:
    """A fresh tensor of these extents: `factor` times the broadcast value, in `dtype`."""
    source = cx.dtype(value)

    def body(b: Builder, x: Value) -> Value:
        wide = cx.cast(b, x, source, dtype)
        if isinstance(factor, int | float):
            return wide if factor == 1 else Scalars(b, dtype).mul(wide, cx.number(factor, dtype))
        s = Scalars(b, dtype)
        scale = cx.number(factor, dtype)
        # a factor that turns out to be 0 does not let NaN through
        return s.select(s.is_nonzero(scale), s.mul(wide, scale), s.constant(0))

    return cx.pointwise([value], dtype, body, dims=dims)


def _added(
    cx: LoweringContext,
    self: Value,
    dims: Sequence[Extent],
    beta: Number,
    alpha: Number,
    multiply: Callable[[Value | None], Value],
) -> Value:
    """beta * self + alpha * product, where `multiply(init)` accumulates the product; self is not read for beta 0."""
    dtype = cx.result_dtype()
    wide = opmath(dtype)
    if isinstance(beta, int | float) and beta == 0:
        added = None
    else:
        added = broadcast_to(cx, self, dims, wide, beta)
    if isinstance(alpha, int | float) and alpha == 1:
        return rounded(cx, multiply(added), dtype)
    summand = multiply(None)
    parts = [summand] if added is None else [summand, added]

    def body(b: Builder, x: Value, *rest: Value) -> Value:
        s = Scalars(b, wide)
        scaled = s.mul(x, cx.number(alpha, wide))
        return cx.cast(b, s.add(scaled, rest[0]) if rest else scaled, wide, dtype)

    return cx.pointwise(parts, dtype, body)


def lower_addmm(cx: LoweringContext, self: Value, mat1: Value, mat2: Value, beta: Number, alpha: Number) -> Value:
    dims = [cx.dim(mat1, 0), cx.dim(mat2, 1)]
    return _added(cx, self, dims, beta, alpha, partial(_matmul, cx, mat1, mat2))


def lower_baddbmm(cx: LoweringContext, self: Value, batch1: Value, batch2: Value, beta: Number, alpha: Number) -> Value:
    dims = [cx.dim(batch1, 0), cx.dim(batch1, 1), cx.dim(batch2, 2)]
    return _added(cx, self, dims, beta, alpha, partial(_batch_matmul, cx, batch1, batch2))


def lower_matmul(cx: LoweringContext, self: Value, other: Value) -> Value:
    dtype = cx.result_dtype()
    left, right = cx.rank(self), cx.rank(other)
    if left == 1 and right == 1:
        return lower_dot(cx, self, other)
    if left == 2 and right == 2:
        return rounded(cx, _matmul(cx, self, other), dtype)
    if right <= 2 and left >= 2:
        # one product: the rows of all batches
        lead = cx.dims(self)[:-1]
        rows = collapse_leading(cx, self, 1)
        if right == 1:
            return rounded(cx, expand_leading(cx, _matrix_vector(cx, rows, other), lead), dtype)
        return rounded(cx, expand_leading(cx, _matmul(cx, rows, other), lead), dtype)
    return rounded(cx, _batched(cx, self, other), dtype)


def _matrix_vector(cx: LoweringContext, matrix: Value, vector: Value) -> Value:
    a, x = cx.dims(matrix), cx.dims(vector)
    cx.check(
        cx.compare("eq", a[1], x[0]), "size mismatch, got input ({}), mat ({}x{}), vec ({})", [a[0], a[0], a[1], x[0]]
    )
    return contract(cx, [matrix, vector], ["mk", "k"], "m")


def _batched(cx: LoweringContext, self: Value, other: Value) -> Value:
    a, c = cx.dims(self), cx.dims(other)
    matrix = len(a) > 1
    k = c[-2]
    cx.check(
        cx.compare("eq", a[-1], k),
        "mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})",
        [a[-2] if matrix else 1, a[-1], k, c[-1]],
    )
    batch = cx.broadcast_dims([a[:-2], c[:-2]])
    if matrix and all(x is y or x == y for x, y in zip(a[:-2], c[:-2], strict=False)) and len(a) == len(c):
        product = _batch_matmul(cx, collapse_leading(cx, self, 2), collapse_leading(cx, other, 2))
        return expand_leading(cx, product, batch)
    names = [f"b{i}" for i in range(len(batch))]
    left = _to_batch(cx, self, a[:-2], batch, [*a[-2:]])
    right = _to_batch(cx, other, c[:-2], batch, [*c[-2:]])
    left_names = [*names[len(batch) - max(len(a) - 2, 0) :], *(["m", "k"] if matrix else ["k"])]
    right_names = [*names[len(batch) - (len(c) - 2) :], "k", "n"]
    return contract(cx, [left, right], [left_names, right_names], [*names, *(["m"] if matrix else []), "n"])


def _to_batch(
    cx: LoweringContext, value: Value, lead: Sequence[Extent], batch: Sequence[Extent], rest: Sequence[Extent]
) -> Value:
    """The factor itself where its batch extents are static 1 or the common ones; else a copy in the common ones."""
    common: list[Extent] = list(batch[len(batch) - len(lead) :]) if lead else []
    if all(isinstance(e, int) or e is t for e, t in zip(lead, common, strict=True)):
        return value
    return cx.pointwise([value], cx.dtype(value), itself, dims=[*common, *rest])


def lower_linear(cx: LoweringContext, input: Value, weight: Value, bias: Value | None) -> Value:
    dtype = cx.result_dtype()
    lead = cx.dims(input)[:-1]
    rows = collapse_leading(cx, input, 1)
    x, w = cx.dims(rows), cx.dims(weight)
    outs = w[:-1]
    cx.check(
        cx.compare("eq", x[-1], w[-1]),
        "mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})",
        [x[0] if len(x) == 2 else 1, x[-1], w[-1], outs[0] if outs else 1],
    )
    row = ["m"] if len(x) == 2 else []
    column = ["n"] if outs else []
    dims = [*x[:-1], *outs]
    init = None
    if bias is not None and cx.rank(bias) <= 1:
        init = broadcast_to(cx, bias, dims, opmath(dtype))
    result = contract(cx, [rows, weight], [[*row, "k"], [*column, "k"]], [*row, *column], init)
    if lead and len(lead) > 1:
        result = expand_leading(cx, result, lead)
    result = rounded(cx, result, dtype)
    if bias is not None and init is None:

        def add(b: Builder, p: Value, q: Value) -> Value:
            return Scalars(b, dtype).add(p, q)

        result = cx.pointwise([result, bias], dtype, add)
    return result


# einsum


def parse_equation(equation: str, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """Labels of each operand and of the result; `...` becomes labels `.0`, `.1`, ... counted from the right."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        difference = "fewer" if len(terms) > len(ranks) else "more"
        raise OperatorError(f"einsum(): {difference} operands were provided than specified in the equation")
    labels = [_term_labels(t, r) for t, r in zip(terms, ranks, strict=True)]
    dots = max((sum(1 for n in names if n[0] == ".") for names in labels), default=0)
    ellipsis = [f".{i}" for i in reversed(range(dots))]
    if arrow:
        before, three, after = right.partition("...")
        out = [*before, *(ellipsis if three else []), *after]
        for name in out:
            if not any(name in names for names in labels):
                raise OperatorError(
                    f"einsum(): output subscript {name} does not appear in the equation for any input operand"
                )
        return labels, out
    every = [n for names in labels for n in names if n[0] != "."]
    single = sorted((n for n in set(every) if every.count(n) == 1), key=lambda n: (n.islower(), n))
    return labels, [*ellipsis, *single]


def _term_labels(term: str, rank: int) -> list[str]:
    before, three, after = term.partition("...")
    for letter in before + after:
        if not letter.isalpha():
            raise OperatorError(f"einsum(): invalid subscript given, subscripts must be in [a-zA-Z], but got {letter}")
    dots = rank - len(before) - len(after)
    if dots < 0 or (dots > 0 and not three):
        raise OperatorError(
            f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) does not match the "
            f"number of dimensions ({rank}) for an operand and no ellipsis was given"
        )
    return [*before, *(f".{i}" for i in reversed(range(dots))), *after]


def infer_einsum(equation: str, tensors: list[TensorType], path: Any) -> TensorType:
    del path
    labels, out = parse_equation(equation, [t.rank for t in tensors])
    extents: dict[str, Known] = {}
    dtype = tensors[0].dtype
    for i, (t, names) in enumerate(zip(tensors, labels, strict=True)):
        if t.dtype is not dtype:
            _dtype_of(tensors[0], t, "einsum")
        for name, extent in zip(names, shape_of(t), strict=True):
            known = extents.get(name, 1)
            if known != 1 and extent != 1 and _differ(known, extent):
                raise OperatorError(
                    f"einsum(): subscript {name} has size {extent} for operand {i} which does not broadcast with "
                    f"previously seen size {known}"
                )
            extents[name] = extent if known == 1 else known if extent in (1, None) else extent
    kind = None if dtype is None else step_dtypes(dtype, [shape_of(t) for t in tensors], labels, out)[-1]
    return TensorType(kind, tuple(extents[n] for n in out))


def lower_einsum(cx: LoweringContext, equation: str, tensors: list[Value], path: Any) -> Value:
    """Two operands at a time from the left; a label is summed over as soon as nothing later needs it."""
    del path
    tensors = list(tensors)
    labels, out = parse_equation(equation, [cx.rank(t) for t in tensors])
    dtypes = step_dtypes(cx.dtype(tensors[0]), [cx.shape(t) for t in tensors], labels, out)
    value, names = tensors[0], labels[0]
    for i in range(1, len(tensors)):
        dtype = dtypes[i - 1]
        operands = [cx.cast_tensor(v, dtype) for v in (value, tensors[i])]
        value, tensors[i] = _stretched(cx, operands[0], names, operands[1], labels[i])
        later = {n for rest in labels[i + 1 :] for n in rest} | set(out)
        kept = [n for n in dict.fromkeys([*names, *labels[i]]) if n in later]
        last = i == len(tensors) - 1
        target = out if last else kept
        value = rounded(cx, contract(cx, [value, tensors[i]], [names, labels[i]], target), dtype)
        names = target
    if len(tensors) == 1:
        (dtype,) = dtypes
        value = rounded(cx, contract(cx, [cx.cast_tensor(value, dtype)], [names], out), dtype)
    return value


def _stretched(
    cx: LoweringContext, left: Value, left_names: Labels, right: Value, right_names: Labels
) -> tuple[Value, Value]:
    """Both with equal extents for what `...` stands for, where only run time tells which of them is 1."""
    wanted: dict[str, Extent] = {}
    for name in left_names:
        if name[0] == "." and name in right_names:
            x, y = cx.dim(left, left_names.index(name)), cx.dim(right, right_names.index(name))
            if not (x is y or (isinstance(x, int) and isinstance(y, int))):
                wanted[name] = cx.broadcast_dims([[x], [y]])[0]
    results: list[Value] = []
    for value, names in ((left, left_names), (right, right_names)):
        dims = [wanted.get(n, d) if d != 1 else d for n, d in zip(names, cx.dims(value), strict=True)]
        unchanged = all(d is e or d == e for d, e in zip(dims, cx.dims(value), strict=True))
        results.append(value if unchanged else cx.pointwise([value], cx.dtype(value), itself, dims=dims))
    return results[0], results[1]


# references


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.itemsize == 2 and array.dtype.kind not in "iu" else array


def _product(left: Array, right: Array) -> Array:
    return np.asarray(np.matmul(_wide(left), _wide(right)))


def _as(array: Array, like: Array) -> Array:
    return np.asarray(array).astype(like.dtype)


def reference_mm(self: Array, mat2: Array) -> Array:
    return _as(_product(self, mat2), self)


def reference_mv(self: Array, vec: Array) -> Array:
    return _as(_product(self, vec), self)


def reference_dot(self: Array, tensor: Array) -> Array:
    return _as(_product(self, tensor), self)


def reference_matmul(self: Array, other: Array) -> Array:
    return _as(_product(self, other), self)


def _reference_added(self: Array, product: Array, beta: Any, alpha: Any, dtype: Any) -> Array:
    wide = product.dtype
    result = product if alpha == 1 else product * np.asarray(alpha).astype(wide)
    if beta != 0:
        result = result + _wide(self) * np.asarray(beta).astype(wide)
    return result.astype(dtype)


def reference_addmm(self: Array, mat1: Array, mat2: Array, beta: Any, alpha: Any) -> Array:
    return _reference_added(self, _product(mat1, mat2), beta, alpha, mat1.dtype)


def reference_baddbmm(self: Array, batch1: Array, batch2: Array, beta: Any, alpha: Any) -> Array:
    return _reference_added(self, _product(batch1, batch2), beta, alpha, batch1.dtype)


def reference_linear(input: Array, weight: Array, bias: Array | None) -> Array:
    result = _product(input, weight.T)
    return _as(result if bias is None else result + _wide(bias), input)


def reference_einsum(equation: str, tensors: list[Array], path: Any) -> Array:
    del path
    labels, out = parse_equation(equation, [t.ndim for t in tensors])
    given = array_type(tensors[0]).dtype
    assert given is not None
    dtype = step_dtypes(given, [t.shape for t in tensors], labels, out)[-1]
    tensors = [cast_array(tensors[0], dtype), *tensors[1:]]
    return np.asarray(np.einsum(equation.replace(" ", ""), *[_wide(t) for t in tensors])).astype(dtype.numpy)


# samples


def mm_samples() -> Iterable[Sample]:
    for dtype in (DType.float32, DType.float64, DType.float16, DType.bfloat16):
        yield Sample((floats(3, 5, dtype=dtype), floats(5, 4, dtype=dtype)))
    yield Sample((integers(-5, 5, 3, 5), integers(-5, 5, 5, 4)))
    yield Sample((integers(0, 255, 3, 5, dtype=DType.uint8), integers(0, 255, 5, 4, dtype=DType.uint8)))
    yield Sample((floats(3, 0), floats(0, 4)))
    yield Sample((floats(0, 3), floats(3, 4)))
    yield Sample((floats(2, 3), floats(4, 4)), raises="mat1 and mat2 shapes cannot be multiplied (2x3 and 4x4)")


def bmm_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 3, 5), floats(2, 5, 4)))
    yield Sample((floats(2, 3, 5, dtype=DType.float16), floats(2, 5, 4, dtype=DType.float16)))
    yield Sample((integers(-5, 5, 2, 3, 5), integers(-5, 5, 2, 5, 4)))
    yield Sample(
        (floats(2, 3, 5), floats(3, 5, 4)),
        raises="Expected size for first two dimensions of batch2 tensor to be: [2, 5] but got: [3, 5].",
    )


def mv_samples() -> Iterable[Sample]:
    yield Sample((floats(3, 5), floats(5)))
    yield Sample((floats(3, 5, dtype=DType.bfloat16), floats(5, dtype=DType.bfloat16)))
    yield Sample((floats(3, 5), floats(4)), raises="size mismatch, got input (3), mat (3x5), vec (4)")


def dot_samples() -> Iterable[Sample]:
    yield Sample((floats(7), floats(7, seed=1)))
    yield Sample((integers(-5, 5, 7), integers(-5, 5, 7, seed=1)))
    yield Sample((floats(0), floats(0)))


def addmm_samples() -> Iterable[Sample]:
    yield Sample((floats(4), floats(3, 5), floats(5, 4)))
    yield Sample((floats(3, 4), floats(3, 5), floats(5, 4)), {"beta": 0.5, "alpha": 2})
    yield Sample((floats(3, 1), floats(3, 5), floats(5, 4)), {"beta": 2})
    yield Sample((np.full((4,), np.nan, np.float32), floats(3, 5), floats(5, 4)), {"beta": 0})
    yield Sample(
        (floats(4, dtype=DType.float16), floats(3, 5, dtype=DType.float16), floats(5, 4, dtype=DType.float16)),
        {"alpha": 0.5},
    )
    yield Sample((integers(-5, 5, 4), integers(-5, 5, 3, 5), integers(-5, 5, 5, 4)), {"beta": 2, "alpha": 3})


def baddbmm_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 3, 4), floats(2, 3, 5), floats(2, 5, 4)))
    yield Sample((floats(4), floats(2, 3, 5), floats(2, 5, 4)), {"beta": 0.5, "alpha": 2})


def matmul_samples() -> Iterable[Sample]:
    shapes = [
        ((5,), (5,)),
        ((3, 5), (5,)),
        ((5,), (5, 4)),
        ((3, 5), (5, 4)),
        ((2, 3, 5), (5, 4)),
        ((2, 3, 5), (5,)),
        ((5,), (2, 5, 4)),
        ((3, 5), (2, 5, 4)),
        ((2, 3, 5), (2, 5, 4)),
        ((2, 1, 3, 5), (6, 5, 4)),
        ((1, 3, 5), (2, 5, 4)),
        ((2, 6, 3, 5), (2, 6, 5, 4)),
        ((1, 1, 3, 5), (1, 1, 5, 4)),
        ((0, 3, 5), (5, 4)),
    ]
    for left, right in shapes:
        yield Sample((floats(*left), floats(*right, seed=1)))
    yield Sample((floats(2, 3, 5, dtype=DType.bfloat16), floats(2, 5, 4, dtype=DType.bfloat16)))
    yield Sample((integers(-5, 5, 2, 3, 5), integers(-5, 5, 5, 4)))
    yield Sample((floats(2, 3), floats(4, 4)), raises="mat1 and mat2 shapes cannot be multiplied (2x3 and 4x4)")


def linear_samples() -> Iterable[Sample]:
    yield Sample((floats(3, 5), floats(4, 5), floats(4)))
    yield Sample((floats(3, 5), floats(4, 5)))
    yield Sample((floats(2, 3, 5), floats(4, 5), floats(4)))
    yield Sample((floats(5), floats(4, 5), floats(4)))
    yield Sample((floats(3, 5), floats(5)))
    yield Sample(
        (floats(3, 5, dtype=DType.bfloat16), floats(4, 5, dtype=DType.bfloat16), floats(4, dtype=DType.bfloat16))
    )
    yield Sample((floats(2, 3), floats(4, 4)), raises="mat1 and mat2 shapes cannot be multiplied (2x3 and 4x4)")


def einsum_samples() -> Iterable[Sample]:
    yield Sample(("ij,jk->ik", [floats(3, 5), floats(5, 4)]))
    yield Sample(("bij, bkj -> bik", [floats(2, 3, 5), floats(2, 4, 5)]))
    yield Sample(("ij,jk", [floats(3, 5), floats(5, 4)]))
    yield Sample(("ii->i", [floats(3, 3)]))
    yield Sample(("ii", [floats(3, 3)]))
    yield Sample(("ij->ji", [floats(3, 5)]))
    yield Sample(("ij->i", [integers(-100, 100, 3, 5, dtype=DType.int8)]))
    yield Sample(("ij->ji", [integers(-100, 100, 3, 5, dtype=DType.int8)]))
    small = integers(-100, 100, 3, 5, dtype=DType.int8)
    yield Sample(("ij,ij->i", [small, small]))
    yield Sample(("ij,k->ik", [small, small[0]]))
    yield Sample(("ij,k,i->i", [small, small[0], small[:, 0]]))
    yield Sample(("aij,aj->i", [small.reshape(1, 3, 5), small[:1]]))
    yield Sample(("aij,ak->ik", [small.reshape(5, 1, 3), small.reshape(5, 3)]), raises="expected scalar type Long")
    yield Sample(("...ij,...jk->...ik", [floats(2, 1, 3, 5), floats(4, 5, 3)]))
    yield Sample(("i,j->ij", [floats(3), floats(4)]))
    yield Sample(("ij,jk,kl->il", [floats(3, 5), floats(5, 4), floats(4, 2)]))
    yield Sample(
        ("bhqd,bhkd->bhqk", [floats(2, 2, 3, 4, dtype=DType.float16), floats(2, 2, 5, 4, dtype=DType.float16)])
    )


OPERATORS: tuple[Operator, ...] = (
    Operator("aten::mm(Tensor self, Tensor mat2) -> Tensor", infer_mm, lower_mm, reference_mm, mm_samples),
    Operator("aten::bmm(Tensor self, Tensor mat2) -> Tensor", infer_bmm, lower_bmm, reference_mm, bmm_samples),
    Operator("aten::mv(Tensor self, Tensor vec) -> Tensor", infer_mv, lower_mv, reference_mv, mv_samples),
    Operator("aten::dot(Tensor self, Tensor tensor) -> Tensor", infer_dot, lower_dot, reference_dot, dot_samples),
    Operator(
        "aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
        infer_addmm,
        lower_addmm,
        reference_addmm,
        addmm_samples,
    ),
    Operator(
        "aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
        infer_baddbmm,
        lower_baddbmm,
        reference_baddbmm,
        baddbmm_samples,
    ),
    Operator(
        "aten::matmul(Tensor self, Tensor other) -> Tensor",
        infer_matmul,
        lower_matmul,
        reference_matmul,
        matmul_samples,
    ),
    Operator(
        "aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
        infer_linear,
        lower_linear,
        reference_linear,
        linear_samples,
    ),
    Operator(
        "aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor",
        infer_einsum,
        lower_einsum,
        reference_einsum,
        einsum_samples,
    ),
)
