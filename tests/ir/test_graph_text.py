"""TorchScript graph text: printed as PyTorch prints it, read back equal, and read by PyTorch."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from torchcc.ir.attributes import Constant
from torchcc.ir.builder import Builder
from torchcc.ir.core import Block, Operation, Region, new_module
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dialects import torch as t
from torchcc.ir.dtypes import DType
from torchcc.ir.graph_parser import parse_graphs
from torchcc.ir.graph_text import for_pytorch
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.script_types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    ClassType,
    DictType,
    FutureType,
    ListType,
    OptionalType,
    TensorType,
    TupleType,
    UnionType,
)
from torchcc.ir.structure import difference
from torchcc.ir.verifier import verify

X = TensorType(DType.float32, (2, None))
W = Constant("fc.weight", np.arange(6, dtype=np.float32).reshape(2, 3))

TEXT = """\
graph(%x.1 : Tensor,
      %y.1 : int):
  %2 : bool = aten::gt(%y.1, %y.1)
  %3 : Tensor = prim::If(%2)
    block0():
      %4 : Tensor = aten::relu(%x.1)
      -> (%4)
    block1():
      -> (%x.1)
   = prim::Print(%3)
  return (%3)
"""


def test_text_of_pytorch_is_a_fixed_point() -> None:
    module = parse_graphs(TEXT)
    assert print_module(module) == TEXT
    verify(module)
    names = [op.name for op in module.walk()]
    assert "aten::gt.int" in names and "aten::relu" in names


def program() -> Operation:
    """A specialised function with most of what graphs hold."""
    module = new_module()
    f = t.func(module, "forward", ["x", "states[0]", "n"], [X, TensorType(DType.int64, ()), INT])
    x, _, n = f.body().args
    b = Builder(f.body())
    one = t.constant(b, 1, INT)
    none = t.none(b)
    weight = t.constant(b, W, TensorType(DType.float32, (2, 3)))
    weight.name = "weight"
    y = b.create("aten::add.Scalar", (x, n, one), (X,)).result
    y.name = "x"
    sums = b.create("aten::sum", (y, none), (TensorType(DType.float32, ()),)).result
    big = b.create(
        "aten::item", (b.create("aten::gt.Scalar", (sums, one), (TensorType(DType.bool, ()),)).result,), (BOOL,)
    ).result
    zero = t.constant(b, 0, INT)
    parts = b.create("aten::split.Tensor", (y, one, zero), (X, X)).results
    true = t.constant(b, True, BOOL)
    body = Block([INT, X], ["i", "acc"])
    with b.inside(body):
        nested = Block()
        with b.inside(nested):
            message = t.constant(b, 'bad "n"\n\té', STR)
            b.create("prim::RaiseException", (message, none))
            t.yield_(b, [])
        empty = Block()
        with b.inside(empty):
            t.yield_(b, [])
        b.create("prim::If", (big,), (), regions=[Region([nested]), Region([empty])])
        following = b.create("aten::mul.Tensor", (body.args[1], parts[1]), (X,)).result
        t.yield_(b, [true, following])
    loop = b.create("prim::Loop", (n, true, parts[0]), (X,), regions=[Region([body])]).result
    t.return_(b, [loop, weight])
    return module


def test_round_trip() -> None:
    module = program()
    verify(module)
    text = print_module(module)
    assert "%states_0_ : Long(device=cpu), # states[0]" in text
    assert "value=<Tensor>]() # constant fc.weight" in text and "= prim::ListUnpack(" in text
    again = parse_graphs(text, {"fc.weight": W})
    assert difference(module, again) is None
    assert print_module(again) == text
    assert difference(module, parse_module(text, {"fc.weight": W})) is None


def test_pytorch_reads_it() -> None:
    torch = pytest.importorskip("torch", reason="reads graphs with PyTorch's own parser")
    graph = torch._C.parse_ir(for_pytorch(print_module(program())), parse_tensor_constants=True)
    kinds = [node.kind() for node in graph.nodes()]
    assert "prim::Loop" in kinds and "aten::split" in kinds
    # What PyTorch prints of it is read back as the same program, but for what stands in comments.
    text = re.sub(r"value=[^\[\]]*\[ CPU[^\]]*\]", "value={0}", str(graph))
    ours = parse_graphs(text)
    assert [op.name for op in ours.walk() if op.name.startswith("aten::")] == [
        "aten::add.Scalar",
        "aten::sum",
        "aten::gt.Scalar",
        "aten::item",
        "aten::split.Tensor",
        "aten::mul.Tensor",
    ]


def test_graphs_of_pytorch_are_read() -> None:
    torch = pytest.importorskip("torch", reason="prints graphs with PyTorch")

    def f(x, n: int, names: dict[str, float]):
        total = 0.0
        for i in range(n):
            if i % 2 == 0:
                total += names["a"] * float(x.sum())
        pair = (x[0], [1, 2], "text")
        return torch.stack([x, x]).transpose(0, 1).softmax(-1), total, pair

    graph = torch.jit.script(f).graph
    module = parse_graphs(str(graph))
    verify(module)
    text = print_module(module)
    assert difference(module, parse_graphs(text)) is None
    # Same text as PyTorch's, but for the numbers of values and comments.
    lines = [line.split(" # ")[0] for line in str(graph).splitlines()]
    kinds = [line.split(" = ")[-1].split("(")[0] for line in lines if " = " in line]
    assert kinds == [line.split(" = ")[-1].split("(")[0] for line in text.splitlines() if " = " in line]


VALUES = [
    (1, INT),
    (-(2**63), INT),
    (True, BOOL),
    (1.0, FLOAT),
    (1e-20, FLOAT),
    (-0.0, FLOAT),
    (math.inf, FLOAT),
    (-math.inf, FLOAT),
    (math.nan, FLOAT),
    (123456789.25, FLOAT),
    (1 + 2j, COMPLEX),
    (2.5j, COMPLEX),
    (complex(-0.0, -1.0), COMPLEX),
    ('a\n\t"\\ é \x01 1.5', STR),
    ("cpu", DEVICE),
    (None, NONE),
    ((1, 2), ListType(INT)),
    ((1.0, 2.5), ListType(FLOAT)),
    ((), ListType(INT)),
    (("a", "b"), ListType(STR)),
]


@pytest.mark.parametrize(("value", "type"), VALUES)
def test_constants(value: object, type: object) -> None:
    module = new_module()
    f = t.func(module, "f", [], [])
    b = Builder(f.body())
    t.return_(b, [t.constant(b, value, type)])
    text = print_module(module)
    assert difference(module, parse_graphs(text)) is None
    if not isinstance(value, complex) or value == 2.5j:
        torch = pytest.importorskip("torch", reason="reads graphs with PyTorch's own parser")
        if not (isinstance(value, str) and "é" in value) and value not in (("a", "b"), ()):
            torch._C.parse_ir(text)


TYPES = [
    X,
    TensorType(DType.bool, ()),
    TensorType(DType.bfloat16, (3,)),
    TENSOR,
    OptionalType(TENSOR),
    ListType(OptionalType(INT)),
    OptionalType(ListType(ListType(INT))),
    TupleType(()),
    TupleType((INT,)),
    TupleType((INT, TupleType((STR, FLOAT)))),
    DictType(STR, ListType(INT)),
    UnionType((INT, STR)),
    FutureType(TENSOR),
    OptionalType(TupleType((INT, STR))),
]


@pytest.mark.parametrize("type", TYPES, ids=str)
def test_types(type: object) -> None:
    module = new_module()
    f = t.func(module, "f", ["x"], [type])
    t.return_(Builder(f.body()), f.body().args)
    text = print_module(module)
    assert difference(module, parse_graphs(text)) is None
    torch = pytest.importorskip("torch", reason="reads graphs with PyTorch's own parser")
    torch._C.parse_ir(text)


def test_methods_and_several_functions() -> None:
    net = ClassType("__torch__.Net", is_module=True)
    module = new_module()
    inner = t.func(module, "__torch__.Net.forward", ["self", "x"], [net, TENSOR])
    b = Builder(inner.body())
    weight = b.create("prim::GetAttr", (inner.body().args[0],), (TENSOR,), {"name": "weight"}).result
    t.return_(b, [weight])
    outer = t.func(module, "main", ["self", "x"], [net, TENSOR])
    b = Builder(outer.body())
    self_, x = outer.body().args
    y = b.create("prim::CallMethod", (self_, x), (TENSOR,), {"name": "forward"}).result
    g = t.function_constant(b, "helper")
    z = b.create("prim::CallFunction", (g, y), (TENSOR,)).result
    ok = b.create("prim::isinstance", (z,), (BOOL,), {"types": (INT, STR, ListType(TENSOR))}).result
    t.return_(b, [ok])
    text = print_module(module)
    assert text.startswith("# symbol __torch__.Net.forward\ngraph(%self : __torch__.Net,\n      %x : Tensor):\n")
    assert "prim::isinstance[types=[int, str, Tensor[]]](" in text
    assert difference(module, parse_graphs(text, classes={net.name: net})) is None


def test_locations_and_marks() -> None:
    module = parse_graphs(TEXT)
    from torchcc.ir.graph_text import print_module as print_graphs

    text = print_graphs(module, locations=True)
    assert "aten::relu(%x.1) # <string>:6:7\n" in text
    assert difference(module, parse_graphs(text)) is None
    relu = next(op for op in module.walk() if op.name == "aten::relu")
    marked = print_module(module, {relu: "wrong"})
    assert "aten::relu(%x.1)\n      # ^^^^ wrong\n" in marked
    assert difference(module, parse_graphs(marked)) is None


def test_deep_nesting() -> None:
    depth = 2000
    lines = ["graph(%c : bool):"]
    for i in range(depth):
        lines += ["  " + "    " * i + "%" + f"v{i} : bool = prim::If(%c)", "    " + "    " * i + "block0():"]
    for i in reversed(range(depth)):
        pad = "    " * i
        lines += [f"      {pad}-> (%c)", f"    {pad}block1():", f"      {pad}-> (%c)"]
    text = "\n".join([*lines, "  return (%c)", ""])
    module = parse_graphs(text)
    assert difference(module, parse_graphs(print_module(module))) is None


@pytest.mark.parametrize(
    ("text", "message", "excerpt"),
    [
        ("graph(%x):\n  %y = aten::relu(%z)\n  return (%y)\n", "`%z` is not defined here", "%z"),
        ("graph(%x : int):\n  %y = aten::relu(%x)\n  return (%y)\n", "no overload of `aten::relu` takes (int)", "aten::relu(%x)"),
        (
            "graph(%x : str):\n  %y : str = aten::matmul(%x, %x, %x)\n  return (%y)\n",
            "no overload of `aten::matmul` takes (str, str, str)",
            None,
        ),
        ("graph(%x : Flat(3)):\n  return (%x)\n", "expected", None),
        ("graph(%x):\n  %y = aten::relu(%x)\n", "ends without `return`", None),
        (
            "graph():\n  %c : Float(1, device=cpu) = prim::Constant[value=<Tensor>]()\n  return (%c)\n",
            "no data is given",
            None,
        ),
    ],
)
def test_errors(text: str, message: str, excerpt: str | None) -> None:
    with pytest.raises(CompileError) as caught:
        parse_graphs(text)
    diagnostic = caught.value.diagnostics[0]
    assert message in diagnostic.message and diagnostic.span is not None
    if excerpt:
        assert diagnostic.span.text == excerpt
