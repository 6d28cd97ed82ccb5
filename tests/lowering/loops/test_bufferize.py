"""`bufferize`: every value keeps its elements whatever is written in place; nothing leaks and nothing is freed twice."""



import numpy as np
import pytest

from torchcc.ir.core import functions
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.lowering.contracts import verify_loops
from torchcc.lowering.loops.bufferize import bufferize
from torchcc.lowering.loops.convert_linalg_to_loops import convert_linalg_to_loops
from torchcc.lowering.loops.plan_memory import plan_memory
from torchcc.lowering.tensor.canonicalize import canonicalize

PASSES = [canonicalize, bufferize, convert_linalg_to_loops, plan_memory]

FOR_INSERT = """
func.func @f(%x: tensor<4x6xf32>, %n: index) -> tensor<4x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<4x6xf32>
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = scf.for %k = %c0 to %n step %c1 iter_args(%acc = %i) -> (tensor<4x6xf32>) {
    %s = tensor.extract_slice %x[%k, 0] [1, 6] [1, 1] : tensor<4x6xf32> to tensor<6xf32>
    %e1 = tensor.empty() : tensor<6xf32>
    %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%s : tensor<6xf32>) outs(%e1 : tensor<6xf32>) {
    ^bb0(%p: f32, %o: f32):
      %q = math.exp %p : f32
      linalg.yield %q : f32
    } -> tensor<6xf32>
    %y = tensor.insert_slice %t into %acc[%k, 0] [1, 6] [1, 1] : tensor<6xf32> into tensor<4x6xf32>
    scf.yield %y : tensor<4x6xf32>
  }
  return %r : tensor<4x6xf32>
}
"""

SWAP = """
func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %k = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1, %r#0 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
"""

GROW = """
func.func @f(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %x) -> (tensor<?xf32>) {
    %d = tensor.dim %a, %c0 : tensor<?xf32>
    %dx = tensor.dim %x, %c0 : tensor<?xf32>
    %s = arith.addi %d, %dx : index
    %e = tensor.empty(%s) : tensor<?xf32>
    %u = tensor.insert_slice %a into %e[0] [%d] [1] : tensor<?xf32> into tensor<?xf32>
    %v = tensor.insert_slice %x into %u[%d] [%dx] [1] : tensor<?xf32> into tensor<?xf32>
    scf.yield %v : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}
"""

IF = """
func.func @f(%x: tensor<4xf32>, %c: i1, %d: i1) -> (tensor<4xf32>, tensor<?xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %r:2 = scf.if %c -> (tensor<4xf32>, tensor<?xf32>) {
    %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%p: f32, %o: f32):
      %q = math.exp %p : f32
      linalg.yield %q : f32
    } -> tensor<4xf32>
    %s = tensor.extract_slice %x[1][2][1] : tensor<4xf32> to tensor<2xf32>
    %w = tensor.cast %s : tensor<2xf32> to tensor<?xf32>
    scf.yield %t, %w : tensor<4xf32>, tensor<?xf32>
  } else {
    %w = tensor.cast %x : tensor<4xf32> to tensor<?xf32>
    scf.yield %x, %w : tensor<4xf32>, tensor<?xf32>
  }
  %g = scf.if %d -> (tensor<4xf32>) {
    %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%r#0 : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%p: f32, %o: f32):
      %q = math.exp %p : f32
      linalg.yield %q : f32
    } -> tensor<4xf32>
    scf.yield %t : tensor<4xf32>
  } else {
    scf.yield %r#0 : tensor<4xf32>
  }
  return %r#0, %r#1, %g : tensor<4xf32>, tensor<?xf32>, tensor<4xf32>
}
"""

WHILE = """
func.func @f(%x: tensor<?xf32>, %n: i64) -> (tensor<?xf32>, tensor<4xf32>, i64) {
  %c0 = arith.constant 0 : index
  %i0 = arith.constant 0 : i64
  %i1 = arith.constant 1 : i64
  %z = arith.constant 0.5 : f32
  %e = tensor.empty() : tensor<4xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r:3 = scf.while (%a = %x, %b = %i, %k = %i0) : (tensor<?xf32>, tensor<4xf32>, i64) -> (tensor<?xf32>, tensor<4xf32>, i64) {
    %c = arith.cmpi slt, %k, %n : i64
    scf.condition(%c) %a, %b, %k : tensor<?xf32>, tensor<4xf32>, i64
  } do {
  ^bb0(%a: tensor<?xf32>, %b: tensor<4xf32>, %k: i64):
    %d = tensor.dim %a, %c0 : tensor<?xf32>
    %s = arith.addi %d, %d : index
    %e1 = tensor.empty(%s) : tensor<?xf32>
    %u = tensor.insert_slice %a into %e1[0] [%d] [1] : tensor<?xf32> into tensor<?xf32>
    %v = tensor.insert_slice %a into %u[%d] [%d] [1] : tensor<?xf32> into tensor<?xf32>
    %e2 = tensor.empty() : tensor<4xf32>
    %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->(3-d0)>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%b,%b : tensor<4xf32>,tensor<4xf32>) outs(%e2 : tensor<4xf32>) {
    ^bb0(%p: f32, %q: f32, %o: f32):
      %w = arith.addf %p, %q : f32
      linalg.yield %w : f32
    } -> tensor<4xf32>
    %k1 = arith.addi %k, %i1 : i64
    scf.yield %v, %t, %k1 : tensor<?xf32>, tensor<4xf32>, i64
  }
  return %r#0, %r#1, %r#2 : tensor<?xf32>, tensor<4xf32>, i64
}
"""

