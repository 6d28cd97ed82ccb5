"""Infinities, NaN and zeros in operators on complex numbers, and how 16-bit floats are rounded: what PyTorch gives."""

import math

import pytest

from torchcc.api import compile_source

INF, NAN = math.inf, math.nan
KINDS = ["torch.isnan(z)", "torch.isinf(z)", "torch.isfinite(z)", "torch.nan_to_num(z, 0.5)", "torch.isclose(z, w)", "torch.isclose(z, z, equal_nan=True)"]
ENDS = ["torch.log(z)", "torch.exp(z)", "torch.asin(z)", "torch.acos(z)", "torch.acosh(z)", "torch.tanh(z)", "torch.cosh(z)", "z / w"]
POWERS = ["z ** 2", "z ** 3", "z ** 0.5", "z ** -2", "torch.float_power(z, 2)"]


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch")


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_that_are_not_finite(torch, dtype):
    z = torch.tensor([1 + 2j, complex(INF, 1), complex(0.5, -INF), complex(NAN, 1), complex(0, NAN), complex(INF, INF)], dtype=getattr(torch, dtype))
    w = torch.tensor([1 + 2.5j, complex(INF, 1), 1, complex(NAN, 1), 2j, 1j], dtype=z.dtype)
    cases = [*KINDS, *ENDS]
    found = compile_source(f"import torch\ndef f(z: torch.Tensor, w: torch.Tensor):\n    return ({', '.join(cases)})\n").f(z, w)
    for case, value in zip(cases, found, strict=True):
        expected = eval(case, {"torch": torch, "z": z, "w": w})
        torch.testing.assert_close(value, expected, equal_nan=True, msg=lambda text, case=case: f"{case}: {text}")


def test_powers_of_complex_numbers_are_products(torch):
    z = torch.tensor([-2.5 + 0j, 3j, -1 + 0j, 1.5 - 2j], dtype=torch.complex128)
    found = compile_source(f"import torch\ndef f(z: torch.Tensor):\n    return ({', '.join(POWERS)})\n").f(z)
    for case, value in zip(POWERS, found, strict=True):
        torch.testing.assert_close(value, eval(case, {"torch": torch, "z": z}), rtol=1e-15, atol=0, msg=case)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_quotients_and_products_of_halves_are_rounded_as_in_pytorch(torch, dtype):
    """Whole quotients step by step; an operand without dimensions is not rounded first."""
    generator = torch.Generator().manual_seed(5)
    x, y = ((torch.randn(2000, generator=generator) * k).to(getattr(torch, dtype)) for k in (20, 1))
    cases = [f"torch.div(x, {d}, rounding_mode='{m}')" for d in ("y", "s", "n", "0.3") for m in ("trunc", "floor")]
    cases += ["x // y", "x // s", "x * s", "s * x", "x / s", "x * n", "x / n", "x + s", "torch.copysign(x, w)"]
    values = {"x": x, "y": y, "s": torch.tensor(0.1), "n": torch.tensor(2049), "w": torch.tensor(-0.0, dtype=torch.float64)}
    parameters = ", ".join(f"{name}: torch.Tensor" for name in values)
    found = compile_source(f"import torch\ndef f({parameters}):\n    return ({', '.join(cases)})\n").f(*values.values())
    for case, value in zip(cases, found, strict=True):
        torch.testing.assert_close(value, eval(case, {"torch": torch, **values}), rtol=0, atol=0, equal_nan=True, msg=case)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_large_counts_and_sums_of_halves(check, torch, dtype):
    """Positions and counts that the dtype has no numbers for; sums are rounded once."""
    generator = torch.Generator().manual_seed(3)
    kind = getattr(torch, dtype)
    x = torch.randn(20, 4000, generator=generator).to(kind)
    inputs = {
        "x": x, "z": torch.zeros(20, 4000, dtype=torch.long), "a": torch.randn(1, 2, 70, 60, generator=generator).to(kind),
        "g": (torch.rand(1, 9, 8, 2, generator=generator) * 2.2 - 1.1).to(kind), "b": torch.randn(1, 2, 14, 16, 20, generator=generator).to(kind),
        "h": (torch.rand(1, 4, 5, 6, 3, generator=generator) * 2.2 - 1.1).to(kind),
    }  # fmt: skip
    cases = [
        "torch.nanmean(x)", "torch.scatter_add(x, 1, z, x)", "torch.scatter_reduce(x, 1, z, x, 'mean')", "torch.index_add(x, 0, z[:, 0], x)",
        "torch.grid_sampler_2d(a, g, 0, 0, False)", "torch.grid_sampler_2d(a, g, 1, 1, True)", "torch.grid_sampler_3d(b, h, 0, 0, False)",
        "F.huber_loss(x, x * 0.5, reduction='none', delta=0.7)",
    ]  # fmt: skip
    check(inputs, cases)


def test_limits_of_functions_and_of_searching(check, torch):
    x = torch.tensor([0.0, -0.0, 1.5, 5.0, 1e-7, INF, NAN], dtype=torch.float64)
    inputs = {"x": x, "s": torch.tensor([-INF, 0.0, 1.0, 2.0], dtype=torch.float64), "y": x.flip(0)}
    cases = ["torch.searchsorted(s, x)", "torch.bucketize(x, s, right=False)", "torch.fmax(x, -x)", "torch.fmin(x, y)", "torch.special.zeta(x + 1, y)"]
    check(inputs, [*cases, "1 / torch.special.bessel_j1(-x)", "torch.special.erfcx(torch.tensor([1.7e308], dtype=torch.float64))"])


def test_bessel_functions_in_double_precision(torch):
    x = torch.linspace(0.001, 30, 300, dtype=torch.float64)
    found = compile_source("import torch\ndef f(x: torch.Tensor):\n    return torch.special.bessel_j1(x), torch.special.bessel_y1(x)\n").f(x)
    for value, expected in zip(found, (torch.special.bessel_j1(x), torch.special.bessel_y1(x)), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)
