"""Every operation of the `loops` stage against numpy, as native code."""

from __future__ import annotations

import dataclasses

import ml_dtypes
import numpy as np
import pytest

from torchcc.backend.cpu import compile as cpu_compile
from torchcc.backend.cpu.host import CpuTarget, host
from torchcc.backend.cpu.jit import load
from torchcc.backend.llvm.translate import TABLE, Options, translate_module
from torchcc.ir.attributes import Constant
from torchcc.ir.diagnostics import InternalError
from torchcc.ir.dialects import arith, math, memref, scf, vector
from torchcc.ir.parser import parse_module

RNG = np.random.default_rng(0)


def scalar_program(body: str, inputs: str, result: str, element_in: str, element_out: str) -> str:
    """f(x0, ...)[i] = body of elements %a, %b, %c; the result of `body` is %r."""
    names = [f"%x{i}" for i in range(len(inputs.split()))]
    parameters = ", ".join(f"{n}: memref<?x{element_in}>" for n in names)
    loads = "\n".join(f"%{v} = memref.load {n}[%i] : memref<?x{element_in}>" for v, n in zip("abc", names))
    return f"""
func.func @f({parameters}) -> memref<?x{element_out}> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x0, %c0 : memref<?x{element_in}>
  %out = memref.alloc(%n) : memref<?x{element_out}>
  scf.for %i = %c0 to %n step %c1 {{
    {loads}
    {body}
    memref.store %r, %out[%i] : memref<?x{element_out}>
  }}
  return %out : memref<?x{element_out}>
}}"""


def check(compiled, body, arrays, expected, element_in, element_out, short_in, short_out, exact=True):
    inputs = " ".join([f"{short_in}[n]"] * len(arrays))
    f = compiled(scalar_program(body, inputs, "", element_in, element_out), inputs, f"{short_out}[n]")
    got = f(*arrays)
    assert got.dtype == expected.dtype or got.dtype.itemsize == expected.dtype.itemsize == 1
    if element_out in ("f16", "bf16"):
        got, expected = got.astype(np.float32), expected.astype(np.float32)
    if exact:
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=1e-6)


F32 = np.array([0.0, -0.0, 1.5, -2.5, 2.5, 3.5, 1e30, -1e-30, np.inf, -np.inf, np.nan, 0.1], np.float32)
F32B = np.array([1.0, 2.0, -3.0, np.nan, 4.0, 0.5, 1e10, 3.0, 1.0, -np.inf, 2.0, -0.1], np.float32)


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        ("arith.addf", np.add), ("arith.subf", np.subtract), ("arith.mulf", np.multiply), ("arith.divf", np.divide),
        ("arith.maximumf", np.maximum), ("arith.minimumf", np.minimum), ("arith.maxnumf", np.fmax),
        ("arith.minnumf", np.fmin), ("math.copysign", np.copysign),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("element", "dtype"), [("f32", np.float32), ("f64", np.float64), ("f16", np.float16), ("bf16", ml_dtypes.bfloat16)]
)
def test_float_binary(compiled, op, reference, element, dtype):
    with np.errstate(all="ignore"):
        a, b = F32.astype(dtype), F32B.astype(dtype)
        wide = np.float64 if element == "f64" else np.float32
        expected = reference(a.astype(wide), b.astype(wide)).astype(dtype)
    check(compiled, f"%r = {op} %a, %b : {element}", [a, b], expected, element, element, element, element)


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        ("math.absf", np.abs), ("math.sqrt", np.sqrt), ("math.floor", np.floor), ("math.ceil", np.ceil),
        ("math.trunc", np.trunc), ("math.roundeven", np.rint), ("arith.negf", np.negative),
    ],
)  # fmt: skip
@pytest.mark.parametrize("element", ["f32", "f64"])
def test_float_unary(compiled, op, reference, element):
    dtype = np.dtype({"f32": np.float32, "f64": np.float64}[element])
    a = F32.astype(dtype)
    with np.errstate(all="ignore"):
        check(compiled, f"%r = {op} %a : {element}", [a], reference(a), element, element, element, element)


