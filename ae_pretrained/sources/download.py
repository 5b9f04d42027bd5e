"""The official Oxford-IIIT Pet archives: downloaded, checked, and unpacked safely."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pooch
import requests
from tqdm import tqdm

from ae_pretrained.sources.base import DataError

_TIMEOUT = (10, 60)  # seconds to connect, seconds between two pieces
_PIECE = 1 << 20
_RETRIES = 2  # further attempts after a failed one
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

    An archive that an interrupted run has completed is taken if its checksum is right, and lies beside ``out`` until
    all is done. Nothing else that such a run has left is trusted.

    Raises:
        DataError: without a network, on a wrong checksum, or for an archive that reaches outside its folder.
    """
    downloads = out.with_name(f".{out.name}.downloads")
    unpacked = out.with_name(f".{out.name}.part")
    shutil.rmtree(unpacked, ignore_errors=True)
    files = _download(archives, downloads)
    unpacked.mkdir(parents=True)
    try:
        for archive, file in zip(archives, files, strict=True):
            _unpack(file, archive, unpacked)
        unpacked.replace(out)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
        shutil.rmtree(downloads, ignore_errors=True)


def _download(archives: Sequence[Archive], folder: Path) -> list[Path]:
    """The archives as checked files in a folder."""
    urls = {PurePosixPath(archive.url).name: archive.url for archive in archives}
    for left in folder.glob("*"):
        if left.name not in urls:
            left.unlink()  # part of a download that was killed
    checksums = {name: f"md5:{archive.md5}" for name, archive in zip(urls, archives, strict=True)}
    store = pooch.create(folder, base_url="", registry=checksums, urls=urls, retry_if_failed=_RETRIES)
    # A bar only where somebody watches, not in a log file.
    get = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=_PIECE, timeout=_TIMEOUT)
    files = []
    for name, url in urls.items():
        try:
            files.append(Path(store.fetch(name, downloader=get)))
        except requests.RequestException as error:
            problem = f"could not be downloaded ({type(error).__name__}: {error})"
        except ValueError as error:
            found = str(error).rstrip(".")
            problem = (
                f"wrong checksum, the download was cut short or the file was changed ({found}). Run again"
            )
        else:
            continue
        kept = "".join(f" {file.name} is complete and kept for the next run." for file in files)
        if not files:
            folder.rmdir()
        raise DataError(f"{url}: {problem}.{kept} {_WAY_OUT}") from None
    return files


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
    # Neither pooch.Untar nor TarFile.extract(): the filter that makes them safe came with Python 3.12, 3.11.4 and
    # 3.10.12, pooch uses it from 3.12 on, and Debian 12 has 3.11.2.
    source = tar.extractfile(member)
    assert source is not None  # None is for links and folders
    file.parent.mkdir(parents=True, exist_ok=True)
    with source, file.open("wb") as target:
        shutil.copyfileobj(source, target)
