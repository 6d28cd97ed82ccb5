"""The interpreters of the `linalg` and `loops` stages against numpy."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from torchcc.ir.attributes import Constant
from torchcc.ir.diagnostics import ExecutionError, InternalError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module

RNG = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def run(text: str, *arguments: object, constants: dict[str, Constant] | None = None) -> list[object]:
    return interpret(parse_module(text, constants), "f", arguments)


CONV = """
#in = affine_map<(n, f, y, x, c, i, j) -> (n, c, y * 2 + i, x + j)>
#w = affine_map<(n, f, y, x, c, i, j) -> (f, c, i, j)>
#out = affine_map<(n, f, y, x, c, i, j) -> (n, f, y, x)>
func.func @f(%a: tensor<?x?x?x?xf32>, %w: tensor<?x?x?x?xf32>, %o: tensor<?x?x?x?xf32>) -> tensor<?x?x?x?xf32> {
  %0 = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%a, %w : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) outs(%o : tensor<?x?x?x?xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x?x?x?xf32>
  return %0 : tensor<?x?x?x?xf32>
}
"""


def test_convolution() -> None:
    a, w = f32(2, 3, 9, 8), f32(4, 3, 3, 2)
    out = np.zeros((2, 4, 4, 7), np.float32)
    expected = np.zeros_like(out)
    for y in range(4):
        for x in range(7):
            expected[:, :, y, x] = np.einsum("ncij,fcij->nf", a[:, :, 2 * y : 2 * y + 3, x : x + 2], w)
    np.testing.assert_allclose(run(CONV, a, w, out)[0], expected, rtol=1e-4, atol=1e-5)
    assert not out.any()  # tensors are values


def test_indexing_maps_are_checked() -> None:
    with pytest.raises(InternalError, match=r"indexing map reaches 0 to 9 of the extent 9"):
        run(CONV, f32(2, 3, 9, 8), f32(4, 3, 4, 2), np.zeros((2, 4, 4, 7), np.float32))


def test_reduction_keeps_the_order_of_the_loop() -> None:
    """Float sums are the sequential ones, in f32, whatever way they are computed."""
    text = """
func.func @f(%a: tensor<?xf32>, %o: tensor<f32>) -> tensor<f32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%a : tensor<?xf32>) outs(%o : tensor<f32>) {
  ^bb0(%x: f32, %acc: f32):
    %q = arith.mulf %x, %x : f32
    %s = arith.addf %q, %acc : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
"""
    for n in (0, 1, 5, 5000):
        a = f32(n)
        expected = np.float32(0.5)
        for x in a:
            expected = np.float32(expected + np.float32(x * x))
        assert run(text, a, np.array(0.5, np.float32))[0] == expected
    big = f32(1 << 20)
    start = time.perf_counter()
    run(text, big, np.array(0, np.float32))
    assert time.perf_counter() - start < 10


def test_argmax_with_two_results() -> None:
    text = """
#in = affine_map<(d0, d1) -> (d0, d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @f(%a: tensor<?x?xf32>, %o: tensor<?xf32>, %p: tensor<?xi64>) -> (tensor<?xf32>, tensor<?xi64>) {
  %0:2 = linalg.generic {indexing_maps = [#in, #out, #out], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<?x?xf32>) outs(%o, %p : tensor<?xf32>, tensor<?xi64>) {
  ^bb0(%x: f32, %best: f32, %at: i64):
    %j = linalg.index 1 : index
    %k = arith.index_cast %j : index to i64
    %gt = arith.cmpf ogt, %x, %best : f32
    %v = arith.select %gt, %x, %best : f32
    %i = arith.select %gt, %k, %at : i64
    linalg.yield %v, %i : f32, i64
  } -> (tensor<?xf32>, tensor<?xi64>)
  return %0#0, %0#1 : tensor<?xf32>, tensor<?xi64>
}
"""
    a = f32(5, 40)
    best, at = run(text, a, np.full(5, -np.inf, np.float32), np.zeros(5, np.int64))
    assert (best == a.max(1)).all() and (at == a.argmax(1)).all()


def test_gather_in_a_body() -> None:
    text = """
func.func @f(%table: tensor<?x?xf32>, %i: tensor<?xi64>, %o: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%i : tensor<?xi64>) outs(%o : tensor<?x?xf32>) {
  ^bb0(%row: i64, %out: f32):
    %r = arith.index_cast %row : i64 to index
    %c = linalg.index 1 : index
    %v = tensor.extract %table[%r, %c] : tensor<?x?xf32>
    linalg.yield %v : f32
  } -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
"""
    table, rows = f32(6, 3), np.array([5, 0, 5, 2])
    out = np.zeros((4, 3), np.float32)
    assert (run(text, table, rows, out)[0] == table[rows]).all()
    with pytest.raises(InternalError, match="out of the bounds"):
        run(text, table, np.array([6, 0, 0, 0]), out)


def test_control_flow_in_a_body_runs_point_by_point() -> None:
    text = """
func.func @f(%a: memref<?x?xf32>) {
  %z = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%a : memref<?x?xf32>) {
  ^bb0(%x: f32):
    %c = arith.cmpf olt, %x, %z : f32
    %r = scf.if %c -> (f32) {
      %n = arith.negf %x : f32
      scf.yield %n : f32
    } else {
      scf.yield %x : f32
    }
    linalg.yield %r : f32
  }
  return
}
"""
    a = f32(3, 4)
    expected = np.abs(a)
    run(text, a)
    assert (a == expected).all()


def test_nonlinear_and_transposed_maps() -> None:
    text = """
