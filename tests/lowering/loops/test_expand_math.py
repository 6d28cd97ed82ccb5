"""expand-math: accuracy against numpy in wider precision, special values, large arguments, both by interpreter and natively."""

import math

import numpy as np
import pytest

from torchcc.backend.cpu.jit import compile_module
from torchcc.ir.builder import Builder
from torchcc.ir.core import new_module
from torchcc.ir.dialects import arith, func, memref, scf
from torchcc.ir.dialects import math as mathd
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.script_types import TensorType
from torchcc.ir.signature import Leaf, Parameter, Signature, TensorSpec
from torchcc.ir.types import BF16, F16, F32, F64, I1, I64, INDEX, MemRefType
from torchcc.lowering.loops.expand_math import EXPANSIONS, ExpandMath

ELEMENTS = {np.dtype(np.float32): F32, np.dtype(np.float64): F64, np.dtype(np.float16): F16, np.dtype(np.int64): I64}
DTYPES = {F32: DType.float32, F64: DType.float64, I1: DType.bool, I64: DType.int64, F16: DType.float16, BF16: DType.bfloat16}

# name: (numpy in float64 or a function of floats, range of arguments, allowed error in ulp)
UNARY = {
    "exp": (np.exp, (-87, 88), 1.1),
    "exp2": (np.exp2, (-126, 127), 1.1),
    "expm1": (np.expm1, (-17, 88), 1.6),
    "log": (np.log, (1e-30, 1e4), 1.1),
    "log2": (np.log2, (1e-3, 1e4), 1.6),
    "log10": (np.log10, (1e-3, 1e4), 1.6),
    "log1p": (np.log1p, (-0.99, 50), 1.6),
    "tanh": (np.tanh, (-9, 9), 2.1),
    "sinh": (np.sinh, (-80, 80), 3.1),
    "cosh": (np.cosh, (-80, 80), 3.1),
    "asinh": (np.arcsinh, (-100, 100), 2.1),
    "acosh": (np.arccosh, (1, 100), 2.1),
    "atanh": (np.arctanh, (-0.99, 0.99), 2.1),
    "sin": (np.sin, (-1000, 1000), 1.6),
    "cos": (np.cos, (-1000, 1000), 1.6),
    "tan": (np.tan, (-1.5, 1.5), 3.1),
    "asin": (np.arcsin, (-1, 1), 3.1),
    "acos": (np.arccos, (-1, 1), 3.1),
    "atan": (np.arctan, (-50, 50), 2.6),
    "erf": (np.vectorize(math.erf), (-4, 4), 3.1),
    "erfc": (np.vectorize(math.erfc), (-4, 8), 4.1),
    "cbrt": (np.cbrt, (-100, 100), 1.1),
    "rsqrt": (lambda x: 1 / np.sqrt(x), (1e-3, 100), 2.1),
    "round": (lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x), (-10, 10), 0.0),
}
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 1e-40, -1e-40, 3e38, -3e38, 0.5, -2.5]


def build(op: str, operand_count: int, element, result=None):
    """A loop that applies one operation to each element, already expanded."""
    result = result or element
    module = new_module()
    types = [MemRefType((None,), element)] * operand_count
    function = func.func(module, "f", types, [MemRefType((None,), result)])
    b = Builder(function.body())
    zero, one = arith.constant(b, 0, INDEX), arith.constant(b, 1, INDEX)
    size = memref.dim(b, function.body().args[0], zero)
    out = memref.alloc(b, [size], result)

    def body(inner, place):
        values = [memref.load(inner, a, place) for a in function.body().args]
        applied = inner.create(op, values, [result]).result
        memref.store(inner, applied, out, place)
        return ()

    scf.for_(b, zero, size, one, [], lambda inner, args: body(inner, args))
    func.return_(b, [out])
    return ExpandMath().apply(module)


def native(module, arrays, result):
    dtype = DTYPES[ELEMENTS[arrays[0].dtype]]
    parameters = tuple(Parameter(f"x{i}", TensorSpec(dtype, a.shape)) for i, a in enumerate(arrays))
    leaf = TensorType(DTYPES[result], arrays[0].shape)
    return compile_module(module, Signature("f", parameters, (leaf,), Leaf(0, leaf)))(*arrays)


def arguments(name, dtype, count=2000):
    low, high = UNARY[name][1]
    generator = np.random.default_rng(5)
    near = generator.uniform(low, high, count)
    # Small arguments too, where relative accuracy is hardest to keep.
    small = near * 10.0 ** generator.uniform(-12, 0, count) if low <= 0 else near
    return np.concatenate([near, small]).astype(dtype)


@pytest.mark.parametrize("name", UNARY)
def test_accuracy_in_f32(name):
    compute, _, allowed = UNARY[name]
    x = arguments(name, np.float32)
    got = native(build(f"math.{name}", 1, F32), [x], F32)
    exact = np.asarray(compute(x.astype(np.float64)), np.float64)
    error = np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(exact.astype(np.float32)))
    worst = int(np.argmax(error))
    assert error[worst] <= allowed, (x[worst], got[worst], exact[worst], error[worst])


