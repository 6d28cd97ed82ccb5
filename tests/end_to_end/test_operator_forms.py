"""`out=`, in-place changes of shape, `torch.ops.aten` and operators few programs use, against TorchScript in PyTorch."""

from __future__ import annotations

import io
from typing import Any

import pytest

import torchcc
from torchcc import operator_table
from torchcc.api import compile_source
from torchcc.catalogue import status
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.operators import functional_form
from torchcc.ir.signature import TensorSpec
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="says what is right")

HEAD = "import torch\nfrom torch import Tensor\nfrom typing import List, Tuple\n"
RESIZED = """
def grown(x: Tensor):
    o = torch.empty(0)
    torch.add(x, x, out=o)
    return o * 2, o

def two(x: Tensor):
    v = torch.empty(0)
    i = torch.empty(0, dtype=torch.long)
    torch.max(x, 1, max=v, max_values=i)
    return v, i

def shrunk(x: Tensor):
    y = x.clone()
    y.resize_(2, 3)
    y += 1
    y.resize_(4)
    return y

def shared(x: Tensor):
    y = x.clone()
    z = y.view(-1)
    y.resize_(2, 2)
    y.add_(10)
    return y, z

def back(x: Tensor):
    y = x.clone()
    y.resize_(2)
    y.resize_(3, 4)
    return y

def like(x: Tensor):
    y = x.clone()
    y.resize_as_(torch.zeros(4, 4))
    y.resize_(12)
    return y

def argument(x: Tensor):
    x.resize_(2)
    x.add_(1)
    return x

def strided(x: Tensor):
    y = x.clone()
    y.as_strided_([2, 2], [1, 2], 1)
    y.mul_(2)
    return y

def other_shape(x: Tensor):
    o = torch.ones(3)
    torch.sum(x, out=o)
    return o

def factories(x: Tensor):
    return (torch.arange(4, out=torch.empty(0)), torch.zeros([2, 2], out=torch.empty(0)), torch.eye(2, out=torch.empty(0)),
            torch.full([2], 3.0, out=torch.empty(0)), torch.linspace(0, 1, 3, out=torch.empty(0)))
"""
EXPRESSIONS = [
    "torch.ops.aten.add.Tensor(x, x), torch.ops.aten.add(x, 1), torch.ops.aten.add_.Tensor(x.clone(), x)",
    "torch.ops.aten.mul.out(x, x, out=torch.empty(0)), torch.arccos(x / 20, out=torch.empty(0)), torch.subtract(x, x)",
    "torch.matmul(x, x.t(), out=torch.empty(0)), torch.stack([x, x], out=torch.empty(0)), torch.tril(x, out=torch.empty(0))",
    "x.clone().copy_(2.5), x.clone().copy_(3), torch.zero_(x.clone())",
    "torch._shape_as_tensor(x), torch._reshape_from_tensor(x, torch.tensor([4, 3]))",
    "torch.as_strided_scatter(x, torch.ones(2, 2), [2, 2], [1, 2], 1), x.new_empty_strided([2, 3], [3, 1]).shape",
    "torch.kaiser_window(5), torch.kaiser_window(6, False), torch.kaiser_window(5, True, 10.0)",
    "torch.norm_except_dim(x, 2, 0), torch.norm_except_dim(x, 2, 1), torch.norm_except_dim(x, 2, -1)",
    "torch.special.softmax(x, 1), torch.special.log_softmax(x, 1), torch.special.round(x, decimals=2)",
    "torch.isin(1, x), torch.isin(3.0, x), x.get_device(), x.is_pinned(), x.to_dense()",
    "torch.segment_reduce(x, 'sum', lengths=torch.tensor([1, 2])), torch.segment_reduce(x, 'prod', offsets=torch.tensor([0, 1, 3]))",
    "torch.segment_reduce(x, 'mean', lengths=torch.tensor([1, 0, 2])), torch.segment_reduce(x, 'max', lengths=torch.tensor([1, 0, 2]))",
    "torch.segment_reduce(x, 'mean', lengths=torch.tensor([[1, 3], [2, 2], [0, 4]]), axis=1)",
    "torch.conv_tbc(torch.ones(5, 2, 3), torch.ones(3, 3, 4), torch.zeros(4), 1)",
    "torch._C._nn.thnn_conv2d(x.view(1, 1, 3, 4), torch.ones(1, 1, 2, 2), [2, 2])",
    "torch._C._nn.slow_conv_transpose2d(x.view(1, 1, 3, 4), torch.ones(1, 1, 2, 2), [2, 2])",
    "torch._C._nn.slow_conv_dilated2d(x.view(1, 1, 3, 4), torch.ones(1, 1, 2, 2), [2, 2], dilation=[2, 2])",
    "torch._C._nn.slow_conv3d(x.view(1, 1, 1, 3, 4), torch.ones(1, 1, 1, 2, 2), [1, 2, 2])",
    "torch.view_as_complex_copy(x.view(3, 2, 2)), torch.tensor_split(x, torch.tensor([1, 2]))[1]",
    "torch.tensordot(x, x, dims=2, out=torch.empty(0)), torch.tensordot(x, x, dims=([0], [0]), out=torch.empty(0)), (x + 1).polygamma_(2)",
    "torch.norm(x, p=1.5, dim=1, out=torch.empty(0)), torch.norm(x, 'fro', None, True, torch.empty(0)), torch.norm(x, dim=0, out=torch.empty(0))",
    "torch.ops.aten._conj(torch.complex(x, x + 1)).resolve_conj(), torch.ops.aten._conj_physical(torch.complex(x, x + 1))",
    "torch.nn.functional.logsigmoid(x, out=torch.empty(0)), torch.nn.functional.normalize(x, out=torch.empty(0))",
]