func.func @f(%a: tensor<?x?xf32>, %o: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1 floordiv 2, d0 mod 3)>, affine_map<(d0, d1) -> (d1, d0)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x?xf32>) outs(%o : tensor<?x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
"""
    a = f32(2, 3)
    result = run(text, a, np.zeros((4, 5), np.float32))[0]
    expected = np.array([[a[d1 // 2, d0 % 3] for d0 in range(5)] for d1 in range(4)])
    assert (result == expected).all()


def test_reversed_map() -> None:
    text = """
func.func @f(%a: tensor<5xf32>, %o: tensor<5xf32>) -> tensor<5xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (-d0 + 4)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<5xf32>) outs(%o : tensor<5xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<5xf32>
  return %0 : tensor<5xf32>
}
"""
    a = f32(5)
    assert (run(text, a, np.zeros(5, np.float32))[0] == a[::-1]).all()


def test_integer_matmul_wraps() -> None:
    text = """
func.func @f(%a: tensor<?x?xi8>, %b: tensor<?x?xi8>, %c: tensor<?x?xi8>) -> tensor<?x?xi8> {
  %0 = linalg.matmul ins(%a, %b : tensor<?x?xi8>, tensor<?x?xi8>) outs(%c : tensor<?x?xi8>) -> tensor<?x?xi8>
  return %0 : tensor<?x?xi8>
}
"""
    for m, k, n in ((3, 5, 4), (1, 200, 2)):
        a, b = RNG.integers(-128, 128, (m, k)).astype(np.int8), RNG.integers(-128, 128, (k, n)).astype(np.int8)
        result = run(text, a, b, np.zeros((m, n), np.int8))[0]
        assert result.dtype == np.int8
        assert (result == (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int8)).all()


def test_bfloat16_sum() -> None:
    import ml_dtypes

    text = """
func.func @f(%a: tensor<?xbf16>, %o: tensor<bf16>) -> tensor<bf16> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%a : tensor<?xbf16>) outs(%o : tensor<bf16>) {
  ^bb0(%x: bf16, %acc: bf16):
    %s = arith.addf %acc, %x : bf16
    linalg.yield %s : bf16
  } -> tensor<bf16>
  return %0 : tensor<bf16>
}
"""
    a = f32(50).astype(ml_dtypes.bfloat16)
    expected = ml_dtypes.bfloat16(0)
    for x in a:
        expected = expected + x
    assert run(text, a, np.array(0, ml_dtypes.bfloat16))[0] == expected


def test_tensor_operations() -> None:
    text = """
