"""Kernels as modules of their own: which move, what goes with them, and that a program computes the same."""

from __future__ import annotations

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu import compile as cpu
from torchcc.backend.cpu import jit, object_cache
from torchcc.backend.cpu.host import host
from torchcc.backend.llvm.partition import partition
from torchcc.backend.llvm.sharing import Body, shared_definitions
from torchcc.ir.signature import TensorSpec

ATTRIBUTES = "attributes #0 = { nounwind }"
GLOBALS = (
    '@"p.data.0" = external constant [64 x i8], align 64',
    '@"p.text.0" = private unnamed_addr constant [2 x i8] c"a\\00"',
    '@"p.failures" = internal constant [1 x { ptr, ptr }] [{ ptr, ptr } { ptr @"p.text.0", ptr @"p.text.0" }]',
    '@"p.global.0" = internal global [8 x i8] zeroinitializer, align 64',
)
METADATA = ("!0 = distinct !{}", '!1 = !{!"x", !0}', "!2 = distinct !{!2, !1}", "!3 = distinct !{}")
FILLER = "  ; " + "x" * (40 << 10)


def split(*texts, scalar=(), apart=False):
    bodies = [
        Body(f'@"p.parallel.{i}"', f"entry:\n  {text}\n{FILLER}{i}\n  ret i32 0", i in scalar, f"a.py:{i}") for i, text in enumerate(texts)
    ]
    definitions = shared_definitions(bodies, {"p.data.0": 64}, METADATA, "p", 64)
    return partition(definitions, GLOBALS, METADATA, ATTRIBUTES, apart=apart)


def test_what_is_needed_goes_with_a_kernel():
    found = split('use(@"p.data.0") !2', 'use(@"p.failures")')
    assert [k.startswith("declare i32 @") for k in found.kept] == [True, True]
    (part,) = found.parts
    assert all(line in part.text for line in (*GLOBALS[:3], *METADATA[:3], ATTRIBUTES))
    assert "p.global" not in part.text and METADATA[3] not in part.text and "internal i32" not in part.text


def test_what_writes_to_globals_or_calls_functions_stays():
    found = split('use(@"p.global.0")', 'call void @"p.helper"()', "call void @torchcc.dealloc(ptr %x)")
    assert [k.startswith("define internal") for k in found.kept] == [True, True, False]
    assert len(found.parts) == 1


def test_scalar_code_is_kept_from_vector_code():
    found = split("a", "b", "c", scalar={1})
    assert [(p.is_scalar, p.places) for p in found.parts] == [(False, ("a.py:0", "a.py:2")), (True, ("a.py:1",))]
    assert len(split("a", "b", "c", apart=True).parts) == 3
    assert len(split(*"abcdefgh").parts) > 1


def test_little_is_one_module():
    definitions = shared_definitions([Body('@"p.parallel.0"', "entry:\n  ret i32 0")], {}, (), "p", 64)
    assert partition(definitions, (), (), ATTRIBUTES).parts == ()


NET = """\
import torch
from torch import Tensor, nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(*[nn.Conv2d(w, 2 * w, 3, padding=1) for w in (8, 16, 32, 64)])
        self.table = nn.Embedding(50, 128)

    def forward(self, x: Tensor, i: Tensor) -> Tensor:
        y = torch.relu(self.convs(x)).mean([2, 3]) + self.table(i)
        return torch.softmax(y @ y.t(), -1).cumsum(0)
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_NUM_THREADS", "2")
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(tmp_path / "cache"))
    host.cache_clear()
    path = tmp_path / "net.py"
    path.write_text(NET)
    yield lambda: torchcc.compile_file(path, "Net", seed=1)
    host.cache_clear()


def test_parts_compute_what_one_module_does(net):
    specs = [TensorSpec(torchcc.float32, (2, 8, 40, 40)), TensorSpec(torchcc.int64, (2,))]
    lowered = driver.lower(net().forward.program, specs)
    module = cpu.translate(lowered.modules["loops"], lowered.signature, host())
    assert len(module.parts) > 1 and {p.optimize for p in module.parts} == {False, True}
    whole = cpu.CpuModule(
        module.text, module.signature, module.program, module.optimize, (cpu.CpuPart(module.text, module.optimize, ()),)
    )
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 8, 40, 40), np.float32)
    for i in ([3, 49], [0, 1]):
        given = x, np.array(i)
        np.testing.assert_allclose(jit.load(module, host())(*given), jit.load(whole, host())(*given), rtol=1e-5)
    with pytest.raises(torchcc.ExecutionError, match="out of range"):
        jit.load(module, host())(x, np.array([0, 50]))


def test_a_missing_part_is_compiled_again(net, tmp_path, monkeypatch):
    names: list[str] = []
    key = object_cache.key

    def recorded(text, target, optimized):
        names.append(key(text, target, optimized))
        return names[-1]

    monkeypatch.setattr(object_cache, "key", recorded)
    x, i = np.ones((2, 8, 40, 40), np.float32), np.array([1, 2])
    expected = net()(x, i)
    kept = {n: tmp_path / "cache" / f"{n}.tco" for n in names}
    assert len(kept) > 2 and all(path.exists() for path in kept.values())
    lost = kept[names[-1]]
    lost.unlink()
    np.testing.assert_array_equal(net()(x, i), expected)
    assert lost.exists()
