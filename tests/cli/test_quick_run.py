"""Command lines of `run` that are read without typer mean what typer makes of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from torchcc.cli import quick, run
from torchcc.cli.main import app
from torchcc.cli.request import Request

LINES = [
    "run net.py",
    "run net.py:Net(3) -i x=f32[2,3] --input y=3",
    "run --input=x=f32[1] net.pt",
    "run net.py -w w.npz --seed 7 --labels l.npy -o out.npy --threads 2 --verify-stages",
    "run net.py --weights=w.npz --seed=0 --threads=1023",
    "run net.py --seed 1 --seed 2",
]

OTHERS = [
    "", "run", "run --help", "run net.py -h", "info net.py", "run net.py more.py", "run net.py --threads 0", "run net.py --threads 1024",
    "run net.py --seed -1", "run net.py --seed x", "run net.py --unknown", "run net.py --inp x=3",
    "run net.py -ix=3", "run net.py -i", "run net.py -i -w", "run -- net.py", "run net.py --labels=", "run net.py --verify-stages=1",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_the_same_request(line, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "run", lambda request, **options: asked.append((request, options)))
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    found = quick.read(line.split())
    assert found is not None
    quick.main(found)
    assert isinstance(asked[0][0], Request) and asked[0] == asked[1]


@pytest.mark.parametrize("line", OTHERS)
def test_everything_else_is_for_typer(line):
    assert quick.read(line.split()) is None


def test_a_mistake_in_the_program_is_told_alike(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("def f(x: int) -> int:\n    return y\n")
    result = CliRunner().invoke(app, ["run", "net.py", "-i", "x=1"])
    with pytest.raises(SystemExit) as raised:
        quick.main(quick.read(["run", "net.py", "-i", "x=1"]))
    assert raised.value.code == result.exit_code == 1
    assert capsys.readouterr().err == result.stderr


def test_neither_typer_nor_pydantic_is_imported(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("def f(x: int) -> int:\n    return x + 1\n")
    program = "import sys; sys.argv[1:] = ['run', sys.argv[1], '-i', 'x=1']\nfrom torchcc.__main__ import main\n" \
        "try:\n    main()\nexcept SystemExit:\n    print({'typer', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.splitlines() == ["2", "set()"]