func.func @f(%t: tensor<?x4xf32>, %n: index, %x: f32) -> (tensor<?xf32>, tensor<?x4xf32>, tensor<?xf32>, tensor<?x2x2xf32>, tensor<?x?xf32>, tensor<?x3xf32>, index, tensor<2xindex>, tensor<2x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %col = tensor.extract_slice %t[0, %c1] [%n, 1] [1, 1] : tensor<?x4xf32> to tensor<?xf32>
  %ins = tensor.insert_slice %col into %t[0, 3] [%n, 1] [1, 1] : tensor<?xf32> into tensor<?x4xf32>
  %flat = tensor.collapse_shape %t [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  %exp = tensor.expand_shape %t [[0], [1, 2]] output_shape [%n, 2, 2] : tensor<?x4xf32> into tensor<?x2x2xf32>
  %pad = tensor.pad %t low[1, %c0] high[%c2, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %x : f32
  } : tensor<?x4xf32> to tensor<?x?xf32>
  %gen = tensor.generate %n {
  ^bb0(%i: index, %j: index):
    %v = tensor.extract %t[%i, %j] : tensor<?x4xf32>
    %w = arith.addf %v, %x : f32
    tensor.yield %w : f32
  } : tensor<?x3xf32>
  %d = tensor.dim %pad, %c1 : tensor<?x?xf32>
  %shape = tensor.from_elements %c2, %d : tensor<2xindex>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %half = arith.muli %n, %c2 : index
  %to = tensor.from_elements %c2, %half : tensor<2xindex>
  %re = tensor.reshape %t(%to) : (tensor<?x4xf32>, tensor<2xindex>) -> tensor<2x?xf32>
  return %col, %ins, %flat, %exp, %pad, %gen, %d, %shape, %re : tensor<?xf32>, tensor<?x4xf32>, tensor<?xf32>, tensor<?x2x2xf32>, tensor<?x?xf32>, tensor<?x3xf32>, index, tensor<2xindex>, tensor<2x?xf32>
}
"""
    t = f32(3, 4)
    col, ins, flat, exp, pad, gen, d, shape, re_ = run(text, t, 3, 9.0)
    assert (col == t[:, 1]).all() and (flat == t.ravel()).all() and (exp == t.reshape(3, 2, 2)).all()
    assert (ins == np.concatenate([t[:, :3], t[:, 1:2]], 1)).all()
    assert (pad == np.pad(t, ((1, 2), (0, 1)), constant_values=9)).all()
    assert (gen == t[:, :3] + np.float32(9)).all()
    assert d == 5 and shape.tolist() == [2, 5] and re_.shape == (2, 6)


def test_memref_views() -> None:
    text = """
func.func @f(%m: memref<4x6xf32>, %o: index) -> (memref<2x3xf32, strided<[6, 2], offset: ?>>, memref<6xf32, strided<[1], offset: ?>>, memref<24xf32>, memref<2x2x6xf32>, memref<2x2xf32, strided<[?, 1], offset: ?>>) {
  %a = memref.subview %m[%o, 0] [2, 3] [1, 2] : memref<4x6xf32> to memref<2x3xf32, strided<[6, 2], offset: ?>>
  %b = memref.subview %m[%o, 0] [1, 6] [1, 1] : memref<4x6xf32> to memref<6xf32, strided<[1], offset: ?>>
  %c = memref.collapse_shape %m [[0, 1]] : memref<4x6xf32> into memref<24xf32>
  %d = memref.expand_shape %m [[0, 1], [2]] output_shape [2, 2, 6] : memref<4x6xf32> into memref<2x2x6xf32>
  %e = memref.reinterpret_cast %m to offset: [%o], sizes: [2, 2], strides: [%o, 1] : memref<4x6xf32> to memref<2x2xf32, strided<[?, 1], offset: ?>>
  %x = arith.constant 7.0 : f32
  memref.store %x, %a[%o, %o] : memref<2x3xf32, strided<[6, 2], offset: ?>>
  return %a, %b, %c, %d, %e : memref<2x3xf32, strided<[6, 2], offset: ?>>, memref<6xf32, strided<[1], offset: ?>>, memref<24xf32>, memref<2x2x6xf32>, memref<2x2xf32, strided<[?, 1], offset: ?>>
}
"""
    m = f32(4, 6)
    a, b, c, d, e = run(text, m, 1)
    assert m[2, 2] == 7
    assert (a == m[1:3, 0:6:2]).all() and (b == m[1]).all() and (c == m.ravel()).all() and (d == m.reshape(2, 2, 6)).all()
    assert (e == [[m[0, 1], m[0, 2]], [m[0, 2], m[0, 3]]]).all()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("%v = memref.load %m[%n] : memref<4xf32>", r"index \[9\] is outside"),
        ("memref.store %x, %m[%neg] : memref<4xf32>", r"index \[-1\] is outside"),
        ("%v = memref.subview %m[2] [%n] [1] : memref<4xf32> to memref<?xf32, strided<[1], offset: 2>>", "leave the extent 4"),
        ("%v = vector.load %m[%c2] : memref<4xf32>, vector<4xf32>", "leave the shape"),
        ("%v = memref.reinterpret_cast %m to offset: [0], sizes: [5], strides: [1] : memref<4xf32> to memref<5xf32>", "leaves its buffer"),
        ("%c = memref.cast %m : memref<4xf32> to memref<?xf32>\n  %v = memref.cast %c : memref<?xf32> to memref<5xf32>", "extent 4"),
    ],
)
def test_bounds(body: str, message: str) -> None:
    text = f"""
func.func @f(%m: memref<4xf32>, %n: index, %x: f32) {{
  %neg = arith.constant -1 : index
  %c2 = arith.constant 2 : index
  {body}
  return
}}
"""
    with pytest.raises(InternalError, match=message):
        run(text, f32(4), 9, 1.0)


def test_arena_views_share_memory() -> None:
    text = """
func.func @f(%n: index) -> (memref<?xi64>, memref<2xf32>) {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %arena = memref.alloc() : memref<64xi8>
  %a = memref.view %arena[%c0][%n] : memref<64xi8> to memref<?xi64>
  %b = memref.view %arena[%c8][] : memref<64xi8> to memref<2xf32>
  %x = arith.constant 4607182418800017408 : i64
  linalg.fill ins(%x : i64) outs(%a : memref<?xi64>)
  return %a, %b : memref<?xi64>, memref<2xf32>
}
"""
    a, b = run(text, 2)
    assert a.view(np.float64).tolist() == [1.0, 1.0] and b.view(np.float64).tolist() == [1.0]


def test_globals() -> None:
    data = np.arange(4, dtype=np.float32)
    text = """
memref.global "private" constant @w : memref<4xf32> = dense_resource<w>
func.func @f(%i: index, %x: f32) -> f32 {
  %w = memref.get_global @w : memref<4xf32>
  %v = memref.load %w[%i] : memref<4xf32>
  return %v : f32
}
"""
    assert run(text, 3, 0.0, constants={"w": Constant("w", data)}) == [3.0]


def test_scf() -> None:
    text = """
func.func @f(%n: index, %m: memref<3x4xf32>) -> (index, f32, f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %z = arith.constant 0.0 : f32
  %r:2 = scf.while (%i = %n, %s = %c0) : (index, index) -> (index, index) {
    %go = arith.cmpi ne, %i, %c1 : index
    scf.condition(%go) %i, %s : index, index
  } do {
  ^bb0(%i: index, %s: index):
    %odd = arith.remui %i, %c2 : index
    %is = arith.cmpi eq, %odd, %c1 : index
    %j = scf.if %is -> (index) {
      %t = arith.muli %i, %c3 : index
      %u = arith.addi %t, %c1 : index
      scf.yield %u : index
    } else {
      %h = arith.divui %i, %c2 : index
      scf.yield %h : index
    }
    %k = arith.addi %s, %c1 : index
    scf.yield %j, %k : index, index
  }
  %sum = scf.parallel (%i, %j) = (%c0, %c0) to (%c3, %c4) step (%c1, %c2) init (%z) -> f32 {
    %v = memref.load %m[%i, %j] : memref<3x4xf32>
    scf.reduce(%v : f32) {
    ^bb0(%a: f32, %b: f32):
      %t = arith.addf %a, %b : f32
      scf.reduce.return %t : f32
    }
  }
  %fib:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %z, %b = %sum) -> (f32, f32) {
    scf.yield %b, %a : f32, f32
  }
  return %r#1, %sum, %fib#0 : index, f32, f32
}
"""
    m = f32(3, 4)
    steps, total, swapped = run(text, 27, m)
    assert steps == 111
    np.testing.assert_allclose(total, m[:, ::2].sum(), rtol=1e-5)
    assert swapped == total  # an odd number of swaps


def test_loops_are_not_slow() -> None:
    text = """
