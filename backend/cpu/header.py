"""The C header of a library: DLPack's structures, the run time's functions, each function with its contract."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ...ir.script_types import ScriptType, TensorType
from ...ir.signature import (
    ConstantResult,
    Dim,
    Leaf,
    Parameter,
    ResultTree,
    SequenceResult,
    Signature,
    TensorSpec,
    VariantResult,
)
from ..runtime.abi import DL_DATA_TYPE, DL_DEVICE, DL_TENSOR, describe, result_kind, scalar_kind
from .wrapper import dimensions

_KEYWORD_TEXT: Final = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool class delete
new namespace template this operator private public protected virtual friend try catch throw using
"""
_C_KEYWORDS: Final = frozenset(_KEYWORD_TEXT.split())
"""Of C and C++."""

_RUNTIME: Final = """\
/* Text of this thread's last error; valid until the thread's next call of a compiled function. */
const char *torchcc_last_error(void);

/* Gives back a result that a compiled function allocated: its data, shape and strides. */
void torchcc_free(DLTensor *tensor);

/* Threads that one call may use. The default is TORCHCC_NUM_THREADS, else the cores this process may run on. */
void torchcc_set_num_threads(int32_t count);
int32_t torchcc_num_threads(void);
"""


def header_text(signatures: Sequence[Signature], library: str) -> str:
    """The header that declares these functions; `library` names it in the include guard."""
    guard = "TORCHCC_" + re.sub(r"\W", "_", library).upper() + "_H"
    structures = "\n".join(s.c_definition for s in (DL_DEVICE, DL_DATA_TYPE, DL_TENSOR))
    functions = "\n".join(_function(s) for s in signatures)
    return f"""\
/* Made by torchcc. Functions return 0, or 1 after an error: see torchcc_last_error. They may be called from any number
   of threads at once. Tensors are DLPack's DLTensor in CPU memory (device type 1), of any strides.

   An output whose `data` is NULL is allocated by the function; give it back with torchcc_free. An output with `data`
   must have the result's dtype and shape, and the result is copied into it. An output pointer may be NULL. */
#ifndef {guard}
#define {guard}

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#if !defined(DLPACK_DLPACK_H_) && !defined(TORCHCC_DLTENSOR)
#define TORCHCC_DLTENSOR
{structures}#endif

#ifndef TORCHCC_RUNTIME
#define TORCHCC_RUNTIME
{_RUNTIME}#endif

{functions}
#ifdef __cplusplus
}}
#endif
#endif
"""


def c_names(signature: Signature) -> list[str]:
    """Names of the parameters in C, unique and no keywords."""
    names: list[str] = []
    for parameter in signature.parameters:
        name = re.sub(r"\W+", "_", parameter.name, flags=re.ASCII).strip("_") or "argument"
        if name[0].isdigit() or name in _C_KEYWORDS:
            name = f"{name}_" if name in _C_KEYWORDS else f"_{name}"
        while name in names:
            name += "_"
        names.append(name)
    return names


def _function(signature: Signature) -> str:
    names = c_names(signature)
    parameters = [_parameter(p, n) for p, n in zip(signature.parameters, names, strict=True)]
    outputs = signature.outputs
    parameters += [f"{result_kind(signature.results[i]).c} *out{k}" for k, i in enumerate(outputs)]
    notes = [f"   {n}: {_describe_parameter(p)}" for n, p in zip(names, signature.parameters, strict=True)]
    notes += [f"   out{k}: {_describe_result(signature.results[i])}" for k, i in enumerate(outputs)]
    notes += [f"   {_range(d)}" for d in dimensions(signature).values()]
    notes.append(f"   returns {_tree(signature.tree, {i: k for k, i in enumerate(outputs)})}")
    text = "\n".join(notes)
    return f"/* {signature.name}\n{text} */\nint32_t {signature.name}({', '.join(parameters) or 'void'});\n"


def _parameter(parameter: Parameter, name: str) -> str:
    if not isinstance(parameter.spec, TensorSpec):
        return f"{scalar_kind(parameter.spec.type).c} {name}"
    return f"{'' if parameter.write_back is not None else 'const '}DLTensor *{name}"


def _describe_parameter(parameter: Parameter) -> str:
    if not isinstance(parameter.spec, TensorSpec):
        return f"{parameter.spec.type}"
    written = ", written in place" if parameter.write_back is not None else ""
    return describe(parameter.spec.dtype, parameter.spec.shape) + written


def _describe_result(t: ScriptType) -> str:
    if isinstance(t, TensorType) and t.dtype is not None:
        return describe(t.dtype, t.shape or ())
    return str(t)


def _range(dim: Dim) -> str:
    top = "" if dim.maximum is None else f" <= {dim.maximum}"
    return f"{dim.minimum} <= {dim.name}{top}"


def _tree(tree: ResultTree, outputs: dict[int, int]) -> str:
    match tree:
        case Leaf(index, _):
            return f"out{outputs[index]}" if index in outputs else "an argument"
        case ConstantResult(value):
            return repr(value).replace("*/", "* /")
        case SequenceResult(elements, is_tuple):
            inner = ", ".join(_tree(e, outputs) for e in elements)
            return f"({inner})" if is_tuple else f"[{inner}]"
        case VariantResult(selector, then, otherwise):
            return f"{_tree(then, outputs)} where {_tree(selector, outputs)}, else {_tree(otherwise, outputs)}"
