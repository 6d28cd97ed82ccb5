"""torchcc against torch.jit (frozen, optimised for inference): in turn in one process, ratios of medians.

    python benchmarks/compare.py [--threads 1 2] [--samples 30] [CASE ...]
    python benchmarks/compare.py --least [--samples 20] [CASE ...]

needs PyTorch (`pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu`). Prints a table in Markdown, of all
cases or of those whose names contain CASE. `--least`: the least processor time of the calling thread, for one thread: what
a shared machine can tell. With SILERO_VAD_ARCHIVE silero-vad takes part.
"""

import argparse
import importlib.util
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

import torchcc

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "digits"))

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


def scripted(text, name, *shapes):
    """A function of TorchScript on random tensors."""
    ours = getattr(torchcc.compile_source("import torch\nfrom torch import Tensor\n" + text), name)
    theirs = getattr(torch.jit.CompilationUnit(text), name)
    return ours, theirs, noise(*shapes)


def noise(*shapes):
    generator = np.random.default_rng(0)
    return tuple(generator.standard_normal(shape).astype(np.float32) for shape in shapes)


def archived(module, inputs, script=True):
    """A module of PyTorch, and the archive that PyTorch makes of it."""
    module = module.eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "module.pt"
        given = tuple(map(torch.from_numpy, inputs))
        made = torch.jit.script(module) if script else torch.jit.trace(module, given, check_trace=False)
        made.save(str(path))
        ours = torchcc.load(path)
        ours(*inputs)
        theirs = torch.jit.freeze(torch.jit.load(str(path)).eval())
    return ours, torch.jit.optimize_for_inference(theirs), inputs


def zoo(family, name, *shapes):
    """A network of tests/models at its published size, with inputs of its own or of these shapes."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "tests" / "models" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    (model,) = (m for m in build.family(family) if m.name == name)
    module, calls = build.made(model, True)
    inputs = noise(*shapes) or tuple(t.numpy() for t in calls[0])
    return archived(module, inputs, "scripted" in model.forms)


class LeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Conv2d(6, 16, 5)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(400, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool2d(torch.relu(self.first(x)), [2, 2])
        x = torch.max_pool2d(torch.relu(self.second(x)), [2, 2]).flatten(1)
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < 2:
                x = torch.relu(x)
        return x


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(512, 512, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


class Attention(torch.nn.Module):
    def __init__(self, is_causal: bool):
        super().__init__()
        self.is_causal = is_causal

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)


def silero():
    path = os.environ["SILERO_VAD_ARCHIVE"]
    ours, theirs = torchcc.load(path), torch.jit.load(path).eval()
    return (lambda x: ours(x, 16000)), (lambda x: theirs(x, 16000)), noise((1, 512))


def small_mlp():
    from mlp import MLP

    return archived(MLP(), noise((1, 784)))


def layer_norm():
    return archived(torch.nn.LayerNorm(1024), noise((4096, 1024)))


def gpt2_token():
    spec = importlib.util.spec_from_file_location("build", ROOT / "tests" / "models" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    (model,) = (m for m in build.family("decoders") if m.name == "gpt2")
    return archived(build.made(model, True)[0], (np.array([[464]]),))


def int8_mlp():
    import small_weights

    x = noise((64, 784))
    return archived(small_weights.mlp(torch.from_numpy(x[0])), x)


def int8_encoder_layer():
    import small_weights

    return archived(small_weights.encoder_layer(), noise((1, 128, 768)), False)


def int8_network(name):
    import small_weights

    x = noise((1, 3, 224, 224))
    return archived(small_weights.network(getattr(small_weights, name), torch.from_numpy(x[0])), x, False)


CHAIN = """
def chain(x: Tensor, y: Tensor) -> Tensor:
    a = x * 0.5 + y
    b = torch.tanh(a) * torch.sigmoid(x)
    c = torch.exp(-a * a) + b
    return torch.relu(c - 0.1) * y + a
