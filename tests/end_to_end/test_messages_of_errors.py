"""Texts of errors with numbers that are known at run time only: as TorchScript prints them, at every stage."""

import numpy as np
import pytest

from torchcc.backend.cpu.jit import compile_module
from torchcc.driver import composite, lower
from torchcc.frontend.compile import compile_text
from torchcc.ir.core import lookup
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.script_types import FLOAT, INT
from torchcc.ir.signature import ScalarSpec, TensorSpec

NUMBERS = {
    3.5: "3.5", 7.0: "7.", -7.0: "-7.", 1 / 3: "0.33333333333333331", 1e10: "10000000000.", 1e20: "1e+20",
    float("inf"): "inf", float("-inf"): "-inf", float("nan"): "nan",
}  # fmt: skip


def messages(source, specs, arguments):
    """What is raised, stage by stage."""
    lowered = lower(compile_text(source, entry="f"), specs)
    name = lowered.signature.name
    graph = lookup(lowered.modules["torch"], name)
    runs = [
        lambda: Interpreter(composite).run(graph, list(arguments)),
        lambda: interpret(lowered.modules["linalg"], name, list(arguments)),
        lambda: interpret(lowered.modules["loops"], name, list(arguments)),
        lambda: compile_module(lowered.modules["loops"], lowered.signature).call_flat(list(arguments)),
    ]
    for run in runs:
        with pytest.raises(ExecutionError) as found:
            run()
        yield found.value.message


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_floats(number):
    source = "def f(n: float) -> float:\n    if n != 0.0:\n        raise ValueError(f'n is {n}')\n    return n\n"
    assert set(messages(source, [ScalarSpec(FLOAT)], [number])) == {f"ValueError: n is {NUMBERS[number]}"}


@pytest.mark.parametrize(("n", "text"), [(0, "KeyError: zero"), (1, "KeyError: one of [1, 2]"), (7, "AssertionError: 7")])
def test_texts_that_a_condition_selects(n, text):
    source = (
        "def name(k: int) -> str:\n    if k == 0:\n        return 'zero'\n    return 'one of {}'.format([k, k + 1])\n"
        "def f(n: int) -> int:\n    assert n < 5, str(n)\n    if n < 5:\n        raise KeyError(name(n))\n    return n\n"
    )
    assert set(messages(source, [ScalarSpec(INT)], [n])) == {text}


def test_an_extent_in_a_message():
    source = (
        "import torch\nfrom torch import Tensor\ndef f(x: Tensor) -> Tensor:\n    y = x[x > 0]\n"
        "    if y.size(0) != 2:\n        raise ValueError('{} of {} are positive'.format(y.size(0), x.shape))\n    return y\n"
    )
    specs = [TensorSpec(DType.float32, (4,))]
    values = np.array([1, 2, 3, -4], np.float32)
    assert set(messages(source, specs, [values])) == {"ValueError: 3 of [4] are positive"}
