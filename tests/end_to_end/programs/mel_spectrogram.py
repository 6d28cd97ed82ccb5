# torchcc run mel_spectrogram.py --input x=f32[2,900]
import math

import torch
import torch.nn as nn
from torch import Tensor


class MelSpectrogram(nn.Module):
    """What speech recognition begins with: windows, their spectra, a bank of filters, a logarithm."""

    def __init__(self, n_fft: int = 100, hop: int = 40, mels: int = 12, rate: float = 8000.0):
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft))
        top = 2595.0 * math.log10(1.0 + rate / 2 / 700.0)
        points = 700.0 * (10.0 ** (torch.linspace(0.0, top, mels + 2) / 2595.0) - 1.0)
        bins = torch.linspace(0.0, rate / 2, n_fft // 2 + 1).unsqueeze(1)
        rising = (bins - points[:-2]) / (points[1:-1] - points[:-2])
        falling = (points[2:] - bins) / (points[2:] - points[1:-1])
        self.register_buffer("bank", torch.clamp(torch.minimum(rising, falling), min=0.0))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.stft(x, self.n_fft, self.hop, self.n_fft, self.window, return_complex=True)
        power = spectrum.abs().pow(2.0)
        mel = torch.matmul(power.transpose(-1, -2), self.bank).transpose(-1, -2)
        return torch.log(torch.clamp(mel, min=1e-6))
