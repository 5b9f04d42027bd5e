"""Writing result files: whole or not at all, and the same bytes for the same values."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) under a temporary name and move it into place."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write metrics: floats to 6 digits after the point, in the order given.

    Raises:
        ValueError: for NaN or infinity, which JSON does not know and `dvc metrics diff` would show as text.
    """
    text = json.dumps(_rounded(values), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, 6)
    return value


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
    """Write a CSV: floats to six significant digits, NaN (no such figure) as an empty cell, all else as it is.

    Names of files need not be valid text; what cannot be encoded goes out as the bytes that it came in as.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_bytes(path, text.getvalue().encode("utf-8", errors="surrogateescape"))


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
