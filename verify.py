"""Runs a program at every stage on the same inputs and compares: a wrong pass is named by the first stage that differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from . import driver
from .backend.cpu.jit import compile_module
from .backend.ptx.simulate import simulate
from .ir.core import Operation, lookup
from .ir.interpreters import torch as torch_interpreter
from .ir.interpreters.run import interpret
from .ir.program import Program
from .ir.signature import ArgumentSpec, leaves, rebuild


@dataclass(frozen=True)
class StageResult:
    """How a stage compares with the one before it."""

    stage: str
    agrees: bool
    text: str


def verify_stages(program: Program, specs: Sequence[ArgumentSpec], values: Sequence[Any]) -> list[StageResult]:
    """Runs every stage on the same inputs; stops at the first that differs from the source's own meaning."""
    lowered = driver.lower(program, specs)
    flat = [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]
    signature = lowered.signature

    def flat_function(module: Operation) -> Callable[[], list[Any]]:
        return lambda: interpret(module, signature.name, [copied(v) for v in flat])

    def source() -> Any:
        interpreter = torch_interpreter.Interpreter(driver.composite)
        return interpreter.run_program(program, [copied(v) for v in values])

    def specialised() -> list[Any]:
        interpreter = torch_interpreter.Interpreter(driver.composite)
        function = lookup(lowered.modules["torch"], signature.name)
        assert function is not None
        return interpreter.run(function, [copied(v) for v in flat])

    def native() -> list[Any]:
        return compile_module(lowered.modules["loops"], signature).call_flat([copied(v) for v in flat])

    runs: list[tuple[str, Callable[[], list[Any]]]] = [
        ("specialised", specialised),
        ("linalg", flat_function(lowered.modules["linalg"])),
        ("loops", flat_function(lowered.modules["loops"])),
        ("native", native),
    ]
    expected = source()
    report = [StageResult("torch", True, "the source's meaning")]
    for stage, run in runs:
        wrong = structured_difference(expected, rebuild(signature.tree, run()))
        report.append(StageResult(stage, wrong is None, wrong or "agrees"))
        if wrong is not None:
            break
    return report


def structured_difference(expected: Any, got: Any) -> str | None:
    """Like `difference`, for results with lists, tuples and dicts in them."""
    left, right = _flat(expected), _flat(got)
    if [shape for shape, _ in left] != [shape for shape, _ in right]:
        return "the result has another structure"
    pairs = [(x, y) for (shape, x), (_, y) in zip(left, right) if shape == "leaf"]
    return difference([x for x, _ in pairs], [y for _, y in pairs])


def _flat(value: Any) -> list[tuple[str, Any]]:
    """Leaves, and what stands around them."""
    match value:
        case list() | tuple():
            elements = cast("Sequence[Any]", value)
            inner = [part for e in elements for part in _flat(e)]
            return [(f"{type(elements).__name__} of {len(elements)}", None), *inner]
        case dict():
            entries = cast("dict[Any, Any]", value)
            return [(f"dict of {list(entries)}", None), *(part for e in entries.values() for part in _flat(e))]
        case None | str():
            return [(repr(value), None)]
        case _:
            return [("leaf", value)]


def copied(value: Any) -> Any:
    """A copy that the run may write to."""
    match value:
        case np.ndarray():
            return np.array(cast(Any, value))
        case list():
            return [copied(v) for v in cast(list[Any], value)]
        case tuple():
            return tuple(copied(v) for v in cast(tuple[Any, ...], value))
        case _:
            return value


def difference(expected: Sequence[Any], got: Sequence[Any]) -> str | None:
    """The first result that differs by more than rounding explains, in words; None if none does."""
    for i, (e, g) in enumerate(zip(expected, got, strict=True)):
        x, y = np.asarray(e), np.asarray(g)
        if x.shape != y.shape:
            return f"result {i} has shape {list(y.shape)} instead of {list(x.shape)}"
        if x.dtype.kind == "u" and y.dtype.kind == "i" and x.dtype.itemsize == y.dtype.itemsize:
            y = y.view(x.dtype)  # interpreters of signless integers
        x, y = (a.astype(np.float64) if a.dtype.kind not in "biu" else a for a in (x, y))
        narrow = np.asarray(e).dtype.itemsize <= 2
        close = np.isclose(x, y, rtol=2e-2 if narrow else 1e-4, atol=1e-2 if narrow else 1e-5, equal_nan=True)
        if not close.all():
            place = tuple(int(k) for k in np.argwhere(~close)[0])
            return f"result {i} is {y[place]} instead of {x[place]} at {list(place)}"
    return None


def simulate_gpu(program: Program, specs: Sequence[ArgumentSpec], values: Sequence[Any], target: str) -> list[Any]:
    """Flat results of the GPU program, its kernels run by the PTX interpreter."""
    lowered, module = driver.gpu_module(program, specs, target)
    flat = [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]
    results = simulate(lowered.modules["loops"], module, lowered.signature.name, [copied(v) for v in flat])
    return [results[i] for i in lowered.signature.outputs]
