"""The module evaluator: Python's meaning over our tree, PyTorch's rules for modules, and bounds for what is hostile."""

import numpy as np
import pytest

from torchcc.frontend.evaluator import Interpreter, Limits, sibling_loader
from torchcc.frontend.parser import parse
from torchcc.frontend.values import (
    MISSING,
    BuiltinRef,
    ClassValue,
    FunctionValue,
    ModuleInstance,
    ModuleRef,
    TypeExpression,
    Unavailable,
)
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dtypes import DType
from torchcc.ir.source import SourceFile

PRELUDE = """import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import *
"""


def run(text, entry="M", **options):
    interpreter = Interpreter(seed=0, **options)
    scope = interpreter.module_scope(parse(SourceFile("m.py", PRELUDE + text)))
    return interpreter.evaluate_entry(scope, entry)


def module(body, before="", args=""):
    lines = "\n".join(f"        {line}" for line in body.strip("\n").split("\n"))
    return run(
        f"{before}\nclass M(nn.Module):\n    def __init__(self):\n        super().__init__()\n{lines}\n", f"M({args})"
    )


def value(expression, before=""):
    lines = "\n".join(f"    {line}" for line in before.strip("\n").split("\n")) if before else "    pass"
    return run(f"def f():\n{lines}\n    return {expression}\n", "f()")


# Python


@pytest.mark.parametrize(
    "expression",
    [
        "1 + 2 * 3 ** 2 // 4 % 5 - -1",
        "7 / 2, 7 // -2, -7 % 3, 2 ** -1, 1 << 3 | 4 & 6 ^ 1, ~5",
        "'a' + 'b' * 3, 'x' in 'xyz', 'a' < 'b', 'abc'[::-1], 'abc'[1]",
        "[1, 2] + [3] * 2, (1,) + (2, 3), [*range(3), *'ab']",
        "{'a': 1, **{'b': 2}}['b'], {1, 2, 2} == {2, 1}",
        "1 < 2 < 3, 1 < 2 > 5, 1 == 1.0, None is None, 3 not in [1, 2]",
        "0 or 'x', 1 and [], not 1, 5 if [] else 6",
        "[i * j for i in range(4) if i % 2 for j in range(2)], {k: v for k, v in zip('ab', [1, 2])}, {x % 2 for x in range(5)}",
        "sum(x for x in [1, 2]), max(3, 1), min([2, 1]), len('abc'), abs(-2), round(2.567, 2), divmod(7, 2)",
        "sorted([3, 1, 2], reverse=True), sorted('bca', key=lambda c: -ord(c)), list(reversed([1, 2])), list(enumerate('ab', 1))",
        "list(map(lambda x, y: x + y, [1, 2], [3, 4])), list(filter(None, [0, 1])), any([0, 1]), all([])",
        "int('12'), float('1.5'), str(3), bool([]), tuple([1]), dict(a=1), dict([('b', 2)]), int(2.9), complex(1, 2)",
        "'a,b'.split(','), '-'.join(['x', 'y']), 'Ab'.lower(), '{}-{k}'.format(1, k=2), '%d %s' % (3, 'x'), ' a '.strip()",
        'f\'{3}a{"b"!r:>5}{2.5:.2f}{10:04d}{[1, "x"]}\'',
        "isinstance(1, int), isinstance('a', (int, str)), isinstance([], tuple), isinstance(True, int), callable(len)",
        "[1, 2, 3, 4][1:3], [1, 2, 3][-1], (1, 2, 3)[::2], range(10)[2:5][1], {'a': 1}.get('b', 7), list({'a': 1}.items())",
        "(lambda x, *a, k=2, **r: (x, a, k, r))(1, 2, 3, k=4, z=5)",
        "hex(255), bin(5), chr(97), ord('a'), pow(2, 5), pow(2, 5, 7), list(zip([1, 2], 'ab'))",
    ],
)
def test_expressions_mean_what_python_means(expression):
    assert value(expression) == eval(expression)


