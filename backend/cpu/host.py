"""CPU targets: what LLVM is told (triple, processor, features) and what schedules are made from (`Target`)."""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...ir.diagnostics import CompileError
from ...ir.target import AVX2, AVX512, NEON, SSE2, Target
from ..llvm.binding import llvm

_NEEDED_X86: Final = ("avx2", "fma", "f16c", "bmi2")
"""x86-64-v3: without these, rounding, fused multiply-add and half precision would be calls of libm."""

_AVX512_CPUS: Final = frozenset(
    {"x86-64-v4", "skylake-avx512", "cascadelake", "icelake-server", "sapphirerapids", "znver4", "znver5"}
)

_BYTE_DOTS: Final = {64: "avx512vnni", 32: "avxvnni"}
"""By bytes of a register, the feature that `Target.byte_dots` means."""

_BYTE_DOT_CPUS: Final = frozenset({"cascadelake", "icelake-server", "sapphirerapids", "znver4", "znver5"})

_HALF_RATE_CPUS: Final = frozenset({"znver4"})
"""Those whose multiply-adds of 512 bits take two halves: one starts per cycle, where others start two."""

_SSE2_CPUS: Final = frozenset(
    {"x86-64", "x86-64-v2", "core2", "penryn", "nehalem", "westmere", "sandybridge", "ivybridge", "k8", "btver2", "silvermont", "goldmont"}
)
"""Those without multiply-add."""

_lock = threading.Lock()

_options: Final[list[str]] = ["-slp-copyable-elements=false"]
"""For LLVM 22: what it has new there ends in a failed assertion, so in the end of the process, for some blocks of small matrices.
Taken out when they are set: LLVM ends the process that sets an option twice, too."""


@dataclass(frozen=True)
class CpuTarget:
    """A CPU to generate code for."""

    triple: str
    cpu: str
    features: str
    """LLVM's, comma-separated: `+avx2,-avx512f`; empty: those of `cpu`."""
    facts: Target

    @property
    def arch(self) -> str:
        return self.triple.partition("-")[0]

    @property
    def native_half(self) -> bool:
        """Whether half and float are converted by instructions."""
        return self.arch in ("aarch64", "arm64") or (self.arch == "x86_64" and self.facts.fused)

    @property
    def attributes(self) -> str:
        """Function attributes in LLVM text."""
        wide = ' "prefer-vector-width"="512"' if self.facts.vector_bytes == 64 else ""
        return f"nounwind{wide}"


@functools.cache
def initialize() -> None:
    """LLVM's targets, once per process."""
    with _lock:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        llvm.initialize_native_asmparser()
        while _options:
            llvm.set_option("torchcc", _options.pop())


def machine(target: CpuTarget) -> Any:
    """A fresh LLVM target machine; not to be shared between threads."""
    initialize()
    try:
        found = llvm.Target.from_triple(target.triple)
    except RuntimeError as error:
        raise CompileError.at(None, f"unknown target {target.triple}: {error}") from error
    # pic: absolute relocations do not reach across sections of code in memory
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="default"
    )


@functools.cache
def host() -> CpuTarget:
    """The machine this runs on."""
    initialize()
    triple = llvm.get_process_triple()
    features = llvm.get_host_cpu_features()
    cpu = llvm.get_host_cpu_name()
    has = {name for name, on in features.items() if on}
    _require(triple, has)
    if triple.startswith("x86_64"):
        base = AVX512 if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= has else AVX2
    else:
        base = NEON
    facts = dataclasses.replace(
        base,
        name=cpu,
        fma_per_cycle=_fma_per_cycle(cpu, base),
        l1_bytes=_cache_bytes(1, base.l1_bytes),
        l2_bytes=_cache_bytes(2, base.l2_bytes),
        byte_dots=_BYTE_DOTS.get(base.vector_bytes) in has,
        cores=thread_count(),
        fast=_is_fast(),
        short_weights=_has_short_weights(),
    )
    return CpuTarget(triple, cpu, features.flatten(), facts)


def _fma_per_cycle(cpu: str, base: Target) -> int:
    return 1 if cpu in _HALF_RATE_CPUS and base.vector_bytes == 64 else base.fma_per_cycle


