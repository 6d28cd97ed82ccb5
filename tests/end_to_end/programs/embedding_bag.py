# torchcc run embedding_bag.py --input ids=i64[batch=3,5]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


class Bag(nn.Module):
    """Embedding, mean, layer norm, a gather of the best class."""

    def __init__(self, words: int = 12, width: int = 8, classes: int = 5):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tuple[Tensor, Tensor]:
        x = self.norm(self.embedding(ids).mean(1))
        scores = F.softmax(self.scores(x), 1)
        best = scores.argmax(1)
        return best, scores.gather(1, best.unsqueeze(1)).squeeze(1)
