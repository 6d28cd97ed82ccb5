"""Schedules other than the model's: the same results by all of them, errors for those that cannot be, records of what was taken."""

from dataclasses import replace

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.backend.cpu.host import host, named_target
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.schedule import Schedule, Schedules, parse_schedules, print_schedules
from torchcc.ir.signature import TensorSpec
from torchcc.ir.target import AVX2, AVX512, NEON, SSE2
from torchcc.lowering.loops.neighbours import neighbours
from torchcc.lowering.loops.settle_schedule import groups_of

SOURCE = """
import torch
import torch.nn as nn
from torch import Tensor

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 24, 3, padding=1)
        self.near = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.point = nn.Conv2d(24, 40, 1)
        self.third = nn.Conv2d(40, 40, 3, padding=1)
        self.last = nn.Linear(40, 72)

    def forward(self, x: Tensor, y: Tensor):
        h = torch.relu(self.first(x))
        h = self.third(torch.relu(self.point(torch.relu(self.near(h)))))
        h = self.last(h.mean((2, 3)))
        return torch.softmax(h, 1), h @ y, torch.max_pool2d(x, 2)
"""
SPECS = [TensorSpec(torchcc.float32, (6, 3, 20, 20)), TensorSpec(torchcc.float32, (72, 50))]


@pytest.fixture(scope="module")
def program():
    return torchcc.compile_source(SOURCE).Net().forward.program


@pytest.fixture(scope="module")
def lower(program):
    return driver.variants(program, SPECS)


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s.shape).astype(np.float32) for s in SPECS]


def results(lowered, values):
    return compile_module(lowered.modules["loops"], lowered.signature).call_flat(values)


def test_near_schedules_give_the_same(lower, values):
    first = lower(Schedules())
    model = {g: d.schedule for g, d in first.schedules.decided.items()}
    expected = results(first, values)
    assert {"loops", "vectors", "panels"} <= {s.algorithm for s in model.values()}
    options = {g: list(neighbours(s, host().facts)) for g, s in model.items()}
    taken = 0
    for turn in range(0, 24, 4):
        given = {g: found[turn % len(found)].fields for g, found in options.items() if found}
        lowered = lower(Schedules({}, given))
        assert set(lowered.schedules.decided) >= set(model) - {g for g in model if g.startswith("product-16x")}
        for got, wanted in zip(results(lowered, values), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-4, err_msg=str(given))
        taken += sum(d.origin == "tuned" for d in lowered.schedules.decided.values())
    assert taken > 15


@pytest.mark.skipif(host().arch != "x86_64", reason="code for x86-64 is run")
@pytest.mark.parametrize("target", ["x86-64", "x86-64-v3"])
def test_code_for_older_processors_gives_the_same(program, lower, values, target):
    chosen = named_target(target)
    lowered = driver.lower(program, SPECS, target)
    got = compile_module(lowered.modules["loops"], lowered.signature, chosen).call_flat(values)
    for one, wanted in zip(got, results(lower(Schedules()), values), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=2e-4, atol=2e-4)


def test_loops_say_their_groups(lower):
    lowered = lower(Schedules())
    found = [g for op in lowered.modules["loops"].walk() for g in groups_of(op)]
    assert set(lowered.schedules.decided) >= set(found) and len(set(found)) > 5
    text = driver.print_stage(lowered, "loops")
    assert 'schedule = ["product-' in text and "rows=" in text


def test_the_text_of_the_models_choice_changes_nothing(program):
    first = driver.lower(program, SPECS, "x86-64-v3")
    text = print_schedules(first.schedules.decided.values(), "x86-64-v3")
    again = driver.lower(program, SPECS, "x86-64-v3", schedules=Schedules(parse_schedules(text, "x")))
    assert driver.print_stage(again, "loops") == driver.print_stage(first, "loops")
    assert {d.origin for d in again.schedules.decided.values()} == {"given"}
    again.schedules.check_used()


