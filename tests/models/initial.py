"""Weights that networks really start from, where PyTorch's own initialisation is far from them."""

from torch import nn


def as_transformer(module: nn.Module, width: int) -> nn.Module:
    """Weights as BERT and GPT-2 have them before training, and about as large after it: normal, 0.02 at width 768.

    Narrower networks get what gives activations of the same size. PyTorch's own embeddings are 50 times larger: logits
    over tied weights then reach 80, sums of terms that cancel, which no float32 computes to 1e-5.
    """
    deviation = 0.02 * (768 / width) ** 0.5
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, 0.0, deviation)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.normal_(layer.bias, 0.0, deviation)
    return module