func.func @f(%n: index, %m: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %v = memref.load %m[%i] : memref<?xf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %m[%i] : memref<?xf32>
  }
  return
}
"""
    a = f32(100_000)
    expected = a + a
    start = time.perf_counter()
    run(text, 100_000, a)
    assert time.perf_counter() - start < 20
    assert (a == expected).all()


def test_failing_assertion_carries_values() -> None:
    text = """
func.func private @torchcc_note_i64(i64)
func.func private @torchcc_note_f64(f64)
func.func @f(%a: i64, %b: f64) {
  %c3 = arith.constant 3 : i64
  %ok = arith.cmpi eq, %a, %c3 : i64
  %true = arith.constant true
  %not = arith.xori %ok, %true : i1
  scf.if %not {
    func.call @torchcc_note_i64(%a) : (i64) -> ()
    func.call @torchcc_note_f64(%b) : (f64) -> ()
  }
  cf.assert %ok, "expected 3, got {} and {}; {} stays"
  return
}
"""
    run(text, 3, 0.5)
    with pytest.raises(ExecutionError, match=re.escape("expected 3, got -4 and 2.5; {} stays")) as caught:
        run(text, -4, 2.5)
    assert caught.value.span is not None


def test_calls_and_externals() -> None:
    text = """
func.func private @outside(f32) -> f32
func.func @fact(%n: i64) -> i64 {
  %c1 = arith.constant 1 : i64
  %small = arith.cmpi sle, %n, %c1 : i64
  %r = scf.if %small -> (i64) {
    scf.yield %c1 : i64
  } else {
    %m = arith.subi %n, %c1 : i64
    %k = func.call @fact(%m) : (i64) -> i64
    %p = arith.muli %n, %k : i64
    scf.yield %p : i64
  }
  return %r : i64
}
func.func @f(%n: i64, %x: f32) -> (i64, f32) {
  %0 = call @fact(%n) : (i64) -> i64
  %1 = call @outside(%x) : (f32) -> f32
  return %0, %1 : i64, f32
}
"""
    module = parse_module(text)
    assert interpret(module, "f", [10, 2.0], {"outside": lambda x: x * np.float32(3)}) == [3628800, 6.0]
    with pytest.raises(InternalError, match="only declared"):
        interpret(module, "f", [10, 2.0])


def test_vectors() -> None:
    text = """