"""
SOFTMAX = """
def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)
"""
ATTENTION = """
def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.125, -1), v)
"""
PRODUCT = """
def product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b
"""

CASES = {
    "Digits network, 360 images": digits,
    "ResNet-18": lambda: zoo("resnet", "resnet18"),
    "ResNet-50": lambda: zoo("resnet", "resnet50"),
    "MobileNetV2": lambda: zoo("mobilenet", "mobilenet_v2"),
    "U-Net, 256x256": lambda: zoo("unet", "unet", (1, 3, 256, 256)),
    "MLP 784-512-512-10, batch 1": small_mlp,
    "MLP 784-512-512-10, batch 64": mlp,
    "LeNet-5, 28x28": lambda: archived(LeNet(), noise((1, 1, 28, 28))),
    "BERT-base, 128 tokens": lambda: zoo("encoders", "bert"),
    "MiniLM, 2 x 128 tokens": lambda: zoo("encoders", "minilm"),
    "GPT-2, 64 tokens": lambda: zoo("decoders", "gpt2"),
    "GPT-2, one token": gpt2_token,
    "MLP 784-512-512-10, int8, batch 64": int8_mlp,
    "BERT layer, dynamic int8, 128 tokens": int8_encoder_layer,
    "ResNet-18, int8": lambda: int8_network("ResNet18"),
    "MobileNetV2, int8": lambda: int8_network("MobileNetV2"),
    "DeiT-tiny": lambda: zoo("vision_transformers", "vit"),
    "LSTM 512, 2 layers, 100 steps": lambda: archived(Recurrent(), noise((100, 1, 512))),
    "LSTM cell in a scripted loop": lambda: zoo("recurrent", "custom_lstm"),
    **({"silero-vad, 512 samples": silero} if "SILERO_VAD_ARCHIVE" in os.environ else {}),
    "Pointwise chain, 1M": lambda: scripted(CHAIN, "chain", (1 << 20,), (1 << 20,)),
    "Softmax 4096 x 1024": lambda: scripted(SOFTMAX, "softmax", (4096, 1024)),
    "Layer norm 4096 x 1024": layer_norm,
    "Attention written out, 12 x 128 x 64": lambda: scripted(ATTENTION, "attention", *[(1, 12, 128, 64)] * 3),
    "Attention, 12 x 128 x 64": lambda: archived(Attention(False), noise(*[(1, 12, 128, 64)] * 3)),
    "Attention, 12 x 1024 x 64": lambda: archived(Attention(False), noise(*[(1, 12, 1024, 64)] * 3)),
    "Causal attention, 12 x 1024 x 64": lambda: archived(Attention(True), noise(*[(1, 12, 1024, 64)] * 3)),
    "Matrix product 1024^3": lambda: scripted(PRODUCT, "product", (1024, 1024), (1024, 1024)),
}


def flat(value):
    """The arrays of a result."""
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in flat(part)]
    return [np.asarray(value)]


def check(ours, theirs, inputs, tolerance=1e-3):
    """Both calls, with their arguments, once their results are seen to be the same."""
    tensors = tuple(map(torch.from_numpy, inputs))
    for got, expected in zip(flat(ours(*inputs)), flat(theirs(*tensors)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(expected).max())))
    return (lambda: ours(*inputs)), (lambda: theirs(*tensors))


def least(calls, samples):
    """Seconds of processor time of the calling thread: the least of calls in turn."""
    best = [float("inf")] * 2
    for i in range(samples + 3):
        for which, call in enumerate(calls):
            start = time.thread_time()
            call()
            used = time.thread_time() - start
            best[which] = min(best[which], used) if i >= 3 else best[which]
    return best


def medians(calls, samples):
    """Seconds by the clock. Each has turns of 30 ms; the first calls of a turn, which wake threads up, do not count."""
    times = ([], [])
    for _ in range(samples):
        for found, call in zip(times, calls, strict=True):
            end, turn = time.perf_counter() + 0.03, []
            while len(turn) < 3 or time.perf_counter() < end:
                start = time.perf_counter()
                call()
                turn.append(time.perf_counter() - start)
            found.append(statistics.median(turn[1:]))
    return [statistics.median(found) for found in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--least", action="store_true")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {platform.processor() or platform.machine()}, torch {torch.__version__}\n")
    print("| program | threads | torchcc, ms | torch.jit, ms | torchcc / torch.jit |\n|---|---|---|---|---|", flush=True)
    for name, case in CASES.items():
        if options.case and not any(n.lower() in name.lower() for n in options.case):
            continue
        with torch.inference_mode():
            calls = check(*case(), tolerance=1e-2 if "int8" in name else 1e-3)  # floats between integers may cross to another
            for threads in [1] if options.least else options.threads:
                torch.set_num_threads(threads)
                torchcc.set_num_threads(threads)
                a, b = (least if options.least else medians)(calls, options.samples)
                print(f"| {name} | {threads} | {1e3 * a:.3f} | {1e3 * b:.3f} | {a / b:.2f} |", flush=True)


if __name__ == "__main__":
    main()
