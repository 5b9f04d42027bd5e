"""What all benchmarks share: ways that take turns, tables, result files, a description of the machine."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ae_pretrained.files import write_json

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("torch", "lightning", "numpy", "opencv-python-headless", "pillow", "matplotlib", "dvc")


@dataclass(frozen=True)
class Timing:
    """Seconds of one piece of work: by the clock, and of CPU in this process and in those that it started."""

    clock: float
    cpu: float


@dataclass(frozen=True)
class Ratio:
    """How many times as long one way takes as another, by the clock and by the CPU."""

    clock: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} by the clock, {self.cpu:.2f} of CPU"


def cpu_seconds() -> float:
    """Seconds of CPU so far, of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(work: Callable[[], object]) -> Timing:
    """How long a piece of work takes."""
    clock, cpu = time.perf_counter(), cpu_seconds()
    work()
    return Timing(time.perf_counter() - clock, cpu_seconds() - cpu)


def median(timings: Sequence[Timing]) -> Timing:
    """The median of the clock and that of the CPU."""
    return Timing(statistics.median(t.clock for t in timings), statistics.median(t.cpu for t in timings))


def take_turns(ways: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Call every way once a round, the order reversed in every other round.

    What else the machine does then falls on all ways alike, and a drift cancels out.

    Returns:
        What each way returned, in order.
    """
    results: dict[str, list[Any]] = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for name in names:
            results[name].append(ways[name]())
    return results


def median_ratio(above: Sequence[Timing], below: Sequence[Timing]) -> Ratio:
    """The median of the ratios round by round, which a single disturbed round cannot move."""
    pairs = list(zip(above, below, strict=True))
    return Ratio(
        statistics.median(a.clock / b.clock for a, b in pairs),
        statistics.median(a.cpu / b.cpu for a, b in pairs),
    )


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns, the first aligned left, the others right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        print(
            "  ".join(
                [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
            )
        )
    sys.stdout.flush()


def machine() -> dict[str, Any]:
    """Processor, cores, memory, GPU, and the versions that decide speed."""
    import torch

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    described: dict[str, Any] = {
        "processor": torch.cpu.get_capabilities().get("cpu_name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(memory / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }
    if torch.cuda.is_available():
        described["gpu"] = torch.cuda.get_device_name()
    return described


def write_result(name: str, values: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write ``NAME.json`` with the machine and the figures; timings and ratios become objects of their fields."""
    path = (folder or RESULTS) / f"{name}.json"
    write_json(path, {"machine": machine(), **_plain(values)})
    print(f"written to {path}")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, (Timing, Ratio)):
        return asdict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def parser(description: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Options that every benchmark has: ``--rounds`` and ``--out``."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rounds", type=int, default=rounds, help="turns of every way (default: %(default)s)")
    made.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the result file (default: %(default)s)"
    )
    return made
