"""Machine code of a program in this process: from the cache if it was compiled before, else by `driver.py`.

Everything that only compiling needs is imported when something is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ..backend.cpu import jit, stored
from ..backend.cpu.call import CompiledFunction
from ..backend.cpu.host import host
from ..ir import cache, records
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
    _begin_session()
    from .. import driver  # noqa: PLC0415 - all of the compiler: half a second that a hit does not need

    try:
        module = driver.translate_native(program, specs, state)
    except StateNeeded as needed:
        paths = _paths_of(program, needed)
        if key is not None and paths:
            stored.store_state(key, paths)
        raise
    except CompileError as error:
        if key is not None and (isinstance(error, NotStatic) or has_columns(specs)):
            stored.store_failure(key, error)  # something else is tried then
        raise
    if key is None:
        return jit.load(module, host()), module.signature
    keeper = stored.Keeper(key)
    function = jit.load(module, host(), keeper.place)
    keeper.store(module, host())
    return function, module.signature


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
        return stored.key(content, records.to_text((tuple(specs), tuple(state))), host())
    except records.NotStorable:
        return None
