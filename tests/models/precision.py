"""Whose rounding is larger: PyTorch's float32 and torchcc's, each against the same network in double precision.

    python tests/models/precision.py [--full] [--model NAME] [FAMILY ...]

Errors are in units of the tolerance, |found - exact| / (1e-5 + 1e-4 |exact|), at the worst element (and root mean square);
`apart` is torchcc against PyTorch, with the number of elements more than 1 apart. Needs PyTorch; prints rows of a table.
"""

import argparse
import contextlib
import copy
import sys
import tempfile
import time
import warnings
from pathlib import Path

import build
import numpy as np
import torch

import torchcc

RTOL, ATOL = 1e-4, 1e-5
"""As in check.py."""


def leaves(value):
    """The floating arrays of a result, in order."""
    match value:
        case torch.Tensor():
            return leaves(value.detach().numpy())
        case np.ndarray():
            return [value] if value.dtype.kind == "f" else []
        case dict():
            return leaves(list(value.values()))
        case list() | tuple():
            return [leaf for v in value for leaf in leaves(v)]
        case _:
            return []


def doubled(value):
    match value:
        case torch.Tensor():
            return value.double() if value.is_floating_point() else value.clone()
        case list() | tuple():
            return type(value)(map(doubled, value))
        case _:
            return value


@contextlib.contextmanager
def in_double():
    """Everywhere: new tensors, and what a network converts to float."""
    before, to_float, to = torch.get_default_dtype(), torch.Tensor.float, torch.Tensor.to
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    torch.Tensor.to = lambda self, *a, **k: to(self, *(torch.float64 if v is torch.float32 else v for v in a), **k)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        torch.Tensor.float, torch.Tensor.to = to_float, to


def arrays_of(value):
    match value:
        case torch.Tensor():
            return value.detach().numpy().copy()
        case list() | tuple():
            return type(value)(map(arrays_of, value))
        case _:
            return value


def units(found, exact):
    """Errors of all leaves in units of the tolerance, one after the other; None where the shapes are not the same."""
    if [f.shape for f in found] != [e.shape for e in exact]:
        return None
    with np.errstate(invalid="ignore"):
        errors = [
            np.where((f == e) | ~np.isfinite(e), 0.0, np.abs(f.astype(np.float64) - e) / (ATOL + RTOL * np.abs(e))).ravel()
            for f, e in zip(found, exact, strict=True)
        ]
    return np.concatenate([np.zeros(1), *errors])


def written(errors):
    return "other shapes" if errors is None else f"{errors.max():.3f} ({np.sqrt(np.mean(errors**2)):.4f})"


def row(model, full):
    with torch.no_grad(), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        module, calls = build.made(model, full)
        exact_module = copy.deepcopy(module).double()
        path = Path(folder, "model.pt")
        build.in_form(module, model.forms[0], calls[0]).save(str(path))
        ours_module = torchcc.load(path, model.method)
        ours, theirs, exact = [], [], []
        for arguments in calls:
            copies = [build.copied(a) for a in arguments]
            ours += leaves(ours_module(*(arrays_of(a) for a in copies)))
            theirs += leaves(getattr(module, model.method)(*map(build.copied, arguments)))
            with in_double():
                exact += leaves(getattr(exact_module, model.method)(*map(doubled, arguments)))
    apart = units(ours, [t.astype(np.float64) for t in theirs])
    outside = "" if apart is None else f" {np.count_nonzero(apart > 1)} of {apart.size - 1}"
    magnitude = max((float(np.abs(e).max(initial=0)) for e in exact), default=0.0)
    return f"| {model.name} | {written(units(theirs, exact))} | {written(units(ours, exact))} | {written(apart)}{outside} | {magnitude:.3g} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", nargs="*")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--model", action="append")
    options = parser.parse_args()
    for name in options.family or build.families():
        for model in build.family(name):
            if options.model is None or model.name in options.model:
                start = time.perf_counter()
                try:
                    text = row(model, options.full)
                except (RuntimeError, torchcc.TorchccError) as error:
                    text = f"| {model.name} | {type(error).__name__}: {str(error).splitlines()[0]} |"
                print(text, f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
