"""`ScriptModule`: PyTorch's module interface, on archives and on modules from source."""

from __future__ import annotations

import copy
import io
import re

import numpy as np
import pytest

import torchcc

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="makes the archives")

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


class Block(torch.nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.fc = torch.nn.Linear(4, n)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.fc(x).relu()

    @torch.jit.export
    def plain(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block(4)
        self.again = self.first
        self.layers = torch.nn.Sequential(Block(4), torch.nn.Tanh())
        self.heads = torch.nn.ModuleDict({"a": torch.nn.Linear(4, 1), "b": torch.nn.Linear(4, 2)})
        self.many = torch.nn.ModuleList([torch.nn.BatchNorm1d(4) for _ in range(3)])
        self.register_buffer("offset", torch.ones(4))
        self.k = 2
        self.rate = 0.5
        self.names = ["p", "q"]
        self.table = {"one": 1}
        self.mode: str = "sum"
        self.pair = (1, 2.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(self.first(x)) * self.k + self.offset
        for m in self.many:
            x = m(x)
        y = self.heads["b"](x)
        if self.mode == "sum":
            return y.sum()
        return y * self.table["one"]

    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.again(x)


def saved(module, **extra):
    file = io.BytesIO()
    torch.jit.save(module, file, **extra)
    return file.getvalue()


@pytest.fixture
def both():
    torch.manual_seed(0)
    scripted = torch.jit.script(Net().eval())
    return torchcc.load(saved(scripted)), scripted


def same(a, b):
    np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_calls_and_methods(both):
    mine, theirs = both
    same(mine(X), theirs(torch.from_numpy(X)))
    same(mine.forward(X), theirs(torch.from_numpy(X)))
    same(mine.encode(X), theirs.encode(torch.from_numpy(X)))
    same(mine.first.plain(X), theirs.first.plain(torch.from_numpy(X)))
    same(mine.layers[0](X), getattr(theirs.layers, "0")(torch.from_numpy(X)))
    for ours, other in (
        (mine.first, theirs.first),
        (mine.again, theirs.again),
        (mine.layers[0], getattr(theirs.layers, "0")),
    ):
        assert ours.calls == other.calls > 0
    assert [p.name for p in mine.forward.parameters] == ["x"] and mine.encode.name == "encode"


def test_names_are_those_of_pytorch(both):
    mine, theirs = both
    for listing in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(mine, listing)()] == [n for n, _ in getattr(theirs, listing)()], listing
    for listing in ("parameters", "buffers"):
        for ours, other in zip(getattr(mine, listing)(), getattr(theirs, listing)(), strict=True):
            same(ours, other)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in mine.named_parameters("net", recurse=False)] == []
    assert [n for n, _ in mine.first.named_parameters("f")] == ["f.fc.weight", "f.fc.bias"]
    assert len(list(mine.modules())) == len(list(theirs.modules()))
    assert [c.original_name for c in mine.children()] == [c.original_name for c in theirs.children()]
    assert repr(mine).replace("ScriptModule", "RecursiveScriptModule") == repr(theirs)


def test_attributes(both):
    mine, theirs = both
    for name in ("k", "rate", "names", "table", "mode", "pair", "training", "original_name"):
        assert getattr(mine, name) == getattr(theirs, name), name
    assert hasattr(mine, "k") and hasattr(mine, "encode") and not hasattr(mine, "nothing")
    assert {"k", "first", "encode", "state_dict", "offset"} <= set(dir(mine))
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'nothing'"):
        _ = mine.nothing
    with pytest.raises(ValueError, match="read-only"):
        mine.offset[0] = 1
    assert mine.first is mine.first and mine.layers[0] is dict(mine.layers.named_children())["0"]


def test_setting_attributes(both):
    mine, theirs = both
    x = torch.from_numpy(X)
    for name, value in (("k", 5), ("mode", "none"), ("k", 7), ("k", -1), ("table", {"one": 3}), ("k", 0)):
        setattr(mine, name, value)
        setattr(theirs, name, value)
        assert getattr(mine, name) == value
        same(mine(X), theirs(x))
    array = np.arange(4, dtype=np.float32)
    mine.offset = array
    theirs.offset = torch.from_numpy(array.copy())
    array[:] = 100  # what is set is copied
    same(mine(X), theirs(x))
    mine.first.fc.bias = torch.ones(4)
    theirs.first.fc.bias.data = torch.ones(4)
    same(mine(X), theirs(x))
    compiled = len(mine.forward._compiled)
    for k in range(5):
        mine.k = k
        same(mine(X), theirs(x) if setattr(theirs, "k", k) is None else x)
    assert len(mine.forward._compiled) == compiled  # set more than once: an input by now


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("k", "x", "attribute `k` must be int, but a value of type str was given"),
        ("k", 1.5, "attribute `k` must be int"),
        ("names", [1], r"attribute `names\[0\]` must be str"),
        ("table", {"a": "b"}, r"attribute `table\['a'\]` must be int"),
        ("offset", 3, "attribute `offset` must be Tensor"),
        ("pair", (1,), "attribute `pair` must be Tuple"),
        ("nothing", 3, "`nothing` cannot be set: it is no attribute of the class `Net`"),
        ("encode", 3, "`encode` cannot be set"),
        ("first", 3, "attribute `first` must be an object of"),
        ("offset", np.zeros(3, "datetime64[s]"), "dtype datetime64"),
    ],
)
def test_wrong_values(both, name, value, message):
    before = getattr(both[0], name, None)
    with pytest.raises(torchcc.CompileError, match=message):
        setattr(both[0], name, value)
    after = getattr(both[0], name, None)
    assert before is after or np.array_equal(before, after)


