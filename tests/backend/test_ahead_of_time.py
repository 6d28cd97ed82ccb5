"""Object files, shared libraries and headers, used from C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from torchcc.backend.cpu import host as hosts
from torchcc.backend.cpu.compile import assembly_text, llvm_text, translate
from torchcc.backend.cpu.header import header_text
from torchcc.backend.cpu.object_file import emit_object
from torchcc.backend.cpu.shared_library import linker_command, write_object, write_shared_library
from torchcc.ir.attributes import Constant
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.parser import parse_module
from torchcc.ir.signature import Dim

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler on this machine")

PROGRAM = """
memref.global "private" constant @w : memref<4xf32> = dense_resource<w>
func.func @{name}(%x: memref<?x4xf32>, %k: i64) -> (memref<?x4xf32>, i64) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0 : i64
  %ok = arith.cmpi sge, %k, %zero : i64
  cf.assert %ok, "k must not be negative"
  %w = memref.get_global @w : memref<4xf32>
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %rows = arith.index_cast %n : index to i64
  %out = memref.alloc(%n) : memref<?x4xf32>
  %f = arith.sitofp %k : i64 to f32
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c4) step (%c1, %c1) {{
    %v = memref.load %x[%i, %j] : memref<?x4xf32>
    %a = memref.load %w[%j] : memref<4xf32>
    %p = arith.mulf %v, %a : f32
    %q = arith.mulf %p, %f : f32
    memref.store %q, %out[%i, %j] : memref<?x4xf32>
    scf.reduce
  }} {{threads}}
  return %out, %rows : memref<?x4xf32>, i64
}}"""
WEIGHTS = np.array([1, 2, 3, 4], np.float32)

C_PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include "model.h"

int main(void) {
    float data[12];
    for (int i = 0; i < 12; i++) data[i] = i;
    int64_t shape[2] = {3, 4}, strides[2] = {4, 1}, rows = 0;
    DLTensor x = {data, {1, 0}, 2, {2, 32, 1}, shape, strides, 0};
    DLTensor out;
    memset(&out, 0, sizeof out);
    if (model(&x, 2, &out, &rows)) { printf("error: %s\n", torchcc_last_error()); return 1; }
    for (int i = 0; i < 12; i++) printf("%g ", ((float *)out.data)[i]);
    printf("rows %d shape %d %d\n", (int)rows, (int)out.shape[0], (int)out.shape[1]);
    torchcc_free(&out);
    printf("status %d: %s\n", model(&x, -1, &out, &rows), torchcc_last_error());
    torchcc_set_num_threads(3);
    printf("threads %d\n", torchcc_num_threads());
    for (int i = 0; i < 1000; i++) {
        if (model(&x, i, &out, &rows) || ((float *)out.data)[11] != 44.0f * i) return 2;
        torchcc_free(&out);
    }
    return 0;
}
"""
EXPECTED = [
    " ".join(f"{v:g}" for v in (np.arange(12).reshape(3, 4) * WEIGHTS * 2).ravel()) + " rows 3 shape 3 4",
    "status 1: k must not be negative",
    "  --> <string>:9:3",
    "threads 3",
]


def module(signature, name="model", target=None):
    text = parse_module(PROGRAM.format(name=name), {"w": Constant("w", WEIGHTS)})
    sig = signature("f32[n,4] int", "f32[n,4] int", name=name, dims={"n": Dim("n", 0, 100)})
    return translate(text, sig, target or hosts.host())


