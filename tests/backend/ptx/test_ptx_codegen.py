"""Kernels as PTX: element types, failing assertions, chips, weights, determinism; what the command line prints."""

import re
import shutil
import subprocess

import ml_dtypes
import numpy as np
import pytest

from torchcc import api, driver, verify
from torchcc.backend.ptx import codegen
from torchcc.backend.ptx.simulate import simulate
from torchcc.ir.diagnostics import CompileError, ExecutionError, InternalError
from torchcc.ir.parser import parse_module
from torchcc.lowering.loops.map_to_gpu import MapToGpu

CHIPS = sorted(codegen.PTX_VERSIONS)

DTYPES = {
    "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
    "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "i1": np.bool_,
}  # fmt: skip


def gpu(text):
    return MapToGpu().apply(parse_module(text))


def run(text, arguments, chip="sm_90"):
    module = gpu(text)
    return simulate(module, codegen.translate(module, chip), "f", arguments)


def pointwise(element, body):
    t = f"memref<?x{element}>"
    return f"""
func.func private @torchcc_note_i64(i64)
func.func private @torchcc_note_f64(f64)
func.func @f(%x: {t}, %y: {t}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : {t}
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {{
    %a = memref.load %x[%i] : {t}
    {body}
    memref.store %r, %y[%i] : {t}
    scf.reduce
  }}
  return
}}"""


@pytest.mark.parametrize("element", DTYPES)
@pytest.mark.parametrize("chip", ["sm_75", "sm_80", "sm_90", "sm_100"])
def test_element_types(assemble, element, chip):
    dtype = DTYPES[element]
    if element == "i1":
        body, x = "%t = arith.constant true\n%r = arith.xori %a, %t : i1", np.array([True, False, True])
        expected = ~x
    elif element.startswith("i"):
        body, x = f"%r = arith.muli %a, %a : {element}", np.array([0, 3, -100], dtype)
        expected = x * x
    else:
        body, x = (
            f"%s = arith.mulf %a, %a : {element}\n%r = arith.addf %s, %a : {element}",
            np.array([0.5, -3, 1e30], dtype),
        )
        with np.errstate(over="ignore"):
            expected = (x * x).astype(dtype) + x
    module = gpu(pointwise(element, body))
    ptx = codegen.translate(module, chip)
    assemble(ptx.text, chip)
    y = np.zeros_like(x)
    simulate(module, ptx, "f", [x, y])
    np.testing.assert_array_equal(y, expected.astype(dtype))


def test_division_and_shift():
    x = np.array([-7, 5, -(2**62)], np.int64)
    y = np.zeros_like(x)
    run(
        pointwise("i64", "%k = arith.constant 3 : i64\n%q = arith.divsi %a, %k : i64\n%r = arith.shrsi %q, %k : i64"),
        [x, y],
    )
    np.testing.assert_array_equal(y, np.array([-2, 1, -1537228672809129301]) >> 3)


def test_conversions_saturate():
    body = "%s = arith.constant 1.0e10 : f32\n%t = arith.mulf %a, %s : f32\n%u = arith.fptosi %t : f32 to i32\n%r = arith.sitofp %u : i32 to f32"
    y = np.zeros(3, np.float32)
    run(pointwise("f32", body), [np.array([0.0, 1e-10, 5e-10], np.float32), y])
    np.testing.assert_array_equal(y, [0, 1, 5])


# assertions

CHECK = """
    %limit = arith.constant 10 : i64
    %ok = arith.cmpi slt, %a, %limit : i64
    %true = arith.constant true
    %bad = arith.xori %ok, %true : i1
    scf.if %bad {
      func.call @torchcc_note_i64(%a) : (i64) -> ()
      func.call @torchcc_note_i64(%limit) : (i64) -> ()
    }
    cf.assert %ok, "element {} is not below {}"
    %r = arith.addi %a, %a : i64"""


@pytest.mark.parametrize("chip", ["sm_75", "sm_90"])
def test_failing_assertions_say_what_and_which_values(assemble, chip):
    module = gpu(pointwise("i64", CHECK))
    ptx = codegen.translate(module, chip)
    assemble(ptx.text, chip)
    x, y = np.arange(10), np.zeros(10, np.int64)
    simulate(module, ptx, "f", [x, y])
    np.testing.assert_array_equal(y, 2 * x)
    x[7] = 1234
    with pytest.raises(ExecutionError, match=r"element 1234 is not below 10"):
        simulate(module, ptx, "f", [x, y])


def test_only_the_first_failure_is_reported():
    with pytest.raises(ExecutionError) as caught:
        run(pointwise("i64", CHECK), [np.full(1000, 99), np.zeros(1000, np.int64)])
    assert "element 99 is not below 10" in str(caught.value)