def _same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _same(a, b)
    elif isinstance(theirs, torch.Tensor):
        torch.testing.assert_close(torch.as_tensor(ours), theirs, equal_nan=True)
    else:
        assert ours == theirs


def _x() -> Any:
    return torch.arange(12.0).reshape(3, 4)


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
@pytest.mark.parametrize("name", [line[4:].partition("(")[0] for line in RESIZED.splitlines() if line.startswith("def ")])
def test_tensors_that_get_another_shape(name: str) -> None:
    given, theirs = _x(), _x()
    expected = getattr(torch.jit.CompilationUnit(RESIZED), name)(theirs)
    _same(getattr(compile_source(HEAD + RESIZED), name)(given), expected)
    _same(given, theirs)


@pytest.mark.parametrize("name", ["grown", "two", "shrunk", "back"])
def test_every_stage_agrees_about_shapes(name: str) -> None:
    program = compile_text(HEAD + RESIZED, "<test>", name)
    results = verify_stages(program, [TensorSpec(DType.float32, (3, 4))], [_x().numpy()])
    assert all(r.agrees for r in results), results


def test_operators_few_programs_use() -> None:
    functions = "".join(f"def f{i}(x: Tensor):\n    return {e}\n" for i, e in enumerate(EXPRESSIONS))
    results = ", ".join(f"f{i}(x)" for i in range(len(EXPRESSIONS)))
    found = compile_source(f"{HEAD}{functions}def main(x: Tensor):\n    return {results}\n").main(_x())
    for expression, result in zip(EXPRESSIONS, found, strict=True):
        _same(result, eval(expression, {"torch": torch, "x": _x()}))


def test_initialisation_in_compiled_code() -> None:
    calls = ["uniform_(x, -1.0, 2.0)", "normal_(x, 1.0, 0.5)", "xavier_uniform_(x)", "xavier_normal_(x, gain=2.0)", "constant_(x, 3.0)", "ones_(x)"]
    functions = "".join(f"def f{i}(x: Tensor):\n    return torch.nn.init.{c}\n" for i, c in enumerate(calls))
    compiled = compile_source(HEAD + functions)
    for i, call in enumerate(calls):
        torchcc.manual_seed(5)
        torch.manual_seed(5)
        _same(getattr(compiled, f"f{i}")(torch.zeros(3, 4)), eval(f"torch.nn.init.{call}", {"torch": torch, "x": torch.zeros(3, 4)}))


def test_writes_into_repeated_elements_are_refused() -> None:
    function = compile_source(f"{HEAD}def f(x: Tensor):\n    return x.add_(1)\n").f
    with pytest.raises(ExecutionError, match="refers to a single memory location"):
        function(torch.zeros(1).expand(3))


