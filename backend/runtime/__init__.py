"""The run time: the calling convention described once (`abi`), and the support code every compiled program links (`library`)."""