def test_assertions_name_the_line_of_the_source():
    source = (
        "import torch\nfrom torch import Tensor\n\n\ndef f(w: Tensor, i: Tensor):\n    return torch.embedding(w, i)\n"
    )
    program = api.compile_source(source).f.program
    arguments = [np.zeros((4, 3), np.float32), np.array([1, 9])]
    with pytest.raises(ExecutionError) as caught:
        verify.simulate_gpu(program, [api.spec_of(a) for a in arguments], arguments, "sm_90")
    assert "index out of range" in str(caught.value) and re.search(r"6:\d+|line 6", str(caught.value))


# weights, ranks, strides

MODULE = """
import torch
import torch.nn as nn
from torch import Tensor

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.register_buffer("scale", torch.tensor(3.0))
        self.register_buffer("table", torch.arange(8))

    def forward(self, x: Tensor, i: Tensor):
        y = self.linear(x) * self.scale
        return y, self.table[i], y.t()[1:, ::2].contiguous()
"""


def agree(callable_, arguments, target="sm_90", specs=None):
    specs = specs or [api.spec_of(a) for a in arguments]
    got = verify.simulate_gpu(callable_.program, specs, arguments, target)
    expected = api.prepared(getattr(callable_, "forward", callable_), specs, arguments)()
    expected = list(expected) if isinstance(expected, tuple | list) else [expected]
    assert verify.difference(expected, got) is None, verify.difference(expected, got)


def test_weights_scalars_and_strided_results(tmp_path):
    (tmp_path / "net.py").write_text(MODULE)
    net = api.compile_file(tmp_path / "net.py")
    x = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    agree(net, [x, np.array([3, -1])])


SOURCE = """
import torch
from torch import Tensor

def f(x: Tensor, y: Tensor):
    return torch.softmax(x @ y, -1) + x.sum()
"""


def test_rank_0():
    program = api.compile_source("from torch import Tensor\ndef f(x: Tensor, k: int):\n    return x * k + 1\n").f
    agree(program, [np.array(2.5, np.float32), 3])


# chips and text


def text_of(target):
    program = api.compile_source(SOURCE).f.program
    specs = [api.spec_of(np.zeros((4, 6), np.float32)), api.spec_of(np.zeros((6, 5), np.float32))]
    return driver.dump(program, specs, "ptx", target=target)


@pytest.mark.parametrize("chip", CHIPS)
def test_chips(chip):
    text = text_of(chip)
    assert re.search(rf"^\.target {chip}\b", text, re.M) and ".visible .entry f_0(" in text


@pytest.mark.skipif(shutil.which("ptxas") is None, reason="ptxas, NVIDIA's assembler, is not installed")
@pytest.mark.parametrize("chip", CHIPS)
def test_ptxas_accepts_every_chips_kernels_without_spills(tmp_path, chip):
    (tmp_path / "k.ptx").write_text(text_of(chip))
    command = ["ptxas", "-v", f"-arch={chip}", str(tmp_path / "k.ptx"), "-o", str(tmp_path / "k.cubin")]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    spilled = re.findall(r"(\d+) bytes spill stores", report)
    assert spilled and set(spilled) == {"0"}, report


def test_text_is_the_same_every_time():
    assert text_of("sm_90") == text_of("sm_90")


def test_unknown_chips_are_refused():
    with pytest.raises(CompileError, match="unknown target `sm_42`"):
        text_of("sm_42")
    with pytest.raises(CompileError, match="unknown target `sm_42`"):
        codegen.translate(parse_module("func.func @f() { return }"), "sm_42")


def test_ahead_of_time(tmp_path):
    program = api.compile_source(SOURCE).f.program
    specs = [api.spec_of(np.zeros((4, 6), np.float32)), api.spec_of(np.zeros((6, 5), np.float32))]
    files = driver.compile_ahead(program, specs, "ptx", tmp_path / "x.ptx", "f", "sm_80")
    assert files == [tmp_path / "x.ptx"] and ".target sm_80" in files[0].read_text()
    for kind, target in (("ptx", "host"), ("so", "sm_80")):
        with pytest.raises(CompileError, match="cannot be made for target"):
            driver.compile_ahead(program, specs, kind, tmp_path / "y", "f", target)


def test_what_a_thread_cannot_allocate():
    body = "%big = memref.alloca(%n) : memref<?xf32>\n%r = arith.addf %a, %a : f32"
    with pytest.raises(CompileError, match="a run-time size inside of a parallel loop"):
        codegen.translate(gpu(pointwise("f32", body)), "sm_90")
    body = "%big = memref.alloca() : memref<100000xf32>\nmemref.store %a, %big[%i] : memref<100000xf32>\n%r = memref.load %big[%c0] : memref<100000xf32>"
    with pytest.raises(CompileError, match="bytes of memory in each GPU thread"):
        codegen.translate(gpu(pointwise("f32", body)), "sm_90")


def test_functions_without_code_for_the_gpu_do_not_reach_llvm():
    """LLVM would end the process."""
    with pytest.raises(InternalError, match=r"math\.exp cannot be translated"):
        codegen.translate(gpu(pointwise("f32", "%r = math.exp %a : f32")), "sm_90")
