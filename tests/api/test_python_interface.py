"""`import torchcc`: calls, specs, modules, weights, threads."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import torchcc
from torchcc import api

SOURCE = """\
import torch
from torch import Tensor
from typing import Dict, List, Optional, Tuple

def scale(x: Tensor, k: float = 2.0, shift: int = 0) -> Tensor:
    return x * k + shift

def total(x: Tensor, dim: int) -> Tensor:
    return x.sum(dim)

def parts(xs: List[Tensor], t: Tuple[int, float]) -> Tuple[Tensor, List[Tensor], int]:
    return xs[0] * t[1], [x + t[0] for x in xs], len(xs)

def bump(x: Tensor) -> Tensor:
    x.add_(1)
    return x

def same(x: Tensor) -> Tensor:
    return x

def view(x: Tensor) -> Tensor:
    return x[0]

def maybe(x: Tensor, y: Optional[Tensor] = None, mode: str = "add") -> Tensor:
    if y is None:
        return x
    if mode == "add":
        return x + y
    return x * y

def count(n: int) -> int:
    k = 0
    for i in range(n):
        k += i
    return k

def choose(x: Tensor, flag: bool) -> Tensor:
    return x + 1 if flag else x - 1
"""

NET = """\
import torch
from torch import Tensor, nn

class Net(nn.Module):
    def __init__(self, n: int = 2):
        super().__init__()
        self.fc = nn.Linear(3, n)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) * (2 if self.training else 1)
