"""`check_family`: builds the archives of a family of models, and runs them where PyTorch cannot be imported.

`pytest --long -s tests/models` takes the published sizes, and prints a line per archive: the worst error in units of the
tolerance, seconds, memory.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def archives(tmp_path_factory, request):
    """`archives(family)`: the folder with its archives, built once per session."""
    pytest.importorskip("torch", reason="archives are written by PyTorch")
    spec = importlib.util.spec_from_file_location("zoo_build", HERE / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    root = tmp_path_factory.mktemp("models")
    full = request.config.getoption("--long")

    def built(family):
        folder = root / family
        if not folder.exists():
            build.build(build.family(family), folder, full)
        return folder

    return built


@pytest.fixture
def check_family(archives, request):
    """`check_family(name)`: every model of the family, in every form, gives what PyTorch gave, in one process."""

    def check(family):
        folder = archives(family)
        command = [sys.executable, str(HERE / "check.py"), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for line in lines:
            print("\n" + "  ".join(f"{key} {value}" for key, value in line.items() if value not in (None, False)), end="")
        manifest = json.loads((folder / "manifest.json").read_text())
        if request.config.getoption("--long"):
            shutil.rmtree(folder)  # gigabytes, over all families
        known = {(m["name"], form): reason for m in manifest for form, reason in m["known"].items()}
        wrong = [f"{r['model']} {r['form']}: {r['fault']}" for r in lines if unexpected(r, known)]
        assert done.returncode == 0, done.stderr
        assert len(lines) == sum(len(m["forms"]) for m in manifest) > 0
        assert not wrong, "\n".join(wrong)

    return check


def unexpected(line, known):
    """A form that is known to be missing has to be refused: when it works, the entry has to go."""
    return not line["refused"] if (line["model"], line["form"]) in known else line["fault"] is not None
