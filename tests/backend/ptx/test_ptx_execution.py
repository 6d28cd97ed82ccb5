"""How the PTX interpreter runs threads: divergence, barriers, warps, atomics, memory; and what it refuses."""

import numpy as np
import pytest

from torchcc.backend.ptx.alu import PtxFault
from torchcc.backend.ptx.interpreter import Machine
from torchcc.backend.ptx.parser import PtxSyntaxError, parse

HEAD = ".version 8.0\n.target sm_90\n.address_size 64\n"

REGISTERS = ".reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<32>; .reg .b64 %d<32>; .reg .b32 %f<9>;"


def kernel(body, parameters=1, *, outside="", inside="", limits=""):
    """%r0 is the thread's number, %d0 the address of its 32-bit element of the first parameter, %d9 that of the first."""
    listed = ", ".join(f".param .u64 p{i}" for i in range(parameters))
    start = (
        "mov.u32 %r0, %tid.x; mov.u32 %r30, %ctaid.x; mov.u32 %r31, %ntid.x; mad.lo.u32 %r29, %r30, %r31, %r0;"
        "ld.param.u64 %d9, [p0]; mad.wide.u32 %d0, %r29, 4, %d9;"
    )
    return f"{HEAD}{outside}\n.visible .entry k({listed})\n{limits}\n{{\n{REGISTERS}\n{inside}\n{start}\n{body}\nret;\n}}\n"


def words(n, value=0):
    return np.full(n, value, np.uint32)


# control flow


