"""Models with weights of 8 or 16 bits for `compare.py`, made by PyTorch's eager quantization of float models."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn


class FloatMLP(nn.Module):
    """784-512-512-10 between a quantisation and its inverse."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.layers = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.dequant(self.layers(self.quant(x)))


def static(module: nn.Module, x: Tensor, fused: list[list[str]]) -> nn.Module:
    """Statically quantised with FBGEMM's settings; ranges are those of `x`."""
    torch.backends.quantized.engine = "fbgemm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.ao.quantization.fuse_modules(module.eval(), fused) if fused else module.eval()
        module.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
        prepared = torch.ao.quantization.prepare(module)
        prepared(x)
        return torch.ao.quantization.convert(prepared)


def dynamic(module: nn.Module) -> nn.Module:
    """The same module with dynamically quantised linear layers."""
    torch.backends.quantized.engine = "fbgemm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(module.eval(), {nn.Linear}, dtype=torch.qint8)


def mlp(x: Tensor) -> nn.Module:
    torch.manual_seed(0)
    return static(FloatMLP(), x, [["layers.0", "layers.1"], ["layers.2", "layers.3"]])


class EncoderLayer(nn.Module):
    """A layer of BERT-base: 12 heads, 768 features, 3072 inside."""

    def __init__(self, width: int = 768, inside: int = 3072, heads: int = 12) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.first, self.second = nn.Linear(width, inside), nn.Linear(inside, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        weights = torch.softmax(q @ k.transpose(-1, -2) / (q.size(-1) ** 0.5), -1)
        x = self.norm1(x + self.out((weights @ v).transpose(1, 2).flatten(2)))
        return self.norm2(x + self.second(torch.nn.functional.gelu(self.first(x))))


def encoder_layer() -> nn.Module:
    torch.manual_seed(0)
    return dynamic(EncoderLayer())


class BasicBlock(nn.Module):
    """ResNet-18's block, its addition as PyTorch's quantization wants it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(outputs), nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2, self.add = nn.BatchNorm2d(outputs), nn.quantized.FloatFunctional()
        self.down = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.add.add_relu(self.bn2(self.conv2(y)), self.down(x))


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, 1)
        sizes = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1))
        self.blocks = nn.Sequential(*(BasicBlock(*size) for size in sizes))
        self.mean, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.pool(self.relu(self.bn(self.conv(self.quant(x))))))
        return self.dequant(self.fc(torch.flatten(self.mean(x), 1)))

    def fused(self) -> list[list[str]]:
        found = [["conv", "bn", "relu"]]
        for i, block in enumerate(self.blocks):
            found += [[f"blocks.{i}.conv1", f"blocks.{i}.bn1", f"blocks.{i}.relu"], [f"blocks.{i}.conv2", f"blocks.{i}.bn2"]]
            if isinstance(block.down, nn.Sequential):
                found.append([f"blocks.{i}.down.0", f"blocks.{i}.down.1"])
        return found


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        inside = inputs * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers += [nn.Conv2d(inputs, inside, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU()]
        layers += [nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False), nn.BatchNorm2d(inside), nn.ReLU()]
        layers += [nn.Conv2d(inside, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv, self.add = nn.Sequential(*layers), nn.quantized.FloatFunctional()
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.add.add(x, self.conv(x)) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        blocks: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())]
        inputs = 32
        for expand, outputs, count, stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for i in range(count):
                blocks.append(InvertedResidual(inputs, outputs, stride if i == 0 else 1, expand))
                inputs = outputs
        blocks.append(nn.Sequential(nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU()))
        self.blocks, self.mean, self.fc = nn.Sequential(*blocks), nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.dequant(self.fc(torch.flatten(self.mean(self.blocks(self.quant(x))), 1)))

    def fused(self) -> list[list[str]]:
        found: list[list[str]] = []
        for i, block in enumerate(self.blocks):
            name, layers = (f"blocks.{i}.conv", block.conv) if isinstance(block, InvertedResidual) else (f"blocks.{i}", block)
            starts = [j for j, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
            found += [[f"{name}.{k}" for k in range(j, min(j + 3, len(layers)))] for j in starts]
        return found


def network(kind: type[ResNet18] | type[MobileNetV2], x: Tensor, *, quantised: bool = True) -> nn.Module:
    """A convolution network with batch statistics of its own, as floats or statically quantised."""
    torch.manual_seed(0)
    module = kind().eval()
    return static(copy.deepcopy(module), x, module.fused()) if quantised else module
