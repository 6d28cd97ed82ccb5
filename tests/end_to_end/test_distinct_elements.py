"""`torch.unique` and its like, `bincount`, `histc`: results whose sizes the data decide, compiled once, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import Dim, TensorSpec, rebuild

torch = pytest.importorskip("torch", reason="compares with PyTorch")

M, N = Dim("m", 0, 64), Dim("n", 0, 64)
SIZES = ({"m": 3, "n": 5}, {"m": 1, "n": 4}, {"m": 20, "n": 7})
EXPRESSIONS = [
    "torch.unique(x)",
    "torch.unique(x, return_counts=True)",
    "torch.functional.unique(x, True, True, True)",
    "torch.unique(x, dim=0)",
    "torch.unique(x, sorted=False, return_inverse=True, dim=-1)",
    "torch.unique(input=torch.stack([x, x.flip([0])], 1), return_counts=True, dim=2)",
    "torch.unique(x.float() / 2, True, False, True, None)",
    "torch.unique_consecutive(x)",
    "torch.unique_consecutive(x, return_counts=True)",
    "torch.unique_consecutive(x[:, :2].sort(0)[0], return_inverse=True, return_counts=True, dim=0)",
    "torch.unique_consecutive(x, True, True)",
    "torch.bincount(x.flatten())",
    "torch.bincount(x[0], minlength=4)",
    "torch.bincount(x[0], x[0].float() + 0.5, 3) * 2",
    "torch.bincount(x[0], x[0])",
    "torch.histc(x.float(), 5)",
    "x.double().histc(7, 0.5, 2)",
    "torch.cdist(x.float(), x.float() + 1, 2.0, 'donot_use_mm_for_euclid_dist')",
]


def test_one_compilation_serves_all_sizes() -> None:
    text = f"import torch\n\ndef f(x):\n    return ({', '.join(EXPRESSIONS)})\n"
    compiled, signature = compile_source(text).f.specialise([TensorSpec(DType.int64, (M, N))])
    for sizes in SIZES:
        x = np.random.RandomState(0).randint(0, 3, [sizes["m"], sizes["n"]])
        results = rebuild(signature.tree, compiled.call_flat([x]))
        for expression, found in zip(EXPRESSIONS, results, strict=True):
            expected = eval(expression, {"torch": torch, "x": torch.from_numpy(x)})
            _same(found, expected, expression)


def _same(found: object, expected: object, expression: str) -> None:
    if not isinstance(expected, torch.Tensor):
        assert isinstance(found, tuple | list) and isinstance(expected, tuple) and len(found) == len(expected), expression
        for a, b in zip(found, expected, strict=True):
            _same(a, b, expression)
        return
    wanted = expected.numpy()
    assert isinstance(found, np.ndarray) and (found.dtype, found.shape) == (wanted.dtype, wanted.shape), expression
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=expression)


def test_the_method_is_the_operator() -> None:
    """In compiled code, in PyTorch too: all results, wanted or not."""
    text = "def f(x: Tensor):\n    return x.unique_consecutive()\n"
    x = np.array([1, 1, 0, 2, 2])
    _same(compile_source("from torch import Tensor\n" + text).f(x), torch.jit.CompilationUnit(text).f(torch.from_numpy(x)), text)


def test_no_elements() -> None:
    text = "import torch\n\ndef f(x):\n    return torch.unique(x, True, True, True), torch.bincount(x, minlength=2), torch.histc(x.float(), 3)\n"
    compiled, signature = compile_source(text).f.specialise([TensorSpec(DType.int64, (N,))])
    unique, bincount, histc = rebuild(signature.tree, compiled.call_flat([np.zeros(0, np.int64)]))
    assert [a.shape for a in unique] == [(0,)] * 3
    assert bincount.tolist() == [0, 0] and bincount.dtype == np.int64
    assert histc.tolist() == [0, 0, 0]


REFUSED = {
    "torch.unique(x, return_inverse=bool((x > 0).all()))": "has to be True or False, known at compile time",
    "torch.unique(x, other=1)": "takes .input, sorted, return_inverse, return_counts, dim.",
    "torch.unique(x, dim=1.5)": "`dim` has to be an int or None here, found float",
    "torch.unique(x, sorted=3)": "argument `sorted` expects bool",
    "torch.unique_consecutive(x, True)": "give them by name",
    "torch.unique_consecutive(x, True, return_counts=True)": "give them by name",
    "torch.cdist(x, x, 2.0, 'fast')": "`compute_mode` has to be one of",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_decides_the_results_is_known(expression: str) -> None:
    with pytest.raises(CompileError, match=REFUSED[expression]):
        compile_text(f"import torch\n\ndef f(x):\n    return {expression}\n", "f.py")


@pytest.mark.parametrize(
    ("expression", "x"),
    [
        ("torch.bincount(x)", [1, -1]),
        ("torch.bincount(x)", [0, 2**63 - 1]),
        ("torch.bincount(x, minlength=-1)", [1, 0]),
        ("torch.histc(x / 0.0, 4)", [1, 1]),
        ("torch.histc(x.float(), 4, 3, 1)", [1, 1]),
        ("torch.histc(x.float(), 0)", [1, 1]),
        ("torch.unique(x.reshape([0, 2]), dim=1)", []),
    ],
)
def test_what_pytorch_refuses(expression: str, x: list[int]) -> None:
    given = np.array(x, np.int64)
    with pytest.raises((RuntimeError, MemoryError)):
        eval(expression, {"torch": torch, "x": torch.from_numpy(given)})
    with pytest.raises((CompileError, ExecutionError)):
        compile_source(f"import torch\n\ndef f(x):\n    return {expression}\n").f(given)
