"""Which functions a program with state needs ahead of time: one for each structure that its state can have.

A specialised function takes state of one structure: dtypes and ranks of tensors, lengths of lists, None or not. The state
that it leaves may have another one, which the next call starts from. `Steps` finds them one after the other, from the state
that the module starts with; extents that change from call to call become dynamic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from .diagnostics import CompileError, Diagnostic, NotStatic
from .script_types import BOOL, FLOAT, INT, TensorType
from .signature import (
    ArgumentSpec,
    ColumnsSpec,
    ConstantResult,
    ConstantSpec,
    DictResult,
    DictSpec,
    Dim,
    EnumResult,
    InstanceSpec,
    KeptResult,
    Leaf,
    ListResult,
    ObjectResult,
    ResultTree,
    ScalarSpec,
    SequenceResult,
    SequenceSpec,
    Signature,
    StateSpec,
    StringResult,
    TableResult,
    TensorSpec,
    ValueResult,
    VariantResult,
    kept_paths,
    leaf_numbers,
)


class GrowingState(CompileError):
    """The state never comes to have a structure that it has had: attributes at `paths` are to be given at run time.

    Where they cannot be, it is an error like any other.
    """

    def __init__(self, diagnostic: Diagnostic, paths: Sequence[str]) -> None:
        super().__init__(diagnostic)
        self.paths = tuple(paths)


T = TypeVar("T")
State = tuple[StateSpec, ...]

MAX_FUNCTIONS: Final = 8
_VECTORS: Final = (ListResult, TableResult, StringResult)
_MAX_ATTEMPTS: Final = 24


class Steps(Generic[T]):
    """NotStatic where a value known at run time decides about the structure of the state.

    `functions[i]` is for a state of one structure; after a call of it, the next one is of `functions[following[i]]`."""

    def __init__(self, state: Sequence[StateSpec], make: Callable[[int, State], tuple[T, Signature]]) -> None:
        """`make(number, state)` gives a function for this state and its signature; called again where that was too narrow."""
        self.functions: list[T] = []
        self.signatures: list[Signature] = []
        self.following: list[int] = []
        states: list[State] = [tuple(state)]
        for _ in range(_MAX_ATTEMPTS):
            number = len(self.functions)
            function, signature = make(number, states[number])
            shared = next((p.path for p in signature.parameters if p.part is not None), None)
            if shared is not None:
                raise CompileError(
                    Diagnostic(
                        f"attribute `{shared}` and others share memory, and are changed in place: a library cannot keep such",
                        help="save the model with clones of them",
                    )
                )
            after = next_state(signature, states[number])
            if after is None:
                opened = _of_run_time(signature, states[number])
                if opened:
                    raise GrowingState(Diagnostic("the length of the state is only known at run time"), opened)
                raise NotStatic(
                    Diagnostic(
                        "what the state is made of after a call, or what of it shares memory, is only known at run time",
                        help="a library has one function for each structure of the state: keep its tensors of one rank",
                    )
                )
            after = _merged(states[number], after)
            known = next((i for i, s in enumerate(states) if _fits(s, after)), None)
            if known is None:
                wider = _widened(states[number], after)
                if wider is not None:
                    states[number] = wider
                    continue
                states.append(after)
            self.functions.append(function)
            self.signatures.append(signature)
            self.following.append(len(states) - 1 if known is None else known)
            if known is not None:
                return
            if len(states) > MAX_FUNCTIONS:
                break
        raise GrowingState(
            Diagnostic(
                f"the state has a new structure after each of {len(self.functions)} calls: a library cannot have a function for each",
                help="keep numbers that decide about shapes, and the lengths of lists, as they are",
            ),
            [a.path for a, b in zip(states[-2], states[-1], strict=True) if a != b] if len(states) > 1 else (),
        )


def _of_run_time(signature: Signature, state: State) -> list[str]:
    """Attributes that a call leaves with a length that only the run knows, and that are not given so."""
    given = {s.path for s in state if isinstance(s.spec, ColumnsSpec)}
    changed = [r for r in signature.state if r.path not in given]
    found = [r.path for r in changed if isinstance(r.tree, _VECTORS)]
    # else it may be one whose elements have moved
    return found or [r.path for r in changed if isinstance(r.tree, DictResult) or _is_list(r.tree)]


def _is_list(tree: ResultTree) -> bool:
    return isinstance(tree, SequenceResult) and not tree.is_tuple


def _merged(state: State, changed: State) -> State:
    new = {s.path: s for s in changed}
    return tuple(new.get(s.path, s) for s in state)


def _fits(general: State, state: State) -> bool:
    return all(_spec_fits(g.spec, s.spec) for g, s in zip(general, state, strict=True))


def _spec_fits(general: ArgumentSpec, spec: ArgumentSpec) -> bool:
    """Whether what is described by `spec` may be given where `general` is."""
    match general, spec:
        case TensorSpec(), TensorSpec():
            same = general.dtype is spec.dtype and len(general.shape) == len(spec.shape)
            return same and all(isinstance(g, Dim) or g == s for g, s in zip(general.shape, spec.shape, strict=True))
        case SequenceSpec(), SequenceSpec():
            pairs = zip(general.elements, spec.elements)
            return len(general.elements) == len(spec.elements) and all(_spec_fits(g, s) for g, s in pairs)
        case DictSpec(), DictSpec():
            return general.keys == spec.keys and all(
                _spec_fits(g, s) for g, s in zip(general.values, spec.values, strict=True)
            )
        case InstanceSpec(), InstanceSpec():
            pairs = zip(general.attributes, spec.attributes)
            return general.of is spec.of and all(_spec_fits(g, s) for g, s in pairs)
        case _:
            return general == spec


def _widened(state: State, after: State) -> State | None:
    """State that both fit: extents that differ are dynamic. None where more than extents differ."""
    found: list[StateSpec] = []
    for a, b in zip(state, after, strict=True):
        spec = _wider(a.path, a.spec, b.spec)
        if spec is None:
            return None
        found.append(StateSpec(a.path, spec))
    return tuple(found)


def _wider(path: str, a: ArgumentSpec, b: ArgumentSpec) -> ArgumentSpec | None:
    match a, b:
        case TensorSpec(), TensorSpec() if a.dtype is b.dtype and len(a.shape) == len(b.shape):
            pairs = enumerate(zip(a.shape, b.shape, strict=True))
            return replace(a, shape=tuple(x if x == y else Dim(f"{path}.{i}") for i, (x, y) in pairs))
        case (SequenceSpec(), SequenceSpec()) if len(a.elements) == len(b.elements):
            parts = [
                _wider(f"{path}[{i}]", x, y) for i, (x, y) in enumerate(zip(a.elements, b.elements, strict=True))
            ]
            return None if None in parts else replace(a, elements=tuple(p for p in parts if p is not None))
        case (DictSpec(), DictSpec()) if a.keys == b.keys:
            parts = [
                _wider(f"{path}[{k!r}]", x, y) for k, x, y in zip(a.keys, a.values, b.values, strict=True)
            ]
            return None if None in parts else replace(a, values=tuple(p for p in parts if p is not None))
        case InstanceSpec(), InstanceSpec() if a.of is b.of:
            parts = [_wider(f"{path}.{n}", x, y) for n, x, y in zip(a.of.attributes, a.attributes, b.attributes, strict=True)]
            return None if None in parts else replace(a, attributes=tuple(p for p in parts if p is not None))
        case ScalarSpec(), ScalarSpec():
            return a if a == b else None
        case _:
            return a if a == b else None


# what a call leaves


def next_state(signature: Signature, state: Sequence[StateSpec]) -> tuple[StateSpec, ...] | None:
    """What the state that a function uses is after a call, seen from its results.

    None where only the results can say, or where a tensor comes to stand in two places and one may be written in place.
    """
    if any(p.path is not None and p.write_back is not None for p in signature.parameters) and _comes_to_share(signature):
        return None
    before = {s.path: s.spec for s in state}
    after = {r.path: r.tree for r in signature.state}
    found: list[StateSpec] = []
    for path in signature.used:
        spec = before[path]
        if path in after and not (isinstance(spec, ColumnsSpec) and isinstance(after[path], _VECTORS)):
            spec = _spec_after(after[path], before)
        if spec is None:
            return None
        found.append(StateSpec(path, spec))
    return tuple(found)


def _comes_to_share(signature: Signature) -> bool:
    leaves: list[int] = []
    for result in signature.state:
        own = [i for i in leaf_numbers(result.tree) if isinstance(signature.results[i], TensorType)]
        if any(path != result.path for path in kept_paths(result.tree)):
            return True
        leaves += own
    return len(leaves) != len(set(leaves))


def _spec_after(tree: ResultTree, before: Mapping[str, ArgumentSpec]) -> ArgumentSpec | None:
    match tree:
        case Leaf(index, type):
            if isinstance(type, TensorType):
                dims = enumerate(type.shape or ())
                assert type.dtype is not None
                return TensorSpec(type.dtype, tuple(Dim(f"result{index}_{i}") if d is None else d for i, d in dims))
            return ScalarSpec(type)
        case ConstantResult(value):
            return _constant_after(value)
        case KeptResult(path):
            return before.get(path)
        case SequenceResult(elements, is_tuple):
            specs = [_spec_after(e, before) for e in elements]
            whole = tuple(s for s in specs if s is not None)
            return None if None in specs else SequenceSpec(whole, is_tuple, is_complex=tree.is_complex)
        case DictResult(keys, values):
            specs = [_spec_after(v, before) for v in values]
            return None if None in specs else DictSpec(keys, tuple(s for s in specs if s is not None))
        case ObjectResult(of, _, values):
            specs = [_spec_after(v, before) for v in values]
            return None if None in specs else InstanceSpec(of, tuple(s for s in specs if s is not None))
        case VariantResult(_, then, otherwise):
            first, second = _spec_after(then, before), _spec_after(otherwise, before)
            return first if first == second else None
        case ListResult() | TableResult() | StringResult() | EnumResult() | ValueResult():
            return None


def _constant_after(value: Any) -> ArgumentSpec:
    """What a call made a constant may be something else after another one: numbers are given at run time."""
    for kind, type in ((bool, BOOL), (int, INT), (float, FLOAT)):
        if isinstance(value, kind):
            return ScalarSpec(type)
    return ConstantSpec(value)
