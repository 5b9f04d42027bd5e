"""Lists of image names as people and programs write them: split lists and ``groups.csv``."""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_files import stem_of

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ABSOLUTE = re.compile("/|[A-Za-z]:/")


def read_text(path: Path) -> str:
    """A text file in UTF-8, or in what its byte order mark says (Windows PowerShell writes UTF-16).

    Raises:
        DataError: naming the file, when it is neither.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: not valid {encoding.upper()} (byte {content[error.start]:#04x}); save the file as "
            "UTF-8 (in an editor: Save as, encoding UTF-8)"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{path}: holds zero bytes, so it is UTF-16 without a byte order mark, or no text; save the file as UTF-8"
        )
    return text


def read_names(path: Path) -> Iterator[str]:
    """The entries of a list, one a line; blank lines and lines that begin with ``#`` are passed over."""
    for line in read_text(path).splitlines():
        entry = unicodedata.normalize("NFC", line.strip())
        if entry and not entry.startswith("#"):
            yield entry


def find_stem(entry: str, stems: Collection[str]) -> str:
    """The stem that an entry names, or the likeliest one when none of ``stems`` fits.

    Tried in this order: the entry as it stands (a name may hold dots and spaces), without its ending, without the
    folders before ``images/``, from its end where it is a whole path of another machine (``C:\\data\\a.jpg``), and
    its first column where there are several (image and mask, as many tools write).
    """
    candidates = [entry]
    for separator in ("\t", ",", ";", " "):
        if separator in entry:
            candidates.append(entry.split(separator)[0].strip())
    for candidate in candidates:
        path = candidate.replace("\\", "/").removeprefix("./")
        below = path.rpartition("images/")[2] if "images/" in path else path
        shorter = [path, below, *(_ends(path) if _ABSOLUTE.match(path) else ())]
        for name in (name for part in shorter for name in (part, stem_of(part))):
            if name in stems:
                return name
    return stem_of(entry.removeprefix("./"))


def _ends(path: str) -> Iterator[str]:
    """The path without its first folder, its first two, and so on."""
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def read_groups(path: Path, stems: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """``groups.csv``: a line ``name,group`` an image, with or without a heading; tabs and semicolons do as well.

    Returns:
        Group by stem, and the names that are no image.

    Raises:
        DataError: for a line without a group, or a name that is in two groups.
    """
    rows = [line for line in read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    separator = next((mark for mark in (",", "\t", ";") if rows and mark in rows[0]), ",")
    groups: dict[str, str] = {}
    absent: list[str] = []
    for number, row in enumerate(csv.reader(rows, delimiter=separator), start=1):
        cells = [unicodedata.normalize("NFC", cell.strip()) for cell in row]
        if number == 1 and cells[:2] == ["name", "group"]:
            continue
        if len(cells) < 2 or not cells[0] or not cells[1]:
            raise DataError(f"{path}, line {number}: expected 'name,group', found {separator.join(row)!r}")
        stem = find_stem(cells[0], stems)
        if stem not in stems:
            absent.append(cells[0])
        elif groups.setdefault(stem, cells[1]) != cells[1]:
            raise DataError(
                f"{path}, line {number}: {cells[0]!r} is in the groups {groups[stem]!r} and {cells[1]!r}; an image "
                "is in one group only"
            )
    return groups, absent
