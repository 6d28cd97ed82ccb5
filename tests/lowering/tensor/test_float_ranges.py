"""Comparisons of floats that lie between known numbers are decided; those of what may be NaN are not."""

from __future__ import annotations

import pytest

from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.lowering.tensor.canonicalize import canonicalize

BETWEEN = """
  %low = arith.constant -3.0 : f32
  %high = arith.constant 7.5 : f32
  %above = arith.cmpf ogt, %x, %low : f32
  %a = arith.select %above, %x, %low : f32
  %below = arith.cmpf olt, %a, %high : f32
  %b = arith.select %below, %a, %high : f32
  %r = math.roundeven %b : f32
"""


@pytest.mark.parametrize(
    ("operand", "predicate", "number", "expected"),
    [
        ("%b", "oge", "-3.0", True), ("%b", "olt", "-3.0", False), ("%b", "ole", "7.5", True), ("%b", "ogt", "7.0", None),
        ("%r", "ole", "8.0", True), ("%r", "olt", "8.0", None), ("%a", "oge", "-3.5", True), ("%a", "olt", "100.0", None),
        ("%x", "olt", "100.0", None),
    ],
)  # fmt: skip
def test_clamped(operand, predicate, number, expected):
    asked = f"  %c = arith.constant {number} : f32\n  %k = arith.cmpf {predicate}, {operand}, %c : f32\n  return %k : i1\n"
    module = parse_module(f"func.func @f(%x: f32) -> i1 {{\n{BETWEEN}{asked}}}")
    canonicalize(module)
    printed = print_module(module)
    returned = printed.split("return ")[1].split(" ")[0]
    if expected is None:
        assert f"{returned} = arith.cmpf" in printed
    else:
        assert f"{returned} = arith.constant {str(expected).lower()}" in printed


def test_integers_lie_between_their_bounds():
    module = parse_module(
        "func.func @f(%i: i8) -> i1 {\n  %0 = arith.uitofp %i : i8 to f32\n  %c = arith.constant 300.0 : f32\n"
        "  %k = arith.cmpf olt, %0, %c : f32\n  return %k : i1\n}"
    )
    canonicalize(module)
    assert "cmpf" not in print_module(module)
