"""The first samples of PyTorch's OpInfo database: what agreed once, agrees. All samples: `python tests/opinfo/run.py`.

What does not agree yet stands in `known.tsv`, which `python tests/opinfo/run.py --write-known` writes.
"""

import pytest

pytest.importorskip("torch", reason="says what is right")
pytest.importorskip("expecttest", reason="torch.testing needs it")

import torch
from calls import samples
from judge import agrees_but_for_ties, difference, judge
from run import error_verdicts
from survey import known, operators, short_verdicts

CHUNKS = 24


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_agreed_agrees(chunk):
    found = short_verdicts(operators()[chunk::CHUNKS], known())
    assert not found, "\n".join(f"{name} {dtype}: {verdict}" for (name, dtype), verdict in found.items())


LAID_OUT = "add,clone,cat,sort,argsort,max/binary,masked_fill,cumsum,polygamma/polygamma_n_0,addbmm,cholesky,nn.functional.glu,nn.functional.batch_norm"


@pytest.mark.parametrize("layout", ["transposed", "channels_last", "noncontiguous"])
def test_results_lie_as_those_of_pytorch(layout):
    calls = [c for op in operators(LAID_OUT) for c in samples(op, torch.float32, "function", 3, layout=layout)]
    wrong = [v for v in judge(calls) if v.kind in ("failed", "refused")]
    assert len(calls) > 30 and not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("dtype", [torch.complex32, torch.uint16, torch.uint64], ids=str)
def test_rare_dtypes(dtype):
    ops = [op for op in operators("add,mul,abs,item,cat,where,index_select,roll,unique,full_like,special.i1,special.zeta,norm,real") if dtype in op.supported_dtypes("cpu")]
    calls = [c for op in ops for c in samples(op, dtype, "function", 2)]
    wrong = [v for v in judge(calls) if v.kind in ("failed", "refused")]
    assert calls and not wrong, "\n".join(map(str, wrong))


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
