"""Archives made by hand, member by member: the smallest that load, old versions, and hostile ones of many kinds."""

import contextlib
import io
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import ScriptFunction
from torchcc.frontend.archive import load
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.interpreters.torch import Interpreter

PICKLE = b"\x80\x02c__torch__\nM\n)\x81}(X\x08\x00\x00\x00training\x88ub."
CODE = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor):\n    return x * 2 + 1\n"


def archive(code=CODE, pickle=PICKLE, *, method=zipfile.ZIP_STORED, without=(), **members):
    """The bytes of an archive; `members` replace or add ones, `__` in a name standing for `/`."""
    everything = {
        "data.pkl": pickle,
        "constants.pkl": b"\x80\x02).",
        "version": "3\n",
        "code/__torch__.py": code,
        **members,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in everything.items():
            if name not in without:
                file.writestr(f"m/{name}", content)
    return buffer.getvalue()


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def tensor(key="0", numel=4, offset=0, size=(4,), stride=(1,), kind="FloatStorage", function="_rebuild_tensor_v2"):
    """The pickle operations of a tensor."""
    storage = (
        b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") + number(numel) + b"tQ"
    )
    sizes = b"(" + b"".join(map(number, size)) + b"t"
    strides = b"(" + b"".join(map(number, stride)) + b"t"
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n" + function.encode() + b"\n(" + storage + number(offset) + sizes + strides + hooks + b"tR"


def module(**attributes):
    """The pickle of an object of `__torch__.M`."""
    body = b"".join(text(k) + v for k, v in attributes.items())
    return b"\x80\x02c__torch__\nM\n)\x81}(" + body + b"ub."


def with_attribute(value, annotation="Tensor", code="return x", **members):
    """An archive whose module has the attribute `w`."""
    source = f"class M(Module):\n  w : {annotation}\n  def forward(self, x: Tensor):\n    {code}\n"
    return archive(source, module(w=value), **members)


def run(data, *args):
    program = load(data)
    got = Interpreter(driver.composite).run_program(program, [a.copy() for a in args])
    np.testing.assert_allclose(got, ScriptFunction(program)(*args), rtol=1e-6)
    return got


FLOATS = np.arange(4, dtype=np.float32)


# archives that load


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_smallest_archive(method):
    assert run(archive(method=method), np.ones(1, np.float32)) == 3


def test_paths_and_files(tmp_path):
    path = tmp_path / "m.pt"
    path.write_bytes(archive())
    assert load(path).schema.base == load(str(path)).schema.base == "forward"
    with path.open("rb") as file:
        assert load(file).receiver.attributes == {"training": True}


def test_check_sums_are_not_enforced():
    data = bytearray(with_attribute(tensor(), **{"data/0": FLOATS.tobytes()}))
    at = data.find(FLOATS.tobytes())
    data[at : at + 4] = np.float32(5).tobytes()
    assert load(bytes(data)).receiver.attributes["w"].array[0] == 5


def test_version_member_of_new_files():
    assert load(archive(without=("version",), **{".data/version": "10\n"})).entry


@pytest.mark.parametrize(
    "kind",
    [
        "Float",
        "Double",
        "Half",
        "BFloat16",
        "Long",
        "Int",
        "Short",
        "Char",
        "Byte",
        "Bool",
        "ComplexFloat",
        "ComplexDouble",
    ],
)
def test_storages(kind):
    data = with_attribute(tensor(kind=f"{kind}Storage"), **{"data/0": bytes(64)})
    assert load(data).receiver.attributes["w"].array.shape == (4,)


def test_views_share_their_storage():
    code = "class M(Module):\n  a : Tensor\n  b : Tensor\n  def forward(self, x: Tensor):\n    return x\n"
    parts = module(a=tensor(numel=4, size=(2,)), b=tensor(numel=4, offset=1, size=(3,)))
    receiver = load(archive(code, parts, **{"data/0": FLOATS.tobytes()})).receiver
    a, b = receiver.attributes["a"].array, receiver.attributes["b"].array
    assert np.shares_memory(a, b) and list(a) == [0, 1] and list(b) == [1, 2, 3]


def test_strides():
    value = tensor(numel=4, size=(2, 2), stride=(1, 2))
    data = with_attribute(value, code="return torch.add(x, self.w)", **{"data/0": FLOATS.tobytes()})
    np.testing.assert_array_equal(run(data, np.zeros((2, 2), np.float32)), [[0, 2], [1, 3]])


def test_bytes_of_bools_are_normalised():
    data = with_attribute(tensor(kind="BoolStorage"), **{"data/0": b"\x00\x01\x02\xff"})
    assert load(data).receiver.attributes["w"].array.view(np.uint8).tolist() == [0, 1, 1, 1]


def test_only_what_is_reached_is_checked():
    code = CODE + "  def other(self, x: Tensor):\n    return torch.nosuch(x)\nclass Unused(Module):\n  x : NoSuchType\n"
    assert load(archive(code)).entry
    with pytest.raises(CompileError, match="aten::nosuch"):
        load(archive(code), "other")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("annotate(int, torch.sum(torch.ones([2], dtype=4))) + 1", 3),
        ('unchecked_cast(str, "a\\n\\"")', 'a\n"'),
        ("[inf, -inf, -0., 1e+20]", [float("inf"), float("-inf"), -0.0, 1e20]),
        ("annotate(List[Optional[int]], [1, None])", [1, None]),
        ("torch.__range_length(1, 10, 3)", 3),
        ("torch.__derive_index(2, 1, 3)", 7),
        ("ops.prim.min([4, torch.len([1, 2, 3])])", 3),
        ("(x).size(0, )", 2),
        ("True or False and False", False),
        ("ops.prim.dtype(x)", 6),
        ("torch.__not__(torch.__is__(None, None))", False),
    ],
)
def test_expressions(expression, expected):
    code = f"class M(Module):\n  training : bool\n  def forward(self, x: Tensor):\n    return {expression}\n"
    got = Interpreter(driver.composite).run_program(load(archive(code)), [np.array([1.0, 2.0], np.float32)])
    assert got == expected


