"""Arguments that PyTorch refuses are refused, with its text: numbers that a dtype does not hold, and tensors of unequal dtypes."""

import pytest

from torchcc.api import compile_source
from torchcc.ir.diagnostics import CompileError, ExecutionError

torch = pytest.importorskip("torch", reason="says what is refused")

X = torch.linspace(0.1, 0.9, 6).reshape(2, 3)
BYTES = torch.tensor([1, 2, 3], dtype=torch.uint8)
IMAGE = torch.ones(1, 1, 2, 2)
PLACE = torch.tensor([1], dtype=torch.int32)

NUMBERS = {
    "a.clamp(max=300)": BYTES,
    "a.fill_(-0.5)": BYTES,
    "a.masked_fill(a > 0, -1e9)": X.half(),
    "a.index_fill(0, torch.tensor([1]), 300)": BYTES,
    "torch.add(a, a, alpha=300)": BYTES,
    "torch.addcmul(a, a, a, value=300)": BYTES,
    "torch.full_like(a, 1e39)": X,
    "torch.nn.functional.pad(a, [1, 1], value=-3.0)": BYTES,
    "torch.threshold(a, 1, 300)": BYTES,
    "torch.where(a > 1, a, 300)": BYTES,
    "a ** 300": BYTES,
}
TENSORS = {
    "torch.cdist(a, b)": (X, X.double()),
    "torch.linalg.cross(a, b)": (X, X.double()),
    "torch.linalg.multi_dot([a])": (X, X),
    "torch.isin(a, b)": (X > 0, X > 0),
    "torch.index_copy(a, 0, b, a[:1])": (X, PLACE),
    "torch.index_fill(a, 0, b, 1.0)": (X, PLACE),
    "torch.index_put(a, [b], a)": (X, torch.tensor(True)),
    "torch.nn.functional.one_hot(b)": (X, PLACE),
    "torch.nn.functional.batch_norm(a, b, b)": (X, torch.ones(3).double()),
    "torch.nn.functional.layer_norm(a, [3], b)": (X.double(), torch.ones(3)),
    "torch.nn.functional.group_norm(a, 3, b)": (X, torch.ones(3).double()),
    "torch.nn.functional.prelu(a, b)": (X, torch.ones(3).double()),
    "torch.nn.functional.grid_sample(a, b, align_corners=True)": (IMAGE, torch.zeros(1, 2, 2, 2).double()),
    "torch.nn.functional.binary_cross_entropy(a, b)": (X, X.double()),
    "torch.nn.functional.cross_entropy(a, b)": (X, torch.tensor([1, 2], dtype=torch.int32)),
    "torch.nn.functional.cross_entropy(a, torch.tensor([1, 2]), b)": (X, torch.ones(4)),
    "torch.nn.functional.nll_loss(a, torch.tensor([1, 2]), b)": (X, torch.ones(3).double()),
    "torch.nn.functional.margin_ranking_loss(a, a, b)": (X, torch.ones(3)),
    "torch.nn.functional.triplet_margin_loss(a, a, b)": (X, torch.ones(3)),
    "torch.nn.functional.interpolate(a, size=[3, 3])": (IMAGE.int(), X),
    "torch.nn.functional.interpolate(a, size=[3, 3], mode='bilinear')": (IMAGE.int(), X),
    "torch.nn.functional.interpolate(a, size=[0, 3])": (IMAGE, X),
}


def eager_error(text: str, names: dict) -> str:
    with pytest.raises((RuntimeError, IndexError, ValueError)) as caught:
        eval(text, {"torch": torch}, {k: v.clone() for k, v in names.items()})
    return str(caught.value)


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_that_does_not_fit(text):
    a = NUMBERS[text]
    expected = eager_error(text, {"a": a})
    with pytest.raises(CompileError) as caught:
        compile_source(f"import torch\ndef main(a: torch.Tensor):\n    return {text}\n").main(a.clone())
    assert "without overflow" in expected and expected.splitlines()[0] in str(caught.value)


@pytest.mark.parametrize("text", TENSORS)
def test_tensors_that_do_not_go_together(text):
    a, b = TENSORS[text]
    eager_error(text, {"a": a, "b": b})
    with pytest.raises(CompileError):
        compile_source(f"import torch\ndef main(a: torch.Tensor, b: torch.Tensor):\n    return {text}\n").main(a.clone(), b.clone())


def test_a_number_of_run_time_that_does_not_fit():
    source = "import torch\ndef main(a: torch.Tensor, n: int, x: float):\n    return a.fill_(n), torch.full([2], x, dtype=torch.int16)\n"
    main = compile_source(source).main
    filled, whole = main(BYTES.clone(), -1, 2.5)
    assert filled.tolist() == [255] * 3 and whole.tolist() == [2, 2]
    for n, x in ((300, 2.5), (-256, 2.5), (1, 40000.0), (1, float("nan"))):
        with pytest.raises(ExecutionError, match="without overflow"):
            main(BYTES.clone(), n, x)
