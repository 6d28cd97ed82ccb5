"""Recurrent nets: nn.LSTM and nn.GRU in all their forms, and an LSTM cell written out with a loop over time."""

from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from zoo import Model


class Tagger(nn.Module):
    """Embedding, bidirectional LSTM, and a class for every word."""

    def __init__(self, vocabulary: int, width: int, hidden: int, layers: int, classes: int):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, hidden, layers, batch_first=True, bidirectional=True, dropout=0.2)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, ids: Tensor) -> Tensor:
        x, _ = self.lstm(self.words(ids))
        return self.head(x)


class LstmStates(nn.Module):
    """States in and out, time first, projection of the hidden state."""

    def __init__(self, width: int, hidden: int, layers: int, projection: int):
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, layers, proj_size=projection)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        y, (h, c) = self.lstm(x, (h, c))
        return y, h, c


class GruClassifier(nn.Module):
    def __init__(self, width: int, hidden: int, layers: int, classes: int):
        super().__init__()
        self.gru = nn.GRU(width, hidden, layers, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        y, h = self.gru(x)
        return self.head(y.mean(dim=1)), h


class Rnn(nn.Module):
    def __init__(self, width: int, hidden: int, kind: str):
        super().__init__()
        self.rnn = nn.RNN(width, hidden, 2, nonlinearity=kind, bias=False)

    def forward(self, x: Tensor, h: Tensor) -> Tuple[Tensor, Tensor]:
        return self.rnn(x, h)


class Cells(nn.Module):
    """nn.LSTMCell and nn.GRUCell, in a loop of the user's."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTMCell(width, hidden)
        self.gru = nn.GRUCell(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(1), self.lstm.hidden_size)
        c = torch.zeros(x.size(1), self.lstm.hidden_size)
        g = torch.zeros(x.size(1), self.lstm.hidden_size)
        for t in range(x.size(0)):
            h, c = self.lstm(x[t], (h, c))
            g = self.gru(h, g)
        return g


class CustomCell(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.weight_x = nn.Parameter(torch.randn(4 * hidden, width) * 0.2)
        self.weight_h = nn.Parameter(torch.randn(4 * hidden, hidden) * 0.2)
        self.norm_x = nn.LayerNorm(4 * hidden)
        self.norm_h = nn.LayerNorm(4 * hidden)

    def forward(self, x: Tensor, state: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:
        h, c = state
        gates = self.norm_x(torch.mm(x, self.weight_x.t())) + self.norm_h(torch.mm(h, self.weight_h.t()))
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class CustomLayer(nn.Module):
    """Time first, or backwards; the outputs are gathered in a list."""

    def __init__(self, width: int, hidden: int, backwards: bool):
        super().__init__()
        self.cell = CustomCell(width, hidden)
        self.backwards = backwards

    def forward(self, x: Tensor, state: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:
        inputs = x.unbind(0)
        outputs: List[Tensor] = []
        for t in range(len(inputs)):
            step = len(inputs) - 1 - t if self.backwards else t
            out, state = self.cell(inputs[step], state)
            outputs += [out]
        if self.backwards:
            outputs.reverse()
        return torch.stack(outputs), state


class CustomLstm(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.directions = nn.ModuleList([CustomLayer(width, hidden, False), CustomLayer(width, hidden, True)])
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        outputs = torch.jit.annotate(List[Tensor], [])
        for direction in self.directions:
            zero = torch.zeros(x.size(1), self.hidden, dtype=x.dtype, device=x.device)
            y, _ = direction(x, (zero, zero))
            outputs.append(y)
        return torch.cat(outputs, -1)


class Packed(nn.Module):
    """Sequences of different length, packed and padded again."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gru = nn.GRU(width, hidden, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, _ = self.gru(packed)
        padded, _ = pad_packed_sequence(y, batch_first=True)
        return padded


class PackedStates(nn.Module):
    """Sorted sequences both ways through two layers of an LSTM; padded to a given length, with another value than 0."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, 2, bidirectional=True)
        self.rnn = nn.RNN(2 * hidden, hidden)

    def forward(self, x: Tensor, lengths: Tensor, total: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths)
        y, (h, c) = self.lstm(packed)
        z, _ = self.rnn(y)
        padded, back = pad_packed_sequence(z, padding_value=-1.5, total_length=total)
        return padded, back, h, c


class Seq2Seq(nn.Module):
    """Encoder and attentive decoder; the decoder runs for as many steps as it is told."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.cell = nn.GRUCell(2 * width, width)
        self.query = nn.Linear(width, width, bias=False)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: Tensor, steps: int, first: Optional[int] = None) -> Tuple[Tensor, Tensor]:
        memory, state = self.encoder(self.words(ids))
        h = state[0]
        token = torch.full((ids.size(0),), first if first is not None else 1, dtype=torch.long)
        out = torch.zeros(ids.size(0), 0, dtype=torch.long)
        score = torch.zeros(ids.size(0))
        for _ in range(steps):
            weights = torch.softmax(torch.bmm(memory, self.query(h).unsqueeze(2)).squeeze(2), dim=1)
            context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
            h = self.cell(torch.cat([self.words(token), context], 1), h)
            best, token = torch.log_softmax(self.head(h), dim=1).max(dim=1)
            score = score + best
            out = torch.cat([out, token.unsqueeze(1)], dim=1)
        return out, score


