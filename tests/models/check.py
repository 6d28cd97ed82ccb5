"""Runs archives of the model zoo with torchcc where PyTorch cannot be imported, and compares with PyTorch's results.

    python tests/models/check.py FOLDER [--model NAME] [--form FORM]

FOLDER is one that `build.py` wrote. Prints a line of JSON per archive: model, form, fault (null if all is well), the worst
error in units of the tolerance, how many elements and calls were compared, seconds.
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.modules["torch"] = None  # importing it fails from here on

import numpy as np  # noqa: E402

import torchcc  # noqa: E402

RTOL, ATOL = 1e-4, 1e-5
"""Against PyTorch's eager result, element by element, for every model. No model has a tolerance of its own."""


def unpacked(node, arrays):
    ((kind, value),) = node.items()
    match kind:
        case "tensor":
            return arrays[value].copy()
        case "list":
            return [unpacked(v, arrays) for v in value]
        case "tuple":
            return tuple(unpacked(v, arrays) for v in value)
        case "dict":
            return {k: unpacked(v, arrays) for k, v in value}
        case _:
            return value


@dataclass
class Compared:
    """What has been compared so far."""

    calls: int = 0
    elements: int = 0
    worst: float = 0.0
    """The largest |found - expected| / (ATOL + RTOL |expected|): above 1 is a fault."""


def difference(found, expected, so_far, where="result"):
    """What is wrong, in words; None if nothing is."""
    if isinstance(expected, dict):
        if not isinstance(found, dict) or list(found) != list(expected):
            return f"{where}: {type(found).__name__} in place of a dict with keys {list(expected)}"
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            return f"{where}: {type(found).__name__} in place of {len(expected)} elements"
        texts = (difference(f, e, so_far, f"{where}[{i}]") for i, (f, e) in enumerate(zip(found, expected)))
        return next((t for t in texts if t is not None), None)
    if isinstance(expected, float) and isinstance(found, float):
        return None if np.isclose(found, expected, RTOL, ATOL, equal_nan=True) else f"{where}: {found} != {expected}"
    if not isinstance(expected, np.ndarray):
        return None if type(found) is type(expected) and found == expected else f"{where}: {found!r} != {expected!r}"
    found = np.asarray(found)
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{where}: {found.dtype}{found.shape} in place of {expected.dtype}{expected.shape}"
    if expected.size == 0 or expected.dtype.kind not in "fc":
        return None if np.array_equal(found, expected) else f"{where}: other numbers: {found.ravel()[:8]} != {expected.ravel()[:8]}"
    return different_numbers(found, expected, so_far, where)


def different_numbers(found, expected, so_far, where):
    near = np.isclose(found, expected, RTOL, ATOL, equal_nan=True)
    finite = np.isfinite(expected) & np.isfinite(found)
    units = np.abs(found - expected, where=finite, out=np.zeros(found.shape)) / (ATOL + RTOL * np.abs(expected))
    so_far.elements += found.size
    so_far.worst = max(so_far.worst, float(units[finite].max(initial=0.0)))
    if not near.all():
        worst = np.unravel_index(np.argmax(np.where(near, 0, np.abs(found - expected))), found.shape)
        return f"{where}: {np.count_nonzero(~near)} of {near.size} differ, at {tuple(map(int, worst))}: {found[worst]} != {expected[worst]}"
    if expected.ndim == 2 and expected.shape[1] > 1:
        chosen = np.take_along_axis(expected, found.argmax(1)[:, None], 1)[:, 0]
        if (chosen != expected.max(1)).any():
            return f"{where}: another answer is on top"
    return None


def spec(value, open_dims):
    """The spec of an argument; `open_dims` is {dimension: name}."""
    if not isinstance(value, np.ndarray):
        return value
    shape = tuple(torchcc.Dim(open_dims[i]) if i in open_dims else e for i, e in enumerate(value.shape))
    return torchcc.TensorSpec(torchcc.DType[str(value.dtype)], shape)


def fault_of(folder, model, form, so_far):
    """The first thing that is wrong with an archive, or None."""
    path = folder / f"{model['name']}.{form}.pt"
    with np.load(folder / f"{model['name']}.npz") as arrays:
        calls = [(unpacked({"tuple": c["arguments"]}, arrays), unpacked(c["result"], arrays)) for c in model["calls"]]
        callables = [("", torchcc.load(path, model["method"]))]
        if model["dynamic"] and "-" not in form:
            open_dims = {}
            for argument, dimension, name in model["dynamic"]:
                open_dims.setdefault(argument, {})[dimension] = name
            specs = [spec(v, open_dims.get(i, {})) for i, v in enumerate(calls[0][0])]
            callables.append(("with open extents, ", torchcc.load(path, model["method"]).compile(*specs)))
        for how, call in callables:
            for i, (arguments, expected) in enumerate(calls):
                text = difference(call(*arguments), expected, so_far)
                so_far.calls += 1
                if text is not None:
                    return f"{how}call {i}: {text}"
    return None


def checked(folder, model, form):
    start = time.perf_counter()
    refused = False
    so_far = Compared()
    try:
        fault = fault_of(folder, model, form, so_far)
    except torchcc.TorchccError as error:
        fault = f"{type(error).__name__}: {error}"
        refused = isinstance(error, torchcc.CompileError)
    return {
        "model": model["name"],
        "form": form,
        "fault": fault,
        "refused": refused,
        "worst": float(f"{so_far.worst:.3g}"),
        "elements": so_far.elements,
        "calls": so_far.calls,
        "seconds": round(time.perf_counter() - start, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append")
    parser.add_argument("--form", action="append")
    options = parser.parse_args()
    for model in json.loads((options.folder / "manifest.json").read_text()):
        if options.model is None or model["name"] in options.model:
            for form in model["forms"]:
                if options.form is None or form in options.form:
                    print(json.dumps(checked(options.folder, model, form)), flush=True)


if __name__ == "__main__":
    main()