def test_loops_of_different_length(launch):
    body = """
    mov.u32 %r1, 0; mov.u32 %r2, 0;
    LOOP: setp.ge.u32 %p1, %r1, %r0; @%p1 bra DONE;
    add.u32 %r2, %r2, %r1; add.u32 %r1, %r1, 1; bra LOOP;
    DONE: st.global.u32 [%d0], %r2;"""
    n = np.arange(64)
    np.testing.assert_array_equal(launch(kernel(body), [words(64)], 64)[0], n * (n - 1) // 2)


def test_lanes_meet_again_after_branches(launch):
    # The vote demands whole warps: it fails if lanes did not reconverge.
    body = """
    and.b32 %r1, %r0, 1; setp.eq.u32 %p1, %r1, 0;
    and.b32 %r1, %r0, 2; setp.eq.u32 %p2, %r1, 0;
    @%p1 bra EVEN;
    mov.u32 %r2, 1; @%p2 bra JOIN; mov.u32 %r2, 3; bra JOIN;
    EVEN: mov.u32 %r2, 0; @%p2 bra JOIN; mov.u32 %r2, 2;
    JOIN: setp.gt.u32 %p3, %r2, 0; vote.sync.ballot.b32 %r3, %p3, -1;
    shl.b32 %r2, %r2, 8; and.b32 %r3, %r3, 255; add.u32 %r2, %r2, %r3; st.global.u32 [%d0], %r2;"""
    expected = [(n % 4) * 256 + 0b11101110 for n in range(32)]
    np.testing.assert_array_equal(launch(kernel(body), [words(32)])[0], expected)


def test_a_body_placed_after_the_loop(launch, from_llvm):
    """Lanes that leave the loop wait for those that are still in it, whatever the layout of the blocks."""
    text = from_llvm("""
    declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
    declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
    define ptx_kernel void @k(ptr addrspace(1) %out) {
      %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
      br label %loop
    loop:
      %n = phi i32 [ %t, %0 ], [ %next, %go ]
      %steps = phi i32 [ 0, %0 ], [ %more, %go ]
      %end = icmp ule i32 %n, 1
      br i1 %end, label %join, label %step
    step:
      %bit = and i32 %n, 1
      %odd = icmp eq i32 %bit, 1
      %half = lshr i32 %n, 1
      br i1 %odd, label %up, label %go
    up:
      %three = mul i32 %n, 3
      %grown = add i32 %three, 1
      br label %go
    go:
      %next = phi i32 [ %half, %step ], [ %grown, %up ]
      %more = add i32 %steps, 1
      br label %loop
    join:
      %other = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %steps, i32 1, i32 31)
      %sum = add i32 %steps, %other
      %p = getelementptr i32, ptr addrspace(1) %out, i32 %t
      store i32 %sum, ptr addrspace(1) %p
      ret void
    }""")

    def collatz(n):
        return 0 if n <= 1 else 1 + collatz(3 * n + 1 if n % 2 else n // 2)

    expected = [collatz(n) + collatz(n ^ 1) for n in range(64)]
    np.testing.assert_array_equal(launch(text, [words(64)], 64)[0], expected)


def test_predicated_exit(launch):
    body = "setp.ge.u32 %p1, %r29, 40; @%p1 ret; st.global.u32 [%d0], %r30;"
    expected = [0] * 32 + [1] * 8 + [7] * 24
    np.testing.assert_array_equal(launch(kernel(body), [words(64, 7)], 32, 2)[0], expected)


def test_many_blocks(launch):
    got = launch(kernel("st.global.u32 [%d0], %r29;"), [words(70000)], 1000, 70)[0]
    np.testing.assert_array_equal(got, np.arange(70000))


def test_trap(launch):
    with pytest.raises(PtxFault, match="trap"):
        launch(kernel("trap;"), [words(32)])


# barriers and shared memory

SHARED = ".shared .align 4 .b8 s[256];"

REVERSE = """
    mov.u32 %r1, s; mad.lo.u32 %r1, %r0, 4, %r1; st.shared.u32 [%r1], %r0;
    {barrier}
    mov.u32 %r2, s; sub.u32 %r3, 63, %r0; mad.lo.u32 %r2, %r3, 4, %r2; ld.shared.u32 %r4, [%r2];
    st.global.u32 [%d0], %r4;"""


def test_barrier(launch):
    text = kernel(REVERSE.format(barrier="bar.sync 0;"), inside=SHARED)
    np.testing.assert_array_equal(launch(text, [words(128)], 64, 2)[0], [*range(63, -1, -1)] * 2)


def test_missing_barrier_is_a_race(launch):
    with pytest.raises(PtxFault, match=r"race: lane \d+ reads what another thread wrote"):
        launch(kernel(REVERSE.format(barrier=""), inside=SHARED), [words(64)], 64)


def test_missing_barrier_before_reuse_is_a_race(launch):
    again = "mov.u32 %r1, s; mad.lo.u32 %r1, %r0, 4, %r1; {barrier} st.shared.u32 [%r1], %r0;"
    body = REVERSE.format(barrier="bar.sync 0;") + again
    launch(kernel(body.format(barrier="bar.sync 0;"), inside=SHARED), [words(64)], 64)
    with pytest.raises(PtxFault, match=r"race: lane \d+ overwrites what another thread read"):
        launch(kernel(body.format(barrier=""), inside=SHARED), [words(64)], 64)


def test_all_readers_count(launch):
    # Everybody reads word 0; then the first lane, which is one of the readers, writes it.
    body = """
    ld.shared.u32 %r1, [s]; {barrier}
    setp.eq.u32 %p1, %r0, 0; @%p1 st.shared.u32 [s], %r0;"""
    for threads, barrier, fine in (
        (1, "", True),
        (32, "bar.warp.sync -1;", True),
        (64, "bar.warp.sync -1;", False),
        (64, "bar.sync 0;", True),
    ):
        text = kernel(body.format(barrier=barrier), inside=SHARED)
        if fine:
            launch(text, [words(64)], threads)
        else:
            with pytest.raises(PtxFault, match="overwrites what another thread read"):
                launch(text, [words(64)], threads)


def test_one_place_written_at_once(launch):
    with pytest.raises(PtxFault, match="different values to one place"):
        launch(kernel("st.shared.u32 [s], %r0;", inside=SHARED), [words(32)])
    launch(kernel("st.shared.u32 [s], 5;", inside=SHARED), [words(32)])


def test_bytes_of_one_word_are_apart(launch):
    body = (
        "mov.u32 %r1, s; add.u32 %r1, %r1, %r0; cvt.u16.u32 %h1, %r0; st.shared.u8 [%r1], %h1; ld.shared.u8 %h2, [%r1];"
    )
    body += "cvt.u32.u16 %r2, %h2; st.global.u32 [%d0], %r2;"
    np.testing.assert_array_equal(launch(kernel(body, inside=SHARED), [words(32)])[0], range(32))


def test_shared_atomics_do_not_race(launch):
    body = """
    setp.eq.u32 %p1, %r0, 0; @%p1 st.shared.u32 [s], 0; {first}
    atom.shared.add.u32 %r1, [s], 2; {second}
    ld.shared.u32 %r2, [s]; st.global.u32 [%d0], %r2;"""
    barrier = "bar.sync 0;"
    text = kernel(body.format(first=barrier, second=barrier), inside=SHARED)
    np.testing.assert_array_equal(launch(text, [words(64)], 64)[0], [128] * 64)
    for first, second in (("", barrier), (barrier, "")):
        with pytest.raises(PtxFault, match="race"):
            launch(kernel(body.format(first=first, second=second), inside=SHARED), [words(64)], 64)


def test_dynamic_shared_memory(launch):
    outside = ".extern .shared .align 16 .b8 dyn[];"
    body = "mov.u32 %r1, dyn; mad.lo.u32 %r1, %r0, 4, %r1; st.shared.u32 [%r1], %r0; ld.shared.u32 %r2, [%r1]; st.global.u32 [%d0], %r2;"
    got = launch(kernel(body, outside=outside), [words(32)], dynamic_shared=128)
    np.testing.assert_array_equal(got[0], range(32))
    with pytest.raises(PtxFault, match="shared memory is out of bounds"):
        launch(kernel(body, outside=outside), [words(32)], dynamic_shared=124)


def test_deadlocks(launch):
    with pytest.raises(PtxFault, match="deadlock"):
        launch(kernel("setp.lt.u32 %p1, %r0, 32; @%p1 bra END; bar.sync 0; END:"), [words(64)], 64)
    with pytest.raises(PtxFault, match="deadlock"):
        body = "setp.lt.u32 %p1, %r0, 32; @%p1 bra A; bar.sync 1; bra END; A: bar.sync 2; END:"
        launch(kernel(body), [words(64)], 64)
    with pytest.raises(PtxFault, match="member mask"):
        launch(kernel("setp.lt.u32 %p1, %r0, 7; @%p1 bra END; bar.sync 0; END:"), [words(32)])


def test_barrier_of_some_warps(launch):
    body = "setp.ge.u32 %p1, %r0, 64; @%p1 bra END; bar.sync 1, 64; st.global.u32 [%d0], 1; END:"
    np.testing.assert_array_equal(launch(kernel(body), [words(96)], 96)[0], [1] * 64 + [0] * 32)


# warps


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("shfl.sync.bfly.b32 %r1, %r0, 3, 31, -1;", [n ^ 3 for n in range(32)]),
        ("shfl.sync.down.b32 %r1, %r0, 30, 31, -1;", [30, 31, *range(2, 32)]),
        ("shfl.sync.up.b32 %r1, %r0, 30, 0, -1;", [*range(30), 0, 1]),
        ("shfl.sync.idx.b32 %r1, %r0, 5, 31, -1;", [5] * 32),
        # Segments of eight lanes: mask 0x18 in bits 8 to 12.
        ("shfl.sync.down.b32 %r1, %r0, 1, 0x1807, -1;", [n if n % 8 == 7 else n + 1 for n in range(32)]),
        ("shfl.sync.idx.b32 %r1, %r0, 2, 0x1807, -1;", [n // 8 * 8 + 2 for n in range(32)]),
    ],
)
def test_shuffles(launch, instruction, expected):
    got = launch(kernel(f"{instruction} st.global.u32 [%d0], %r1;"), [words(64)], 64)[0]
    np.testing.assert_array_equal(got, [*expected, *(32 + e for e in expected)])


def test_shuffle_says_whether_the_lane_is_there(launch):
    body = "shfl.sync.down.b32 %r1|%p1, %r0, 4, 31, -1; selp.b32 %r2, 1, 0, %p1; st.global.u32 [%d0], %r2;"
    np.testing.assert_array_equal(launch(kernel(body), [words(32)])[0], [1] * 28 + [0] * 4)


def test_votes(launch):
    body = """
    setp.lt.u32 %p1, %r0, 40;
    vote.sync.all.pred %p2, %p1, -1; vote.sync.any.pred %p3, %p1, -1; vote.sync.ballot.b32 %r1, %p1, -1;
    selp.b32 %r2, 1, 0, %p2; selp.b32 %r3, 2, 0, %p3; popc.b32 %r1, %r1; mad.lo.u32 %r1, %r1, 4, %r2; add.u32 %r1, %r1, %r3;
    st.global.u32 [%d0], %r1;"""
    got = launch(kernel(body), [words(80)], 80)[0]
    np.testing.assert_array_equal(got, [32 * 4 + 3] * 32 + [8 * 4 + 2] * 32 + [0] * 16)


def test_warp_instructions_need_their_members(launch):
    body = "setp.lt.u32 %p1, %r0, 16; @%p1 bra END; shfl.sync.bfly.b32 %r1, %r0, 1, 31, {mask}; END:"
    launch(kernel(body.format(mask="0xffff0000")), [words(32)])
    with pytest.raises(PtxFault, match="member mask"):
        launch(kernel(body.format(mask="-1")), [words(32)])
    with pytest.raises(PtxFault, match="lane that is not there"):
        launch(kernel("shfl.sync.down.b32 %r1, %r0, 1, 31, -1;"), [words(20)], 20)


# atomics


def test_atomics(launch):
    body = """
    and.b32 %r1, %r0, 3; mad.wide.u32 %d1, %r1, 4, %d9; atom.global.add.u32 %r2, [%d1], 1;
    red.global.max.s32 [%d9+16], %r0; atom.global.exch.b32 %r3, [%d9+20], 9;
    atom.global.cas.b32 %r4, [%d9+24], 0, %r0; cvt.rn.f32.u32 %f1, %r0; red.global.add.f32 [%d9+28], %f1;"""
    got = launch(kernel(body), [words(8)], 64)[0]
    np.testing.assert_array_equal(got[:6], [16, 16, 16, 16, 63, 9])
    # Lane 0 puts in 0, so lane 1 is the one whose value stays.
    assert got[6] == 1 and got.view(np.float32)[7] == 64 * 63 / 2


def test_atomics_of_64_bits(launch):
    body = "mov.u64 %d1, 3; atom.global.add.u64 %d2, [%d9], %d1; atom.global.min.s64 %d3, [%d9+8], -5;"
    np.testing.assert_array_equal(launch(kernel(body), [np.zeros(2, np.int64)], 32)[0], [96, -5])


# memory


@pytest.mark.parametrize("offset", [-4, 32 * 4, 1 << 33])
def test_out_of_bounds(launch, offset):
    with pytest.raises(PtxFault, match=r"k, PTX line \d+ \(ld.global.u32\): access of 4 bytes at .* is out of bounds"):
        launch(kernel(f"mov.u64 %d2, {offset}; add.u64 %d1, %d9, %d2; ld.global.u32 %r1, [%d1];"), [words(32)])


def test_last_lane_out_of_bounds(launch):
    with pytest.raises(PtxFault, match="out of bounds"):
        launch(kernel("st.global.u32 [%d0], 1;"), [words(31)])


def test_misaligned(launch):
    with pytest.raises(PtxFault, match="not aligned"):
        launch(kernel("ld.global.u32 %r1, [%d9+2];"), [words(32)])
    with pytest.raises(PtxFault, match="not aligned"):
        launch(kernel("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d9+8];"), [words(32)])
    with pytest.raises(PtxFault, match="not aligned"):
        launch(kernel("ld.shared.u32 %r1, [s+1];", inside=SHARED), [words(32)])


def test_vectors(launch):
    body = """
    mad.wide.u32 %d1, %r0, 12, %d0; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d1];
    ld.global.v2.u32 {_, %r5}, [%d1+8]; add.u32 %r1, %r1, %r5;
    st.global.v4.u32 [%d1], {%r4, %r3, %r2, %r1};"""
    x = np.arange(128, dtype=np.uint32)
    expected = x.reshape(32, 4)[:, ::-1].copy()
    expected[:, 3] += x.reshape(32, 4)[:, 3]
    np.testing.assert_array_equal(launch(kernel(body), [x])[0], expected.reshape(-1))


def test_narrow_loads_extend(launch):
    body = "ld.global.s8 %r1, [%d0]; ld.global.u8 %r2, [%d0+1]; ld.global.s16 %r3, [%d0+2]; add.u32 %r1, %r1, %r2;"
    body += "add.u32 %r1, %r1, %r3; st.global.u32 [%d0], %r1;"
    got = launch(kernel(body), [np.array([0x8000FFFF] * 32, np.uint32)])[0]
    np.testing.assert_array_equal(got.view(np.int32), [-1 + 255 - 32768] * 32)


def test_constants_of_the_module(launch):
    outside = ".global .align 4 .u32 table[4] = {5, 6, 7, 8};\n.const .align 4 .u32 c[2] = {1, 2};"
    body = "and.b32 %r1, %r0, 3; mov.u64 %d1, table; mad.wide.u32 %d1, %r1, 4, %d1; ld.global.u32 %r2, [%d1];"
    body += "ld.const.u32 %r3, [c+4]; add.u32 %r2, %r2, %r3; st.global.u32 [%d0], %r2;"
    np.testing.assert_array_equal(launch(kernel(body, outside=outside), [words(32)])[0], [7, 8, 9, 10] * 8)


def test_local_memory(launch, from_llvm):
    text = from_llvm("""
    declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
    define ptx_kernel void @k(ptr addrspace(1) %out) {
      %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
      %a = alloca [8 x i32], align 16
      br label %fill
    fill:
      %i = phi i32 [ 0, %0 ], [ %next, %fill ]
      %slot = add i32 %i, %t
      %wrapped = and i32 %slot, 7
      %p = getelementptr i32, ptr %a, i32 %wrapped
      store volatile i32 %i, ptr %p
      %next = add i32 %i, 1
      %end = icmp eq i32 %next, 8
      br i1 %end, label %read, label %fill
    read:
      %q = getelementptr i32, ptr %a, i32 2
      %v = load volatile i32, ptr %q
      %o = getelementptr i32, ptr addrspace(1) %out, i32 %t
      store i32 %v, ptr addrspace(1) %o
      ret void
    }""")
    assert ".local" in text
    np.testing.assert_array_equal(launch(text, [words(32)])[0], [(2 - t) % 8 for t in range(32)])


def test_generic_addresses(launch):
    inside = SHARED + ".local .align 8 .b8 l[8];"
    body = """
    mov.u64 %d1, s; cvta.shared.u64 %d2, %d1; mad.wide.u32 %d2, %r0, 4, %d2; st.u32 [%d2], %r0;
    mov.u64 %d3, l; cvta.local.u64 %d4, %d3; ld.u32 %r1, [%d2]; st.u32 [%d4+4], %r1; ld.local.u32 %r2, [l+4];
    cvta.to.shared.u64 %d5, %d2; ld.shared.u32 %r3, [%d5]; add.u32 %r2, %r2, %r3;
    cvta.to.global.u64 %d6, %d0; st.u32 [%d6], %r2;"""
    np.testing.assert_array_equal(launch(kernel(body, inside=inside), [words(32)])[0], 2 * np.arange(32))


# launches and text


def test_launch_limits():
    machine = Machine(parse(kernel("", limits=".maxntid 64")))
    place = machine.upload(words(32))
    for threads, arguments, message in (
        (65, [place], "1 to 64 are allowed"),
        (32, [], "1 arguments expected, 0 given"),
    ):
        with pytest.raises(PtxFault, match=message):
            machine.launch("k", (1, 1, 1), (threads, 1, 1), arguments)
    with pytest.raises(PtxFault, match="no kernel `other`; there are k"):
        machine.launch("other", (1, 1, 1), (1, 1, 1), [])
    with pytest.raises(PtxFault, match="argument p0 has 4 bytes, 8 are expected"):
        machine.launch("k", (1, 1, 1), (1, 1, 1), [np.int32(1)])


def test_grids_of_three_dimensions():
    body = """
    mov.u32 %r1, %ctaid.y; mov.u32 %r2, %tid.y; mov.u32 %r3, %nctaid.y; mov.u32 %r4, %tid.z;
    mad.lo.u32 %r5, %r1, 10, %r2; mad.lo.u32 %r5, %r3, 100, %r5; mad.lo.u32 %r5, %r4, 1000, %r5;
    mov.u32 %r6, %ctaid.z; mad.lo.u32 %r7, %r6, 2, %r1; mad.lo.u32 %r7, %r7, 2, %r4; mad.lo.u32 %r7, %r7, 3, %r2;
    mad.wide.u32 %d1, %r7, 4, %d9; st.global.u32 [%d1], %r5;"""
    machine = Machine(parse(kernel(body)))
    out = machine.upload(words(36))
    machine.launch("k", (1, 2, 3), (1, 3, 2), [out])
    got = machine.download(out, np.uint32, (3, 2, 2, 3))
    z, y, tz, ty = np.indices((3, 2, 2, 3))
    np.testing.assert_array_equal(got, 0 * z + 10 * y + ty + 200 + 1000 * tz)


def test_undeclared_registers(launch):
    with pytest.raises(PtxFault, match="no register %nope1"):
        machine = Machine(parse(kernel("st.global.u32 [%d0], %nope1;")))
        machine.launch("k", (1, 1, 1), (1, 1, 1), [machine.upload(words(1))])


@pytest.mark.parametrize("line", [".shared .align 4 .b9x s[4;", "add.u32 %r1, {%r2, [%r3]}, 1;", "?;"])
def test_text_that_is_not_understood(line):
    with pytest.raises(PtxSyntaxError, match=r"PTX line \d+: cannot read"):
        parse(kernel(line))


def test_comments_and_scopes(launch):
    body = """
    // a line, /* and not a block
    /* a block;
       { */
    { .reg .b32 %inner; // begin inline asm
    mov.u32 %inner, 3;  st.global.u32 [ %d0 + 0 ], %inner; }"""
    np.testing.assert_array_equal(launch(kernel(body), [words(32)])[0], [3] * 32)
