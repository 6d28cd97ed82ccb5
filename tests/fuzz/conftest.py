"""The modules of the fuzzer import each other by name, as they do when `run.py` is started as a program."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
