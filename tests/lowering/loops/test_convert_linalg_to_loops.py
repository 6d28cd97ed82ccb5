"""`convert_linalg_to_loops`, tiles included: all forms of structured operations, compared with the interpreter of `linalg`."""



import dataclasses

import ml_dtypes
import numpy as np
import pytest

from torchcc.ir.attributes import Constant
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.target import AVX2, AVX512
from torchcc.lowering.contracts import verify_loops
from torchcc.lowering.loops.bufferize import bufferize
from torchcc.lowering.loops.convert_linalg_to_loops import convert_linalg_to_loops
from torchcc.lowering.loops.parallelize import parallelize
from torchcc.lowering.loops.plan_memory import plan_memory
from torchcc.lowering.tensor.canonicalize import canonicalize
from torchcc.lowering.tensor.fuse_elementwise import fuse_elementwise

PASSES = [canonicalize, fuse_elementwise, bufferize, convert_linalg_to_loops, plan_memory, parallelize]
BODIES = {
    "mul": "%m = arith.mulf %p0, %p1 : f32\n    %r = arith.addf %o, %m : f32",
    "max": "%r = arith.maximumf %o, %p0 : f32",
    "add": "%r = arith.addf %p0, %o : f32",
}


def tensor(shape):
    return "tensor<" + "".join(f"{e}x" for e in shape) + "f32>"


def reduction(inputs, output, maps, kinds, body, start="0.0"):
    """A function of one reduction: `maps` in affine syntax, `kinds` a string of p and r."""
    arguments = ", ".join(f"%a{i}: {tensor(s)}" for i, s in enumerate(inputs))
    listed = ", ".join(f"affine_map<{m}>" for m in maps)
    iterators = ", ".join('"parallel"' if k == "p" else '"reduction"' for k in kinds)
    names, types = ", ".join(f"%a{i}" for i in range(len(inputs))), ", ".join(map(tensor, inputs))
    elements = ", ".join(f"%p{i}: f32" for i in range(len(inputs)))
    out = tensor(output)
    return f"""
func.func @f({arguments}) -> {out} {{
  %e = tensor.empty() : {out}
  %z = arith.constant {start} : f32
  %i = linalg.fill ins(%z : f32) outs(%e : {out}) -> {out}
  %c = linalg.generic {{indexing_maps = [{listed}], iterator_types = [{iterators}]}}
    ins({names} : {types}) outs(%i : {out}) {{
  ^bb0({elements}, %o: f32):
    {BODIES[body]}
    linalg.yield %r : f32
  }} -> {out}
  return %c : {out}
}}"""


CONV = ["(n,o,y,x,c,i,j)->(n,c,{},{})", "(n,o,y,x,c,i,j)->(o,c,i,j)", "(n,o,y,x,c,i,j)->(n,o,y,x)"]


def conv(rows, columns):
    return [CONV[0].format(rows, columns), *CONV[1:]]


DEPTHWISE = ["(n,o,y,x,i,j)->(n,o,y{s}+i,x{s}+j)", "(n,o,y,x,i,j)->(o,i,j)", "(n,o,y,x,i,j)->(n,o,y,x)"]
LOW = "-1.0e30"