@pytest.mark.parametrize(
    ("before", "expression"),
    [
        ("a = b = [1]\na.append(2)\na += [3]", "b"),
        ("a, (b, *c), d = 1, (2, 3, 4), 5", "a, b, c, d"),
        ("s = 0\nfor i in range(10):\n    if i == 2: continue\n    if i == 5: break\n    s += i\nelse:\n    s = -1", "s, i"),
        ("n = 0\nwhile n < 5:\n    n += 1\nelse:\n    n *= 10", "n"),
        ("d = {}\nd['a'] = 1\nd['b'] = d.pop('a')\nd.update(c=3)\ndel d['b']", "d"),
        ("x = [0] * 4\nx[1:3] = [7, 8]\nx[0] += 5\ndel x[3]", "x"),
        ("def g(n):\n    return 1 if n <= 1 else n * g(n - 1)", "g(5)"),
        ("def outer(k):\n    def inner(x, y=k):\n        return x + y + k\n    return inner", "outer(3)(1), outer(2)(1, 1)"),
        ("fs = [lambda i=i: i for i in range(3)]", "[f() for f in fs]"),
        ("def g(a, b=2, *c, d=4, **e):\n    return a, b, c, d, e", "g(1), g(1, 3, 5, d=6, z=7), g(b=1, a=2)"),
        ("x = 1\nassert x == 1, 'no'\nif x > 5:\n    y = 1\nelif x == 1:\n    y = 2\nelse:\n    y = 3", "y"),
        ("class A:\n    k = 3\n    def __init__(self, v):\n        self.v = v\n    def get(self):\n        return self.v + self.k\n"
         "    @property\n    def twice(self):\n        return self.v * 2\n    @staticmethod\n    def s(x):\n        return x\n"
         "    @classmethod\n    def make(cls):\n        return cls(9)", "A(1).get(), A(2).twice, A.s(5), A.make().v, A.k"),
        ("class A:\n    def f(self): return 'A'\nclass B(A):\n    def f(self): return 'B' + super().f()\n"
         "class C(A):\n    def f(self): return 'C' + super().f()\nclass D(B, C):\n    pass", "D().f()"),
    ],
)  # fmt: skip
def test_statements_mean_what_python_means(before, expression):
    names = {}
    exec(before, names)
    assert value(expression, before) == eval(expression, names)


def test_enum_namedtuple_dataclass_partial():
    text = """
from collections import namedtuple, OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
class C(Enum):
    R = 1
    G = 2
class P(NamedTuple):
    x: int
    y: int = 3
Q = namedtuple("Q", "a b")
@dataclass
class Config:
    width: int
    names: list = field(default_factory=list)
    depth: int = 2
def f():
    p = P(1)
    a, b = p
    c = Config(4, depth=5)
    add = partial(lambda x, y, z: (x, y, z), 1, z=3)
    d = OrderedDict([("k", 1)])
    return p.x, p[1], a + b, Q(1, 2).b, c.width, c.names, c.depth, C.R.value, C(2).name, C.R is C.R, [m.name for m in C], add(2), d["k"]
"""
    assert run(text, "f()") == (1, 3, 4, 2, 4, [], 5, 1, "G", True, ["R", "G"], (1, 2, 3), 1)


def test_math_and_constants():
    assert value("math.sqrt(16), math.pi, math.floor(2.5), math.prod([2, 3]), math.log(8, 2), math.inf, torch.pi")[
        :3
    ] == (4.0, np.pi, 2)
    assert value("torch.float32, torch.half, torch.long") == (DType.float32, DType.float16, DType.int64)


# tensors


