"""Whole programs, natively and at every stage, against PyTorch; their dumps are read by MLIR, PyTorch and ptxas."""

import importlib.util
import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from torchcc import driver, verify
from torchcc.api import prepared
from torchcc.cli.request import Request
from torchcc.ir.parser import parse_module
from torchcc.ir.structure import difference

PROGRAMS = Path(__file__).parent / "programs"
NAMES = sorted(p.stem for p in PROGRAMS.glob("*.py"))


def request_of(name: str) -> Request:
    """The command line that stands at the head of a program."""
    words = shlex.split((PROGRAMS / f"{name}.py").read_text().splitlines()[0])[4:]
    inputs = [w for w in words if w != "--input"]
    return Request.of(str(PROGRAMS / f"{name}.py"), inputs, None, 0, None)


def flat(value):
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in flat(v)]
    return [np.asarray(value)]


def assert_close(got, expected):
    got, expected = flat(got), flat(expected)
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        assert g.shape == e.shape and g.dtype.kind == e.dtype.kind, (g.dtype, g.shape, e.dtype, e.shape)
        np.testing.assert_allclose(g, e, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_there_are_ten():
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_stages_agree(name):
    request = request_of(name)
    report = verify.verify_stages(request.callable.program, request.specs, request.values)
    assert report[0].stage == "torch" and all(line.agrees for line in report), report


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_pytorch(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    request = request_of(name)
    program = request.callable
    got = prepared(program, request.specs, request.values)()

    spec = importlib.util.spec_from_file_location(f"program_{name}", PROGRAMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entry = getattr(module, entry_name(module, program))
    values = [torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for v in request.values]
    if inspect.isclass(entry):
        entry = entry()
        entry.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in program.state_dict().items()})
        entry.eval()
    with torch.no_grad():
        expected = entry(*values)
    assert_close(got, to_numpy(expected))


def entry_name(module, program):
    names = [n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__]
    return names[-1] if names else program.program.schema.base


def to_numpy(value):
    if isinstance(value, list | tuple):
        return [to_numpy(v) for v in value]
    return value.numpy() if hasattr(value, "numpy") else value


@pytest.mark.parametrize("name", NAMES)
def test_dumps_are_read_by_others(name, tmp_path):
    request = request_of(name)
    program = request.callable.program
    lowered = driver.lower(program, request.specs)
    for stage in ("torch", "linalg", "loops"):
        text = driver.print_stage(lowered, stage)
        again = parse_module(text, driver.constants(lowered.modules[stage]))
        assert difference(lowered.modules[stage], again) is None, stage
    gpu = driver.dump(program, request.specs, "ptx", target="sm_90")
    assert ".visible .entry" in gpu
    if shutil.which("ptxas"):
        (tmp_path / "k.ptx").write_text(gpu)
        subprocess.run(["ptxas", "-arch=sm_90", str(tmp_path / "k.ptx"), "-o", str(tmp_path / "k.cubin")], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_mlir_accepts_the_dumps(name):
    mlir = pytest.importorskip("torch_mlir.ir", reason="reads the dumps with MLIR")
    request = request_of(name)
    for target in ("host", "sm_90"):
        lowered = driver.lower(request.callable.program, request.specs, target)
        for stage in ("linalg", "loops"):
            with mlir.Context():
                module = mlir.Module.parse(driver.print_stage(lowered, stage))
                assert module.operation.verify(), stage


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_accepts_the_graph(name):
    torch = pytest.importorskip("torch", reason="reads the graph with PyTorch's own parser")
    request = request_of(name)
    lowered = driver.lower(request.callable.program, request.specs)
    # PyTorch's parser does not read what its printer writes for nodes without results.
    text = re.sub(r"(?m)^( *)  = prim", r"\1 prim", driver.print_stage(lowered, "torch"))
    torch._C.parse_ir(text, parse_tensor_constants=True)


@pytest.mark.parametrize("name", NAMES)
def test_ptx_agrees(name):
    request = request_of(name)
    assert_close(
        verify.simulate_gpu(request.callable.program, request.specs, request.values, "sm_90"),
        prepared(request.callable, request.specs, request.values)(),
    )
