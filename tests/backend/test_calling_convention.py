"""Arguments and results at the boundary: checks and messages, strides, empty tensors, scalars, in-place writes."""

from __future__ import annotations

import ctypes
import gc

import ml_dtypes
import numpy as np
import pytest

from torchcc.backend.cpu.jit import session
from torchcc.backend.runtime.abi import DL_TENSOR
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.signature import Dim

COPY = """
func.func @f(%x: memref<?x3x{0}>) -> memref<?x3x{0}> {{
  return %x : memref<?x3x{0}>
}}"""


@pytest.fixture
def copy(compiled):
    return compiled(COPY.format("f32"), "f32[n,3]", "f32[n,3]", dims={"n": Dim("n", 1, 8)})


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (np.zeros((2, 4), np.float32), "argument `x0`: expected f32[n,3], got f32[2,4]"),
        (np.zeros((2, 3), np.float64), "argument `x0`: expected f32[n,3], got f64[2,3]"),
        (np.zeros(3, np.float32), "argument `x0`: expected f32[n,3], got f32[3]"),
        (np.zeros((0, 3), np.float32), "argument `x0`: dimension `n` is 0, its minimum is 1"),
        (np.zeros((9, 3), np.float32), "argument `x0`: dimension `n` is 9, its maximum is 8"),
    ],
)
def test_bad_tensors(copy, argument, message):
    with pytest.raises(ExecutionError) as error:
        copy(argument)
    assert error.value.message == message


def test_dimensions_of_one_name_must_agree(compiled):
    text = """
    func.func @f(%x: memref<?xf32>, %y: memref<?xf32>) -> memref<?xf32> {
      return %y : memref<?xf32>
    }"""
    f = compiled(text, "f32[n] f32[n]", "f32[n]")
    with pytest.raises(ExecutionError, match="argument `x1`: dimension `n` is 3 here, but 2 in another argument"):
        f(np.zeros(2, np.float32), np.zeros(3, np.float32))


def test_python_level_errors(copy):
    with pytest.raises(TypeError, match="takes 1 arguments, got 2"):
        copy(1, 2)
    with pytest.raises(TypeError, match="argument `x0`: expected an array, got list"):
        copy([[1, 2, 3]])
    with pytest.raises(TypeError, match="numpy dtype object"):
        copy(np.zeros((2, 3), object))


def test_any_strides(copy):
    base = np.arange(6 * 12, dtype=np.float32).reshape(6, 12)
    for x in (
        base[:, ::4],
        base[::-1, 2:5],
        base[::2, 9::-4][:, :3],
        base.T[:3].T,
        np.broadcast_to(base[0, :3], (5, 3)),
    ):
        assert x.shape[1] == 3
        np.testing.assert_array_equal(copy(x), x)


