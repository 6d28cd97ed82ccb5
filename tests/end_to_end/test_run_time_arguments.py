"""Arguments whose length is known at run time only: one piece of code for all lengths, at every stage what PyTorch computes."""

import copy
import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from torchcc import api
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.script_types import BOOL, FLOAT, INT, STR, DictType, ListType, OptionalType, TensorType, TupleType
from torchcc.ir.signature import ColumnsSpec, ConstantSpec, SequenceSpec
from torchcc.verify import verify_stages

PRELUDE = "import torch\nfrom torch import Tensor\nfrom typing import Dict, List, NamedTuple, Optional, Tuple\n"
POINT = "\nclass Point(NamedTuple):\n    a: List[int]\n    b: float\n"

MATRIX = TensorType(DType.float32, (None, None))


def matrix(*shape):
    return np.random.RandomState(sum(shape)).randn(*shape).astype(np.float32)


PROGRAMS = {
    "numbers": (
        """
def numbers(xs: List[int], ys: List[float], zs: List[bool]):
    total = 0.0
    for i, x in enumerate(xs):
        if zs[i]:
            total += x * ys[i]
    xs.append(len(ys))
    return total, xs[::-1], ys, zs
""",
        [ListType(INT), ListType(FLOAT), ListType(BOOL)],
        [
            ([1, -2, 2**62], [0.5, float("inf"), 2.0], [True, False, True]),
            ([], [], []),
            ([7], [1.0], [True]),
        ],
    ),
    "nested": (
        """
def nested(xs: List[List[int]]):
    out: List[int] = []
    for x in xs:
        out.append(len(x))
        x.append(7)
    return out, xs
""",
        [ListType(ListType(INT))],
        [([[1], [], [2, 3]],), ([],), ([[]],), ([[4, 5, 6]],)],
    ),
    "deep": (
        """
def deep(xs: List[List[List[float]]]):
    xs[0] = xs[-1][1:]
    return xs
""",
        [ListType(ListType(ListType(FLOAT)))],
        [([[[1.0], []], [[], [2.0, 3.0]]],), ([[]],), ([[[0.5, 1.5]]],)],
    ),
    "pairs": (
        """
def pairs(xs: List[Tuple[float, int, Tuple[bool, int]]]):
    s = 0.0
    for a, b, c in xs:
        if c[0]:
            s += a * b + c[1]
    return s, xs
""",
        [ListType(TupleType((FLOAT, INT, TupleType((BOOL, INT)))))],
        [([(1.5, 2, (True, 1)), (2.5, 3, (False, 2))],), ([],)],
    ),
    "tensors": (
        """
def tensors(xs: List[Tensor]):
    return [x * 2 for x in xs], torch.cat([x.reshape(-1) for x in xs]), xs[::-1]
""",
        [ListType(MATRIX)],
        [([matrix(2, 3), matrix(1, 4), matrix(0, 2)],), ([matrix(3, 3)],)],
    ),
    "scalars": (
        """
def scalars(xs: List[Tensor]):
    return torch.stack(xs), xs
""",
        [ListType(TensorType(DType.int32, ()))],
        [([np.array(3, np.int32), np.array(-4, np.int32)],)],
    ),
    "mixed": (
        """
def mixed(xs: List[Tuple[List[int], Tensor, List[List[bool]]]]):
    return xs[1:], [x[1].sum() for x in xs]
""",
        [ListType(TupleType((ListType(INT), MATRIX, ListType(ListType(BOOL)))))],
        [([([1, 2], matrix(2, 3), [[True]]), ([], matrix(1, 1), [[], [False, True]])],), ([([], matrix(2, 0), [])],)],
    ),
    "optionals": (
        """
def optionals(xs: List[Optional[int]], ys: List[Optional[List[float]]], zs: List[Optional[Tuple[int, Optional[int]]]]):
    n = 0
    for x in xs:
        if x is not None:
            n += x
    for y in ys:
        if y is not None:
            y.append(1.5)
    return n, xs[::-1], ys, zs[1:], xs[0]
""",
        [
            ListType(OptionalType(INT)),
            ListType(OptionalType(ListType(FLOAT))),
            ListType(OptionalType(TupleType((INT, OptionalType(INT))))),
        ],
        [
            ([1, None, 3], [[0.5], None, []], [(1, None), None, (2, 3)]),
            ([None], [], [None]),
            ([2], [None], []),
        ],
    ),
    "tables": (
        """
def tables(d: Dict[int, float], e: Dict[bool, List[int]], f: List[Dict[float, Optional[Tensor]]]):
    d[7] = 0.5
    s = 0.0
    for k, v in d.items():
        s += k * v
        if (k > 2) in e:
            e[k > 2].append(k)
    return s, d, e, f[::-1]
""",
        [DictType(INT, FLOAT), DictType(BOOL, ListType(INT)), ListType(DictType(FLOAT, OptionalType(MATRIX)))],
        [
            ({3: 2.0, 1: 4.0}, {True: [], False: [2]}, [{}, {0.5: matrix(1, 2), 1.5: None}, {2.0: matrix(2, 2)}]),
            ({}, {}, [{1.0: matrix(1, 3)}]),
            ({7: 1.0}, {False: []}, []),
        ],
    ),
    "words": (
        """
def words(xs: List[str], d: Dict[str, List[float]], text: str):
    found: Dict[str, int] = {}
    for i, word in enumerate(text.split(" ")):
        found[word] = i
    for x in xs:
        if x in d:
            d[x].append(float(len(x)))
    return ", ".join(xs), d, found, xs[::-1], text.upper()
""",
        [ListType(STR), DictType(STR, ListType(FLOAT)), STR],
        [
            (["a", "bé", "", "a"], {"a": [0.5], "": []}, "the größe of  the"),
            ([], {"x": []}, ""),
            (["z" * 100], {}, "\x00 \u20ac"),
            (["q"], {"q": [1.0], "é": []}, "another"),
        ],
    ),
    "sentences": (
        """
def sentences(xs: List[Tuple[str, List[Optional[str]]]], ys: List[Dict[str, str]]):
    out: List[str] = []
    for a, b in xs:
        for c in b:
            if c is not None:
                out.append(a + c)
    return out, xs[-1:], ys
""",
        [ListType(TupleType((STR, ListType(OptionalType(STR))))), ListType(DictType(STR, STR))],
        [
            ([("x", ["y", None]), ("äö", []), ("", [None, "z"])], [{}, {"a": "b", "": "é"}]),
            ([], []),
            ([("a" * 40, ["b" * 40])], [{"k": ""}]),
        ],
    ),
    "maybe": (
        """
def maybe(x: Optional[List[int]], y: Optional[Dict[int, int]] = None):
    if x is None:
        return -1
    return len(x) if y is None else y[x[0]]
""",
        [ListType(INT), DictType(INT, INT)],
        [([1, 2], {1: 5, 2: 6}), ([3], {3: 4}), ([1, 2, 3], None), (None, {1: 2}), (None, None)],
    ),
    "fields": (
        """
def fields(xs: List[Point], p: Point):
    return [x.b for x in xs], p.a, p, xs[-1:]
""",
        [ListType(TupleType((ListType(INT), FLOAT))), None],
        [([([1, 2], 0.5), ([], 1.5)], ([3], 2.5)), ([], ([], 0.5))],
    ),
    "sizes": (
        """
def sizes(x: Tensor, xs: List[int]):
    y = torch.tensor(xs)
    return x[:, :len(xs)] + y, y
""",
        [None, ListType(INT)],
        [(matrix(2, 3), [1, 2, 3]), (matrix(2, 3), [5])],
    ),
}


