"""Sections 11 to 14: methods of lists, dicts and strings, builtin functions, `math` and `cmath`, text of values."""

import math

import pytest

INF = float("inf")

GOOD = {
    "methods of lists": (
        "def f():\n  l = [1, 2, 3, 2]\n  l.append(5); l.extend([6]); l.insert(0, 9); l.remove(2)\n  a = (l.pop(), l.pop(0), l.count(2), l.index(3), l.copy())\n  l.sort(reverse=True); l.reverse()\n  return a, l, l * 2, l + [1], l == [1], l != [1], 3 in l, len(l)",
        [((), ((6, 9, 1, 1, [1, 3, 2, 5]), [1, 2, 3, 5], [1, 2, 3, 5, 1, 2, 3, 5], [1, 2, 3, 5, 1], False, True, True, 4))],
    ),
    "errors of lists": (
        "def f(k: int):\n  l = [1]\n  if k == 0: l.remove(7)\n  if k == 1: l.pop(5)\n  if k == 2:\n    l.clear(); l.pop()\n  if k == 3: l.insert(50, 4)\n  return l",
        [((0,), "raises: list.remove(x): x not in list"), ((1,), "raises: "), ((2,), "raises: pop from empty list"), ((3,), [1, 4])],
    ),
    "sorting": ("def f(l: List[int], a: List[float], b: List[bool], s: List[str]):\n  l.sort()\n  a.sort(reverse=True)\n  b.sort()\n  s.sort()\n  t = [(2, 'a'), (1, 'c'), (1, 'b')]\n  t.sort()\n  return l, a, b, s, t, sorted([3, 1])", [(([3, 1, 2], [1.5, 2.5], [True, False], ["b", "a"]), ([1, 2, 3], [2.5, 1.5], [False, True], ["a", "b"], [(1, "b"), (1, "c"), (2, "a")], [1, 3]))]),
    "methods of dicts": (
        "def f():\n  d = {'b': 1, 'a': 2}\n  b = (d.keys(), d.items(), d.get('a'), d.get('z', 7), d.pop('b'), d.setdefault('q', 4), d.pop('zz', 3), d.get('none'))\n  d.update({'w': 1})\n  e = d.copy()\n  e.clear()\n  return b, d.popitem(), d, e, len(d), 'q' in d, d.values(), dict([('k', 1)]), dict(a=1), dict({'x': 1}), OrderedDict([('y', 2)])",
        [((), ((["b", "a"], [("b", 1), ("a", 2)], 2, 7, 1, 4, 3, None), ("a", 2), {"q": 4, "w": 1}, {}, 2, True, [4, 1], {"k": 1}, {"a": 1}, {"x": 1}, {"y": 2}))],
    ),
    "errors of dicts": ("def f(k: int):\n  d = {'a': 1}\n  if k == 0: d.pop('x')\n  if k == 1: del d['x']\n  if k == 2:\n    d.clear()\n    d.popitem()\n  return d", [((0,), "raises: KeyError: x"), ((1,), "raises: KeyError: x"), ((2,), "raises: "), ((3,), {"a": 1})], {"torch": False}),
    "lists in lists": ("def f(n: int):\n  l = [[n]]\n  l.append([2, 3])\n  l[0].append(5)\n  return l", [((1,), [[1, 5], [2, 3]])]),
    "lists of tensors": ("def f(x):\n  l = [x, x + 1]\n  l.append(x * 5)\n  return torch.stack(l), len(l), l[-1]", [(("ones(1)",), ("tensor([[1.0], [2.0], [5.0]])", 3, "tensor([5.0])"))]),
    "case of strings": ("def f(s: str): return s.upper(), s.lower(), s.capitalize(), s.title(), s.swapcase()", [(("hEllo wOrld",), ("HELLO WORLD", "hello world", "Hello world", "Hello World", "HeLLO WoRLD"))]),
    "parts of strings": (
        "def f(s: str): return s.split(','), s.split(), s.rsplit(',', 1), s.split(',', 1), s.partition(','), s.rpartition(','), s.splitlines(), s.strip(), s.lstrip('a'), s.rstrip('a')",
        [(("a,b a",), (["a", "b a"], ["a,b", "a"], ["a", "b a"], ["a", "b a"], ("a", ",", "b a"), ("a", ",", "b a"), ["a,b a"], "a,b a", ",b a", "a,b "))],
    ),
    "searching strings": ("def f(s: str): return s.replace('a', 'b'), s.find('a'), s.rfind('a'), s.count('a'), s.index('b'), s.startswith('a,'), s.endswith('x'), 'b' in s, s.find('zz')", [(("a,b a",), ("b,b b", 0, 4, 2, 2, True, False, True, -1))]),
    "padding strings": ("def f(s: str): return s.zfill(7), s.rjust(7, '*'), s.ljust(7, '-'), s.center(9, '.'), '-'.join(['x', 'y']), 'a\\tb'.expandtabs(4)", [(("ab",), ("00000ab", "*****ab", "ab-----", "....ab...", "x-y", "a   b"))], {"torch": False}),
    "kinds of strings": ("def f(s: str, t: str): return s.isdigit(), s.isalpha(), s.isalnum(), s.isspace(), s.isupper(), s.islower(), t.isdigit(), t.isupper(), s.isidentifier(), t.isdecimal(), t.isnumeric(), s.istitle(), s.isprintable()", [(("abc", "12"), (False, True, True, False, False, True, True, False, True, True, True, False, True))]),
    "numbers of strings": ("def f(s: str): return int(s), float(s), str(12), ord('a'), chr(97), hex(255), oct(8), bin(-5)", [(("12",), (12, 12.0, "12", 97, "a", "0xff", "0o10", "-0b101")), (("1.5",), "raises: ")]),
    "strings are bytes": ("def f(s: str): return len(s), s[1:]", [(("éa",), (3, "\udca9a"))], {"torch": False, "native": False}),
    "format": ("def f(n: int, s: str): return '{} {}'.format(n, s), '{1}'.format(n), '%d %s %f %i %%' % (n, s, 1.5, n), '%e' % 1500.0, '%c' % 97, f'{n}{s}'", [((3, "x"), ("3 x", "{1}", "3 x 1.500000 3 %", "1.500000e+03", "a", "3x"))]),
    "builtin functions": (
        "def f():\n  return min(1, 2, 3), max(1.5, 2), min([3, 1]), sum([1.5]), any([False]), all([1]), divmod(7.5, 2.0), bin(-5), hex(255), oct(8), ord('a'), chr(97), int(-2.7), list('ab'), list({'k': 1}), list(enumerate([5])), list(zip([1], ['a'])), abs(-2), abs(2.5), sum([1, 2]), float(3), bool(0), str(2), len((1, 2)), list((1, 2)), tuple((1, 'a')), pow(2.0, 3.0), max([1.5, 2.5]), any([0, 1])",
        [((), (1, 2.0, 1, 1.5, False, True, (3.0, 1.5), "-0b101", "0xff", "0o10", 97, "a", -2, ["a", "b"], ["k"], [(0, 5)], [(1, "a")], 2, 2.5, 3, 3.0, False, "2", 2, [1, 2], (1, "a"), 8.0, 2.5, True))],
    ),
    "conversions": ("def f(a: float, b: int, c: bool): return int(a), float(b), bool(a), int(c), float(c), bool(b), int('-7'), float('2.5'), float('-inf')", [((-2.7, 3, True), (-2, 3.0, True, 1, 1.0, True, -7, 2.5, -INF))]),
    "conversions of tensors": ("def f(x): return int(x), float(x), bool(x), x.item() == 2", [(("tensor(2)",), (2, 2.0, True, True))]),
    "math with float results": (
        "def f(x: float): return math.sqrt(x), math.exp(x), math.log(x), math.log10(x), math.log1p(x), math.sin(x), math.cos(x), math.tan(x), math.asin(x), math.acos(x), math.atan(x), math.atan2(x, 2.0), math.sinh(x), math.cosh(x), math.tanh(x), math.asinh(x), math.acosh(x + 1), math.atanh(x), math.erf(x), math.erfc(x), math.gamma(x), math.lgamma(x), math.degrees(x), math.radians(x), math.expm1(x), math.fabs(-x), math.fmod(7, x), math.copysign(x, -1.0), math.pow(x, 3), math.log(8, 2), math.remainder(7, 4), math.ldexp(x, 3)",
        [((0.3,), (math.sqrt(0.3), math.exp(0.3), math.log(0.3), math.log10(0.3), math.log1p(0.3), math.sin(0.3), math.cos(0.3), math.tan(0.3), math.asin(0.3), math.acos(0.3), math.atan(0.3), math.atan2(0.3, 2.0), math.sinh(0.3), math.cosh(0.3), math.tanh(0.3), math.asinh(0.3), math.acosh(1.3), math.atanh(0.3), math.erf(0.3), math.erfc(0.3), math.gamma(0.3), math.lgamma(0.3), math.degrees(0.3), math.radians(0.3), math.expm1(0.3), 0.3, math.fmod(7, 0.3), -0.3, 0.3**3, 3.0, -1.0, 2.4))],
        {"archive": True},
    ),
    "math with ints": ("def f(x: float, n: int): return math.ceil(x), math.floor(x), math.gcd(n, 18), math.factorial(n), math.ceil(n), math.sqrt(n), math.floor(-x), math.log(n)", [((2.5, 4), (3, 2, 2, 24, 4, 2.0, -3, math.log(4)))]),
    "math with bools": ("def f(x: float): return math.isnan(x), math.isinf(x), math.isfinite(x)", [((INF,), (False, True, False)), ((1.0,), (False, False, True)), ((float("nan"),), (True, False, False))]),
    "frexp and modf": ("def f(x: float): return math.frexp(x), math.modf(x)", [((2.5,), ((0.625, 2), (0.5, 2.0)))]),
    "no domain errors": ("def f(x: float): return math.isnan(math.sqrt(-x)), math.log(0.0), math.isnan(math.log(-x)), math.isnan(math.acos(x))", [((2.5,), (True, -INF, True, True))]),
    "constants of math": ("def f(): return math.pi, math.e, math.tau, math.inf, cmath.pi, cmath.inf", [((), (math.pi, math.e, math.tau, INF, math.pi, INF))], {"torch": True}),
    "cmath": (
        "def f(z: complex): return cmath.exp(z), cmath.log(z), cmath.sqrt(z), cmath.sin(z), cmath.cos(z), cmath.tan(z), cmath.sinh(z), cmath.cosh(z), cmath.tanh(z), cmath.asin(z), cmath.acos(z), cmath.atan(z), cmath.asinh(z), cmath.acosh(z), cmath.atanh(z), cmath.log10(z), cmath.phase(z)",
        [((0.3 + 0.7j,), tuple(getattr(__import__("cmath"), n)(0.3 + 0.7j) for n in "exp log sqrt sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh log10 phase".split()))],
    ),
    "cmath of floats": ("def f(x: float): return cmath.exp(x), cmath.sqrt(x), cmath.isnan(x)", [((0.3,), (math.exp(0.3), math.sqrt(0.3), False))]),
    "rect": ("def f(r: float, p: float): return cmath.rect(r, p)", [((2.0, 0.5), __import__("cmath").rect(2.0, 0.5))]),
    "predicates of cmath": ("def f(z: complex): return cmath.isnan(z), cmath.isinf(z), cmath.isfinite(z)", [((1 + 2j,), (False, False, True)), ((complex(INF, 0),), (False, True, False))]),
    "text of numbers": (
        "def f(): return str(1.0), str(0.1), str(1e20), str(100000.0), str(1e16), str(-2.5), str(3), str(True), str(None), str(float('inf')), str(9.9999999999999995e-08), str(-0.0)",
        [((), ("1.", "0.10000000000000001", "1e+20", "100000.", "10000000000000000.", "-2.5", "3", "True", "None", "inf", "9.9999999999999995e-08", "0."))],
    ),
    "text of containers": ("def f(): return str([1, 2]), str(['a']), str((1, 'a', 2.5)), str({'a': 1.5}), f'{1.5} {[1]}', str([1.0]), str([True])", [((), ("[1, 2]", "[a]", "(1, a, 2.5)", "{a: 1.5}", "1.5 [1]", "[1.]", "[True]"))], {"torch": True}),
    "text of complex": ("def f(): return str(1 + 2j), f'{2j}'", [((), ("1.+2.j", "0.+2.j"))], {"torch": True}),
    "text of late numbers": ("def f(n: int, x: float, b: bool): return str(n), str(x), str(b), f'{n}/{x}'", [((3, 2.5, True), ("3", "2.5", "True", "3/2.5")), ((-10, 1.0, False), ("-10", "1.", "False", "-10/1."))]),
    "hash": ("def f(n: int, s: str, x: float, b: bool): return hash(n), hash(s), hash(x), hash(b), hash((n, s)), hash(s) == hash('ab')", [((3, "hello", 1.5, True), (3, 2762169579135187400, 4982507072649106663, 1, 2762169754450229580, False)), ((-1, "", float("inf"), False), (-1, 6142509188972423790, 3377428025507081056, 0, 6142509364287539501, False)), ((5, "ab", -5e-324, True), (5, 5498234120169091963, 5542710494715179254, 1, 5498234295085908637, True))]),
}

