"""The official Oxford-IIIT Pet archives: downloaded with a progress bar, checked, unpacked safely."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import requests
from tqdm import tqdm

from ae_pretrained.sources.base import DataError

_TIMEOUT = (10, 60)  # seconds to connect, seconds between two pieces
_PIECE = 1 << 20
_WAY_OUT = (
    "To run without it, use the embedded data (data.source=synthetic), or set data.root to a folder that holds "
    "images/ and annotations/ of a copy you have"
)


@dataclass(frozen=True)
class Archive:
    """One file to download.

    Attributes:
        url: where it is.
        md5: checksum that the publisher states.
        folder: the only folder whose members are unpacked.
    """

    url: str
    md5: str
    folder: str


OXFORD = (
    Archive(
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz",
        "5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "images",
    ),
    Archive(
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz",
        "95a8c909bbe2e81eed6a22bccdf3f68f",
        "annotations",
    ),
)


def download_oxford(out: Path, archives: Sequence[Archive] = OXFORD) -> None:
    """Write the official layout into ``out``; it appears only when all of it is there.

    Raises:
        DataError: without a network, on a wrong checksum, or for an archive that reaches outside its folder.
    """
    temporary = out.with_name(f".{out.name}.part")
    # What an interrupted run has left is not trusted.
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for archive in archives:
            file = temporary / PurePosixPath(archive.url).name
            _download(archive, file)
            _unpack(file, archive, temporary)
            file.unlink()
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _download(archive: Archive, file: Path) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with requests.get(archive.url, stream=True, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0)) or None
            bar = tqdm(total=total, unit="B", unit_scale=True, desc=file.name, disable=None)
            with file.open("wb") as target, bar:
                for piece in response.iter_content(_PIECE):
                    target.write(piece)
                    digest.update(piece)
                    bar.update(len(piece))
    except requests.RequestException as error:
        raise DataError(
            f"{archive.url}: could not be downloaded ({type(error).__name__}: {error}). {_WAY_OUT}"
        ) from None
    if digest.hexdigest() != archive.md5:
        raise DataError(
            f"{archive.url}: wrong checksum, expected md5 {archive.md5}, found {digest.hexdigest()} in "
            f"{file.stat().st_size} bytes; the download was cut short or the file was changed. Run again. {_WAY_OUT}"
        )


def _unpack(file: Path, archive: Archive, target: Path) -> None:
    try:
        with tarfile.open(file) as tar:
            for member in tqdm(tar, desc=f"unpack {file.name}", unit="file", disable=None):
                parts = PurePosixPath(member.name).parts
                if member.name.startswith("/") or ".." in parts:
                    raise DataError(
                        f"{archive.url}: member {member.name!r} points outside the archive's folder; nothing of "
                        "it is kept"
                    )
                # The archive also holds macOS resource forks, which are no images. Links are never followed.
                wanted = parts and parts[0] == archive.folder and not parts[-1].startswith("._")
                if wanted and member.isfile():
                    _write_member(tar, member, target.joinpath(*parts))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive.url}: cannot be unpacked ({type(error).__name__}: {error}). {_WAY_OUT}"
        ) from None


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    # Not TarFile.extract(): its safe filter came with 3.10.12 and 3.11.4, and Debian 12 has 3.11.2.
    source = tar.extractfile(member)
    assert source is not None  # None is for links and folders
    file.parent.mkdir(parents=True, exist_ok=True)
    with source, file.open("wb") as target:
        shutil.copyfileobj(source, target)
