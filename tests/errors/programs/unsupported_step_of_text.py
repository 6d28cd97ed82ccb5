# torchcc run unsupported_step_of_text.py --input x=f32[4]
from torch import Tensor


def f(x: Tensor) -> str:
    text = ""
    for i in range(100):
        text += chr(97 + i % 26)
    return text[:: int(x.sum())]
