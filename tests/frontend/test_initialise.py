"""The random stream is PyTorch's."""

import numpy as np
import pytest

from torchcc.frontend import initialise
from torchcc.frontend.initialise import Generator

torch = pytest.importorskip("torch", reason="the stream is compared with PyTorch's")


@pytest.mark.parametrize("seed", [0, 7, 12345678901])
@pytest.mark.parametrize("count", [1, 5, 15, 16, 17, 100, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_and_normal(seed, count, dtype):
    torch.manual_seed(seed)
    generator = Generator(seed)
    for _ in range(2):  # the stream goes on in the right place, a spare normal number included
        expected = torch.empty(count, dtype=getattr(torch, dtype)).uniform_(-0.3, 0.7).numpy()
        assert np.array_equal(initialise.uniform_(np.empty(count, dtype), generator, -0.3, 0.7), expected)
        expected = torch.empty(count, dtype=getattr(torch, dtype)).normal_(0.5, 2).numpy()
        np.testing.assert_allclose(
            initialise.normal_(np.empty(count, dtype), generator, 0.5, 2), expected, rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("xavier_uniform_", {"gain": 2.0}),
        ("xavier_normal_", {}),
        ("kaiming_uniform_", {"a": 5**0.5}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("orthogonal_", {"gain": 1.5}),
        ("trunc_normal_", {"std": 0.02}),
        ("trunc_normal_", {"std": 1.0}),
        ("trunc_normal_", {"std": 1.0, "a": 2.0, "b": 3.0}),
        ("sparse_", {"sparsity": 0.3}),
    ],
)
@pytest.mark.parametrize("shape", [(3, 4), (20, 33), (40, 8)])
def test_init_functions(name, keywords, shape):
    torch.manual_seed(3)
    generator = Generator(3)
    expected = getattr(torch.nn.init, name)(torch.empty(shape), **keywords).numpy()
    found = initialise.RANDOM[name](np.empty(shape, np.float32), generator, **keywords)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert torch.rand(1).item() == generator.uniform(1, np.dtype(np.float32))[0]


def test_fixed_functions():
    expected = torch.nn.init.dirac_(torch.empty(4, 2, 3, 3), 2).numpy()
    assert np.array_equal(initialise.dirac_(np.empty((4, 2, 3, 3), np.float32), 2), expected)
    assert np.array_equal(initialise.eye_(np.empty((2, 3))), np.eye(2, 3))


@pytest.mark.parametrize("high", [10, 2**27, 2**28, 2**32, 2**40])
def test_integers(high):
    torch.manual_seed(1)
    assert torch.randint(0, high, (20,)).tolist() == initialise.integers(20, 0, high, Generator(1)).tolist()


@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_permutation(count):
    torch.manual_seed(1)
    assert torch.randperm(count).tolist() == initialise.permutation(count, Generator(1)).tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_in_range(dtype):
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    values = initialise.uniform_(np.empty(1000, kind), Generator(0), -1, 1).astype(np.float32)
    assert values.min() >= -1 and values.max() <= 1 and values.std() > 0.5
    assert np.isfinite(initialise.normal_(np.empty(1000, kind), Generator(0)).astype(np.float32)).all()
