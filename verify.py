"""Runs a program at every stage on the same inputs and compares: a wrong pass is named by the first stage that differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, cast

import numpy as np

from . import driver
from .api.state import state_inputs
from .backend.cpu.jit import compile_module
from .backend.cpu.random import random_state, set_random_state
from .backend.ptx.simulate import simulate
from .ir.attributes import Constant
from .ir.core import lookup
from .ir.generator import DEFAULT
from .ir.interpreters import torch as torch_interpreter
from .ir.interpreters.run import interpret
from .ir.objects import ObjectValue, simple_name
from .ir.places import Places, identity, located, value_at
from .ir.program import Program
from .ir.script_types import EnumMember, ScriptObject
from .ir.signature import ArgumentSpec, Signature, StateSpec, leaves, rebuild


@dataclass(frozen=True)
class StageResult:
    """How a stage compares with the one before it."""

    stage: str
    agrees: bool
    text: str


def verify_stages(
    program: Program, specs: Sequence[ArgumentSpec], values: Sequence[Any], state: Sequence[StateSpec] = ()
) -> list[StageResult]:
    """Runs every stage on the same inputs; stops at the first that differs from the source's own meaning.

    Compares the results, and what the attributes in `state` are after the call; the module itself stays as it is.
    """
    lowered = driver.lower(program, specs, state=state)
    signature = lowered.signature
    flat = [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]
    if program.receiver is not None:
        flat += state_inputs(program.receiver, signature)

    places = None if program.receiver is None else Places(program.receiver)

    start = random_state()

    def source() -> Any:
        DEFAULT.state = start
        interpreter = torch_interpreter.Interpreter(driver.composite)
        result = interpreter.run_program(program, [copied(v) for v in values])
        if places is None:
            return result, []
        held = _Held(places, replace(signature, parameters=()), (), ())
        holders = [places.attributes[path] for path in signature.used]
        return result, [held.plain(interpreter.attribute(owner, name)) for owner, name in holders]

    def after(given: list[Any], results: list[Any]) -> Any:
        result = rebuild(signature.tree, results)
        if places is None:
            return result, []
        held = _Held(places, signature, given, results)
        new = {r.path: rebuild(r.tree, results, held) for r in signature.state}
        return result, [held.plain(new[p]) if p in new else held.kept(p) for p in signature.used]

    def specialised(given: list[Any]) -> list[Any]:
        interpreter = torch_interpreter.Interpreter(driver.composite)
        function = lookup(lowered.modules["torch"], signature.name)
        assert function is not None
        return interpreter.run(function, given)

    runs: list[tuple[str, Callable[[list[Any]], list[Any]]]] = [
        ("specialised", specialised),
        ("linalg", lambda given: interpret(lowered.modules["linalg"], signature.name, given)),
        ("loops", lambda given: interpret(lowered.modules["loops"], signature.name, given)),
        ("native", lambda given: compile_module(lowered.modules["loops"], signature).call_flat(given)),
    ]
    expected = source()
    report = [StageResult("torch", True, "the source's meaning")]
    for stage, run in runs:
        given = [copied(v) for v in flat]
        DEFAULT.state = start
        set_random_state(start)
        wrong = structured_difference(expected, after(given, run(given)))
        report.append(StageResult(stage, wrong is None, wrong or "agrees"))
        if wrong is not None:
            break
    return report


class _Held:
    """The module's values as a run has left them (`LiveState`), for comparing: tensors are arrays."""

    def __init__(self, places: Places, signature: Signature, given: Sequence[Any], results: Sequence[Any]) -> None:
        self._places = places
        self._now: dict[int, Any] = {}
        """Tensors written in place, by identity."""
        for parameter, array in zip(signature.parameters, given, strict=True):
            if parameter.path is not None and parameter.write_back is not None:
                written = results[parameter.write_back]
                constant = value_at(located(parameter.path, places.attributes))
                self._now[identity(constant)] = array if written is None else written

    def tensor(self, index: int, array: Any) -> Any:
        del index
        return array

    def element(self, array: Any) -> Any:
        return array

    def kept(self, path: str) -> Any:
        return self.plain(value_at(located(path, self._places.attributes)))

    def container(self, identity: str, value: Any) -> Any:
        del identity
        return value

    def plain(self, value: Any) -> Any:
        match value:
            case Constant():
                return self._now.get(identity(value), value.array)
            case list():
                return [self.plain(v) for v in cast("list[Any]", value)]
            case tuple():
                return tuple(self.plain(v) for v in cast("tuple[Any, ...]", value))
            case dict():
                return {k: self.plain(v) for k, v in cast("dict[Any, Any]", value).items()}
            case ScriptObject() | torch_interpreter.Instance():
                return value.type.name
            case _:
                return value


def structured_difference(expected: Any, got: Any) -> str | None:
    """Like `difference`, for results with lists, tuples and dicts in them."""
    left, right = _flat(expected), _flat(got)
    if [shape for shape, _ in left] != [shape for shape, _ in right]:
        return "the result has another structure"
    pairs = [(x, y) for (shape, x), (_, y) in zip(left, right) if shape == "leaf"]
    return difference([x for x, _ in pairs], [y for _, y in pairs])


def _flat(value: Any, around: tuple[int, ...] = ()) -> list[tuple[str, Any]]:
    """Leaves, and what stands around them; `around`: the objects that it stands in, which it may lead back to."""
    match value:
        case list() | tuple():
            elements = cast("Sequence[Any]", value)
            inner = [part for e in elements for part in _flat(e, around)]
            return [(f"{type(elements).__name__} of {len(elements)}", None), *inner]
        case dict():
            entries = cast("dict[Any, Any]", value)
            return [(f"dict of {list(entries)}", None), *(part for e in entries.values() for part in _flat(e, around))]
        case None | str():
            return [(repr(value), None)]
        case Enum() | EnumMember():
            return [(f"member {value.name}", None)]
        case ObjectValue() | ScriptObject() | torch_interpreter.Instance():
            attributes = vars(value) if isinstance(value, ObjectValue) else value.attributes
            name = type(value).__name__ if isinstance(value, ObjectValue) else simple_name(value.type.name)
            if id(value) in around:
                return [(f"{name} number {around.index(id(value))}", None)]
            around = (*around, id(value))
            inner = [part for v in attributes.values() for part in _flat(v, around)]
            return [(f"{name} of {list(attributes)}", None), *inner]
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
        case dict():
            return {k: copied(v) for k, v in cast(dict[Any, Any], value).items()}
        case ScriptObject():
            return deepcopy(value, {id(value.type): value.type})
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
        wide = np.complex128 if x.dtype.name == "complex32" else np.float64
        x, y = (a.astype(wide) if a.dtype.kind not in "biuc" else a for a in (x, y))
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
