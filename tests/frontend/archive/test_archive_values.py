"""Values that PyTorch keeps in archives and no operator here takes, devices, and what loading costs."""

import io
import resource
import subprocess
import sys
import textwrap
import zipfile
from typing import Any, Dict, Final

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.api import ScriptFunction
from torchcc.cli.main import app
from torchcc.frontend.archive import load
from torchcc.frontend.archive.reader import open_archive
from torchcc.ir.attributes import Constant, ForeignTensor

torch = pytest.importorskip("torch", reason="PyTorch saves the archives")
nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore")


def saved(module):
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return buffer.getvalue()


class Holder(nn.Module):
    def __init__(self, **tensors):
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def forward(self, x):
        return x * 2


def attributes(**tensors):
    program = load(saved(torch.jit.script(Holder(**tensors))))
    assert ScriptFunction(program)(np.ones(2, np.float32)).tolist() == [2, 2]
    return {n: program.receiver.attributes[n] for n in tensors}


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64, torch.complex32], ids=str)
def test_rare_dtypes(dtype):
    tensor = torch.arange(6.0).reshape(2, 3).to(dtype)
    found = attributes(w=tensor)["w"]
    assert isinstance(found, Constant) and found.array.dtype.name == str(dtype).removeprefix("torch.")
    wide = np.complex128 if dtype.is_complex else np.float64
    expected = tensor.to(torch.complex128 if dtype.is_complex else torch.float64).numpy()
    np.testing.assert_array_equal(found.array.astype(wide), expected)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_dtypes_without_arithmetic(dtype):
    tensor = torch.arange(6.0).reshape(2, 3).to(dtype)
    found = attributes(w=tensor)["w"]
    assert isinstance(found, ForeignTensor) and found.dtype == str(dtype).removeprefix("torch.") and found.shape == (2, 3)
    np.testing.assert_array_equal(found.parts["values"].astype(np.float64), tensor.to(torch.float64).numpy())


def test_complex_numbers():
    tensor = torch.tensor([1 + 2j, -3j])
    # one storage under two dtypes is more than PyTorch's own archives can hold
    found = {**attributes(w=tensor, conj=tensor.conj()), **attributes(neg=tensor.imag), **attributes(both=tensor.conj().imag)}
    assert all(isinstance(v, Constant) for v in found.values())
    np.testing.assert_array_equal(found["w"].array, tensor.numpy())
    np.testing.assert_array_equal(found["conj"].array, tensor.conj().resolve_conj().numpy())
    np.testing.assert_array_equal(found["neg"].array, tensor.imag.numpy())
    np.testing.assert_array_equal(found["both"].array, tensor.conj().imag.resolve_neg().numpy())


def test_quantized_tensors():
    per_tensor = torch.quantize_per_tensor(torch.tensor([-1.0, 0.0, 2.5]), 0.5, 10, torch.quint8)
    scales, points = torch.tensor([0.1, 0.2]), torch.tensor([0, 1])
    per_channel = torch.quantize_per_channel(torch.ones(3, 2), scales, points, 1, torch.qint8)
    found = attributes(a=per_tensor, b=per_channel)
    a, b = found["a"].parts, found["b"].parts
    assert (found["a"].dtype, a["scale"], a["zero_point"], a["scheme"]) == ("quint8", 0.5, 10, "per_tensor_affine")
    np.testing.assert_array_equal(a["int_repr"], per_tensor.int_repr().numpy())
    assert (found["b"].dtype, b["axis"], b["scheme"]) == ("qint8", 1, "per_channel_affine")
    np.testing.assert_array_equal(b["int_repr"], per_channel.int_repr().numpy())
    np.testing.assert_array_equal(b["scale"], per_channel.q_per_channel_scales().numpy())
    np.testing.assert_array_equal(b["zero_point"], per_channel.q_per_channel_zero_points().numpy())


def test_sparse_tensors():
    tensor = torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse()
    found = attributes(w=tensor)["w"]
    assert found.shape == (2, 2) and found.what == "sparse"
    dense = np.zeros(found.shape, np.float32)
    dense[tuple(found.parts["indices"])] = found.parts["values"]
    np.testing.assert_array_equal(dense, tensor.to_dense().numpy())


