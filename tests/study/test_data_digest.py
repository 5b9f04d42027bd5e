from __future__ import annotations

from pathlib import Path

import numpy as np

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.study.data_digest import split_digest
from ae_pretrained.study.records import md5_of


def drawn(order: str = "F", **columns: list[str]) -> Split:
    """Three images of one split, in memory."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    labels = rng.integers(0, 3, (3, 4, 4), dtype=np.uint8)
    known = {"name": ["a", "b", "c"], "box": ["0 0 4 4"] * 3, "label_order": ["2", "0", "1"], **columns}
    return Split(np.asarray(images, order=order), labels, known)  # type: ignore[call-overload]


def test_the_digest_is_of_what_is_in_the_arrays() -> None:
    digest = split_digest(drawn())
    assert digest == split_digest(drawn(order="C")), "how an array lies in memory changes nothing"
    assert digest == split_digest(drawn(name=["x", "y", "z"]))
    assert digest != split_digest(drawn(), labelled=False)
    others = [
        drawn(box=["0 0 4 3", "0 0 4 4", "0 0 4 4"]),
        drawn(label_order=["0", "2", "1"]),
    ]
    image, mask = drawn(), drawn()
    image.images[2, 0, 0, 0] ^= 1
    mask.masks[2, 3, 3] ^= 1
    assert len({digest, *map(split_digest, [*others, image, mask])}) == 5


def test_md5_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert md5_of(tmp_path / "file") == "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321
