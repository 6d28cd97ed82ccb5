"""Functions that may fail in very many places are compiled in a time that grows with their length only."""

import re

import pytest

import torchcc
from torchcc import driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec

PLACES = 40

SOURCE = "\n".join(
    (
        "from typing import List, Tuple",
        "def f(n: int) -> Tuple[List[int], List[str], int]:",
        "    a: List[int] = [n]",
        "    b: List[str] = [str(n)]",
        *(f"    assert n != {k}, 'not {k}'\n    a.append(a[n + {k}] // n)\n    b.append(b[-1] + str(n + {k}))" for k in range(PLACES)),
        "    return a, b, n",
    )
)


def test_no_value_comes_from_every_place_that_may_fail():
    text = driver.dump(compile_text(SOURCE, entry="f"), [ScalarSpec(INT)], "llvm")
    assert text.count("store volatile i32") > PLACES
    incoming = [line.count("[") for line in text.splitlines() if re.search(r"= phi ", line)]
    assert max(incoming, default=0) < PLACES


@pytest.mark.parametrize(("n", "message", "line"), [(3, "not 3", 14), (0, "not 0", 5), (-1, "", 0), (7, "list index", 6)])
def test_the_place_is_told(n, message, line):
    f = torchcc.compile_source(SOURCE).f
    if not line:
        assert f(n)[0][:2] == [-1, 1]
        return
    with pytest.raises(ExecutionError, match=message) as failed:
        f(n)
    assert f":{line}:" in str(failed.value)
