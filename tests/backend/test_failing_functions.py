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
        "    for i in range(n):",
        "        a.append(i)",
        "        b.append(str(i))",
        *(f"    assert n != {k}, 'not {k}'\n    a.append(a[{k}] - n)\n    b.append(b[-1] + str(a[{k}]))" for k in range(PLACES)),
        "    return a, b, a[n]",
    )
)


def test_no_value_comes_from_every_place_that_may_fail():
    text = driver.dump(compile_text(SOURCE, entry="f"), [ScalarSpec(INT)], "llvm")
    assert text.count("store volatile i32") > PLACES
    # what failed, or all results of the function: LLVM takes a time that is quadratic in the number of places
    values = [line for line in text.splitlines() if re.search(r"= phi (?!i1)", line)]
    assert max(line.count("[") for line in values) < PLACES


@pytest.fixture(scope="module")
def compiled():
    return torchcc.compile_source(SOURCE).f


@pytest.mark.parametrize(
    ("n", "message", "line"), [(0, "not 0", 8), (3, "not 3", 17), (99, "", 0), (-300, "list index", 8 + 3 * PLACES)]
)
def test_the_place_is_told(compiled, n, message, line):
    if not line:
        assert compiled(n)[0][:3] == [99, 0, 1]
        return
    with pytest.raises(ExecutionError, match=message) as failed:
        compiled(n)
    assert f":{line}:" in str(failed.value)