def test_script_classes_and_named_tuples():
    code = """class Pt:
  x : int
  def __init__(self: __torch__.Pt, x: int) -> NoneType:
    self.x = x
    return None
  def twice(self: __torch__.Pt) -> int:
    return torch.mul(self.x, 2)
class P(NamedTuple):
  a : Tensor
  k : int
class M(Module):
  training : bool
  def forward(self: __torch__.M, x: Tensor) -> Tuple[Tensor, int]:
    _0 = __torch__.Pt.__new__(__torch__.Pt)
    _1 = (_0).__init__(3, )
    p = __torch__.P(x, (_0).twice())
    f = __torch__.lib.sub.add
    return (f(p.a, p.k, ), p.k)
"""
    other = "op_version_set = 1\nimport torch\ndef add(x: Tensor,\n    k: int=1) -> Tensor:\n  return torch.add(x, k)\n"
    data = archive(code, **{"code/__torch__/lib/sub.py": other})
    x = np.ones(2, np.float32)
    got = Interpreter(driver.composite).run_program(load(data), [x])
    assert got[0].tolist() == [7, 7] and got[1] == 6
    assert ScriptFunction(load(data))(x)[0].tolist() == [7, 7]


def test_constants():
    constants = b"\x80\x02(" + tensor(numel=2, size=(2,)) + text("é") + b"t."
    code = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor):\n    return torch.mul(x, CONSTANTS.c0), CONSTANTS.c1\n"
    data = archive(code, **{"constants.pkl": constants, "constants/0": FLOATS.tobytes()})
    got = Interpreter(driver.composite).run_program(load(data), [np.ones(2, np.float32)])
    assert got[0].tolist() == [0, 1] and got[1] == "é"


# versions


def versioned(expression, version):
    code = f"class M(Module):\n  training : bool\n  def forward(self, x: Tensor):\n    return {expression}\n"
    name = ".data/version" if version >= 6 else "version"
    return archive(code, without=("version",) if version >= 6 else (), **{name: f"{version}\n"})


INTS = np.array([-7, 7], np.int64)


@pytest.mark.parametrize(
    ("expression", "old", "version"),
    [
        ("torch.div(x, 2)", [-3, 3], 4),
        ("torch.div(x, x + 5)", [3, 0], 4),
        ("x / 2", [-3, 3], 4),
        ("torch.div_(x, 2)", [-3, 3], 4),
        ("torch.full([2], 3)", [3.0, 3.0], 5),
    ],
)
def test_old_operators(expression, old, version):
    before = run(versioned(expression, version - 1), INTS.copy())
    assert before.tolist() == old and before.dtype == (np.float32 if "full" in expression else np.int64)
    if "div_" not in expression:
        now = run(versioned(expression, version), INTS.copy())
        assert now.dtype == (np.int64 if "full" in expression else np.float32)


def test_old_division_of_floats_is_true():
    assert run(versioned("torch.div(x, 2)", 3), np.float32([1, 2])).tolist() == [0.5, 1.0]
    assert run(versioned("torch.div(x, 2.)", 3), INTS).tolist() == [-3.5, 3.5]
    assert run(versioned("torch.div(x, 4, rounding_mode='floor')", 3), INTS).tolist() == [-2, 1]


