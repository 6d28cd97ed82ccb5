"""`ScriptFunction`: a function or a method of a module as a callable that compiles itself for the arguments of a call.

A call is specialised for the dtype and shape of each tensor, the structure of tuples, the value of bools and None, and for
what the state of its module is (`state.py`); numbers, and lists, dicts and strings of any length (`choice.py`), stay run-time
values unless the program needs them at compile time. Specialisations are kept, the latest `MAX_SPECIALISATIONS` of them.
"""

from __future__ import annotations

import io
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Generic, TypeVar

from ..backend.cpu.call import CompiledFunction, SharedArguments, StridedArguments, read_only
from ..backend.cpu.direct import DirectCall, direct_call, flat_call
from ..ir.attributes import Constant
from ..ir.diagnostics import CompileError, ExecutionError, NotStatic
from ..ir.objects import PLAIN_OBJECTS
from ..ir.program import Program
from ..ir.schema import Argument, Schema
from ..ir.script_types import BOOL, FLOAT, INT, ScriptType
from ..ir.signature import (
    ArgumentSpec,
    ColumnsSpec,
    ConstantSpec,
    DictSpec,
    InstanceSpec,
    Presenting,
    ScalarSpec,
    SequenceSpec,
    Signature,
    StateSpec,
    TensorSpec,
    rebuild,
)
from ..ir.streaming import GrowingState
from . import generators, native
from .arguments import (
    Fixing,
    Specs,
    adapt,
    adapted,
    bind,
    check_fits,
    fitting,
    fixed,
    fixing_of,
    flat_values,
    shared_tensors,
    spec_of,
    strided_tensors,
)
from .choice import Choice
from .results import Finish, finisher
from .state import ModuleState, Plan

if TYPE_CHECKING:
    from ..frontend.ast import SourceModule
    from .graphs import Graph

MAX_SPECIALISATIONS: Final = 128
"""Of one function; the one that was not called for longest goes first."""

DIRECT_AFTER: Final = 8
"""Calls of a specialisation with plain arguments after which it gets a direct call (`backend/cpu/direct.py`)."""

MAX_DIRECT: Final = 4
"""Direct calls that are tried in turn before the general way."""

STATE_NUMBERS: Final[tuple[tuple[ScriptType, ...], ...]] = ((BOOL,), (BOOL, INT), (BOOL, INT, FLOAT))
"""Numbers in the state that are constants, as `NUMBERS_FIXED` for arguments; tried after those."""

STATE_NUMBERS_AHEAD: Final[tuple[tuple[ScriptType, ...], ...]] = ((), *STATE_NUMBERS)
"""The same for what is compiled once: its state is what a caller gives it."""

_UNFIXED: Final = (0, 0, None)

T = TypeVar("T")
_ticks = itertools.count()


class Specialisation:
    """A function compiled for one set of specs, and how it is given its state."""

    __slots__ = ("calls", "compiled", "finish", "is_direct", "last_used", "plan", "presenting", "signature")

    def __init__(
        self,
        compiled: CompiledFunction,
        signature: Signature,
        plan: Plan | None,
        finish: Finish | None = None,
        presenting: Presenting = PLAIN_OBJECTS,
    ) -> None:
        self.finish = finish
        self.presenting = presenting
        self.compiled = compiled
        self.signature = signature
        self.plan = plan
        self.last_used = 0
        self.calls = 0
        self.is_direct = True
        """Until it is known better: whether it can have a direct call."""

    def direct(self, specs: Specs, given: int) -> Direct | None:
        """A direct call, if arguments, state and results are of the plain kinds."""
        if self.plan is None and self.finish is None:
            plain = direct_call(self.compiled, specs, given)
            if plain is not None:
                return Direct(plain.stub, plain.plan, plain, None)
        made = flat_call(self.compiled, specs, given)
        return None if made is None else Direct(made.stub, made.plan, made, self)

    def finished(self, results: Sequence[Any]) -> Any:
        """What the caller gets for flat results."""
        result = rebuild(self.signature.tree, results, presenting=self.presenting)
        return result if self.finish is None else self.finish(result)

    def call(self, flat: Sequence[Any]) -> Any:
        """Under the lock of the module if there is a plan."""
        self.last_used = next(_ticks)
        if self.signature.prints and sys.stdout is not None:
            sys.stdout.flush()  # so that what Python printed before stands before what the program prints
        if self.plan is None:
            results = self.compiled.call_flat(flat)
        else:
            results, own = self.compiled.call_twofold([*flat, *self.plan.inputs()])
            self.plan.store(own)
        return self.finished(results)


