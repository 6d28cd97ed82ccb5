"""Lists whose length is known at run time only: every stage, and PyTorch, compute the same; nothing is left on the heap.

`NUMBERS` are bodies of functions that have made a list `l` of n numbers in a loop; `PROGRAMS` are whole functions.
"""

import importlib.util

import numpy as np
import pytest

from torchcc import driver
from torchcc.backend.cpu.header import header_text
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, FLOAT, INT
from torchcc.ir.signature import Dim, ScalarSpec, TensorSpec, rebuild
from torchcc.ir.structure import difference
from torchcc.verify import verify_stages

PRELUDE = (
    "import torch\nfrom torch import Tensor\nfrom typing import Dict, List, Optional, Tuple\n"
)


def normal(*shape):
    return np.random.RandomState(sum(shape) + len(shape)).randn(*shape).astype(np.float32)


MAKE = {
    "int": "l: List[int] = []\n  for i in range(n):\n    l.append(i * 7 % 5)\n",
    "float": "l: List[float] = []\n  for i in range(n):\n    l.append(i * 7 % 5 - 0.5)\n",
    "bool": "l: List[bool] = []\n  for i in range(n):\n    l.append(i * 7 % 5 > 2)\n",
}

NUMBERS = {
    "sum": ("int", """
  return sum(l), len(l), min(l), max(l)
"""),
    "anyall": ("int", """
  return any(l), all(l)
"""),
    "getneg": ("int", """
  return l[-1], l[0], l[n // 2]
"""),
    "pop": ("int", """
  a = l.pop()
  b = l.pop(0)
  c = l.pop(-2)
  return a, b, c, sum(l), len(l)
"""),
    "insert": ("int", """
  l.insert(1, 100)
  l.insert(-1, 200)
  l.insert(1000, 300)
  l.insert(-1000, 400)
  s = 0
  for i, x in enumerate(l):
      s = s * 3 + x
  return s, len(l)
"""),
    "delete": ("int", """
  del l[0]
  del l[-1]
  del l[n // 2]
  return sum(l), len(l)
"""),
    "setitem": ("int", """
  l[0] = 50
  l[-1] = 60
  l[n // 2] += 5
  return sum(l), l[-1]
"""),
    "slice": ("int", """
  a = l[1:n - 2]
  b = l[:3]
  c = l[-3:]
  d = l[::2]
  e = l[100:]
  return sum(a), len(a), sum(b), sum(c), sum(d), len(d), len(e)
"""),
    "slice_copies": ("int", """
  a = l[:]
  a.append(5)
  a[0] = 77
  return sum(a), sum(l)
"""),
    "aliasing": ("int", """
  a = l
  a.append(99)
  return len(l), l[-1]
"""),
    "copy": ("int", """
  a = l.copy()
  b = list(l)
  a.append(99)
  b[0] = 4
  return len(l), len(a), sum(b), sum(l)
"""),
    "extend": ("int", """
  l.extend([1, 2, n])
  l.extend(l)
  return len(l), sum(l), l[-1]
"""),
    "iadd": ("int", """
  l += [1, 2]
  l = l + [3]
  l = [9] + l
  return len(l), sum(l), l[0]
"""),
    "mul": ("int", """
  a = l * 2
  b = l * 0
  return len(a), len(b), sum(a)
"""),
    "eq": ("int", """
  a = l.copy()
  x = a == l
  a[0] += 1
  y = a == l
  z = a != l
  w = l == [1, 2]
  return x, y, z, w
"""),
    "contains": ("int", """
  return 3 in l, 77 in l, n in l
"""),
    "index": ("int", """
  return l.index(3), l.count(3), l.count(77)
"""),
    "remove": ("int", """
  l.remove(3)
  return len(l), l.index(3)
"""),
    "sort": ("int", """
  l.sort()
  s = 0
  for x in l:
      s = (s * 7 + x) % 1000007
  return s
"""),
    "sort_rev": ("int", """
  l.sort(reverse=True)
  s = 0
  for x in l:
      s = (s * 7 + x) % 1000007
  return s
"""),
    "sorted": ("int", """
  m = sorted(l)
  s = 0
  for x in m:
      s = (s * 7 + x) % 1000007
  for x in l:
      s = (s * 7 + x) % 1000007
  return s
"""),
    "reverse": ("int", """
  l.reverse()
  s = 0
  for x in l:
      s = (s * 7 + x) % 1000007
  return s
"""),
    "comprehension": ("int", """
  m = [x * x for x in l]
  return sum(m), len(m)
"""),
    "unpack": ("int", """
  a, b, c = l[:3]
  return a + 10 * b + 100 * c
"""),
    "tensor": ("int", """
  return torch.tensor(l), torch.tensor(l, dtype=torch.float32)
"""),
    "while_pop": ("int", """
  s = 0
  while len(l) > 0:
      s = s * 2 + l.pop()
  return s, len(l)
"""),
    "result": ("int", """
  return l
"""),
    "result_tuple": ("int", """
  return l, n, [x + 1 for x in l]
"""),
    "result_empty": ("int", """
  l.clear()
  return l
"""),
    "aug_while": ("int", """
  i = 0
  while i < len(l):
      if l[i] % 2 == 0:
          l.pop(i)
      else:
          i += 1
  return l
"""),
    "f_sum": ("float", """
  return sum(l), min(l), max(l), len(l)
"""),
    "f_sort": ("float", """
  l.sort()
  return l[0], l[-1], l[1]
"""),
    "f_contains": ("float", """
  return 1.5 in l, 100.0 in l, l.index(1.5), l.count(2.5)
"""),
    "f_tensor": ("float", """
  return torch.tensor(l)
"""),
    "f_any": ("float", """
  return any(l), all(l)
"""),
    "f_result": ("float", """
  return l
"""),
    "f_set": ("float", """
  l[2] = float(n)
  l[-1] = 3.0
  return sum(l)
"""),
    "b_any": ("bool", """
  return any(l), all(l), sum(l), l.count(True)
"""),
    "b_result": ("bool", """
  return l
"""),
    "b_pop": ("bool", """
  return l.pop(), l[0], l.index(False)
"""),
    "b_tensor": ("bool", """
  return torch.tensor(l)
"""),
}

FAILING_NUMBERS = {
    "get_bad": ("int", """
  return l[n]
"""),
    "get_bad2": ("int", """
  return l[-n - 1]
"""),
    "pop_empty": ("int", """
  l.clear()
  return l.pop()
"""),
    "index_missing": ("int", """
  return l.index(77)
"""),
    "remove_missing": ("int", """
  l.remove(77)
  return len(l)
"""),
    "unpack_bad": ("int", """
  a, b, c = l[:n]
  return a + 10 * b + 100 * c
"""),
    "empty_min": ("int", """
  l.clear()
  return min(l)
"""),
}

