"""LLVM's pipelines: which one a module gets, and that they leave no memory behind."""

import sys
from pathlib import Path

import pytest

from torchcc.backend.cpu.compile import compile_text, llvm_text
from torchcc.backend.cpu.host import named_target

SUM = """\
define void @scale(ptr noalias %x, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %p = getelementptr double, ptr %x, i64 %i
  %v = load double, ptr %p
  %w = fmul double %v, 2.0
  store double %w, ptr %p
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


def test_a_large_module_gets_the_short_pipeline():
    target = named_target("x86-64-v3")
    assert "x double>" in llvm_text(SUM, target, optimized=True)
    large = llvm_text(SUM + "; much more\n" * 50_000, target, optimized=True)
    assert "x double>" not in large
    assert "fmul double" in large


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory the process holds where Linux says it")
def test_passes_are_freed():
    target = named_target("x86-64-v3")
    products = SUM.replace("  br label %loop\n", "".join(f"  %m{i} = mul i64 %n, {i + 3}\n" for i in range(30)) + "  br label %loop\n")

    def compiled():
        compile_text(SUM, target, optimized=True)
        compile_text(products, target, optimized=False)
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    for _ in range(5):
        before = compiled()
    for _ in range(40):
        after = compiled()
    # kilobytes; passes of both pipelines took 80 a time
    assert after - before < 1000