@pytest.mark.parametrize(
    "expression",
    [
        "torch.zeros(2, 3)", "torch.ones([2])", "torch.full((2, 2), 7)", "torch.full((2,), 1.5)", "torch.eye(3)", "torch.arange(5)",
        "torch.arange(1, 2, 0.25)", "torch.linspace(0, 1, 7)", "torch.tensor([[1, 2], [3, 4]])", "torch.tensor([1.5, True])",
        "torch.tensor(3)", "torch.logspace(0, 2, 3)", "torch.zeros(2, dtype=torch.int64)", "torch.arange(3).float() * 2 + 1",
        "torch.arange(4) / 2", "torch.arange(4) // 3 - 1", "torch.exp(torch.arange(0, 8, 2).float() * (-math.log(10000.0) / 8))",
        "torch.ones(2, 3).sum(1)", "torch.arange(6).view(2, 3).t()", "torch.arange(6).reshape(3, -1).max(1)[1]",
        "torch.cat([torch.ones(2), torch.zeros(1)])", "torch.stack([torch.arange(2), torch.arange(2)], 1)",
        "torch.triu(torch.ones(3, 3), diagonal=1).bool()", "torch.ones(2, 3)[0, 1:]", "torch.arange(6)[torch.tensor([1, 3])]",
        "torch.outer(torch.arange(3).float(), torch.arange(2).float())", "torch.ones(3).unsqueeze(0).expand(2, -1)",
        "torch.arange(3).repeat(2, 2)", "torch.where(torch.arange(4) > 1, 1.0, 0.0)", "torch.arange(4).float().mean()",
        "torch.arange(4.0).std()", "torch.arange(4)[None, :, None].shape", "torch.meshgrid(torch.arange(2), torch.arange(3), indexing='ij')[1]",
        "torch.arange(10).clamp(2, 5)", "torch.einsum('i,j->ij', torch.arange(2.0), torch.arange(3.0))", "-torch.arange(3)", "2 ** torch.arange(3)",
        "torch.ones(2) == torch.tensor([1, 2])", "1 - torch.arange(3)", "torch.arange(3).to(torch.float64) / 3", "torch.arange(4).pow(2).tolist()",
        "torch.randn(3, 4)", "torch.rand(5)", "torch.randint(0, 9, (4,))", "torch.randperm(6)", "torch.empty(20).normal_(1, 2)",
        "torch.empty(3).uniform_(-1, 1)", "torch.bernoulli(torch.full((5,), 0.5))", "torch.arange(3).int() + torch.arange(3).to(torch.int16)",
        "torch.tensor(2) * torch.arange(3.0)", "torch.tensor(2.5) * torch.arange(3)", "torch.cumsum(torch.arange(4), 0)",
    ],
)  # fmt: skip
def test_tensor_functions_against_torch(expression):
    torch = pytest.importorskip("torch", reason="the meaning of the functions is PyTorch's")
    import math

    torch.manual_seed(0)
    expected = eval(expression, {"torch": torch, "math": math})
    found = value(expression)
    if not isinstance(expected, torch.Tensor):
        assert list(found) == list(expected)
        return
    assert found.dtype.name == str(expected.dtype).removeprefix("torch.")
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found.array, expected.numpy(), rtol=1e-6, atol=1e-6)


def test_views_and_writes_in_place():
    m = module("""
self.w = nn.Parameter(torch.zeros(4))
v = self.w.data[1:3]
v.fill_(5)
self.w.data[0] = 1
x = torch.ones(2)
x += 1
x.mul_(3)
self.register_buffer("x", x)
""")
    assert m.parameters["w"].array.tolist() == [1, 5, 5, 0]
    assert m.buffers["x"].array.tolist() == [6, 6]


# modules


def test_registration_follows_pytorch():
    m = module("""
self.n, self.name, self.items = 3, "x", [1, 2]
self.w = nn.Parameter(torch.ones(2))
self.register_parameter("bias", None)
self.register_buffer("b", torch.zeros(1))
self.register_buffer("h", torch.zeros(1), persistent=False)
self.sub = nn.Linear(2, 3)
self.add_module("other", nn.ReLU())
self.gone = None
self.gone = nn.Identity()
self.t = torch.ones(3)
setattr(self, "dyn", 4)
self.b = torch.ones(1)
""")
    assert isinstance(m, ModuleInstance) and m.training
    assert list(m.attributes) == ["training", "n", "name", "items", "t", "dyn"]
    assert list(m.parameters) == ["w", "bias"] and m.parameters["bias"] is None
    assert list(m.buffers) == ["b", "h"] and m.non_persistent == {"h"} and m.buffers["b"].array[0] == 1
    assert list(m.modules) == ["sub", "other", "gone"]
    assert [n for n, _ in m.named_tensors()] == ["w", "b", "sub.weight", "sub.bias"]
    assert m.modules["sub"].cls.qualified == "torch.nn.modules.linear.Linear"


def test_containers():
    m = module(
        """
self.seq = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), *[nn.Linear(3, 3) for _ in range(2)])
self.ml = nn.ModuleList([nn.Linear(1, 1) for _ in range(2)])
self.ml.append(nn.Linear(1, 2))
self.ml += [nn.Identity()]
self.md = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
self.md["c"] = nn.Tanh()
self.pl = nn.ParameterList([torch.ones(2), nn.Parameter(torch.zeros(1))])
self.k = len(self.ml), self.ml[-2].out_features, [l.__class__.__name__ for l in self.seq], "b" in self.md, list(self.md.keys())
self.od = nn.Sequential(__import__ if False else OrderedDict([("x", nn.ReLU())]))
self.head = nn.Sequential(*list(self.seq.children())[:2])
""",
        before="from collections import OrderedDict",
    )
    assert m.attributes["k"] == (4, 2, ["Linear", "ReLU", "Linear", "Linear"], True, ["a", "b", "c"])
    assert m.modules["seq"].container == "sequential" and m.modules["md"].container == "module_dict"
    assert list(m.modules["od"].modules) == ["x"] and list(m.modules["pl"].parameters) == ["0", "1"]
    assert m.modules["head"].modules["0"] is m.modules["seq"].modules["0"]


