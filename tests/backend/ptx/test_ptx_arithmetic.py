"""What single PTX instructions compute, at the edges of their ranges: the numbers are those of the PTX ISA."""

import ml_dtypes
import numpy as np
import pytest

from torchcc.backend.ptx.alu import PtxFault

NAN, INF = np.nan, np.inf
LOW, HIGH = -(2**31), 2**31 - 1
LOW64, HIGH64 = -(2**63), 2**63 - 1


def same(got, expected):
    """Equal, NaNs and the signs of zeros included."""
    expected = np.asarray(expected, got.dtype)
    np.testing.assert_array_equal(got, expected)
    if got.dtype.kind not in "iu":
        np.testing.assert_array_equal(np.signbit(got)[expected == 0], np.signbit(expected)[expected == 0])


INTEGERS = [
    ("add.s32", "s32", [HIGH, -1], [1, 1], [LOW, 0]),
    ("sub.u32", "u32", [0, 5], [1, 7], [2**32 - 1, 2**32 - 2]),
    ("mul.lo.s32", "s32", [65536, -3], [65536, 7], [0, -21]),
    ("mul.hi.s32", "s32", [LOW, -1, HIGH], [LOW, 1, 2], [2**30, -1, 0]),
    ("mul.hi.u32", "u32", [2**32 - 1, 1 << 31], [2**32 - 1, 2], [2**32 - 2, 1]),
    ("mul.hi.s64", "s64", [LOW64, -1, 3], [LOW64, 1, 5], [2**62, -1, 0]),
    ("mul.hi.u64", "u64", [2**64 - 1, 7], [2**64 - 1, 3], [2**64 - 2, 0]),
    ("div.s32", "s32", [7, -7, 7, -7, LOW, LOW], [2, 2, -2, -2, 3, 2], [3, -3, -3, 3, -715827882, -(2**30)]),
    ("rem.s32", "s32", [7, -7, 7, -7, LOW, 6], [2, 2, -2, -2, 3, 3], [1, -1, 1, -1, -2, 0]),
    ("div.s64", "s64", [-9, LOW64], [4, 3], [-2, -3074457345618258602]),
    ("div.u32", "u32", [2**32 - 1], [10], [429496729]),
    ("rem.u64", "u64", [2**64 - 1], [10], [5]),
    ("min.s32", "s32", [-1, 3], [1, 2], [-1, 2]),
    ("min.u32", "u32", [2**32 - 1, 3], [1, 2], [1, 2]),
    ("max.s64", "s64", [-1, LOW64], [1, HIGH64], [1, HIGH64]),
    ("and.b32", "b32", [12], [10], [8]),
    ("xor.b64", "b64", [2**64 - 1], [1], [2**64 - 2]),
]


