"""`fuse_elementwise`: chains become one operation; work that would be repeated is not fused."""



import pytest

from torchcc.ir.printer import print_module
from torchcc.lowering.tensor.fuse_elementwise import fuse_elementwise

PASSES = [fuse_elementwise]


def generic(name, ins, out, maps, body, *, init="%e", kinds=None, extents=("a", "b")):
    """One `linalg.generic` in text: `ins` are (value, type), `maps` right hand sides over `extents`."""
    kinds = kinds or ["parallel"] * len(extents)
    dims = ", ".join(extents)
    listed = ", ".join(f"affine_map<({dims}) -> ({m})>" for m in maps)
    names = ", ".join(f"%p{i}: f32" for i in range(len(ins)))
    inputs = f"ins({', '.join(v for v, _ in ins)} : {', '.join(t for _, t in ins)}) " if ins else ""
    return f"""
  {name} = linalg.generic {{indexing_maps = [{listed}], iterator_types = [{", ".join(f'"{k}"' for k in kinds)}]}}
    {inputs}outs({init} : {out}) {{
  ^bb0({names}{", " if names else ""}%o: f32):
    {body}
    linalg.yield %r : f32
  }} -> {out}"""


T = "tensor<5x7xf32>"
ROW = "tensor<7xf32>"
EMPTY = f"%e = tensor.empty() : {T}"


def count(module):
    return print_module(module).count("linalg.generic")


def test_chain_becomes_one_body(run_passes, normal):
    text = f"""func.func @f(%x: {T}, %y: {ROW}) -> {T} {{
  {EMPTY}{generic("%u", [("%x", T), ("%y", ROW)], T, ["a, b", "b", "a, b"], "%r = arith.addf %p0, %p1 : f32")}
  {generic("%v", [("%u", T)], T, ["a, b", "a, b"], "%r = math.exp %p0 : f32")}
  {generic("%w", [("%v", T), ("%x", T)], T, ["a, b", "a, b", "a, b"], "%r = arith.mulf %p0, %p1 : f32")}
  return %w : {T}
}}"""
    module = run_passes(text, [normal(5, 7), normal(7)], PASSES)
    assert count(module) == 1


def test_transposed_reader(run_passes, normal):
    text = f"""func.func @f(%x: {T}) -> tensor<7x5xf32> {{
  {EMPTY}
  %e2 = tensor.empty() : tensor<7x5xf32>
  {generic("%u", [("%x", T)], T, ["a, b", "a, b"], "%r = math.exp %p0 : f32")}
  {generic("%v", [("%u", T)], "tensor<7x5xf32>", ["b, a", "a, b"], "%r = arith.negf %p0 : f32", init="%e2")}
  return %v : tensor<7x5xf32>
}}"""
    assert count(run_passes(text, [normal(5, 7)], PASSES)) == 1


def test_positions_follow_the_reader(run_passes, normal):
    index = """%i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %k = arith.sitofp %j : i64 to f32
    %r = arith.addf %p0, %k : f32"""
    text = f"""func.func @f(%x: {T}) -> tensor<5xf32> {{
  {EMPTY}
  %e2 = tensor.empty() : tensor<5xf32>
  {generic("%u", [("%x", T)], T, ["a, b", "a, b"], index)}
  {generic("%v", [("%u", T)], "tensor<5xf32>", ["a, a + 1", "a"], "%r = arith.negf %p0 : f32", init="%e2", extents=("a",))}
  return %v : tensor<5xf32>
}}"""
    assert count(run_passes(text, [normal(5, 7)], PASSES)) == 1


def test_dear_producer_of_two_readers_is_computed_once(run_passes, normal):
    text = f"""func.func @f(%x: {T}) -> ({T}, {T}) {{
  {EMPTY}{generic("%u", [("%x", T)], T, ["a, b", "a, b"], "%r = math.exp %p0 : f32")}
  {generic("%v", [("%u", T)], T, ["a, b", "a, b"], "%r = arith.negf %p0 : f32")}
  {generic("%w", [("%u", T)], T, ["a, b", "a, b"], "%r = math.sqrt %p0 : f32")}
  return %v, %w : {T}, {T}
}}"""
    module = run_passes(text, [normal(5, 7)], PASSES)
    assert print_module(module).count("math.exp") == 1 and count(module) == 3


def test_cheap_producer_of_two_readers_is_repeated(run_passes, normal):
    text = f"""func.func @f(%x: {T}) -> ({T}, {T}) {{
  {EMPTY}{generic("%u", [("%x", T)], T, ["a, b", "a, b"], "%r = arith.addf %p0, %p0 : f32")}
  {generic("%v", [("%u", T)], T, ["a, b", "a, b"], "%r = arith.negf %p0 : f32")}
  {generic("%w", [("%u", T)], T, ["a, b", "a, b"], "%r = math.exp %p0 : f32")}
  return %v, %w : {T}, {T}
}}"""
    assert count(run_passes(text, [normal(5, 7)], PASSES)) == 2


