"""The prelude against PyTorch: every composite operator is compiled by torch.jit as text and compared on samples."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from prelude_linalg_calls import LINALG_CALLS

from torchcc.api import compile_source
from torchcc.frontend import prelude

torch = pytest.importorskip("torch", reason="compares the prelude with PyTorch")
F = torch.nn.functional
INF = float("inf")
STRINGS = "aten/strings.py"
"""Methods of strings: they take no tensors, and are compared with PyTorch's by the programs of tests/end_to_end/."""


def test_function_names_map_to_operators_and_back() -> None:
    names = "softmax.int _softmax layer_norm upsample_nearest2d.vec _index_put_impl_.hacked_twin fill_diagonal_ linalg__powsum".split()
    for operator in [f"aten::{name}" for name in names]:
        assert prelude.operator_name(prelude.function_name(operator)) == operator
    assert prelude.is_composite("aten::softmax.int")
    assert not prelude.is_composite("aten::add.Tensor")
    assert not prelude.is_composite("prim::Constant")


def test_excerpt_keeps_lines_and_takes_what_is_called() -> None:
    excerpt = prelude.excerpt("aten", "layer_norm")
    named = {file.name: re.findall(r"^def (\w+)", file.text, re.MULTILINE) for file in excerpt}
    assert named == {
        "frontend/prelude/aten/normalization.py": ["_h_need_one_type", "native_layer_norm", "layer_norm"],
        "frontend/prelude/aten/shared.py": ["_h_wide", "_h_narrow"],
    }
    for file in excerpt:
        whole = prelude.text(file.name.removeprefix("frontend/prelude/")).split("\n")
        for number, line in enumerate(file.text.split("\n")):
            assert not line or line == whole[number]


def test_every_composite_has_the_parameters_of_its_schema() -> None:
    declared = {}
    for name, definition in prelude.functions("aten").items():
        head = definition.text.split(") ->")[0]
        declared[name] = re.findall(r"(\w+):", head)
    for operator in prelude.composites():
        schema = _schema(operator)
        assert declared[prelude.function_name(operator)] == [a.name for a in schema.arguments], operator


def _schema(operator: str) -> Any:
    base, _, overload = operator.removeprefix("aten::").partition(".")
    found = [s for s in torch._C._jit_get_schemas_for_operator(f"aten::{base}") if s.overload_name == overload]
    assert found, f"PyTorch has no {operator}"
    return found[0]


@pytest.fixture(scope="module")
def compiled() -> Any:
    """The composites as torch.jit compiles them, with `torch.x(...)` bound to the operator `aten::x` itself."""
    whole = "\n\n".join(prelude.text(file) for file in prelude.files("aten") if file != STRINGS)
    text = re.sub(r"^(import|from) .*", "", whole, flags=re.MULTILINE)
    text = re.sub(r"(?<![\w.])(?:torch|math)\.(\w+)\(", r"torch.ops.aten.\1(", text)
    text = re.sub(r"(?<![\w.])math\.(inf|nan)\b", r'float("\1")', text).replace("math.pi", repr(math.pi))
    return torch.jit.CompilationUnit(text)


def _t(*shape: int, seed: int = 0, dtype: Any = None) -> Any:
    generator = torch.Generator().manual_seed(seed + sum(shape) * 7)
    return torch.randn(shape, generator=generator, dtype=dtype or torch.float32)


def _i(high: int, *shape: int) -> Any:
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(high))


def _params(cell: int, layers: int, directions: int, inputs: int, hidden: int, biases: bool = True) -> list[Any]:
    params = []
    for layer in range(layers):
        for _ in range(directions):
            width = inputs if layer == 0 else hidden * directions
            params += [_t(cell * hidden, width), _t(cell * hidden, hidden, seed=1)]
            if biases:
                params += [_t(cell * hidden, seed=2), _t(cell * hidden, seed=3)]
    return params


SIZES = torch.tensor([3, 2, 2, 1])  # lengths 4, 3, 1
A, B, C, V = _t(2, 3, 4), _t(2, 3, 4, seed=5), _t(2, 6, 5, 4), _t(6)
P, Q = A.sigmoid(), B.sigmoid()
HALF = A.to(torch.bfloat16)
LABELS = _i(3, 2)
IGNORED = torch.tensor([-100, 1])
IMAGE = _t(1, 2, 5, 7)
BYTES = _i(256, 2, 5, 5, 7).to(torch.uint8)
WORDS, BAGS = torch.tensor([1, 2, 0, 4, 4, 3]), torch.tensor([0, 2, 2, 5])
GRID = _t(1, 3, 4, 2) * 0.8
MASKED = torch.tensor([[True, False, True], [False, False, False]])

ATTENTION = (_t(24, 8), _t(24), _t(8, 8), _t(8))
MASKS = [(None, None), (torch.ones(5, 5).triu(1).bool(), 0), (torch.tensor([[False] * 5, [False] * 3 + [True] * 2]), 1)]

