"""Operations and bytes of loops, counted."""

import pytest

from torchcc.ir.core import functions
from torchcc.ir.parser import parse_module
from torchcc.lowering.loops.count_work import Work, work_of

HEAD = """
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c10 = arith.constant 10 : index
"""


def work(body, arguments="%x: memref<10x8xf32>, %y: memref<10x8xf32>, %n: index"):
    module = parse_module(f"func.func @f({arguments}) {{{HEAD}{body}\n  return\n}}")
    function = next(iter(functions(module)))
    return work_of(next(op for op in function.body().operations() if op.regions))


PLAIN = """
  scf.parallel (%i, %j) = (%c0, %c0) to (%c10, %c8) step (%c1, %c1) {
    %a = memref.load %x[%i, %j] : memref<10x8xf32>
    %b = arith.mulf %a, %a : f32
    %c = arith.addf %b, %a : f32
    memref.store %c, %y[%i, %j] : memref<10x8xf32>
    scf.reduce
  }"""

VECTORS = """
  scf.for %i = %c0 to %c10 step %c1 {
    %a = vector.load %x[%i, %c0] : memref<10x8xf32>, vector<8xf32>
    %b = vector.fma %a, %a, %a : vector<8xf32>
    vector.store %b, %x[%i, %c0] : memref<10x8xf32>, vector<8xf32>
  }"""

TRIANGLE = """
  scf.for %i = %c0 to %c10 step %c1 {
    %end = arith.minsi %i, %c8 : index
    scf.for %j = %c0 to %end step %c1 {
      %a = memref.load %x[%i, %j] : memref<10x8xf32>
      %b = arith.mulf %a, %a : f32
      memref.store %b, %y[%i, %j] : memref<10x8xf32>
    }
  }"""

SIDES = """
  scf.for %i = %c0 to %c10 step %c1 {
    %p = arith.cmpi slt, %i, %n : index
    scf.if %p {
      %a = memref.load %x[%i, %c0] : memref<10x8xf32>
      %b = arith.mulf %a, %a : f32
      %c = arith.mulf %b, %a : f32
      memref.store %c, %y[%i, %c0] : memref<10x8xf32>
    } else {
      %d = memref.load %x[%i, %c0] : memref<10x8xf32>
      %e = arith.addf %d, %d : f32
      memref.store %e, %y[%i, %c0] : memref<10x8xf32>
    }
  }"""

INSIDE = """
  scf.for %i = %c0 to %c10 step %c1 {
    %own = memref.alloca() : memref<8xf32>
    %row = memref.subview %x[%i, 0] [1, 8] [1, 1] : memref<10x8xf32> to memref<1x8xf32, strided<[8, 1], offset: ?>>
    %a = memref.load %row[%c0, %c0] : memref<1x8xf32, strided<[8, 1], offset: ?>>
    memref.store %a, %own[%c0] : memref<8xf32>
  }"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (PLAIN, Work(160, 640)),
        (VECTORS, Work(160, 640)),
        (TRIANGLE, Work(sum(min(i, 8) for i in range(10)), 640)),
        (SIDES, Work(20, 640)),
        (INSIDE, Work(0, 320)),
    ],
    ids=["plain", "vectors", "triangle", "sides", "inside"],
)
def test_counts(body, expected):
    assert work(body) == expected


def test_iterations_known_at_run_time_only():
    assert work(PLAIN.replace("(%c10, %c8)", "(%n, %c8)")) == Work(None, 640)


def test_buffers_of_run_time_size():
    text = PLAIN.replace("memref<10x8xf32>", "memref<?x8xf32>")
    assert work(text, "%x: memref<?x8xf32>, %y: memref<?x8xf32>, %n: index") == Work(160, None)


def test_counting_is_bounded():
    loops = "".join(f"scf.for %i{k} = {f'%i{k - 1}' if k else '%c0'} to %big step %c1 {{\n" for k in range(4))
    body = f"  %big = arith.constant 1000 : index\n  {loops}  %a = memref.load %x[%c0, %c0] : memref<10x8xf32>\n{'}' * 4}"
    assert work(body).operations is None
