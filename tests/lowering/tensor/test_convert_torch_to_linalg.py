"""`convert-torch-to-linalg`: types, control flow and errors of a graph; operators are tested with their records."""

import numpy as np
import pytest

from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import INT, TensorType
from torchcc.ir.signature import Dim, Leaf, Parameter, ScalarSpec, Signature, TensorSpec
from torchcc.lowering.contracts import verify_tensor
from torchcc.lowering.tensor.convert_torch_to_linalg import ConvertTorchToLinalg

ROWS = TensorSpec(DType.float32, (Dim("rows"), 3))
VECTOR = TensorType(DType.float32, (None, 3))


def converted(text, parameters, result=VECTOR):
    signature = Signature("f", tuple(Parameter(n, s) for n, s in parameters.items()), (result,), Leaf(0, result))
    module = ConvertTorchToLinalg(signature).apply(parse_module(text))
    verify_tensor(module)
    return module


LOOP = """f(%x : Float(*, 3, device=cpu), %n : int):
  %one : int = prim::Constant[value=1]()
  %on : bool = prim::Constant[value=1]()
  %y : Float(*, 3, device=cpu) = prim::Loop(%n, %on, %x)
    block0(%i : int, %u : Float(*, 3, device=cpu)):
      %s : Float(*, 3, device=cpu) = aten::add(%u, %i, %one)
      %go : bool = aten::lt(%i, %{bound})
      -> (%{go}, %s)
  return (%y)
"""


@pytest.mark.parametrize(("go", "expected"), [("on", 10.0), ("go", 3.0)])
def test_loops(go, expected):
    text = LOOP.replace("%{go}", f"%{go}").replace("%{bound}", "%two").replace("  %on", "  %two : int = prim::Constant[value=2]()\n  %on", 1)
    module = converted(text, {"x": ROWS, "n": ScalarSpec(INT)})
    names = {op.name for op in module.walk()}
    assert ("scf.for" if go == "on" else "scf.while") in names
    (found,) = interpret(module, "f", [np.zeros((2, 3), np.float32), np.int64(5)])
    np.testing.assert_array_equal(found, np.full((2, 3), expected, np.float32))


RAISE = """f(%x : Float(*, 3, device=cpu), %n : int):
  %zero : int = prim::Constant[value=0]()
  %text : str = prim::Constant[value="n is negative"]()
  %none : NoneType = prim::Constant()
  %c : bool = aten::lt(%n, %zero)
   = prim::If(%c)
    block0():
       = prim::RaiseException(%text, %none)
      -> ()
    block1():
      -> ()
  return (%x)
"""


def test_exceptions_are_assertions():
    module = converted(RAISE, {"x": ROWS, "n": ScalarSpec(INT)})
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(interpret(module, "f", [x, np.int64(1)])[0], x)
    with pytest.raises(ExecutionError, match="n is negative"):
        interpret(module, "f", [x, np.int64(-1)])


def test_extents_of_one_name_need_no_check():
    text = """f(%x : Float(*, 3, device=cpu), %y : Float(*, 3, device=cpu)):
  %one : int = prim::Constant[value=1]()
  %s : Float(*, 3, device=cpu) = aten::add(%x, %y, %one)
  return (%s)
"""
    same = converted(text, {"x": ROWS, "y": ROWS})
    other = converted(text, {"x": ROWS, "y": TensorSpec(DType.float32, (Dim("others"), 3))})
    assert not [op for op in same.walk() if op.name == "cf.assert"]
    assert [op for op in other.walk() if op.name == "cf.assert"]
