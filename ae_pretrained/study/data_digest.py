"""What a record says of its images: a digest of each split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ae_pretrained.dataset.arrays import ImageArray, Split, count_images, open_split
from ae_pretrained.windows.packed import PackedArray

_ROWS = 256  # images hashed at once


def data_digest(processed: Path) -> dict[str, str]:
    """Digest of every split that is there, by name: of its content, however it is stored.

    Raises:
        ArraysError: when train, val or test is not there.
    """
    digests = {name: split_digest(open_split(processed, name)) for name in ("train", "val", "test")}
    if "unlabelled" in count_images(processed):
        digests["unlabelled"] = split_digest(open_split(processed, "unlabelled"), labelled=False)
    return digests


def split_digest(split: Split, labelled: bool = True) -> str:
    """16 hexadecimal digits over images, masks (of a labelled split), padding and the order of the labels."""
    digest = hashlib.blake2b(repr(split.images.shape).encode(), digest_size=8)
    for array in (split.images, split.masks) if labelled else (split.images,):
        for block in _blocks(array):
            digest.update(np.ascontiguousarray(block).data)
    columns = ("box", "label_order", *(("width", "height") if split.is_packed else ()))
    for column in columns:
        digest.update("\n".join(split.column(column)).encode() + b"\0")
    return digest.hexdigest()


def _blocks(array: ImageArray) -> Iterator[np.ndarray]:
    """The pixels, some hundred images at a time, or one by one where each has a size of its own."""
    if isinstance(array, PackedArray):
        yield from (array[row] for row in range(len(array)))
    else:
        yield from (array[start : start + _ROWS] for start in range(0, len(array), _ROWS))
