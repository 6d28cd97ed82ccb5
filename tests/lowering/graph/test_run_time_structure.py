"""Values whose structure depends on a run-time condition: None or a tensor, rank, dtype, lists, objects, early returns.

Each program is lowered once, verified after every pass, and run at every stage for several arguments; torch decides.
"""

import copy

import numpy as np
import pytest

from torchcc.backend.cpu.jit import compile_module
from torchcc.driver import composite, lower
from torchcc.frontend.compile import compile_text
from torchcc.ir.core import lookup
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.script_types import BOOL, FLOAT, INT
from torchcc.ir.signature import ScalarSpec, TensorSpec, rebuild

PRELUDE = (
    "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
    "from torch import Tensor\nfrom typing import Any, Dict, List, Optional, Tuple, Union\n"
)
X = np.random.RandomState(0).randn(2, 3).astype(np.float32)

PROGRAMS = {}


def program(name, source, *values, tensors=(X,)):
    PROGRAMS[name] = (source, [(*tensors, *(v if isinstance(v, tuple) else (v,))) for v in values])


# None beside a value

program("none_then_tensor", """
def f(x, n: int):
    y: Optional[Tensor] = None
    if n > 1:
        y = x
    if y is None:
        return x * 2
    return y
""", 1, 2)
program("none_asserted", """
def f(x, n: int):
    y: Optional[Tensor] = None
    if n > 1:
        y = x + 1
    assert y is not None
    return y
""", 1, 2)
program("none_and_condition", """
def f(x, n: int):
    y: Optional[Tensor] = None
    if n > 1:
        y = x * n
    if y is not None and y.sum() > 0:
        return y - 1
    return x
""", 1, 2, -5)
program("none_or_condition", """
def f(x, n: int):
    y: Optional[Tensor] = None
    if n > 1:
        y = x * n
    if y is None or bool(y.sum() > 100):
        return x
    return y - 1
""", 1, 2)
program("none_number", """
def f(x, n: int):
    k: Optional[int] = None
    if n > 1:
        k = n * 3
    if k is None:
        k = 7
    return x * k, k
""", 1, 2)
program("none_float_unwrapped", """
def f(x, n: int):
    k: Optional[float] = None
    if n > 1:
        k = 0.5
    return x * torch.jit._unwrap_optional(k)
""", 1, 2)
program("none_given_on", """
def g(x, mask: Optional[Tensor]):
    if mask is not None:
        x = x.masked_fill(mask, 0.0)
    return x
def f(x, n: int):
    mask: Optional[Tensor] = None
    if n > 1:
        mask = x > 0
    return g(x, mask) + g(x * 2, None)
""", 1, 2)
program("none_to_operator", """
def f(x, n: int):
    b: Optional[Tensor] = None
    if n > 1:
        b = x[0]
    return F.layer_norm(x, [3], b, None)
""", 1, 2)
program("none_returned", """
def f(x, n: int) -> Optional[Tensor]:
    if n > 1:
        return x + 1
    return None
""", 1, 2)
program("none_returned_in_tuple", """
def f(x, n: int) -> Tuple[Tensor, Optional[Tensor], Optional[int]]:
    y: Optional[Tensor] = None
    k: Optional[int] = None
    if n > 1:
        y = x.sum(0)
    if n > 2:
        k = n
    return x, y, k
""", 1, 2, 3)
program("two_optionals_one_condition", """
def f(x, n: int):
    a: Optional[Tensor] = None
    b: Optional[Tensor] = None
    if n > 1:
        a = x + 1
        b = x * 2
    if a is not None:
        assert b is not None
        return a + b
    return x
""", 1, 2)
program("optional_set_twice", """
def f(x, n: int):
    y: Optional[Tensor] = None
    if n > 1:
        y = x * 3
    if n > 2:
        y = None
    if n > 3:
        y = x[0]
    if y is None:
        return x.sum()
    return y.sum()
""", 1, 2, 3, 4)
program("optional_tuple", """
def f(x, n: int):
    s: Optional[Tuple[Tensor, Tensor]] = None
    if n > 1:
        s = (x, x * n)
    if s is None:
        s = (x + 1, x + 2)
    a, b = s
    return a - b
""", 1, 2)
program("optional_list", """
def f(x, n: int):
    l: Optional[List[Tensor]] = None
    if n > 1:
        l = [x, x + 1]
    if l is not None:
        l.append(x * n)
        return torch.cat(l)
    return x
""", 1, 2)

