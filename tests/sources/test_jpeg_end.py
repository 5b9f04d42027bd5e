"""Whole JPEGs with anything behind them are read, and cut ones are refused, whatever is behind or inside."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_reader import decode_image
from ae_pretrained.sources.jpeg_end import end_of_jpeg


def jpeg(side: int = 64, seed: int = 0, mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def with_thumbnail(photo: bytes, thumbnail: bytes) -> bytes:
    """Like a camera's Exif segment: a whole JPEG inside the JPEG."""
    body = b"Exif\0\0" + thumbnail
    return photo[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + photo[2:]


def video(seed: int) -> bytes:
    """An MP4 as phones append it; compressed video holds the bytes of any marker by chance."""
    noise = np.random.default_rng(seed).integers(0, 256, 40_000, dtype=np.uint8).tobytes()
    return b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + noise + b"\xff\xda\0\x08" + noise[:500]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_behind_the_image_does_not_matter(options: dict[str, object], seed: int) -> None:
    photo = jpeg(seed=seed, **options)  # type: ignore[arg-type]
    whole = with_thumbnail(photo, jpeg(16, seed))
    assert end_of_jpeg(whole + video(seed)) == len(whole)
    expected = decode_image(photo, "photo")
    assert np.array_equal(decode_image(whole + video(seed), "motion photo"), expected)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_cut_image_is_refused_in_spite_of_its_thumbnail(options: dict[str, object], share: float) -> None:
    photo = jpeg(128, **options)  # type: ignore[arg-type]
    cut = photo[: int(len(photo) * share)]
    for content in (cut, with_thumbnail(cut, jpeg(16)), cut + bytes(len(photo))):
        with pytest.raises(DataError, match="cut: not a readable image"):
            decode_image(content, "cut")


def test_an_mpo_is_its_first_image() -> None:
    images = [Image.open(io.BytesIO(jpeg(seed=seed, quality=95)), formats=["JPEG"]) for seed in range(3)]
    stream = io.BytesIO()
    images[0].save(stream, "MPO", save_all=True, append_images=images[1:])
    content = stream.getvalue()
    end = end_of_jpeg(content)
    assert end is not None
    assert content[end : end + 2] == b"\xff\xd8"
    expected = decode_image(content[:end], "first")
    assert np.array_equal(decode_image(content, "several"), expected)
    assert np.array_equal(decode_image(content[:-300], "the last one is cut"), expected)
    with pytest.raises(DataError, match="truncated"):
        decode_image(content[: end - 300], "the first one is cut")


def test_odd_but_valid_segments() -> None:
    photo = jpeg()
    scan = photo.index(b"\xff\xda")
    padded = photo[:scan] + b"\xff\xff\xff" + photo[scan:]  # padding before a marker
    assert np.array_equal(decode_image(padded, "padded"), decode_image(photo, "photo"))
    assert end_of_jpeg(photo) == len(photo)
    assert end_of_jpeg(photo[:-2]) is None
    assert end_of_jpeg(b"\xff\xd8\xff\xd9") is None, "no scan"
    assert end_of_jpeg(b"\xff\xd8\xff\xe1\xff\xff") is None, "a segment longer than the file"


def test_real_photos_with_a_video_behind_them(oxford_sample: Path) -> None:
    photos = [path.read_bytes() for path in sorted((oxford_sample / "images").glob("*.jpg"))]
    photos = [content for content in photos if content.startswith(b"\xff\xd8")]
    assert len(photos) > 40
    for seed, content in enumerate(photos):
        pixels = decode_image(content, "photo")
        assert np.array_equal(decode_image(content + video(seed), "motion photo"), pixels)
        for share in (0.4, 0.95):
            with pytest.raises(DataError):
                decode_image(content[: int(len(content) * share)], "cut")
