"""`relax_exponentials`: which exponentials need no care for large numbers, and how exact they then are."""

import numpy as np
import pytest

from torchcc.api import compile_source
from torchcc.driver import lower
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.signature import TensorSpec
from torchcc.lowering.loops.expand_math import ExpandMath

MARKED = {
    "torch.softmax(x, -1)": 1,
    "torch.softmax(x, 0)": 1,
    "torch.log_softmax(x, 1)": 1,
    "torch.softmax(x * 3 - 1, 1)": 1,
    "torch.exp(x - x.amax(1, True))": 1,
    "torch.exp(x - x.amax(0, True))": 1,
    "torch.exp(x)": 0,
    "torch.exp(x - x.amin(1, True))": 0,
    "torch.exp(x - (x * 2).amax(1, True))": 0,
    "torch.exp(x.amax(1, True) - x)": 0,
    "torch.exp(x - x.t().amax(1, True))": 0,
}


@pytest.mark.parametrize("expression", MARKED)
def test_only_differences_to_the_own_maximum_are_marked(expression):
    program = compile_source(f"import torch\n\ndef f(x):\n    return {expression}\n").f.program
    module = lower(program, [TensorSpec(DType.float32, (6, 6))], "x86-64-v3").modules["linalg"]
    powers = [op for op in module.walk() if op.name == "math.exp"]
    assert len(powers) == 1
    assert [op.attributes.get("fastmath") for op in powers] == (["afn"] if MARKED[expression] else [None])


def test_the_short_form_is_as_exact_as_the_long_one():
    module = parse_module("func.func @f(%x: f32) -> f32 {\n  %y = math.exp %x fastmath<afn> : f32\n  return %y : f32\n}")
    ExpandMath().apply(module)
    assert "math.exp" not in {op.name for op in module.walk()}
    numbers = np.concatenate([-np.linspace(0, 87.3, 3001), [0.0, -1e-30, -0.34657359, -87.33, -88.03, -95.0, -1e30, -np.inf, np.nan]])
    for number in numbers.astype(np.float32):
        (found,) = interpret(module.clone({}), "f", [number])
        exact = np.exp(np.float64(number))
        if np.isnan(exact):
            assert np.isnan(found)
        elif exact < 2.0**-126:
            assert 0 <= found <= 2.0**-125.5
        else:
            assert abs(found - exact) <= 1.0 * np.spacing(np.float32(exact))
    assert interpret(module, "f", [np.float32(-np.inf)])[0] == 0 and interpret(module, "f", [np.float32(0)])[0] == 1