SOURCE = PRELUDE + POINT + "".join(text for text, _, _ in PROGRAMS.values())


@pytest.fixture(scope="module")
def library():
    return api.compile_source(SOURCE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    path = tmp_path_factory.mktemp("reference") / "programs_with_lists.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda name: torch.jit.script(getattr(module, name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_stage_agrees(library, name):
    _, types, calls = PROGRAMS[name]
    function = getattr(library, name)
    for call in calls[:2]:
        specs = [api.spec_of(v) if t is None else ColumnsSpec(t) for v, t in zip(call, types, strict=True)]
        report = verify_stages(function.program, specs, list(call))
        assert all(stage.agrees for stage in report), [s.text for s in report]


def shown(value, number=lambda x: x):
    """A result with tensors as dtype, shape and elements."""
    match value:
        case list():
            return [shown(v, number) for v in value]
        case tuple():
            return tuple(shown(v, number) for v in value)
        case dict():
            return {k: shown(v, number) for k, v in value.items()}
        case float():
            return number(value)
        case bool() | int() | str() | None:
            return value
        case _:
            elements = [number(x) for x in np.asarray(value).reshape(-1).tolist()]
            return str(value.dtype).removeprefix("torch."), tuple(value.shape), elements


def about(value):
    return shown(value, lambda x: pytest.approx(x, rel=1e-4, abs=1e-5, nan_ok=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_calls_agree_with_pytorch(library, reference, name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    calls = PROGRAMS[name][2]
    scripted = reference(name)

    def tensors(value):
        match value:
            case np.ndarray():
                return torch.from_numpy(value.copy())
            case list():
                return [tensors(v) for v in value]
            case tuple():
                return tuple(map(tensors, value))
            case dict():
                return {k: tensors(v) for k, v in value.items()}
            case _:
                return value

    function = getattr(library, name)
    for call in calls:
        given = copy.deepcopy(call)
        assert shown(function(*given)) == about(scripted(*map(tensors, call)))
        assert shown(given) == shown(call), "an argument was changed"
        assert shown(function(*map(tensors, call))) == about(scripted(*map(tensors, call)))


def test_the_length_alone_compiles_nothing():
    function = api.compile_source("from typing import List\n\ndef total(xs: List[int]):\n    return sum(xs), len(xs)\n").total
    for n in (0, 1, 2, 5, 100, 10_000):
        assert function(list(range(n))) == (n * (n - 1) // 2, n)
    (entry,) = function._compiled
    assert entry[0] == (ColumnsSpec(ListType(INT)),)


def test_what_fits_a_list():
    function = api.compile_source("from typing import List\n\ndef f(xs: List[float], ys: List[int]):\n    return xs, ys\n").f
    assert function((1, 2.5), [True, np.int32(3), np.array(4)]) == ([1.0, 2.5], [1, 3, 4])
    assert function(np.array([1.5]), range(3)) == ([1.5], [0, 1, 2])
    assert function([np.array([[1.5]])], [np.array([2.5])]) == ([1.5], [2])
    for wrong, message in (
        (([1.0], [1.5]), r"`ys\[0\]` must be int"),
        (([1.0], [2**63]), r"`ys\[0\]`: 9223372036854775808 does not fit into 64 bits"),
        (([None], [1]), r"`xs\[0\]` must be float, but None"),
        ((3, [1]), "`xs` must be"),
        ((np.ones((3, 1)), [1]), "`xs` must be"),
        (([1.0], np.ones(1)), r"`ys\[0\]` must be int"),
        (([1.0], [np.ones(2)]), r"`ys\[0\]` must be int"),
    ):
        with pytest.raises(CompileError, match=message):
            function(*wrong)


CHOOSING = (
    PRELUDE
    + """
def shaped(x: Tensor, shape: List[int], tokens: List[int]):
    return x.reshape(shape), tokens[::-1]

def largest(x: Tensor, shape: List[int], k: int):
    return torch.topk(x.reshape(shape), k)[0]

def chosen(x: Tensor, tokens: List[int], dim: int):
    return x.sum(dim), sum(tokens)

def joined(xs: List[Tensor]):
    return torch.cat(xs)

def shouted(text: str) -> str:
    return text + "!"

def reduced(x: Tensor, how: str):
    return x.sum() if how == "sum" else x

def doubled(xs: List[Tensor]):
    for x in xs:
        x.mul_(2)
    return len(xs)

def wrong(xs: List[int]):
    return torch.ones(3, 4) @ torch.ones(len(xs) * 0 + 3, 5)
"""
)


@pytest.fixture(scope="module")
def choosing():
    return api.compile_source(CHOOSING)


def structures(function):
    return {specs for specs, _ in function._compiled}


def test_compiled_ahead_for_any_length(choosing, library):
    total = library.words.compile(["a"], {}, "text")
    assert total(["b", "c"], {"c": [0.5]}, "text")[0] == "b, c"
    with pytest.raises(CompileError, match="`text` was fixed to 'text'"):
        total(["b"], {}, "other")
    with pytest.raises(CompileError, match="`xs` must be"):
        total(None, {}, "text")
    cat = choosing.joined.compile(ColumnsSpec(ListType(MATRIX)))
    assert [cat([matrix(1, 2)] * n).shape for n in (1, 5)] == [(1, 2), (5, 2)]
    with pytest.raises(CompileError, match="tensors of float32 and 2 dimensions"):
        cat([matrix(1, 2), np.ones(3, np.float32)])
    with pytest.raises(CompileError, match="changed in place"):
        choosing.doubled.compile(ColumnsSpec(ListType(MATRIX)))


def test_a_shape_is_fixed_and_the_other_list_is_not(choosing):
    x = np.arange(6.0, dtype=np.float32)
    for n in range(5):
        y, tokens = choosing.shaped(x, [2, 3], list(range(n)))
        assert y.shape == (2, 3) and tokens == list(range(n))[::-1]
    assert len(structures(choosing.shaped)) == 1
    assert choosing.shaped(x, [6], [])[0].shape == (6,)
    assert len(structures(choosing.shaped)) == 2


def test_lists_and_numbers_are_fixed_together(choosing):
    x = np.arange(6.0, dtype=np.float32)
    np.testing.assert_array_equal(choosing.largest(x, [2, 3], 2), [[2, 1], [5, 4]])
    np.testing.assert_array_equal(choosing.largest(x, [3, 2], 1), [[1], [3], [5]])


def test_a_fixed_number_leaves_the_list_open(choosing):
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    for n in range(4):
        values, total = choosing.chosen(x, list(range(n)), 1)
        assert values.tolist() == [3, 12] and total == sum(range(n))
    ((_, tokens, dim),) = structures(choosing.chosen)
    assert tokens == ColumnsSpec(ListType(INT)) and dim == ConstantSpec(1)


def test_short_lists_of_tensors_are_taken_apart(choosing):
    for n in (1, 2, 1, 2, 3, 4, 5, 20):
        xs = [matrix(1, 2) + i for i in range(n)]
        np.testing.assert_array_equal(choosing.joined(xs), np.concatenate(xs))
    kinds = [type(specs[0]) for specs in structures(choosing.joined)]
    assert sorted(k.__name__ for k in kinds) == ["ColumnsSpec", "SequenceSpec", "SequenceSpec"]
    assert choosing.joined([matrix(1, 2)] * 17).shape == (17, 2)
    assert len(structures(choosing.joined)) == 3


def test_a_string_is_a_constant_until_there_are_several(choosing):
    for text in ("a", "b", "c", "d", "a", "é" * 1000, "", "b"):
        assert choosing.shouted(text) == text + "!"
    kinds = {specs[0] for specs in structures(choosing.shouted)}
    assert kinds == {ConstantSpec("a"), ConstantSpec("b"), ColumnsSpec(STR)}
    with pytest.raises(CompileError, match="cannot be an argument"):
        choosing.shouted("\ud800")
    x = np.ones(3, np.float32)
    for how in ("sum", "none", "all", "sum", "more"):
        assert np.shape(choosing.reduced(x, how)) == (() if how == "sum" else (3,))


def test_tensors_that_are_written_are_taken_apart(choosing):
    for n in (1, 2, 3, 17):
        xs = [matrix(2, 2) for _ in range(n)]
        assert choosing.doubled(xs) == n
        for x in xs:
            np.testing.assert_array_equal(x, matrix(2, 2) * 2)
    assert all(isinstance(specs[0], SequenceSpec) for specs in structures(choosing.doubled))


def test_errors_are_those_of_the_program(choosing):
    with pytest.raises((CompileError, ExecutionError), match="mat1 and mat2"):
        choosing.wrong([1, 2])


def test_named_tuples_come_back_with_names(library):
    first, _, point, rest = library.fields([([1], 0.5), ([2, 3], 1.5)], ([4], 2.5))
    assert first == [0.5, 1.5] and point.a == [4] and point.b == 2.5
    assert [p.a for p in rest] == [[2, 3]] and repr(rest) == "[Point(a=[2, 3], b=1.5)]"
    assert library.fields(rest, point)[2] == point


def test_threads_have_objects_of_their_own(library):
    calls = [[list(range(i)), [], [i] * 3] for i in range(40)]
    expected = [library.nested(copy.deepcopy(c)) for c in calls]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(library.nested, calls)) == expected
    assert calls[3] == [[0, 1, 2], [], [3, 3, 3]]
