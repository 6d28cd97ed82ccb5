"""What PyTorch's functions and modules have beside calls: `define`, `graph_for`, `code_with_constants`, units, devices."""

import io

import numpy as np
import pytest

import torchcc

MODULE = """
import torch
from torch import Tensor, nn

class Net(nn.Module):
    def __init__(self, k: int = 3):
        super().__init__()
        self.k = k
        self.device = torch.device("cpu")
        self.register_buffer("total", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.k * torch.ones(2)

    @torch.jit.export
    def where(self, x: Tensor) -> torch.device:
        return x.device
"""
X = np.ones(2, np.float32)


def net(k=3):
    return torchcc.compile_source(MODULE, "net.py").Net(k)


def test_methods_are_added():
    module = net()
    module.define("def plus(self, x):\n    return x + self.k\n")
    module.define("""
        def twice(self, x, n: int = 2):
            self.total += x
            return self.plus(x) * n
    """)
    assert module.plus(X).tolist() == [4, 4] and module.twice(X).tolist() == [8, 8] and module.twice(X, n=1).tolist() == [4, 4]
    assert module.total.tolist() == [2, 2] and "def twice" in module.twice.code
    module.k = 5
    assert module.plus(X).tolist() == [6, 6]


def test_the_text_of_a_method_tells_it_from_others():
    one, other = net(), net()
    one.define("def g(self, x): return x + 1")
    other.define("def g(self, x): return x + 2")
    assert one.g(X).tolist() == [2, 2] and other.g(X).tolist() == [3, 3]
    assert not hasattr(net(), "g")


@pytest.mark.parametrize(
    "text, words",
    [
        ("def plus(self, x): return x + self.nothing", "has no attribute 'nothing'"),
        ("def forward(self, x): return x", "has a `forward` already"),
        ("def total(self, x): return x", "has a `total` already"),
        ("x = 3", "only functions can be added"),
        ("def plus(self, x): return (", "<define>"),
    ],
)
def test_wrong_methods_are_not_added(text, words):
    module = net()
    with pytest.raises(torchcc.CompileError) as caught:
        module.define(text)
    assert words in str(caught.value)
    assert module(X).tolist() == [4, 4] and not hasattr(module, "plus")
    module.define("def plus(self, x): return x + self.k")
    assert module.plus(X).tolist() == [4, 4]


def test_added_methods_are_saved():
    torch = pytest.importorskip("torch", reason="reads the archive")
    module = net()
    module.define("def plus(self, x): return x + self.k")
    data = module.save_to_buffer()
    assert torch.jit.load(io.BytesIO(data)).plus(torch.ones(2)).tolist() == [4, 4]
    again = torchcc.load(io.BytesIO(data))
    again.define("def more(self, x):\n  return torch.add(self.plus(x), 1)\n")
    assert again.more(X).tolist() == [5, 5]


def test_functions_are_saved():
    function = torchcc.compile_source("import torch\ndef f(x, k: int): return x + k").f
    assert torchcc.load(io.BytesIO(function.save_to_buffer()))(X, 2).tolist() == [3, 3]
    assert function.qualified_name == "__torch__.f" and net().forward.qualified_name == "__torch__.Net.forward"


def test_graph_for_the_arguments_of_a_call():
    function = torchcc.compile_source("import torch\ndef f(x, k: int):\n  if x.dim() == 1: return x + k\n  return x * k").f
    assert "aten::add" in function.graph_for(X, 2) and "aten::mul" not in function.graph_for(X, 2)
    assert "aten::mul" in function.graph_for(X[None], 2)
    assert "Float(2" in net().graph_for(X)


def test_code_with_constants():
    text, constants = torchcc.freeze(net()).code_with_constants
    assert ("CONSTANTS.c0" in text) == hasattr(constants, "c0") and "def forward" in text
    buffer = torchcc.compile_source(MODULE.replace("torch.ones(2)", "self.total")).Net()
    text, constants = torchcc.freeze(buffer).code_with_constants
    assert "CONSTANTS.c0" in text and constants.c0.tolist() in ([0, 0], 3)


def test_units():
    unit = torchcc.CompilationUnit("def twice(x: Tensor): return x * 2")
    unit.define("def more(x, n: Optional[int] = None):\n    return twice(x) + (1 if n is None else n)")
    assert unit.more(X).tolist() == [3, 3] and unit.more(X, 4).tolist() == [6, 6]
    assert [f.name for f in unit.get_functions()] == ["more", "twice"] and "more" in dir(unit)
    with pytest.raises(torchcc.CompileError, match="unknown"):
        unit.define("def wrong(x): return torch.unknown(x)")
    with pytest.raises(AttributeError, match="no function `wrong`"):
        unit.wrong(X)
    assert unit.find_function("wrong") is None and unit.twice(X).tolist() == [2, 2]


def test_devices():
    module = net()
    for device in (module.where(X), module.device):
        assert isinstance(device, torchcc.Device) and device == "cpu" and device != "cuda"
        assert (device.type, device.index, repr(device), str(device)) == ("cpu", None, "device(type='cpu')", "cpu")
    second = torchcc.Device("cuda:1")
    assert (second.type, second.index, repr(second)) == ("cuda", 1, "device(type='cuda', index=1)")
    many = torchcc.compile_source("import torch\nfrom typing import *\ndef f(x) -> Tuple[List[torch.device], Optional[torch.device]]: return [x.device], None").f
    assert many(X) == (["cpu"], None) and many(X)[0][0].type == "cpu"


def test_devices_of_torch():
    torch = pytest.importorskip("torch", reason="compares with its devices")
    device = net().where(X)
    assert device == torch.device("cpu") and torch.zeros(1, device=device).device == device
    assert torchcc.Device("cuda:1") == torch.device("cuda", 1) and torchcc.Device("cuda") != torch.device("cuda", 1)
    function = torchcc.compile_source("import torch\ndef f(d: torch.device): return d.type, d").f
    assert function(torch.device("cpu")) == ("cpu", "cpu") and function(device) == ("cpu", "cpu")


def test_what_cannot_be_scripted():
    for value, words in ((lambda x: x, "a lambda"), (3, "a int"), (torchcc.Device, "the class `Device`")):
        with pytest.raises(torchcc.TorchccError, match=words):
            torchcc.script(value)
    module = net()
    assert torchcc.script(module) is module and torchcc.script(module.forward) is module.forward