CALLS: dict[str, list[tuple[Any, ...]]] = {
    "softmax.int": [(A, 1), (A, -1), (A, 0, 7), (HALF, 2), (torch.tensor(3.0), 0), (_i(5, 2, 3), 1, 6)],
    "log_softmax.int": [(A, 1), (HALF, 2), (A * 100, 0)],
    "_softmax": [(A, 1, False)],
    "_log_softmax": [(A, 1, False)],
    "logsumexp": [(A, [1], False), (A, [0, 2], True), (torch.full((2, 2), float("-inf")), [1], False), (_i(5, 2, 3), [1], False)],
    "var": [(A,), (A, False), (_t(1),)],
    "var.dim": [(A, [1], True, True), (A, None, False, False), (A, [0, -1], True, False)],
    "var.correction": [(A, [1]), (A, None), (A, [1], 0, True) , (A, [], 2, False), (A, [1], 5, True)],
    "std": [(A,), (HALF,)],
    "std.dim": [(A, [1], True, True)],
    "std.correction": [(A, [1, 2])],
    "var_mean": [(A,)],
    "var_mean.dim": [(A, [1], True, False)],
    "var_mean.correction": [(A, [0])],
    "std_mean": [(A,)],
    "std_mean.dim": [(A, [1], True, False)],
    "std_mean.correction": [(A, [0, 1])],
    "norm.Scalar": [(A, 2), (A, 1.0), (A, 3), (A, 0), (A, float("inf")), (A, float("-inf"))],
    "norm.ScalarOpt_dtype": [(A, None, 7)],
    "norm.ScalarOpt_dim": [(A, 2, [1], True), (A, None, [0, 1], False)],
    "norm.ScalarOpt_dim_dtype": [(A, 2, [1], True, 7)],
    "frobenius_norm.dim": [(A, [1, 2], True)],
    "linalg_vector_norm": [(A, 2, None), (A, 3.0, [1], True), (A, 1, [0], False, 7)],
    "linalg__powsum": [(A, 2.5, [1]), (A, 3, None, True), (A, 0, []), (HALF, 2, [1]), (A, 3, [0, 2], False, 7)],
    "linalg_norm": [(A,), (V, 1), *((_t(3, 4), o) for o in (1, -1, INF, -INF)), (_t(2, 3, 4), 1, [-1, 0], True)],
    "linalg_norm.ord_str": [(_t(3, 4), "fro"), (_t(2, 3, 4), "fro", [0, 2], True)],
    "linalg_matrix_norm": [(_t(2, 3, 4), o, d, k) for o in (1, -1, INF, -INF) for d, k in (([-2, -1], False), ([2, 0], True))],
    "linalg_matrix_norm.str_ord": [(_t(2, 3, 4),), (_t(2, 3, 4), "fro", [0, -1], True)],
    "dist": [(A, B, 2), (A, B, 1)],
    "pairwise_distance": [(_t(4, 3), _t(4, 3, seed=1)), (_t(4, 3), _t(4, 3, seed=1), 1.0, 1e-6, True)],
    "cosine_similarity": [(A, B), (A, B, 2, 1e-6), (A * 0, B)],
    "cdist": [(_t(4, 3), _t(5, 3)), (_t(2, 4, 3), _t(2, 5, 3), 1.0)],
    "native_layer_norm": [(A, [4], _t(4), _t(4, seed=1), 1e-5), (A, [3, 4], None, None, 1e-5)],
    "layer_norm": [(A, [4], _t(4), _t(4, seed=1)), (HALF, [4], None, None), (A + 10, [3, 4])],
    "rms_norm": [(A, [4], _t(4)), (A, [3, 4], None, 1e-3), (A.double(), [4])],
    "native_batch_norm": [(C, V, V + 1, V * 2, V.abs() + 1, False, 0.1, 1e-5)],
    "batch_norm": [
        (C, V, V + 1, V * 2, V.abs() + 1, False, 0.1, 1e-5, False),
        (C, None, None, V * 2, V.abs() + 1, False, 0.1, 1e-5, False),
        (C, V, V + 1, V * 2, V.abs() + 1, True, 0.1, 1e-5, False),
        (C, None, None, None, None, True, 0.1, 1e-5, False),
        (_t(3, 6), V, None, V * 2, V.abs() + 1, False, 0.1, 1e-5, False),
    ],
    "_native_batch_norm_legit_no_training": [(C, V, V + 1, V * 2, V.abs() + 1, 0.1, 1e-5)],
    "_native_batch_norm_legit.no_stats": [(C, V, V + 1, True, 0.1, 1e-5)],
    "group_norm": [(C, 3, V, V + 1), (C, 1), (_t(2, 6), 2)],
    "native_dropout_backward": [(HALF, HALF > 0, 1.25)],
    "native_group_norm": [(C, V, V, 2, 6, 20, 3, 1e-5), (C.half(), None, None, 2, 6, 20, 3, 1e-5), (C.half(), V, V, 2, 6, 20, 3, 1e-5), (_t(0, 6, 5), V, V, 0, 6, 5, 3, 1e-5)],
    "instance_norm": [
        (C, V, V, None, None, True, 0.1, 1e-5, False),
        (C, V, V, V * 2, V.abs() + 1, False, 0.1, 1e-5, False),
        (C, None, None, V * 2, V.abs() + 1, True, 0.1, 1e-5, False),
    ],
    "_weight_norm": [(_t(4, 3), _t(4, 1)), (_t(4, 3, 2), _t(1, 1, 2), 2)],
    "dropout": [(A, 0.5, False), (A, 0.0, True), (A, 1.0, True)],
    "native_dropout": [(A, 0.5, False)],
    "feature_dropout": [(C, 0.5, False)],
    "alpha_dropout": [(A, 0.5, False)],
    "feature_alpha_dropout": [(A, 0.5, False)],
    "relu6": [(A * 5,), (_i(10, 4),)],
    "selu": [(A,)],
    "celu": [(A, 0.7)],
    "glu": [(A, -1), (C, 1)],
    "log_sigmoid": [(A * 50,), (HALF,)],
    "prelu": [(A, _t(1)), (A, _t(3)), (torch.tensor(-2.0), _t(1))],
    "rrelu": [(A,)],
    "mse_loss": [(A, B), (A, B, 0), (A, B, 2)],
    "l1_loss": [(A, B)],
    "smooth_l1_loss": [(A, B), (A, B, 0, 0.3), (A, B, 2, 0.0)],
    "huber_loss": [(A, B), (A, B, 0, 0.3)],
    "soft_margin_loss": [(A, B.sign())],
    "binary_cross_entropy": [(P, Q), (P, Q, B.abs(), 0), (P.round(), Q.round())],
    "binary_cross_entropy_with_logits": [(A, Q), (A * 100, Q, B.abs(), V[:4].abs(), 2)],
    "kl_div": [(A, P), (A, B, 2, log_target := True), (A, P.round(), 0)],
    "poisson_nll_loss": [(A, P * 3, True, False, 1e-8, 1), (P, P * 3, False, True, 1e-8, 0)],
    "cosine_embedding_loss": [(_t(4, 3), _t(4, 3, seed=2), torch.tensor([1, -1, 1, -1]), 0.1)],
    "hinge_embedding_loss": [(A, B.sign())],
    "margin_ranking_loss": [(A, B, B.sign(), 0.2)],
    "triplet_margin_loss": [(_t(4, 3), _t(4, 3, seed=2), _t(4, 3, seed=3)), (_t(4, 3), _t(4, 3, seed=2), _t(4, 3, seed=3), 0.5, 1.0, 1e-6, True, 2)],
    "multi_margin_loss": [(_t(2, 3), LABELS), (_t(2, 3), LABELS, 2, 0.5, _t(3), 0), (_t(3), torch.tensor(1))],
    "nll_loss_forward": [(_t(2, 3), LABELS, None, 1, -100), (_t(2, 3), LABELS, _t(3), 2, -100), (_t(2, 3), IGNORED, _t(3), 0, -100)],
    "nll_loss2d_forward": [(_t(2, 3, 4, 5), _i(3, 2, 4, 5), _t(3), 1, 1)],
    "nll_loss": [(_t(2, 3), LABELS), (_t(3), torch.tensor(1))],
    "nll_loss2d": [(_t(2, 3, 4, 5), _i(3, 2, 4, 5))],
    "nll_loss_nd": [(_t(2, 3, 4, 5), _i(3, 2, 4, 5)), (_t(2, 3, 4), _i(3, 2, 4), _t(3), 0), (_t(2, 3), LABELS)],
    "cross_entropy_loss": [
        (_t(2, 3), LABELS), (_t(2, 3), IGNORED, _t(3).abs()), (_t(3), torch.tensor(2)), (_t(2, 3), _t(2, 3).softmax(1)),
        (_t(2, 3), LABELS, None, 1, -100, 0.1), (_t(2, 3), IGNORED, _t(3).abs(), 1, -100, 0.1), (_t(2, 3, 4), _i(3, 2, 4), None, 0),
        (_t(2, 3), _t(2, 3).softmax(1), _t(3).abs(), 0, -100, 0.2), (_t(2, 3), torch.tensor([-100, -100])),
    ],
    "outer": [(_t(3), _t(4))],
    "ger": [(_t(3), _t(4))],
    "vdot": [(_t(3), _t(3, seed=1))],
    "inner": [(_t(2, 3), _t(4, 3)), (_t(3), _t(3)), (torch.tensor(2.0), _t(3))],
    "linalg_vecdot": [(A, B)],
    "linalg_matmul": [(_t(2, 3), _t(3, 4))],
    "addmv": [(_t(2), _t(2, 3), _t(3)), (_t(2) * float("nan"), _t(2, 3), _t(3), 0, 2)],
    "addr": [(_t(2, 3), _t(2), _t(3), 0.5, 2)],
    "addbmm": [(_t(3, 5), _t(2, 3, 4), _t(2, 4, 5), 0.5, 2)],
    "chain_matmul": [([_t(2, 3), _t(3, 4), _t(4, 5)],)],
    "linalg_multi_dot": [([_t(2, 3), _t(3, 4), _t(4)],)],
    "tensordot": [(A, _t(4, 3, 5), [2, 1], [0, 1]), (A, B, [-1], [-1])],
    "bilinear": [(_t(2, 3), _t(2, 4), _t(5, 3, 4), _t(5))],
    "kron": [(_t(2, 3), _t(3, 2)), (_t(2), _t(3, 2))],
    "trace": [(_t(3, 4),)],
    "linalg_diagonal": [(A,)],
    "linalg_cross": [(_t(2, 3), _t(2, 3, seed=1))],
    "cross": [(_t(2, 3), _t(2, 3, seed=1)), (_t(2, 3), _t(2, 3, seed=1), 1)],
    "rnn_tanh_cell": [(_t(2, 3), _t(2, 4), _t(4, 3), _t(4, 4), _t(4), _t(4, seed=1)), (_t(2, 3), _t(2, 4), _t(4, 3), _t(4, 4))],
    "rnn_relu_cell": [(_t(2, 3), _t(2, 4), _t(4, 3), _t(4, 4), _t(4), _t(4, seed=1))],
    "gru_cell": [(_t(2, 3), _t(2, 4), _t(12, 3), _t(12, 4), _t(12), _t(12, seed=1))],
    "lstm_cell": [(_t(2, 3), [_t(2, 4), _t(2, 4, seed=1)], _t(16, 3), _t(16, 4), _t(16), _t(16, seed=1))],
    "rnn_tanh.input": [(_t(5, 2, 3), _t(2, 2, 4), _params(1, 2, 1, 3, 4), True, 2, 0.0, False, False, False)],
    "rnn_relu.input": [(_t(2, 5, 3), _t(2, 2, 4), _params(1, 1, 2, 3, 4), True, 1, 0.0, False, True, True)],
    "gru.input": [(_t(5, 2, 3), _t(4, 2, 4), _params(3, 2, 2, 3, 4), True, 2, 0.0, False, True, False)],
    "lstm.input": [
        (_t(5, 2, 3), [_t(4, 2, 4), _t(4, 2, 4, seed=1)], _params(4, 2, 2, 3, 4), True, 2, 0.0, False, True, False),
        (_t(2, 5, 3), [_t(1, 2, 4), _t(1, 2, 4, seed=1)], _params(4, 1, 1, 3, 4, False), False, 1, 0.0, False, False, True),
    ],
    "rnn_tanh.data": [(_t(8, 3), SIZES, _t(2, 3, 4), _params(1, 2, 1, 3, 4), True, 2, 0.0, False, False)],
    "rnn_relu.data": [(_t(8, 3), SIZES, _t(2, 3, 4), _params(1, 1, 2, 3, 4), True, 1, 0.0, False, True)],
    "gru.data": [(_t(8, 3), SIZES, _t(4, 3, 4), _params(3, 2, 2, 3, 4), True, 2, 0.0, False, True)],
    "lstm.data": [
        (_t(8, 3), SIZES, [_t(4, 3, 4), _t(4, 3, 4, seed=1)], _params(4, 2, 2, 3, 4), True, 2, 0.0, False, True),
        (_t(8, 3), SIZES, [_t(1, 3, 4), _t(1, 3, 4, seed=1)], _params(4, 1, 1, 3, 4, False), False, 1, 0.0, False, False),
    ],
    "_pack_padded_sequence": [
        (_t(5, 3, 2), torch.tensor([4, 3, 1]), False),
        (_t(3, 4, 2, 2), torch.tensor([4, 4, 4]), True),
        (_t(2, 4), torch.tensor([3, 1]), True),
    ],
    "_pad_packed_sequence": [
        (_t(8, 3), SIZES, False, 0.0, -1),
        (_t(8, 2, 2), SIZES, True, -1.5, 6),
        (_i(9, 8), SIZES, True, 7, -1),
    ],
    "scaled_dot_product_attention": [
        (_t(2, 3, 4), _t(2, 5, 4), _t(2, 5, 6)),
        (_t(1, 2, 3, 4), _t(1, 2, 3, 4, seed=1), _t(1, 2, 3, 4, seed=2), None, 0.0, True),
        (_t(2, 4), _t(3, 4), _t(3, 4, seed=1), MASKED),
        (_t(2, 4), _t(3, 4), _t(3, 4, seed=1), _t(2, 3), 0.0, False, 0.3),
        (_t(1, 4, 3, 4), _t(1, 2, 3, 4), _t(1, 2, 3, 4, seed=1), None, 0.0, False, None, True),
    ],
    "embedding_renorm": [(_t(5, 3) * 3, WORDS.reshape(-1, 1), 1.5, p) for p in (1.0, 2.0)],
    "_no_grad_embedding_renorm_": [(_t(5, 3) * 3, WORDS, 1.5, 2.0)],
    "embedding_bag": [(_t(5, 3), WORDS, BAGS, False, m, False, None, last) for m in (0, 1, 2) for last in (False, True)],
    "embedding_bag.padding_idx": [(_t(5, 3), WORDS, BAGS, False, m, False, None, last, p) for m in (0, 1, 2) for last in (False, True) for p in (None, 4, -3)]
    + [(_t(5, 3), WORDS, BAGS, False, 0, False, _t(6), last, p) for last in (False, True) for p in (None, 4)]
    + [(_t(5, 3), WORDS, BAGS[:0], False, m, False, None, False, None) for m in (0, 1)],
    "_embedding_bag": [(_t(5, 3), WORDS, BAGS, False, 1, False, None, False, 4), (_t(5, 3), WORDS.int(), BAGS.int(), False, 2, False, None, True, -1)],
    "max_unpool2d": [(*torch.nn.functional.max_pool2d(C, 2, return_indices=True), list(C.shape[-2:]))],
    "max_unpool3d": [(*torch.nn.functional.max_pool3d(A.unsqueeze(0), 2, 1, return_indices=True), list(A.shape), [1, 1, 1], [0, 0, 0])],
    "upsample_nearest1d": [(_t(1, 2, 5), [8]), (_t(1, 2, 5), [3])],
    "upsample_nearest2d": [(IMAGE, [10, 14]), (IMAGE, [3, 9]), (IMAGE, [7, 10], 1.5, 1.5), (IMAGE, [5, 14], 1.1, 2.1)],
    "upsample_nearest3d": [(_t(1, 2, 3, 4, 5), [6, 3, 7]), (_t(1, 2, 3, 4, 5), [3, 4, 5], 1.2, 1.1, 1.1)],
    "upsample_linear1d": [(_t(1, 2, 5), [8], False), (_t(1, 2, 5), [8], True)],
    "upsample_bilinear2d": [(IMAGE, [10, 14], False), (IMAGE, [3, 9], True), (IMAGE, [7, 10], False, 1.5, 1.5), (IMAGE, [1, 1], True),
                            (IMAGE.double(), [7, 10], False, 1.5, 1.7), (BYTES, [7, 10], False, 1.5, 1.7), (BYTES, [3, 9], True)],
    "upsample_trilinear3d": [(_t(1, 2, 3, 4, 5), [6, 3, 7], False)],
    "upsample_bicubic2d": [(IMAGE, [10, 14], False), (IMAGE, [3, 9], True), (BYTES, [7, 10], False, 1.5, 1.7), (BYTES, [3, 9], True)],
    "upsample_nearest1d.vec": [(_t(1, 2, 5), None, [1.7])],
    "upsample_nearest2d.vec": [(IMAGE, None, [2.0, 2.0]), (IMAGE, [4, 4], None)],
    "upsample_nearest3d.vec": [(_t(1, 2, 3, 4, 5), None, [2.0, 1.0, 1.5])],
    "upsample_linear1d.vec": [(_t(1, 2, 5), None, False, [1.7])],
    "upsample_bilinear2d.vec": [(IMAGE, None, False, [2.0, 1.5]), (IMAGE, [4, 4], True, None)],
    "upsample_trilinear3d.vec": [(_t(1, 2, 3, 4, 5), None, False, [2.0, 1.0, 1.5])],
    "upsample_bicubic2d.vec": [(IMAGE, None, False, [2.0, 1.5])],
    "_upsample_nearest_exact1d": [(_t(1, 2, 5), [8]), (_t(1, 2, 5), [3])],
    "_upsample_nearest_exact2d": [(IMAGE, [10, 14]), (IMAGE, [3, 9]), (IMAGE, [7, 10], 1.5, 1.5)],
    "_upsample_nearest_exact3d": [(_t(1, 2, 3, 4, 5), [6, 3, 7])],
    "_upsample_nearest_exact1d.vec": [(_t(1, 2, 5), None, [1.7])],
    "_upsample_nearest_exact2d.vec": [(IMAGE, None, [2.0, 2.0]), (IMAGE, [4, 4], None)],
    "_upsample_nearest_exact3d.vec": [(_t(1, 2, 3, 4, 5), None, [2.0, 1.0, 1.5])],
    **{f"_upsample_{k}2d_aa": [(IMAGE, [3, 4], False), (IMAGE, [10, 2], False), (IMAGE, [9, 11], True), (IMAGE, [3, 9], True), (BYTES, [3, 9], False)] for k in ("bilinear", "bicubic")},
    **{f"_upsample_{k}2d_aa.vec": [(IMAGE, None, False, [0.6, 1.5]), (IMAGE, [2, 3], False, None)] for k in ("bilinear", "bicubic")},
    "pixel_shuffle": [(_t(2, 8, 3, 4), 2), (_t(9, 2, 2), 3)],
    "pixel_unshuffle": [(_t(2, 2, 6, 4), 2)],
    "channel_shuffle": [(C, 3)],
    "native_channel_shuffle": [(C, 2)],
    "reflection_pad1d": [(A, [2, 1])],
    "reflection_pad2d": [(C, [2, 1, 0, 3])],
    "reflection_pad3d": [(_t(1, 2, 3, 4, 5), [2, 1, 0, 3, 1, 1])],
    "replication_pad1d": [(A, [2, 7])],
    "replication_pad2d": [(C, [2, 1, 0, 3])],
    "replication_pad3d": [(_t(1, 2, 3, 4, 5), [2, 1, 0, 3, 1, 1])],
    "pad": [(A, [1, 2]), (A, [1, 2, 0, 1], "constant", 3.5), (A, [1, 2], "reflect"), (A, [1, 2], "replicate"), (A, [1, 2], "circular"), (A, [-1, 1])],
    "concat": [([A, B], 1)],
    "concatenate": [([A, B], -1)],
    "atleast_1d": [(torch.tensor(1.0),), (A,)],
    "atleast_2d": [(torch.tensor(1.0),), (V,), (A,)],
    "atleast_3d": [(torch.tensor(1.0),), (V,), (_t(2, 3),)],
    "hstack": [([V, V],), ([A, B],)],
    "vstack": [([V, V],)],
    "row_stack": [([V, V],)],
    "dstack": [([V, V],)],
    "column_stack": [([V, _t(6, 2)],)],
    "meshgrid": [([_t(2), _t(3), _t(4)],)],
    "meshgrid.indexing": [([_t(2), _t(3), _t(4)], "xy"), ([_t(2), _t(3)], "ij")],
    "broadcast_tensors": [([_t(2, 1), _t(3)],)],
    "cartesian_prod": [([_t(2), _t(3)],), ([_t(2)],)],
    "block_diag": [([_t(2, 3), _t(2), torch.tensor(1.0)],)],
    "pad_sequence": [([_t(2, 3), _t(4, 3)], True, 1.5), ([_t(2), _t(4)], False, 0.0, "left")],
    "rot90": [(A,), (A, 2), (A, -1, [1, 2]), (A, 4)],
    "fliplr": [(A,)],
    "flipud": [(A,)],
    "tile": [(A, [2]), (A, [2, 1, 1, 2])],
    "repeat_interleave.self_int": [(A, 2), (A, 3, 1), (A, 2, -1)],
    "one_hot": [(_i(4, 2, 3), 5), (_i(4, 2, 3), -1)],
    "where": [(A > 0,), (_i(2, 5),)],
    "hsplit.int": [(A, 3), (V, 2)],
    "hsplit.array": [(A, [1])],
    "vsplit.int": [(A, 2)],
    "vsplit.array": [(A, [0, 1])],
    "logit": [(P,), (P, 0.2)],
    "nanmean": [(A,), (A, [1], True)],
    "diag": [(V,), (V, -1), (_t(3, 4), 1)],
    "diag_embed": [(A,), (_t(2, 3), 1, 0, 2)],
    "take": [(A, _i(24, 2, 3))],
    "put": [(A, torch.tensor([[0, 5], [-1, 7]]), _t(2, 2)), (A, torch.tensor([1, 1]), _t(2), True)],
    "fill_diagonal_": [(_t(4, 3), 2.0), (_t(7, 2), 1, True), (_t(3, 3, 3), 5)],
    "take_along_dim": [(A, _i(3, 2, 1, 4), 1), (A, _i(24, 5))],
    "argwhere": [(_i(2, 3, 4),)],
    "index_fill.int_Scalar": [(A, 1, torch.tensor([0, 2]), 5.0), (A, -1, torch.tensor([0]), 1)],
    "index_fill.int_Tensor": [(A, 1, torch.tensor([0, 2]), torch.tensor(5.0))],
    "masked_scatter": [(A, B > 0, _t(30)), (A, B[0] > 0, _t(5, 6))],
    "im2col": [(C, [2, 3], [1, 1], [1, 0], [2, 1]), (C, [2, 2], [2, 1], [0, 0], [1, 1])],
    "col2im": [
        (_t(2, 18, 12), [3, 5], [2, 3], [1, 1], [1, 0], [1, 1]),
        (_t(8, 4), [5, 4], [2, 2], [2, 1], [0, 0], [2, 2]),
        (_t(1, 12, 6), [4, 6], [2, 2], [1, 1], [0, 0], [2, 2]),
    ],
    "repeat_interleave.Tensor": [(torch.tensor([2, 0, 3, 1]),), (torch.tensor([0, 0]),), (torch.tensor([1, 2]).int(), 3)],
    "repeat_interleave.self_Tensor": [
        (A, torch.tensor([2, 0, 1]), 1),
        (A, torch.tensor([1, 2, 0, 3]), -1, 6),
        (A, torch.tensor(2)),
        (A, torch.tensor([3]), 0),
        (V, torch.arange(len(V))),
    ],
    "isin.Tensor_Tensor": [(_i(9, 3, 4), _i(9, 2, 2)), (_i(9, 5), _i(9, 3), False, True), (_i(9, 5), _i(9, 0))],
    "isin.Tensor_Scalar": [(_i(9, 3, 4), 4), (A, 0.5, False, True)],
    "fake_quantize_per_tensor_affine": [(A, 0.1, 3, -128, 127), (A, 0.5, 0, 0, 2)],
    "fake_quantize_per_tensor_affine.tensor_qparams": [(A, torch.tensor(0.1), torch.tensor(3, dtype=torch.int32), -8, 7)],
    "fake_quantize_per_channel_affine": [(A, torch.tensor([0.1, 0.2, 0.5]), torch.tensor([0, 1, -2], dtype=torch.int32), 1, -8, 7)],
    "heaviside": [(_i(3, 2, 4) - 1, _i(5, 4)), (torch.tensor([-1.0, 0.0, -0.0, float("nan"), 2.0]), torch.tensor(0.5))],
    **{f"{w}_window": [(n,) for n in (8, 1, 0, 5)] + [(6, torch.float64)] for w in ("hann", "hamming", "blackman", "bartlett")},
    **{f"{w}_window.periodic": [(n, p) for n in (7, 1) for p in (False, True)] for w in ("hann", "hamming", "blackman", "bartlett")},
    "hamming_window.periodic_alpha": [(6, False, 0.6)],
    "hamming_window.periodic_alpha_beta": [(6, True, 0.6, 0.3)],
    "cpu": [(A,)],
    "_nested_tensor_from_mask_left_aligned": [
        (_t(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])),
        (_t(2, 3, 4), torch.tensor([[True, True, False], [True, False, True]])),
    ],
    "searchsorted.Tensor": [
        (_t(5).sort()[0], _t(2, 3)),
        (_t(2, 5).sort()[0], _t(2, 3), True, True),
        (torch.tensor([1, 3, 3, 5]), torch.tensor([3, 0, 9]), False, False, "right"),
        (torch.tensor([3, 1, 5]), torch.tensor([3, 0, 9]), False, False, "left", torch.tensor([1, 0, 2])),
    ],
    "searchsorted.Scalar": [(torch.tensor([1, 3, 3, 5]), 3), (torch.tensor([1, 3, 3, 5]), 3, True, True)],
    "bucketize.Tensor": [(A, torch.tensor([-0.5, 0.0, 1.0])), (_i(6, 2, 3), torch.tensor([1, 3, 5]), True, True)],
    "bucketize.Scalar": [(3, torch.tensor([1, 3, 5])), (3.5, torch.tensor([1.0, 3.0, 5.0]), True)],
    "_unique2": [(_i(4, 3, 3), True, True, True), (A > 0, True, True, True), (_i(4, 6),), (torch.zeros(0), True, True, True)],
    "unique_consecutive": [(_i(2, 3, 3), True, True), (_i(2, 6),)]
    + [(torch.tensor([[1, 1, 2], [1, 1, 2], [3, 3, 4], [1, 1, 2]]), True, True, d) for d in (0, 1, -1)]
    + [(torch.tensor([1, 1, 2]), False, False, d) for d in (0, -1)] + [(torch.ones(2, 2), False, False, 1)],
    "unique_dim": [(_i(2, 6, 2), 0, True, True, True), (_i(2, 2, 9), -1), (_i(2, 3, 9, 2), 1), (_i(2, 2, 2, 9), 2), (A, 0), (_t(0, 3), 0), (torch.ones(3), 0)],
    "unique_dim_consecutive": [(torch.tensor([[1, 2, 2], [3, 4, 4]]), 1, True, True), (torch.tensor([1, 1, 0, 1]), 0)],
    "bincount": [(_i(5, 9),), (_i(5, 9), _t(9), 9), (_i(5, 9).to(torch.uint8), _i(9, 9)), (torch.zeros(0, dtype=torch.int64), None, 3)],
    "histc": [
        *((V,), (_t(50), 7, -1, 1.5), (_t(3, 50).double(), 9, -0.5, 0.5), (torch.ones(4), 5), (torch.zeros(0), 4)),
        (torch.tensor([1.0, math.nan, INF, 2.0, 0.0]), 4, 0, 2),
    ],
    "quantile": [(A, torch.tensor([0.1, 0.5, 1.0]), 1, True), (A, torch.tensor([0.25, 0.9])), (A, torch.tensor(0.3), -1)],
    "quantile.scalar": [(A, 0.3), (A, 0.7, 1), (A, 0.4, -1, True, "lower"), (V, 0.5, 0, False, "midpoint")],
    "divmod.int": [(7, 3), (-7, 3), (7, -3)],
    "divmod.float": [(7.5, 2.0), (-7.5, 2.0)],
    "divmod.int_float": [(7, -2.5)],
    "divmod.float_int": [(-7.5, 2)],
    "gcd.int": [(12, 18), (-12, 18), (0, 5), (0, 0), (7, 3)],
    "factorial.int": [(0,), (1,), (5,), (20,)],
    "frexp": [(2.5,), (-0.1,), (0.0,), (1.0,), (1e300,), (5e-324,)],
    "modf": [(2.5,), (-2.5,), (3.0,), (1e300,), (-0.25,)],
    "gamma.float": [(5.0,), (0.5,), (4.7,), (-1.5,), (100.3,), (1e-3,), (171.0,), (-40.5,)],
    "gamma.int": [(5,), (20,)],
    "lgamma.float": [(5.0,), (0.5,), (1.0,), (2.0,), (4.7,), (-1.5,), (1e6,), (1e-3,)],
    "lgamma.int": [(7,)],
    "diff": [(A,), (A, 2, 1), (A, 1, -1, B, None), (A > 0,)],
    "msort": [(A,)],
    "_is_all_true": [(A > 0,), (A > -100,)],
    "_is_any_true": [(A > 0,), (A > 100,)],
    "_stack": [([A, B], 1), ([A], 0)],
    "_unsafe_view": [(A, [-1])],
    "_prelu_kernel": [(A, B)],
    "_trilinear": [(_t(2, 3), _t(3, 4, seed=1), _t(2, 4, seed=2), [2], [0], [1], s, 1) for s in ([], [1], [0, 2])],
    "_unsafe_index.Tensor": [(A, [torch.tensor([1, 0])]), (A, [None, torch.tensor([1, 0, 2])])],
    "_unsafe_index.Tensor_hacked_twin": [(A, [torch.tensor([1, 0])])],
    "_fused_rms_norm": [(_t(4, 5), [5], _t(5, seed=1), None), (_t(4, 5), [4, 5], None, 0.1)],
    "affine_grid_generator": [(_t(2, 2, 3), [2, 1, 4, 5], False), (_t(2, 2, 3), [2, 1, 4, 5], True)],
    "grid_sampler_2d": [(IMAGE, GRID * 2, 0, p, a) for p in (0, 1, 2) for a in (True, False)] + [(IMAGE, GRID * 2, 2, p, a) for p in (0, 1, 2) for a in (True, False)] + [(IMAGE, GRID, 1, 0, False)],
    "grid_sampler": [(IMAGE, GRID, 0, 0, False)],
    "_native_multi_head_attention": [(*[_t(2, 5, 8)] * 3, 8, 2, *ATTENTION, m, True, a, t) for m, t in MASKS for a in (True, False)],
    "_transformer_encoder_layer_fwd": [
        (_t(2, 5, 8), 8, 2, *ATTENTION, g, n, 1e-5, *[_t(8, seed=i) for i in range(4)], _t(16, 8), _t(16), _t(8, 16), _t(8), m, t)
        for (m, t), (g, n) in zip(MASKS, [(False, False), (True, True), (False, True)])
    ],
    **LINALG_CALLS,
}  # fmt: skip


