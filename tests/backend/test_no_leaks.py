"""Calls give back all they took: no object of the run time is left, no byte of the heap, and memory does not grow."""

import ctypes
import gc
import os
from pathlib import Path

import numpy as np
import pytest

from torchcc import api
from torchcc.backend.cpu import jit
from torchcc.backend.cpu.call import CompiledFunction
from torchcc.ir.diagnostics import ExecutionError

CALLS = 100_000
STATM = Path("/proc/self/statm")

PROGRAM = """
import torch
from torch import Tensor
from typing import Dict, List, Optional, Tuple

class Node:
    def __init__(self, value: int):
        self.value = value
        self.items: List[int] = [value]

    def grow(self, n: int):
        self.items.append(n)
        self.value += n

def lists(xs: List[List[int]], n: int):
    out: List[Tuple[List[int], int]] = []
    for x in xs:
        x.append(n)
        out.append((x[::-1], n))
    xs[0] = xs[-1]
    assert n >= 0, "negative"
    return out, xs

def tables(d: Dict[int, List[int]], n: int):
    for i in range(len(d)):
        d[i * 7] = d[0][:1]
    for k in list(d.keys()):
        if k % 3 == 0:
            del d[k]
    return d, d[n]

def optionals(xs: List[Optional[List[int]]], n: int):
    kept: List[List[int]] = []
    for x in xs:
        if x is not None:
            kept.append(x)
            kept[-1].append(n)
    return xs[n], kept

def strings(text: str, words: List[str], d: Dict[str, List[str]], n: int):
    for word in text.split(" "):
        words.append(word + str(n))
        if word in d:
            d[word].append(word.upper())
    return "-".join(words), d, words[n]

def objects(xs: List[int], n: int):
    node = Node(n)
    for x in xs:
        if x == 3:
            node = Node(x)
        node.grow(x)
    return node.items[n], node.value

def tensors(x: Tensor, xs: List[int], n: int):
    parts: List[Tensor] = []
    for k in xs:
        parts.append(x[k:])
        if len(parts) > 2:
            parts.pop(0)
    return torch.cat(parts), parts[n]
"""

VECTOR = np.arange(5, dtype=np.float32)

CASES = {
    "lists": (([[1, 2], [], [3]],), 4, -1),
    "tables": (({0: [1, 2], 1: [], 5: [7]},), 5, 99),
    "optionals": (([[1], None, [2, 3]],), 1, 5),
    "strings": (("some words or more", ["a", "b"], {"some": [], "x": ["y"]}), 3, 99),
    "objects": (([1, 2, 3, 4, 3],), 1, 9),
    "tensors": ((VECTOR, [1, 2, 0, 3]), 0, 4),
}


def resident():
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class HeapFacts(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


def allocated():
    """Bytes that `malloc` has given out, 0 where that is not told."""
    facts = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if facts is None:
        return 0
    facts.restype = HeapFacts
    gc.collect()
    found = facts()
    return found.uordblks + found.hblkhd


@pytest.mark.skipif(not STATM.exists(), reason="reads /proc")
def test_calls_leave_nothing(monkeypatch):
    library = api.compile_source(PROGRAM)
    left = jit.session().functions.objects_left
    before = left()
    calls = {}

    def noted(compiled, arguments):
        calls[name, number] = compiled, arguments
        return call_flat(compiled, arguments)

    call_flat = CompiledFunction.call_flat
    monkeypatch.setattr(CompiledFunction, "call_flat", noted)
    for name, (given, good, bad) in CASES.items():
        number = good
        getattr(library, name)(*given, number)
        number = bad
        with pytest.raises(ExecutionError):
            getattr(library, name)(*given, number)
        assert left() == before, f"{name} leaves objects"

    # what compiled code does, without what Python does around it
    def repeat(count):
        for (name, number), (compiled, arguments) in calls.items():
            fails = number == CASES[name][2]
            for _ in range(count if not fails else count // 10):
                try:
                    call_flat(compiled, arguments)
                except ExecutionError:
                    assert fails
            assert left() == before, f"{name} leaves objects"

    repeat(200)
    start, bytes_before = resident(), allocated()
    repeat(CALLS // len(CASES))
    assert allocated() - bytes_before < CALLS  # a byte for each call
    assert resident() - start < 4 << 20
