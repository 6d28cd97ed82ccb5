"""The C header of a library: DLPack's structures, the run time's functions, each function with its contract."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ...ir.columns import attribute_types, pool_names, pools_of
from ...ir.objects import simple_name
from ...ir.script_types import (
    NONE,
    DictType,
    EnumMember,
    EnumType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.signature import (
    Column,
    ColumnsArgument,
    ConstantResult,
    DictColumn,
    DictResult,
    Dim,
    EnumColumn,
    EnumResult,
    KeptResult,
    Leaf,
    ListColumn,
    ListResult,
    ObjectColumn,
    ObjectResult,
    OptionalColumn,
    Parameter,
    Pool,
    PoolsColumn,
    ResultTree,
    ResultView,
    SequenceResult,
    Signature,
    StringColumn,
    StringResult,
    TableResult,
    TensorColumn,
    TensorSpec,
    TupleColumn,
    UnionColumn,
    ValueResult,
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

_STATE: Final = """

   Parameters that are named self_... are the state of the module. The caller keeps it, one for each stream: it starts as
   the function ..._initial_state gives it, and after a call it is what the comment of the function says."""

_RUNTIME: Final = """\
/* Text of this thread's last error; valid until the thread's next call of a compiled function. */
const char *torchcc_last_error(void);

/* Gives back a result that a compiled function allocated: its data, shape and strides. */
void torchcc_free(DLTensor *tensor);

/* Threads that one call may use. The default is TORCHCC_NUM_THREADS, else the cores this process may run on. */
void torchcc_set_num_threads(int32_t count);
int32_t torchcc_num_threads(void);

/* Random numbers are PyTorch's: the generator of this library starts from this seed; without, from another one in each process. */
void torchcc_manual_seed(int64_t seed);
int64_t torchcc_initial_seed(void);
"""


def header_text(signatures: Sequence[Signature], library: str, following: Mapping[str, str] | None = None) -> str:
    """The header that declares these functions; `library` names it in the include guard.

    `following`: for functions with state, which one the next call is of.
    """
    guard = "TORCHCC_" + re.sub(r"\W", "_", library).upper() + "_H"
    structures = "\n".join(s.c_definition for s in (DL_DEVICE, DL_DATA_TYPE, DL_TENSOR))
    functions = "\n".join(_function(s, (following or {}).get(s.name)) for s in signatures)
    has_state = any(p.path is not None for s in signatures for p in s.parameters)
    return f"""\
/* Made by torchcc. Functions return 0, or 1 after an error: see torchcc_last_error. They may be called from any number
   of threads at once. Tensors are DLPack's DLTensor in CPU memory (device type 1), of any strides.

   An output whose `data` is NULL is allocated by the function; give it back with torchcc_free. An output with `data`
   must have the result's dtype and shape, and the result is copied into it. An output pointer may be NULL. The memory of
   an output is never that of an argument, also where PyTorch gives a view.{_STATE if has_state else ""} */
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


def output_names(signature: Signature, taken: Sequence[str] = ()) -> list[str]:
    """Names of the outputs in C: `out0`, ...; those of the state alone by the attribute, `self_count_out`."""
    places: dict[int, str] = {}
    for result in signature.state:
        for path, index in _placed(result.tree, f"self.{result.path}"):
            places.setdefault(index, path)
    names: list[str] = []
    returned = signature.returned
    for i in signature.outputs:
        name = f"out{len(names)}"
        if i in places and i not in returned:
            name = re.sub(r"\W+", "_", places[i], flags=re.ASCII).strip("_") + "_out"
        while name in names or name in taken:
            name += "_"
        names.append(name)
    return names


def _placed(tree: ResultTree, path: str) -> list[tuple[str, int]]:
    """Flat results with the place in the state that they are for."""
    match tree:
        case SequenceResult(elements):
            return [p for i, e in enumerate(elements) for p in _placed(e, f"{path}[{i}]")]
        case DictResult(keys, values):
            return [p for k, v in zip(keys, values, strict=True) for p in _placed(v, f"{path}[{k!r}]")]
        case ObjectResult(_, names, values):
            return [p for n, v in zip(names, values, strict=True) for p in _placed(v, f"{path}.{n}")]
        case Leaf(index):
            return [(path, index)]
        case _:
            return []