def test_inheritance_and_helpers():
    text = """
WIDTHS = [4, 8]
def conv(i, o, k=3, **kw):
    return nn.Conv2d(i, o, k, padding=k // 2, bias=False, **kw)
class Block(nn.Sequential):
    def __init__(self, i, o, norm_layer=None):
        norm_layer = norm_layer or nn.BatchNorm2d
        super().__init__(conv(i, o), norm_layer(o), nn.ReLU(inplace=True))
class Base(nn.Module):
    expansion: int = 2
    def __init__(self, widths, act=nn.ReLU):
        super(Base, self).__init__()
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip([3] + widths[:-1], widths))
        self.act = act()
        self.fc = self._make_fc(widths[-1])
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1.5)
        self.apply(self._init)
    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.zeros_(m.bias)
    def _make_fc(self, n):
        raise NotImplementedError
class M(Base):
    def __init__(self, widths=WIDTHS, **kwargs):
        super().__init__(widths, **kwargs)
        self.depth = len(widths) * self.expansion
    def _make_fc(self, n):
        return nn.Linear(n * self.expansion, 10)
"""
    m = run(text, "M(act=nn.GELU)")
    assert m.modules["act"].cls.name == "GELU" and m.attributes["depth"] == 4
    assert m.modules["fc"].parameters["bias"].array.sum() == 0
    assert m.modules["blocks"].modules["1"].modules["1"].parameters["weight"].array.tolist() == [1.5] * 8
    assert [c.name for c in m.cls.mro] == ["M", "Base", "Module"] and "expansion" in m.cls.all_annotations


def test_shared_modules_and_tied_weights():
    m = module("""
self.a = nn.Linear(2, 2)
self.b = self.a
self.c = nn.Linear(2, 2)
self.c.weight = self.a.weight
import copy
self.d = copy.deepcopy(self.a)
self.n = len(list(self.parameters()))
self.eval()
""")
    assert (
        m.modules["a"] is m.modules["b"] and m.modules["c"].parameters["weight"] is m.modules["a"].parameters["weight"]
    )
    assert m.modules["d"].parameters["weight"] is not m.modules["a"].parameters["weight"]
    assert m.attributes["n"] == 5 and not m.training and not m.modules["d"].training


def test_what_a_type_checker_sees():
    interpreter = Interpreter()
    text = """
import json
try:
    import fast
except ImportError:
    fast = None
Pair = Tuple[int, int]
BROKEN = json.loads("1")
def helper(x: int): return x
class M(nn.Module):
    __constants__ = ["k"]
    k: Final[int]
    @torch.jit.export
    def extra(self, x): return x
    @torch.jit.ignore(drop=True)
    def dropped(self, x): return x
    @property
    def p(self): return 1
    @p.setter
    def p(self, v): pass
"""
    scope = interpreter.module_scope(parse(SourceFile("m.py", PRELUDE + text)))
    assert scope.lookup("nn") == ModuleRef("torch.nn") and scope.lookup("Tensor") == BuiltinRef("torch.Tensor")
    assert scope.lookup("len") == BuiltinRef("builtins.len") and scope.lookup("nothing") is MISSING
    assert isinstance(scope.lookup("Pair"), TypeExpression) and isinstance(scope.lookup("helper"), FunctionValue)
    for name in ("json", "fast", "BROKEN"):
        assert isinstance(scope.lookup(name), Unavailable)
    cls = scope.lookup("M")
    assert isinstance(cls, ClassValue) and cls.kind == "module" and cls.qualified == "M" and cls.constants == ("k",)
    assert cls.find("extra").decorators == ("torch.jit.export",) and cls.find("extra").qualified == "M.extra"
    assert cls.find("dropped").decorators == ("torch.jit.unused",)
    assert cls.find("p").decorators == ("builtins.property",) and cls.find("p.setter").owner is cls
    functional = interpreter.attribute(scope.lookup("F"), "nothing_like_this", None)
    assert functional == BuiltinRef("torch.nn.functional.nothing_like_this")
    assert interpreter.attribute(ModuleRef("torch"), "float16", None) is DType.float16
    assert interpreter.attribute(ModuleRef("torch.nn"), "Conv2d", None).scope.name == "torch.nn.modules.conv"