PROGRAMS = {
    "primes": (
        """
def f(n: int):
    primes: List[int] = []
    for i in range(2, n):
        ok = True
        for p in primes:
            if i % p == 0:
                ok = False
                break
        if ok:
            primes.append(i)
    return primes
""",
        [60],
    ),
    "collatz": (
        """
def f(n: int):
    path: List[int] = [n]
    while path[-1] != 1:
        x = path[-1]
        if x % 2 == 0:
            path.append(x // 2)
        else:
            path.append(3 * x + 1)
    return len(path), max(path), path
""",
        [27],
    ),
    "bubble": (
        """
def f(x: Tensor):
    l: List[int] = x.tolist()
    n = len(l)
    for i in range(n):
        for j in range(n - 1 - i):
            if l[j] > l[j + 1]:
                l[j], l[j + 1] = l[j + 1], l[j]
    return l
""",
        [np.array([5, 2, 9, 1, 7, 3])],
    ),
    "cond_append": (
        """
def f(x: Tensor):
    out: List[int] = []
    for i in range(x.size(0)):
        if bool(x[i] > 0):
            out.append(i)
    return out
""",
        [np.array([0.5, -1.0, 2.0, -3.0, 4.0], np.float32)],
    ),
    "two_lists": (
        """
def f(n: int):
    a: List[int] = []
    b: List[float] = []
    for i in range(n):
        if i % 3 == 0:
            a.append(i)
        else:
            b.append(i * 0.5)
    return a, b, len(a) + len(b)
""",
        [11],
    ),
    "swap_names": (
        """
def f(n: int):
    a: List[int] = []
    b: List[int] = []
    for i in range(n):
        a.append(i)
        a, b = b, a
    return a, b
""",
        [7],
    ),
    "rebind": (
        """
def f(n: int):
    a: List[int] = []
    for i in range(n):
        a = a + [i]
    return a
""",
        [7],
    ),
    "func_arg": (
        """
def add(l: List[int], x: int):
    l.append(x)
    return len(l)
def f(n: int):
    a: List[int] = []
    s = 0
    for i in range(n):
        s += add(a, i)
    return s, a
""",
        [9],
    ),
    "early_return": (
        """
def f(n: int):
    a: List[int] = []
    for i in range(n):
        a.append(i)
        if i * i > 50:
            return a
    return a
""",
        [20],
    ),
    "branch_choose": (
        """
def f(n: int):
    a: List[int] = []
    b: List[int] = []
    for i in range(n):
        a.append(i)
        b.append(-i)
    c = a if n > 5 else b
    c.append(100)
    return a, b, c
""",
        [9],
    ),
    "stack": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    h = torch.zeros(x.size(1))
    for t in range(x.size(0)):
        h = torch.tanh(h * 0.5 + x[t])
        out.append(h)
    return torch.stack(out), h
""",
        [normal(5, 3)],
    ),
    "cat": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[t:] * 2)
    return torch.cat(out), torch.cat(out, 0).sum(), len(out)
""",
        [normal(4, 3)],
    ),
    "stack1": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[t] + 1)
    return torch.stack(out, 1), torch.stack(out, dim=-1)
""",
        [normal(4, 3)],
    ),
    "tensor_result": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[:t] * 2)
    return out
""",
        [normal(4, 3)],
    ),
    "tensor_result_empty": (
        """
def f(x: Tensor, n: int):
    out: List[Tensor] = []
    for t in range(n):
        out.append(x[:t] * 2)
    return out, n
""",
        [normal(4, 3), 0],
    ),
    "last": (
        """
def f(x: Tensor):
    out: List[Tensor] = [x[0]]
    for t in range(1, x.size(0)):
        out.append(out[-1] * 0.5 + x[t])
    return out[-1], out[0], out[len(out) // 2]
""",
        [normal(6, 3)],
    ),
    "pop_front": (
        """
def f(x: Tensor):
    q: List[Tensor] = []
    total = torch.zeros(x.size(1))
    for t in range(x.size(0)):
        q.append(x[t])
        if len(q) > 3:
            total = total + q.pop(0)
    return total, len(q), torch.stack(q)
""",
        [normal(8, 3)],
    ),
    "tensor_reverse": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[t])
    out.reverse()
    a = out[1:]
    b = out[::-1]
    return torch.stack(out), torch.stack(a), torch.stack(b)
""",
        [normal(5, 3)],
    ),
    "tensor_set": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[t])
    for t in range(len(out)):
        out[t] = out[t] * 2
    out[0] = out[-1]
    out[-1] = torch.zeros(3)
    return torch.stack(out)
""",
        [normal(5, 3)],
    ),
    "index_scalar_tensor": (
        """
def f(x: Tensor, k: Tensor):
    parts = [x, x * 2, x[:1]]
    return parts[int(k)]
""",
        [normal(5, 3), np.array(1)],
    ),
    "inplace_after": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        h = x[t] * 2
        h.add_(1)
        out.append(h)
    return torch.stack(out)
