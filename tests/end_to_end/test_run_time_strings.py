"""Strings known at run time only: native code, every stage and PyTorch compute the same; nothing is left on the heap.

`text` makes strings of bytes, so that nothing about them is known when the programs are compiled. The scripts of PyTorch
come from one file, as `torch.jit.script` reads sources.
"""

import importlib.util

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu import jit
from torchcc.backend.cpu.header import header_text
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError, NotStatic
from torchcc.ir.dtypes import DType, from_numpy
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.interpreters.tensor_text import tensor_text
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, FLOAT, INT
from torchcc.ir.signature import Dim, ScalarSpec, TensorSpec, rebuild
from torchcc.ir.structure import difference

PRELUDE = """
import torch
from torch import Tensor
from typing import Dict, List, Optional, Tuple

def text(data: Tensor) -> str:
    out = ""
    for i in range(data.size(0)):
        out += chr(int(data[i]))
    return out
"""

STRINGS = ["", "a", "Hello World", "aXa,bXb,,c", " \t x y\n", "12", "don't TITLE Me 1a", "\x1c\x7f.-+_\r\n\v", "é,ü"]


def of_one(*expressions):
    return f"(x: Tensor):\n    s = text(x)\n    return {', '.join(expressions)}\n"


def of_two(*expressions):
    return f"(x: Tensor, y: Tensor):\n    s = text(x)\n    t = text(y)\n    return {', '.join(expressions)}\n"


PAIRS = [(s, t) for s in ("", "a", "abcab", "b,a,b", "éa") for t in ("a", "b", "ab", "abd", ",", "é")]