def test_binomial_is_pytorchs() -> None:
    text = "def f(n: Tensor, p: Tensor):\n    return torch.binomial(n, p)\n"
    n, p = torch.tensor([10.0, 100.0, 100.0, 0.0, 5.0]).repeat(20), torch.tensor([0.5, 0.7, 0.2, 0.3, 1.0]).repeat(20)
    torch.manual_seed(5)
    expected = torch.binomial(n, p)
    torchcc.manual_seed(5)
    _same(compile_source(HEAD + text).f(n, p), expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y = x.clone()\n    z = y[0]\n    y.resize_(30)\n    return z", "shares its memory with another one"),
        ("x.resize_(30)\n    return x", "cannot become larger than its memory"),
        ("return x.resize_(-1)", "negative dimension"),
        ("return torch.add(x, 1.5, out=torch.empty(0, dtype=torch.long))", "can't be cast to the desired output type Long"),
        ("return torch.sort(x, values=torch.empty(0).double(), indices=torch.empty(0).long())", "Expected out tensor to have dtype Float"),
        ("return torch.cumsum(x, 0, dtype=torch.float32, out=torch.empty(0).double())", "Expected out tensor to have dtype Float"),
        ("return torch.any(x, out=torch.empty(0).long())", "Expected out tensor to have dtype Bool"),
        ("return torch.bernoulli(x.abs(), out=torch.empty(0).double())", "would draw in that dtype"),
        ("return torch.segment_reduce(x, 'sum', lengths=torch.tensor([1, 1]))", "to sum to data.size"),
    ],
)
def test_what_is_refused(body: str, message: str) -> None:
    with pytest.raises((CompileError, ExecutionError), match=message):
        compile_source(f"{HEAD}def f(x: Tensor):\n    {body}\n").f(_x())


def test_out_of_run_time_shape_has_to_fit() -> None:
    function = compile_source(f"{HEAD}def f(x: Tensor, o: Tensor):\n    torch.nonzero(x, out=o)\n    return o\n").f
    assert function(_x(), torch.zeros(11, 2, dtype=torch.long)).shape == (11, 2)
    with pytest.raises((CompileError, ExecutionError), match="out= tensor of another shape"):
        function(_x(), torch.zeros(5, 2, dtype=torch.long))


def _out_forms(x: torch.Tensor) -> list[torch.Tensor]:
    wide, whole, byte = (torch.empty(0, dtype=d) for d in (torch.float64, torch.int64, torch.uint8))
    shifted = torch.cos(x, out=torch.empty(0, dtype=torch.float64)).float()
    return [torch.cumsum(x, 0, out=whole), torch.sum(x, 0, out=wide), torch.any(x, out=byte), shifted, torch.diff(x, 9, 1), torch.diff(x, 4, 1, x)]


def test_out_of_another_dtype() -> None:
    text = (
        "def f(x: Tensor):\n"
        "    w, i, b = torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.uint8)\n"
        "    c = torch.cos(x, out=torch.empty(0, dtype=torch.float64)).float()\n"
        "    return torch.cumsum(x, 0, out=i), torch.sum(x, 0, out=w), torch.any(x, out=b), c, torch.diff(x, 9, 1), torch.diff(x, 4, 1, x)\n"
    )
    x = torch.linspace(-7.0, 9.3, 12).reshape(3, 4)
    for found, expected in zip(compile_source(HEAD + text).f(x), _out_forms(x), strict=True):
        _same(found, expected)


@pytest.mark.filterwarnings("ignore")
def test_traced_internal_operators() -> None:
    def net(x: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mask = (i < 4) & (i > -5)
        found = torch.ops.aten._unsafe_masked_index(x, mask, [i, i], 3)
        added = torch.ops.aten._unsafe_masked_index_put_accumulate(x, mask, [None, i], x[:, :3])
        mean = torch.zeros(4)
        statistics = [torch.empty(0) for _ in range(3)]
        torch.ops.aten._native_batch_norm_legit.out(
            x, None, None, mean, torch.ones(4), True, 0.5, 0.1, out=statistics[0], save_mean=statistics[1], save_invstd=statistics[2]
        )
        info = torch._lu_with_info(torch.zeros_like(i).unsqueeze(0).float())[2]
        return (found, added, mean, *statistics, *torch._lu_with_info(x * x), info)

    x, i = _x(), torch.tensor([0, 7, -2])
    expected = net(x, i)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(net, (x, i), check_trace=False), buffer)
    buffer.seek(0)
    for one, other in zip(torchcc.load(buffer)(x, i), expected, strict=True):
        _same(one, other)


def test_forms_follow_from_the_schemas() -> None:
    assert functional_form("aten::max.dim_max") == ("aten::max.dim", ("max", "max_values"))
    assert functional_form("aten::zeros.out") == ("aten::zeros", ("out",))
    assert status("aten::arccos_") == status("aten::arccos.out") == "derived"
    rows = {row.operator.name: row for row in operator_table.rows("arccos")}
    assert rows["aten::arccos"].definition == "as `aten::acos`"
    assert all(row.operator.supported for row in operator_table.rows(core_only=True))