def test_main_guard_and_seed():
    text = "torch.manual_seed(3)\nW = torch.rand(1)\nif __name__ == '__main__':\n    train()\nprint(undefined)\ndef f(): return W\n"
    torch = pytest.importorskip("torch", reason="the numbers are PyTorch's")
    torch.manual_seed(3)
    assert run(text, "f()").array.item() == torch.rand(1).item()


def test_files_beside_the_file(tmp_path):
    (tmp_path / "layers.py").write_text(
        "from torch import nn\nfrom .sizes import N\nclass L(nn.Linear):\n  def __init__(self): super().__init__(N, 1)\n"
    )
    (tmp_path / "sizes.py").write_text("N = 5\n")
    text = "import torch.nn as nn\nimport layers\nfrom layers import L\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.a, self.b = L(), layers.L()\n"
    interpreter = Interpreter(loader=sibling_loader(tmp_path / "m.py"))
    m = interpreter.evaluate_entry(interpreter.module_scope(parse(SourceFile("m.py", text))), "M")
    assert m.modules["a"].attributes["in_features"] == 5 and m.modules["a"].cls.qualified == "layers.L"


def test_without_initialisation():
    m = run(
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.l = nn.Linear(3, 3)\n    self.n = nn.BatchNorm1d(2)\n",
        initialise=False,
    )
    assert not m.modules["l"].parameters["weight"].array.any() and m.modules["n"].buffers["running_var"].array.all()


# errors

ERRORS = [
    ("self.x = undefined", "`undefined` is not defined", "undefined"),
    ("self.x = nn.Linar(1, 2)", "`torch.nn.Linar` cannot be called", "nn.Linar(1, 2)"),
    ("self.x = 1 + 'a'", "unsupported operand", "1 + 'a'"),
    ("self.x = [1][5]", "list index out of range", "[1][5]"),
    ("self.x = {}['k']", "there is no key 'k'", "{}['k']"),
    ("self.x = 1 / 0", "division by zero", "1 / 0"),
    ("self.x = nn.Linear(2)", "missing the argument `out_features`", "nn.Linear(2)"),
    (
        "self.x = nn.Linear(2, 3, 4, 5, 6, 7)",
        "takes 6 positional arguments, 7 are given",
        "nn.Linear(2, 3, 4, 5, 6, 7)",
    ),
    ("self.x = nn.Linear(2, 3, biass=True)", "no parameter `biass`", "nn.Linear(2, 3, biass=True)"),
    (
        "self.x = nn.Conv2d(3, 4, 3, groups=2)",
        "in_channels must be divisible by groups",
        "nn.Conv2d(3, 4, 3, groups=2)",
    ),
    ("self.x = torch.cat([1, 2])", "`torch.cat`", "torch.cat([1, 2])"),
    ("self.x = torch.ones(2) + torch.ones(3)", "shape mismatch", "torch.ones(2) + torch.ones(3)"),
    ("self.x = torch.zeros(-1)", "cannot have the shape", "torch.zeros(-1)"),
    ("self.register_buffer('a.b', None)", "without dots", "self.register_buffer('a.b', None)"),
    ("self.w = nn.Parameter(torch.ones(1)); self.w = 3", "cannot assign 3 as parameter `w`", "self.w"),
    ("try:\n    pass\nexcept A:\n    pass", "`try` blocks are not supported", "try"),
    ("self.x = (y := 3)", "assignment expressions (`:=`) are not supported", "(y := 3)"),
    ("raise ValueError(f'bad {3}')", "ValueError: bad 3", "raise ValueError(f'bad {3}')"),
    ("assert 1 == 2, 'message'", "assertion failed: message", "1 == 2"),
    ("a, b = 1, 2, 3", "3 values cannot be unpacked into 2 names", "a, b"),
    ("self.x = open('/etc/passwd').read()", "`open` cannot be called", "open('/etc/passwd')"),
    ("self.x = eval('1')", "`eval` cannot be called", "eval('1')"),
    ("self.x = __import__('os')", "`__import__` is not defined", "__import__"),
    ("self.x = ().__class__.__bases__", None, None),
    ("self.x = (1).__class__.__subclasses__()", "cannot be called", None),
    ("self.x = '{0.__class__}'.format(1)", "not supported here", None),
    ("self.x = 3\nself.x.y = 2", "cannot set an attribute", None),
    ("with open('f') as f:\n    pass", "cannot be called", None),
    ("self.x = json.loads('1')", "torchcc does not know the Python module `json`", "json"),
]


