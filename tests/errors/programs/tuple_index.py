# torchcc run tuple_index.py --input "t=(1,2)"
from typing import Tuple


def f(t: Tuple[int, int]) -> int:
    return t[2]
