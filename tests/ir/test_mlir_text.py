"""MLIR text: every construct survives parse and print, and upstream MLIR accepts what is printed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from torchcc.ir.attributes import UNIT, Constant, DenseArrayAttr, DenseAttr, FloatAttr, IntegerAttr
from torchcc.ir.builder import Builder
from torchcc.ir.core import Operation, new_module
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dialects import DEFINITIONS, arith, cf, func, gpu, linalg, memref, scf, tensor, vector
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.structure import difference, equal
from torchcc.ir.types import (
    F32,
    F64,
    I1,
    I64,
    INDEX,
    FloatType,
    MemRefType,
    RankedTensorType,
    StridedLayout,
    VectorType,
)

CONSTANTS = {
    "w": Constant("w", np.arange(4, dtype=np.float32)),
    "l.0.weight": Constant("l.0.weight", np.ones(2, np.float32)),
}

TEXTS = {
    "arith": """
func.func @f(%x: f32, %y: f32, %i: i64, %n: index, %b: i1, %v: vector<4xf32>, %m: vector<4xi1>, %t: tensor<2x?xf32>) -> f32 {
  %0 = arith.addf %x, %y : f32
  %1 = arith.mulf %0, %y fastmath<reassoc,contract> : f32
  %2 = arith.addi %i, %i : i64
  %3 = arith.cmpi slt, %i, %2 : i64
  %4 = arith.cmpf olt, %v, %v : vector<4xf32>
  %5 = arith.select %b, %x, %y : f32
  %6 = arith.select %m, %v, %v : vector<4xi1>, vector<4xf32>
  %7 = arith.index_cast %n : index to i64
  %8 = arith.extf %x : f32 to f64
  %9 = arith.truncf %8 : f64 to f32
  %10 = arith.negf %9 : f32
  %11 = arith.addf %t, %t : tensor<2x?xf32>
  %12 = arith.bitcast %x : f32 to i32
  %13 = arith.floordivsi %i, %i : i64
  %c0 = arith.constant 0 : index
  %c-1_i64 = arith.constant -1 : i64
  %true = arith.constant true
  %cst = arith.constant 1.0 : f32
  %cst_0 = arith.constant 1.0e-45 : f32
  %cst_1 = arith.constant -0.0 : f64
  %cst_2 = arith.constant 0x7F800000 : f32
  %cst_3 = arith.constant 0x7FC00000 : f32
  %cst_4 = arith.constant dense<[[1.0, 2.0], [3.0, 0xFF800000]]> : tensor<2x2xf32>
  %cst_5 = arith.constant dense<1> : tensor<3xi64>
  %cst_6 = arith.constant dense<> : tensor<0xf32>
  %cst_7 = arith.constant dense<[true, false]> : vector<2xi1>
  %cst_8 = arith.constant dense<0.5> : vector<4xbf16>
  %w = arith.constant dense_resource<w> : tensor<4xf32>
  return %10 : f32
}
""",
    "math": """
func.func @f(%x: f32, %v: vector<4xf32>, %i: i64) -> i1 {
  %0 = math.exp %x : f32
  %1 = math.tanh %v fastmath<fast> : vector<4xf32>
  %2 = math.powf %x, %0 : f32
  %3 = math.ctlz %i : i64
  %4 = math.ipowi %i, %3 : i64
  %5 = math.fma %x, %x, %0 : f32
  %6 = math.isnan %x : f32
  return %6 : i1
}
""",
    "func": """
func.func private @torchcc_note_i64(i64)
func.func private @two() -> (f32, i1)
func.func @"odd name"(%x: f32) -> (f32, i1) {
  %0:2 = func.call @two() : () -> (f32, i1)
  %c1_i64 = arith.constant 1 : i64
  func.call @torchcc_note_i64(%c1_i64) : (i64) -> ()
  cf.assert %0#1, "expected \\22{}\\22\\0A"
  return %0#0, %0#1 : f32, i1
}
func.func @none() {
  return
}
""",
    "scf": """
