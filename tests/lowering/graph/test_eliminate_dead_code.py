"""`eliminate-dead-code` on graphs: what nobody uses goes, through `If` and `Loop` too; what is raised stays."""

from torchcc.ir.parser import parse_module
from torchcc.ir.structure import difference
from torchcc.lowering.graph.eliminate_dead_code import EliminateDeadCode


def cleaned(text):
    return EliminateDeadCode().apply(parse_module(text))


def test_unused_values_results_and_carried_values_go():
    module = cleaned("""f(%x : Float(3, device=cpu), %c : bool, %n : int):
  %one : int = prim::Constant[value=1]()
  %on : bool = prim::Constant[value=1]()
  %dead : Float(3, device=cpu) = aten::relu(%x)
  %a : Float(3, device=cpu), %b : Float(3, device=cpu) = prim::If(%c)
    block0():
      %p : Float(3, device=cpu) = aten::relu(%x)
      %q : Float(3, device=cpu) = aten::neg(%x)
      -> (%p, %q)
    block1():
      -> (%x, %x)
  %y : Float(3, device=cpu), %z : Float(3, device=cpu) = prim::Loop(%n, %on, %x, %x)
    block0(%i : int, %u : Float(3, device=cpu), %v : Float(3, device=cpu)):
      %s : Float(3, device=cpu) = aten::add(%u, %a, %one)
      %t : Float(3, device=cpu) = aten::neg(%v)
      -> (%on, %s, %v)
  return (%y)
""")
    expected = parse_module("""f(%x : Float(3, device=cpu), %c : bool, %n : int):
  %one : int = prim::Constant[value=1]()
  %on : bool = prim::Constant[value=1]()
  %a : Float(3, device=cpu) = prim::If(%c)
    block0():
      %p : Float(3, device=cpu) = aten::relu(%x)
      -> (%p)
    block1():
      -> (%x)
  %y : Float(3, device=cpu) = prim::Loop(%n, %on, %x)
    block0(%i : int, %u : Float(3, device=cpu)):
      %s : Float(3, device=cpu) = aten::add(%u, %a, %one)
      -> (%on, %s)
  return (%y)
""")
    assert difference(module, expected) is None


def test_an_error_that_may_be_raised_stays():
    text = """f(%x : Float(3, device=cpu), %c : bool):
  %text : str = prim::Constant[value="no"]()
  %none : NoneType = prim::Constant()
   = prim::If(%c)
    block0():
       = prim::RaiseException(%text, %none)
      -> ()
    block1():
      -> ()
  return (%x)
"""
    assert difference(cleaned(text), parse_module(text)) is None