@dataclass(frozen=True, slots=True)
class Direct:
    """A call by a stub (`backend/cpu/direct.py`)."""

    stub: Callable[[int, tuple[Any, ...]], Any]
    words: int
    """The address of its plan."""
    made: DirectCall
    entry: Specialisation | None
    """None: what the stub gives is the result; else it gives flat results, and takes the state behind the arguments."""
    state_level: int = 0
    mark: Any = None
    """Of the state that it is for."""


@dataclass(frozen=True)
class Settled(Generic[T]):
    """The specs that worked, and what was made for them."""

    specs: Specs
    result: T


class ScriptFunction:
    """A compiled function or method: called with numpy arrays, Python values, and anything that has `__dlpack__`.

    Calls of methods that change their module, or read what others change, run one after the other.
    """

    def __init__(
        self,
        program: Program,
        source: Callable[[], SourceModule] | None = None,
        state: ModuleState | None = None,
    ) -> None:
        self.program = program
        self._source = source
        self.state = state or ModuleState(lambda: program.receiver)
        """Shared by the methods of a module."""
        self._compiled: dict[tuple[Specs, tuple[StateSpec, ...]], Specialisation] = {}
        self._marked: dict[tuple[Specs, int, tuple[str, ...], Any], Specialisation] = {}
        """By marks of the state (`ModuleState.mark`)."""
        self._paths: dict[tuple[Specs, int], list[tuple[str, ...]]] = {}
        """Which attributes specialisations for these arguments need, by the index into `STATE_NUMBERS`."""
        self._fixed: dict[Specs, tuple[int, int, Fixing | None]] = {}
        """For specs that have failed: which lists and numbers have to be fixed, those of the state too."""
        self._version = self.state.version
        self._choice: Choice | None = None
        self._direct: tuple[Direct, ...] = ()
        """For the specialisations of this version that are called most, the latest first."""
        self.takes_generators = any(generators.takes(p.type) for p in program.schema.arguments)
        self.presenting: Presenting = PLAIN_OBJECTS
        """Whose classes results have."""

    @property
    def source(self) -> SourceModule | None:
        """The typed syntax tree of the file it comes from."""
        return None if self._source is None else self._source()

    @property
    def name(self) -> str:
        return self.program.schema.base

    @property
    def parameters(self) -> tuple[Argument, ...]:
        """What it takes, in order."""
        return self.program.schema.arguments

    @property
    def schema(self) -> Schema:
        """The signature; its text is as PyTorch prints it, with `self` for a method."""
        schema, receiver = self.program.schema, self.program.receiver
        own = () if receiver is None else (Argument("self", receiver.type, "self"),)
        return replace(schema, arguments=(*own, *schema.arguments))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{a.name}: {a.type.annotation}" for a in self.parameters)
        return f"<torchcc {self.name}({arguments})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._direct and not kwargs:
            result = self.call_directly(self._direct, args)
            if result is not NotImplemented:
                return result
        if self.takes_generators:
            with generators.lent(args, kwargs) as (own, own_kwargs):
                return self._call(own, own_kwargs)
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        values = adapted(self.parameters, self.bind(args, kwargs))
        specs = self.choice.specs(values)
        while True:
            try:
                return self.call_adapted(specs, values, None if kwargs else len(args))
            except (SharedArguments, StridedArguments) as found:
                # nothing was computed yet: what is special to these arguments is compiled for
                other = shared_tensors(values, specs) if isinstance(found, SharedArguments) else strided_tensors(values, specs)
                if other == specs:
                    raise
                specs = other

    def call_directly(self, directs: Sequence[Direct], args: tuple[Any, ...]) -> Any:
        """The result of the first of these that takes the arguments; NotImplemented if none does."""
        if self._version != self.state.version:
            return NotImplemented
        for direct in directs:
            result = direct.stub(direct.words, args) if direct.entry is None else self._call_flat(direct, direct.entry, args)
            if result is ...:
                error = direct.made.compiled.error()
                self._left_on_error(adapted(self.parameters, self.bind(args, {})))
                raise error
            if result is not NotImplemented:
                return result
        return NotImplemented

    def _call_flat(self, direct: Direct, entry: Specialisation, args: tuple[Any, ...]) -> Any:
        """As a stub: for results of any structure, and with the state of the module."""
        plan = entry.plan
        if plan is None:
            results = direct.stub(direct.words, args)
            return results if results is NotImplemented or results is ... else entry.finished(results)
        with self.state.lock:
            if self._version != self.state.version or self._mark(entry, direct.state_level) != direct.mark:
                return NotImplemented
            results = direct.stub(direct.words, (*args, *plan.inputs()))
            if results is NotImplemented:
                return results
            if results is ...:
                from .replay import replay  # noqa: PLC0415 - all of the compiler, which other calls do not need

                error = entry.compiled.error()
                replay(self.program, self.state, adapted(self.parameters, self.bind(args, {})))
                raise error
            plan.store(results)
            return entry.finished(results)

    def _mark(self, entry: Specialisation, state_level: int) -> Any:
        receiver = self.program.receiver
        used = entry.signature.used
        return None if receiver is None else self.state.mark(receiver, used, STATE_NUMBERS[state_level])

    @property
    def choice(self) -> Choice:
        """Decides what calls are specialised for."""
        if self._choice is None:
            self._choice = Choice([p.type for p in self.parameters])
        return self._choice

    def call_adapted(self, specs: Specs, values: Sequence[Any], given: int | None = None) -> Any:
        """A call with values that `adapted` gave, specialised for `specs`; the first `given` stood in the call, in order."""
        if self._version == self.state.version:
            _, state_level, fixing = self._fixed.get(specs, _UNFIXED)
            chosen = specs if fixing is None else fixed(specs, values, fixing)
            found = self._compiled.get((chosen, ()))
            if found is not None and not state_level:
                self._note_call(found, chosen, given, 0)
                try:
                    return found.call(flat_values(values, chosen))
                except ExecutionError:
                    self._left_on_error(values)
                    raise
        with self.state.lock:
            chosen, found = self.entry(specs, values, learns=True)
            self._note_call(found, chosen, given, self._fixed.get(specs, _UNFIXED)[1])
            return self.run(found, chosen, values)

    def _note_call(self, entry: Specialisation, specs: Specs, given: int | None, state_level: int) -> None:
        """What is called often gets a direct call; the one that was not needed for longest goes."""
        entry.calls += 1
        if entry.calls % DIRECT_AFTER or given is None or not entry.is_direct:
            return
        with self.state.lock:
            made = self.direct(entry, specs, given, state_level)
            entry.is_direct = made is not None
            if made is not None and self._version == self.state.version:
                self._direct = (made, *self._direct)[:MAX_DIRECT]

    def direct(self, entry: Specialisation, specs: Specs, given: int, state_level: int) -> Direct | None:
        """A direct call for the first `given` arguments and the state that there is now. Under the lock of the module."""
        found = entry.direct(specs, given)
        if found is None or entry.plan is None:
            return found
        return replace(found, state_level=state_level, mark=self._mark(entry, state_level))

    def _left_on_error(self, values: Sequence[Any]) -> None:
        """What contexts do when an error leaves them, see `replay.py`."""
        from .replay import leaves_contexts, replay  # noqa: PLC0415 - all of the compiler, which other calls do not need

        if leaves_contexts(self.program):
            with self.state.lock:
                replay(self.program, self.state, values)

    def run(self, entry: Specialisation, chosen: Specs, values: Sequence[Any]) -> Any:
        """A call under the lock of the module. One that raises keeps the writes made before that, see `replay.py`."""
        try:
            return entry.call(flat_values(values, chosen))
        except (SharedArguments, StridedArguments):
            raise  # before anything was computed
        except ExecutionError:
            if entry.plan is not None:
                from .replay import replay  # noqa: PLC0415 - all of the compiler, which other calls do not need

                replay(self.program, self.state, values)
            else:
                self._left_on_error(values)
            raise

    def chosen(self, chosen: Specs, state_level: int) -> Specialisation:
        """The specialisation for exactly these specs, in which numbers are fixed already."""
        with self.state.lock:
            self._refresh()
            return self._at(chosen, state_level) or self._specialised(chosen, state_level)

    def call_chosen(self, chosen: Specs, values: Sequence[Any], state_level: int) -> Any:
        """A call for exactly these specs."""
        with self.state.lock:
            found = self.chosen(chosen, state_level)
            if found.plan is not None:
                return self.run(found, chosen, values)
        try:
            return found.call(flat_values(values, chosen))
        except ExecutionError:
            self._left_on_error(values)
            raise

    def compile(self, *specs: Any, **named: Any) -> CompiledCall:
        """Compiles before the first call, and for dynamic dimensions: one spec for each parameter.

        A spec is a `TensorSpec`, or a value as a call would take it (an array stands for its dtype and shape).
        Parameters that are left out are fixed to their defaults.

            normalise = fn.compile(x=torchcc.TensorSpec(torchcc.float32, (torchcc.Dim("rows"), 64)))
        """
        found: list[ArgumentSpec] = []
        values: list[Any] = []
        for given, parameter in zip(self.bind(specs, named), self.parameters, strict=True):
            left_out = parameter.name not in named and len(found) >= len(specs)
            spec, value = _wanted_spec(given, parameter, left_out=left_out)
            found.append(spec)
            values.append(value)
        return self.compiled_call(tuple(found), values)

    def compiled_call(self, specs: Specs, values: Sequence[Any]) -> CompiledCall:
        """Compiled for these specs, numbers fixed to `values` where the program needs that."""
        with self.state.lock:
            chosen, entry = self.entry(specs, values)
            return CompiledCall(self, chosen, entry, self._fixed.get(specs, _UNFIXED)[1])

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """One value per parameter, defaults filled in. CompileError for a call that does not fit."""
        return bind(self.program, args, kwargs)

    def specialise(self, specs: Sequence[ArgumentSpec]) -> tuple[CompiledFunction, Signature]:
        """The native function for exactly these specs and the state there is, compiled on first use."""
        key = tuple(specs)
        with self.state.lock:
            self._refresh()
            found = self._at(key, 0) or self._specialised(key, 0)
            return found.compiled, found.signature

    def settled(
        self,
        specs: Specs,
        values: Sequence[Any],
        work: Callable[[Specs, tuple[StateSpec, ...]], tuple[T, Signature | None]],
    ) -> Settled[T]:
        """`work(specs, state)` with the state that the function needs, and with numbers as constants where it needs that.

        `work` gives a result, and the signature if there is one.
        """

        def attempt(chosen: Specs, state_level: int) -> T:
            while True:
                try:
                    return self._settle(lambda: work(chosen, self._specs_of_state(state_level, STATE_NUMBERS_AHEAD)))[0]
                except GrowingState as error:
                    receiver = self.program.receiver
                    if receiver is None or not self.state.open_lengths(receiver, error.paths):
                        raise

        with self.state.lock:
            _, _, chosen, found = self._fitted(specs, values, attempt, (0, 0), STATE_NUMBERS_AHEAD)
            return Settled(chosen, found)

    # methods of modules

    def state_dict(self) -> dict[str, Any]:
        """Parameters and buffers of the module by name, as read-only arrays; empty for a function.

        A tensor that no operator takes (quantized, sparse) comes as the `ForeignTensor` that it is.
        """
        receiver = self.program.receiver
        tensors: Mapping[str, Any] = {} if receiver is None else receiver.named_tensors()
        return {n: read_only(t.array) if isinstance(t, Constant) else t for n, t in tensors.items()}

    def train(self, mode: bool = True) -> ScriptFunction:
        """Switches the module and all below it to training; calls are compiled anew."""
        with self.state.lock:
            if self.program.receiver is not None and self.program.receiver.set_training(mode):
                self.state.changed()
        return self

    def eval(self) -> ScriptFunction:
        """Switches the module to evaluation, which is what it starts with."""
        return self.train(False)

    def save(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        extra_files: Mapping[str, str | bytes] | None = None,
        *,
        _extra_files: Mapping[str, str | bytes] | None = None,
    ) -> None:
        """Writes an archive: see `torchcc.save`."""
        from ..frontend.archive.writer import save  # noqa: PLC0415 - most processes write none

        with self.state.lock:
            save(self.program, file, _extra_files if extra_files is None else extra_files)

    def save_to_buffer(
        self, extra_files: Mapping[str, str | bytes] | None = None, *, _extra_files: Mapping[str, str | bytes] | None = None
    ) -> bytes:
        """The archive's bytes."""
        buffer = io.BytesIO()
        self.save(buffer, extra_files, _extra_files=_extra_files)
        return buffer.getvalue()

    # text

    @property
    def graph(self) -> Graph:
        """The graph as it was written, before it is specialised, as PyTorch prints it: a string that can be asked for its nodes."""
        return self._shown_graph(inlined=False)

    @property
    def inlined_graph(self) -> Graph:
        """The graph with the functions and methods that it calls inlined."""
        return self._shown_graph(inlined=True)

    def _shown_graph(self, *, inlined: bool) -> Graph:
        from ..lowering.graph.inline_calls import shown_graph  # noqa: PLC0415 - part of the compiler, which calls may not need
        from .graphs import Graph  # noqa: PLC0415 - see above

        return Graph(shown_graph(self.program, inlined=inlined))

    @property
    def code(self) -> str:
        """The function as TorchScript, as PyTorch prints it: with everything said that the source left open."""
        return self._shown_code()[0]

    @property
    def code_with_constants(self) -> tuple[str, SimpleNamespace]:
        """`code`, and the tensors that it calls `CONSTANTS.c0`, ... as attributes `c0`, ..."""
        text, constants = self._shown_code()
        return text, SimpleNamespace(**{f"c{i}": read_only(c.array) for i, c in enumerate(constants)})

    def _shown_code(self) -> tuple[str, Sequence[Constant]]:
        from ..ir.torchscript.printer import code_and_constants  # noqa: PLC0415 - part of the compiler, which calls may not need
        from ..lowering.graph.pytorch_form import to_pytorch_form  # noqa: PLC0415 - see above

        return code_and_constants(self.program, to_pytorch_form)

    @property
    def qualified_name(self) -> str:
        """The name in graphs: `__torch__.f`, `__torch__.Net.forward`."""
        receiver = self.program.receiver
        return f"__torch__.{self.name}" if receiver is None else f"{receiver.type.name}.{self.name}"

    def graph_for(self, *args: Any, **kwargs: Any) -> str:
        """The graph that a call with these arguments is compiled from: the stage `torch`, nothing of it is run."""
        from ..driver import dump  # noqa: PLC0415 - see above

        values = adapted(self.parameters, self.bind(args, kwargs))
        specs = self.choice.specs(values)
        return self.settled(specs, values, lambda own, state: (dump(self.program, own, "torch", state=state), None)).result

    # specialisations

    def entry(self, specs: Specs, values: Sequence[Any], *, learns: bool = False) -> tuple[Specs, Specialisation]:
        """The specialisation for a call, compiled if there is none, and its specs with numbers fixed as it needs them.

        `learns`: where there is none, other specs may be chosen, seen what was compiled before (`choice.py`).
        """
        with self.state.lock:
            self._refresh()
            level, state_level, fixing = self._fixed.get(specs, _UNFIXED)
            chosen = specs if fixing is None else fixed(specs, values, fixing)
            found = self._at(chosen, state_level)
            if found is not None:
                return chosen, found
            other = self.choice.missed(specs, values) if learns else specs
            if other != specs:
                return self.entry(other, values)
            level, state_level, chosen, found = self._fitted(specs, values, self._specialised, (level, state_level))
            self._fixed[specs] = (level, state_level, fixing_of(specs, level))
            return chosen, found

    def accept(self, signature: Signature) -> None:
        """For `work` of `settled` that has several signatures: StateNeeded or CompileError where one cannot be."""
        if signature.used and self.program.receiver is not None:
            self.state.accept(self.program.receiver, signature)

    def _fitted(
        self,
        specs: Specs,
        values: Sequence[Any],
        attempt: Callable[[Specs, int], T],
        start: tuple[int, int],
        levels: Sequence[tuple[ScriptType, ...]] = STATE_NUMBERS,
    ) -> tuple[int, int, Specs, T]:
        """`fitting` with the arguments, and where that does not help, with numbers of the state as constants too."""
        level, state_level = start
        while True:
            try:
                level, chosen, found = fitting(partial(_swapped, attempt, state_level), specs, values, level)
                return level, state_level, chosen, found
            except NotStatic:
                state_level += 1
                if state_level == len(levels) or self._specs_of_state(len(levels) - 1, levels) == self._specs_of_state(
                    state_level - 1, levels
                ):
                    raise
                level = 0

    def _refresh(self) -> None:
        """Forgets what was compiled for other constants."""
        if self._version != self.state.version:
            self._compiled.clear()
            self._direct = ()
            self._marked.clear()
            self._paths.clear()
            self._version = self.state.version

    def _at(self, chosen: Specs, state_level: int) -> Specialisation | None:
        """What was compiled for these specs and the state there is."""
        for paths in self._paths.get((chosen, state_level), ()):
            # looked up by what is cheap to find out; specs are made where that was never seen
            receiver = self.program.receiver if paths else None
            mark = () if receiver is None else self.state.mark(receiver, paths, STATE_NUMBERS[state_level])
            key = (chosen, state_level, paths, mark)
            found = self._marked.get(key)
            if found is None:
                found = self._compiled.get((chosen, self._specs_of(paths, state_level)))
                if found is None:
                    continue
                if len(self._marked) >= MAX_SPECIALISATIONS:
                    self._marked.clear()
                self._marked[key] = found
            return found
        return None

    def _specs_of(
        self, paths: tuple[str, ...], state_level: int, levels: Sequence[tuple[ScriptType, ...]] = STATE_NUMBERS
    ) -> tuple[StateSpec, ...]:
        receiver = self.program.receiver if paths else None
        return () if receiver is None else self.state.specs(receiver, paths, levels[state_level])

    def _specs_of_state(
        self, state_level: int, levels: Sequence[tuple[ScriptType, ...]] = STATE_NUMBERS
    ) -> tuple[StateSpec, ...]:
        receiver = self.program.receiver if self.state.slots else None
        return () if receiver is None else self._specs_of(self.state.paths(receiver), state_level, levels)

    def _settle(self, attempt: Callable[[], tuple[T, Signature | None]]) -> tuple[T, Signature | None]:
        return self.state.settle(lambda: self.program.receiver, attempt)

    def _specialised(self, chosen: Specs, state_level: int) -> Specialisation:
        """Compiles for these arguments and the state there is."""
        if self.state.slots and self.program.receiver is not None:
            self.state.watch_shapes(self.program.receiver, (id(self), chosen))
        try:
            return self._compile(chosen, state_level)
        except CompileError as error:
            if not self.state.has_dynamic or (isinstance(error, NotStatic) and not self.state.has_any_length):
                raise
            self.state.is_static = True
            return self._compile(chosen, state_level)

    def _compile(self, chosen: Specs, state_level: int) -> Specialisation:
        compiled, signature = self._settle(
            lambda: native.compile_native(self.program, chosen, self._specs_of_state(state_level))
        )
        assert signature is not None
        self._refresh()
        receiver = self.program.receiver if signature.used else None
        plan = None if receiver is None else self.state.plan(receiver, signature)
        returns = self.program.schema.returns
        finish = finisher(returns[0].type) if len(returns) == 1 else None
        entry = Specialisation(compiled, signature, plan, finish, self.presenting)
        if len(self._compiled) >= MAX_SPECIALISATIONS:
            del self._compiled[min(self._compiled, key=lambda k: self._compiled[k].last_used)]
            self._marked.clear()
        known = self._paths.setdefault((chosen, state_level), [])
        if signature.used not in known:
            known.append(signature.used)
        self._compiled[chosen, self._specs_of(signature.used, state_level)] = entry
        return entry


