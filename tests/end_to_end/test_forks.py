"""`torch.jit.fork` and `wait`: on threads, in C libraries, from several threads at once; errors come when waited for."""

import shutil
import subprocess
import threading

import numpy as np
import pytest
from typer.testing import CliRunner

from torchcc import driver
from torchcc.api import compile_source
from torchcc.backend.cpu import jit
from torchcc.cli.main import app
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dtypes import DType
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec, TensorSpec
from torchcc.verify import verify_stages

HEAD = "import torch\nfrom torch import Tensor\nfrom typing import Dict, List, Optional, Tuple\n"

LIBRARY = """
def scaled(x: Tensor, k: int):
    if k == 77:
        raise ValueError(f"{k} is not allowed")
    return x[k % 3:] * k

def sums(x: Tensor, n: int):
    futures = [torch.jit.fork(scaled, x, i) for i in range(n)]
    s = 0.0
    for f in futures:
        s += float(torch.jit.wait(f)[0])
    return s

def unwaited(x: Tensor, n: int):
    futures = [torch.jit.fork(scaled, x, i) for i in range(n)]
    assert n < 10, "too many"
    return len(futures)

def squares(k: int) -> List[int]:
    found: List[int] = []
    for i in range(k):
        found.append(i * i)
    return found

def pair(k: int) -> Tuple[List[int], str]:
    first, second = torch.jit.fork(squares, k), torch.jit.fork(squares, k + 1)
    return torch.jit.wait(first) + torch.jit.wait(second), "k" + str(k)

def nested(n: int):
    futures = [torch.jit.fork(pair, i) for i in range(n)]
    total, names = 0, ""
    for f in futures:
        numbers, name = torch.jit.wait(f)
        for v in numbers:
            total += v
        names += name
    return total, names
"""


@pytest.fixture
def threads():
    before = jit.num_threads()
    yield jit.set_num_threads
    jit.set_num_threads(before)


@pytest.fixture(scope="module")
def library():
    return compile_source(HEAD + LIBRARY, "forks.py")


X = np.arange(1.0, 301.0, dtype=np.float32)


def expected_sum(n):
    return float(sum(np.float32(X[k % 3] * k) for k in range(n)))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_threads(library, threads, count):
    threads(count)
    for n in (0, 1, 3, 60):
        assert library.sums(X, n) == expected_sum(n)
    assert library.nested(40) == (sum(2 * sum(i * i for i in range(k)) + k * k for k in range(40)), "".join(f"k{k}" for k in range(40)))
    with pytest.raises(ExecutionError, match="77 is not allowed"):
        library.sums(X, 100)
    assert library.unwaited(X, 9) == 9
    with pytest.raises(ExecutionError, match="too many"):
        library.unwaited(X, 90)


def test_thousands_and_nothing_left(library, threads):
    threads(3)
    objects_left = jit.session().functions.objects_left
    before = objects_left()
    assert library.sums(X, 77) == expected_sum(77)
    assert library.nested(2000)[0] > 0
    for _ in range(100):
        library.unwaited(X, 9)
        with pytest.raises(ExecutionError):
            library.sums(X, 90)
    assert objects_left() == before


def test_several_callers(library, threads):
    threads(3)
    problems = []

    def work():
        for _ in range(30):
            try:
                if library.sums(X, 60) != expected_sum(60) or library.nested(10)[1] != "k0k1k2k3k4k5k6k7k8k9":
                    problems.append("wrong")
                library.sums(X, 90)
                problems.append("no error")
            except ExecutionError as error:
                if "77 is not allowed" not in error.message:
                    problems.append(error.message)

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not problems