# rank and dtype

program("rank", """
def f(x, n: int):
    y = x
    if n > 1:
        y = x[0]
    return y + 1
""", 1, 2)
program("rank_made_equal", """
def f(x, n: int):
    y = x
    if n > 1:
        y = x[0]
    y = torch.relu(y + 1)
    if y.dim() == 1:
        y = y.unsqueeze(0)
    return y * 2 + x
""", 1, 2)
program("rank_of_three", """
def f(x, n: int):
    y = x
    if n == 1:
        y = x[0]
    elif n == 2:
        y = x.sum()
    elif n == 3:
        y = x.unsqueeze(0)
    return y.reshape(-1), y.dim(), y.numel()
""", 0, 1, 2, 3)
program("rank_with_indices", """
def f(x, n: int):
    y = x
    if n > 1:
        y = x.unsqueeze(1)
    return y[..., 0], y[0], y[:, :1].sum(-1, keepdim=True)
""", 1, 2)
program("dtype", """
def f(x, n: int):
    y = x
    if n > 1:
        y = (x * 10).to(torch.int64)
    return y * 2, y.sum(), y.is_floating_point()
""", 1, 2)
program("dtype_by_argument", """
def f(x, n: int):
    d = torch.float32
    if n > 1:
        d = torch.float64
    if n > 2:
        d = torch.int32
    return (x * 3).to(d), torch.zeros([2], dtype=d)
""", 1, 2, 3)
program("dtype_same_after", """
def f(x, n: int):
    y = x > 0
    if n > 1:
        y = y.to(torch.int64)
    return y.to(torch.float32) + x
""", 1, 2)
program("squeeze_by_data", """
def f(x, least):
    y = x[x[:, 0] > least].squeeze(0)
    return y, y.dim()
""", *(np.full((), v, np.float32) for v in (-9, 0, 9)))
program("state_empty_or_full", """
def f(x, n: int):
    state = torch.zeros([0])
    if n > 1:
        state = torch.stack([x, x])
    if len(state):
        h, c = state[0], state[1]
    else:
        h, c = torch.zeros_like(x), x
    return torch.stack([h + x, c])
""", 1, 2)

# numbers that are one of few constants

program("dim", """
def f(x, n: int):
    d = 0
    if n > 1:
        d = 1
    return x.sum(d)
""", 1, 2)
program("dims_in_list", """
def f(x, n: int):
    d = [0]
    if n > 1:
        d = [0, 1]
    return x.sum(d), x.permute([1, 0] if n > 2 else [0, 1])
""", 1, 2, 3)
program("keepdim", """
def f(x, n: int):
    return x.sum(0, keepdim=n > 1).shape
""", 1, 2)
program("switch_of_bool", """
def f(x, b: bool):
    return torch.sort(x, descending=b)[0], x.mean(1, keepdim=b)
""", True, False)
program("size_checked", """
def f(x, n: int):
    k = 2 if n == 16 else 3
    if x.size(0) != k:
        raise ValueError(f"got {x.size(0)} rows, not {k}")
    return x.view(k, -1)
""", 16, 8)
program("choice_of_constants_folds", """
def f(x, n: int):
    k = 1 if n > 1 else 3
    if k * 2 + 1 == 3:
        return x[:k]
    return x.reshape(3, 2)
""", 1, 2)
program("chain_of_choices", """
def f(x, n: int):
    k = 4
    if n == 1:
        k = 0
    elif n == 2:
        k = 1
    return x.sum(k - 2 if k > 2 else k) if k < 2 else x.sum()
""", 1, 2, 3)

# lists

