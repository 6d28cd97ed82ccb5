"""Loops that put one byte behind a string each time fill a string of known length."""

import pytest

from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.count_references import CountReferences
from torchcc.lowering.loops.fill_strings import FillStrings

TEXT = """
func.func @f(%a: index, %b: index) -> (i64, i64, i64) {{
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : i64
  %c97 = arith.constant 97 : i64
  %empty = rt.str_constant {{value = "{start}"}} : !rt.str
  %word = rt.str_constant {{value = "xy"}} : !rt.str
  %s, %n = scf.for %i = %a to %b step %one iter_args(%t = %empty, %sum = %zero) -> (!rt.str, i64) {{
    %k = arith.index_cast %i : index to i64
    %x = arith.addi %k, %c97 : i64
    %u = rt.str_of_byte(%x) : (i64) -> !rt.str
    {body}
    %more = arith.addi %sum, %k : i64
    scf.yield %v, %more : !rt.str, i64
  }}
  %wanted = rt.str_constant {{value = "{wanted}"}} : !rt.str
  %order = rt.str_compare(%s, %wanted) : (!rt.str, !rt.str) -> i64
  %l = rt.str_len(%s) : (!rt.str) -> index
  %length = arith.index_cast %l : index to i64
  return %order, %length, %n : i64, i64, i64
}}
"""

APPEND = "%v = rt.str_concat(%t, %u) : (!rt.str, !rt.str) -> !rt.str"


@pytest.mark.parametrize(
    ("start", "body", "bounds", "wanted", "fills"),
    [
        ("", APPEND, (2, 6), "cdef", True),
        ("", APPEND, (2, 3), "c", True),
        ("", APPEND, (5, 3), "", True),
        ("z", APPEND, (0, 2), "zab", False),
        ("", "%v = rt.str_concat(%t, %word) : (!rt.str, !rt.str) -> !rt.str", (0, 2), "xyxy", False),
        ("", "%v = rt.str_concat(%u, %t) : (!rt.str, !rt.str) -> !rt.str", (0, 3), "cba", False),
        ("", APPEND + "\n    rt.print(%t) : (!rt.str) -> ()", (0, 0), "", False),
    ],
    ids=["bytes", "one byte", "no iteration", "another start", "words", "in front", "looked at"],
)
def test_only_strings_of_known_length_are_filled(start, body, bounds, wanted, fills):
    text = TEXT.format(start=start, body=body, wanted=wanted)
    module = FillStrings().apply(CountReferences().apply(parse_module(text)))
    verify(module)
    assert any(op.name == "rt.str_fill" for op in module.walk()) == fills
    assert interpret(module, "f", list(bounds)) == [0, len(wanted), sum(range(*bounds))]
