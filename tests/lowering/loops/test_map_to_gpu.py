"""`map-to-gpu`: the same results before and after, also from the PTX of the kernels; MLIR accepts what it makes."""

import numpy as np
import pytest

from torchcc.backend.ptx import codegen
from torchcc.backend.ptx.simulate import simulate
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.lowering.contracts import verify_loops
from torchcc.lowering.loops.map_to_gpu import MapToGpu


def function(body, signature="%x: memref<?xf32>, %y: memref<?xf32>", *, outside=""):
    return f"""{outside}
func.func @f({signature}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %one = arith.constant 1.0 : f32
  %n = memref.dim %x, %c0 : {signature.split(", %")[0].partition(": ")[2]}
{body}
  return
}}"""


def copies(arguments):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]


@pytest.fixture
def mapped(run_passes):
    """`mapped(text, arguments)` -> the module and the arguments afterwards; on the host, mapped, and as PTX."""

    def run(text, arguments, block_size=32):
        apply = MapToGpu(block_size=block_size).apply
        module = run_passes(text, copies(arguments), [apply])
        verify_loops(module)
        before, after, native = copies(arguments), copies(arguments), copies(arguments)
        interpret(parse_module(text), "f", before)
        interpret(module, "f", after)
        simulate(module, codegen.translate(module, "sm_90"), "f", native)
        for b, a, n in zip(before, after, native, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(n, b)
        return module, after

    return run


def launches(module):
    return sum(op.name == "gpu.launch_func" for op in module.walk())


def host_names(module):
    host = next(op for op in module.walk() if op.name == "func.func")
    return {op.name for op in host.walk()}


def values(*shape):
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


ADD_ONE = """
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %v = memref.load %x[%i] : memref<?xf32>
    %w = arith.addf %v, %one : f32
    memref.store %w, %y[%i] : memref<?xf32>
    scf.reduce
  }"""


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 100])
def test_one_loop(mapped, n):
    module, (_, y) = mapped(function(ADD_ONE), [values(n), np.zeros(n, np.float32)])
    assert launches(module) == 1
    np.testing.assert_array_equal(y, values(n) + 1)


@pytest.mark.parametrize(("lower", "upper", "step"), [(1, 10, 3), (2, 2, 1), (5, 2, 1), (-2, 5, 2)])
def test_bounds_and_steps(mapped, lower, upper, step):
    body = f"""
  %lo = arith.constant {lower} : index
  %hi = arith.constant {upper} : index
  %st = arith.constant {step} : index
  scf.parallel (%i) = (%lo) to (%hi) step (%st) {{
    %k = arith.addi %i, %c2 : index
    memref.store %one, %y[%k] : memref<?xf32>
    scf.reduce
  }}"""
    _, (_, y) = mapped(function(body), [values(12), np.zeros(12, np.float32)])
    assert [i - 2 for i in np.flatnonzero(y)] == list(range(lower, upper, step))


@pytest.mark.parametrize("shape", [(3, 5), (0, 5), (40, 2)])
def test_several_dimensions_and_dynamic_sizes(mapped, shape):
    body = """
  %m = memref.dim %x, %c1 : memref<?x?xf32>
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %m) step (%c1, %c1) {
    %v = memref.load %x[%i, %j] : memref<?x?xf32>
    memref.store %v, %y[%j, %i] : memref<?x?xf32>
    scf.reduce
  }"""
    signature = "%x: memref<?x?xf32>, %y: memref<?x?xf32>"
    _, (x, y) = mapped(function(body, signature), [values(*shape), np.zeros(shape[::-1], np.float32)])
    np.testing.assert_array_equal(y, x.T)


def test_nested_loops_run_inside_the_thread(mapped):
    body = """
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    scf.parallel (%j, %k) = (%c0, %c1) to (%c3, %c3) step (%c2, %c1) {
      %v = memref.load %x[%i] : memref<?xf32>
      %old = memref.load %y[%i] : memref<?xf32>
      %w = arith.addf %old, %v : f32
      memref.store %w, %y[%i] : memref<?xf32>
      scf.reduce
    }
    scf.reduce
  }"""
    module, (x, y) = mapped(function(body), [values(40), np.zeros(40, np.float32)])
    assert launches(module) == 1
    np.testing.assert_array_equal(y, 4 * x)


@pytest.mark.parametrize("shape", [(7,), (0,), (3, 4), ()])
def test_copies_are_parallel(mapped, shape):
    t = f"memref<{'?x' * len(shape)}f32>"
    text = f"func.func @f(%x: {t}, %y: {t}) {{\n  memref.copy %x, %y : {t} to {t}\n  return\n}}"
    module, (x, y) = mapped(text, [values(*shape), np.zeros(shape, np.float32)])
    assert launches(module) == 1 and "memref.copy" not in {op.name for op in module.walk()}
    np.testing.assert_array_equal(x, y)


def test_strided_views(mapped):
    body = """
  %s = memref.subview %x[2] [%n2] [3] : memref<?xf32> to memref<?xf32, strided<[3], offset: 2>>
  %t = memref.subview %y[%c1] [%n2] [%c2] : memref<?xf32> to memref<?xf32, strided<[?], offset: ?>>
  memref.copy %s, %t : memref<?xf32, strided<[3], offset: 2>> to memref<?xf32, strided<[?], offset: ?>>"""
    body = "  %n2 = arith.divui %n, %c3 : index" + body
    _, (x, y) = mapped(function(body), [values(12), np.zeros(12, np.float32)])
    np.testing.assert_array_equal(y[1:9:2], x[2::3])


SCAN = """
  %last = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %zero) -> (f32) {
    %v = memref.load %x[%i] : memref<?xf32>
    %w = arith.addf %sum, %v : f32
    memref.store %w, %y[%i] : memref<?xf32>
    scf.yield %w : f32
  }"""


