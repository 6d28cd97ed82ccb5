"""Digests of large files that have not changed are remembered, and never for longer."""

from __future__ import annotations

import os
import time

import pytest

from torchcc.ir import cache

SIZE = (4 << 20) + 100


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "weights"
    path.write_bytes(bytes(SIZE))
    return path


@pytest.fixture
def hashed(monkeypatch):
    """A list that grows with everything that is hashed."""
    calls = []
    original = cache.digest
    monkeypatch.setattr(cache, "digest", lambda *buffers: calls.append(1) or original(*buffers))
    return calls


def wait_for_a_tick(file):
    """The clocks of file systems are coarse."""
    probe = file.with_name("probe")
    before = time.time()
    while True:
        probe.write_bytes(b"x")
        if probe.stat().st_ctime > before:
            return
        time.sleep(0.005)


@pytest.mark.skipif(os.name != "posix", reason="ctime is another thing there")
def test_a_file_that_was_not_changed_is_hashed_once(file, hashed, monkeypatch):
    monkeypatch.setattr(cache, "_SETTLED", 0.0)
    wait_for_a_tick(file)
    first = cache.file_digest(file)
    assert cache.file_digest(file) == first and len(hashed) == 1


@pytest.mark.parametrize("keeps_times", [False, True])
def test_a_file_that_was_changed_is_hashed_again(file, hashed, monkeypatch, keeps_times):
    monkeypatch.setattr(cache, "_SETTLED", 0.0)
    wait_for_a_tick(file)
    before, first = file.stat(), cache.file_digest(file)
    with file.open("r+b") as opened:
        opened.seek(SIZE // 2)
        opened.write(b"1")
    if keeps_times:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.file_digest(file) != first


def test_another_file_under_the_name_with_its_times(file, monkeypatch):
    monkeypatch.setattr(cache, "_SETTLED", 0.0)
    wait_for_a_tick(file)
    before, first = file.stat(), cache.file_digest(file)
    other = file.with_name("other")
    other.write_bytes(b"1" * SIZE)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert cache.file_digest(file) != first


def test_a_file_of_this_minute_is_always_hashed(file, hashed):
    for _ in range(2):
        cache.file_digest(file)
    assert len(hashed) == 2
