"""Scalar, list, string and dict code against CPython and torch.jit.

    python benchmarks/language.py [PROGRAM ...] [--samples 9]

Each file of benchmarks/language runs three times: as Python, as TorchScript by PyTorch (where it is installed), and
compiled. Results are compared first; then calls of the three alternate. Prints a table in Markdown: medians and ratios.
"""

import argparse
import importlib.util
import platform
import random
import statistics
import time
from pathlib import Path

import torchcc

FOLDER = Path(__file__).resolve().parent / "language"


def text(letters, count, seed):
    return "".join(random.Random(seed).choices(letters, k=count))


def prose(count, seed):
    rng = random.Random(seed)
    known = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(2000)]
    return " ".join(known[min(int(rng.paretovariate(0.7)), 1999)].capitalize() + rng.choice(["", "", ","]) for _ in range(count))


ARGUMENTS = {
    "primes": lambda: (1_000_000,),
    "levenshtein": lambda: (text("abcdefgh", 2000, 1), text("abcdefgh", 2000, 2)),
    "words": lambda: (prose(100_000, 3),),
    "beam": lambda: (10_000, 8),
}


def forms(name):
    """The program as Python, by torch.jit, and compiled."""
    path = FOLDER / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"language_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {"CPython": getattr(module, name)}
    try:
        import torch
    except ImportError:
        pass
    else:
        found["torch.jit"] = torch.jit.script(getattr(module, name))
    return found | {"torchcc": torchcc.compile_file(path, name)}


def medians(functions, arguments, samples):
    """Milliseconds per call, the functions called in turn."""
    times = {name: [] for name in functions}
    for _ in range(samples):
        for name, function in functions.items():
            started = time.perf_counter()
            function(*arguments)
            times[name].append((time.perf_counter() - started) * 1e3)
    return {name: statistics.median(found) for name, found in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", default=list(ARGUMENTS), help=", ".join(ARGUMENTS))
    parser.add_argument("--samples", type=int, default=9)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.processor() or platform.machine()}\n")
    print("| program | CPython, ms | torch.jit, ms | torchcc, ms | CPython / torchcc | torch.jit / torchcc |")
    print("|---|---|---|---|---|---|")
    for name in options.programs:
        functions, arguments = forms(name), ARGUMENTS[name]()
        results = {form: function(*arguments) for form, function in functions.items()}
        assert results["torchcc"] == results["CPython"], f"{name}: torchcc and CPython differ"
        found = medians(functions, arguments, options.samples)
        theirs = found.get("torch.jit")
        shown = ["-", "-"] if theirs is None else [f"{theirs:.1f}", f"{theirs / found['torchcc']:.0f}"]
        python = f"{found['CPython'] / found['torchcc']:.0f}"
        print(f"| {name} | {found['CPython']:.1f} | {shown[0]} | {found['torchcc']:.2f} | {python} | {shown[1]} |")


if __name__ == "__main__":
    main()