def test_round_half_away_from_zero(compiled):
    a = np.array([0.5, 1.5, -0.5, -2.5, 2.4], np.float32)
    check(
        compiled, "%r = math.round %a : f32", [a], np.array([1, 2, -1, -3, 2], np.float32), "f32", "f32", "f32", "f32"
    )


def test_rsqrt_and_fma(compiled):
    a = np.array([1.0, 4.0, 16.0], np.float32)
    check(compiled, "%r = math.rsqrt %a : f32", [a], 1 / np.sqrt(a), "f32", "f32", "f32", "f32")
    x = np.float32(1 + 2**-12)
    check(
        compiled, "%r = math.fma %a, %b, %c : f32", [np.array([x]), np.array([x]), np.array([np.float32(-1)])],
        np.array([np.float32(np.float64(x) * np.float64(x) - 1)]), "f32", "f32", "f32", "f32",
    )  # fmt: skip


def test_products_are_not_contracted_unless_flagged(compiled):
    x = np.array([1 + 2**-12], np.float32)
    minus = np.array([-(1 + 2**-11)], np.float32)
    body = "%p = arith.mulf %a, %a {0}: f32\n %r = arith.addf %p, %b {0}: f32"
    check(compiled, body.format(""), [x, minus], x * x + minus, "f32", "f32", "f32", "f32")
    fused = np.float32(np.float64(x[0]) * np.float64(x[0]) + np.float64(minus[0]))
    check(compiled, body.format("fastmath<contract> "), [x, minus], np.array([fused]), "f32", "f32", "f32", "f32")


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        ("addi", lambda a, b: a + b), ("subi", lambda a, b: a - b), ("muli", lambda a, b: a * b),
        ("divsi", lambda a, b: np.trunc(a / b)), ("remsi", np.fmod), ("floordivsi", lambda a, b: a // b),
        ("ceildivsi", lambda a, b: np.ceil(a / b)), ("andi", lambda a, b: a & b), ("ori", lambda a, b: a | b),
        ("xori", lambda a, b: a ^ b), ("maxsi", np.maximum), ("minsi", np.minimum),
    ],
)  # fmt: skip
@pytest.mark.parametrize("element", ["i32", "i64", "i16", "i8"])
def test_integer_binary(compiled, op, reference, element):
    dtype = np.dtype(f"int{element[1:]}")
    a = np.array([7, -7, 7, -7, 0, 100, -128, 6], dtype)
    b = np.array([2, 2, -2, -2, 5, 7, 3, 3], dtype)
    with np.errstate(all="ignore"):
        check(
            compiled,
            f"%r = arith.{op} %a, %b : {element}",
            [a, b],
            reference(a, b).astype(dtype),
            element,
            element,
            element,
            element,
        )


