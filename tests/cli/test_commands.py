"""The command line as somebody uses it who has not read the code: results, files, wrong values, statuses."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import torchcc
from torchcc import driver
from torchcc.cli.main import app

ROWS = str(Path(torchcc.__file__).parent / "examples" / "rows.py")

STRUCTURED = """\
import torch
from torch import Tensor
from typing import List, Optional, Tuple

def f(xs: List[Tensor], t: Tuple[int, float], mode: str = "sum", bias: Optional[Tensor] = None, flag: bool = False) -> Tuple[Tensor, List[Tensor], int, Optional[Tensor]]:
    y = xs[0]
    for x in xs[1:]:
        y = y + x
    if mode == "mean":
        y = y / len(xs)
    if bias is not None:
        y = y + bias
    if flag:
        y = -y
    return y * t[1], [y, y + t[0]], t[0], bias
"""

NET = """\
import torch
from torch import Tensor, nn

class Net(nn.Module):
    def __init__(self, n: int = 2):
        super().__init__()
        self.fc = nn.Linear(3, n)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)

    @torch.jit.export
    def scores(self, x: Tensor) -> Tensor:
        return self.fc(x).softmax(-1)
"""

ENDLESS = """\
def f(n: int) -> int:
    k = 0
    while n > 0:
        k = (k * 7 + n) % 1000003
        if k == 1000004:
            n = 0
    return k
"""


def torchcc_(*arguments, status=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def process(*arguments, **options):
    """The command in a process of its own, in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "torchcc", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def program(tmp_path):
    def write(text, name="program.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


# help


def test_help_names_every_command_and_status():
    text = torchcc_("--help").stdout
    for word in ("run", "compile", "save", "dump", "info", "bench", "profile", "ops", "opt", "Exit status", "130"):
        assert word in text


@pytest.mark.parametrize("name", ["run", "compile", "save", "dump", "info", "bench", "profile", "ops", "opt"])
def test_help_has_an_example(name):
    text = torchcc_(name, "--help").stdout
    assert f"  torchcc {name}" in text
    assert "x=f32[1,3,8,8]" in text or name in ("save", "ops", "opt")


def test_version():
    assert torchcc_("--version").stdout == f"torchcc {torchcc.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["foo"], ["run"], ["run", ROWS, "--threads", "0"], ["bench", ROWS, "--runs", "0"], ["run", ROWS, "--foo"]]
)
def test_a_command_line_that_is_none_is_status_2(arguments):
    torchcc_(*arguments, status=2)


# run


def test_run_prints_the_result_and_only_that_on_stdout():
    result = torchcc_("run", ROWS, "-i", "x=f32[2,3]")
    assert result.stdout.startswith("float32[2,3]\n[[")
    assert " in " not in result.stdout
    assert result.stderr.startswith(("compiled in ", "loaded from cache in "))


def test_the_second_run_is_loaded_from_the_cache(tmp_path):
    command = [sys.executable, "-m", "torchcc", "run", ROWS, "-i", "x=f32[3,7]"]
    environment = {**os.environ, "TORCHCC_CACHE_DIR": str(tmp_path / "cache")}
    first, second = (subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True) for _ in range(2))
    assert first.stderr.startswith("compiled in ") and second.stderr.startswith("loaded from cache in ")
    assert first.stdout == second.stdout


def test_run_is_repeatable_and_the_seed_changes_it():
    first, again, other = (torchcc_("run", ROWS, "-i", "x=f32[2,3]", "--seed", s).stdout for s in (1, 1, 2))
    assert first == again != other


def test_run_takes_lists_tuples_optionals_and_strings(program):
    path = program(STRUCTURED)
    inputs = ["-i", "xs=[f32[2],f32[2]]", "-i", "t=(3,1)", "-i", "mode=mean", "-i", "bias=f32[2]", "-i", "flag=true"]
    text = torchcc_("run", path, *inputs).stdout
    for line in ("[0]: float32[2]", "[1][0]: float32[2]", "[1][1]: float32[2]", "[2]: 3", "[3]: float32[2]"):
        assert line in text
    assert "[3]: None" in torchcc_("run", path, *inputs[:4], "-i", "bias=none", "--verify-stages").stdout


