"""Which dtypes an `out=` tensor may have.

In: the functional operator, the dtype of a result and that of the tensor for it. Out: nothing, or PyTorch's error.

Element-wise operators convert to any dtype of the same or a higher category; most others write in the dtype of the result only.
Which do which follows no rule of PyTorch's: the names are those whose `out=` forms refuse float64 for a result of float32.
"""

from __future__ import annotations

from typing import Final

from ...ir.dtypes import DType
from ...ir.operators import split_name, uniform_name

_EXACT: Final = frozenset(
    (
        "_native_batch_norm_legit adaptive_avg_pool2d addbmm addmm addmv alias_copy all amax amin aminmax any argmax "
        "argmin as_strided_copy avg_pool2d avg_pool3d baddbmm bitwise_not bmm bucketize ceil chain_matmul col2im complex "
        "conj_physical cross cummax cummin cumprod cumsum diag diagonal_copy diff dot elu expand_copy fft_ihfft floor "
        "frac frexp gather gelu hardshrink hardsigmoid hardtanh heaviside histc histogram index_add index_copy "
        "index_reduce index_select inner inverse isin isneginf isposinf kthvalue leaky_relu linalg_cholesky "
        "linalg_cholesky_ex linalg_cross linalg_det linalg_eigh linalg_eigvalsh linalg_inv linalg_inv_ex "
        "linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve linalg_lu linalg_lu_factor linalg_lu_factor_ex "
        "linalg_lu_solve linalg_matrix_norm linalg_multi_dot linalg_norm linalg_qr linalg_slogdet linalg_solve "
        "linalg_solve_ex linalg_solve_triangular linalg_svd linalg_svdvals linalg_vecdot linalg_vector_norm linear "
        "log_sigmoid log_softmax logcumsumexp lu_solve lu_unpack masked_select matmul max max_pool2d_with_indices median "
        "min mish mm mode msort multinomial mv nan_to_num nanmedian nanquantile nansum narrow_copy native_batch_norm neg "
        "nonzero norm ormqr permute_copy polar prod qr quantile reflection_pad1d reflection_pad2d reflection_pad3d renorm "
        "replication_pad1d replication_pad2d replication_pad3d round scatter scatter_add scatter_reduce searchsorted sgn "
        "sign signbit silu slice_scatter slogdet softmax softplus softshrink sort squeeze_copy sum svd t_copy take "
        "take_along_dim tensordot topk transpose_copy triangular_solve tril triu trunc unfold_copy unsqueeze_copy "
        "upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d "
        "upsample_nearest3d upsample_trilinear3d vdot view_copy where"
    ).split()
)
_IN_ITS_DTYPE: Final = ("cumprod", "cumsum", "nansum", "prod", "sum")
_OR_BYTES: Final = ("all", "any")
"""Their results may be asked for as uint8 too."""

_DRAW_IN_OUT: Final = ("bernoulli",)
"""PyTorch draws in the dtype of `out`: the same seed gives other numbers."""


def computes_in_its_dtype(functional: str) -> bool:
    """Whether the dtype of `out` is the operator's `dtype` where that is not given."""
    return split_name(functional)[0].removeprefix("aten::") in _IN_ITS_DTYPE


def refusal(functional: str, result: DType, out: DType) -> str | None:
    """Why a result cannot be written to an `out=` tensor of this dtype; None where it can."""
    base = split_name(uniform_name(functional))[0].removeprefix("aten::")
    if result.category > out.category:
        return f"result type {result.graph_name} can't be cast to the desired output type {out.graph_name}"
    if base in _DRAW_IN_OUT and result is not out:
        return f"{base} with an out tensor of dtype {out.graph_name} would draw in that dtype: fill it by its method {base}_"
    if base not in _EXACT or result is out or (base in _OR_BYTES and (result, out) == (DType.bool, DType.uint8)):
        return None
    return f"Expected out tensor to have dtype {result.graph_name}, but got {out.graph_name} instead"
