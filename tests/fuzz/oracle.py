"""What a program does, at every stage: `judge(program)` compares PyTorch, the stages' interpreters and native code.

Compared are results, exceptions (those of the program with their text), what becomes of arguments, and printed text.
PyTorch is asked where it is installed; otherwise the interpreter of the `torch` stage says what is right.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from programs import Program, Shared
from programs import given as made

from torchcc import driver
from torchcc.api import ScriptFunction, adapted, fitting, flat_values, spec_of
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.core import lookup
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.script_types import BoolType, DictType, FloatType, IntType, ListType, StrType, TensorType, TupleType
from torchcc.ir.signature import Dim, TensorSpec, rebuild

OWN_FAULT = re.compile("INTERNAL ASSERT|Expected .* but got None|Tracer cannot infer type of")
"""PyTorch mixes up its registers after some loops with `return` in them, and takes no object of Python with an empty list."""

HAS_TORCH = importlib.util.find_spec("torch") is not None


@dataclass(frozen=True)
class Outcome:
    """One call: what it gave, or how it failed; its arguments afterwards; what it printed."""

    value: Any = None
    error: str | None = None
    """`raise: ...` with the text of the program's own exceptions, `fails` for those of operators."""
    message: str = ""
    """Of an operator that failed: for the report, not compared."""
    arguments: tuple[Any, ...] = ()
    printed: str = ""
    shared: frozenset[tuple[int, int]] = frozenset()
    """Which results (of the tuple that the program gives) share memory with which arguments."""


@dataclass(frozen=True)
class Verdict:
    """`kind`: agrees, refused, invalid (PyTorch does not take it), broken (it fails in itself), or what is wrong.

    Shrinking keeps `kind`.
    """

    kind: str
    detail: str = ""

    @property
    def is_failure(self) -> bool:
        return self.kind not in ("agrees", "refused", "invalid", "broken")


def judge(program: Program) -> Verdict:
    dims = [t.dims if program.has_open_extents else () for _, t in program.main.parameters]
    return judge_text(program.text(), program.inputs, dims)


def judge_text(text: str, inputs: Sequence[list[Any]], dims: Sequence[tuple[str, ...]] = ()) -> Verdict:
    """`inputs`: arguments of each call of `main`. `dims`: for each parameter the names of its extents, where they are open."""
    try:
        expected = [run_torch(text, values) for values in copied(inputs)] if HAS_TORCH else None
    except Invalid as error:
        return Verdict("invalid", str(error))
    stage = "frontend"
    if any(OWN_FAULT.search(o.message) for o in expected or ()):
        return Verdict("broken", "PyTorch's interpreter fails")
    try:
        compiled = compile_text(text, entry="main")
        stage = "torch"
        found = [run_source(compiled, values) for values in copied(inputs)]
        wrong = first_difference(expected or found, found)
        declared = compiled.schema.returns[0].type
        if wrong and not all(e.error is not None or is_of(e.value, declared) for e in expected or ()):
            return Verdict("broken", "PyTorch gives a value of another type")
        if wrong:
            return Verdict("differs at torch", wrong)
        expected = expected or found
        stage = "lowering"
        for group in grouped(compiled, inputs, dims):
            wrong = run_stages(compiled, inputs, group, expected)
            if wrong:
                return wrong
    except CompileError as error:
        return Verdict("refused", reason(error))
    except Exception as error:  # whatever it is, it is a bug
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{stage}: {type(error).__name__} in {Path(where.filename).name}:{where.name}"
        return Verdict(kind, str(error)[:2000])
    return Verdict("agrees", f"{sum(e.error is not None for e in expected)} of {len(expected)} calls raise")


class Invalid(Exception):
    """PyTorch refuses the program."""


def reason(error: CompileError) -> str:
    first = error.diagnostics[0]
    message = re.sub(r"`[^`]*`", "`..`", first.message)
    return re.sub(r"\d+", "N", message + (f" ({re.sub(r'`[^`]*`', '`..`', first.label)})" if first.label else ""))


