"""Every operator record runs from a shared library in a C program: nothing of a call goes through Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from torchcc.backend.cpu.host import host
from torchcc.backend.cpu.shared_library import write_shared_library
from torchcc.ir.dialects.aten import OPERATORS

sys.path.insert(0, str(Path(__file__).parent))
from c_process import Trial, c_program
from record_calls import TOLERANCE, Call, Group, is_lowered

CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler on this machine")

GROUP = 24
NAMES = sorted(name for name, record in OPERATORS.items() if is_lowered(record))
PARTS = [NAMES[i : i + 120] for i in range(0, len(NAMES), 120)]
"""Operators of one library."""


def call_of(name: str) -> Call | None:
    """The first sample that is not an error."""
    record = OPERATORS[name]
    return next((Call(record, s) for s in record.samples() if s.raises is None), None)


def grouped(calls: Sequence[Call]) -> list[Group]:
    return [Group(calls[i : i + GROUP], name=f"operators_{i}") for i in range(0, len(calls), GROUP)]


def trial(group: Group, module: Any) -> Trial:
    expected = [call.record.reference(**call.arguments) for call in group.calls]
    return Trial(module.signature, group.leaves, expected, lambda i: group.calls[i].record.name, TOLERANCE)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part[0]}-{part[-1]}".replace("aten::", ""))
def test_operators(part: Sequence[str], tmp_path: Path) -> None:
    groups = grouped([c for name in part if (c := call_of(name)) is not None])
    modules = [g.module() for g in groups]
    write_shared_library(modules, host(), tmp_path / "liboperators.so")
    (tmp_path / "main.c").write_text(c_program([trial(g, m) for g, m in zip(groups, modules, strict=True)]))
    subprocess.run(
        [str(CC), "-O0", "-Wall", "-Werror", "main.c", "-L.", "-loperators", "-lm", "-o", "main", f"-Wl,-rpath,{tmp_path}"],
        cwd=tmp_path,
        check=True,
    )
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_result_is_seen(tmp_path: Path) -> None:
    call = call_of("aten::abs")
    assert call is not None
    group = Group([call], name="f")
    module = group.module()
    write_shared_library([module], host(), tmp_path / "liboperators.so")
    wrong = Trial(module.signature, group.leaves, [call.record.reference(**call.arguments) + 1], lambda i: "here", {})
    (tmp_path / "main.c").write_text(c_program([wrong]))
    subprocess.run(
        [str(CC), "main.c", "-L.", "-loperators", "-lm", "-o", "main", f"-Wl,-rpath,{tmp_path}"], cwd=tmp_path, check=True
    )
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("here: element 0")
