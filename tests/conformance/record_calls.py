"""The samples of operator records as functions to compile: many calls in one function, whose parameters are all their tensors.

Used by the tests of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np

from torchcc import driver
from torchcc.backend.cpu import compile as cpu
from torchcc.backend.cpu.host import host
from torchcc.backend.cpu.jit import load
from torchcc.ir.builder import Builder
from torchcc.ir.core import Value, new_module
from torchcc.ir.dialects import torch as torch_dialect
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.operator import Operator, Sample
from torchcc.ir.program import Program
from torchcc.ir.schema import Argument, Schema
from torchcc.ir.script_types import (
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    ListType,
    OptionalType,
    ScriptType,
    TupleType,
)
from torchcc.ir.signature import ArgumentSpec, Dim, ScalarSpec, TensorSpec
from torchcc.lowering.pass_manager import PassManager

NUMBER_KINDS = ("Scalar", "SymInt", "float")
"""Parameters whose numbers come at run time in the dynamic form; where there is no tensor, all numbers do."""
SCALARS: dict[type, ScriptType] = {bool: BOOL, int: INT, float: FLOAT}
TOLERANCE = {
    np.dtype(np.float16): (2e-3, 1e-3),
    np.dtype(ml_dtypes.bfloat16): (1.6e-2, 1e-2),
    np.dtype(np.float32): (2e-5, 1e-5),
    np.dtype(np.float64): (1e-9, 1e-9),
    np.dtype(np.complex64): (2e-5, 1e-5),
    np.dtype(np.complex128): (1e-9, 1e-9),
}
"""Relative and absolute."""


@dataclass(frozen=True)
class Call:
    record: Operator
    sample: Sample

    def __str__(self) -> str:
        shown = ", ".join([short(v) for v in self.sample.args] + [f"{k}={short(v)}" for k, v in self.sample.kwargs.items()])
        return f"{self.record.name}({shown})"

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments by name, defaults filled in."""
        schema = self.record.schema
        positional = [a for a in schema.arguments if not a.keyword_only]
        given = {a.name: v for a, v in zip(positional, self.sample.args, strict=False)} | dict(self.sample.kwargs)
        result: dict[str, Any] = {}
        for argument in schema.arguments:
            value = given.get(argument.name, argument.default)
            if isinstance(value, tuple) and argument.name not in given:
                value = list(value)
            result[argument.name] = [value] * argument.size if argument.size is not None and isinstance(value, int) else value
        return result


def short(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        values = np.asarray(value)
        inside = "=" + np.array2string(values, separator=",", threshold=12).replace("\n", "") if values.size <= 12 else ""
        return f"{values.dtype}{list(values.shape)}{inside}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(short, value))}]"
    return repr(value)


class Group:
    """One function that makes all the calls and returns all their results."""

    def __init__(
        self, calls: Sequence[Call], dynamic: bool = False, numbers: bool | None = None, name: str = "f"
    ) -> None:
        self.calls = calls
        self.dynamic = dynamic
        self.numbers = dynamic if numbers is None else numbers
        self.specs: list[ArgumentSpec] = []
        self.leaves: list[Any] = []
        self.formals: list[Argument] = []
        module = new_module()
        function = torch_dialect.func(module, name, (), ())
        self.block = function.body()
        self.b = Builder(self.block)
        torch_dialect.return_(self.b, [self.tuple([self.call(c) for c in calls])])
        function.attributes["arg_names"] = tuple(a.name for a in self.formals)
        returns = (Argument("", TENSOR, "Any"),)
        self.program = Program(module, name, Schema("", name, "", tuple(self.formals), returns))

    def parameter(self, leaf: Any, spec: ArgumentSpec, type_: ScriptType, kind: str) -> Value:
        name = f"a{len(self.leaves)}"
        self.leaves.append(leaf)
        self.specs.append(spec)
        self.formals.append(Argument(name, type_, kind))
        return self.block.add_argument(type_, name)

    def call(self, call: Call) -> Value:
        schema = call.record.schema
        has_tensor = any(a.kind == "Tensor" for a in schema.arguments)
        self.run_time = NUMBER_KINDS if has_tensor else (*NUMBER_KINDS, "int", "bool")
        operands = [self.operand(v, a) for v, a in zip(call.arguments.values(), schema.arguments, strict=True)]
        op = self.b.create(call.record.name, operands, [r.type for r in schema.returns])
        return op.result if len(op.results) == 1 else self.tuple(list(op.results))

    def tuple(self, values: Sequence[Value]) -> Value:
        return self.b.create("prim::TupleConstruct", values, (TupleType(tuple(v.type for v in values)),)).result

    def operand(self, value: Any, argument: Argument) -> Value:
        formal = argument.type.element if isinstance(argument.type, OptionalType) else argument.type
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            dtype = from_numpy(array.dtype)
            assert dtype is not None
            shape = tuple(Dim(f"d{len(self.leaves)}_{i}") for i in range(array.ndim)) if self.dynamic else array.shape
            return self.parameter(array, TensorSpec(dtype, shape), TENSOR, "Tensor")
        if isinstance(value, list | tuple):
            element = formal.element if isinstance(formal, ListType) else INT
            inner = Argument(argument.name, element, argument.kind)
            return self.b.create("prim::ListConstruct", [self.operand(v, inner) for v in value], (ListType(element),)).result
        if self.numbers and argument.kind in self.run_time and type(value) in SCALARS:
            type_ = SCALARS[type(value)]
            return self.parameter(value, ScalarSpec(type_), type_, str(type_))
        kind = NONE if value is None else STR if isinstance(value, str) else (SCALARS | {complex: COMPLEX})[type(value)]
        return torch_dialect.constant(self.b, value, kind)

    def module(self) -> cpu.CpuModule:
        lowered = driver.lower(self.program, self.specs, manager=PassManager(verify=False))
        return cpu.translate(lowered.modules["loops"], lowered.signature, host())

    def run(self) -> list[Any]:
        """Results of each call."""
        module = self.module()
        if self.dynamic:
            module = replace(module, optimize=False)  # half the time; the static form runs LLVM's mid-end
        compiled = load(module, host())
        return list(compiled(*self.leaves))


def is_lowered(record: Operator) -> bool:
    return getattr(record.lower, "__name__", "") != "unsupported"
