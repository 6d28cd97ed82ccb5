"""Views, aliases and writes in place: what a program returns and what it leaves in its arguments, against PyTorch.

Each program is the body of `f(x, y, k, n, c)`: x f32[4,6], y f32[6], k i64[4,6], n an int and c a bool at run time. Several
are compiled as one function, with arguments of their own, and run natively and at every stage. Where nobody knows at
compile time which memory is written (a condition, a list made at run time), tensors are in memory.
"""

import importlib.util
import sys

import numpy as np
import pytest

from torchcc import driver
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, INT
from torchcc.ir.signature import Dim, ScalarSpec, TensorSpec, rebuild
from torchcc.ir.structure import difference
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="compares with PyTorch")

PRELUDE = """import torch
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple
class Holder:
  def __init__(self, t: Tensor):
    self.t = t
  def bump(self):
    self.t.add_(1)
def helper_(v: Tensor):
  v.mul_(2)
  v[0] = 0.0
def helper_row(v: Tensor):
  return v[1]
"""

PROGRAMS = {
    "view_of_view": "v = x.view(2, 12)[1]\nw = v[2:8]\nw.mul_(2)\nreturn v.sum(), w",
    "t_row": "x.t()[1].fill_(7.0)\nreturn x + 1",
    "select_slice": "x[1][2:4].add_(5)\nreturn x",
    "step_slice": "x[::2, 1::2].mul_(3)\nreturn x * 2",
    "neg_index": "x[-1].zero_()\nx[-2, -1] = 9.0\nreturn x",
    "none_index": "v = x[:, None, 2:]\nv.add_(1)\nreturn v.shape, x",
    "ellipsis": "x[..., 0] = 3.0\nx[..., 1] = y[:4]\nreturn x",
    "setitem_bcast": "x[1:3] = y\nreturn x",
    "setitem_number": "x[0, n] = 1.5\nx[:, 0] = 2\nreturn x",
    "setitem_rt_index": "x[n] = y\nreturn x",
    "setitem_rt_slice": "x[n:] = 0\nreturn x",
    "setitem_rt_slice2": "x[:, n:n + 2] += 1\nreturn x",
    "mask_set": "x[x > 0] = -1.0\nreturn x",
    "mask_set_tensor": "m = x > 0\nx[m] = torch.arange(int(m.sum())).to(torch.float32)\nreturn x",
    "mask_aug": "x[x > 0] += 10\nreturn x",
    "mask_row": "m = y[:4] > 0\nx[m] = y\nreturn x",
    "index_set": "i = torch.tensor([0, 2])\nx[i] = y\nreturn x",
    "index_set2": "i = torch.tensor([0, 2])\nj = torch.tensor([1, 5])\nx[i, j] = 4.0\nreturn x",
    "index_aug": "i = torch.tensor([0, 2])\nx[i] *= 2\nreturn x",
    "index_aug_dup": "i = torch.tensor([0, 0, 2])\nx[i] += 1\nreturn x",
    "index_list": "x[[0, 3]] = 1.0\nreturn x",
    "index_put": "x.index_put_([torch.tensor([1]), torch.tensor([2])], torch.tensor(5.0))\nreturn x",
    "index_put_acc": "x.index_put_([torch.tensor([1, 1])], y, accumulate=True)\nreturn x",
    "index_put_out": "z = torch.index_put(x, [torch.tensor([1])], y)\nz.add_(1)\nreturn z, x",
    "index_view_copy": "v = x[torch.tensor([0, 1])]\nv.add_(100)\nreturn v, x",
    "mask_view_set": "v = x[1:3]\nv[v > 0] = 5.0\nreturn x",
    "nested_set": "x[1][2] = 8.0\nreturn x",
    "nested_view_mask": "x[1:][:, 2:][0][0] = -3.0\nreturn x",
    "aug_slice": "x[1:3, 2] -= 4\nreturn x",
    "alias_add": "z = x\nz += 1\nreturn z, x",
    "rebind": "z = x\nz = z + 1\nreturn z, x",
    "write_ret_view": "v = x[0]\nx.add_(1)\nreturn v",
    "ret_arg": "return x",
    "ret_view_of_arg": "return x[1], x.t(), x.view(-1)",
    "ret_twice": "return x, x, x[0]",
    "inplace_ret": "return x.add_(1), x.mul_(2)",
    "chain": "return x.add_(1).mul_(2).sub_(y)",
    "order": "a = x.sum()\nx.add_(1)\nb = x.sum()\nreturn a, b",
    "self_copy": "x.copy_(x.t().reshape(4, 6))\nreturn x",
    "copy_bcast": "x.copy_(y)\nreturn x",
    "copy_dtype": "k.copy_(x * 3)\nreturn k",
    "copy_dtype2": "x.copy_(k)\nreturn x",
    "copy_bool": "m = x > 100\nm.copy_(k)\nreturn m",
    "set_dtype": "k[0] = y * 10\nreturn k",
    "set_scalar_dtype": "k[1, 2] = 3\nk[0] = 2.7\nreturn k",
    "int_add_int": "k += 2\nk *= 3\nreturn k",
    "int_add_bool": "k += (x > 0)\nreturn k",
    "float_add_int": "x += k\nreturn x",
    "div_inplace": "x /= 2\nreturn x",
    "floor_divide_": "x.floor_divide_(2)\nk.floor_divide_(2)\nreturn x, k",
    "clamp_": "x.clamp_(-0.5, 0.5)\nreturn x",
    "clamp_view": "x[:, 1].clamp_(min=0.0)\nreturn x",
    "relu_": "x[1:].relu_()\nreturn F.relu_(x)",
    "relu_inplace_arg": "z = F.relu(x, inplace=True)\nreturn z, x",
    "dropout_inplace": "z = F.dropout(x, 0.5, False, True)\nz.add_(1)\nreturn z, x",
    "detach": "d = x.detach()\nd.add_(1)\nreturn x, d",
    "data": "d = x.data\nd.add_(1)\nreturn x",
    "view_as": "v = y.view_as(x[0])\nv.add_(1)\nreturn y",
    "expand_read": "e = y.expand(4, 6)\ny.add_(1)\nreturn e + x",
    "expand_as": "e = y.expand_as(x)\nz = e + 0\nz.add_(1)\nreturn e, z",
    "unbind": "a, b, d, e = x.unbind(0)\na.add_(1)\nb.mul_(d)\nreturn x, e",
    "unbind1": "l = x.unbind(1)\nl[2].zero_()\nreturn x",
    "chunk": "a, b = x.chunk(2, 1)\na.add_(b)\nreturn x",
    "split": "a, b = x.split(3, 1)\nb.zero_()\nreturn x, a",
    "split_sizes": "a, b = x.split([2, 4], 1)\nb.mul_(2)\na.fill_(1)\nreturn x",
    "tensor_split": "l = torch.tensor_split(x, 3, 1)\nl[1].fill_(2.0)\nreturn x",
    "for_unbind": "for r in x.unbind(0):\n  r.add_(r.sum())\nreturn x",
    "for_rows": "for r in x:\n  r.div_(r.abs().max())\nreturn x",
    "narrow": "x.narrow(1, 2, 3).add_(1)\nreturn x",
    "select_": "x.select(0, n).sub_(1)\nreturn x",
    "diagonal": "x.diagonal().fill_(9.0)\nreturn x",
    "diagonal2": "x.diagonal(1, 0, 1)[1:].mul_(2)\nreturn x",
    "permute": "v = x.view(2, 2, 6).permute(2, 0, 1)\nv[0].fill_(3)\nreturn x",
    "transpose": "x.transpose(0, 1)[2:4] += 1\nreturn x",
    "movedim": "x.movedim(0, 1)[2] = 5.0\nreturn x",
    "unsqueeze": "v = x.unsqueeze(1)\nv[1, 0] = y\nreturn x",
    "squeeze": "v = x[1:2].squeeze(0)\nv += 1\nreturn x",
    "flatten": "v = x.flatten()\nv[3:9] = 0\nreturn x",
    "flatten_t": "v = x.t().flatten()\nv[3:9] = 0\nreturn x, v",
    "reshape_view": "v = x.reshape(3, 8)\nv[1] = 2\nreturn x",
    "reshape_copy": "v = x.t().reshape(3, 8)\nv[1] = 2\nreturn x, v",
    "reshape_minus": "v = x.reshape(-1)\nv[n] = 2\nreturn x",
    "ravel": "x.ravel()[5] = 1.0\nreturn x",
    "contig_same": "v = x.contiguous()\nv.add_(1)\nreturn x",
    "contig_copy": "v = x.t().contiguous()\nv.add_(1)\nreturn x, v",
    "to_same": "v = x.to(torch.float32)\nv.add_(1)\nreturn x",
    "to_other": "v = x.to(torch.float64)\nv.add_(1)\nreturn x, v",
    "to_copy": "v = x.to(torch.float32, copy=True)\nv.add_(1)\nreturn x, v",
    "float_": "v = x.float()\nv.add_(1)\nw = k.long()\nw.add_(1)\nreturn x, k",
    "type_as": "v = x.type_as(y)\nv.add_(1)\nreturn x",
    "clone": "v = x.clone()\nv.add_(1)\nreturn x, v",
    "unfold": "v = y.unfold(0, 2, 2)\nv[0] = 3.0\nreturn y",
    "unfold_read": "v = y.unfold(0, 3, 1)\ny.add_(1)\nreturn v",
    "as_strided": "v = x.as_strided([2, 2], [7, 1], 3)\nv.fill_(1.0)\nreturn x",
    "as_strided_read": "v = torch.as_strided(x, [3, 3], [1, 2])\nx.add_(1)\nreturn v",
    "t_": "z = x.clone()\nz.t_()\nz[0].fill_(1)\nreturn z",
    "t_alias": "z = x.clone()\nw = z\nz.t_()\nreturn w.shape, w",
    "unsqueeze_": "z = x.clone()\nv = z[0]\nz.unsqueeze_(0)\nv.add_(1)\nreturn z, v",
    "transpose_": "z = x.clone()\nz.transpose_(0, 1)\nz[1] += 1\nreturn z",
    "squeeze_": "z = x[:1].clone()\nz.squeeze_(0)\nz[1] = 5\nreturn z",
    "out": "z = torch.empty(4, 6)\ntorch.add(x, y, out=z)\nreturn z",
    "out_arg": "torch.mul(x, 2, out=x)\nreturn x",
    "out_view": "z = torch.zeros(2, 6)\ntorch.add(y, 1, out=z[0])\nreturn z",
    "addmm_": "z = torch.zeros(4, 4)\nz.addmm_(x, x.t())\nreturn z",
    "addcmul_": "x.addcmul_(x, y, value=0.5)\nreturn x",
    "lerp_": "x[0].lerp_(y, 0.5)\nreturn x",
    "masked_fill_": "x.masked_fill_(x > 0, 2.0)\nx[0].masked_fill_(y > 0, 3.0)\nreturn x",
    "masked_scatter_": "x.masked_scatter_(x > 0, torch.arange(24.0))\nreturn x",
    "scatter_": "x.scatter_(1, k.abs() % 6, 1.5)\nreturn x",
    "scatter_add_": "x[1:].scatter_add_(1, k[1:].abs() % 6, torch.ones(3, 6))\nreturn x",
    "index_add_": "x.index_add_(0, torch.tensor([0, 2]), torch.ones(2, 6))\nreturn x",
    "index_copy_": "x.index_copy_(0, torch.tensor([3, 1]), x[:2] * 2)\nreturn x",
    "index_fill_": "x.t().index_fill_(0, torch.tensor([1]), 7.0)\nreturn x",
    "put_": "x.put_(torch.tensor([3, 7]), torch.tensor([1.0, 2.0]))\nreturn x",
    "fill_diagonal_": "x.fill_diagonal_(1.0)\nreturn x",
    "tril_": "x.tril_()\nreturn x",
    "cumsum_": "x.cumsum_(1)\nreturn x",
    "exp_chain": "x.abs_().sqrt_().exp_().neg_()\nreturn x",
    "bool_ops": "m = x > 0\nm.logical_not_()\nm[0] = True\nm[1].logical_and_(m[0])\nreturn m",
    "bitwise_": "k.bitwise_and_(3)\nk[0] <<= 1\nreturn k",
    "flip_copy": "x[:, :3] = x[:, 3:].flip(1)\nreturn x",
    "swap_rows": "t = x[0].clone()\nx[0] = x[1]\nx[1] = t\nreturn x",
    "swap_rows_wrong": "t = x[0]\nx[0] = x[1]\nx[1] = t\nreturn x",
    "cat_write": "z = torch.cat([x, x])\nz[0] = 0\nreturn z, x",
    "stack_write": "z = torch.stack([y, y])\nz[0] = 0\nreturn z, y",
    "list_elem": "l = [x, y]\nl[0].add_(1)\nreturn x, l[1]",
    "list_same_twice": "l = [y, y]\nl[0].add_(1)\nl[1].add_(1)\nreturn y",
    "list_name": "l = [y.clone(), y.clone()]\na = l[0]\na.mul_(2)\nreturn l[0], l[1]",
    "list_views": "l = [x[i] for i in range(4)]\nfor i in range(4):\n  l[i].add_(i)\nreturn x",
    "dict_elem": "d = {'a': x, 'b': y}\nd['a'].add_(1)\ny.add_(1)\nreturn d['b'], x",
    "tuple_elem": "t = (x, y)\nt[1].fill_(3)\nreturn t[0] + y",
    "list_setitem": "l = [x[0], x[1]]\nl[0] = l[1]\nl[0].zero_()\nreturn x",
    "list_aug": "l = [y.clone()]\nw = l[0]\nl[0] += 1\nreturn w, l[0]",
    "opt": "z: Optional[Tensor] = None\nif n >= 0:\n  z = x\nif z is not None:\n  z.add_(1)\nreturn x",
    "call": "helper_(x[1])\nhelper_(y)\nreturn x, y",
    "call_ret": "v = helper_row(x)\nv.add_(1)\nreturn x",
    "call_in_loop": "for i in range(n):\n  helper_(x[i])\nreturn x",
    "loop_rows": "for i in range(n):\n  x[i] = x[i] * 2 + i\nreturn x",
    "loop_view_before": "v = x[0]\nfor i in range(n):\n  v.add_(i)\nreturn x, v",
    "loop_two_views": "v = x[0]\nw = x[:, 0]\nfor i in range(n):\n  v.add_(1)\n  w.mul_(2)\nreturn x, v, w",
    "while_write": "i = 0\nwhile i < n:\n  x[i, i] = 0.0\n  i += 1\nreturn x",
    "loop_read_view": "v = x[1]\ns = 0.0\nfor i in range(n):\n  x[1, i] = 1.0\n  s += float(v.sum())\nreturn s, x",
    "branch_write": "if c:\n  x.add_(1)\nelse:\n  x[0].mul_(2)\nreturn x",
    "branch_view_write": "v = x[1]\nif c:\n  v.zero_()\nreturn x, v",
    "branch_nested": "v = x[1]\nif c:\n  if n > 2:\n    v.zero_()\n  else:\n    v[0] = 1\nreturn x, v",
    "loop_branch": "for i in range(n):\n  if i % 2 == 0:\n    x[i].neg_()\nreturn x",
    "loop_break": "for i in range(4):\n  if i == n:\n    break\n  x[i] = 0\nreturn x",
    "data_dep_cond": "if bool(x.sum() > 0):\n  x.neg_()\nreturn x",
    "early_return": "if c:\n  x.add_(1)\n  return x\nx.mul_(2)\nreturn x",
    "loop_state_tensor": "h = torch.zeros(6)\nfor i in range(n):\n  h.add_(x[i])\n  h = h * 0.5\nreturn h, x",
    "loop_carry_fresh": "h = y.clone()\nfor i in range(n):\n  h = h + 1\n  h[0] = 0.0\nreturn h, y",
    "cond_alias": "a = x.clone()\nb = x * 2\nif c:\n  z = a\nelse:\n  z = b\nz.add_(1)\nreturn a, b, z",
    "cond_alias_arg": "if c:\n  z = x[0]\nelse:\n  z = y\nz.add_(1)\nreturn z",
    "cond_alias_or_new": "if c:\n  z = y\nelse:\n  z = y + 1\nz.mul_(3)\nreturn y, z",
    "cond_rebind_arg": "if n > 2:\n  x = x + 1\nx.add_(1)\nreturn x",
    "cond_view_choice": "if c:\n  v = x[0]\nelse:\n  v = x[1]\nv.add_(1)\nreturn x, v",
    "cond_view_of_choice": "if c:\n  v = x[0]\nelse:\n  v = x[:, 0].repeat(2)[:6]\nw = v[1:3]\nw.add_(1)\nreturn x, v",
    "cond_base_written": "if c:\n  v = x[0]\nelse:\n  v = x[1]\nx.add_(1)\nreturn v",
    "cond_different_strides": "z = torch.zeros(6, 6)\nif c:\n  v = z[0]\nelse:\n  v = z[:, 1]\nv += y\nv[2:].mul_(2)\nreturn z, v",
    "cond_transposed": "z = torch.zeros(6, 6)\nif c:\n  v = z\nelse:\n  v = z.t()\nv[0] = y\nreturn z, v",
    "cond_expand_write_ok": "z = torch.zeros(2, 6)\nif c:\n  v = z[0]\nelse:\n  v = y\nw = v.expand(3, 6)\nz.add_(1)\nreturn w, v",
    "cond_dyn_shape": "if c:\n  v = x[:n]\nelse:\n  v = x[1:]\nv.add_(1)\nreturn x, v",
    "cond_both_names": "a = y.clone()\nb = y.clone()\nif c:\n  p = a\n  q = b\nelse:\n  p = b\n  q = a\np.add_(1)\nq.mul_(10)\nreturn a, b, p, q",
    "ternary": "z = x[0] if c else x[1]\nz.zero_()\nreturn x",
    "cond_tuple": "a = y.clone()\nif c:\n  p = (a, x)\nelse:\n  p = (y, x)\np[0].add_(1)\nreturn a, y",
    "cond_list": "a = y.clone()\nl = [a, y]\nif c:\n  l = [y, a]\nl[0].add_(1)\nreturn a, y",
    "cond_opt_alias": "z: Optional[Tensor] = None\nif c:\n  z = y\nif z is not None:\n  z.add_(1)\nreturn y",
    "loop_view_moves": "v = x.view(-1)\nfor i in range(n):\n  v[0] = -1.0\n  v = v[2:]\nreturn x, v",
    "loop_alias_then_new": "z = x.clone()\nw = z\nfor i in range(n):\n  w.add_(1)\n  w = w * 2\nreturn z, w",
    "loop_swap": "a = y.clone()\nb = y * 2\nfor i in range(n):\n  a.add_(1)\n  t = a\n  a = b\n  b = t\nreturn a, b",
    "loop_pingpong": "a = y.clone()\nb = torch.zeros(6)\nfor i in range(n):\n  b.copy_(a)\n  b[1:] += a[:-1]\n  t = a\n  a = b\n  b = t\nreturn a, b",
    "loop_row_choice": "v = x[0]\nfor i in range(n):\n  v.add_(1)\n  v = x[i]\nreturn x, v",
    "loop_prev": "prev = y\nfor i in range(n):\n  cur = x[i]\n  cur.add_(prev)\n  prev = cur\nreturn x, prev, y",
    "while_walk": "v = y\ni = 0\nwhile v.size(0) > n + 1:\n  v[0] = float(i)\n  v = v[1:]\n  i += 1\nreturn y, v",
    "branch_made": "if c:\n  t = torch.zeros(6)\n  z = t\nelse:\n  t = y\n  z = torch.ones(6)\nt.add_(1)\nreturn z, t, y",
    "reshape_unknown": "if c:\n  v = x.t()\nelse:\n  v = x.view(6, 4)\nw = v.reshape(-1)\nw[1] = 50.0\nreturn x, w",
    "contig_unknown": "if c:\n  v = x.t()\nelse:\n  v = x.view(6, 4)\nw = v.contiguous()\nw[1] = 50.0\nreturn x, w",
    "dyn_reshape": "v = x[:, n:]\nw = v.reshape(-1)\nw[0] = 50.0\nreturn x, w",
    "rtlist_elem": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i].clone())\nfor t in l:\n  t.add_(1)\nreturn l, x",
    "rtlist_views": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nfor t in l:\n  t.add_(1)\nreturn x",
    "rtlist_name": "l: List[Tensor] = []\nz = y.clone()\nfor i in range(n + 1):\n  l.append(z)\nz.add_(1)\nreturn l, z",
    "rtlist_elem_name": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(y * i)\na = l[0]\na.add_(5)\nreturn l[0], a, l[-1]",
    "rtlist_index_write": "l: List[Tensor] = []\nfor i in range(4):\n  l.append(x[i])\nl[n].zero_()\nreturn x",
    "rtlist_aug": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(y * i)\nw = l[0]\nl[0] += 1\nreturn w, l",
    "rtlist_slice_write": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nl[-1][2:4] = 7\nreturn l, x",
    "rtlist_static_promoted": "l = [x[0], x[1], y]\nl[n % 3].mul_(2)\nreturn x, y",
    "rtlist_pop_write": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nt = l.pop()\nt.fill_(2)\nreturn x, len(l)",
    "rtlist_same_twice": "l: List[Tensor] = []\nz = y.clone()\nfor i in range(n + 1):\n  l.append(z)\nfor t in l:\n  t.add_(1)\nreturn z",
    "rtlist_of_lists": "l: List[List[Tensor]] = []\nfor i in range(n + 1):\n  l.append([x[i], y])\nl[0][1].add_(1)\nfor p in l:\n  p[0].neg_()\nreturn x, y",
    "rtlist_of_tuples": "l: List[Tuple[Tensor, int]] = []\nfor i in range(n + 1):\n  l.append((x[i], i))\nfor t, j in l:\n  t.mul_(j)\nreturn x",
    "rtlist_grow_dim": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i, i:])\nfor t in l:\n  t[0] = 0.5\nreturn x",
    "rtlist_stack": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nl[0].add_(1)\ns = torch.stack(l)\ns.add_(1)\nreturn s, x",
    "rtlist_base_written": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nx.add_(1)\nreturn l",
    "rtlist_write_in_loop": "l: List[Tensor] = []\nh = torch.zeros(6)\nfor i in range(n + 1):\n  h.add_(x[i])\n  l.append(h)\nreturn l",
    "rtlist_write_in_loop_clone": "l: List[Tensor] = []\nh = torch.zeros(6)\nfor i in range(n + 1):\n  h.add_(x[i])\n  l.append(h.clone())\nreturn l",
    "rtlist_queue": "q = [x[0], x[1]]\nfor i in range(n):\n  t = q.pop(0)\n  t.add_(1)\n  q.append(t)\nreturn x, q[0]",
    "rtlist_setitem": "l: List[Tensor] = []\nfor i in range(4):\n  l.append(x[i])\nl[0] = l[n]\nl[0].zero_()\nreturn x",
    "rtlist_select_view": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i].clone())\nv = l[0][1:3]\nl[0].add_(1)\nv.mul_(3)\nreturn v, l[0]",
    "rtlist_cond": "l: List[Tensor] = []\nfor i in range(4):\n  if i % 2 == 0 or c:\n    l.append(x[i])\n  else:\n    l.append(y)\nfor t in l:\n  t.add_(1)\nreturn x, y",
    "rtlist_extend": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l += [y, x[i]]\nl[0].zero_()\nreturn l, y",
    "rtlist_copy": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nm = l[:]\nm[0].add_(1)\nreturn l[0], x",
    "rtlist_unbind": "l = list(x.unbind(0))\nl.append(y)\nfor i in range(n):\n  l.append(y * 2)\nl[0].add_(1)\nl[4].add_(1)\nreturn x, y, len(l)",
    "rtlist_reshape": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nv = l[0].view(2, 3)\nv[1] = 4\nreturn x, v",
    "rtlist_3d": "z = torch.zeros(2, 3, 4)\nl: List[Tensor] = []\nfor i in range(n % 2 + 1):\n  l.append(z[i].t())\nfor t in l:\n  t[1] = 6\n  t.add_(1)\nreturn z, l",
    "zero_dim": "s = x.sum()\nv = s\nv.add_(1)\nreturn s",
    "zero_dim_view": "v = x[1, 2]\nv.add_(1)\nv.mul_(2)\nreturn x, v",
    "zero_dim_fill": "x[0, 0].fill_(y[1])\nreturn x",
    "float_of_view": "v = y[0]\na = float(v)\ny[0] = 5.0\nreturn a, float(v)",
    "empty_slice": "x[2:2].add_(1)\nx[4:] = 3\nreturn x",
    "fresh_zeros": "z = torch.zeros(n + 1, 3)\nfor i in range(n + 1):\n  z[i] = float(i)\nreturn z",
    "zeros_like": "z = torch.zeros_like(x)\nz[:, :3] = x[:, 3:]\nz[:, 3:] = x[:, :3]\nreturn z",
    "pad_like": "z = torch.zeros(6, 8)\nz[1:-1, 1:-1] = x\nreturn z",
    "rotary": "a = x[:, ::2]\nb = x[:, 1::2]\no = torch.empty_like(x)\no[:, ::2] = a - b\no[:, 1::2] = a + b\nreturn o",
    "accum": "acc = torch.zeros(6)\nfor i in range(4):\n  acc += x[i]\nreturn acc",
    "tri": "for i in range(4):\n  for j in range(i):\n    x[i, j] = x[j, i]\nreturn x",
    "row_normalise": "m = x.mean(1, keepdim=True)\nx -= m\nx /= x.std(1, keepdim=True)\nreturn x",
    "where_write": "z = torch.where(x > 0, x, -x)\nz[0] = 0\nreturn z, x",
    "meshgrid": "a, b = torch.meshgrid([y[:2], y[2:]])\ny.add_(1)\nreturn a, b",
    "broadcast_tensors": "a, b = torch.broadcast_tensors(x, y)\ny.add_(1)\nreturn b, a",
    "repeat_write": "z = y.repeat(2, 1)\nz[0] = 1\nreturn z, y",
    "broadcast_to_read": "z = y.broadcast_to([3, 6])\ny[0] = 9\nreturn z",
    "swapaxes": "x.swapaxes(0, 1)[0] = 1\nreturn x",
    "unflatten": "v = x.unflatten(1, [2, 3])\nv[:, 0] = 1\nreturn x",
    "numpy_T": "x.T[0] = 2\nreturn x",
    "mT": "x.mT[0] = 2\nreturn x",
    "hsplit": "l = torch.hsplit(x, 2)\nl[0].add_(1)\nreturn x",
    "atleast": "v = torch.atleast_2d(y)\nv[0, 0] = 5\nreturn y",
    "real": "v = torch.real(x)\nv.add_(1)\nreturn x",
    "square_set": "x[0] = x[0] * x[0]\nx[1] = x[0] + x[1]\nreturn x",
    "setitem_self_shift_clone": "x[1:] = x[:-1].clone()\nreturn x",
    "random_fill": "z = torch.empty(3)\nz.fill_(2.5)\nreturn z",
    "sort_out": "v, i = torch.sort(x, 1)\nv[0] = 0\nreturn v, i, x",
    "max_out": "v, i = x.max(1)\nv.add_(1)\nreturn v, i",
    "bn_buffers": "rm = torch.zeros(6)\nrv = torch.ones(6)\nz = F.batch_norm(x, rm, rv, None, None, True, 0.1, 1e-5)\nreturn z, rm, rv",
    "embedding_renorm": "w = x.clone()\nz = F.embedding(torch.tensor([0, 1]), w)\nw[0] = 0\nreturn z, w",
    "obj_attr": "o = Holder(y)\no.t.add_(1)\no.bump()\nreturn y, o.t",
    "obj_rebind": "o = Holder(y.clone())\nv = o.t\no.t = o.t + 1\nv.zero_()\nreturn o.t, v, y",
    "obj_cond": "o = Holder(y)\nif c:\n  o.t = x[0]\no.t.add_(1)\nreturn x, y",
    "obj_loop": "o = Holder(y)\nfor i in range(n):\n  o.bump()\n  o.t = x[i]\nreturn x, y, o.t",
    "lit_write": "t = torch.tensor([1.0, 2.0])\nfor i in range(n):\n  u = torch.tensor([1.0, 2.0])\n  u[0] += t[0]\n  t.add_(u)\nreturn t",
    "lit_rtlist": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(torch.tensor([1.0, 2.0]))\nl[0].add_(1)\nfor t in l:\n  t.mul_(2)\nreturn l",
    "as_strided_view": "v = x[1].as_strided([2, 2], [1, 6])\nv.fill_(1.0)\nreturn x, v",
    "as_strided_view_read": "v = x[1:].as_strided([2, 2], [1, 6])\nx.add_(1)\nreturn v",
    "as_strided_offset": "v = x[1:].as_strided([2, 2], [1, 6], 0)\nw = v + 1\nreturn w",
    "unfold_overlap_read": "u = y.unfold(0, 3, 1)\ny.mul_(2)\ns = u.sum(1)\nreturn s, u",
    "unfold_disjoint": "u = y.unfold(0, 2, 3)\nu[1, 0] = 7.0\nreturn y, u",
    "unfold_select_write": "u = y.unfold(0, 3, 1)\nu[1].add_(1)\nreturn y, u",
    "metadata_loop": "z = torch.zeros(3, 3)\nfor i in range(n):\n  z.t_()\n  z[0, 1] += 1\nreturn z",
    "static_list_cond_elem": "l = [x[0], x[1]]\nif c:\n  l[0] = y\nl[0].add_(1)\nreturn x, y",
    "dict_cond": "d = {'a': x[0]}\nif c:\n  d['a'] = y\nd['a'].add_(1)\nreturn x, y",
    "opt_tensor_loop": "h: Optional[Tensor] = None\nfor i in range(n):\n  if h is None:\n    h = x[i]\n  else:\n    h.add_(x[i])\nreturn x",
    "opt_tensor_loop2": "h: Optional[Tensor] = None\nfor i in range(n):\n  if h is not None:\n    h.add_(1)\n  h = x[i]\nreturn x",
    "while_pair": "a = x[0]\nb = x[1]\ni = 0\nwhile i < n:\n  a += b\n  a, b = b, a\n  i += 1\nreturn x, a, b",
    "nested_loops_alias": "v = y\nfor i in range(n):\n  for j in range(2):\n    v[j] = v[j] + i\n    v = v.flip(0) if i == 1 else v\nreturn y, v",
    "call_cond": "helper_(x[0] if c else y)\nreturn x, y",
    "call_cond2": "v = helper_row(x)\nw = v if c else y\nhelper_(w)\nreturn x, y, w",
    "cond_list_elem": "l: List[Tensor] = []\nfor i in range(4):\n  l.append(x[i])\nz = l[n] if c else y\nz.zero_()\nreturn x, y, l[0]",
    "mask_on_choice": "z = x if c else x * 1\nz[z > 0] = 0.0\nreturn x, z",
    "index_put_choice": "z = x if c else x * 1\nz[torch.tensor([0, 1])] = y\nreturn x, z",
    "slice_choice_copy_dtype": "z = k if c else k + 1\nz[0] = y * 3\nz[1] += 2\nreturn k, z",
    "bool_choice": "m = x > 0\np = m if c else m.clone()\np[0] = True\np.logical_not_()\nreturn m, p",
    "choice_of_args": "z = x[0] if c else y\nz += 1\nx.mul_(2)\ny.mul_(3)\nreturn x, y, z",
    "loop_narrow_dyn": "v = y\nfor i in range(n):\n  v.narrow(0, i, 2).add_(1)\n  v = v if c else v.clone()\nreturn y, v",
    "choice_expand_read": "v = y if c else y * 2\ne = v.expand(3, 6)\nv.add_(1)\ny.add_(5)\nreturn e, v",
    "choice_zero_dim": "s = y[0] if c else y[1]\ns.add_(10)\nreturn y, s",
    "choice_item": "s = y[0] if c else y[1]\ny[0] = 100.0\nreturn float(s)",
    "choice_unbind": "z = x if c else x.clone()\na, b, d, e = z.unbind(0)\na.add_(1)\nb.copy_(d)\nreturn x, z",
    "choice_chunk_split": "z = x if c else x.clone()\na, b = z.chunk(2, 1)\np, q = z.split(2, 0)\na.mul_(2)\nq.add_(1)\nreturn x, z, b, p",
    "choice_permute": "z = x.view(2, 2, 6)\nif n > 2:\n  z = z.clone()\nw = z.permute(2, 0, 1)[1:3]\nw.mul_(5)\nreturn x, z, w",
    "choice_view_chain": "z = x if c else x.clone()\nw = z.view(2, 2, 6)[1].t().unsqueeze(0).squeeze(0)[2:5]\nw.fill_(4)\nreturn x, z, w",
    "choice_flatten": "z = x if c else x.clone()\nz.flatten()[3] = 9.0\nz.view(-1)[4] = 8.0\nz.reshape(2, 12)[1, 1] = 7.0\nreturn x, z",
    "choice_diag": "z = x if c else x.clone()\nz.diagonal().zero_()\nz.diagonal(2).add_(1)\nz.diagonal(-1).add_(2)\nreturn x, z",
    "choice_movedim": "z = x if c else x.clone()\nz.movedim(0, 1)[2].fill_(3)\nz.swapaxes(0, 1)[0].fill_(2)\nz.T[1].fill_(5)\nz.mT[3].fill_(6)\nreturn x, z",
    "choice_as_strided": "z = x if c else x.clone()\nz.as_strided([2, 3], [6, 2], 1).fill_(3)\nreturn x, z",
    "choice_out": "z = x[0] if c else x[1]\ntorch.add(y, 1, out=z)\nreturn x",
    "choice_detach": "z = x if c else x.clone()\nz.detach().add_(1)\nz.data.mul_(2)\nreturn x, z",
    "rtlist_reshape_view": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[:, i:])\nw = l[0].reshape(-1)\nw[0] = 77.0\nv = l[-1].reshape(-1)\nv[0] = 66.0\nreturn x, w, v",
    "rtlist_insert_pop": "l = [y, y.clone()]\nfor i in range(n):\n  l.insert(0, x[i])\na = l.pop(0)\na.add_(1)\nl[-1].mul_(2)\nreturn x, y, a",
    "rtlist_dup": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(y)\nl[0][0] = 5.0\nl[-1].add_(1)\nreturn l, y",
    "rtlist_sum": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nfor t in l:\n  t.sub_(t.mean())\nreturn torch.stack(l).sum(0), torch.cat(l)",
    "rtlist_sort_scalars": "l: List[Tensor] = []\nfor i in range(6):\n  l.append(y[5 - i])\n  if i > n:\n    break\nl[0].add_(1)\nreturn l[0], y",
    "rtlist_two_lists": "a: List[Tensor] = []\nb: List[Tensor] = []\nfor i in range(n + 1):\n  r = x[i]\n  a.append(r)\n  b.append(r * 2)\na[0].add_(1)\nb[0].add_(100)\nreturn x, b",
    "rtlist_zip": "a: List[Tensor] = []\nb: List[Tensor] = []\nfor i in range(n + 1):\n  a.append(x[i])\n  b.append(y * i)\nfor p, q in zip(a, b):\n  p.add_(q)\nreturn x",
    "rtlist_enumerate": "a: List[Tensor] = []\nfor i in range(n + 1):\n  a.append(x[i])\nfor i, p in enumerate(a):\n  p[i] = float(i)\nreturn x",
    "rtlist_swap": "a: List[Tensor] = []\nfor i in range(4):\n  a.append(x[i])\na[0], a[n] = a[n], a[0]\na[0].zero_()\nreturn x, a[0], a[n]",
    "rtlist_return_arg": "a = [y]\nfor i in range(n):\n  a.append(x[i])\na[0].add_(1)\nreturn a",
    "state_like": "cache = torch.zeros(8, 6)\nfor i in range(n):\n  cache[i:i + 1] = x[i:i + 1]\n  cache[i + 1:] += y\nreturn cache[:n + 1]",
    "ring": "buf = [torch.zeros(6), torch.zeros(6), torch.zeros(6)]\nfor i in range(n + 3):\n  b = buf[i % 3]\n  b.add_(y)\n  b.mul_(0.5)\nreturn buf[0], buf[1], buf[2]",
    "lru": "l = [y.clone() for _ in range(3)]\nfor i in range(n):\n  t = l.pop(0)\n  t.copy_(x[i])\n  l.append(t)\nreturn l",
    "dict_rt": "d: Dict[int, Tensor] = {}\nfor i in range(n + 1):\n  d[i] = x[i]\nfor i in range(n + 1):\n  d[i].add_(1)\nreturn x",
    "dict_rt_clone": "d: Dict[int, Tensor] = {}\nfor i in range(n + 1):\n  d[i % 2] = x[i].clone()\nd[0].add_(1)\nreturn d[0], x",
    "dict_rt_acc": "d: Dict[int, Tensor] = {}\nfor i in range(4):\n  key = (i * n) % 3\n  if key in d:\n    d[key].add_(x[i])\n  else:\n    d[key] = x[i].clone()\nreturn d[0]",
    "dict_str_acc": "d: Dict[str, Tensor] = {'a': y.clone(), 'b': torch.zeros(6)}\nfor i in range(n):\n  key = 'a' if i % 2 == 0 else 'b'\n  d[key].add_(x[i])\nreturn d['a'], d['b']",
    "dict_values": "d: Dict[int, Tensor] = {}\nfor i in range(n + 1):\n  d[i] = x[i]\nfor v in d.values():\n  v.mul_(2)\nfor q, v in d.items():\n  v.add_(q)\nreturn x",
    "tuple_list": "l: List[Tuple[Tensor, Tensor]] = []\nfor i in range(n + 1):\n  l.append((x[i], y.clone()))\nfor a, b in l:\n  a.add_(b)\n  b.zero_()\nreturn x, l[0][1]",
    "cond_append": "l: List[Tensor] = []\nz = torch.zeros(6)\nif c:\n  l.append(z)\nl.append(y)\nl[0].add_(1)\nreturn z, y, len(l)",
    "fill_diagonal_tall": "z = torch.zeros(7, 3)\nz.fill_diagonal_(2.0, True)\nw = torch.zeros(7, 3)\nw.fill_diagonal_(1)\nu = torch.zeros(3, 3, 3)\nu.fill_diagonal_(3.0)\nreturn z, w, u",
    "put_acc": "x.put_(torch.tensor([[3, 3], [0, -1]]), y[:4].view(2, 2) * 1, accumulate=True)\nreturn x, torch.take(x, torch.tensor([3]))",
    "expand_part": "e = y.expand(4, 6)\ne[0] = 1\ne[1, 2:4].mul_(3)\nreturn e, y",
    "expand_trivial": "e = x.expand(4, 6)\ne[0] = 1\nf = x.expand_as(x)\nf[1] = 2\nreturn e, x",
    "opt_elem": "l: List[Optional[Tensor]] = []\nfor i in range(n + 1):\n  if i % 2 == 0:\n    l.append(None)\n  else:\n    l.append(x[i])\nfor t in l:\n  if t is not None:\n    t.add_(1)\nreturn x, len(l)",
    "opt_elem_first": "l: List[Optional[Tensor]] = [y, None]\nfor i in range(n):\n  l.append(x[i] if i != 1 else None)\nz = l[n]\nif z is not None:\n  z.zero_()\na = l[0]\nif a is not None:\n  a.add_(1)\nreturn x, y",
    "obj_list": "l: List[Holder] = []\nfor i in range(n + 1):\n  l.append(Holder(x[i]))\nfor o in l:\n  o.bump()\nl[0].t = y\nl[0].bump()\nreturn x, y",
    "obj_list_shared": "o = Holder(y)\nl: List[Holder] = []\nfor i in range(n + 1):\n  l.append(o)\nl[-1].t = x[0]\no.bump()\nreturn x, y, l[0].t",
    "obj_dict": "d: Dict[int, Holder] = {}\nfor i in range(n + 1):\n  d[i] = Holder(x[i].clone())\nd[0].bump()\nd[n].t.mul_(2)\nreturn d[0].t, x",
    "tuple_opt": "l: List[Tuple[int, Optional[Tensor]]] = []\nfor i in range(n + 1):\n  l.append((i, y if i > 0 else None))\nfor i, t in l:\n  if t is not None:\n    t.add_(i)\nreturn y",
    "str_dict_rt": "d: Dict[str, Tensor] = {}\nfor i in range(n + 1):\n  d[str(i)] = x[i]\nfor q in d.keys():\n  d[q].add_(1)\nreturn x",
    "shift_to_front": "x[:, :-1] = x[:, 1:]\nx[:, :-2].add_(x[:, 2:])\nx[:3, :-1] = x[1:, 1:]\nx[:, -1] = y[:4]\nreturn x",
    "rtlist_sort_tensors": "l: List[Tensor] = []\nfor i in range(n + 3):\n  l.append(y[i])\nl.sort()\nl[0].add_(1)\nl[-1].mul_(2)\nreturn y, l[0], l[1]",
    "rtlist_sort_reverse": "l: List[Tensor] = []\nfor i in range(n + 3):\n  l.append(y[i])\nl.sort(reverse=True)\nl[0].add_(100)\nreturn y",
    "rtlist_sorted": "l: List[Tensor] = []\nfor i in range(n + 3):\n  l.append(y[i])\nm = sorted(l)\nm[0].add_(100)\nreturn y, l[0]",
    "choice_tensor_split": "z = x if c else x.clone()\nl = torch.tensor_split(z, 2, 1)\nl[1].fill_(2.0)\np = torch.hsplit(z, 2)\np[0].add_(1)\nreturn x, z",
    "rtlist_tolist": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(y[i:i + 2])\nl[0].add_(1)\nq: List[float] = l[-1].tolist()\nreturn q",
    "rtlist_in_loop_cond": "l: List[Tensor] = []\nbest = y[0]\nfor i in range(n + 3):\n  l.append(y[i])\n  if bool(y[i] > best):\n    best = y[i]\nbest.add_(100)\nreturn y, l",
    "rtlist_slice_reverse": "l: List[Tensor] = []\nfor i in range(4):\n  l.append(x[i])\n  if i > n:\n    break\nl.reverse()\nm = l[:2] + l[-1:]\nm[0].zero_()\nm[-1].add_(1)\nreturn x, len(m)",
    "rtlist_einsum": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nl[0].add_(1)\nreturn torch.einsum('i,i->i', [l[0], l[-1]]), torch.cat([l[0], y]), torch.dot(l[0], y)",
    "rtlist_index_by": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(k[i] % 4)\nl[0].clamp_(0, 2)\nreturn x[l[0]], k",
    "rtlist_where": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nl[0][l[0] > 0] = 0.0\nl[-1].masked_fill_(l[-1] < 0, 5.0)\nreturn x",
    "rtlist_maxpool": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x.view(1, 1, 4, 6) + i)\nl[0].mul_(2)\no = F.max_pool2d(l[-1], 2)\nv, i = l[0].view(4, 6).max(1)\nv.add_(1)\nreturn o, v, i",
    "cond_linear": "w = x if c else x * 2\nw.mul_(0.5)\nreturn F.linear(y, w), torch.matmul(w, y), F.softmax(w, 1), F.layer_norm(w, [6])",
}