func.func @f(%m: memref<8xf32>, %i: index, %n: index, %x: f32) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, f32, vector<2xf32>, vector<2x4xf32>, f32) {
  %v = vector.load %m[%i] : memref<8xf32>, vector<4xf32>
  %mask = vector.create_mask %n : vector<4xi1>
  %zero = arith.constant dense<0.0> : vector<4xf32>
  %a = vector.maskedload %m[%i], %mask, %zero : memref<8xf32>, vector<4xi1>, vector<4xf32> into vector<4xf32>
  %s = vector.step : vector<4xindex>
  %two = arith.constant dense<2> : vector<4xindex>
  %at = arith.muli %s, %two : vector<4xindex>
  %c0 = arith.constant 0 : index
  %g = vector.gather %m[%c0] [%at], %mask, %zero : memref<8xf32>, vector<4xindex>, vector<4xi1>, vector<4xf32> into vector<4xf32>
  %b = vector.broadcast %x : f32 to vector<4xf32>
  %f = vector.fma %v, %b, %b : vector<4xf32>
  %r = vector.reduction <add>, %v : vector<4xf32> into f32
  %sh = vector.shuffle %v, %b [3, 4] : vector<4xf32>, vector<4xf32>
  %w = vector.broadcast %x : f32 to vector<2x4xf32>
  %ins = vector.insert %v, %w [1] : vector<4xf32> into vector<2x4xf32>
  %e = vector.extract %ins[1, 2] : f32 from vector<2x4xf32>
  vector.maskedstore %m[%i], %mask, %b : memref<8xf32>, vector<4xi1>, vector<4xf32>
  return %a, %g, %f, %r, %sh, %ins, %e : vector<4xf32>, vector<4xf32>, vector<4xf32>, f32, vector<2xf32>, vector<2x4xf32>, f32
}
"""
    m = f32(8)
    old = m.copy()
    a, g, f, r, sh, ins, e = run(text, m, 3, 2, 5.0)
    assert a.tolist() == [old[3], old[4], 0, 0] and g.tolist() == [old[0], old[2], 0, 0]
    np.testing.assert_allclose(f, old[3:7] * 5 + 5, rtol=1e-5)
    assert r == ((old[3] + old[4]) + old[5]) + old[6]
    assert sh.tolist() == [old[6], 5.0] and (ins[1] == old[3:7]).all() and e == old[5]
    assert m.tolist() == [*old[:3], 5.0, 5.0, *old[5:]]


def test_gpu_kernel_with_barrier() -> None:
    text = """
