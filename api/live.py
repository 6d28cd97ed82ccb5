"""Live objects of PyTorch: modules, and functions that are traced. PyTorch itself, which they need anyway, writes the archive.

In: an `nn.Module`, what `torch.jit` made, or a function with example inputs. Out: what `torchcc.load` makes of the archive that
PyTorch saves of it; from then on PyTorch is not used, and the two share no memory.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ..ir.diagnostics import CompileError, Diagnostic


def is_live(value: Any) -> bool:
    """Whether it is a module of PyTorch, or a compiled function of its. PyTorch is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module | torch.jit.ScriptFunction)


def scripted(value: Any) -> tuple[bytes, bool]:
    """An archive of a live object, and whether it is one of a function. CompileError with PyTorch's reasons."""
    return _archived(lambda jit: value if isinstance(value, jit.ScriptModule | jit.ScriptFunction) else jit.script(value))


def traced(function: Any, example_inputs: Any, options: Mapping[str, Any]) -> tuple[bytes, bool]:
    """An archive of a trace, likewise. CompileError where PyTorch is not installed, and with its reasons."""
    return _archived(lambda jit: jit.trace(function, example_inputs, **options))


def traced_module(module: Any, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[bytes, bool]:
    """An archive of a module with a trace of each method named in `inputs`."""
    return _archived(lambda jit: jit.trace_module(module, dict(inputs), **options))


def _archived(make: Callable[[Any], Any]) -> tuple[bytes, bool]:
    try:
        torch = import_module("torch")
    except ImportError:
        help = "install it to trace; torchcc.compile_source and torchcc.load need none"
        raise CompileError(Diagnostic("tracing runs the function, which needs PyTorch: it is not installed", help=help)) from None
    stream = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made = make(torch.jit)
            torch.jit.save(made, stream)
    except (RuntimeError, TypeError, ValueError, AttributeError, OSError, torch.jit.frontend.FrontendError, torch.jit.TracingCheckError) as error:
        raise CompileError(Diagnostic(f"PyTorch cannot compile this: {str(error).strip()}")) from error
    return stream.getvalue(), isinstance(made, torch.jit.ScriptFunction)
