"""Views, indexing, joining, reductions, sorting as machine code against PyTorch: static and run-time extents, strides, no elements."""

import pytest

from torchcc.api import compile_source
from torchcc.ir.diagnostics import CompileError

torch = pytest.importorskip("torch", reason="compares with PyTorch")

DYNAMIC = pytest.mark.parametrize("dynamic", [(), (2, 3, 4, 5)], ids=["static", "dynamic"])
DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def ramp(*shape, dtype="float32"):
    count = 1
    for extent in shape:
        count *= extent
    numbers = (torch.arange(count, dtype=torch.float64) * 37 % 19 - (0 if dtype in ("uint8", "bool") else 7)) * (0.5 if dtype.startswith("float") or dtype == "bfloat16" else 1)
    return (numbers > 8 if dtype == "bool" else numbers.to(getattr(torch, dtype))).reshape(shape)


def tensors(dtype="float32"):
    return {
        "x": ramp(4, 3, 2, dtype=dtype).permute(2, 1, 0),  # 2, 3, 4, not contiguous
        "m": ramp(5, 3, dtype=dtype),
        "v": ramp(5, dtype=dtype),
        "s": ramp(1, dtype=dtype)[0],
        "e": ramp(0, 3, dtype=dtype),
        "i": torch.tensor([2, 0, 1, -1]),
        "j": torch.tensor([[0, 2], [1, 1]]),
        "b": torch.tensor([True, False, True]),
        "n": 1,
    }


VIEWS = """x[1] | x[-1] | x[:, 1] | x[..., 1] | x[..., -1, :] | x[:, 1:] | x[:, :-1, ::2] | x[None] | x[:, None, 1] | x[1:1] | x[:, 5:] | x[n]
x[:, n:] | x[0, 1, 2] | x[-5:] | e[:, 1] | e[1:] | m[::3] | m[4:1] | x.select(1, 2) | x.narrow(2, 1, 2) | x.narrow(-1, -3, 2) | m.t() | x.mT
x.transpose(0, 2) | x.permute(1, 2, 0) | x.permute(-1, 0, 1) | x.swapaxes(0, 1) | x.movedim(0, -1) | torch.movedim(x, [0, 1], [1, 2])
x.reshape(6, 4) | m.vsplit([2]) | x.reshape(-1) | x.reshape(2, -1, 2) | m.view(15) | m.view(-1, 5) | x.flatten() | x.flatten(1) | x.flatten(0, 1) | s.flatten()
s.reshape(1, 1) | e.reshape(0, 7) | e.reshape(3, 0) | x.unflatten(2, (2, 2)) | x.unflatten(-1, (-1, 2)) | x.ravel() | x.unsqueeze(0) | x.unsqueeze(-1)
s.unsqueeze(0) | x.unsqueeze(1).squeeze(1) | x[:1].squeeze(0) | x.squeeze(1) | v.expand(2, 5) | v.expand(3, -1, 5) | s.expand(2, 3) | x.expand_as(x[None])
x[:, :1].expand(2, 3, 4) | v.broadcast_to(2, 5) | v.repeat(2) | m.repeat(2, 1, 2) | v.repeat(0) | m.tile(2) | m.tile((2, 2)) | m.flip(0) | x.flip([0, -1])
m.roll(1) | m.roll(2, 0) | m.roll((1, -2), (0, 1)) | m.rot90() | m.fliplr() | m.flipud() | m.diagonal() | m.diagonal(1) | x.diagonal(0, 1, 2) | m.diag()
v.diag() | v.diag(1) | m.tril() | m.triu(1) | x.tril(-1) | torch.diag_embed(m) | v.unfold(0, 2, 1) | m.unfold(0, 3, 2) | x.unbind() | x.unbind(1) | x.unbind(-1)
x.split(2, 2) | x.split(3, 2) | m.split([2, 3]) | x.chunk(2, 1) | m.chunk(3) | torch.tensor_split(m, 2) | torch.tensor_split(m, [1, 3]) | m.hsplit(3)
torch.cat([m, m]) | torch.cat([m, e]) | torch.cat([x, x[:, :1]], 1) | torch.cat([x, x], -1) | torch.stack([m, m + m]) | torch.stack([v, v], 1) | torch.stack([s, s])
torch.hstack([m, m]) | torch.vstack([m, e]) | torch.dstack([m, m]) | torch.column_stack([v, v]) | torch.hstack([v, v]) | torch.meshgrid(v, v, indexing='ij')
torch.atleast_2d(v) | torch.atleast_3d(m) | torch.cartesian_prod(v, v) | torch.block_diag(m, m) | torch.broadcast_tensors(v, m[:, :1]) | m.T | v.numel() | x.size()
x.size(1) | x.dim() | len(m) | x.shape[2] | m.movedim(0, 1) | torch.swapdims(m, 0, 1) | x.view_as(x.contiguous()) | m.reshape_as(m.t())
m.repeat_interleave(2, dim=0) | m.repeat_interleave(2) | x.contiguous().view(2, 12) | m.clone().t().reshape(-1)""".replace("\n", " | ").split(" | ")

