"""`.graph` and `.code` against PyTorch's: node by node, and as an object that can be asked for its nodes."""

import importlib.util
import pickle
import re
import sys

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="graphs are compared with PyTorch's")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HEAD = """import torch
from enum import Enum
from typing import *
from torch import Tensor, nn
"""

FUNCTIONS = {
    "a for that is left": """
        def f(x: Tensor, n: int):
            for i in range(n):
                if i == 3:
                    break
                x = x + i
            return x
    """,
    "a for with constant rounds that is left": """
        def f(x: int):
            z = 1j
            for i in range(10):
                z = z * z
                if abs(z) > 4:
                    break
                x += 1
            return z, x
    """,
    "a while with two conditions": """
        def f(x: Tensor, n: int):
            while n > 3 and n != 7:
                n -= 1
                x = x * n
            return x, n
    """,
    "variables in the order of their uses": """
        def f(x: Tensor, n: int):
            b = x
            a = x
            for i in range(n):
                a = a + 1
                b = b * 2
            return b, a
    """,
    "forks": """
        def g(x: Tensor, k: int):
            return x * k
        def f(x: Tensor):
            a = torch.jit.fork(g, x, 2)
            l = [torch.jit.fork(g, x, 3)]
            return torch.jit.wait(a) + torch.jit.wait(l[0])
    """,
    "constants": """
        def f(x: int):
            a = 2 ** 3 + 1
            b = "a" + "b"
            p = (a, b, None)
            q, r = divmod(7, 2)
            return p, [p, p], divmod(x, 2), 3j * 2, q
    """,
    "tuples that are taken apart": """
        class P(NamedTuple):
            a: int
            b: int = 2
        def f(x: int):
            p = P(x)
            q = (p, x)
            return q[0].b, p
    """,
    "operators' first names": """
        def f(x: Tensor):
            return torch.multiply(x, 2), x.negative(), torch.concat([x, x]), x.greater(1)
    """,
    "warnings and prints": """
        import warnings
        def f(x: int):
            warnings.warn("a")
            print(x)
            warnings.warn("b")
    """,
    "regions": """
        class C(object):
            def __init__(self, n: int):
                self.n = n
            def __enter__(self):
                return self.n
            def __exit__(self, a: Any, b: Any, c: Any):
                self.n = 0
        def f(x: int):
            c = C(x)
            with c as k:
                if k > 3:
                    raise ValueError("large")
                x += k
            return x, c.n
    """,
    "lists changed in place": """
        def f(l: List[int], d: Dict[str, List[int]]):
            l *= 2
            l += [3]
            d["a"] = l
            return l
    """,
    "what nothing uses": """
        def f(x: Tensor, n: int):
            d = torch.device("cpu")
            y = x + 1
            z = (n, n)
            if n > 2:
                y = y * 2
            return x
    """,
}

MODULE = """
@torch.jit.interface
class I(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass
class C(Enum):
    R = 1
    G = 2
class S(nn.Module):
    def __init__(self, k: int):
        super().__init__()
        self.k = k
        self.fc = nn.Linear(2, 2)
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.k
class M(nn.Module):
    i: I
    def __init__(self):
        super().__init__()
        self.i = S(2)
        self.ml = nn.ModuleList([S(1), S(2)])
        self.c = C.R
        self.sq = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    def forward(self, x: Tensor, o: Optional[int] = None) -> Tuple[Tensor, int]:
        x = self.i.forward(x)
        if self.c == C.G:
            x = x + 1
        for m in self.ml:
            x = m(x)
        return self.sq(x), 1 if o is None else o
"""


def nodes(text: str) -> list[str]:
    """Nodes of a graph in order, without names of values, places and constants."""
    found = []
    for line in text.splitlines():
        line = re.sub(r" # .*$", "", line)
        line = re.sub(r"warn_id=\d+", "warn_id", line)  # PyTorch counts over all programs
        line = re.sub(r"__torch__(\.\w+)*\.(\w+)", r"\2", line)
        if "prim::Constant" not in line and not line.strip().startswith("%self"):
            found.append(re.sub(r"%[\w.]+", "%", line))
    return found


