"""What a mask and a model are known by: the same pixels and the same bytes have the same digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX


def mask_digest(mask: np.ndarray, classes: Sequence[str]) -> str:
    """SHA-256 of the pixels of every class by its name; the order of the classes does not matter.

    A tool that saves the same shapes in other words, or a shape that is moved by less than a pixel, changes nothing.

    Args:
        mask: (H, W) uint8 class ids; 255 is ignored.
        classes: names by class id.
    """
    digest = hashlib.sha256(f"{mask.shape[0]} {mask.shape[1]}".encode())
    found = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    names = {("\0" if value == IGNORE_INDEX else classes[value]): value for value in found}
    for name in sorted(names):
        digest.update(b"\n" + name.encode("utf-8") + b"\n")
        digest.update(np.packbits(mask == names[name]).tobytes())
    return f"sha256:{digest.hexdigest()}"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, such as of a model.

    Raises:
        OSError: when it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"