@pytest.mark.parametrize(
    ("opcode", "type", "x", "y", "expected"), INTEGERS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_integers(evaluate, opcode, type, x, y, expected):
    same(evaluate(f"{opcode} %y, %x0, %x1;", type, [x, y], type), expected)


def test_wide_products(evaluate):
    same(evaluate("mul.wide.s32 %y, %x0, %x1;", "s32", [[LOW, -3], [LOW, 5]], "s64"), [2**62, -15])
    same(evaluate("mul.wide.u32 %y, %x0, %x1;", "u32", [[2**32 - 1], [2**32 - 1]], "u64"), [(2**32 - 1) ** 2])
    same(evaluate("mad.wide.s32 %y, %x0, %x1, %x2;", "s32 s32 s64", [[-2], [3], [2**40]], "s64"), [2**40 - 6])
    same(evaluate("mad.lo.s32 %y, %x0, %x1, %x2;", "s32", [[HIGH], [2], [3]], "s32"), [1])


def test_absolute_value_and_negation_wrap(evaluate):
    same(evaluate("abs.s32 %y, %x0;", "s32", [[LOW, -5, 5]], "s32"), [LOW, 5, 5])
    same(evaluate("neg.s32 %y, %x0;", "s32", [[LOW, -5, 5]], "s32"), [LOW, 5, -5])
    same(evaluate("not.b32 %y, %x0;", "b32", [[0, 5]], "b32"), [2**32 - 1, 2**32 - 6])


SHIFTS = [
    ("shl.b32", "b32", [1, 1, 1, 3], [31, 32, 200, 1], [1 << 31, 0, 0, 6]),
    ("shr.u32", "u32", [1 << 31, 1 << 31, 7], [31, 32, 1], [1, 0, 3]),
    ("shr.s32", "s32", [LOW, LOW, LOW, 8], [31, 32, 1000, 2], [-1, -1, -1, 2]),
    ("shr.s64", "s64", [LOW64, HIGH64], [64, 64], [-1, 0]),
    ("shl.b64", "b64", [1, 1], [63, 64], [1 << 63, 0]),
]


@pytest.mark.parametrize(
    ("opcode", "type", "x", "by", "expected"), SHIFTS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_shifts_clamp(evaluate, opcode, type, x, by, expected):
    same(evaluate(f"{opcode} %y, %x0, %x1;", f"{type} u32", [x, by], type), expected)


def test_funnel_shifts(evaluate):
    low, high = [0x89ABCDEF] * 4, [0x01234567] * 4
    by = [0, 8, 32, 40]
    types = "b32 b32 u32"
    wrap = [0x01234567, 0x23456789, 0x01234567, 0x23456789]
    same(evaluate("shf.l.wrap.b32 %y, %x0, %x1, %x2;", types, [low, high, by], "b32"), wrap)
    clamp = [0x01234567, 0x23456789, 0x89ABCDEF, 0x89ABCDEF]
    same(evaluate("shf.l.clamp.b32 %y, %x0, %x1, %x2;", types, [low, high, by], "b32"), clamp)
    right = [0x89ABCDEF, 0x6789ABCD, 0x01234567, 0x01234567]
    same(evaluate("shf.r.clamp.b32 %y, %x0, %x1, %x2;", types, [low, high, by], "b32"), right)


def test_bit_fields(evaluate):
    x = [0xF0, 0xF0, 0xF0, 0x80000000, 0x80000000, 0xF0, 0x7FFFFFFF]
    start = [4, 4, 0, 28, 40, 4, 0]
    length = [4, 3, 4, 8, 4, 0, 64]
    types = "b32 u32 u32"
    unsigned = [15, 7, 0, 8, 0, 0, 0x7FFFFFFF]
    same(evaluate("bfe.u32 %y, %x0, %x1, %x2;", types, [x, start, length], "u32"), unsigned)
    # A signed field takes its sign from its top bit, or from the top of the word where it reaches past that.
    signed = [-1, -1, 0, -8, -1, 0, 0x7FFFFFFF]
    same(evaluate("bfe.s32 %y, %x0, %x1, %x2;", types, [x, start, length], "s32"), signed)
    inserted = evaluate(
        "bfi.b32 %y, %x0, %x1, %x2, %x3;", "b32 b32 u32 u32", [[5, 5], [-1 % 2**32, 0], [4, 30], [4, 8]], "b32"
    )
    same(inserted, [0xFFFFFF5F, 0x40000000])
    same(evaluate("brev.b32 %y, %x0;", "b32", [[1, 0xF0000000]], "b32"), [0x80000000, 0xF])


def test_bytes_and_counts(evaluate):
    x, y = [0x33221100] * 3, [0x77665580] * 3
    selector = [0x7210, 0x0123, 0xC008]
    expected = [0x77221100, 0x00112233, 0xFF000000]
    same(evaluate("prmt.b32 %y, %x0, %x1, %x2;", "b32", [x, y, selector], "b32"), expected)
    same(evaluate("clz.b32 %y, %x0;", "b32", [[0, 1, 1 << 31]], "u32"), [32, 31, 0])
    same(evaluate("clz.b64 %y, %x0;", "b64", [[0, 1, 1 << 63]], "u32"), [64, 63, 0])
    same(evaluate("popc.b32 %y, %x0;", "b32", [[0, 7, 2**32 - 1]], "u32"), [0, 3, 32])


def test_float_arithmetic(evaluate):
    tiny = float(np.float32(1e-40))
    same(
        evaluate("add.rn.f32 %y, %x0, %x1;", "f32", [[tiny, INF, 1.0], [tiny, -INF, 2**-25]], "f32"),
        [tiny + tiny, NAN, 1.0],
    )
    same(evaluate("add.rn.ftz.f32 %y, %x0, %x1;", "f32", [[tiny, 1e-38], [1.0, -tiny]], "f32"), [1.0, 0.0])
    same(evaluate("add.sat.f32 %y, %x0, %x1;", "f32", [[1.0, -2.0, 0.25], [1.0, 1.0, 0.5]], "f32"), [1.0, 0.0, 0.75])
    same(evaluate("div.rn.f32 %y, %x0, %x1;", "f32", [[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]], "f32"), [INF, -INF, NAN])
    same(evaluate("sqrt.rn.f32 %y, %x0;", "f32", [[4.0, -1.0, -0.0]], "f32"), [2.0, NAN, -0.0])
    same(evaluate("copysign.f32 %y, %x0, %x1;", "f32", [[-1.0, 1.0], [3.0, -4.0]], "f32"), [-3.0, 4.0])


def test_fma_rounds_once(evaluate):
    x = np.float32(1 + 2**-12)
    exact = np.float32(float(x) * float(x) - 1.0)
    same(evaluate("fma.rn.f32 %y, %x0, %x0, %x1;", "f32", [[x], [-1.0]], "f32"), [exact])
    d = 1 + 2**-30
    same(evaluate("fma.rn.f64 %y, %x0, %x0, %x1;", "f64", [[d], [-1 - 2**-29]], "f64"), [2.0**-60])
    same(evaluate("fma.rn.f64 %y, %x0, %x1, %x2;", "f64", [[1e200, INF], [1e200, 2.0], [1.0, 1.0]], "f64"), [INF, INF])


def test_other_roundings_are_refused(evaluate):
    with pytest.raises(PtxFault, match="rounding to nearest"):
        evaluate("add.rz.f32 %y, %x0, %x1;", "f32", [[1.0], [1.0]], "f32")
    with pytest.raises(PtxFault, match="rounding to nearest"):
        evaluate("cvt.rz.f32.f64 %y, %x0;", "f64", [[0.1]], "f32")


@pytest.mark.parametrize(
    ("opcode", "expected"),
    [
        ("min.f32", [1.0, 1.0, -0.0, -0.0, NAN]),
        ("max.f32", [1.0, 1.0, 0.0, 0.0, NAN]),
        ("min.NaN.f32", [NAN, NAN, -0.0, -0.0, NAN]),
        ("max.NaN.f32", [NAN, NAN, 0.0, 0.0, NAN]),
    ],
)
def test_extremes_of_nan_and_of_zeros(evaluate, opcode, expected):
    x, y = [NAN, 1.0, -0.0, 0.0, NAN], [1.0, NAN, 0.0, -0.0, NAN]
    same(evaluate(f"{opcode} %y, %x0, %x1;", "f32", [x, y], "f32"), expected)


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("eq", [1, 0, 0, 1]), ("ne", [0, 1, 0, 0]), ("lt", [0, 1, 0, 0]), ("ge", [1, 0, 0, 1]),
        ("equ", [1, 0, 1, 1]), ("neu", [0, 1, 1, 0]), ("ltu", [0, 1, 1, 0]), ("geu", [1, 0, 1, 1]),
        ("num", [1, 1, 0, 1]), ("nan", [0, 0, 1, 0]),
    ],
)  # fmt: skip
def test_float_comparisons(evaluate, comparison, expected):
    body = f"setp.{comparison}.f32 %p, %x0, %x1; selp.b32 %y, 1, 0, %p;"
    same(evaluate(body, "f32", [[1.0, 1.0, NAN, 0.0], [1.0, 2.0, 1.0, -0.0]], "u32"), expected)


