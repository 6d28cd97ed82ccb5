"""Enums, interfaces, script classes, hooks and `__setstate__` in archives that PyTorch saves, against PyTorch."""

import io
from enum import Enum
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.api import ScriptFunction, bind
from torchcc.frontend.archive import extra_files, load
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.interpreters.torch import Interpreter

torch = pytest.importorskip("torch", reason="PyTorch saves the archives and tells what they compute")
nn = torch.nn
Tensor = torch.Tensor

pytestmark = pytest.mark.filterwarnings("ignore")


def saved(module, **extra):
    buffer = io.BytesIO()
    torch.jit.save(module, buffer, **extra)
    return buffer.getvalue()


def as_numpy(value):
    if isinstance(value, list | tuple):
        return type(value)(as_numpy(v) for v in value)
    return value.numpy() if isinstance(value, torch.Tensor) else value


def agrees(module, *args, native=True):
    """Both ways of running give what PyTorch gives for the same archive."""
    data = saved(module)
    with torch.no_grad():
        expected = torch.jit.load(io.BytesIO(data))(*args)
    program = load(data)
    values = [as_numpy(a) for a in args]
    found = [Interpreter(driver.composite).run_program(program, bind(program, values, {}))]
    if native:
        found.append(ScriptFunction(program)(*values))
    for got in found:
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-5, atol=1e-6)
    return program


X = torch.arange(3.0) - 1


@torch.jit.interface
class Step(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Plus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


class Times(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), factor))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Chosen(nn.Module):
    fixed: Step

    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([Plus(), Times(2.0), Times(3.0)])
        self.named = nn.ModuleDict({"plus": Plus(), "times": Times(4.0)})
        self.fixed = Times(5.0)

    def forward(self, x: Tensor, i: int, name: str):
        step: Step = self.steps[i]
        other: Step = self.named[name]
        return other.forward(step.forward(x)) + self.fixed.forward(x)


@pytest.mark.parametrize(("i", "name"), [(0, "plus"), (1, "times"), (2, "plus")])
def test_modules_by_a_run_time_index(i, name):
    agrees(torch.jit.script(Chosen()), X, i, name)


def test_a_module_that_is_not_there():
    program = load(saved(torch.jit.script(Chosen())))
    for i, name in ((3, "plus"), (-1, "plus"), (0, "minus")):
        with pytest.raises(torchcc.TorchccError, match="does not have a field"):
            ScriptFunction(program)(X.numpy(), i, name)


class Color(Enum):
    RED = 1
    GREEN = 2


class Mode(Enum):
    SUM = "sum"
    MEAN = "mean"


class Scale(Enum):
    HALF = 0.5
    DOUBLE = 2.0


class Enums(nn.Module):
    colors: List[Color]
    last: Optional[Color]

    def __init__(self):
        super().__init__()
        self.color, self.mode, self.scale = Color.GREEN, Mode.MEAN, Scale.DOUBLE
        self.colors = [Color.GREEN, Color.RED]
        self.table = {"a": Color.RED}
        self.last = None

    def chosen(self, mode: Mode) -> Mode:
        return Mode.SUM if mode == Mode.MEAN else mode

    def forward(self, x: Tensor, color: Color = Color.RED):
        if color == self.color:
            x = x + 100
        if color != Color.GREEN:
            x = x * 3
        for c in Color:
            x = x + c.value * len(c.name)
        if self.colors[0] == self.color and self.table["a"] != self.color:
            x = x * self.scale.value
        if self.chosen(self.mode).value == "sum":
            x = x + x.sum()
        last = self.last
        if last is not None:
            x = x * last.value
        return x


def test_enums():
    program = agrees(torch.jit.script(Enums()), X)
    assert str(program.receiver.attributes["mode"]) == f"__torch__.{__name__}.Mode.MEAN".replace("__torch__.__main__", "__torch__")


def test_enums_as_arguments():
    module = Enums()
    function = ScriptFunction(load(saved(torch.jit.script(module))))
    for color in Color:
        np.testing.assert_allclose(function(X.numpy(), color), module(X, color))
    with pytest.raises(CompileError, match="must be a member of the enum"):
        function(X.numpy(), Mode.SUM)


