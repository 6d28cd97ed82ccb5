"""torch.fft, stft and istft as machine code against PyTorch: all kinds of lengths, norms, dimensions; accuracy in float64."""

import numpy as np
import pytest

from torchcc import Dim, DType, TensorSpec
from torchcc.api import compile_source

torch = pytest.importorskip("torch", reason="compares with PyTorch")

LENGTHS = {"complex64": [1, 2, 16, 30], "complex128": [3, 17, 134]}
"""A power of two, products of small primes, primes, and one whose largest prime factor is too large for a matrix."""

PRELUDE = "import torch\nfrom torch import Tensor\n"


def numbers(*shape, dtype=torch.complex64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def both(source, *given):
    scope = {}
    exec(source, scope)
    return compile_source(source).f(*given), scope["f"](*given)


def assert_close(got, expected, tolerance):
    """Relative to the largest element, as transforms err."""
    got = got if isinstance(got, list | tuple) else [got]
    expected = expected if isinstance(expected, list | tuple) else [expected]
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        a = torch.as_tensor(a)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), k
        scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
        torch.testing.assert_close(a, b.resolve_conj(), rtol=0, atol=tolerance * scale, msg=lambda m, k=k: f"{k}: {m}")


@pytest.mark.parametrize("dtype", LENGTHS)
def test_lengths(dtype):
    lengths = LENGTHS[dtype]
    listed = ", ".join(
        f"torch.fft.fft(x, {n}), torch.fft.ifft(x[:, :{n}]), torch.fft.rfft(x.real, {n}), torch.fft.irfft(x, {n})" for n in lengths
    )
    x = numbers(2, 140, dtype=getattr(torch, dtype))
    got, _ = both(f"{PRELUDE}def f(x: Tensor):\n    return ({listed})\n", x)
    wide = x.to(torch.complex128)
    expected = [
        t for n in lengths for t in (torch.fft.fft(wide, n), torch.fft.ifft(wide[:, :n]), torch.fft.rfft(wide.real, n), torch.fft.irfft(wide, n))
    ]
    narrow = [t.to(x.dtype if t.is_complex() else x.real.dtype) for t in expected]
    assert_close(got, narrow, 8e-7 if dtype == "complex64" else 3e-15)


def test_forms():
    body = """return (
        torch.fft.fft(r), torch.fft.ifft(r, norm="ortho"), torch.fft.hfft(z, 7), torch.fft.ihfft(r), torch.fft.fft(z, 4, 0, "forward"),
        torch.fft.rfft(r, 7), torch.fft.irfft(z, norm="forward"), torch.fft.fft2(z, s=(3, 5)), torch.fft.rfft2(r), torch.fft.irfftn(z, s=(4, 6), dim=(0, 1)),
        torch.fft.ihfft2(r), torch.fft.hfftn(z, dim=(0, 1)), torch.fft.fftshift(r), torch.fft.ifftshift(r, dim=1),
        torch.fft.fftfreq(r.size(1), 0.5), torch.fft.rfftfreq(9, 0.1), torch.fft.fft(r[0] > 0))"""
    z, r = numbers(3, 6, 4), numbers(3, 6, 4, dtype=torch.float32)
    got, expected = both(f"{PRELUDE}def f(z: Tensor, r: Tensor):\n    {body}\n", z, r)
    assert_close(got, expected, 1e-6)


def test_short_time_transforms():
    body = """a = torch.stft(x, 16, 4, 16, w, return_complex=True)
    b = torch.stft(x[0], 16, 4, 12, w[:12], return_complex=True)
    c = torch.stft(x, 16, 5, window=w, center=False, normalized=True, onesided=False, return_complex=True)
    d = torch.stft(x, 16, 4, window=w, pad_mode="constant", return_complex=False)
    e = torch.stft(z, 16, 4, window=w, return_complex=True)
    return (a, b, c, d, e, torch.istft(a, 16, 4, window=w), torch.istft(a, 16, 4, window=w, length=110),
            torch.istft(e, 16, 4, window=w, onesided=False, return_complex=True))"""
    x, z, w = numbers(2, 100, dtype=torch.float32), numbers(2, 60), torch.hann_window(16) + 0.01
    got, expected = both(f"{PRELUDE}def f(x: Tensor, z: Tensor, w: Tensor):\n    {body}\n", x, z, w)
    assert_close(got, expected, 2e-6)


def test_lengths_known_at_run_time():
    """One compiled function for all lengths, smooth and not."""
    library = compile_source(f"{PRELUDE}def f(x: Tensor):\n    return torch.fft.fft(x)\n")
    compiled = library.f.compile(TensorSpec(DType.complex64, (Dim("lines"), Dim("length"))))
    for length in (1, 2, 12, 67, 128, 134):
        x = numbers(2, length, seed=length)
        expected = torch.fft.fft(x.to(torch.complex128)).to(torch.complex64)
        assert_close(compiled(x), expected, 8e-7)


def test_a_line_of_prime_length_is_not_a_matrix():
    """10007 is prime: its matrix would have 4 * 10^8 elements."""
    x = numbers(10007)
    got, _ = both(f"{PRELUDE}def f(x: Tensor):\n    return torch.fft.fft(x)\n", x)
    assert_close(got, torch.fft.fft(x.to(torch.complex128)).to(torch.complex64), 2e-6)
    assert np.isfinite(torch.as_tensor(got).abs().sum())