PROGRAMS = {
    "letters": (of_one("s.upper()", "s.lower()", "s.swapcase()", "s.capitalize()", "s.title()"), STRINGS),
    "tests": (
        of_one(*(f"s.is{kind}()" for kind in (
            "digit", "alpha", "alnum", "space", "upper", "lower", "title", "decimal", "numeric", "printable"
        ))),
        [*STRINGS, "AB", "ab", "A B", "Ab Cd", "\n ", "007", "aB"],
    ),
    "strip": (of_one("s.strip()", "s.lstrip()", "s.rstrip()", "s.strip('aX,')", "s.rstrip('')", "s.lstrip(' a')"), STRINGS),
    "pad": (
        "(x: Tensor, n: int):\n    s = text(x)\n    return "
        "s.center(n), s.ljust(n, '*'), s.rjust(n), s.zfill(n), s.expandtabs(n), s.center(n, '-')\n",
        [(s, n) for s in ("", "ab", "abc", "a\tb\t") for n in (0, 3, 6, 7)],
    ),
    "split": (
        of_one("s.split()", "s.split(',')", "s.split('X', 1)", "s.rsplit(',')", "s.rsplit('X', 1)", "s.splitlines()",
               "s.splitlines(True)", "s.partition(',')", "s.rpartition(',')", "s.split('aX')", "list(s)"),
        [s for s in STRINGS if s.isascii()],
    ),
    "search": (
        of_two("s.find(t)", "s.rfind(t)", "s.count(t)", "s.startswith(t)", "s.endswith(t)", "t in s", "t not in s",
               "s.find(t, 1)", "s.find(t, -3, -1)", "s.rfind(t, 0, 3)", "s.count(t, 1, 4)", "s.startswith(t, -2)",
               "s.replace(t, '<>')", "s.replace(t, '', 1)", "s.find('a', 1, 0)", "s.rfind('')"),
        PAIRS,
    ),
    "compare": (
        of_two("s == t", "s != t", "s < t", "s <= t", "s > t", "s >= t", "s + t", "len(s + t)", "s == 'a'", "'b' < t",
               "bool(s)", "not t", "sorted([s, t, 'b'])", "s == '' or t == ''", "t.join([s, s])"),
        PAIRS,
    ),
    "slices": (
        "(x: Tensor, i: int, j: int):\n    s = text(x)\n    return "
        "s[i:], s[:j], s[i:j], s[::2], s[::-1], s[i::-2], s[i:j:3], s[1:-1], len(s[i:j])\n",
        [("abcdefg", i, j) for i in (-9, -2, 0, 3, 9) for j in (-8, -1, 0, 2, 8)],
    ),
    "index": ("(x: Tensor, i: int):\n    s = text(x)\n    return s[i], s[i] == 'a', ord(s[i]), s[-1] < s[i]\n",
              [("abc", i) for i in (-3, -1, 0, 2)]),
    "numbers": (
        "(n: int):\n    return str(n), f'{n}!', hex(n), oct(n), bin(n), '%d|%s' % (n, n), '%f %e' % (n, n), chr(n & 127)\n",
        [(n,) for n in (0, 7, -1, 255, -(2**63), 2**63 - 1, 123456789012)],
    ),
    "floats": (
        "(v: float):\n    return str(v), '{}'.format(v), '%s' % v, '%f|%e|%F|%E' % (v, v, v, v), '%d' % v\n",
        [(v,) for v in (0.0, -0.0, 1.5, -2.0, 1e300, 9.3e18, 9.2233720368547e18, 1e-7, float("inf"), float("nan"), 5e-324)],
    ),
    "bools": ("(b: bool):\n    return str(b), f'{b}', '%s' % b, str((b, 1)), str([b, b])\n", [(True,), (False,)]),
    "containers": (
        """(n: int):
    l: List[int] = []
    words: List[str] = []
    d: Dict[str, float] = {}
    pairs: List[Tuple[int, str]] = []
    some: List[Optional[int]] = []
    for i in range(n):
        l.append(i)
        words.append("w" * 1 + str(i) if i < 0 else "w" + str(i))
        d[str(i)] = i / 2
        pairs.append((i, "p"))
        some.append(i if i % 2 == 0 else None)
    return (str(l), str(words), str(d), f"{pairs} {some}", str((n,)), str({"k": n}), str([n, 2]), str(((n, "x", 1.5), None)))
""".replace('"w" * 1 + str(i) if i < 0 else ', ""),
        [(0,), (1,), (3,)],
    ),
    "hash": (of_one("hash(s)", "hash(s + 'twelve bytes')", "hash('é')"), STRINGS),
    "parse": (of_one("int(s)", "float(s)"), ["12", "-7", "+0", " 42", "9223372036854775807", "-9223372036854775808"]),
    "parse_float": (of_one("float(s)"), ["1.5", "1e5", "inf", "-nan", "0x1p3", ".5", "1.", "-0.0", "0e9", " 2"]),
    "iterate": (
        """(x: Tensor):
    s = text(x)
    out: List[str] = []
    seen: Dict[str, int] = {}
    n = 0
    for c in s:
        if c == "a":
            n += 1
        elif c in "xyz":
            n += 100
        seen[c] = seen.get(c, 0) + 1
        out.append(c + "!")
    for i, c in enumerate(s):
        n += i * ord(c)
    l = list(s)
    l.sort()
    return n, out, l, sorted(out, ), "-".join(out), "a" in l, l.count("a"), l == out, seen, [c.upper() for c in s]
""".replace(", ),", "),"),
        ["", "banana", "xyza"],
    ),
    "carried": (
        """(x: Tensor, n: int):
    a = text(x)
    s, t, best = "x", "y", ""
    for i in range(n):
        if i % 2 == 0:
            s = s + a
        else:
            s, t = t, s
        if len(s) > len(best):
            best = s
    mode = "long" if n > 3 else "short"
    k = 1 if mode == "long" else 0
    twice = s + s
    t += twice + t
    return s, t, best, mode, k
""",
        [("ab", n) for n in range(6)],
    ),
    "words": (
        """(x: Tensor):
    groups: Dict[str, List[str]] = {}
    longest: Optional[str] = None
    for w in text(x).split():
        k = w[0]
        if k in groups:
            groups[k].append(w)
        else:
            groups[k] = [w]
        if longest is None or len(w) > len(longest):
            longest = w
    pairs = [(len(v), k) for k, v in groups.items()]
    pairs.sort()
    return groups, longest, pairs, "{}:{}".format(len(groups), longest)
""",
        ["", "a b c", "apple bob avocado bill cat"],
    ),
    "template": ("(x: Tensor):\n    return text(x).format(1, 'b')\n", ["{} {}", "{}", "", "{1}{}", "{{}}"]),
    "early": (
        "(x: Tensor, n: int):\n    s = text(x)\n    if n == 0:\n        return s\n    if n == 1:\n        return 'one'\n"
        "    return s + str(n)\n",
        [("a", 0), ("a", 1), ("a", 2)],
    ),
}

