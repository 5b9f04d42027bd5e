"""A data set that is used where it lies: ``data/raw`` then holds a pointer, not a copy of every file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ae_pretrained.files import write_json
from ae_pretrained.sources.base import DataError

_LINK = "source.json"


def write_link(raw: Path, root: Path, images: int) -> None:
    """Make ``raw`` point to ``root``. DVC tracks the folder itself as a dependency, so changes are seen.

    A relative ``root`` is written relative to ``raw``: the same folders give the same pointer on every machine.
    """
    if not root.is_absolute():
        root = Path(os.path.relpath(root.resolve(), raw.resolve()))
    write_json(raw / _LINK, {"root": root.as_posix(), "images": images})


def resolve_raw(raw: Path) -> Path:
    """The folder that holds the data: ``raw`` itself, or where it points to."""
    link = raw / _LINK
    if not link.is_file():
        return raw
    root = (raw / json.loads(link.read_text(encoding="utf-8"))["root"]).resolve()
    if not root.is_dir():
        raise DataError(f"{link}: points to {root}, which is no folder any more; set data.root and run again")
    return root
