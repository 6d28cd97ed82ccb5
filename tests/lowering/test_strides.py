"""Strides that programs see: of views, and of what operators make of tensors that are not row-major, against PyTorch."""

import itertools
import random

import pytest

from torchcc import driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dtypes import DType
from torchcc.ir.signature import Dim, TensorSpec, rebuild
from torchcc.lowering.graph import strides as rules
from torchcc.lowering.graph.specialize import specialize

torch = pytest.importorskip("torch", reason="compares with PyTorch")

BASES = {
    "t": "x.t()",
    "c": "y.contiguous(memory_format=torch.channels_last)",
    "p": "y.permute(2, 0, 3, 1)",
    "s": "y[:, ::2, 1:]",
    "e": "x[:1].expand(4, 6)",
    "u": "x.t()[None, :, :]",
}

OF_ANY = [
    *("$ + 1", "$.relu()", "torch.exp($)", "$.clone()", "torch.empty_like($)", "$.to(torch.float64)", "$ > 0", "F.gelu($)"),
    *("F.dropout($, 0.5, False)", "torch.softmax($, 0)", "$.cumsum(0)", "$.sum(0)", "$.sum(-1, keepdim=True)", "$.flip(0)"),
    *("torch.cat([$, $], 0)", "$.contiguous()", "$.reshape(-1)", "$.flatten()", "$.transpose(0, -1)", "$.unsqueeze(1)", "$[0]"),
    *("$[..., None]", "torch.where($ > 0, $, 0.0)", "$ + $[0]", "$[0] + $", "$.amax(0)", "$.sort(0)[0]", "$.roll(1, 0)"),
    *("$.masked_fill($ > 0, 1.0)", "$.tril()", "$.narrow(0, 0, 1)", "$.diagonal()", "$.chunk(2, 0)[0]", "$.unbind(0)[0]"),
    *("$.repeat_interleave(2, 0)", "$.repeat_interleave(1, 0)", "F.layer_norm($, [$.size(-1)])", "F.pad($, [1, 1])", "$.std(0)"),
    *("torch.lerp($, $, 0.5)", "torch.addcmul($, $, $)", "$[$ > 0]", "$.index_select(0, torch.tensor([0]))", "$.topk(1, 0)[0]"),
    *("$.max(0)[0]", "F.mse_loss($, $, reduction='none')", "$ // 2", "$.squeeze()", "$.unfold(0, 1, 1)", "$.expand_as($)"),
]
SINGLE = [
    *("x @ x.t()", "F.linear(x, x)", "F.max_pool2d(c, 2)", "F.avg_pool2d(c, 2)", "F.conv2d(c, torch.ones(2, 3, 1, 1))", "c + y"),
    *("F.batch_norm(c, torch.zeros(3), torch.ones(3))", "F.group_norm(c, 1)", "F.instance_norm(c)", "y + c", "t + x.reshape(6, 4)"),
    *("x.reshape(6, 4) + t", "F.interpolate(c, scale_factor=2.0)", "F.adaptive_avg_pool2d(c, 1)", "torch.outer(x[0], x[0])"),
    *("torch.empty(2, 3, 4, 5, memory_format=torch.channels_last)", "c.clone(memory_format=torch.contiguous_format)"),
    *("torch.as_strided(x, [2, 2], [1, 2], 1)", "t.view(3, 2, 4)", "t.view(6, 2, 2)", "y.view(6, 20)", "x[1:, 2:]", "x[2]"),
]
REFUSED = ["t.view(-1)", "t.view(24)", "c.view(2, -1)", "s.view(4, 15)", "(x + 1).t().view(4, 6)", "x[:, 1:].view(20)"]
SPECS = [TensorSpec(DType.float32, (4, 6)), TensorSpec(DType.float32, (2, 3, 4, 5))]
HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\nfrom typing import List, Tuple\n"


def source(expressions):
    bases = "".join(f"  {n} = {e}\n" for n, e in BASES.items())
    made = "".join(f"  r{i} = {e}\n" for i, e in enumerate(expressions))
    asked = ", ".join(f"(r{i}.stride(), r{i}.is_contiguous(), r{i}.storage_offset())" for i in range(len(expressions)))
    return f"{HEAD}def f(x: Tensor, y: Tensor):\n{bases}{made}  return [{asked}]\n"


def in_torch(text):
    names = {}
    exec(text, names)
    return names["f"](torch.arange(24.0).view(4, 6), torch.arange(120.0).view(2, 3, 4, 5))


def known(text, specs=SPECS):
    _, signature = specialize(compile_text(text, entry="f"), specs, driver.composite)
    return rebuild(signature.tree, [None] * 50)


@pytest.mark.parametrize("base", [*BASES, ""])
def test_strides_are_those_of_pytorch(base):
    expressions = [e.replace("$", base) for e in OF_ANY] if base else SINGLE
    text = source(expressions)
    for expression, expected, found in zip(expressions, in_torch(text), known(text), strict=True):
        assert (tuple(found[0]), *found[1:]) == expected, expression


@pytest.mark.parametrize("expression", REFUSED)
def test_a_view_that_strides_forbid(expression):
    text = source([expression])
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        in_torch(text)
    with pytest.raises(CompileError, match="view size is not compatible"):
        known(text)


def test_what_is_not_known_is_an_error():
    with pytest.raises(CompileError, match="the stride of this tensor is only known at run time"):
        known(f"{HEAD}def f(x: Tensor, y: Tensor):\n  return torch.nonzero(x).stride()\n")


def test_extents_known_at_run_time():
    text = f"{HEAD}def f(x: Tensor, y: Tensor):\n  z = (x + 1).view(-1)\n  return z.is_contiguous(), x.is_contiguous(), z.stride()\n"
    specs = [TensorSpec(DType.float32, (Dim("n"), Dim("m"))), SPECS[1]]
    assert known(text, specs) == (True, True, [1])


def random_tensor(rng, shape):
    """One of this shape with its dimensions in some order, and gaps between its elements."""
    order = list(range(len(shape)))
    rng.shuffle(order)
    wide = torch.zeros([shape[i] * rng.choice([1, 1, 2]) for i in order])
    found = wide.permute([order.index(i) for i in range(len(shape))])
    for i, extent in enumerate(shape):
        found = found.narrow(i, 0, extent)
    return found


def test_the_rules_for_ties():
    rng = random.Random(5)
    for _ in range(400):
        shape = tuple(rng.choice([1, 2, 3]) for _ in range(rng.randrange(0, 5)))
        given = [random_tensor(rng, tuple(1 if rng.random() < 0.2 else n for n in shape)) for _ in range(rng.randrange(1, 4))]
        made = [torch.neg(given[0]), given[0] + given[-1], torch.addcmul(*(given * 3)[:3])][len(given) - 1]
        places = [(tuple(t.shape), t.stride()) for t in given]
        assert rules.elementwise(places) == made.stride(), places
        own, strides = places[0]
        assert rules.kept(own, strides) == given[0].clone().stride()
        assert rules.is_contiguous(own, strides) == given[0].is_contiguous()
        for wanted in set(itertools.permutations(own)):
            try:
                expected = given[0].view(wanted).stride()
            except RuntimeError:
                expected = None
            assert rules.viewed(own, strides, wanted) == expected, (own, strides, wanted)
