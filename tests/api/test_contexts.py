"""`with` over objects: what `__exit__` prints and changes when the body ends, is left, or fails is PyTorch's."""

import io
import sys
from pathlib import Path

import pytest

import torchcc

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="runs the same functions")

sys.path.insert(0, str(Path(__file__).parent))
import contexts  # noqa: E402

CASES = [("a", 0), ("a", 9), ("b", 0), ("c", 0), ("c", 1), ("c", 7), ("d", 1), ("d", 5), *(("e", k) for k in (0, 1, 2, 7, 8, 9))]


@pytest.fixture(scope="module")
def library():
    return torchcc.compile_source(Path(contexts.__file__).read_text())


def outcome(capfd, function, *given):
    """What is printed, and the result or the last word of the error."""
    capfd.readouterr()
    try:
        result = function(*given)
    except Exception as error:  # of another class in each
        text = error.message if isinstance(error, torchcc.ExecutionError) else str(error)
        result = text.strip().rpartition(": ")[2]
    sys.stdout.flush()
    return capfd.readouterr().out, result


@pytest.mark.parametrize(("name", "k"), CASES)
def test_functions(library, capfd, name, k):
    expected = outcome(capfd, torch.jit.script(getattr(contexts, name)), k)
    for _ in range(2):
        assert outcome(capfd, getattr(library, name), k) == expected


def test_what_is_kept_after_an_error(capfd):
    module = torch.jit.script(contexts.M())
    file = io.BytesIO()
    torch.jit.save(module, file)
    own = torchcc.load(file.getvalue())
    for k in (0, 1, 50, 3):
        assert outcome(capfd, own, k) == outcome(capfd, module, k)
        assert own.log == module.log
        assert own.t.tolist() == module.t.tolist()