program("list_length", """
def f(x, n: int):
    l = [x]
    if n > 1:
        l.append(x + 1)
    return torch.stack(l).sum(0), len(l)
""", 1, 2)
program("list_returned", """
def f(x, n: int):
    l = [x]
    if n > 1:
        l.append(x + 1)
    if n > 2:
        l.append(x[:1])
    return l
""", 1, 2, 3)
program("list_popped", """
def f(x, n: int):
    l = [x, x + 1, x + 2]
    if n > 1:
        a = l.pop()
    else:
        a = l.pop(0)
        l.reverse()
    l[-1] = a
    return torch.cat(l), a
""", 1, 2)
program("list_of_sizes", """
def f(x, n: int):
    s = [2, 3]
    if n > 1:
        s = [6]
    y = x.reshape(s)
    return y, len(s), sum(s), 3 in s
""", 1, 2)
program("list_one_of_two", """
def f(x, n: int):
    a = [x, x + 1]
    b = [x * 2, x * 3]
    c = a if n > 1 else b
    c[0] = x * 100
    c.append(x)
    return a, b, len(c)
""", 1, 2)
program("list_iterated", """
def f(x, n: int):
    l = [x]
    if n > 1:
        l = [x, x * 2, x * 3]
    total = x
    for t in l:
        total = total + t
    return total
""", 1, 2)
program("list_of_strings", """
def f(x, n: int):
    names = ["a"]
    if n > 1:
        names.append("bb")
    k = 0
    for name in names:
        k += len(name)
    return x * k, "bb" in names
""", 1, 2)
program("list_comprehension_over_variant", """
def f(x, n: int):
    l = [1, 2]
    if n > 1:
        l = [3, 4, 5]
    return torch.stack([x * k for k in l]).sum(0), max(l)
""", 1, 2)
program("list_element_by_number", """
def f(x, n: int):
    l = [x, x[0], x.sum()]
    names = ["a", "bb", "ccc"]
    return l[n].reshape(-1) + len(names[n - 1])
""", 0, 1, 2, -1)
program("list_of_lists_by_number", """
def f(x, n: int):
    l = [[1], [2, 3]]
    m = l[n]
    m.append(4)
    return x * sum(l[0]) - sum(l[1]), len(m)
""", 0, 1)
program("list_of_tensors_of_changing_rank", """
def f(x, n: int):
    a, b = x, x
    if n > 0:
        a = x[0]
    if n > 1:
        b = x[1]
    l = [a, b]
    return torch.cat([a.reshape(-1), b.reshape(-1)]), torch.cat([t.reshape(-1) for t in l])
""", 0, 1, 2)
program("list_of_strings_compared", """
def f(x, n: int):
    l = ["a" if n > 0 else "b", "c"]
    return x * (2 if "a" in l else 3), l == ["b", "c"]
""", 0, 1)
program("extents_asserted", """
def f(x, m):
    y = x[m > 0]
    assert y.size(0) == 2
    a, b = y.unbind(0)
    return a - b, torch.stack(y.chunk(2)), y.size(0)
""", np.array([1.0, 2.0]), np.array([1.0, 0.0]))
program("dict_by_number", """
def f(x, n: int):
    d = {1: x, 2: x[0], 5: x.sum()}
    default = d.get(n)
    return d[n], n in d, 3 in d, x if default is None else default
""", 1, 2, 5, 3)
program("dict_keys", """
def f(x, n: int):
    d = {"a": x}
    if n > 1:
        d["b"] = x + 1
    if "b" in d:
        return d["b"] * 2
    return d["a"]
""", 1, 2)

# strings

program("string_length", """
def f(x, n: int):
    s = "a"
    if n > 1:
        s = "bcd"
    return x + len(s)
""", 1, 2)
program("string_compared", """
def g(x, mode: str):
    if mode == "relu":
        return F.relu(x)
    elif mode == "tanh":
        return torch.tanh(x)
    raise ValueError("unknown mode " + mode)
def f(x, n: int):
    mode = "relu" if n == 1 else "tanh"
    if n == 3:
        mode = "gelu"
    return g(x, mode)
""", 1, 2, 3)
program("string_in_message", """
def f(x, n: int):
    what = "small"
    if n > 3:
        what = f"large ({n})"
    if n != 2:
        raise RuntimeError("{} is {}".format(n, what))
    return x
""", 1, 2, 5)