INDEXING = """m[i] | x[:, i[:2]] | m[i, i[:4] * 0] | m[j] | m[:, b] | m[:, b].sum(0) | m[v > 0] | m[m > 0] | m[[0, 2]] | m[[0, 2], [1, 0]] | x[:, [2, 0]]
m[i[:, None], j[0]] | x[i[:1] * 0, :, j[0]] | m.index_select(0, i[:3]) | x.index_select(-1, i[:3]) | m.gather(1, j[:, :2]) | m.gather(0, j) | x.gather(2, j[:, None])
m.take(i[:3]) | m.take_along_dim(j, 1) | torch.masked_select(m, m > 1) | m.nonzero() | (m > 1).nonzero() | torch.argwhere(m > 0) | m.scatter(1, j, 3) | m.scatter(0, j, m)
m.scatter_add(1, j, m) | m.index_add(0, i[:3], m[:3]) | m.index_copy(0, i[:3], m[2:]) | m.index_fill(0, i[:3], 2) | m.masked_fill(m > 1, 0) | m.index_put([i[:3]], m[:3])
m.index_put([i[:3], i[:3]], s, accumulate=True) | m.scatter(1, j, m, reduce='add') | m.scatter_reduce(0, j, m, 'sum') | m.scatter_reduce(0, j, m, 'amax', include_self=False)
m.select_scatter(v, 1, 0) | m.slice_scatter(m[:2], 0, 1, 3) | m.diagonal_scatter(v[:3]) | m.masked_scatter(m > 0, m) | torch.where(m > 0) | m[..., None][i] | m[b[[0, 1, 2, 0, 1]]]
r = m.clone(); r[i[:3]] = s; r | r = m.clone(); r[j] = m[0]; r | r = m.clone(); r[m > 1] += s; r | r = m.clone(); r[:, b] = v[:, None]; r | r = m.clone(); r[i[:2], 1] = 0; r
r = x.clone(); r[..., 1] = m[0, :, None].t(); r | r = x.clone(); r[:, 1:, n] *= 2; r | r = m.clone(); r[1:4, ::2].zero_(); r | r = m.clone(); r.t()[1].add_(r[:, 0]); r
r = m.clone(); r.index_add_(0, i[:3], m[:3]); r | r = m.clone(); r.scatter_(1, j, 1); r | r = m.clone(); r.masked_fill_(m > 0, 2); r | r = m.clone(); r.copy_(v[:, None]); r
r = m.clone(); r.view(-1)[2:5] = 1; r | r = m.clone(); a, c = r.split([2, 3]); a.fill_(1); r | r = m.clone(); r.unsqueeze_(0).squeeze_(0); r | r = m.clone(); r.transpose_(0, 1); r
r = m.clone(); d = r.diagonal(); d.fill_(1); r | m[7:] | m[i[3:]]""".replace("\n", " | ").split(" | ")