def test_text_for_a_string_parameter_may_look_like_anything(program):
    path = program("def f(s: str, n: int) -> str:\n    return s + '!'\n")
    for text in ("3", "true", "hello world", "1.5", "a, b (c", "{a: [", "x=y"):
        assert f"'{text}!'" in torchcc_("run", path, "-i", f"s={text}", "-i", "n=1").stdout


TABLES = """\
from torch import Tensor
from typing import Dict, List, Tuple

def f(d: Dict[int, float], xs: List[Tensor], ys: List[Tuple[int, float]]) -> Tuple[float, List[Tensor], Dict[int, float]]:
    s = 0.0
    for k, v in d.items():
        s += k * v
    for a, b in ys:
        s += a * b
    return s, xs[::-1], d
"""


def test_dicts_and_lists_of_any_length(program, tmp_path):
    path = program(TABLES)
    inputs = ["-i", "d={1: 2.5, 3: 2}", "-i", "xs=[f32[2,3], f32[n=1,3], ...]", "-i", "ys=[(1,2),(3,4)]"]
    text = torchcc_("run", path, *inputs).stdout
    for line in ("[0]: 22.5", "[1][0]: float32[1,3]", "[1][1]: float32[2,3]"):
        assert line in text, text
    torchcc_("run", path, *inputs, "--verify-stages")
    torchcc_("compile", path, *inputs, "-o", tmp_path / "libf.so")
    header = (tmp_path / "f.h").read_text()
    for line in (
        "argument d, Dict[int, float]: keys, numbers in d_keys; values, numbers in d_values",
        "argument xs, List[Tensor]: tensors (elements in xs_elements, 2 extents each in xs_extents)",
        "argument ys, List[Tuple[int, float]]: tuples (numbers in ys_0, numbers in ys_1)",
        "const DLTensor *ys_0, const DLTensor *ys_1",
    ):
        assert line in header, header
    result = torchcc_("run", path, "-i", "d={1: 2.5}", "-i", "xs=[f32[2], f32[2,3], ...]", "-i", "ys=[]", status=1)
    assert "List[Tensor] cannot be given at run time" in result.stderr
    assert "needs a value for" in torchcc_("run", path, status=1).stderr


def test_dynamic_dimensions_share_their_sizes(program):
    path = program("from torch import Tensor\ndef f(x: Tensor, y: Tensor) -> Tensor:\n    return x + y\n")
    assert "float32[5]" in torchcc_("run", path, "-i", "x=f32[n]", "-i", "y=f32[n=5]").stdout
    result = torchcc_("run", path, "-i", "x=f32[n=4]", "-i", "y=f32[n=5]", status=1)
    assert "dimension `n` is 5 here and 4 before" in result.stderr


def test_numbers_that_are_needed_early_become_constants(program):
    path = program("from torch import Tensor\ndef f(x: Tensor, k: int) -> Tensor:\n    return x.sum(k)\n")
    result = torchcc_("run", path, "-i", "x=f32[2,3]", "-i", "k=1", "--verify-stages")
    assert "float32[2]" in result.stdout
    assert "fixed at compile time: `k`" in result.stderr


