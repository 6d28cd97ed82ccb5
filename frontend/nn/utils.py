"""Sizes given as one number or one per dimension."""


def _single(x):
    return tuple(x) if isinstance(x, (list, tuple)) else (x,)


def _pair(x):
    return tuple(x) if isinstance(x, (list, tuple)) else (x, x)


def _triple(x):
    return tuple(x) if isinstance(x, (list, tuple)) else (x, x, x)


def _quadruple(x):
    return tuple(x) if isinstance(x, (list, tuple)) else (x, x, x, x)


def _sextuple(x):
    return tuple(x) if isinstance(x, (list, tuple)) else (x, x, x, x, x, x)


def _reverse_repeat_tuple(t, n):
    """Every element of `t` n times, last one first: the order in which `F.pad` takes its amounts."""
    return [x for x in reversed(t) for _ in range(n)]
