"""Interpreters: every stage can be run. `run.interpret` runs `linalg` and `loops`, `torch.py` the `torch` stage."""
