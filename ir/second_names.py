"""Operators that have several names: PyTorch's graphs show each under the first of them (`torch.multiply` is `aten::mul`)."""

from __future__ import annotations

from typing import Final

_WITH_IN_PLACE: Final = """
    absolute:abs clip:clamp divide:div greater:gt greater_equal:ge less:lt less_equal:le multiply:mul subtract:sub negative:neg
    not_equal:ne true_divide:div arccos:acos arcsin:asin arctan:atan arccosh:acosh arcsinh:asinh arctanh:atanh fix:trunc
    arctan2:atan2 swapaxes:transpose swapdims:transpose
"""
_OTHERS: Final = """
    det:linalg_det concat:cat concatenate:cat ger:outer moveaxis:movedim row_stack:vstack orgqr:linalg_householder_product
    adjoint:mH inverse:linalg_inv matrix_power:linalg_matrix_power linalg_matmul:matmul special_erf:erf special_erfc:erfc
    special_erfinv:erfinv special_expit:sigmoid special_exp2:exp2 special_expm1:expm1 special_log1p:log1p special_sinc:sinc
    special_digamma:digamma special_psi:digamma special_polygamma:polygamma special_gammaln:lgamma special_logit:logit
    special_logsumexp:logsumexp special_round:round special_i0:i0 special_xlogy:xlogy special_softmax:softmax
    special_log_softmax:log_softmax special_gammainc:igamma special_gammaincc:igammac special_multigammaln:mvlgamma
"""


def _pairs(text: str) -> dict[str, str]:
    return {second: first for second, _, first in (pair.partition(":") for pair in text.split())}


FIRST_NAMES: Final = {
    **_pairs(_WITH_IN_PLACE),
    **{f"{second}_": f"{first}_" for second, first in _pairs(_WITH_IN_PLACE).items()},
    **_pairs(_OTHERS),
}
