"""Weight files: what libraries write is read, what is damaged or hostile is a CompileError, and nothing is executed."""

import contextlib
import io
import json
import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from torchcc.frontend.evaluator import Interpreter
from torchcc.frontend.parser import parse
from torchcc.frontend.weights import apply_weights, load_weights
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.source import SourceFile


def safetensors(header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def load(tmp_path, data):
    path = tmp_path / "w"
    path.write_bytes(data)
    return load_weights(path)


def test_safetensors(tmp_path):
    a, b, c = (
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([1.5, -2], ml_dtypes.bfloat16),
        np.array(7, np.int64),
    )
    header = {
        "__metadata__": {"format": "pt"},
        "b": entry("BF16", (2,), (0, 4)),
        "a": entry("F32", (2, 3), (4, 28)),
        "c": entry("I64", (), (28, 36)),
        "empty": entry("F32", (0, 3), (36, 36)),
    }
    weights = load(tmp_path, safetensors(header, b.tobytes() + a.tobytes() + c.tobytes()))
    assert np.array_equal(weights["a"], a) and np.array_equal(weights["b"], b) and weights["c"] == 7
    assert weights["b"].dtype == ml_dtypes.bfloat16 and weights["empty"].shape == (0, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        b"\x00" * 100,
        safetensors({}, length=2**63),
        safetensors({}, length=10**6),
        safetensors(b"{nonsense"),
        safetensors(b"{" * 5000),
        safetensors(b'{"a": ' + b"[" * 5000),
        safetensors({"a": 3}),
        safetensors({"a": {"dtype": "F32"}}),
        safetensors({"a": entry("F8_E4M3")}, b"\0" * 8),
        safetensors({"a": entry(offsets=(0, 9))}, b"\0" * 8),
        safetensors({"a": entry(offsets=(8, 0))}, b"\0" * 8),
        safetensors({"a": entry(offsets=(0, 16), shape=(4,))}, b"\0" * 8),
        safetensors({"a": entry(offsets=(-8, 0))}, b"\0" * 8),
        safetensors({"a": entry(shape=(-2,))}, b"\0" * 8),
        safetensors({"a": entry(shape=(2.0,))}, b"\0" * 8),
        safetensors({"a": entry(shape=(2**62, 4))}, b"\0" * 8),
        safetensors({"a": entry(shape=(True,), offsets=(0, 4))}, b"\0" * 8),
    ],
)
def test_damaged_safetensors(tmp_path, data):
    with pytest.raises(CompileError, match="weight file"):
        load(tmp_path, data)


def test_npz(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **{"l.weight": np.ones((2, 3), np.float32), "n": np.arange(3)})
    weights = load_weights(path)
    assert weights["l.weight"].shape == (2, 3) and weights["n"].tolist() == [0, 1, 2]
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(CompileError, match=r"cannot be read as \.npz"):
        load_weights(path)
    np.savez(path, x=np.array(["text"]))
    with pytest.raises(CompileError, match="not supported"):
        load_weights(path)


