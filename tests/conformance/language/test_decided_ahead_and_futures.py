"""Sections 16, 22 and 23: tensors in the language, conditions decided at compile time, fork and wait."""

import pytest

GOOD = {
    "attributes of tensors": ("def f(x): return x.shape, x.ndim, x.dtype, x.device.type, x.T.shape, x.is_cuda, x.requires_grad, x.size(0), x.size(), x.numel(), x.dim(), x.itemsize, x.nbytes, x.is_floating_point(), len(x), x.mT.shape", [(("ones(2, 3)",), ([2, 3], 2, 6, "cpu", [3, 2], False, False, 2, [2, 3], 6, 2, 4, 24, True, 2, [3, 2]))]),
    "indices of tensors": (
        "def f(x, i, k: int):\n  y: List[float] = x.view(-1).tolist()\n  x[0, 1] = 7\n  x[x > 5] = 0\n  x[:, 0] += 1\n  return y[0], x[0, 0], x[..., 0].shape, x[None].shape, x[i].shape, x[[0, 1]].shape, x[:, k].shape, x[-1], x[0:1, ::2].shape, x[0][1:], x[x > 1], x[[True, False]].shape",
        [(("ones(2, 3)", "tensor([1])", 1), (1.0, "tensor(2.0)", [2], [1, 2, 3], [1, 3], [2, 3], [2], "tensor([2.0, 1.0, 1.0])", [1, 2], "tensor([0.0, 1.0])", "tensor([2.0, 2.0])", [2, 3]))],
    ),
    "numbers and tensors": ("def f(x): return 1 - x, 1 / x, 2 ** x, 1 < x, x // 2, x % 2, 3 * x, x - 1, -x, x == 2, 2 + x", [(("tensor([2.0, 4.0])",), ("tensor([-1.0, -3.0])", "tensor([0.5, 0.25])", "tensor([4.0, 16.0])", "tensor([True, True])", "tensor([1.0, 2.0])", "tensor([0.0, 0.0])", "tensor([6.0, 12.0])", "tensor([1.0, 3.0])", "tensor([-2.0, -4.0])", "tensor([True, False])", "tensor([4.0, 6.0])"))]),
    "floor division of an int": ("def f(x): return 5 // x", [(("tensor(2)",), 2)], {"torch": True}),
    "made tensors": ("def f(n: int, v: float): return torch.tensor([[n, 2], [3, 4]]), torch.tensor(v), torch.zeros(2, n).shape, torch.arange(n), torch.full([n], 7), torch.ones([1, n]).shape, torch.tensor([True]), torch.arange(1, 7, 2), torch.tensor([v, 1.0])", [((2, 1.5), ("tensor([[2, 2], [3, 4]])", "tensor(1.5)", [2, 2], "tensor([0, 1])", "tensor([7, 7])", [1, 2], "tensor([True])", "tensor([1, 3, 5])", "tensor([1.5, 1.0])"))]),
    "item": ("def f(x): return x.item()", [(("tensor(3)",), 3), (("tensor(1.5)",), 1.5)]),
    "size compared": ("def f(x): return x.shape == [2, 3], x.size() == [2], x.shape[0] == 2, x.shape[-1]", [(("ones(2, 3)",), (True, False, True, 3))]),
    "negative step": ("def f(x, n: int): return x[::n]", [(("ones(4)", 2), "ones(2)"), (("ones(4)", -1), "raises: slice step must be positive")]),
    "dtype numbers": ("def f(): return torch.uint8, torch.int64, torch.float16, torch.bool, torch.bfloat16, torch.contiguous_format, torch.channels_last, torch.strided", [((), (0, 4, 5, 11, 15, 0, 2, 0))], {"torch": True}),
    "literal conditions": ("def f(x):\n  if True: return x\n  else: return x.nonsense()", [(("ones(1)",), "ones(1)")]),
    "is_scripting": ("def f(x):\n  if not torch.jit.is_scripting(): return x.nonsense\n  if torch.jit.is_scripting() and True: x = x + 1\n  return x", [(("ones(1)",), "tensor([2.0])")]),
    "is None of a tensor": ("def f(x):\n  if x is None: return x.nonsense\n  if None is not None: return x.nonsense\n  return x", [(("ones(1)",), "ones(1)")]),
    "isinstance": ("def f(x: int):\n  if isinstance(x, str): return x.nonsense\n  elif not isinstance(x, int): return x.nonsense\n  return x", [((1,), 1)]),
    "and, or": ("def f(x: int):\n  if False and x > 3: return 1\n  if True or x > 3: x = x + 1\n  return x", [((1,), 2)]),
    "conditional expressions": ("def f(x: int): return x if True else x.nonsense", [((1,), 1)], {"torch": False}),
    "fork and wait": ("def g(x, k: int): return x + k\ndef f(x):\n  fut = torch.jit.fork(g, x, k=2)\n  l: List[torch.jit.Future[Tensor]] = [fut]\n  return torch.jit.wait(l[0]), fut.wait()", [(("ones(1)",), ("tensor([3.0])", "tensor([3.0])"))]),
    "fork of a module": ("class S(nn.Module):\n  def forward(self, x): return x + 1\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.s = S()\n  def forward(self, x):\n    f = torch.jit.fork(self.s, x)\n    return torch.jit.wait(f)", [(("ones(1)",), "tensor([2.0])")]),
}

BAD = {
    "bool index": ("def f(x): return x[True]  # <-", ["bool"]),
    "two ellipses": ("def f(x): return x[..., 0, ...]  # <-", ["ellipsis"]),
    "numpy": ("def f(x): return x.numpy()  # <-", ["numpy"]),
    "finfo": ("def f(x): return torch.finfo(x.dtype).max  # <-", ["finfo"]),
    "tolist without a type": ("def f(x):\n  y = x.tolist()  # <-\n  return y", ["type"]),
    "flag that does not fold": ("def f(x, flag: bool):\n  if flag: return x\n  else: return x.nonsense()  # <-", ["nonsense"]),
    "wait of a tensor": ("def f(x): return torch.jit.wait(x)  # <-", ["wait"]),
    "done": ("def f(x):\n  a = torch.jit.fork(torch.relu, x)\n  return a.done()  # <-", ["done"]),
    "fork of an int": ("def f(n: int): return torch.jit.fork(n)  # <-", []),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