"""


@pytest.fixture(scope="module")
def library():
    return torchcc.compile_source(SOURCE)


@pytest.fixture
def net_file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


X = np.arange(6, dtype=np.float32).reshape(2, 3)


# importing


def test_import_is_light():
    code = "import sys, torchcc; print(*sorted(m for m in sys.modules if m.partition('.')[0] in ('torch', 'numpy', 'llvmlite', 'lark', 'cuda')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_using_it_imports_no_extra():
    code = (
        "import sys, numpy, torchcc; f = torchcc.compile_source('def f(n: int) -> int:\\n    return n + 1\\n').f; assert f(1) == 2;"
        "print(*{m.partition('.')[0] for m in sys.modules} & {'torch', 'cuda', 'ziglang', 'torch_mlir', 'rich', 'typer'})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_public_names():
    for name in torchcc.__all__:
        assert getattr(torchcc, name) is not None
    assert torchcc.float32 is torchcc.DType.float32
    assert set(torchcc.__all__) <= set(dir(torchcc))
    with pytest.raises(AttributeError, match="no attribute 'float31'"):
        _ = torchcc.float31


# calling


def test_positional_keyword_and_default(library):
    np.testing.assert_array_equal(library.scale(X), X * 2)
    np.testing.assert_array_equal(library.scale(X, 3.0, 1), X * 3 + 1)
    np.testing.assert_array_equal(library.scale(X, shift=5), X * 2 + 5)
    np.testing.assert_array_equal(library.scale(k=1, x=X), X)


def test_numbers_stay_run_time_values(library):
    fn = torchcc.compile_source(SOURCE).scale
    for k in (1.0, 2.5, -3.0):
        np.testing.assert_array_equal(fn(X, k), X * np.float32(k))
    assert len(fn._compiled) == 1
    assert [library.count(n) for n in (0, 1, 10, 100)] == [0, 0, 45, 4950]


def test_a_number_that_is_needed_early_becomes_a_constant():
    fn = torchcc.compile_source(SOURCE).total
    for dim in (0, 1, -1, 0, 1):
        np.testing.assert_array_equal(fn(X, dim), X.sum(dim))
    assert len(fn._compiled) == 3
    with pytest.raises(torchcc.CompileError, match="Dimension out of range"):
        fn(X, 2)


def test_structures(library):
    first, rest, n = library.parts([X, X + 1], (3, 0.5))
    np.testing.assert_array_equal(first, X * 0.5)
    assert isinstance(rest, list)
    np.testing.assert_array_equal(rest[1], X + 4)
    assert n == 2
    assert len(library.parts([X], [3, 1])[1]) == 1  # a list for a tuple, an int for a float


def test_optional_and_string(library):
    np.testing.assert_array_equal(library.maybe(X), X)
    np.testing.assert_array_equal(library.maybe(X, X), X + X)
    np.testing.assert_array_equal(library.maybe(X, X, mode="mul"), X * X)
    np.testing.assert_array_equal(library.choose(X, True), X + 1)
    np.testing.assert_array_equal(library.choose(X, np.bool_(False)), X - 1)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool"])
def test_dtypes_come_through(library, dtype):
    x = np.array([[0, 1], [1, 0]], dtype)
    result = library.same(x)
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result, x)


def test_strided_arguments(library):
    big = np.arange(48, dtype=np.float32).reshape(6, 8)
    for x in (big.T, big[::2, 1::3], big[::-1], np.broadcast_to(big[0], (3, 8)), np.asfortranarray(big)):
        np.testing.assert_array_equal(library.scale(x), x * 2)


def test_scalars_of_numpy(library):
    assert library.scale(np.float32(3)) == 6
    np.testing.assert_array_equal(library.scale(X, np.float64(3), np.int32(1)), X * 3 + 1)
    assert library.count(np.array(4)) == 6


def test_a_write_in_place_is_seen_by_the_caller(library):
    x = X.copy()
    result = library.bump(x)
    np.testing.assert_array_equal(x, X + 1)
    np.testing.assert_array_equal(result, X + 1)
    strided = np.zeros((4, 6), np.float32)
    library.bump(strided[::2, ::2])
    assert strided.sum() == strided[::2, ::2].size == 6


def test_results_alias_arguments_as_in_pytorch(library):
    for fn, place in ((library.same, slice(None)), (library.view, 0)):
        x, expected = X.copy(), X.copy()
        fn(x)[...] = -1
        expected[place] = -1
        np.testing.assert_array_equal(x, expected)


def test_empty_tensors(library):
    assert library.scale(np.zeros((0, 3), np.float32)).shape == (0, 3)


def test_torch_tensors(library):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.arange(6.0).reshape(2, 3)
    result = library.scale(x)
    assert isinstance(result, torch.Tensor)
    assert torch.equal(result, x * 2)
    assert torch.equal(library.scale(x.T), x.T * 2)
    assert torch.equal(library.scale(x.bfloat16()), x.bfloat16() * 2)
    y = x.clone()
    library.bump(y)
    assert torch.equal(y, x + 1)
    assert library.count(torch.tensor(4)) == 6


def test_dlpack(library):
    class Producer:
        """Knows nothing but the protocol."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    np.testing.assert_array_equal(library.scale(Producer(X)), X * 2)
    assert library.count(Producer(np.array(4))) == 6


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "message"),
    [
        ("scale", (), {}, "missing a value for `x`"),
        ("scale", (X, 1.0, 2, 3), {}, "takes 3 arguments but 4 were given"),
        ("scale", (X,), {"x": X}, "two values for argument `x`"),
        ("scale", (X,), {"q": 1}, "no argument `q`"),
        ("scale", (3.0,), {}, "`x` must be Tensor, but a value of type float was given"),
        ("scale", ([[1.0, 2.0]],), {}, "`x` must be Tensor, but a value of type list was given"),
        ("scale", (None,), {}, "`x` must be Tensor, but None was given"),
        ("scale", (X, "a"), {}, "`k` must be float, but a value of type str was given"),
        ("scale", (X, X), {}, "`k` must be float, but a Tensor was given"),
        ("scale", (X, 1.0, 1.5), {}, "`shift` must be int, but a value of type float was given"),
        ("scale", (X, 1.0, 2**63), {}, "does not fit into 64 bits"),
        ("scale", (np.array(["a"]),), {}, "cannot be an argument"),
        ("parts", ([X, 3], (1, 1.0)), {}, r"`xs\[1\]` must be Tensor"),
        ("parts", ([X], (1, 1.0, 2)), {}, "`t` must be Tuple"),
        ("parts", (X, (1, 1.0)), {}, "`xs` must be List"),
        ("maybe", (X, X, 3), {}, "`mode` must be str"),
    ],
)
def test_wrong_calls(library, name, args, kwargs, message):
    with pytest.raises(torchcc.CompileError, match=message):
        getattr(library, name)(*args, **kwargs)


