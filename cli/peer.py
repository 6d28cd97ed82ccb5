"""The process that runs a model by another library, for `torchcc bench --against`; a script that needs no torchcc.

`python peer.py LIBRARY ARCHIVE METHOD THREADS FOLDER` loads the archive, and takes the arguments from `values.json` and
`values.bin` in the folder (`against.py` says what they hold). Then it reads lines, each a number of calls, and answers each
with a line of JSON: the seconds that each of these calls took. The first line, before any was asked for, has the seconds from
the start of the process to the first result; the tensors of that are in `results.json` and `results.bin`. A line
`{"error": text}` says why there is none.
"""

# pyright: basic, reportMissingImports=false
# (of libraries that need not be here)

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BEGIN = time.perf_counter()


def run_torch(archive: str, method: str, threads: int, values: list[Any]) -> Callable[[], Any]:
    """Frozen and optimised for inference; as it is where it is in training mode, or its method is not `forward`."""
    import torch  # noqa: PLC0415 - each library is imported by the function that runs it

    torch.set_num_threads(threads)
    module = torch.jit.load(archive)
    if not module.training and method == "forward":
        module = torch.jit.optimize_for_inference(torch.jit.freeze(module))
    function = getattr(module, method)

    def call() -> Any:
        with torch.inference_mode():
            return function(*values)

    return call


def run_onnxruntime(archive: str, method: str, threads: int, values: list[Any]) -> Callable[[], Any]:
    """By PyTorch's exporter, which needs PyTorch beside ONNX Runtime."""
    import onnxruntime  # noqa: PLC0415
    import torch  # noqa: PLC0415

    _needs_forward(method)
    torch.set_num_threads(threads)
    file = Path(sys.argv[5]) / "model.onnx"
    module, values = _of_tensors(torch.jit.load(archive).eval(), values)
    names = [f"x{i}" for i in range(len(values))]
    torch.onnx.export(module, tuple(values), str(file), dynamo=False, input_names=names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    tensors = {n: v.numpy() for n, v in zip(names, values, strict=True)}
    given = {i.name: tensors[i.name] for i in session.get_inputs()}
    return lambda: session.run(None, given)


def run_openvino(archive: str, method: str, threads: int, values: list[Any]) -> Callable[[], Any]:
    """By OpenVINO's reader of TorchScript, which needs PyTorch beside it."""
    import openvino  # noqa: PLC0415
    import torch  # noqa: PLC0415

    _needs_forward(method)
    module, values = _of_tensors(torch.jit.load(archive).eval(), values)
    model = openvino.convert_model(module, example_input=tuple(values))
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    tensors = [v.numpy() for v in values]

    def call() -> Any:
        found = request.infer(tensors, share_inputs=True, share_outputs=True)
        return [found[o] for o in compiled.outputs]

    return call


LIBRARIES = {"torch": run_torch, "onnxruntime": run_onnxruntime, "openvino": run_openvino}


def _of_tensors(module: Any, values: list[Any]) -> tuple[Any, list[Any]]:
    """A module of tensors only, as exporters want them: traced with all other arguments fixed, where there are such."""
    import torch  # noqa: PLC0415

    if all(isinstance(v, torch.Tensor) for v in values):
        return module, values
    places = [i for i, v in enumerate(values) if isinstance(v, torch.Tensor)]

    class Fixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: Any) -> Any:
            given = list(values)
            for place, tensor in zip(places, tensors, strict=True):
                given[place] = tensor
            return self.module(*given)

    found = [values[i] for i in places]
    return torch.jit.trace(Fixed().eval(), tuple(found), check_trace=False), found


def _needs_forward(method: str) -> None:
    if method != "forward":
        raise ValueError(f"only `forward` can be exported, not `{method}`")


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is none of the answers
    library, archive, method, threads, folder = sys.argv[1:]
    try:
        values = [_decoded(v, (Path(folder) / "values.bin").read_bytes()) for v in _json(Path(folder) / "values.json")]
        call = LIBRARIES[library](archive, method, int(threads), values)
        _write(call(), Path(folder))
    except Exception as error:  # whatever a library raises is its answer: the others run on
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        return
    answers.write(json.dumps(time.perf_counter() - BEGIN) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(_times(call, int(line))) + "\n")


def _times(call: Callable[[], Any], count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return found


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _decoded(value: Any, data: bytes) -> Any:
    import torch  # noqa: PLC0415

    match value:
        case {"tensor": {"dtype": dtype, "shape": shape, "start": start, "bytes": size}}:
            whole = torch.frombuffer(bytearray(data[start : start + size] or b"\0" * 16), dtype=getattr(torch, dtype))
            return whole[: size // whole.element_size()].reshape(shape)
        case {"tuple": elements}:
            return tuple(_decoded(e, data) for e in elements)
        case {"dict": items}:
            return {_decoded(k, data): _decoded(v, data) for k, v in items}
        case list():
            return [_decoded(e, data) for e in value]
        case _:
            return value


def _write(result: Any, folder: Path) -> None:
    """The tensors and numbers of a result, in order."""
    import torch  # noqa: PLC0415

    parts = [torch.as_tensor(v).detach().contiguous() for v in _flat(result)]
    lines = [{"dtype": str(p.dtype).removeprefix("torch."), "shape": list(p.shape)} for p in parts]
    (folder / "results.json").write_text(json.dumps(lines), encoding="utf-8")
    with (folder / "results.bin").open("wb") as file:
        for part in parts:
            file.write(part.reshape(-1).view(torch.uint8).numpy().tobytes() if part.numel() else b"")


def _flat(value: Any) -> Iterator[Any]:
    match value:
        case list() | tuple():
            for element in value:
                yield from _flat(element)
        case dict():
            for element in value.values():
                yield from _flat(element)
        case None | str():
            pass
        case _:
            yield value


if __name__ == "__main__":
    main()