@needs_cc
@pytest.mark.parametrize("kind", ["so", "o"])
def test_a_c_program(kind, signature, tmp_path):
    (tmp_path / "main.c").write_text(C_PROGRAM)
    if kind == "so":
        library = tmp_path / "libmodel.so"
        write_shared_library([module(signature)], hosts.host(), library)
    else:
        library = tmp_path / "model.o"
        write_object([module(signature)], hosts.host(), library)
    command = [CC, "-Wall", "-Werror", "main.c", str(library), "-o", "main", f"-Wl,-rpath,{tmp_path}", "-lpthread"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == EXPECTED


@needs_cc
def test_exports_and_needs(signature, tmp_path):
    library = tmp_path / "libmodel.so"
    write_shared_library([module(signature)], hosts.host(), library)
    lines = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout.splitlines()
    exported = {line.split()[-1] for line in lines if line.split()[-2] in "TWBDV" and len(line.split()) == 3}
    assert exported == {
        "model", "torchcc_free", "torchcc_last_error", "torchcc_set_last_error", "torchcc_num_threads",
        "torchcc_set_num_threads", "torchcc_manual_seed", "torchcc_initial_seed",
    }  # fmt: skip
    needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    assert all(
        name in ("libc.so.6", "libpthread.so.0")
        for name in __import__("re").findall(r"Shared library: \[(.*?)\]", needed)
    )
    assert library.stat().st_size < 100_000


@needs_cc
def test_two_functions_in_one_library_and_two_libraries(signature, tmp_path):
    both, other = tmp_path / "libboth.so", tmp_path / "libother.so"
    write_shared_library([module(signature, "first"), module(signature, "second")], hosts.host(), both)
    write_shared_library([module(signature, "third")], hosts.host(), other)
    header = (tmp_path / "both.h").read_text()
    assert "int32_t first(" in header and "int32_t second(" in header
    # linked into one program: the error of either library is seen through the one torchcc_last_error
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "both.h"\n#include "other.h"\n'
        "int main(void) { float d[4] = {0}; int64_t s[2] = {1, 4};\n"
        "  DLTensor x = {d, {1, 0}, 2, {2, 32, 1}, s, 0, 0}, o = {0};\n"
        "  second(0, 1, &o, 0); puts(torchcc_last_error());\n"
        "  third(&x, -1, &o, 0); puts(torchcc_last_error()); return 0; }\n"
    )
    subprocess.run(
        [CC, "main.c", "-L.", "-lboth", "-lother", "-o", "main", f"-Wl,-rpath,{tmp_path}"], cwd=tmp_path, check=True
    )
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "argument `x0`: the tensor is NULL.",
        "k must not be negative",
        "  --> <string>:9:3",
    ]


@needs_cc
def test_loaded_by_ctypes(signature, tmp_path):
    path = tmp_path / "libmodel.so"
    write_shared_library([module(signature)], hosts.host(), path)
    library = ctypes.CDLL(str(path))
    library.torchcc_last_error.restype = ctypes.c_char_p
    assert library.model(None, ctypes.c_int64(1), None, None) == 1
    assert library.torchcc_last_error() == b"argument `x0`: the tensor is NULL."


def test_header(signature):
    text = header_text([module(signature).signature], "my-model")
    assert "#ifndef TORCHCC_MY_MODEL_H" in text
    assert "int32_t model(const DLTensor *x0, int64_t x1, DLTensor *out0, int64_t *out1);" in text
    assert "x0: f32[n,4]" in text and "0 <= n <= 100" in text and "returns (out0, out1)" in text


@needs_cc
def test_header_is_c_and_cpp(signature, tmp_path):
    (tmp_path / "model.h").write_text(header_text([module(signature).signature], "model"))
    for language in ("c", "c++"):
        subprocess.run(
            [CC, "-x", language, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "model.h"],
            cwd=tmp_path,
            check=True,
        )


@pytest.mark.parametrize("name", ["x86-64-v3", "x86-64-v4", "aarch64", "riscv64", "aarch64-apple-darwin"])
def test_other_targets_make_objects(name, signature):
    target = hosts.named_target(name)
    code = emit_object([module(signature, target=target)], target)
    assert code[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe")
    assert len(code) > 1000
    assert target.arch != hosts.host().arch or WEIGHTS.tobytes() in code


def test_text_forms(signature):
    m = module(signature)
    before = llvm_text(m.text, hosts.host(), optimized=False)
    after = llvm_text(m.text, hosts.host(), optimized=True)
    assert "define i32 @model(" in before and before != after
    assert "model:" in assembly_text(m.text, hosts.host(), optimized=True)


def test_errors(signature, tmp_path, monkeypatch):
    with pytest.raises(CompileError, match="no name for a C function"):
        translate(parse_module(""), signature("int", "int", name="not-c"), hosts.host())
    with pytest.raises(CompileError, match="the same name"):
        emit_object([module(signature), module(signature)], hosts.host())
    with pytest.raises(CompileError, match="unknown target"):
        hosts.named_target("toaster")
    with pytest.raises(CompileError, match="cannot write"):
        write_object([module(signature)], hosts.host(), tmp_path / "missing" / "model.o")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CompileError, match="no C compiler"):
        linker_command(hosts.host())
    monkeypatch.setenv("CC", "/nonexistent/cc")
    with pytest.raises(CompileError, match="cannot be run"):
        write_shared_library([module(signature)], hosts.host(), tmp_path / "libmodel.so")