FAILING = {
    "index": ("(x: Tensor, n: int):\n    return text(x)[n]\n", [("ab", 2), ("ab", -3), ("", 0)]),
    "ord": ("(x: Tensor):\n    return ord(text(x))\n", ["", "ab"]),
    "chr": ("(n: int):\n    return chr(n)\n", [(-1,), (0x110000,)]),
    "int": ("(x: Tensor):\n    return int(text(x))\n", ["", "1.5", "x", "9223372036854775808", "1 ", "--1", "1_0"]),
    "float": ("(x: Tensor):\n    return float(text(x))\n", ["", "x", "1x", "1e400", "1e-400", "1_0"]),
    "separator": ("(x: Tensor):\n    return 'a'.split(text(x))\n", [""]),
    "missing": ("(x: Tensor):\n    return text(x).index('z')\n", ["ab"]),
    "fill": ("(x: Tensor):\n    return 'a'.center(5, text(x))\n", ["", "ab"]),
    "few": ("(x: Tensor):\n    return text(x).format(1)\n", ["{} {}"]),
    "percent": ("(x: Tensor):\n    return '%c' % text(x)\n", ["ab"]),
    "raise": (
        "(x: Tensor, n: int):\n    s = text(x)\n    if n == 0:\n        raise ValueError(f'bad {s} {n}')\n"
        "    if n == 1:\n        raise KeyError(s, n)\n    if n == 2:\n        raise ValueError(s)\n"
        "    assert n == 4, 'no ' + s + f' {n > 0}'\n    return s\n",
        [("ab", n) for n in range(4)],
    ),
}


def in_bytes(text):
    return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8).copy()


def flat(case):
    values = case if isinstance(case, tuple) else (case,)
    return [in_bytes(v) if isinstance(v, str) else v for v in values]


def spec(value):
    if isinstance(value, np.ndarray):
        return TensorSpec(DType.uint8, (Dim("n"),))
    return ScalarSpec(BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT)


def specs_of(values):
    # two strings have lengths of their own
    return [TensorSpec(s.dtype, (Dim(f"n{i}"),)) if isinstance(s, TensorSpec) else s for i, s in enumerate(map(spec, values))]


def program_of(source):
    return compile_text(f"{PRELUDE}\ndef f{source}", entry="f")


def plain(value):
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    return value.item() if isinstance(value, np.generic) else value


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The programs as functions of PyTorch."""
    torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")
    path = tmp_path_factory.mktemp("scripts") / "scripted_strings.py"
    parts = [f"def {name}{source}" for name, (source, _) in {**PROGRAMS, **{f"bad_{k}": v for k, v in FAILING.items()}}.items()]
    path.write_text(PRELUDE + "\n\n" + "\n\n".join(parts))
    found = importlib.util.spec_from_file_location("scripted_strings", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)

    def call(name, arguments):
        function = torch.jit.script(getattr(module, name))
        return function(*(torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments))

    return call


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, scripts):
    source, cases = PROGRAMS[name]
    program = program_of(source)
    lowered = driver.lower(program, specs_of(flat(cases[0])))
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    left = jit.session().functions.objects_left
    before = left()
    for i, case in enumerate(cases):
        arguments = flat(case)
        expected = repr(scripts(name, arguments))
        assert repr(rebuild(lowered.signature.tree, compiled.call_flat(arguments))) == expected, case
        assert repr(Interpreter(driver.composite).run_program(program, arguments)) == expected, case
        if i in (1, len(cases) - 1):
            for stage in ("linalg", "loops"):
                results = interpret(lowered.modules[stage], lowered.signature.name, arguments)
                assert repr(plain(rebuild(lowered.signature.tree, results))) == expected, (stage, case)
            function = next(iter(lowered.modules["torch"].body().operations()))
            specialised = Interpreter(driver.composite).run(function, arguments)
            assert repr(plain(rebuild(lowered.signature.tree, specialised))) == expected, case
    assert left() == before
    for stage in ("linalg", "loops"):
        again = parse_module(driver.print_stage(lowered, stage), driver.constants(lowered.modules[stage]))
        assert difference(lowered.modules[stage], again) is None


FOLDED = ("letters", "tests", "strip", "split", "parse", "hash")


@pytest.mark.parametrize("name", FOLDED)
def test_constants_are_folded_by_the_same_rules(name, scripts):
    source, cases = PROGRAMS[name]
    for case in cases[:6]:
        constant = source.replace("(x: Tensor)", "()").replace("text(x)", repr(case))
        lowered = driver.lower(program_of(constant), [])
        assert lowered.signature.results == ()
        assert repr(rebuild(lowered.signature.tree, [])) == repr(scripts(name, flat(case)))


@pytest.mark.parametrize("name", FAILING)
def test_failures(name, scripts):
    source, cases = FAILING[name]
    program = program_of(source)
    lowered = driver.lower(program, specs_of(flat(cases[0])))
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    for case in cases:
        arguments = flat(case)
        with pytest.raises(Exception, match=".") as expected:
            scripts(f"bad_{name}", arguments)
        message = str(expected.value).strip().split("\n")[-1].partition(": ")[2]
        with pytest.raises(ExecutionError) as found:
            compiled.call_flat(arguments)
        shown = found.value.message.removeprefix("RuntimeError: ")
        assert shown.removeprefix("ValueError: ").removeprefix("KeyError: ") in (message, message.removeprefix("ValueError: ")), case
        with pytest.raises(ExecutionError):
            Interpreter(driver.composite).run_program(program, arguments)


def test_a_long_message_is_cut():
    lowered = driver.lower(program_of("(x: Tensor):\n    raise ValueError(text(x) + '!')\n"), [spec(in_bytes("a"))])
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    with pytest.raises(ExecutionError) as found:
        compiled.call_flat([in_bytes("é" * 5000)])
    assert found.value.message.startswith("ValueError: éééé")


def test_putting_strings_together_takes_linear_time():
    source = """(n: int):
    s = ""
    for i in range(n):
        if i % 3 == 0:
            s += "abc"
        else:
            s = s + chr(97 + i % 26)
    return len(s), s[-1]
