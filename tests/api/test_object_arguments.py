"""Objects of script classes, members of Enums and Unions as arguments: PyTorch gives the same for them."""

import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

import torchcc

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="runs the same functions")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "end_to_end")]
import object_programs as programs  # noqa: E402
from run_time_programs import assert_same, plain  # noqa: E402

X = torch.arange(3.0)
C = programs.C


@pytest.fixture(scope="module")
def library():
    return torchcc.compile_source(Path(programs.__file__).read_text())


def ours(value):
    """The same with numpy's arrays."""
    if isinstance(value, list | tuple):
        return type(value)(map(ours, value))
    if isinstance(value, dict):
        return {k: ours(v) for k, v in value.items()}
    return value.numpy() if isinstance(value, torch.Tensor) else value


def both(library, name, given, own=None):
    """What PyTorch and torchcc give, after comparing them."""
    expected = torch.jit.script(getattr(programs, name))(*given)
    got = getattr(library, name)(*(ours(given) if own is None else own))
    assert_same(plain(expected), plain(got))
    return expected, got


def test_an_object_given_back(library):
    a, b = both(library, "make", (3, X))
    assert type(b).__name__ == "Acc" and isinstance(b.p, tuple) and b.p._fields == ("a", "t")
    for k in (1, 4, 2):
        (_, _, a, _), (_, _, b, _) = both(library, "use", (a, k), (b, k))
    assert both(library, "use", (a, 1), (b, 1))[1][2] is not b
    assert b.n == 10  # calls change copies


def test_lists_of_objects(library):
    a, b = both(library, "many", (4, X))
    for count in (4, 3, 2, 1, 4):
        both(library, "total", (a[:count],), (b[:count],))


def test_objects_in_optionals_dicts_and_tuples(library):
    a, b = both(library, "make", (3, X))
    both(library, "opt", (None, {"a": a}, (a, 4)), (None, {"a": b}, (b, 4)))
    both(library, "opt", (a, {"a": a, "b": a}, (a, 4)), (b, {"a": b, "b": b}, (b, 4)))


def test_objects_that_lead_to_others_of_their_class(library):
    """PyTorch has no such classes; Python runs the same text."""
    chain = library.chain(5)
    assert_same(plain(programs.chain(5)), plain(chain))
    assert_same(plain(programs.walk(programs.chain(5))), plain(library.walk(chain)))
    own = programs.Node(1)
    own.kids, own.next = [programs.Node(2), programs.Node(3)], programs.Node(4)
    assert_same(plain(programs.walk(own)), plain(library.walk(own)))
    long = library.chain(3000)
    assert library.walk(long)[0] == programs.walk(programs.chain(3000))[0]


def test_members_of_enums(library):
    both(library, "enums", (C.R, [C.R, C.G], None))
    both(library, "enums", (C.G, [], C.G))
    both(library, "enums", (C.R, [C.R, C.G] * 9, None))


def test_which_members_are_one_object(library):
    """To PyTorch each naming of a member is an object of its own."""
    both(library, "identity", (C.R, C.R))
    both(library, "identity", (C.G, C.R))


def test_anything_is_never_none(library):
    """So PyTorch compiles it, whatever is given."""
    both(library, "nothing", (None, None))
    both(library, "nothing", (3, 1))


def test_unions(library):
    both(library, "uni", (3, [1, "a", 2], 5))
    both(library, "uni", ("abc", [1, "a", 2, "bb"], None))
    both(library, "uni", (X, [], "q"))


def test_what_is_no_such_object(library):
    with pytest.raises(torchcc.CompileError, match=r"argument `a` must be an object of class \S*Acc, but a value of type int was given"):
        library.use(3, 1)
    with pytest.raises(torchcc.CompileError, match="argument `v` must be Union"):
        library.uni({}, [], 1)
    with pytest.raises(torchcc.CompileError, match=r"argument `l\[1\]` must be Union"):
        library.uni(1, [1, 2.5], 1)


class Mode(Enum):
    SLOW = 1
    FAST = 2


class Counter:
    def __init__(self, n: int):
        self.n = n
        self.mode = Mode.SLOW

    def doubled(self) -> "Counter":
        made = Counter(self.n * 2)
        made.mode = Mode.FAST
        return made


def double(c: Counter):
    return c.doubled(), c.mode


def test_functions_of_python_give_objects_of_its_classes():
    """As `torch.jit.script` does."""
    found, mode = torchcc.script(double)(Counter(4))
    assert type(found) is Counter and found.n == 8 and found.doubled().n == 16
    assert mode is Mode.SLOW and found.mode is Mode.FAST


def test_what_c_gives_is_checked(library):
    """Numbers of objects and members that there are not, in the vectors that compiled code takes."""
    call = library.walk.compile(library.chain(2))
    compiled = library.walk.specialise(call.specs)[0]
    number = np.zeros(1, np.int64)
    pool = [np.array([1, 2]), np.array([True, False]), np.array([1]), np.zeros(2, np.int64), np.zeros(0, np.int64)]
    assert compiled.call_flat([number, *pool])[0] == (0 * 3 + 1) * 3 + 2
    with pytest.raises(torchcc.ExecutionError):
        compiled.call_flat([np.array([7]), *pool])
    with pytest.raises(torchcc.ExecutionError):
        compiled.call_flat([number, *pool[:2], np.array([9]), *pool[3:]])
    with pytest.raises(torchcc.ExecutionError):
        compiled.call_flat([number, *pool[:2], np.array([1, 1]), *pool[3:]])
