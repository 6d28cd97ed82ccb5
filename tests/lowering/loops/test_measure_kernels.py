"""A clock around each kernel: the results stay, and the table says how often each ran."""

import numpy as np

from torchcc.ir.core import lookup
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.measure_kernels import BEGIN, RUNS, TOTAL, MeasureKernels, kernels

PROGRAM = """
func.func @f(%x: memref<4xf32>, %rounds: index, %twice: i1) -> memref<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %out = memref.alloc() : memref<4xf32>
  scf.for %i = %c0 to %c4 step %c1 {
    %a = memref.load %x[%i] : memref<4xf32>
    memref.store %a, %out[%i] : memref<4xf32>
  }
  scf.for %r = %c0 to %rounds step %c1 {
    scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
      %a = memref.load %out[%i] : memref<4xf32>
      %b = arith.addf %a, %a : f32
      memref.store %b, %out[%i] : memref<4xf32>
      scf.reduce
    }
  }
  scf.if %twice {
    scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
      %a = memref.load %out[%i] : memref<4xf32>
      %b = arith.addf %a, %a : f32
      memref.store %b, %out[%i] : memref<4xf32>
      scf.reduce
    }
  }
  return %out : memref<4xf32>
}"""
X = np.arange(4, dtype=np.float32)


def measured(rounds, twice):
    module = parse_module(PROGRAM)
    MeasureKernels("f").apply(module)
    verify(module)
    result, table = interpret(module, "f", [X, rounds, twice])
    np.testing.assert_array_equal(result, interpret(parse_module(PROGRAM), "f", [X, rounds, twice])[0])
    return table


def test_runs_are_counted():
    assert measured(3, True)[:, RUNS].tolist() == [1, 3, 1, 1]
    assert measured(0, False)[:, RUNS].tolist() == [1, 0, 0, 1]


def test_times():
    table = measured(3, True)
    assert (table[:, TOTAL] > 0).all()
    assert table[:-1, TOTAL].sum() <= table[-1, TOTAL]
    assert (np.diff(table[:-1, BEGIN]) > 0).all()
    assert table[-1, BEGIN] <= table[0, BEGIN]


def test_a_kernel_that_did_not_run_has_no_time():
    assert measured(0, False)[1].tolist() == [0, 0, 0]


def test_kernels_are_the_innermost_pieces_that_threads_share():
    function = lookup(parse_module(PROGRAM), "f")
    assert [op.name for op in kernels(function)] == ["scf.for", "scf.parallel", "scf.parallel"]


def test_other_functions_stay():
    module = parse_module(PROGRAM)
    before = print_module(module)
    assert print_module(MeasureKernels("another").apply(module)) == before
