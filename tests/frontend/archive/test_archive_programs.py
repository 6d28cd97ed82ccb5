"""Archives that PyTorch saves, scripted and traced, run at the torch stage and natively, against PyTorch."""

import io
from typing import Dict, Final, List, NamedTuple, Optional, Tuple, Union

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import ScriptFunction, bind
from torchcc.frontend.archive import load
from torchcc.ir.interpreters.torch import Interpreter

torch = pytest.importorskip("torch", reason="PyTorch saves the archives and tells what they compute")
nn = torch.nn
F = torch.nn.functional
Tensor = torch.Tensor


def saved(module):
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return buffer.getvalue()


def as_numpy(value):
    if isinstance(value, list | tuple):
        return type(value)(as_numpy(v) for v in value)
    if isinstance(value, dict):
        return {k: as_numpy(v) for k, v in value.items()}
    return value.clone().numpy() if isinstance(value, torch.Tensor) else value


def compare(got, expected):
    if isinstance(expected, list | tuple):
        assert len(got) == len(expected)
        for g, e in zip(got, expected):
            compare(g, e)
    elif isinstance(expected, torch.Tensor):
        got, expected = np.asarray(got), expected.detach().numpy()
        assert got.dtype == expected.dtype and got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
    else:
        assert got == expected


def agrees(module, *args, method="forward", native=True):
    """Saves, loads, and compares both ways of running with PyTorch's own copy."""
    data = saved(module)
    with torch.no_grad():
        expected = getattr(torch.jit.load(io.BytesIO(data)), method)(*args)
    program = load(data, method)
    compare(interpreted(program, *args), expected)
    if native:
        compare(ScriptFunction(program)(*[as_numpy(a) for a in args]), expected)
    return program


def interpreted(program, *args):
    values = bind(program, [as_numpy(a) for a in args], {})
    return Interpreter(driver.composite).run_program(program, values)


def x(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


# scripted


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.bn(self.conv(x))))


class Containers(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 4))
        self.list = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4, bias=False)])
        self.table = nn.ModuleDict({"a": nn.Tanh(), "b-c": nn.LayerNorm(4)})
        self.parameters_ = nn.ParameterList([nn.Parameter(torch.ones(4)), nn.Parameter(torch.full((4,), 2.0))])

    def forward(self, x):
        x = self.body(x)
        for i, m in enumerate(self.list):
            x = m(x) + i
        for m in self.table.values():
            x = m(x)
        for p in self.parameters_:
            x = x * p
        return x


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Tensor, state: Optional[Tuple[Tensor, Tensor]] = None):
        outputs: List[Tensor] = []
        for t in range(x.size(0)):
            state = self.cell(x[t], state)
            outputs.append(state[0])
        return torch.stack(outputs)


