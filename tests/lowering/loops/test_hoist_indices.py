"""Where rows lie is looked up once a row, only where nothing may write it, and only where there is a row."""

import numpy as np
import pytest

from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.hoist_indices import HoistIndices

HEAD = """
func.func @f(%i: memref<?xi64>, %table: memref<?x?xf32>, %out: memref<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %n = memref.dim %i, %c0 : memref<?xi64>
  %d = memref.dim %table, %c1 : memref<?x?xf32>
  %sum = memref.alloc(%n, %d) : memref<?x?xf32>
"""
ROW = "    %k = memref.load %i[%a] : memref<?xi64>\n    %r = arith.index_cast %k : i64 to index\n"
GATHER = (
    "  scf.parallel (%a, %b) = (%c0, %c0) to (%n, {end}) step (%c1, %c1) {{\n"
    + ROW
    + "    %v = memref.load %table[%r, %b] : memref<?x?xf32>\n    memref.store %v, {to}[%a, %b] : memref<?x?xf32>\n    scf.reduce\n  }}\n"
)
SCATTER = (
    "  scf.for %a = %c0 to %n step %c1 {{\n    scf.for %b = %c0 to %d step %c1 {{\n"
    + ROW
    + "    %v = memref.load %table[%a, %b] : memref<?x?xf32>\n    memref.store %v, {to}[%r, {at}] : memref<?x?xf32>\n    }}\n  }}\n"
)
COPY = """
  scf.parallel (%a, %b) = (%c0, %c0) to (%n, %d) step (%c1, %c1) {
    %v = memref.load %sum[%a, %b] : memref<?x?xf32>
    memref.store %v, %out[%a, %b] : memref<?x?xf32>
    scf.reduce
  }
"""
END = "  memref.dealloc %sum : memref<?x?xf32>\n  return\n}\n"


def loops_around_the_load(module):
    (load,) = [op for op in module.walk() if op.name == "memref.load" and "i64" in str(op.result.type)]
    around, op = [], load.parent_op
    while op.name != "func.func":
        around.append(op)
        op = op.parent_op
    return sum(len(o.body().args) for o in around if o.name != "scf.if"), module


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        (GATHER.format(end="%d", to="%sum") + COPY, 1),
        (GATHER.format(end="%c20", to="%sum") + COPY, 1),
        (GATHER.format(end="%d", to="%out"), 2),  # an argument, which may overlap the others
        (SCATTER.format(to="%sum", at="%b") + COPY, 1),
        (SCATTER.format(to="%out", at="%b"), 2),
    ],
    ids=["gather", "gather of known length", "gather into an argument", "scatter", "scatter into an argument"],
)
@pytest.mark.parametrize("columns", [20, 0])
def test_indices_are_loaded_once_a_row(text, depth, columns):
    rng = np.random.default_rng(0)
    indices, table = rng.permutation(30), rng.standard_normal((30, columns)).astype(np.float32)
    if columns == 0 and "%n, %c20" in text:
        pytest.skip("the row has 20 elements")
    results = []
    for hoist in (False, True):
        module = parse_module(HEAD + text + END)
        if hoist:
            module = HoistIndices().apply(module)
            verify(module)
            assert loops_around_the_load(module)[0] == depth
        out = np.zeros((30, columns), np.float32)
        interpret(module, "f", [indices.copy(), table, out])
        results.append(out)
    np.testing.assert_array_equal(*results)
    assert columns == 0 or results[0].any()


@pytest.mark.parametrize(("at", "parallel"), [("%b", 1), ("%c0", 0)], ids=["columns of their own", "one column"])
def test_what_writes_elements_of_its_own_is_parallel(at, parallel):
    module = HoistIndices().apply(parse_module(HEAD + SCATTER.format(to="%sum", at=at) + END))
    verify(module)
    assert [op.name for op in module.walk()].count("scf.parallel") == parallel


def test_no_index_is_loaded_for_empty_rows():
    """`%i` has fewer elements than there are rows: the loop as it was would never look."""
    text = HEAD.replace("%n = memref.dim %i, %c0 : memref<?xi64>", "%n = arith.constant 30 : index") + GATHER.format(end="%d", to="%sum") + COPY + END
    module = HoistIndices().apply(parse_module(text))
    interpret(module, "f", [np.zeros(0, np.int64), np.zeros((30, 0), np.float32), np.zeros((30, 0), np.float32)])
