"""Programs and machine code from the cache: used when nothing has changed, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu import jit
from torchcc.ir import cache

NET = """\
import torch
from torch import Tensor, nn

class Net(nn.Module):
    def __init__(self, n: int = 3):
        super().__init__()
        self.fc = nn.Linear(40, n)

    def forward(self, x: Tensor, k: int = 1) -> Tensor:
        if self.training:
            return x
        y = self.fc(x) * k
        assert y.size(0) < 5, "too many"
        return y
"""

X = np.linspace(-1, 1, 80, dtype=np.float32).reshape(2, 40)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache. What the process itself needs is made before."""
    jit.session()
    path = tmp_path / "cache"
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(path))
    return path


@pytest.fixture
def net(tmp_path, folder):
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.fixture
def translations(monkeypatch):
    """A list that grows with every program that is lowered."""
    calls = []
    original = driver.translate_native

    def counted(program, specs, *rest):
        calls.append(specs)
        return original(program, specs, *rest)

    monkeypatch.setattr(driver, "translate_native", counted)
    return calls


def test_a_program_is_compiled_once(net, translations):
    first = torchcc.compile_file(net)(X)
    again = torchcc.compile_file(net)
    np.testing.assert_array_equal(again(X), first)
    assert len(translations) == 1
    again(X[:1])
    assert len(translations) == 2
    assert [p.name for p in again.forward.parameters] == ["x", "k"] and again.forward.parameters[1].default == 1
    np.testing.assert_allclose(X @ again.state_dict()["fc.weight"].T + again.state_dict()["fc.bias"], first, rtol=1e-4)


def test_everything_that_it_is_made_from_counts(net, tmp_path, translations):
    results = [torchcc.compile_file(net)(X)]
    results.append(torchcc.compile_file(net, seed=1)(X))
    results.append(torchcc.compile_file(net, "Net(4)")(X))
    weights = tmp_path / "w.npz"
    for scale in (1, 2):
        np.savez(weights, **{"fc.weight": np.full((3, 40), scale, np.float32), "fc.bias": np.zeros(3, np.float32)})
        results.append(torchcc.compile_file(net, weights=weights)(X + 1))
    np.testing.assert_allclose(results[4], 2 * results[3], rtol=1e-6)
    net.write_text(NET.replace("* k", "* (k + 1)"))
    results.append(torchcc.compile_file(net)(X))
    assert len(translations) == len(results) == 6
    np.testing.assert_allclose(results[5], 2 * results[0], rtol=1e-6)


def test_an_edited_compiler_is_another(net, translations, monkeypatch):
    torchcc.compile_file(net)(X)
    monkeypatch.setattr(cache, "compiler", lambda: "another")
    torchcc.compile_file(net)(X)
    assert len(translations) == 2


def test_every_file_of_the_compiler_counts():
    """Code and data: an edited table of schemas is another compiler too."""
    root = Path(torchcc.__file__).parent
    rooms = [root / room for room in ("ir", "frontend", "lowering", "backend", "api")]
    files = [f for room in rooms for f in room.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert [f for f in files if not f.name.endswith(cache.SOURCES)] == []


def test_files_beside_it_count(tmp_path, folder, translations):
    path = tmp_path / "f.py"
    path.write_text("from torch import Tensor\nfrom helper import g\n\ndef f(x: Tensor) -> Tensor:\n    return g(x)\n")
    helper = "from torch import Tensor\n\ndef g(x: Tensor) -> Tensor:\n    return x + {}\n"
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "__init__.py").write_text(helper.format(1))
    for expected in (1, 1, 2, 3):
        if expected == 2:
            (tmp_path / "helper" / "__init__.py").write_text(helper.format(2))
        if expected == 3:  # found first
            (tmp_path / "helper.py").write_text(helper.format(3))
        np.testing.assert_array_equal(torchcc.compile_file(path, "f")(X), X + expected)
    assert len(translations) == 3


def test_attributes_that_were_set_count(net, translations):
    for _ in range(2):
        f = torchcc.compile_file(net)
        evaluated = f(X)
        np.testing.assert_array_equal(f.train()(X), X)
        np.testing.assert_array_equal(f.eval()(X), evaluated)
    assert len(translations) == 3  # training is not kept