def imported(text: str, tmp_path, name: str):
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def dedented(text: str) -> str:
    return HEAD + "\n".join(line[8:] for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_graphs_are_those_of_pytorch(name, tmp_path):
    text = dedented(FUNCTIONS[name])
    theirs = torch.jit.script(imported(text, tmp_path, f"graphs_{re.sub(r'[^a-z]', '_', name)}").f)
    mine = torchcc.compile_source(text).f
    assert nodes(mine.graph) == nodes(str(theirs.graph))
    assert str(mine.schema).replace("__torch__.P", "P") == re.sub(r"__torch__\.\w+\.P", "P", str(theirs.schema))


def test_graphs_of_modules(tmp_path):
    theirs = torch.jit.script(imported(HEAD + MODULE, tmp_path, "graphs_module").M().eval())
    mine = torchcc.compile_source(HEAD + MODULE).M()
    assert nodes(mine.graph) == nodes(str(theirs.graph))
    assert nodes(mine.ml[0].graph) == nodes(str(getattr(theirs.ml, "0").graph))
    loaded = torchcc.load(theirs.save_to_buffer())
    assert nodes(loaded.graph) == nodes(str(theirs.graph)) and str(loaded.forward.schema) == str(theirs.forward.schema)


def test_code_is_that_of_pytorch(tmp_path):
    for name in ("a for that is left", "lists changed in place", "what nothing uses"):
        text = dedented(FUNCTIONS[name])
        theirs = torch.jit.script(imported(text, tmp_path, f"code_{re.sub(r'[^a-z]', '_', name)}").f)
        unnamed = [re.sub(r"\b(_\d+|i0?|[xyz]\d*)\b", "v", code) for code in (torchcc.compile_source(text).f.code, theirs.code)]
        assert unnamed[0] == unnamed[1]


SOURCE = """import torch
from typing import List
def f(x: torch.Tensor, l: List[int]):
    for i in l:
        x = torch.add(x, i, alpha=3)
    return x.sum(0), l
"""


def test_a_graph_can_be_asked_for_its_nodes():
    graph = torchcc.compile_source(SOURCE, "asked.py").f.graph
    assert isinstance(graph, str) and "aten::add" in graph and "# asked.py:5:12" in graph and "#" not in graph.str(False)
    assert [v.debugName() for v in graph.inputs()] == ["x", "l"]
    assert [(str(v.type()), repr(v.type()), v.type().kind()) for v in graph.inputs()] == [
        ("Tensor", "Tensor", "TensorType"),
        ("List[int]", "int[]", "ListType"),
    ]
    assert str(list(graph.inputs())[1].type().getElementType()) == "int"
    assert [n.kind() for n in graph.nodes() if n.kind() != "prim::Constant"] == [
        "aten::len", "prim::Loop", "prim::ListConstruct", "aten::sum", "prim::TupleConstruct",
    ]  # fmt: skip
    add = graph.findNode("aten::add")
    assert add is not None and add.schema().startswith("aten::add.Tensor(") is False and add.inputsSize() == 3
    assert add.inputsAt(2).toIValue() == 3 and add.inputsAt(2).node().kind() == "prim::Constant"
    assert add.output().uses()[0].user.kind() == "prim::Return" and add.hasUses()
    assert graph.findNode("aten::add", recurse=False) is None and graph.findAllNodes("aten::nothing") == []
    loop = graph.findNode("prim::Loop")
    assert loop is not None and [n.kind() for n in next(iter(loop.blocks())).nodes()] == ["aten::__getitem__", "aten::add"]
    assert loop.findNode("aten::add") == add and str(add) in graph.str(False).replace("      ", "")
    constant = graph.findNode("prim::Constant")
    assert constant is not None and constant.attributeNames() == ["value"] and constant.kindOf("value") == "i"
    assert constant["value"] == constant.i("value") == constant.output().toIValue()
    with pytest.raises(torchcc.ExecutionError, match="has no attribute `name`"):
        constant.s("name")


def test_nodes_of_deep_programs():
    depth = 40
    text = "def f(n: int):\n" + "".join(f"{' ' * (i + 1)}if n > {i}:\n" for i in range(depth)) + " " * (depth + 1) + "n += 1\n return n\n"
    assert torchcc.compile_source(text).f.graph.count("prim::If") == depth


def test_operators_of_a_module_and_switches():
    net = torchcc.compile_source(HEAD + MODULE).M()
    theirs = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.GELU()))
    assert torchcc.export_opnames(torchcc.script(theirs)) == torch.jit.export_opnames(theirs) == ["aten::gelu", "aten::linear"]
    assert {"aten::add.Scalar", "aten::linear", "aten::relu"} < set(torchcc.export_opnames(net))
    before = torchcc.set_fusion_strategy([("STATIC", 1)])
    assert torchcc.set_fusion_strategy(before) == [("STATIC", 1)]
    with torchcc.fuser("fuser1"), torchcc.optimized_execution(False), torchcc.strict_fusion():
        torchcc.run_frozen_optimizations(net)
    with pytest.raises(torchcc.CompileError, match="no fusion strategy"):
        torchcc.set_fusion_strategy([("FOO", 2)])
    with pytest.raises(torchcc.CompileError, match="no fuser"), torchcc.fuser("fuser9"):
        pass


def test_pickled_modules_and_pytorchs_name_for_extra_files(tmp_path):
    net = torchcc.compile_source(HEAD + MODULE).M()
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net))(x)[0], net(x)[0])
    path = tmp_path / "net.pt"
    torchcc.save(net, path, _extra_files={"a": "b"})
    found = {"a": ""}
    torchcc.load(path, _extra_files=found)
    assert found == {"a": b"b"}
    net.save(path, _extra_files={"a": "c"})
    torchcc.load(net.save_to_buffer(_extra_files={"a": "d"}), _extra_files=found)
    assert found == {"a": b"d"}
