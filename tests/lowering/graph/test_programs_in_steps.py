"""Programs whose meaning must be the same as written, specialised, functional and folded, and in PyTorch."""

import numpy as np
import pytest

from torchcc.ir.diagnostics import ExecutionError


def normal(*shape):
    return np.random.RandomState(sum(shape)).randn(*shape).astype(np.float32)


X = normal(2, 3)
INDEX = np.array([0, 1])

PROGRAMS = {
    "append_in_short_loop": (
        """
def f(x, n: int):
    l: List[Tensor] = []
    for i in range(3):
        l.append(x * i)
    return torch.stack(l), l
""",
        [X, 2],
    ),
    "append_in_long_loop": (
        """
def f(x):
    l = []
    for i in range(20):
        l.append(x + i)
    return torch.cat(l)
""",
        [X],
    ),
    "while_on_number": (
        """
def f(x, n: int):
    s = 0
    while s < n:
        s += 3
    return x * s, s
""",
        [X, 10],
    ),
    "while_known": (
        """
def f(x):
    s = 0
    while s < 100:
        s += 3
    return x * s, s
""",
        [X],
    ),
    "write_through_views": (
        """
def f(x):
    y = x.view(-1)
    y[1:3] = 5
    z = x[0]
    z.add_(1)
    return x, y, z
""",
        [X],
    ),
    "transposed_and_contiguous": (
        """
def f(x):
    y = x.t()
    z = y.contiguous()
    z.add_(1)
    y[0].mul_(3)
    w = x.reshape(3, 2)
    w.sub_(1)
    return x, y, z, w
""",
        [X],
    ),
    "reshape_that_copies": (
        """
def f(x):
    y = x.t().reshape(-1)
    y.add_(1)
    return x, y
""",
        [X],
    ),
    "write_in_branches": (
        """
def f(x, n: int):
    y = x * 1
    if n > 2:
        y.add_(1)
    else:
        y[0] = 3
    return y
""",
        [X, 3],
    ),
    "write_in_loop": (
        """
def f(x, n: int):
    y = x * 1
    for i in range(n):
        y[i % 2].add_(i)
    return y
""",
        [X, 13],
    ),
    "write_through_view_in_loop": (
        """
def f(x, n: int):
    y = x * 1
    v = y.view(-1)
    for i in range(n):
        v[i] = 0
        y += v.sum()
    return y, v
""",
        [X, 4],
    ),
    "write_to_merged_fresh": (
        """
def f(x, n: int):
    if n > 0:
        y = x + 1
    else:
        y = x - 1
    y.add_(2)
    return y, x
""",
        [X, 0],
    ),
    "assert_fails": (
        """
def f(x, n: int):
    assert n > 0, 'bad ' + str(n)
    return x
""",
        [X, -3],
    ),
    "assert_with_shape": (
        """
def f(x, n: int):
    assert n > 0, f'bad {n} {x.shape}'
    return x
""",
        [X, -3],
    ),
    "raise_formatted": (
        """
def f(x, n: int):
    if n > 5:
        raise ValueError('n is %d' % n)
    return x + n
""",
        [X, 7],
    ),
    "raise_not_reached": (
        """
def f(x, n: int):
    if n > 5:
        raise ValueError('n is %d' % n)
    return x + n
""",
        [X, 3],
    ),
    "dict_of_tensors": (
        """
def f(x):
    d: Dict[str, Tensor] = {}
    d['a'] = x
    d['b'] = x + 1
    s = x * 0
    for k, v in d.items():
        s = s + v
    return s, d['a'], len(d)
""",
        [X],
    ),
    "branch_on_tensor_sum": (
        """
def f(x):
    n = int(x.sum())
    if n > 1:
        return x * n
    return x
""",
        [X],
    ),
    "item_and_float": (
        """
def f(x):
    return x.sum().item() * 2.0, float(x[0, 0])
""",
        [X],
    ),
    "optional_none": (
        """
def f(x, y: Optional[Tensor]):
    if y is not None:
        x = x + y
    return x
""",
        [X, None],
    ),
    "optional_given": (
        """
def f(x, y: Optional[Tensor]):
    if y is not None:
        x = x + y
    return x
""",
        [X, X],
    ),
    "nested_arguments": (
        """
def f(xs: List[Tensor], t: Tuple[Tensor, int]):
    a = xs[0]
    for x in xs:
        a = a + x * t[1]
    return a + t[0], len(xs)
""",
        [[X, X + 1], (X, 3)],
    ),
    "calls": (
        """
def g(x, k: int):
    if k == 0:
        return x
    return x * k
def f(x, n: int):
    return g(x, 0) + g(x, n) + g(x, 3)
""",
        [X, 4],
    ),
    "break_and_continue": (
        """
def f(x, n: int):
    i = 0
    while True:
        i += 1
        if i > n:
            break
        if i % 2 == 0:
            continue
        x = x + i
    return x, i
""",
        [X, 5],
    ),
    "return_in_loop": (
        """
def f(x, n: int):
    for i in range(n):
        if i == 3:
            return x * i
        x = x + 1
    return x
""",
        [X, 5],
    ),
    "return_in_counted_loop": (
        """
def f(x, n: int):
    for i in range(10):
        if i == n:
            return x * i
        x = x + 1
    return x
""",
        [X, 5],
    ),
    "carried_numbers": (
        """
def f(x, n: int):
    a, b = 0, 1
    for i in range(n):
        a, b = b, a + b
    return x * a, [a, b]
""",
        [X, 10],
    ),
    "carried_tuple": (
        """
def f(x, n: int):
    t = (x, 0)
    for i in range(n):
        t = (t[0] + 1, t[1] + i)
    return t
""",
        [X, 10],
    ),
    "list_contents_carried": (
        """
def f(x, n: int):
    l = [1, 2, 3]
    for i in range(n):
        l[0] = l[0] + i
        l[2] += l[0]
    return x * l[2], l
""",
        [X, 10],
    ),
    "run_time_index": (
        """
def f(x, n: int):
    l = [1, 2, 3]
    return l[n] * x, l[-1]
""",
        [X, 1],
    ),
    "run_time_index_out_of_range": (
        """
def f(x, n: int):
    l = [1, 2, 3]
    return l[n] * x, l[-1]
""",
        [X, 7],
    ),
    "unsqueeze_in_place": (
        """
def f(x):
    x.unsqueeze_(0)
    x.add_(1)
    y = x * 2
    y.t_() if y.dim() == 2 else y
    return y, x.dim()
""",
        [X],
    ),
    "unbind_and_split": (
        """
def f(x):
    a, b, c = x.unbind(1)
    a.add_(1)
    p, q = x.split(1)
    q.mul_(2)
    return a, b, p, q, x
""",
        [X],
    ),
    "chunk": (
        """
def f(x):
    c = x.chunk(2, 1)
    return c[0] , c[1], len(c)
""",
        [X],
    ),
    "masked_write": (
        """
def f(x):
    y = torch.zeros(2, 3)
    y[:, 1] = x[:, 0]
    y[x > 0] = 9.0
    return y
""",
        [X],
    ),
    "in_place_operators": (
        """
def f(x):
    y = torch.zeros_like(x)
    y.copy_(x[0])
    y += x
    y *= 2
    y -= 1
    y /= 3
    return y
""",
        [X],
    ),
    "functional_in_place": (
        """
def f(x):
    return F.softmax(x, -1), F.layer_norm(x, [3]), F.gelu(x), F.relu(x, inplace=True), x
""",
        [X],
    ),
    "max_and_topk": (
        """
def f(x):
    m = torch.max(x, 1)
    return m[0], m[1], torch.topk(x, 2, 1)[0]
""",
        [X],
    ),
    "number_operators": (
        """
def f(x, i: int, j: float, b: bool):
    return x * i + j, i + 1, j * 2, not b, i / 2, i // 2, i % 2, -i, abs(i), max(i, 3), min(j, 1.5), float(i), int(j)
""",
        [X, -7, 2.5, True],
    ),
    "alias_in_branch": (
        """
def f(x, n: int):
    y = x
    if n > 2:
        y = x.clone()
    z = y + 1
    return z
""",
        [X, 3],
    ),
    "tensor_literals": (
        """
def f(x, n: int):
    k = torch.tensor([1.0, 2.0, 3.0])
    k[0] = n
    m = torch.tensor([n, 2])
    return x * k, m, torch.tensor(n), torch.tensor(2.5)
""",
        [X, 3],
    ),
    "recurrence_with_list": (
        """
def f(x):
    h = torch.zeros(3)
    outs: List[Tensor] = []
    for t in range(x.size(0)):
        h = torch.tanh(x[t] + h)
        outs.append(h)
    return torch.stack(outs), h
""",
        [normal(5, 3)],
    ),
    "recurrence_with_buffer": (
        """
def f(x):
    h = torch.zeros(3)
    out = torch.zeros_like(x)
    for t in range(x.size(0)):
        h = torch.tanh(x[t] + h)
        out[t] = h
    return out, h
""",
        [normal(15, 3)],
    ),
    "nested_loops_with_condition": (
        """
def f(x):
    n = 0
    for i in range(x.size(0)):
        for j in range(x.size(1)):
            if bool(x[i, j] > 0):
                n += 1
            else:
                x[i, j] = 0
    return n, x
""",
        [normal(12, 13)],
    ),
    "two_arguments_written": (
        """
def f(x, y):
    x += y
    y += x
    return x
""",
        [X, X + 1],
    ),
    "nested_branches": (
        """
def f(x, n: int):
    r = x
    if n > 1:
        if n > 2:
            r = x * 3
        else:
            r = x * 2
        r = r + 1
    else:
        r = r - 1
    return r
""",
        [X, 3],
    ),
    "append_in_branches": (
        """
def f(x, n: int):
    ys: List[Tensor] = []
    if n > 1:
        ys.append(x)
        ys.append(x + 1)
    else:
        ys.append(x * 3)
        ys.append(x)
    return ys[0], ys[1]
""",
        [X, 3],
    ),
    "lists_in_branches": (
        """
def f(x, n: int):
    if n > 1:
        ys = [x, x * 2]
    else:
        ys = [x + 1, x]
    return ys[0] + ys[1]
""",
        [X, 3],
    ),
    "collatz": (
        """
def f(x, n: int):
    c = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        c += 1
    return c, x + c
""",
        [X, 27],
    ),
    "dtypes": (
        """
def f(x):
    x = x.to(torch.float64)
    y = x.to(torch.int64)
    z = x.float()
    return x, y, z, x.dtype, x.dtype == torch.float64
""",
        [X],
    ),
    "shapes": (
        """
def f(x):
    a = x.size(0)
    b, c = x.shape
    return a, b * c, x.numel(), x.dim(), len(x), x.view(c, b), list(x.shape)
""",
        [X],
    ),
    "constant_string": (
        """
def f(x, s: str):
    if s == 'a':
        return x
    return x + len(s)
""",
        [X, "abc"],
    ),
    "expand": (
        """
def f(x):
    y = x.expand(4, 2, 3)
    z = y + 1
    return z.sum(0), y[0]
""",
        [X],
    ),
    "index_by_tensor": (
        """
def f(x, i):
    return x[i], x[:, i], x[i, i]
""",
        [X, INDEX],
    ),
    "list_methods": (
        """
def f(x):
    s = [x.shape[0], -1]
    s.reverse()
    s.insert(0, 1)
    s2 = sorted([3, 1, 2])
    return x.reshape(s), s, s2, 3 in s2, s2.index(3), sum(s2), max(s2), s2[::2], s2 + [4], s2 * 2
""",
        [X],
    ),
    "swap_in_loop": (
        """
def f(x, n: int):
    y = torch.zeros(2)
    z = torch.ones(2)
    for i in range(n):
        y, z = z, y + 1
        y = y * 2
        y.add_(1)
    return y, z, x
""",
        [X, 11],
    ),
    "write_to_view_in_loop": (
        """
def f(x, n: int):
    y = x.clone()
    for i in range(n):
        z = y[0]
        if i > 2:
            z += 1
        y = y + z
    return y
""",
        [X, 11],
    ),
    "fills": (
        """
def f(x):
    y = x.masked_fill(x > 0, 0.0)
    x.clamp_(0.0, 0.5)
    x.masked_fill_(x > 0.3, 7.0)
    x.fill_(2.0)
    x[1].zero_()
    return y, x
""",
        [X],
    ),
    "matmul": (
        """
def f(x, m):
    return x @ m, torch.matmul(x, m), torch.einsum('ij,jk->ik', x, m)
""",
        [X, normal(3, 4)],
    ),
    "convolution": (
        """
def f(x, w, b):
    return F.conv2d(x, w, b, stride=2, padding=1), F.max_pool2d(x, 2), F.interpolate(x, scale_factor=2.0)
""",
        [normal(1, 3, 8, 8), normal(4, 3, 3, 3), normal(4)],
    ),
    "transpositions": (
        """
def f(x: Tensor):
    return x.diagonal(), x.permute(1, 0), x.transpose(0, 1).flatten()
""",
        [X],
    ),
    "write_to_diagonal_and_slices": (
        """
def f(x):
    d = x.diagonal()
    d.fill_(5.0)
    p = x.permute(1, 0)
    p[0, 1] = 3
    e = x[None, :, ::2]
    e += 1
    return x, d, p, e
""",
        [X],
    ),
    "list_of_tensors_by_loop_index": (
        """
def f(x, n: int):
    l = [x, x + 1, x * 2]
    r = x * 0
    for i in range(3):
        r = r + l[i] * n
    return r
""",
        [X, 4],
    ),
    "factories": (
        """
def f(x, n: int):
    return torch.full([2, 2], n), torch.arange(4), torch.ones(2, dtype=torch.int64) + n, torch.linspace(0, 1, 3)
""",
        [X, 4],
    ),
}

@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_step_computes_what_torch_does(name, dynamic, steps, same, in_torch):
    source, args = PROGRAMS[name]
    constant = [i for i, a in enumerate(args) if isinstance(a, str)]
    case = steps(source, args, constant=constant, dynamic=dynamic)
    found = case.check()
    expected = in_torch(source, args)
    if isinstance(expected, Exception):
        assert isinstance(found, ExecutionError)
    else:
        same(expected, found)
