"""Sections 9 and 10: indices, slices, unpacking, loops."""

import pytest

GOOD = {
    "lists and strings": (
        "def f(l: List[int], s: str, i: int):\n  return l[-1], l[1:], l[::2], l[::-1], l[i], l[i:], s[0], s[::-1], s[1:-1], s[-1], l[5:], l[-2:], l[2:0:-1]",
        [(([1, 2, 3], "abcd", 1), (3, [2, 3], [1, 3], [3, 2, 1], 2, [2, 3], "a", "dcba", "bc", "d", [], [2, 3], [3, 2]))],
    ),
    "tuples": (
        "def f(t: Tuple[int, float, str], tt: Tuple[int, int], i: int):\n  return t[0], t[-1], t[1:], tt[i], t + (1,), t[:-1], t[::2], len(t)",
        [(((1, 2.0, "x"), (5, 6), 1), (1, "x", (2.0, "x"), 6, (1, 2.0, "x", 1), (1, 2.0), (1, "x"), 3))],
    ),
    "slices are new objects": ("def f(l: List[int]):\n  m = l[:]\n  m.append(5)\n  m[0] = 9\n  return l, m", [(([1, 2],), ([1, 2], [9, 2, 5]))]),
    "list index out of range": ("def f(l: List[int], i: int): return l[i]", [(([1, 2], 1), 2), (([1], 5), "raises: list index out of range"), (([1], -2), "raises: list index out of range")]),
    "assignment out of range": ("def f(l: List[int], i: int):\n  l[i] = 3\n  return l", [(([1, 2], -1), [1, 3]), (([1], 5), "raises: list index out of range")]),
    "str index out of range": ("def f(s: str, i: int): return s[i]", [(("ab", 1), "b"), (("ab", -1), "b"), (("ab", 5), "raises: ")]),
    "key error": ("def f(d: Dict[str, int]): return d['q']", [(({"q": 2},), 2), (({"a": 1},), "raises: KeyError: q")]),
    "int keys": ("def f(d: Dict[int, int], k: int):\n  d[k] = 5\n  return d[k], d", [(({1: 2}, 3), (5, {1: 2, 3: 5}))]),
    "tuple index out of range": ("def f(t: Tuple[int, int], i: int): return t[i]", [(((1, 2), -1), 2), (((1, 2), 2), "raises: ")], {"torch": True}),
    "unpacking": ("def f(a: Tuple[int, int, int, int], l: List[int], x):\n  p, *q, r = a\n  u, v = l\n  h, w = x.shape\n  return p, q, r, u + v, h * w", [
        (((1, 2, 3, 4), [1, 2], "ones(2, 3)"), (1, (2, 3), 4, 3, 6)), (((1, 2, 3, 4), [1, 2, 3], "ones(2, 3)"), "raises: Expected 2 elements in a list but found 3"),
    ]),
    "star targets": ("def f(t: Tuple[int, str, int]):\n  a, *b = t\n  *c, d = t\n  e, f, *g = t\n  return a, b, c, d, g", [(((1, "x", 2),), (1, ("x", 2), (1, "x"), 2, (2,)))]),
    "nested": ("def f(t: Tuple[int, Tuple[int, int]], l: List[Tuple[int, str]]):\n  a, (b, c) = t\n  s = ''\n  for i, x in l: s += x + str(i)\n  return a, b, c, s", [(((1, (2, 3)), [(1, "a"), (2, "b")]), (1, 2, 3, "a1b2"))]),
    "attributes and elements as targets": ("def f(l: List[int], d: Dict[str, int]):\n  l[0], d['a'] = 5, 6\n  a, l[1] = l\n  return l, d, a", [(([1, 2], {}), ([5, 2], {"a": 6}, 5))]),
    "swap": ("def f(a: int, b: int):\n  a, b = b, a\n  return a, b", [((1, 2), (2, 1))]),
    "ranges": ("def f(n: int):\n  a, b, c = 0, 0, 0\n  for i in range(n): a = a * 10 + i\n  for i in range(2, n): b = b * 10 + i\n  for i in range(n, 0, -2): c = c * 10 + i\n  return a, b, c", [((5,), (1234, 234, 531)), ((0,), (0, 0, 0))]),
    "range step known late": ("def f(a: int, b: int, c: int):\n  s = 0\n  for i in range(a, b, c): s = s * 10 + i\n  return s", [((1, 6, 2), 135), ((6, 1, -2), 642), ((1, 6, 0), "raises: range() arg 3 must not be zero")]),
    "range length is taken once": ("def f(n: int):\n  s = 0\n  for i in range(n):\n    n += 1\n    s += 1\n  return s, n", [((3,), (3, 6))]),
    "range in a variable": ("def f(n: int):\n  r = range(n)\n  s = 0\n  for i in r: s += i\n  return s", [((4,), 6)]),
    "lists": ("def f(l: List[int]):\n  s = 0\n  for x in l: s = s * 10 + x\n  return s", [(([1, 2, 3],), 123)]),
    "list length is taken once": ("def f(l: List[int]):\n  for x in l: l.append(x)\n  return l", [(([1, 2],), [1, 2, 1, 2])]),
    "strings": ("def f(s: str):\n  r = ''\n  for c in s: r = c + r\n  return r", [(("abc",), "cba")]),
    "dicts": ("def f(d: Dict[str, int]):\n  r = ''\n  for k in d: d[k + 'x'] = 1\n  for k, v in d.items(): r += k + str(v)\n  for k in d.keys(): r += k\n  for v in d.values(): r += str(v)\n  return r", [(({"q": 0},), "q0qx1qqx01")]),
    "tensors": ("def f(t):\n  s = 0\n  for row in t: s += int(row.sum())\n  return s", [(("ones(2, 3)",), 6), (("ones()",), "raises: ")]),
    "tuples are unrolled": ("def f(n: int):\n  r = ''\n  for e in (1, 2.0, 'x'): r += str(e)\n  for x, y in ((n, 'a'), (2, 'b')): r += str(x) + y\n  return r", [((7,), "12.x7a2b")]),
    "enumerate and zip": (
        "def f(l: List[int], b: List[str]):\n  r = ''\n  for x, y in zip(l, b): r += str(x) + y\n  for i, (x, y) in enumerate(zip(l, l), 1): r += str(i * x + y)\n  for i, x in enumerate(l): r += str(i + x)\n  return r",
        [(([1, 2, 3], ["a", "b"]), "1a2b2612135")],
    ),
    "zip of different things": ("def f(l: List[int], x, s: str):\n  r = 0\n  for a, row, c in zip(l, x, s): r += a * int(row.sum()) + len(c)\n  return r", [(([1, 2, 3], "ones(2, 3)", "abc"), 11)]),
    "zip with a tuple is unrolled": ("def f(n: int):\n  r = ''\n  for a, b in zip((1, 'x'), (0, 1)): r += str(a) + str(b)\n  for i, e in enumerate((1.5, 'y')): r += str(i) + str(e)\n  return r", [((3,), "10x101.51y")]),
    "first class": ("def f(n: int, l: List[int]):\n  return list(range(n)), list(enumerate(l)), list(zip(l, l)), list(range(1, n, 2)), [i for i in range(n)]", [((3, [5]), ([0, 1, 2], [(0, 5)], [(5, 5)], [1], [0, 1, 2]))]),
    "loop variable survives if it was set before": ("def f(n: int):\n  i = -1\n  for i in range(n): pass\n  return i", [((3,), 2), ((0,), -1)]),
    "break and continue": (
        "def f(n: int, l: List[int]):\n  s = 0\n  while True:\n    n -= 1\n    if n < 0: break\n    if n % 2 == 0: continue\n    s += n\n  for x in l:\n    if x > 2: return x\n  return s",
        [((6, [1]), 9), ((6, [1, 3]), 3)],
    ),
    "nested exits": (
        "def f(n: int, k: int):\n  s = 0\n  for i in range(n):\n    if i == 3: continue\n    for j in range(i):\n      if j == k: break\n      if i * j > 20: return -s\n      s += i * j\n    while True:\n      s -= 1\n      if s % 3 == 0: break\n      if s < 0: return s\n  return s",
        [((n, k), None) for n in (0, 3, 7, 9) for k in (0, 2)],
        {"extra": {"python": True}},
    ),
    "return in while True": ("def f(n: int) -> int:\n  while True:\n    n -= 3\n    if n < 0:\n      return n", [((7,), -2)], {"torch": False}),
    "return in an unrolled loop": ("def f(n: int):\n  for x, y in ((1, 'a'), (2, 'b'), (3, 'c')):\n    if x == n: return y\n  return 'none'", [((2,), "b"), ((9,), "none")]),
    "unrolled loops type each round": ("def f(n: int):\n  s = 0\n  for x in (1, 2.5, n):\n    y = x\n    s += int(y)\n  return s", [((4,), 7)]),
    "while with a complex condition": ("def f(n: int):\n  l: List[int] = []\n  while n > 0 and len(l) < 5:\n    n = n // 2\n    if n % 2 == 1: continue\n    l.append(n)\n  return l, n", [((100,), ([50, 12, 6, 0], 0)), ((0,), ([], 0))]),
    "empty loops": ("def f(n: int):\n  for i in range(n): pass\n  for x in []: n += 1\n  for y in (): n += 1\n  return n", [((3,), 3)]),
}
GOOD["nested exits"] = (
    GOOD["nested exits"][0],
    [((0, 0), 0), ((3, 0), -1), ((3, 2), -1), ((7, 0), -1), ((7, 2), -1)],
)

