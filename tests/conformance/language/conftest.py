"""Rules of the language, each with small programs: what they give, and where and how they are refused.

`accepted(text, calls)`: `f`, or the module `M()`, of the text gives what is said, as machine code, by the interpreter of
the `torch` stage, as PyTorch's TorchScript, and as an archive that PyTorch saves. A call is (arguments, result); a result
that is a `raises(text)` is an error. `refused(text, *words)`: it is a CompileError at the line marked with `# <-`, and
PyTorch refuses it too.
"""

import importlib.util
import io
import itertools
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.api import compile_source
from torchcc.frontend import archive
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.interpreters.torch import Interpreter

HEAD = (
    "import cmath, math, warnings; import torch; import torch.nn as nn; import torch.nn.functional as F; "
    "from torch import Tensor; from enum import Enum; from collections import OrderedDict, namedtuple; "
    "from dataclasses import dataclass; "
    "from typing import Any, Callable, Dict, Final, List, NamedTuple, Optional, Sequence, Set, Tuple, Union\n"
)
MARK = "# <-"
_numbers = itertools.count()


@dataclass(frozen=True)
class Raises:
    """A call that fails; the text is the end of PyTorch's message too, unless `torch` says otherwise."""

    text: str
    torch: str | None = None


@dataclass(frozen=True)
class Options:
    """What differs from the ordinary. `torch`: compare with PyTorch; `archive`: also as an archive; `native`: run it."""

    torch: bool = True
    archive: bool = True
    native: bool = True
    entry: str = ""
    not_yet: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def accepted(quick, tmp_path):
    return expected_to_work(lambda text, calls, options: Rule(text, calls, options, tmp_path).check())


@pytest.fixture
def refused(tmp_path):
    return expected_to_work(lambda text, words, options: check_refused(text, words, options, tmp_path))


def expected_to_work(check: Callable[..., None]) -> Callable[..., None]:
    """The check; what is not there yet must fail, so that it is noticed when it works."""

    def run(text, what, **options):
        chosen = Options(**options)
        if not chosen.not_yet:
            check(text, what, chosen)
            return True
        try:
            check(text, what, chosen)
        except (AssertionError, CompileError, ExecutionError, torchcc.TorchccError) as error:
            pytest.xfail(f"{chosen.not_yet}: {str(error)[:200]}")
        pytest.fail(f"works now, the mark can go: {chosen.not_yet}")

    return run


class Rule:
    def __init__(self, text, calls, options, folder):
        self.text = text
        self.calls = calls
        self.options = options
        self.folder = folder
        self.entry = options.entry or ("M()" if re.search(r"^class M\(", text, re.M) else "f")

    def check(self):
        self.calls = [(tuple(map(given, a)), wanted(e)) for a, e in self.calls]
        native = self.native()
        for arguments, expected in self.calls:
            check_call("interpreter", lambda a=arguments: interpret(self.program(), a), arguments, expected)
            if self.options.native and not os.environ.get("NO_NATIVE"):
                check_call("native", lambda a=arguments: native(*copied(a)), arguments, expected)
        if self.options.torch and importlib.util.find_spec("torch"):
            self.check_torch()

    def native(self):
        library = compile_source(HEAD + self.text, "rule.py")
        return library.M() if self.entry == "M()" else getattr(library, self.entry)

    def program(self):
        program = compile_text(HEAD + self.text, "rule.py", self.entry)
        if program.receiver is not None:
            program.receiver.set_training(False)
        return program

    def check_torch(self):
        import torch

        scripted = script(torch, self.text, self.entry, self.folder)
        buffer = io.BytesIO()
        if self.options.archive:  # before calls change the state
            path = self.folder / "f.pt"
            torch.jit.save(scripted, buffer) if self.entry == "M()" else scripted.save(str(path))
            data = buffer.getvalue() or path.read_bytes()
        for arguments, expected in self.calls:
            shown = Raises(expected.torch, None) if isinstance(expected, Raises) and expected.torch is not None else expected
            check_call("torch.jit.script", lambda a=arguments: from_torch(scripted(*to_torch(a))), arguments, shown)
        if self.options.archive:
            program = archive.load(data, None)
            arguments_of = self.program().schema.arguments
            for arguments, expected in self.calls:
                filled = [*arguments, *(getattr(a.default, "array", a.default) for a in arguments_of[len(arguments) :])]  # not in an archive
                check_call("archive", lambda a=filled: interpret(program, a), arguments, expected)


