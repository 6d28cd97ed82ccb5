# torchcc run runtime_float_division.py --input a=1 --input b=0
def f(a: float, b: float) -> float:
    return a / b
