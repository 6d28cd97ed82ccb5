"""What is computed from weights only is computed at compile time, large as it may be, and in bounded memory."""

import numpy as np
import pytest

from torchcc import driver
from torchcc.api.arguments import spec_of
from torchcc.frontend.compile import compile_text
from torchcc.ir.attributes import Constant
from torchcc.ir.core import functions
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.lowering.graph import fold_constants as folding
from torchcc.lowering.graph.eliminate_dead_code import eliminate_dead_code
from torchcc.lowering.graph.fold_constants import LIMIT, fold_constants
from torchcc.lowering.graph.functionalize import functionalize
from torchcc.lowering.graph.specialize import specialize

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n"

N = 1 << 10
assert N * N > LIMIT

MODULE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn({n}, {n}))
        self.g = nn.Parameter(torch.rand({n}, 1))
        self.a = nn.Parameter(torch.randn({n}, 4))
        self.b = nn.Parameter(torch.randn(4, {n}))
        self.ids = torch.arange({n}) % 7
    def forward(self, x: Tensor):
        return {result}
"""


def graphs(result, x, n=N):
    program = compile_text(HEAD + MODULE.format(result=result, n=n), entry="Net()", seed=1)
    program.receiver.set_training(False)
    module, signature = specialize(program, (spec_of(x),), driver.composite)
    functionalize(module, signature)
    before = module.clone()
    fold_constants(module)
    eliminate_dead_code(module)
    return before, module


def names(module):
    (function,) = functions(module)
    return [op.name.partition(".")[0] for op in function.body().operations() if op.name.startswith("aten::")]


def sizes(module):
    values = [op.attributes.get("value") for op in module.walk()]
    return sorted(v.array.size for v in values if isinstance(v, Constant))


def run(module, x):
    (function,) = functions(module)
    return Interpreter(driver.composite).run(function, [x.copy()])[0]


X = np.random.default_rng(0).standard_normal((2, N)).astype(np.float32)

FOLDED = {
    "weight norm": "F.linear(x, self.g * self.w / self.w.norm(2, [1], True))",
    "low rank": "F.linear(x, self.w + torch.mm(self.a, self.b) * 0.5)",
    "mask": "F.linear(x, self.w * torch.tril(torch.ones_like(self.w)))",
    "standardised": "F.linear(x, (self.w - self.w.mean()) * 3)",
    "rows": "F.linear(x, self.w[self.ids])",
    "halves": "F.linear(x, torch.cat([self.w[:, 512:], self.w[:, :512]], 1))",
    "cast": "F.linear(x, self.w.double().float() + 1)",
}


@pytest.mark.parametrize("name", FOLDED)
def test_weights_are_computed_once(name):
    before, after = graphs(FOLDED[name], X)
    assert names(after) == ["aten::linear"] and sizes(after) == [N * N]
    np.testing.assert_allclose(run(after, X), run(before, X), rtol=1e-5, atol=1e-4)


def test_views_of_large_weights_stay_views():
    before, after = graphs("torch.matmul(x, self.w.t())", X)
    assert names(after) == ["aten::t", "aten::matmul"] and sizes(after) == [N * N]
    np.testing.assert_array_equal(run(after, X), run(before, X))


def test_a_table_is_made_from_nothing():
    result = f"x + torch.sin(torch.arange(4)[:, None] * torch.exp(torch.arange({N}) * -0.01)[None, :])[:2]"
    _, after = graphs(result, X)
    assert names(after) == ["aten::add"]


def test_memory_is_bounded():
    """Tensors that are much larger than what they come from are left to the run time."""
    _, after = graphs(f"F.linear(x, self.w) + (self.g * self.b[0:1].expand({N}, {N}))[:, :1].sum() * 0", X)
    assert max(sizes(after)) <= N * N
    _, after = graphs("x + (self.g[:, :, None] + self.w[None, :, :]).sum()", X)
    assert "aten::sum" in names(after)


def test_the_budget_is_shared(monkeypatch):
    monkeypatch.setattr(folding, "_LARGE_FLOOR", 0)
    terms = " + ".join(f"F.linear(x, self.w * {i + 2}.5)" for i in range(6))
    before, after = graphs(terms, X)
    assert 0 < names(after).count("aten::mul") < 6
    np.testing.assert_allclose(run(after, X), run(before, X), rtol=1e-5, atol=1e-3)


def test_random_numbers_and_arguments_stay():
    _, after = graphs("F.linear(x, F.dropout(self.w, 0.5, True))", X)
    assert len(names(after)) > 1
    _, after = graphs("F.linear(x, self.w * x[0])", X)
    assert "aten::mul" in names(after)
