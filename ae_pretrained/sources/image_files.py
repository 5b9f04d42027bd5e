"""Which files of a folder are images, and under which stem each is known."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from ae_pretrained.sources.base import DataError, Finding

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
_CLUTTER = {"thumbs.db", "desktop.ini", "readme.md", "readme.txt"}


def stem_of(name: str) -> str:
    """A path below its folder, without its ending, composed as Unicode NFC.

    macOS stores ``é`` as two code points and other systems as one: the two are the same name.
    """
    path = Path(name)
    return unicodedata.normalize("NFC", path.with_suffix("").as_posix())


def scan_images(folder: Path) -> tuple[dict[str, Path], list[Finding]]:
    """The images below a folder by stem, sub-folders included, in order of stem.

    Endings may be in upper case. A stem that several files share stands for none of them: which one is meant
    would be a guess.

    Returns:
        Images by stem, and a finding for each shared stem (a fault) and each file without an image's ending.

    Raises:
        DataError: when the folder is absent.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    by_stem: dict[str, list[Path]] = {}
    findings = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if path.is_dir() or hidden or path.name.lower() in _CLUTTER:
            continue
        if path.suffix.lower() in IMAGE_ENDINGS:
            by_stem.setdefault(stem_of(name), []).append(path)
        else:
            expected = f"no image ending; known are {' '.join(sorted(IMAGE_ENDINGS))}"
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
