"""One name everywhere: file, class, command line and test of a pass; records and tests are complete."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import torchcc
from torchcc.ir.dialects.aten import OPERATORS
from torchcc.ir.operator import Operator
from torchcc.ir.signature import ConstantResult, Signature
from torchcc.ir.target import AVX2
from torchcc.lowering.pipeline import pipeline

ROOT = Path(torchcc.__file__).parent
TESTS = Path(__file__).parents[1]
SIGNATURE = Signature("f", (), (), ConstantResult(None))
PASSES = {p.name: p for gpu in (False, True) for p in pipeline(SIGNATURE, AVX2, gpu=gpu).passes}


@pytest.mark.parametrize("name", sorted(PASSES))
def test_a_pass_has_one_name(name):
    cls = type(PASSES[name])
    file = Path(inspect.getsourcefile(cls))
    assert file.stem == name.replace("-", "_")
    assert cls.__name__ == "".join(word.capitalize() for word in name.split("-"))
    test = TESTS / file.relative_to(ROOT).parent / f"test_{file.stem}.py"
    assert test.exists(), f"{test.relative_to(TESTS)} is missing"
    assert inspect.getmodule(cls).__doc__, "the module says what goes in and what comes out"


NOT_COMPARED = re.compile(r"(new_)?empty|(sym_)?stor|(sym_)?stride|rand|normal|uniform|log_normal|manual_seed|_generator")
"""Contents of fresh memory, random numbers, and strides, which are PyTorch's own choice, have no expected value."""


def test_every_operator_record_is_complete():
    for name, record in OPERATORS.items():
        assert isinstance(record, Operator) and record.name == name and record.signature.startswith(name + "(")
        assert str(record.schema).startswith(name + "(")
        assert all(callable(f) for f in (record.infer, record.lower, record.reference, record.samples)), name
        tried = next(iter(record.samples()), None) is not None
        assert tried or NOT_COMPARED.match(record.schema.base), f"{name} has no samples"


def python_files(folder):
    """Files that are code of the project; programs that are inputs of tests are not."""
    return [p for p in sorted(folder.rglob("*.py")) if "programs" not in p.relative_to(ROOT).parts]


def test_every_test_asserts_something():
    idle = []
    for path in python_files(TESTS):
        if path.name.startswith("test_"):
            text = path.read_text()
            checks = re.search(r"\bassert\b|pytest\.raises|assert_\w+\(|\bcheck\w*\(|\braise AssertionError", text)
            tests = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
            idle += [] if checks and tests else [str(path.relative_to(ROOT))]
    assert not idle


def test_every_module_says_what_it_is():
    rooms = [ROOT / room for room in ("ir", "frontend", "lowering", "backend", "cli", "tests")]
    silent = [str(p.relative_to(ROOT)) for room in rooms for p in python_files(room) if p.read_text().strip()
              and not {"nn", "prelude"} & set(p.parts) and ast.get_docstring(ast.parse(p.read_text())) is None]  # fmt: skip
    assert not silent


MACHINE = re.compile(r"(?<![\w.:])/(?:home|root|Users|work|tmp/\w)[\w./-]*")


def test_no_paths_of_a_machine():
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".c", ".h", ".lark"}
    skipped = {".git", "build", "dist", ".venv", "shared", "__pycache__"}
    found = []
    for path in ROOT.rglob("*"):
        parts = set(path.relative_to(ROOT).parts)
        if path.suffix in kinds and not parts & skipped and path != Path(__file__) and ".egg-info" not in str(path):
            found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in MACHINE.finditer(path.read_text())]
    assert not found


def test_links_of_the_documents_resolve():
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
    broken = [
        f"{path.relative_to(ROOT)}: {link}"
        for path in documents
        for link in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if not re.match(r"https?:|mailto:", link) and not (path.parent / link).exists()
    ]
    assert documents and not broken