""",
        [normal(5, 3)],
    ),
    "inplace_clone": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    h = torch.zeros(3)
    for t in range(x.size(0)):
        h += x[t]
        out.append(h.clone())
    return torch.stack(out)
""",
        [normal(5, 3)],
    ),
    "nested": (
        """
def f(n: int):
    ll: List[List[int]] = []
    for i in range(n):
        row: List[int] = []
        for j in range(i):
            row.append(i * j)
        ll.append(row)
    s = 0
    for row in ll:
        for v in row:
            s += v
    ll[-1].append(1000)
    ll[0] = [7, 8]
    return s, ll, len(ll[-1]), ll[0][1]
""",
        [6],
    ),
    "nested_alias": (
        """
def f(n: int):
    ll: List[List[int]] = []
    row: List[int] = []
    for i in range(n):
        ll.append(row)
        row.append(i)
    return ll, row
""",
        [4],
    ),
    "nested_eq": (
        """
def f(n: int):
    ll: List[List[int]] = []
    for i in range(n):
        ll.append([i, i + 1])
    return ll, ll[0] == ll[1], ll[1] == [1, 2]
""",
        [4],
    ),
    "nested_tensor": (
        """
def f(x: Tensor):
    ll: List[List[Tensor]] = []
    for i in range(x.size(0)):
        ll.append([x[i], x[i] * 2])
    y = torch.stack([torch.stack(l) for l in ll])
    return ll, y
""",
        [normal(3, 2)],
    ),
    "tuples": (
        """
def f(x: Tensor):
    out: List[Tuple[Tensor, int, float]] = []
    for i in range(x.size(0)):
        out.append((x[i] + i, i, float(x[i].sum())))
    best = out[0]
    for o in out:
        if o[2] > best[2]:
            best = o
    t, k, s = best
    return t, k, s, len(out)
""",
        [normal(5, 3)],
    ),
    "tuples_result": (
        """
def f(x: Tensor):
    out: List[Tuple[Tensor, int, float]] = []
    for i in range(x.size(0)):
        out.append((x[:i] + i, i, i * 0.5))
    return out
""",
        [normal(4, 3)],
    ),
    "tuple_list": (
        """
def f(n: int):
    out: List[Tuple[List[int], float]] = [([0], 0.0)]
    for i in range(n):
        toks, s = out[-1]
        out.append((toks + [i], s + i))
    return out
""",
        [4],
    ),
    "greedy": (
        """
def f(emb: Tensor, w: Tensor, n: int):
    tokens: List[int] = [1]
    h = torch.zeros(emb.size(1))
    for i in range(n):
        h = torch.tanh(emb[tokens[-1]] + h)
        logits = torch.mv(w, h)
        k = int(torch.argmax(logits))
        tokens.append(k)
        if k == 0:
            break
    return tokens, h
""",
        [normal(10, 4), normal(10, 4), 12],
    ),
    "greedy_cat": (
        """
def f(emb: Tensor, w: Tensor, n: int):
    tokens = torch.ones([1], dtype=torch.int64)
    while tokens.size(0) < n:
        h = torch.tanh(emb[tokens].sum(0))
        nxt = torch.argmax(torch.mv(w, h)).unsqueeze(0)
        tokens = torch.cat([tokens, nxt], 0)
        if int(nxt) == 0:
            break
    return tokens
""",
        [normal(10, 4), normal(10, 4), 12],
    ),
    "kv": (
        """
def f(x: Tensor):
    k = torch.zeros([0, x.size(1)])
    outs: List[Tensor] = []
    for t in range(x.size(0)):
        k = torch.cat([k, x[t:t + 1]], 0)
        a = torch.softmax(torch.mv(k, x[t]), 0)
        outs.append(torch.mv(k.t(), a))
    return torch.stack(outs), k
""",
        [normal(6, 4)],
    ),
    "beam": (
        """
def f(logp: Tensor, steps: int, width: int):
    beams: List[Tuple[List[int], float]] = []
    start: List[int] = [0]
    beams.append((start, 0.0))
    for s in range(steps):
        cand: List[Tuple[List[int], float]] = []
        for b in beams:
            toks, score = b
            row = logp[toks[-1]]
            for v in range(row.size(0)):
                cand.append((toks + [v], score + float(row[v])))
        chosen: List[Tuple[List[int], float]] = []
        for i in range(width):
            best = -1
            best_score = -1e30
            for j in range(len(cand)):
                if cand[j][1] > best_score:
                    best_score = cand[j][1]
                    best = j
            if best >= 0:
                chosen.append(cand.pop(best))
        beams = chosen
    return beams
""",
        [normal(5, 5), 4, 3],
    ),
    "beam_tensor": (
        """
def f(emb: Tensor, w: Tensor, steps: int, width: int):
    beams: List[Tuple[Tensor, float, Tensor]] = [(torch.zeros([1], dtype=torch.int64), 0.0, torch.zeros(emb.size(1)))]
    for s in range(steps):
        cand: List[Tuple[Tensor, float, Tensor]] = []
        for tokens, score, h in beams:
            h2 = torch.tanh(emb[tokens[-1]] + h)
            lp = torch.log_softmax(torch.mv(w, h2), 0)
            vals, idx = torch.topk(lp, 3)
            for j in range(3):
                cand.append((torch.cat([tokens, idx[j:j + 1]]), score + float(vals[j]), h2))
        order = torch.argsort(torch.tensor([c[1] for c in cand]), descending=True)
        beams = []
        for i in range(min(width, len(cand))):
            beams.append(cand[int(order[i])])
    return beams[0][0], beams[0][1], [b[0] for b in beams], len(beams)
""",
        [normal(6, 4), normal(6, 4), 4, 3],
    ),
    "vad": (
        """
def f(x: Tensor):
    segs: List[Tuple[int, int]] = []
    start = -1
    for i in range(x.size(0)):
        p = float(x[i])
        if p > 0.0 and start < 0:
            start = i
        if p <= 0.0 and start >= 0:
            segs.append((start, i))
            start = -1
    if start >= 0:
        segs.append((start, x.size(0)))
    return segs
""",
        [normal(20)],
    ),
    "audio_forward": (
        """
def f(x: Tensor):
    outs: List[Tensor] = []
    n = x.size(1)
    if n % 4:
        pad = 4 - (n % 4)
        x = torch.nn.functional.pad(x, [0, pad], 'constant', 0.0)
    state = torch.zeros([1, 1])
    for i in range(0, x.size(1), 4):
        w = x[:, i:i + 4]
        state = state * 0.5 + w.mean(1, keepdim=True)
        outs.append(state)
    stacked = torch.cat(outs, 1)
    return stacked
""",
        [normal(1, 18)],
    ),
    "opt_prev": (
        """
def f(x: Tensor):
    outs: List[Tensor] = []
    prev: Optional[Tensor] = None
    for t in range(x.size(0)):
        if prev is None:
            prev = x[t]
        else:
            prev = prev + x[t]
        outs.append(prev)
    return torch.stack(outs)
""",
        [normal(5, 3)],
    ),
    "while_list": (
        """
def f(x: Tensor):
    stack: List[Tensor] = [x]
    outs: List[Tensor] = []
    while len(stack) > 0:
        y = stack.pop()
        if y.size(0) <= 1:
            outs.append(y.sum(0))
        else:
            m = y.size(0) // 2
            stack.append(y[:m])
            stack.append(y[m:])
    return torch.stack(outs)
""",
        [normal(7, 3)],
    ),
    "dict_of_lists": (
        """
def f(n: int):
    e1: List[int] = []
    e2: List[int] = []
    d: Dict[str, List[int]] = {"a": e1, "b": e2}
    for i in range(n):
        d["a"].append(i)
        if i % 2 == 0:
            d["b"].append(i)
    return d["a"], d["b"]
""",
        [6],
    ),
    "sortkeys": (
        """
def f(x: Tensor):
    keys: List[float] = []
    for i in range(x.size(0)):
        keys.append(float(x[i, 0]))
    order = sorted(keys)
    out: List[Tensor] = []
    for k in order:
        out.append(x[keys.index(k)])
    return torch.stack(out), order
""",
        [normal(6, 2)],
    ),
    "tolist": (
        """
def f(x: Tensor):
    l: List[int] = x.tolist()
    l.sort()
    return l, torch.tensor(l)
""",
        [np.array([4, 1, 3])],
    ),
    "uint8_list": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for i in range(x.size(0)):
        out.append(x[i])
    return torch.stack(out), out
""",
        [np.array([[4, 250], [3, 1]], np.uint8)],
    ),
    "bools": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for i in range(x.size(0)):
        out.append(x[i] > 0)
    return torch.stack(out), out
""",
        [normal(4, 2)],
    ),
    "double_append": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for i in range(x.size(0)):
        out.append(x[i])
    for i in range(x.size(0)):
        out.append(torch.cat([x[i], x[i]]))
    return out
""",
        [normal(3, 2)],
    ),
    "tolist2": (
        """
def f(x: Tensor):
    l: List[List[float]] = x.tolist()
    s = 0.0
    for row in l:
        s += row[0] * 2 + row[-1]
    return s, l
""",
        [normal(4, 3).astype(np.float64)],
    ),
    "unbind": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for y in x.unbind(1):
        out.append(y * 2)
    return torch.stack(out)
""",
        [normal(4, 3)],
    ),
    "split": (
        """
def f(x: Tensor):
    s = torch.zeros(1)
    for c in x.split(3):
        s = s + c.max()
    parts = torch.split(x, 2, dim=1)
    return s, torch.cat(parts, 1), len(parts)
""",
        [normal(7, 5)],
    ),
    "for_row": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for row in x:
        out.append(row.sum())
    return torch.stack(out)