# tuples and early returns

program("tuple_in_branches", """
def f(x, n: int):
    if n > 1:
        p = (x, 2)
    else:
        p = (x + 1, 3)
    return p[0] * p[1]
""", 1, 2)
program("early_return_optional", """
def f(x, n: int) -> Optional[Tensor]:
    for t in range(n):
        if t == 3:
            return x * t
        if bool(x.sum() > 100):
            return None
    if n > 1:
        return x[0]
    return None
""", 0, 1, 2, 5)
program("early_return_nested", """
def g(x, n: int) -> Tuple[Tensor, Optional[Tensor]]:
    if n > 2:
        if n > 3:
            return x, x + 1
        return x * 2, None
    y = x.sum(0)
    if n == 1:
        return y, None
    return y, x
def f(x, n: int):
    a, b = g(x, n)
    if b is None:
        return a
    return torch.cat([a.reshape(-1), b.reshape(-1)])
""", 0, 1, 3, 4)
program("any_type", """
def f(x, n: int):
    v: Union[int, Tensor] = n
    if n > 1:
        v = x
    if isinstance(v, int):
        return x * v
    else:
        return v + 1
""", 1, 2)

# loops

program("loop_optional", """
def f(x, n: int):
    h: Optional[Tensor] = None
    for t in range(n):
        if h is None:
            h = x
        else:
            h = h * 0.5 + x
    if h is None:
        return x
    return h
""", 0, 1, 2, 5)
program("loop_optional_known_trip", """
def f(x, n: int):
    h: Optional[Tensor] = None
    for t in range(20):
        if h is None:
            h = x
        else:
            h = h * 0.5 + x
    assert h is not None
    return h
""", 0)
program("loop_rank_changes", """
def f(x, n: int):
    h = torch.zeros([0])
    for t in range(n):
        if h.dim() == 1:
            h = x
        else:
            h = torch.cat([h, x], 0)
    return h
""", 0, 1, 4)
program("loop_tuple_state", """
def f(x, n: int):
    s: Optional[Tuple[Tensor, Tensor]] = None
    for t in range(n):
        if s is None:
            s = (x, x + 1)
        else:
            a, b = s
            s = (b, a + b)
    if s is None:
        return x
    return s[0] + s[1]
""", 0, 1, 4)
program("loop_while_continue", """
def f(x, n: int):
    h: Optional[Tensor] = None
    i = 0
    while i < n:
        i += 1
        if i == 2:
            h = x * i
            continue
        if i == 4:
            h = None
    if h is not None and h.size(0) > 1:
        return h + 1
    return x
""", 1, 3, 6)
program("loop_best_so_far", """
def f(x, n: int):
    best: Optional[float] = None
    at = -1
    for t in range(n):
        v = float(x[t % 2, t % 3].item())
        if best is None or v > best:
            best = v
            at = t
    if best is None:
        return x
    return x * best + at
""", 0, 1, 6)
program("loop_string_state", """
def f(x, n: int):
    state = "start"
    for t in range(n):
        if state == "start":
            state = "middle"
        elif state == "middle" and t > 2:
            state = "end"
    return x + (1 if state == "start" else 2 if state == "middle" else 3)
""", 0, 1, 6)
program("loop_break_with_value", """
def f(x, n: int):
    found: Optional[Tensor] = None
    for t in range(n):
        y = x[t % 2] * t
        if bool(y.sum() > 1):
            found = y
            break
    if found is None:
        found = x.sum(0)
    return found
""", 0, 3, 30)
program("loop_nested_optional", """
def f(x, n: int):
    h: Optional[Tensor] = None
    for t in range(n):
        for u in range(t):
            if h is None:
                h = x * u
            else:
                h = h + x
        if t == 2:
            h = None
    return x if h is None else h
""", 1, 3, 5)
program("loop_cache_grows", """
def f(x, n: int):
    cache: Optional[Tensor] = None
    out = x.sum(0)
    for t in range(n):
        k = x * (t + 1)
        cache = k if cache is None else torch.cat([cache, k], 0)
        out = out + cache.mean(0)
    return out, cache
""", 0, 1, 4)

