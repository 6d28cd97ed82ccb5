"""Archives that torchcc writes say where their code comes from: errors show the author's line, here and in PyTorch."""

import io
import pickle
import zipfile

import numpy as np
import pytest

import torchcc
from torchcc.frontend.archive.writer_debug import pickle_ranges
from torchcc.ir.source import SourceFile, Span
from torchcc.ir.torchscript.printer import Line

torch = pytest.importorskip("torch", reason="PyTorch writes archives, and reads them")
nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Inner(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x + 1  # ünïcode
        return torch.relu(torch.mm(z, z))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        if bool(y.sum() > 1000):
            y = y * 2
        return self.inner(y) + 1


def saved(data):
    buffer = io.BytesIO()
    torchcc.save(torchcc.load(data), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Outer().eval()), buffer)
    return saved(buffer.getvalue())


def test_pytorch_shows_the_lines_of_the_author(data):
    with pytest.raises(RuntimeError) as caught:
        torch.jit.load(io.BytesIO(data))(torch.zeros(2, 3))
    text = str(caught.value).partition("original code")[2]
    assert "test_archive_lines.py" in text and "return torch.relu(torch.mm(z, z))" in text and "return self.inner(y) + 1" in text


def test_so_does_torchcc_however_often_it_is_saved(data):
    for again in (data, saved(data), saved(saved(data))):
        with pytest.raises(torchcc.CompileError) as caught:
            torchcc.load(again)(np.zeros((2, 3), np.float32))
        text = str(caught.value)
        assert "test_archive_lines.py:24:16" in text and "return torch.relu(torch.mm(z, z))" in text
        assert "test_archive_lines.py:37:16" in text and "return self.inner(y) + 1" in text


def test_saving_what_was_saved_changes_nothing(data):
    assert saved(data) == data
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = set(file.namelist())
    assert all(f"{n}.debug_pkl" in names for n in names if n.endswith(".py"))


def test_source_files_of_torchcc(tmp_path):
    (tmp_path / "net.py").write_text("from torch import Tensor\n\n\ndef f(x: Tensor) -> Tensor:\n    y = x * 2\n    return y @ x\n")
    path = tmp_path / "f.pt"
    torchcc.save(torchcc.compile_file(tmp_path / "net.py", "f"), path)
    with pytest.raises(RuntimeError, match=r'net.py", line 6'):
        torch.jit.load(str(path))(torch.zeros(2, 3))
    with pytest.raises(torchcc.CompileError, match=r"net.py:6:12"):
        torchcc.load(path)(np.zeros((2, 3), np.float32))


class _Lists(pickle.Unpickler):
    def find_class(self, module, name):
        assert (module, name) == ("torch.jit._pickle", "build_intlist")
        return list


def records(lines):
    table, strings, found = _Lists(io.BytesIO(pickle_ranges(lines))).load()
    assert table == "FORMAT_WITH_STRING_TABLE" and [tag for _, _, tag in found] == list(range(len(found)))
    return [
        (offset, "".join(strings[i] for i in indices).encode()[begin:end].decode(), strings[name], first)
        for offset, ((indices, name, first), begin, end), _ in found
    ]


def test_what_the_records_say():
    text = "# é\ndef f(x):\n    return g(\n        x)\n"
    file = SourceFile("a.py", text, 10)
    whole, call = Span(file, 4, len(text) - 1), Span(file, text.index("g("), text.index(")\n", 30) + 1)
    lines = [
        Line("class é:\n", None),
        Line("  training : bool\n", None),
        Line("  def f(x):\n", whole, is_head=True),
        Line("    y = g(x)\n", call),
        Line("    else:\n", None),
        Line("    return g(x)\n", call),
        Line("def h():\n", None, is_head=True),
    ]
    assert records(lines) == [
        (0, "", "", 0),
        (28, text[4:-1], "a.py", 11),
        (40, "g(\n        x)", "a.py", 11),
        (79, "", "", 0),
    ]
    assert records([]) == []


def test_a_function_of_huge_lines_is_left_out():
    file = SourceFile("a.py", "x" * (1 << 20))
    assert records([Line("def f():\n", Span(file, 5, 9), is_head=True)]) == [(0, "", "", 0)]
