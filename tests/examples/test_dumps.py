"""Every stage of the examples is read back, and by MLIR, PyTorch and ptxas where these are installed."""

import re
import shutil
import subprocess

import pytest

from torchcc import driver
from torchcc.cli.request import Request
from torchcc.ir.parser import parse_module
from torchcc.ir.structure import difference

EXAMPLES = {
    "examples/digits/digits.py:DigitsNet": "images=f32[batch=3,1,8,8]",
    "examples/rows.py": "x=f32[n,4]",
}


@pytest.mark.parametrize("target", ["host", "sm_90"])
@pytest.mark.parametrize("model", EXAMPLES)
def test_stages_are_read_by_us_and_by_others(model, target, pytestconfig, tmp_path):
    request = Request.of(str(pytestconfig.rootpath / model), [EXAMPLES[model]], None, 0, None)
    lowered = driver.lower(request.callable.program, request.specs, target)
    for stage, module in lowered.modules.items():
        text = driver.print_stage(lowered, stage)
        assert difference(module, parse_module(text, driver.constants(module))) is None, stage
        if stage == "torch":
            torch = pytest.importorskip("torch", reason="reads the graph with PyTorch's own parser")
            torch._C.parse_ir(re.sub(r"(?m)^( *)  = prim", r"\1 prim", text), parse_tensor_constants=True)
        else:
            mlir = pytest.importorskip("torch_mlir.ir", reason="reads the dumps with MLIR")
            with mlir.Context():
                assert mlir.Module.parse(text).operation.verify(), stage
    if target == "host":
        assert "define" in driver.dump(request.callable.program, request.specs, "llvm")
    elif shutil.which("ptxas"):
        (tmp_path / "k.ptx").write_text(driver.dump(request.callable.program, request.specs, "ptx", target=target))
        subprocess.run(["ptxas", f"-arch={target}", str(tmp_path / "k.ptx"), "-o", str(tmp_path / "k.cubin")], check=True)
