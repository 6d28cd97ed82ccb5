"""Wrong programs and what a user sees of them, word for word.

Each `programs/NAME.py` starts with the command line that is run; `programs/NAME.txt` is the message it must print.
`pytest tests/errors --update-golden` rewrites the messages for review.
"""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from torchcc.cli.main import app

PROGRAMS = Path(__file__).parent / "programs"
CASES = sorted(p.stem for p in PROGRAMS.glob("*.py"))


def test_there_are_enough():
    assert len(CASES) >= 110
    assert {p.stem for p in PROGRAMS.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_message(name, monkeypatch, update_golden):
    monkeypatch.chdir(PROGRAMS)
    first = (PROGRAMS / f"{name}.py").read_text().splitlines()[0]
    arguments = shlex.split(first.removeprefix("# torchcc "))
    result = CliRunner().invoke(app, arguments)
    golden = PROGRAMS / f"{name}.txt"
    if update_golden:
        golden.write_text(result.output)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert result.output == golden.read_text(), "run with --update-golden to accept, after reading it"