def _function(signature: Signature, following: str | None) -> str:
    names = c_names(signature)
    parameters = [_parameter(p, n) for p, n in zip(signature.parameters, names, strict=True)]
    outputs = output_names(signature, names)
    numbered = dict(zip(signature.outputs, outputs, strict=True))
    parameters += [f"{result_kind(signature.results[i]).c} *{n}" for i, n in numbered.items()]
    notes = [f"   {n}: {_describe_parameter(p)}" for n, p in zip(names, signature.parameters, strict=True)]
    notes += [f"   {n}: {_describe_result(signature.results[i])}" for i, n in numbered.items()]
    given = {p.name: n for n, p in zip(names, signature.parameters, strict=True)}
    notes += [f"   {_given(c, given)}" for c in signature.columns]
    notes += [f"   {_range(d)}" for d in dimensions(signature).values()]
    notes.append(f"   returns {_tree(signature.tree, numbered)}")
    notes += [_shared(v, signature, names, numbered) for v in signature.views if v.result in numbered]
    notes += [f"   then self.{r.path} is {_tree(r.tree, numbered)}" for r in signature.state]
    notes += [f"   the next call is one of {following}"] if following is not None else []
    text = "\n".join(notes).replace("*/", "* /")
    return f"/* {signature.name}\n{text} */\nint32_t {signature.name}({', '.join(parameters) or 'void'});\n"


def _parameter(parameter: Parameter, name: str) -> str:
    if not isinstance(parameter.spec, TensorSpec):
        return f"{scalar_kind(parameter.spec.type).c} {name}"
    return f"{'' if parameter.write_back is not None else 'const '}DLTensor *{name}"


def _shared(view: ResultView, signature: Signature, names: Sequence[str], outputs: Mapping[int, str]) -> str:
    """In memory of its own, where PyTorch gives a view."""
    base = names[view.base] if view.is_argument else outputs[view.base]
    return f"   {outputs[view.result]}: a copy; in PyTorch it shares the memory of {base}"


def _describe_parameter(parameter: Parameter) -> str:
    if not isinstance(parameter.spec, TensorSpec):
        return f"{parameter.spec.type}{', state' if parameter.path is not None else ''}"
    written = ", written in place" if parameter.write_back is not None else ""
    written += ", state" if parameter.path is not None else ""
    written += ", row-major: the program decides something by its strides" if parameter.by_layout else ""
    written += ", keeps its shape, which the program changes in place" if parameter.looks else ""
    return describe(parameter.spec.dtype, parameter.spec.shape) + written


def _describe_result(t: ScriptType) -> str:
    if isinstance(t, TensorType) and t.dtype is not None:
        return describe(t.dtype, t.shape or ())
    return str(t)


def _given(argument: ColumnsArgument, names: Mapping[str, str]) -> str:
    """Where the parts of an argument of run-time length stand."""
    name = argument.name
    match argument.type:
        case DictType(key, value):
            keys, values = _elements(key, f"{name}.keys", names), _elements(value, f"{name}.values", names)
            text = f"{argument.type.annotation}: keys, {keys}; values, {values}"
        case ListType(element):
            text = f"{argument.type.annotation}: {_elements(element, name, names)}"
        case InstanceType(of):
            text = f"an object of class {simple_name(of.name)}: number {names[f'{name}.number']}"
        case _:
            text = f"{argument.type.annotation}: UTF-8 in {names[name]}"
    return f"argument {name}, {text}{_pools_given(argument.type, name, names)}"


def _pools_given(t: ScriptType, name: str, names: Mapping[str, str]) -> str:
    """Where the objects that an argument leads to stand."""
    found: list[str] = []
    for pool, place in zip(pools_of(t), pool_names(t, name), strict=True):
        pairs = zip(pool.of.attributes, attribute_types(pool), strict=True)
        parts = [f"{n}, {_elements(a, f'{place}.{n}', names)}" for n, a in pairs]
        found.append(f"objects of class {simple_name(pool.of.name)}, numbered from 0: {'; '.join(parts) or names[place]}")
    return "".join(f"\n     {line}" for line in found)


def _elements(t: ScriptType, name: str, names: Mapping[str, str]) -> str:
    """Where values of a type stand, one after the other (`ir/columns.py`)."""
    match t:
        case StrType():
            return f"strings of the lengths in {names[f'{name}.lengths']}, UTF-8 in {names[f'{name}.bytes']}"
        case ListType():
            inner = _elements(t.element, f"{name}.elements", names)
            return f"lists of the lengths in {names[f'{name}.lengths']}: {inner}"
        case DictType():
            keys, values = (_elements(e, f"{name}.{part}", names) for e, part in ((t.key, "keys"), (t.value, "values")))
            return f"dicts of the lengths in {names[f'{name}.lengths']}: keys, {keys}; values, {values}"
        case OptionalType():
            return f"there where {names[f'{name}.present']} is true: {_elements(t.element, name, names)}"
        case TupleType():
            return f"tuples ({', '.join(_elements(e, f'{name}.{i}', names) for i, e in enumerate(t.elements))})"
        case UnionType():
            parts = ("None" if m == NONE else _elements(m, f"{name}.{i}", names) for i, m in enumerate(t.members))
            return f"one of ({'; '.join(parts)}) by number in {names[f'{name}.tags']}"
        case EnumType():
            return f"members of {simple_name(t.name)} ({', '.join(t.members)}) by number in {names[f'{name}.numbers']}"
        case InstanceType():
            return f"objects of class {simple_name(t.of.name)} by number in {names[f'{name}.numbers']}"
        case TensorType() if t.rank:
            places = f"elements in {names[f'{name}.elements']}, {t.rank} extents each in {names[f'{name}.extents']}"
            return f"tensors ({places})"
        case _:
            return f"{'tensors without dimensions' if isinstance(t, TensorType) else 'numbers'} in {names[name]}"