BAD = {
    "sort by a key": ("def f(l: List[int]):\n  l.sort(key=1)  # <-\n  return l", ["key"]),
    "lists in order": ("def f(a: List[int]): return a < a  # <-", ["List[int]"]),
    "tuples in order": ("def f(a: Tuple[int, int]): return a < a  # <-", ["Tuple[int, int]"]),
    "dicts compared": ("def f(a: Dict[str, int]): return a == a  # <-", ["Dict[str, int]"]),
    "fromkeys": ("def f(d: Dict[str, int]): return d.fromkeys(['a'])  # <-", ["fromkeys"]),
    "append of another type": ("def f(l: List[int]):\n  l.append('a')  # <-\n  return l", ["str"]),
    "sum of tensors": ("def f(l: List[Tensor]): return sum(l)  # <-", ["sum"]),
    "sum with a start": ("def f(l: List[int]): return sum(l, 3)  # <-", ["sum"]),
    "encode": ("def f(s: str): return s.encode()  # <-", ["encode"]),
    "casefold": ("def f(s: str): return s.casefold()  # <-", ["casefold"]),
    "repr": ("def f(s: str): return repr(s)  # <-", ["repr"]),
    "map": ("def f(l: List[int]): return map(int, l)  # <-", ["map"]),
    "type": ("def f(n: int): return type(n)  # <-", ["type"]),
    "input": ("def f(n: int): return input()  # <-", ["input"]),
    "iter": ("def f(l: List[int]): return iter(l)  # <-", ["iter"]),
    "set()": ("def f(l: List[int]): return set(l)  # <-", ["set"]),
    "print keywords": ("def f(i: int):\n  print(i, sep='')  # <-", ["keyword"]),
    "int with a base": ("def f(s: str): return int(s, 2)  # <-", ["int"]),
    "math.log2": ("def f(x: float): return math.log2(x)  # <-", ["log2"]),
    "math.hypot": ("def f(x: float): return math.hypot(x, x)  # <-", ["hypot"]),
    "math.isqrt": ("def f(x: int): return math.isqrt(x)  # <-", ["isqrt"]),
    "cmath.polar": ("def f(x: complex): return cmath.polar(x)  # <-", ["polar"]),
    "isnan of an int": ("def f(x: int): return math.isnan(x)  # <-", ["isnan"]),
    "isinstance with three": ("def f(x: int): return isinstance(x, int, int)  # <-", ["isinstance"]),
    "hasattr of an int": ("def f(x: int): return hasattr(x, 'a')  # <-", ["hasattr"]),
    "late name": ("class M(nn.Module):\n  def forward(self, s: str): return getattr(self, s)  # <-", ["literal"]),
    "range of two strings": ("def f(s: str):\n  for i in range(0, s): pass  # <-", ["range"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