PROGRAMS |= {
    "empty_rows": "v = torch.full([0, n], 0, dtype=torch.int64)\nv -= 2\nw = torch.full([n, 0], 0.5)\nw += 1\nreturn v, w",
    "empty_choice": "v = torch.zeros(5, 0)\nw = torch.ones(5, 0) if c else v\nw -= 2\nv = torch.zeros(5, n)\nw = torch.ones(5, n) if c else v\nw -= 2\nreturn v, w",
    "empty_expanded": "v = torch.zeros(1, 0).expand(5, 0)\nv -= 2\nw = y[:0].expand(2, 0) if c else v\nw -= 2\nreturn v, w",
    "empty_in_list": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(torch.zeros(3, i))\nl[0] -= 1\nl[-1] += 1\nreturn l",
}

ERRORS = {
    "expand_write": "e = y.expand(4, 6)\ne.add_(1)\nreturn e",
    "expand_copy": "e = y.expand(4, 6)\ne.copy_(x)\nreturn e",
    "expand_one_of_unknown_extent": "v = torch.zeros(1, n).expand(5, n)\nv -= 2\nreturn v",
    "overlap_shift": "x[1:] = x[:-1]\nreturn x",
    "overlap_shift_add": "x[1:] += x[:-1]\nreturn x",
    "overlap_copy": "y[1:].copy_(y[:-1])\nreturn y",
    "overlap_t": "z = torch.zeros(4, 4)\nz.copy_(z.t())\nreturn z",
    "overlap_t_add": "z = torch.ones(4, 4)\nz += z.t()\nreturn z",
    "int_add_float": "k += 1.5\nreturn k",
    "int_div": "k /= 2\nreturn k",
    "bool_add_int": "m = x > 0\nm += 1\nreturn m",
    "shape_grow": "y += x\nreturn y",
    "copy_shape": "y.copy_(x)\nreturn y",
    "view_bad": "v = x.t().view(-1)\nreturn v",
    "int_sqrt": "k.sqrt_()\nreturn k",
    "int_true_div_view": "k[0] /= 2\nreturn k",
    "bool_mul_float": "m = x > 0\nm *= 2.0\nreturn m",
    "cond_expand_write": "if c:\n  e = y.expand(4, 6)\nelse:\n  e = x\ne.add_(1)\nreturn y, x",
    "inplace_on_scalar_bcast": "s = y[0]\ns += y\nreturn y",
    "out_dtype": "torch.add(x, y, out=k)\nreturn k",
    "overlap_where_dense": "y[1:].lerp_(y[:-1], 0.5)\nreturn y",
    "overlap_bcast": "y.add_(y[0])\nreturn y",
    "overlap_out": "torch.add(y[1:], y[:-1], out=y[1:])\nreturn y",
    "overlap_index_put": "y.index_put_([torch.tensor([0])], y[1])\nreturn y",
}

