# torchcc run nothing_to_compile.py
import torch

K = 3