SHAPES = """
func.func @f(%x: tensor<2x3x4xf32>, %n: index, %m: index) -> (tensor<6x4xf32>, tensor<?x?xf32>, tensor<3x2xf32>, tensor<4x5x6xf32>, tensor<f32>, tensor<1x1xf32>) {
  %z = arith.constant 0.25 : f32
  %a = tensor.collapse_shape %x [[0,1],[2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  %sh = tensor.from_elements %n, %m : tensor<2xindex>
  %b = tensor.reshape %x(%sh) : (tensor<2x3x4xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  %s = tensor.extract_slice %x[1,0,1][1,3,2][1,1,2] : tensor<2x3x4xf32> to tensor<3x2xf32>
  %c = tensor.collapse_shape %s [[0,1]] : tensor<3x2xf32> into tensor<6xf32>
  %d = tensor.expand_shape %c [[0,1]] output_shape [3,2] : tensor<6xf32> into tensor<3x2xf32>
  %p = tensor.pad %x low[1,1,0] high[1,1,2] {
    ^bb0(%i: index, %j: index, %k: index):
      tensor.yield %z : f32
  } : tensor<2x3x4xf32> to tensor<4x5x6xf32>
  %c1 = arith.constant 1 : index
  %v = tensor.extract %x[%c1,%c1,%c1] : tensor<2x3x4xf32>
  %g = tensor.from_elements %v : tensor<f32>
  %h = tensor.expand_shape %g [] output_shape [1,1] : tensor<f32> into tensor<1x1xf32>
  return %a, %b, %d, %p, %g, %h : tensor<6x4xf32>, tensor<?x?xf32>, tensor<3x2xf32>, tensor<4x5x6xf32>, tensor<f32>, tensor<1x1xf32>
}
"""

ALIAS = """
func.func @f(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<2x6xf32>) {
  %e = tensor.empty() : tensor<4x6xf32>
  %t = linalg.generic {indexing_maps=[affine_map<(a,b)->(a,b)>,affine_map<(a,b)->(a,b)>], iterator_types=["parallel","parallel"]} ins(%x : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
    ^bb0(%p: f32, %o: f32):
      %q = math.exp %p : f32
      linalg.yield %q : f32
    } -> tensor<4x6xf32>
  %s = tensor.extract_slice %t[0,0][2,6][1,1] : tensor<4x6xf32> to tensor<2x6xf32>
  %u = tensor.insert_slice %s into %t[1,0][2,6][1,1] : tensor<2x6xf32> into tensor<4x6xf32>
  %w = tensor.insert_slice %s into %u[2,0][2,6][1,1] : tensor<2x6xf32> into tensor<4x6xf32>
  return %u, %w, %s : tensor<4x6xf32>, tensor<4x6xf32>, tensor<2x6xf32>
}
"""


@pytest.mark.parametrize("count", [0, 1, 3])
def test_slices_written_in_a_loop(run_passes, normal, count):
    """The accumulator is one buffer: a row is written in place, nothing is copied."""
    module = run_passes(FOR_INSERT, [normal(4, 6), count], [canonicalize, bufferize])
    loop = next(op for op in module.walk() if op.name == "scf.for")
    assert not any(op.name == "memref.alloc" and tuple(op.result.type.shape) == (4, 6) for op in loop.walk())
    run_passes(FOR_INSERT, [normal(4, 6), count], PASSES)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_carried_values_that_change_places(run_passes, normal, count):
    run_passes(SWAP, [normal(4), normal(4), count], PASSES)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("extent", [0, 3])
def test_tensor_that_grows_in_a_loop(run_passes, normal, count, extent):
    run_passes(GROW, [normal(extent), count], PASSES)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_results_of_branches(run_passes, normal, first, second):
    run_passes(IF, [normal(4), first, second], PASSES)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_values_carried_by_a_while_loop(run_passes, normal, count):
    run_passes(WHILE, [normal(3), count], PASSES)


