"""Which files of a folder are images, and under which stem each is known."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ae_pretrained.sources.base import DataError, Finding

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
_CLUTTER = {"thumbs.db", "desktop.ini", "readme.md", "readme.txt"}
# What the files of each format begin with; WebP and the family of HEIC say it a few bytes later.
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",  # the bare stream, .j2k
}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}


def sniff_format(head: bytes) -> str | None:
    """The image format that a file's first 16 bytes or more say, whatever the file is called; None if it is none."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "HEIC" if head[8:12] in _HEIC_BRANDS else "AVIF" if head[8:12] in _AVIF_BRANDS else None
    return next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), None)


def is_image(path: Path) -> bool:
    """Whether a file is called an image, or is one whatever it is called (``.jfif``, ``.heic``, no ending)."""
    if path.suffix.lower() in IMAGE_ENDINGS:
        return True
    try:
        with path.open("rb") as file:
            return sniff_format(file.read(16)) is not None
    except OSError:
        return False  # the finding names it


def files_below(folder: Path, leave_out: Path | None = None) -> Iterator[Path]:
    """Every file below a folder; sub-folders that are symbolic links are followed, each folder once, hidden ones not.

    Args:
        folder: where to begin.
        leave_out: a sub-folder to pass over.

    Raises:
        DataError: naming a folder that cannot be read.
    """

    def stop(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None

    seen = set() if leave_out is None or leave_out.resolve() == folder.resolve() else {leave_out.resolve()}
    for parent, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        real = Path(parent).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            yield Path(parent) / name


def stem_of(name: str) -> str:
    """A path below its folder, without its ending, composed as Unicode NFC.

    macOS stores ``é`` as two code points and other systems as one: the two are the same name.
    """
    path = Path(name)
    stem = path.with_suffix("") if path.name else path  # a list may hold "." or "/"
    return unicodedata.normalize("NFC", stem.as_posix())


def scan_images(folder: Path) -> tuple[dict[str, Path], list[Finding]]:
    """The images below a folder by stem, sub-folders included, in order of stem.

    Endings may be in upper case, and a file without a known ending is an image if its content is. A stem that several
    files share stands for none of them: which one is meant would be a guess.

    Returns:
        Images by stem, and a finding for each shared stem (a fault) and each file that is no image.

    Raises:
        DataError: when the folder is absent.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    by_stem: dict[str, list[Path]] = {}
    findings = []
    for path in sorted(files_below(folder)):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or path.name.lower() in _CLUTTER:
            continue
        if is_image(path):
            by_stem.setdefault(stem_of(name), []).append(path)
        else:
            known = "JPEG, PNG, GIF, BMP, WebP, AVIF, JPEG 2000 or TIFF"
            expected = f"neither called an image nor a {known} by its content"
            findings.append(Finding("", f"{folder.name}/{name}", "not an image", expected, False))
    images = {}
    for stem, paths in sorted(by_stem.items()):
        if len(paths) == 1:
            images[stem] = paths[0]
            continue
        names = ", ".join(path.name for path in paths)
        detail = (
            f"{folder}: {len(paths)} files share the stem {stem!r}: {names}; rename or remove all but one"
        )
        findings.append(Finding("", f"{folder.name}/{stem}", "stem used twice", detail, True))
    return images, findings