def noise(*shape):
    return torch.randn(*shape)


def lengths(*values):
    return torch.tensor(values)


MODELS = (
    Model(
        "lstm_tagger",
        lambda full: Tagger(10000, 128, 256, 2, 40) if full else Tagger(50, 6, 5, 2, 4),
        lambda full: (
            [(torch.randint(0, 10000, (4, 50)),)] if full else [(torch.randint(0, 50, (3, 7)),), (torch.randint(0, 50, (1, 12)),)]
        ),
        dynamic=((0, 0, "batch"), (0, 1, "length")),
        settle=False,
    ),
    Model(
        "lstm_states",
        lambda full: LstmStates(80, 512, 3, 128) if full else LstmStates(5, 6, 2, 3),
        lambda full: (
            [(noise(40, 2, 80), noise(3, 2, 128), noise(3, 2, 512))]
            if full
            else [(noise(6, 2, 5), noise(2, 2, 3), noise(2, 2, 6)), (noise(1, 4, 5), noise(2, 4, 3), noise(2, 4, 6))]
        ),
        dynamic=((0, 0, "time"), (0, 1, "batch"), (1, 1, "batch"), (2, 1, "batch")),
        settle=False,
    ),
    Model(
        "gru_classifier",
        lambda full: GruClassifier(64, 256, 2, 35) if full else GruClassifier(5, 4, 2, 3),
        lambda full: [(noise(2, 100, 64),)] if full else [(noise(2, 8, 5),), (noise(3, 5, 5),)],
        dynamic=((0, 0, "batch"), (0, 1, "time")),
        settle=False,
    ),
    *(
        Model(
            f"rnn_{kind}",
            lambda full, kind=kind: Rnn(64, 128, kind) if full else Rnn(5, 4, kind),
            lambda full: [(noise(30, 2, 64), noise(2, 2, 128))] if full else [(noise(6, 3, 5), noise(2, 3, 4))],
            settle=False,
        )
        for kind in ("tanh", "relu")
    ),
    Model(
        "recurrent_cells",
        lambda full: Cells(64, 256) if full else Cells(5, 4),
        lambda full: [(noise(30, 2, 64),)] if full else [(noise(6, 2, 5),), (noise(6, 1, 5),)],
        settle=False,
    ),
    Model(
        "custom_lstm",
        lambda full: CustomLstm(64, 256) if full else CustomLstm(5, 4),
        lambda full: [(noise(30, 2, 64),)] if full else [(noise(6, 2, 5),), (noise(6, 1, 5),)],
        settle=False,
    ),
    Model(
        "packed_gru",
        lambda full: Packed(32, 64) if full else Packed(5, 4),
        lambda full: [(noise(3, 6, 5), lengths(4, 6, 1))] if not full else [(noise(4, 50, 32), lengths(50, 20, 35, 3))],
        forms=("scripted",),
        settle=False,
    ),
    Model(
        "packed_lstm",
        lambda full: PackedStates(32, 64) if full else PackedStates(5, 4),
        lambda full: [(noise(9, 3, 5), lengths(6, 6, 2), 8)] if not full else [(noise(50, 4, 32), lengths(50, 20, 19, 3), 55)],
        forms=("scripted",),
        settle=False,
    ),
    Model(
        "seq2seq",
        lambda full: Seq2Seq(5000, 256) if full else Seq2Seq(40, 6),
        lambda full: (
            [(torch.randint(0, 5000, (2, 20)), 25, None)]
            if full
            else [(torch.randint(0, 40, (2, 5)), 4, None), (torch.randint(0, 40, (2, 5)), 7, 3)]
        ),
        forms=("scripted",),
        settle=False,
    ),
)
