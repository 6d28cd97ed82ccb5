"""pytest must not import the checkout folder as a second copy of the package (the root is the package)."""

import sys
from pathlib import Path

import torchcc


def test_one_copy_of_the_package():
    root = Path(torchcc.__file__).resolve().parent
    copies = {
        name.split(".")[0]
        for name, module in list(sys.modules.items())
        if getattr(module, "__file__", None) and Path(module.__file__).resolve() == root / "__init__.py"
    }
    assert copies == {"torchcc"}
    seconds = [
        name
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None))
        and Path(file).resolve().is_relative_to(root / "ir")
        and not name.startswith("torchcc.")
    ]
    assert not seconds


def test_tests_are_no_package():
    assert not list((Path(__file__).parents[1]).rglob("__init__.py"))