SHAPES_THAT_CHANGE = {
    "on_choice": "a = torch.zeros(6, 6)\nb = torch.ones(6, 6)\nz = a if c else b\nz.t_()\nreturn a, b, z",
    "on_choice_after": "z = x.clone()\nw = z if c else x\nz.unsqueeze_(0)\nreturn w.dim(), z.dim()",
    "in_list": "l: List[Tensor] = []\nz = x.clone()\nfor i in range(n + 1):\n  l.append(z)\nz.unsqueeze_(0)\nreturn l[0].dim(), z.dim()",
    "of_element": "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(y * i)\nl[0].unsqueeze_(0)\nreturn l[0].dim()",
    "carried": "z = y.clone()\nfor i in range(n):\n  z.unsqueeze_(0)\n  z = y.clone()\nreturn z",
}

RUNS = ((2, True), (0, False), (3, True), (3, False))
PER_COMPILE = 12
BATCHES = [list(PROGRAMS)[i : i + PER_COMPILE] for i in range(0, len(PROGRAMS), PER_COMPILE)]
PARAMETERS = "x{0}: Tensor, y{0}: Tensor, k{0}: Tensor"


def tensors():
    r = np.random.RandomState(0)
    return [r.randn(4, 6).astype(np.float32), r.randn(6).astype(np.float32), r.randint(-9, 9, (4, 6))]


