"""Text that crosses the boundary as one copy, and the keys of dicts: every length, every byte, parts that are only looked at."""

import pytest

import torchcc
from torchcc.ir.diagnostics import CompileError, TorchccError

SOURCE = """
from typing import Dict, List, Optional, Tuple

def through(t: str, xs: List[str], d: Dict[str, List[str]], o: List[Optional[str]]) -> Tuple[str, List[str], Dict[str, List[str]], List[Optional[str]]]:
    return t, xs, d, o

def counted(xs: List[str], ys: List[str]) -> Tuple[Dict[str, int], List[int], int]:
    counts: Dict[str, int] = {}
    for x in xs:
        counts[x] = counts.get(x, 0) + 1
    found: List[int] = []
    for y in ys:
        found.append(counts[y] if y in counts else -1)
    equal = 0
    for x in xs:
        for y in ys:
            if x == y:
                equal += 1
    return counts, found, equal

def parts(t: str, n: int) -> Tuple[Dict[str, int], str, int, int]:
    counts: Dict[str, int] = {}
    out = ""
    less = 0
    places = 0
    for i in range(len(t) - n + 1):
        part = t[i : i + n]
        if part in counts:
            counts[part] += 1
        else:
            counts[part] = 1
        out += t[i : i + n]
        if t[i : i + n] < t[0:n]:
            less += 1
        places += t.find(t[i : i + n])
    return counts, out, less, places

def shifted(t: str, k: int) -> Tuple[str, str, int]:
    out = ""
    again = ""
    n = 0
    for i in range(2, len(t)):
        out += chr((ord(t[i]) + k) % 128)
        again += t[i]
        n += i
    return out, again, n
"""


@pytest.fixture(scope="module")
def functions():
    namespace = {}
    exec(SOURCE, namespace)
    names = ("through", "counted", "parts", "shifted")
    programs = torchcc.compile_source(SOURCE)
    return {name: (getattr(programs, name), namespace[name]) for name in names}


def agrees(pair, *arguments):
    compiled, python = pair
    assert compiled(*arguments) == python(*arguments)


LONG = "0123456789" * 20

TEXTS = ["", "a", "né", "\x00b\x00", "日本語" * 50, LONG, LONG * 500]


def test_text_comes_in_and_goes_out(functions):
    for text in TEXTS:
        agrees(functions["through"], text, TEXTS, {t: [t, ""] for t in TEXTS}, [text, None, "x", None])
    agrees(functions["through"], LONG, [], {}, [])


def test_keys_of_every_length(functions):
    # of each length: words that differ in their first, last or middle byte, and their beginnings
    words = [LONG[:n] for n in range(42)]
    words += [w[:i] + "#" + w[i + 1 :] for w in words for i in {0, len(w) // 2, len(w) - 1} if w]
    agrees(functions["counted"], words * 2, words[::3] + ["-" + w for w in words[::5]] + ["\x00", "\x00\x00"])
    many = [f"{i:x}" * (1 + i % 5) for i in range(3000)]
    compiled = functions["counted"][0]
    assert compiled(many, []) == functions["counted"][1](many, [])


def test_parts_that_are_only_looked_at(functions):
    for n in (0, 1, 2, 7, 8, 9, 16, 17, 40):
        agrees(functions["parts"], LONG[:90] + "!" + LONG[:30], n)


def test_strings_of_known_length_are_filled(functions):
    for text in ("", "a", "ab", "abc", LONG):
        agrees(functions["shifted"], text + LONG[:0], 3)


def test_bytes_that_are_no_text():
    source = "def f(t: str, n: int) -> str:\n    return t[n:]\n"
    f = torchcc.compile_source(source).f
    text = LONG + "né"
    assert f(text, 3) == text[3:]
    with pytest.raises((UnicodeDecodeError, CompileError, TorchccError)):
        f(text, len(LONG) + 2)  # the second half of é
