"""Runs one program at every step of lowering/graph and compares: as written, specialised, functional, folded, and torch."""

import copy

import numpy as np
import pytest

from torchcc.driver import composite
from torchcc.frontend.compile import compile_text
from torchcc.ir.core import functions
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dtypes import DType, from_numpy
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.script_types import BOOL, FLOAT, INT
from torchcc.ir.signature import (
    ConstantSpec,
    Dim,
    ScalarSpec,
    SequenceSpec,
    TensorSpec,
    rebuild,
)
from torchcc.lowering.contracts import check_graph
from torchcc.lowering.graph.eliminate_dead_code import eliminate_dead_code
from torchcc.lowering.graph.fold_constants import fold_constants
from torchcc.lowering.graph.functionalize import functionalize
from torchcc.lowering.graph.specialize import specialize

PRELUDE = (
    "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
    "from torch import Tensor\nfrom typing import Dict, List, Optional, Tuple\n"
)


def spec_of(value, dynamic=False):
    match value:
        case np.ndarray():
            shape = tuple(Dim(f"d{e}") if dynamic else e for e in value.shape)
            return TensorSpec(from_numpy(value.dtype), shape)
        case list() | tuple():
            return SequenceSpec(tuple(spec_of(v, dynamic) for v in value), isinstance(value, tuple))
        case bool():
            return ScalarSpec(BOOL)
        case int():
            return ScalarSpec(INT)
        case float():
            return ScalarSpec(FLOAT)
        case _:
            return ConstantSpec(value)


def leaves(value):
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in leaves(v)]
    return [] if value is None or isinstance(value, str) else [value]


def plain(value):
    """Results of torch in the interpreter's terms."""
    name = type(value).__name__
    if name in ("Tensor", "Parameter"):
        return value.detach().numpy()
    if name == "dtype":
        return int(next(d for d in DType if str(value) == f"torch.{d.name}"))
    if name == "Size":
        return list(value)
    if isinstance(value, list | tuple):
        return type(value)(plain(v) for v in value)
    return value


def assert_same(expected, actual):
    assert type(expected) is type(actual), (expected, actual)
    if isinstance(expected, list | tuple):
        assert len(expected) == len(actual)
        for e, a in zip(expected, actual, strict=True):
            assert_same(e, a)
    elif isinstance(expected, np.ndarray):
        assert expected.dtype == actual.dtype and expected.shape == actual.shape
        np.testing.assert_allclose(actual.astype(np.float64), expected.astype(np.float64), rtol=1e-4, atol=1e-5)
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, rel=1e-5, nan_ok=True)
    else:
        assert expected == actual


class Steps:
    """A program specialised for some arguments, run after each step."""

    def __init__(self, source, args, *, entry="f", constant=(), dynamic=False, prelude=PRELUDE):
        self.program = compile_text(prelude + source, entry=entry)
        self.args = list(args)
        self.specs = [ConstantSpec(a) if i in constant else spec_of(a, dynamic) for i, a in enumerate(self.args)]
        self.module = None

    def reference(self):
        given = copy.deepcopy(self.args)
        return Interpreter(composite).run_program(self.program, given), self.flat(given)

    def flat(self, args):
        pairs = zip(args, self.specs, strict=True)
        return [leaf for a, s in pairs if not isinstance(s, ConstantSpec) for leaf in leaves(a)]

    def specialize(self):
        self.module, self.signature = specialize(self.program, self.specs, composite)
        return self

    def lower(self):
        self.specialize()
        self.signature = functionalize(self.module, self.signature)
        fold_constants(self.module)
        eliminate_dead_code(self.module)
        check_graph(self.module)
        return self

    @property
    def function(self):
        (function,) = functions(self.module)
        return function

    @property
    def names(self):
        """Operation names of the function, in order."""
        return [op.name for op in self.function.walk()]

    def run(self):
        """Result, and the arguments afterwards."""
        given = self.flat(copy.deepcopy(self.args))
        results = Interpreter(composite).run(self.function, given)
        for i, parameter in enumerate(self.signature.parameters):
            if parameter.write_back is not None:
                given[i] = results[parameter.write_back]
        return rebuild(self.signature.tree, results), given

    def check(self):
        """All steps agree; the result, or the error of a program that fails."""
        try:
            expected = self.reference()
        except ExecutionError as error:
            return self.check_failure(error)
        self.specialize()
        assert_same(expected, self.run())
        self.signature = functionalize(self.module, self.signature)
        assert_same(expected, self.run())
        fold_constants(self.module)
        eliminate_dead_code(self.module)
        check_graph(self.module)
        assert_same(expected, self.run())
        return expected[0]

    def check_failure(self, error):
        for step in (self.specialize, self.lower):
            step()
            with pytest.raises(ExecutionError) as found:
                self.run()
            assert found.value.message == error.message
        return error


@pytest.fixture
def steps():
    return Steps


@pytest.fixture
def same():
    return assert_same


@pytest.fixture
def in_torch():
    """Runs a source in eager torch: the result in numpy, or the exception."""

    def run(source, args, entry="f"):
        torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")

        def tensors(value):
            if isinstance(value, np.ndarray):
                return torch.from_numpy(value.copy())
            return type(value)(map(tensors, value)) if isinstance(value, list | tuple) else value

        names = {}
        exec(PRELUDE + source, names)
        try:
            return plain(names[entry](*map(tensors, args)))
        except Exception as error:
            return error

    return run