BAD = {
    "tuple with a late index": ("def f(a: Tuple[int, str], i: int): return a[i]  # <-", ["Tuple[int, str]"]),
    "tuple out of range": ("def f(a: Tuple[int, str]): return a[2]  # <-", ["out of range"]),
    "slice assignment": ("def f(l: List[int]):\n  l[0:2] = [7]  # <-\n  return l", ["slices of lists"]),
    "element of an int": ("def f(n: int): return n[0]  # <-", ["int"]),
    "str element": ("def f(s: str):\n  s[0] = 'a'  # <-\n  return s", ["str"]),
    "tuple element": ("def f(t: Tuple[int, int]):\n  t[0] = 1  # <-\n  return t", ["Tuple[int, int]"]),
    "wrong element": ("def f(l: List[int]):\n  l[0] = 'a'  # <-\n  return l", ["str"]),
    "wrong key": ("def f(d: Dict[str, int]): return d[1]  # <-", ["int"]),
    "too few": ("def f(a: Tuple[int, int]):\n  x, y, z = a  # <-\n  return x", ["need 3 values to unpack but found only 2"]),
    "too many": ("def f(a: Tuple[int, int, int]):\n  x, y = a  # <-\n  return x", ["need 2 values"]),
    "star of a list": ("def f(l: List[int]):\n  x, *y = l  # <-\n  return x", ["cannot statically infer the expected size of a list"]),
    "two stars": ("def f(t: Tuple[int, int]):\n  *x, *y = t  # <-\n  return x", ["starred"]),
    "tuple of a list": ("def f(l: List[int]): return tuple(l)  # <-", ["cannot statically infer"]),
    "unpacking an int": ("def f(n: int):\n  x, y = n  # <-\n  return x", ["int"]),
    "range as a value": ("def f(n: int): return len(range(n))  # <-", ["range"]),
    "range returned": ("def f(n: int): return range(n)  # <-", ["range"]),
    "range indexed": ("def f(n: int): return range(n)[0]  # <-", ["range"]),
    "zip as a value": ("def f(l: List[int]): return zip(l, l)  # <-", ["zip"]),
    "reversed": ("def f(l: List[int]):\n  s = 0\n  for i in reversed(l): s += i  # <-\n  return s", ["reversed"]),
    "range of a tensor": ("def f(n):\n  for i in range(n): pass  # <-", ["all inputs of range must be ints"]),
    "range of a float": ("def f(n: float):\n  for i in range(n): pass  # <-", ["all inputs of range must be ints"]),
    "iterating an int": ("def f(n: int):\n  for i in n: pass  # <-", ["not iterable"]),
    "break in an unrolled loop": ("def f(t: Tuple[int, float]):\n  s = 0.0\n  for x in t:\n    if x > 1: break  # <-\n    s += x\n  return s", ["`break`"]),
    "continue in an unrolled loop": ("def f(t: Tuple[int, float]):\n  s = 0.0\n  for x in t:\n    if x > 1: continue  # <-\n    s += x\n  return s", ["`continue`"]),
    "two targets for ints": ("def f(l: List[int]):\n  for a, b in l: pass  # <-", ["int"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