func.func @f(%a: index, %b: index, %c: i1, %x: f32, %n: i64) -> f32 {
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %a to %b step %c1 iter_args(%acc = %x) -> (f32) {
    %s = arith.addf %acc, %x : f32
    scf.yield %s : f32
  }
  scf.for %i = %a to %b step %c1 {
    scf.if %c {
      %u = arith.addi %i, %i : index
    }
  }
  scf.for %k = %n to %n step %n : i64 {
  }
  %q:2 = scf.if %c -> (f32, index) {
    scf.yield %r, %a : f32, index
  } else {
    scf.yield %x, %b : f32, index
  }
  scf.if %c {
    %u = arith.addf %x, %x : f32
  } else {
    %u = arith.mulf %x, %x : f32
  }
  %w:2 = scf.while (%p = %a, %y = %x) : (index, f32) -> (index, f32) {
    %lt = arith.cmpi slt, %p, %b : index
    scf.condition(%lt) %p, %y : index, f32
  } do {
  ^bb0(%p: index, %y: f32):
    %p2 = arith.addi %p, %c1 : index
    scf.yield %p2, %y : index, f32
  }
  scf.while : () -> () {
    scf.condition(%c)
  } do {
    scf.yield
  }
  scf.parallel (%i, %j) = (%a, %a) to (%b, %b) step (%c1, %c1) {
    %u = arith.addi %i, %j : index
    scf.reduce
  }
  %sum = scf.parallel (%i) = (%a) to (%b) step (%c1) init (%x) -> f32 {
    scf.reduce(%q#0 : f32) {
    ^bb0(%l: f32, %h: f32):
      %z = arith.addf %l, %h : f32
      scf.reduce.return %z : f32
    }
  }
  return %sum : f32
}
""",
    "linalg": """