def test_unsigned_and_shifts(compiled):
    a, b = np.array([200, 255, 7], np.uint8), np.array([7, 3, 9], np.uint8)
    for op, reference in (
        ("divui", a // b),
        ("remui", a % b),
        ("maxui", np.maximum(a, b)),
        ("minui", np.minimum(a, b)),
    ):
        check(compiled, f"%r = arith.{op} %a, %b : i8", [a, b], reference, "i8", "i8", "u8", "u8")
    c, s = np.array([-16, 5, 64], np.int32), np.array([2, 1, 3], np.int32)
    for op, reference in (
        ("shli", c << s),
        ("shrsi", c >> s),
        ("shrui", (c.view(np.uint32) >> s.view(np.uint32)).view(np.int32)),
    ):
        check(compiled, f"%r = arith.{op} %a, %b : i32", [c, s], reference, "i32", "i32", "i32", "i32")


def test_bit_counts_and_absi(compiled):
    a = np.array([1, 12, -4, 0x0F0F], np.int32)
    check(compiled, "%r = math.absi %a : i32", [a], np.abs(a), "i32", "i32", "i32", "i32")
    check(
        compiled,
        "%r = math.ctpop %a : i32",
        [a],
        np.bitwise_count(a.view(np.uint32)).astype(np.int32),
        "i32",
        "i32",
        "i32",
        "i32",
    )
    check(compiled, "%r = math.ctlz %a : i32", [a], np.array([31, 28, 0, 20], np.int32), "i32", "i32", "i32", "i32")
    check(compiled, "%r = math.cttz %a : i32", [a], np.array([0, 2, 2, 0], np.int32), "i32", "i32", "i32", "i32")


PREDICATES = {
    "oeq": lambda a, b: a == b, "ogt": lambda a, b: a > b, "oge": lambda a, b: a >= b, "olt": lambda a, b: a < b,
    "ole": lambda a, b: a <= b, "one": lambda a, b: (a != b) & ~np.isnan(a) & ~np.isnan(b), "une": lambda a, b: a != b,
    "uno": lambda a, b: np.isnan(a) | np.isnan(b), "ord": lambda a, b: ~(np.isnan(a) | np.isnan(b)),
    "ugt": lambda a, b: ~(a <= b),
}  # fmt: skip


@pytest.mark.parametrize("predicate", PREDICATES)
@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_cmpf(compiled, predicate, element):
    dtype = {"f32": np.float32, "bf16": ml_dtypes.bfloat16}[element]
    a, b = F32.astype(dtype), F32B.astype(dtype)
    expected = PREDICATES[predicate](a.astype(np.float32), b.astype(np.float32))
    check(
        compiled, f"%r = arith.cmpf {predicate}, %a, %b : {element}", [a, b], expected, element, "i1", element, "bool"
    )


def test_cmpi_select_and_bool_memory(compiled):
    a, b = np.array([1, -1, 5], np.int64), np.array([2, -1, -5], np.int64)
    for predicate, expected in (("eq", a == b), ("slt", a < b), ("uge", a.view(np.uint64) >= b.view(np.uint64))):
        check(compiled, f"%r = arith.cmpi {predicate}, %a, %b : i64", [a, b], expected, "i64", "i1", "i64", "bool")
    p, q = np.array([True, True, False, False]), np.array([True, False, True, False])
    check(compiled, "%r = arith.xori %a, %b : i1", [p, q], p ^ q, "i1", "i1", "bool", "bool")
    check(compiled, "%r = arith.select %a, %b, %a : i1", [p, q], np.where(p, q, p), "i1", "i1", "bool", "bool")


def test_float_predicates(compiled):
    a = np.array([0, 1, np.inf, -np.inf, np.nan, 1e-40], np.float32)
    for op, expected in (("isnan", np.isnan(a)), ("isinf", np.isinf(a)), ("isfinite", np.isfinite(a))):
        check(compiled, f"%r = math.{op} %a : f32", [a], expected, "f32", "i1", "f32", "bool")


CASTS = [
    ("extsi", "i8", "i32", np.int8, np.int32),
    ("extui", "i8", "i32", np.uint8, np.int32),
    ("trunci", "i64", "i8", np.int64, np.int8),
    ("sitofp", "i64", "f32", np.int64, np.float32),
    ("sitofp", "i32", "f16", np.int32, np.float16),
    ("uitofp", "i8", "f32", np.uint8, np.float32),
    ("fptosi", "f32", "i32", np.float32, np.int32),
    ("fptosi", "f16", "i64", np.float16, np.int64),
    ("extf", "f32", "f64", np.float32, np.float64),
    ("extf", "f16", "f32", np.float16, np.float32),
    ("extf", "bf16", "f32", ml_dtypes.bfloat16, np.float32),
    ("extf", "f16", "f64", np.float16, np.float64),
    ("truncf", "f64", "f32", np.float64, np.float32),
    ("truncf", "f32", "f16", np.float32, np.float16),
    ("truncf", "f32", "bf16", np.float32, ml_dtypes.bfloat16),
]
SHORT = {
    np.int8: "i8",
    np.uint8: "u8",
    np.int32: "i32",
    np.int64: "i64",
    np.float32: "f32",
    np.float64: "f64",
    np.float16: "f16",
    ml_dtypes.bfloat16: "bf16",
}


@pytest.mark.parametrize(("op", "source", "target", "source_dtype", "target_dtype"), CASTS)
def test_casts(compiled, op, source, target, source_dtype, target_dtype):
    values = np.array([0, 1, 2.75, 3, 100, 7.125])
    if source_dtype in (np.int8, np.int32, np.int64, np.float32, np.float64, np.float16):
        values = np.concatenate([values, -values])
    a = values.astype(source_dtype)
    check(
        compiled,
        f"%r = arith.{op} %a : {source} to {target}",
        [a],
        a.astype(target_dtype),
        source,
        target,
        SHORT[source_dtype],
        SHORT[target_dtype],
    )


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("element", "dtype"), [("f16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_low_precision_conversions_are_exact(native, element, dtype, signature):
    """All 65,536 values widen exactly; rounding agrees with numpy on values around every half-way point."""

    class Target(CpuTarget):
        native_half = native  # type: ignore[assignment]

    target = Target(**{f.name: getattr(host(), f.name) for f in dataclasses.fields(host())})
    every = np.arange(65536, dtype=np.uint16).view(dtype)
    widen = scalar_program(f"%r = arith.extf %a : {element} to f32", "x", "", element, "f32")
    f = load(cpu_compile.translate(parse_module(widen), signature(f"{element}[n]", "f32[n]"), target), target)
    wide = f(every)
    finite = ~np.isnan(every.astype(np.float32))
    np.testing.assert_array_equal(wide[finite], every.astype(np.float32)[finite])
    assert np.isnan(wide[~finite]).all()

    points = np.unique(every.astype(np.float32)[finite])
    middles = ((points[1:].astype(np.float64) + points[:-1]) / 2).astype(np.float32)
    values = np.concatenate(
        [points, middles, np.nextafter(middles, np.inf), np.nextafter(middles, -np.inf), [1e-45, 3e38, -3e38]]
    ).astype(np.float32)
    narrow = scalar_program(f"%r = arith.truncf %a : f32 to {element}", "x", "", "f32", element)
    g = load(cpu_compile.translate(parse_module(narrow), signature("f32[n]", f"{element}[n]"), target), target)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(g(values).view(np.uint16), values.astype(dtype).view(np.uint16))
    assert np.isnan(g(np.array([np.nan], np.float32)).astype(np.float32)).all()


def test_loops_with_carried_values(compiled):
    text = """
    func.func @f(%x: memref<?xf32>, %k: i64) -> (f64, i64) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %z = arith.constant 0.0 : f64
      %one = arith.constant 1 : i64
      %n = memref.dim %x, %c0 : memref<?xf32>
      %s:2 = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %z, %count = %k) -> (f64, i64) {
        %v = memref.load %x[%i] : memref<?xf32>
        %w = arith.extf %v : f32 to f64
        %big = arith.cmpf ogt, %w, %z : f64
        %next:2 = scf.if %big -> (f64, i64) {
          %a = arith.addf %acc, %w : f64
          %c = arith.addi %count, %one : i64
          scf.yield %a, %c : f64, i64
        } else {
          scf.yield %acc, %count : f64, i64
        }
        scf.yield %next#0, %next#1 : f64, i64
      }
      return %s#0, %s#1 : f64, i64
    }"""
    f = compiled(text, "f32[n] int", "float int")
    for n in (0, 1, 7, 100):
        x = RNG.standard_normal(n).astype(np.float32)
        total, count = f(x, 5)
        assert count == 5 + (x > 0).sum()
        np.testing.assert_allclose(total, x[x > 0].astype(np.float64).sum())


def test_while(compiled):
    text = """
    func.func @f(%n: i64) -> (i64, i64) {
      %zero = arith.constant 0 : i64
      %one = arith.constant 1 : i64
      %two = arith.constant 2 : i64
      %three = arith.constant 3 : i64
      %r:2 = scf.while (%v = %n, %steps = %zero) : (i64, i64) -> (i64, i64) {
        %go = arith.cmpi ne, %v, %one : i64
        scf.condition(%go) %v, %steps : i64, i64
      } do {
      ^bb0(%v: i64, %steps: i64):
        %odd = arith.remsi %v, %two : i64
        %is = arith.cmpi eq, %odd, %one : i64
        %next = scf.if %is -> (i64) {
          %t = arith.muli %v, %three : i64
          %u = arith.addi %t, %one : i64
          scf.yield %u : i64
        } else {
          %h = arith.divsi %v, %two : i64
          scf.yield %h : i64
        }
        %more = arith.addi %steps, %one : i64
        scf.yield %next, %more : i64, i64
      }
      return %r#0, %r#1 : i64, i64
    }"""
    f = compiled(text, "int", "int int")
    assert f(27) == (1, 111)
    assert f(1) == (1, 0)


def test_views_and_copies(compiled):
    text = """
    func.func @f(%x: memref<4x6xf32>) -> (memref<2x3xf32>, memref<24xf32>, memref<4x2x3xf32>) {
      %c0 = arith.constant 0 : index
      %s = memref.subview %x[1, 0] [2, 3] [2, 2] : memref<4x6xf32> to memref<2x3xf32, strided<[12, 2], offset: 6>>
      %a = memref.alloc() : memref<2x3xf32>
      memref.copy %s, %a : memref<2x3xf32, strided<[12, 2], offset: 6>> to memref<2x3xf32>
      %flat = memref.collapse_shape %x [[0, 1]] : memref<4x6xf32> into memref<24xf32>
      %b = memref.alloc() : memref<24xf32>
      memref.copy %flat, %b : memref<24xf32> to memref<24xf32>
      %e = memref.expand_shape %x [[0], [1, 2]] output_shape [4, 2, 3] : memref<4x6xf32> into memref<4x2x3xf32>
      return %a, %b, %e : memref<2x3xf32>, memref<24xf32>, memref<4x2x3xf32>
    }"""
    x = RNG.standard_normal((4, 6)).astype(np.float32)
    a, b, e = compiled(text, "f32[4,6]", "f32[2,3] f32[24] f32[4,2,3]")(x)
    np.testing.assert_array_equal(a, x[1::2, ::2])
    np.testing.assert_array_equal(b, x.reshape(24))
    np.testing.assert_array_equal(e, x.reshape(4, 2, 3))


def test_arena_view_and_dynamic_shapes(compiled):
    text = """
    func.func @f(%x: memref<?x?xf32>) -> memref<?x?xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %n = memref.dim %x, %c0 : memref<?x?xf32>
      %m = memref.dim %x, %c1 : memref<?x?xf32>
      %nm = arith.muli %n, %m : index
      %bytes = arith.muli %nm, %c8 : index
      %arena = memref.alloc(%bytes) : memref<?xi8>
      %t = memref.view %arena[%c0][%m, %n] : memref<?xi8> to memref<?x?xf32>
      scf.for %i = %c0 to %n step %c1 {
        scf.for %j = %c0 to %m step %c1 {
          %v = memref.load %x[%i, %j] : memref<?x?xf32>
          memref.store %v, %t[%j, %i] : memref<?x?xf32>
        }
      }
      %out = memref.alloc(%m, %n) : memref<?x?xf32>
      memref.copy %t, %out : memref<?x?xf32> to memref<?x?xf32>
      memref.dealloc %arena : memref<?xi8>
      return %out : memref<?x?xf32>
    }"""
    f = compiled(text, "f32[n,m]", "f32[m,n]")
    for shape in ((3, 5), (0, 4), (300, 200), (1, 1)):
        x = RNG.standard_normal(shape).astype(np.float32)
        np.testing.assert_array_equal(f(x), x.T)


def test_results_are_never_the_arguments_memory(compiled):
    text = """
    func.func @f(%x: memref<3xf32>) -> (memref<3xf32>, memref<3xf32>) {
      return %x, %x : memref<3xf32>, memref<3xf32>
    }"""
    x = np.ones(3, np.float32)
    a, b = compiled(text, "f32[3]", "f32[3] f32[3]")(x)
    a[0], b[1] = 5, 6
    assert (x.tolist(), a.tolist(), b.tolist()) == ([1, 1, 1], [5, 1, 1], [1, 6, 1])


def test_heap_buffers_carried_by_a_loop(compiled):
    """A list that grows: each iteration makes a new buffer and drops the old one."""
    text = """
    func.func @f(%n: i64) -> memref<?xi64> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %end = arith.index_cast %n : i64 to index
      %first = memref.alloc(%c0) : memref<?xi64>
      %r = scf.for %i = %c0 to %end step %c1 iter_args(%old = %first) -> (memref<?xi64>) {
        %len = memref.dim %old, %c0 : memref<?xi64>
        %more = arith.addi %len, %c1 : index
        %new = memref.alloc(%more) : memref<?xi64>
        scf.for %j = %c0 to %len step %c1 {
          %v = memref.load %old[%j] : memref<?xi64>
          memref.store %v, %new[%j] : memref<?xi64>
        }
        %w = arith.index_cast %i : index to i64
        memref.store %w, %new[%len] : memref<?xi64>
        memref.dealloc %old : memref<?xi64>
        scf.yield %new : memref<?xi64>
      }
      return %r : memref<?xi64>
    }"""
    f = compiled(text, "int", "i64[k]")
    for n in (0, 1, 50):
        assert f(n).tolist() == list(range(n))


def test_globals(compiled):
    weights = RNG.standard_normal((3, 4)).astype(np.float32)
    text = """
    memref.global "private" constant @w : memref<3x4xf32> = dense_resource<w>
    memref.global "private" constant @small : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>
    func.func @f(%i: i64) -> memref<4xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : index
      %row = arith.index_cast %i : i64 to index
      %w = memref.get_global @w : memref<3x4xf32>
      %s = memref.get_global @small : memref<4xf32>
      %out = memref.alloc() : memref<4xf32>
      scf.for %j = %c0 to %c4 step %c1 {
        %a = memref.load %w[%row, %j] : memref<3x4xf32>
        %b = memref.load %s[%j] : memref<4xf32>
        %r = arith.mulf %a, %b : f32
        memref.store %r, %out[%j] : memref<4xf32>
      }
      return %out : memref<4xf32>
    }"""
    f = compiled(text, "int", "f32[4]", constants={"w": Constant("w", weights)})
    np.testing.assert_array_equal(f(2), weights[2] * np.array([1, 2, 3, 4], np.float32))


def test_calls_between_functions(compiled):
    text = """
    func.func private @scale(%x: memref<?xf32>, %by: f32) -> memref<?xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %n = memref.dim %x, %c0 : memref<?xf32>
      %r = memref.alloc(%n) : memref<?xf32>
      scf.for %i = %c0 to %n step %c1 {
        %v = memref.load %x[%i] : memref<?xf32>
        %w = arith.mulf %v, %by : f32
        memref.store %w, %r[%i] : memref<?xf32>
      }
      return %r : memref<?xf32>
    }
    func.func @f(%x: memref<?xf32>) -> memref<?xf32> {
      %two = arith.constant 2.0 : f32
      %a = func.call @scale(%x, %two) : (memref<?xf32>, f32) -> memref<?xf32>
      %b = func.call @scale(%a, %two) : (memref<?xf32>, f32) -> memref<?xf32>
      memref.dealloc %a : memref<?xf32>
      return %b : memref<?xf32>
    }"""
    x = RNG.standard_normal(9).astype(np.float32)
    np.testing.assert_array_equal(compiled(text, "f32[n]", "f32[n]")(x), x * 4)


@pytest.mark.parametrize("lanes", [0, 1, 2, 3, 16])
def test_only_the_lanes_of_a_mask_are_written(compiled, lanes):
    """Where the lanes are truncated on the way, too: LLVM makes one store of 4 bytes of a single lane."""
    text = f"""
    func.func @f(%x: memref<16xi32>) -> memref<16xi8> {{
      %c0 = arith.constant 0 : index
      %count = arith.constant {lanes} : index
      %old = arith.constant dense<7> : vector<16xi8>
      %out = memref.alloc() : memref<16xi8>
      vector.store %old, %out[%c0] : memref<16xi8>, vector<16xi8>
      %v = vector.load %x[%c0] : memref<16xi32>, vector<16xi32>
      %b = arith.trunci %v : vector<16xi32> to vector<16xi8>
      %m = vector.create_mask %count : vector<16xi1>
      vector.maskedstore %out[%c0], %m, %b : memref<16xi8>, vector<16xi1>, vector<16xi8>
      return %out : memref<16xi8>
    }}"""
    found = compiled(text, "i32[16]", "i8[16]")(np.arange(20, 36, dtype=np.int32))
    assert found.tolist() == list(range(20, 20 + lanes)) + [7] * (16 - lanes)


def test_vectors(compiled):
    text = """
    func.func @f(%x: memref<?xf32>, %w: memref<16xf32>) -> (memref<?xf32>, f64) {
      %c0 = arith.constant 0 : index
      %c16 = arith.constant 16 : index
      %zero = arith.constant dense<0.0> : vector<16xf32>
      %half = arith.constant 0.5 : f32
      %halves = vector.broadcast %half : f32 to vector<16xf32>
      %n = memref.dim %x, %c0 : memref<?xf32>
      %out = memref.alloc(%n) : memref<?xf32>
      %v = vector.load %w[%c0] : memref<16xf32>, vector<16xf32>
      %acc = scf.for %i = %c0 to %n step %c16 iter_args(%a = %zero) -> (vector<16xf32>) {
        memref.prefetch %x[%i], read, locality<3>, data : memref<?xf32>
        %left = arith.subi %n, %i : index
        %m = vector.create_mask %left : vector<16xi1>
        %e = vector.maskedload %x[%i], %m, %zero : memref<?xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
        %r = vector.fma %e, %v, %halves : vector<16xf32>
        vector.maskedstore %out[%i], %m, %r : memref<?xf32>, vector<16xi1>, vector<16xf32>
        %s = arith.addf %a, %e : vector<16xf32>
        scf.yield %s : vector<16xf32>
      }
      %sum = vector.reduction <add>, %acc : vector<16xf32> into f32
      %wide = arith.extf %sum : f32 to f64
      return %out, %wide : memref<?xf32>, f64
    }"""
    f = compiled(text, "f32[n] f32[16]", "f32[n] float")
    w = RNG.standard_normal(16).astype(np.float32)
    for n in (1, 15, 16, 50):
        x = RNG.standard_normal(n).astype(np.float32)
        out, total = f(x, w)
        np.testing.assert_allclose(out, x * np.resize(w, n) + np.float32(0.5), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(total, x.sum(), rtol=1e-4, atol=1e-5)


def test_vector_shuffle_extract_insert_gather(compiled):
    text = """
    func.func @f(%x: memref<8xf32>, %idx: memref<4xi32>) -> (memref<4xf32>, memref<4xf32>, f64) {
      %c0 = arith.constant 0 : index
      %c4 = arith.constant 4 : index
      %a = vector.load %x[%c0] : memref<8xf32>, vector<4xf32>
      %b = vector.load %x[%c4] : memref<8xf32>, vector<4xf32>
      %s = vector.shuffle %a, %b [0, 4, 1, 5] : vector<4xf32>, vector<4xf32>
      %last = vector.extract %b[3] : f32 from vector<4xf32>
      %t = vector.insert %last, %s[0] : f32 into vector<4xf32>
      %p = memref.alloc() : memref<4xf32>
      vector.store %t, %p[%c0] : memref<4xf32>, vector<4xf32>
      %i = vector.load %idx[%c0] : memref<4xi32>, vector<4xi32>
      %mask = arith.constant dense<[true, true, false, true]> : vector<4xi1>
      %zero = arith.constant dense<0.0> : vector<4xf32>
      %g = vector.gather %x[%c0] [%i], %mask, %zero
        : memref<8xf32>, vector<4xi32>, vector<4xi1>, vector<4xf32> into vector<4xf32>
      %q = memref.alloc() : memref<4xf32>
      vector.store %g, %q[%c0] : memref<4xf32>, vector<4xf32>
      %m = vector.reduction <maximumf>, %a : vector<4xf32> into f32
      %w = arith.extf %m : f32 to f64
      return %p, %q, %w : memref<4xf32>, memref<4xf32>, f64
    }"""
    x = RNG.standard_normal(8).astype(np.float32)
    p, q, m = compiled(text, "f32[8] i32[4]", "f32[4] f32[4] float")(x, np.array([7, 0, 100000, 3], np.int32))
    np.testing.assert_array_equal(p, [x[7], x[4], x[1], x[5]])
    np.testing.assert_array_equal(q, [x[7], x[0], 0, x[3]])
    assert m == x[:4].max()


PARALLEL = """
func.func @f(%x: memref<?x?x?xf32>) -> memref<?x?x?xf32> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %a = memref.dim %x, %c0 : memref<?x?x?xf32>
  %b = memref.dim %x, %c1 : memref<?x?x?xf32>
  %c = memref.dim %x, %c2 : memref<?x?x?xf32>
  %out = memref.alloc(%a, %b, %c) : memref<?x?x?xf32>
  scf.parallel (%i, %j, %k) = (%c0, %c0, %c0) to (%a, %b, %c) step (%c1, %c1, %c1) {{
    %v = memref.load %x[%i, %j, %k] : memref<?x?x?xf32>
    %t = memref.alloca() : memref<1xf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %t[%c0] : memref<1xf32>
    %u = memref.load %t[%c0] : memref<1xf32>
    memref.store %u, %out[%i, %j, %k] : memref<?x?x?xf32>
    scf.reduce
  }} {attribute}
  return %out : memref<?x?x?xf32>
}}"""


@pytest.mark.parametrize("attribute", ["", "{threads}", "{threads = 100 : i64}"])
def test_parallel(compiled, attribute):
    f = compiled(PARALLEL.format(attribute=attribute), "f32[a,b,c]", "f32[a,b,c]")
    for shape in ((1, 1, 1), (3, 4, 5), (0, 4, 5), (4, 5, 0), (1, 1, 1000), (50, 1, 3), (7, 30, 1)):
        x = RNG.standard_normal(shape).astype(np.float32)
        np.testing.assert_array_equal(f(x), x + x)


def test_parallel_reduction(compiled):
    text = """
    func.func @f(%x: memref<?xf64>) -> f64 {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %z = arith.constant 0.0 : f64
      %n = memref.dim %x, %c0 : memref<?xf64>
      %s = scf.parallel (%i) = (%c0) to (%n) step (%c1) init (%z) -> f64 {
        %v = memref.load %x[%i] : memref<?xf64>
        scf.reduce(%v : f64) {
        ^bb0(%l: f64, %r: f64):
          %t = arith.addf %l, %r : f64
          scf.reduce.return %t : f64
        }
      }
      return %s : f64
    }"""
    x = RNG.standard_normal(33)
    np.testing.assert_allclose(compiled(text, "f64[n]", "float")(x), x.sum())


def test_a_function_that_is_no_instruction_is_refused():
    text = scalar_program("%r = math.exp %a : f32", "x", "", "f32", "f32")
    with pytest.raises(InternalError, match=r"math\.exp"):
        translate_module(parse_module(text), Options("p"))


@pytest.mark.parametrize(("rounds", "stays"), [(8, False), (9, True)])
def test_long_loops_around_loops_are_not_unrolled_by_llvm(rounds, stays):
    """Its code generator needs time that grows faster than the straight-line code that would come of it."""
    text = f"""
func.func @f(%x: memref<{rounds}x500xf32>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = arith.constant {rounds} : index
  %n = arith.constant 500 : index
  %z = arith.constant 0.0 : f32
  scf.for %i = %c0 to %m step %c1 {{
    scf.for %j = %c0 to %n step %c1 {{
      memref.store %z, %x[%i, %j] : memref<{rounds}x500xf32>
    }}
  }}
  return
}}"""
    marked = translate_module(parse_module(text), Options("p")).text.count("llvm.loop.unroll.disable")
    assert marked == (1 if stays else 0)


def test_every_loops_operation_has_an_emitter():
    """Those that are missing are named here, each with its reason."""
    libm = {f"math.{n}" for n in (
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1",
        "log", "log10", "log1p", "log2", "sin", "sinh", "tan", "tanh", "atan2", "powf", "ipowi",
    )} | {"arith.remf"}  # fmt: skip
    structural = {"memref.global", "scf.yield", "scf.condition", "scf.reduce", "scf.reduce.return"}
    for dialect in (arith, math, memref, scf, vector):
        for definition in dialect.OPS:
            assert definition.name in TABLE or definition.name in libm | structural, definition.name