# the runs


def run_torch(text: str, values: list[Any]) -> Outcome:
    import torch

    given = made([to_torch(v) for v in values])
    function = scripted(text)
    message = ""
    with torch.jit.optimized_execution(False), Printed() as printed:
        try:
            result, error = function(*given), None
        except torch.jit.Error as failure:
            result, error = None, raised(str(failure).strip().splitlines()[-1])
        except RuntimeError as failure:
            result, error, message = None, torch_failure(str(failure)), str(failure)
    value = plain(result)
    return Outcome(value, error, message, tuple(map(plain, given)), printed.text, shared_with(result, given))


def torch_failure(message: str) -> str:
    last = message.strip().splitlines()[-1]
    # where the assertion's condition is known, PyTorch leaves the class out
    return raised(last) if re.match(r"builtins\.|RuntimeError: AssertionError: ", last) else "fails"


def raised(last: str) -> str:
    """The program's own exception, from the last line of PyTorch's message."""
    return "raise: " + re.sub(r"^(RuntimeError: )?(builtins\.\w+: )?(AssertionError: )?", "", last)


_scripted: dict[str, Any] = {}
_numbers = itertools.count()


def scripted(text: str) -> Callable[..., Any]:
    """The entry function in PyTorch, which reads sources from files."""
    if text in _scripted:
        return _scripted[text]
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"fuzzed_{next(_numbers)}.py"  # PyTorch keeps classes by name
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        try:
            spec.loader.exec_module(module)
            found = torch.jit.script(module.main)
        except Exception as error:  # of many classes
            raise Invalid(str(error)) from None
        finally:
            del sys.modules[path.stem]
    _scripted.clear()
    _scripted[text] = found
    return found


def run_source(compiled: Any, values: list[Any]) -> Outcome:
    values = made(values)
    return outcome(lambda: Interpreter(driver.composite).run_program(compiled, values), values)


def outcome(call: Callable[[], Any], given: Sequence[Any]) -> Outcome:
    message = ""
    with Printed() as printed:
        try:
            result, error = call(), None
        except ExecutionError as failure:
            result, error, message = None, execution_failure(failure), str(failure)
    return Outcome(plain(result), error, message, tuple(map(plain, given)), printed.text)


def execution_failure(error: ExecutionError) -> str:
    for own in ("bad", "no"):
        if re.search(rf"(^|: ){own}$", error.message.strip()):
            return f"raise: {own}"
    return "fails"


def grouped(
    compiled: Any, inputs: Sequence[list[Any]], dims: Sequence[tuple[str, ...]]
) -> list[tuple[Any, list[int]]]:
    """Specs that the inputs are compiled for, and the numbers of the inputs that each is for."""
    found: list[tuple[Any, list[int]]] = []
    for i, values in enumerate(inputs):
        given = adapted(compiled.schema.arguments, made(values))
        specs = tuple(opened(spec_of(v), dims[n] if n < len(dims) else ()) for n, v in enumerate(given))
        for known, numbers in found:
            if known == specs:
                numbers.append(i)
                break
        else:
            found.append((specs, [i]))
    return found


def opened(spec: Any, dims: tuple[str, ...]) -> Any:
    """The spec of a tensor with its extents open, named as in the program."""
    if not isinstance(spec, TensorSpec) or not dims:
        return spec
    return TensorSpec(spec.dtype, tuple(Dim(d, minimum=1) if d in ("n", "m") else e for d, e in zip(dims, spec.shape)))


def run_stages(
    compiled: Any, inputs: Sequence[list[Any]], group: tuple[Any, list[int]], expected: list[Outcome]
) -> Verdict | None:
    try:
        return run_lowered(compiled, inputs, group, expected)
    except CompileError as error:
        # what always raises may be said at compile time
        said = error.diagnostics[0].message
        if all(expected[n].error is not None and said in expected[n].message for n in group[1]):
            return None
        raise