module attributes {gpu.container_module} {
  memref.global @tile : memref<8xf32, 3> = uninitialized
  gpu.module @kernels {
    gpu.func @reverse(%m: memref<?xf32>) kernel {
      %c7 = arith.constant 7 : index
      %t = gpu.thread_id x
      %b = gpu.block_id x
      %n = gpu.block_dim x
      %base = arith.muli %b, %n : index
      %i = arith.addi %base, %t : index
      %tile = memref.get_global @tile : memref<8xf32, 3>
      %v = memref.load %m[%i] : memref<?xf32>
      memref.store %v, %tile[%t] : memref<8xf32, 3>
      gpu.barrier
      %r = arith.subi %c7, %t : index
      %w = memref.load %tile[%r] : memref<8xf32, 3>
      memref.store %w, %m[%i] : memref<?xf32>
      gpu.return
    }
  }
  func.func @f(%m: memref<?xf32>) {
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %c8 = arith.constant 8 : index
    gpu.launch_func @kernels::@reverse blocks in (%c3, %c1, %c1) threads in (%c8, %c1, %c1) args(%m : memref<?xf32>)
    return
  }
}
"""
    m = f32(24)
    expected = m.reshape(3, 8)[:, ::-1].ravel()
    run(text, m)
    assert (m == expected).all()


def test_uninitialised_memory_shows() -> None:
    text = """
func.func @f(%n: index) -> (tensor<?xf32>, memref<?xf32>) {
  %t = tensor.empty(%n) : tensor<?xf32>
  %m = memref.alloc(%n) : memref<?xf32>
  return %t, %m : tensor<?xf32>, memref<?xf32>
}
"""
    t, m = run(text, 3)
    assert np.isnan(t).all() and np.isnan(m).all()


def test_arguments_are_checked() -> None:
    text = "func.func @f(%t: tensor<2x?xf32>) {\n  return\n}"
    for bad in (f32(3, 1), f32(2), np.zeros((2, 2))):
        with pytest.raises(InternalError, match="is given for"):
            run(text, bad)
    with pytest.raises(InternalError, match="takes 1 arguments"):
        run(text)