STAGES = {
    "list of futures": (1, """
def g(x: Tensor, y: Tensor, k: int):
    return torch.relu(x @ y) + k
def f(x: Tensor, n: int):
    futures: List[torch.jit.Future[Tensor]] = []
    y = x
    for i in range(n):
        y = y * 2
        futures.append(torch.jit.fork(g, x, y, i))
    s = torch.zeros(2, 2)
    for a in futures:
        s += torch.jit.wait(a)
    return s
"""),
    "futures of two kinds in a branch": (2, """
def g(x: Tensor):
    return x + 1
def f(x: Tensor, n: int):
    a = torch.jit.fork(torch.relu, x)
    if n > 2:
        a = torch.jit.fork(g, x * n)
    return torch.jit.wait(a), a.wait()
"""),
    "what others see is changed": (0, """
def g(x: Tensor, l: List[int], k: int):
    x += k
    l.append(k)
    return len(l)
def f(x: Tensor, n: int):
    y, l = x.clone(), [1]
    a = torch.jit.fork(g, y, l, n)
    y += 1
    return torch.jit.wait(a), y, l
"""),
    "a view of what was given": (0, """
def g(x: Tensor, k: int):
    return x[k % 2]
def f(x: Tensor, n: int):
    y = x.clone()
    z = torch.jit.fork(g, y, n).wait()
    z += 1
    return y
"""),
    "twice, and changed": (1, """
def g(x: Tensor, k: int):
    y = x * k
    y[0] += 1
    return y
def f(x: Tensor, n: int):
    a = torch.jit.fork(g, x, n)
    z = torch.jit.wait(a)
    z += 1
    return torch.jit.wait(a), z
"""),
    "lists and texts are given": (1, """
def g(l: List[int], k: int) -> str:
    print("g", k, l)
    return str(l[k])
def f(x: Tensor, n: int):
    l = [i * i for i in range(n)]
    futures = [torch.jit.fork(g, l, i) for i in range(n + 1)]
    found = ""
    for a in futures[:-1]:
        found += torch.jit.wait(a)
    return x + len(found)
"""),
    "an error that nobody waits for": (1, """
def g(x: Tensor, k: int):
    assert k < 3, "large"
    return x + k
def f(x: Tensor, n: int):
    a = torch.jit.fork(g, x, n)
    return x if n > 2 else torch.jit.wait(a)
"""),
}  # fmt: skip


@pytest.mark.parametrize("name", list(STAGES))
def test_every_stage(name):
    forks, text = STAGES[name]
    program = compile_text(HEAD + text, "forks.py", "f")
    x = np.array([[1.0, 2.0], [3.0, -4.0]], np.float32)
    specs = [TensorSpec(DType.float32, (2, 2)), ScalarSpec(INT)]
    lowered = driver.lower(program, specs)
    assert sum(op.name == "rt.fork" for op in lowered.modules["linalg"].walk()) == forks
    for n in (1, 4):
        results = verify_stages(program, specs, [x, n])
        assert all(r.agrees for r in results), results
    for stage in ("linalg", "loops"):
        text = print_module(lowered.modules[stage])
        if "dense_resource" not in text:
            assert print_module(parse_module(text)) == text


AT_ONCE = """
def item(l: List[str], k: int) -> str:
    print("item", k)
    return l[k]

def items(l: List[str], k: int) -> List[str]:
    first, second = torch.jit.fork(item, l, k), torch.jit.fork(item, l, k + 1)
    found = [torch.jit.wait(first)]
    if k > 0:
        found.append(torch.jit.wait(second))
    return found + l[:1]

def picked(text: str, n: int):
    words = text.split(" ")
    futures = [torch.jit.fork(items, words, i) for i in range(n)]
    print("forked")
    found = ""
    for a in futures:
        found += "".join(torch.jit.wait(a))
    return found

def looked_up(n: int, key: str):
    table: Dict[str, int] = {}
    for i in range(n):
        table[str(i)] = i
    a = torch.jit.fork(value, table, key)
    if key == "none":
        return -1
    return torch.jit.wait(a)

def value(table: Dict[str, int], key: str) -> int:
    return table[key]

def same(n: int):
    l = [i for i in range(n)]
    r = torch.jit.wait(torch.jit.fork(given, l, n))
    r.append(7)
    return l

def given(l: List[int], n: int) -> List[int]:
    assert n < 5, "long"
    return l
"""


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_counted_is_given_to_calls_made_at_once(threads, capfd, count):
    threads(count)
    library = compile_source(HEAD + AT_ONCE, "forks.py")
    objects_left = jit.session().functions.objects_left
    before = objects_left()
    assert library.picked("a b c", 2) == "aabca"
    assert capfd.readouterr().out == "item 0\nitem 1\nitem 1\nitem 2\nforked\n"
    assert library.picked("a", 1) == "aa"  # the second one fails, and nobody waits for it
    with pytest.raises(ExecutionError, match="list index out of range"):
        library.picked("a b", 2)
    assert library.looked_up(3, "2") == 2 and library.looked_up(3, "none") == -1
    with pytest.raises(ExecutionError, match="KeyError: 3"):
        library.looked_up(3, "3")
    assert library.same(2) == [0, 1, 7]
    with pytest.raises(ExecutionError, match="long"):
        library.same(5)
    assert objects_left() == before


