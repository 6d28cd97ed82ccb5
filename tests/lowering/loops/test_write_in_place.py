"""`write-in-place`: no copies of what could have been computed where it is needed, and no others dropped."""

import numpy as np
import pytest

from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.convert_linalg_to_loops import ConvertLinalgToLoops
from torchcc.lowering.loops.write_in_place import WriteInPlace

HEAD = """
#m = affine_map<(d0, d1) -> (d0, d1)>
func.func @f(%x: memref<2x3xf32>) -> {results} {{
  %zero = arith.constant 0.0 : f32
{body}
}}
"""
SQUARE = """
  %{to} = memref.alloc() : memref<2x3xf32>
  linalg.generic {{indexing_maps = [#m, #m], iterator_types = ["parallel", "parallel"]}} ins(%{of} : memref<2x3xf32>) outs(%{to} : memref<2x3xf32>) {{
  ^bb0(%a{to}: f32, %b{to}: f32):
    %c{to} = arith.mulf %a{to}, %a{to} : f32
    %d{to} = arith.addf %c{to}, %a{to} : f32
    linalg.yield %d{to} : f32
  }}"""
FILLED = """
  %p = memref.alloc() : memref<4x5xf32>
  linalg.fill ins(%zero : f32) outs(%p : memref<4x5xf32>)"""
INSIDE = """
  %{view} = memref.subview %p[{at}] [2, 3] [1, 1] : memref<4x5xf32> to memref<2x3xf32, strided<[5, 1], offset: {offset}>>
  memref.copy %{of}, %{view} : memref<2x3xf32> to memref<2x3xf32, strided<[5, 1], offset: {offset}>>"""
FREE = "\n  memref.dealloc %{of} : memref<2x3xf32>"
RETURN = "\n  return %p : memref<4x5xf32>"


def square(of, to):
    return SQUARE.format(of=of, to=to)


def inside(of, view, at="1, 1", offset=6):
    return INSIDE.format(of=of, view=view, at=at, offset=offset)


def free(of):
    return FREE.format(of=of)


def every_second(of, view, offset, into="p", shape="4x5", pitch=5):
    """A buffer becomes rows 0 and 2, or 1 and 3, of a larger one."""
    t = f"memref<2x3xf32, strided<[{2 * pitch}, 1]{f', offset: {offset}' if offset else ''}>>"
    at = f"{offset // pitch}, {offset % pitch}"
    return (
        f"\n  %{view} = memref.subview %{into}[{at}] [2, 3] [2, 1] : memref<{shape}xf32> to {t}"
        f"\n  memref.copy %{of}, %{view} : memref<2x3xf32> to {t}"
    )


PROGRAMS = {
    "padded": (square("x", "s") + FILLED + inside("s", "v") + free("s") + RETURN, 0),
    "chained": (square("x", "s") + square("s", "t") + FILLED + inside("t", "v") + free("s") + free("t") + RETURN, 0),
    "read later": (square("x", "s") + FILLED + inside("s", "v") + square("s", "t") + free("s") + RETURN, 1),
    "an argument": (FILLED + inside("x", "v") + RETURN, 1),
    "joined": (
        square("x", "s")
        + square("s", "t")
        + "\n  %p = memref.alloc() : memref<4x5xf32>"
        + "\n  %q = memref.subview %p[0, 3] [4, 2] [1, 1] : memref<4x5xf32> to memref<4x2xf32, strided<[5, 1], offset: 3>>"
        + inside("s", "v", "0, 0", 0)
        + inside("t", "w", "2, 0", 10)
        + free("s")
        + free("t")
        + "\n  linalg.fill ins(%zero : f32) outs(%q : memref<4x2xf32, strided<[5, 1], offset: 3>>)"
        + RETURN,
        0,
    ),
    "interleaved": (
        square("x", "s")
        + square("s", "t")
        + "\n  %p = memref.alloc() : memref<4x5xf32>\n  linalg.fill ins(%zero : f32) outs(%p : memref<4x5xf32>)"
        + every_second("s", "v", 0)
        + every_second("t", "w", 1)
        + free("s")
        + free("t")
        + RETURN,
        1,  # the rows between are written before: not seen to be apart where all of it was filled
    ),
    "interleaved, then padded": (
        square("x", "s")
        + square("s", "t")
        + "\n  %j = memref.alloc() : memref<4x3xf32>"
        + every_second("s", "v", 0, "j", "4x3", 3)
        + every_second("t", "w", 3, "j", "4x3", 3)
        + free("s")
        + free("t")
        + FILLED
        + "\n  %i = memref.subview %p[0, 1] [4, 3] [1, 1] : memref<4x5xf32> to memref<4x3xf32, strided<[5, 1], offset: 1>>"
        + "\n  memref.copy %j, %i : memref<4x3xf32> to memref<4x3xf32, strided<[5, 1], offset: 1>>"
        + "\n  memref.dealloc %j : memref<4x3xf32>"
        + RETURN,
        0,
    ),
    "a part is read later": (
        square("x", "s")
        + "\n  %j = memref.alloc() : memref<4x3xf32>\n  linalg.fill ins(%zero : f32) outs(%j : memref<4x3xf32>)"
        + every_second("s", "v", 0, "j", "4x3", 3)
        + free("s")
        + FILLED
        + "\n  %i = memref.subview %p[0, 1] [4, 3] [1, 1] : memref<4x5xf32> to memref<4x3xf32, strided<[5, 1], offset: 1>>"
        + "\n  memref.copy %j, %i : memref<4x3xf32> to memref<4x3xf32, strided<[5, 1], offset: 1>>"
        + "\n  %u = memref.alloc() : memref<2x3xf32>"
        + "\n  memref.copy %v, %u : memref<2x3xf32, strided<[6, 1]>> to memref<2x3xf32>"
        + "\n  memref.dealloc %j : memref<4x3xf32>"
        + RETURN,
        3,
    ),
    "overlapping": (square("x", "s") + square("s", "t") + FILLED + inside("s", "v") + inside("t", "w") + RETURN, 1),
}