def run_lowered(
    compiled: Any, inputs: Sequence[list[Any]], group: tuple[Any, list[int]], expected: list[Outcome]
) -> Verdict | None:
    specs, numbers = group
    sharing = any(isinstance(v, Shared) for n in numbers for v in inputs[n])
    first = adapted(compiled.schema.arguments, made(inputs[numbers[0]]))
    _, chosen, lowered = fitting(lambda s: driver.lower(compiled, s), specs, first)
    if chosen != specs:
        numbers = numbers[:1]  # numbers became constants
    native = compile_module(lowered.modules["loops"], lowered.signature)
    name = lowered.signature.name
    function = lookup(lowered.modules["torch"], name)
    runs: list[tuple[str, Callable[[list[Any]], list[Any]]]] = [
        ("specialised", lambda given: Interpreter(driver.composite).run(function, given)),
        ("linalg", lambda given: interpret(lowered.modules["linalg"], name, given)),
        ("loops", lambda given: interpret(lowered.modules["loops"], name, given)),
        ("native", native.call_flat),
    ]
    compiled_call = ScriptFunction(compiled)
    for number in numbers:
        wrong = called(compiled_call, inputs[number], expected[number])
        if wrong:
            return Verdict("differs in a call", f"input {number}: {wrong}")
        for stage, run in () if sharing else runs:  # a call knows what shares memory
            try:
                found = run_flat(run, compiled, inputs[number], chosen, lowered.signature)
            except CompileError as error:
                return Verdict(f"differs at {stage}", f"refused while running: {error}")
            wrong = difference(expected[number], found)
            if wrong:
                return Verdict(f"differs at {stage}", f"input {number}: {wrong}")
    return None


def called(compiled_call: ScriptFunction, values: list[Any], expected: Outcome) -> str:
    """A call as users make it. What results share with arguments has to be so in PyTorch, and is so where nothing decides it."""
    given = made(copied(values))
    kept: list[Any] = []

    def call() -> Any:
        kept.append(compiled_call(*given))
        return kept[0]

    found = outcome(call, given)
    wrong = difference(expected, found)
    if wrong or not kept or not HAS_TORCH:
        return wrong
    more = shared_with(kept[0], given) - expected.shared
    return f"results share memory with arguments: {sorted(more)}" if more else ""


def shared_with(result: Any, given: Sequence[Any]) -> frozenset[tuple[int, int]]:
    parts = result if isinstance(result, tuple) else (result,)
    arrays = [(i, a) for i, p in enumerate(parts) if (a := array_of(p)) is not None]
    others = [(k, a) for k, g in enumerate(given) if (a := array_of(g)) is not None]
    return frozenset((i, k) for i, a in arrays for k, b in others if np.may_share_memory(a, b))


def is_of(value: Any, declared: Any) -> bool:
    """Whether there is None nowhere but where the type allows it."""
    match declared:
        case TupleType():
            return isinstance(value, tuple) and all(map(is_of, value, declared.elements))
        case ListType():
            return isinstance(value, list) and all(is_of(v, declared.element) for v in value)
        case DictType():
            return isinstance(value, dict) and all(is_of(v, declared.value) for v in value.values())
        case IntType() | FloatType() | BoolType() | StrType() | TensorType():
            return value is not None
        case _:
            return True