ELSEWHERE = {
    "aten/strings.py": "end_to_end/test_run_time_strings.py",
    "aten/lists_of_tensors.py": "conformance/language/test_more_of_pytorchs_rules.py",
    "aten/lists_elementwise.py": "end_to_end/test_operators_on_lists_of_tensors.py",
    "aten/gradients.py": "end_to_end/test_gradients.py",
    "aten/gradients_of_images.py": "end_to_end/test_gradients.py",
    "aten/gradients_of_losses.py": "end_to_end/test_named_gradients.py",
    "aten/internal_operators.py": "end_to_end/test_named_gradients.py",
    "aten/gradients_of_grids.py": "end_to_end/test_named_gradients.py",
    "aten/gradients_of_layers.py": "end_to_end/test_gradients.py",
    "aten/random.py": "end_to_end/test_random_numbers.py",
    "aten/fft.py": "end_to_end/test_fourier_transforms.py",
    "aten/complex_numbers.py": "end_to_end/test_complex_tensors.py",
    "aten/hashes.py": "end_to_end/test_rare_dtypes.py",
    "aten/binomial.py": "end_to_end/test_operator_forms.py",
    "aten/segments.py": "end_to_end/test_operator_forms.py",
    **{
        f"aten/{name}.py": "conformance/test_native_special.py"
        for name in ("special_bessel", "special_error", "special_gamma", "special_incomplete_gamma", "special_polynomials")
    },
    **{
        f"aten/{name}.py": "opinfo/test_opinfo.py"
        for name in (
            "calculus", "copies", "ctc", "float_parts", "fractional_pooling", "histograms", "index_reduction",
            "multilabel_loss", "order_statistics", "ranges", "whole_numbers",
        )
    },
}  # fmt: skip
"""Files whose operators are tried on samples of their own, and by which test."""

