"""How names are shown, drawn and written.

Names of files, folders and breeds come from people and cameras: they need not be valid UTF-8, and may hold line
breaks, control characters, dollar signs, or fill all the bytes that a file system allows. Only this module knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

LONGEST_FILE_NAME = 255  # bytes, of all common file systems

# Control characters, line and paragraph separators, marks that turn the direction of the text, and halves of
# surrogate pairs: Python's stand-in for bytes that are no UTF-8, which no file and no font can take.
_ODD = "\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff"
_ODD_CHARACTER = re.compile(f"[{_ODD}]")
_NOT_IN_FILE_NAMES = re.compile(f'[{_ODD}/\\\\<>:"|?*]')
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://")  # a single letter is a drive of Windows
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF  # of surrogates that stand for single bytes


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if _FIRST_BYTE <= ord(character) <= _LAST_BYTE:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shown(name: str | os.PathLike[str]) -> str:
    r"""A name as one line of valid text: ``caf\xe9`` for bytes that are no UTF-8, ``\n`` for a line break."""
    return _ODD_CHARACTER.sub(_escaped, os.fspath(name))


def shown_lines(text: str) -> str:
    """A text of several lines that has names in it; its line breaks stay."""
    return "\n".join(shown(line) for line in text.split("\n"))


def named(paths: Sequence[Path], most: int = 5) -> str:
    """The first few of many files by their names, for a message, and how many more there are."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(shown(path.name) for path in paths[:most]) + more


def drawn(name: str, longest: int = 40) -> str:
    """A name as matplotlib draws it: no formula between dollar signs, and the middle left out of a long one.

    A label that begins with an underscore would be left out of a legend; it gets a space in front.
    """
    text = shown(name)
    if len(text) > longest:
        kept = longest - 1
        text = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def file_stem(name: str, ending: str) -> str:
    """The beginning of a file name that starts as ``name`` does and takes ``ending`` on every file system.

    What a file system may refuse becomes ``_``; of a name that is too long the end is cut off.
    """
    text = _NOT_IN_FILE_NAMES.sub("_", name) or "_"
    room = LONGEST_FILE_NAME - len(ending.encode("utf-8"))
    return text.encode("utf-8")[:room].decode("utf-8", errors="ignore")


def is_address(text: str) -> bool:
    """Whether a text is an address of fsspec, such as ``s3://bucket/folder``, and not a path."""
    return _ADDRESS.match(text) is not None