def test_unusual_memory(copy):
    """Another byte order, an address that is not a multiple of the element, read-only memory."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(copy(x.astype(">f4")), x)
    raw = np.zeros(6 * 4 + 1, np.uint8)
    odd = raw[1:].view(np.float32).reshape(2, 3)
    odd[...] = x
    np.testing.assert_array_equal(copy(odd), x)
    packed = np.zeros(2, np.dtype([("pad", "u1"), ("v", "f4", 3)]))
    packed["v"] = x
    np.testing.assert_array_equal(copy(packed["v"]), x)
    x.flags.writeable = False
    np.testing.assert_array_equal(copy(x), x)


@pytest.mark.parametrize(
    ("element", "short", "dtype"),
    [
        ("f64", "f64", np.float64),
        ("f16", "f16", np.float16),
        ("bf16", "bf16", ml_dtypes.bfloat16),
        ("i8", "u8", np.uint8),
        ("i8", "i8", np.int8),
        ("i16", "i16", np.int16),
        ("i32", "i32", np.int32),
        ("i64", "i64", np.int64),
        ("i1", "bool", np.bool_),
    ],
)
def test_every_dtype(compiled, element, short, dtype):
    f = compiled(COPY.format(element), f"{short}[n,3]", f"{short}[n,3]")
    x = np.arange(12).reshape(4, 3).astype(dtype)
    result = f(x[::-2])
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result.astype(np.float64), x[::-2].astype(np.float64))


def test_zero_dimensions_and_empty(compiled):
    text = """
    func.func @f(%x: memref<f32>, %y: memref<?x0xi64>) -> (memref<f32>, memref<?x0xi64>) {
      return %x, %y : memref<f32>, memref<?x0xi64>
    }"""
    f = compiled(text, "f32[] i64[n,0]", "f32[] i64[n,0]")
    a, b = f(np.array(2.5, np.float32), np.zeros((7, 0), np.int64))
    assert a.shape == () and a == 2.5 and b.shape == (7, 0)


def test_scalars(compiled):
    text = """
    func.func @f(%a: i64, %b: f64, %c: i1) -> (i64, f64, i1) {
      %one = arith.constant 1 : i64
      %true = arith.constant true
      %k = arith.addi %a, %one : i64
      %n = arith.negf %b : f64
      %d = arith.xori %c, %true : i1
      return %k, %n, %d : i64, f64, i1
    }"""
    f = compiled(text, "int float bool", "int float bool")
    assert f(2**62, 1.5, True) == (2**62 + 1, -1.5, False)
    assert f(np.int32(-2), 3, np.bool_(False)) == (-1, -3.0, True)
    assert [type(v) for v in f(0, 0, False)] == [int, float, bool]
    for bad in ((1.5, 1.0, True), ("1", 1.0, True), (1, "x", True), (1, 1.0, 1)):
        with pytest.raises(TypeError):
            f(*bad)
    with pytest.raises(OverflowError):
        f(2**63, 1.0, True)


def test_results_own_their_memory(copy):
    x = np.arange(24, dtype=np.float32).reshape(8, 3)
    results = [copy(x) for _ in range(50)]
    views = [r[1:] for r in results]
    del results
    gc.collect()
    for view in views:
        np.testing.assert_array_equal(view, x[1:])
        assert view.base is not None
    y = copy(x)
    assert y.flags.writeable and y.ctypes.data % 64 == 0
    y[0] = 9


WRITE = """
func.func @f(%x: memref<2x3xf32>) -> (f64, memref<2x3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %out = memref.alloc() : memref<2x3xf32>
  scf.for %i = %c0 to %c2 step %c1 {
    scf.for %j = %c0 to %c3 step %c1 {
      %v = memref.load %x[%i, %j] : memref<2x3xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %out[%i, %j] : memref<2x3xf32>
    }
  }
  %first = memref.load %x[%c0, %c0] : memref<2x3xf32>
  %wide = arith.extf %first : f32 to f64
  return %wide, %out : f64, memref<2x3xf32>
}"""


def test_arguments_written_in_place(compiled):
    f = compiled(WRITE, "f32[2,3]", "float f32[2,3]", written={0: 1})
    x = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    expected = x * 2
    assert f(x) == 1.0
    np.testing.assert_array_equal(x, expected)
    base = np.ones((4, 6), np.float32)
    assert f(base[1::2, ::2]) == 1.0
    assert base.sum() == 24 + 6
    swapped = np.ones((2, 3), ">f4")
    f(swapped)
    assert (swapped == 2).all()
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        f(x)


class Producer:
    """Only DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack_producers(copy):
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(copy(Producer(x)), x)
    np.testing.assert_array_equal(copy(Producer(x[::2])), x[::2])
    with pytest.raises(ExecutionError, match=r"got f64\[1,3\]"):
        copy(Producer(np.zeros((1, 3))))


def test_torch_tensors(compiled):
    torch = pytest.importorskip("torch", reason="torch is an extra")
    f = compiled(COPY.format("f32"), "f32[n,3]", "f32[n,3]")
    x = torch.arange(12.0).reshape(3, 4).T.contiguous()[:, :3].clone().requires_grad_()
    y = f(x)
    assert isinstance(y, torch.Tensor) and torch.equal(y, x.detach())
    assert torch.equal(f(x.detach()[::2]), x.detach()[::2])
    g = compiled(COPY.format("bf16"), "bf16[n,3]", "bf16[n,3]")
    z = torch.randn(2, 3).to(torch.bfloat16)
    assert torch.equal(g(z), z) and g(z).dtype is torch.bfloat16


# as a C program sees it