BY_OPINFO = set(
    """_batch_norm_with_update _cdist_forward _chunk_cat _native_batch_norm_legit _pdist_forward _safe_softmax
    _log_softmax_backward_data _softmax_backward_data atleast_1d.Sequence atleast_2d.Sequence atleast_3d.Sequence combinations
    corrcoef cov diagflat dsplit.array dsplit.int grid_sampler_3d narrow.Tensor pdist renorm sum_to_size
    tensor_split.tensor_indices_or_sections""".split()
)
"""Single operators that PyTorch's own samples try, or other tests of programs."""

BY_FORMS = set(
    """_lu_with_info _unsafe_masked_index _unsafe_masked_index_put_accumulate conv_tbc isin.Scalar_Tensor kaiser_window kaiser_window.beta kaiser_window.periodic norm_except_dim slow_conv3d slow_conv_dilated2d
    slow_conv_dilated3d slow_conv_transpose2d slow_conv_transpose3d special_log_softmax special_softmax thnn_conv2d""".split()
)
"""Of end_to_end/test_operator_forms.py."""


def test_every_composite_has_samples() -> None:
    functions = prelude.functions("aten")
    found = {o.removeprefix("aten::"): functions[prelude.function_name(o)].file for o in prelude.composites()}
    assert set(CALLS) <= set(found)
    left = {name for name, file in found.items() if name not in CALLS and file not in ELSEWHERE}
    assert left <= BY_OPINFO | BY_FORMS, left - BY_OPINFO - BY_FORMS
    assert all((Path(__file__).parent.parent / test).exists() for test in ELSEWHERE.values())


