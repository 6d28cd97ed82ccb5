"""Run-time errors, threads, memory of calls."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from torchcc.backend.cpu import jit
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.parser import parse_module
from torchcc.ir.source import SourceFile, Span

ASSERTS = """
func.func private @torchcc_note_i64(i64)
func.func private @torchcc_note_f64(f64)
func.func @f(%x: memref<?xf32>, %i: i64) -> memref<f32> {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %len = arith.index_cast %n : index to i64
  %waste = memref.alloc(%n) : memref<?xf32>
  %ok = arith.cmpi slt, %i, %len : i64
  %true = arith.constant true
  %bad = arith.xori %ok, %true : i1
  scf.if %bad {
    func.call @torchcc_note_i64(%i) : (i64) -> ()
    func.call @torchcc_note_i64(%len) : (i64) -> ()
    %half = arith.constant 0.5 : f64
    func.call @torchcc_note_f64(%half) : (f64) -> ()
  }
  cf.assert %ok, "index {} is out of range for length {} ({}, {})"
  %k = arith.index_cast %i : i64 to index
  %v = memref.load %x[%k] : memref<?xf32>
  %out = memref.alloc() : memref<f32>
  memref.store %v, %out[] : memref<f32>
  return %out : memref<f32>
}"""


def test_failed_assertions(compiled):
    f = compiled(ASSERTS, "f32[n] int", "f32[]")
    x = np.arange(4, dtype=np.float32)
    assert f(x, 2) == 2
    with pytest.raises(ExecutionError) as error:
        f(x, 7)
    assert error.value.message == "index 7 is out of range for length 4 (0.5, {})"
    assert f(x, 3) == 3


def test_errors_carry_the_source_location(signature):
    module = parse_module(ASSERTS)
    file = SourceFile("model.py", "def f(x, i: int):\n    return x[i]\n")
    assertion = next(op for op in module.walk() if op.name == "cf.assert")
    assertion.span = Span(file, 29, 33)
    f = jit.compile_module(module, signature("f32[n] int", "f32[]"))
    with pytest.raises(ExecutionError) as error:
        f(np.zeros(1, np.float32), 1)
    assert error.value.location == "model.py:2:12"
    assert error.value.span is assertion.span
    assert "return x[i]" in str(error.value)


LOOP = """
func.func private @torchcc_note_i64(i64)
func.func @f(%x: memref<?xi64>, %limit: i64) -> memref<?xi64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %true = arith.constant true
  %n = memref.dim %x, %c0 : memref<?xi64>
  %out = memref.alloc(%n) : memref<?xi64>
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %v = memref.load %x[%i] : memref<?xi64>
    %scratch = memref.alloc(%n) : memref<?xi64>
    memref.store %v, %scratch[%i] : memref<?xi64>
    %ok = arith.cmpi slt, %v, %limit : i64
    %bad = arith.xori %ok, %true : i1
    scf.if %bad {
      func.call @torchcc_note_i64(%v) : (i64) -> ()
    }
    cf.assert %ok, "value {} is too large"
    %w = memref.load %scratch[%i] : memref<?xi64>
    memref.store %w, %out[%i] : memref<?xi64>
    scf.reduce
  } {threads}
  return %out : memref<?xi64>
}"""


def test_assertions_in_parallel_bodies(compiled):
    f = compiled(LOOP, "i64[n] int", "i64[n]")
    x = np.arange(2000)
    np.testing.assert_array_equal(f(x, 2000), x)
    for _ in range(20):
        with pytest.raises(ExecutionError) as error:
            f(x, 1000)
        assert re.fullmatch(r"value 1\d\d\d is too large", error.value.message)
    np.testing.assert_array_equal(f(x, 2000), x)


def test_many_python_threads(compiled):
    """One function from several threads at once, some calls failing: each thread sees its own results and errors."""
    f = compiled(LOOP, "i64[n] int", "i64[n]")
    problems: list[str] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(60):
            size = int(rng.integers(1, 3000))
            x = rng.integers(0, 100, size) + 1000 * seed
            if rng.random() < 0.3:
                try:
                    f(x, 1000 * seed)
                    problems.append("no error")
                except ExecutionError as error:
                    if not error.message.startswith(f"value {seed}"):
                        problems.append(error.message)
            elif not np.array_equal(f(x, 10**9), x):
                problems.append("wrong result")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_thread_count_can_be_set(compiled):
    f = compiled(LOOP, "i64[n] int", "i64[n]")
    before = jit.num_threads()
    x = np.arange(5000)
    try:
        for count in (1, 5, 2, 3):
            jit.set_num_threads(count)
            assert jit.num_threads() == count
            for _ in range(50):
                np.testing.assert_array_equal(f(x, 5000), x)
        jit.set_num_threads(-3)
        assert jit.num_threads() == 1
    finally:
        jit.set_num_threads(before)


def test_every_iteration_runs_once_whatever_the_shares(compiled):
    """Totals that are no multiple of pieces, pieces that are none of threads, more threads than cores: some help others."""
    f = compiled(LOOP, "i64[n] int", "i64[n]")
    before = jit.num_threads()
    try:
        for count in (2, 3, 7, 16):
            jit.set_num_threads(count)
            for n in (1, 2, 3, 5, 13, 63, 64, 65, 127, 1001):
                x = np.arange(n) * 3
                np.testing.assert_array_equal(f(x, 3 * n), x)
    finally:
        jit.set_num_threads(before)


def test_fork_with_a_running_pool(compiled):
    f = compiled(LOOP, "i64[n] int", "i64[n]")
    before = jit.num_threads()
    jit.set_num_threads(3)
    x = np.arange(3000)
    try:
        f(x, 3000)
        child = os.fork()
        if child == 0:
            os._exit(0 if all(np.array_equal(f(x, 3000), x) for _ in range(20)) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        np.testing.assert_array_equal(f(x, 3000), x)
    finally:
        jit.set_num_threads(before)


def test_failed_calls_leak_nothing(compiled):
    text = """
    func.func @f(%n: i64, %ok: i1) -> memref<?xf32> {
      %c0 = arith.constant 0 : index
      %k = arith.index_cast %n : i64 to index
      %a = memref.alloc(%k) : memref<?xf32>
      %z = arith.constant 0.0 : f32
      memref.store %z, %a[%c0] : memref<?xf32>
      cf.assert %ok, "no"
      return %a : memref<?xf32>
    }"""
    f = compiled(text, "int bool", "f32[n]")
    for _ in range(3000):  # 3000 x 40 MB would not fit
        with pytest.raises(ExecutionError):
            f(10_000_000, False)
    assert f(5, True).shape == (5,)


def test_out_of_memory_is_an_error(compiled):
    text = """
    func.func @f(%n: i64) -> memref<?xf64> {
      %k = arith.index_cast %n : i64 to index
      %a = memref.alloc(%k) : memref<?xf64>
      return %a : memref<?xf64>
    }"""
    with pytest.raises(ExecutionError, match="out of memory: cannot allocate"):
        compiled(text, "int", "f64[n]")(2**57)


def test_functions_can_be_dropped(compiled):
    """Results outlive the function; code is unloaded while others go on."""
    results = []
    for k in range(20):
        text = f"""
        func.func @f(%x: memref<4xf32>) -> memref<4xf32> {{
          %c = arith.constant {k}.0 : f32
          %c0 = arith.constant 0 : index
          %out = memref.alloc() : memref<4xf32>
          memref.copy %x, %out : memref<4xf32> to memref<4xf32>
          memref.store %c, %out[%c0] : memref<4xf32>
          return %out : memref<4xf32>
        }}"""
        f = compiled(text, "f32[4]", "f32[4]")
        results.append(f(np.ones(4, np.float32)))
        del f
    assert [r[0] for r in results] == list(range(20))


def test_a_process_with_a_hot_pool_ends_cleanly(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import numpy as np, conftest
from torchcc.backend.cpu import jit
from torchcc.ir.parser import parse_module
jit.set_num_threads(4)
f = jit.compile_module(parse_module({LOOP!r}), conftest.make_signature("i64[n] int", "i64[n]"))
x = np.arange(1000)
for _ in range(10):
    y = f(x, 1000)
assert np.array_equal(x, y)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
