"""References that are only looked at are not counted; what they hang on lives long enough."""

import pytest

from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.borrow_references import BorrowReferences
from torchcc.lowering.loops.count_references import CountReferences

HEAD = """
func.func @f(%x: i64) -> i64 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %row = rt.list : !rt.list<i64>
  rt.push(%row, %x) : (!rt.list<i64>, i64) -> ()
  %table = rt.list : !rt.list<!rt.list<i64>>
  rt.push(%table, %row) : (!rt.list<!rt.list<i64>>, !rt.list<i64>) -> ()
"""

GET = "  %r = rt.get(%table, %zero) : (!rt.list<!rt.list<i64>>, index) -> !rt.list<i64>\n"
READ = "  %y = rt.get(%r, %zero) : (!rt.list<i64>, index) -> i64\n"
ERASE = "  rt.erase(%table, %zero, %one) : (!rt.list<!rt.list<i64>>, index, index) -> ()\n"
END = "  return %y : i64\n}\n"


def lowered(text):
    module = CountReferences().apply(parse_module(HEAD + text + END))
    before = sum(op.name == "rt.release" for op in module.walk())
    module = BorrowReferences().apply(module)
    verify(module)
    after = sum(op.name == "rt.release" for op in module.walk())
    assert interpret(module, "f", [7]) == [7]  # checks that everything is given back, and nothing used after that
    return before - after


@pytest.mark.parametrize(
    ("text", "borrowed"),
    [
        (GET + READ, 1),  # the table, whose last use is the first read, is given back after the second
        (GET + ERASE + READ, 0),  # the row would be gone
        (GET + READ + ERASE, 1),
        (GET + "  rt.push(%table, %r) : (!rt.list<!rt.list<i64>>, !rt.list<i64>) -> ()\n" + READ, 1),
    ],
    ids=["read", "taken out before", "taken out after", "put in twice"],
)
def test_a_row_that_is_only_read_is_borrowed(text, borrowed):
    assert lowered(text) == borrowed


def test_a_loop_that_starts_with_the_table_may_give_it_back():
    loop = """  %last = scf.for %i = %zero to %one step %one iter_args(%t = %table) -> (!rt.list<!rt.list<i64>>) {
    %empty = rt.list : !rt.list<!rt.list<i64>>
    scf.yield %empty : !rt.list<!rt.list<i64>>
  }
"""
    assert lowered(GET + loop + READ) == 0


def test_a_row_of_a_row():
    text = """  %deep = rt.list : !rt.list<!rt.list<!rt.list<i64>>>
  rt.push(%deep, %table) : (!rt.list<!rt.list<!rt.list<i64>>>, !rt.list<!rt.list<i64>>) -> ()
  %t = rt.get(%deep, %zero) : (!rt.list<!rt.list<!rt.list<i64>>>, index) -> !rt.list<!rt.list<i64>>
  %r = rt.get(%t, %zero) : (!rt.list<!rt.list<i64>>, index) -> !rt.list<i64>
"""
    assert lowered(text + READ) == 2


TEXT = """
func.func @f(%a: index, %b: index) -> i64 {{
  %text = rt.str_constant {{value = "to be or not to be"}} : !rt.str
  %more = rt.str_constant {{value = "!"}} : !rt.str
  %s = rt.str_concat(%text, %more) : (!rt.str, !rt.str) -> !rt.str
  %d = rt.dict : !rt.dict<!rt.str : i64>
  %part = rt.str_slice(%s, %a, %b) : (!rt.str, index, index) -> !rt.str
  {body}
  %l = rt.str_len(%part) : (!rt.str) -> index
  %y = arith.index_cast %l : index to i64
  {last}
  return %y : i64
}}
"""

PUT = "rt.dict_put(%d, %part, %n) : (!rt.dict<!rt.str : i64>, !rt.str, i64) -> ()"


@pytest.mark.parametrize(
    ("body", "last", "borrowed"),
    [
        ("", "", True),
        ("%n = arith.constant 1 : i64\n" + PUT, "", True),  # the dict keeps a copy
        ("%n = arith.constant 1 : i64\n" + PUT.replace("%d, %part", "%d, %text"), "", True),
        ("%x = rt.str_concat(%more, %part) : (!rt.str, !rt.str) -> !rt.str", "", True),
        ("%x = rt.str_concat(%part, %more) : (!rt.str, !rt.str) -> !rt.str", "", False),
        ("%x = rt.str_concat(%s, %part) : (!rt.str, !rt.str) -> !rt.str", "", False),  # it would grow in place
        ("%l0 = rt.list : !rt.list<!rt.str>\n  rt.push(%l0, %part) : (!rt.list<!rt.str>, !rt.str) -> ()", "", False),
        ("", "rt.print(%part) : (!rt.str) -> ()", False),
    ],
    ids=["length", "key", "beside", "behind another", "in front", "behind itself", "in a list", "printed"],
)
def test_part_of_a_string_that_is_only_looked_at_is_not_made(body, last, borrowed):
    module = CountReferences().apply(parse_module(TEXT.format(body=body, last=last)))
    module = BorrowReferences().apply(module)
    verify(module)
    part = next(op for op in module.walk() if op.name == "rt.str_slice")
    assert ("borrowed" in part.attributes) == borrowed
    assert interpret(module, "f", [3, 8]) == [5]