def _copies(arguments: tuple[Any, ...]) -> list[Any]:
    return [a.clone() if isinstance(a, torch.Tensor) else a for a in arguments]


def _assert_same(actual: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        low = expected.dtype in (torch.bfloat16, torch.float16)
        tolerance = {"rtol": 2e-2, "atol": 1e-2} if low else {"rtol": 2e-5, "atol": 2e-6}
        torch.testing.assert_close(actual, expected, equal_nan=True, check_stride=False, **tolerance)
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            _assert_same(a, e)
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, rel=2e-13, abs=1e-15)
    else:
        assert actual == expected


@pytest.mark.parametrize("name", list(CALLS))
def test_composite_agrees_with_pytorch(compiled: Any, name: str) -> None:
    function = getattr(compiled, prelude.function_name(f"aten::{name}"))
    base, _, overload = name.partition(".")
    operator = getattr(getattr(torch.ops.aten, base), overload or "default")
    schema = _schema(f"aten::{name}")
    for arguments in CALLS[name]:
        given = [*arguments, *(a.default_value for a in schema.arguments[len(arguments) :])]
        ours, theirs = _copies(tuple(given)), _copies(tuple(given))
        keywords = {a.name: v for a, v in zip(schema.arguments, theirs, strict=True) if a.kwarg_only}
        positional = [v for a, v in zip(schema.arguments, theirs, strict=True) if not a.kwarg_only]
        expected = operator(*positional, **keywords)
        _assert_same(function(*ours), expected)
        _assert_same(ours, theirs)  # running statistics are written alike


