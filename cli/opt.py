"""`torchcc opt`: runs passes on printed IR, which is how a failing pass is looked at on its own."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from .. import driver
from ..backend.cpu.host import named_target
from ..ir.attributes import Constant
from ..ir.core import Operation, functions, symbol
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.dialects.torch import FUNC
from ..ir.parser import parse_module
from ..ir.printer import print_module
from ..ir.script_types import ScriptType, TensorType
from ..ir.signature import ConstantResult, Dim, Parameter, ScalarSpec, Signature, TensorSpec
from ..ir.source import SourceFile
from ..ir.target import Target
from ..ir.verifier import verify
from ..lowering.pass_manager import Pass, PassManager, Pipeline, Stage, parse_pass_spec
from ..lowering.pipeline import pipeline
from .console import out, waiting


def opt(path: Path, passes: Sequence[str], target: str) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot read {path}: {error.strerror or error}")) from None
    except UnicodeDecodeError:
        raise CompileError(Diagnostic(f"cannot read {path}: it is not UTF-8 text")) from None
    module = parse_module(text, _Placeholders(), SourceFile(str(path), text))
    verify(module)
    chosen = chosen_passes(passes, signature_of(module), target)
    result = waiting("running passes", lambda: PassManager().run(Pipeline(Stage("opt", *chosen)), module)["opt"])
    out.out(print_module(result).rstrip("\n"))


class _Placeholders(dict[str, Constant]):
    """IR text names large constants but does not hold their elements; passes do not look at them."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> Constant:
        return self.setdefault(key, Constant(key, np.zeros((), np.float32)))


def chosen_passes(texts: Sequence[str], signature: Signature, target: str) -> list[Pass]:
    """Passes by their `name{option=value ...}`."""
    gpu = driver.is_gpu(target)
    facts = named_target("host" if gpu else target).facts
    known = {p.name: p for g in (True, False) for p in pipeline(signature, facts, gpu=g).passes}
    return [_chosen(text, known) for text in texts]


def _chosen(text: str, known: Mapping[str, Pass]) -> Pass:
    try:
        name, options = parse_pass_spec(text)
    except ValueError as error:
        raise CompileError(Diagnostic(f"--pass {error}")) from None
    found: Any = known.get(name)
    if found is None:
        raise CompileError(Diagnostic(f"there is no pass `{name}`", help=f"passes are {', '.join(sorted(known))}"))
    fields = {f.name: getattr(found, f.name) for f in dataclasses.fields(found) if f.name != "name"}
    changed: dict[str, Any] = {}
    for option, value in options.items():
        if option not in fields:
            raise CompileError(Diagnostic(f"pass `{name}` has no option `{option}`", help=f"it has {', '.join(fields) or 'none'}"))
        if not isinstance(fields[option], Target | Signature):  # these come from --target and from the IR
            changed[option] = _value(value)
    return cast(Pass, dataclasses.replace(found, **changed))


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def signature_of(module: Operation) -> Signature:
    """What `convert-torch-to-linalg` has to know of a graph: its parameters, extents that are not static all different."""
    found = [f for f in functions(module) if f.name == FUNC]
    if len(found) != 1:
        return Signature("", (), (), ConstantResult(None))
    body = found[0].body()
    parameters: list[Parameter] = []
    for number, argument in enumerate(body.args):
        name = argument.name or f"arg{number}"
        match argument.type:
            case TensorType(dtype=dtype, shape=shape) if dtype is not None and shape is not None:
                dims = tuple(Dim(f"{name}_{i}") if d is None else d for i, d in enumerate(shape))
                parameters.append(Parameter(name, TensorSpec(dtype, dims)))
            case _:
                parameters.append(Parameter(name, ScalarSpec(cast(ScriptType, argument.type))))
    results = tuple(cast(ScriptType, v.type) for v in body.terminator.operands)
    return Signature(symbol(found[0]), tuple(parameters), results, ConstantResult(None))