def array_of(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    return value.detach().numpy() if hasattr(value, "detach") else None


def run_flat(run: Callable[[list[Any]], list[Any]], compiled: Any, values: list[Any], specs: Any, signature: Any) -> Outcome:
    given = copied(adapted(compiled.schema.arguments, made(values)))
    flat = flat_values(given, specs)

    def call() -> Any:
        results = copied(list(run(flat)))  # an interpreter may give an argument back, which is written to now
        for parameter, array in zip(signature.parameters, flat):
            written = None if parameter.write_back is None else results[parameter.write_back]
            if written is not None:
                array[...] = written
        return rebuild(signature.tree, results)

    return outcome(call, given)


class Printed:
    """What is printed by Python and by native code meanwhile."""

    def __enter__(self) -> Printed:
        sys.stdout.flush()
        self.text = ""
        self._file = tempfile.TemporaryFile()
        self._saved = os.dup(1)
        os.dup2(self._file.fileno(), 1)
        self._stdout, sys.stdout = sys.stdout, os.fdopen(os.dup(1), "w")
        return self

    def __exit__(self, *failure: object) -> None:
        sys.stdout.close()
        sys.stdout = self._stdout
        os.dup2(self._saved, 1)
        os.close(self._saved)
        self._file.seek(0)
        self.text = self._file.read().decode(errors="replace")
        self._file.close()


# comparing


def first_difference(expected: Sequence[Outcome], found: Sequence[Outcome]) -> str:
    for i, (e, f) in enumerate(zip(expected, found)):
        wrong = difference(e, f)
        if wrong:
            return f"input {i}: {wrong}"
    return ""


def difference(expected: Outcome, found: Outcome) -> str:
    if expected.error != found.error:
        return f"{found.error or 'returns'} instead of {expected.error or 'returns'}\n{found.message}{expected.message}"
    if signless(expected.printed) != signless(found.printed):
        return f"prints {found.printed!r} instead of {expected.printed!r}"
    if expected.error is not None:
        return ""
    wrong = unequal(expected.value, found.value, "result")
    for i, (e, f) in enumerate(zip(expected.arguments, found.arguments)):
        if isinstance(e, np.ndarray):
            wrong = wrong or unequal(e, f, f"argument {i}")
    return wrong


def unequal(e: Any, f: Any, place: str) -> str:
    if isinstance(e, np.ndarray) and isinstance(f, np.ndarray):
        if e.dtype != f.dtype or e.shape != f.shape:
            return f"{place} is {f.dtype}{list(f.shape)} instead of {e.dtype}{list(e.shape)}"
        close = np.isclose(e, f, rtol=1e-4, atol=1e-5, equal_nan=True) if e.dtype.kind == "f" else e == f
        return "" if close.all() else f"{place} is {f.tolist()} instead of {e.tolist()}"
    if type(e) is not type(f):
        return f"{place} is {f!r} instead of {e!r}"
    if isinstance(e, list | tuple):
        if len(e) != len(f):
            return f"{place} is {f!r} instead of {e!r}"
        return next((w for i, (a, b) in enumerate(zip(e, f)) if (w := unequal(a, b, f"{place}[{i}]"))), "")
    if isinstance(e, dict):
        if list(e) != list(f):
            return f"{place} has keys {list(f)} instead of {list(e)}"
        return next((w for k in e if (w := unequal(e[k], f[k], f"{place}[{k!r}]"))), "")
    if isinstance(e, float):
        same = e == f or (e != e and f != f) or abs(e - f) <= 1e-9 * max(abs(e), abs(f))
        return "" if same else f"{place} is {f!r} instead of {e!r}"
    same = signless(e) == signless(f) if isinstance(e, str) else e == f
    return "" if same else f"{place} is {f!r} instead of {e!r}"


def signless(text: str) -> str:
    """Without the signs of nans: which one an operation gives is the processor's choice, or that of who folds constants."""
    return text.replace("-nan", "nan")


def plain(value: Any) -> Any:
    """A value with tensors as arrays and named tuples as tuples; a copy."""
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if hasattr(value, "detach"):
        return value.detach().numpy().copy()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.generic):
        return value.item()
    return value


def to_torch(value: Any) -> Any:
    import torch

    if isinstance(value, list):
        return [to_torch(v) for v in value]
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def copied(value: Any) -> Any:
    if isinstance(value, list):
        return [copied(v) for v in value]
    if isinstance(value, tuple):
        return tuple(copied(v) for v in value)
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value
