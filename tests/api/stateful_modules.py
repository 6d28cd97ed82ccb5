"""Modules whose calls change them, and calls of them: (method, arguments) for PyTorch and torchcc alike."""

from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn


def x(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


CASES = {}


def case(*calls):
    """Registers a module class with calls; a call is a tensor, a tuple of arguments of `forward`, or (method, ...)."""

    def register(cls):
        CASES[cls.__name__] = (cls, calls)
        return cls

    return register


@case(*[x(2, 3)] * 4)
class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.scale = 1.0

    def forward(self, x: Tensor):
        self.count += 1
        self.scale = self.scale * 0.5
        return x * self.count + self.scale, self.count


@case(*[x(4, seed=i) for i in range(7)])
class Ring(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("ring", torch.zeros(3, 4))
        self.at = 0

    def forward(self, x: Tensor):
        self.ring[self.at] = x
        self.at = (self.at + 1) % 3
        return self.ring.sum(0)


@case(*[x(5, seed=i) for i in range(4)], ("reset",), x(5))
class Average(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, x: Tensor):
        self.steps += 1
        self.mean.mul_(0.9).add_(x, alpha=0.1)
        return self.mean / (1 - 0.9**self.steps)

    @torch.jit.export
    def reset(self):
        self.mean.zero_()
        self.steps.fill_(0)


@case(*[x(4, 3, 5, 5, seed=i) for i in range(3)], ("eval!",), x(2, 3, 5, 5), ("train!",), x(4, 3, 5, 5))
class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.BatchNorm2d(3)
        self.b = nn.BatchNorm2d(3, momentum=None)
        self.c = nn.InstanceNorm2d(3, track_running_stats=True)

    def forward(self, x: Tensor):
        return self.c(self.b(self.a(x) * 2))


@case(*[x(1, 2, 4, seed=i) for i in range(6)], ("clear",), x(1, 2, 4))
class Cache(nn.Module):
    def __init__(self):
        super().__init__()
        self.keys: Tensor = torch.zeros(1, 0, 4)
        self.values: Tensor = torch.zeros(1, 0, 4)

    def forward(self, x: Tensor):
        self.keys = torch.cat([self.keys, x * 2], 1)
        self.values = torch.cat([self.values, x + 1], 1)
        weights = torch.softmax(x @ self.keys.transpose(1, 2), -1)
        return weights @ self.values

    @torch.jit.export
    def clear(self):
        self.keys = torch.zeros(1, 0, 4)
        self.values = torch.zeros(1, 0, 4)


@case(x(3), x(3, seed=1), ("clear",), x(3, seed=2))
class Maybe(nn.Module):
    last: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.last = None

    def forward(self, x: Tensor):
        last = self.last
        if last is None:
            result = x
        else:
            result = x - last
        self.last = x
        return result

    @torch.jit.export
    def clear(self):
        self.last = None


@case(x(3), x(3, seed=1), x(3, seed=2))
class Appends(nn.Module):
    history: List[Tensor]

    def __init__(self):
        super().__init__()
        self.history = []
        self.sizes = [1, 2]

    def forward(self, x: Tensor):
        self.history.append(x)
        self.sizes.append(self.sizes[-1] + self.sizes[-2])
        return torch.stack(self.history).sum(0), self.sizes


@case(x(3), x(3, seed=1), ("get", "a"), ("put", "z", x(3)), x(3))
class Table(nn.Module):
    table: Dict[str, Tensor]

    def __init__(self):
        super().__init__()
        self.table = {"a": torch.zeros(3), "b": torch.ones(3)}
        self.hits: Dict[str, int] = {"a": 0}

    def forward(self, x: Tensor):
        self.table["a"] = self.table["a"] + x
        self.table["b"].mul_(x)
        self.hits["a"] += 1
        return self.table["a"] * self.table["b"], self.hits["a"]

    @torch.jit.export
    def get(self, key: str):
        return self.table[key]

    @torch.jit.export
    def put(self, key: str, value: Tensor):
        self.table[key] = value
        return len(self.table)


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("h", torch.zeros(3))
        self.calls = 0

    def forward(self, x: Tensor):
        self.calls += 1
        self.h = torch.tanh(x + self.h)
        return self.h


@case(*[x(3, seed=i) for i in range(3)], ("left", x(3)), x(3))
class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Cell()
        self.second = Cell()
        self.cells = nn.ModuleList([self.first, Cell()])

    def forward(self, x: Tensor):
        for cell in self.cells:
            x = cell(x)
        return self.second(x), self.first.calls

    @torch.jit.export
    def left(self, x: Tensor):
        return self.first(x)


@case(x(3), x(3, seed=1), ("swap",), x(3))
class SharedTensor(nn.Module):
    def __init__(self):
        super().__init__()
        t = torch.zeros(3)
        self.register_buffer("a", t)
        self.register_buffer("b", t)
        self.register_buffer("c", torch.ones(3))

    def forward(self, x: Tensor):
        self.a += x
        return self.b * 2, self.c

    @torch.jit.export
    def swap(self):
        self.a, self.c = self.c, self.a


@case(("tie",), x(3), x(3, seed=1), ("untie",), x(3), ("tie",), x(3))
class TiedLater(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.zeros(3))
        self.register_buffer("b", torch.ones(3))

    def forward(self, x: Tensor):
        self.a.add_(x)
        return self.a, self.b

    @torch.jit.export
    def tie(self):
        self.b = self.a

    @torch.jit.export
    def untie(self):
        self.b = self.a.clone()


@case(x(3), x(3), x(3), x(3))
class Toggle(nn.Module):
    label: Optional[str]

    def __init__(self):
        super().__init__()
        self.on = False
        self.name = "off"
        self.label = None

    def forward(self, x: Tensor):
        self.on = not self.on
        self.label = self.name
        self.name = "on" if self.on else "off"
        return (x if self.on else -x), self.on


@case(x(3), -x(3), x(3), -x(3))
class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.positive = 0
        self.flag = False
        self.register_buffer("total", torch.zeros(3))
        self.peak = -1e9

    def forward(self, x: Tensor):
        if bool(x.sum() > 0):
            self.positive += 1
            self.total += x
        else:
            self.total = self.total * 0.5
        self.flag = bool(x[0] > 0)
        self.peak = max(self.peak, float(x.max()))
        return self.total * self.positive, self.flag, self.peak


@case((x(3), 1), (x(3), 5), (x(3), 3), (x(3), 0))
class Loops(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = 0
        self.register_buffer("acc", torch.zeros(3))

    def forward(self, x: Tensor, n: int):
        for i in range(n):
            self.steps += i
            self.acc = self.acc * 0.5 + x
            self.acc += 1
        return self.acc, self.steps


@case(x(3), x(3, seed=1), x(4), x(4))
class Shapes(nn.Module):
    def __init__(self):
        super().__init__()
        self.state: Tensor = torch.zeros(0)

    def forward(self, x: Tensor):
        if self.state.size(0) != x.size(0):
            self.state = torch.zeros(x.size(0), 2)
        self.state = self.state + x.unsqueeze(1)
        return self.state.sum(1)


@case(x(2, 3), x(2, 3, seed=1))
class Tuples(nn.Module):
    state: Tuple[Tensor, Tensor]

    def __init__(self):
        super().__init__()
        self.state = (torch.zeros(2, 3), torch.zeros(2, 3))
        self.pair: Tuple[int, str] = (0, "a")

    def forward(self, x: Tensor):
        h, c = self.state
        c = c * 0.5 + x
        h = torch.tanh(c) + h
        self.state = (h, c)
        self.pair = (self.pair[0] + 1, self.pair[1])
        return h, self.pair[0]


@case(x(2, 1, 4), x(2, 1, 4, seed=1), ("reset",), x(3, 1, 4))
class Recurrent(nn.Module):
    hidden: Optional[Tuple[Tensor, Tensor]]

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, batch_first=True)
        self.hidden = None

    def forward(self, x: Tensor):
        y, hidden = self.lstm(x, self.hidden)
        self.hidden = (hidden[0].detach(), hidden[1].detach())
        return y

    @torch.jit.export
    def reset(self):
        self.hidden = None


@case(x(3, 4), x(3, 4, seed=1), x(3, 4, seed=2))
class Slices(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.zeros(3, 6))

    def forward(self, x: Tensor):
        self.window[:, :-4] = self.window[:, 4:].clone()
        self.window[:, -4:] = x
        self.window.select(0, 1).mul_(2)
        return self.window


@case(x(4), x(4, seed=1))
class Roll(nn.Module):
    def __init__(self):
        super().__init__()
        self.context: Tensor = torch.zeros(2)

    def forward(self, x: Tensor):
        joined = torch.cat([self.context, x])
        self.context = joined[-2:]
        return joined


@case(x(2), x(2), ("double", 3), x(2))
class Exported(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = 2

    def forward(self, x: Tensor):
        return self.scaled(x)

    def scaled(self, x: Tensor):
        return x * self.k

    @torch.jit.export
    def double(self, k: int):
        self.k = self.k * k
        return self.k


@case(x(3), x(3), x(3))
class Metadata(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("row", torch.arange(6.0).reshape(2, 3))

    def forward(self, x: Tensor):
        self.row.t_()
        return self.row * 2


@case(x(3), x(3, seed=3))
class ParameterStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, x: Tensor):
        self.w.sub_(0.1 * x)
        return self.w.sum()


@case(x(2, 8, seed=1), x(2, 8, seed=2))
class SharedModule(nn.Module):
    def __init__(self):
        super().__init__()
        norm = nn.BatchNorm1d(8)
        self.one, self.two = norm, norm

    def forward(self, x: Tensor):
        return self.two(self.one(x))


@case(x(3), x(3), x(3))
class ListOfState(nn.Module):
    states: List[Tensor]

    def __init__(self):
        super().__init__()
        self.states = [torch.zeros(3), torch.ones(3)]

    def forward(self, x: Tensor):
        for i in range(len(self.states)):
            self.states[i] = self.states[i] * 0.5 + x
        self.states[0].add_(1)
        return self.states[0] + self.states[1]


@case(x(3), x(3), x(3), x(3))
class Queue(nn.Module):
    queue: List[Tensor]

    def __init__(self):
        super().__init__()
        self.queue = []

    def forward(self, x: Tensor):
        self.queue.append(x)
        if len(self.queue) > 2:
            self.queue.pop(0)
        return torch.stack(self.queue).mean(0), len(self.queue)


@case(x(3), x(3), ("reset",), x(3))
class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.register_buffer("idx", torch.zeros(4, dtype=torch.long))
        self.register_buffer("mask", torch.zeros(4, dtype=torch.bool))
        self.register_buffer("narrow", torch.zeros(3, dtype=torch.bfloat16))

    def forward(self, x: Tensor):
        self.idx[self.count] = self.count
        self.mask[self.count] = True
        self.narrow = self.narrow + x.to(torch.bfloat16)
        self.count += 1
        return self.idx, self.mask, self.narrow.float()

    @torch.jit.export
    def reset(self):
        self.count = 0
        self.mask.zero_()


@case((x(2), 2), (x(2), 3), (x(2), 2))
class StaticInteger(nn.Module):
    """A number in the state that is needed to compile."""

    def __init__(self):
        super().__init__()
        self.dim = 0

    def forward(self, x: Tensor, n: int):
        y = x.unsqueeze(self.dim) * n
        self.dim = 1 - self.dim
        return y


@case((x(3), [x(3)], {"a": x(3)}), (x(3), [x(3), x(3)], {"a": x(3)}))
class KeepsArguments(nn.Module):
    kept: List[Tensor]

    def __init__(self):
        super().__init__()
        self.kept = []
        self.table: Dict[str, Tensor] = {"q": torch.zeros(1)}

    def forward(self, x: Tensor, xs: List[Tensor], table: Dict[str, Tensor]):
        self.kept = xs
        self.table = table
        self.kept.append(x)
        return len(self.kept), self.table["a"]


@case(x(3), x(3))
class SharedList(nn.Module):
    a: List[int]
    b: List[int]

    def __init__(self):
        super().__init__()
        self.a = [1]
        self.b = [2]

    def forward(self, x: Tensor):
        self.b = self.a
        self.a.append(len(self.b))
        return x + self.b[-1], len(self.b)


@case(*[x(1, 3, seed=i) for i in range(4)])
class Attention(nn.Module):
    """A cache of fixed size, filled at a position."""

    def __init__(self):
        super().__init__()
        self.register_buffer("k", torch.zeros(4, 3))
        self.register_buffer("v", torch.zeros(4, 3))
        self.at = 0

    def forward(self, x: Tensor):
        self.k[self.at : self.at + 1] = x
        self.v[self.at : self.at + 1] = x * 2
        self.at += 1
        k, v = self.k[: self.at], self.v[: self.at]
        return torch.softmax(x @ k.t(), -1) @ v


@case(x(3), x(3), ("mode", "sum"), x(3), x(3))
class Mode(nn.Module):
    def __init__(self):
        super().__init__()
        self.how = "product"
        self.register_buffer("acc", torch.ones(3))

    def forward(self, x: Tensor):
        if self.how == "sum":
            self.acc += x
        else:
            self.acc *= x
        return self.acc

    @torch.jit.export
    def mode(self, how: str):
        self.how = how


@case(x(3), x(3))
class DropsGradients(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor):
        with torch.no_grad():
            self.seen.add_(1)
            y = self.fc(x)
        return y, self.seen


@case(x(2), x(2), x(2))
class NestedLists(nn.Module):
    grid: List[List[Tensor]]
    by: Dict[str, List[int]]

    def __init__(self):
        super().__init__()
        self.grid = [[torch.zeros(2)], [torch.ones(2), torch.zeros(2)]]
        self.by = {"a": [1], "b": []}

    def forward(self, x: Tensor):
        self.grid[0][0] = self.grid[0][0] + x
        self.grid[1].append(x)
        self.by["b"].append(len(self.grid[1]))
        self.by["a"][0] += 1
        return self.grid[0][0], self.by


@case(x(2), -x(2), x(2), x(2, seed=1), x(2, seed=2))
class AppendsSometimes(nn.Module):
    items: List[Tensor]

    def __init__(self):
        super().__init__()
        self.items = []
        self.n = 0

    def forward(self, x: Tensor):
        if bool(x[0] > 0):
            self.items.append(x)
            self.n = len(self.items)
        return self.n


@case((x(3), 3), (x(3), 0), (x(3), 1))
class WhileLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.total = 0
        self.register_buffer("b", torch.zeros(3))

    def forward(self, x: Tensor, n: int):
        while n > 0:
            self.total += n
            self.b[n - 1] += x[n - 1]
            n -= 1
        return self.total, self.b


class Point(NamedTuple):
    a: Tensor
    n: int


@case(x(3), x(3))
class Named(nn.Module):
    p: Point

    def __init__(self):
        super().__init__()
        self.p = Point(torch.zeros(3), 1)

    def forward(self, x: Tensor):
        self.p = Point(self.p.a + x, self.p.n + 1)
        return self.p.a * self.p.n


@case(x(3), x(3))
class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        self.sub = nn.Linear(3, 3)
        self.child = Child()

    def forward(self, x: Tensor):
        self.child.k = self.child.k + 1
        self.child.t = self.sub(x)
        return self.child(x) + self.child.t


class Child(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = 0
        self.t = torch.zeros(3)

    def forward(self, x: Tensor):
        return x * self.k


def poke(t: Tensor) -> Tensor:
    v = t.view(-1)
    v[0] += 1
    t.select(0, 1).mul_(2)
    return v


@case(x(2), x(2))
class ThroughViews(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("b", torch.ones(2, 2))

    def forward(self, x: Tensor):
        v = poke(self.b)
        self.b.t()[0] += x
        self.b.unsqueeze(0).transpose(1, 2).add_(0.5)
        return v, self.b


@case(x(2), x(2))
class ArgumentKept(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(2)

    def forward(self, x: Tensor):
        y = x.clone()
        old = self.h
        self.h = y
        y.add_(1)
        return old + self.h


@case(x(2, 3), x(2, 3))
class Transposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3, 2)

    def forward(self, x: Tensor):
        self.h.mul_(0.5)
        self.h = (x * 1).t() + self.h
        return self.h.sum(1)


@case(x(2, 3), x(2, 3), x(2, 3))
class TransposedKept(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3, 2)

    def forward(self, x: Tensor):
        self.h.mul_(0.5)
        self.h = (x + self.h.t()).t()
        return self.h.sum(1)


@case(x(3), x(3), x(3))
class EarlyReturn(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = 0
        self.warm = False

    def forward(self, x: Tensor) -> Tensor:
        self.n += 1
        if self.n < 2:
            return x
        self.warm = True
        if not self.warm:
            return x * 2
        self.n *= 2
        return x * self.n


@case(x(3), x(3), -x(3))
class OptionalsInBranches(nn.Module):
    best: Optional[Tensor]
    when: Optional[int]

    def __init__(self):
        super().__init__()
        self.best = None
        self.when = None
        self.t = 0

    def forward(self, x: Tensor):
        best = self.best
        if best is None or bool(x.sum() > best.sum()):
            self.best = x
            self.when = self.t
        self.t += 1
        return self.best, self.when


@case(x(3), x(3), -x(3), x(3))
class RunTimeNone(nn.Module):
    best: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.best = None

    def forward(self, x: Tensor):
        if bool(x.sum() > 0):
            self.best = x
        else:
            self.best = None
        return self.best


@case(x(3), x(3), ("pick", 1), ("pick", 0))
class ManyDtypes(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("i8", torch.zeros(3, dtype=torch.int8))
        self.register_buffer("u8", torch.zeros(3, dtype=torch.uint8))
        self.register_buffer("f16", torch.zeros(3, dtype=torch.float16))
        self.register_buffer("f64", torch.zeros(3, dtype=torch.float64))
        self.register_buffer("b", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor):
        self.i8 -= 1
        self.u8 -= 1
        self.f16 += x.to(torch.float16)
        self.f64.add_(x)
        self.b.logical_not_()
        return self.i8, self.u8, self.f64, self.b

    @torch.jit.export
    def pick(self, i: int):
        return int(self.u8[i]), float(self.f64[i]), bool(self.b)


@case(x(4), x(4))
class SwapSublists(nn.Module):
    a: List[Tensor]
    b: List[Tensor]

    def __init__(self):
        super().__init__()
        self.a = [torch.zeros(4)]
        self.b = [torch.ones(4)]

    def forward(self, x: Tensor):
        self.a, self.b = self.b, self.a
        self.a.append(x)
        self.b[0] += x
        return len(self.a), len(self.b), self.a[0]


@case(x(3), x(3), x(3))
class DictOfInts(nn.Module):
    d: Dict[int, float]

    def __init__(self):
        super().__init__()
        self.d = {}

    def forward(self, x: Tensor):
        self.d[len(self.d)] = float(x[0])
        return len(self.d)


@case(x(3), x(3))
class Copies(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.zeros(3))
        self.register_buffer("b", torch.zeros(3))

    def forward(self, x: Tensor):
        self.a.copy_(x)
        self.b.copy_(self.a * 2 + self.b)
        torch.add(self.a, self.b, out=self.a)
        return self.a


@case(x(3), x(3), x(3))
class DefaultsAndKwargs(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 1.5
        self.eps: float = 1e-3

    def forward(self, x: Tensor, add: float = 2.0):
        self.scale = self.scale * add + self.eps
        self.eps /= 2
        return x * self.scale


@case(x(5, 4), x(5, 4), x(2, 4))
class RunTimeLengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.kept = torch.zeros(0, 4)

    def forward(self, x: Tensor):
        self.kept = torch.cat([self.kept, x[x[:, 0] > 0]])
        return self.kept.sum(0), self.kept.size(0)


@case(x(3), x(3))
class ConstantFromCode(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3)
        self.register_buffer("initial", torch.ones(3))

    def forward(self, x: Tensor):
        self.h = self.initial
        self.h = self.h + x
        return self.h

    @torch.jit.export
    def restart(self):
        self.h = self.initial


@case(("restart",), x(3), ("restart",), x(3), x(3))
class SharedInitial(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3)
        self.register_buffer("initial", torch.ones(3))

    def forward(self, x: Tensor):
        self.h.add_(x)
        return self.h, self.initial

    @torch.jit.export
    def restart(self):
        self.h = self.initial


@case(x(1, 1, 8), x(1, 1, 8), x(1, 1, 4))
class StreamingConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 3)
        self.register_buffer("left", torch.zeros(1, 1, 2))

    def forward(self, x: Tensor):
        y = torch.cat([self.left, x], -1)
        self.left = y[..., -2:]
        return self.conv(y)


@case(x(2, 3), x(2, 3), x(4, 3))
class GRUState(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 3)
        self.h: Tensor = torch.zeros(2, 3)

    def forward(self, x: Tensor):
        if self.h.shape[0] != x.shape[0]:
            self.h = x.new_zeros([x.shape[0], 3])
        self.h = self.cell(x, self.h)
        return self.h


@case(x(3), ("restart",), x(3), x(3), ("restart",), x(3))
class SharedAfterwards(nn.Module):
    names: List[str]
    first: List[str]

    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3)
        self.register_buffer("initial", torch.ones(3))
        self.names = []
        self.first = ["a"]

    def forward(self, x: Tensor):
        self.h.add_(x)
        self.names.append("b")
        return self.h, self.initial, len(self.names), len(self.first)

    @torch.jit.export
    def restart(self):
        self.h = self.initial
        self.names = self.first
