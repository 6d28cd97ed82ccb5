"""A key that was found is not looked for again until a dict changes."""

import pytest

from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.find_keys_once import FindKeysOnce

HEAD = """
func.func @f(%k: i64, %c: i1) -> i64 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %d = rt.dict : !rt.dict<i64 : i64>
  rt.dict_put(%d, %k, %k) : (!rt.dict<i64 : i64>, i64, i64) -> ()
  %p = rt.dict_find(%d, %k) : (!rt.dict<i64 : i64>, i64) -> index
"""

FIND = "  {} = rt.dict_find(%d, %k) : (!rt.dict<i64 : i64>, i64) -> index\n"
PUT = "  rt.dict_put(%d, %k, %k) : (!rt.dict<i64 : i64>, i64, i64) -> ()\n"
CLEAR = "  rt.dict_clear(%d) : (!rt.dict<i64 : i64>) -> ()\n"
END = """
  %q = rt.dict_find(%d, %k) : (!rt.dict<i64 : i64>, i64) -> index
  %y = rt.dict_get(%d, %q) : (!rt.dict<i64 : i64>, index) -> i64
  return %y : i64
}
"""


@pytest.mark.parametrize(
    ("text", "finds", "puts"),
    [
        (PUT, 2, 1),
        (CLEAR + PUT, 2, 2),
        (PUT + PUT, 2, 2),  # after a change it has to be found again
        (FIND.format("%r") + PUT, 2, 1),
        ("  scf.if %c {\n" + PUT + "  }\n", 2, 1),
        ("  scf.if %c {\n" + CLEAR + "  } else {\n" + PUT + "  }\n" + PUT, 2, 2),
        ("  scf.for %i = %zero to %two step %one {\n" + PUT + "  }\n", 2, 2),
        ("  scf.for %i = %zero to %two step %one {\n" + FIND.format("%r") + PUT + "  }\n", 3, 1),
        ("", 1, 1),
    ],
    ids=["put", "cleared", "twice", "found twice", "in a branch", "behind branches", "in a loop", "found in a loop", "read"],
)
def test_positions_are_used_again(text, finds, puts):
    module = FindKeysOnce().apply(parse_module(HEAD + text + END))
    verify(module)
    names = [op.name for op in module.walk()]
    assert (names.count("rt.dict_find"), names.count("rt.dict_put")) == (finds, puts)
    if "dict_clear" not in text or "scf.if" in text:
        assert interpret(module, "f", [7, False]) == [7]
    elif PUT in text:
        assert interpret(module, "f", [7, True]) == [7]