COUNTER = """\
import torch
from torch import Tensor, nn

class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.fc = nn.Linear(40, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return self.fc(x) * self.count

    @torch.jit.export
    def plain(self, x: Tensor) -> Tensor:
        return self.fc(x)
"""


def test_modules_with_state(tmp_path, folder, translations):
    path = tmp_path / "counter.py"
    path.write_text(COUNTER)
    attempts = []
    for _ in range(2):
        net = torchcc.compile_file(path)
        plain = net.plain(X)
        for k in range(1, 4):
            np.testing.assert_allclose(net(X), plain * k, rtol=1e-6)
        net.count = 10
        np.testing.assert_allclose(net(X), plain * 11, rtol=1e-6)
        np.testing.assert_allclose(net.plain(X), plain, rtol=1e-6)
        attempts.append(len(translations))
    # that `count` is state is found out again, as is `plain` for a module in which it is
    assert attempts[1] - attempts[0] < attempts[0]
    net.load_state_dict({k: np.zeros_like(v) for k, v in net.state_dict().items()})
    np.testing.assert_array_equal(net(X), np.zeros((2, 2)))
    np.testing.assert_allclose(torchcc.compile_file(path).plain(X), plain, rtol=1e-6)


def test_files_that_change_after_loading(net):
    torchcc.compile_file(net)(X)
    f = torchcc.compile_file(net)
    net.write_text(NET.replace("Linear(40, n)", "Linear(40, n, False)"))
    assert f(X).shape == (2, 3)
    with pytest.raises(torchcc.CompileError, match="have changed since they were loaded"):
        f.state_dict()


def test_errors_keep_their_lines(net):
    texts = []
    for _ in range(2):
        with pytest.raises(torchcc.ExecutionError) as caught:
            torchcc.compile_file(net)(np.zeros((5, 40), np.float32))
        texts.append(str(caught.value))
    assert texts[0] == texts[1] and 'assert y.size(0) < 5, "too many"' in texts[0]


def test_numbers_that_must_be_constants(folder, translations):
    text = "from torch import Tensor\nimport torch\n\ndef f(n: int) -> Tensor:\n    y = torch.ones(1)\n    for i in range(n):\n        y = y.unsqueeze(0)\n    return y\n"
    for _ in range(2):
        assert torchcc.compile_source(text).f(3).shape == (1, 1, 1, 1)
    assert len(translations) == 2  # as a run-time number, and as a constant


def test_texts(folder, translations):
    text = "from torch import Tensor\n\ndef f(x: Tensor, k: float = 2.0) -> Tensor:\n    return x * k\n\ndef g(x: Tensor) -> Tensor:\n    return -x\n"
    for _ in range(2):
        library = torchcc.compile_source(text)
        assert dir(library) == ["f", "g"]
        np.testing.assert_array_equal(library.f(X), X * 2)
        np.testing.assert_array_equal(library.g(X), -X)
    assert len(translations) == 2
    assert library.f.program.receiver is None and library.f.program.entry