def text_of(bodies):
    """One function that gives the results of all."""
    functions = ""
    for i, body in enumerate(bodies):
        lines = "".join(f"  {line}\n" for line in body.split("\n"))
        functions += f"def f{i}(x: Tensor, y: Tensor, k: Tensor, n: int, c: bool):\n{lines}"
    parameters = ", ".join(PARAMETERS.format(i) for i in range(len(bodies)))
    calls = ", ".join(f"f{i}(x{i}, y{i}, k{i}, n, c)" for i in range(len(bodies)))
    return f"{PRELUDE}{functions}def f({parameters}, n: int, c: bool):\n  return ({calls},)\n"


def specs(count):
    own = [TensorSpec(from_numpy(a.dtype), a.shape) for a in tensors()]
    return [*own * count, ScalarSpec(INT), ScalarSpec(BOOL)]


def in_torch(text, tmp_path):
    path = tmp_path / f"views_{abs(hash(text))}.py"
    path.write_text(text)
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    return module.f


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.numpy()
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def same(a, b):
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
    return type(a) is type(b) and a == pytest.approx(b)


def lowered(text, count):
    program = compile_text(text, "views.py", "f")
    return program, driver.lower(program, specs(count))


def native(low):
    compiled = compile_module(low.modules["loops"], low.signature)
    return lambda given: rebuild(low.signature.tree, compiled.call_flat(given))


