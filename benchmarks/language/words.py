"""How often each word stands in a text; words are letters and apostrophes, in lower case."""


def words(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    lower = text.lower() + " "
    start = -1
    for i in range(len(lower)):
        c = lower[i]
        if (c >= "a" and c <= "z") or c == "'":
            if start < 0:
                start = i
        elif start >= 0:
            word = lower[start:i]
            counts[word] = counts.get(word, 0) + 1
            start = -1
    return counts
