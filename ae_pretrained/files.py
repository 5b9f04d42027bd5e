"""Writing result files: whole or not at all, and the same bytes for the same values."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ae_pretrained.names import shown


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) under a temporary name and move it into place."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and move it into place."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name to write under; the file is moved into place at the end, and is gone after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A checksum, since the whole name may fill all the bytes that the file system allows.
    checksum = zlib.crc32(os.fsencode(path.name))
    temporary = path.with_name(f".{path.name[:20]}.{checksum:08x}.{os.getpid()}.tmp")
    try:
        yield temporary
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
    """Write a CSV in UTF-8: floats to six significant digits, NaN (no such figure) as an empty cell, names as
    :func:`names.shown` has them, all else as it is.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_bytes(path, text.getvalue().encode("utf-8"))


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    if isinstance(value, str):
        return shown(value)
    return value