def test_quantized_buffers_are_used():
    class Quantized(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("w", torch.quantize_per_tensor(torch.ones(2), 0.5, 1, torch.qint8))

        def forward(self, x):
            return x + self.w.dequantize()

    program = load(saved(torch.jit.script(Quantized())))
    np.testing.assert_array_equal(ScriptFunction(program)(np.ones(2, np.float32)), np.full(2, 2, np.float32))


def test_other_devices():
    """Tensors of a device that is not there are read as ones of the CPU."""
    data = saved(torch.jit.script(Holder(w=torch.arange(3.0))))
    members = {i.filename: zipfile.ZipFile(io.BytesIO(data)).read(i) for i in zipfile.ZipFile(io.BytesIO(data)).infolist()}
    pickle = members["archive/data.pkl"]
    old, new = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:1"
    assert old in pickle
    members["archive/data.pkl"] = pickle.replace(old, new)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    assert load(buffer.getvalue()).receiver.attributes["w"].array.tolist() == [0, 1, 2]


def test_inputs_of_traced_modules_are_left_alone():
    traced = torch.jit.trace(Holder(w=torch.ones(2)), torch.ones(2), _store_inputs=True)
    program = load(saved(traced))
    assert ScriptFunction(program)(np.ones(2, np.float32)).tolist() == [2, 2]


def test_tensors_as_defaults():
    """`state: Tensor=CONSTANTS.c0`, which is what becomes of a default that is a module-level tensor."""
    code = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor, y: Tensor=CONSTANTS.c0) -> Tensor:\n"
    code += "    return (self).inner(x, ) + y\n  def inner(self, x: Tensor, z: Tensor=CONSTANTS.c0) -> Tensor:\n    return x * z\n"
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00(K\x02t(K\x01t\x89ccollections\nOrderedDict\n)RtR"
    constants = b"\x80\x02" + tensor + b"\x85."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        pickle = b"\x80\x02c__torch__\nM\n)\x81}(X\x08\x00\x00\x00training\x88ub."
        contents = {"data.pkl": pickle, "constants.pkl": constants, "constants/0": np.float32([3, 4]).tobytes()}
        for name, content in {**contents, "version": "3\n", "code/__torch__.py": code}.items():
            file.writestr(f"m/{name}", content)
    x = torch.tensor([1.0, 2.0])
    expected = torch.jit.load(io.BytesIO(buffer.getvalue()))(x)
    function = ScriptFunction(load(buffer.getvalue()))
    np.testing.assert_array_equal(function(x.numpy()), expected.numpy())
    np.testing.assert_array_equal(function(x.numpy(), x.numpy()), (x * torch.tensor([3.0, 4.0]) + x).numpy())


# memory and time


class Heavy(nn.Module):
    def __init__(self, megabytes):
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.ones(1 << 18)) for _ in range(megabytes)])

    def forward(self, x):
        for w in self.weights:
            x = x + w[0]
        return x


