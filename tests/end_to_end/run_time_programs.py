"""What tests of values made at run time share: a program is run by PyTorch, the reference interpreter, every stage and natively.

In: the text of a program whose entry is `f`, and arguments (arrays and numbers; lists, dicts and objects by `call`). Python runs
the same text with PyTorch for the expected values, so it has to be one that both understand.
"""

import enum

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, FLOAT, INT
from torchcc.ir.signature import Dim, ScalarSpec, TensorSpec, rebuild
from torchcc.ir.structure import difference
from torchcc.verify import verify_stages

PRELUDE = """
import torch
from torch import Tensor
from enum import Enum
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union
"""

POINT = """
class Point:
    def __init__(self, x: int, y: float):
        self.x = x
        self.y = y
    def moved(self, by: int) -> "Point":
        return Point(self.x + by, self.y * 2)
    def shift(self, by: int) -> None:
        self.x += by
        self.y = self.y + by
    def norm(self) -> float:
        return self.x * self.x + self.y * self.y
"""

NODE = """
class Node:
    next: Optional["Node"]
    def __init__(self, value: int):
        self.value = value
        self.next = torch.jit.annotate(Optional["Node"], None)
"""


def normal(*shape):
    return np.random.RandomState(sum(shape) + len(shape)).randn(*shape).astype(np.float32)


def spec(value, dynamic=True):
    if isinstance(value, np.ndarray):
        shape = tuple(Dim(f"d{i}_{e}") if dynamic else e for i, e in enumerate(value.shape))
        return TensorSpec(from_numpy(value.dtype), shape)
    return ScalarSpec(BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT)


def program_of(source, entry="f"):
    return compile_text(PRELUDE + source, entry=entry)


def lowered(source, arguments, dynamic=True):
    return driver.lower(program_of(source), [spec(a, dynamic) for a in arguments])


def plain(value):
    """Arrays for tensors, and for objects and members of Enums what they are made of."""
    torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")
    found = {}

    def of(value):
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return tuple(map(of, value))
        if isinstance(value, list | tuple):
            return type(value)(map(of, value))
        if isinstance(value, dict):
            return {k: of(v) for k, v in value.items()}
        if isinstance(value, torch.Tensor):
            return value.numpy()
        if value is None or isinstance(value, bool | int | float | complex | str | np.ndarray):
            return value
        if hasattr(value, "members") or hasattr(value, "_member_map_") or hasattr(value, "_value_"):
            return type(value).__name__, value.name, value.value
        if type(value).__name__ == "EnumMember":
            return value.type.name.rpartition(".")[2], value.name, value.value
        if id(value) in found:
            return found[id(value)]
        attributes = value.attributes if hasattr(value, "attributes") else vars(value)
        name = value.type.name.rpartition(".")[2] if hasattr(value, "attributes") else type(value).__name__
        shown = found[id(value)] = {"class": name}
        shown.update({k: of(v) for k, v in attributes.items()})
        return shown

    return of(value)


def in_python(source, arguments, entry="f"):
    """The program as Python, with PyTorch's eager operators."""
    torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")
    names = {}
    exec(PRELUDE + source, names)
    return plain(names[entry](*(torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments)))


def assert_same(expected, got, seen=()):
    if isinstance(expected, list | tuple):
        assert type(got) is type(expected) and len(got) == len(expected)
        for e, g in zip(expected, got):
            assert_same(e, g, seen)
    elif isinstance(expected, np.ndarray):
        assert got.shape == expected.shape and got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    elif isinstance(expected, dict):
        if id(expected) in seen:
            return  # objects that lead to themselves
        assert list(got) == list(expected)
        assert_same(list(expected.values()), list(got.values()), (*seen, id(expected)))
    else:
        assert type(got) is type(expected) and got == pytest.approx(expected, nan_ok=True)


def check(source, arguments):
    """Every stage computes what the reference interpreter does, and that what Python and PyTorch do; texts can be read again."""
    program = program_of(source)
    specs = [spec(a) for a in arguments]
    report = verify_stages(program, specs, arguments)
    assert all(line.agrees for line in report), report
    assert_same(in_python(source, arguments), plain(Interpreter(driver.composite).run_program(program, arguments)))
    found = driver.lower(program, specs)
    for stage in ("linalg", "loops"):
        again = parse_module(driver.print_stage(found, stage), driver.constants(found.modules[stage]))
        assert difference(found.modules[stage], again) is None, stage


def native(source, arguments, dynamic=True):
    """The compiled function; called without arguments it takes these."""
    found = lowered(source, arguments, dynamic)
    compiled = compile_module(found.modules["loops"], found.signature)
    return lambda *given: rebuild(found.signature.tree, compiled.call_flat(given or arguments))


def check_failure(source, arguments):
    """Native code raises what the reference interpreter does, twice: the second time it finds no traces of the first."""
    program = program_of(source)
    with pytest.raises(ExecutionError) as expected:
        Interpreter(driver.composite).run_program(program, arguments)
    call = native(source, arguments)
    for _ in range(2):
        with pytest.raises(ExecutionError) as found:
            call()
        assert found.value.message == expected.value.message
        assert found.value.span == expected.value.span


def call(source, *arguments, entry="f"):
    """The result of a call from Python, natively, with whatever Python has."""
    return plain(getattr(torchcc.compile_source(PRELUDE + source), entry)(*arguments))


def is_enum(value):
    return isinstance(value, enum.Enum)
