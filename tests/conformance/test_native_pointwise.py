"""Elementwise operators as machine code against PyTorch: every dtype, type promotion, broadcasting, strides."""

import itertools

import pytest

torch = pytest.importorskip("torch", reason="compares with PyTorch")

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
FLOATS = DTYPES[:4]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 2.0, 3.7, -2.5, 7.5, float("inf"), float("-inf"), float("nan"), 0.1, 20.0, -30.0, 1.5, 2.5]
COUNTS = [0, 1, 2, 3, 5, -1, -2, -7, 100, 127, -128, 4, 9, 12, 17, 6, -5, 8]

UNARY = ["sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "rsqrt", "reciprocal", "sigmoid", "deg2rad", "rad2deg", "sinc", "floor", "ceil", "round", "trunc", "frac", "abs", "neg", "sign", "sgn", "square", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "logical_not", "bitwise_not", "relu", "nan_to_num", "positive", "digamma_"][:-1]
ACTIVATIONS = ["relu", "relu6", "silu", "mish", "gelu", "hardsigmoid", "hardswish", "leaky_relu", "elu", "selu", "celu", "softplus", "hardtanh", "softsign", "tanhshrink", "logsigmoid", "hardshrink", "softshrink", "tanh", "sigmoid"]
BINARY = ["add", "sub", "mul", "div", "true_divide", "floor_divide", "remainder", "fmod", "pow", "atan2", "hypot", "copysign", "maximum", "minimum", "fmax", "fmin", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "xlogy", "logaddexp", "logaddexp2", "float_power"]
PROMOTED = ["add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "maximum", "eq", "lt", "logical_and", "bitwise_and", "atan2", "copysign"]


def values(dtype, count=18):
    kind = getattr(torch, dtype)
    if kind.is_floating_point:
        return torch.tensor(SPECIAL[:count], dtype=torch.float64).to(kind)
    if dtype == "bool":
        return torch.tensor([v > 1 for v in COUNTS[:count]])
    return torch.tensor(COUNTS[:count]).abs().clamp(0, 127).to(kind) if dtype == "uint8" else torch.tensor(COUNTS[:count]).to(kind)


def others(dtype, shape):
    """Second operands: no zeros, small, negative ones too."""
    kind = getattr(torch, dtype)
    count = 1
    for extent in shape:
        count *= extent
    if dtype == "bool":
        return torch.ones(shape, dtype=torch.bool)
    pattern = [1, 2, 3, 1, 4] if dtype == "uint8" else [1, -2, 3, -1, 2.5] if kind.is_floating_point else [1, -2, 3, -1, 2]
    return torch.tensor(list(itertools.islice(itertools.cycle(pattern), count))).reshape(shape).to(kind)


def small(dtype, shape):
    found = others(dtype, shape)
    return found if dtype == "bool" else found.abs()


def pair(dtype):
    """A transposed view, a row to broadcast, a 0-dim tensor, an empty one."""
    return {
        "x": values(dtype).reshape(3, 6).t(),
        "y": others(dtype, (6, 1)),
        "z": others(dtype, ()),
        "e": others(dtype, (0, 3)),
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_unary(check, dtype):
    names = [n for n in UNARY if not (n == "round" and dtype == "int8")]
    check(pair(dtype), [f"torch.{n}(x)" for n in names] + [f"torch.{n}(e)" for n in names[::6]] + [f"torch.{n}(z)" for n in names[::5]])


@pytest.mark.parametrize("dtype", FLOATS)
def test_activations(check, dtype):
    check(pair(dtype), [f"F.{n}(x)" for n in ACTIVATIONS])


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary(check, dtype):
    cases = [f"torch.{n}(x, y)" for n in BINARY]
    cases += [f"torch.{n}(z, y)" for n in BINARY[::3]] + [f"torch.{n}(e, z)" for n in BINARY[1::4]]
    if dtype == "uint8" or dtype == "bool":
        cases = [c for c in cases if "shift" not in c or dtype == "bool"]
    elif not getattr(torch, dtype).is_floating_point:
        cases = [c.replace("y)", "y.abs())") if "shift" in c or "pow" in c else c for c in cases]
    check(pair(dtype), cases)


@pytest.mark.parametrize("dtype", DTYPES)
def test_promotion_of_tensors(check, dtype, long):
    inputs = {"x": values(dtype)[:6]}
    inputs |= {f"y{i}": small(d, (6,)) for i, d in enumerate(DTYPES)}
    inputs |= {f"z{i}": small(d, ()) for i, d in enumerate(DTYPES)}
    start = DTYPES.index(dtype)
    every = [f"torch.{n}(x, {k}{i})" for n in PROMOTED for k in "yz" for i in range(len(DTYPES))]
    check(inputs, every if long else every[start % 3 :: 3])


NUMBERS = ["2", "2.5", "True", "-3", "n", "s"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_promotion_with_numbers(check, dtype):
    inputs = {"x": values(dtype)[:12].reshape(2, 6), "z": values(dtype)[3], "n": 3, "s": 1.5}
    names = ["add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "eq", "lt", "ge"]
    cases = [f"torch.{n}(x, {v})" for n in names for v in NUMBERS]
    cases += [f"{v} {o} x" for v in ("2", "2.5", "n", "s") for o in ("-", "*", "/", "<", "==")]
    cases += [f"{v} - z" for v in NUMBERS] + [f"z * {v}" for v in NUMBERS] + [f"x ** {v}" for v in ("2", "0.5", "n", "3")]
    cases += ["torch.where(x > 0, x, 2)", "torch.where(x > 0, 1.5, x)", "torch.where(x > 0, 1, 2)", "torch.where(x > 0, 1., 2.)"]
    cases += ["x.clamp(0, 2)", "x.clamp(min=1)", "x.clamp(max=1.5)", "x.clamp_min(n)", "torch.add(x, x, alpha=2)", "torch.sub(x, n, alpha=3)"]
    cases += ["x.masked_fill(x > 0, 3)", "x.masked_fill(x > 0, s)", "torch.rsub(x, 3)", "x & 6", "x | 1", "x ^ 3", "x << 1", "x >> 1"]
    check(inputs, cases)


IN_PLACE = ["add_(y)", "sub_(y)", "mul_(y)", "div_(y)", "pow_(2)", "fill_(2)", "fill_(1.5)", "zero_()", "clamp_(0,1)", "relu_()", "neg_()", "abs_()", "exp_()", "sqrt_()", "copy_(y)", "remainder_(y)", "floor_divide_(y)", "eq_(y)", "lt_(y)", "logical_and_(y)", "masked_fill_(x>0,2)", "add_(1.5)", "mul_(2)", "sigmoid_()", "tanh_()", "floor_()", "round_()", "clamp_min_(1)", "bitwise_and_(y)", "lerp_(y,0.5)", "addcmul_(y,y)", "addcdiv_(y,y)", "erf_()", "reciprocal_()", "sign_()"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_in_place(check, dtype):
    inputs = pair(dtype)
    cases = [f"r = x.clone(); r.{c}; r" for c in IN_PLACE]
    cases += [f"r = x.clone(); r[1:3].{c.replace('y', 'y[1:3]').replace('cop' + 'y[1:3]', 'copy').replace('x>', 'x[1:3]>')}; r" for c in IN_PLACE[::4]]
    cases += ["r = x.clone(); r += y; r", "r = x.clone(); r *= 2; r", "r = x.clone(); r[2] = 1; r", "r = x.clone(); r[:, 1] = y[:, 0]; r"]
    cases += ["r = x.clone(); r[x > 1] = 0; r", "r = x.clone(); r.t()[1] += 1; r", "r = x.clone(); r[0, 1] = z; r", "r = x.clone(); r[::2, 1:] = y[::2]; r"]
    check(inputs, cases)


@pytest.mark.parametrize("source", DTYPES)
def test_casts(check, source):
    numbers = values(source)
    if numbers.dtype.is_floating_point:
        numbers = numbers[torch.isfinite(numbers) & (numbers >= 0)]  # others are undefined
    check({"x": numbers}, [f"x.to(torch.{d})" for d in DTYPES] + ["x.bool()", "x.float()", "x.long()", "x.half()", "x.type_as(x > 0)"])


SHAPES = [(), (1,), (0,), (3,), (2, 1), (1, 3), (2, 3), (0, 3), (4, 1, 3), (4, 2, 1), (1, 1, 1, 3)]


@pytest.mark.parametrize("dynamic", [(), (2, 3, 4)], ids=["static", "dynamic"])
def test_broadcasting(check, dynamic):
    inputs = {f"a{i}": others("float32", shape) for i, shape in enumerate(SHAPES)}
    pairs = list(itertools.product(range(len(SHAPES)), repeat=2))
    check(inputs, [f"a{i} * a{j} - a{j}" for i, j in pairs if compatible(SHAPES[i], SHAPES[j])] + ["torch.where(a7 > 0, a1, a5)", "torch.lerp(a3, a8, a6)"], dynamic)


def compatible(x, y):
    return all(a == b or 1 in (a, b) for a, b in zip(reversed(x), reversed(y)))


@pytest.mark.parametrize("dynamic", [(), (2, 3, 4)], ids=["static", "dynamic"])
def test_shapes_that_do_not_fit(check, dynamic):
    check({"x": torch.ones(2, 3), "y": torch.ones(4), "z": torch.ones(3, 2)}, ["x + y", "x * z", "torch.where(x > 0, y, x)", "r = x.clone(); r.add_(y)"], dynamic)


def test_strides(check):
    base = torch.arange(48, dtype=torch.float32).reshape(4, 12)
    inputs = {
        "x": base.as_strided((3, 4), (2, 12)), "y": base[:, ::3], "z": base[0, 1:2].expand(3, 4), "w": base.t()[::5, :4],
    }
    cases = ["x + y.t()[:3]", "z * x", "w.sum(0) + x", "x.t() @ w", "y.reshape(-1)", "x.flatten()", "(x * 2).t().contiguous()", "w.view(3, 2, 2)"]
    check(inputs, [*cases, "x.t().softmax(0)", "z.cumsum(1)", "y.max(1)", "torch.cat([x, w, z])", "w.argsort(1, descending=True)"])
