"""Schedules as text: what is written is read again, and what makes no sense is refused with its group and field."""

import pytest

from torchcc.ir import tuned
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.schedule import (
    ALGORITHMS,
    FIELDS,
    Decision,
    Schedule,
    Schedules,
    changed,
    parse_schedules,
    print_schedules,
)
from torchcc.ir.target import AVX2, AVX512

PANELS = Schedule("panels", rows=13, vectors=2, unroll=2, chunk=392, axis="rows", spread=(1, 7), next_panel=True)
SOME = {
    "product-8-by-8-f32-01": PANELS,
    "map-8-f32-02": Schedule("loops", inner=1, written_out=True),
    "product-9-by-3x3-f32-03": Schedule("winograd", outputs=2, tile_rows=1, tile_columns=14),
    "reduction-9-by-3-f32-04": Schedule("vectors", rows=1, vectors=4, unroll=8),
}


def test_text_is_read_again():
    text = print_schedules([Decision(g, s, "model", "mulf, addf") for g, s in SOME.items()], "x")
    found = parse_schedules(text, "x.toml")
    assert {g: Schedule(**f) for g, f in found.items()} == SOME
    assert print_schedules([Decision("map-8-f32-02", SOME["map-8-f32-02"], "model")], "x", everything=False).count("\n") == 1


def test_a_line_says_all_that_the_algorithm_looks_at():
    assert PANELS.text == "panels rows=13 vectors=2 unroll=2 depth=0 chunk=392 axis=rows spread=[1, 7] prefetch=0 next_panel=true fetch_result=false"
    assert set(FIELDS) == set(ALGORITHMS) and all(Schedule(a).layouts for a in ALGORITHMS)
    assert changed(PANELS, {"rows": 8}).rows == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = 3", "belongs to no group"),
        ("[g]\nrows = ", "is not TOML"),
        ("[g]\nheight = 3", "schedule of group `g`: `height` is no field"),
        ('[g]\nrows = "3"', "`rows` is a whole number"),
        ("[g]\nrows = true", "`rows` is a whole number"),
        ("[g]\nspread = [1.5]", "`spread` is a list of whole numbers"),
        ("[g]\nnext_panel = 1", "`next_panel` is true or false"),
        ("[g]\nrows = 0", "`rows` is at least 1"),
        ("[g]\nrows = 100000", "`rows` is at least 1 and at most"),
        ("[g]\ndepth = -1", "`depth` is at least 0"),
        ('[g]\nalgorithm = "magic"', "`algorithm` is one of loops"),
        ('[g]\naxis = "both"', "`axis` is one of rows, panels"),
        ('[g]\nalgorithm = "loops"\nrows = 3', "`rows` is nothing that `loops` looks at"),
    ],
)
def test_what_makes_no_sense_is_refused(text, message):
    with pytest.raises(CompileError) as caught:
        parse_schedules(text, "x.toml")
    assert message in str(caught.value)


def test_a_group_that_is_not_there_is_refused():
    schedules = Schedules({"product-8-by-8-f32-02": {"rows": 3}})
    schedules.keep("product-8-by-8-f32-01", PANELS)
    with pytest.raises(CompileError, match="no such group") as caught:
        schedules.check_used()
    assert "product-8-by-8-f32-01" in str(caught.value.diagnostics[0].help)
    Schedules({}, {"gone": {"rows": 3}}).check_used()


def test_what_was_tuned_is_kept_for_its_target(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(tuned.VARIABLE, raising=False)
    assert tuned.digest(AVX2) == "" and not tuned.chosen(AVX2).tuned
    tuned.keep(AVX2, {"a": None})
    assert tuned.digest(AVX2) == ""
    tuned.keep(AVX2, {"a": PANELS})
    first = tuned.digest(AVX2)
    tuned.keep(AVX2, {"b": SOME["map-8-f32-02"]})
    kept = tuned.chosen(AVX2)
    assert {g: Schedule(**f) for g, f in kept.tuned.items()} == {"a": PANELS, "b": SOME["map-8-f32-02"]}
    assert first and tuned.digest(AVX2) != first and tuned.digest(AVX512) == ""
    tuned.keep(AVX2, {"a": None, "b": None})
    assert not tuned.chosen(AVX2).tuned


def test_a_file_stands_over_what_was_tuned(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHCC_CACHE_DIR", str(tmp_path))
    tuned.keep(AVX2, {"a": PANELS})
    before = tuned.digest(AVX2)
    (tmp_path / "given.toml").write_text("[a]\nrows = 7\n")
    monkeypatch.setenv(tuned.VARIABLE, str(tmp_path / "given.toml"))
    assert tuned.chosen(AVX2).of("a") == {"rows": 7} and tuned.digest(AVX2) != before
    monkeypatch.setenv(tuned.VARIABLE, str(tmp_path / "missing.toml"))
    with pytest.raises(CompileError, match="cannot read"):
        tuned.chosen(AVX2)
