"""torchcc against torch.jit: interleaved in one process, ratios of medians.

    python benchmarks/compare.py [--threads 1 2] [--samples 60]

needs PyTorch (`pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu`). Prints a table in Markdown.
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

import torchcc

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "digits"))

MATMUL = """
import torch
from torch import Tensor


def matmul(a: Tensor, b: Tensor) -> Tensor:
    return a @ b
"""


def digits():
    """The digits network, 360 images."""
    from digits import DigitsNet

    folder = ROOT / "examples" / "digits"
    ours = torchcc.compile_file(folder / "digits.py", "DigitsNet", weights=folder / "digits.safetensors")
    theirs = DigitsNet().eval()
    theirs.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in ours.state_dict().items()})
    images = np.load(folder / "test_images.npy")
    return ours, torch.jit.freeze(torch.jit.script(theirs)), (images,)


def mlp():
    """MLP 784-512-512-10, batch 64."""
    from mlp import MLP

    ours = torchcc.compile_file(Path(__file__).with_name("mlp.py"), "MLP", seed=0)
    theirs = MLP().eval()
    theirs.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in ours.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((64, 784)).astype(np.float32)
    return ours, torch.jit.freeze(torch.jit.script(theirs)), (x,)


def matmul():
    """Matrix product 1024 x 1024 x 1024, f32."""
    ours = torchcc.compile_source(MATMUL).matmul
    theirs = torch.jit.CompilationUnit("def matmul(a, b):\n    return a @ b\n").matmul
    generator = np.random.default_rng(0)
    return ours, theirs, tuple(generator.standard_normal((1024, 1024)).astype(np.float32) for _ in range(2))


def measure(ours, theirs, inputs, samples):
    """Seconds of a call, ours and theirs, sample by sample in turn."""
    tensors = tuple(map(torch.from_numpy, inputs))
    got, expected = ours(*inputs), theirs(*tensors).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)
    for _ in range(10):
        ours(*inputs)
        theirs(*tensors)
    times = ([], [])
    for _ in range(samples):
        for kept, run, arguments in ((times[0], ours, inputs), (times[1], theirs, tensors)):
            start = time.perf_counter()
            run(*arguments)
            kept.append(time.perf_counter() - start)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=60)
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {platform.processor() or platform.machine()}, torch {torch.__version__}\n")
    print("| program | threads | torchcc, ms | torch.jit, ms | torchcc / torch.jit |")
    print("|---|---|---|---|---|")
    for case in (digits, mlp, matmul):
        for threads in options.threads:
            torch.set_num_threads(threads)
            torchcc.set_num_threads(threads)
            with torch.inference_mode():
                ours, theirs = measure(*case(), options.samples)
            a, b = statistics.median(ours), statistics.median(theirs)
            print(f"| {case.__doc__} | {threads} | {1e3 * a:.3f} | {1e3 * b:.3f} | {a / b:.2f} |")


if __name__ == "__main__":
    main()
