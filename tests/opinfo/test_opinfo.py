"""The first samples of PyTorch's OpInfo database: what agreed once, agrees. All samples: `python tests/opinfo/run.py`.

What does not agree yet stands in `known.tsv`, which `python tests/opinfo/run.py --write-known` writes.
"""

import pytest

pytest.importorskip("torch", reason="says what is right")
pytest.importorskip("expecttest", reason="torch.testing needs it")

import torch
from judge import agrees_but_for_ties, difference
from run import error_verdicts
from survey import known, operators, short_verdicts

CHUNKS = 24


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_agreed_agrees(chunk):
    found = short_verdicts(operators()[chunk::CHUNKS], known())
    assert not found, "\n".join(f"{name} {dtype}: {verdict}" for (name, dtype), verdict in found.items())


LENIENT = {"__rdiv__"}
"""An operator of Python's."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chunk", range(CHUNKS // 3))
def test_what_pytorch_refuses_is_refused(chunk):
    ops = [op for op in operators()[chunk :: CHUNKS // 3] if op.name not in LENIENT]
    wrong = [v for op in ops for v in error_verdicts(op) if v.kind == "failed"]
    assert not wrong, "\n".join(map(str, wrong))


def test_differences_are_seen():
    x = torch.tensor([1.0, 2.0])
    assert difference(x, x.clone()) is None
    assert difference(x, x + 1e-3) is not None
    assert difference(x.double(), x) is not None
    assert difference([x], [x, x]) is not None
    assert difference(2, 2.0) is not None
    assert agrees_but_for_ties((x, torch.tensor([0, 1])), (x, torch.tensor([1, 0])))
    assert not agrees_but_for_ties((x + 1, torch.tensor([0, 1])), (x, torch.tensor([1, 0])))