# selection under a condition that is implied

program("implied_by_number", """
def f(x, n: int):
    if n == 2:
        return x.sum(n - 1)
    if n == 0 and bool(x.sum() < 1000):
        return x.sum(n)
    if not (n != 1):
        return x.unsqueeze(n)
    raise ValueError(f"n is {n}")
""", 0, 1, 2, 3)
program("same_condition_twice", """
def f(x, n: int):
    y = x
    if n > 1:
        y = y[0]
    z = x + 1
    if n > 1:
        y = y + 1
    if not n > 1:
        y = y * 3
    return y, z
""", 1, 2)
program("write_through_variant", """
def f(x, n: int):
    a, b = x.clone(), x[0].clone()
    c = a if n > 1 else b
    c.add_(1)
    c.mul_(n)
    return a, b
""", 1, 2)


def spec(value):
    match value:
        case np.ndarray():
            return TensorSpec(from_numpy(value.dtype), value.shape)
        case bool():
            return ScalarSpec(BOOL)
        case int():
            return ScalarSpec(INT)
        case _:
            return ScalarSpec(FLOAT)


def python(value):
    """Numbers as Python's."""
    if isinstance(value, list | tuple):
        return type(value)(map(python, value))
    return value.item() if isinstance(value, np.generic) else value


def stages(lowered, loops):
    name = lowered.signature.name
    graph = lookup(lowered.modules["torch"], name)
    return {
        "specialised": lambda given: Interpreter(composite).run(graph, given),
        "linalg": lambda given: interpret(lowered.modules["linalg"], name, given),
        "loops": lambda given: interpret(lowered.modules["loops"], name, given),
        "native": loops.call_flat,
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_stages_compute_what_torch_does(name, in_torch, same):
    source, calls = PROGRAMS[name]
    compiled = compile_text(PRELUDE + source, entry="f")
    lowered = lower(compiled, [spec(v) for v in calls[0]])
    native = compile_module(lowered.modules["loops"], lowered.signature)
    for arguments in calls:
        expected = in_torch("from typing import Any, Union\n" + source, arguments)
        for stage, run in stages(lowered, native).items():
            given = copy.deepcopy(list(arguments))
            if isinstance(expected, Exception):
                with pytest.raises(ExecutionError) as found:
                    run(given)
                assert str(expected) in found.value.message or isinstance(expected, AssertionError), stage
            else:
                same(expected, python(rebuild(lowered.signature.tree, run(given))))


def refused(source):
    with pytest.raises(CompileError) as found:
        lower(compile_text(PRELUDE + source, entry="f"), [spec(X), ScalarSpec(INT)])
    return str(found.value)


def test_more_structures_than_code_is_written_for():
    lines = [f"    y{i} = x\n    if n % {i + 2} == 1:\n        y{i} = x[0]\n" for i in range(24)]
    source = f"def f(x, n: int):\n{''.join(lines)}    return torch.cat([{', '.join(f'y{i}' for i in range(24))}])\n"
    assert "which of too many structures this has is only known at run time" in refused(source)


def test_more_structures_than_a_value_may_have():
    lines = [f"    if n == {i}:\n        y = torch.zeros({', '.join('1' for _ in range(i + 1))})\n" for i in range(16)]
    source = f"def f(x, n: int):\n    y = x\n{''.join(lines)}    return y\n"
    assert "which of more than 12 structures this has is only known at run time" in refused(source)


def test_a_value_read_where_only_none_can_be():
    source = "def f(x, n: int):\n    y: Optional[Tensor] = None\n    if n > 1:\n        y = x\n    return y + 1\n"
    assert "Optional" in refused(source)