ERRORS = """m[7] | m[:, 3] | m[i + 4] | m[i - 7] | m.index_select(0, i + 3) | m.gather(1, j + 2) | m.scatter(1, j + 2, 0) | m.take(i + 30) | m.select(0, 9) | m.narrow(0, 3, 4) | m.reshape(4, 4)
m.view(7, -1) | x.squeeze(5) | x.permute(0, 1) | x.permute(0, 0, 1) | v.expand(4) | m.repeat(2) | torch.cat([m, x]) | torch.cat([m, m[:, :2]]) | torch.stack([m, v]) | m @ m
m.sum(2) | e.max() | e.argmax() | e.amax(0) | x.t() | m.unflatten(0, (2, 2)) | v.unfold(0, 7, 1) | m.chunk(0) | m.split([1, 1]) | m.split([6, -1]) | m.split(-1) | v.item() | m.diagonal(0, 0, 0)
torch.arange(0, 5, 0) | torch.arange(5, 0) | v.topk(9) | v.kthvalue(9) | F.embedding(i, m) | F.embedding(i[:3] + 9, m) | torch.eye(-1) | torch.zeros(-1) | torch.linspace(0, 1, -2) | F.one_hot(i) | F.one_hot(i[:3], 1)
m[i, i[:2]] | m[b] | m[m[:2] > 0] | m.index_put([i[:3]], m[:2]) | r = m.clone(); r[1] = v; r | r = m.clone(); r[i + 9] = 0; r | m.flip(3) | m.roll(1, 4) | torch.dot(v, v[:2]) | torch.mm(m, v) | m.clamp()
v.view(2, 3) | x.view(24) | F.softmax(m, 3) | F.layer_norm(m, [4]) | F.conv1d(m, m) | F.linear(m, m.t()) | torch.bmm(x, x) | m.masked_fill(b, 0) | torch.where(b, m.t(), v)""".replace("\n", " | ").split(" | ")

REDUCTIONS = """sum() | sum(0) | sum(-1, keepdim=True) | sum([0, 2]) | sum((0, 1, 2), keepdim=True) | sum([]) | sum(1, dtype=torch.float64) | mean() | mean(1) | mean([0, -1], keepdim=True) | prod() | prod(1) | prod(0, keepdim=True)
amax() | amax(1) | amax([0, 2], keepdim=True) | amin(-1) | max() | min() | max(1) | min(2, keepdim=True) | argmax() | argmax(1) | argmax(1, keepdim=True) | argmin(-1) | any() | any(1) | all() | all(2, keepdim=True)
count_nonzero() | count_nonzero(1) | cumsum(0) | cumsum(-1) | cumprod(1) | cummax(1) | cummin(2) | std() | std(1) | std([0, 1], keepdim=True) | std(1, unbiased=False) | var() | var(2) | var(dim=1, correction=0)
norm() | norm(2, 1) | norm(1, dim=[0, 1]) | norm(float('inf'), 1) | norm(3.0, 2, True) | logsumexp(1) | logsumexp([0, 2], True) | softmax(1) | softmax(-1) | log_softmax(0) | softmax(1, dtype=torch.float64) | nansum() | nansum(1)
sort() | sort(1) | sort(-1, descending=True) | argsort() | argsort(0, descending=True) | topk(2) | topk(1, 1, largest=False) | kthvalue(2, 1) | aminmax() | aminmax(dim=1) | msort() | diff() | diff(dim=1)""".replace("\n", " | ").split(" | ")


def short_form(dtype, dynamic, long):
    if dynamic and dtype != "float32" and not long:
        pytest.skip("run-time extents are tried with one dtype: --long")