@pytest.mark.parametrize(("operator", "version"), [("linspace", 8), ("logspace", 9)])
def test_steps_may_be_missing_in_old_files(operator, version):
    assert run(versioned(f"torch.{operator}(0, 1)", version - 1), INTS).shape == (100,)
    assert run(versioned(f"torch.{operator}(0, 1, 5)", version - 1), INTS).shape == (5,)
    with pytest.raises(CompileError, match="steps"):
        load(versioned(f"torch.{operator}(0, 1)", version))


def test_gelu_of_old_files():
    run(versioned("torch.gelu(x)", 9), np.float32([1, 2]))


# archives that are refused


def patched(data, old, new):
    assert old in data
    return data.replace(old, new, 1)


def central(data, offset, form, value, index=0):
    """Writes a field of the entry `index` of the central directory."""
    at = -1
    for _ in range(index + 1):
        at = data.find(b"PK\x01\x02", at + 1)
    raw = bytearray(data)
    struct.pack_into(form, raw, at + offset, value)
    return bytes(raw)


def with_names(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(zipfile.ZipInfo(name), "x")
    return buffer.getvalue()


def overlapping():
    """Two entries of the directory that name the same payload."""
    data = archive()
    at = [i for i in range(len(data)) if data.startswith(b"PK\x01\x02", i)]
    raw = bytearray(data)
    raw[at[1] + 42 : at[1] + 46] = raw[at[0] + 42 : at[0] + 46]
    raw[at[1] + 20 : at[1] + 28] = raw[at[0] + 20 : at[0] + 28]
    return bytes(raw)


def bomb():
    """Claims of 3 GiB that deflate could reach."""
    body = zlib.compress(bytes(1 << 20))
    data = archive(method=zipfile.ZIP_DEFLATED, **{"data/0": body * 3000})
    return central(data, 24, "<I", (3 << 30) - 1, index=4)


def nested(depth, opening=b"(", closing=b"t"):
    return opening * depth + b"N" + closing * depth


def self_containing():
    return b"]q\x00(h\x00e"


def chain(count):
    """Classes whose attributes are each other."""
    code = "".join(f"class C{i}(Module):\n  c : __torch__.C{i + 1}\n" for i in range(count))
    code += f"class C{count}(Module):\n  training : bool\n"
    code += "class M(Module):\n  c : __torch__.C0\n  def forward(self, x: Tensor):\n    return x\n"
    objects = b"c__torch__\nM\n)\x81}(" + text("c")
    for i in range(count):
        objects += f"c__torch__\nC{i}\n".encode() + b")\x81}(" + text("c")
    objects += f"c__torch__\nC{count}\n".encode() + b")\x81}(" + text("training") + b"\x88"
    return archive(code, b"\x80\x02" + objects + b"ub" * (count + 2) + b".")


def number_bytes(*values):
    return struct.pack(f"<{len(values)}q", *values)


PER_TENSOR = b"(ctorch\nper_tensor_affine\nG" + struct.pack(">d", 0.5) + b"K\x03t"


def quantized(size=(4,), stride=(1,), kind="QUInt8Storage", scheme=PER_TENSOR):
    storage = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text("0") + text("cpu") + number(4) + b"tQ"
    sizes = b"(" + b"".join(map(number, size)) + b"t(" + b"".join(map(number, stride)) + b"t"
    return b"ctorch._utils\n_rebuild_qtensor\n(" + storage + number(0) + sizes + scheme + b"\x89ccollections\nOrderedDict\n)RtR"


def channels(count, axis=0):
    scales = tensor("s", count, size=(count,), kind="DoubleStorage")
    points = tensor("z", count, size=(count,), kind="LongStorage")
    return b"(ctorch\nper_channel_affine\n" + scales + points + number(axis) + b"t"


def sparse(size=(7,), layout=1):
    indices = tensor("0", 1, size=(1, 1), stride=(1, 1), kind="LongStorage")
    values = tensor("1", 1, size=(1,))
    sizes = b"(" + b"".join(map(number, size)) + b"t"
    return b"ctorch._utils\n_rebuild_sparse_tensor\n(" + number(layout) + sizes + b"\x89" + indices + values + b"tR"


def with_enum(value, members="R = 1\n  G = 2", body="return x"):
    code = f"class M(Module):\n  w : __torch__.E\n  def forward(self, x: Tensor):\n    {body}\n"
    return archive(f"{code}class E(Enum):\n  {members}\nclass F(Enum):\n  R = 1\n", module(w=value))


def with_interface(methods):
    code = "class M(Module):\n  w : __torch__.I\n  def forward(self, x: Tensor):\n    return x\n"
    code += f"class I(ModuleInterface):\n  {methods}\nclass N(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return x\n"
    return archive(code, module(w=b"c__torch__\nN\n)\x81}(ub"))


def with_setstate(body, state=b"K\x01"):
    """An archive whose module has the attribute `k`, and a `__setstate__` that takes an int."""
    code = "class M(Module):\n  k : int\n  def forward(self, x: Tensor):\n    return x + self.k\n"
    code += f"  def __setstate__(self, s: int) -> NoneType:\n    {body}\n    return None\n"
    return archive(code, b"\x80\x02c__torch__\nM\n)\x81" + state + b"b.")


def with_object(body, methods=None):
    methods = methods or "def __enter__(self: __torch__.C) -> int:\n    return 1\n  def __exit__(self: __torch__.C, a: Any, b: Any, c: Any) -> NoneType:\n    return None"
    code = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor) -> Tensor:\n"
    code += f"    c = __torch__.C.__new__(__torch__.C)\n    with c as z:\n      {body}\n    return x\nclass C:\n  {methods}\n"
    return archive(code)


