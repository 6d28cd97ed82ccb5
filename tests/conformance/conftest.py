"""Runs many small functions, compiled together to machine code, and the same source under PyTorch."""

import dataclasses

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import compile_source, prepared, spec_of
from torchcc.ir.diagnostics import CompileError, ExecutionError, TorchccError
from torchcc.ir.signature import Dim, TensorSpec

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom typing import Dict, List, Optional, Tuple\n"
GROUP = 40
TOLERANCE = {"float16": (4e-3, 2e-3), "bfloat16": (3e-2, 2e-2), "float32": (3e-5, 1e-5), "float64": (1e-9, 1e-9)}


@pytest.fixture
def long(request):
    return request.config.getoption("--long")


@pytest.fixture
def quick(request, monkeypatch):
    """The short form leaves LLVM's mid-end out: it takes half the time, and the records' samples are run with it."""
    if not request.config.getoption("--long"):
        translate = driver.cpu.translate
        monkeypatch.setattr(driver.cpu, "translate", lambda *args: dataclasses.replace(translate(*args), optimize=False))


@pytest.fixture
def check(quick):
    """`check(inputs, cases, dynamic=())`: every case gives what PyTorch gives, or is refused as PyTorch refuses it.

    A case is an expression of the inputs' names, statements before it separated by `;`. Extents of the sizes in
    `dynamic` are given at run time.
    """

    def run(inputs, cases, dynamic=(), allow_more=()):
        torch = pytest.importorskip("torch", reason="compares with PyTorch")
        found = Cases(torch, inputs, dynamic).faults(list(dict.fromkeys(cases)), frozenset(allow_more))
        assert not found, "\n".join([f"{len(found)} of {len(cases)} cases are wrong:", *found])

    return run


class Cases:
    def __init__(self, torch, inputs, dynamic):
        self.torch = torch
        self.inputs = inputs
        self.dynamic = dynamic

    def faults(self, cases, allow_more):
        expected = {c: self.eager(c) for c in cases}
        accepted = [c for c in cases if not isinstance(expected[c], Exception)]
        found = []
        for i in range(0, len(accepted), GROUP):
            found += self.compare(accepted[i : i + GROUP], expected)
        for case in cases:
            if isinstance(expected[case], Exception) and not any(a in case for a in allow_more):
                found += self.refused(case, expected[case])
        return found

    def parameters(self):
        kinds = {int: ": int", float: ": float", bool: ": bool"}
        return ", ".join(f"{n}{kinds.get(type(v), '')}" for n, v in self.inputs.items())

    def source(self, cases):
        names = ", ".join(self.inputs)
        lines = [HEAD]
        for i, case in enumerate(cases):
            *statements, value = [part.strip() for part in case.split(";")]
            lines += [f"def c{i}({self.parameters()}):", *[f"    {s}" for s in statements], f"    return {value}", ""]
        calls = "".join(f"c{i}({names}), " for i in range(len(cases)))
        return "\n".join([*lines, f"def f({self.parameters()}):", f"    return ({calls})", ""])

    def values(self):
        return [copied(v) if isinstance(v, self.torch.Tensor) else v for v in self.inputs.values()]

    def eager(self, case):
        scope = {}
        exec(self.source([case]), scope)
        try:
            return scope["c0"](*self.values())
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError, ZeroDivisionError) as error:
            return error

    def native(self, cases):
        function = compile_source(self.source(cases)).f
        if not self.dynamic:
            return function(*self.values())
        values = self.values()
        return prepared(function, [self.spec(v) for v in values], values)()

    def spec(self, value):
        spec = spec_of(value)
        if not isinstance(spec, TensorSpec):
            return spec
        return TensorSpec(spec.dtype, tuple(Dim(f"d{e}") if e in self.dynamic else e for e in spec.shape))

    def compare(self, cases, expected):
        try:
            results = self.native(cases)
        except (TorchccError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            if len(cases) == 1:
                return [f"{cases[0]}: {type(error).__name__}: {str(error)[:400]}"]
            middle = len(cases) // 2
            return self.compare(cases[:middle], expected) + self.compare(cases[middle:], expected)
        texts = ((c, self.fault(c, r, expected[c])) for c, r in zip(cases, results, strict=True))
        return [f"{c}: {text}" for c, text in texts if text is not None]

    def fault(self, case, result, expected):
        """What is wrong. Where PyTorch's Python and its TorchScript differ (`2.5 - x`, bools as numbers), the latter holds."""
        text = None if isinstance(expected, Exception) else difference(self.torch, result, expected)
        if text is not None or isinstance(expected, Exception):
            scripted = self.scripted(case)
            if scripted is not None and difference(self.torch, result, scripted) is None:
                return None
        return f"gives {shown(result)}; PyTorch: {str(expected)[:150]}" if isinstance(expected, Exception) else text

    def scripted(self, case):
        torch = self.torch
        names = {"torch": torch, "F": torch.nn.functional, "nn": torch.nn}
        torch_unit = "torch.jit.CompilationUnit(text)"  # looks names up where it is called
        try:
            return eval(torch_unit, names, {"text": self.source([case])[len(HEAD) :]}).c0(*self.values())
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError):
            return None

    def refused(self, case, error):
        try:
            result = self.native([case])
        except (CompileError, ExecutionError):
            return []
        except (TorchccError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as other:
            return [f"{case}: {type(other).__name__}: {str(other)[:400]}; PyTorch: {str(error)[:100]}"]
        text = self.fault(case, result[0], error)
        return [] if text is None else [f"{case}: {text}"]


def copied(tensor):
    """A copy with the strides of the tensor."""
    if 0 in tensor.stride():
        return tensor.clone().as_strided(tensor.size(), tensor.stride()) if tensor.numel() else tensor
    other = tensor.new_empty_strided(tensor.size(), tensor.stride())
    other.copy_(tensor)
    return other


def difference(torch, found, expected):
    """What is wrong with a result, in words."""
    if isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            return f"{shown(found)} != {shown(expected)}"
        return next((t for f, e in zip(found, expected) if (t := difference(torch, f, e)) is not None), None)
    if not isinstance(expected, torch.Tensor):
        expected = list(expected) if isinstance(expected, torch.Size) else expected
        if isinstance(expected, float) and isinstance(found, float):
            return None if np.isclose(found, expected, rtol=1e-6, equal_nan=True) else f"{found} != {expected}"
        return None if type(found) is type(expected) and found == expected else f"{found!r} != {expected!r}"
    if not isinstance(found, torch.Tensor):
        found = torch.from_numpy(np.asarray(found))
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{shown(found)} != {shown(expected)}"
    if not found.dtype.is_floating_point:
        return None if torch.equal(found, expected) else f"{shown(found)} != {shown(expected)}"
    rtol, atol = TOLERANCE[str(found.dtype).removeprefix("torch.")]
    if torch.allclose(found.double(), expected.double(), rtol, atol, equal_nan=True):
        return None
    return f"{shown(found)} != {shown(expected)}"


def shown(value):
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if hasattr(value, "shape"):
        inside = str(value.tolist())
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)} {inside if len(inside) < 300 else inside[:300] + '...'}"
    return repr(value)
