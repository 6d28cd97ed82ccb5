"""A beam search over a made-up chain of states: the best few paths are kept at every step."""


def keep_best(best: list[tuple[float, int, int]], candidate: tuple[float, int, int], width: int):
    """Puts a candidate where it belongs among the best, which stay sorted and no more than `width`."""
    at = len(best)
    while at > 0 and best[at - 1][0] < candidate[0]:
        at -= 1
    if at < width:
        best.insert(at, candidate)
        if len(best) > width:
            best.pop()


def beam(steps: int, width: int) -> tuple[float, list[int]]:
    beams: list[tuple[float, int, int]] = [(0.0, 1, -1)]
    parents: list[list[int]] = []
    tokens: list[list[int]] = []
    for step in range(steps):
        best: list[tuple[float, int, int]] = []
        for origin in range(len(beams)):
            score, token, _ = beams[origin]
            for choice in range(8):
                follower = (token * 31 + choice * 17 + step) % 97
                gain = float((follower * 37 + token * 11) % 101) / 101.0
                keep_best(best, (score - gain, follower, origin), width)
        beams = best
        parents.append([b[2] for b in beams])
        tokens.append([b[1] for b in beams])
    path: list[int] = []
    at = 0
    for i in range(steps):
        step = steps - 1 - i
        path.append(tokens[step][at])
        at = parents[step][at]
    path.reverse()
    return beams[0][0], path