def _swapped(attempt: Callable[[Specs, int], T], state_level: int, specs: Specs) -> T:
    return attempt(specs, state_level)


class CompiledCall:
    """A function compiled for one set of specs: calls refuse arguments that do not fit.

    They do not compile, unless attributes of the module were set since, or its state has another structure now.
    """

    def __init__(self, function: ScriptFunction, specs: Specs, entry: Specialisation, state_level: int) -> None:
        self.function = function
        self.specs = specs
        self.signature = entry.signature
        self.is_from_cache = entry.compiled.is_from_cache
        self._state_level = state_level
        self._calls = 0
        self._direct: tuple[Direct, ...] = ()
        self._version = function.state.version

    def __repr__(self) -> str:
        return f"<torchcc {self.function.name} for {', '.join(map(str, self.specs))}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._direct and not kwargs and self._version == self.function.state.version:
            result = self.function.call_directly(self._direct, args)
            if result is not NotImplemented:
                return result
        self._calls += 1
        if not self._calls % DIRECT_AFTER and not kwargs:
            self._refresh_direct(len(args))
        parameters = self.function.parameters
        defaults = {p.name: s.value for p, s in zip(parameters, self.specs, strict=True) if isinstance(s, ConstantSpec)}
        given = {p.name for p in parameters[: len(args)]} | set(kwargs)
        kwargs = {**{k: v for k, v in defaults.items() if k not in given}, **kwargs}
        if self.function.takes_generators:
            with generators.lent(args, kwargs) as (own, own_kwargs):
                return self._call(own, own_kwargs)
        return self._call(args, kwargs)

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        values = adapted(self.function.parameters, self.function.bind(args, kwargs))
        for value, spec, parameter in zip(values, self.specs, self.function.parameters, strict=True):
            check_fits(value, spec, parameter.name)
        return self.function.call_chosen(self.specs, values, self._state_level)

    def _refresh_direct(self, given: int) -> None:
        """For the state that there is now."""
        with self.function.state.lock:
            entry = self.function.chosen(self.specs, self._state_level)
            made = self.function.direct(entry, self.specs, given, self._state_level)
            self._direct, self._version = () if made is None else (made,), self.function.state.version


def _wanted_spec(given: Any, parameter: Argument, *, left_out: bool) -> tuple[ArgumentSpec, Any]:
    """What `compile` was given for a parameter, as a spec and a value for it."""
    if isinstance(given, TensorSpec | ScalarSpec | SequenceSpec | DictSpec | InstanceSpec | ColumnsSpec):
        return given, None
    if isinstance(given, ConstantSpec):
        return given, given.value
    value = adapt(given, parameter.type, parameter.name)
    return (ConstantSpec(value) if left_out else spec_of(value, parameter.type)), value


def prepared(function: ScriptFunction, specs: Sequence[ArgumentSpec], values: Sequence[Any]) -> Callable[[], Any]:
    """Compiles for these specs (numbers become constants if the program needs that); the call that runs the values.

    For a method that changes its module each run is one more call of it.
    """
    arguments = adapted(function.parameters, values)
    chosen = tuple(specs)
    function.entry(chosen, arguments)

    def run() -> Any:
        with function.state.lock:
            fitted, entry = function.entry(chosen, arguments)
            return function.run(entry, fitted, arguments)

    return run
