"""The structure of emitted functions, compared with PyTorch's own graphs of the same text."""

import pytest

from torchcc.frontend.compile import compile_text
from torchcc.ir.core import Block, Operation, lookup

torch = pytest.importorskip("torch", reason="PyTorch's graphs are the expected values")

_HIDDEN = {"prim::Constant", "prim::Uninitialized", "torch.yield", "torch.return"}
_EFFECTS = ("prim::SetAttr", "prim::RaiseException", "prim::Print", "prim::Loop", "prim::If", "aten::append")


def ours(block: Block) -> list[object]:
    """Kinds of the nodes of a block, nested blocks as lists behind them; without constants and unused nodes."""
    found: list[object] = []
    for op in block.operations():
        if op.name in _HIDDEN or _is_unused(op):
            continue
        found.append(op.name.partition(".")[0])
        found += [ours(region.blocks[0]) for region in op.regions]
    return found


def _is_unused(op: Operation) -> bool:
    writes = op.name.startswith(_EFFECTS) or op.name.partition(".")[0].endswith("_")
    return not writes and not any(r.uses for r in op.results)


def theirs(block) -> list[object]:
    found: list[object] = []
    for node in block.nodes():
        if node.kind() not in _HIDDEN:
            found.append(node.kind())
            found += [theirs(b) for b in node.blocks()]
    return found


_PROGRAMS = {
    "arithmetic": """
def f(x, y, n: int):
    a = x + y * 2 - n
    b = a / 3 + 1.5
    c = -b
    return c ** 2, x @ y, ~(x > y), n // 2, n % 3
""",
    "reversed numbers": """
def f(x):
    return 1 - x, 2 / x, 3 * x, 1 < x, 2 ** x, x // 2
""",
    "indexing": """
def f(x, i):
    return x[0], x[1:, 2], x[..., 0], x[None], x[:, None, 1:5:2], x[i], x[i, 1], x[x > 0], x[-1, ..., -1]
""",
    "writing": """
def f(x):
    x[0] = 1.0
    x[1:] += 2
    x[x > 3] = 0.0
    x += 1
    x *= x
    return x
""",
    "if": """
def f(x, n: int):
    if n > 0:
        y = x + 1
    elif n < 0:
        y = x - 1
    else:
        y = x
    return y * 2
""",
    "for": """
def f(x, n: int):
    for i in range(n):
        x = x * i
    for j in range(1, n, 2):
        x = x + j
    return x
""",
    "while": """
def f(x, n: int):
    while n > 0:
        x = x + 1
        n -= 1
    return x
""",
    "lists": """
def f(n: int):
    l = [1, 2, 3]
    l.append(n)
    s = 0
    for e in l:
        s += e
    return s, l[0], l[1:], len(l)
""",
    "tensor attributes": """
def f(x):
    a, b = x.shape
    return x.T, x.float(), x.to(torch.int64), x.dim(), a * b, x.size(0), x.dtype, x.device
""",
    "ternary and booleans": """
def f(x, c: bool, n: int):
    y = x + 1 if c else x - 1
    return y, c and n > 1, not c, n > 0 or c
""",
    "calls": """
def f(x):
    a = torch.cat([x, x], 1).sum(1, keepdim=True)
    b = torch.zeros(2, 3).view(-1).permute(0)
    return torch.matmul(a, b), torch.max(x, 1), x.mean((0, 1))
""",
    "strings": """
def f(n: int, s: str):
    return "{} {}".format(n, "a"), s + "b", str(n), len(s), s[1:], s.split(",")
""",
    "zip and enumerate": """
def f(a: List[int], b: List[int]):
    s = 0
    for i, (x, y) in enumerate(zip(a, b)):
        s += i * x + y
    return s
""",
    "tensor loop": """
def f(x):
    s = torch.zeros(1)
    for row in x:
        s = s + row
    return s
""",
    "early return": """
def f(x, c: bool):
    if c:
        return x
    y = x + 1
    return y * 2
""",
    "assert": """
def f(x, n: int):
    assert n > 0, "positive"
    return x * n
""",
    "raise": """
def f(x, n: int):
    if n < 0:
        raise ValueError("negative")
    return x * n
""",
    "optional": """
def f(x, y: Optional[Tensor]):
    if y is not None:
        x = x + y
    return x
""",
}


@pytest.mark.parametrize("name", _PROGRAMS)
def test_same_nodes_as_pytorch(name):
    text = _PROGRAMS[name]
    program = compile_text("import torch\nfrom typing import *\nfrom torch import Tensor\n" + text, entry="f")
    function = lookup(program.module, "f")
    assert function is not None
    expected = theirs(torch.jit.CompilationUnit(text).f.graph)
    assert ours(function.body()) == expected


def test_schema_is_pytorchs():
    text = (
        'def f(x, y: int = 3, z: Optional[List[int]] = None, *, s: str) -> Tuple[Tensor, int]:\n    return x, y\n'
    )
    program = compile_text("import torch\nfrom typing import *\nfrom torch import Tensor\n" + text, entry="f")
    assert str(program.schema) == str(torch.jit.CompilationUnit(text).f.schema)