def test_submodules_can_be_exchanged():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(4, 4)
            self.b = torch.nn.Linear(4, 4)

        def forward(self, x: torch.Tensor):
            return self.a(x)

    mine = torchcc.load(saved(torch.jit.script(M())))
    expected = mine.b(X)
    mine(X)
    mine.a = mine.b
    np.testing.assert_allclose(mine(X), expected)
    other = torchcc.load(saved(torch.jit.script(M())))
    with pytest.raises(torchcc.CompileError, match="of the same module"):
        mine.a = other.b


def test_containers(both):
    mine, _ = both
    assert len(mine.layers) == 2 and len(mine.many) == 3 and len(mine.heads) == 2
    assert mine.layers[-1].original_name == "Tanh" and mine.many[0] is next(iter(mine.many))
    assert [m.original_name for m in mine.many[1:]] == ["BatchNorm1d", "BatchNorm1d"]
    assert list(mine.heads) == ["a", "b"] == list(mine.heads.keys()) and "a" in mine.heads and "c" not in mine.heads
    assert mine.heads["b"].weight.shape == (2, 4) and [n for n, _ in mine.heads.items()] == ["a", "b"]
    assert mine.many[1] in mine.many and mine.first
    with pytest.raises(IndexError):
        mine.many[3]
    with pytest.raises(KeyError):
        mine.heads["c"]
    with pytest.raises(TypeError, match="'Block' object is no container"):
        len(mine.first)


def test_train_and_eval(both):
    mine, theirs = both
    x = torch.from_numpy(X)
    assert mine.train() is mine and mine.training and mine.many[0].training
    theirs.train()
    same(mine(X), theirs(x))
    same(mine(X), theirs(x))
    assert mine.eval() is mine and not mine.layers[0].training
    theirs.eval()
    same(mine(X), theirs(x))
    for ours, other in zip(mine.buffers(), theirs.buffers(), strict=True):
        same(ours, other)
    mine.many[0].train()
    getattr(theirs.many, "0").train()
    assert not mine.training and mine.many[0].training
    same(mine(X), theirs(x))


def test_load_state_dict(both):
    mine, theirs = both
    x = torch.from_numpy(X)
    mine(X)
    state = {k: v + 1 for k, v in theirs.state_dict().items()}
    assert mine.load_state_dict({k: v.numpy() for k, v in state.items()}) == ([], [])
    theirs.load_state_dict(state)
    same(mine(X), theirs(x))
    mine.load_state_dict(mine.state_dict())
    same(mine(X), theirs(x))
    with pytest.raises(torchcc.CompileError, match="the state does not fit"):
        mine.load_state_dict({"offset": np.zeros(4, np.float32)})
    keys = mine.load_state_dict({"offset": torch.zeros(4, dtype=torch.float64), "more": X}, strict=False)
    assert keys.unexpected_keys == ["more"] and "first.fc.bias" in keys.missing_keys
    assert mine.offset.tolist() == [0] * 4 and mine.offset.dtype == np.float32
    with pytest.raises(torchcc.CompileError, match=re.escape("does not fit")):
        mine.load_state_dict({"offset": X}, strict=False)


def test_loaded_state_keeps_what_is_shared():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            t = torch.zeros(2)
            self.register_buffer("a", t)
            self.register_buffer("b", t)

        def forward(self, x: torch.Tensor):
            self.a += x
            return self.b

    mine = torchcc.load(saved(torch.jit.script(M())))
    ones = np.ones(2, np.float32)
    mine.load_state_dict({"a": ones, "b": ones * 5})
    assert mine(ones).tolist() == [6, 6] and mine.a.tolist() == [6, 6]


def test_text(both):
    mine, theirs = both
    assert "prim::CallMethod" in mine.graph and "prim::CallMethod" not in mine.inlined_graph
    assert mine.inlined_graph.count("aten::linear") == theirs.inlined_graph.__str__().count("aten::linear")
    assert "prim::CallMethod" in mine.encode.graph
    assert mine.code.startswith("def forward(self") and "self.offset" in mine.code


@pytest.mark.parametrize("kind", ["path", "text", "file", "bytes"])
def test_what_load_takes(both, tmp_path, kind):
    path = tmp_path / "net.pt"
    path.write_bytes(saved(both[1], _extra_files={"labels.txt": "a b", "raw": b"\x00\xff"}))
    extra = {"labels.txt": "", "raw": None, "none": 1}
    with path.open("rb") as file:
        given = {"path": path, "text": str(path), "file": file, "bytes": path.read_bytes()}[kind]
        mine = torchcc.load(given, map_location="cpu", extra_files=extra)
    assert extra == {"labels.txt": b"a b", "raw": b"\x00\xff", "none": b""}
    same(mine(X), both[1](torch.from_numpy(X)))