@pytest.mark.parametrize(("body", "expected"), [("%r = math.exp %p0 : f32", 2), ("%r = arith.negf %p0 : f32", 1)])
def test_broadcast_reader(run_passes, normal, body, expected):
    text = f"""func.func @f(%x: {T}, %y: {ROW}) -> {T} {{
  {EMPTY}
  %e2 = tensor.empty() : {ROW}
  {generic("%u", [("%y", ROW)], ROW, ["a", "a"], body, init="%e2", extents=("a",))}
  {generic("%v", [("%x", T), ("%u", ROW)], T, ["a, b", "b", "a, b"], "%r = arith.mulf %p0, %p1 : f32")}
  return %v : {T}
}}"""
    assert count(run_passes(text, [normal(5, 7), normal(7)], PASSES)) == expected


def test_producer_of_a_reduction(run_passes, normal):
    text = f"""func.func @f(%x: {T}) -> tensor<5xf32> {{
  {EMPTY}
  %z = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<5xf32>
  %i = linalg.fill ins(%z : f32) outs(%e1 : tensor<5xf32>) -> tensor<5xf32>
  {generic("%u", [("%x", T)], T, ["a, b", "a, b"], "%r = math.exp %p0 : f32")}
  {generic("%v", [("%u", T)], "tensor<5xf32>", ["a, b", "a"], "%r = arith.addf %o, %p0 : f32", init="%i", kinds=["parallel", "reduction"])}
  return %v : tensor<5xf32>
}}"""
    assert count(run_passes(text, [normal(5, 7)], PASSES)) == 1


SCALED = "%q = arith.mulf %p0, %p1 : f32\n    %r = arith.addf %q, %p2 : f32"
PRODUCT = "%m = arith.mulf %p0, %p1 : f32\n    %r = arith.addf %o, %m : f32"
MATMUL = ["a, k", "k, b", "a, b"]


def matmul_of(body):
    return f"""func.func @f(%x: {T}, %y: tensor<7x6xf32>) -> tensor<5x6xf32> {{
  {EMPTY}
  %z = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<5x6xf32>
  %i = linalg.fill ins(%z : f32) outs(%e1 : tensor<5x6xf32>) -> tensor<5x6xf32>
  {generic("%u", [("%x", T)], T, ["a, b", "a, b"], body)}
  {generic("%v", [("%u", T), ("%y", "tensor<7x6xf32>")], "tensor<5x6xf32>", MATMUL, PRODUCT, init="%i", kinds=["parallel", "parallel", "reduction"], extents=("a", "b", "k"))}
  return %v : tensor<5x6xf32>
}}"""


def test_computing_producer_of_a_contraction_stays(run_passes, normal):
    assert count(run_passes(matmul_of("%r = arith.negf %p0 : f32"), [normal(5, 7), normal(7, 6)], PASSES)) == 2


def test_transposition_moves_into_the_contraction(run_passes, normal):
    text = f"""func.func @f(%x: {T}, %y: tensor<6x7xf32>) -> tensor<5x6xf32> {{
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<7x6xf32>
  %e1 = tensor.empty() : tensor<5x6xf32>
  %i = linalg.fill ins(%z : f32) outs(%e1 : tensor<5x6xf32>) -> tensor<5x6xf32>
  %t = linalg.generic {{indexing_maps = [affine_map<(a, b) -> (b, a)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}}
    ins(%y : tensor<6x7xf32>) outs(%e0 : tensor<7x6xf32>) {{
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  }} -> tensor<7x6xf32>
  {generic("%v", [("%x", T), ("%t", "tensor<7x6xf32>")], "tensor<5x6xf32>", MATMUL, PRODUCT, init="%i", kinds=["parallel", "parallel", "reduction"], extents=("a", "b", "k"))}
  return %v : tensor<5x6xf32>
}}"""
    assert count(run_passes(text, [normal(5, 7), normal(6, 7)], PASSES)) == 1


def test_splats_move_into_the_body(run_passes, normal):
    text = f"""func.func @f(%x: {T}, %s: f32) -> {T} {{
  {EMPTY}
  %c = arith.constant dense<2.0> : {T}
  %d = linalg.fill ins(%s : f32) outs(%e : {T}) -> {T}
  {generic("%u", [("%x", T), ("%c", T), ("%d", T)], T, ["a, b", "a, b", "a, b", "a, b"], SCALED)}
  return %u : {T}
}}"""
    module = run_passes(text, [normal(5, 7), 3.0], PASSES)
    assert "linalg.fill" not in print_module(module) and "dense" not in print_module(module)


def test_extent_shown_only_by_the_producer(run_passes, normal):
    """Summing a broadcast: without the intermediate tensor nothing would tell how long the reduction is."""
    text = f"""func.func @f(%x: tensor<5xf32>) -> tensor<5xf32> {{
  {EMPTY}
  %z = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<5xf32>
  %i = linalg.fill ins(%z : f32) outs(%e1 : tensor<5xf32>) -> tensor<5xf32>
  {generic("%u", [("%x", "tensor<5xf32>")], T, ["a", "a, b"], "%r = arith.negf %p0 : f32")}
  {generic("%v", [("%u", T)], "tensor<5xf32>", ["a, b", "a"], "%r = arith.addf %o, %p0 : f32", init="%i", kinds=["parallel", "reduction"])}
  return %v : tensor<5xf32>
}}"""
    assert count(run_passes(text, [normal(5)], PASSES)) == 2