@pytest.mark.parametrize(("body", "message", "underlined"), ERRORS, ids=[e[0][:50] for e in ERRORS])
def test_errors_have_a_place(body, message, underlined):
    if message is None:
        module(body, before="import json")
        return
    with pytest.raises(CompileError) as error:
        module(body, before="import json")
    (diagnostic,) = error.value.diagnostics
    assert message in diagnostic.message
    assert diagnostic.span is not None and diagnostic.span.file.name == "m.py"
    if underlined is not None:
        assert diagnostic.span.text == underlined


def test_misspelled_modules_get_a_suggestion():
    with pytest.raises(CompileError, match=r"did you mean `BatchNorm2d`\?"):
        module("self.n = nn.BatchNorm2D(3)")


def test_a_module_without_super_init():
    with pytest.raises(CompileError, match=r"before Module.__init__\(\) is called"):
        run("class M(nn.Module):\n  def __init__(self):\n    self.l = nn.Linear(1, 1)\n")


def test_hooks_are_functions():
    built = module("self.act = nn.ReLU()\nself.act.register_forward_hook(after)", "def after(m, i, o):\n    return o + 1")
    assert [h.name for h in built.modules["act"].hooks] == ["after"]
    with pytest.raises(CompileError, match="a hook must be a function"):
        module("self.act = nn.ReLU()\nself.act.register_forward_hook(self.act)")


def test_errors_in_the_library_show_the_users_line():
    with pytest.raises(CompileError) as error:
        module("self.c = nn.Conv2d(3, 4, 3, groups=2)")
    text = str(error.value)
    assert text.startswith("error: ValueError: in_channels must be divisible by groups\n  --> m.py:11:18")
    assert "note: raised in the nn library" in text and "note: in the call of `M.__init__` here" in text


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "for i in range(10 ** 18): pass",
        "x = [0] * 10 ** 12",
        "x = 'a' * 10 ** 12",
        "x = list(range(10 ** 12))",
        "x = [1]\nwhile True: x = x + x",
        "x = 'ab'\nfor i in range(100): x = x + x",
        "x = 10 ** 10 ** 10",
        "x = 1 << 10 ** 12",
        "x = 2\nfor i in range(100): x = x * x",
        "x = f'{1:999999999}'",
        "x = '%999999999d' % 1",
        "x = '{:999999999}'.format(1)",
        "x = 'a'.rjust(10 ** 12)",
        "x = torch.zeros(10 ** 12)",
        "x = torch.zeros(10 ** 5, 10 ** 5, 10 ** 5)",
        "x = torch.ones(1).expand(10 ** 12).clone()",
        "x = torch.arange(10 ** 12)",
        "x = torch.ones(10 ** 5).repeat(10 ** 8)",
        "x = torch.outer(torch.ones(10 ** 7), torch.ones(10 ** 7))",
        "def f(n): return f(n + 1)\nx = f(0)",
        "f = lambda f: f(f)\nx = f(f)",
        "x = math.factorial(10 ** 8)",
        "x = []\nfor i in range(10 ** 9): x.append(x)",
        "x = int('9' * 10 ** 6)",
        "x = [[i for i in range(10000)] for j in range(10000)]",
        "x = 'a'.replace('a', 'b' * 1000).replace('b', 'c' * 1000).replace('c', 'd' * 1000)",
    ],
)
def test_hostile_programs_end_quickly(body):
    with pytest.raises(CompileError):
        run(
            "class M(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            + "\n".join(f"        {line}" for line in body.split("\n"))
            + "\n",
            limits=Limits(steps=200_000, tensor_bytes=1 << 30),
        )


def test_limit_at_top_level_is_reported_at_once():
    with pytest.raises(CompileError, match="more than 1,000 steps"):
        run("while True: pass\ndef f(): return 1\n", "f()", limits=Limits(steps=1000))
