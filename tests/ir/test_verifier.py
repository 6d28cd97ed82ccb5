"""The verifier: every invariant has a program that breaks it, and the message points at the operation."""

from __future__ import annotations

import re

import pytest

from torchcc.ir.attributes import DenseArrayAttr, FloatAttr, IntegerAttr
from torchcc.ir.builder import Builder
from torchcc.ir.core import Block, Operation, Region, new_module
from torchcc.ir.diagnostics import InternalError
from torchcc.ir.dialects import arith, func
from torchcc.ir.dialects import torch as t
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, INT, TENSOR
from torchcc.ir.types import F32, I32, I64, INDEX, IntegerType
from torchcc.ir.verifier import find_faults, verify

HEAD = """
#id = affine_map<(d0) -> (d0)>
#two = affine_map<(d0, d1) -> (d0)>
func.func private @g(f32) -> f32
func.func @f(%x: f32, %y: f64, %i: index, %n: i64, %c: i1, %t: tensor<4x?xf32>, %m: memref<4x?xf32>, %v: vector<4xf32>, %b: memref<64xi8>) {
"""

BROKEN = {
    "one_type": ('%0 = "arith.addf"(%x, %y) : (f32, f64) -> f32', "types f32, f64 are not one type"),
    "float_kind": ("%0 = arith.addf %n, %n : i64", "i64 is not a float"),
    "integer_kind": ("%0 = arith.addi %x, %x : f32", "f32 is not an integer"),
    "operand_count": ('%0 = "arith.addf"(%x) : (f32) -> f32', r"1 operands for \(lhs, rhs\)"),
    "result_count": ('"arith.addf"(%x, %x) : (f32, f32) -> ()', "0 results instead of 1"),
    "extension": ("%0 = arith.extf %y : f64 to f32", "from f64 to f32"),
    "bitcast": ("%0 = arith.bitcast %x : f32 to i64", "from f32 to i64"),
    "index_cast": ("%0 = arith.index_cast %i : index to f32", "from index to f32"),
    "predicate": ("%0 = arith.cmpi olt, %i, %i : index", "no predicate 'olt'"),
    "constant_type": ('%0 = "arith.constant"() {value = 1 : i64} : () -> i32', r"result type \(i32\), not \(i64\)"),
    "constant_missing": ('%0 = "arith.constant"() : () -> i32', "None has no type"),
    "select": ('%0 = "arith.select"(%x, %x, %x) : (f32, f32, f32) -> f32', "a condition of type f32 selects f32"),
    "unknown": ('"arith.nonsense"() : () -> ()', "no such operation"),
    "call_missing": ("func.call @h() : () -> ()", "no function @h"),
    "call_type": ("%0 = func.call @g(%y) : (f64) -> f32", r"@g is \(f32\) -> f32, called as \(f64\) -> f32"),
    "assert": ('cf.assert %x, "m"', r"condition \(f32\), not \(i1\)"),
    "for_yield": (
        "%r = scf.for %j = %i to %i step %i iter_args(%a = %x) -> (f32) {\n    scf.yield %y : f64\n  }",
        r"yielded types \(f64\), not \(f32\)",
    ),
    "for_init": (
        '%r = "scf.for"(%i, %i, %i, %y) ({\n  ^bb0(%j: index, %a: f32):\n    "scf.yield"(%a) : (f32) -> ()\n  }) : (index, index, index, f64) -> f32',
        "body arguments",
    ),
    "if_else": (
        '%r = "scf.if"(%c) ({\n    "scf.yield"(%x) : (f32) -> ()\n  }, {\n  }) : (i1) -> f32',
        "results without an else",
    ),
    "while": (
        "%r = scf.while (%a = %x) : (f32) -> (f32) {\n    scf.condition(%c) %y : f64\n  } do {\n  ^bb0(%a: f32):\n    scf.yield %a : f32\n  }",
        "types of the condition",
    ),
    "terminator": (
        'scf.if %c {\n    "scf.yield"() : () -> ()\n    %0 = arith.addf %x, %x : f32\n  }',
        "a terminator is not at the end",
    ),
    "map_dims": (
        '%r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%t : tensor<4x?xf32>) {\n  ^bb0(%o: f32):\n    linalg.yield %o : f32\n  } -> tensor<4x?xf32>',
        "indexing map 0 has 1 dimensions, there are 2",
    ),
    "map_results": (
        '%r = linalg.generic {indexing_maps = [#two], iterator_types = ["parallel", "parallel"]} outs(%t : tensor<4x?xf32>) {\n  ^bb0(%o: f32):\n    linalg.yield %o : f32\n  } -> tensor<4x?xf32>',
        "indexing map 0 has 1 results for tensor",
    ),
    "linalg_index": ("%0 = linalg.index 0 : index", "outside of a structured operation"),
    "empty_sizes": ("%0 = tensor.empty(%i, %i) : tensor<4x?xf32>", "2 sizes for 1 dynamic extents"),
    "extract_rank": ("%0 = tensor.extract %t[%i] : tensor<4x?xf32>", "1 indices into tensor"),
    "extract_index": ("%0 = tensor.extract %t[%i, %n] : tensor<4x?xf32>", r"index types \(index, i64\)"),
    "slice": (
        "%0 = tensor.extract_slice %t[0, 0] [2, %i] [1, 1] : tensor<4x?xf32> to tensor<3x?xf32>",
        "make no tensor<3x",
    ),
    "cast": ("%0 = tensor.cast %t : tensor<4x?xf32> to tensor<5x?xf32>", "from tensor<4x"),
    "reassociation": (
        "%0 = tensor.collapse_shape %t [[0], [1]] : tensor<4x?xf32> into tensor<?xf32>",
        "2 groups for tensor<",
    ),
    "load_element": (
        '%0 = "memref.load"(%m, %i, %i) : (memref<4x?xf32>, index, index) -> f64',
        r"element \(f64\), not \(f32\)",
    ),
    "load_tensor": ('%0 = "memref.load"(%t, %i, %i) : (tensor<4x?xf32>, index, index) -> f32', "is not a memref"),
    "view": ("%0 = memref.view %b[%i][] : memref<64xi8> to memref<?xf32>", "0 sizes for memref"),
    "vector_load": ("%0 = vector.load %m[%i, %i] : memref<4x?xf32>, vector<4xf64>", r"elements \(f64\), not \(f32\)"),
    "vector_extract": ("%0 = vector.extract %v[7] : f32 from vector<4xf32>", r"position \[7\]"),
    "shuffle": ("%0 = vector.shuffle %v, %v [8] : vector<4xf32>, vector<4xf32>", r"mask \[8\]"),
    "vector_bitcast": ("%0 = vector.bitcast %v : vector<4xf32> to vector<8xi8>", "are not the same bits"),
    "intrinsic": (
        '%0 = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%v, %v) : (vector<4xf32>, vector<4xf32>) -> vector<8xi32>',
        r"takes vector<16xi16>, vector<16xi16> and gives vector<8xi32>",
    ),
    "unknown_intrinsic": ('%0 = llvm.call_intrinsic "llvm.trap"(%v) : (vector<4xf32>) -> vector<8xi32>', "no intrinsic llvm.trap"),
    "mask": ("%0 = vector.create_mask %i, %i : vector<4xi1>", "2 counts for vector"),
    "return": (
        "%0 = arith.addf %x, %x : f32\n  return %0 : f32\n}\nfunc.func @h() {",
        r"returned types \(f32\), not \(\)",
    ),
    "symbol": ("return\n}\nfunc.func private @g(f32) -> f32\nfunc.func @h() {", "a second @g"),
    "missing_attribute": (
        '%0 = "tensor.extract_slice"(%t) {operandSegmentSizes = array<i32: 1, 0, 0, 0>} : (tensor<4x?xf32>) -> tensor<4x?xf32>',
        "the attribute static_offsets is None",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    body, message = BROKEN[name]
    module = parse_module(f"{HEAD}  {body}\n  return\n}}\n")
    with pytest.raises(InternalError, match=message) as caught:
        verify(module)
    marks = [line for line in str(caught.value).splitlines() if line.lstrip().startswith("^^^")]
    assert marks and re.search(message, "\n".join(marks))


def test_message_shows_the_place_only() -> None:
    lines = "\n".join(f"  %a{i} = arith.addf %x, %x : f32" for i in range(100))
    module = parse_module(
        f"func.func @f(%x: f32, %n: i64) {{\n{lines}\n  %bad = arith.mulf %n, %n : i64\n{lines.replace('%a', '%b')}\n  return\n}}"
    )
    with pytest.raises(InternalError) as caught:
        verify(module)
    text = str(caught.value)
    assert len(text.splitlines()) < 25 and "%a99" in text and "%a10" not in text and "..." in text
    assert "arith.mulf at <string>:102:3: i64 is not a float" in text


def simple() -> tuple[Operation, Operation, Builder]:
    module = new_module()
    f = func.func(module, "f", [F32, INDEX], [F32])
    return module, f, Builder(f.body())


def test_use_before_definition() -> None:
    module, f, b = simple()
    x = f.body().args[0]
    first = arith.addf(b, x, x)
    second = arith.addf(b, first, x)
    func.return_(b, [second])
    verify(module)
    op = second.defining_op()
    assert op is not None
    f.body().insert_before(op.detach(), f.body().first)
    assert list(find_faults(module).values()) == ["operand 0 is not defined before this use"]


def test_values_do_not_leave_their_region() -> None:
    module = parse_module(
        "func.func @f(%c: i1, %x: f32) -> f32 {\n  scf.if %c {\n    %y = arith.addf %x, %x : f32\n  }\n  return %x : f32\n}"
    )
    add = next(op for op in module.walk() if op.name == "arith.addf")
    end = next(op for op in module.walk() if op.name == "func.return")
    end.set_operand(0, add.result)
    assert list(find_faults(module)) == [end]


def test_functions_are_isolated() -> None:
    module = parse_module(
        "func.func @f(%x: f32) -> f32 {\n  return %x : f32\n}\nfunc.func @g(%y: f32) -> f32 {\n  return %y : f32\n}"
    )
    f, g = module.body().operations()
    g.body().terminator.set_operand(0, f.body().args[0])
    assert list(find_faults(module)) == [g.body().terminator]


def test_links() -> None:
    module, f, b = simple()
    x = f.body().args[0]
    y = arith.addf(b, x, x)
    func.return_(b, [y])
    del x.uses[(y.op, 0)]  # type: ignore[union-attr]
    assert find_faults(module) == {y.op: "operand 0 does not know of this use"}  # type: ignore[union-attr]
    x.uses[(y.op, 0)] = None  # type: ignore[union-attr]
    lost = Operation("arith.addf", (y, y), (F32,))
    assert find_faults(module) == {y.op: "result 0 is used by an operation that was taken out"}  # type: ignore[union-attr]
    lost.drop_operands()
    assert not find_faults(module)


def test_blocks_end_with_terminators() -> None:
    module, f, _ = simple()
    assert find_faults(module) == {f: "a block does not end with a terminator"}
    empty = Operation(
        "scf.if", (arith.constant(Builder(f.body()), True, IntegerType(1)),), regions=[Region([Block()]), Region()]
    )
    f.body().append(empty)
    func.return_(Builder(f.body()), [f.body().args[0]])
    assert list(find_faults(module)) == [empty]


def test_constants_fit_their_type() -> None:
    for attribute, type in (
        (IntegerAttr(256, IntegerType(8)), IntegerType(8)),
        (IntegerAttr(1, F32), F32),
        (FloatAttr(1.0, I64), I64),
    ):
        module, f, b = simple()
        b.create("arith.constant", (), (type,), {"value": attribute})
        func.return_(b, [f.body().args[0]])
        assert len(find_faults(module)) == 1


def test_segments() -> None:
    module, f, b = simple()
    x, i = f.body().args
    b.create("memref.alloc", (i,), (parse_type("memref<?xf32>"),), {"operandSegmentSizes": DenseArrayAttr((0, 0), I32)})
    func.return_(b, [x])
    assert "1 operands in groups of [0, 0]" in next(iter(find_faults(module).values()))


def parse_type(text: str):
    module = parse_module(f"func.func @f(%x: {text}) {{\n  return\n}}")
    return next(iter(module.body().operations())).body().args[0].type


def test_deep_nesting() -> None:
    depth = 3000
    verify(parse_module("func.func @f(%c: i1) {\n" + "scf.if %c {\n" * depth + "}\n" * depth + "return\n}\n"))


# torch stage


def torch_function() -> tuple[Operation, Builder]:
    module = new_module()
    f = t.func(module, "f", ["x", "n"], [TENSOR, INT])
    return module, Builder(f.body())


def test_nodes_fit_their_schemas() -> None:
    module, b = torch_function()
    x, n = b.block.args
    one = t.constant(b, 1, INT)
    b.create("aten::add.Tensor", (x, x, one), (TENSOR,))
    bad = [
        b.create("aten::add.Tensor", (x, x), (TENSOR,)),
        b.create("aten::add.Tensor", (n, x, one), (TENSOR,)),
        b.create("aten::add.Tensor", (x, x, one), (TENSOR, TENSOR)),
        b.create("aten::nonsense", (x,), (TENSOR,)),
    ]
    t.return_(b, [x])
    faults = find_faults(module)
    assert list(faults) == bad
    assert "2 operands for aten::add.Tensor(" in faults[bad[0]]
    assert "int is given for `self`" in faults[bad[1]]
    assert "2 results for" in faults[bad[2]]
    assert faults[bad[3]] == "no operator of that name"


@pytest.mark.parametrize(
    ("carried", "yielded", "message"),
    [
        (INT, TENSOR, "the body yields Tensor for value 0, which is int"),
        (TENSOR, INT, "the body yields int"),
        (INT, INT, None),
    ],
)
def test_loops(carried, yielded, message) -> None:
    module, b = torch_function()
    x, n = b.block.args
    true = t.constant(b, True, BOOL)
    values = {INT: n, TENSOR: x}
    body = Block([INT, carried])
    t.yield_(Builder(body), [true, values[yielded]])
    b.create("prim::Loop", (n, true, values[carried]), (carried,), regions=[Region([body])])
    t.return_(b, [x])
    faults = list(find_faults(module).values())
    assert len(faults) == (message is not None) and all(message in f for f in faults)


def test_branches() -> None:
    module, b = torch_function()
    x, n = b.block.args
    true = t.constant(b, True, BOOL)
    blocks = [Block(), Block()]
    t.yield_(Builder(blocks[0]), [x])
    t.yield_(Builder(blocks[1]), [])
    b.create("prim::If", (true,), (TENSOR,), regions=[Region([block]) for block in blocks])
    wrong = b.create("prim::If", (n,), (), regions=[Region([Block()]), Region([Block()])])
    for region in wrong.regions:
        t.yield_(Builder(region.blocks[0]), [])
    t.return_(b, [x])
    assert list(find_faults(module).values()) == ["branch 1 yields 0 values, not 1", "a condition of type int"]
