"""Library functions that write to their weights, and ones that refuse their arguments before anything runs."""

from __future__ import annotations

import io

import numpy as np
import pytest

import torchcc
from torchcc.api import compile_source

torch = pytest.importorskip("torch", reason="compares with PyTorch")
nn, F = torch.nn, torch.nn.functional

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Renormed(nn.Module):
    """Rows that are looked up are shortened in the table itself."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(6, 4, max_norm=1.0)
        self.bags = nn.EmbeddingBag(6, 4, max_norm=0.7, norm_type=1.0, mode="sum")

    def forward(self, ids):
        return self.words(ids), self.bags(ids)


def test_embeddings_with_a_largest_norm() -> None:
    torch.manual_seed(0)
    scripted = torch.jit.script(Renormed())
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    ours = torchcc.load(buffer.getvalue())
    ids = torch.tensor([[1, 2], [2, 5]])
    for _ in range(2):
        for a, b in zip(ours(ids.numpy()), scripted(ids), strict=True):
            np.testing.assert_allclose(np.asarray(a), b.detach().numpy(), rtol=1e-6)
    for name, weight in scripted.state_dict().items():
        np.testing.assert_allclose(np.asarray(ours.state_dict()[name]), weight.numpy(), rtol=1e-6)


HEADS = """
import torch
from torch import Tensor
import torch.nn.functional as F

def f(q: Tensor, w: Tensor, b: Tensor, o: Tensor, c: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.multi_head_attention_forward(
        q, q, q, 6, 2, w, b, None, None, False, 0.0, o, c, training=False, need_weights=False, static_k=k, static_v=v
    )[0]
"""


def test_attention_with_given_heads() -> None:
    torch.manual_seed(0)
    q, w, b, o, c = torch.randn(5, 3, 6), torch.randn(18, 6), torch.randn(18), torch.randn(6, 6), torch.randn(6)
    k, v = torch.randn(6, 7, 3), torch.randn(6, 7, 3)
    expected = F.multi_head_attention_forward(
        q, q, q, 6, 2, w, b, None, None, False, 0.0, o, c, training=False, need_weights=False, static_k=k, static_v=v
    )[0]
    found = compile_source(HEADS).f(*(t.numpy() for t in (q, w, b, o, c, k, v)))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


REFUSED = """
import torch
from torch import Tensor
import torch.nn.functional as F

def odd(x: Tensor) -> Tensor:
    y = x + 1
    return F.glu(y, 1)

def sometimes(x: Tensor) -> Tensor:
    if bool(x.sum() > 100):
        return F.glu(x, 1)
    return x
"""


@pytest.mark.parametrize(("name", "line", "message"), [("odd", 8, "Halving dimension must be even")])
def test_what_an_operator_always_refuses_is_refused_when_compiled(name: str, line: int, message: str) -> None:
    with pytest.raises(torchcc.CompileError, match=message) as caught:
        getattr(compile_source(REFUSED), name)(np.ones((3, 3), np.float32))
    assert f"<source>:{line}:" in str(caught.value)


def test_what_a_condition_guards_is_refused_when_it_is_reached() -> None:
    f = compile_source(REFUSED).sometimes
    assert f(np.ones((3, 3), np.float32)).shape == (3, 3)
    with pytest.raises(torchcc.ExecutionError, match="Halving dimension must be even"):
        f(np.full((3, 3), 100, np.float32))