def state_file(pickled, storages=None, root="archive/"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{root}data.pkl", pickled)
        for key, data in (storages or {}).items():
            archive.writestr(f"{root}data/{key}", data)
    return buffer.getvalue()


def test_state_dict(tmp_path):
    torch = pytest.importorskip("torch", reason="writes the file")
    base = torch.arange(12.0)
    state = {
        "w": base.view(3, 4),
        "view": base[2:8:2],
        "t": base.view(3, 4).t(),
        "scalar": torch.tensor(3),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
        "p": torch.nn.Parameter(torch.ones(2)),
        "expanded": torch.ones(1).expand(4),
    }
    for saved in (state, {"epoch": 3, "state_dict": state, "lr": 0.1}, torch.nn.Linear(2, 2).state_dict()):
        torch.save(saved, tmp_path / "w.pt")
        weights = load_weights(tmp_path / "w.pt")
        expected = saved.get("state_dict", saved)
        assert list(weights) == list(expected)
        for name, tensor in expected.items():
            assert np.array_equal(weights[name].astype(np.float64), tensor.detach().double().numpy()), name
    torch.save(state, tmp_path / "w.pt", pickle_protocol=4)
    assert list(load_weights(tmp_path / "w.pt")) == list(state)


def test_files_that_are_no_state_dict(tmp_path):
    torch = pytest.importorskip("torch", reason="writes the file")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    with pytest.raises(CompileError, match=r"wants to use `torch.nn.modules.linear.Linear`"):
        load_weights(tmp_path / "m.pt")
    torch.save([1, 2], tmp_path / "m.pt")
    with pytest.raises(CompileError, match="holds no state_dict"):
        load_weights(tmp_path / "m.pt")
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "m.pt")
    with pytest.raises(CompileError, match="TorchScript archive"):
        load_weights(tmp_path / "m.pt")
    torch.save({"a": torch.ones(1)}, tmp_path / "m.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CompileError, match=r"from before 1.6"):
        load_weights(tmp_path / "m.pt")


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def tensor_pickle(storage=("storage", "FloatStorage", "0", "cpu", 4), offset=0, size=(2,), stride=(1,)):
    """The pickle of {"x": tensor}, spelled by hand so that every field can be wrong."""

    def text(s):
        return b"X" + len(s).to_bytes(4, "little") + s.encode()

    def number(n):
        return b"\x8a\x08" + n.to_bytes(8, "little", signed=True)

    def sizes(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    kind, name, key, location, count = storage
    persistent = (
        b"(" + text(kind) + b"ctorch\n" + name.encode() + b"\n" + text(key) + text(location) + number(count) + b"tQ"
    )
    hooks = b"ccollections\nOrderedDict\n)R"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + persistent
        + number(offset)
        + sizes(size)
        + sizes(stride)
        + b"\x89"
        + hooks
        + b"tR"
    )
    return b"\x80\x02}" + text("x") + tensor + b"s."


def test_handmade_tensor(tmp_path):
    data = np.arange(4, dtype=np.float32).tobytes()
    assert load(tmp_path, state_file(tensor_pickle(offset=1), {"0": data}))["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("keywords", "data"),
    [
        ({"offset": 3}, b"\0" * 16),
        ({"offset": -1}, b"\0" * 16),
        ({"size": (5,)}, b"\0" * 16),
        ({"stride": (4,)}, b"\0" * 16),
        ({"stride": (-1,)}, b"\0" * 16),
        ({"size": (-1,)}, b"\0" * 16),
        ({"size": (2, 2)}, b"\0" * 16),
        ({"size": (2**40,), "stride": (0,)}, b"\0" * 16),
        ({"size": (2**40, 2**40), "stride": (0, 0)}, b"\0" * 16),
        ({"size": (1,) * 40, "stride": (1,) * 40}, b"\0" * 16),
        ({"storage": ("storage", "FloatStorage", "0", "cpu", 5)}, b"\0" * 16),
        ({"storage": ("storage", "FloatStorage", "0", "cpu", -1)}, b"\0" * 16),
        ({"storage": ("storage", "FloatStorage", "9", "cpu", 4)}, b"\0" * 16),
        ({"storage": ("storage", "FloatStorage", "../data.pkl", "cpu", 400)}, b"\0" * 16),
        ({"storage": ("storage", "QInt8Storage", "0", "cpu", 4)}, b"\0" * 16),
        ({"storage": ("other", "FloatStorage", "0", "cpu", 4)}, b"\0" * 16),
        ({}, b"\0" * 15),
    ],
)
def test_hostile_tensors(tmp_path, keywords, data):
    with pytest.raises(CompileError, match="weight file"):
        load(tmp_path, state_file(tensor_pickle(**keywords), {"0": data}))


def test_pickles_are_not_executed(tmp_path):
    target = tmp_path / "made"
    for protocol in (2, 4):
        with pytest.raises(CompileError, match="nothing is executed here"):
            load(tmp_path, state_file(pickle.dumps({"a": Attack(str(target))}, protocol=protocol)))
    assert not target.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b".",
        b"\x80\x02.",
        b"\x80\x02}",
        b"0000",
        b"\x80\x02ccollections\nOrderedDict\nR.",
        b"\x80\x02}(KK.",
        b"\x80\x02t.",
        b"\x80\x02h\x05.",
        b"\x80\x02]]a}a.",
        b"\x80\x02}}K\x01s.",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
        b"\x80\x02cbuiltins\neval\nX\x01\0\0\0a\x85R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"\x80\x02(lp0\n.",
        b"i" * 100,
    ],
)
def test_damaged_pickles(tmp_path, pickled):
    with pytest.raises(CompileError, match="weight file"):
        load(tmp_path, state_file(pickled))


def test_damaged_zip(tmp_path):
    data = state_file(tensor_pickle(), {"0": np.arange(4, dtype=np.float32).tobytes()})
    for cut in range(2, len(data), 37):
        with pytest.raises(CompileError):
            load(tmp_path, data[:cut])
    for place in range(2, len(data), 7):  # any byte flipped: an error, or a file that reads all the same
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        with contextlib.suppress(CompileError):
            load(tmp_path, bytes(damaged))


def test_missing_file(tmp_path):
    with pytest.raises(CompileError, match="cannot be read: No such file"):
        load_weights(tmp_path / "nothing.safetensors")


# into a module


def network():
    text = (
        "import torch\nfrom torch import nn\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        "    self.a = nn.Linear(2, 3)\n    self.n = nn.BatchNorm1d(3)\n    self.b = nn.Linear(3, 2)\n    self.c = nn.Linear(2, 2)\n"
        "    self.c.bias = self.b.bias\n"
    )
    interpreter = Interpreter()
    return interpreter.evaluate_entry(interpreter.module_scope(parse(SourceFile("m.py", text))), "M")


def test_apply():
    module = network()
    weights = {name: np.full(tensor.shape, i, np.float64) for i, (name, tensor) in enumerate(module.named_tensors())}
    del weights["n.num_batches_tracked"], weights["c.bias"]  # old files lack the one, tied tensors may be stored once
    apply_weights(module, weights)
    assert module.modules["a"].parameters["weight"].array.tolist() == [[0.0, 0.0]] * 3
    assert module.modules["a"].parameters["weight"].array.dtype == np.float32
    assert module.modules["c"].parameters["bias"] is module.modules["b"].parameters["bias"]


def test_all_that_does_not_fit_is_reported_at_once():
    module = network()
    before = module.modules["a"].parameters["bias"].array.copy()
    weights = {name: tensor.array for name, tensor in module.named_tensors()}
    del weights["n.weight"]
    weights["extra"] = np.zeros(1)
    weights["a.weight"] = np.zeros((2, 3))
    weights["a.bias"] = np.full(3, 9.0)
    with pytest.raises(CompileError) as error:
        apply_weights(module, weights, "w.safetensors")
    messages = [d.message for d in error.value.diagnostics]
    assert messages == [
        "w.safetensors lacks `n.weight`",
        "w.safetensors holds `extra`, which the model does not have",
        "`a.weight` has the shape [2, 3] in w.safetensors; the model expects [3, 2]",
    ]
    assert np.array_equal(module.modules["a"].parameters["bias"].array, before)


def test_a_prefix_is_explained():
    module = network()
    weights = {f"module.{name}": tensor.array for name, tensor in module.named_tensors()}
    with pytest.raises(CompileError, match=r"its names begin with `module.`"):
        apply_weights(module, weights)
