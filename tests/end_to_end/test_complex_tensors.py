"""Complex tensors as machine code against PyTorch: arithmetic, functions, products, views and writes through them, numbers."""

import numpy as np
import pytest

from torchcc import Dim, DType, TensorSpec
from torchcc.api import compile_source
from torchcc.ir.diagnostics import CompileError

torch = pytest.importorskip("torch", reason="compares with PyTorch")

PRELUDE = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\nfrom typing import List\n"

EXPRESSIONS = {
    "arithmetic": """x + y | x - y * 2 | x * y | x / y | x / 2.5 | x * 2j | x + (1 + 2j) | r * x | r * 2j | i * x | x * w | w / x | -x | 1 - x
torch.add(x, y, alpha=2j) | torch.sub(x, y, alpha=2) | torch.rsub(x, y) | x.addcmul(x, y, value=1j) | x.addcdiv(x, y) | torch.lerp(x, x * 2, 0.3)
x == y | x != x.clone() | torch.isclose(x, x * (1 + 1e-7)) | torch.isclose(x, x * 1.1) | torch.allclose(x, x) | torch.equal(x, y[:3]) | x.logical_not()
x.to(torch.complex128) | x.to(torch.float64) | r.to(torch.complex64) | i.to(torch.complex128) | x.bool() | x.type_as(w) | x.isnan() | x.isinf() | x.isfinite()""",
    "functions": """x.sgn() | r.angle() | x.log10() | x.log1p() | x.expm1() | x.rsqrt() | x.sigmoid() | x.reciprocal() | x.square() | x ** 2 | x ** y
torch.pow(x, -1) | F.silu(x) | torch.sinc(x)""",
    "parts": """x.real | x.imag | torch.view_as_real(x) | torch.view_as_complex(torch.view_as_real(x) * 2) | torch.complex(r, r * 2) | torch.polar(r.abs(), r)
x.conj() | torch.conj_physical(x) | x.conj().resolve_conj() | x.mH | s.adjoint() | torch.isreal(x) | torch.is_complex(x) | torch.real(r) | x.t().real | x[1].imag""",
    "sums": """x.sum() | x.sum(0) | x.prod(1) | x.mean() | x.mean(1) | x.var() | x.std(1) | x.norm() | torch.linalg.vector_norm(x, 1.0, 1) | x.norm(p=float("inf"))
x.cumsum(0) | x.cumprod(1) | x.any() | x.all(0) | x.count_nonzero() | torch.dist(x, y) | torch.vdot(y, y) | torch.dot(y, y) | x.trace()""",
    "products": """s @ s | x @ y | torch.bmm(x[None], s[None]) | torch.addmm(x, x, s, beta=2j, alpha=1j) | torch.addmv(x[:, 0], x, y) | torch.addr(s, y, y, beta=1j)
torch.einsum("ij,kj->ik", x, x.conj()) | torch.einsum("ij,jk,kl->il", x, s, s) | F.linear(x, s, y) | torch.kron(x, y) | torch.outer(y, y) | x[None] @ s
F.conv1d(x[None], torch.stack([x, -x])[:, :, :2]) | torch.tensordot(x, s, 1) | torch.linalg.multi_dot([x, s, s])""",
    "shapes": """torch.where(r > 0, x, y) | torch.where(r > 0, x, 2j) | torch.cat([x, x]) | torch.cat([r, x.to(torch.complex128)]) | torch.stack([x, y.expand(3, 5)]) | x[:, 1:3]
x[i.abs() % 3] | x.index_select(0, i[0].abs() % 3) | x.gather(1, i.abs()) | x.scatter(1, i.abs(), x) | F.pad(x, (1, 2), value=1.5) | x.flip(0) | x.roll(1, 1)
x.masked_fill(r > 0, 1j) | x.tril() | x.triu(1) | torch.diag(y) | x.masked_select(r > 0) | torch.block_diag(x, r.to(torch.float64)) | x.unfold(1, 2, 1) | x.nonzero()
x.scatter_add(1, i.abs(), x) | x.index_add(0, i[0, :3].abs() % 3, x) | x.repeat(2, 1) | torch.zeros_like(x) | torch.full_like(x, 2j) | x.new_full([2], 1j)
torch.full([2, 2], 1 + 2j) | torch.eye(3, dtype=torch.complex64) + x[:, :3] | torch.linspace(0j, 1 + 1j, 5) + y | torch.tensor([1j, 2.0]) + x[0, 0]""",
}

PROGRAMS = {
    "through_parts": "x.real.mul_(2)\nx.imag[0] = r[0]\nreturn x",
    "through_view_as_real": "torch.view_as_real(x)[..., 0] = 7.0\nreturn x, x.real",
    "through_view_as_complex": "v = torch.view_as_real(x).clone()\ntorch.view_as_complex(v).mul_(2j)\nreturn v",
    "through_conj": "c = x.conj()\nc[0] = 1 + 2j\nreturn x, c",
    "part_of_itself": "x.real.copy_(x.imag.clone())\nreturn x",
    "strides": "return torch.view_as_real(x.t())[1:, 0].reshape(-1), x.real.t().contiguous().view(-1)",
    "in_place": "x += y\nx *= 2j\nx[1] /= y\nx.sub_(1)\nx.conj_physical_()\nx.exp_()\nreturn x",
    "masks": "x[r > 0] = 1j\nx.masked_fill_(r < -1, 2.0)\nx[0, 1] = 3 + 1j\nx.fill_diagonal_(1j)\nreturn x",
    "loop": "s = torch.zeros(5, dtype=torch.complex64)\nfor j in range(x.size(0)):\n    s = s + x[j] * j\nreturn s",
    "while_number": "s = x.sum()\nk = 0\nwhile s.abs() < 100.0:\n    s = s * (1.1 + 0.1j)\n    k += 1\nreturn s, k",
    "lists": "out: List[Tensor] = []\nfor j in range(x.size(0)):\n    if x[j].real.sum() > 0:\n        out.append(x[j])\n    else:\n        out.append(x[j].conj())\nreturn torch.stack(out)",
    "numbers": "z = x[0, 0].item()\nreturn x * complex(y[0]), torch.full([2], complex(y[1])), torch.tensor([x[0, 1].item(), 2.0])",
}