def peak_while(statement, path):
    """MiB by which a statement raises the peak of a fresh process."""
    code = """
    import resource, sys
    from torchcc.frontend.archive import load
    path = sys.argv[1]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    STATEMENT
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    text = textwrap.dedent(code).replace("STATEMENT", statement)
    done = subprocess.run([sys.executable, "-c", text, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    path = tmp_path_factory.mktemp("heavy") / "heavy.pt"
    torch.jit.save(torch.jit.script(Heavy(200)), str(path))
    return path


def test_weights_are_mapped(heavy):
    assert heavy.stat().st_size > 200 << 20
    assert peak_while("program = load(path)", heavy) < 60


def test_weights_are_read_once(heavy):
    assert peak_while("program = load(open(path, 'rb'))", heavy) < 270
    touched = "program = load(path); print(sum(float(t.array.sum()) for t in program.receiver.named_tensors().values()))"
    assert peak_while(touched, heavy) < 270


def test_writes_do_not_reach_the_file(heavy):
    before = heavy.read_bytes()[-1 << 20 :]
    array = load(heavy).receiver.attributes["weights"].attributes["199"].array
    assert array.flags.writeable
    array[:] = 7
    assert heavy.read_bytes()[-1 << 20 :] == before and load(heavy).receiver.attributes["weights"].attributes["199"].array[0] == 1


def test_files_without_alignment(tmp_path):
    """A plain zip file, larger than what is read at once, with members at odd places."""
    data = saved(torch.jit.script(Heavy(2)))
    path = tmp_path / "odd.pt"
    with zipfile.ZipFile(path, "w") as file, zipfile.ZipFile(io.BytesIO(data)) as source:
        file.writestr("archive/extra/odd", b"123")
        for info in source.infolist():
            file.writestr(info.filename, source.read(info))
    reader = open_archive(path)
    assert reader.bytes > 1 << 20
    program = load(path)
    assert ScriptFunction(program)(np.ones(1, np.float32)) == 3


def test_only_what_is_used_is_parsed():
    """One code file of a megabyte, of which a few lines are reached."""
    unused = "".join(f"class C{i}(Module):\n  training : bool\n  def forward(self, x: Tensor) -> Tensor:\n" + "    x = torch.add(torch.mul(x, 2), 1)\n" * 30 + "    return x\n" for i in range(700))
    code = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor) -> Tensor:\n    return x + 1\n" + unused
    assert len(code) > 800_000
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        pickle = b"\x80\x02c__torch__\nM\n)\x81}(X\x08\x00\x00\x00training\x88ub."
        contents = {"data.pkl": pickle, "constants.pkl": b"\x80\x02).", "version": "3\n", "code/__torch__.py": code}
        for name, content in contents.items():
            file.writestr(f"m/{name}", content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert load(buffer.getvalue()).entry
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 1.5


def test_state_dict_holds_all_of_them():
    tensors = {"a": torch.quantize_per_tensor(torch.ones(2), 0.5, 1, torch.qint8), "b": torch.ones(2)}
    module = torchcc.load(saved(torch.jit.script(Holder(**tensors))))
    for found in (module.state_dict(), ScriptFunction(load(saved(torch.jit.script(Holder(**tensors))))).state_dict()):
        assert sorted(found) == ["a", "b"] and isinstance(found["a"], ForeignTensor)
        np.testing.assert_array_equal(found["b"], [1, 1])
    assert module.a.parts["scale"] == 0.5


class Anything(nn.Module):
    """Attributes whose type says nothing: what they are, their values show."""

    table: Dict[str, Any]
    thing: Any
    nothing: Any

    def __init__(self):
        super().__init__()
        self.table = {"scale": 3, "name": "x", "sizes": [1, 2]}
        self.thing = torch.full((2,), 0.5)
        self.nothing = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale, thing = self.table["scale"], self.thing
        if isinstance(scale, int):
            x = x * scale
        if isinstance(thing, torch.Tensor):
            x = x + thing
        if self.nothing is None:
            x = x - 1
        return x


def test_attributes_of_type_any():
    scripted = torch.jit.script(Anything())
    module = torchcc.load(saved(scripted))
    np.testing.assert_array_equal(module(np.ones(2, np.float32)), scripted(torch.ones(2)).numpy())
    assert list(module.table) == ["scale", "name", "sizes"] and module.nothing is None


class Placed(nn.Module):
    place: Final[torch.device]

    def __init__(self):
        super().__init__()
        self.place = torch.device("cpu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(self.place) + torch.zeros(2, device=self.place)


def test_constants_that_are_devices_stay_devices():
    module = torchcc.load(saved(torch.jit.script(Placed())))
    np.testing.assert_array_equal(module(np.ones(2, np.float32)), 1)
    buffer = io.BytesIO()
    torchcc.save(module, buffer)
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as file:
        text = "".join(file.read(n).decode() for n in file.namelist() if n.endswith(".py"))
    assert 'place : Final[Device] = torch.device("cpu")' in text
    assert torch.equal(torch.jit.load(io.BytesIO(buffer.getvalue()))(torch.ones(2)), torch.ones(2))


class Unknown(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gradient = torch.autograd.grad([x.sum()], [x])[0]
        assert gradient is not None
        return gradient


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.unknown = Unknown()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + x.to_sparse().to_dense()
        future = torch.jit.fork(torch.relu, y)
        return self.unknown(torch.jit.wait(future)) + torch.ops.aten._cholesky_solve_helper(x, x, False)


def test_info_lists_everything_that_is_missing_at_once(tmp_path):
    path = tmp_path / "several.pt"
    path.write_bytes(saved(torch.jit.script(Several())))
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 1 and "Traceback" not in result.output
    for words in ("autograd::grad", "_cholesky_solve_helper", "aten::to_sparse: not yet"):
        assert words in result.output, words
    assert "aten::wait" not in result.output, "it is supported"
    assert result.output.count("test_archive_values.py:") >= 4