@pytest.mark.parametrize("names", BATCHES, ids=lambda names: names[0])
def test_computes_what_pytorch_does(names, tmp_path, long):
    text = text_of([PROGRAMS[n] for n in names])
    expected_of = in_torch(text, tmp_path)
    program, low = lowered(text, len(names))
    call = native(low)
    for n, c in RUNS:
        given = tensors() * len(names)
        given = [a.copy() for a in given]
        copies = [torch.from_numpy(a.copy()) for a in given]
        expected, got = plain(expected_of(*copies, n, c)), call([*given, n, c])
        for i, name in enumerate(names):
            assert same(expected[i], got[i]), (name, n, c, expected[i], got[i])
            own = slice(3 * i, 3 * i + 3)
            assert same(plain(copies[own]), given[own]), (name, n, c, "arguments")
    for n, c in RUNS if long else RUNS[:1]:
        report = verify_stages(program, specs(len(names)), [*(a.copy() for a in tensors() * len(names)), n, c])
        assert all(line.agrees for line in report), report
    for stage in ("linalg", "loops"):
        again = parse_module(driver.print_stage(low, stage), driver.constants(low.modules[stage]))
        assert difference(low.modules[stage], again) is None, stage


OPEN = [
    *("loop_rows", "setitem_rt_slice2", "dyn_reshape", "cond_view_choice", "cond_dyn_shape", "reshape_unknown", "loop_view_moves"),
    *("loop_pingpong", "while_walk", "rtlist_views", "rtlist_reshape_view", "rtlist_grow_dim", "dict_values", "choice_view_chain"),
]


