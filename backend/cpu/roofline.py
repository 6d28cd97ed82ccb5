"""What this machine does at best: multiply-adds per second in registers, bytes per second from memory.

Both are measured, with the threads that are set, by two programs of the `loops` stage that do nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from ...ir.dtypes import DType
from ...ir.parser import parse_module
from ...ir.script_types import TensorType
from ...ir.signature import Leaf, Parameter, Signature, TensorSpec
from .host import host
from .jit import compile_module, num_threads

_CHAINS: Final = 20
"""Multiply-adds that do not wait for each other: at least two units times their latency; they stay in registers."""

_ROUNDS: Final = 400_000
_ELEMENTS: Final = 64 << 20
"""Of the vector that is read, 256 MiB: more than caches hold."""

_TRIALS: Final = 5


@dataclass(frozen=True)
class Machine:
    operations_per_second: float
    """On f32, a multiply-add is two."""
    bytes_per_second: float
    """Read from memory that no cache holds."""


def measured_machine() -> Machine:
    """Takes about half a second the first time for a number of threads."""
    return _measured(num_threads())


@cache
def _measured(threads: int) -> Machine:
    lanes = host().facts.vector_bytes // 4
    start = np.full(threads, 0.5, np.float32)
    operations = 2 * lanes * _CHAINS * _ROUNDS * threads / _best(_compiled(_multiply_adds(threads, lanes), threads), start)
    vector = np.ones(_ELEMENTS, np.float32)
    return Machine(operations, vector.nbytes / _best(_compiled(_reading(threads, lanes), threads, _ELEMENTS), vector))


def _best(function: Callable[[list[Any]], Any], argument: Any) -> float:
    def timed() -> float:
        begin = time.perf_counter()
        function([argument])
        return time.perf_counter() - begin

    return min(timed() for _ in range(_TRIALS))


def _compiled(text: str, threads: int, elements: int | None = None) -> Callable[[list[Any]], Any]:
    result = TensorType(DType.float32, (threads,))
    parameter = Parameter("x", TensorSpec(DType.float32, (elements or threads,)))
    signature = Signature("f", (parameter,), (result,), Leaf(0, result))
    return compile_module(parse_module(text), signature).call_flat


def _program(threads: int, elements: int, head: str, body: str) -> str:
    """A function with one parallel loop, an iteration for each thread, that gives one number each."""
    return f"""
func.func @f(%x: memref<{elements}xf32>) -> memref<{threads}xf32> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %threads = arith.constant {threads} : index
  %out = memref.alloc() {{alignment = 64 : i64}} : memref<{threads}xf32>
{head}
  scf.parallel (%i) = (%c0) to (%threads) step (%c1) {{
{body}
    memref.store %f, %out[%i] : memref<{threads}xf32>
    scf.reduce
  }} {{threads = 1 : index}}
  return %out : memref<{threads}xf32>
}}"""


def _multiply_adds(threads: int, lanes: int) -> str:
    chains, vector = range(_CHAINS), f"vector<{lanes}xf32>"
    types = ", ".join([vector] * _CHAINS)
    arguments = ", ".join(f"%a{n} = %v" for n in chains)
    updates = "\n".join(f"      %b{n} = vector.fma %a{n}, %v, %v : {vector}" for n in chains)
    body = f"""\
    %s = memref.load %x[%i] : memref<{threads}xf32>
    %v = vector.broadcast %s : f32 to {vector}
    %r:{_CHAINS} = scf.for %k = %c0 to %rounds step %c1 iter_args({arguments}) -> ({types}) {{
{updates}
      scf.yield {", ".join(f"%b{n}" for n in chains)} : {types}
    }}
{_sum([f"%r#{n}" for n in chains], vector)}"""
    return _program(threads, threads, f"  %rounds = arith.constant {_ROUNDS} : index", body)


def _reading(threads: int, lanes: int) -> str:
    streams, vector = range(4), f"vector<{lanes}xf32>"
    types = ", ".join([vector] * len(streams))
    share = _ELEMENTS // threads // (len(streams) * lanes) * (len(streams) * lanes)
    lines = [
        f"      %o{n} = arith.constant {n * lanes} : index\n"
        f"      %p{n} = arith.addi %k, %o{n} : index\n"
        f"      %l{n} = vector.load %x[%p{n}] : memref<{_ELEMENTS}xf32>, {vector}\n"
        f"      %b{n} = arith.addf %a{n}, %l{n} : {vector}"
        for n in streams
    ]
    body = f"""\
    %zero = arith.constant 0.0 : f32
    %v = vector.broadcast %zero : f32 to {vector}
    %begin = arith.muli %i, %share : index
    %end = arith.addi %begin, %share : index
    %r:{len(streams)} = scf.for %k = %begin to %end step %step iter_args({", ".join(f"%a{n} = %v" for n in streams)}) -> ({types}) {{
{chr(10).join(lines)}
      scf.yield {", ".join(f"%b{n}" for n in streams)} : {types}
    }}
{_sum([f"%r#{n}" for n in streams], vector)}"""
    head = f"  %share = arith.constant {share} : index\n  %step = arith.constant {len(streams) * lanes} : index"
    return _program(threads, _ELEMENTS, head, body)


def _sum(values: list[str], vector: str) -> str:
    lines = [f"    %t0 = arith.addf {values[0]}, {values[1]} : {vector}"]
    lines += [f"    %t{i + 1} = arith.addf %t{i}, {value} : {vector}" for i, value in enumerate(values[2:])]
    return "\n".join([*lines, f"    %f = vector.reduction <add>, %t{len(values) - 2} : {vector} into f32"])