"""
    lowered = driver.lower(program_of(source), [ScalarSpec(INT)])
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    count = 600_000  # 180 GB of copies if each made a new string
    length, last = rebuild(lowered.signature.tree, compiled.call_flat([count]))
    assert length == count + 2 * (count // 3) and last == chr(97 + (count - 1) % 26)


def test_what_is_compared_only_is_never_made():
    source = """(x: Tensor, y: Tensor):
    s, t = text(x), text(y)
    n = 0
    for i in range(min(len(s), len(t))):
        if s[i] == t[i] and s[i] != "x" and ord(s[i]) > 32:
            n += 1
    return n
"""
    values = [in_bytes("abcx e"), in_bytes("abdx ef")]
    lowered = driver.lower(program_of(source), specs_of(values))
    counting = driver.print_stage(lowered, "loops").rpartition("scf.for")[2]
    assert "rt.str_byte" in counting
    assert "rt.str_of_byte" not in counting and "rt.str_equal" not in counting
    assert rebuild(lowered.signature.tree, compile_module(lowered.modules["loops"], lowered.signature).call_flat(values)) == 3


PRINTING = """(n: int):
    for i in range(n):
        print("line", i, 0.5 * i, [i, 2], (i > 1, "é"))
        if i == 3:
            raise ValueError("stop")
    print()
    return n
"""


def test_print(capfd):
    program = program_of(PRINTING)
    lowered = driver.lower(program, [ScalarSpec(INT)])
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    assert lowered.signature.prints
    lines = "".join(f"line {i} {('0.', '0.5', '1.', '1.5')[i]} [{i}, 2] ({i > 1}, é)\n" for i in range(4))
    compiled.call_flat([2])
    assert capfd.readouterr().out == "".join(lines.splitlines(True)[:2]) + "\n"
    with pytest.raises(ExecutionError, match="stop"):
        compiled.call_flat([9])
    assert capfd.readouterr().out == lines  # what was printed before the error, once
    for stage in ("linalg", "loops"):
        interpret(lowered.modules[stage], lowered.signature.name, [1])
        assert capfd.readouterr().out == lines.splitlines(True)[0] + "\n", stage
    Interpreter(driver.composite).run_program(program, [1])
    assert capfd.readouterr().out == lines.splitlines(True)[0] + "\n"


COUNTING = """
import torch

class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, n: int) -> int:
        self.count += 1
        print("call", self.count)
        if n > 2:
            raise ValueError("too large: " + str(n))
        return self.count
