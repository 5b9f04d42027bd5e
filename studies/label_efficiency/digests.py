"""What a record says of its inputs: digests of the images and of an autoencoder's weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ae_pretrained.dataset.arrays import Split, open_split

_ROWS = 256  # images hashed at once


def data_digest(processed: Path) -> dict[str, str]:
    """Digest of every split that is there, by name: of its content, however it is stored.

    Raises:
        ArraysError: when train, val or test is not there.
    """
    names = ["train", "val", "test"]
    if (processed / "unlabelled").is_dir():
        names.append("unlabelled")
    return {name: split_digest(open_split(processed, name)) for name in names}


def split_digest(split: Split) -> str:
    """16 hexadecimal digits over images, masks, padding and the order in which labels are used, row by row."""
    digest = hashlib.blake2b(repr(split.images.shape).encode(), digest_size=8)
    for array in (split.images, split.masks):
        for start in range(0, 0 if array is None else len(array), _ROWS):
            assert array is not None
            digest.update(np.ascontiguousarray(array[start : start + _ROWS]).data)
    for column in ("box", "label_order"):
        digest.update("\n".join(split.column(column)).encode() + b"\0")
    return digest.hexdigest()


def md5_of(path: Path) -> str:
    """MD5 of a file, the digest by which DVC knew the weights of the first cells."""
    return hashlib.md5(path.read_bytes()).hexdigest()
