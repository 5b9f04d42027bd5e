"""How far the embedded run hangs on seed, threads and number format, as measured with the committed parameters.

Records: ``benchmarks/embedded_spread``; a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Test mean IoU of repeated runs.

    Attributes:
        runs: how many.
        mean: of all.
        lowest, highest: of all.
    """

    runs: int
    mean: float
    lowest: float
    highest: float


EMBEDDED_SPREAD = Spread(runs=20, mean=0.912, lowest=0.893, highest=0.925)
