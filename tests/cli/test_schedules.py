"""Schedules on the command line: printed, given, tuned; and code for named targets that depends on nothing of this machine."""

import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc import tune
from torchcc.backend.cpu import host as hosts
from torchcc.cli.main import app
from torchcc.ir import tuned
from torchcc.ir.schedule import Schedule, parse_schedules

PROGRAM = """
import torch
import torch.nn as nn
from torch import Tensor

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, padding=1)
        self.last = nn.Linear(24, 40)

    def forward(self, x: Tensor):
        return torch.softmax(self.last(torch.relu(self.conv(x)).mean((2, 3))), 1)
"""
INPUT = "x=f32[2,3,16,16]"


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(tuned.VARIABLE, raising=False)
    (tmp_path / "net.py").write_text(PROGRAM)
    return tmp_path / "net.py"


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def compiled(net, output, *options):
    result = run("compile", net, "--input", INPUT, "-o", output, *options)
    assert result.exit_code == 0, result.output
    return output.read_bytes()


def test_print_and_give(net, tmp_path):
    shown = run("dump", net, "--input", INPUT, "--target", "x86-64-v4", "--print-schedules")
    assert shown.exit_code == 0, shown.output
    groups = parse_schedules(shown.stdout, "x")
    conv = next(g for g in groups if g.startswith("product-2x16x16x24-by-3x3x3"))
    file = tmp_path / "net.toml"
    plain = compiled(net, tmp_path / "plain.ll", "--target", "x86-64-v4")
    file.write_text(shown.stdout)
    assert compiled(net, tmp_path / "same.ll", "--target", "x86-64-v4", "--schedule", file) == plain
    file.write_text(f"[{conv}]\nrows = 5\n")
    assert compiled(net, tmp_path / "other.ll", "--target", "x86-64-v4", "--schedule", file) != plain
    for text, message in (
        (f"[{conv}]\nrows = 17\nvectors = 1\n", f"schedule of group `{conv}`: `rows` is at most 16"),
        (f"[{conv}]\nheight = 17\n", f"schedule of group `{conv}`: `height` is no field"),
        (f"[{conv}1]\nrows = 2\n", "the program has no such group"),
    ):
        file.write_text(text)
        result = run("compile", net, "--input", INPUT, "-o", tmp_path / "x.ll", "--target", "x86-64-v4", "--schedule", file)
        assert result.exit_code == 1 and message in result.output, result.output
    missing = run("compile", net, "--input", INPUT, "-o", tmp_path / "x.ll", "--schedule", tmp_path / "none.toml")
    assert missing.exit_code == 1 and "cannot read" in missing.output


def test_tune_keeps_what_is_faster(net, tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "_TRIAL_SECONDS", 0.01)
    result = run("compile", net, "--input", INPUT, "-o", tmp_path / "net.so", "--tune", "--tune-seconds", 1)
    assert result.exit_code == 0, result.output
    assert "tuned: " in result.output and (tmp_path / "net.so").exists()
    for options, message in (
        (("--target", "x86-64-v3"), "another target"),
        (("--schedule", net.parent / "net.py"), "is not TOML"),
    ):
        refused = run("compile", net, "--input", INPUT, "-o", tmp_path / "net.so", "--tune", *options)
        assert refused.exit_code == 1 and message in refused.output, refused.output
    monkeypatch.setenv("TORCHCC_CACHE_DIR", "")
    refused = run("compile", net, "--input", INPUT, "-o", tmp_path / "net.so", "--tune")
    assert refused.exit_code == 1 and "the cache, which is off" in refused.output


def test_later_calls_use_what_was_tuned(net):
    x = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)
    first = np.asarray(torchcc.compile_file(net, "Net")(x))
    shown = run("dump", net, "--input", INPUT, "--print-schedules")
    groups = {g: Schedule(**f) for g, f in parse_schedules(shown.stdout, "x").items()}
    group, model = next((g, s) for g, s in groups.items() if g.startswith("product-2x40"))
    other = dataclasses.replace(model, rows=1)
    tuned.keep(hosts.host().facts, {group: other})
    again = run("dump", net, "--input", INPUT, "--print-schedules").stdout
    assert Schedule(**parse_schedules(again, "x")[group]) == other and "(tuned)" in again
    np.testing.assert_allclose(np.asarray(torchcc.compile_file(net, "Net")(x)), first, rtol=1e-5, atol=1e-6)
    timed = run("bench", net, "--input", INPUT, "--runs", 2)
    assert "1 group of operations is tuned" in timed.stdout, timed.output
    profiled = run("profile", net, "--input", INPUT, "--runs", 2)
    assert "(tuned)" in profiled.stdout, profiled.output


@pytest.mark.parametrize("target", ["x86-64", "x86-64-v3", "x86-64-v4", "aarch64"])
def test_a_named_target_gives_the_same_code_everywhere(net, tmp_path, monkeypatch, target):
    first = compiled(net, tmp_path / "first.o", "--target", target)
    native = hosts.host()
    facts = dataclasses.replace(native.facts, l1_bytes=16 << 10, l2_bytes=3 << 20, cores=7, vector_bytes=16, vector_registers=16)
    elsewhere = dataclasses.replace(native, facts=facts)
    for module in (hosts, torchcc.driver):
        monkeypatch.setattr(module, "host", lambda: elsewhere)
    monkeypatch.setenv("TORCHCC_NUM_THREADS", "7")
    tuned.keep(facts, {"product-2x16x16x24-by-3x3x3-f32-00000000": Schedule("panels", rows=2)})
    assert compiled(net, tmp_path / "second.o", "--target", target) == first
