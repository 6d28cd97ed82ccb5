"""Machine code of a program in this process: from the cache if it was compiled before, else by `driver.py`.

Everything that only compiling needs is imported when something is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy.typing as npt

from ..backend.cpu import jit, stored
from ..backend.cpu.call import CompiledFunction
from ..backend.cpu.host import host
from ..ir import cache, records, tuned
from ..ir.collection import rarely_collected
from ..ir.diagnostics import CompileError, NotStatic
from ..ir.places import Places
from ..ir.program import Program, StateNeeded
from ..ir.signature import ArgumentSpec, Signature, StateSpec, has_columns
from .programs import content_of


def compile_native(
    program: Program, specs: Sequence[ArgumentSpec], state: Sequence[StateSpec] = ()
) -> tuple[CompiledFunction, Signature]:
    """The function for these specs. NotStatic where a run-time number has to be known at compile time.

    StateNeeded where the program changes attributes of its module that `state` does not declare.
    """
    key = _key(program, specs, state)
    if key is not None:
        try:
            found = stored.load(key)
        except stored.StateAt as needed:
            raise _state_needed(program, needed.paths) from None
        if found is not None:
            found.is_from_cache = True
            return found, found.signature
    with rarely_collected():
        return _compiled(program, specs, state, key)


def _compiled(
    program: Program, specs: Sequence[ArgumentSpec], state: Sequence[StateSpec], key: str | None
) -> tuple[CompiledFunction, Signature]:
    _begin_session()
    from .. import driver  # noqa: PLC0415 - all of the compiler: half a second that a hit does not need
    from ..lowering.loops.background import background, finish  # noqa: PLC0415

    keeper = stored.Keeper(key) if key is not None else None
    ahead = _Ahead(keeper)
    try:
        with background():  # weights are still being packed while LLVM works
            module = driver.translate_native(program, specs, state, ahead.begin)
            if keeper is None:
                finish()
                return jit.load(module, host()), module.signature
            function = jit.load(module, host(), ahead.place)
    except StateNeeded as needed:
        paths = _paths_of(program, needed)
        if key is not None and paths:
            stored.store_state(key, paths)
        raise
    except CompileError as error:
        if key is not None and (isinstance(error, NotStatic) or has_columns(specs)):
            stored.store_failure(key, error)  # something else is tried then
        raise
    keeper.store(module, host())
    return function, module.signature


class _Ahead:
    """Constants are hashed and written to the cache while the rest of the program is still being translated."""

    def __init__(self, keeper: stored.Keeper | None) -> None:
        self._keeper = keeper
        self._begun: tuple[Sequence[npt.NDArray[Any]], Future[str | None]] | None = None

    def begin(self, constants: Sequence[npt.NDArray[Any]], finish: Callable[[], None]) -> None:
        keeper = self._keeper
        if keeper is None or not constants:
            return

        def keep() -> str | None:
            finish()
            return keeper.keep(constants)

        pool = ThreadPoolExecutor(1, "torchcc-constants")
        self._begun = constants, pool.submit(keep)
        pool.shutdown(wait=False)

    def place(self, data: Mapping[str, npt.NDArray[Any]]) -> jit.Placed:
        assert self._keeper is not None
        arrays = list(data.values())
        if self._begun is not None:
            kept = self._begun[1].result()
            if _addresses(self._begun[0]) == _addresses(arrays):
                return self._keeper.place(data, kept)
        return self._keeper.place(data, self._keeper.keep(arrays))


def _addresses(arrays: Sequence[npt.NDArray[Any]]) -> list[tuple[int, int]]:
    return [(int(array.ctypes.data), array.nbytes) for array in arrays]


def _begin_session() -> None:
    """LLVM compiles the run time, where that is not cached, while Python works on the program."""
    pool = ThreadPoolExecutor(1, "torchcc-session")
    pool.submit(jit.session)  # whatever goes wrong comes up where the session is used
    pool.shutdown(wait=False)


def _state_needed(program: Program, paths: Sequence[str]) -> StateNeeded:
    assert program.receiver is not None
    attributes = Places(program.receiver).attributes
    return StateNeeded([attributes[p] for p in paths], {})


def _paths_of(program: Program, needed: StateNeeded) -> tuple[str, ...]:
    """The attributes behind what is needed; empty where one of them is not below the receiver."""
    if program.receiver is None:
        return ()
    places = Places(program.receiver)
    holders = list(needed.attributes)
    for tensor in needed.tensors:
        held = places.holders.get(tensor, [])
        if not held:
            return ()
        holders += held
    paths = {(id(owner), name): path for path, (owner, name) in places.attributes.items()}
    found = [paths.get((id(owner), name)) for owner, name in holders]
    return () if None in found else tuple(dict.fromkeys(p for p in found if p is not None))


def _key(program: Program, specs: Sequence[ArgumentSpec], state: Sequence[StateSpec]) -> str | None:
    """None where the cache is off, or the program or the specs mean nothing to another process."""
    if cache.cache_folder() is None:
        return None
    content = content_of(program, tuple(s.path for s in state))
    if content is None:
        return None
    try:
        return stored.key(content, records.to_text((tuple(specs), tuple(state))) + tuned.digest(host().facts), host())
    except records.NotStorable:
        return None