def damaged(data):
    yield b""
    yield data[: len(data) // 2]
    yield data + b"x"
    yield b"x" * len(data)
    for place in (0, 10, 30, len(data) // 2 if len(data) < 4000 else 50):
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_damaged_files_are_made_again(net, folder):
    expected = torchcc.compile_file(net)(X)
    files = sorted(p for p in folder.iterdir() if p.is_file())
    assert {p.suffix for p in files} == {".tco", ".tcb"}
    for path in files:
        good = path.read_bytes()
        for bad in damaged(good):
            path.unlink(missing_ok=True)  # a mapped file is never written in place
            path.write_bytes(bad)
            np.testing.assert_array_equal(torchcc.compile_file(net)(X), expected)
        path.unlink()
        np.testing.assert_array_equal(torchcc.compile_file(net)(X), expected)


def test_weights_that_were_lost_with_the_power(net, folder, monkeypatch):
    expected = torchcc.compile_file(net)(X)
    monkeypatch.setattr(cache, "_boot", lambda: b"another start of the machine    ")
    np.testing.assert_array_equal(torchcc.compile_file(net)(X), expected)
    (path,) = folder.glob("*.tcb")
    assert b"another start" in path.read_bytes()[:128]
    monkeypatch.setattr(cache, "_boot", lambda: b"a third start of the machine    ")
    good = path.read_bytes()
    path.unlink()
    path.write_bytes(good[:128] + bytes(len(good) - 128))
    np.testing.assert_array_equal(torchcc.compile_file(net)(X), expected)
    assert path.read_bytes()[128:] == good[128:]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_files_of_others_are_not_read(net, folder, translations):
    torchcc.compile_file(net)(X)
    for path in folder.iterdir():
        os.chown(path, 12345, -1)
    torchcc.compile_file(net)(X)
    assert len(translations) == 2


def test_no_cache(net, monkeypatch, translations):
    monkeypatch.setenv("TORCHCC_CACHE_DIR", "")
    for _ in range(2):
        torchcc.compile_file(net)(X)
    assert len(translations) == 2


def test_weights_are_kept_once(net, folder):
    f = torchcc.compile_file(net)
    f(X)
    f(X[:1])
    assert len(list(folder.glob("*.tcb"))) == 1


def test_weights_of_every_kind(tmp_path, folder, translations):
    path = tmp_path / "kinds.py"
    path.write_text("""\
import torch
from torch import Tensor, nn
from typing import Tuple

class Kinds(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("empty", torch.zeros(0, 3))
        self.register_buffer("number", torch.tensor(2.5))
        self.register_buffer("mask", torch.ones(400) > 0)
        self.register_buffer("half", torch.ones(300, 3).to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        return torch.cat([self.empty, x]), x * self.number, self.mask, self.half + 1
""")
    x = np.ones((2, 3), np.float32)
    first = torchcc.compile_file(path)(x)
    lowered = len(translations)  # twice: the mask, which is given out, is found to be state
    second = torchcc.compile_file(path)(x)
    assert len(translations) == lowered
    for a, b in zip(first, second, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.astype(np.float32), b.astype(np.float32))
    assert first[0].shape == (2, 3) and first[2].all() and (first[3].astype(np.float32) == 2).all()


def test_the_cache_has_a_limit(net, folder, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_SIZE", "60000")
    f = torchcc.compile_file(net)
    for rows in range(1, 5):
        for k in range(5):
            np.testing.assert_array_equal(f.compile(X[:1].repeat(rows, 0), k)(X[:1].repeat(rows, 0)).shape, (rows, 3))
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 60000
    np.testing.assert_array_equal(torchcc.compile_file(net)(X), f(X))


def in_new_process(program, *arguments):
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=True).stdout


LOADS = """
import sys, numpy as np, torchcc
f = torchcc.compile_file(sys.argv[1])
print(f(np.ones((2, 40), np.float32)).tolist())
print([m for m in sys.modules if m == "lark" or m.startswith(("torchcc.lowering", "torchcc.frontend.", "torchcc.driver", "torchcc.ir.dialects"))])
"""


def test_asking_for_hooks_makes_nothing(net):
    program = LOADS.replace("f = torchcc.compile_file(sys.argv[1])", "f = torchcc.compile_file(sys.argv[1]).forward")
    cold, warm = (in_new_process(program, str(net)).splitlines() for _ in range(2))
    assert cold[0] == warm[0] and warm[1] == "[]"


def test_a_new_process_imports_no_compiler(net):
    cold, warm = in_new_process(LOADS, str(net)).splitlines(), in_new_process(LOADS, str(net)).splitlines()
    assert cold[0] == warm[0]
    assert "torchcc.driver" in cold[1] and warm[1] == "[]"


def test_processes_start_on_one_empty_folder(net, folder):
    children = [
        subprocess.Popen([sys.executable, "-c", LOADS, str(net)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert len({child.communicate(timeout=120)[0].splitlines()[0] for child in children}) == 1
    assert not list(folder.glob("*.tmp"))
    assert in_new_process(LOADS, str(net)).splitlines()[1] == "[]"


def test_archives(tmp_path, folder, translations):
    torch = pytest.importorskip("torch", reason="PyTorch writes the archives")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(40, 3)

        def forward(self, x):
            return self.fc(x)

    path = tmp_path / "net.pt"
    nets = [torch.jit.script(Net()) for _ in range(2)]
    for net in nets:
        net.save(str(path))
        for _ in range(2):
            np.testing.assert_allclose(torchcc.load(path)(X), net(torch.from_numpy(X)).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert len(translations) == 2
    with zipfile.ZipFile(path) as archive:
        assert any(n.endswith("data.pkl") for n in archive.namelist())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(torchcc.CompileError):
        torchcc.load(path)
