"""`torchcc save`: a source file becomes an archive that the other commands, and PyTorch, read."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.cli.main import app

NET = (
    "import torch\nfrom torch import Tensor, nn\n\n"
    "class Net(nn.Module):\n"
    "    def __init__(self, n: int = 2):\n"
    "        super().__init__()\n"
    "        self.fc = nn.Linear(3, n)\n\n"
    "    def forward(self, x: Tensor) -> Tensor:\n"
    "        return self.fc(x).softmax(-1)\n"
)


def run(*arguments, status=0):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def source(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    return tmp_path / "net.py"


def test_source_to_archive_and_back(source, tmp_path):
    archive = tmp_path / "net.pt"
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    text = run("save", f"{source}:Net(4)", "-o", archive, "--seed", "3", "--extra", tmp_path / "labels.txt", "--extra", f"l={tmp_path / 'labels.txt'}")
    assert text.strip().endswith(f"{archive.stat().st_size:,} bytes")
    extra = {"labels.txt": b"", "l": b""}
    loaded = torchcc.load(archive, extra_files=extra)
    assert set(extra.values()) == {b"cat\ndog\n"}
    x = np.ones((2, 3), np.float32)
    expected = torchcc.compile_file(source, "Net(4)", seed=3)(x)
    np.testing.assert_array_equal(loaded(x), expected)
    np.save(tmp_path / "x.npy", x)
    run("run", archive, "-i", f"x=@{tmp_path / 'x.npy'}", "-o", tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    run("save", archive, "-o", tmp_path / "again" / "net.pt", status=1)
    (tmp_path / "again").mkdir()
    run("save", archive, "-o", tmp_path / "again" / "net.pt")
    torch = pytest.importorskip("torch", reason="reads the archive too")
    np.testing.assert_allclose(torch.jit.load(archive)(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-6)


def test_weights_are_those_given(source, tmp_path):
    np.savez(tmp_path / "w.npz", **{"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.zeros(2, np.float32)})
    run("save", f"{source}:Net", "--weights", tmp_path / "w.npz", "-o", tmp_path / "net.pt")
    assert torchcc.load(tmp_path / "net.pt").state_dict()["fc.weight"].tolist() == [[1, 1, 1]] * 2


def test_faults(source, tmp_path):
    assert "cannot write" in run("save", source, "-o", tmp_path, status=1)
    assert "cannot read" in run("save", source, "-o", tmp_path / "a.pt", "--extra", tmp_path / "none", status=1)
    assert not Path(tmp_path / "a.pt").exists()