#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d0)>
#map2 = affine_map<(d0, d1) -> (d0 * 2 + d1, (d1 + 3) floordiv 4, d0 mod 2, d0 - 1, 0)>
func.func @f(%a: tensor<2x?xf32>, %b: tensor<2xf32>, %m: memref<8x8x8x8x8xf32>, %x: f32, %o: memref<?x?xf32>) -> tensor<2xf32> {
  %0 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<2x?xf32>) outs(%b : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %out : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %1 = linalg.generic {indexing_maps = [#map1, #map], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<2xf32>) outs(%a : tensor<2x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 1 : index
    linalg.yield %in : f32
  } -> tensor<2x?xf32>
  %3 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel", "parallel"]} outs(%a : tensor<2x?xf32>) {
  ^bb0(%out: f32):
    linalg.yield %out : f32
  } -> tensor<2x?xf32>
  linalg.generic {indexing_maps = [#map2, #map], iterator_types = ["parallel", "parallel"]} ins(%m : memref<8x8x8x8x8xf32>) outs(%o : memref<?x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  %2 = linalg.fill ins(%x : f32) outs(%b : tensor<2xf32>) -> tensor<2xf32>
  linalg.fill ins(%x : f32) outs(%o : memref<?x?xf32>)
  linalg.matmul ins(%o, %o : memref<?x?xf32>, memref<?x?xf32>) outs(%o : memref<?x?xf32>)
  return %0 : tensor<2xf32>
}
func.func @g(%a: tensor<2x3x4xi64>, %b: tensor<2x4x5xi64>, %c: tensor<2x3x5xi64>) -> tensor<2x3x5xi64> {
  %0 = linalg.batch_matmul ins(%a, %b : tensor<2x3x4xi64>, tensor<2x4x5xi64>) outs(%c : tensor<2x3x5xi64>) -> tensor<2x3x5xi64>
  return %0 : tensor<2x3x5xi64>
}
""",
    "tensor": """
func.func @f(%t: tensor<?x4xf32>, %n: index, %x: f32, %sh: tensor<2xindex>) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %e0 = tensor.empty() : tensor<f32>
  %d = tensor.dim %t, %c0 : tensor<?x4xf32>
  %v = tensor.extract %t[%c0, %n] : tensor<?x4xf32>
  %v0 = tensor.extract %e0[] : tensor<f32>
  %i = tensor.insert %v into %t[%c0, %c0] : tensor<?x4xf32>
  %fe = tensor.from_elements %x, %v : tensor<2xf32>
  %ca = tensor.cast %t : tensor<?x4xf32> to tensor<?x?xf32>
  %sl = tensor.extract_slice %t[0, %n] [%n, 1] [1, 2] : tensor<?x4xf32> to tensor<?xf32>
  %in = tensor.insert_slice %sl into %t[0, 0] [%n, 1] [1, 1] : tensor<?xf32> into tensor<?x4xf32>
  %co = tensor.collapse_shape %t [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  %ex = tensor.expand_shape %co [[0, 1]] output_shape [%n, 4] : tensor<?xf32> into tensor<?x4xf32>
  %z = tensor.expand_shape %e0 [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
  %re = tensor.reshape %t(%sh) : (tensor<?x4xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  %pa = tensor.pad %t low[0, %n] high[1, 0] {
  ^bb0(%a: index, %b: index):
    tensor.yield %x : f32
  } : tensor<?x4xf32> to tensor<?x?xf32>
  %ge = tensor.generate %n {
  ^bb0(%a: index, %b: index):
    %g = tensor.extract %t[%a, %b] : tensor<?x4xf32>
    tensor.yield %g : f32
  } : tensor<?x4xf32>
  %sp = tensor.splat %x[%n] : tensor<?x2xf32>
  %sq = tensor.splat %x : tensor<2x2xf32>
  return %pa : tensor<?x?xf32>
}
""",
    "memref": """
memref.global "private" constant @w : memref<4xf32> = dense_resource<w>
memref.global "private" constant @"l.0.weight" : memref<2xf32> = dense_resource<"l.0.weight">
memref.global @u : memref<2xf32> = uninitialized
func.func @f(%m: memref<?x4xf32>, %n: index, %x: f32, %s: memref<?x4xf32, strided<[?, 1], offset: ?>>, %h: memref<4xf32, 3>) {
  %a = memref.alloc(%n) {alignment = 64 : i64} : memref<?x4xf32>
  %b = memref.alloc() : memref<16xi8>
  %c = memref.alloca() {alignment = 16 : i64} : memref<4x4xf32>
  %v = memref.load %m[%n, %n] : memref<?x4xf32>
  memref.store %v, %s[%n, %n] : memref<?x4xf32, strided<[?, 1], offset: ?>>
  %d = memref.dim %m, %n : memref<?x4xf32>
  %e = memref.cast %a : memref<?x4xf32> to memref<?x?xf32>
  memref.copy %m, %a : memref<?x4xf32> to memref<?x4xf32>
  memref.prefetch %m[%n, %n], read, locality<3>, data : memref<?x4xf32>
  memref.prefetch %m[%n, %n], write, locality<0>, data : memref<?x4xf32>
  %sv = memref.subview %m[%n, 0] [2, 2] [1, 1] : memref<?x4xf32> to memref<2x2xf32, strided<[4, 1], offset: ?>>
  %sd = memref.subview %m[0, 0] [1, 4] [1, 1] : memref<?x4xf32> to memref<4xf32, strided<[1]>>
  %rc = memref.reinterpret_cast %m to offset: [%n], sizes: [%n, 4], strides: [4, 1] : memref<?x4xf32> to memref<?x4xf32, strided<[4, 1], offset: ?>>
  %co = memref.collapse_shape %m [[0, 1]] : memref<?x4xf32> into memref<?xf32>
  %ex = memref.expand_shape %co [[0, 1]] output_shape [%n, 4] : memref<?xf32> into memref<?x4xf32>
  %vw = memref.view %b[%n][%n] : memref<16xi8> to memref<?xf32>
  %vs = memref.view %b[%n][] : memref<16xi8> to memref<2xf32>
  %g = memref.get_global @w : memref<4xf32>
  memref.dealloc %a : memref<?x4xf32>
  return
}
""",
    "llvm": """
func.func @f(%m: memref<?xi8>, %n: index, %sums: vector<16xi32>, %w: vector<16xi32>) -> vector<16xi32> {
  %0 = vector.load %m[%n] : memref<?xi8>, vector<4xi8>
  %1 = vector.bitcast %0 : vector<4xi8> to vector<1xi32>
  %2 = vector.broadcast %1 : vector<1xi32> to vector<16xi32>
  %3 = vector.bitcast %2 : vector<16xi32> to vector<64xi8>
  %4 = vector.bitcast %w : vector<16xi32> to vector<64xi8>
  %5 = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%sums, %3, %4) : (vector<16xi32>, vector<64xi8>, vector<64xi8>) -> vector<16xi32>
  %6 = vector.bitcast %5 : vector<16xi32> to vector<32xi16>
  %7 = llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"(%6, %6) : (vector<32xi16>, vector<32xi16>) -> vector<16xi32>
  return %7 : vector<16xi32>
}
""",
    "vector": """
func.func @f(%m: memref<?xf32>, %n: index, %x: f32, %v: vector<4xf32>, %k: vector<4xi1>, %iv: vector<4xindex>, %p: vector<2x4xf32>) {
  %a = vector.load %m[%n] : memref<?xf32>, vector<4xf32>
  vector.store %a, %m[%n] : memref<?xf32>, vector<4xf32>
  %b = vector.maskedload %m[%n], %k, %v : memref<?xf32>, vector<4xi1>, vector<4xf32> into vector<4xf32>
  vector.maskedstore %m[%n], %k, %v : memref<?xf32>, vector<4xi1>, vector<4xf32>
  %c = vector.gather %m[%n] [%iv], %k, %v : memref<?xf32>, vector<4xindex>, vector<4xi1>, vector<4xf32> into vector<4xf32>
  %d = vector.broadcast %x : f32 to vector<4xf32>
  %e = vector.fma %v, %v, %d : vector<4xf32>
  %f = vector.extract %v[2] : f32 from vector<4xf32>
  %f1 = vector.extract %p[1] : vector<4xf32> from vector<2x4xf32>
  %g = vector.insert %f, %p [0, 1] : f32 into vector<2x4xf32>
  %h = vector.reduction <add>, %v : vector<4xf32> into f32
  %i = vector.reduction <maximumf>, %v fastmath<reassoc> : vector<4xf32> into f32
  %j = vector.create_mask %n : vector<4xi1>
  %l = vector.step : vector<4xindex>
  %o = vector.shuffle %v, %v [0, 5] : vector<4xf32>, vector<4xf32>
  return
}
""",
    "gpu": """
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @k(%m: memref<?xf32>) kernel attributes {gpu.known_block_size = array<i32: 32, 1, 1>} {
      %t = gpu.thread_id x
      %b = gpu.block_id y
      %d = gpu.block_dim z
      %g = gpu.grid_dim x
      gpu.barrier
      gpu.return
    }
    gpu.func @none() kernel {
      gpu.return
    }
  }
  func.func @f(%m: memref<?xf32>, %n: index) {
    gpu.launch_func @kernels::@k blocks in (%n, %n, %n) threads in (%n, %n, %n) args(%m : memref<?xf32>)
    gpu.launch_func @kernels::@none blocks in (%n, %n, %n) threads in (%n, %n, %n)
    return
  }
}
""",
}


@pytest.mark.parametrize("name", TEXTS)
def test_round_trip(name: str) -> None:
    module = parse_module(TEXTS[name], CONSTANTS)
    text = print_module(module)
    again = parse_module(text, CONSTANTS)
    assert difference(module, again) is None
    assert print_module(again) == text


@pytest.mark.parametrize("name", TEXTS)
def test_upstream_accepts(name: str) -> None:
    ir = pytest.importorskip("torch_mlir.ir", reason="upstream MLIR is an extra of the tests")
    text = print_module(parse_module(TEXTS[name], CONSTANTS))
    with ir.Context() as context:
        context.allow_unregistered_dialects = False
        upstream = ir.Module.parse(text)
        assert upstream.operation.verify()
        printed = str(upstream)
    # What upstream prints of it is read back as the same program.
    assert difference(parse_module(text, CONSTANTS), parse_module(printed, CONSTANTS)) is None


def test_generic_form() -> None:
    text = 'func.func @f(%x: f32, %m: memref<4xf32>) {\n  "test.odd"(%x) {a = 1 : i64, b = [@g, "s"], c} : (f32) -> ()\n  return\n}\n'
    module = parse_module(text)
    odd = next(op for op in module.walk() if op.name == "test.odd")
    assert odd.attributes["a"] == IntegerAttr(1, I64) and odd.attributes["c"] == UNIT
    assert equal(module, parse_module(print_module(module)))
    looped = '"test.loop"(%x) ({\n  ^bb0(%i: index):\n  "test.use"(%i) : (index) -> ()\n}) : (f32) -> (f32, f32)'
    module = parse_module(f"func.func @f(%x: f32) {{\n  %0:2 = {looped}\n  return\n}}")
    assert equal(module, parse_module(print_module(module)))


def test_every_definition_is_printable() -> None:
    """Each operation has a format or functions; the torch stage has neither, nor what needs the generic form for other tools to read it."""
    from torchcc.ir.syntax import PARSE, PRINT

    for name, definition in DEFINITIONS.items():
        if "::" not in name and not name.startswith(("torch.", "linalg_ext.")):
            assert definition.assembly is not None or (name in PRINT and name in PARSE), name


@pytest.mark.parametrize("type", [FloatType(n) for n in ("f16", "bf16", "f32", "f64")])
def test_floats_are_exact(type: FloatType) -> None:
    module = new_module()
    f = func.func(module, "f", [], [])
    b = Builder(f.body())
    values = [0.0, -0.0, 1.0, 0.1, 1e-7, 3e38, math.inf, -math.inf, math.nan, 5e-324, 65504.0]
    from torchcc.ir.text_parser import _FLOATS

    with np.errstate(over="ignore"):
        rounded = [float(np.array(v).astype(_FLOATS[type.name].numpy)) for v in values]
    for v in rounded:
        b.create("arith.constant", (), (type,), {"value": FloatAttr(v, type)})
    arith.dense(b, DenseAttr(tuple(rounded), RankedTensorType((len(rounded),), type)))
    func.return_(b)
    text = print_module(module)
    assert difference(module, parse_module(text)) is None
    ir = pytest.importorskip("torch_mlir.ir", reason="upstream MLIR is an extra of the tests")
    with ir.Context():
        assert difference(module, parse_module(str(ir.Module.parse(text)))) is None


def test_names_come_from_hints() -> None:
    module = new_module()
    f = func.func(module, "f", [F32, F32, F32], [], ["x", "x", None])
    b = Builder(f.body())
    value = arith.addf(b, f.body().args[0], f.body().args[1])
    value.name = "1 odd/name"
    arith.constant(b, 3, INDEX)
    arith.constant(b, True, I1)
    arith.constant(b, 2.5, F64)
    func.return_(b)
    text = print_module(module)
    assert "@f(%x: f32, %x_0: f32, %arg0: f32)" in text
    assert "%_1_odd_name = arith.addf %x, %x_0 : f32" in text
    assert (
        "%c3 = arith.constant 3 : index" in text
        and "%true = arith.constant true" in text
        and "%cst = arith.constant 2.5 : f64" in text
    )
    assert print_module(parse_module(text)) == text


def test_constructors_agree_with_text() -> None:
    """Operations made by the dialects' constructors are what parsing their text gives."""
    module = new_module()
    types = [MemRefType((None, 8), F32), INDEX, VectorType((4,), F32), RankedTensorType((None, 3), F32), F32]
    f = func.func(module, "f", types, [], ["m", "n", "v", "t", "x"])
    m, n, v, t, x = f.body().args
    b = Builder(f.body())
    memref.alloc(b, [n, 4], F32)
    memref.alloca(b, [4], F32)
    view = memref.subview(b, m, [n, 0], [2, n], [1, 2])
    memref.subview(b, m, [0, 0], [1, 8], [1, 1], dropped=[0])
    memref.reinterpret_cast(b, m, 0, [n, 8], [8, 1])
    memref.prefetch(b, m, [n, n])
    buffer = memref.alloc(b, [64], IntegerAttr(0, I64).type.__class__(8))
    memref.view(b, buffer, n, [2, n], F32)
    memref.dim(b, view, n)
    memref.load(b, view, [n, n])
    vector.extract(b, v, [1])
    vector.insert(b, x, v, [1])
    vector.reduction(b, "add", v, "reassoc")
    vector.shuffle(b, v, v, [1, 2, 3])
    vector.create_mask(b, n, 4)
    vector.gather(b, m, [n, n], vector.step(b, VectorType((4,), INDEX)), vector.create_mask(b, n, 4), v)
    tensor.extract_slice(b, t, [n, 0], [n, 1], [1, 1], dropped=[1])
    tensor.insert_slice(b, tensor.empty(b, [n, 2], F32), t, [n, 0], [n, 2], [1, 1])
    tensor.pad(b, t, [1, n], [0, 2], x)
    tensor.generate(b, [n, 2], F32, lambda b, i: x)
    tensor.splat(b, x, [n])
    tensor.reshape(b, t, tensor.from_elements(b, [n, n], [2], INDEX), RankedTensorType((None, None), F32))
    tensor.collapse_shape(b, t, [[0, 1]])
    tensor.expand_shape(b, t, [[0], [1, 2]], [n, 3, 1])
    scf.for_(b, n, n, n, [x], lambda b, a: [a[1]], "i")
    scf.if_(b, arith.constant(b, True, I1), [F32], lambda b, a: [x], lambda b, a: [x])
    scf.while_(b, [n], lambda b, a: [arith.constant(b, False, I1), *a], lambda b, a: a)
    scf.parallel(b, [n, n], [n, n], [n, n], lambda b, a: None, ["i", "j"])
    linalg.fill(b, x, t)
    linalg.matmul(b, t, t, t)
    cf.assert_(b, arith.constant(b, True, I1), "shape {}")
    gpu.barrier(b)
    arith.addf(b, x, x, "contract")
    func.call(b, "g", [x], [F32, F32])
    func.declare(module, "g", [F32], [F32, F32])
    func.return_(b)
    assert difference(module, parse_module(print_module(module))) is None


def test_deep_nesting() -> None:
    depth = 3000
    text = "func.func @f(%c: i1) {\n" + "scf.if %c {\n" * depth + "}\n" * depth + "return\n}\n"
    module = parse_module(text)
    printed = print_module(module)
    assert printed.count("scf.if") == depth
    assert difference(module, parse_module(printed)) is None
    assert difference(module, module.clone()) is None


@pytest.mark.parametrize(
    ("text", "message", "excerpt"),
    [
        ("func.func @f() {\n  %0 = arith.addf %x, %x : f32\n}", "`%x` is not defined here", "%x"),
        (
            "func.func @f(%x: f32) {\n  %0 = arith.nonsense %x : f32\n}",
            "unknown operation `arith.nonsense`",
            "arith.nonsense",
        ),
        ("func.func @f(%x: tensor<2xf33>) {\n}", "expected a type", "f33"),
        (
            "func.func @f() {\n  %0 = arith.constant dense_resource<q> : tensor<2xf32>\n}",
            "no data is given for the constant `q`",
            "q",
        ),
        ("func.func @f() {\n  %0 = arith.constant dense<[1, 2]> : tensor<3xi64>\n}", "2 elements are given", None),
        (
            "func.func @f(%m: memref<2xf32>, %n: index) {\n  %0 = memref.load %m[%n] : memref<3xf32>\n}",
            "memref<2xf32>, not memref<3xf32>",
            "memref<3xf32>",
        ),
        ("func.func @f() {", "expected", None),
        (
            'func.func @f(%c: i1) {\n  scf.if %c {\n    %u = arith.constant true\n  }\n  cf.assert %u, "m"\n}',
            "`%u` is not defined here",
            "%u",
        ),
    ],
)
def test_errors(text: str, message: str, excerpt: str | None) -> None:
    with pytest.raises(CompileError) as caught:
        parse_module(text)
    diagnostic = caught.value.diagnostics[0]
    assert message in diagnostic.message
    assert diagnostic.span is not None
    if excerpt is not None:
        assert diagnostic.span.text == excerpt


def test_difference_names_the_place() -> None:
    a = parse_module(TEXTS["math"])
    b = parse_module(TEXTS["math"].replace("math.tanh", "math.erf"))
    found = difference(a, b)
    assert found is not None and "func.func @f > math.tanh: against math.erf" in found
    renamed = TEXTS["math"].replace("%x", "%other")
    assert equal(a, parse_module(renamed))
    swapped = parse_module(TEXTS["math"].replace("math.powf %x, %0", "math.powf %0, %x"))
    assert "operand 0 is another value" in str(difference(a, swapped))


def test_marks() -> None:
    module = parse_module(TEXTS["math"])
    op = next(o for o in module.walk() if o.name == "math.powf")
    lines = print_module(module, {op: "wrong"}).splitlines()
    at = next(i for i, line in enumerate(lines) if "math.powf" in line)
    assert lines[at + 1].strip().startswith("^^^^") and lines[at + 1].endswith("wrong")


def test_layouts() -> None:
    type = MemRefType((2, None), F32, StridedLayout((None, 1), None), 3)
    module = new_module()
    f = func.func(module, "f", [type], [])
    func.return_(Builder(f.body()))
    assert isinstance(f, Operation)
    assert equal(module, parse_module(print_module(module)))
    assert DenseArrayAttr((), I64) == DenseArrayAttr((), I64)
