"""The model zoo at its published sizes against torch.jit: compile time, run time, memory.

    python benchmarks/models.py [FAMILY ...] [--model NAME] [--threads 1 2] [--samples 15] [--keep FOLDER]

needs PyTorch (`pip install torch==2.13.0`). Each model of tests/models is built, saved, and measured in a process of its
own: torchcc compiles the archive with an empty cache, then calls of torchcc and of torch.jit (frozen) alternate. Prints a
table in Markdown; a run time above twice PyTorch's is marked `!`, and so is a cold compilation that takes more than 20 s
of processor time. That is what the column shows: on a machine that others use too, the clock says little.
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "tests" / "models"


def module(path):
    spec = importlib.util.spec_from_file_location(f"models_{path.stem}", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def measure(folder, name, form, threads, samples):
    """Runs in a process of its own, with an empty cache; JSON on standard output."""
    import numpy as np

    import torchcc

    check = module(MODELS / "check.py")
    del sys.modules["torch"]  # the block that check.py puts there
    (model,) = (m for m in json.loads((folder / "manifest.json").read_text()) if m["name"] == name)
    with np.load(folder / f"{name}.npz") as arrays:
        call = model["calls"][0]
        arguments = check.unpacked({"tuple": call["arguments"]}, arrays)
        expected = check.unpacked(call["result"], arrays)
    path = folder / f"{name}.{form}.pt"
    before = peak()
    started, used = time.perf_counter(), time.process_time()
    ours = torchcc.load(path, model["method"])
    got = ours(*arguments)
    compile_s, compile_cpu_s = time.perf_counter() - started, time.process_time() - used
    found = {"compile_s": compile_s, "compile_cpu_s": compile_cpu_s, "peak_mb": peak(), "imports_mb": before}
    found |= {"archive_mb": path.stat().st_size >> 20, "fault": check.difference(got, expected, check.Compared()), "runs": {}}
    import torch

    theirs = torch.jit.load(str(path)).eval()
    if model["method"] == "forward":
        theirs = torch.jit.freeze(theirs)
    for count in threads:
        torch.set_num_threads(count)
        torchcc.set_num_threads(count)
        with torch.inference_mode():
            found["runs"][count] = alternate(ours, theirs, arguments, as_torch(torch, arguments), samples)
    print(json.dumps(found))


def as_torch(torch, value):
    import numpy as np

    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return type(value)(as_torch(torch, v) for v in value) if type(value) in (list, tuple) else value


def alternate(ours, theirs, given, tensors, samples):
    """Medians of calls in turn, in milliseconds: torchcc, torch.jit."""
    for _ in range(3):
        ours(*given)
        theirs(*tensors)
    times = ([], [])
    for _ in range(samples):
        for kept, run, arguments in ((times[0], ours, given), (times[1], theirs, tensors)):
            start = time.perf_counter()
            run(*arguments)
            kept.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(t) for t in times]


def peak():
    """Megabytes. Linux counts what the parent held into `ru_maxrss` of a new process, but not here."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def row(name, found, threads):
    """A line of the table."""
    seconds = found["compile_cpu_s"]
    cells = [name, f"{found['archive_mb']}", f"{seconds:.1f}{' !' if seconds > 20 else ''}", f"{found['peak_mb']}"]
    for count in threads:
        ours, theirs = found["runs"][str(count)]
        cells += [f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}{' !' if ours > 2 * theirs else ''}"]
    return "| " + " | ".join(cells) + " |" + (f" WRONG: {found['fault']}" if found["fault"] else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", nargs="*")
    parser.add_argument("--model", action="append")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--keep", type=Path, help="archives are built here, and used if they are there")
    parser.add_argument("--measure", nargs=3, metavar=("FOLDER", "MODEL", "FORM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, name, form = options.measure
        measure(Path(folder), name, form, options.threads, options.samples)
        return
    build = module(MODELS / "build.py")
    columns = [f"{what}, {n} thread{'s' * (n > 1)}" for n in options.threads for what in ("torchcc, ms", "torch.jit, ms", "ratio")]
    print(f"{time.strftime('%Y-%m-%d')}, {platform.processor() or platform.machine()}\n")
    print("| " + " | ".join(["model", "archive, MB", "compile, CPU s", "peak, MB", *columns]) + " |")
    print("|---" * (4 + len(columns)) + "|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = options.keep or Path(temporary)
        for family in options.family or build.families():
            for model in build.family(family):
                if options.model is None or model.name in options.model:
                    print(measured(build, root / family / model.name, model, options), flush=True)


def measured(build, folder, model, options):
    form = "scripted" if "scripted" in model.forms else model.forms[0]
    if not (folder / "manifest.json").exists():
        build.build([model], folder, full=True, forms=[form])
    numbers = [str(n) for n in options.threads]
    command = [sys.executable, __file__, "--measure", str(folder), model.name, form]
    command += ["--samples", str(options.samples), "--threads", *numbers]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TORCHCC_CACHE_DIR": cache}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        return f"| {model.name} | failed: {done.stderr.strip().splitlines()[-1][:200]} |"
    return row(model.name, json.loads(done.stdout.splitlines()[-1]), options.threads)


if __name__ == "__main__":
    main()
