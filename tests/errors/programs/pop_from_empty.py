# torchcc run pop_from_empty.py --input n=3
from typing import List


def f(n: int) -> int:
    xs: List[int] = []
    return xs.pop()
