"""`fuse_loops`: rows share one loop where each iteration needs only its own row, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from torchcc.ir.core import functions
from torchcc.ir.target import AVX512
from torchcc.lowering.loops.fuse_loops import fuse_loops

SOFTMAX = """
func.func @f(%x: memref<5x7xf32>) -> memref<5x7xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c7 = arith.constant 7 : index
  %low = arith.constant -1.0e30 : f32
  %zero = arith.constant 0.0 : f32
  %m = memref.alloc() : memref<5xf32>
  scf.parallel (%i) = (%c0) to (%c5) step (%c1) {
    %r = scf.for %j = %c0 to %c7 step %c1 iter_args(%a = %low) -> (f32) {
      %v = memref.load %x[%i, %j] : memref<5x7xf32>
      %b = arith.maximumf %a, %v : f32
      scf.yield %b : f32
    }
    memref.store %r, %m[%i] : memref<5xf32>
    scf.reduce
  }
  %e = memref.alloc() : memref<5x7xf32>
  %mc = memref.expand_shape %m [[0, 1]] output_shape [5, 1] : memref<5xf32> into memref<5x1xf32>
  scf.parallel (%i, %j) = (%c0, %c0) to (%c5, %c7) step (%c1, %c1) {
    %v = memref.load %x[%i, %j] : memref<5x7xf32>
    %w = memref.load %mc[%i, %c0] : memref<5x1xf32>
    %d = arith.subf %v, %w : f32
    %y = math.exp %d : f32
    memref.store %y, %e[%i, %j] : memref<5x7xf32>
    scf.reduce
  }
  memref.dealloc %m : memref<5xf32>
  %s = memref.alloc() : memref<5xf32>
  scf.parallel (%i) = (%c0) to (%c5) step (%c1) {
    %r = scf.for %j = %c0 to %c7 step %c1 iter_args(%a = %zero) -> (f32) {
      %v = memref.load %e[%i, %j] : memref<5x7xf32>
      %b = arith.addf %a, %v : f32
      scf.yield %b : f32
    }
    memref.store %r, %s[%i] : memref<5xf32>
    scf.reduce
  }
  scf.parallel (%i, %j) = (%c0, %c0) to (%c5, %c7) step (%c1, %c1) {
    %v = memref.load %e[%i, %j] : memref<5x7xf32>
    %w = memref.load %s[%i] : memref<5xf32>
    %y = arith.divf %v, %w : f32
    memref.store %y, %e[%i, %j] : memref<5x7xf32>
    scf.reduce
  }
  memref.dealloc %s : memref<5xf32>
  return %e : memref<5x7xf32>
}
"""


def loops(module):
    return [op for op in next(functions(module)).body().operations() if op.name == "scf.parallel"]


def test_softmax_becomes_one_loop_over_rows(run_passes, normal):
    module = run_passes(SOFTMAX, [normal(5, 7)], [fuse_loops])
    assert len(loops(module)) == 1 and len(loops(module)[0].body().args) == 1
    loads = [op for op in module.walk() if op.name == "memref.load" and op.operand(0).type.rank == 1]
    assert not loads, "the sum of a row is passed in a register"


@pytest.mark.parametrize(("cores", "columns", "left"), [(1, 9000, 1), (8, 9000, 2), (8, 7, 1)])
def test_few_rows_are_left_to_all_cores(run_passes, normal, cores, columns, left):
    """Two rows in one loop would keep six of eight cores idle, where the work of each is worth several threads."""
    text = SOFTMAX.replace("5x7", f"2x{columns}").replace("5x1", "2x1").replace("[5, 1]", "[2, 1]").replace("<5x", "<2x")
    text = text.replace("%c7 = arith.constant 7", f"%c7 = arith.constant {columns}").replace("%c5 = arith.constant 5", "%c5 = arith.constant 2")
    target = replace(AVX512, cores=cores)
    module = run_passes(text, [normal(2, columns)], [lambda module: fuse_loops(module, target)])
    assert (len(loops(module)) == 1) == (left == 1)


TWO = """
func.func @f(%x: memref<6xf32>) -> memref<6xf32> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c6 = arith.constant 6 : index
  %n = arith.constant {upper} : index
  %z = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<6xf32>
  %y = memref.alloc() : memref<6xf32>
  memref.copy %x, %t : memref<6xf32> to memref<6xf32>
  memref.copy %x, %y : memref<6xf32> to memref<6xf32>
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {{
    %v = memref.load %x[%i] : memref<6xf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %t[%i] : memref<6xf32>
    scf.reduce
  }}
  scf.parallel (%i) = (%c0) to (%c6) step (%c1) {{
    %k = arith.subi %c5, %i : index
    %v = memref.load %t[%{index}] : memref<6xf32>
    memref.store %v, %y[%i] : memref<6xf32>
    scf.reduce
  }}
  memref.dealloc %t : memref<6xf32>
  return %y : memref<6xf32>
}}
"""


@pytest.mark.parametrize(("upper", "index", "expected"), [(6, "i", 1), (6, "k", 2), (5, "i", 2)])
def test_only_when_rows_are_independent(run_passes, normal, upper, index, expected):
    module = run_passes(TWO.format(upper=upper, index=index), [normal(6)], [fuse_loops])
    assert len(loops(module)) == expected


def test_what_the_second_overwrites_must_not_be_needed_by_other_rows(run_passes):
    text = """
func.func @f(%x: memref<4x4xf32>) -> (memref<4x4xf32>, memref<4x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %z = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<4x4xf32>
  %b = memref.alloc() : memref<4x4xf32>
  memref.copy %x, %a : memref<4x4xf32> to memref<4x4xf32>
  scf.parallel (%i, %j) = (%c0, %c0) to (%c4, %c4) step (%c1, %c1) {
    %v = memref.load %a[%j, %i] : memref<4x4xf32>
    memref.store %v, %b[%i, %j] : memref<4x4xf32>
    scf.reduce
  }
  scf.parallel (%i, %j) = (%c0, %c0) to (%c4, %c4) step (%c1, %c1) {
    memref.store %z, %a[%i, %j] : memref<4x4xf32>
    scf.reduce
  }
  return %a, %b : memref<4x4xf32>, memref<4x4xf32>
}"""
    module = run_passes(text, [np.arange(16, dtype=np.float32).reshape(4, 4)], [fuse_loops])
    assert len(loops(module)) == 2


def test_a_stored_scalar_is_not_forwarded_into_a_loop_that_stores_again(run_passes, normal):
    text = """
func.func @f(%x: memref<4x3xf32>) -> memref<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %z = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<4xf32>
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    memref.store %z, %t[%i] : memref<4xf32>
    scf.reduce
  }
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    scf.for %j = %c0 to %c3 step %c1 {
      %v = memref.load %t[%i] : memref<4xf32>
      %w = memref.load %x[%i, %j] : memref<4x3xf32>
      %s = arith.addf %v, %w : f32
      memref.store %s, %t[%i] : memref<4xf32>
    }
    scf.reduce
  }
  return %t : memref<4xf32>
}"""
    module = run_passes(text, [normal(4, 3)], [fuse_loops])
    assert len(loops(module)) == 1
