"""Scalar semantics of `arith` and `math`: exact integers of every width, floats in their own precision."""

from __future__ import annotations

import math
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from torchcc.ir.diagnostics import InternalError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module

WIDTHS = (1, 8, 16, 32, 64)


def corners(width: int) -> list[int]:
    """Signed corner values of a width."""
    if width == 1:
        return [0, -1]
    top = 1 << (width - 1)
    return sorted({0, 1, -1, 2, 3, -7, 100 % top, top - 1, -top, -top + 1})


def wrap(value: int, width: int) -> int:
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def unsigned(value: int, width: int) -> int:
    return value & ((1 << width) - 1)


def truncated(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


MEANING: dict[str, Callable[[int, int, int], int | None]] = {
    "addi": lambda a, b, w: a + b,
    "subi": lambda a, b, w: a - b,
    "muli": lambda a, b, w: a * b,
    "divsi": lambda a, b, w: truncated(a, b) if b else None,
    "remsi": lambda a, b, w: a - b * truncated(a, b) if b else None,
    "floordivsi": lambda a, b, w: a // b if b else None,
    "ceildivsi": lambda a, b, w: -(-a // b) if b else None,
    "divui": lambda a, b, w: unsigned(a, w) // unsigned(b, w) if b else None,
    "remui": lambda a, b, w: unsigned(a, w) % unsigned(b, w) if b else None,
    "andi": lambda a, b, w: a & b,
    "ori": lambda a, b, w: a | b,
    "xori": lambda a, b, w: a ^ b,
    "shli": lambda a, b, w: a << b if 0 <= b < w else None,
    "shrsi": lambda a, b, w: a >> b if 0 <= b < w else None,
    "shrui": lambda a, b, w: unsigned(a, w) >> b if 0 <= b < w else None,
    "maxsi": lambda a, b, w: max(a, b),
    "minsi": lambda a, b, w: min(a, b),
    "maxui": lambda a, b, w: max(unsigned(a, w), unsigned(b, w)),
    "minui": lambda a, b, w: min(unsigned(a, w), unsigned(b, w)),
}


def as_int(value: object) -> int:
    """The signed reading of a result."""
    return -int(value) if isinstance(value, np.bool_) else int(value)  # type: ignore[call-overload]


def module(body: str, inputs: str, output: str) -> object:
    return parse_module(f"func.func @f({inputs}) -> {output} {{\n{body}\n  return %0 : {output}\n}}")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MEANING)
def test_integer(name: str, width: int) -> None:
    if width == 1 and name.startswith("sh"):
        pytest.skip("shifts of one bit are undefined")
    scalar = module(f"  %0 = arith.{name} %a, %b : i{width}", f"%a: i{width}, %b: i{width}", f"i{width}")
    pairs = [(a, b) for a in corners(width) for b in corners(width) if MEANING[name](a, b, width) is not None]
    if name in ("divsi", "floordivsi", "ceildivsi", "remsi"):
        pairs = [(a, b) for a, b in pairs if not (a == -(1 << (width - 1)) and b == -1)]
    expected = [wrap(MEANING[name](a, b, width) or 0, width) for a, b in pairs]
    assert [as_int(interpret(scalar, "f", [a, b])[0]) for a, b in pairs] == expected
    n = len(pairs)
    type = f"vector<{n}xi{width}>"
    vectors = module(f"  %0 = arith.{name} %a, %b : {type}", f"%a: {type}, %b: {type}", type)
    dtype = np.bool_ if width == 1 else np.dtype(f"i{width // 8}")
    columns = [np.array([p[i] for p in pairs]).astype(dtype) for i in range(2)]
    result = interpret(vectors, "f", columns)[0]
    assert result.dtype == dtype
    assert [as_int(v) for v in result] == expected


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("predicate", ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"])
def test_compare_integers(predicate: str, width: int) -> None:
    m = module(f"  %0 = arith.cmpi {predicate}, %a, %b : i{width}", f"%a: i{width}, %b: i{width}", "i1")
    compare = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[predicate.lstrip("su") if predicate not in ("eq", "ne") else predicate]
    for a in corners(width):
        for b in corners(width):
            x, y = (unsigned(a, width), unsigned(b, width)) if predicate[0] == "u" else (a, b)
            assert bool(interpret(m, "f", [a, b])[0]) == eval(f"{x} {compare} {y}")


def test_compare_floats() -> None:
    nan = math.nan
    for predicate in ("oeq", "one", "olt", "ole", "ogt", "oge", "ord", "ueq", "une", "ult", "ule", "ugt", "uge", "uno", "true", "false"):
        m = module(f"  %0 = arith.cmpf {predicate}, %a, %b : f32", "%a: f32, %b: f32", "i1")
        for a, b in ((1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (nan, 1.0), (1.0, nan), (nan, nan)):
            unordered = a != a or b != b
            simple = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}
            if predicate in ("true", "false"):
                expected = predicate == "true"
            elif predicate in ("ord", "uno"):
                expected = unordered == (predicate == "uno")
            else:
                expected = (simple[predicate[1:]] and not unordered) or (unordered and predicate[0] == "u")
            assert bool(interpret(m, "f", [a, b])[0]) == expected, (predicate, a, b)


@pytest.mark.parametrize(
    ("op", "source", "target", "value", "expected"),
    [
        ("extsi", "i1", "i64", 1, -1),
        ("extui", "i1", "i64", 1, 1),
        ("extsi", "i8", "i32", -3, -3),
        ("extui", "i8", "i32", -3, 253),
        ("trunci", "i64", "i8", 511, -1),
        ("trunci", "i64", "i1", 6, 0),
        ("trunci", "i32", "i1", 7, 1),
        ("sitofp", "i64", "f32", (1 << 24) + 1, 16777216.0),
        ("sitofp", "i1", "f32", 1, -1.0),
        ("uitofp", "i1", "f32", 1, 1.0),
        ("uitofp", "i8", "f64", -1, 255.0),
        ("fptosi", "f32", "i64", -2.7, -2),
        ("fptoui", "f32", "i8", 200.5, -56),
        ("extf", "f32", "f64", 0.1, float(np.float32(0.1))),
        ("truncf", "f64", "f32", 0.1, float(np.float32(0.1))),
        ("truncf", "f32", "bf16", 0.1, float(ml_dtypes.bfloat16(0.1))),
        ("bitcast", "f32", "i32", 1.0, 0x3F800000),
        ("bitcast", "i32", "f32", 0x3F800000, 1.0),
        ("index_cast", "i32", "index", -5, -5),
        ("index_castui", "i32", "index", -1, 0xFFFFFFFF),
        ("index_cast", "index", "i32", 1 << 33 | 3, 3),
    ],
)
def test_casts(op: str, source: str, target: str, value: float, expected: float) -> None:
    m = module(f"  %0 = arith.{op} %a : {source} to {target}", f"%a: {source}", target)
    result = interpret(m, "f", [value])[0]
    assert float(result) == expected


@pytest.mark.parametrize("type", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("op", ["addf", "subf", "mulf", "divf", "remf", "maximumf", "minimumf", "maxnumf", "minnumf"])
def test_float_precision(op: str, type: str) -> None:
    dtype = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}[type]
    m = module(f"  %0 = arith.{op} %a, %b : {type}", f"%a: {type}, %b: {type}", type)
    functions = {"addf": np.add, "subf": np.subtract, "mulf": np.multiply, "divf": np.divide, "remf": np.fmod}
    functions |= {"maximumf": np.maximum, "minimumf": np.minimum, "maxnumf": np.fmax, "minnumf": np.fmin}
    for a, b in ((0.1, 0.7), (3.0, -0.25), (math.inf, 1.0), (math.nan, 2.0)):
        x, y = dtype(a), dtype(b)
        with np.errstate(all="ignore"):
            wide = functions[op](x.astype(np.float64), y.astype(np.float64)).astype(dtype)
        result = interpret(m, "f", [a, b])[0]
        assert result.dtype == dtype
        np.testing.assert_equal(result.astype(np.float64), wide.astype(np.float64))


def test_zero_signs() -> None:
    for op, expected in (("maximumf", 1.0), ("minimumf", -1.0)):
        for type in ("f32", "vector<2xf32>"):
            m = module(f"  %0 = arith.{op} %a, %b : {type}", f"%a: {type}, %b: {type}", type)
            zeros = [np.float32(-0.0), np.float32(0.0)]
            for a, b in (zeros, zeros[::-1]):
                arguments = [a, b] if type == "f32" else [np.full(2, a), np.full(2, b)]
                assert (np.copysign(1.0, interpret(m, "f", arguments)[0]) == expected).all()


def test_select() -> None:
    m = module("  %0 = arith.select %c, %a, %b : vector<3xi1>, vector<3xf32>", "%c: vector<3xi1>, %a: vector<3xf32>, %b: vector<3xf32>", "vector<3xf32>")
    a, b = np.arange(3, dtype=np.float32), -np.arange(3, dtype=np.float32)
    assert interpret(m, "f", [np.array([True, False, True]), a, b])[0].tolist() == [0.0, -1.0, 2.0]


def test_division_by_zero_is_found() -> None:
    for op in ("divsi", "remui", "floordivsi"):
        m = module(f"  %0 = arith.{op} %a, %b : i64", "%a: i64, %b: i64", "i64")
        with pytest.raises(InternalError, match="division by zero"):
            interpret(m, "f", [1, 0])


@pytest.mark.parametrize("op", ["exp", "tanh", "sin", "log", "sqrt", "rsqrt", "erf", "cbrt", "floor", "round", "roundeven", "trunc"])
def test_math_is_rounded_once(op: str) -> None:
    reference = {"erf": math.erf, "cbrt": math.cbrt, "rsqrt": lambda x: 1 / math.sqrt(x), "round": lambda x: math.floor(x + 0.5), "roundeven": round}
    function = reference.get(op) or getattr(math, op)
    values = np.array([0.5, 0.1, 1.5, 2.5, 3.7], np.float32)
    m = module(f"  %0 = math.{op} %a : vector<5xf32>", "%a: vector<5xf32>", "vector<5xf32>")
    result = interpret(m, "f", [values])[0]
    assert result.dtype == np.float32
    expected = np.array([function(float(v)) for v in values]).astype(np.float32)
    np.testing.assert_array_max_ulp(result, expected, 1)
    one = module(f"  %0 = math.{op} %a : f32", "%a: f32", "f32")
    assert [interpret(one, "f", [v])[0] for v in values] == result.tolist()


def test_math_bits() -> None:
    for width in (8, 16, 32, 64):
        for op in ("ctlz", "cttz", "ctpop", "absi"):
            m = module(f"  %0 = math.{op} %a : i{width}", f"%a: i{width}", f"i{width}")
            for v in corners(width):
                bits = unsigned(v, width)
                expected = {
                    "ctlz": width - bits.bit_length(),
                    "cttz": (bits & -bits).bit_length() - 1 if bits else width,
                    "ctpop": bits.bit_count(),
                    "absi": wrap(abs(v), width),
                }[op]
                assert int(interpret(m, "f", [v])[0]) == expected


def test_integer_power() -> None:
    m = module("  %0 = math.ipowi %a, %b : i64", "%a: i64, %b: i64", "i64")
    for a, b, expected in ((3, 4, 81), (-2, 63, -(2**63)), (1, -5, 1), (-1, -5, -1), (-1, -4, 1), (7, -1, 0), (0, 0, 1), (3, 100, wrap(3**100, 64))):
        assert int(interpret(m, "f", [a, b])[0]) == expected


def test_fma_keeps_the_product() -> None:
    for type, dtype in (("f32", np.float32), ("f64", np.float64)):
        m = module(f"  %0 = math.fma %a, %b, %c : {type}", f"%a: {type}, %b: {type}, %c: {type}", type)
        eps = np.finfo(dtype).eps
        a = dtype(1 + eps)
        # (1 + e)**2 - (1 + 2e) is e**2, lost when the product is rounded first.
        assert float(interpret(m, "f", [a, a, dtype(-(1 + 2 * eps))])[0]) == float(eps) ** 2


def test_predicates() -> None:
    values = np.array([1.0, 1e-40, 0.0, math.inf, math.nan], np.float32)
    for op, expected in (("isnan", [0, 0, 0, 0, 1]), ("isinf", [0, 0, 0, 1, 0]), ("isfinite", [1, 1, 1, 0, 0]), ("isnormal", [1, 0, 0, 0, 0])):
        m = module(f"  %0 = math.{op} %a : vector<5xf32>", "%a: vector<5xf32>", "vector<5xi1>")
        assert interpret(m, "f", [values])[0].astype(int).tolist() == expected
