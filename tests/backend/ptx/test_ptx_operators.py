"""Operators of every kind as PTX, run by the interpreter, against the meaning of the source; `ptxas` reads every kernel."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from torchcc import api, driver, verify
from torchcc.backend.ptx.simulate import simulate
from torchcc.cli.inputs import by_name, parse_input
from torchcc.ir.interpreters import torch as torch_interpreter
from torchcc.ir.signature import rebuild

GENERATOR = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> Any:
    return GENERATOR.standard_normal(shape).astype(dtype)


X, Y, M, N = normal(3, 5), normal(3, 5), normal(6, 7), normal(7, 4)
V = normal(5)
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 30.0, -30.0, 1e-6, 80.0, np.inf, -np.inf, np.nan], np.float32)
IMAGE, SIGNAL = normal(2, 4, 6, 5), normal(2, 4, 9)
INTS, LABELS = np.array([[3, -7, 0], [12, 5, -1]]), np.array([2, 0, 1])
BYTES, BOOLS = np.array([0, 1, 200, 255], np.uint8), np.array([True, False, True])
HALF, BRAIN, DOUBLE = (
    normal(3, 5, dtype=np.float16),
    normal(3, 5, dtype=ml_dtypes.bfloat16),
    normal(3, 5, dtype=np.float64),
)

UNARY = "exp exp2 expm1 log log2 log1p sin cos tan tanh sinh cosh asin acos atan erf erfc sqrt rsqrt sigmoid floor ceil round trunc abs sign"

CALLS: list[tuple[str, tuple[Any, ...]]] = [
    *((f"torch.{name}(x)", (SPECIAL,)) for name in UNARY.split()),
    *((f"torch.{name}(x)", (DOUBLE,)) for name in ["exp", "log1p", "sin", "tanh", "erf"]),
    *((f"torch.{name}(x)", (HALF,)) for name in ["exp", "sigmoid"]),
    *((f"torch.{name}(x)", (BRAIN,)) for name in ["exp", "tanh"]),
    ("torch.pow(x.abs(), y)", (X, Y)),
    ("x ** 3 + 2.0 ** x", (X,)),
    ("torch.atan2(x, y)", (X, Y)),
    ("torch.fmod(x, y) + torch.remainder(x, y)", (X, Y)),
    ("torch.maximum(x, x.flip(0)) - torch.minimum(x, x.flip(0))", (SPECIAL,)),
    ("torch.clamp(x, -0.5, 1.0)", (SPECIAL,)),
    ("F.gelu(x) + F.gelu(x, approximate='tanh')", (X,)),
    ("F.silu(x) * F.softplus(x) + F.elu(x)", (X,)),
    ("F.leaky_relu(x, 0.1) + F.hardswish(x)", (X,)),
    # integers
    ("x // 3 + x % 4", (INTS,)),
    ("(x << 2) ^ (x >> 1) | 5", (INTS,)),
    ("x * 3 + 100", (BYTES,)),
    ("~x & (x | ~x)", (BOOLS,)),
    ("x / 4", (INTS,)),
    # comparisons, selection
    ("torch.where(x > y, x, y * 2)", (X, Y)),
    ("x.masked_fill(x > 0, -1.0)", (X,)),
    ("(x == y) | torch.isnan(x) | (x != x)", (X, Y)),
    # broadcasting
    ("x + y[:, :1] * 2", (X, Y)),
    ("x * y - 1", (X, V)),
    # casts
    ("x.to(torch.int64)", (np.array([1.5, -2.7, 100.0], np.float32),)),
    ("x.to(torch.uint8)", (np.array([1.5, 2.7, 100.0], np.float32),)),
    ("x.to(torch.float16)", (X * 1000,)),
    ("x.to(torch.bfloat16).to(torch.float64)", (X,)),
    ("x.to(torch.bool)", (SPECIAL,)),
    ("x.float() + y", (BYTES, np.ones(4, np.float32))),
    ("x.double() * y.long()", (HALF, BRAIN)),
    # reductions
    ("x.sum()", (X,)),
    ("x.sum(0), x.sum(1), x.sum(1, keepdim=True)", (X,)),
    ("x.mean(-1), x.prod(0)", (X,)),
    ("x.var(1), x.std()", (X,)),
    ("x.amax(0), x.amin((0, 1))", (X,)),
    ("x.max(1)", (X,)),
    ("x.argmax(), x.argmin(1)", (X,)),
    ("x.any(), (x > -9).all(0)", (X,)),
    ("torch.logsumexp(x, 1)", (X,)),
    ("torch.norm(x), x.norm(1.0, 1)", (X,)),
    ("x.sum(), x.sum(1)", (HALF,)),
    ("x.sum(1)", (BRAIN,)),
    ("x.sum(), x.max()", (INTS,)),
    ("x.cumsum(1), x.cumprod(0)", (X,)),
    ("x.cumsum(0)", (INTS,)),
    ("x.cummax(1)", (X,)),
    # contractions
    ("x @ y", (M, N)),
    ("x @ y.t()", (M, normal(3, 7))),
    ("torch.mv(x, y), torch.dot(y, y)", (M, normal(7))),
    ("torch.bmm(x, y)", (normal(3, 4, 5), normal(3, 5, 2))),
    ("torch.matmul(x, y)", (normal(2, 1, 4, 5), normal(3, 5, 2))),
    ("torch.addmm(x, y, z, beta=0.5, alpha=2.0)", (normal(4), M, N)),
    ("torch.einsum('bij,bkj->bik', x, y)", (normal(2, 3, 4), normal(2, 5, 4))),
    ("F.relu(F.linear(x, y, z))", (M, normal(9, 7), normal(9))),
    ("x @ y", (normal(4, 8, dtype=np.float16), normal(8, 3, dtype=np.float16))),
    ("x @ y", (normal(4, 8, dtype=ml_dtypes.bfloat16), normal(8, 3, dtype=ml_dtypes.bfloat16))),
    ("x @ y", (DOUBLE, DOUBLE.T.copy())),
    ("x @ y", (INTS, INTS.T.copy())),
    # convolutions, pooling
    ("F.conv1d(x, y, z, padding=1)", (SIGNAL, normal(3, 4, 3), normal(3))),
    ("F.conv1d(x, y, stride=2, dilation=2, groups=2)", (SIGNAL, normal(6, 2, 3))),
    ("F.conv2d(x, y, z, stride=2, padding=1)", (IMAGE, normal(3, 4, 3, 3), normal(3))),
    ("F.conv2d(x, y, groups=4, padding=(1, 0))", (IMAGE, normal(4, 1, 3, 2))),
    ("F.conv2d(x, y)", (IMAGE, normal(5, 4, 1, 1))),
    ("F.conv_transpose2d(x, y, stride=2)", (IMAGE, normal(4, 2, 2, 2))),
    ("F.max_pool2d(x, 3, 2, 1)", (IMAGE,)),
    ("F.avg_pool2d(x, 2), F.avg_pool1d(y, 3, 1)", (IMAGE, SIGNAL)),
    ("F.adaptive_avg_pool2d(x, (2, 3))", (IMAGE,)),
    ("F.interpolate(x, scale_factor=2.0)", (IMAGE,)),
    # normalisation
    ("torch.softmax(x, -1), torch.log_softmax(x, 0)", (X * 20,)),
    ("F.layer_norm(x, [5], y, y)", (X, V)),
    ("F.batch_norm(x, y, y * y, y, y)", (IMAGE, normal(4))),
    ("F.group_norm(x, 2)", (IMAGE,)),
    # indexing
    ("F.embedding(x, y)", (LABELS, normal(3, 4))),
    ("torch.gather(x, 1, y)", (X, np.array([[0, 4], [1, 1], [3, 2]]))),
    ("x[y], x[:, y]", (normal(3, 3), LABELS)),
    ("torch.index_select(x, 0, y)", (X, LABELS)),
    ("x[1:, ::2], x[-1], x[..., None]", (X,)),
    ("torch.zeros(3, 5).scatter(1, x, 1.0)", (np.array([[0], [3], [2]]),)),
    ("torch.zeros(4).index_add(0, x, y)", (LABELS, normal(3))),
    ("torch.topk(x, 2, 1)", (X,)),
    ("torch.sort(x, 0, descending=True)", (X,)),
    # joining, shapes, factories
    ("torch.cat([x, y], 1), torch.stack([x, y], 1)", (X, Y)),
    ("torch.split(x, 2, 1), torch.chunk(x, 2)", (X,)),
    ("x.permute(2, 0, 1).reshape(5, -1)", (normal(2, 3, 5),)),
    ("x.t().contiguous().view(-1), x.repeat(2, 2)", (X,)),
    ("F.pad(x, (1, 2, 0, 1), 'constant', 1.5)", (X,)),
    ("x.roll(2, 1), x.flip(0), x.tril()", (X,)),
    ("torch.arange(7) * 2, torch.arange(0.0, 1.0, 0.25), torch.linspace(0.0, 1.0, 5)", ()),
    ("torch.full((2, 3), 1.5), torch.eye(3), torch.ones_like(x)", (X,)),
    # nothing to do
    ("x + 1, x.sum(1), x @ y", (normal(0, 3), normal(3, 2))),
]  # fmt: skip


def function_of(expression: str, count: int) -> Any:
    parameters = ", ".join(f"{name}: Tensor" for name in "xyz"[:count])
    head = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n"
    return api.compile_source(f"{head}def f({parameters}):\n    return {expression}\n").f


def check(program: Any, specs: list[Any], values: list[Any], assemble: Any, chip: str = "sm_90") -> None:
    lowered, ptx = driver.gpu_module(program, specs, chip)
    assemble(ptx.text, chip)
    names = {op.name for op in lowered.modules["loops"].walk()}
    assert not any(n.startswith("vector.") for n in names)
    tree = lowered.signature.tree
    source = torch_interpreter.Interpreter(driver.composite).run_program(program, [v.copy() for v in values])
    results = simulate(lowered.modules["loops"], ptx, lowered.signature.name, [v.copy() for v in values])
    kept = [results[i] for i in lowered.signature.outputs]
    wrong = verify.structured_difference(source, rebuild(tree, kept))
    assert wrong is None, wrong


@pytest.mark.parametrize(("expression", "values"), CALLS, ids=[f"{i}-{e}" for i, (e, _) in enumerate(CALLS)])
def test_agrees_with_the_source(assemble: Any, expression: str, values: tuple[Any, ...]) -> None:
    check(function_of(expression, len(values)).program, [api.spec_of(v) for v in values], list(values), assemble)


DYNAMIC: list[tuple[str, tuple[str, ...], tuple[Any, ...]]] = [
    ("torch.softmax(x @ y, -1).sum(0)", ("f32[m,k]", "f32[k,4]"), (M, N)),
    ("F.relu(x + y).mean(1)", ("f32[m,n]", "f32[n]"), (X, V)),
    ("torch.cat([x, y], 0).cumsum(1)", ("f32[m,n]", "f32[k,n]"), (X, Y)),
    ("F.conv1d(x, y, padding=1)", ("f32[b,4,n]", "f32[3,4,3]"), (SIGNAL, normal(3, 4, 3))),
    ("F.embedding(x, y).sum()", ("i64[n]", "f32[k,4]"), (LABELS, normal(3, 4))),
]


@pytest.mark.parametrize(("expression", "shapes", "values"), DYNAMIC, ids=[e for e, _, _ in DYNAMIC])
def test_dynamic_sizes(assemble: Any, expression: str, shapes: tuple[str, ...], values: tuple[Any, ...]) -> None:
    specs = [by_name([parse_input(f"{n}={s}")])[n].spec() for n, s in zip("xyz", shapes)]
    check(function_of(expression, len(values)).program, specs, list(values), assemble)


CONTROL = """
import torch
from torch import Tensor

def halve(x: Tensor):
    steps = 0
    while float(x.abs().sum()) > 1.0:
        x = x / 2
        steps += 1
    return x, steps

def loops(x: Tensor):
    total = torch.zeros_like(x[0])
    for i in range(x.size(0)):
        if i % 2 == 0:
            total = total + x[i] * i
        else:
            total[i] = 7.0
    return total

def branch(x: Tensor):
    if bool((x > 100).any()):
        return x.sum(0)
    return x.amax(0)
"""


@pytest.mark.parametrize("name", ["halve", "loops", "branch"])
def test_control_flow_stays_on_the_host(assemble: Any, name: str) -> None:
    program = getattr(api.compile_source(CONTROL), name).program
    check(program, [api.spec_of(X)], [X], assemble)