""",
        [normal(7, 5)],
    ),
    "enumerate_zip": (
        """
def f(x: Tensor, n: int):
    a: List[Tensor] = []
    b: List[int] = []
    for i, row in enumerate(x):
        a.append(row.sum())
        b.append(i * n)
    s = torch.zeros([])
    for p, q in zip(a, b):
        s = s + p * q
    return s, [p * 2 for p in a]
""",
        [normal(4, 5), 3],
    ),
    "recursion_like": (
        """
def push(l: List[Tensor], t: Tensor):
    l.append(t)
    return l
def f(x: Tensor):
    a: List[Tensor] = []
    for i in range(x.size(0)):
        a = push(a, x[i])
    return torch.stack(a)
""",
        [normal(4, 5)],
    ),
    "shared_row": (
        """
def f(n: int):
    row: List[int] = [0]
    ll: List[List[int]] = []
    for i in range(n):
        ll.append(row)
    ll[0].append(5)
    return ll[n - 1], row, ll
""",
        [3],
    ),
    "cond_lists": (
        """
def f(x: Tensor, c: bool):
    a: List[Tensor] = []
    if c:
        a.append(x)
    for i in range(x.size(0)):
        a.append(x[i:i + 1])
    return torch.cat(a)
""",
        [normal(3, 2), True],
    ),
    "cond_lists2": (
        """
def f(x: Tensor, c: bool):
    a: List[Tensor] = []
    for i in range(x.size(0)):
        if c:
            a = [x[i]]
        else:
            a.append(x[i])
    return torch.stack(a)
""",
        [normal(3, 2), False],
    ),
    "sort_pairs": (
        """
def f(x: Tensor, n: int, r: bool):
    l: List[Tuple[float, int]] = []
    for i in range(n):
        l.append((float(i * 7 % 5), -i))
    m = sorted(l)
    l.sort(reverse=True)
    k = l[:]
    k.sort(reverse=r)
    return l, m, k
""",
        [normal(3), 23, True],
    ),
    "sort_nested": (
        """
def f(x: Tensor, n: int):
    l: List[Tuple[bool, Tuple[int, float]]] = []
    for i in range(n):
        l.append((i % 3 == 1, (i * 5 % 7, float(x[i % x.size(0)]))))
    l.sort()
    return l, sorted(l)
""",
        [normal(4), 30],
    ),
    "sort_tensors": (
        """
def f(x: Tensor, n: int):
    l: List[Tensor] = []
    for i in range(n):
        l.append(x[i])
    m = sorted(l)
    l.sort(reverse=True)
    return l, m
""",
        [normal(11), 11],
    ),
    "sort_by_score": (
        """
def f(x: Tensor, n: int):
    l: List[Tuple[float, Tensor]] = []
    for i in range(n):
        l.append((float(x[i, 0]), x[i]))
    l.sort(reverse=True)
    return l
""",
        [normal(9, 3), 9],
    ),
    "sort_tensors_in_tuples": (
        """
def f(x: Tensor, n: int):
    l: List[Tuple[int, Tensor, int]] = []
    for i in range(n):
        l.append((i % 3, x[i:i+1], i))
    l.sort(reverse=True)
    return l
""",
        [normal(9), 9],
    ),
    "sort_reverse_known_late": (
        """
def f(x: Tensor, n: int, r: bool):
    l: List[int] = []
    b: List[bool] = []
    e: List[float] = []
    for i in range(n):
        l.append(i * 7 % 5)
        b.append(i % 3 == 0)
        e.append(float(i * 7 % 5) / 2)
    l.sort(reverse=r)
    b.sort(reverse=r)
    e.sort(reverse=r)
    s = [3, 1, 2]
    s.sort(reverse=r)
    return l, b, e, s, sorted(b)
""",
        [normal(9), 9, True],
    ),
    "sort_static_length": (
        """
def f(x: Tensor, r: bool):
    l = [(float(x[i]), i) for i in range(4)]
    l.sort(reverse=r)
    a, b = l[0]
    return l, b, sorted([float(x[0]), 1.0])
""",
        [normal(4), True],
    ),
    "sort_empty": (
        """
def f(x: Tensor, n: int):
    l: List[List[int]] = []
    k: List[Tuple[int, int]] = []
    for i in range(n):
        l.append([i])
        k.append((1, 2))
    l.sort()
    k.sort()
    return l, sorted(l), sorted(k)
""",
        [normal(4), 0],
    ),
    "beams_to_tensor": (
        """
def f(logp: Tensor, n: int):
    beams: List[List[int]] = [[1], [2]]
    for i in range(n):
        grown: List[List[int]] = []
        for b in beams:
            grown.append(b + [i])
        beams = grown
    t = torch.tensor(beams)
    return t, t[:, -1], torch.tensor(beams, dtype=torch.float32)
""",
        [normal(3), 4],
    ),
    "rows_to_tensor": (
        """
def f(logp: Tensor, n: int):
    beams: List[List[float]] = []
    for i in range(n):
        beams.append([float(i), 0.5])
    return torch.tensor(beams)
""",
        [normal(3), 4],
    ),
    "nested_to_tensor": (
        """
def f(x: Tensor, n: int):
    l: List[List[List[float]]] = []
    k: List[List[bool]] = []
    for i in range(n):
        row: List[List[float]] = []
        for j in range(2):
            row.append([float(i), float(j), 0.5])
        l.append(row)
        k.append([i > 1, i > 2])
    e: List[List[int]] = []
    z: List[int] = []
    for i in range(n):
        e.append(z)
    return torch.tensor(l), torch.tensor(k), torch.tensor(e), torch.tensor(k, dtype=torch.int32)
""",
        [normal(3), 3],
    ),
    "comprehensions_to_tensors": (
        """
def f(x: Tensor, n: int):
    seqs: List[List[int]] = []
    for i in range(n):
        seqs.append([i] * (i % 3 + 1))
    flat: List[int] = []
    for s in seqs:
        flat.extend(s)
    firsts = torch.tensor([s[0] for s in seqs])
    return flat, firsts, torch.as_tensor(flat), torch.as_tensor(seqs[:1]), torch.tensor([[s[0], len(s)] for s in seqs]), torch.tensor([[float(len(s)), 1.0] for s in seqs], dtype=torch.float64)
""",
        [normal(3), 5],
    ),
    "sort_topk": (
        """
def f(logp: Tensor, n: int):
    vals, idx = logp.topk(2, -1)
    ids: List[List[int]] = idx.tolist()
    out: List[Tuple[float, int]] = []
    for r in range(n):
        for k in range(2):
            out.append((float(vals[r, k]), ids[r][k]))
    out.sort(reverse=True)
    return out[:3], ids
""",
        [normal(5, 6), 5],
    ),
    "sort_named_tuples": (
        """