REDUCTIONS = {
    "linear": ([(9, 33), (40, 33)], (9, 40), ["(m,n,k)->(m,k)", "(m,n,k)->(n,k)", "(m,n,k)->(m,n)"], "ppr", "mul"),
    "linear3": (
        [(2, 7, 33), (40, 33)],
        (2, 7, 40),
        ["(b,m,n,k)->(b,m,k)", "(b,m,n,k)->(n,k)", "(b,m,n,k)->(b,m,n)"],
        "pppr",
        "mul",
    ),
    "linear small": (
        [(2, 33), (40, 33)],
        (2, 40),
        ["(m,n,k)->(m,k)", "(m,n,k)->(n,k)", "(m,n,k)->(m,n)"],
        "ppr",
        "mul",
    ),
    "bmm": (
        [(3, 9, 8), (3, 8, 20)],
        (3, 9, 20),
        ["(b,m,n,k)->(b,m,k)", "(b,m,n,k)->(b,k,n)", "(b,m,n,k)->(b,m,n)"],
        "pppr",
        "mul",
    ),
    "qk": (
        [(2, 9, 3, 8), (2, 11, 3, 8)],
        (2, 3, 9, 11),
        ["(b,h,m,n,k)->(b,m,h,k)", "(b,h,m,n,k)->(b,n,h,k)", "(b,h,m,n,k)->(b,h,m,n)"],
        "ppppr",
        "mul",
    ),
    "conv3x3": ([(2, 3, 9, 10), (5, 3, 3, 3)], (2, 5, 7, 8), conv("y+i", "x+j"), "pppprrr", "mul"),
    "conv3x3w": ([(1, 3, 6, 22), (9, 3, 3, 3)], (1, 9, 4, 20), conv("y+i", "x+j"), "pppprrr", "mul"),
    "conv3x3s2d2": ([(2, 3, 11, 13), (5, 3, 3, 3)], (2, 5, 4, 5), conv("y*2+i*2", "x*2+j*2"), "pppprrr", "mul"),
    "conv3x3s2w": ([(1, 2, 7, 41), (5, 2, 3, 3)], (1, 5, 3, 20), conv("y*2+i", "x*2+j"), "pppprrr", "mul"),
    "conv1x1": ([(2, 3, 5, 6), (7, 3, 1, 1)], (2, 7, 5, 6), conv("y+i", "x+j"), "pppprrr", "mul"),
    "depthwise": (
        [(2, 4, 9, 20), (4, 3, 3)],
        (2, 4, 7, 18),
        ["(n,o,y,x,i,j)->(n,o,y+i,x+j)", "(n,o,y,x,i,j)->(o,i,j)", "(n,o,y,x,i,j)->(n,o,y,x)"],
        "pppprr",
        "mul",
    ),
    "depthwise s2": (
        [(2, 4, 9, 21), (4, 3, 3)],
        (2, 4, 4, 10),
        ["(n,o,y,x,i,j)->(n,o,y*2+i,x*2+j)", "(n,o,y,x,i,j)->(o,i,j)", "(n,o,y,x,i,j)->(n,o,y,x)"],
        "pppprr",
        "mul",
    ),
    "group": (
        [(2, 2, 3, 6, 7), (2, 4, 3, 3, 3)],
        (2, 2, 4, 4, 5),
        ["(n,g,o,y,x,c,i,j)->(n,g,c,y+i,x+j)", "(n,g,o,y,x,c,i,j)->(g,o,c,i,j)", "(n,g,o,y,x,c,i,j)->(n,g,o,y,x)"],
        "ppppprrr",
        "mul",
    ),
    "nhwc": (
        [(1, 6, 7, 3), (3, 3, 3, 20)],
        (1, 4, 5, 20),
        ["(n,y,x,o,i,j,c)->(n,y+i,x+j,c)", "(n,y,x,o,i,j,c)->(i,j,c,o)", "(n,y,x,o,i,j,c)->(n,y,x,o)"],
        "pppprrr",
        "mul",
    ),
    "maxpool": (
        [(2, 3, 9, 9), (3, 3)],
        (2, 3, 4, 4),
        ["(n,c,y,x,i,j)->(n,c,y*2+i,x*2+j)", "(n,c,y,x,i,j)->(i,j)", "(n,c,y,x,i,j)->(n,c,y,x)"],
        "pppprr",
        "max",
        LOW,
    ),
    "maxpool s1": (
        [(2, 3, 9, 40), (3, 3)],
        (2, 3, 7, 38),
        ["(n,c,y,x,i,j)->(n,c,y+i,x+j)", "(n,c,y,x,i,j)->(i,j)", "(n,c,y,x,i,j)->(n,c,y,x)"],
        "pppprr",
        "max",
        LOW,
    ),
    "sum0": ([(9, 40)], (40,), ["(m,n)->(m,n)", "(m,n)->(n)"], "rp", "add"),
    "sum02": ([(4, 20, 6)], (20,), ["(m,n,k)->(m,n,k)", "(m,n,k)->(n)"], "rpr", "add"),
    "sum1": ([(9, 40)], (9,), ["(m,n)->(m,n)", "(m,n)->(m)"], "pr", "add"),
    "sumall": ([(9, 40)], (), ["(m,n)->(m,n)", "(m,n)->()"], "rr", "add"),
    "mv": ([(9, 40), (40,)], (9,), ["(m,n)->(m,n)", "(m,n)->(n)", "(m,n)->(m)"], "pr", "mul"),
    "outT": ([(9, 33), (33, 40)], (40, 9), ["(m,n,k)->(m,k)", "(m,n,k)->(k,n)", "(m,n,k)->(n,m)"], "ppr", "mul"),
    "dot": ([(40,), (40,)], (), ["(n)->(n)", "(n)->(n)", "(n)->()"], "r", "mul"),
    "outer": ([(40, 1), (1, 30)], (40, 30), ["(m,n,k)->(m,k)", "(m,n,k)->(k,n)", "(m,n,k)->(m,n)"], "ppr", "mul"),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(run_passes, normal, name):
    text = reduction(*REDUCTIONS[name])
    module = run_passes(text, [normal(*shape) for shape in REDUCTIONS[name][0]], PASSES)
    verify_loops(module)


@pytest.mark.parametrize("name", ["linear", "bmm", "conv3x3", "nhwc", "sum0"])
def test_other_vector_width(run_passes, normal, name):
    def convert(module):
        convert_linalg_to_loops(module, AVX2)

    run_passes(reduction(*REDUCTIONS[name]), [normal(*s) for s in REDUCTIONS[name][0]], [bufferize, convert])


def linear(m, k, n, dynamic):
    """relu(x @ w + b)."""
    x, w, b, y = ((m, k), (k, n), (n,), (m, n))
    types = [tensor(["?"] * len(s) if dynamic else s) for s in (x, w, b, y)]
    sizes = "%m, %n" if dynamic else ""
    return f"""
func.func @f(%x: {types[0]}, %w: {types[1]}, %b: {types[2]}) -> {types[3]} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : {types[0]}
  %n = tensor.dim %w, %c1 : {types[1]}
  %e = tensor.empty({sizes}) : {types[3]}
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e : {types[3]}) -> {types[3]}
  %c = linalg.matmul ins(%x, %w : {types[0]}, {types[1]}) outs(%i : {types[3]}) -> {types[3]}
  %r = linalg.generic {{indexing_maps = [affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(b)>, affine_map<(a,b)->(a,b)>],
    iterator_types = ["parallel", "parallel"]}} ins(%c, %b : {types[3]}, {types[2]}) outs(%e : {types[3]}) {{
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    %t = arith.maximumf %s, %z : f32
    linalg.yield %t : f32
  }} -> {types[3]}
  return %r : {types[3]}
}}"""


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(
    "shape", [(3, 5, 40), (1, 9, 33), (50, 7, 64), (40, 3, 5), (0, 4, 32), (4, 0, 32), (4, 3, 0), (300, 2, 17)]
)
def test_linear_layer(run_passes, normal, shape, dynamic):
    m, k, n = shape
    run_passes(linear(m, k, n, dynamic), [normal(m, k), normal(k, n), normal(n)], PASSES)


def test_epilogue_is_applied_to_registers(run_passes, normal):
    """Nothing is stored but the result: no loads of it, no second pass."""
    module = run_passes(linear(40, 9, 64, False), [normal(40, 9), normal(9, 64), normal(64)], PASSES)
    stores = [op for op in module.walk() if op.name == "memref.store"]
    assert not stores and "maximumf" in print_module(module)
    shapes = [tuple(op.result.type.shape) for op in module.walk() if op.name == "memref.alloc"]
    assert shapes.count((40, 64)) == 1


@pytest.mark.parametrize("depth", [1100, 1024])
@pytest.mark.parametrize("transposed", [False, True])
def test_long_reduction_in_parts(run_passes, normal, depth, transposed):
    """Partial sums stand in the output; start value and epilogue apply in the first and the last part only."""
    small = dataclasses.replace(AVX512, l2_bytes=16 << 10)

    def convert(module):
        convert_linalg_to_loops(module, small)

    text = linear(6, depth, 20, False)
    if transposed:
        text = text.replace(f"{depth}x20xf32", f"20x{depth}xf32").replace(
            "%n = tensor.dim %w, %c1", "%n = tensor.dim %w, %c0"
        )
        maps = "affine_map<(m,n,k)->(m,k)>, affine_map<(m,n,k)->(n,k)>, affine_map<(m,n,k)->(m,n)>"
        start, end = text.index("  %c = linalg.matmul"), text.index("  %r = ")
        text = (
            text[:start]
            + f"""  %c = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "parallel", "reduction"]}}
    ins(%x, %w : tensor<6x{depth}xf32>, tensor<20x{depth}xf32>) outs(%i : tensor<6x20xf32>) {{
  ^bb0(%p0: f32, %p1: f32, %o: f32):
    {BODIES["mul"]}
    linalg.yield %r : f32
  }} -> tensor<6x20xf32>
"""
            + text[end:]
        )
    w = normal(20, depth) if transposed else normal(depth, 20)
    module = run_passes(text, [normal(6, depth), w, normal(20)], [fuse_elementwise, bufferize, convert], tolerance=1e-3)
    assert any(op.name == "scf.if" and len(op.results) > 1 for op in module.walk()) or not transposed


def weights(transposed):
    mapped = "(m,n,k)->(n,k)" if transposed else "(m,n,k)->(k,n)"
    shape = (40, 9) if transposed else (9, 40)
    return f"""
func.func @f(%x: tensor<20x9xf32>) -> tensor<20x40xf32> {{
  %w = arith.constant dense_resource<w> : {tensor(shape)}
  %e = tensor.empty() : tensor<20x40xf32>
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<20x40xf32>) -> tensor<20x40xf32>
  %c = linalg.generic {{indexing_maps = [affine_map<(m,n,k)->(m,k)>, affine_map<{mapped}>, affine_map<(m,n,k)->(m,n)>],
    iterator_types = ["parallel", "parallel", "reduction"]}} ins(%x, %w : tensor<20x9xf32>, {tensor(shape)}) outs(%i : tensor<20x40xf32>) {{
  ^bb0(%p0: f32, %p1: f32, %o: f32):
    {BODIES["mul"]}
    linalg.yield %r : f32
  }} -> tensor<20x40xf32>
  return %c : tensor<20x40xf32>
}}"""


@pytest.mark.parametrize("transposed", [False, True])
def test_constant_weights_are_packed_at_compile_time(run_passes, normal, transposed):
    array = normal(*((40, 9) if transposed else (9, 40)))
    module = parse_module(weights(transposed), constants={"w": Constant("w", array)})
    module = run_passes(module, [normal(20, 9)], [canonicalize, bufferize, convert_linalg_to_loops])
    names = [op.attributes["sym_name"] for op in module.walk() if op.name == "memref.global"]
    assert len(names) == 1 and "panels" in names[0]


@pytest.mark.parametrize("cores", [1, 2])
def test_panels_that_do_not_stay_in_the_cache_are_fetched_ahead(run_passes, normal, cores):
    """Each tile fetches its share of the next panel, and only where weights are large."""
    text = weights(False).replace("20x9x", "120x9x").replace("20x40x", "120x40x")
    for l2_bytes, expected in ((2048, True), (1 << 20, False)):
        target = dataclasses.replace(AVX512, l2_bytes=l2_bytes, cores=cores)
        module = parse_module(text, constants={"w": Constant("w", normal(9, 40))})
        lower = [canonicalize, bufferize, lambda module: convert_linalg_to_loops(module, target)]  # noqa: B023
        module = run_passes(module, [normal(120, 9)], lower)
        assert any(op.name == "memref.prefetch" for op in module.walk()) == expected


MAP = """
func.func @f(%x: {0}, %y: {1}) -> {0} {{
  %c0 = arith.constant 0 : index
  %e = tensor.empty({3}) : {0}
  %r = linalg.generic {{indexing_maps = [affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(b,a)>, affine_map<(a,b)->(a,b)>],
    iterator_types = ["parallel", "parallel"]}} ins(%x, %y : {0}, {1}) outs(%e : {0}) {{
  ^bb0(%p: f32, %q: f32, %o: f32):
    %i = linalg.index {2} : index
    %j = arith.index_cast %i : index to i64
    %k = arith.sitofp %j : i64 to f32
    %s = arith.addf %p, %q : f32
    %t = arith.mulf %s, %k : f32
    linalg.yield %t : f32
  }} -> {0}
  return %r : {0}
}}"""


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("shape", [(5, 7), (0, 7), (1, 1)])
def test_positions_in_bodies(run_passes, normal, index, shape):
    text = MAP.format(tensor(shape), tensor(shape[::-1]), index, "")
    run_passes(text, [normal(*shape), normal(*shape[::-1])], PASSES)


def test_several_results_and_positions(run_passes, normal):
    """Maximum and where it is: two accumulators, and the second follows the first."""
    text = """
func.func @f(%x: tensor<5x9xf32>) -> (tensor<5xf32>, tensor<5xi64>) {
  %e0 = tensor.empty() : tensor<5xf32>
  %e1 = tensor.empty() : tensor<5xi64>
  %low = arith.constant -1.0e30 : f32
  %zero = arith.constant 0 : i64
  %i0 = linalg.fill ins(%low : f32) outs(%e0 : tensor<5xf32>) -> tensor<5xf32>
  %i1 = linalg.fill ins(%zero : i64) outs(%e1 : tensor<5xi64>) -> tensor<5xi64>
  %r:2 = linalg.generic {indexing_maps = [affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(a)>, affine_map<(a,b)->(a)>],
    iterator_types = ["parallel", "reduction"]} ins(%x : tensor<5x9xf32>) outs(%i0, %i1 : tensor<5xf32>, tensor<5xi64>) {
  ^bb0(%p: f32, %m: f32, %at: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %c = arith.cmpf ogt, %p, %m : f32
    %s = arith.select %c, %p, %m : f32
    %t = arith.select %c, %j, %at : i64
    linalg.yield %s, %t : f32, i64
  } -> (tensor<5xf32>, tensor<5xi64>)
  return %r#0, %r#1 : tensor<5xf32>, tensor<5xi64>
}"""
    run_passes(text, [normal(5, 9)], PASSES)


def test_residual_whose_buffer_dies_in_the_epilogue(run_passes, normal):
    """y = h + h @ w, where h dies: its buffer must not be overwritten while the product still reads it."""
    text = """
func.func @f(%x: tensor<40x40xf32>, %w: tensor<40x40xf32>) -> tensor<40x40xf32> {
  %e = tensor.empty() : tensor<40x40xf32>
  %z = arith.constant 0.0 : f32
  %h = linalg.generic {indexing_maps = [affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(a,b)>], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<40x40xf32>) outs(%e : tensor<40x40xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = math.exp %p : f32
    linalg.yield %s : f32
  } -> tensor<40x40xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<40x40xf32>) -> tensor<40x40xf32>
  %c = linalg.matmul ins(%h, %w : tensor<40x40xf32>, tensor<40x40xf32>) outs(%i : tensor<40x40xf32>) -> tensor<40x40xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(a,b)>],
    iterator_types = ["parallel", "parallel"]} ins(%h, %c : tensor<40x40xf32>, tensor<40x40xf32>) outs(%e : tensor<40x40xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<40x40xf32>
  return %r : tensor<40x40xf32>
}"""
    run_passes(text, [normal(40, 40), normal(40, 40)], PASSES)


def test_start_values_from_memory(run_passes, normal):
    text = """
func.func @f(%x: tensor<20x5xf32>, %w: tensor<5x33xf32>, %y: tensor<20x33xf32>) -> tensor<20x33xf32> {
  %c = linalg.matmul ins(%x, %w : tensor<20x5xf32>, tensor<5x33xf32>) outs(%y : tensor<20x33xf32>) -> tensor<20x33xf32>
  return %c : tensor<20x33xf32>
}"""
    run_passes(text, [normal(20, 5), normal(5, 33), normal(20, 33)], PASSES)


def test_right_operand_is_a_slice(run_passes, normal):
    text = """
func.func @f(%x: tensor<20x5xf32>, %w: tensor<40x12xf32>) -> tensor<20x40xf32> {
  %s = tensor.extract_slice %w[0, 1] [40, 5] [1, 2] : tensor<40x12xf32> to tensor<40x5xf32>
  %e = tensor.empty() : tensor<20x40xf32>
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<20x40xf32>) -> tensor<20x40xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(m,n,k)->(m,k)>, affine_map<(m,n,k)->(n,k)>, affine_map<(m,n,k)->(m,n)>],
    iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %s : tensor<20x5xf32>, tensor<40x5xf32>) outs(%i : tensor<20x40xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %r = arith.addf %o, %m : f32
    linalg.yield %r : f32
  } -> tensor<20x40xf32>
  return %c : tensor<20x40xf32>
}"""
    run_passes(text, [normal(20, 5), normal(40, 12)], PASSES)


@pytest.mark.parametrize("shape", [(40, 70), (17, 33), (64, 0)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_transposition_in_blocks(run_passes, normal, shape, dynamic):
    a, b = ("?", "?") if dynamic else shape
    sizes = "%n, %m" if dynamic else ""
    text = f"""
func.func @f(%x: tensor<{a}x{b}xf32>) -> tensor<{b}x{a}xf32> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<{a}x{b}xf32>
  %n = tensor.dim %x, %c1 : tensor<{a}x{b}xf32>
  %e = tensor.empty({sizes}) : tensor<{b}x{a}xf32>
  %r = linalg.generic {{indexing_maps = [affine_map<(i,j)->(j,i)>, affine_map<(i,j)->(i,j)>], iterator_types = ["parallel", "parallel"]}}
    ins(%x : tensor<{a}x{b}xf32>) outs(%e : tensor<{b}x{a}xf32>) {{
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  }} -> tensor<{b}x{a}xf32>
  return %r : tensor<{b}x{a}xf32>
}}"""
    run_passes(text, [normal(*shape)], PASSES)


@pytest.mark.parametrize(("element", "dtype"), [("f64", np.float64), ("i64", np.int64), ("i32", np.int32), ("f16", np.float16)])
def test_products_of_other_types(run_passes, element, dtype):
    text = f"""
func.func @f(%x: tensor<9x7x{element}>, %w: tensor<7x20x{element}>, %y: tensor<9x20x{element}>) -> tensor<9x20x{element}> {{
  %c = linalg.matmul ins(%x, %w : tensor<9x7x{element}>, tensor<7x20x{element}>) outs(%y : tensor<9x20x{element}>) -> tensor<9x20x{element}>
  return %c : tensor<9x20x{element}>
}}"""
    random = np.random.default_rng(0)
    values = [random.integers(-9, 9, shape).astype(dtype) for shape in ((9, 7), (7, 20), (9, 20))]
    run_passes(text, values, PASSES)


def test_narrow_operands_with_a_wide_sum(run_passes):
    text = """
func.func @f(%x: tensor<9x7xbf16>, %w: tensor<20x7xbf16>) -> tensor<9x20xf32> {
  %e = tensor.empty() : tensor<9x20xf32>
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<9x20xf32>) -> tensor<9x20xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(m,n,k)->(m,k)>, affine_map<(m,n,k)->(n,k)>, affine_map<(m,n,k)->(m,n)>],
    iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<9x7xbf16>, tensor<20x7xbf16>) outs(%i : tensor<9x20xf32>) {
  ^bb0(%p: bf16, %q: bf16, %o: f32):
    %a = arith.extf %p : bf16 to f32
    %b = arith.extf %q : bf16 to f32
    %m = arith.mulf %a, %b : f32
    %r = arith.addf %o, %m : f32
    linalg.yield %r : f32
  } -> tensor<9x20xf32>
  return %c : tensor<9x20xf32>
}"""
    random = np.random.default_rng(0)
    values = [random.standard_normal(shape).astype(ml_dtypes.bfloat16) for shape in ((9, 7), (20, 7))]
    run_passes(text, values, PASSES)


def test_running_sum(run_passes, normal):
    """An output with one element for each step of the reduction."""
    text = """
func.func @f(%x: tensor<5x20xf32>) -> (tensor<20xf32>, tensor<5x20xf32>) {
  %e0 = tensor.empty() : tensor<20xf32>
  %e1 = tensor.empty() : tensor<5x20xf32>
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e0 : tensor<20xf32>) -> tensor<20xf32>
  %r:2 = linalg.generic {indexing_maps = [affine_map<(a,b)->(a,b)>, affine_map<(a,b)->(b)>, affine_map<(a,b)->(a,b)>],
    iterator_types = ["reduction", "parallel"]} ins(%x : tensor<5x20xf32>) outs(%i, %e1 : tensor<20xf32>, tensor<5x20xf32>) {
  ^bb0(%p: f32, %s: f32, %o: f32):
    %t = arith.addf %s, %p : f32
    linalg.yield %t, %t : f32, f32
  } -> (tensor<20xf32>, tensor<5x20xf32>)
  return %r#0, %r#1 : tensor<20xf32>, tensor<5x20xf32>
}"""
    run_passes(text, [normal(5, 20)], PASSES)


COLOURS = """
func.func @f(%x: memref<1x3x5x40xf32>) -> memref<1x7x42x3xf32> {
  %zero = arith.constant 0.0 : f32
  %p = memref.alloc() : memref<1x7x42x3xf32>
  linalg.fill ins(%zero : f32) outs(%p : memref<1x7x42x3xf32>)
  %s = memref.subview %p[0, 1, 1, 0] [1, 5, 40, 3] [1, 1, 1, 1] : memref<1x7x42x3xf32> to memref<1x5x40x3xf32, strided<[882, 126, 3, 1], offset: 129>>
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, c, h, w)>, affine_map<(n, h, w, c) -> (n, h, w, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : memref<1x3x5x40xf32>) outs(%s : memref<1x5x40x3xf32, strided<[882, 126, 3, 1], offset: 129>>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return %p : memref<1x7x42x3xf32>
}
"""


def test_colours_of_an_image_are_written_in_turns(run_passes, normal):
    module = run_passes(COLOURS, [normal(1, 3, 5, 40)], [convert_linalg_to_loops])
    stores = [op for op in module.walk() if op.name == "memref.store" and op.parent_op.name == "scf.parallel"]
    assert len([op for op in stores if op.parent_op is stores[-1].parent_op]) == 3