def inputs():
    generator = torch.Generator().manual_seed(3)
    numbers = {
        "x": torch.randn(3, 5, dtype=torch.complex64, generator=generator),
        "y": torch.randn(5, dtype=torch.complex64, generator=generator),
        "s": torch.randn(5, 5, dtype=torch.complex64, generator=generator),
        "w": torch.randn(3, 5, dtype=torch.complex128, generator=generator),
        "r": torch.randn(3, 5, generator=generator),
        "i": torch.randint(-3, 3, (3, 5), generator=generator),
    }
    return list(numbers.values())


def source_of(name, body):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"{PRELUDE}def {name}(x: Tensor, y: Tensor, s: Tensor, w: Tensor, r: Tensor, i: Tensor):\n{lines}\n"


def flat(value):
    return [leaf for v in value for leaf in flat(v)] if isinstance(value, list | tuple) else [value]


def assert_same(source, name, compiled=None):
    scope = {}
    exec(source, scope)
    given, kept = inputs(), inputs()
    expected = flat(scope[name](*kept)) + kept
    run = compiled or getattr(compile_source(source), name)
    got = flat(run(*given)) + given
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        if not isinstance(b, torch.Tensor):
            assert a == b, k
            continue
        a = torch.as_tensor(a)
        assert a.dtype is b.dtype, k
        torch.testing.assert_close(a, b.resolve_conj().resolve_neg(), rtol=3e-6, atol=3e-6, equal_nan=True, msg=lambda m, k=k: f"{k}: {m}")


@pytest.mark.parametrize("family", EXPRESSIONS)
def test_expressions(family):
    listed = ", ".join(e.strip() for e in EXPRESSIONS[family].replace("\n", " | ").split(" | "))
    assert_same(source_of(family, f"return ({listed})"), family)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    assert_same(source_of(name, PROGRAMS[name]), name)


def test_extents_known_at_run_time():
    body = "return x + y, x @ s, x.sum(0), torch.view_as_real(x), x.conj().t() @ x, torch.cat([x, w]), x.abs().max(), torch.exp(x)"
    source = source_of("dynamic", body)
    rows, columns = Dim("rows"), Dim("columns")
    specs = [
        TensorSpec(DType.complex64, (rows, columns)),
        TensorSpec(DType.complex64, (columns,)),
        TensorSpec(DType.complex64, (columns, columns)),
        TensorSpec(DType.complex128, (rows, columns)),
        TensorSpec(DType.float32, (rows, columns)),
        TensorSpec(DType.int64, (rows, columns)),
    ]
    compiled = compile_source(source).dynamic.compile(*specs)
    assert_same(source, "dynamic", compiled)


NUMPY = {
    "abs": np.abs, "angle": np.angle, "log": np.log, "sqrt": np.sqrt, "exp": np.exp, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 30.0, -30.0, 1e-6, float("inf"), -float("inf")]


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_edges_of_functions(dtype):
    """Branch cuts, infinities, large and small parts: as numpy's, which are C's. Where a part is NaN or both are infinite
    libraries differ."""
    names = list(NUMPY) if dtype == "complex64" else ["log", "sqrt", "exp", "tanh", "asin", "acosh", "atan"]
    values = ", ".join(f"z.{n}()" for n in names)
    library = compile_source(f"{PRELUDE}def functions(z: Tensor):\n    return {values}\n")
    kind = np.dtype(dtype)
    parts = np.array(SPECIAL[:9], kind.type(0).real.dtype)
    z = np.empty((9, 9), kind)
    z.real, z.imag = parts[:, None], parts
    with np.errstate(all="ignore"):
        wanted = [NUMPY[name](z) for name in names]
    tolerance = 4e-6 if dtype == "complex64" else 1e-12
    for name, got, expected in zip(names, library.functions(z), wanted, strict=True):
        for part in ("real", "imag"):
            a, b = getattr(np.asarray(got), part), getattr(expected, part)
            close = np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) | ~np.isfinite(expected.real + expected.imag)
            assert close.all(), (name, part, z[~close][0], a[~close][0], b[~close][0])


def test_refusals():
    for body, text in (
        ("return torch.sort(x)", "order"),
        ("return x > y", "not implemented for 'ComplexFloat'"),
        ("return torch.softmax(x, 0)", ""),
        ("return torch.complex(r, r.to(torch.float64))", "Expected object of scalar type Float but got scalar type Double"),
    ):
        with pytest.raises(CompileError) as caught:
            compile_source(source_of("f", body)).f(*inputs())
        assert text in str(caught.value)
