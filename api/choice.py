"""Which arguments of a function are given at run time, whatever their length, and which are specialised for.

In: the values of a call, as `adapted` gives them. Out: their specs. Lists of numbers and strings are given at run time. Lists
(and the like) of tensors are taken apart while they are short and of few lengths: each tensor is an argument of its own then,
whose shape is known, and nothing is copied. A string is a constant, as modes are, while it is short and until there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from ..ir.script_types import STR, DictType, ListType, OptionalType, ScriptType
from ..ir.signature import ArgumentSpec, ColumnsSpec, ConstantSpec
from .arguments import Specs, columns_spec, form, holds_tensors, spec_of

SHORT: Final = 16
"""Lists of at most so many tensors are taken apart."""

FEW: Final = 3
"""So many lengths of them are one too many; so many values of a string, too."""


SHORT_TEXT: Final = 64
"""A longer string is no mode: it is given at run time at once."""


class Choice:
    """Of one function; remembers how long lists of tensors have been."""

    def __init__(self, types: Sequence[ScriptType]) -> None:
        self._describe = [_describer(t) for t in types]
        self._learning: dict[int, _TensorLists | _Texts] = {i: _TensorLists(t) for i, t in enumerate(types) if _is_of_tensors(t)}
        self._learning |= {i: _Texts() for i, t in enumerate(types) if _declared(t) == STR}

    def specs(self, values: Sequence[Any]) -> Specs:
        """What a call with these values is specialised for at first."""
        specs = tuple([describe(value) for describe, value in zip(self._describe, values, strict=True)])
        return specs if not self._learning else self._at_run_time(specs, values)

    def missed(self, specs: Specs, values: Sequence[Any]) -> Specs:
        """The same when nothing is compiled for `specs` yet. Under the lock of the module."""
        for i, learning in self._learning.items():
            if values[i] is not None:
                learning.note(values[i])
        return self._at_run_time(specs, values) if self._learning else specs

    def _at_run_time(self, specs: Specs, values: Sequence[Any]) -> Specs:
        found: list[ArgumentSpec] = list(specs)
        for i, learning in self._learning.items():
            found[i] = learning.spec(values[i]) or specs[i]
        return tuple(found)


def _describer(t: ScriptType) -> Callable[[Any], ArgumentSpec]:
    """`spec_of` for values of one parameter."""
    fixed = columns_spec([], t)
    if fixed is None:
        return lambda value: spec_of(value, t)
    return lambda value: fixed if value is not None else _NONE


_NONE: Final = ConstantSpec(None)


def _declared(t: ScriptType) -> ScriptType:
    return t.element if isinstance(t, OptionalType) else t


def _is_of_tensors(t: ScriptType) -> bool:
    t = _declared(t)
    return isinstance(t, ListType | DictType) and holds_tensors(t)


class _TensorLists:
    """One parameter."""

    def __init__(self, type: ScriptType) -> None:
        self._type = _declared(type)
        self._lengths: dict[ScriptType, set[Any]] = {}
        self._decided: set[ScriptType] = set()

    def spec(self, value: Any) -> ColumnsSpec | None:
        """None where it is taken apart."""
        if value is None or not (self._decided or len(value) > SHORT):
            return None
        found = form(self._type, [value])
        return ColumnsSpec(found) if found is not None and (found in self._decided or len(value) > SHORT) else None

    def note(self, value: Any) -> None:
        """Something is about to be compiled for it."""
        found = form(self._type, [value])
        if found is None or found in self._decided:
            return
        lengths = self._lengths.setdefault(found, set())
        lengths.add(_lengths(value))
        if len(lengths) >= FEW:
            del self._lengths[found]
            self._decided.add(found)


class _Texts:
    """One parameter of type str. The first values stay constants: code for them is there."""

    def __init__(self) -> None:
        self._constant: set[str] = set()

    def spec(self, value: Any) -> ColumnsSpec | None:
        """None where it is a constant."""
        if value is None or value in self._constant:
            return None
        return _TEXT if len(value) > SHORT_TEXT or len(self._constant) >= FEW - 1 else None

    def note(self, value: Any) -> None:
        """Something is about to be compiled for it."""
        if len(self._constant) < FEW - 1 and len(value) <= SHORT_TEXT:
            self._constant.add(value)


_TEXT: Final = ColumnsSpec(STR)


def _lengths(value: Any) -> Any:
    """How long it and what is in it are."""
    match value:
        case list() | tuple():
            return tuple(map(_lengths, cast("Sequence[Any]", value)))
        case dict():
            return tuple((k, _lengths(v)) for k, v in cast("dict[Any, Any]", value).items())
        case None:
            return None
        case _:
            return ()
