"""Results lie in memory as PyTorch's do: what programs are told of strides, and what callers see."""

import pytest

pytest.importorskip("torch", reason="says what is right")

import torch

from torchcc import compile_source

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n"

MATRICES = (
    "x + 1", "torch.add(x, y)", "x.relu()", "x.clone()", "x.t() * 2", "torch.zeros_like(x)", "x.sort(0)[0]", "torch.argsort(x, 0)", "x.softmax(0)",
    "torch.maximum(x, y)", "torch.max(x, y)", "torch.min(x, y)", "x.cumsum(0)", "x @ y.t()", "torch.stack([x, y])", "torch.cat([x, y])",
    "torch.heaviside(x, y)", "torch.isclose(x, y)", "torch.polygamma(1, x.abs() + 1)", "x.to(torch.float64)", "x.narrow_copy(0, 0, 2)",
    "torch.diag_embed(x)", "F.glu(torch.cat([x, x], 1))", "torch.special.i0e(x)", "x.flip(0)",
    "torch.linalg.inv(x[:4, :4] + 4 * torch.eye(4))", "torch.addbmm(x.new_zeros(4, 4), x[:4, :4].unsqueeze(0), x[:4, :4].unsqueeze(0))",
    "torch.masked_fill(x, x > 0, 1.0)", "x.new_ones(2, 3)", "F.normalize(x)", "torch.empty_like(x)", "torch.where(x > 0, x, y)",
)  # fmt: skip
IMAGES = (
    "x * 2", "F.conv2d(x, w)", "F.max_pool2d(x, 2)", "F.avg_pool2d(x, 2)", "F.interpolate(x, scale_factor=2.0)", "x.to(torch.float64)",
    "F.batch_norm(x, torch.zeros(4), torch.ones(4))", "F.pad(x, [1, 1])", "torch.cat([x, x], 1)", "x.mean([2, 3])", "x.contiguous()",
    "x.flatten(1)", "x.clone(memory_format=torch.contiguous_format)", "F.pad(x, [1, 1, 1, 1], mode='reflect')", "x.permute(0, 2, 3, 1) + 1",
    "x + torch.ones(2, 4, 6, 6)", "torch.ones(2, 4, 6, 6) + x", "F.group_norm(x, 2)", "F.adaptive_avg_pool2d(x, 3)",
    *(f"x.to({options}memory_format=torch.{f})" for options in ("", "torch.float64, ", "torch.float32, copy=True, ") for f in ("channels_last", "contiguous_format")),
)  # fmt: skip
LINES = ("F.conv1d(x, w)", "F.avg_pool1d(x, 2)", "F.max_pool1d(x, 2)", "x.relu()", "F.conv1d(x[0], w)")


def _text(name, expressions):
    lines = [f"    r{i} = {e}" for i, e in enumerate(expressions)]
    results = ", ".join(f"(r{i}, r{i}.stride())" for i in range(len(expressions)))
    second = "w" if name != "matrices" else "y"
    return "\n".join([f"def {name}(x: Tensor, {second}: Tensor):", *lines, f"    return {results}", ""])


TEXT = _text("matrices", MATRICES) + _text("images", IMAGES) + _text("lines", LINES)


@pytest.fixture(scope="module")
def library():
    return compile_source(HEAD + TEXT)


def _check(library, name, expressions, *arguments):
    names = {"torch": torch, "Tensor": torch.Tensor, "F": torch.nn.functional}
    exec(TEXT, names)
    for text, (f, told), (e, expected) in zip(expressions, getattr(library, name)(*arguments), names[name](*arguments), strict=True):
        wide = [i for i, n in enumerate(e.size()) if n > 1]
        assert [told[i] for i in wide] == [expected[i] for i in wide], text
        assert [f.stride(i) for i in wide] == [expected[i] for i in wide], text
        if "empty" not in text:
            torch.testing.assert_close(f, e, equal_nan=True, msg=lambda m, text=text: f"{text}: {m}")


def _random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("lay", ["contiguous", "transposed", "sliced"])
def test_matrices(library, lay):
    x = {"contiguous": _random(4, 6), "transposed": _random(6, 4).t(), "sliced": _random(4, 12)[:, ::2]}[lay]
    _check(library, "matrices", MATRICES, x, x.clone() * 0.5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_images(library, memory_format):
    _check(library, "images", IMAGES, _random(2, 4, 6, 6).contiguous(memory_format=memory_format), _random(3, 4, 3, 3))


def test_lines_with_channels_last(library):
    _check(library, "lines", LINES, _random(2, 8, 4).transpose(1, 2), _random(3, 4, 3))


def test_results_that_share_memory_still_do():
    f = compile_source(HEAD + "def f(x: Tensor):\n    y = x.t() + 1\n    return y, y[0], x.t()\n").f
    x = _random(3, 4)
    y, row, view = f(x)
    row.zero_()
    assert y[0].abs().sum() == 0 and view.data_ptr() == x.data_ptr() and torch.equal(y[1:], (x.t() + 1)[1:])


def test_state_is_row_major():
    text = "class M(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.s = torch.zeros(2, 3)\n"
    text += "    def forward(self, x: Tensor):\n        self.s = x.t() + self.s\n        return self.s * 2\n"
    module = compile_source("import torch\nfrom torch import Tensor\n" + text).M()
    x = _random(3, 2)
    assert torch.allclose(torch.as_tensor(module(x)), x.t() * 2) and torch.allclose(torch.as_tensor(module(x)), x.t() * 4)