def test_output_files(program, tmp_path):
    torchcc_("run", ROWS, "-i", "x=f32[2,3]", "-o", tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").shape == (2, 3)
    path = program("from torch import Tensor\nfrom typing import Tuple\ndef f(x: Tensor) -> Tuple[Tensor, int]:\n    return x, 3\n")
    torchcc_("run", path, "-i", "x=bf16[2]", "-o", tmp_path / "y.npz")
    with np.load(tmp_path / "y.npz") as arrays:
        assert arrays["0"].dtype == np.float32
        assert arrays["1"] == 3
    assert "holds one tensor" in torchcc_("run", path, "-i", "x=f32[2]", "-o", tmp_path / "z.npy", status=1).stderr
    assert ".npy or .npz" in torchcc_("run", path, "-i", "x=f32[2]", "-o", tmp_path / "z", status=1).stderr
    assert "cannot write" in torchcc_("run", ROWS, "-i", "x=f32[2]", "-o", tmp_path / "no" / "z.npy", status=1).stderr


def test_labels(program, tmp_path):
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    np.save(tmp_path / "labels.npy", np.array([0, 1, 2, 0]))
    path = program("from torch import Tensor\ndef f(x: Tensor) -> Tensor:\n    return x * 2\n")
    given = ["-i", f"x=@{tmp_path}/x.npy", "--labels", tmp_path / "labels.npy"]
    assert torchcc_("run", path, *given).stdout == "accuracy 0.7500 (3 of 4)\n"
    np.save(tmp_path / "labels.npy", np.array([0, 1, 2]))
    assert "one per sample" in torchcc_("run", path, *given, status=1).stderr


def test_entries_and_methods(program):
    path = program(NET)
    assert "float32[1,5]" in torchcc_("run", f"{path}:Net(5)", "-i", "x=f32[1,3]").stdout
    assert "float32[1,2]" in torchcc_("run", f"{path}:Net", "-i", "x=f32[1,3]").stdout
    assert "float32[1,4]" in torchcc_("run", f"{path}:Net(4).scores", "-i", "x=f32[1,3]").stdout
    assert "has no attribute" in torchcc_("run", f"{path}:Net(4).scoers", "-i", "x=f32[1,3]", status=1).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "does not start with a parameter's name"),
        ("x=", "a value is missing"),
        ("x=f99[2]", "no dtype `f99`"),
        ("x=f32[2", "`[` has no `]`"),
        ("x=f32[2,", "`[` has no `]`"),
        ("x=f32[-1]", "a size or a name"),
        ("x=f32[2]]", "cannot read the rest"),
        ("x=[f32[2]", "`[` has no `]`"),
        ("x='abc", "does not end"),
        ("x=@", "name of a .npy file is missing"),
        ("x=@missing.npy", "No such file"),
        (f"x=@{ROWS}", "not a .npy file"),
        ("x=f32[99999999999999999999]", "64 bits"),
        ("x=f32[9999999,9999999,9999999]", "--input x:"),
        ("x=[1,2]", "must be Tensor"),
        ("x={a: 1", "`{` has no `}`"),
        ("x={a 1}", "expected `:`"),
        ("x={[1]: 1}", "a key is a number or a string"),
        ("x=[f32[2], ..., 3]", "stands at the end of a list"),
    ],
)
def test_inputs_that_are_none(text, message):
    assert message in torchcc_("run", ROWS, "-i", text, status=1).stderr


# compile