def copies(module):
    return sum(op.name == "memref.copy" for op in module.walk())


@pytest.mark.parametrize("name", PROGRAMS)
def test_copies(name):
    body, left = PROGRAMS[name]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    module = parse_module(HEAD.format(results="memref<4x5xf32>", body=body))
    (expected,) = interpret(module.clone({}), "f", [x])
    module = WriteInPlace().apply(module)
    verify(module)
    assert copies(module) == left
    (found,) = interpret(module.clone({}), "f", [x])
    np.testing.assert_array_equal(found, expected)
    (found,) = interpret(ConvertLinalgToLoops().apply(module), "f", [x])
    np.testing.assert_array_equal(found, expected)


BORDERS = {  # what is filled, in the end, and how many elements of the buffer of 4 x 5
    "computed inside": (square("x", "s") + FILLED + inside("s", "v") + free("s") + RETURN, 4, 14),
    "copied inside": (FILLED + inside("x", "v") + RETURN, 4, 14),
    "in a corner": (FILLED + inside("x", "v", "0, 0", 0) + RETURN, 2, 14),
    "read before": (
        FILLED + "\n  %c0 = arith.constant 0 : index\n  %e = memref.load %p[%c0, %c0] : memref<4x5xf32>"
        "\n  memref.store %e, %x[%c0, %c0] : memref<2x3xf32>" + inside("x", "v") + RETURN, 1, 20,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BORDERS)
def test_borders(name, monkeypatch):
    body, fills, elements = BORDERS[name]
    monkeypatch.setattr("torchcc.lowering.loops.write_in_place._MOST_OUTSIDE", 8)  # the part is small here
    module = parse_module(HEAD.format(results="memref<4x5xf32>", body=body))
    (expected,) = interpret(module.clone({}), "f", [np.arange(1, 7, dtype=np.float32).reshape(2, 3)])
    module = WriteInPlace().apply(module)
    verify(module)
    filled = [op.operand(1).type.shape for op in module.walk() if op.name == "linalg.fill"]
    assert len(filled) == fills and sum(a * b for a, b in filled) == elements
    for lowered in (module.clone({}), ConvertLinalgToLoops().apply(module)):
        (found,) = interpret(lowered, "f", [np.arange(1, 7, dtype=np.float32).reshape(2, 3)])
        np.testing.assert_array_equal(found, expected)


def test_large_borders_are_filled_with_the_rest():
    body = FILLED + inside("x", "v") + RETURN
    module = WriteInPlace().apply(parse_module(HEAD.format(results="memref<4x5xf32>", body=body)))
    assert [op.operand(1).type.shape for op in module.walk() if op.name == "linalg.fill"] == [(4, 5)]
