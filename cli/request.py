"""What a command was asked for: which program, with which inputs; turned into programs, specs and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import api
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.schema import Argument
from ..ir.script_types import STR, DictType, ListType, OptionalType, ScriptType, StrType, TupleType
from ..ir.signature import ArgumentSpec, ColumnsSpec, ConstantSpec, DictSpec, SequenceSpec, StateSpec, TensorSpec
from .console import note, waiting
from .inputs import Input, OpenList, OpenText, Unread, by_name, parse_input_or_text

T = TypeVar("T")

_ARCHIVES = (".pt", ".pth", ".ptl", ".jit")


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
        path, entry = model.removesuffix(":"), None
        for suffix in (".py", *_ARCHIVES):
            head, found, rest = model.partition(f"{suffix}:")
            if found and rest:
                path, entry = head + suffix, rest
                break
        return Request(path, entry, tuple(map(parse_input_or_text, inputs)), weights, seed, threads)

    @property
    def is_archive(self) -> bool:
        return Path(self.path).suffix in _ARCHIVES

    @cached_property
    def callable(self) -> api.ScriptFunction:
        """The program, parsed and type-checked."""
        if self.is_archive:
            if self.weights is not None:
                raise CompileError(Diagnostic("an archive brings its own weights", help="leave --weights out"))
            return waiting("reading", lambda: api.load(self.path, self.entry or "forward"))
        found = waiting("reading", lambda: api.compile_file(self.path, self.entry, weights=self.weights, seed=self.seed))
        return found.forward if isinstance(found, api.ScriptModule) else found

    @cached_property
    def by_parameter(self) -> dict[str, Input]:
        """The inputs given, by parameter. CompileError where they do not fit the program."""
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
            example = " ".join(f"--input {_quoted(f'{a.name}={_example(a.type)}')}" for a in missing)
            raise CompileError(Diagnostic(f"{self.callable.name} needs a value for {listed}", help=f"for example {example}"))
        found = {name: _as_text(i) if _takes_text(parameters[name]) else i for name, i in given.items()}
        for unread in (i.content for i in found.values() if isinstance(i.content, Unread)):
            raise unread.error
        return found

    @cached_property
    def specs(self) -> list[ArgumentSpec]:
        """What the program is specialised for."""
        return [self._spec(a, example) for a, example in zip(self.callable.parameters, self.examples, strict=True)]

    def _spec(self, parameter: Argument, example: Any) -> ArgumentSpec:
        if parameter.name not in self.by_parameter:
            return ConstantSpec(parameter.default)
        given = self.by_parameter[parameter.name]
        if isinstance(given.content, OpenText) and _takes_text(parameter):
            return ColumnsSpec(STR)
        if isinstance(given.content, OpenList):
            return _open_spec(given, parameter, example)
        return _with_dims(api.spec_of(example, parameter.type), given.spec())

    @cached_property
    def examples(self) -> list[Any]:
        """One value per parameter, as a call would check and adapt it: numbers as given, tensors that take no memory."""
        given = self.by_parameter
        values = [given[a.name].example() if a.name in given else a.default for a in self.callable.parameters]
        return api.adapted(self.callable.parameters, values)

    @cached_property
    def values(self) -> list[Any]:
        """One value per parameter, random ones from the seed."""
        given = self.by_parameter
        return [
            given[a.name].value(np.random.default_rng([self.seed, position])) if a.name in given else a.default
            for position, a in enumerate(self.callable.parameters)
        ]

    def compiled(self, work: Callable[[Sequence[ArgumentSpec], Sequence[StateSpec]], T]) -> T:
        """`work(specs, state)` with a spinner; says so where numbers had to become constants.

        `state` is what the module keeps between calls.
        """
        function, wanted = self.callable, tuple(self.specs)
        settled = waiting(
            "compiling", lambda: function.settled(wanted, self.examples, lambda specs, state: (work(specs, state), None))
        )
        self._note_fixed(settled.specs)
        return settled.result

    def call(self) -> tuple[Callable[[], Any], bool]:
        """The program as native code, bound to the values, each call after the one before it; whether it was in the cache."""
        values = self.values
        call = waiting("compiling", lambda: self.callable.compiled_call(tuple(self.specs), self.examples))
        self._note_fixed(call.specs)
        return lambda: call(*values), call.is_from_cache

    def _note_fixed(self, specs: Sequence[ArgumentSpec]) -> None:
        parameters = zip(self.callable.parameters, self.specs, specs, strict=True)
        fixed = [f"`{p.name}`" for p, wanted, got in parameters if wanted != got]
        if fixed:
            note(f"note: fixed at compile time: {', '.join(fixed)}")


def _open_spec(given: Input, parameter: Argument, example: Any) -> ArgumentSpec:
    """`[..., ...]`: a list of any length."""
    declared = parameter.type.element if isinstance(parameter.type, OptionalType) else parameter.type
    found = api.form(declared, [example]) if isinstance(declared, ListType) else None
    if found is None:
        message = f"--input {given.name}: {declared.annotation} cannot be given at run time, whatever its length"
        raise CompileError(Diagnostic(message, help="elements are numbers, tensors of one dtype and rank, and lists of these"))
    return ColumnsSpec(found)


def _with_dims(spec: ArgumentSpec, given: ArgumentSpec) -> ArgumentSpec:
    """`spec`, which stands for a value, with the named dimensions of what was given."""
    match spec, given:
        case TensorSpec(), TensorSpec():
            return given
        case SequenceSpec(), SequenceSpec():
            return replace(spec, elements=tuple(map(_with_dims, spec.elements, given.elements)))
        case DictSpec(), DictSpec():
            return replace(spec, values=tuple(map(_with_dims, spec.values, given.values)))
        case _:
            return spec


def _takes_text(parameter: Argument) -> bool:
    declared = parameter.type
    return isinstance(declared, StrType) or (isinstance(declared, OptionalType) and isinstance(declared.element, StrType))


def _as_text(given: Input) -> Input:
    """What is given for a string is that text: `mode=3`, `flag=true`."""
    return given if isinstance(given.content, str) or given.text.lower() == "none" else replace(given, content=given.text)


def _example(type: ScriptType) -> str:
    match type:
        case OptionalType():
            return _example(type.element)
        case ListType():
            return f"[{_example(type.element)}]"
        case TupleType():
            return f"({','.join(map(_example, type.elements))})"
        case DictType():
            return f"{{{_example(type.key)}: {_example(type.value)}}}"
        case _:
            return {"Tensor": "f32[2,3]", "int": "3", "float": "0.5", "bool": "true", "str": "text"}.get(type.annotation, "...")


def _quoted(text: str) -> str:
    """As a shell takes it."""
    return f'"{text}"' if set("({ ") & set(text) else text
