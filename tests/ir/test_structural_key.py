"""Equal keys mean equal programs; constants that only Python takes for equal are different."""

from __future__ import annotations

import pytest

from torchcc.ir.parser import parse_module
from torchcc.ir.structural_key import StructuralKeys

BODY = """\
func.func @f(%x: memref<8xf32>, %y: memref<8xf32>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {{
    {text}
  }}
  return
}}
"""
BASE = "%0 = memref.load %x[%i] : memref<8xf32>\n%k = arith.constant 0.0 : f32\n%1 = arith.subf %0, %k : f32\nmemref.store %1, %y[%i] : memref<8xf32>"


def key(keys, text):
    module = parse_module(f"module {{\n{BODY.format(text=text)}}}\n")
    function = module.body().first
    (loop,) = (op for op in function.walk() if op.name == "scf.for")
    outside = [*function.body().args, *(op.result for op in function.body().operations() if op.results)]
    found = keys.key(loop, {v: -1 - i for i, v in enumerate(outside)})
    assert found is not None
    return found


def test_names_of_values_do_not_count():
    keys = StructuralKeys()
    assert key(keys, BASE) == key(keys, BASE.replace("%0", "%a").replace("%1", "%b").replace("%k", "%c"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("constant 0.0", "constant -0.0"),
        ("constant 0.0", "constant 1.0"),
        ("subf %0, %k", "subf %k, %0"),
        ("subf", "addf"),
        ("subf %0, %k : f32", "subf %0, %k fastmath<reassoc> : f32"),
        ("load %x[%i]", "load %y[%i]"),
        ("store %1, %y[%i]", "store %0, %y[%i]"),
        ("store %1, %y[%i]", "store %1, %y[%c1]"),
    ],
)
def test_everything_else_does(old, new):
    assert old in BASE
    keys = StructuralKeys()
    assert key(keys, BASE) != key(keys, BASE.replace(old, new))


def test_values_and_operations_that_are_not_known():
    keys = StructuralKeys()
    module = parse_module(f"module {{\n{BODY.format(text=BASE)}}}\n")
    function = module.body().first
    (loop,) = (op for op in function.walk() if op.name == "scf.for")
    assert keys.key(loop, {}) is None
    outside = {v: -1 - i for i, v in enumerate([*function.body().args, *(op.result for op in function.body().operations() if op.results)])}
    assert keys.key(loop, outside, ("scf.", "memref.", "arith.")) is not None
    assert keys.key(loop, outside, ("scf.", "memref.")) is None
