"""Modules whose state is None, empty, longer or of another shape depending on what a call is given: as in PyTorch."""

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")

PRELUDE = "import torch\nimport torch.nn as nn\nfrom torch import Tensor\nfrom typing import Dict, List, Optional, Tuple\n"
X = np.random.RandomState(0).randn(2, 3).astype(np.float32)
Y = np.random.RandomState(1).randn(4, 3).astype(np.float32)

MODULES = {
    "optional": (
        """
class M(nn.Module):
    h: Optional[Tensor]
    def __init__(self):
        super().__init__()
        self.h = None
    def forward(self, x, n: int):
        if n == 0:
            self.h = None
        h = self.h
        h = x if h is None else h + x
        self.h = h
        if n == 9:
            self.h = None
        return h
""",
        [(X, 1), (X, 2), (X, 0), (X, 3), (X, 9), (X, 1)],
    ),
    "reset_when_the_batch_changes": (
        """
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros([0])
        self.last = 0
        self.lin = nn.Linear(3, 3)
    def reset(self):
        self.h = torch.zeros([0])
        self.last = 0
    def forward(self, x, k: int):
        if self.last and self.last != x.size(0):
            self.reset()
        if k > 100:
            self.reset()
        if x.size(0) > k:
            raise ValueError(f"{x.size(0)} rows are more than {k}")
        h = torch.zeros_like(x) if len(self.h) == 0 else self.h
        h = torch.tanh(self.lin(x) + h)
        self.h = h
        self.last = x.size(0)
        return h
""",
        [(X, 5), (X, 5), (Y, 5), (Y, 5), (Y, 101), (Y, 3), (X, 5)],
    ),
    "list": (
        """
class M(nn.Module):
    buf: List[Tensor]
    def __init__(self):
        super().__init__()
        self.buf = torch.jit.annotate(List[Tensor], [])
    def forward(self, x, n: int):
        if n > 1:
            self.buf.append(x)
        if n > 5:
            self.buf = [x]
        if len(self.buf) == 0:
            return x.sum(0)
        return torch.stack(self.buf).sum(0).sum(0)
""",
        [(X, 1), (X, 2), (X, 2), (X, 1), (X, 6), (X, 2)],
    ),
    "text": (
        """
class M(nn.Module):
    mode: str
    def __init__(self):
        super().__init__()
        self.mode = "a"
    def forward(self, x, n: int):
        if n > 1:
            self.mode = "b"
        elif n == 1:
            self.mode = "c"
        if self.mode == "a":
            return x
        elif self.mode == "b":
            return x + 1
        return x * 5
""",
        [(X, 0), (X, 2), (X, 0), (X, 1), (X, 0)],
    ),
    "tuple": (
        """
class M(nn.Module):
    s: Optional[Tuple[Tensor, Tensor]]
    def __init__(self):
        super().__init__()
        self.s = None
        self.cell = nn.LSTMCell(3, 4)
    def forward(self, x, reset: bool):
        if reset:
            self.s = None
        s = self.cell(x, self.s)
        self.s = s
        return s[0]
""",
        [(X, False), (X, False), (X, True), (X, False)],
    ),
    "cache_that_is_cut": (
        """
class M(nn.Module):
    k: Optional[Tensor]
    def __init__(self):
        super().__init__()
        self.k = None
    def forward(self, x, n: int):
        k = self.k
        if k is not None and k.size(0) + x.size(0) <= n:
            k = torch.cat([k, x], 0)
        else:
            k = x
        self.k = k
        return k.sum(0)
""",
        [(X, 8), (X, 8), (X, 8), (X, 8), (X, 8), (Y, 8)],
    ),
    "incremental_attention": (
        """
class Attn(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(3, 3)
        self.k = nn.Linear(3, 3)
        self.v = nn.Linear(3, 3)
    def forward(self, x, state: Optional[Dict[str, Optional[Tensor]]], key_mask: Optional[Tensor]):
        q = self.q(x)
        k = self.k(x)
        v = self.v(x)
        if state is not None:
            if "k" in state:
                pk = state["k"]
                pv = state["v"]
                assert pk is not None and pv is not None
                k = torch.cat([pk, k], 0)
                v = torch.cat([pv, v], 0)
            state["k"] = k
            state["v"] = v
        w = q @ k.t()
        if key_mask is not None:
            w = w.masked_fill(key_mask, float("-inf"))
        return torch.softmax(w, -1) @ v
class M(nn.Module):
    cache: Dict[str, Optional[Tensor]]
    def __init__(self):
        super().__init__()
        self.a = Attn()
        self.cache = torch.jit.annotate(Dict[str, Optional[Tensor]], {})
    def forward(self, x, n: int):
        if n == 0:
            self.cache.clear()
        if n > 5:
            return self.a(x, None, None)
        return self.a(x, self.cache, None)
""",
        [(X, 1), (X, 2), (X, 6), (X, 0), (X, 3)],
    ),
    "stream_of_samples": (
        """
class M(nn.Module):
    buf: Optional[Tensor]
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3)
        self.buf = None
        self.steps = 0
    def forward(self, x, last: bool):
        x = x.unsqueeze(0)
        buf = self.buf
        if buf is not None:
            x = torch.cat([buf, x], 2)
        if x.size(2) < 4:
            self.buf = x
            return x.new_zeros([1, 4, 0])
        y = self.conv(x)
        if last:
            self.buf = None
            self.steps = 0
        else:
            self.buf = x[:, :, -2:]
            self.steps += 1
        return y
""",
        [(X, False), (X, False), (X, True), (X, False), (X, False)],
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_stream_of_calls(name, tmp_path):
    source, calls = MODULES[name]
    path = tmp_path / "m.py"
    path.write_text(PRELUDE + source)
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    __import__("linecache").cache[str(path)] = (1, None, path.read_text().splitlines(True), str(path))
    names["M"].__module__ = "__main__"
    torch.manual_seed(0)
    reference = torch.jit.script(names["M"]())
    reference.save(tmp_path / "m.pt")
    module = torchcc.load(tmp_path / "m.pt")
    with torch.no_grad():
        for x, k in calls:
            try:
                expected = reference(torch.from_numpy(x), k).numpy()
            except torch.jit.Error as error:
                with pytest.raises(torchcc.ExecutionError) as found:
                    module(x, k)
                assert str(error).strip().endswith(found.value.message)
            else:
                np.testing.assert_allclose(module(x, k), expected, rtol=1e-4, atol=1e-5)
