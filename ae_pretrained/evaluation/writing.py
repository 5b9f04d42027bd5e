"""Metrics files and tables: deterministic text, never NaN."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ae_pretrained.files import write_json, write_text


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write nested metrics, plain or numpy numbers, as JSON.

    Raises:
        ValueError: naming the key that is NaN or infinite; nothing is written then.
    """
    write_json(path, {key: _plain(value, key) for key, value in metrics.items()})


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, str | int):  # bool is an int
        return value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{where}: found {number}, a metrics file holds finite numbers only")
    return number


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV; floats to six significant digits, NaN (no such figure) as an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
