"""`plan_memory`: buffers alive together never overlap, memory is reused, and the result stays the caller's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from torchcc.ir.printer import print_module
from torchcc.lowering.loops.bufferize import bufferize
from torchcc.lowering.loops.convert_linalg_to_loops import convert_linalg_to_loops
from torchcc.lowering.loops.plan_memory import ALIGNMENT, Lifetime, place, plan_memory

lifetimes = st.builds(
    lambda size, first, length: Lifetime(size, first, first + length),
    st.integers(0, 5000),
    st.integers(0, 20),
    st.integers(0, 8),
)


@settings(deadline=None)
@given(st.lists(lifetimes, max_size=25))
def test_no_two_live_buffers_overlap(buffers):
    layout = place(buffers)
    ranges = [(o, o + max(1, b.size)) for o, b in zip(layout.offsets, buffers, strict=True)]
    for i, p in enumerate(buffers):
        assert layout.offsets[i] % ALIGNMENT == 0 and ranges[i][1] <= layout.peak
        for j in range(i):
            if p.overlaps(buffers[j]):
                assert ranges[i][1] <= ranges[j][0] or ranges[j][1] <= ranges[i][0]
    assert layout.peak >= layout.lower_bound


def test_a_chain_needs_two_buffers():
    layout = place([Lifetime(1024, i, i + 1) for i in range(10)])
    assert layout.peak == layout.lower_bound == 2048


def stencil(name, source, shape):
    t = f"tensor<{shape}xf32>"
    dims = "" if shape != "?" else "%n"
    return f"""
  %e{name} = tensor.empty({dims}) : {t}
  %{name} = linalg.generic {{indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> (a)>],
    iterator_types = ["parallel"]}} ins(%{source} : {t}) outs(%e{name} : {t}) {{
  ^bb0(%p: f32, %o: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %{source}[%i] : {t}
    %r = arith.addf %p, %v : f32
    linalg.yield %r : f32
  }} -> {t}"""


def chain(shape):
    t = f"tensor<{shape}xf32>"
    names = (("a", "x"), ("b", "a"), ("c", "b"), ("d", "c"))
    steps = "".join(stencil(name, source, shape) for name, source in names)
    return f"""
func.func @f(%x: {t}) -> {t} {{
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : {t}{steps}
  return %d : {t}
}}"""


def test_chain_of_constant_sizes_shares_memory(run_passes, normal):
    module = run_passes(chain("300"), [normal(300)], [bufferize, convert_linalg_to_loops])
    layout = plan_memory(module)["f"]
    assert layout.peak == layout.lower_bound == 2 * 1216
    run_passes(chain("300"), [normal(300)], [bufferize, convert_linalg_to_loops, plan_memory])


def test_chain_of_equal_run_time_sizes_shares_memory(run_passes, normal):
    passes = [bufferize, convert_linalg_to_loops, plan_memory]
    module = run_passes(chain("?"), [normal(300)], passes)
    allocations = [op for op in module.walk() if op.name == "memref.alloc"]
    assert len(allocations) == 2, "the arena and the result"
    assert print_module(module).count("memref.view") == 3
    run_passes(chain("?"), [normal(0)], passes)
