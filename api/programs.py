"""Programs of source files, texts and archives, made by the frontend when they are first looked into.

What a program is made from is hashed: the files, the entry, the weights, the compiler itself. Where a program of the same
content was made before, its interface (name, parameters, defaults) is on disk, and that is all that calling machine code
from the cache (`native.py`) needs: the file is neither parsed nor checked then. With the cache off nothing is put off.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..ir import cache, records
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.program import Origin, Program, attribute_marks
from ..ir.schema import Schema

Files = Mapping[str, str | None]
"""Further files that were looked for while a program was made, and the hash of each, None for one that is not there."""


class DeferredProgram(Program):
    """A program of which only the interface is known; the rest is made when it is asked for."""

    def __init__(
        self, schema: Schema, content: str, make: Callable[[], Program], is_method: bool = False, has_hooks: bool = False
    ) -> None:
        self.schema = schema
        self.content = content
        self.is_method = is_method
        self.has_hooks = has_hooks
        self._make: Callable[[], Program] | None = make
        self._lock = threading.RLock()

    @property
    def is_made(self) -> bool:
        return self._make is None

    def __getattribute__(self, name: str) -> Any:
        # The fields have defaults in the class, which `__getattr__` would not be asked for.
        if name in _MADE and object.__getattribute__(self, "_make") is not None:
            self._fill()
        return object.__getattribute__(self, name)

    def _fill(self) -> None:
        with self._lock:
            make = self._make
            if make is not None:
                made = make()
                self._make = None
                vars(self).update({k: v for k, v in vars(made).items() if k != "schema"})


_MADE = frozenset({"module", "entry", "receiver", "methods", "origin"})


def is_method(program: Program) -> bool:
    """Whether the program is bound to a module."""
    if isinstance(program, DeferredProgram) and not program.is_made:
        return program.is_method
    return program.receiver is not None


def has_hooks(program: Program) -> bool:
    """Whether a call of the module that the program is bound to runs more than its `forward`."""
    if isinstance(program, DeferredProgram) and not program.is_made:
        return program.has_hooks
    return program.methods is not None and program.receiver is not None and any(program.methods.hook_names(program.receiver.type))


def content_of(program: Program, changing: tuple[str, ...] = ()) -> str | None:
    """Hash of what the program is, attributes at the paths `changing` aside; None where that is not known.

    Attributes that were set since it was made make it another program, of which nothing is known.
    """
    if isinstance(program, DeferredProgram) and not program.is_made:
        return program.content
    origin = program.origin
    return origin.content if origin is not None and origin.holds(program, changing) else None


def source_program(
    path: str | Path,
    entry: str | None,
    weights: str | Path | None,
    seed: int | None,
    make: Callable[[], tuple[Program, Files]],
) -> Program:
    """The program of a source file; `make` compiles it. `weights` is a file, None for default initialisation."""

    def name() -> str:
        file = cache.file_digest(path)
        weight_file = "" if weights is None else cache.file_digest(weights)
        place = os.path.abspath(path)  # what it imports stands beside it
        return cache.key("source", cache.compiler(), str(path), place, file, repr(entry), weight_file, repr(seed))

    return _program(name, str(path), make)


def archive_program(path: str | Path, method: str, make: Callable[[], Program]) -> Program:
    """The program of an archive's method; `make` reads it."""

    def name() -> str:
        return cache.key("archive", cache.compiler(), str(path), cache.file_digest(path), method)

    return _program(name, str(path), lambda: (make(), {}))


def text_programs(text: str, name: str, make: Callable[[], Mapping[str, Program]]) -> Mapping[str, Program]:
    """Every function of a source text by name; `make` compiles all of them. The text has no file to import from."""
    if cache.cache_folder() is None:
        return make()
    key = cache.key("text", cache.compiler(), name, text)
    made: dict[str, Program] = {}
    lock = threading.Lock()

    def one(function: str) -> Program:
        with lock:
            if not made:
                made.update(_with_origins(make(), key))
        return made[function]

    found = _interface(key)
    if isinstance(found, dict):
        schemas = cast("dict[str, Schema]", found)
        return {n: DeferredProgram(s, cache.key(key, n), partial(one, n)) for n, s in schemas.items()}
    made.update(_with_origins(make(), key))
    _keep_interface(key, {n: p.schema for n, p in made.items()})
    return made


def _with_origins(programs: Mapping[str, Program], key: str) -> Mapping[str, Program]:
    for name, program in programs.items():
        program.origin = Origin(cache.key(key, name), attribute_marks(program.receiver))
    return programs


def _program(name: Callable[[], str], path: str, make: Callable[[], tuple[Program, Files]]) -> Program:
    """The program behind a key: deferred if its interface is known and its further files are as they were."""
    try:
        key = name() if cache.cache_folder() is not None else None
    except OSError:
        key = None  # the frontend says what is wrong with the file
    if key is None:
        return make()[0]

    def again() -> Program:
        try:
            is_same = name() == key
        except OSError:
            is_same = False
        if not is_same:
            raise CompileError(Diagnostic(f"`{path}` or its weights have changed since they were loaded", help="load the file again"))
        return _made(key, make)[0]

    found = _interface(key)
    if isinstance(found, tuple):
        schema, files, bound, hooks = cast("tuple[Schema, Files, bool, bool]", found)
        if all(_digest(p) == d for p, d in files.items()):
            return DeferredProgram(schema, _content(key, files), again, bound, hooks)
    program, files = _made(key, make)
    _keep_interface(key, (program.schema, dict(files), is_method(program), has_hooks(program)))
    return program


def _made(key: str, make: Callable[[], tuple[Program, Files]]) -> tuple[Program, Files]:
    program, files = make()
    program.origin = Origin(_content(key, files), attribute_marks(program.receiver))
    return program, files


def _content(key: str, files: Files) -> str:
    return cache.key("content", key, repr(sorted(files.items())))


def _digest(path: str) -> str | None:
    try:
        return cache.file_digest(path)
    except OSError:
        return None


def _interface(key: str) -> Any:
    data = cache.load(key)
    if data is None:
        return None
    try:
        return records.from_text(data)
    except records.NotReadable:
        return None


def _keep_interface(key: str, interface: Any) -> None:
    try:
        cache.store(key, records.to_text(interface).encode())
    except records.NotStorable:  # a class of the program is the type of a parameter: nothing is put off then
        return