@pytest.mark.parametrize("kind", ["o", "ll", "s", "ptx", "so"])
def test_compile_writes_what_the_suffix_says(tmp_path, kind):
    target = ["--target", "sm_90"] if kind == "ptx" else []
    path = tmp_path / f"rows.{kind}"
    text = torchcc_("compile", ROWS, "-i", "x=f32[2,3]", "-o", path, *target).stdout
    assert path.stat().st_size > 100
    assert str(path) in text
    assert path.with_suffix(".h").exists() == (kind in ("o", "so"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "missing/rows.o"], "cannot write"),
        (["-o", "."], "add --emit"),
        (["-o", "rows"], "add --emit"),
        (["-o", "rows.o", "--emit", "exe"], "there is no such output"),
        (["-o", "rows.so", "--target", "sm_90"], "cannot be made for target"),
        (["-o", "rows.ptx"], "PTX needs a chip"),
        (["-o", "rows.ptx", "--target", "sm_1"], "sm_1"),
        (["-o", "rows.o", "--target", "z80"], "unknown target"),
        (["-o", "rows.o", "--name", "a b"], "not a name in C"),
    ],
)
def test_compile_refuses(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = torchcc_("compile", ROWS, "-i", "x=f32[2,3]", *arguments, status=1)
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


# dump and opt


@pytest.mark.parametrize("stage", driver.STAGES)
def test_every_stage_can_be_printed_plainly(stage):
    text = torchcc_("dump", ROWS, "-i", "x=f32[n,3]", "--stage", stage).stdout
    assert len(text.splitlines()) > 3
    assert "\x1b" not in text


def test_dump_after_a_step():
    assert "%eps : float" in torchcc_("dump", ROWS, "--after", "emit").stdout
    for step, word in (("specialize", "Float("), ("functionalize", "Float("), ("bufferize", "memref")):
        assert word in torchcc_("dump", ROWS, "-i", "x=f32[2,3]", "--after", step).stdout
    assert "passes are emit, specialize" in torchcc_("dump", ROWS, "-i", "x=f32[2,3]", "--after", "foo", status=1).stderr
    assert "stages are" in torchcc_("dump", ROWS, "--stage", "foo", status=1).stderr


def test_dump_all_and_opt_repeat_a_pass(tmp_path):
    torchcc_("dump", ROWS, "-i", "x=f32[n,3]", "--all", tmp_path / "stages")
    files = {p.stem.split("-", 1)[-1]: p for p in sorted((tmp_path / "stages").iterdir())}
    assert {"ast", "emit", "specialize", "functionalize", "bufferize", "llvm", "asm"} <= set(files)
    bufferized = torchcc_("opt", files["canonicalize"], "--pass", "bufferize").stdout
    assert bufferized.strip() == files["bufferize"].read_text().strip()
    assert torchcc_("opt", files["bufferize"]).stdout.strip() == bufferized.strip()
    converted = torchcc_("opt", files["eliminate-dead-code"], "-p", "convert-torch-to-linalg", "-p", "canonicalize").stdout
    assert "linalg.generic" in converted


def test_opt_refuses(tmp_path):
    path = tmp_path / "a.mlir"
    path.write_text("module {\n}\n")
    assert "passes are" in torchcc_("opt", path, "-p", "foo", status=1).stderr
    assert "has no option" in torchcc_("opt", path, "-p", "bufferize{x=1}", status=1).stderr
    assert "do not end" in torchcc_("opt", path, "-p", "bufferize{x=1", status=1).stderr
    path.write_text("what is this\n")
    assert str(path) in torchcc_("opt", path, status=1).stderr
    assert "No such file" in torchcc_("opt", tmp_path / "b.mlir", status=1).stderr


def test_dump_into_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write" in torchcc_("dump", ROWS, "-i", "x=f32[2]", "--all", tmp_path / "file", status=1).stderr


# info, ops, bench


def test_info_of_a_module(program):
    text = torchcc_("info", f"{program(NET)}:Net").stdout
    assert "forward(x: Tensor)" in text
    assert "fc.weight" in text
    assert "8 elements, 32 bytes" in text
    assert "every operator is supported" in text


def test_the_order_of_a_file_is_no_layout(program, tmp_path):
    path = program(
        "from torch import Tensor\ndef f(x: Tensor) -> Tensor:\n"
        "    return x.contiguous().view(-1) if x.is_contiguous() else x.reshape(-1)\n"
    )
    np.save(tmp_path / "x.npy", np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
    assert "[0. 1. 2. 3. 4. 5.]" in torchcc_("run", path, "-i", f"x=@{tmp_path / 'x.npy'}").stdout


def test_info_names_everything_that_is_not_supported(program):
    path = program(
        "import torch\nfrom torch import Tensor\n\n"
        "def f(x: Tensor, k: int) -> Tensor:\n"
        "    print(x)\n"
        "    y = x.coalesce()\n"
        "    if k > 3:\n"
        "        y = x.to_sparse()\n"
        "    return y\n"
    )
    text = torchcc_("info", path).stdout
    for line in (":6:9", ":8:13"):
        assert f"program.py{line}" in text
    assert "not supported (2)" in text


def test_info_with_inputs_lowers_the_program(program):
    assert "it compiles" in torchcc_("info", ROWS, "-i", "x=f32[2,3]").stdout
    path = program("from torch import Tensor\ndef f(x: Tensor) -> Tensor:\n    return x.view(5)\n")
    assert "invalid for input of size 6" in torchcc_("info", path, "-i", "x=f32[2,3]").stdout


def test_ops():
    text = torchcc_("ops", "softmax", "--core").stdout
    assert "aten::_softmax " in text
    assert "of Core ATen" in text
    assert all(len(line) < 100 for line in text.splitlines())
    torchcc_("ops", "no_such_operator", status=1)


def test_bench():
    text = torchcc_("bench", ROWS, "-i", "x=f32[2,3]", "--runs", "3").stdout
    assert text.startswith(("compiled in ", "loaded from cache in "))
    assert "3 runs" in text


def test_bench_against_another_library():
    pytest.importorskip("torch", reason="is what it is compared with")
    result = torchcc_("bench", ROWS, "-i", "x=f32[2,3]", "--runs", "3", "--threads", "1", "--against", "torch")
    head, ours, theirs = result.stdout.splitlines()[1:]
    assert head.split("  ")[-1] == "largest difference"
    assert ours.startswith("torchcc ")
    assert theirs.startswith("torch ")
    assert float(theirs.split()[-1]) < 1e-6


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--against", "tensorflow"], "--against tensorflow: no such library"),
        (["--against", "torch", "--peer-python", "no/such/python"], "cannot start `no/such/python`: No such file"),
    ],
)
def test_what_cannot_be_compared(arguments, text):
    assert text in torchcc_("bench", ROWS, "-i", "x=f32[2,3]", *arguments, status=1).stderr