def given(value):
    """An argument: `ones(2, 3)` and `tensor(...)` in a string are tensors of float32, or as numpy makes them."""
    if isinstance(value, str) and value.startswith("ones("):
        return np.ones(eval(value.removeprefix("ones") if "," in value else f"({value[5:-1]},)" if value != "ones()" else "()"), np.float32)
    if isinstance(value, str) and value.startswith("tensor("):
        array = eval(value, {"tensor": np.asarray})
        return array.astype(np.float32) if array.dtype == np.float64 else array
    return list(map(given, value)) if isinstance(value, list) else value


def wanted(value):
    """A result: `raises: text` is an error whose message holds the text."""
    match value:
        case str() if value.startswith("raises: "):
            return Raises(value.removeprefix("raises: "))
        case list() | tuple():
            return type(value)(map(wanted, value))
        case dict():
            return {k: wanted(v) for k, v in value.items()}
        case _:
            return given(value)


def interpret(program, arguments):
    values = torchcc.api.adapted(program.schema.arguments, torchcc.api.bind(program, copied(arguments), {}))
    return Interpreter(driver.composite).run_program(program, values)


def script(torch, text, entry, folder):
    """The entry under PyTorch, which wants a file to read."""
    path = folder / f"rule_{next(_numbers)}.py"  # PyTorch keeps classes by the name of their module
    path.write_text(HEAD + text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        value = eval(entry, vars(module))
        return torch.jit.script(value.eval() if entry == "M()" else value)
    finally:
        sys.modules.pop(path.stem, None)


def check_call(where, call, arguments, expected):
    if isinstance(expected, Raises):
        with pytest.raises(Exception) as caught:
            call()
        known_ahead = where == "native" and isinstance(caught.value, CompileError)  # by the shapes of the arguments
        assert known_ahead or not isinstance(caught.value, AssertionError | CompileError | TypeError | AttributeError), (where, caught.value)
        text = getattr(caught.value, "message", str(caught.value))
        assert expected.text in text, f"{where}{arguments}: {text[-300:]}"
        return
    found = call()
    text = different(found, expected)
    assert text is None, f"{where}{arguments}: {text}\n found    {found}\n expected {expected}"


def different(found, expected):
    """What is wrong with a result; None if nothing is."""
    match expected:
        case list() | tuple():
            if not isinstance(found, list if isinstance(expected, list) else tuple) or len(found) != len(expected):
                return f"{found!r} is not {expected!r}"
            return next((t for f, e in zip(found, expected) if (t := different(f, e)) is not None), None)
        case dict():
            if not isinstance(found, dict) or list(found) != list(expected):
                return f"{found!r} is not {expected!r}"
            return next((t for k in expected if (t := different(found[k], expected[k])) is not None), None)
        case float() | complex():
            same = type(found) is type(expected) and (
                np.isclose(found, expected, rtol=1e-12, atol=0, equal_nan=True) or found == expected
            )
            return None if same else f"{found!r} is not {expected!r}"
        case np.ndarray():
            found = np.asarray(found)
            same = found.dtype == expected.dtype and found.shape == expected.shape
            same = same and np.allclose(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
            return None if same else f"{found!r} is not {expected!r}"
        case _:
            same = type(found) is type(expected) and found == expected
            return None if same else f"{found!r} is not {expected!r}"


def copied(value):
    match value:
        case np.ndarray():
            return value.copy()
        case list() | tuple():
            return type(value)(map(copied, value))
        case dict():
            return {k: copied(v) for k, v in value.items()}
        case _:
            return value


def to_torch(value):
    import torch

    match value:
        case np.ndarray():
            return torch.from_numpy(value.copy())
        case list() | tuple():
            return type(value)(map(to_torch, value))
        case dict():
            return {k: to_torch(v) for k, v in value.items()}
        case _:
            return value


def from_torch(value):
    match value:
        case list():
            return list(map(from_torch, value))
        case tuple():
            return tuple(map(from_torch, value))
        case dict():
            return {k: from_torch(v) for k, v in value.items()}
        case _:
            return value.detach().numpy() if hasattr(value, "numpy") else value


def check_refused(text, words, options, folder):
    marked = [i for i, line in enumerate(text.splitlines(), 2) if MARK in line]
    entry = options.entry or ("M()" if re.search(r"^class M\(", text, re.M) else "f")
    with pytest.raises(CompileError) as caught:
        compile_text(HEAD + text, "rule.py", entry)
    diagnostics = caught.value.diagnostics
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert len(diagnostics) == max(1, len(marked)), message
    if marked:
        found = [d.span and d.span.file.position(d.span.start)[0] for d in diagnostics]
        assert sorted(found) == marked, message
    if options.torch and importlib.util.find_spec("torch"):
        import torch

        with pytest.raises(Exception) as error:
            script(torch, text, entry, folder)
        assert not isinstance(error.value, AssertionError)