from typing import NamedTuple
class Hyp(NamedTuple):
    score: float
    last: int
    length: int
def grow(h: Hyp, t: int, s: float) -> Hyp:
    return Hyp(h.score + s, t, h.length + 1)
def f(logp: Tensor, n: int, width: int):
    hyps: List[Hyp] = [Hyp(0.0, 0, 1)]
    for i in range(n):
        cand: List[Hyp] = []
        for h in hyps:
            for v in range(logp.size(1)):
                cand.append(grow(h, v, float(logp[h.last, v])))
        cand.sort(reverse=True)
        hyps = cand[:width]
    return [(h.score, h.last, h.length) for h in hyps]
""",
        [normal(5, 5), 4, 3],
    ),
    "element_of_few": (
        """
def f(x: Tensor, n: int):
    few = [[1, 2], [3], [n]]
    l: List[Tuple[float, List[int]]] = []
    for i in range(n):
        t = few[i % 3]
        l.append((float(x[i % 4]), t))
    few[0].append(9)
    return l, few
""",
        [normal(4), 5],
    ),
    "sort_then_stack": (
        """
def f(x: Tensor, n: int):
    pool: List[Tuple[int, Tensor]] = []
    for i in range(n):
        pool.append((-(i * 7 % 11), x[i]))
    pool.sort()
    keep: List[Tensor] = []
    for _, t in pool[: n // 2]:
        keep.append(t)
    while len(pool) > 2:
        pool.pop()
    return torch.stack(keep), [k for k, _ in pool]
""",
        [normal(8, 3), 8],
    ),
    "sort_in_branch": (
        """
def f(x: Tensor, n: int):
    l = [(0.5, 1), (0.25, 2), (0.75, 3)]
    if float(x[0]) > 0:
        l.sort()
    elif n > 2:
        l.sort(reverse=True)
    for i in range(n):
        l.append((float(x[0]), i))
        l.sort()
    return l
""",
        [normal(4), 5],
    ),
    "sort_in_loop": (
        """
def f(x: Tensor):
    best: List[Tuple[float, int]] = []
    for i in range(x.size(0)):
        best.append((float(x[i]), i))
        best = sorted(best)
        if len(best) > 2:
            best.pop(0)
    return best
""",
        [normal(7)],
    ),
    "ctc_prefixes": (
        """
def merge(prefixes: List[List[int]], scores: List[float], p: List[int], s: float) -> Tuple[List[List[int]], List[float]]:
    for i in range(len(prefixes)):
        if prefixes[i] == p:
            scores[i] = float(torch.logaddexp(torch.tensor(scores[i]), torch.tensor(s)))
            return prefixes, scores
    prefixes.append(p)
    scores.append(s)
    return prefixes, scores
def keep(prefixes: List[List[int]], scores: List[float], width: int) -> Tuple[List[List[int]], List[float]]:
    order: List[Tuple[float, int]] = []
    for i, s in enumerate(scores):
        order.append((-s, i))
    order.sort()
    a: List[List[int]] = []
    b: List[float] = []
    for s, i in order[:width]:
        a.append(prefixes[i])
        b.append(-s)
    return a, b
def f(logp: Tensor, width: int, blank: int):
    prefixes: List[List[int]] = [torch.jit.annotate(List[int], [])]
    scores = [0.0]
    for t in range(logp.size(0)):
        new_p: List[List[int]] = []
        new_s: List[float] = []
        for i in range(len(prefixes)):
            p = prefixes[i]
            for c in range(logp.size(1)):
                s = scores[i] + float(logp[t, c])
                if c == blank or (len(p) > 0 and p[-1] == c):
                    new_p, new_s = merge(new_p, new_s, p, s)
                else:
                    new_p, new_s = merge(new_p, new_s, p + [c], s)
        prefixes, scores = keep(new_p, new_s, width)
    return prefixes, scores
""",
        [normal(5, 4), 3, 0],
    ),
    "best_of_pairs": (
        """
def better(a: Tuple[List[int], float], b: Tuple[List[int], float]) -> Tuple[List[int], float]:
    return a if a[1] >= b[1] else b
def f(x: Tensor, n: int):
    best: Tuple[List[int], float] = ([0], -1e9)
    seqs: List[Tuple[List[int], float]] = []
    for i in range(n):
        cur: Tuple[List[int], float] = ([i, i + 1][: i + 1], float(x[i]))
        seqs.append(cur)
        best = better(best, cur)
    worst = seqs[0]
    for c in seqs[1:]:
        worst = c if c[1] < worst[1] else worst
    return best, worst, len(seqs)
""",
        [normal(6), 6],
    ),
    "best_and_all": (
        """
def f(x: Tensor, n: int):
    best: Tuple[List[int], float] = ([0], -1e9)
    seqs: List[Tuple[List[int], float]] = []
    for i in range(n):
        cur: Tuple[List[int], float] = ([i] * i, float(x[i]))
        seqs.append(cur)
        if cur[1] > best[1]:
            best = cur
    best[0].append(99)
    seqs[1][0].append(98)
    return best, seqs
""",
        [normal(6), 6],
    ),
    "diverse_groups": (
        """
def f(x: Tensor, groups: int, n: int):
    all_groups: List[List[Tuple[float, int]]] = []
    used: List[int] = []
    for g in range(groups):
        cands: List[Tuple[float, int]] = []
        for i in range(n):
            penalty = 0.5 * float(used.count(i))
            cands.append((float(x[g, i]) - penalty, i))
        cands = sorted(cands)
        cands = cands[::-1]
        top = cands[:2]
        for s, i in top:
            used.append(i)
        all_groups.append(top)
    flat: List[Tuple[float, int]] = []
    for gr in all_groups:
        flat += gr
    flat.sort()
    s, i = flat.pop()
    ids = torch.tensor([[j for _, j in gr] for gr in all_groups])
    return all_groups, flat, s, i, ids
""",
        [normal(3, 6), 3, 6],
    ),
    "sort_tensors_by": (
        """
def f(x: Tensor):
    items: List[Tuple[float, int]] = []
    for i in range(x.size(0)):
        items.append((float(x[i].sum()), i))
    n = len(items)
    for i in range(n):
        for j in range(n - 1):
            if items[j][0] > items[j + 1][0]:
                t = items[j]
                items[j] = items[j + 1]
                items[j + 1] = t
    order: List[int] = []
    for it in items:
        order.append(it[1])
    return order, x[torch.tensor(order)]
""",
        [normal(6, 2)],
    ),
    "lstm_layers": (
        """
def cell(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor):
    g = torch.mm(x, w) + torch.mm(h, u)
    i, f, o, z = g.chunk(4, 1)
    c2 = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(z)
    return torch.sigmoid(o) * torch.tanh(c2), c2
def f(x: Tensor, w: Tensor, u: Tensor):
    outs: List[Tensor] = []
    h = torch.zeros(x.size(1), 3)
    c = torch.zeros(x.size(1), 3)
    for t in range(x.size(0)):
        h, c = cell(x[t], h, c, w, u)
        outs += [h]
    return torch.stack(outs), (h, c)
""",
        [normal(5, 2, 4), normal(4, 12), normal(3, 12)],
    ),
    "reversed_lstm": (
        """
def f(x: Tensor):
    inputs = x.unbind(0)
    outs: List[Tensor] = []
    h = torch.zeros_like(inputs[0])
    for i in range(len(inputs) - 1, -1, -1):
        h = torch.tanh(inputs[i] + h)
        outs.insert(0, h)
    return torch.stack(outs)
""",
        [normal(5, 2)],
    ),
    "matrix_list": (
        """
def f(n: int):
    m: List[List[float]] = []
    for i in range(n):
        m.append([0.0] * n)
    for i in range(n):
        for j in range(n):
            m[i][j] = float(i * n + j)
    t = 0.0
    for i in range(n):
        t += m[i][n - 1 - i]
    return t, m
""",
        [4],
    ),
    "edit_distance": (
        """
def f(a: Tensor, b: Tensor):
    n = a.size(0)
    m = b.size(0)
    prev: List[int] = []
    for j in range(m + 1):
        prev.append(j)
    for i in range(1, n + 1):
        cur: List[int] = [i]
        for j in range(1, m + 1):
            cost = 0 if int(a[i - 1]) == int(b[j - 1]) else 1
            cur.append(min(min(cur[j - 1] + 1, prev[j] + 1), prev[j - 1] + cost))
        prev = cur
    return prev[-1]
""",
        [np.array([1, 2, 3, 4, 5]), np.array([1, 3, 4, 4, 5, 6])],
    ),
    "ctc_greedy": (
        """
def f(logits: Tensor):
    ids = torch.argmax(logits, 1)
    out: List[int] = []
    last = -1
    for i in range(ids.size(0)):
        k = int(ids[i])
        if k != last and k != 0:
            out.append(k)
        last = k
    return out
""",
        [normal(20, 4)],
    ),
    "opt_list": (
        """
def f(x: Tensor, l: Optional[List[Tensor]] = None):
    out: List[Tensor] = []
    if l is not None:
        out = l
    for i in range(x.size(0)):
        out.append(x[i])
    return torch.stack(out)
""",
        [normal(3, 2)],
    ),
    "neg_insert": (
        """
def f(n: int):
    l: List[int] = []
    for i in range(n):
        l.insert(i // 2, i)
        l.insert(-1, -i)
    return l
""",
        [6],
    ),
    "slices": (
        """
def f(n: int, a: int, b: int):
    l = [i for i in range(n)]
    return l[a:b], l[a:], l[:b], l[-a:], l[:-b], l[a:b:2], l[b:a:-1] if n > 100 else l[::3]
""",
        [10, 2, 7],
    ),
    "arange_index": (
        """
def f(x: Tensor, n: int):
    idx: List[int] = []
    for i in range(n):
        if i % 2 == 0:
            idx.append(i)
    return x[torch.tensor(idx)], x[idx[1]]
""",
        [normal(7, 2), 6],
    ),
    "while_true": (
        """
def f(n: int):
    l: List[int] = []
    x = n
    while True:
        l.append(x % 10)
        x = x // 10
        if x == 0:
            break
    l.reverse()
    return l
""",
        [123405],
    ),
    "deep_nest": (
        """
def f(n: int):
    lll: List[List[List[int]]] = []
    for i in range(n):
        ll: List[List[int]] = []
        for j in range(i):
            l: List[int] = []
            for k in range(j):
                l.append(k)
            ll.append(l)
        lll.append(ll)
    return lll, len(lll[-1][-1])
""",
        [4],
    ),
    "scalar_list_state": (
        """
def f(x: Tensor):
    hs: List[Tensor] = [torch.zeros(x.size(1)), torch.zeros(x.size(1))]
    outs: List[Tensor] = []
    for t in range(x.size(0)):
        inp = x[t]
        for l in range(2):
            hs[l] = torch.tanh(hs[l] + inp)
            inp = hs[l]
        outs.append(inp)
    return torch.stack(outs), hs
""",
        [normal(5, 3)],
    ),
    "wider_after": (
        """
def f(n: int):
    l: List[Tensor] = []
    for i in range(n):
        l.append(torch.zeros(3) + i)
    l.append(torch.ones(4))
    return l
""",
        [3],
    ),
    "wider_in_branch": (
        """
def f(n: int):
    l: List[Tensor] = []
    for i in range(n):
        if i % 2 == 0:
            l.append(torch.zeros(3) + i)
        else:
            l.append(torch.zeros(2) + i)
    return l
""",
        [5],
    ),
    "frozen": (
        """
def f(n: int):
    a: List[int] = [1]
    for i in range(n):
        a[0] += i
        a = [a[0] + 1]
    return a
""",
        [5],
    ),
    "frozen2": (
        """
def f(n: int):
    a: List[int] = [1, 2]
    b: List[int] = [3, 4]
    for i in range(n):
        a, b = b, a
        a[i % 2] += i
        b[0] = a[1]
    return a, b
""",
        [5],
    ),
    "grow_tensor": (
        """
def f(x: Tensor, n: int):
    l: List[Tensor] = [x]
    for i in range(n):
        l.append(torch.cat([l[-1], x]))
    return l[-1], len(l)
""",
        [normal(2, 3), 4],
    ),
    "empty_first": (
        """
def f(x: Tensor, n: int):
    best: List[Tensor] = []
    for i in range(n):
        new: List[Tensor] = []
        for b in best:
            new.append(b + 1)
        new.append(x)
        best = new
    return torch.stack(best)
""",
        [normal(3), 4],
    ),
    "two_level": (
        """
def f(x: Tensor, n: int):
    groups: List[List[Tensor]] = []
    for i in range(n):
        if i % 3 == 0:
            empty: List[Tensor] = []
            groups.append(empty)
        groups[-1].append(x * i)
    return [torch.stack(g) for g in groups]
""",
        [normal(3), 8],
    ),
    "bool_list_mask": (
        """
def f(x: Tensor):
    keep: List[bool] = []
    for i in range(x.size(0)):
        keep.append(bool(x[i].sum() > 0))
    return x[torch.tensor(keep)]
""",
        [normal(6, 2)],
    ),
    "top_p": (
        """
def f(logits: Tensor, p: float, n: int):
    out: List[int] = []
    score = 0.0
    for i in range(n):
        probs = torch.softmax(logits * (1.0 + 0.1 * i), 0)
        vals, idx = torch.sort(probs, descending=True)
        kept: List[int] = []
        total = 0.0
        for j in range(vals.size(0)):
            if total < p:
                kept.append(int(idx[j]))
                total += float(vals[j])
        out.append(kept[i % len(kept)])
        score += total
    return out, score
""",
        [normal(9), 0.8, 5],
    ),
    "rnnt": (
        """
def f(enc: Tensor, emb: Tensor, w: Tensor):
    hyp: List[int] = [0]
    times: List[int] = []
    state = torch.zeros(emb.size(1))
    for t in range(enc.size(0)):
        n = 0
        while n < 3:
            h = torch.tanh(emb[hyp[-1]] + state)
            k = int(torch.argmax(torch.mv(w, h + enc[t])))
            if k == 0:
                break
            hyp.append(k)
            times.append(t)
            state = h
            n += 1
    return hyp[1:], times, state
""",
        [normal(5, 4), normal(6, 4), normal(6, 4)],
    ),
    "nms": (
        """
def f(boxes: Tensor, scores: Tensor, thr: float):
    order = torch.argsort(scores, descending=True)
    keep: List[int] = []
    for i in range(order.size(0)):
        a = int(order[i])
        ok = True
        for b in keep:
            lo = torch.max(boxes[a, 0], boxes[b, 0])
            hi = torch.min(boxes[a, 1], boxes[b, 1])
            inter = float((hi - lo).clamp(min=0.0))
            union = float(boxes[a, 1] - boxes[a, 0] + boxes[b, 1] - boxes[b, 0]) - inter
            if inter / union > thr:
                ok = False
        if ok:
            keep.append(a)
    return torch.tensor(keep), keep
""",
        [np.array([[0.0, 2.0], [1.0, 3.0], [5.0, 6.0], [5.2, 6.5], [9.0, 12.0]], np.float32), np.array([0.5, 0.9, 0.3, 0.8, 0.1], np.float32), 0.3],
    ),
    "pad_sequences": (
        """
def f(x: Tensor, lengths: Tensor):
    seqs: List[Tensor] = []
    for i in range(lengths.size(0)):
        seqs.append(x[i, :int(lengths[i])])
    longest = 0
    for s in seqs:
        longest = max(longest, s.size(0))
    out: List[Tensor] = []
    for s in seqs:
        out.append(torch.nn.functional.pad(s, [0, longest - s.size(0)]))
    return torch.stack(out), longest
""",
        [normal(3, 6), np.array([2, 6, 4])],
    ),
    "queue_bfs": (
        """
def f(adj: Tensor):
    n = adj.size(0)
    dist: List[int] = [-1] * n
    dist[0] = 0
    queue: List[int] = [0]
    while len(queue) > 0:
        u = queue.pop(0)
        for v in range(n):
            if bool(adj[u, v] > 0) and dist[v] < 0:
                dist[v] = dist[u] + 1
                queue.append(v)
    return dist
""",
        [np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]], np.float32)],
    ),
    "memo_fib": (
        """
def f(n: int):
    memo: List[int] = [0, 1]
    while len(memo) <= n:
        memo.append(memo[-1] + memo[-2])
    return memo[n], memo
""",
        [20],
    ),
    "optional_result": (
        """
def f(x: Tensor, n: int) -> Optional[List[Tensor]]:
    l: List[Tensor] = []
    for i in range(n):
        l.append(x * i)
    if n > 3:
        return l
    return None
""",
        [normal(3), 5],
    ),
    "list_or_list": (
        """
def f(n: int):
    l: List[int] = []
    for i in range(n):
        l.append(i)
    if n > 3:
        m = l
    else:
        m = [7]
    m.append(1)
    return l, m
""",
        [5],
    ),
    "entry_mutated2": (
        """
def f(n: int):
    a = [1]
    e = a
    for i in range(n):
        e[0] = 7
        a = [i]
    e[0] = 5
    return a, e
""",
        [0],
    ),
    "another_name": (
        """
def f(n: int, m: int):
    a = [1]
    e = a
    for i in range(n):
        a = [i]
    e.append(5)
    b = [2]
    d = [1]
    ll: List[List[int]] = []
    for i in range(m):
        c = [i]
        b = c
        d = c
    d.append(3)
    for i in range(2):
        ll.append(b)
    ll[1].append(4)
    return a, e, b, d, ll
""",
        [0, 2],
    ),
    "rebind_sort": (
        """
def f(n: int):
    b = [3, 1]
    for i in range(n):
        b = [5 - i, 0]
    b.sort()
    return b
""",
        [2],
    ),
}

FAILING = {
    "raise_mid": (
        """
def f(n: int):
    a: List[int] = []
    for i in range(n):
        a.append(i)
        if i > 10:
            raise ValueError("too long")
    return a
""",
        [20],
    ),
    "cat1": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[:, t:t + 2].t())
    return torch.cat(out, -1)
""",
        [normal(4, 4)],
    ),
    "stack_empty": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        if bool(x[t].sum() > 1000):
            out.append(x[t] + 1)
    return torch.stack(out, 1)
""",
        [normal(4, 3)],
    ),
    "stack_mismatch": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[:t + 1] + 1)
    return torch.stack(out)
""",
        [normal(4, 3)],
    ),
    "cat_mismatch": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    for t in range(x.size(0)):
        out.append(x[:t + 1] + 1)
    return torch.cat(out, 1)