def _is_fast() -> bool:
    """Whether the user asked for speed at the price of rounding: TORCHCC_PRECISION is `fast`, not `exact`."""
    text = os.environ.get("TORCHCC_PRECISION", "exact")
    if text not in ("exact", "fast"):
        raise CompileError.at(None, f"TORCHCC_PRECISION is `{text}`", help="it is `exact`, which is the default, or `fast`")
    return text == "fast"


def _has_short_weights() -> bool:
    """Whether the user asked for weights in 16 bits: TORCHCC_WEIGHTS is `bf16`, not `exact`."""
    text = os.environ.get("TORCHCC_WEIGHTS", "exact")
    if text not in ("exact", "bf16"):
        raise CompileError.at(None, f"TORCHCC_WEIGHTS is `{text}`", help="it is `exact`, which is the default, or `bf16`")
    return text == "bf16"


def thread_count() -> int:
    """Threads that the run time will use in this process, unless told otherwise."""
    text = os.environ.get("TORCHCC_NUM_THREADS", "")
    if text.isdigit() and 0 < int(text) < 1024:
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_NAMED: Final[dict[str, CpuTarget]] = {
    "x86-64": CpuTarget("x86_64-unknown-linux-gnu", "x86-64", "", SSE2),
    "x86-64-v3": CpuTarget("x86_64-unknown-linux-gnu", "x86-64-v3", "", AVX2),
    "x86-64-v4": CpuTarget("x86_64-unknown-linux-gnu", "x86-64-v4", "", AVX512),
    "aarch64": CpuTarget("aarch64-unknown-linux-gnu", "generic", "", NEON),
    "riscv64": CpuTarget(
        "riscv64-unknown-linux-gnu",
        "generic-rv64",
        "+m,+a,+f,+d,+c",
        dataclasses.replace(NEON, name="riscv64", vector_bytes=8),
    ),
    "aarch64-apple-darwin": CpuTarget("aarch64-apple-darwin", "apple-m1", "", NEON),
}

HOST_NAMES: Final = ("host", "native")
"""Names of the machine this runs on."""

TARGET_NAMES: Final = ("native", *_NAMED)


def named_target(name: str) -> CpuTarget:
    """`native`, one of `TARGET_NAMES`, or `triple` / `triple:cpu` in LLVM's words."""
    if name in HOST_NAMES:
        return host()
    found = _named_target(name)
    return dataclasses.replace(found, facts=dataclasses.replace(found.facts, fast=_is_fast(), short_weights=_has_short_weights()))


def _named_target(name: str) -> CpuTarget:
    if name in _NAMED:
        return _NAMED[name]
    triple, _, cpu = name.partition(":")
    initialize()
    if "-" in triple and triple.count("-") >= 2:
        arch = triple.partition("-")[0]
        base = {"x86_64": "x86-64-v3", "aarch64": "aarch64", "arm64": "aarch64", "riscv64": "riscv64"}.get(arch)
        if base is None:
            raise CompileError.at(
                None, f"target {name} is not supported", help=f"known targets: {', '.join(TARGET_NAMES)}"
            )
        model = _NAMED[base]
        facts = model.facts
        if cpu in _AVX512_CPUS:
            facts = dataclasses.replace(AVX512, byte_dots=cpu in _BYTE_DOT_CPUS, fma_per_cycle=_fma_per_cycle(cpu, AVX512))
        facts = SSE2 if cpu in _SSE2_CPUS else facts
        return CpuTarget(triple, cpu or model.cpu, model.features, facts)
    raise CompileError.at(
        None, f"unknown target {name}", help=f"known targets: {', '.join(TARGET_NAMES)}, or triple:cpu"
    )


def _require(triple: str, has: set[str]) -> None:
    missing = [f for f in _NEEDED_X86 if f not in has] if triple.startswith("x86_64") else []
    if missing:
        raise CompileError.at(
            None, f"this processor lacks {', '.join(missing)}", help="torchcc needs x86-64-v3 or newer"
        )


def _cache_bytes(level: int, default: int) -> int:
    """Size of the first core's data cache of that level, from Linux's sysfs."""
    for index in range(5):
        folder = Path(f"/sys/devices/system/cpu/cpu0/cache/index{index}")
        try:
            if int((folder / "level").read_text()) == level and (folder / "type").read_text().strip() != "Instruction":
                text = (folder / "size").read_text().strip()
                return int(text.rstrip("K")) << 10 if text.endswith("K") else default
        except (OSError, ValueError):
            continue
    return default