@pytest.mark.parametrize("n", [0, 1, 9])
def test_a_sequential_loop_is_one_thread(mapped, n):
    module, (x, y) = mapped(function("  %zero = arith.constant 0.0 : f32" + SCAN), [values(n), np.zeros(n, np.float32)])
    assert launches(module) == 1 and "memref.load" not in host_names(module)
    np.testing.assert_array_equal(y, np.cumsum(x))


def test_results_of_a_loop_stay_on_the_device(mapped):
    body = (
        "  %zero = arith.constant 0.0 : f32"
        + SCAN
        + """
  %half = arith.constant 0.5 : f32
  %scaled = arith.mulf %last, %half : f32
  memref.store %scaled, %y[%c0] : memref<?xf32>"""
    )
    module, (x, y) = mapped(function(body), [values(6), np.zeros(6, np.float32)])
    assert launches(module) == 1 and not host_names(module) & {"memref.load", "memref.store", "memref.alloc"}
    assert y[0] == x.sum() / 2


def test_results_that_the_host_needs_come_back(mapped):
    body = (
        "  %zero = arith.constant 0.0 : f32"
        + SCAN
        + """
  %limit = arith.constant 20.0 : f32
  %large = arith.cmpf ogt, %last, %limit : f32
  scf.if %large {"""
        + ADD_ONE
        + """
  }"""
    )
    for n in (5, 8):
        module, (x, y) = mapped(function(body), [values(n), np.zeros(n, np.float32)])
        assert launches(module) == 2 and "memref.load" in host_names(module)
        np.testing.assert_array_equal(y, x + 1 if x.sum() > 20 else np.cumsum(x))


def test_host_loops_around_kernels(mapped):
    body = f"""
  scf.for %t = %c0 to %c3 step %c1 {{
    {ADD_ONE}
    memref.copy %y, %x : memref<?xf32> to memref<?xf32>
  }}"""
    module, (x, _) = mapped(function(body), [values(50), np.zeros(50, np.float32)])
    assert launches(module) == 2
    np.testing.assert_array_equal(x, values(50) + 3)


def test_a_condition_that_kernels_compute(mapped):
    body = f"""
  scf.while : () -> () {{
    %v = memref.load %x[%c0] : memref<?xf32>
    %limit = arith.constant 10.0 : f32
    %go = arith.cmpf olt, %v, %limit : f32
    scf.condition(%go)
  }} do {{
    {ADD_ONE}
    memref.copy %y, %x : memref<?xf32> to memref<?xf32>
    scf.yield
  }}"""
    _, (x, _) = mapped(function(body), [values(4), np.zeros(4, np.float32)])
    np.testing.assert_array_equal(x, values(4) + 9)


def test_constants_are_given_to_the_kernel(mapped):
    outside = 'memref.global "private" constant @weights : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>'
    body = """
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %w = memref.get_global @weights : memref<4xf32>
    %v = memref.load %w[%i] : memref<4xf32>
    memref.store %v, %y[%i] : memref<?xf32>
    scf.reduce
  }"""
    _, (_, y) = mapped(function(body, outside=outside), [values(4), np.zeros(4, np.float32)])
    np.testing.assert_array_equal(y, values(4))


def test_elements_of_rank_0(mapped):
    body = """
  %v = memref.load %x[] : memref<f32>
  %w = arith.addf %v, %one : f32
  memref.store %w, %y[] : memref<f32>"""
    text = function(body, "%x: memref<f32>, %y: memref<f32>").replace("  %n = memref.dim %x, %c0 : memref<f32>\n", "")
    module, (_, y) = mapped(text, [values(), np.zeros((), np.float32)])
    assert launches(module) == 1 and y == 2


def test_scalars_are_parameters(mapped):
    body = """
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = arith.sitofp %k : i64 to f32
    %b = arith.select %yes, %a, %one : f32
    memref.store %b, %x[%i] : memref<?xf32>
    scf.reduce
  }"""
    _, arguments = mapped(function(body, "%x: memref<?xf32>, %k: i64, %yes: i1"), [values(5), 7, True])
    np.testing.assert_array_equal(arguments[0], [7] * 5)


def test_work_between_is_kept_in_order(mapped):
    body = """
  %a = memref.alloc() : memref<4xf32>
  memref.store %one, %a[%c1] : memref<4xf32>
  %k = arith.addi %c1, %c1 : index
  memref.store %one, %a[%k] : memref<4xf32>
  %b = memref.alloc(%n) : memref<?xf32>
  %v = memref.load %a[%c1] : memref<4xf32>
  memref.store %v, %b[%c0] : memref<?xf32>
  memref.dealloc %a : memref<4xf32>
  %w = memref.load %b[%c0] : memref<?xf32>
  memref.store %w, %y[%k] : memref<?xf32>
  memref.dealloc %b : memref<?xf32>"""
    module, (_, y) = mapped(function(body), [values(5), np.zeros(5, np.float32)])
    assert launches(module) == 2
    np.testing.assert_array_equal(y, [0, 0, 1, 0, 0])


def test_thread_local_memory(mapped):
    body = """
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.alloca() : memref<4xf32>
    scf.for %k = %c0 to %c3 step %c1 {
      %v = memref.load %x[%i] : memref<?xf32>
      memref.store %v, %a[%k] : memref<4xf32>
    }
    %m = arith.remui %i, %c3 : index
    %w = memref.load %a[%m] : memref<4xf32>
    memref.store %w, %y[%i] : memref<?xf32>
    scf.reduce
  }"""
    _, (x, y) = mapped(function(body), [values(35), np.zeros(35, np.float32)])
    np.testing.assert_array_equal(x, y)