def test_with_extents_known_at_run_time(tmp_path):
    text = text_of([PROGRAMS[n] for n in OPEN])
    f32, i64 = from_numpy(np.dtype("f4")), from_numpy(np.dtype("i8"))
    rows, columns = Dim("rows"), Dim("columns")
    own = [TensorSpec(f32, (rows, columns)), TensorSpec(f32, (columns,)), TensorSpec(i64, (rows, columns))]
    low = driver.lower(compile_text(text, "views.py", "f"), [*own * len(OPEN), ScalarSpec(INT), ScalarSpec(BOOL)])
    call, expected_of = native(low), in_torch(text, tmp_path)
    for n, c in RUNS:
        given = [a.copy() for a in tensors() * len(OPEN)]
        copies = [torch.from_numpy(a.copy()) for a in given]
        expected, got = plain(expected_of(*copies, n, c)), call([*given, n, c])
        for name, e, g in zip(OPEN, expected, got, strict=True):
            assert same(e, g), (name, n, c, e, g)
        assert same(plain(copies), given)


def test_a_loop_may_add_a_tensor_of_fixed_extents(tmp_path):
    text = text_of(["for i in range(n):\n  x += torch.full([4, 6], 2.0)\nreturn x"])
    f32, i64 = from_numpy(np.dtype("f4")), from_numpy(np.dtype("i8"))
    own = [TensorSpec(f32, (Dim("rows"), Dim("columns"))), TensorSpec(f32, (6,)), TensorSpec(i64, (4, 6))]
    low = driver.lower(compile_text(text, "views.py", "f"), [*own, ScalarSpec(INT), ScalarSpec(BOOL)])
    x, y, k = tensors()
    assert np.allclose(native(low)([x.copy(), y, k, 3, True])[0], x + 6)


