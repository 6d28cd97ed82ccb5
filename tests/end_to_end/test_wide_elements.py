"""Elements with more parts than a run-time list or dict can hold are refused where the program makes it."""

import pytest

import torchcc

INTS = ", ".join(["int"] * 70)
VALUES = ", ".join(["i"] * 70)

LIST = f"""
from typing import List, Tuple

def f(k: int) -> int:
    xs: List[Tuple[{INTS}]] = []
    for i in range(k):
        xs.append(({VALUES}))
    return len(xs)
"""

DICT = f"""
from typing import Dict, Tuple

def f(k: int) -> int:
    xs: Dict[int, Tuple[{INTS}]] = {{}}
    for i in range(k):
        xs[i] = ({VALUES})
    return len(xs)
"""


@pytest.mark.parametrize("source", [LIST, DICT], ids=["list", "dict"])
def test_too_many_parts(source):
    with pytest.raises(torchcc.CompileError, match="more than 6[14] parts") as caught:
        torchcc.compile_source(source).f(3)
    assert all(d.span is not None for d in caught.value.diagnostics)
