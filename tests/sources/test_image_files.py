from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from ae_pretrained.sources.image_files import scan_images, sniff_format


def encoded(format_: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(buffer, format=format_)
    return buffer.getvalue()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_formats_are_told_by_their_first_bytes(format_: str) -> None:
    assert sniff_format(encoded(format_)[:16]) == format_


def test_other_content_is_no_image() -> None:
    assert sniff_format(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00") == "HEIC"
    assert sniff_format(b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00") is None, "a video"
    assert sniff_format(b"\x93NUMPY\x01\x00v\x00{'de") is None
    assert sniff_format(b"") is None


def test_files_are_judged_by_content_and_the_rest_is_named(tmp_path: Path) -> None:
    for name in ("a.jfif", "b", "c.dat"):
        (tmp_path / name).write_bytes(encoded("JPEG"))
    (tmp_path / "p01.HEIC").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(32))
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "notes.txt").write_text("notes")
    images, findings = scan_images(tmp_path)
    assert sorted(images) == ["a", "b", "c", "p01"]
    assert [(finding.name.partition("/")[2], finding.fault) for finding in findings] == [
        ("d.npy", False),
        ("notes.txt", False),
    ]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "a.png").write_bytes(encoded("PNG"))
    (elsewhere / "b.png").write_bytes(encoded("PNG"))
    (folder / "more").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(folder)
    assert sorted(scan_images(folder)[0]) == ["a", "more/b"]
