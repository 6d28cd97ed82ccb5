"""Searches over a small recurrent decoder, as people write them: parallel lists, tuples with states, a batch of sentences."""

from typing import List, Tuple

import torch
from torch import Tensor, nn
from zoo import Model

END = 2


class Step(nn.Module):
    """One token further; the end gets more likely than chance has it."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.cell = nn.GRUCell(width, width)
        self.out = nn.Linear(width, vocabulary)
        with torch.no_grad():
            self.out.weight.mul_(4)
            self.out.bias[END] += 1

    def forward(self, token: Tensor, state: Tensor) -> Tuple[Tensor, Tensor]:
        state = self.cell(self.embed(token), state)
        return torch.log_softmax(self.out(state), -1), state


def normalised(score: float, length: int, alpha: float) -> float:
    return score / (float(5 + length) / 6.0) ** alpha


def best_of(beams: List[List[int]], scores: List[float], alpha: float) -> Tuple[List[int], float]:
    values: List[float] = []
    for tokens, score in zip(beams, scores):
        values.append(normalised(score, len(tokens), alpha))
    at = values.index(max(values))
    return beams[at], values[at]


class ParallelLists(nn.Module):
    """All beams of one sentence in one batch; their tokens and scores in lists beside it."""

    def __init__(self, vocabulary: int, width: int, beams: int):
        super().__init__()
        self.step = Step(vocabulary, width)
        self.end = END
        self.beams = beams
        self.vocabulary = vocabulary

    def forward(self, state: Tensor, longest: int) -> Tuple[List[int], float, List[float], Tensor]:
        beams: List[List[int]] = [[1]]
        scores: List[float] = [0.0]
        done: List[List[int]] = []
        done_scores: List[float] = []
        steps = 0
        while steps < longest and len(beams) > 0:
            scored, state = self.step(torch.tensor([b[-1] for b in beams]), state)
            total = scored + torch.tensor(scores).unsqueeze(1)
            values, flat = total.view(-1).topk(min(self.beams, total.numel()))
            places: List[int] = flat.tolist()
            grown_scores: List[float] = values.tolist()
            beams_after: List[List[int]] = []
            scores_after: List[float] = []
            rows: List[int] = []
            for place, score in zip(places, grown_scores):
                row = place // self.vocabulary
                token = place % self.vocabulary
                grown = beams[row] + [token]
                if token == self.end:
                    done.append(grown)
                    done_scores.append(score)
                else:
                    beams_after.append(grown)
                    scores_after.append(score)
                    rows.append(row)
            beams = beams_after
            scores = scores_after
            if len(rows) > 0:
                state = state[torch.tensor(rows)]
            steps += 1
        if len(done) == 0:
            done = beams
            done_scores = scores
        tokens, score = best_of(done, done_scores, 0.6)
        return tokens, score, sorted(done_scores), torch.tensor([[len(t), t[-1]] for t in done])


class Hypotheses(nn.Module):
    """Tuples with a state each; what to go on with is sorted by score."""

    def __init__(self, vocabulary: int, width: int, beams: int):
        super().__init__()
        self.step = Step(vocabulary, width)
        self.end = END
        self.beams = beams

    def expand(self, tokens: List[int], score: float, state: Tensor) -> Tuple[List[Tuple[float, int]], Tensor]:
        scored, state = self.step(torch.tensor([tokens[-1]]), state)
        top = scored[0].topk(self.beams)
        ids: List[int] = top.indices.tolist()
        found: List[Tuple[float, int]] = []
        for i, token in enumerate(ids):
            found.append((score + float(top.values[i].item()), token))
        return found, state

    def forward(self, state: Tensor, longest: int) -> Tuple[List[List[int]], List[float], Tensor]:
        live: List[Tuple[List[int], float, Tensor]] = [([1], 0.0, state)]
        finished: List[Tuple[List[int], float]] = []
        for _ in range(longest):
            options: List[Tuple[float, int, int]] = []
            states: List[Tensor] = []
            for i in range(len(live)):
                tokens, score, before = live[i]
                found, after = self.expand(tokens, score, before)
                states.append(after)
                for value, token in found:
                    options.append((value, i, token))
            options.sort(reverse=True)
            live_after: List[Tuple[List[int], float, Tensor]] = []
            for value, i, token in options:
                if len(live_after) == self.beams:
                    break
                grown = live[i][0] + [token]
                if token == self.end:
                    finished.append((grown, value))
                else:
                    live_after.append((grown, value, states[i]))
            live = live_after
            if len(finished) >= self.beams:
                break
        if len(finished) == 0:
            for tokens, score, _ in live:
                finished.append((tokens, score))
        most = max([len(tokens) for tokens, _ in finished])
        padded = torch.zeros(len(finished), most, dtype=torch.long)
        for i, (tokens, _) in enumerate(finished):
            padded[i, : len(tokens)] = torch.tensor(tokens)
        return [tokens for tokens, _ in finished], [score for _, score in finished], padded


class GreedyBatch(nn.Module):
    """The best token for each sentence of a batch, until all have ended."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.step = Step(vocabulary, width)
        self.end = END

    def forward(self, state: Tensor, longest: int) -> Tuple[List[List[int]], List[float], int, int]:
        n = state.size(0)
        token = torch.ones(n, dtype=torch.long)
        tokens: List[List[int]] = []
        scores: List[float] = []
        stopped: List[bool] = []
        for _ in range(n):
            tokens.append(torch.jit.annotate(List[int], []))
            scores.append(0.0)
            stopped.append(False)
        for _ in range(longest):
            scored, state = self.step(token, state)
            best, token = scored.max(-1)
            ids: List[int] = token.tolist()
            for i in range(n):
                if not stopped[i]:
                    scores[i] += float(best[i])
                    if ids[i] == self.end:
                        stopped[i] = True
                    else:
                        tokens[i].append(ids[i])
            if all(stopped):
                break
        lengths = [len(t) for t in tokens]
        return tokens, scores, min(lengths), max(lengths)


def size(full):
    return (5000, 256) if full else (13, 8)


def states(full, rows):
    return [(torch.randn(rows, size(full)[1]), 20 if full else 6) for _ in range(2)]


MODELS = (
    Model(
        "beams_in_lists", lambda full: ParallelLists(*size(full), 3), lambda full: states(full, 1), ("scripted",), settle=False
    ),
    Model(
        "beams_in_tuples", lambda full: Hypotheses(*size(full), 3), lambda full: states(full, 1), ("scripted",), settle=False
    ),
    Model(
        "greedy_batch",
        lambda full: GreedyBatch(*size(full)),
        lambda full: states(full, 4),
        ("scripted",),
        dynamic=((0, 0, "sentences"),),
        settle=False,
    ),
)
