"""`torchcc.freeze` against `torch.jit.freeze`: same results, natively and saved for PyTorch, and what is left of the module."""

import io
import warnings
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="makes the archives, and is what is compared with")
nn, Tensor = torch.nn, torch.Tensor


def settled(module):
    """Running statistics that are not 0 and 1."""
    torch.manual_seed(0)
    for m in module.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
            if m.weight is not None:
                m.weight.data.uniform_(0.5, 2)
    return module


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)) + x)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.blocks = nn.ModuleList([Residual(), Residual()])
        self.up = nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2)
        self.bn = nn.BatchNorm2d(6, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.bn(self.up(x))


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 3, padding="same")
        self.bn = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Modes(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + 100
        return self.drop(self.fc(x))


class Attributes(nn.Module):
    sizes: List[int]
    table: Dict[str, float]
    scale: Optional[Tensor]
    none: Optional[Tensor]
    pair: Tuple[int, float]

    def __init__(self):
        super().__init__()
        self.sizes, self.table, self.pair = [2, 3], {"a": 1.5, "b": 2.0}, (2, 0.5)
        self.scale, self.none = torch.tensor([1.0, 2.0, 3.0, 4.0]), None
        self.name = "double"
        self.device = torch.device("cpu")

    def forward(self, x: Tensor, times: int = 2) -> Tensor:
        for size in self.sizes:
            x = x + size
        scale, none = self.scale, self.none
        if scale is not None:
            x = x * scale
        if none is not None:
            x = x + none
        if self.name == "double":
            x = x * times
        return x.to(self.device) * self.table["a"] * self.pair[0] + self.pair[1]


class Weights(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.rand(4, 2)), nn.Parameter(torch.rand(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.a.t() * 2 + self.b).t()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x)


@torch.jit.interface
class Activation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Relu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu()


class Interface(nn.Module):
    act: Activation

    def __init__(self):
        super().__init__()
        self.act = Relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.act.forward(x) + 1


class Pair(NamedTuple):
    value: Tensor
    factor: int


@torch.jit.script
class Counter:
    def __init__(self, start: int):
        self.count = start

    def doubled(self) -> int:
        return self.count * 2


class Objects(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        counter = Counter(3)
        counter.count += 1
        pair = Pair(x, counter.doubled())
        return pair.value * pair.factor


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Total(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("sum", torch.zeros(4))
        self.register_buffer("one", torch.ones(4))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        view = self.sum[:2]
        view += x.sum(0)[:2]
        return self.sum / self.calls + self.one


class State(nn.Module):
    history: List[Tensor]

    def __init__(self):
        super().__init__()
        self.total = Total()
        self.history = []
        self.unused = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.history.append(x)
        return self.total(x) + torch.stack(self.history).sum(0)


class Preserved(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Modes()
        self.k, self.j = 3, 4

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x) * self.k + self.j

    @torch.jit.export
    def other(self, x: Tensor) -> Tensor:
        return x + self.j


def half_trained():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).eval()
    net[1].train()
    return net


def add_one(self, input: Tuple[Tensor]) -> Tuple[Tensor]:
    return (input[0] + 1,)


def hooked():
    net = nn.Sequential(Relu()).eval()
    net[0].register_forward_pre_hook(add_one)
    return net


IMAGE, ROWS, SOUND = torch.linspace(-1, 1, 384).reshape(2, 3, 8, 8), torch.linspace(-1, 2, 12).reshape(3, 4), torch.rand(2, 3, 7)


def archive(module):
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return buffer.getvalue()


def saved(module):
    buffer = io.BytesIO()
    torchcc.save(module, buffer)
    return buffer.getvalue()


def frozen(module, preserved=None):
    """(as PyTorch freezes it, as torchcc does)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(module.eval())
        data = archive(scripted)
        return torch.jit.freeze(torch.jit.load(io.BytesIO(data)), preserved), torchcc.freeze(torchcc.load(data), preserved)


MODULES = {
    "conv net": (lambda: settled(ConvNet()), IMAGE),
    "conv1d": (lambda: settled(Speech()), SOUND),
    "training modes": (Modes, ROWS),
    "attributes": (Attributes, ROWS),
    "computed weights": (Weights, ROWS),
    "tied weights": (Tied, ROWS),
    "interface": (Interface, ROWS),
    "objects": (Objects, ROWS),
    "containers": (lambda: nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Tanh(), nn.Dropout(0.1))), ROWS),
    "lstm": (Recurrent, ROWS),
    "layer norm": (lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), ROWS.reshape(1, 3, 4)),
}


@pytest.mark.parametrize("name", MODULES)
def test_results_are_those_of_torch(name):
    make, x = MODULES[name]
    torch.manual_seed(0)
    expected, found = frozen(make())
    with torch.no_grad():
        wanted = expected(x)
        again = torch.jit.load(io.BytesIO(saved(found)))(x)
    got = found(x.numpy())
    np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5)
    assert not list(found.parameters()) and not found.state_dict() and not list(found.children())
    assert not hasattr(found, "training")
    assert "CallMethod" not in found.graph and "batch_norm" not in found.graph
    assert "GetAttr" not in found.graph or name == "objects"


@pytest.mark.parametrize("name", ["conv net", "attributes", "layer norm"])
def test_the_archive_is_smaller(name):
    torch.manual_seed(0)
    data = archive(torch.jit.script(MODULES[name][0]().eval()))
    module = torchcc.load(data)
    assert len(saved(torchcc.freeze(module))) < len(saved(module))


def test_a_traced_module():
    torch.manual_seed(0)
    data = archive(torch.jit.trace(settled(ConvNet()).eval(), IMAGE))
    found = torchcc.freeze(torchcc.load(data))
    with torch.no_grad():
        wanted = torch.jit.load(io.BytesIO(data))(IMAGE)
    np.testing.assert_allclose(found(IMAGE.numpy()), wanted.numpy(), rtol=1e-4, atol=1e-5)
    assert "batch_norm" not in found.graph


def test_branches_and_short_loops_on_constants_are_gone():
    _, found = frozen(Attributes())
    assert "prim::If" not in found.graph and "prim::Loop" not in found.graph and "DictConstruct" not in found.graph


def test_what_is_written_stays():
    expected, found = frozen(State())
    other = torch.jit.load(io.BytesIO(saved(found)))
    for step in (1, 2):
        wanted = expected(ROWS * step).numpy()
        np.testing.assert_allclose(found((ROWS * step).numpy()), wanted, rtol=1e-5)
        np.testing.assert_allclose(other(ROWS * step).numpy(), wanted, rtol=1e-5)
    assert found.total.calls == other.total.calls == 2
    assert list(found.state_dict()) == ["total.sum"]
    assert not hasattr(found, "unused") and not hasattr(found.total, "one") and len(found.history) == 2


def test_the_frozen_module_is_its_own():
    module = torchcc.load(archive(torch.jit.script(Total().eval())))
    found = torchcc.freeze(module)
    module(ROWS.numpy())
    module.load_state_dict({"sum": np.zeros(4), "one": np.zeros(4)})
    assert found.calls == 0 and found(np.zeros((1, 4), np.float32)).tolist() == [1, 1, 1, 1]


def test_training_submodules_keep_their_statistics():
    data = archive(torch.jit.script(half_trained()))
    module, found = torchcc.load(data), torchcc.freeze(torchcc.load(data))
    for _ in range(2):
        np.testing.assert_allclose(found(ROWS.numpy()), module(ROWS.numpy()), rtol=1e-5, atol=1e-6)
    assert sorted(found.state_dict()) == ["1.num_batches_tracked", "1.running_mean", "1.running_var"]
    np.testing.assert_allclose(found.state_dict()["1.running_mean"], module.state_dict()["1.running_mean"], rtol=1e-6)


def test_hooks_are_inlined():
    data = archive(torch.jit.script(hooked()))
    found = torchcc.freeze(torchcc.load(data))
    np.testing.assert_array_equal(found(ROWS.numpy()), (ROWS + 1).relu().numpy())


def test_preserved_names():
    expected, found = frozen(Preserved(), ["other", "k"])
    assert found.other(ROWS.numpy()).tolist() == expected.other(ROWS).tolist()
    assert found.k == 3 and not hasattr(found, "j") and not hasattr(found, "part")
    found.k = 5
    expected.k = 5
    np.testing.assert_allclose(found(ROWS.numpy()), expected(ROWS).detach().numpy(), rtol=1e-5)


def test_a_preserved_submodule_keeps_its_methods():
    _, found = frozen(Preserved(), ["part"])
    wanted = found.part(ROWS.numpy())
    other = torch.jit.load(io.BytesIO(saved(found)))
    np.testing.assert_allclose(found(ROWS.numpy()), wanted * 3 + 4, rtol=1e-5)
    np.testing.assert_allclose(other.part(ROWS).detach().numpy(), wanted, rtol=1e-5)
    assert sorted(found.state_dict()) == ["part.fc.bias", "part.fc.weight"]


def test_a_batch_norm_is_not_folded_past_a_missing_batch():
    """Without one, it would scale another dimension: here there are as many columns as channels."""
    torch.manual_seed(0)
    net = settled(nn.Sequential(nn.Conv1d(2, 4, 1), nn.BatchNorm1d(4))).eval()
    _, found = frozen(net)
    with pytest.raises(torchcc.TorchccError, match="expected a batch"):
        found(np.ones((2, 4), np.float32))


def test_from_source():
    net = torchcc.compile_source("""
import torch
from torch import nn, Tensor
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1)
        self.bn = nn.BatchNorm2d(3)
        self.k = 2
    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)) * self.k
