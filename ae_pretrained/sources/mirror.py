"""A folder at an address (``s3://bucket/folder``), copied here; a copy that was interrupted goes on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from ae_pretrained.files import write_json
from ae_pretrained.sources.addresses import RemoteFile, copy_from, files_at

_CONNECTIONS = 16
_NOTE = ".mirror.json"  # hidden: no source takes it for a file of the data set


def mirror(address: str, folder: Path) -> Path:
    """Copy every file below an address into a folder; files that are there already, and are the same, are kept.

    Args:
        address: of a folder.
        folder: of the copy; files in it that are not at the address (any more) are removed.

    Returns:
        The folder.

    Raises:
        DataError: when nothing is at the address, or a file cannot be read; what is copied stays for the next run.
        OSError: when the folder cannot be written.
    """
    files = files_at(address)
    folder.mkdir(parents=True, exist_ok=True)
    targets = {file.below: file for file in files}
    note = folder / _NOTE
    before = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != note and path.relative_to(folder).as_posix() not in targets:
            path.unlink()
    # Written before the copies: a file of the right size under a stamp of this listing is one that was copied whole.
    known = {name: file.stamp for name, file in targets.items()}
    missing = {
        name: file
        for name, file in targets.items()
        if before.get(name) != file.stamp or not _is_copy(folder / name, file)
    }
    for name in missing:
        (folder / name).unlink(missing_ok=True)
    write_json(note, known)
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        jobs = [pool.submit(copy_from, file.address, folder / name) for name, file in missing.items()]
        try:
            for job in tqdm(jobs, desc="copy", unit="file", delay=2, disable=None):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    note.unlink()
    return folder


def _is_copy(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size
