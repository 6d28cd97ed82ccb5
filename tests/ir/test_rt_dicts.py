"""Dicts of the `rt` dialect: their text, what the verifier refuses, what the interpreters and the run time do."""

import ctypes
import random

import pytest

from torchcc.backend.cpu.jit import session
from torchcc.ir.diagnostics import InternalError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.structure import difference
from torchcc.ir.verifier import verify

DICT = "!rt.dict<i64 : f64, i1>"

PROGRAM = f"""
func.func @f(%n: index, %x: i64, %y: f64, %z: i1) -> (index, index, index, i64, f64, i1, index) {{
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %d = rt.dict : {DICT}
  scf.for %i = %zero to %n step %one {{
    %k = arith.index_cast %i : index to i64
    rt.dict_put(%d, %k, %y, %z) : ({DICT}, i64, f64, i1) -> ()
  }}
  %size = rt.dict_len(%d) : ({DICT}) -> index
  %first = rt.dict_next(%d, %zero) : ({DICT}, index) -> index
  rt.dict_erase(%d, %first) : ({DICT}, index) -> ()
  %next = rt.dict_next(%d, %zero) : ({DICT}, index) -> index
  %key = rt.dict_key(%d, %next) : ({DICT}, index) -> i64
  %a, %b = rt.dict_get(%d, %next) : ({DICT}, index) -> (f64, i1)
  %found = rt.dict_find(%d, %x) : ({DICT}, i64) -> index
  %left = rt.dict_len(%d) : ({DICT}) -> index
  rt.dict_clear(%d) : ({DICT}) -> ()
  %none = rt.dict_len(%d) : ({DICT}) -> index
  return %size, %left, %found, %key, %a, %b, %none : index, index, index, i64, f64, i1, index
}}
"""


def test_text_and_meaning():
    module = parse_module(PROGRAM)
    verify(module)
    assert difference(module, parse_module(print_module(module))) is None
    assert interpret(module, "f", [5, 3, 0.5, True])[:2] == [5, 4]
    assert interpret(module, "f", [5, 0, 0.5, True])[2:] == [-1, 1, 0.5, True, 0]


@pytest.mark.parametrize("type", ["!rt.dict<f64 : i64>", "!rt.dict<i1 : !rt.list<i64>>", f"!rt.dict<i64 : {DICT}, {DICT}>"])
def test_types(type):
    module = parse_module(f"func.func @f() {{\n  %d = rt.dict : {type}\n  return\n}}\n")
    verify(module)
    assert type in print_module(module)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"rt.dict_put(%d, %x, %x, %z) : ({DICT}, i64, i64, i1) -> ()", "a value of i64, i1"),
        (f"rt.dict_put(%d, %y, %y, %z) : ({DICT}, f64, f64, i1) -> ()", "f64 is no key"),
        (f"%a = rt.dict_find(%d, %y) : ({DICT}, f64) -> index", "f64 is no key"),
        (f"%a = rt.dict_get(%d, %n) : ({DICT}, index) -> f64", "gives f64"),
        (f"%a = rt.dict_key(%d, %x) : ({DICT}, i64) -> i64", "the position is no index"),
        ("%a = rt.dict_len(%x) : (i64) -> index", "i64 is no dict"),
        ("%a = rt.dict : !rt.dict<f32 : i64>", "is no dict"),
        ("%a = rt.dict : !rt.dict<!rt.list<i64> : i64>", "is no dict"),
    ],
)
def test_what_the_verifier_refuses(line, message):
    text = f"func.func @f(%n: index, %x: i64, %y: f64, %z: i1) {{\n  %d = rt.dict : {DICT}\n  {line}\n  return\n}}\n"
    with pytest.raises(InternalError, match=message):
        verify(parse_module(text))


