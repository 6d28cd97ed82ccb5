# torchcc run list_index_at_run_time.py --input n=7
from typing import List


def f(n: int) -> int:
    xs: List[int] = []
    for i in range(n):
        xs.append(i)
    return xs[n]