def test_integer_comparisons(evaluate):
    x, y = [2**32 - 1, 1], [1, 1]
    for comparison, expected in {
        "lt.s32": [1, 0],
        "lt.u32": [0, 0],
        "hi.u32": [1, 0],
        "hs.u32": [1, 1],
        "eq.b32": [0, 1],
    }.items():
        same(evaluate(f"setp.{comparison} %p, %x0, %x1; selp.b32 %y, 1, 0, %p;", "b32", [x, y], "u32"), expected)


def test_predicates(evaluate):
    body = "setp.gt.s32 %q, %x0, 0; setp.lt.and.s32 %p, %x0, 10, %q; selp.b32 %y, 1, 0, %p;"
    same(evaluate(body, "s32", [[-5, 5, 15]], "u32"), [0, 1, 0])
    body = "setp.gt.s32 %p|%q, %x0, 0; @%p mov.u32 %y, 1; @!%p mov.u32 %y, 2; @%q add.u32 %y, %y, 10;"
    same(evaluate(body, "s32", [[-5, 5]], "u32"), [12, 1])
    body = "setp.gt.s32 %p, %x0, 0; not.pred %q, %p; xor.pred %p, %p, %q; selp.b32 %y, 1, 0, %p;"
    same(evaluate(body, "s32", [[-5, 5]], "u32"), [1, 1])