""").Net()
    found = torchcc.freeze(net)
    x = np.ones((1, 2, 2, 2), np.float32)
    np.testing.assert_allclose(found(x), net(x), rtol=1e-5, atol=1e-6)
    assert "batch_norm" not in found.code and "self" not in found.code.partition("->")[2]
    np.testing.assert_allclose(torchcc.freeze(found)(x), net(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "preserved", "message"),
    [
        (lambda m: m.train(), None, "eval mode"),
        (lambda m: m, ["zz"], "Unknown name: zz"),
        (lambda m: m, "other", "list of names"),
        (lambda m: m.forward, None, "expects a ScriptModule"),
    ],
)
def test_errors(make, preserved, message):
    module = torchcc.load(archive(torch.jit.script(Preserved().eval())))
    with pytest.raises(torchcc.CompileError, match=message):
        torchcc.freeze(make(module), preserved)


def test_command_line(tmp_path):
    source, target = tmp_path / "net.pt", tmp_path / "frozen.pt"
    source.write_bytes(archive(torch.jit.script(settled(Speech()))))
    assert invoke("save", source, "--freeze", "-o", target) == 0
    wanted = torch.jit.load(str(source)).eval()(SOUND).detach().numpy()
    np.testing.assert_allclose(torch.jit.load(str(target))(SOUND).numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert target.stat().st_size < source.stat().st_size


def test_a_function_cannot_be_frozen(tmp_path):
    (tmp_path / "f.py").write_text("from torch import Tensor\n\ndef f(x: Tensor) -> Tensor:\n    return x + 1\n")
    assert invoke("save", tmp_path / "f.py", "--freeze", "-o", tmp_path / "f.pt") == 1
    assert not (tmp_path / "f.pt").exists()


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments]).exit_code