class Attention(nn.Module):
    heads: Final[int]

    def __init__(self):
        super().__init__()
        self.heads = 2
        self.embedding = nn.Embedding(10, 8)
        self.qkv = nn.Linear(8, 24)
        self.norm = nn.LayerNorm(8)

    def forward(self, tokens: Tensor, mask: Optional[Tensor] = None):
        x = self.embedding(tokens)
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) / (c // self.heads) ** 0.5
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        y = torch.softmax(scores, dim=-1) @ v
        return x + y.transpose(1, 2).reshape(b, t, c)


class Attributes(nn.Module):
    k: Final[int]
    mode: Optional[int]
    table: Dict[str, int]
    nothing: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.k = 3
        self.mode = 2
        self.table = {"a": 4, "b": 5}
        self.nothing = None
        self.dims, self.ratio, self.name = [1, 2, 3], 0.5, "relu"
        self.pair = (1, "x")
        self.dtype = torch.float64
        base = torch.arange(10.0)
        self.register_buffer("part", base[2:5])
        self.register_buffer("strided", base[::4])
        self.register_buffer("flags", torch.tensor([True, False, True]))
        self.register_buffer("f16", torch.ones(3, dtype=torch.float16))
        self.register_buffer("bf16", torch.ones(3, dtype=torch.bfloat16))
        self.register_buffer("ids", torch.tensor([2, 0, 1]))

    def forward(self, x):
        y = x * self.k + self.part + self.strided
        y = torch.where(self.flags, y, -y)[self.ids]
        mode = self.mode
        if mode is not None:
            y = y + mode
        if self.nothing is None:
            y = y * self.ratio
        for d in self.dims:
            y = y + d
        if self.name == "relu":
            y = F.relu(y)
        y = y + self.table["b"] + self.pair[0] + self.f16 + self.bf16.float()
        return y.to(self.dtype)


def scale(x: Tensor, factor: float = 2.0, dims: Optional[List[int]] = None) -> Tensor:
    if dims is None:
        return x * factor
    return x.sum(dims) * factor


class Point(NamedTuple):
    x: Tensor
    weight: float


def moved(p: Point) -> Point:
    return Point(p.x + 1, p.weight)


class Functions(nn.Module):
    def forward(self, x):
        p = moved(Point(x, 0.5))
        return scale(x), scale(p.x, p.weight, [0]), F.softmax(x, dim=1), F.interpolate(x[None], scale_factor=2.0)


class Flow(nn.Module):
    def forward(self, x, n: int, flag: bool = False):
        total = torch.zeros_like(x)
        i = 0
        while i < n:
            i += 1
            if i == 2:
                continue
            if i > 5:
                break
            total = total + x * i
        for j in range(1, 10, 3):
            total = total - j
        for a, b in zip([1, 2, 3], [4.0, 5.0]):
            total = total + a * b
        for k, v in enumerate([x, x * 2]):
            total = total + v * k
        if flag:
            return total
        if bool(x.sum() > 0):
            total = total * 2
        assert n > 0, f"n is {n}"
        return total[..., 0] if n % 2 == 0 else total


class Lists(nn.Module):
    def forward(self, xs: List[Tensor], d: Dict[str, Tensor]):
        best = xs[0]
        for t in xs[1:]:
            best = torch.maximum(best, t)
        sizes = [t.size(0) for t in xs]
        sizes.append(3)
        sizes[0] = 7
        values, indices = torch.max(best, 0)
        return torch.cat(xs), best, sizes, values, indices, len(sizes), d["a"] + 1


class Contexts(nn.Module):
    def forward(self, x):
        with torch.no_grad():
            y = x * 2
        return y + 1


class State(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        return x + self.count

    @torch.jit.export
    def twice(self, x, k: int = 2):
        return x * k


class Checks(nn.Module):
    def forward(self, x: Union[Tensor, int], y: Optional[int]):
        if isinstance(x, int):
            z = torch.ones(2) * x
        else:
            z = x
        if y is None:
            raise ValueError("y is None")
        return z + y


SCRIPTED = {
    "linear": (nn.Linear(3, 4), x(2, 3)),
    "conv": (Conv(), x(2, 2, 6, 6)),
    "containers": (Containers(), x(3, 4)),
    "lstm_cell": (Recurrent(), x(3, 2, 3)),
    "attention": (Attention(), torch.tensor([[1, 2, 3], [4, 5, 9]])),
    "attention_mask": (Attention(), torch.tensor([[1, 2, 3]]), torch.tril(torch.ones(3, 3))),
    "attributes": (Attributes(), x(3)),
    "functions": (Functions(), x(2, 3)),
    "flow": (Flow(), x(2, 3), 4),
    "flow_break": (Flow(), x(2, 3), 9, True),
    "lists": (Lists(), [x(4), x(4) + 1, -x(4)], {"a": x(1)}),
    "contexts": (Contexts(), x(2)),
    "state": (State(), x(2)),
    "checks": (Checks(), x(2), 3),
}


@pytest.mark.parametrize("name", SCRIPTED)
def test_scripted(name):
    module, *args = SCRIPTED[name]
    torch.manual_seed(0)
    # dicts are no arguments of native code, and it keeps no state between calls
    agrees(torch.jit.script(module).eval(), *args, native=name not in ("lists", "state"))


def test_other_methods():
    agrees(torch.jit.script(State()), x(2), method="twice")


def test_training_is_as_saved():
    module = torch.jit.script(nn.BatchNorm1d(3))
    agrees(module, x(4, 3), native=False)
    agrees(module.eval(), x(4, 3))


def test_functions_are_saved_as_modules():
    agrees(torch.jit.script(scale), x(2, 3), 3.0, None)


def test_hooks_of_inner_modules():
    class Inner(nn.Module):
        def forward(self, x: Tensor):
            return x + 1

    def before(self, input: Tuple[Tensor]) -> Tuple[Tensor]:
        return (input[0] * 2,)

    def after(self, input: Tuple[Tensor], out: Tensor) -> Tensor:
        return out * 3

    inner = Inner()
    inner.register_forward_pre_hook(before)
    inner.register_forward_hook(after)
    agrees(torch.jit.script(nn.Sequential(inner)), x(2))


def test_the_state_is_that_of_pytorch():
    module = torch.jit.script(Containers())
    program = load(saved(module))
    expected = module.state_dict()
    found = program.receiver.named_tensors()
    assert list(found) == list(expected)
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor.array, expected[name].numpy())


def test_shared_tensors_stay_one():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight
            base = torch.zeros(4)
            self.register_buffer("all", base)
            self.register_buffer("same", base.view(4))

        def forward(self, x):
            self.all += 1
            return self.b(self.a(x)), self.same

    program = agrees(torch.jit.script(Tied()), x(3), native=False)
    tensors = program.receiver.named_tensors()
    assert tensors["a.weight"] is tensors["b.weight"] and tensors["all"] is tensors["same"]


class Resampling(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.deconv = nn.ConvTranspose2d(2, 3, 2, stride=2)
        self.group, self.instance, self.pool = nn.GroupNorm(1, 3), nn.InstanceNorm2d(3), nn.AdaptiveAvgPool2d(2)

    def forward(self, x):
        return self.instance(self.group(self.deconv(self.up(x)))).flatten(1), self.pool(x)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, mask: Tensor, padding: Tensor):
        return self.attention(x, x, x, attn_mask=mask, key_padding_mask=padding)[0]


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


MASKS = (torch.triu(torch.ones(5, 5), 1).bool(), torch.tensor([[False] * 5, [False] * 3 + [True] * 2]))

LAYERS = {
    "lstm": (Wrapped(nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)), x(2, 5, 3)),
    "gru": (Wrapped(nn.GRU(3, 4)), x(5, 2, 3)),
    "resampling": (Resampling(), x(2, 2, 5, 5)),
    "attention": (Masked(), x(2, 5, 8), *MASKS),
    "encoder": (nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), x(2, 5, 8)),
    "norm_first": (nn.TransformerEncoderLayer(8, 2, 16, 0.1, "gelu", 1e-5, True, True), x(2, 5, 8), *MASKS),
    "decoder": (nn.TransformerDecoderLayer(8, 2, 16), x(5, 2, 8), x(4, 2, 8)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore")
def test_layers(name):
    module, *args = LAYERS[name]
    agrees(torch.jit.script(module.eval()), *args)


@pytest.mark.parametrize("name", ["lstm", "gru", "resampling", "encoder"])
@pytest.mark.filterwarnings("ignore")
def test_traced_layers(name):
    module, *args = LAYERS[name]
    agrees(torch.jit.trace(module.eval(), tuple(args), check_trace=False), *args)


# traced


class Traced(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.linear = nn.Linear(18, 3)

    def forward(self, x):
        y = torch.relu(self.conv(x)).view(x.size(0), -1) * 2
        y[:, 0] = 1.5
        z = self.linear(y[:, :18]) / y.shape[1] + torch.zeros(x.shape[0], 3) + torch.arange(3)
        return z, y.mean(), z.reshape(x.shape[0] * 3)


class Arithmetic(nn.Module):
    def forward(self, x, y):
        a = torch.cat([x, y], 1)
        return {"sum": a + 1, "cut": a[:, 1:-1]}["sum"], F.pad(a, (0, x.size(1) // 2 + 1)), a.new_ones(x.size(0), 2)


def numbers_with_tensors(i, h):
    """What tracing writes as a tensor without dimensions is a number; in other places it is that tensor."""
    wide = torch.tensor(2.5, dtype=torch.float64)
    parts = [i * 2.5, i + 1.5, torch.sub(i, 0.5, alpha=2), i / 4.0, i * 2, i * 1j, h * 2.5, h + wide, i.sum() * 2.5, h.sum() * wide]
    return [*parts, wide * i, torch.maximum(i, wide), i.mul(wide.clone()), torch.div(i, 2.5, rounding_mode="floor"), i > 0.1]


@pytest.mark.filterwarnings("ignore")
def test_numbers_in_traces():
    i, h = torch.tensor([3, -4]), x(2, dtype=torch.float16)
    program = agrees(torch.jit.trace(numbers_with_tensors, (i, h), strict=False), i, h)
    with torch.no_grad():
        expected = torch.jit.load(io.BytesIO(saved(torch.jit.trace(numbers_with_tensors, (i, h), strict=False))))(i, h)
    assert [str(r.dtype) for r in interpreted(program, i, h)] == [str(r.dtype).removeprefix("torch.") for r in expected]


@pytest.mark.parametrize(
    ("module", "example", "args"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (x(2, 3),), (x(5, 3),)),
        (Traced(), (x(2, 1, 5, 5),), (x(3, 1, 5, 5),)),
        (Conv().eval(), (x(1, 2, 6, 6),), (x(2, 2, 6, 6),)),
        (Attention(), (torch.tensor([[1, 2, 3]]),), (torch.tensor([[1, 2, 3], [3, 2, 1]]),)),
        (Arithmetic(), (x(2, 3), x(2, 4)), (x(3, 5), x(3, 4))),
        (nn.GRUCell(3, 4), (x(2, 3), x(2, 4)), (x(2, 3), x(2, 4))),
        (lambda v: v * 2 + v.shape[0], (x(3),), (x(5),)),
    ],
    ids=["mlp", "sizes", "conv", "attention", "arithmetic", "gru_cell", "function"],
)
@pytest.mark.filterwarnings("ignore")
def test_traced(module, example, args):
    agrees(torch.jit.trace(module, example), *args)


@pytest.mark.filterwarnings("ignore")
def test_frozen():
    agrees(torch.jit.freeze(torch.jit.script(Conv()).eval()), x(2, 2, 6, 6))
