"""What may be removed because nobody uses it."""

from torchcc.ir.parser import parse_module
from torchcc.ir.structure import difference
from torchcc.lowering.effects import erase_unused


def test_dead_code():
    module = parse_module("""
func.func private @g()
func.func @f(%m: memref<4xf32>, %t: tensor<4xf32>, %x: f32, %i: index, %c: i1) {
  %a = arith.addf %x, %x : f32
  %b = arith.mulf %a, %a : f32
  %k = scf.for %j = %i to %i step %i iter_args(%s = %x) -> (f32) {
    %n = arith.addf %s, %b : f32
    scf.yield %n : f32
  }
  scf.if %c {
    %u = arith.addf %x, %x : f32
  }
  scf.if %c {
    func.call @g() : () -> ()
  }
  %f = linalg.fill ins(%x : f32) outs(%t : tensor<4xf32>) -> tensor<4xf32>
  linalg.fill ins(%x : f32) outs(%m : memref<4xf32>)
  cf.assert %c, "kept"
  return
}""")
    assert erase_unused(module)
    expected = parse_module("""
func.func private @g()
func.func @f(%m: memref<4xf32>, %t: tensor<4xf32>, %x: f32, %i: index, %c: i1) {
  scf.if %c {
    func.call @g() : () -> ()
  }
  linalg.fill ins(%x : f32) outs(%m : memref<4xf32>)
  cf.assert %c, "kept"
  return
}""")
    assert difference(module, expected) is None
    assert not erase_unused(module)