@pytest.mark.parametrize("name", ERRORS)
def test_raises_what_pytorch_raises(name, tmp_path):
    text = text_of([ERRORS[name]])
    with pytest.raises(RuntimeError) as expected:
        in_torch(text, tmp_path)(*(torch.from_numpy(a) for a in tensors()), 2, True)
    with pytest.raises((CompileError, ExecutionError)) as found:
        _, low = lowered(text, 1)
        native(low)([*tensors(), 2, True])
    message = found.value.message if isinstance(found.value, ExecutionError) else found.value.diagnostics[0].message
    assert message in str(expected.value)


@pytest.mark.parametrize("name", SHAPES_THAT_CHANGE)
def test_a_shape_that_another_name_would_see_change_is_refused(name):
    with pytest.raises(CompileError, match="has another name") as found:
        lowered(text_of([SHAPES_THAT_CHANGE[name]]), 1)
    assert found.value.diagnostics[0].span is not None


UNDEFINED = {
    "unfold": "y.unfold(0, 3, 1).add_(1)\nreturn y",
    "as_strided": "y.as_strided([2, 3], [1, 1]).add_(1)\nreturn y",
    "columns": "x[:, 1:].copy_(x[:, :-1])\nreturn x",
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_what_depends_on_the_order_of_writes_is_refused(name):
    """PyTorch computes something, by the order in which its kernels go through the elements."""
    with pytest.raises(CompileError, match="refers? to a single memory location"):
        lowered(text_of([UNDEFINED[name]]), 1)


def test_what_can_be_followed_stays_values():
    body = "v = x[1]\nif c:\n  v.zero_()\nfor i in range(n):\n  x[i] += y\nreturn x, v"
    _, low = lowered(text_of([body]), 1)
    assert not any(op.name.startswith("rt.") for op in low.modules["loops"].walk())


def test_gpus_refuse_memory():
    text = text_of(["z = x if c else x * 2\nz.add_(1)\nreturn x"])
    with pytest.raises(CompileError, match="only known at run time are not supported on GPUs"):
        driver.lower(compile_text(text, "views.py", "f"), specs(1), "sm_90")


def test_memory_is_given_back():
    body = "l: List[Tensor] = []\nfor i in range(n + 1):\n  l.append(x[i])\nz = l[n] if c else y\nz.add_(1)\nreturn x, y"
    _, low = lowered(text_of([body]), 1)
    names = [op.name for op in low.modules["loops"].walk()]
    assert "rt.view_write" in names and "rt.release" in names
    native(low)([*tensors(), 3, True])
