"""Random programs of the whole language: PyTorch, every stage and native code agree. More of them: tests/fuzz/run.py."""

import re

import pytest
from generator import FEATURES, generate
from oracle import judge
from programs import INT, Block, Function, Line, Program, Statement, expr, line
from shrinker import shrink

SEEDS = range(40)
MAY_BE_REFUSED = 0.2
"""At most so many of the programs."""


@pytest.fixture(scope="module")
def verdicts():
    return {}


@pytest.mark.parametrize("seed", SEEDS)
def test_stages_agree(seed, verdicts):
    pytest.importorskip("torch", reason="says what is right")
    program = generate(seed)
    verdicts[seed] = judge(program)
    assert not verdicts[seed].is_failure, f"{verdicts[seed]}\n{program.text()}\n{program.inputs}"
    assert verdicts[seed].kind != "invalid", verdicts[seed].detail


def test_few_are_refused(verdicts):
    refused = {seed: v.detail for seed, v in verdicts.items() if v.kind == "refused"}
    assert len(refused) <= MAY_BE_REFUSED * len(SEEDS), refused


def test_programs_depend_on_the_seed_alone():
    assert generate(3).text() == generate(3).text() != generate(4).text()


@pytest.mark.parametrize("feature", FEATURES)
def test_features_can_be_left_out(feature):
    marks = {"dicts": "Dict[", "objects": "def __init__", "optionals": "Optional[", "prints": "print(", "strings": ": str"}
    texts = [generate(seed, [f for f in FEATURES if f != feature]).text() for seed in range(30)]
    assert marks.get(feature, "\0") not in "".join(t.split("import Tensor")[1] for t in texts)


def test_shrinking_keeps_what_fails():
    """The smallest program with an addition in a loop, out of one with much around it."""
    one = expr(INT, "1")
    loop = Statement([line("for i in range($):", expr(INT, "($ * $)", one, one)), Block([added(), added()])])
    around = Statement([line("if True:"), Block([added(), loop]), line("else:"), Block([added()])])
    main = Function("main", [("n", INT)], None, Block([Statement([line("a = 0")]), around, Statement([Line([])])]))
    program = Program([], main, [expr(INT, "a")], [[1], [2]])

    def fails(candidate):
        return re.search(r"for i in .*:\n +a \+= ", candidate.text()) is not None

    found = shrink(program, fails)
    assert str(found.text()).splitlines()[-3:] == ["def main(n: int):", "    for i in range(1):", "        a += 1"]
    assert len(found.inputs) == 1


def added():
    return Statement([line("a += $", expr(INT, "($ - 1)", expr(INT, "2")))])