""",
        [normal(4, 3)],
    ),
    "ragged_to_tensor": (
        """
def f(n: int):
    l: List[List[List[int]]] = []
    for i in range(n):
        l.append([[1] * (i + 1)])
    return torch.tensor(l)
""",
        [3],
    ),
    "sort_lists": (
        """
def f(n: int):
    l: List[List[int]] = []
    for i in range(n):
        l.append([i])
    l.sort()
    return l
""",
        [3],
    ),
    "sort_tuples_of_lists": (
        """
def f(x: Tensor, n: int):
    l: List[Tuple[int, Tuple[float, List[List[Tensor]]]]] = []
    for i in range(n):
        l.append((i, (1.0, [[x]])))
    return sorted(l)
""",
        [normal(4), 3],
    ),
    "sort_larger_tensors": (
        """
def f(x: Tensor, n: int):
    l: List[Tuple[float, Tensor]] = []
    for i in range(n):
        l.append((float(i % 2), x))
    l.sort()
    return l
""",
        [normal(4), 3],
    ),
    "sort_empty_tensors": (
        """
def f(x: Tensor, n: int):
    l: List[Tensor] = []
    for i in range(n):
        l.append(x[:0])
    return sorted(l)
""",
        [normal(4), 3],
    ),
    "raise_alive": (
        """
