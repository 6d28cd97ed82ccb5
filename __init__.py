"""torchcc: the stand-alone compiler for TorchScript."""
