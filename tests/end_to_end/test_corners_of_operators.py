"""Calls at the edges of operators, as machine code against PyTorch: nothing to count, half types, complex ends, whole numbers that wrap."""

import numpy as np
import pytest

from torchcc import Dim, TensorSpec
from torchcc.api import compile_source
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dtypes import DType

torch = pytest.importorskip("torch", reason="compares with PyTorch")

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n"

CALLS = {
    "bytes_from_below_zero": "torch.arange(-1, 2, 2, dtype=torch.uint8) + u",
    "whole_steps": "torch.arange(0.0, -8.000001, -4.0, dtype=torch.int64), torch.arange(0.0, -8.1, -4.0, dtype=torch.int32)",
    "half_steps": "torch.linspace(4.3, -3, 50, dtype=torch.float16), torch.linspace(x[0], -3, 50, dtype=torch.bfloat16)",
    "half_powers": "torch.logspace(x[0], 4, 4, dtype=torch.float16), torch.logspace(4.3, 0, 1, dtype=torch.float16)",
    "complex_steps": "torch.linspace(z[0], z[1], 7), torch.logspace(z[0], x[1], 5), torch.linspace(x[0], 1.5, 4, dtype=torch.complex128)",
    "complex_log_sums": "torch.logaddexp(z, z.flip(0)), torch.logcumsumexp(z.reshape(2, 3), 1), torch.logcumsumexp(z.to(torch.complex128), 0)",
    "nothing_to_choose": "torch.softmax(e, 1), torch.log_softmax(e, -1), F.softmin(e, 1), torch.softmax(e, 0), torch.softmax(x[0], 0)",
    "no_positions": "torch.gather(x, 0, n), torch.scatter(x, 0, n, 2.0), torch.gather(x, 0, n.to(torch.int64))",
    "products_in_half": "torch.addbmm(h[0, 0], h, h.transpose(1, 2), beta=0.5, alpha=2), torch.addbmm(h[0], h[:0], h[:0], beta=2)",
    "small_whole_products": "torch.einsum('ij,k->ik', i, i[0]), torch.einsum('ij,ij->i', i, i), torch.einsum('ij,k,i->i', i, i[0], i[:, 0])",
    "powers_of_a_number": "torch.linalg.vander(x[0], N=3), torch.linalg.vander(x[:2])",
    "half_statistics": "torch.native_batch_norm(h, None, None, None, None, True, 0.1, 1e-5)",
    "float_statistics_of_half": "torch.native_batch_norm(h, None, None, x[:4], x[:4].abs(), False, 0.1, 1e-5)",
}


def inputs():
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(6, generator=generator)
    return {
        "x": x,
        "z": torch.complex(x, x.flip(0) * 3),
        "h": torch.randn(3, 4, 4, generator=generator).to(torch.bfloat16),
        "u": torch.tensor([3, 4], dtype=torch.uint8),
        "i": torch.randint(-100, 100, (3, 5), generator=generator).to(torch.int8),
        "e": torch.zeros(3, 0),
        "n": torch.zeros(2 * 0, dtype=torch.uint8),
    }


def test_as_pytorch():
    given = inputs()
    parameters = ", ".join(f"{name}: Tensor" for name in given)
    functions = [f"def {name}({parameters}):\n    return {call}\n" for name, call in CALLS.items()]
    calls = ", ".join(f"{name}({', '.join(given)})" for name in CALLS)
    text = HEAD + "\n".join([*functions, f"def main({parameters}):\n    return {calls}\n"])
    found = compile_source(text).main(**{name: tensor.clone() for name, tensor in given.items()})
    for (name, call), results in zip(CALLS.items(), found, strict=True):
        expected = eval(call, {"torch": torch, "F": torch.nn.functional, **inputs()})
        pairs = zip(*((r if isinstance(r, tuple) else (r,)) for r in (results, expected)), strict=True)
        for result, value in pairs:
            torch.testing.assert_close(result, value, msg=lambda text, name=name: f"{name}: {text}")


def test_softmax_of_run_time_sizes():
    text = HEAD + "def main(x: Tensor):\n    return torch.softmax(x, 1), torch.softmax(x, 0)\n"
    main = compile_source(text).main.compile(TensorSpec(DType.float32, (Dim("n"), 4)))
    for n in (1, 3):
        x = np.random.default_rng(1).standard_normal((n, 4)).astype(np.float32)
        for result, dim in zip(main(x), (1, 0), strict=True):
            np.testing.assert_allclose(result, torch.softmax(torch.from_numpy(x), dim).numpy(), rtol=1e-6)


def test_small_whole_numbers_that_pytorch_does_not_multiply():
    text = HEAD + "def main(x: Tensor, y: Tensor):\n    return torch.einsum('aij,ak->ik', x, y)\n"
    with pytest.raises(CompileError, match="expected scalar type Long but found Char"):
        compile_source(text).main(np.ones((2, 3, 4), np.int8), np.ones((2, 5), np.int8))
