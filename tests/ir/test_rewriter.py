"""The rewrite driver, dead code and common subexpressions."""

from __future__ import annotations

import pytest

from torchcc.ir.builder import Builder
from torchcc.ir.core import Operation, new_module
from torchcc.ir.diagnostics import InternalError
from torchcc.ir.dialects import arith, torch
from torchcc.ir.parser import parse_module
from torchcc.ir.rewriter import Rewriter, common_subexpressions, eliminate_dead_code, rewrite
from torchcc.ir.script_types import INT, TENSOR
from torchcc.ir.structure import difference
from torchcc.ir.types import I64


def add_zero(op: Operation, rewriter: Rewriter) -> bool:
    if arith.constant_value(op.operand(1)) != 0:
        return False
    rewriter.replace(op, [op.operand(0)])
    return True


def times_two(op: Operation, rewriter: Rewriter) -> bool:
    if arith.constant_value(op.operand(1)) != 2:
        return False
    zero = arith.constant(rewriter, 0, I64)
    padded = arith.addi(rewriter, op.operand(0), zero)
    rewriter.replace(op, [arith.addi(rewriter, padded, padded)])
    return True


def test_rewrites_reach_a_fixed_point() -> None:
    module = parse_module("""
func.func @f(%x: i64, %c: i1) -> i64 {
  %zero = arith.constant 0 : i64
  %two = arith.constant 2 : i64
  %a = arith.muli %x, %two : i64
  %b = arith.addi %a, %zero : i64
  %r = scf.if %c -> (i64) {
    %d = arith.muli %b, %two : i64
    scf.yield %d : i64
  } else {
    scf.yield %b : i64
  }
  return %r : i64
}""")
    assert rewrite(module, {"arith.addi": [add_zero], "arith.muli": [times_two]})
    eliminate_dead_code(module.regions[0])
    expected = parse_module("""
func.func @f(%x: i64, %c: i1) -> i64 {
  %a = arith.addi %x, %x : i64
  %r = scf.if %c -> (i64) {
    %d = arith.addi %a, %a : i64
    scf.yield %d : i64
  } else {
    scf.yield %a : i64
  }
  return %r : i64
}""")
    assert difference(module, expected) is None
    assert not rewrite(module, {"arith.addi": [add_zero], "arith.muli": [times_two]})


def test_endless_rewriting_is_found() -> None:
    def swap(op: Operation, rewriter: Rewriter) -> bool:
        op.set_operands(op.operands[::-1])
        rewriter.changed(op)
        return True

    module = parse_module(
        "func.func @f(%x: i64, %y: i64) -> i64 {\n  %a = arith.addi %x, %y : i64\n  return %a : i64\n}"
    )
    with pytest.raises(InternalError, match=r"does not come to an end.*swap"):
        rewrite(module, {"arith.addi": [swap]})


def test_dead_code() -> None:
    module = parse_module("""
func.func private @g()
func.func @f(%m: memref<4xf32>, %t: tensor<4xf32>, %x: f32, %i: index, %c: i1) {
  %a = arith.addf %x, %x : f32
  %b = arith.mulf %a, %a : f32
  %l = memref.load %m[%i] : memref<4xf32>
  %k = scf.for %j = %i to %i step %i iter_args(%s = %l) -> (f32) {
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
    assert eliminate_dead_code(module.regions[0])
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
    assert not eliminate_dead_code(module.regions[0])


def test_dead_code_of_the_torch_stage() -> None:
    module = new_module()
    f = torch.func(module, "f", ["x"], [TENSOR])
    (x,) = f.body().args
    b = Builder(f.body())
    one = torch.constant(b, 1, INT)
    b.create("aten::add.Scalar", (x, one, one), (TENSOR,))
    b.create("aten::add_.Scalar", (x, one, one), (TENSOR,))
    torch.return_(b, [x])
    eliminate_dead_code(f.regions[0])
    assert [op.name for op in f.body().operations()] == ["prim::Constant", "aten::add_.Scalar", "torch.return"]


def test_common_subexpressions() -> None:
    module = parse_module("""
func.func @f(%x: f32, %y: f32, %c: i1) -> (f32, f32, f32) {
  %a = arith.addf %x, %y : f32
  %b = arith.addf %y, %x : f32
  %d = arith.subf %x, %y : f32
  %e = arith.subf %y, %x : f32
  %p = arith.constant 0.0 : f32
  %n = arith.constant -0.0 : f32
  %r = scf.if %c -> (f32) {
    %u = arith.addf %x, %y : f32
    %v = arith.mulf %x, %y : f32
    %s = arith.addf %u, %v : f32
    scf.yield %s : f32
  } else {
    %v = arith.mulf %x, %y : f32
    scf.yield %v : f32
  }
  %w = arith.mulf %b, %e : f32
  %z = arith.mulf %p, %n : f32
  return %r, %w, %z : f32, f32, f32
}""")
    assert common_subexpressions(module.regions[0])
    expected = parse_module("""
func.func @f(%x: f32, %y: f32, %c: i1) -> (f32, f32, f32) {
  %a = arith.addf %x, %y : f32
  %d = arith.subf %x, %y : f32
  %e = arith.subf %y, %x : f32
  %p = arith.constant 0.0 : f32
  %n = arith.constant -0.0 : f32
  %r = scf.if %c -> (f32) {
    %v = arith.mulf %x, %y : f32
    %s = arith.addf %a, %v : f32
    scf.yield %s : f32
  } else {
    %v = arith.mulf %x, %y : f32
    scf.yield %v : f32
  }
  %w = arith.mulf %a, %e : f32
  %z = arith.mulf %p, %n : f32
  return %r, %w, %z : f32, f32, f32
}""")
    assert difference(module, expected) is None


def test_common_subexpressions_stay_in_their_function() -> None:
    text = "\n".join(
        f"func.func @f{i}() -> i64 {{\n  %c = arith.constant 1 : i64\n  return %c : i64\n}}" for i in range(2)
    )
    module = parse_module(text)
    assert not common_subexpressions(module.regions[0])
