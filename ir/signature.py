"""What a compiled function is specialised for, and how its results are put together again.

A function of the `torch` stage takes and returns structured values; the specialised function takes and returns a flat
list of tensors and numbers. `ArgumentSpec` says what each parameter is; `ResultTree` rebuilds the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .dtypes import DType
from .script_types import ScriptType


@dataclass(frozen=True)
class Dim:
    """A dynamic extent. Dims of one name are equal at run time; `minimum <= extent <= maximum` is checked at each call."""

    name: str
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True)
class TensorSpec:
    """A tensor argument of this dtype; each extent fixed (int) or dynamic."""

    dtype: DType
    shape: tuple[int | Dim, ...]


@dataclass(frozen=True)
class ScalarSpec:
    """An int, float or bool that is given at run time."""

    type: ScriptType


@dataclass(frozen=True)
class ConstantSpec:
    """A value fixed at compile time: None, str, or a number, bool, list, tuple of them."""

    value: Any


@dataclass(frozen=True)
class SequenceSpec:
    """A list (`is_tuple` False) or tuple argument of fixed length; its leaves become separate flat arguments."""

    elements: tuple[ArgumentSpec, ...]
    is_tuple: bool = False


ArgumentSpec = TensorSpec | ScalarSpec | ConstantSpec | SequenceSpec


@dataclass(frozen=True)
class Leaf:
    """Flat result number `index`; `type` TensorType, int, float or bool."""

    index: int
    type: ScriptType


@dataclass(frozen=True)
class ConstantResult:
    value: Any


@dataclass(frozen=True)
class SequenceResult:
    elements: tuple[ResultTree, ...]
    is_tuple: bool


ResultTree = Leaf | ConstantResult | SequenceResult


@dataclass(frozen=True)
class Parameter:
    """One flat argument of a specialised function: its name in messages (`x`, `states[0]`) and its spec.

    `written`: the function writes to the caller's tensor in place; the flat result `write_back` holds its new value.
    """

    name: str
    spec: TensorSpec | ScalarSpec
    write_back: int | None = None


@dataclass(frozen=True)
class Signature:
    """The flat calling convention of a specialised function and the structure around it."""

    name: str
    parameters: tuple[Parameter, ...]
    results: tuple[ScriptType, ...]
    """Flat result types: refined TensorType, INT, FLOAT or BOOL; those that are written back come last."""
    tree: ResultTree

    @property
    def outputs(self) -> tuple[int, ...]:
        """Flat results that are returned: all but those written back into an argument."""
        back = {p.write_back for p in self.parameters}
        return tuple(i for i in range(len(self.results)) if i not in back)


def leaves(value: Any, spec: ArgumentSpec) -> list[Any]:
    """Run-time leaves of an argument, in the order of `Signature.parameters`."""
    match spec:
        case TensorSpec() | ScalarSpec():
            return [value]
        case SequenceSpec(elements):
            return [leaf for v, s in zip(value, elements, strict=True) for leaf in leaves(v, s)]
        case ConstantSpec():
            return []


def rebuild(tree: ResultTree, results: Sequence[Any]) -> Any:
    """The structured result of flat ones."""
    match tree:
        case Leaf(index, _):
            return results[index]
        case ConstantResult(value):
            return value
        case SequenceResult(elements, is_tuple):
            parts = [rebuild(e, results) for e in elements]
            return tuple(parts) if is_tuple else parts
