# torchcc run type_str_plus_int.py --input n=3
def f(n: int) -> str:
    return "n = " + n