@pytest.mark.parametrize("name", UNARY)
def test_accuracy_in_f64(name):
    compute, _, allowed = UNARY[name]
    x = arguments(name, np.float64)
    got = native(build(f"math.{name}", 1, F64), [x], F64)
    exact = np.asarray(compute(x.astype(np.longdouble) if name not in ("erf", "erfc") else x))
    error = np.abs(got - exact) / np.spacing(np.abs(exact.astype(np.float64)))
    assert error.max() <= allowed + (1.5 if name in ("erf", "erfc") else 0), (x[np.argmax(error)], error.max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNARY)
def test_special_values(name, dtype):
    x = np.array(SPECIAL, dtype)
    with np.errstate(all="ignore"):
        expected = np.asarray(UNARY[name][0](x.astype(np.float64))).astype(dtype)
    module = build(f"math.{name}", 1, ELEMENTS[x.dtype])
    for got in (native(module, [x], ELEMENTS[x.dtype]), interpret(module, "f", [x])[0]):
        ordinary = ~np.isnan(expected)
        np.testing.assert_allclose(got[ordinary], expected[ordinary], rtol=1e-5)
        assert np.array_equal(np.isnan(got), np.isnan(expected))
        signed = ordinary & (expected == 0)
        assert np.array_equal(np.signbit(got[signed]), np.signbit(expected[signed]))


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_arguments_are_reduced_exactly(name):
    x = np.float32([1e5, 123456.7, 1e8, -3e10, 1e20, 2.0**100, 3e38])
    mpmath = pytest.importorskip("mpmath", reason="needs many digits of pi")
    with mpmath.workprec(400):
        exact = [float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in x]
    np.testing.assert_allclose(native(build(f"math.{name}", 1, F32), [x], F32), exact, rtol=3e-7)
    wide = np.float64([1e9, -1e12, 1e22, 1e100, 1.7e308])
    with mpmath.workprec(1400):
        exact = [float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in wide]
    np.testing.assert_allclose(native(build(f"math.{name}", 1, F64), [wide], F64), exact, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "compute"), [("math.powf", np.power), ("math.atan2", np.arctan2), ("arith.remf", np.fmod)])
def test_two_operands(op, compute, dtype):
    edges = np.array([*SPECIAL, 2.0, 3.0, -3.0, 0.25, 1e10, 7.0], dtype)
    x, y = (a.reshape(-1) for a in np.meshgrid(edges, edges))
    generator = np.random.default_rng(3)
    x = np.concatenate([x, generator.uniform(-30, 30, 500).astype(dtype)])
    y = np.concatenate([y, generator.uniform(-20, 20, 500).astype(dtype)])
    with np.errstate(all="ignore"):
        expected = compute(x, y)
    got = native(build(op, 2, ELEMENTS[x.dtype]), [x, y], ELEMENTS[x.dtype])
    np.testing.assert_allclose(got, expected, rtol=3e-6 if dtype == np.float32 else 1e-14)
    assert np.array_equal(np.signbit(got[expected == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_that_are_representable_are_exact(dtype):
    """`int(2.0 ** 11.0)` is 2048."""
    bits = 24 if dtype == np.float32 else 53
    cases = [(x, y) for x in range(2, 40) for y in range(bits) if x**y < 2**bits]
    got = native(build("math.powf", 2, ELEMENTS[np.dtype(dtype)]), list(np.array(cases, dtype).T.copy()), ELEMENTS[np.dtype(dtype)])
    assert got.tolist() == [float(x**y) for x, y in cases]


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "isnormal"])
def test_predicates(name):
    x = np.float32([0, math.inf, -math.inf, math.nan, 1, 1e-40])
    expected = {
        "isnan": np.isnan(x), "isinf": np.isinf(x), "isfinite": np.isfinite(x),
        "isnormal": np.isfinite(x) & (np.abs(x) >= np.finfo(np.float32).tiny),
    }[name]  # fmt: skip
    assert np.array_equal(native(build(f"math.{name}", 1, F32, I1), [x], I1), expected)


def test_integer_powers_wrap_and_invert():
    x = np.array([2, 3, -1, -1, 1, 0, 2, 5, -2, 7], np.int64)
    y = np.array([10, 0, 5, 4, -3, 0, -1, 40, 3, 1], np.int64)
    expected = [1024, 1, -1, 1, 1, 1, 0, ((5**40 + 2**63) % 2**64) - 2**63, -8, 7]
    assert native(build("math.ipowi", 2, I64), [x, y], I64).tolist() == expected


def test_half_precision_goes_through_f32():
    x = np.linspace(-8, 8, 200).astype(np.float16)
    got = native(build("math.tanh", 1, F16), [x], F16)
    assert np.array_equal(got, np.tanh(x.astype(np.float32)).astype(np.float16))


def test_every_function_of_the_dialect_is_an_instruction_or_expanded():
    instructions = {"absf", "ceil", "floor", "roundeven", "sqrt", "trunc"}
    assert {f"math.{n}" for n in mathd.UNARY_FLOAT if n not in instructions} <= set(EXPANSIONS)
