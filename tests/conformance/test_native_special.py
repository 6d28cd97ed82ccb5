"""Special functions at their poles, zeros, signs and limits, and between: what PyTorch gives."""

import pytest

from torchcc.api import compile_source

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.5, 3.25, 7.75, 8.0, 8.5, 12.0, -7.3, 30.0, 1e-7, -1e-7, 1e6]
LIMITS = [float("inf"), float("-inf"), float("nan")]
UNARY = [
    "lgamma", "digamma", "erfinv", "i0", "special.i0e", "special.i1", "special.i1e", "special.erfcx", "special.ndtr", "special.log_ndtr",
    "special.ndtri", "special.entr", "special.bessel_j0", "special.bessel_j1", "special.bessel_y0", "special.bessel_y1",
    "special.modified_bessel_i0", "special.modified_bessel_k0", "special.modified_bessel_k1", "special.scaled_modified_bessel_k0",
    "special.scaled_modified_bessel_k1", "special.spherical_bessel_j0", "special.airy_ai",
]  # fmt: skip
ALSO_HALVES = ("lgamma", "digamma", "erfinv", "i0", "special.i1e", "special.erfcx", "special.entr")


def tensors(dtype):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    values = SPECIAL + LIMITS
    x = torch.tensor(values, dtype=dtype or torch.float32)
    n = torch.tensor([k % 12 - 1 for k in range(len(values))])
    return {"x": x, "n": n.to(x.dtype), "a": torch.linspace(0.1, 300, len(values), dtype=x.dtype), "b": x.flip(0)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_one_argument(check, long, dtype):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    if dtype == "float32" and not long:
        pytest.skip("a second dtype: --long")
    cases = [f"torch.{name}(x)" for name in UNARY]
    check(tensors(getattr(torch, dtype)), cases)


def test_of_integers_and_halves(check):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    inputs = {"i": torch.tensor([0, 1, 2, 5]), "h": torch.tensor([0.25, 1.5, -0.5]).bfloat16(), "g": torch.tensor([0.25, 1.5, -0.5]).half()}
    cases = [f"torch.{name}({x})" for name in ALSO_HALVES for x in "ihg"]
    check(inputs, cases)


def test_of_two_arguments(check):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    cases = ["torch.special.xlog1py(x.abs(), b.abs())", "torch.special.zeta(x.abs(), b)", "torch.special.zeta(a, x)"]
    cases += ["torch.special.zeta(2.5, x)", "torch.special.zeta(x, 2)", "torch.special.xlog1py(x, 2.0)", "torch.special.xlog1py(0, x)"]
    cases += [f"torch.polygamma({n}, x)" for n in range(4)] + ["torch.mvlgamma(x.abs() + 2, 3)", "torch.nextafter(x, b)"]
    check(tensors(torch.float64), cases)


def test_incomplete_gamma_functions(check):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    inputs = tensors(torch.float64)
    a, x = inputs["x"].abs(), inputs["b"].abs()
    inputs = {"a": torch.cat([a, inputs["a"], inputs["a"]]), "x": torch.cat([x, inputs["a"] * 1.02, inputs["a"] * 0.99])}
    check(inputs, ["torch.igamma(a, x)", "torch.igammac(a, x)"])


@pytest.mark.parametrize("kind", ["chebyshev_polynomial_u", "hermite_polynomial_h"])
def test_polynomials(check, kind):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    check(tensors(torch.float64), [f"torch.special.{kind}(x, n)", f"torch.special.{kind}(0.25, n)", f"torch.special.{kind}(x, 3)"])


def test_more_polynomials(check):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    kinds = [
        "chebyshev_polynomial_t", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "hermite_polynomial_he", "laguerre_polynomial_l",
        "legendre_polynomial_p",
    ]  # fmt: skip
    kinds += [f"shifted_chebyshev_polynomial_{k}" for k in "tuvw"]
    check(tensors(torch.float64), [f"torch.special.{kind}(x, n)" for kind in kinds])


def test_polynomials_that_cancel():
    """What is left of a difference is the rounding of its terms: PyTorch's, to the bit."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    generator = torch.Generator().manual_seed(3)
    x, n = torch.rand(400, generator=generator) * 18 - 9, torch.randint(0, 10, (400,), generator=generator)
    kinds = ["hermite_polynomial_he", "laguerre_polynomial_l"]
    text = "import torch\nfrom torch import Tensor\n" + "".join(
        f"def {k}(x: Tensor, n: Tensor):\n    return torch.special.{k}(x, n)\n" for k in kinds
    )
    for kind in kinds:
        assert torch.equal(getattr(compile_source(text), kind)(x, n), getattr(torch.special, kind)(x, n))


def test_parts_of_floats(check):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x = torch.tensor([*SPECIAL, *LIMITS, 1e-310, 5e-324, 1.7e308, 0.1], dtype=torch.float64)
    check({"x": x, "k": torch.tensor([3, -2, 0, 7])}, ["torch.frexp(x)", "torch.frexp(x.float())", "torch.ldexp(x[:4], k)"])
