"""uint16, uint32, uint64 and complex32: made, moved, converted, and computed with as far as PyTorch does."""

import pytest

pytest.importorskip("torch", reason="says what is right")

import torch

from torchcc import CompileError, compile_source

HEAD = "import torch\nfrom torch import Tensor\n"

UNSIGNED = """
def f(a: Tensor, b: Tensor):
    i = torch.tensor([2, 0])
    return (a * b, a / b, a == b, a & b, a | b, a ^ b, a.sum(), a.float(), a.sqrt(), torch.where(a == b, a, b), torch.cat([a, b]), a + 1.5,
        a.prod(), a.to(torch.int32), a.double(), a.to(torch.uint8), b.to(torch.uint64), a.sort()[0], a[i], a[1:], a.clone(), torch.stack([a, b]),
        a.roll(1), a * 3, a.reshape(3, 1).expand(3, 2), torch.full_like(a, 7), torch.zeros_like(a), a.any(), a.isnan(), a.any() & b.all(),
        torch.zeros(3, dtype=torch.uint16), torch.full((2,), 7, dtype=torch.uint32), torch.ones(2, dtype=torch.uint64),
        torch.tensor([1, 2], dtype=torch.uint32), a.element_size(), a.dtype == torch.uint64, torch.result_type(a, 1.5) == torch.float32)

def casts(x: Tensor):
    return x.to(torch.uint16), x.to(torch.uint32), x.to(torch.uint64)
"""

HALVES = """
def f(a: Tensor, b: Tensor, r: Tensor):
    return (a + b, a - b, a * b, -a, a * 2.0, a.real, a.imag, a.abs(), a == b, torch.cat([a, b]), a.to(torch.complex64), a.cdouble(), a.half(),
        torch.view_as_real(a), torch.view_as_complex(torch.view_as_real(a)), torch.complex(r, r), r + 1j, a.conj(), a[1:], a.roll(1), a.bool(),
        torch.full((2,), 1j, dtype=torch.chalf), torch.zeros(2, dtype=torch.complex32), torch.tensor([1j, 2.0], dtype=torch.complex32),
        torch.where(a == b, a, b), a.masked_fill(a == b, 1j), a.unsqueeze(0).expand(2, -1), r.chalf(), a.isfinite(), torch.block_diag(a, b),
        torch.triu(a.view(1, 3)), a.index_add(0, torch.tensor([0]), b[:1]), torch.ones_like(a), a.repeat(2), a.norm(), a.nonzero())
"""


def _agree(found, expected):
    for i, (f, e) in enumerate(zip(found, expected, strict=True)):
        if not isinstance(e, torch.Tensor):
            assert f == e, i
            continue
        wide = torch.complex128 if e.dtype.is_complex else torch.int64 if e.dtype is torch.uint64 else torch.float64
        assert f.dtype == e.dtype and f.shape == e.shape, i
        assert torch.allclose(f.to(wide), e.resolve_conj().to(wide), rtol=2e-3 if e.dtype.is_complex else 1e-6), (i, f, e)


@pytest.fixture(scope="module")
def unsigned():
    return compile_source(HEAD + UNSIGNED)


def _eager(text, name, *arguments):
    names = {"torch": torch, "Tensor": torch.Tensor}
    exec(text, names)
    return names[name](*arguments)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64], ids=str)
def test_unsigned(unsigned, dtype):
    high = {2: 2**16 - 1, 4: 2**32 - 1, 8: 2**63 + 4096}[dtype.itemsize]
    a, b = torch.tensor([1, high, 3], dtype=dtype), torch.tensor([1, 2, high - 1], dtype=dtype)
    _agree(unsigned.f(a, b), _eager(UNSIGNED, "f", a, b))


@pytest.mark.parametrize(
    "values",
    [torch.tensor([1.5, 65535.0, 3e9, 7.7]), torch.tensor([1.5, 3e9, 1e19, 2.0**63], dtype=torch.float64), torch.tensor([-1, 5, 2**40])],
    ids=["f32", "f64", "i64"],
)
def test_conversion_to_unsigned(unsigned, values):
    _agree(unsigned.casts(values), _eager(UNSIGNED, "casts", values))


def test_unsigned_promote_with_floats_only(unsigned):
    library = compile_source(HEAD + "def f(a: Tensor, b: Tensor): return a * b\n")
    a = torch.tensor([3, 4], dtype=torch.uint16)
    assert library.f(a, torch.tensor([1.5, 2.0])).tolist() == [4.5, 8.0]
    with pytest.raises(CompileError, match="Promotion for uint16, uint32, uint64 types is not supported, attempted to promote UInt16 and Int"):
        library.f(a, torch.tensor([1, 2], dtype=torch.int32))


def test_complex_numbers_of_half_precision():
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(3, dtype=torch.complex64, generator=generator).to(torch.complex32) for _ in range(2))
    r = torch.randn(3, generator=generator).half()
    _agree(compile_source(HEAD + HALVES).f(a, b, r), _eager(HALVES, "f", a, b, r))


HASHES = """
def f(x: Tensor, y: Tensor, z: Tensor):
    return (torch.hash_tensor(x), torch.hash_tensor(x, 1), torch.hash_tensor(x, 0, keepdim=True), torch.hash_tensor(y), torch.hash_tensor(z),
        torch.hash_tensor(x, [-1], keepdim=True), torch.hash_tensor(y > 0, 0), torch.hash_tensor(x.half()), torch.hash_tensor(x.bfloat16(), 1))
"""


def test_hashes():
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(5, 7, generator=generator), torch.randint(-5, 5, (3, 4), dtype=torch.int8, generator=generator)
    arguments = (x, y, torch.tensor(3.5))
    for f, e in zip(compile_source(HEAD + HASHES).f(*arguments), _eager(HASHES, "f", *arguments), strict=True):
        assert f.dtype is torch.uint64 and f.shape == e.shape and f.tolist() == e.tolist()


DECOMPOSED = """
def f(x: Tensor, y: Tensor, w: Tensor, i: Tensor):
    return (torch.ops.aten._is_all_true(x > -10), torch.ops.aten._is_any_true(x > 10), torch.ops.aten._stack([x, y], 1),
        torch.ops.aten._unsafe_view(x, [6, 2]), torch.ops.aten._prelu_kernel(x, w),
        torch.ops.aten._trilinear(x, y, y, [0], [0], [0], [1, 2], 1), torch.ops.aten._unsafe_index.Tensor(x, [i, None]),
        torch.ops.aten._fused_rms_norm(x, [4], w, None)[0], torch.ops.aten._fused_rms_norm(x, [4], None, 1e-3)[1])
"""


def test_operators_of_decompositions():
    generator = torch.Generator().manual_seed(3)
    x, y, w = (torch.randn(*shape, generator=generator) for shape in ((3, 4), (3, 4), (4,)))
    arguments = (x, y, w, torch.tensor([2, 0]))
    for f, e in zip(compile_source(HEAD + DECOMPOSED).f(*arguments), _eager(DECOMPOSED, "f", *arguments), strict=True):
        assert f.dtype == e.dtype and torch.allclose(f.double(), e.double(), atol=1e-6)
