# What compares the elements of lists of tensors, as TorchScript functions: data for our own parser.
#
# Two tensors are equal if `a == b`, broadcast, is one element that is true; of more or fewer elements that is an error.

import torch
from torch import Tensor
from typing import List


def eq__Tensor_list(a: List[Tensor], b: List[Tensor]) -> bool:
    if len(a) != len(b):
        return False
    for i in range(len(a)):
        if not bool(a[i] == b[i]):
            return False
    return True


def ne__Tensor_list(a: List[Tensor], b: List[Tensor]) -> bool:
    return not eq__Tensor_list(a, b)


def _h_position(self: List[Tensor], el: Tensor) -> int:
    for i in range(len(self)):
        if bool(self[i] == el):
            return i
    return -1


def index__list_Tensor(self: List[Tensor], el: Tensor) -> int:
    found = _h_position(self, el)
    if found < 0:
        raise RuntimeError("'{}' is not in list".format(el))
    return found


def count__Tensor(self: List[Tensor], el: Tensor) -> int:
    found = 0
    for x in self:
        if bool(x == el):
            found += 1
    return found


def remove__Tensor(self: List[Tensor], el: Tensor) -> None:
    found = _h_position(self, el)
    if found < 0:
        raise RuntimeError("list.remove(x): x not in list")
    del self[found]
