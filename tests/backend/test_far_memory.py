"""Code is loaded where a process that holds gigabytes has room for it.

In a process of its own: everything near the top of the address space is reserved but for one page, so that what is mapped
first comes to lie gigabytes away from what is mapped next.
"""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
from pathlib import Path

import numpy as np

from torchcc.api import compile_source

NOTHING_RESERVED_UNTIL_USED = 0x22 | 0x4000  # MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
AT_MOST = 1 << 36
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def reserve(address, size):
    return libc.mmap(address, size, 0, NOTHING_RESERVED_UNTIL_USED, -1, 0)


library = compile_source('''
import torch

def first(x):
    return torch.exp(x)

def second(x):
    return torch.exp(x) * torch.erf(x) + torch.sin(x)
''')
library.first(np.ones(3))
lines = [line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines() if "vsyscall" not in line]
places = sorted((int(begin, 16), int(end, 16)) for begin, end in lines)
for (_, end), (begin, _) in zip(places, places[1:]):
    if 0 < begin - end < AT_MOST:
        reserve(end, begin - end)
span = 6 << 30
libc.munmap(reserve(None, span) + span - 4096, 4096)
print(float(library.second(np.ones(3))[0]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads and fills the address space by Linux's rules")
def test_code_and_its_constants_are_not_torn_apart():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) == pytest.approx(3.1321692)