@DYNAMIC
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_views(check, dtype, dynamic, long):
    short_form(dtype, dynamic, long)
    static = ("squeeze", "unbind", "split", "chunk", "unflatten", "hstack", "tolist")
    if not dynamic:
        check(tensors(dtype), VIEWS, dynamic)
        return
    cases = [c for c in VIEWS if not any(w in c for w in static)]
    check(tensors(dtype), [c for c in cases if "contiguous" not in c], dynamic)
    # what `contiguous` does depends on strides: for run-time extents it is compiled for row-major tensors, and says so
    inputs = tensors(dtype) | {"x": tensors(dtype)["x"].contiguous()}
    check(inputs, [c for c in cases if "contiguous" in c], dynamic)


@DYNAMIC
@pytest.mark.parametrize("dtype", ["float32", "int16", "bool"])
def test_indexing(check, dtype, dynamic, long):
    short_form(dtype, dynamic, long)
    check(tensors(dtype), INDEXING if not dynamic else [c for c in INDEXING if "split" not in c], dynamic)


@DYNAMIC
def test_errors(check, dynamic):
    check(tensors(), ERRORS, dynamic, allow_more=["x.view(24)"])  # values have no strides that could refuse it


@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions(check, dtype, long):
    cases = REDUCTIONS if long or dtype in ("float32", "int64") else REDUCTIONS[DTYPES.index(dtype) % 2 :: 2]
    inputs = tensors(dtype)
    inputs["x"] = inputs["x"] / 4 if inputs["x"].is_floating_point() else inputs["x"]
    unordered = [c for c in cases if not (c.startswith(("sort", "argsort", "topk", "kthvalue", "msort", "cummax", "cummin")) and dtype == "bool")]
    # equal elements: which index is given is not specified, so indices are compared on distinct ones
    inputs["u"] = torch.arange(24, dtype=torch.float64).mul(7).remainder(24).to(getattr(torch, dtype)).reshape(4, 3, 2).permute(2, 1, 0)
    check(inputs, [f"u.{c}" if c.startswith(("sort", "argsort", "topk", "kth", "max", "min", "arg", "cumm")) else f"x.{c}" for c in unordered])


@DYNAMIC
def test_reductions_without_elements(check, dynamic):
    names = ["sum()", "sum(0)", "sum(1)", "mean()", "mean(0)", "prod()", "prod(1)", "any()", "all()", "all(0)", "cumsum(0)", "max(1)", "amax(1)", "argmax(1)", "std(0)", "sort(0)", "norm()", "count_nonzero()", "var()", "sort(1)", "topk(0)"]
    check({"e": torch.zeros(0, 3), "g": torch.zeros(3, 0), "o": torch.ones(1, 1)}, [f"{t}.{n}" for n in names for t in "ego"], dynamic)


@DYNAMIC
def test_reductions_at_run_time(check, dynamic):
    inputs = tensors()
    inputs["x"] = torch.arange(24, dtype=torch.float32).mul(7).remainder(24).reshape(4, 3, 2).permute(2, 1, 0)
    check(inputs, [f"x.{c}" for c in REDUCTIONS] + [f"s.{c}" for c in ("sum()", "sum(0)", "max()", "argmax()", "softmax(0)", "cumsum(0)", "any()", "sort()", "mean(-1)", "std()", "norm()", "max(0)", "amax()", "prod(0)")], dynamic)


