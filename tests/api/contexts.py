"""Functions and a module with contexts that are left in all ways, for `test_contexts.py`: PyTorch runs them too."""

from typing import Any, List

import torch


class Ctx:
    def __init__(self, l: List[int], name: str, bad: bool, k: int = 0):
        self.l = l
        self.name = name
        self.bad = bad
        self.k = k
    def __enter__(self):
        print("enter", self.name)
        if self.bad and self.name == "e":
            assert self.l[self.k + 5] > 3
    def __exit__(self, t: Any, v: Any, tb: Any):
        self.l.append(1)
        print("exit", self.name, len(self.l))
        if self.bad:
            print(self.l[self.k + 100])
        print("done", self.name)


def helper(l: List[int], k: int) -> int:
    with Ctx(l, "h", False):
        return l[k]


def helper2(k: int) -> int:
    if k > 3:
        raise ValueError("boo")
    return k


def a(k: int):
    l = [0]
    with Ctx(l, "a", False):  # noqa: SIM117 - one in the other
        with Ctx(l, "b", True, k):
            return l[k]


def b(k: int):
    l = [0]
    with Ctx(l, "a", False):  # noqa: SIM117 - one in the other
        with Ctx(l, "e", True, k):
            return l[k]


def c(k: int):
    l = [0]
    with Ctx(l, "a", False):
        r = helper(l, k)
        r += helper(l, k)
    return r


def d(k: int):
    l = [0]
    with Ctx(l, "a", False):
        r = helper2(k)
    return r


def e(k: int):
    l = [0]
    for i in range(4):
        with Ctx(l, "x", False), Ctx(l, "y", False):
            if i == k:
                break
            if k == 7:
                return 100 + i
            if k == 8:
                continue
            l.append(l[k + i])
    return len(l)


class M(torch.nn.Module):
    log: List[int]
    def __init__(self):
        super().__init__()
        self.log = [0]
        self.register_buffer("t", torch.zeros(2))
    def forward(self, k: int):
        self.log.append(k)
        with Ctx(self.log, "m", False):
            self.t += 1
            with Ctx(self.log, "n", False):
                r = self.log[k]
        return r