# files that cannot be read


@pytest.mark.parametrize(
    ("model", "message"),
    [("missing.py", "No such file"), (".", "directory"), ("model.pt", "No such file or directory"), ("missing.py:Net(3)", "No such file")],
)
def test_models_that_cannot_be_read(model, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ("run", "info", "dump", "bench", "profile"):
        assert message in torchcc_(command, model, status=1).stderr


def test_a_model_that_is_no_text(program, tmp_path):
    (tmp_path / "a.py").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in torchcc_("run", tmp_path / "a.py", status=1).stderr


# processes


def test_a_long_line_is_not_wrapped_in_a_pipe(program):
    path = program("from torch import Tensor\ndef f(x: Tensor) -> Tensor:\n    return x\n")
    running = process("run", path, "-i", "x=f32[1,8]", env={**os.environ, "COLUMNS": "40"})
    out, _ = running.communicate(timeout=60)
    assert len(out.splitlines()) == 2
    assert "\x1b" not in out


def test_a_reader_that_goes_away_is_no_error():
    running = process("ops")
    running.stdout.readline()
    running.stdout.close()
    assert running.stderr.read() == ""
    running.wait(timeout=60)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_native_code_quietly(program):
    import signal
    import time

    # A background job of a shell inherits Ctrl-C ignored, and would pass that on.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = process("run", program(ENDLESS), "-i", "n=1")
    finally:
        signal.signal(signal.SIGINT, inherited)
    try:
        time.sleep(6)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, err
    assert "Traceback" not in err + out


def test_colours_only_on_a_terminal(program):
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")

    def shown(**environment):
        main, other = pty.openpty()
        running = subprocess.Popen(
            [sys.executable, "-m", "torchcc", "run", "missing.py"], stderr=other, env={**os.environ, **environment}
        )
        running.wait(timeout=60)
        os.close(other)
        text = os.read(main, 10000).decode()
        os.close(main)
        return text

    assert "\x1b[1;31merror" in shown(TERM="xterm", NO_COLOR="")
    assert "\x1b" not in shown(TERM="xterm", NO_COLOR="1")
