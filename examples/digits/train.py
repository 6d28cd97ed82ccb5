"""Trains DigitsNet with PyTorch and writes the weights and the held-out images that the example runs on.

    python examples/digits/train.py        needs: pip install torch scikit-learn safetensors
"""

from pathlib import Path

import numpy as np
import torch
from digits import DigitsNet
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).parent
HELD_OUT = 360


def main() -> None:
    torch.manual_seed(0)
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.images))
    images = torch.tensor(data.images[order], dtype=torch.float32)[:, None]
    labels = torch.tensor(data.target[order])
    train_images, train_labels = images[HELD_OUT:], labels[HELD_OUT:]
    test_images, test_labels = images[:HELD_OUT], labels[:HELD_OUT]

    model = DigitsNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    epochs, batch = 30, 64
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        model.train()
        for chosen in torch.randperm(len(train_images)).split(batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(train_images[chosen]), train_labels[chosen])
            loss.backward()
            optimizer.step()
        schedule.step()
        print(f"epoch {epoch + 1:2}  accuracy {accuracy(model, test_images, test_labels):.4f}")

    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, HERE / "digits.safetensors")
    np.save(HERE / "test_images.npy", test_images.numpy())
    np.save(HERE / "test_labels.npy", test_labels.numpy())


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    main()
