from __future__ import annotations

from pathlib import Path

import numpy as np

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.study.data_digest import split_digest
from ae_pretrained.study.records import md5_of
from ae_pretrained.windows.packed import PackedArray


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


def test_images_of_all_sizes_have_a_digest_of_sizes_and_pixels() -> None:
    rng = np.random.default_rng(0)
    flat = rng.integers(0, 256, (20, 3), dtype=np.uint8)

    def whole(sizes: list[tuple[int, int]], pixels: np.ndarray) -> Split:
        offsets = np.array([0, 12])
        images = PackedArray(pixels, offsets, np.array(sizes))
        masks = PackedArray(pixels[:, 0], offsets, np.array(sizes))
        widths, heights = zip(*((str(width), str(height)) for width, height in sizes), strict=True)
        columns = {"box": ["", ""], "label_order": ["1", "0"], "width": [*widths], "height": [*heights]}
        return Split(images, masks, columns)

    digest = split_digest(whole([(3, 4), (4, 2)], flat))
    assert digest == split_digest(whole([(3, 4), (4, 2)], flat.copy()))
    other = flat.copy()
    other[19, 2] ^= 1
    assert (
        len(
            {
                digest,
                split_digest(whole([(4, 3), (4, 2)], flat)),
                split_digest(whole([(3, 4), (4, 2)], other)),
            }
        )
        == 3
    )
