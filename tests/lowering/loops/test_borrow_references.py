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