"""


def test_a_call_that_raises_prints_once(capfd):
    counter = torchcc.compile_source(COUNTING).Counter()
    print("before")  # Python's own output, not flushed yet, stays in front
    assert counter(1) == 1
    with pytest.raises(torchcc.ExecutionError, match="too large: 5"):
        counter(5)
    assert counter.count == 2  # for which the call was repeated
    assert capfd.readouterr().out == "before\ncall 1\ncall 2\n"


def test_more_than_a_buffer_is_printed_in_order(capfd):
    source = "(n: int):\n    s = 'x' * 1\n    for i in range(n):\n        print(i, s)\n        s = s + s\n    return n\n"
    lowered = driver.lower(program_of(source.replace("'x' * 1", "'x'")), [ScalarSpec(INT)])
    compile_module(lowered.modules["loops"], lowered.signature).call_flat([19])
    assert capfd.readouterr().out == "".join(f"{i} {'x' * 2**i}\n" for i in range(19))


TENSORS = {
    "float32": [
        [], [1.0, 2.0], [1.5, -2.25, 1000.125], [float("nan"), 1.0], [float("inf"), 1.5], [1e-5, 1.0], [123456.5, 99999.5],
        [-0.0, 1.0], [1234567.5], [0.0, 0.05], [-1e30, 1.5],
    ],
    "int64": [[3, -12], [123456789, 1], [2**53 + 1]],
    "bool": [[True, False]],
}


def test_tensors_are_shown_as_in_pytorch(tmp_path):
    torch = pytest.importorskip("torch", reason="the expected texts are PyTorch's")
    path = tmp_path / "scripted_tensors.py"
    path.write_text("import torch\n\n@torch.jit.script\ndef f(x):\n    return f'{x}'\n")
    found = importlib.util.spec_from_file_location("scripted_tensors", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    random = np.random.RandomState(0)
    arrays = [np.array(v, dtype) for dtype, values in TENSORS.items() for v in values]
    arrays += [np.array(v) for v in (0.1, 1e16, 123456789.0, -0.0, 1e-5, float("nan"), 5e-324)]
    arrays += [(random.rand(*shape) * scale).astype(np.float32) for shape, scale in (((3, 4), 1), ((2, 30), 1e6), ((2, 0), 1))]
    arrays += [(random.rand(*shape) * scale).astype(np.float32) for shape, scale in (((2, 2, 3), 1e-3), ((2, 3, 2, 30), 9e3))]
    program = compile_text("from torch import Tensor\n\ndef f(x: Tensor) -> str:\n    return f'{x}'\n", entry="f")
    compiled = {}
    for array in arrays:
        key = (array.dtype, array.ndim)
        if key not in compiled:
            lowered = driver.lower(program, [TensorSpec(from_numpy(array.dtype), tuple(Dim(f"d{i}", 0) for i in range(array.ndim)))])
            compiled[key] = lowered.signature, compile_module(lowered.modules["loops"], lowered.signature)
        signature, native = compiled[key]
        expected = module.f(torch.from_numpy(array))
        assert rebuild(signature.tree, native.call_flat([array])) == expected
        assert tensor_text(array) == expected


def test_bytes_that_are_no_text_cannot_be_returned():
    lowered = driver.lower(program_of("(x: Tensor):\n    return text(x)[0]\n"), [spec(in_bytes("a"))])
    results = compile_module(lowered.modules["loops"], lowered.signature).call_flat([in_bytes("é")])
    with pytest.raises(UnicodeDecodeError):
        rebuild(lowered.signature.tree, results)


def test_the_header_says_how_a_string_is_handed_out():
    lowered = driver.lower(program_of("(x: Tensor):\n    return text(x), text(x).split()\n"), [spec(in_bytes("a"))])
    text = header_text([lowered.signature], "lib")
    assert "a str, UTF-8 in out0" in text and "strings of the lengths in out2, UTF-8 in out3" in text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("(x: Tensor):\n    return 'a%d' % 1 + (text(x) % 1)\n", "the format is only known at run time"),
        ("(x: Tensor, n: int):\n    return text(x)[::n]\n", "the step of this slice is only known at run time"),
    ],
)
def test_refused(source, message):
    with pytest.raises(NotStatic, match=message):
        driver.lower(program_of(source), [spec(in_bytes("a")), *([ScalarSpec(INT)] if "n: int" in source else [])])


def test_refused_on_a_gpu():
    with pytest.raises(CompileError, match="GPU"):
        driver.lower(program_of("(x: Tensor):\n    return text(x)\n"), [spec(in_bytes("a"))], target="sm_90")
