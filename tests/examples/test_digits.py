"""The digits example, as the README and its C program show it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc.cli.main import app

DIGITS = Path(torchcc.__file__).parent / "examples" / "digits"
LABELS = np.load(DIGITS / "test_labels.npy")


def run(*arguments: object):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_readme_command_reaches_97_percent():
    output = run(
        "run", f"{DIGITS}/digits.py:DigitsNet", "--weights", DIGITS / "digits.safetensors",
        "--input", f"images=@{DIGITS}/test_images.npy", "--labels", DIGITS / "test_labels.npy",
    )  # fmt: skip
    assert float(output.split("accuracy ")[1].split()[0]) >= 0.97


def test_scores_are_those_of_pytorch(monkeypatch):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    monkeypatch.syspath_prepend(str(DIGITS))
    from digits import DigitsNet

    ours = torchcc.compile_file(DIGITS / "digits.py", "DigitsNet", weights=DIGITS / "digits.safetensors")
    theirs = DigitsNet().eval()
    theirs.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in ours.state_dict().items()})
    images = np.load(DIGITS / "test_images.npy")
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images)).numpy()
    got = ours(images)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    assert ((got.argmax(1) == LABELS).mean()) == ((expected.argmax(1) == LABELS).mean()) >= 0.97


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler (cc)")
def test_c_program_classifies_without_python(tmp_path):
    run(
        "compile", f"{DIGITS}/digits.py:DigitsNet", "--weights", DIGITS / "digits.safetensors",
        "--input", "images=f32[batch,1,8,8]", "-o", tmp_path / "libdigits.so",
    )  # fmt: skip
    program = tmp_path / "classify"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Werror", f"-I{tmp_path}", DIGITS / "classify.c", f"-L{tmp_path}", "-ldigits",
         f"-Wl,-rpath,{tmp_path}", "-o", program], check=True,
    )  # fmt: skip
    linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    assert "python" not in linked and "torch" not in linked
    output = subprocess.run(
        [program, DIGITS / "test_images.npy", DIGITS / "test_labels.npy"], check=True, capture_output=True, text=True
    ).stdout
    assert float(output.split()[1]) >= 0.97
