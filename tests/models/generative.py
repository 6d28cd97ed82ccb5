"""A variational autoencoder, and DCGAN's generator and discriminator (transposed convolutions with normalisation)."""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class VAE(nn.Module):
    def __init__(self, width=32, latent=128, extent=64):
        super().__init__()
        layers, inputs = [], 3
        for i in range(3):
            layers += [nn.Conv2d(inputs, width << i, 3, 2, 1), nn.BatchNorm2d(width << i), nn.LeakyReLU()]
            inputs = width << i
        self.encoder = nn.Sequential(*layers)
        self.plane = extent // 8
        self.mean = nn.Linear(inputs * self.plane**2, latent)
        self.log_variance = nn.Linear(inputs * self.plane**2, latent)
        self.start = nn.Linear(latent, inputs * self.plane**2)
        layers = []
        for i in reversed(range(3)):
            outputs = width << max(i - 1, 0)
            layers += [nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
            inputs = outputs
        self.decoder = nn.Sequential(*layers, nn.Conv2d(inputs, 3, 3, padding=1), nn.Tanh())

    def encode(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        y = torch.flatten(self.encoder(x), start_dim=1)
        return self.mean(y), self.log_variance(y)

    def reparameterise(self, mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
        return mean + noise * torch.exp(0.5 * log_variance)

    def forward(self, x: Tensor, noise: Tensor):
        mean, log_variance = self.encode(x)
        z = self.start(self.reparameterise(mean, log_variance, noise))
        y = self.decoder(z.view(z.size(0), -1, self.plane, self.plane))
        kld = torch.mean(-0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp(), dim=1), dim=0)
        return {"image": y, "loss": F.mse_loss(y, x) + 0.00025 * kld, "mean": mean}


class Generator(nn.Module):
    def __init__(self, latent=100, width=64):
        super().__init__()
        layers = [nn.ConvTranspose2d(latent, width * 8, 4, 1, 0, bias=False), nn.BatchNorm2d(width * 8), nn.ReLU(True)]
        for i in (4, 2, 1):
            layers += [nn.ConvTranspose2d(width * i * 2, width * i, 4, 2, 1, bias=False), nn.BatchNorm2d(width * i), nn.ReLU(True)]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        layers = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for i in (1, 2, 4):
            layers += [nn.Conv2d(width * i, width * i * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(width * i * 2), nn.LeakyReLU(0.2, inplace=True)]
        self.main = nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x).view(-1, 1).squeeze(1)


def vae(full):
    return VAE() if full else VAE(4, 6, 16)


def vae_calls(full):
    extent, latent = (64, 128) if full else (16, 6)
    return [(torch.randn(n, 3, extent, extent), torch.randn(n, latent)) for n in (2, 5)]


MODELS = (
    Model("vae", vae, vae_calls, forms=("scripted",), dynamic=((0, 0, "batch"), (1, 0, "batch"))),
    Model("dcgan_generator", lambda full: Generator() if full else Generator(5, 2), lambda full: [(torch.randn(n, 100 if full else 5, 1, 1),) for n in (2, 3)], forms=("traced", "scripted", "scripted-frozen"), dynamic=((0, 0, "batch"),)),
    Model("dcgan_discriminator", lambda full: Discriminator() if full else Discriminator(2), lambda full: [(torch.randn(n, 3, 64, 64),) for n in (2, 3)], dynamic=((0, 0, "batch"),)),
)  # fmt: skip
