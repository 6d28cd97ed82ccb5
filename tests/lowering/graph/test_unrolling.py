"""How far loops over values of run time are unrolled."""

import pytest

import torchcc
from torchcc import driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec

HEAD = """
import torch
from torch import Tensor
from typing import Dict, List

"""

TABLE = """def f(n: int):
    d: Dict[int, int] = {}
    for i in range(ROWS):
        for j in range(8):
            d[n * i + j] = d.get(n + j, 0) + d.get(n - i, 1) + d.get(j, 2) + len(d)
    return d
"""

SIZES = """def f(n: int):
    d: Dict[int, int] = {}
    sizes: List[int] = []
    for i in range(8):
        sizes.append(i % 2 + 1)
        for j in range(8):
            d[n * i + j] = d.get(n + j, 0) + d.get(n - i, 1) + d.get(j, 2) + len(d)
    return torch.zeros(sizes).dim(), d
"""


def specialised(source):
    program = compile_text(HEAD + source, entry="f")
    return program, driver.lower(program, [ScalarSpec(INT)]).modules["torch"]


@pytest.mark.parametrize(("rows", "stay"), [(2, False), (3, False), (8, True)])
def test_loops_with_much_code_on_dicts_stay_loops(rows, stay):
    _, module = specialised(TABLE.replace("ROWS", str(rows)))
    puts = [op for op in module.walk() if op.name.startswith("aten::_set_item")]
    assert (len(puts) < 8 * (rows - 1)) == stay  # the keys of the first row are constants


def test_they_are_unrolled_where_the_program_has_to_know_what_they_do():
    f = torchcc.compile_source(HEAD + SIZES).f
    dimensions, table = f(3)
    assert dimensions == 8
    expected = {}
    for i in range(8):
        for j in range(8):
            expected[3 * i + j] = expected.get(3 + j, 0) + expected.get(3 - i, 1) + expected.get(j, 2) + len(expected)
    assert table == expected
