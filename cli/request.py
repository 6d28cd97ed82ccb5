"""What a command was asked for: which program, with which inputs; turned into programs, specs and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console

from .. import api
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.signature import ArgumentSpec, ConstantSpec
from .inputs import Input, by_name, parse_input

out = Console(highlight=False)
status = Console(stderr=True)

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """`model` split into file and entry, and the rest as given."""

    path: str
    entry: str | None
    inputs: tuple[Input, ...]
    weights: Path | None
    seed: int
    threads: int | None

    @staticmethod
    def of(model: str, inputs: Sequence[str], weights: Path | None, seed: int, threads: int | None) -> Request:
        path, _, entry = model.partition(".py:")
        path = f"{path}.py" if entry else model
        return Request(path, entry or None, tuple(map(parse_input, inputs)), weights, seed, threads)

    @cached_property
    def callable(self) -> api.Callable_:
        """The program, parsed and type-checked."""
        return waiting("reading", lambda: api.compile_file(self.path, self.entry, weights=self.weights, seed=self.seed))

    @cached_property
    def _by_parameter(self) -> dict[str, Input]:
        given = dict(by_name(self.inputs))
        parameters = {a.name: a for a in self.callable.parameters}
        unknown = [n for n in given if n not in parameters]
        if unknown:
            raise CompileError(
                Diagnostic(f"--input {unknown[0]}: {self.callable.name} has no such parameter", help=f"it takes {', '.join(parameters) or 'none'}")
            )
        missing = [a for a in parameters.values() if a.name not in given and not a.has_default]
        if missing:
            listed = ", ".join(f"`{a.name}: {a.type.annotation}`" for a in missing)
            example = " ".join(f"--input {a.name}={_example(a.type.annotation)}" for a in missing)
            raise CompileError(Diagnostic(f"{self.callable.name} needs a value for {listed}", help=f"for example {example}"))
        return given

    @cached_property
    def specs(self) -> list[ArgumentSpec]:
        """What the program is specialised for."""
        given = self._by_parameter
        result: list[ArgumentSpec] = []
        for a in self.callable.parameters:
            if a.name in given:
                # Checked as a call would check it, on the value that a run would use.
                value = api.adapt(self.value(a.name), a.type, a.name)
                spec = given[a.name].spec()
                result.append(api.spec_of(value) if isinstance(value, float | bool) else spec)
            else:
                result.append(ConstantSpec(a.default))
        return result

    @cached_property
    def values(self) -> list[Any]:
        """One value per parameter, random ones from the seed."""
        given = self._by_parameter
        return [self.value(a.name) if a.name in given else a.default for a in self.callable.parameters]

    def value(self, name: str) -> Any:
        position = [a.name for a in self.callable.parameters].index(name)
        return self._by_parameter[name].value(np.random.default_rng([self.seed, position]))


def _example(annotation: str) -> str:
    return {"Tensor": "f32[2,3]", "int": "3", "float": "0.5", "bool": "true", "str": '"text"'}.get(annotation, "...")


def waiting(what: str, work: Callable[[], T]) -> T:
    """Runs `work`; a terminal sees a spinner meanwhile."""
    if not status.is_terminal:
        return work()
    with status.status(what):
        return work()