def test_views_and_reshapes(run_passes, normal):
    run_passes(SHAPES, [normal(2, 3, 4), 4, 6], PASSES)


ONE_ELEMENT = """
func.func @f(%x: tensor<6xf32>) -> tensor<1x1xf32> {
  %s = tensor.extract_slice %x[5] [1] [1] : tensor<6xf32> to tensor<f32>
  %e = tensor.expand_shape %s [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
  %o = tensor.empty() : tensor<1x1xf32>
  %r = linalg.generic {indexing_maps=[affine_map<(d0, d1)->(d0, d1)>,affine_map<(d0, d1)->(d0, d1)>], iterator_types=["parallel", "parallel"]} ins(%e : tensor<1x1xf32>) outs(%o : tensor<1x1xf32>) {
  ^bb0(%p: f32, %q: f32):
    %y = arith.addf %p, %p : f32
    linalg.yield %y : f32
  } -> tensor<1x1xf32>
  return %r : tensor<1x1xf32>
}
"""


def test_one_element_of_a_slice_gets_dimensions(run_passes, normal):
    run_passes(ONE_ELEMENT, [normal(6)], PASSES)


def test_writes_do_not_reach_values_still_needed(run_passes, normal):
    run_passes(ALIAS, [normal(4, 6)], PASSES)


ARGUMENT = """
func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 9.0 : f32
  %y = tensor.insert %z into %x[%c0] : tensor<4xf32>
  return %x, %y : tensor<4xf32>, tensor<4xf32>
}
"""


def test_arguments_are_never_written(run_passes, normal):
    module = run_passes(ARGUMENT, [normal(4)], PASSES)
    argument = next(functions(module)).body().args[0]
    assert all(user.name in ("memref.copy", "memref.load") for user in argument.users)


def test_result_is_a_fresh_buffer_even_when_it_is_an_argument(run_passes, normal):
    text = "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}"
    module = run_passes(text, [normal(4)], PASSES)
    assert sum(op.name == "memref.alloc" for op in module.walk()) == 1


@pytest.mark.parametrize("text", [FOR_INSERT, SWAP, GROW, IF, WHILE, SHAPES, ALIAS, ARGUMENT])
def test_every_buffer_has_an_owner(text):
    module = parse_module(text)
    for apply in PASSES:
        apply(module)
    verify_loops(module)


CONSTANTS = """
func.func @f(%i: index) -> (tensor<2x2xf32>, f32, tensor<3xi64>) {
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<7> : tensor<3xi64>
  %v = tensor.extract %a[%i, %i] : tensor<2x2xf32>
  %w = arith.constant 0.5 : f32
  %c = tensor.insert %w into %a[%i, %i] : tensor<2x2xf32>
  return %c, %v, %b : tensor<2x2xf32>, f32, tensor<3xi64>
}
"""


def test_constants_stay_constant(run_passes):
    module = run_passes(CONSTANTS, [1], PASSES)
    declared = next(op for op in module.walk() if op.name == "memref.global")
    assert np.array_equal(declared.attributes["initial_value"].value.array, np.array([[1, 2], [3, 4]], np.float32))


def test_sums_that_start_from_one_bias_do_not_copy_it():
    text = """
#v = affine_map<(d0, d1) -> (d1)>
#m = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(d0, d1, d2) -> (d0, d2)>
#o = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @f(%x: tensor<4x5xf32>, %y: tensor<4x5xf32>, %bias: tensor<3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %e = tensor.empty() : tensor<4x3xf32>
  %b = linalg.generic {indexing_maps = [#v, #m], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<3xf32>) outs(%e : tensor<4x3xf32>) {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  } -> tensor<4x3xf32>
  %r = linalg.generic {indexing_maps = [#x, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<4x5xf32>) outs(%b : tensor<4x3xf32>) {
  ^bb0(%p: f32, %o: f32):
    %q = arith.addf %o, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x3xf32>
  %s = linalg.generic {indexing_maps = [#x, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%y : tensor<4x5xf32>) outs(%b : tensor<4x3xf32>) {
  ^bb0(%p: f32, %o: f32):
    %q = arith.addf %o, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x3xf32>
  return %r, %s : tensor<4x3xf32>, tensor<4x3xf32>
}
"""
    module = parse_module(text)
    bufferize(module)
    assert not any(op.name == "memref.copy" for op in module.walk())
    x, y, bias = np.ones((4, 5), np.float32), np.full((4, 5), 2, np.float32), np.arange(3, dtype=np.float32)
    for found, expected in zip(interpret(module, "f", [x, y, bias]), (bias + 5, bias + 10), strict=True):
        np.testing.assert_array_equal(found, np.broadcast_to(expected, (4, 3)))
