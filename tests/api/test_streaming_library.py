"""Programs with state ahead of time: a C program keeps the state, and computes what Python does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.cli.main import app

COMPILER = shutil.which("cc") or shutil.which("gcc")

NET = """
from typing import Optional
import torch
from torch import Tensor, nn

class Net(nn.Module):
    last: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.count = 0
        self.flag = False
        self.last = None
        self.register_buffer("total", torch.ones(3))
        self.cache: Tensor = torch.zeros(0, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        y = x * 2 if self.flag else x
        self.flag = bool(x.sum() > 0)
        self.total.add_(x)
        last = self.last
        if last is not None:
            y = y - last
        self.last = x * 3
        self.cache = torch.cat([self.cache, x.unsqueeze(0)])
        return y + self.total * self.count + self.cache.mean(0)
"""

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "stream.h"

static DLTensor tensor(float *data, int32_t ndim, int64_t *shape) {
  DLTensor t = {data, {1, 0}, ndim, {2, 32, 1}, shape, 0, 0};
  return t;
}

static void check(int32_t status) {
  if (status) { fprintf(stderr, "%s\\n", torchcc_last_error()); exit(1); }
}

int main(void) {
  DLTensor total = {0}, cache = {0}, last = {0};
  int64_t count;
  bool flag;
  check(stream_initial_state(&total, &count, &flag, &cache));
  for (int k = 0; k < 5; k++) {
    float values[3] = {k - 1.5f, 0.5f, 1.0f - k};
    int64_t shape[1] = {3};
    DLTensor x = tensor(values, 1, shape), out = {0}, new_last = {0}, new_cache = {0};
    if (k == 0)
      check(stream(&x, &total, count, flag, &cache, &out, &count, &flag, &new_last, &new_cache));
    else
      check(stream_1(&x, &total, count, flag, &last, &cache, &out, &count, &flag, &new_last, &new_cache));
    const float *y = out.data;
    printf("%.6f %.6f %.6f\\n", y[0], y[1], y[2]);
    torchcc_free(&out);
    if (k) torchcc_free(&last);
    torchcc_free(&cache);
    last = new_last;
    cache = new_cache;
  }
  torchcc_free(&last);
  torchcc_free(&cache);
  torchcc_free(&total);
  printf("%lld\\n", (long long)count);
  return 0;
}
"""


def invoke(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_a_c_program_streams(net, tmp_path):
    invoke("compile", net, "--input", "x=f32[3]", "--name", "stream", "-o", tmp_path / "libstream.so")
    (tmp_path / "main.c").write_text(PROGRAM)
    command = [COMPILER, "-Wall", "-Werror", "main.c", "-o", "main", "-L.", "-lstream", "-Wl,-rpath,."]
    subprocess.run(command, cwd=tmp_path, check=True)
    lines = subprocess.run(
        [tmp_path / "main"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    module = torchcc.compile_file(net)
    expected = [module(np.array([k - 1.5, 0.5, 1.0 - k], np.float32)) for k in range(5)]
    np.testing.assert_allclose([list(map(float, line.split())) for line in lines[:-1]], expected, rtol=1e-5, atol=1e-5)
    assert lines[-1] == "5"


def test_the_header_says_what_the_state_is(net, tmp_path):
    invoke("compile", net, "--input", "x=f32[3]", "--name", "stream", "-o", tmp_path / "libstream.so")
    header = (tmp_path / "stream.h").read_text()
    for line in (
        "self_total: f32[3], written in place, state",
        "self_count: int, state",
        "self_flag: bool, state",
        "self_last: f32[3], state",
        "then self.count is self_count_out",
        "then self.last is self_last_out",
        "the next call is one of stream_1",
    ):
        assert line in header, line
    assert re.search(
        r"int32_t stream\(const DLTensor \*x, DLTensor \*self_total, int64_t self_count, bool self_flag", header
    )
    assert "stream_2(" not in header and "self.training" not in header


def test_numbers_that_decide_about_shapes_cannot_stream(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\nfrom torch import nn, Tensor\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.dim = 0\n\n    def forward(self, x: Tensor) -> Tensor:\n"
        "        self.dim += 1\n        for i in range(self.dim):\n            x = x.unsqueeze(0)\n        return x\n"
    )
    result = CliRunner().invoke(app, ["compile", str(path), "--input", "x=f32[3]", "-o", str(tmp_path / "libx.so")])
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert not (tmp_path / "libx.so").exists()


def test_info_lists_the_state(net):
    output = invoke("info", net)
    for line in ("state between calls", "count", "Optional[Tensor]", "float32[0, 3]"):
        assert line in output, output
    assert not re.search("training", output)


def test_run_and_verify(net):
    output = invoke("run", net, "--input", "x=f32[3]", "--verify-stages")
    assert "all stages agree" in output and "float32[3]" in output


def test_an_eval_mode_network_has_no_state(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn, Tensor\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.bn = nn.BatchNorm1d(3)\n\n    def forward(self, x: Tensor) -> Tensor:\n        return self.bn(x)\n"
    )
    assert "state between calls" not in invoke("info", path)
    invoke("compile", path, "--input", "x=f32[2,3]", "-o", tmp_path / "libx.so")
    assert "self_" not in Path(tmp_path / "x.h").read_text()


GROWING = """
from typing import Dict, List
import torch
from torch import Tensor, nn

class Net(nn.Module):
    seen: List[int]
    counts: Dict[str, int]
    rows: List[Tensor]
    text: str

    def __init__(self):
        super().__init__()
        self.seen = []
        self.counts = {"a": 1}
        self.rows = [torch.ones(2)]
        self.text = "a"

    def forward(self, x: Tensor, n: int):
        self.seen.append(n)
        for i in range(n):
            self.text += "b"
        self.counts[self.text] = n
        self.rows.append(x * n)
        total = torch.zeros(2)
        for row in self.rows:
            total += row
        return total, sum(self.seen) * 1000 + len(self.text) * 10 + len(self.counts)
"""

GROWING_PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "grow.h"

static void check(int32_t status) {
  if (status) { fprintf(stderr, "%s\\n", torchcc_last_error()); exit(1); }
}

int main(void) {
  DLTensor s[7] = {0};
  check(grow_initial_state(&s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6]));
  for (int64_t k = 0; k < 12; k++) {
    float data[2] = {k + 0.5f, -1.0f};
    int64_t shape[1] = {2}, number, count;
    DLTensor x = {data, {1, 0}, 1, {2, 32, 1}, shape, 0, 0}, out = {0}, t[7] = {0};
    check(grow(&x, k % 3, &s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6], &out, &number, &count, &t[0], &count, &t[1],
               &t[2], &t[3], &count, &t[4], &t[5], &t[6]));
    const float *y = out.data;
    printf("%.3f %.3f %lld\\n", y[0], y[1], (long long)number);
    torchcc_free(&out);
    for (int i = 0; i < 7; i++) { torchcc_free(&s[i]); s[i] = t[i]; }
  }
  for (int i = 0; i < 7; i++) torchcc_free(&s[i]);
  return 0;
}
"""


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_state_of_any_length(tmp_path):
    (tmp_path / "grow.py").write_text(GROWING)
    invoke("compile", f"{tmp_path / 'grow.py'}:Net()", "--input", "x=f32[2]", "--input", "n=1", "-o", tmp_path / "libgrow.so", "--name", "grow")
    (tmp_path / "main.c").write_text(GROWING_PROGRAM)
    command = [COMPILER, "-Wall", "-Werror", "main.c", "-o", "main", "-L.", "-lgrow", "-Wl,-rpath,."]
    subprocess.run(command, cwd=tmp_path, check=True)
    lines = subprocess.run([tmp_path / "main"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()
    module = torchcc.compile_source(GROWING).Net()
    expected = [module(np.array([k + 0.5, -1], np.float32), k % 3) for k in range(12)]
    assert [tuple(map(float, line.split())) for line in lines] == [(*map(float, total), number) for total, number in expected]