TO_INTEGER = [
    ("cvt.rzi.s32.f32", "f32", [1.9, -1.9, 3e9, -3e9, NAN, INF], "s32", [1, -1, HIGH, LOW, 0, HIGH]),
    ("cvt.rni.s32.f32", "f32", [0.5, 1.5, 2.5, -0.5], "s32", [0, 2, 2, 0]),
    ("cvt.rmi.s32.f32", "f32", [1.5, -1.5], "s32", [1, -2]),
    ("cvt.rpi.s32.f32", "f32", [1.5, -1.5], "s32", [2, -1]),
    ("cvt.rzi.u32.f32", "f32", [-1.0, 5e9, NAN], "u32", [0, 2**32 - 1, 0]),
    ("cvt.rzi.s64.f32", "f32", [1e20, -1e20, NAN], "s64", [HIGH64, LOW64, LOW64]),
    ("cvt.rzi.s64.f64", "f64", [9007199254740993.0, NAN], "s64", [9007199254740992, LOW64]),
    ("cvt.rzi.s32.f64", "f64", [2.5, NAN], "s32", [2, LOW]),
    ("cvt.rzi.u64.f64", "f64", [2.0**63, -1.0], "u64", [2**63, 0]),
]


@pytest.mark.parametrize(
    ("opcode", "source", "x", "to", "expected"), TO_INTEGER, ids=lambda v: v if isinstance(v, str) else ""
)
def test_floats_to_integers_saturate(evaluate, opcode, source, x, to, expected):
    same(evaluate(f"{opcode} %y, %x0;", source, [x], to), expected)


def test_conversions_between_integers(evaluate):
    same(evaluate("cvt.s64.s32 %y, %x0;", "s32", [[-1, 5]], "s64"), [-1, 5])
    same(evaluate("cvt.u64.u32 %y, %x0;", "s32", [[-1]], "u64"), [2**32 - 1])
    same(evaluate("cvt.s32.s8 %y, %x0;", "b32", [[0xFF, 0x17F]], "s32"), [-1, 127])
    same(evaluate("cvt.u32.u64 %y, %x0;", "u64", [[2**40 + 3]], "u32"), [3])
    same(evaluate("cvt.sat.s8.s32 %t1, %x0; mov.b32 %y, %t1;", "s32", [[300, -300, 5]], "s32"), [127, -128, 5])