def test_load_refuses(both, tmp_path):
    data = saved(both[1])
    with pytest.raises(torchcc.CompileError, match="map_location is 'cuda:0'"):
        torchcc.load(data, map_location="cuda:0")
    with pytest.raises(torchcc.CompileError, match="no method `decode`"):
        torchcc.load(data, "decode")
    with pytest.raises(torchcc.CompileError):
        torchcc.load(b"nothing")
    with pytest.raises(torchcc.CompileError):
        torchcc.load(tmp_path / "nothing.pt")


def test_one_method(both):
    data = saved(both[1])
    encode = torchcc.load(data, method="encode")
    assert isinstance(encode, torchcc.ScriptFunction)
    same(encode(X), both[1].encode(torch.from_numpy(X)))


SOURCE = """
import torch
from torch import Tensor, nn

class Cell(nn.Module):
    def __init__(self, n: int, gain: float = 1.0):
        super().__init__()
        self.gain = gain
        self.register_buffer("total", torch.zeros(n))

    def forward(self, x: Tensor) -> Tensor:
        self.total += x * self.gain
        return self.total

    @torch.jit.export
    def reset(self):
        self.total.zero_()

class Net(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.cells = nn.ModuleList([Cell(n), Cell(n, gain=2.0)])

    def forward(self, x: Tensor) -> Tensor:
        for cell in self.cells:
            x = cell(x)
        return x

def twice(x: Tensor) -> Tensor:
    return x * 2
"""


def test_modules_from_source(tmp_path):
    library = torchcc.compile_source(SOURCE)
    assert {"Cell", "Net", "twice"} <= set(dir(library))
    ones = np.ones(3, np.float32)
    cell = library.Cell(3, gain=0.5)
    assert isinstance(cell, torchcc.ScriptModule) and not cell.training
    assert [cell(ones)[0] for _ in range(3)] == [0.5, 1.0, 1.5]
    cell.reset()
    assert cell(ones)[0] == 0.5 and library.Cell(3)(ones)[0] == 1
    assert library.twice(ones).tolist() == [2, 2, 2]
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    net = torchcc.compile_file(path, "Net(3)")
    assert isinstance(net, torchcc.ScriptModule) and net.cells[1].gain == 2
    assert [net(ones)[0] for _ in range(2)] == [2.0, 6.0]
    net.cells[0].reset()
    assert net.cells[0].total.tolist() == [0, 0, 0] and net.state_dict()["cells.1.total"].tolist() == [6, 6, 6]
    assert [n for n, _ in net.named_modules()] == ["", "cells", "cells.0", "cells.1"]
    assert isinstance(torchcc.compile_file(path, "Net(3).forward"), torchcc.ScriptModule | torchcc.ScriptFunction)


def test_names_that_pytorch_leaves_free_are_free():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.state = 1
            self.name = "n"
            self._state = 2
            self._value = 3
            self.keys = 4
            self.program = 5
            self.entry = 6
            self.source = 7

        def forward(self, x: torch.Tensor):
            self._state += 1
            return x + self.state + self._value + self.keys + self.program + self.entry + self.source

    mine = torchcc.load(saved(torch.jit.script(M())))
    assert mine(X[0, :1]) == X[0, 0] + 26
    assert (mine.state, mine.name, mine._state, mine._value, mine.keys, mine.program, mine.entry, mine.source) == (
        1,
        "n",
        3,
        3,
        4,
        5,
        6,
        7,
    )


def test_a_module_without_forward():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 0

        @torch.jit.export
        def step(self, k: int) -> int:
            self.n += k
            return self.n

    mine = torchcc.load(saved(torch.jit.script(M())))
    assert [mine.step(2), mine.step(3)] == [2, 5] and mine.n == 5
    with pytest.raises(AttributeError, match="no attribute 'forward'"):
        mine()


def test_deep_copies():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            t = torch.zeros(2)
            self.register_buffer("a", t)
            self.register_buffer("b", t)
            self.fc = torch.nn.Linear(2, 2)
            self.items = [1]

        def forward(self, x: torch.Tensor):
            self.a += x
            self.items.append(1)
            return self.b

    mine = torchcc.load(saved(torch.jit.script(M())))
    ones = np.ones(2, np.float32)
    mine(ones)
    other = copy.deepcopy(mine)
    assert other(ones).tolist() == [2, 2] and other.b.tolist() == [2, 2] and other.items == [1, 1, 1]
    assert mine.a.tolist() == [1, 1] and mine.items == [1, 1]
    layer = copy.deepcopy(mine.fc)
    layer.bias = ones * 9
    np.testing.assert_allclose(layer(ones) - mine.fc(ones), 9 - mine.fc.bias, rtol=1e-5)
    assert copy.copy(mine).fc is mine.fc
