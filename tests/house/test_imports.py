"""The rooms import one way: cli -> verify -> api -> driver -> {frontend | lowering | backend} -> ir."""

import ast
import functools
from pathlib import Path

import pytest

import torchcc

ROOT = Path(torchcc.__file__).parent
LEVELS = {"ir": 0, "frontend": 1, "lowering": 1, "backend": 1, "driver": 2, "catalogue": 2, "operator_table": 3, "api": 3, "verify": 4, "measure": 4, "tune": 5, "cli": 6, "__init__": 7, "__main__": 7}
THIRD_PARTY = {"lark": {"frontend", "cli"}, "llvmlite": {"backend"}, "typer": {"cli"}, "rich": {"cli"}}
EXTRAS = {"torch", "cuda", "ziglang", "torch_mlir"}


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def files() -> tuple[Path, ...]:
    return tuple(p for room in LEVELS for p in sorted((*ROOT.glob(f"{room}.py"), *(ROOT / room).rglob("*.py"))))


def sources():
    for path in files():
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room in LEVELS and not {"nn", "prelude"} & set(path.relative_to(ROOT).parts[:-1]):
            yield room, path


def imported(path: Path):
    """(room, line) of each import of the package, (top-level name, line) of each other one."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = list(package[: len(package) - (node.level - 1)])
                names = [node.module.split(".")[0]] if node.module and not base else [a.name for a in node.names]
                for name in names:
                    yield (base[0] if base else name), node.lineno, True
            else:
                yield (node.module or "").split(".")[0], node.lineno, False
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno, False


def test_rooms_import_downward():
    wrong = []
    for room, path in sources():
        for name, line, internal in imported(path):
            if internal and name in LEVELS and name != room and LEVELS[name] >= LEVELS[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
            if name == "torchcc":
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports the package absolutely")
    assert not wrong, "\n".join(wrong)


def test_one_door_per_third_party():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for room, path in sources()
        for name, line, internal in imported(path)
        if not internal and name in THIRD_PARTY and room not in THIRD_PARTY[name]
    ]
    assert not wrong, "\n".join(wrong)


def test_extras_are_not_imported_at_the_top():
    wrong = []
    for _, path in sources():
        for node in tree(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                level = getattr(node, "level", 0)
                wrong += [f"{path.relative_to(ROOT)}:{node.lineno}" for n in names if not level and n.split(".")[0] in EXTRAS]
    assert not wrong, "\n".join(wrong)


def test_every_package_is_listed():
    tomllib = pytest.importorskip("tomllib")
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    rooms = [p for p in LEVELS if (ROOT / p).is_dir()]
    found = {"torchcc"} | {
        ".".join(("torchcc", *path.parent.relative_to(ROOT).parts)) for room in rooms for path in (ROOT / room).rglob("__init__.py")
    }
    assert listed == found
