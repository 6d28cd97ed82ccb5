# torchcc run type_for_over_int.py --input n=3
def f(n: int) -> int:
    s = 0
    for i in n:
        s += i
    return s