SHARED = {
    "after a branch": "def f(x: Tensor, n: int):\n    a = torch.jit.fork(torch.relu, x)\n    if n > 2:\n        y = a.wait()\n        y += 100\n    return a.wait()\n",
    "in a loop": "def f(x: Tensor, n: int):\n    a = torch.jit.fork(torch.relu, x)\n    for i in range(n):\n        y = a.wait()\n        y += 1\n    return a.wait()\n",
    "of a list": "def f(x: Tensor, n: int):\n    l = [torch.jit.fork(torch.relu, x) for i in range(n)]\n    y = l[0].wait()\n    y += 1\n    return l[0].wait()\n",
    "of a list of views": "def g(x: Tensor, i: int): return x[i % 2:]\ndef f(x: Tensor, n: int):\n    l = [torch.jit.fork(g, x, i) for i in range(n)]\n    l.append(l[0])\n    for a in l: a.wait().mul_(2)\n    return x, [a.wait() for a in l]\n",
}  # fmt: skip


@pytest.mark.parametrize("name", list(SHARED))
def test_what_two_get_is_one_tensor(name):
    program = compile_text(HEAD + SHARED[name], "forks.py", "f")
    results = verify_stages(program, [TensorSpec(DType.float32, (3,)), ScalarSpec(INT)], [X[:3], 4])
    assert all(r.agrees for r in results), results


def test_work_is_lazy_where_it_is_little():
    text = "def g(k: int):\n    return k + 1\ndef f(n: int):\n    return torch.jit.fork(g, n).wait()\n"
    module = driver.lower(compile_text(HEAD + text, "forks.py", "f"), [ScalarSpec(INT)]).modules["loops"]
    assert all("lazy" in op.attributes for op in module.walk() if op.name == "rt.fork")


MAIN = """
#include <stdio.h>
#include "sums.h"

int main(void) {
  float values[300];
  for (int i = 0; i < 300; ++i) values[i] = i + 1.0f;
  int64_t length = 300;
  DLTensor x = {values, {1, 0}, 1, {2, 32, 1}, &length, 0, 0};
  double sum;
  for (int round = 0; round < 20; ++round) {
    if (sums(&x, 60, &sum)) { printf("%s\\n", torchcc_last_error()); return 1; }
  }
  printf("%.1f %d\\n", sum, sums(&x, 90, &sum));
  return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_c_library(tmp_path):
    (tmp_path / "forks.py").write_text(HEAD + LIBRARY)
    arguments = ["compile", f"{tmp_path}/forks.py:sums", "--input", "x=f32[300]", "--input", "n=60"]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "libsums.so")])
    assert result.exit_code == 0, result.output
    header = next(tmp_path.glob("*.h"))
    (tmp_path / "main.c").write_text(MAIN.replace("sums.h", header.name))
    program = tmp_path / "main"
    subprocess.run(["cc", "main.c", "-I.", "-L.", "-lsums", "-Wl,-rpath,.", "-o", str(program)], cwd=tmp_path, check=True)
    run = subprocess.run([str(program)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == f"{expected_sum(60):.1f} 1\n"
