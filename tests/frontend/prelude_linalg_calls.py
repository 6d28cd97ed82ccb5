"""Samples of the composites of linear algebra for `test_prelude.py`: the first of each is compiled to native code too.

Matrices are well conditioned, so that rounding does not decide anything, and of all sorts of shapes: batches, broadcast
batches, tall, wide, of one element, empty. What is a formula over singular values starts with an empty one: it is compiled in no time.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="makes the samples")
INF = float("inf")


def _m(*shape: int, seed: int = 0, dtype: Any = None) -> Any:
    generator = torch.Generator().manual_seed(100 + seed + sum(shape) * 7)
    return torch.randn(shape, generator=generator, dtype=dtype or torch.float64)


def _regular(*lead: int, n: int) -> Any:
    return _m(*lead, n, n) * 0.3 + torch.eye(n, dtype=torch.float64) * torch.tensor([1.0, -1.0] * n, dtype=torch.float64)[:n] * 2


def _positive(*lead: int, n: int) -> Any:
    half = _m(*lead, n, n)
    return half @ half.mT + torch.eye(n, dtype=torch.float64)


def _low_rank(m: int, n: int, rank: int) -> Any:
    return _m(m, rank) @ _m(rank, n)


NONE = torch.zeros(2, 0, 0, dtype=torch.float64)
ONE = torch.tensor([[-3.0]], dtype=torch.float64)
SINGULAR = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64)
R, RS, POS = _regular(n=4), _regular(2, n=3), _positive(2, n=4)
SQUARE = [(R,), (RS,), (NONE,), (ONE,), (_regular(3, 2, n=2).float(),)]
NAN = torch.full((3, 3), float("nan"), dtype=torch.float64)
SHAPES = [_m(4, 3), _m(2, 3, 5), _m(3, 3), _m(8, 3), _m(3, 8), _m(1, 4), _m(4, 1), _m(0, 3), _m(3, 0), NONE, _m(2, 5, 4, dtype=torch.float32)]
VECTOR, COLUMNS = _m(4), _m(4, 2)
LU, PIVOTS = torch.linalg.lu_factor(RS)
TALL_LU, TALL_PIVOTS = torch.linalg.lu_factor(_m(5, 3))
LOWER = torch.linalg.cholesky(POS)
SYMMETRIC = POS - 3 * torch.eye(4, dtype=torch.float64)
ROTATION = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.float64)
LDL, LDL_PIVOTS = torch.linalg.ldl_factor(_m(2, 5, 5))
PACKED, TAUS = torch.geqrf(_m(2, 5, 3))
TRIANGLE = R + torch.eye(4, dtype=torch.float64)
SINGULAR_VALUES = [(a,) for a in SHAPES]
OVER, UNDER, LITTLE = _m(6, 3), _m(2, 3, 5), _low_rank(6, 4, 2)
ORDERS = [2, -2, 1, -1, INF, -INF]
HALF = _m(3, 4).to(torch.bfloat16)

LINALG_CALLS: dict[str, list[tuple[Any, ...]]] = {
    "linalg_lu_factor_ex": [*SQUARE, (_m(5, 3),), (_m(2, 3, 5),), (SINGULAR,), (torch.zeros(2, 2, 3),)],
    "linalg_lu_factor": [*SQUARE, (_m(5, 3),), (_m(2, 3, 5),)],
    "linalg_lu": [*SQUARE, (_m(5, 3),), (_m(2, 3, 5),), (SINGULAR,)],
    "lu_unpack": [(LU, PIVOTS), (TALL_LU, TALL_PIVOTS), (LU, PIVOTS, True, False), (LU, PIVOTS, False, True)],
    "linalg_lu_solve": [
        (LU, PIVOTS, _m(4, 1, 3, 2)), (LU, PIVOTS, _m(3, 2), True, True), (LU, PIVOTS, _m(2, 3), False), (LU, PIVOTS, _m(2, 3), False, True)
    ],
    "lu_solve": [(_m(2, 3, 1), LU, PIVOTS)],
    "linalg_solve_ex": [(R, COLUMNS), (RS, _m(3)), (SINGULAR, torch.eye(2, dtype=torch.float64)[:, :0])],
    "linalg_solve": [(R, COLUMNS), (R, VECTOR), (RS, _m(2, 3)), (RS, _m(4, 1, 3, 2)), (RS, _m(2, 2, 3), False), (NONE, _m(2, 0, 3))],
    "linalg_inv_ex": [*SQUARE, (NAN,)],
    "linalg_inv": SQUARE,
    "inverse": SQUARE[:2],
    "linalg_solve_triangular": [
        (TRIANGLE, b, upper, left, one) for upper in (True, False) for left, b in ((True, COLUMNS), (False, COLUMNS.T)) for one in (True, False)
    ] + [(TRIANGLE, _m(3, 4, 2), True)],
    "triangular_solve": [(COLUMNS, TRIANGLE, u, t, o) for u in (True, False) for t in (True, False) for o in (True, False)],
    "linalg_det": [*SQUARE, (SINGULAR,), (NAN,)],
    "det": SQUARE[:2],
    "linalg_slogdet": [*SQUARE, (SINGULAR,)],
    "slogdet": SQUARE[:2],
    "logdet": [*SQUARE, (SINGULAR,), (-torch.eye(3),)],
    "linalg_cholesky_ex": [(POS,), (POS, True), (NONE,), (ONE.abs(),)],
    "linalg_cholesky": [(POS,), (POS, True), (NONE,), (POS[0].float(),)],
    "cholesky": [(POS,), (POS, True)],
    "cholesky_solve": [(COLUMNS, LOWER), (_m(2, 4, 1), LOWER.mT.contiguous(), True), (_m(2, 0, 3), NONE)],
    "cholesky_inverse": [(LOWER,), (LOWER.mT.contiguous(), True), (NONE,)],
    "linalg_qr": [(a, mode) for a in SHAPES for mode in ("reduced", "complete", "r")],
    "qr": [(_m(4, 3),), (_m(4, 3), False)],
    "geqrf": [(a,) for a in SHAPES],
    "linalg_householder_product": [(PACKED, TAUS), (PACKED[0], TAUS[0, :2])],
    "orgqr": [(PACKED, TAUS)],
    "ormqr": [(PACKED, TAUS, _m(2, 5, 2)), (PACKED, TAUS, _m(2, 5, 2), True, True), (PACKED, TAUS, _m(2, 2, 5), False), (PACKED, TAUS, _m(2, 2, 5), False, True)],
    "linalg_eigh": [(SYMMETRIC,), (SYMMETRIC, "U"), (_m(6, 6), "U"), (_m(2, 3, 3), "L"), (ONE,), (NONE,), (_m(30, 30), "L"), (_m(28, 28), "U"), (torch.eye(3) * 2,), (_m(3, 3) * 1e200,), (_m(3, 3) * 1e-200,)],
    "linalg_eigvalsh": [(SYMMETRIC,), (SYMMETRIC.float(), "U"), (NONE,), (torch.zeros(3, 3),)],
    "linalg_eig": [(R,), (RS,), (NONE,), (ONE,), (torch.zeros(2, 2),), (ROTATION,), (_m(12, 12) * 1e200,)],
    "linalg_eigvals": [(R,), (RS,), (NONE,), (ROTATION,), (_m(20, 20),)],
    "linalg_ldl_factor_ex": [(SYMMETRIC,), (_m(2, 9, 9),), (NONE,), (torch.zeros(2, 2),), (1 - torch.eye(4),)],
    "linalg_ldl_factor": [(SYMMETRIC,), (1 - torch.eye(4),)],
    "linalg_ldl_solve": [(LDL, LDL_PIVOTS, _m(2, 5, 2))],  # PyTorch crashes where it broadcasts
    "linalg_svd": [(_m(4, 3),), *[(a, full) for a in SHAPES for full in (True, False)], (_m(30, 28),), (_m(28, 30),), (_m(3, 3) * 1e200,), (torch.eye(3),)],
    "linalg_svdvals": [*SINGULAR_VALUES, (LITTLE,), (torch.zeros(3, 2),)],
    "svd": [(_m(0, 3),), (_m(3, 3),), (_m(4, 3), False), (_m(4, 3), True, False)],
    "linalg_matrix_norm": [(a, o, [-2, -1], k) for o in ORDERS[::-1] for a, k in ((_m(3, 4), False), (_m(2, 3, 4), True))] + [
        (_m(2, 3, 4), 2, [0, 2], True), (_m(2, 3, 4), 1, [2, 0], False), (HALF, 1), (_m(0, 3), 1), (_m(3, 0), INF), (_m(3, 4).float(), 2, [0, 1], False, 7)
    ],
    "linalg_matrix_norm.str_ord": [(_m(3, 4), "fro"), (_m(3, 4), "nuc"), (_m(2, 3, 4), "nuc", [0, 2], True), (HALF, "fro")],
    "linalg_norm": [(_m(2, 3, 4),), (_m(3, 4), 2), (_m(4), 3), (_m(2, 3, 4), 1, [1]), (_m(2, 3, 4), -2, [0, 1], True), (_m(3, 4), None, None, True, 7)],
    "linalg_norm.ord_str": [(_m(2, 3, 4), "fro", [0, 1]), (_m(3, 4), "nuc")],
    "nuclear_norm": [(_m(0, 3),), (_m(3, 4),), (_m(3, 4), True)],
    "nuclear_norm.dim": [(_m(2, 0, 4), [0, 1]), (_m(2, 3, 4), [0, 2])],
    "linalg_cond": [(R, o) for o in (None, 2, -2, 1, -1, INF, -INF)] + [(_m(4, 3),), (SINGULAR, 1), (NONE,), (NONE, 1)],
    "linalg_cond.p_str": [(R, "fro"), (R, "nuc"), (SINGULAR, "fro"), (NONE, "fro")],
    "linalg_matrix_rank": [(_m(0, 3), 0.1), (LITTLE, 0.1), (SYMMETRIC, 0.1, True)],
    "linalg_matrix_rank.tol_tensor": [(_m(0, 3), torch.tensor(0.1)), (LITTLE, torch.tensor([0.1, 100.0]))],
    "linalg_matrix_rank.atol_rtol_float": [(LITTLE,), (_m(2, 3, 4),), (NONE,), (_m(0, 3),)],
    "linalg_matrix_rank.atol_rtol_tensor": [(_m(0, 3),), (LITTLE,), (_m(2, 3, 4),)],
    "linalg_pinv": [(_m(0, 3), 1e-3), (_m(2, 4, 3), 1e-3), (POS, 1e-3, True)],
    "linalg_pinv.atol_rtol_float": [(LITTLE,), (_m(2, 3, 4),), (NONE,)],
    "linalg_pinv.atol_rtol_tensor": [(_m(0, 3),), (_m(4, 3),)],
    "linalg_pinv.rcond_tensor": [(_m(0, 3), torch.tensor(0.5)), (_m(2, 4, 3), torch.tensor([0.5, 1e-3]))],
    "pinverse": [(_m(0, 3),), (_m(4, 3),)],
    "linalg_lstsq": [(OVER, _m(6, 2)), (OVER, _m(6)), (UNDER, _m(2, 3, 1)), (LITTLE, _m(6, 2)), (_m(0, 3), _m(0, 2)), (_m(3, 0), _m(3, 2))],
    "linalg_matrix_power": [(R, 5), (R, 0), (R, -3), (R, 1), (_m(2, 3, 3), 2), (torch.eye(3).long() * 2, 3)],
    "matrix_power": [(R, 2)],
    "linalg_matrix_exp": [(_m(2, 4, 4),), (_m(3, 3) * 8,), (NONE,), (torch.zeros(2, 2),), (_m(3, 3).float() * 0.1,)],
    "matrix_exp": [(_m(3, 3),)],
    "linalg_tensorinv": [(_m(2, 3, 6), 2), (_m(4, 2, 2), 1)],
    "linalg_tensorsolve": [(_m(2, 3, 6), _m(2, 3)), (_m(2, 6, 3), _m(2, 3), [1])],
    "linalg_vander": [(_m(3),), (_m(2, 3),), (torch.arange(3),), (torch.arange(3, dtype=torch.uint8),)],
    "vander": [(_m(3),), (torch.arange(4), 3, True), (_m(3), 0), (_m(3), 1)],
}  # fmt: skip