def test_conversions_to_floats(evaluate):
    same(evaluate("cvt.rn.f32.s32 %y, %x0;", "s32", [[16777217, -3]], "f32"), [16777216.0, -3.0])
    same(evaluate("cvt.rn.f64.u64 %y, %x0;", "u64", [[2**64 - 1]], "f64"), [2.0**64])
    same(evaluate("cvt.rni.f32.f32 %y, %x0;", "f32", [[2.5, -0.4, NAN]], "f32"), [2.0, -0.0, NAN])
    same(evaluate("cvt.rn.f32.f64 %y, %x0;", "f64", [[0.1, 1e300]], "f32"), [np.float32(0.1), INF])
    same(evaluate("cvt.f64.f32 %y, %x0;", "f32", [[0.1]], "f64"), [float(np.float32(0.1))])
    half = evaluate("cvt.rn.f16.f32 %y, %x0;", "f32", [[1.0, 65520.0, 1e-8, 0.1]], "f16")
    same(half, np.array([1.0, INF, 0.0, 0.1], np.float16))
    brain = evaluate("cvt.rn.bf16.f32 %y, %x0;", "f32", [[1.0, 1 + 2**-8, 1 + 3 * 2**-8]], "bf16")
    np.testing.assert_array_equal(brain.astype(np.float32), [1.0, 1.0, 1.015625])
    packed = evaluate("cvt.rn.bf16x2.f32 %y, %x0, %x1;", "f32", [[1.0], [2.0]], "b32")
    same(packed, [0x3F804000])


def test_half_arithmetic(evaluate):
    x, y = np.array([1.0, 60000.0], np.float16), np.array([2**-11, 60000.0], np.float16)
    same(evaluate("add.rn.f16 %y, %x0, %x1;", "f16", [x, y], "f16"), [1.0, INF])
    same(evaluate("fma.rn.f16 %y, %x0, %x1, %x1;", "f16", [x[:1], y[:1]], "f16"), [np.float16(2**-10)])
    x = np.array([1.0, 3.0], ml_dtypes.bfloat16)
    got = evaluate("fma.rn.bf16 %y, %x0, %x0, %x0;", "bf16", [x], "bf16")
    np.testing.assert_array_equal(got.astype(np.float32), [2.0, 12.0])


def test_approximations(evaluate):
    x = np.array([0.5, 1.0, 2.0], np.float32)
    for name, function in {
        "ex2.approx.f32": np.exp2, "lg2.approx.f32": np.log2, "rsqrt.approx.f32": lambda v: 1 / np.sqrt(v),
        "rcp.rn.f32": lambda v: 1 / v, "sin.approx.f32": np.sin, "cos.approx.f32": np.cos, "tanh.approx.f32": np.tanh,
    }.items():  # fmt: skip
        np.testing.assert_allclose(evaluate(f"{name} %y, %x0;", "f32", [x], "f32"), function(x), rtol=1e-6)


def test_moves_pack_and_unpack(evaluate):
    body = "mov.b64 {%t1, %t2}, %x0; mov.b64 %y, {%t2, %t1};"
    same(evaluate(body, "b64", [[0x0123456789ABCDEF]], "b64"), [0x89ABCDEF01234567])
    body = "{ .reg .b16 %h<3>; mov.b32 {_, %h1}, %x0; mov.b32 %y, {%h1, %h1}; }"
    same(evaluate(body, "b32", [[0x12345678]], "b32"), [0x12341234])
    same(evaluate("mov.f32 %y, 0f3FC00000;", "f32", [[0.0]], "f32"), [1.5])
    same(evaluate("mov.f64 %y, 0d3FF8000000000000;", "f64", [[0.0]], "f64"), [1.5])
    same(evaluate("mov.u32 %y, 0xFFFFFFFFU;", "u32", [[0]], "u32"), [2**32 - 1])


def test_unknown_code_is_a_fault(evaluate):
    with pytest.raises(PtxFault, match=r"line \d+ \(dp4a.*not modelled"):
        evaluate("dp4a.s32.s32 %y, %x0, %x0, %x0;", "b32", [[1]], "b32")
    with pytest.raises(PtxFault, match="f16x2 is not modelled"):
        evaluate("add.f16x2 %y, %x0, %x0;", "b32", [[1]], "b32")