class Pair:
    def __init__(self, scale: int, shift: Tensor):
        self.scale = scale
        self.shift = shift
        self.used: List[int] = []

    def apply(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


@torch.jit.interface
class Applied:
    def apply(self, x: Tensor) -> Tensor:
        pass


def twice(f: Applied, x: Tensor) -> Tensor:
    return f.apply(f.apply(x))


class Objects(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair = torch.jit.script(Pair)(3, torch.ones(3))

    def forward(self, x: Tensor):
        other = Pair(2, x)
        return twice(self.pair, x) + twice(other, x) + self.pair.scale


def test_script_classes_and_interfaces():
    program = agrees(torch.jit.script(Objects()), X)
    assert program.receiver.attributes["pair"].attributes["scale"] == 3


class Point(NamedTuple):
    x: Tensor
    k: int = 2


class Tuples(nn.Module):
    point: Point
    points: List[Point]
    table: Dict[str, Point]
    maybe: Optional[Point]

    def __init__(self):
        super().__init__()
        self.point = Point(torch.ones(3), 4)
        self.points = [Point(torch.zeros(3)), Point(torch.ones(3), 3)]
        self.table = {"p": Point(torch.full((3,), 2.0), 5)}
        self.maybe = Point(torch.ones(3))

    def forward(self, x: Tensor):
        for p in self.points:
            x = x * p.k + p.x
        a, b = self.table["p"]
        maybe = self.maybe
        if maybe is not None:
            x = x + maybe.k
        return x + a * b + self.point.x * self.point.k


def test_named_tuples():
    agrees(torch.jit.script(Tuples()), X)


# hooks


class Hooked(nn.Module):
    def forward(self, x: Tensor, k: int = 2):
        return x + k


def before(self, input: Tuple[Tensor, int]) -> Tuple[Tensor, int]:
    return (input[0] * 2, input[1] + 1)


def before_again(self, input: Tuple[Tensor, int]) -> Tuple[Tensor, int]:
    return (input[0] + 10, input[1])


def look(self, input: Tuple[Tensor, int], output: Tensor) -> Tensor:
    return output * input[1]


def ignore(self, input: Tuple[Tensor, int], output: Tensor) -> None:
    assert output.size(0) == 3


class Outer(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor):
        return self.inner(x, 3) * 2


def hooked():
    module = Hooked()
    module.register_forward_pre_hook(before)
    module.register_forward_pre_hook(before_again)
    module.register_forward_hook(look)
    module.register_forward_hook(ignore)
    return module


def test_hooks_of_the_outermost_module():
    program = agrees(torch.jit.script(hooked()), X, 3)
    assert [p.name for p in program.schema.arguments] == ["x", "k"] and program.schema.arguments[1].default == 2
    assert program.methods.method_names(program.receiver.type) == ["forward"]


def test_hooks_of_inner_modules_too():
    def outer_before(self, input: Tuple[Tensor]) -> Tensor:
        return input[0] - 1

    module = Outer(hooked())
    module.register_forward_pre_hook(outer_before)
    agrees(torch.jit.script(module), X)


# __setstate__


class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.k = torch.arange(3.0), 3
        self.names = ["a", "b"]

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.k, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, int, bool]):
        self.weight = state[0].t() * 2 + 1
        self.k = state[1]
        self.names = ["x"] * state[1]
        self.training = state[2]

    def forward(self, x: Tensor):
        return x * self.weight + self.k + len(self.names)


def test_setstate():
    program = agrees(torch.jit.script(Kept()), X)
    np.testing.assert_array_equal(program.receiver.attributes["weight"].array, [1, 3, 5])
    assert program.receiver.attributes["names"] == ["x"] * 3


def test_setstate_of_inner_modules():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = Kept(), Kept()
            self.b.k = 5

        def forward(self, x: Tensor):
            return self.a(x) - self.b(x)

    agrees(torch.jit.script(Two()), X)


def test_setstate_that_keeps_the_tensor():
    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.arange(3.0)

        @torch.jit.export
        def __getstate__(self):
            return (self.weight, self.training)

        @torch.jit.export
        def __setstate__(self, state: Tuple[Tensor, bool]):
            self.weight, self.training = state

        def forward(self, x: Tensor):
            return x * self.weight

    agrees(torch.jit.script(Same()), X)


def test_setstate_of_script_classes():
    @torch.jit.script
    class Stack:
        def __init__(self, n: int):
            self.items = [n]

        def top(self) -> int:
            return self.items[-1]

        def __getstate__(self) -> List[int]:
            return self.items

        def __setstate__(self, state: List[int]) -> None:
            self.items = state + [7]

    class Uses(nn.Module):
        def __init__(self):
            super().__init__()
            self.stack = Stack(3)

        def forward(self, x: Tensor):
            return x + self.stack.top()

    agrees(torch.jit.script(Uses()), X)


