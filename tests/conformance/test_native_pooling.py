"""Pooling with indices, unpooling, bags of embeddings, powers by run-time numbers: natively, against PyTorch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="compares with PyTorch")


def seeded(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


PLANES = [
    "F.max_pool2d(x, 2, return_indices=True)",
    "F.max_pool2d(x, 3, 2, 1, 1, True, True)",
    "F.max_pool2d(x, (3, 2), return_indices=False)",
    "F.max_pool1d(x[0], 3, 2, return_indices=True)",
    "F.max_pool3d(x.unsqueeze(0), 2, return_indices=True)",
    "F.adaptive_max_pool2d(x, (3, 2), return_indices=True)",
    "F.adaptive_max_pool1d(x[0], 3, True)",
    "F.max_pool2d_with_indices(x, 2)",
    "y, i = F.max_pool2d(x, 2, return_indices=True); F.max_unpool2d(y, i, [2, 2])",
    "y, i = F.max_pool2d(x, (2, 3), return_indices=True); F.max_unpool2d(y, i, [2, 3], output_size=x.shape)",
    "y, i = F.max_pool1d(x[0], 2, return_indices=True); F.max_unpool1d(y, i, [2], output_size=[7])",
    "y, i = F.max_pool3d(x, 2, 1, return_indices=True); F.max_unpool3d(y, i, [2, 2, 2], [1, 1, 1])",
]


def test_pooling_with_indices(check):
    check({"x": seeded(2, 3, 6, 7)}, PLANES)


def test_pooling_with_indices_of_open_extents(check):
    check({"x": seeded(2, 3, 6, 7)}, PLANES[:4] + PLANES[8:10], dynamic=(2, 6))


BAGS = [
    f"F.embedding_bag(words, w, offsets, mode='{mode}'{more})"
    for mode in ("sum", "mean", "max")
    for more in ("", ", padding_idx=4", ", padding_idx=-2", ", include_last_offset=True")
]
WEIGHTED = ["F.embedding_bag(words, w, offsets, mode='sum', per_sample_weights=p)"]
ROWS = [f"F.embedding_bag(words.view(2, 3), w, mode='{mode}')" for mode in ("sum", "mean", "max")]


@pytest.mark.parametrize("dynamic", [(), (6, 4)])
def test_bags(check, dynamic):
    inputs = {
        "words": torch.tensor([1, 2, 0, 4, 4, 3]),
        "offsets": torch.tensor([0, 2, 2, 6]),
        "w": seeded(5, 3),
        "p": torch.rand(6),
    }
    check(inputs, BAGS + WEIGHTED + ([] if dynamic else ROWS), dynamic=dynamic)


def test_bags_that_are_refused(check):
    inputs = {"words": torch.tensor([1, 2, 0, 4]), "w": seeded(5, 3)}
    given = ["torch.tensor([1, 2])", "torch.tensor([0, 5])", "torch.tensor([[0, 2]])"]
    check(inputs, [f"F.embedding_bag(words, w, {offsets})" for offsets in given])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", [0.5, -0.5, 2.0, 0.3, -1.0])
def test_powers_by_a_number_that_comes_at_run_time(check, dtype, exponent):
    values = [-float("inf"), float("inf"), -0.0, 0.0, 4.0, -4.0, float("nan"), 2.5]
    check({"x": torch.tensor(values, dtype=dtype), "s": exponent}, ["x ** s", "1 / x ** s", "torch.float_power(x, s)"])


def test_roots_of_minus_infinity_have_pytorchs_sign():
    import torchcc

    f = torchcc.compile_source("def f(x, s: float):\n    return x ** s\n").f
    np.testing.assert_array_equal(f(np.array([-np.inf, -0.0], np.float32), 0.5), [np.nan, -0.0])
    assert np.signbit(f(np.array([-0.0], np.float32), 0.5)).all()
