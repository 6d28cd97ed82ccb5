"""The object cache: found again, shared by processes, repaired, bounded."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from torchcc.backend.cpu import jit, object_cache
from torchcc.backend.cpu.host import host
from torchcc.ir import cache
from torchcc.ir.parser import parse_module

PROGRAM = """
func.func @f(%x: memref<8xf32>) -> memref<8xf32> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %k = arith.constant {0}.0 : f32
  %out = memref.alloc() : memref<8xf32>
  scf.for %i = %c0 to %c8 step %c1 {{
    %v = memref.load %x[%i] : memref<8xf32>
    %w = arith.mulf %v, %k : f32
    memref.store %w, %out[%i] : memref<8xf32>
  }}
  return %out : memref<8xf32>
}}"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(tmp_path))
    jit.session()
    for path in tmp_path.glob("*"):
        path.unlink()
    return tmp_path


def run(signature, k):
    f = jit.compile_module(parse_module(PROGRAM.format(k)), signature("f32[8]", "f32[8]"))
    np.testing.assert_array_equal(f(np.ones(8, np.float32)), np.full(8, k, np.float32))


def count_compilations(monkeypatch):
    calls: list[str] = []
    original = jit.compile_text

    def counted(text, target, *, optimized):
        calls.append(text)
        return original(text, target, optimized=optimized)

    monkeypatch.setattr(jit, "compile_text", counted)
    return calls


def test_compiled_once(folder, signature, monkeypatch):
    calls = count_compilations(monkeypatch)
    run(signature, 3)
    run(signature, 3)
    assert len(calls) == 1 and len(list(folder.iterdir())) == 1
    run(signature, 4)
    assert len(calls) == 2


def test_damaged_entries_are_rebuilt(folder, signature, monkeypatch):
    run(signature, 5)
    (path,) = folder.iterdir()
    good = path.read_bytes()
    for damage in (b"", good[:50], good[:-1] + bytes([good[-1] ^ 1]), b"x" * len(good)):
        path.write_bytes(damage)
        calls = count_compilations(monkeypatch)
        run(signature, 5)
        assert len(calls) == 1
        assert path.read_bytes() == good


def test_off_and_unwritable(signature, monkeypatch, tmp_path):
    calls = count_compilations(monkeypatch)
    monkeypatch.setenv("TORCHCC_CACHE_DIR", "")
    run(signature, 6)
    run(signature, 6)
    assert len(calls) == 2
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(blocked))
    run(signature, 6)


def test_the_oldest_go_first(folder, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_SIZE", "4000")
    for i in range(3):
        cache.store(f"k{i}", bytes(1000))
        os.utime(folder / f"k{i}.tco", (i, i))
    assert cache.load("k0") == bytes(1000)  # used just now
    cache.store("k3", bytes(1500))
    names = {p.stem for p in folder.iterdir()}
    assert "k1" not in names and {"k0", "k3"} <= names


def test_the_key_depends_on_everything():
    target = host()
    keys = {
        object_cache.key("a", target, True),
        object_cache.key("b", target, True),
        object_cache.key("a", target, False),
        object_cache.key("a", dataclasses.replace(target, cpu="x86-64-v3"), True),
        object_cache.key("a", dataclasses.replace(target, features="+avx2"), True),
    }
    assert len(keys) == 5


def test_processes_share_one_folder(folder):
    """Several processes start cold on one folder at once: all get right results, no half-written file stays."""
    program = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import numpy as np, conftest
from torchcc.backend.cpu import jit
from torchcc.ir.parser import parse_module
for k in range(4):
    f = jit.compile_module(parse_module({PROGRAM!r}.format(k)), conftest.make_signature("f32[8]", "f32[8]"))
    assert (f(np.ones(8, np.float32)) == k).all()
"""
    children = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for child in children:
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
    assert not list(folder.glob("*.tmp"))
    assert all(cache.load(p.stem) is not None for p in folder.glob("*.tco"))