FACTORIES = """torch.zeros(2, 3) | torch.ones(2, dtype=torch.int64) | torch.full((2, 2), 7) | torch.full((2,), 1.5) | torch.full((2,), True) | torch.zeros_like(x) | torch.ones_like(m, dtype=torch.uint8) | torch.full_like(m, 3)
m.new_zeros(2) | m.new_ones((2, 2)) | m.new_full((2,), 4) | torch.tensor(3) | torch.tensor(2.5) | torch.tensor([1, 2]) | torch.tensor([[1.5], [2]]) | torch.tensor(3, dtype=torch.uint8) | torch.tensor([True, False])
torch.tensor([n, 2]) | torch.tensor(n, dtype=torch.uint8) | torch.arange(5) | torch.arange(n, 7, 2) | torch.arange(0., 1., 0.3) | torch.arange(5, 0, -2) | torch.arange(3, dtype=torch.float32) | torch.linspace(0, 1, 5) | torch.linspace(1, -1, 1)
torch.logspace(0, 2, 3) | torch.eye(3) | torch.eye(2, 4) | torch.eye(n, dtype=torch.int64) | torch.tril_indices(3, 3) | torch.triu_indices(2, 4, 1) | torch.zeros(0, 3) | torch.zeros(n, 2) | torch.empty(0) | torch.as_tensor(3.5)
torch.scalar_tensor(2) | torch.ones(m.size(0), 2) | torch.arange(m.size(1)) + m | torch.zeros(m.shape) | torch.full([m.shape[0]], s) | torch.ones(()) * n | torch.tensor([]) | torch.zeros([])""".replace("\n", " | ").split(" | ")


@DYNAMIC
def test_factories(check, dynamic):
    check(tensors(), [c for c in FACTORIES if "rand" not in c and not c.endswith(", s)")], dynamic)


PRODUCTS = """torch.mm(m, m.t()) | m @ m.t() | m.t() @ v | torch.mv(m.t(), v) | torch.dot(v, v) | torch.matmul(v, m) | torch.matmul(x, x.transpose(1, 2)) | torch.bmm(x, x.mT) | torch.matmul(x, m[:4]) | torch.matmul(x[0], x.mT) | torch.matmul(m, e.t())
torch.addmm(m[:, :1], m, m[:3]) | torch.addmm(v[:3], m, m[:3], beta=2, alpha=3) | torch.baddbmm(x[:, :, :3], x, x.mT) | torch.einsum('ij,kj->ik', m, m) | torch.einsum('bij,bkj->bik', x, x) | torch.einsum('ii->i', m[:3]) | torch.outer(v, v) | torch.inner(m, m)
torch.kron(m, m) | torch.vdot(v, v) | torch.addmv(v, m, m[0]) | torch.addr(m, v, m[0]) | torch.chain_matmul(m, m.t(), m) | torch.linalg.vecdot(m, m) | torch.cross(m, m, dim=1) | torch.trace(m) | m.matmul(m.t()) | torch.einsum('...i->...', x)
torch.matmul(e, m.t()) | torch.mm(e.t(), e) | F.linear(m, m) | F.linear(m, m, v) | F.linear(x, x[0]) | F.linear(v[:3], m) | torch.linalg.norm(m) | torch.linalg.vector_norm(m, 3, 1) | torch.dist(m, m + 1)""".replace("\n", " | ").split(" | ")


@DYNAMIC
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int64", "int8"])
def test_products(check, dtype, dynamic, long):
    short_form(dtype, dynamic, long)
    check(tensors(dtype), PRODUCTS, dynamic)


def test_numbers_that_must_be_constants(check):
    """Dimensions given as arguments are fixed for the call; one that only run time knows is refused, not guessed."""
    cases = ["x.sum(n)", "x.softmax(n)", "x.select(n, 0)", "x.size(n)", "x.sort(n)[0]", "x.transpose(0, n)", "x.sum([0, n])", "m.split(n + 1)", "x.cumsum(n)", "x.round(decimals=n)"]
    check(tensors(), cases)
    library = compile_source("def f(x):\n    return x.sum(0, keepdim=bool(x.sum() > 0))\n\ndef g(x):\n    return x.amax(int(x.sum()))\n")
    for value in (0.0, 1.0):  # a bool may decide the rank
        x = torch.full((2, 3), value)
        torch.testing.assert_close(library.f(x), x.sum(0, keepdim=value > 0))
    with pytest.raises(CompileError, match="only known at run time"):
        library.g(torch.zeros(2, 3))
