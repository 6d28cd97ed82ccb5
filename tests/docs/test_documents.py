"""The documents do what they say: printed stages are real, Python blocks run, commands parse."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import torchcc
from torchcc import operator_table
from torchcc.cli.main import app

ROOT = Path(torchcc.__file__).parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")

BLOCK = re.compile(r"(<!-- torchcc (?P<command>.*?)(?: \| excerpt (?P<excerpt>.*?))? -->\n```\w+\n)(?P<text>.*?)(?=```\n)", re.DOTALL)


def blocks(document):
    return list(BLOCK.finditer((ROOT / document).read_text()))


def printed(command, excerpt):
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.stdout.expandtabs(8).splitlines()]
    if excerpt:
        options = dict(part.split("=", 1) for part in shlex.split(excerpt))
        start = next((i for i, line in enumerate(lines) if options["from"] in line), None)
        assert start is not None, f"no line of `torchcc {command}` contains {options['from']!r}: choose another excerpt"
        start = max(0, start - int(options.get("before", 0)))
        lines = lines[start : start + int(options["lines"])]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("number", range(len(blocks("ARCHITECTURE.md"))))
def test_printed_stage(number, monkeypatch, update_golden):
    monkeypatch.chdir(ROOT)
    block = blocks("ARCHITECTURE.md")[number]
    expected = printed(block["command"], block["excerpt"])
    if update_golden:
        text = (ROOT / "ARCHITECTURE.md").read_text()
        (ROOT / "ARCHITECTURE.md").write_text(text[: block.start("text")] + expected + text[block.end("text") :])
        return
    assert block["text"] == expected, "run with --update-golden to accept, after reading it"


OPERATORS = """\
# Operators

Every operator that is supported, as `torchcc ops` prints it. *primitive*: one record says how it is typed, lowered, computed by
the reference interpreter, and tried. *composite*: TorchScript over others. *derived*: the in-place or `out=` form of another,
which follows from its schema. *language*: sizes, lists, dicts and strings, resolved when a program is specialised or compiled
with it. dtypes are those of the first tensor; a composite takes those of what it consists of.

What stays out, and why: sparse tensors (`coalesce`, `indices`, `values`, `embedding_sparse_backward`, ...), RPC (`to_here`, `owner`, ...), autograd
(`backward`, `grad`), kernels of other devices (`mps_*`, `batch_norm_elemt`, `mm.dtype`, `convolution_overrideable`, `linear_backward`, ...), storages
(`set_`, `is_set_to`, `view.dtype`, `slice_inverse`), files (`from_file`, `save`), pinned memory, quantized tensors without elements
(`empty_quantized`), and `_foreach_*` with lists of numbers or `out=`,
which TorchScript cannot spell.

"""


def test_table_of_operators(update_golden):
    path = ROOT / "docs" / "operators.md"
    if update_golden:
        path.write_text(OPERATORS + operator_table.markdown())
    assert path.read_text() == OPERATORS + operator_table.markdown(), "pytest tests/docs --update-golden rewrites it"


def test_every_stage_is_shown():
    shown = " ".join(block["command"] for block in blocks("ARCHITECTURE.md"))
    for stage in ("ast", "torch", "linalg", "loops", "llvm", "asm", "ptx"):
        assert f"--stage {stage}" in shown


def test_the_program_shown_is_the_example():
    shown = re.search(r"```python\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)[1]
    assert shown in (ROOT / "examples" / "rows.py").read_text()


def test_python_of_the_readme_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    scope = {"__name__": "readme"}
    for code in found:
        exec(compile(code, "README.md", "exec"), scope)


def commands():
    """Every `torchcc ...` in backquotes or in an indented block; placeholders in capitals stand for values."""
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        for found in re.findall(r"`(torchcc [a-z][^`]*)`", text) + re.findall(r"^    .*?(torchcc [a-z].*)$", text, re.MULTILINE):
            if not found.split()[1].endswith(")"):
                yield document, found


@pytest.mark.parametrize(("document", "line"), sorted(set(commands())))
def test_command_parses(document, line):
    words = [w for w in shlex.split(line)[1:] if w != "..."]
    group = typer.main.get_command(app)
    assert words[0] in group.commands, line
    group.commands[words[0]].make_context(words[0], words[1:], resilient_parsing=False)