def test_a_position_without_an_entry_is_a_fault_of_the_lowering():
    text = """
func.func @f(%i: index) -> i64 {
  %d = rt.dict : !rt.dict<i64 : i64>
  %x = rt.dict_get(%d, %i) : (!rt.dict<i64 : i64>, index) -> i64
  return %x : i64
}
"""
    with pytest.raises(InternalError, match="there is no entry at position 0"):
        interpret(parse_module(text), "f", [0])


class Table:
    """A dict of the run time with ints for keys and values, called as compiled code does."""

    def __init__(self):
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        forms = {
            "dict_new": (pointer, number, number),
            "dict_find_i64": (number, pointer, number, number),
            "dict_place_i64": (pointer, pointer, number, number, number),
            "dict_next": (number, pointer, number),
            "dict_at": (pointer, pointer, number, number),
            "dict_erase": (ctypes.c_bool, pointer, number),
            "dict_clear": (ctypes.c_bool, pointer),
            "release": (None, pointer),
        }
        runtime = session().runtime
        self.call = {n: ctypes.CFUNCTYPE(*t)(runtime[f"torchcc.{n}"]) for n, t in forms.items()}
        self.dict = self.call["dict_new"](3, 0)

    def find(self, key):
        return self.call["dict_find_i64"](self.dict, key, 3)

    def words(self, position):
        return (ctypes.c_int64 * 3).from_address(self.call["dict_at"](self.dict, position, 3))

    def get(self, key):
        position = self.find(key)
        return None if position < 0 else self.words(position)[2]

    def put(self, key, value):
        ctypes.c_int64.from_address(self.call["dict_place_i64"](self.dict, self.find(key), key, 3) + 16).value = value

    def erase(self, position):
        assert not self.call["dict_erase"](self.dict, position)

    def clear(self):
        assert not self.call["dict_clear"](self.dict)

    def field(self, number):
        return ctypes.c_int64.from_address(self.dict + 8 * number).value

    def first(self):
        return self.call["dict_next"](self.dict, 0)

    def items(self):
        found, position = [], 0
        for _ in range(self.field(8)):
            position = self.call["dict_next"](self.dict, position)
            found.append(tuple(self.words(position)[1:]))
            position += 1
        return found


@pytest.mark.parametrize("seed", range(8))
def test_the_run_time_does_what_python_does(seed):
    rnd = random.Random(seed)
    table, model = Table(), {}
    span, removing = rnd.choice([5, 50, 5000, 1 << 62]), rnd.choice([0.1, 0.4, 0.6])
    for step in range(6000):
        key, chance = rnd.randrange(-span, span), rnd.random()
        if chance < removing and model:
            if rnd.random() < 0.3:
                key, position = next(iter(model)), table.first()
            else:
                key = rnd.choice(list(model)[:50]) if rnd.random() < 0.7 else key
                position = table.find(key)
            assert (position >= 0) == (key in model)
            if key in model:
                table.erase(position)
                del model[key]
        elif chance < 0.98:
            table.put(key, step)
            model[key] = step
        elif chance < 0.981:
            table.clear()
            model.clear()
        else:
            assert table.get(key) == model.get(key)
        if step % 500 == 0:
            assert table.items() == list(model.items())
    assert table.items() == list(model.items())
    table.call["release"](table.dict)


def test_growth_and_shrinking():
    """Room is proportional to what is in a dict, and what is removed from the front is never walked over again."""
    table = Table()
    for i in range(100_000):
        table.put(i * 8, i)
    assert table.field(8) == 100_000 and table.field(9) <= 1 << 17
    for i in range(99_990):
        table.erase(table.first())
        assert i % 1000 or table.words(table.first())[1] == (i + 1) * 8
    assert table.field(9) <= 1024
    assert table.items() == [(i * 8, i) for i in range(99_990, 100_000)]
    for i in range(20_000):  # a queue of ten takes the room of a few dozen
        table.erase(table.first())
        table.put(-i - 1, i)
    assert table.field(9) <= 1024
    table.call["release"](table.dict)