def f(x: Tensor):
    out: List[Tensor] = []
    ll: List[List[int]] = []
    for i in range(x.size(0)):
        out.append(x[i])
        ll.append([i, i])
    return out[100], ll
""",
        [normal(4, 2)],
    ),
}



def spec(value, dynamic):
    if isinstance(value, np.ndarray):
        shape = tuple(Dim(f"d{i}_{e}") if dynamic else e for i, e in enumerate(value.shape))
        return TensorSpec(from_numpy(value.dtype), shape)
    return ScalarSpec(BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT)


def program_of(source):
    return compile_text(PRELUDE + source, entry="f")


def numbers(kind, body):
    return f"def f(n: int):\n  {MAKE[kind]}{body}"


def in_torch(source, arguments):
    torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")

    def plain(value):
        if isinstance(value, list | tuple):
            return type(value)(map(plain, value))
        return value.numpy() if isinstance(value, torch.Tensor) else value

    names = {}
    exec(PRELUDE + source, names)
    return plain(names["f"](*(torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments)))


def assert_same(expected, got):
    if isinstance(expected, list | tuple):
        assert type(got) is type(expected) and len(got) == len(expected)
        for e, g in zip(expected, got):
            assert_same(e, g)
    elif isinstance(expected, np.ndarray):
        assert got.shape == expected.shape and got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    else:
        assert type(got) is type(expected) and got == pytest.approx(expected)


def check(source, arguments):
    program = program_of(source)
    specs = [spec(a, dynamic=True) for a in arguments]
    report = verify_stages(program, specs, arguments)
    assert all(line.agrees for line in report), report
    assert_same(in_torch(source, arguments), Interpreter(driver.composite).run_program(program, arguments))
    lowered = driver.lower(program, specs)
    for stage in ("torch", "linalg", "loops"):
        again = parse_module(driver.print_stage(lowered, stage), driver.constants(lowered.modules[stage]))
        if stage != "torch":  # whose text does not say which overload a node is of
            assert difference(lowered.modules[stage], again) is None, stage


def native(source, arguments, dynamic=True):
    lowered = driver.lower(program_of(source), [spec(a, dynamic) for a in arguments])
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    return lambda: rebuild(lowered.signature.tree, compiled.call_flat(arguments))


def check_failure(source, arguments):
    program = program_of(source)
    with pytest.raises(ExecutionError) as expected:
        Interpreter(driver.composite).run_program(program, arguments)
    call = native(source, arguments)
    for _ in range(2):  # the second time it finds no traces of the first
        with pytest.raises(ExecutionError) as found:
            call()
        assert found.value.message == expected.value.message


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name):
    check(numbers(*NUMBERS[name]), [12])


@pytest.mark.parametrize("name", FAILING_NUMBERS)
def test_failures_of_numbers(name):
    check_failure(numbers(*FAILING_NUMBERS[name]), [12])


@pytest.mark.parametrize("count", [0, -3])
def test_no_iterations(count):
    check(numbers("int", "  return sum(l), len(l), l"), [count])


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    check(*PROGRAMS[name])


@pytest.mark.parametrize("name", FAILING)
def test_failures(name):
    check_failure(*FAILING[name])


def test_nan_stands_last():
    """PyTorch's order is undefined there: all stages have to agree."""
    source = """
def f(n: int):
    l: List[Tuple[float, int]] = []
    e: List[float] = []
    for i in range(n):
        v = float("nan") if i % 3 == 0 else float(i * 7 % 5)
        l.append((v, i))
        e.append(v)
    l.sort()
    e.sort()
    return [i for _, i in l], [int(k > -1.0) for k in e]
"""
    program = program_of(source)
    assert all(line.agrees for line in verify_stages(program, [ScalarSpec(INT)], [9]))
    order, numbers = native(source, [9])()
    assert order[6:] == [0, 3, 6] and numbers == [1] * 6 + [0] * 3


