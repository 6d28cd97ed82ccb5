"""`fold-constants`: operators on constants become constants; fills, large tensors and arguments are left alone."""

import numpy as np

from torchcc.ir.parser import parse_module
from torchcc.lowering.graph.fold_constants import LIMIT, FoldConstants


def folded(extent, body, result):
    text = f"""f(%x : Float({extent}, device=cpu)):
  %n : int = prim::Constant[value={extent}]()
  %one : int = prim::Constant[value=1]()
  %long : int = prim::Constant[value=4]()
  %none : NoneType = prim::Constant()
{body}
  return ({result})
"""
    module = FoldConstants().apply(parse_module(text))
    return next(module.body().operations()).body().terminator.operand(0).defining_op()


RANGE = "  %r : Long({0}, device=cpu) = aten::arange(%n, %long, %none, %none, %none)"
DOUBLE = "\n  %d : Long({0}, device=cpu) = aten::add(%r, %r, %one)"


def test_tensors():
    op = folded(4, (RANGE + DOUBLE).format(4), "%d")
    assert op.name == "prim::Constant"
    np.testing.assert_array_equal(op.attributes["value"].array, np.arange(4) * 2)


def test_numbers():
    op = folded(4, "  %m : int = aten::mul(%n, %n)", "%m")
    assert op.name == "prim::Constant" and op.attributes["value"] == 16


def test_large_tensors_stay():
    large = LIMIT + 1
    assert folded(large, (RANGE + DOUBLE).format(large), "%d").name == "aten::add.Tensor"


def test_fills_stay_and_what_is_computed_from_them_does_not():
    fill = """  %shape : int[] = prim::ListConstruct(%n)
  %z : Long(4, device=cpu) = aten::zeros(%shape, %long, %none, %none, %none)"""
    assert folded(4, fill, "%z").name == "aten::zeros"
    negative = fill + "\n  %m : Long(4, device=cpu) = aten::neg(%z)"
    assert folded(4, negative, "%m").name == "prim::Constant"


def test_what_depends_on_an_argument_stays():
    assert folded(4, "  %y : Float(4, device=cpu) = aten::neg(%x)", "%y").name == "aten::neg"
