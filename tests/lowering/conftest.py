"""Runs passes one after the other and compares what the module computes before and after each of them."""

import numpy as np
import pytest

from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module


def _upstream():
    try:
        from torch_mlir import ir
    except ImportError:
        return None
    return ir


def _copies(arguments):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]


@pytest.fixture
def run_passes():
    """`run_passes(text, arguments, passes)` -> the module after all passes; upstream MLIR must accept every step."""
    upstream = _upstream()

    def run(source, arguments, passes, *, function="f", tolerance=1e-4):
        module = parse_module(source) if isinstance(source, str) else source
        expected = interpret(module.clone({}), function, _copies(arguments))
        for apply in passes:
            apply(module)
            text = print_module(module)
            if upstream is not None:
                with upstream.Context():
                    upstream.Module.parse(text)
            results = interpret(module.clone({}), function, _copies(arguments))
            assert len(results) == len(expected)
            for result, reference in zip(results, expected, strict=True):
                assert np.shape(result) == np.shape(reference)
                np.testing.assert_allclose(
                    np.asarray(result, np.float64), np.asarray(reference, np.float64),
                    rtol=tolerance, atol=tolerance, err_msg=getattr(apply, "__name__", ""),
                )  # fmt: skip
        return module

    return run


@pytest.fixture
def normal():
    """`normal(2, 3)`: float32 samples, the same in every run."""
    generator = np.random.default_rng(0)
    return lambda *shape: generator.standard_normal(shape).astype(np.float32)
