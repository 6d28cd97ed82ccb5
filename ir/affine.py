"""Affine expressions and maps: `affine_map<(d0, d1)[s0] -> (d0 + 2 * d1, s0)>`, MLIR's syntax and simplifications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal


class AffineExpr:
    """An integer expression over dimensions and symbols, built with `+ - * // %` (constants on the right of `* // %`)."""

    def __add__(self, other: AffineExpr | int) -> AffineExpr:
        return _binary("+", self, _lift(other))

    def __radd__(self, other: int) -> AffineExpr:
        return _binary("+", self, _lift(other))

    def __sub__(self, other: AffineExpr | int) -> AffineExpr:
        return self + _lift(other) * -1

    def __mul__(self, other: AffineExpr | int) -> AffineExpr:
        return _binary("*", self, _lift(other))

    def __rmul__(self, other: int) -> AffineExpr:
        return _binary("*", self, _lift(other))

    def __floordiv__(self, other: AffineExpr | int) -> AffineExpr:
        return _binary("floordiv", self, _lift(other))

    def __mod__(self, other: AffineExpr | int) -> AffineExpr:
        return _binary("mod", self, _lift(other))

    def evaluate(self, dims: Sequence[Any], symbols: Sequence[Any] = ()) -> Any:
        """Value for given dimensions: integers or numpy integer arrays."""
        match self:
            case AffineDim(position):
                return dims[position]
            case AffineSymbol(position):
                return symbols[position]
            case AffineConstant(value):
                return value
            case AffineBinary(op, left, right):
                return _OPERATIONS[op](left.evaluate(dims, symbols), right.evaluate(dims, symbols))
            case _:
                raise TypeError(self)

    def substitute(self, dims: Sequence[AffineExpr], symbols: Sequence[AffineExpr] = ()) -> AffineExpr:
        """The expression with each dimension (and symbol, where given) replaced."""
        match self:
            case AffineDim(position):
                return dims[position]
            case AffineSymbol(position):
                return symbols[position] if symbols else self
            case AffineBinary(op, left, right):
                return _binary(op, left.substitute(dims, symbols), right.substitute(dims, symbols))
            case _:
                return self

    def dims_used(self) -> set[int]:
        match self:
            case AffineDim(position):
                return {position}
            case AffineBinary(_, left, right):
                return left.dims_used() | right.dims_used()
            case _:
                return set()


Operator = Literal["+", "*", "floordiv", "mod"]
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
}


@dataclass(frozen=True)
class AffineDim(AffineExpr):
    position: int

    def __str__(self) -> str:
        return f"d{self.position}"


@dataclass(frozen=True)
class AffineSymbol(AffineExpr):
    position: int

    def __str__(self) -> str:
        return f"s{self.position}"


@dataclass(frozen=True)
class AffineConstant(AffineExpr):
    value: int

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class AffineBinary(AffineExpr):
    op: Operator
    left: AffineExpr
    right: AffineExpr

    def __str__(self) -> str:
        left, right = self.left, self.right
        if self.op == "+":
            if isinstance(right, AffineConstant) and right.value < 0:
                return f"{left} - {-right.value}"
            if isinstance(right, AffineBinary) and right.op == "+":
                return f"{left} + ({right})"
            return f"{left} + {right}"
        return f"{_parenthesised(left)} {self.op} {_parenthesised(right)}"


def _parenthesised(e: AffineExpr) -> str:
    return f"({e})" if isinstance(e, AffineBinary) else str(e)


def _lift(e: AffineExpr | int) -> AffineExpr:
    return AffineConstant(e) if isinstance(e, int) else e


def _binary(op: Operator, left: AffineExpr, right: AffineExpr) -> AffineExpr:
    match op, left, right:
        case _, AffineConstant(a), AffineConstant(b) if op not in ("floordiv", "mod") or b != 0:
            return AffineConstant(_OPERATIONS[op](a, b))
        case ("+", _, AffineConstant(0)) | ("*" | "floordiv", _, AffineConstant(1)):
            return left
        case ("*", _, AffineConstant(0)) | ("mod", _, AffineConstant(1)):
            return AffineConstant(0)
        case "+" | "*", AffineConstant(), _:
            return _binary(op, right, left)
        case "+", AffineBinary("+", a, AffineConstant(b)), AffineConstant(c):
            return _binary("+", a, AffineConstant(b + c))
        case "*", AffineBinary("*", a, AffineConstant(b)), AffineConstant(c):
            return _binary("*", a, AffineConstant(b * c))
        case _:
            return AffineBinary(op, left, right)


@dataclass(frozen=True)
class AffineMap:
    """`(d0, ...)[s0, ...] -> (results)`."""

    num_dims: int
    results: tuple[AffineExpr, ...]
    num_symbols: int = 0

    def __str__(self) -> str:
        dims = ", ".join(f"d{i}" for i in range(self.num_dims))
        symbols = ", ".join(f"s{i}" for i in range(self.num_symbols))
        return f"({dims}){f'[{symbols}]' if symbols else ''} -> ({', '.join(map(str, self.results))})"

    @staticmethod
    def identity(rank: int) -> AffineMap:
        return AffineMap(rank, tuple(AffineDim(i) for i in range(rank)))

    @staticmethod
    def of(num_dims: int, *positions: int) -> AffineMap:
        """The map that selects some dimensions: `of(3, 0, 2)` is `(d0, d1, d2) -> (d0, d2)`."""
        return AffineMap(num_dims, tuple(AffineDim(i) for i in positions))

    @property
    def is_projected_permutation(self) -> bool:
        """Every result a plain dimension, none twice."""
        return all(isinstance(e, AffineDim) for e in self.results) and len(set(self.results)) == len(self.results)

    def evaluate(self, dims: Sequence[Any], symbols: Sequence[Any] = ()) -> tuple[Any, ...]:
        return tuple(e.evaluate(dims, symbols) for e in self.results)

    def compose(self, other: AffineMap) -> AffineMap:
        """self(other(x)): the dimensions of this map are the results of `other`."""
        return AffineMap(other.num_dims, tuple(e.substitute(other.results) for e in self.results), other.num_symbols)
