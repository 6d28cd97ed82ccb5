"""Damage of all kinds: whatever is done to an archive that PyTorch saved, it loads, or a CompileError says why not.

Two hundred tries in every run; `pytest --long tests/frontend/archive/test_archive_fuzz.py` makes twenty thousand.
"""

import io
import random
import struct
import zipfile
from enum import Enum
from typing import Tuple

import pytest

from torchcc.frontend.archive import load
from torchcc.ir.diagnostics import CompileError

torch = pytest.importorskip("torch", reason="PyTorch saves the archives")
nn = torch.nn
Tensor = torch.Tensor

pytestmark = pytest.mark.filterwarnings("ignore")


class Color(Enum):
    RED = 1
    GREEN = 2


class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.ones(3)

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = state[0] + 1
        self.training = state[1]

    def forward(self, x: Tensor):
        return x * self.weight


def before(self, input: Tuple[Tensor]) -> Tuple[Tensor]:
    return (input[0] * 2,)


class Everything(nn.Module):
    def __init__(self):
        super().__init__()
        self.kept = Kept()
        self.linear = nn.Linear(3, 3)
        self.color, self.list, self.table, self.device = Color.RED, [1, 2], {"a": 1.5}, torch.device("cpu")
        self.register_buffer("q", torch.quantize_per_tensor(torch.ones(3), 0.5, 1, torch.qint8))
        self.register_buffer("c", torch.ones(2, dtype=torch.complex64).conj())
        self.register_buffer("s", torch.eye(3).to_sparse())

    def forward(self, x: Tensor):
        for i in self.list:
            x = x + i
        if self.color == Color.RED:
            x = self.linear(self.kept(x)) * self.table["a"]
        return x


@pytest.fixture(scope="module")
def originals():
    module = Everything()
    module.register_forward_pre_hook(before)
    traced = torch.jit.trace(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()).eval(), torch.ones(1, 1, 5, 5))
    found = []
    for saved in (torch.jit.script(module), traced):
        buffer = io.BytesIO()
        torch.jit.save(saved, buffer)
        file = zipfile.ZipFile(buffer)
        found.append((buffer.getvalue(), {n: file.read(n) for n in file.namelist()}))
    return found


def damaged(data, rng):
    """The bytes with a few of them changed, lost, repeated, or numbers of awkward size in between."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(max(len(data), 1))
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                start = rng.randrange(max(len(data), 1))
                data[at:at] = data[start : start + rng.randint(1, 30)]
            case 3:
                data[at:at] = struct.pack("<q", rng.choice([-1, 1 << 62, 1 << 31, 0, -(1 << 63)]))
    return bytes(data)


def packed(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_damage_is_noticed_or_harmless(originals, request):
    rng = random.Random(5)
    outcomes = {True: 0, False: 0}
    for _ in range(20_000 if request.config.getoption("--long") else 200):
        whole, members = rng.choice(originals)
        if rng.random() < 0.3:
            data = bytearray(whole)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            data = bytes(data)
        else:
            name = rng.choice([n for n in members if n.endswith((".pkl", ".py", "_pkl"))])
            data = packed({**members, name: damaged(members[name], rng)})
        try:
            load(data)
            outcomes[True] += 1
        except CompileError as error:
            assert str(error)
            outcomes[False] += 1
    assert min(outcomes.values()) > 10