def with_fork(parameters, body):
    code = f"class M(Module):\n  training : bool\n  def forward(self, x: Tensor) -> Tensor:\n    def __forked_function({parameters}):\n"
    return archive(code + f"      {body}\n    return torch.wait(fork(__forked_function))\n")


HOSTILE = {
    "empty file": (b"", "not a zip file"),
    "no zip file": (b"junk" * 100, "not a zip file"),
    "cut off": (archive()[:-40], "not a zip file|damaged"),
    "only an end record": (b"PK\x05\x06" + bytes(18), "empty zip file"),
    "top level member": (with_names("data.pkl"), "`data.pkl` is not in a subdirectory"),
    "two roots": (with_names("a/data.pkl", "b/data.pkl"), "`b/data.pkl` is not below"),
    "parent path": (with_names("m/../../etc/passwd"), "leads out of the archive"),
    "absolute path": (with_names("/m/data.pkl"), "leads out of the archive"),
    "backslash": (with_names("m\\..\\x/data.pkl"), "leads out of the archive"),
    "no constants": (archive(without=("constants.pkl",)), "`constants.pkl` is missing"),
    "no data": (archive(without=("data.pkl",)), "`data.pkl` is missing"),
    "no version": (archive(without=("version",)), "`version` is missing"),
    "version 11": (archive(version="11\n"), "`version` says version 11"),
    "version 0": (archive(version="0\n"), "`version` says version 0"),
    "version text": (archive(version="three\n"), "`version` is no version"),
    "version size": (archive(version="1" * 5000), "`version` is no version"),
    "unknown packing": (central(archive(), 10, "<H", 12), "packed by method 12"),
    "encrypted": (central(archive(), 8, "<H", 1), "is encrypted"),
    "size beyond file": (central(central(archive(), 20, "<I", 1 << 30), 24, "<I", 1 << 30), "reaches beyond"),
    "stored sizes differ": (central(archive(), 24, "<I", 1 << 20), "cannot have"),
    "header elsewhere": (central(archive(), 42, "<I", 5), "does not begin where"),
    "header beyond": (central(archive(), 42, "<I", 1 << 30), "begins beyond"),
    "several parts": (central(archive(), 34, "<H", 7), "several parts"),
    "zip64 without sizes": (central(archive(), 24, "<I", 0xFFFFFFFF), "are missing"),
    "overlapping members": (overlapping(), "overlaps"),
    "zip bomb": (bomb(), "inflates to more|cannot have"),
    "wrong inflated size": (
        central(archive(method=zipfile.ZIP_DEFLATED), 24, "<I", 33),
        "does not inflate|cannot have",
    ),
    "damaged deflate": (
        patched(archive(method=zipfile.ZIP_DEFLATED), zlib.compress(CODE.encode())[2:12], b"\xff" * 10),
        "code/__torch__.py` (is damaged|does not inflate)",
    ),
    "code is not UTF-8": (archive(b"\xff\xfe class M"), "`code/__torch__.py` is not UTF-8"),
    "code does not parse": (archive("class M(Module:\n"), "code/__torch__.py:1"),
    "code too deep": (
        archive(f"class M(Module):\n  training : bool\n  def forward(self, x: Tensor):\n    return {'(' * 5000}x\n"),
        "nested too deeply",
    ),
    "code at top level": (archive(CODE + "print(1)\n"), "only classes and functions"),
    "class twice": (archive(CODE + CODE), "defined twice"),
    "unknown base": (archive(CODE.replace("Module", "Evil")), "base of the class"),
    "class missing": (archive("x = 1\n".replace("x = 1", "import os")), "__torch__.M"),
    "class is a function": (archive("def M(x: Tensor):\n  return x\n"), "__torch__.M"),
    "no forward": (archive("class M(Module):\n  training : bool\n"), "no method `forward`"),
    "attribute not in data": (archive(CODE.replace("bool", "bool\n  k : int")), "`data.pkl` lacks the attribute `k`"),
    "attribute of another type": (archive(CODE.replace("bool", "int")), "`training` a value of type bool"),
    "unknown operator": (archive(CODE.replace("x * 2", "torch.nosuch(x)")), "aten::nosuch"),
    "unknown name": (archive(CODE.replace("x * 2", "os")), "undefined value `os`"),
    "missing constant": (archive(CODE.replace("x * 2", "CONSTANTS.c0")), "no constant `c0`"),
    "missing function": (archive(CODE.replace("x * 2", "__torch__.lib.f(x, )")), "`lib`"),
    "recursion": (archive(CODE.replace("x * 2", "(self).forward(x, )")), "recursive"),
    "pickle: empty": (archive(pickle=b""), "`data.pkl` is damaged"),
    "pickle: no end": (archive(pickle=PICKLE[:-1]), "`data.pkl` is damaged"),
    "pickle: protocol 4": (archive(pickle=b"\x80\x04" + PICKLE[2:]), "protocol 2"),
    "pickle: os.system": (archive(pickle=b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR."), "os.system"),
    "pickle: builtins.eval": (archive(pickle=b"\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR."), "builtins.eval"),
    "pickle: dotted": (archive(pickle=b"\x80\x02c__torch__\n.os.system\n(tR."), "is called in a way|damaged"),
    "pickle: inst": (archive(pickle=b"\x80\x02(ios\nsystem\n."), "pickle operation 0x69"),
    "pickle: stack global": (
        archive(pickle=b"\x80\x02X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93."),
        "operation 0x93",
    ),
    "pickle: unknown operation": (archive(pickle=b"\x80\x02\xff."), "operation 0xff"),
    "pickle: stack underflow": (archive(pickle=b"\x80\x02R."), "a value is missing"),
    "pickle: memo": (archive(pickle=b"\x80\x02h\x07."), "memo 7"),
    "pickle: mark": (archive(pickle=b"\x80\x02t."), "a mark is missing"),
    "pickle: mark as value": (archive(pickle=b"\x80\x02(."), "one value"),
    "pickle: no module": (archive(pickle=b"\x80\x02K\x01."), "holds no module"),
    "pickle: long string": (archive(pickle=b"\x80\x02X\xff\xff\xff\xffab."), "ends early"),
    "pickle: string not UTF-8": (archive(pickle=b"\x80\x02X\x01\x00\x00\x00\xff."), "not UTF-8"),
    "pickle: long integer": (archive(pickle=b"\x80\x02\x8a\xff" + bytes(255) + b"."), "8 bytes"),
    "pickle: global without end": (archive(pickle=b"\x80\x02c" + b"a" * 9999), "has no end"),
    "pickle: unhashable key": (archive(pickle=b"\x80\x02}(]K\x01u."), "key"),
    "pickle: odd items": (archive(pickle=b"\x80\x02}(K\x01u."), "a dict is missing"),
    "pickle: no state": (archive(pickle=b"\x80\x02c__torch__\nM\n)\x81."), "without a state"),
    "pickle: state is no dict": (archive(pickle=b"\x80\x02c__torch__\nM\n)\x81K\x01b."), "__setstate__"),
    "pickle: built twice": (archive(pickle=PICKLE[:-1] + b"}b."), "no object"),
    "pickle: contains itself": (with_attribute(self_containing(), "List[List[int]]"), "contains itself|type int|List"),
    "pickle: object contains itself": (
        archive(
            "class M(Module):\n  w : __torch__.M\n  def forward(self, x: Tensor):\n    return x\n",
            b"\x80\x02c__torch__\nM\n)\x81q\x00}(" + text("w") + b"h\x00ub.",
        ),
        "contains itself",
    ),
    "pickle: deep tuples": (with_attribute(nested(100_000), "Tuple[int]"), "gives `w"),
    "pickle: deep objects": (chain(2000), "nested deeper|too deep"),
    "constants no tuple": (archive(**{"constants.pkl": b"\x80\x02K\x01."}), "`constants.pkl` is no tuple"),
    "tensor: no storage": (with_attribute(tensor()), "needs `data/0`"),
    "tensor: storage too small": (with_attribute(tensor(), **{"data/0": bytes(15)}), "`data/0` has 15 bytes"),
    "tensor: huge storage": (with_attribute(tensor(numel=1 << 60), **{"data/0": bytes(16)}), "elements"),
    "tensor: negative storage": (with_attribute(tensor(numel=-4), **{"data/0": bytes(16)}), "elements"),
    "tensor: offset": (with_attribute(tensor(offset=1), **{"data/0": bytes(16)}), "beyond its storage"),
    "tensor: negative offset": (with_attribute(tensor(offset=-1), **{"data/0": bytes(16)}), "no proper sizes"),
    "tensor: stride": (with_attribute(tensor(stride=(2,)), **{"data/0": bytes(16)}), "beyond its storage"),
    "tensor: negative stride": (with_attribute(tensor(stride=(-1,)), **{"data/0": bytes(16)}), "no proper sizes"),
    "tensor: sizes and strides": (with_attribute(tensor(size=(2, 2)), **{"data/0": bytes(16)}), "no proper sizes"),
    "tensor: overflow": (
        with_attribute(tensor(size=(1 << 61, 8), stride=(1 << 61, 8)), **{"data/0": bytes(16)}),
        "beyond|proper",
    ),
    "tensor: expanded": (
        with_attribute(tensor(size=(1 << 40,), stride=(0,)), **{"data/0": bytes(16)}),
        "too large for their storages",
    ),
    "tensor: empty but huge": (
        with_attribute(tensor(size=(0, 1 << 60), stride=(1, 1)), **{"data/0": bytes(16)}),
        "no proper sizes",
    ),
    "tensor: rank": (
        with_attribute(tensor(size=(1,) * 100, stride=(1,) * 100), **{"data/0": bytes(16)}),
        "no proper sizes",
    ),
    "tensor: path as key": (with_attribute(tensor(key="../data.pkl")), "needs `data/../data.pkl`"),
    "tensor: unknown storage": (with_attribute(tensor(kind="EvilStorage")), "torch.EvilStorage"),
    "tensor: sparse": (
        with_attribute(tensor(function="_rebuild_sparse_tensor"), **{"data/0": bytes(16)}),
        "called in a way",
    ),
    "quantized: giant": (
        with_attribute(quantized(size=(1 << 40, 1 << 20), stride=(0, 0)), **{"data/0": bytes(16)}),
        "too large for their storages|proper sizes",
    ),
    "quantized: no scheme": (with_attribute(quantized(scheme=b"N"), **{"data/0": bytes(16)}), "does not say how"),
    "quantized: scheme of text": (
        with_attribute(quantized(scheme=b"(ctorch\nper_tensor_affine\n" + text("1") + b"K\x00t"), **{"data/0": bytes(16)}),
        "does not say how",
    ),
    "quantized: scales of another length": (
        with_attribute(quantized(scheme=channels(3)), **{"data/0": bytes(16), "data/s": bytes(64), "data/z": bytes(64)}),
        "scales that do not fit",
    ),
    "quantized: axis": (
        with_attribute(quantized(scheme=channels(4, axis=5)), **{"data/0": bytes(16), "data/s": bytes(64), "data/z": bytes(64)}),
        "scales that do not fit",
    ),
    "quantized: float storage": (
        with_attribute(quantized(kind="FloatStorage"), **{"data/0": bytes(64)}),
        "is made of a FloatStorage",
    ),
    "quantized: used": (
        with_attribute(quantized(), code="return x + self.w", **{"data/0": bytes(16)}),
        None,
    ),
    "sparse: index": (with_attribute(sparse(), **{"data/0": number_bytes(7), "data/1": bytes(4)}), "out of range"),
    "sparse: negative index": (
        with_attribute(sparse(), **{"data/0": number_bytes(-1), "data/1": bytes(4)}),
        "out of range",
    ),
    "sparse: shape": (
        with_attribute(sparse(size=(7, 2)), **{"data/0": number_bytes(0), "data/1": bytes(4)}),
        "another shape",
    ),
    "sparse: layout": (with_attribute(sparse(layout=2), **{"data/0": bytes(8), "data/1": bytes(4)}), "layout"),
    "legacy: tensor table": (
        archive(pickle=b"\x80\x02ctorch.jit._pickle\nbuild_tensor_from_id\n(K\x00tR."),
        "before PyTorch 1.4",
    ),
    "legacy: TensorID": (archive(pickle=b"\x80\x02c__main__\nTensorID\n(K\x00tR."), "before PyTorch 1.2"),
    "legacy: rebuild by anything": (
        with_attribute(b"ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)NtR"),
        "called in a way",
    ),
    "legacy: rebuild by itself": (
        with_attribute(b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00(h\x00ctorch\nTensor\n)NtR"),
        "called in a way",
    ),
    "legacy: json": (archive(without=("constants.pkl", "data.pkl"), **{"model.json": "{}"}), "before PyTorch 1.3"),
    "lite interpreter": (archive(without=("constants.pkl", "data.pkl"), **{"bytecode.pkl": "x"}), "lite interpreter"),
    "export": (archive(without=("data.pkl",), **{"models/model.json": "{}"}), "torch.export"),
    "enum: no such value": (with_enum(b"c__torch__\nE\nK\x09R"), "no member of the enum __torch__.E has"),
    "enum: value of another type": (with_enum(b"c__torch__\nE\n\x88R"), "no proper value"),
    "enum: value is a tuple": (with_enum(b"c__torch__\nE\n(K\x01tR"), "no proper value"),
    "enum: another class": (with_enum(b"c__torch__\nF\nK\x01R"), "an object of __torch__.F"),
    "enum: a number": (with_enum(b"K\x01"), "a value of type int"),
    "enum: an object": (with_enum(b"c__torch__\nE\n)\x81}(ub"), "which the code does not define|object of"),
    "enum: mixed values": (with_enum(b"c__torch__\nE\nK\x01R", 'R = 1\n  A = "a"'), "must be all int"),
    "enum: empty": (with_enum(b"c__torch__\nE\nK\x01R", "pass"), "must be all int"),
    "enum: of a list": (with_enum(b"c__torch__\nE\nK\x01R", "R = [1]"), "must be all int"),
    "enum: made": (with_enum(b"c__torch__\nE\nK\x01R", body="return __torch__.E(1)"), "cannot call the enum"),
    "interface: not met": (with_interface("def other(self, x: Tensor) -> Tensor:\n    pass"), "its type is __torch__.I"),
    "interface: other types": (with_interface("def forward(self, x: int) -> Tensor:\n    pass"), "its type is __torch__.I"),
    "interface: of itself": (with_interface("def forward(self, x: __torch__.I) -> Tensor:\n    pass"), "its type is"),
    "hooks: not there": (archive(CODE.replace("  training", '  __forward_hooks__ = ["h"]\n  training')), "no method `h`"),
    "hooks: no type": (
        archive(
            CODE.replace("  training", '  __forward_hooks__ = ["h"]\n  training')
            + "  def h(self, i: Tuple[Tensor], o: Tensor):\n    return o\n"
        ),
        "only known when it has run",
    ),
    "hooks: no names": (
        archive(CODE.replace("  training", '  __forward_pre_hooks__ = ["forward"]\n  training')),
        "expects|cannot call|only known",
    ),
    "with: not there": (with_object("pass", methods="def f(self: __torch__.C) -> int:\n    return 1"), "__enter__"),
    "fork: another function": (archive(CODE.replace("x * 2", "fork(x)")), "cannot call"),
    "fork: nothing": (archive(CODE.replace("x * 2", "fork()")), "takes a function"),
    "fork: parameters": (with_fork("y", "return y"), "another form"),
    "fork: no value": (with_fork("", "pass"), "another form"),
    "fork: itself": (with_fork("", "return fork(__forked_function)"), "forks itself"),
    "bound class": (
        archive(CODE.replace("training : bool", "w : __torch__.torch.classes.ns.Thing")),
        r"`ns\.Thing` of PyTorch's C\+\+ library",
    ),
    "setstate: endless": (with_setstate("while True:\n      self.k = 1"), "it does more than"),
    "setstate: nothing, for ever": (with_setstate("l = [1]\n    for i in range(9223372036854775807):\n      torch._set_item(l, 0, i)\n    self.k = l[0]"), "it does more than"),
    "setstate: memory": (with_setstate("self.k = torch.len(torch.zeros([1000000, 1000000]))"), "more memory"),
    "setstate: memory of views": (
        with_setstate("self.k = torch.len(torch.contiguous(torch.expand(torch.zeros([1]), [1000000000000])))"),
        "more memory",
    ),
    "setstate: many tensors": (
        with_setstate("l = [torch.zeros([1])]\n    for i in range(100):\n      torch.append(l, torch.ones([60000000]))"),
        "more memory",
    ),
    "setstate: lists": (with_setstate("l = [1]\n    for i in range(90):\n      l = l + l\n    self.k = torch.len(l)"), "too long"),
    "setstate: a list by a number": (with_setstate("l = [1] * 9223372036854775807\n    self.k = torch.len(l)"), "too long"),
    "setstate: strings": (with_setstate("s = 'a'\n    for i in range(90):\n      s = s + s\n    self.k = torch.len(s)"), "too long"),
    "setstate: a string by a number": (with_setstate("s = ('a').ljust(9223372036854775807)\n    self.k = torch.len(s)"), "too long"),
    "setstate: raises": (with_setstate('ops.prim.RaiseException("no", "builtins.ValueError")'), "ValueError: no"),
    "setstate: recursion": (with_setstate("(self).__setstate__(1, )"), "recursive"),
    "setstate: wrong types": (with_setstate("self.k = 1.5"), "wrong type"),
    "setstate: reads first": (with_setstate("a = self.k\n    self.k = a"), "no attribute 'k'"),
    "setstate: sets nothing": (with_setstate("pass"), "does not set `k`"),
    "setstate: state of another type": (with_setstate("self.k = s", state=b"\x88"), "__setstate__` a value of type bool"),
    "setstate: unknown operator": (with_setstate("self.k = ops.quantized.linear_unpack(1)"), "linear_unpack"),
    "setstate: no parameter": (
        archive(
            "class M(Module):\n  k : int\n  def __setstate__(self):\n    pass\n  def forward(self, x: Tensor):\n    return x\n",
            b"\x80\x02c__torch__\nM\n)\x81K\x01b.",
        ),
        "takes `self` and one state",
    ),
    "setstate: without a state": (
        archive(
            "class M(Module):\n  k : int\n  def __setstate__(self, s: int):\n    self.k = s\n  def forward(self, x: Tensor):\n    return x\n",
            b"\x80\x02c__torch__\nM\n)\x81.",
        ),
        "without a state",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name):
    data, message = HOSTILE[name]
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(CompileError, match=message or "of a quantized tensor is not supported") as error:
            program = load(data)
            assert message is None  # wrong only where it is used
            ScriptFunction(program)(FLOATS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 30 and peak < (256 << 20) + 64 * len(data)
    assert "<bytes>" in str(error.value)


def test_quantized_tensors_are_kept():
    found = load(with_attribute(quantized(), **{"data/0": bytes([1, 2, 3, 4])})).receiver.attributes["w"]
    assert (found.dtype, found.shape, found.parts["scale"], found.parts["zero_point"]) == ("quint8", (4,), 0.5, 3)
    assert found.parts["scheme"] == "per_tensor_affine" and found.parts["int_repr"].tolist() == [1, 2, 3, 4]
    data = with_attribute(quantized(scheme=channels(4)), **{"data/0": bytes(4), "data/s": bytes(32), "data/z": bytes(32)})
    assert load(data).receiver.attributes["w"].parts["axis"] == 0


def test_sparse_tensors_are_kept():
    data = with_attribute(sparse(), **{"data/0": number_bytes(6), "data/1": np.float32(2).tobytes()})
    found = load(data).receiver.attributes["w"]
    assert found.what == "sparse" and found.shape == (7,) and found.parts["indices"].tolist() == [[6]]
    assert found.parts["values"].tolist() == [2]


def test_forms_of_older_writers():
    made = b"ctorch._utils\n_rebuild_parameter\n(" + tensor() + b"\x88ccollections\nOrderedDict\n)RtR"
    assert load(with_attribute(made, **{"data/0": FLOATS.tobytes()})).receiver.attributes["w"].array[3] == 3
    _, _, parts = tensor().partition(b"_rebuild_tensor_v2\n")
    made = b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch.nn.parameter\nParameter\n"
    data = with_attribute(made + parts[:-1] + b"}tR", **{"data/0": FLOATS.tobytes()})
    assert load(data).receiver.attributes["w"].array[3] == 3
    assert load(with_attribute(b"c__main__\nIntList\n(](K\x01K\x02etR", "List[int]")).receiver.attributes["w"] == [1, 2]


def test_a_member_twice():
    buffer = io.BytesIO(archive())
    with zipfile.ZipFile(buffer, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("m/data.pkl", b"other")
    with pytest.raises(CompileError, match=r"`data\.pkl` occurs twice"):
        load(buffer.getvalue())


def test_shared_lists_do_not_explode():
    value = b"](K\x01eq\x00"
    for i in range(12):
        value += b"](" + (b"h" + bytes([i])) * 10 + b"eq" + bytes([i + 1])
    annotation = "int"
    for _ in range(13):
        annotation = f"List[{annotation}]"
    # everything is left on the stack; the tuple's last element is the largest
    pickle = b"\x80\x02c__torch__\nM\n)\x81}(" + text("w") + b"(" + value + b"tub."
    inner = ["int"]
    for _ in range(13):
        inner.append(f"List[{inner[-1]}]")
    code = f"class M(Module):\n  w : Tuple[{', '.join(inner[1:])}]\n  def forward(self, x: Tensor):\n    return x\n"
    with pytest.raises(CompileError, match="too many values"):
        load(archive(code, pickle))


@pytest.mark.parametrize("seed", range(300))
def test_flipped_bytes(seed):
    """Any damage is a CompileError, or goes unnoticed; it is never a crash."""
    data = bytearray(with_attribute(tensor(), code="return torch.add(x, self.w)", **{"data/0": FLOATS.tobytes()}))
    random = np.random.default_rng(seed)
    for at in random.integers(0, len(data), 1 + seed % 4):
        data[at] = random.integers(0, 256)
    with contextlib.suppress(CompileError):
        load(bytes(data))


def test_every_prefix():
    data = archive()
    for end in range(0, len(data), 7):
        with pytest.raises(CompileError):
            load(data[:end])


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path, "/dev/zero"):
        with pytest.raises(CompileError, match="cannot read the archive"):
            load(path)


def test_other_files_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch saves them")
    torch.save({"a": torch.ones(2)}, tmp_path / "state.pt")
    with pytest.raises(CompileError, match=r"file of torch\.save.*\n?.*--weights"):
        load(tmp_path / "state.pt")
