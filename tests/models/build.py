"""Builds archives of the model zoo with PyTorch: weights are random and seeded, inputs and eager results lie beside them.

    python tests/models/build.py OUT [--full] [--form FORM] [FAMILY ...]

writes OUT/FAMILY/MODEL.FORM.pt, OUT/FAMILY/MODEL.npz (inputs and results) and OUT/FAMILY/manifest.json, which says how the
arrays of the .npz make up the arguments and results of each call.
"""

import argparse
import contextlib
import importlib.util
import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
NO_FAMILY = ("zoo", "build", "check", "conftest", "precision", "initial")


def families():
    return [p.stem for p in sorted(HERE.glob("*.py")) if p.stem not in NO_FAMILY and not p.stem.startswith("test_")]


def family(name):
    """The models of a family file; its classes keep a module that `torch.jit.script` can find the source of."""
    loaded = sys.modules.get(f"zoo_{name}")
    if loaded is None:
        if str(HERE) not in sys.path:
            sys.path.append(str(HERE))
        spec = importlib.util.spec_from_file_location(f"zoo_{name}", HERE / f"{name}.py")
        loaded = sys.modules[f"zoo_{name}"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    return loaded.MODELS


def packed(value, arrays):
    """JSON for the structure of a value; tensors go into `arrays`."""
    import torch

    match value:
        case torch.Tensor():
            name = f"a{len(arrays)}"
            arrays[name] = value.detach().cpu().clone().numpy()
            return {"tensor": name}
        case list():
            return {"list": [packed(v, arrays) for v in value]}
        case tuple():
            return {"tuple": [packed(v, arrays) for v in value]}
        case dict():
            return {"dict": [[k, packed(v, arrays)] for k, v in value.items()]}
        case _:
            return {"value": value}


def in_form(module, form, example):
    import torch

    kind, _, after = form.partition("-")
    made = torch.jit.script(module) if kind == "scripted" else torch.jit.trace(module, example, check_trace=False)
    if after == "frozen":
        made = torch.jit.freeze(made)
    elif after == "optimized":
        made = torch.jit.optimize_for_inference(made)
    return made


def copied(value):
    """A call may write to its arguments."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.clone()
    return type(value)(map(copied, value)) if type(value) in (list, tuple) else value


def made(model, full):
    """The module in eval mode, and the arguments of its calls."""
    import torch

    torch.manual_seed(1)
    calls = model.calls(full)
    torch.manual_seed(0)
    module = model.make(full)
    if model.settle:
        module.train()
        for layer in module.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.momentum = None  # a plain mean over the calls
        for _ in range(2):
            getattr(module, model.method)(*copied(calls[0]))
            module.train(False).train()
    return module.eval(), calls


def build(models, out, full=False, forms=None):
    """Writes the archives of some models; gives the manifest."""
    import numpy as np
    import torch

    out.mkdir(parents=True, exist_ok=True)
    manifest = []
    for model in models:
        arrays = {}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module, calls = made(model, full)
            wanted = [f for f in model.forms if forms is None or f in forms]
            for form in wanted:
                in_form(module, form, calls[0]).save(str(out / f"{model.name}.{form}.pt"))
            entries = []
            for arguments in calls:
                given = [packed(a, arrays) for a in arguments]
                entries.append({"arguments": given, "result": packed(getattr(module, model.method)(*arguments), arrays)})
        np.savez(out / f"{model.name}.npz", **arrays)
        about = {k: getattr(model, k) for k in ("name", "dynamic", "method")}
        manifest.append({**about, "forms": wanted, "known": dict(model.known), "calls": entries})
    (out / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("family", nargs="*")
    parser.add_argument("--full", action="store_true", help="the published sizes, not the small ones")
    parser.add_argument("--form", action="append", help="only these forms")
    options = parser.parse_args()
    for name in options.family or families():
        with contextlib.redirect_stdout(sys.stderr):
            build(family(name), options.out / name, options.full, options.form)
        print(options.out / name)


if __name__ == "__main__":
    main()