def test_names_of_a_library(library):
    assert "scale" in dir(library)
    with pytest.raises(AttributeError, match="no function `scael`"):
        _ = library.scael
    assert repr(library.scale) == "<torchcc scale(x: Tensor, k: float, shift: int)>"


# compile


def test_dynamic_dimensions(library):
    spec = torchcc.TensorSpec(torchcc.float32, (torchcc.Dim("rows", 1, 4), 3))
    fn = library.scale.compile(x=spec)
    for rows in (1, 2, 4):
        np.testing.assert_array_equal(fn(np.ones((rows, 3), np.float32)), np.full((rows, 3), 2))
    with pytest.raises(torchcc.ExecutionError, match="dimension `rows` is 5, its maximum is 4"):
        fn(np.ones((5, 3), np.float32))
    with pytest.raises(torchcc.ExecutionError, match=r"expected f32\[rows,3\], got f32\[2,4\]"):
        fn(np.ones((2, 4), np.float32))
    with pytest.raises(torchcc.ExecutionError, match="expected"):
        fn(np.ones((2, 3)))


def test_equal_names_are_equal_extents():
    n = torchcc.Dim("n")
    spec = torchcc.TensorSpec(torchcc.float32, (n,))
    fn = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor, y: Tensor) -> Tensor:\n    return x + y\n").f.compile(spec, spec)
    np.testing.assert_array_equal(fn(X[0], X[1]), X[0] + X[1])
    with pytest.raises(torchcc.ExecutionError, match="dimension `n`"):
        fn(X[0], X[0, :1])


def test_compile_with_examples_and_constants(library):
    fn = library.scale.compile(X, shift=3)
    np.testing.assert_array_equal(fn(X, shift=4), X * 2 + 4)  # a number given to `compile` is one of run time
    with pytest.raises(torchcc.CompileError, match=r"argument `k` was fixed to 2\.0"):
        fn(X, 1.0, 3)
    chosen = library.maybe.compile(X, X, mode="mul")
    np.testing.assert_array_equal(chosen(X, X), X * X)  # what was fixed need not be given again
    with pytest.raises(torchcc.CompileError, match="fixed to 'mul'"):
        chosen(X, X, "add")
    with pytest.raises(torchcc.CompileError, match="must have 2 elements"):
        library.parts.compile([X, X], (1, 1.0))([X], (1, 1.0))
    with pytest.raises(torchcc.CompileError, match="missing a value for `x`"):
        library.scale.compile()


# scripting


def helper(x: "Tensor", k: float) -> "Tensor":  # noqa: F821
    return x * k


@torchcc.script
def doubled(x: "Tensor") -> "Tensor":  # noqa: F821
    """Twice."""
    return helper(x, 2.0)


@torchcc.script
def quadrupled(x: "Tensor") -> "Tensor":  # noqa: F821
    return doubled(doubled(x))


def test_script():
    np.testing.assert_array_equal(doubled(X), X * 2)
    np.testing.assert_array_equal(quadrupled(X), X * 4)
    assert doubled.__doc__ == "Twice."
    assert doubled.__name__ == "doubled"


def test_errors_of_a_scripted_function_are_at_its_line():
    def wrong(x):
        return x.no_such_method()

    with pytest.raises(torchcc.CompileError) as caught:
        torchcc.script(wrong)
    span = caught.value.diagnostics[0].span
    assert span.file.name == __file__
    assert span.line == wrong.__code__.co_firstlineno + 1


def test_script_needs_a_source():
    with pytest.raises(torchcc.CompileError, match="cannot be scripted"):
        torchcc.script(len)
    scope = {}
    exec("def f(x): return x", scope)
    with pytest.raises(torchcc.CompileError, match="cannot be found"):
        torchcc.script(scope["f"])


# modules