# what stands beside the model


def test_extra_files(tmp_path):
    path = tmp_path / "m.pt"
    path.write_bytes(saved(torch.jit.script(Plus()), _extra_files={"labels/names.txt": "a\nb", "raw": b"\x00\xff"}))
    assert extra_files(path) == {"labels/names.txt": b"a\nb", "raw": b"\x00\xff"}


# the lines of the author


def broken(x: Tensor, k: int):
    scaled = x * 2
    return scaled.view(k, 7)


def test_errors_show_the_line_of_the_author():
    program = load(saved(torch.jit.script(broken)))
    with pytest.raises(torchcc.TorchccError) as error:
        ScriptFunction(program)(np.ones(3, np.float32), 2)
    text = str(error.value)
    assert "test_archive_classes.py" in text and "return scaled.view(k, 7)" in text and "stored as <bytes>/code/" in text


def test_the_lines_of_the_author_are_those_of_pytorch():
    data = saved(torch.jit.script(broken))
    with pytest.raises(RuntimeError) as theirs:
        torch.jit.load(io.BytesIO(data))(torch.ones(3), 2)
    line = next(w for w in str(theirs.value).partition("original code")[2].split(",") if w.startswith(" line "))
    with pytest.raises(torchcc.TorchccError) as ours:
        ScriptFunction(load(data))(np.ones(3, np.float32), 2)
    assert f"test_archive_classes.py:{line.split()[1]}:" in str(ours.value)


def test_hooks_of_a_submodule_that_is_called_itself():
    data = saved(torch.jit.script(Outer(hooked())))
    theirs, ours = torch.jit.load(io.BytesIO(data)), torchcc.load(data)
    np.testing.assert_allclose(ours.inner(X.numpy(), 3), theirs.inner(X, 3).numpy())
    np.testing.assert_allclose(ours.inner.forward(X.numpy(), 3), theirs.inner.forward(X, 3).numpy())
    np.testing.assert_allclose(ours(X.numpy()), theirs(X).numpy())


def test_forward_of_the_outermost_module_runs_no_hooks():
    data = saved(torch.jit.script(hooked()))
    theirs, ours = torch.jit.load(io.BytesIO(data)), torchcc.load(data)
    for _ in range(2):
        np.testing.assert_allclose(ours.forward(X.numpy(), 3), theirs.forward(X, 3).numpy())
        np.testing.assert_allclose(ours(X.numpy(), 3), theirs(X, 3).numpy())


# fork, with


def scaled(x: Tensor, k: int) -> Tensor:
    return x * k


class Forks(nn.Module):
    def __init__(self):
        super().__init__()
        self.times = Times(2.0)

    def forward(self, x: Tensor):
        first = torch.jit.fork(torch.relu, x)
        second = torch.jit.fork(self.times, x)
        futures: List[torch.jit.Future[Tensor]] = []
        for i in range(3):
            futures.append(torch.jit.fork(scaled, x, i))
        y = torch.jit.wait(first) - torch.jit.wait(second)
        for f in futures:
            y = y + torch.jit.wait(f)
        return y


def test_forks():
    agrees(torch.jit.script(Forks()), X)


class Counter:
    def __init__(self, n: int):
        self.n = n

    def __enter__(self) -> int:
        self.n += 1
        return self.n

    def __exit__(self, type: Any, value: Any, tb: Any) -> None:
        self.n += 10


class Withs(nn.Module):
    def forward(self, x: Tensor, k: int = 3):
        counter = Counter(k)
        with counter as a, Counter(5) as b:
            y = x * a + b
        for _ in range(2):
            with counter as c:
                y = y + c
        with torch.no_grad():
            y = y * 2
        with torch.autograd.profiler.record_function("part"):
            y = y + counter.n
        return y


def test_objects_of_with():
    agrees(torch.jit.script(Withs()), X)


class PreparedForOneDnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        weights = torch.ones(2, 2, 3, 3), torch.ones(2)
        self.packed = torch.ops.mkldnn_prepacked.conv2d_prepack(*weights, [1, 1], [0, 0], [1, 1], 1, [1, 2, 8, 8], "none")

    def forward(self, x):
        return torch.ops.mkldnn_prepacked.conv2d_run(x, self.packed)


def test_classes_of_the_library_are_named():
    with pytest.raises(CompileError, match=r"`mkldnn\.ConvOpContext` of PyTorch's C\+\+ library"):
        load(saved(torch.jit.script(PreparedForOneDnn())))