def key(program, target, start):
    decided = driver.lower(program, SPECS, target).schedules.decided
    return next(g for g in decided if g.startswith(start))


@pytest.mark.parametrize(
    ("start", "fields", "message"),
    [
        ("product-6x20x20x40-by-24-", {"rows": 20, "vectors": 2}, "`rows` times `vectors` are 40 registers; x86-64-v3 has 16"),
        ("product-6x20x20x40-by-24-", {"rows": 2, "vectors": 6}, "`vectors` is at most 5, which hold all 40 columns"),
        ("product-6x20x20x40-by-24-", {"depth": 25}, "`depth` is at most 24"),
        ("product-6x20x20x40-by-24-", {"chunk": 4000}, "`chunk` is at most 20"),
        ("product-6x20x20x40-by-24-", {"spread": (2, 2, 2)}, "`spread` has"),
        ("product-6x20x20x40-by-24-", {"algorithm": "winograd"}, "`algorithm` cannot be `winograd` here"),
        ("product-6x20x20x40-by-24-", {"inner": 2}, "`inner` is nothing that `panels` looks at"),
        ("product-6x20x20x24-by-3x3-", {"rows": 21}, "`rows`"),
        ("product-6x72-by-40", {"algorithm": "vectors"}, "`algorithm` cannot be `vectors` here"),
        ("map-6x72", {"inner": 5}, "`inner` is one of the dimensions"),
    ],
)
def test_what_cannot_be_names_group_and_field(program, start, fields, message):
    group = key(program, "x86-64-v3", start)
    with pytest.raises(CompileError) as caught:
        driver.lower(program, SPECS, "x86-64-v3", schedules=Schedules({group: fields}))
    assert f"schedule of group `{group}`: {message}" in str(caught.value)
    lowered = driver.lower(program, SPECS, "x86-64-v3", schedules=Schedules({}, {group: fields}))
    assert lowered.schedules.decided[group].origin == "model", "what was tuned for another compiler is left out"


def test_winograd_is_asked_for_and_refused(program):
    start = "product-6x20x20x40-by-3x3x40"
    group = key(program, "x86-64-v4", start)
    asked = {"algorithm": "winograd", "outputs": 2, "tile_rows": 2, "tile_columns": 5}
    lowered = driver.lower(program, SPECS, "x86-64-v4", schedules=Schedules({group: asked}))
    assert lowered.schedules.decided[group].schedule == Schedule("winograd", outputs=2, tile_rows=2, tile_columns=5)
    for fields, message in (({"outputs": 4}, "TORCHCC_PRECISION"), ({"tile_rows": 11}, "at most 10"), ({"outputs": 3}, "2 or 4")):
        with pytest.raises(CompileError, match=message):
            driver.lower(program, SPECS, "x86-64-v4", schedules=Schedules({group: asked | fields}))
    plain = driver.lower(program, SPECS, "x86-64-v4", schedules=Schedules({group: {"algorithm": "panels"}}))
    assert plain.schedules.decided[group].schedule.algorithm == "panels"


def test_keys_do_not_depend_on_values_and_names():
    text = "import torch\nfrom torch import Tensor\ndef f({0}: Tensor):\n    return torch.softmax({0} * {1}, 1)\n"
    found = [
        set(driver.lower(compile_text(text.format(*with_), entry="f"), [TensorSpec(torchcc.float32, (8, n))], "x86-64-v4").schedules.decided)
        for with_, n in ((("x", "0.5"), 64), (("other", "0.25"), 64), (("x", "0.5"), 65))
    ]
    assert found[0] == found[1] and found[0].isdisjoint(found[2])


@pytest.mark.parametrize("facts", [AVX512, AVX2, NEON, SSE2], ids=lambda t: t.name)
def test_tiles_fit_the_registers_of_each_target(program, facts):
    target = facts.name
    assert replace(named_target(target).facts, fast=False) == facts
    for decision in driver.lower(program, SPECS, target).schedules.decided.values():
        s = decision.schedule
        assert s.rows * s.vectors < facts.vector_registers, decision
