"""How many letters have to be inserted, deleted or replaced to make one string from the other."""


def levenshtein(a: str, b: str) -> int:
    row: list[int] = []
    for j in range(len(b) + 1):
        row.append(j)
    for i in range(len(a)):
        diagonal = row[0]
        row[0] = i + 1
        for j in range(len(b)):
            cost = diagonal if a[i] == b[j] else diagonal + 1
            diagonal = row[j + 1]
            row[j + 1] = min(cost, min(row[j], diagonal) + 1)
    return row[-1]