def test_state_dict_and_weights(net_file, tmp_path):
    net = torchcc.compile_file(net_file, "Net(4)", seed=1)
    state = net.state_dict()
    assert {k: v.shape for k, v in state.items()} == {"fc.weight": (4, 3), "fc.bias": (4,)}
    with pytest.raises(ValueError, match="read-only"):
        state["fc.bias"][0] = 1
    np.testing.assert_allclose(net(X), X @ state["fc.weight"].T + state["fc.bias"], rtol=1e-5, atol=1e-6)
    np.savez(tmp_path / "w.npz", **state)
    for weights in (tmp_path / "w.npz", str(tmp_path / "w.npz"), state):
        np.testing.assert_array_equal(torchcc.compile_file(net_file, "Net(4)", weights=weights)(X), net(X))
    with pytest.raises(torchcc.CompileError, match="do not fit"):
        torchcc.compile_file(net_file, "Net(5)", weights=state)


def test_the_seed_decides_the_initialisation(net_file):
    first, again, other = (torchcc.compile_file(net_file, "Net", seed=s)(X) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_train_and_eval(net_file):
    net = torchcc.compile_file(net_file, seed=1)
    usual = net(X)
    np.testing.assert_allclose(net.train()(X), usual * 2)
    np.testing.assert_allclose(net.eval()(X), usual)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(torchcc.CompileError, match="No such file"):
        torchcc.compile_file(tmp_path / "missing.py")


# threads and environment


def test_many_threads_call_at_once():
    fn = torchcc.compile_source(SOURCE).scale
    failures = []

    def work(seed):
        generator = np.random.default_rng(seed)
        for _ in range(20):
            x = generator.standard_normal((int(generator.integers(1, 5)), 3)).astype(np.float32)
            if not np.array_equal(fn(x, 3.0), x * 3):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert len(fn._compiled) <= 4


def test_number_of_threads():
    before = torchcc.num_threads()
    try:
        torchcc.set_num_threads(3)
        assert torchcc.num_threads() == 3
    finally:
        torchcc.set_num_threads(before)


def run_with(environment, code):
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.strip()


def test_environment(tmp_path):
    code = (
        "import torchcc; f = torchcc.compile_source('def f(n: int) -> int:\\n    return n * 77\\n').f;"
        "print(f(2), torchcc.num_threads())"
    )
    assert run_with({"TORCHCC_NUM_THREADS": "3", "TORCHCC_CACHE_DIR": str(tmp_path / "cache")}, code) == "154 3"
    assert list((tmp_path / "cache").iterdir())
    assert run_with({"TORCHCC_CACHE_DIR": ""}, code).startswith("154 ")


def test_prepared_is_a_call_bound_to_its_values():
    fn = torchcc.compile_source(SOURCE).scale
    values = [X, 2.0, 1]
    np.testing.assert_array_equal(api.prepared(fn, [api.spec_of(v) for v in values], values)(), X * 2 + 1)


# dicts


def test_dicts_as_arguments_and_results():
    fn = torchcc.compile_source(
        "from typing import Dict, Tuple\nfrom torch import Tensor\n\n"
        "def f(t: Dict[str, Tensor], n: Dict[int, int]) -> Tuple[Dict[str, Tensor], int]:\n"
        "    t['new'] = t['a'] * n[1]\n    return t, len(n)\n"
    ).f
    given = {"a": X, "b": X + 1}
    result, count = fn(given, {1: 3})
    assert list(result) == ["a", "b", "new"] and count == 1 and list(given) == ["a", "b"]
    np.testing.assert_array_equal(result["new"], X * 3)
    assert fn({"a": X}, {1: 2, 5: 6})[1] == 2
    with pytest.raises(torchcc.CompileError, match=r"`n\['x' \(a key\)\]|`n \(a key\)` must be int"):
        fn(given, {"x": 3})
    with pytest.raises(torchcc.CompileError, match=r"`t\['a'\]` must be Tensor"):
        fn({"a": 3}, {1: 3})
    with pytest.raises(torchcc.CompileError, match="`t` must be Dict"):
        fn([X], {1: 3})
