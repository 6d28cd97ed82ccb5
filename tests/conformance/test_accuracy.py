"""Errors of mathematical functions stay what docs/accuracy.md says."""

import sys
from pathlib import Path

import pytest

import torchcc

pytest.importorskip("mpmath", reason="computes the reference")

ROOT = Path(torchcc.__file__).parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import accuracy  # noqa: E402

POINTS = 200
HAVE_ZEROS = ("lgamma", "digamma")
"""Near a zero at a number that is none of the dtype, errors in units of the last place have no bound."""


def rows():
    lines = (ROOT / "docs" / "accuracy.md").read_text().splitlines()
    head = next(line for line in lines if line.startswith("| function"))
    columns = [c.strip() for c in head.strip("|").split("|")]
    for line in lines:
        if line.startswith("| `"):
            yield dict(zip(columns, (c.strip().strip("`") for c in line.strip("|").split("|")), strict=True))


ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["function"])
def test_errors_are_as_documented(row):
    function = next(f for f in accuracy.FUNCTIONS if f.name == row["function"])
    room = 3 if function.name in HAVE_ZEROS else 1.25  # these are other points than those of the document
    for dtype in ("f32", "f64"):
        documented = float(row[dtype])
        found, _ = accuracy.measured(function, accuracy.DTYPES[dtype], POINTS, seed=1)
        assert found <= room * documented + 0.5, f"{dtype}: {found} ulp, {documented} documented"


def test_every_function_is_documented():
    assert [row["function"] for row in ROWS] == [f.name for f in accuracy.FUNCTIONS]


def test_a_wrong_result_is_seen():
    function = next(f for f in accuracy.FUNCTIONS if f.name == "exp")
    dtype = accuracy.DTYPES["f32"]
    arguments = accuracy.points(function, dtype, 50, 0)
    exact = accuracy.exact_values(function, arguments)
    found = accuracy.np.array([float(x) for x in exact]).astype(dtype)
    assert accuracy.worst_error(found, exact, dtype) <= 0.51
    assert accuracy.worst_error(found * dtype.type(1.000001), exact, dtype) > 5