# the same calls through our own compiler


def _written(value: Any, tensors: list[Any]) -> str:
    """An argument as source text; tensors become parameters `t0`, `t1`, ..."""
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return f"t{len(tensors) - 1}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_written(v, tensors) for v in value)}]"
    return f"float('{value}')" if isinstance(value, float) and abs(value) == float("inf") else repr(value)


def _array(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    return value.float().numpy().astype(ml_dtypes.bfloat16) if value.dtype is torch.bfloat16 else value.numpy().copy()


def _leaves(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _leaves(v)] if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("name", list(CALLS))
def test_composite_compiles_to_native_code(name: str) -> None:
    schema = _schema(f"aten::{name}")
    arguments = CALLS[name][0]
    given = [*arguments, *(a.default_value for a in schema.arguments[len(arguments) :])]
    tensors: list[Any] = []
    written = [(a, _written(v, tensors)) for a, v in zip(schema.arguments, given, strict=True)]
    call = ", ".join(f"{a.name}={text}" if a.kwarg_only else text for a, text in written)
    parameters = ", ".join(f"t{i}" for i in range(len(tensors)))
    text = f"import torch\n\ndef f({parameters}):\n    return torch.ops.aten.{name}({call})\n"
    base, _, overload = name.partition(".")
    operator = getattr(getattr(torch.ops.aten, base), overload or "default")
    ours = compile_source(text).f(*map(_array, tensors))
    theirs = _copies(tuple(given))
    keywords = {a.name: v for a, v in zip(schema.arguments, theirs, strict=True) if a.kwarg_only}
    expected = operator(*(v for a, v in zip(schema.arguments, theirs, strict=True) if not a.kwarg_only), **keywords)
    for value, wanted in zip(_leaves(ours), map(_array, _leaves(expected)), strict=True):
        found = np.asarray(value)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        tolerance = 2e-2 if wanted.dtype.itemsize == 2 else 5e-5
        wide = complex if wanted.dtype.kind == "c" else float
        np.testing.assert_allclose(found.astype(wide), wanted.astype(wide), rtol=tolerance, atol=tolerance / 5)
