"""Kernels for the PTX interpreter, hand-written or from LLVM; `ptxas` has to accept each of them where it is found."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from torchcc.backend.ptx.alu import DTYPES
from torchcc.backend.ptx.interpreter import Machine
from torchcc.backend.ptx.parser import parse

HEAD = ".version 8.0\n.target sm_90\n.address_size 64\n"

SIZES = {8: "b16", 16: "b16", 32: "b32", 64: "b64"}
"""Register types by the width of a value."""

Assemble = Callable[..., None]


@pytest.fixture
def assemble(tmp_path: Path) -> Assemble:
    """`assemble(text, chip)`: fails where `ptxas` refuses the text; nothing without `ptxas`."""

    def run(text: str, chip: str = "sm_90") -> None:
        if shutil.which("ptxas") is None:
            return
        (tmp_path / "kernel.ptx").write_text(text)
        command = ["ptxas", "-O0", f"-arch={chip}", str(tmp_path / "kernel.ptx"), "-o", str(tmp_path / "kernel.cubin")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{result.stdout}{result.stderr}\n{text}"

    return run


@pytest.fixture
def launch(assemble: Assemble) -> Callable[..., list[Any]]:
    """`launch(text, [array or scalar, ...], threads, blocks)`: the arrays afterwards."""

    def run(text: str, arguments: list[Any], threads: int = 32, blocks: int = 1, dynamic_shared: int = 0) -> list[Any]:
        assemble(text)
        module = parse(text)
        machine = Machine(module)
        passed = [machine.upload(a) if isinstance(a, np.ndarray) else a for a in arguments]
        name = next(iter(module.kernels))
        machine.launch(name, (blocks, 1, 1), (threads, 1, 1), passed, dynamic_shared)
        pairs = zip(arguments, passed)
        return [machine.download(p, a.dtype, a.shape) for a, p in pairs if isinstance(a, np.ndarray)]

    return run


@pytest.fixture
def evaluate(launch: Callable[..., list[Any]]) -> Callable[..., Any]:
    """`evaluate("add.s32 %y, %x0, %x1;", "s32", [a, b], "s32")`: one lane per element; registers %x0, %x1, ..., %y, %p, %q."""

    def run(body: str, types: str, inputs: list[Any], result: str) -> Any:
        kinds = types.split() * (len(inputs) if " " not in types else 1)
        arrays = [np.asarray(v, DTYPES[k]) for v, k in zip(inputs, kinds, strict=True)]
        count = len(arrays[0])
        lines = [f".reg .{SIZES[8 * a.itemsize]} %x{i};" for i, a in enumerate(arrays)]
        out = np.zeros(count, DTYPES[result])
        lines += [f".reg .{SIZES[8 * out.itemsize]} %y;", ".reg .pred %p, %q;", ".reg .b32 %t<9>;", ".reg .b64 %a<9>;"]
        lines.append("mov.u32 %t0, %tid.x;")
        for i, a in enumerate(arrays):
            lines += [f"ld.param.u64 %a0, [p{i}];", f"mad.wide.u32 %a0, %t0, {a.itemsize}, %a0;"]
            lines.append(f"ld.global.{memory_type(kinds[i])} %x{i}, [%a0];")
        lines.append(body)
        lines += ["ld.param.u64 %a0, [out];", f"mad.wide.u32 %a0, %t0, {out.itemsize}, %a0;"]
        lines += [f"st.global.{memory_type(result)} [%a0], %y;", "ret;"]
        parameters = ", ".join([*(f".param .u64 p{i}" for i in range(len(arrays))), ".param .u64 out"])
        text = HEAD + f".visible .entry k({parameters})\n{{\n" + "\n".join(lines) + "\n}\n"
        return launch(text, [*arrays, out], count)[-1]

    return run


def memory_type(type: str) -> str:
    return "b16" if type in ("f16", "bf16") else type


@pytest.fixture
def from_llvm() -> Callable[[str], str]:
    """PTX of LLVM IR."""

    def run(text: str, chip: str = "sm_90") -> str:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        machine: Any = llvm.Target.from_triple("nvptx64-nvidia-cuda").create_target_machine(
            cpu=chip, features="+ptx80", opt=3
        )
        module: Any = llvm.parse_assembly('target triple = "nvptx64-nvidia-cuda"\n' + text)
        module.data_layout = str(machine.target_data)
        module.verify()
        builder: Any = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
        builder.getModulePassManager().run(module, builder)
        return str(machine.emit_assembly(module))

    return run