@pytest.mark.parametrize("name", ["sort_lists", "sort_tuples_of_lists", "sort_larger_tensors", "sort_empty_tensors", "ragged_to_tensor"])
def test_messages_are_those_of_pytorch(name, tmp_path):
    torch = pytest.importorskip("torch", reason="the expected messages are PyTorch's")
    source, arguments = FAILING[name]
    path = tmp_path / "unsortable.py"
    path.write_text(PRELUDE + source)
    found_at = importlib.util.spec_from_file_location("unsortable", path)
    module = importlib.util.module_from_spec(found_at)
    found_at.loader.exec_module(module)
    given = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments]
    with pytest.raises(RuntimeError) as expected:
        torch.jit.script(module.f)(*given)
    with pytest.raises(ExecutionError) as found:
        native(source, arguments)()
    assert found.value.message in str(expected.value)


def test_a_tensor_of_no_rows_is_refused():
    """It would have one dimension in PyTorch, and has two where there are rows."""
    source = "def f(n: int):\n  l: List[List[int]] = []\n  for i in range(n):\n    l.append([i, i])\n  return torch.tensor(l)\n"
    assert native(source, [2])().shape == (2, 2)
    with pytest.raises(ExecutionError, match="torch.tensor of an empty list has 1 dimension"):
        native(source, [0])()


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("name", ["beam_tensor", "nested_tensor", "tuples_result", "raise_alive"])
def test_calls_leave_nothing(name):
    """Each of these calls allocates kilobytes: 10,000 that forgot them would show."""
    call = native(*(PROGRAMS.get(name) or FAILING[name]))

    def run(times):
        for _ in range(times):
            try:
                call()
            except ExecutionError:
                assert name in FAILING

    try:
        resident()
    except OSError:
        pytest.skip("needs /proc")
    run(200)
    before = resident()
    run(10_000)
    assert resident() - before < 4 << 20


def test_elements_are_given_back_while_the_function_runs():
    source = """
def f(x: Tensor, n: int):
    l: List[Tensor] = [x]
    for i in range(n):
        l = [l[-1] * 0.5, l[0] + 1]
        l.append(x)
        l.pop(0)
    return l[0]
"""
    x = np.ones(250_000, np.float32)
    call = native(source, [x, 1000])
    call()
    before = resident()
    call()
    assert resident() - before < 64 << 20  # 3000 tensors of one megabyte came and went


def test_a_list_of_static_length_stays_one():
    source = "def f(x: Tensor):\n  l: List[Tensor] = []\n  for i in range(20):\n    l.append(x + i)\n  return torch.cat(l)\n"
    lowered = driver.lower(program_of(source), [spec(normal(2, 3), dynamic=False)])
    assert not any(op.name.startswith("rt.") for op in lowered.modules["linalg"].walk())


def test_a_long_loop_is_not_unrolled_for_its_list():
    source = "def f(x: Tensor):\n  l: List[Tensor] = []\n  for i in range(3000):\n    l.append(x + i)\n  return torch.cat(l)\n"
    lowered = driver.lower(program_of(source), [spec(normal(2, 3), dynamic=False)])
    assert len(list(lowered.modules["loops"].walk())) < 500
    check(source, [normal(2, 3)])


REFUSED = {
    "tensors of several dtypes": (
        "def f(x: Tensor, n: int):\n  l: List[Tensor] = []\n  for i in range(n):\n    l.append(x if i > 2 else x > 0)\n  return l\n",
        "only known at run time",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    source, message = REFUSED[name]
    with pytest.raises(CompileError) as found:
        driver.lower(program_of(source), [spec(normal(4, 3), True), ScalarSpec(INT)])
    assert message in str(found.value) and found.value.diagnostics[0].span is not None


def test_the_header_says_how_a_list_is_handed_out():
    lowered = driver.lower(program_of(PROGRAMS["tuples_result"][0]), [spec(normal(4, 3), True)])
    text = header_text([lowered.signature], "library")
    assert "a list of out0 elements: tuples (tensors (elements in out1, 2 extents each in out2), numbers in out3" in text


def test_refused_on_a_gpu():
    source = numbers("int", "  return sum(l)")
    with pytest.raises(CompileError, match="lists whose length is only known at run time are not supported on GPUs"):
        driver.lower(program_of(source), [ScalarSpec(INT)], "sm_90")