def tensor(array, shape=None, strides=None, offset=0):
    """A DLTensor over an array; strides in elements."""
    shape = array.shape if shape is None else shape
    t = DL_TENSOR.ctype()
    keep = [(ctypes.c_int64 * len(shape))(*shape)]
    t.data, t.ndim, t.byte_offset = array.ctypes.data, len(shape), offset
    t.device.device_type = 1
    t.dtype.code, t.dtype.bits, t.dtype.lanes = 2, 32, 1
    t.shape = ctypes.addressof(keep[0])
    if strides is not None:
        keep.append((ctypes.c_int64 * len(shape))(*strides))
        t.strides = ctypes.addressof(keep[1])
    return t, keep


def raw(f):
    return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(f.address)


def last_error():
    return session().functions.last_error().decode()


def test_outputs_given_by_the_caller(copy):
    call = raw(copy)
    x = np.arange(9, dtype=np.float32)
    source, keep = tensor(x, (2, 3), offset=12)
    room = np.zeros((4, 6), np.float32)
    out, keep_out = tensor(room, (2, 3), (12, 2))
    assert call(ctypes.addressof(source), ctypes.addressof(out)) == 0
    np.testing.assert_array_equal(room[::2, ::2], x[3:].reshape(2, 3))
    assert room.sum() == x[3:].sum()

    wrong, keep_wrong = tensor(room, (3, 3))
    assert call(ctypes.addressof(source), ctypes.addressof(wrong)) == 1
    assert last_error() == "output 0: expected f32[2,3], got f32[3,3]"
    assert call(ctypes.addressof(source), None) == 0, "a result nobody wants"
    del keep, keep_out, keep_wrong


def test_allocated_outputs(copy):
    x = np.arange(6, dtype=np.float32)
    source, keep = tensor(x, (2, 3))
    out = DL_TENSOR.ctype()
    assert raw(copy)(ctypes.addressof(source), ctypes.addressof(out)) == 0
    assert (out.ndim, out.dtype.code, out.dtype.bits, out.dtype.lanes, out.device.device_type) == (2, 2, 32, 1, 1)
    assert list((ctypes.c_int64 * 2).from_address(out.shape)) == [2, 3]
    assert list((ctypes.c_int64 * 2).from_address(out.strides)) == [3, 1]
    assert list((ctypes.c_float * 6).from_address(out.data)) == x.tolist()
    session().functions.free(ctypes.addressof(out))
    assert out.data is None and out.shape is None
    session().functions.free(ctypes.addressof(out))
    del keep


def test_null_and_foreign_tensors(copy):
    call = raw(copy)
    out = DL_TENSOR.ctype()
    assert call(None, ctypes.addressof(out)) == 1
    assert last_error() == "argument `x0`: the tensor is NULL."
    source, keep = tensor(np.zeros(6, np.float32), (2, 3))
    source.device.device_type = 2
    assert call(ctypes.addressof(source), ctypes.addressof(out)) == 1
    assert last_error() == "argument `x0`: expected a tensor in CPU memory, got DLPack device type 2"
    source.device.device_type, source.data = 1, None
    assert call(ctypes.addressof(source), ctypes.addressof(out)) == 1
    assert last_error() == "argument `x0`: its data is NULL."
    negative, keep_negative = tensor(np.zeros(6, np.float32), (-2, 3))
    assert call(ctypes.addressof(negative), ctypes.addressof(out)) == 1
    assert last_error() == "argument `x0`: expected f32[n,3], got f32[-2,3]"
    del keep, keep_negative


def test_sizes_that_overflow(compiled):
    text = """
    func.func @f(%x: memref<?x?xf32>) -> i64 {
      %z = arith.constant 0 : i64
      return %z : i64
    }"""
    f = compiled(text, "f32[a,b]", "int")
    source, keep = tensor(np.zeros(1, np.float32), (2**40, 2**40), (0, 0))
    number = ctypes.c_int64()
    assert raw(f)(ctypes.addressof(source), ctypes.addressof(number)) == 1
    assert last_error() == "argument `x0`: too many elements for memory."
    big, keep_big = tensor(np.zeros(1, np.float32), (2**20, 2**38), (0, 0))
    assert raw(f)(ctypes.addressof(big), ctypes.addressof(number)) == 1
    assert last_error().startswith("out of memory: cannot allocate")
    del keep, keep_big
