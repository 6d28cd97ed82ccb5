"""Whether loops over strings, lists, dicts and objects of run time stay loops where they would be large unrolled.

A loop that is kept makes what it hands on unknown at compile time. Where the program turns out to need that, the
specialiser starts again without the limit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Unrolling:
    is_limited: bool = True
    was_cut: bool = False
    """Whether a loop was kept for its size."""
