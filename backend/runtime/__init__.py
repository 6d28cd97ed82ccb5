"""The run time: the calling convention, described once (`abi`), and the code every program links (`library`)."""