def _range(dim: Dim) -> str:
    top = "" if dim.maximum is None else f" <= {dim.maximum}"
    return f"{dim.minimum} <= {dim.name}{top}"


def _column(column: Column, outputs: Mapping[int, str]) -> str:
    """Where the elements of a list stand: one after the other."""
    match column:
        case Leaf():
            return f"numbers in {_tree(column, outputs)}"
        case TupleColumn(parts, is_complex):
            return f"{'complex numbers' if is_complex else 'tuples'} ({', '.join(_column(p, outputs) for p in parts)})"
        case ListColumn(lengths, elements):
            return f"lists of the lengths in {_tree(lengths, outputs)}: {_column(elements, outputs)}"
        case DictColumn(lengths, keys, values):
            parts = f"keys {_column(keys, outputs)}, values {_column(values, outputs)}"
            return f"dicts of the lengths in {_tree(lengths, outputs)}: {parts}"
        case StringColumn(lengths, data):
            return f"strings of the lengths in {_tree(lengths, outputs)}, UTF-8 in {_tree(data, outputs)}"
        case UnionColumn(tags, members):
            parts = ("None" if m is None else _column(m, outputs) for m in members)
            return f"one of ({'; '.join(parts)}) by number in {_tree(tags, outputs)}"
        case OptionalColumn(present, values):
            return f"there where {_tree(present, outputs)} is true: {_column(values, outputs)}"
        case EnumColumn(numbers, of):
            return f"members of {simple_name(of.name)} ({', '.join(of.members)}) by number in {_tree(numbers, outputs)}"
        case ObjectColumn(numbers, pool):
            return f"objects by number in {_tree(numbers, outputs)} of pool {pool}"
        case PoolsColumn(pools, elements):
            parts = "; ".join(_pool(i, p, outputs) for i, p in enumerate(pools))
            return f"{_column(elements, outputs)}; {parts}"
        case TensorColumn(elements, extents, rank):
            places = f"elements in {_tree(elements, outputs)}, {rank} extents each in {_tree(extents, outputs)}"
            return f"tensors ({places})"


def _pool(number: int, pool: Pool, outputs: Mapping[int, str]) -> str:
    pairs = zip(pool.of.attributes, pool.attributes, strict=True)
    parts = ", ".join(f"{n} {_column(c, outputs)}" for n, c in pairs)
    return f"pool {number} of {_tree(pool.count, outputs)} objects of class {simple_name(pool.of.name)}: {parts or 'nothing'}"


def _tree(tree: ResultTree, outputs: Mapping[int, str]) -> str:
    match tree:
        case Leaf(index, _):
            return outputs.get(index, "an argument")
        case ConstantResult(EnumMember() as member):
            return f"{simple_name(member.type.name)}.{member.name}"
        case ConstantResult(value):
            return repr(value).replace("*/", "* /")
        case SequenceResult(elements, is_tuple):
            inner = ", ".join(_tree(e, outputs) for e in elements)
            return f"({inner})" if is_tuple else f"[{inner}]"
        case DictResult(keys, values):
            inner = ", ".join(f"{k!r}: {_tree(v, outputs)}" for k, v in zip(keys, values, strict=True))
            return f"{{{inner}}}"
        case ObjectResult(of, names, values):
            inner = ", ".join(f"{n}={_tree(v, outputs)}" for n, v in zip(names, values, strict=True))
            return f"{simple_name(of.name)}({inner})"
        case EnumResult(of, number):
            return f"a member of {simple_name(of.name)} ({', '.join(of.members)}), number {_tree(number, outputs)}"
        case ValueResult(PoolsColumn(pools, ObjectColumn(number))):
            parts = "; ".join(_pool(i, p, outputs) for i, p in enumerate(pools))
            return f"object {_tree(number, outputs)} of pool 0; {parts}"
        case ValueResult(column):
            return _column(column, outputs)
        case KeptResult(path):
            return f"self.{path}"
        case StringResult(data):
            return f"a str, UTF-8 in {_tree(data, outputs)}"
        case ListResult(length, column):
            return f"a list of {_tree(length, outputs)} elements: {_column(column, outputs)}"
        case TableResult(length, keys, values):
            parts = f"keys {_column(keys, outputs)}, values {_column(values, outputs)}"
            return f"a dict of {_tree(length, outputs)} entries: {parts}"
        case VariantResult(selector, then, otherwise):
            return f"({_tree(selector, outputs)} ? {_tree(then, outputs)} : {_tree(otherwise, outputs)})"
