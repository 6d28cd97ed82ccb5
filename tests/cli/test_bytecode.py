"""Bytecode beside the sources of an installed package is used."""

from __future__ import annotations

import py_compile

import pytest

from torchcc import __main__ as command


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "__file__", str(tmp_path / "__main__.py"))
    monkeypatch.setattr("sys.pycache_prefix", None)
    for name in ("__main__.py", "driver.py"):
        (tmp_path / name).write_text("x = 1\n")
        py_compile.compile(str(tmp_path / name))
    return tmp_path


def test_an_installed_package(package):
    assert command._has_bytecode()


@pytest.mark.parametrize("name", ["driver.py", "new.py"])
def test_an_edited_one(package, name):
    (package / name).write_text("x = 234\n")
    assert not command._has_bytecode()


def test_a_checkout(package):
    (package / ".git").mkdir()
    assert not command._has_bytecode()
