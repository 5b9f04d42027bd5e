"""JSON files of an export: what kind they are by a glance, and read with errors that name the file."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.name_lists import read_text

_MANY = 30  # a folder with more JSON files than these has one for each image


def holds_keys(path: Path, *keys: str, starts: bytes = b"{") -> bool:
    """Whether a JSON file begins with an object (or an array, ``[``) and has all of these keys at any depth."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            begin = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
            return begin.startswith(starts) and all(content.find(f'"{key}"'.encode()) >= 0 for key in keys)
    except (OSError, ValueError):  # unreadable, or empty
        return False


def json_files(root: Path, depth: int, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """JSON files in a folder and so many levels of folders below it; of many in one folder the first few."""
    real = root.resolve()
    if not root.is_dir() or real in above:  # a link to a folder above it
        return
    yield from sorted(path for path in root.glob("*.json") if not path.name.startswith("."))[:_MANY]
    if depth:
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            if not folder.name.startswith("."):
                yield from json_files(folder, depth - 1, (*above, real))


def read_json(path: Path, kind: type, title: str) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: naming the file, when it is damaged or its outermost value is not of this kind.
    """
    try:
        content = json.loads(read_text(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: is no valid JSON ({error}); export it again") from None
    if not isinstance(content, kind):
        expected = "an object" if kind is dict else "an array"
        raise DataError(f"{path}: expected {expected}, as {title} writes it, found {type(content).__name__}")
    return content
