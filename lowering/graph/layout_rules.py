"""How the results of single operators lie, where that is neither row-major nor as the operands lie elementwise.

In: an operator, the extents and strides of its tensors, the extents of a result. Out: the strides that PyTorch's kernel gives it,
or None where no rule stands here. The rules come from a survey of PyTorch's kernels over transposed, sliced and channels-last operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from . import strides as rules
from .strides import Strides

Own = tuple[tuple[int, ...], Strides]
"""Extents and strides of an operand."""


def special(base: str, overload: str, operands: Sequence[Own], shape: tuple[int, ...]) -> Strides | None:
    """`base`: the name without its overload."""
    if base in _COLUMN_MAJOR:
        return column_major(shape) if len(shape) >= max((len(s) for s, _ in operands), default=0) else rules.contiguous(shape)
    if base in _ROW_MAJOR:
        return rules.contiguous(shape)
    if not operands:
        return None
    if base in _LIKE_ELEMENTWISE or (base in ("aten::max", "aten::min") and overload == "other") or base.startswith(_FUNCTIONS):
        return rules.elementwise(operands)
    if base in _KEEPING:
        return rules.kept(*operands[0])
    if base in _AS_FIRST:
        return operands[0][1]
    found = _OWN.get(base)
    return None if found is None else found(operands, shape)


def column_major(shape: Sequence[int]) -> Strides:
    """Matrices one after the other, each column by column."""
    if len(shape) < 2:
        return rules.contiguous(shape)
    *batch, rows, columns = shape
    turned = rules.contiguous((*batch, columns, rows))
    return (*turned[:-2], turned[-1], turned[-2])


def suggested(shape: tuple[int, ...], own: tuple[int, ...], strides: Strides) -> Strides | None:
    """In the memory format of the first operand."""
    if rules.is_contiguous(own, strides):
        return rules.contiguous(shape)
    for memory_format in (rules.CHANNELS_LAST, rules.CHANNELS_LAST_3D):
        if rules.is_contiguous(own, strides, memory_format):
            return rules.formatted(shape, memory_format)
    # part of a tensor with its channels last would count as one, too
    return None if len(own) > 3 and strides[1] == 1 else rules.contiguous(shape)


def _lines(operands: Sequence[Own], shape: tuple[int, ...]) -> Strides | None:
    """Kernels on lines are those on images of height 1."""
    own, strides = operands[0]
    if len(own) == 2 and len(shape) == 2:
        found = _lines([((1, *own), rules.unsqueezed(own, strides, 0))], (1, *shape))
        return None if found is None else found[1:]
    if len(own) != 3 or len(shape) != 3:
        return rules.contiguous(shape)
    image, steps = (*own[:2], 1, own[2]), rules.unsqueezed(own, strides, 2)
    found = suggested((*shape[:2], 1, shape[2]), image, steps)
    return None if found is None else (*found[:2], found[3])


def _filtered_lines(operands: Sequence[Own], shape: tuple[int, ...]) -> Strides | None:
    """With channels last only where the weights have them last, too."""
    of_weights = _lines(operands[1:2], operands[1][0])
    return rules.contiguous(shape) if of_weights == rules.contiguous(operands[1][0]) else _lines(operands, shape)


def _lines_of_batches(operands: Sequence[Own], shape: tuple[int, ...]) -> Strides | None:
    return _lines(operands, shape) if len(shape) == 3 else rules.contiguous(shape)


def _halves(operands: Sequence[Own], shape: tuple[int, ...]) -> Strides:
    """An elementwise operator on two halves of one tensor."""
    return rules.elementwise([(shape, operands[0][1])] * 2)


def _stacked(operands: Sequence[Own], shape: tuple[int, ...]) -> Strides | None:
    is_plain = all(len(s) < 4 or rules.is_contiguous(s, t) for s, t in operands)
    return rules.contiguous(shape) if is_plain else None


def _of_images(operands: Sequence[Own], shape: tuple[int, ...]) -> Strides | None:
    return suggested(shape, *operands[0])


def _named(*names: str) -> frozenset[str]:
    return frozenset(f"aten::{n}" for n in names)


_COLUMN_MAJOR: Final = _named(
    "cholesky", "cholesky_inverse", "cholesky_solve", "linalg_cholesky", "linalg_cholesky_ex", "geqrf", "_lu_with_info", "lu_solve",
    "linalg_lu_factor", "linalg_lu_factor_ex", "ormqr", "orgqr", "linalg_householder_product", "qr", "linalg_qr", "triangular_solve",
    "linalg_eigh", "linalg_eig", "linalg_ldl_factor", "linalg_ldl_factor_ex", "linalg_ldl_solve", "inverse", "linalg_inv",
    "linalg_inv_ex", "linalg_solve", "linalg_solve_ex", "linalg_solve_triangular",
)  # fmt: skip
"""What LAPACK writes."""

_ROW_MAJOR: Final = _named(
    "addbmm", "block_diag", "cross", "linalg_cross", "lu_unpack", "linalg_lu", "masked_scatter", "matrix_exp", "linalg_matrix_exp",
    "diag_embed", "mode", "mvlgamma", "narrow_copy", "view_copy", "permute_copy", "expand_copy", "diagonal_copy", "unfold_copy",
    "unbind_copy", "squeeze_copy", "unsqueeze_copy", "transpose_copy", "t_copy", "as_strided_copy", "split_copy",
    "split_with_sizes_copy", "select_copy", "slice_copy", "rms_norm", "bilinear", "_safe_softmax", "_softmax_backward_data",
    "_log_softmax_backward_data", "fractional_max_pool2d", "fractional_max_pool3d", "nanmedian", "std_mean", "var_mean", "new_zeros",
    "new_ones", "new_full", "new_empty", "multinomial", "renorm", "pinverse", "linalg_pinv", "linalg_matrix_power",
    "linalg_multi_dot", "linalg_eigvals", "linalg_eigvalsh", "linalg_vander", "linalg_tensorsolve", "linalg_norm",
    "linalg_vector_norm", "linalg_matrix_norm", "linalg_cond", "linalg_vecdot", "linalg_det", "linalg_slogdet", "norm",
    "logcumsumexp", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "diagflat", "fft_fftshift", "fft_ifftshift", "conv3d",
    "conv_transpose3d", "avg_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d", "unfold", "im2col", "fold", "col2im",
    "max_unpool3d", "max_unpool1d", "index_reduce", "corrcoef", "cosine_similarity", "searchsorted", "bucketize", "combinations",
    "cartesian_prod", "tile", "column_stack", "hstack", "vstack", "dstack", "scaled_dot_product_attention", "nonzero_static",
    "cumulative_trapezoid", "gradient", "max_pool1d", "outer", "special_log_softmax", "special_softmax", "special_logsumexp", "special_multigammaln",
)  # fmt: skip

_FUNCTIONS: Final = "aten::special_"
"""All but the few above."""

_LIKE_ELEMENTWISE: Final = _named(
    "heaviside", "isclose", "igamma", "igammac", "polygamma", "erfinv", "native_dropout_backward", "feature_dropout", "alpha_dropout",
    "feature_alpha_dropout", "local_response_norm", "nextafter", "gcd", "lcm", "ldexp",
)  # fmt: skip

_KEEPING: Final = _named("argsort", "msort", "put", "_unsafe_masked_index_put_accumulate", "rand_like", "randn_like", "randint_like")

_AS_FIRST: Final = _named("diagonal_scatter", "select_scatter", "slice_scatter", "as_strided_scatter")
"""A copy of the first operand with its very strides, written into."""

_OWN: Final[dict[str, Callable[[Sequence[Own], tuple[int, ...]], Strides | None]]] = {
    **dict.fromkeys(_named("avg_pool1d", "max_pool1d_with_indices"), _lines),
    **dict.fromkeys(_named("conv1d", "conv_transpose1d"), _filtered_lines),
    **dict.fromkeys(_named("adaptive_avg_pool1d", "adaptive_max_pool1d"), _lines_of_batches),
    **dict.fromkeys(_named("batch_norm", "native_batch_norm", "_native_batch_norm_legit", "_batch_norm_with_update"), _of_images),
    **dict.fromkeys(_named("reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "max_unpool2d", "channel_shuffle"), _of_images),
    **dict.fromkeys(_named("replication_pad1d", "replication_pad2d", "replication_pad3d"), _of_images),
    "aten::glu": _halves,
    "aten::stack": _stacked,
}
