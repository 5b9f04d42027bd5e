"""Images named by a listing file or by an address, beside files and folders."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from ae_pretrained.names import is_address, shown
from ae_pretrained.prediction.input_files import find_images
from ae_pretrained.sources.addresses import canonical, files_at
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_files import IMAGE_ENDINGS

_MOST_NAMED = 5


def read_listing(path: Path) -> list[str]:
    """The files and addresses that a text file names, one a line; empty lines do not count.

    Args:
        path: the file; relative paths in it count from its folder.

    Raises:
        DataError: when it cannot be read, names nothing, or names files that are not there.
    """
    try:
        lines = os.fsdecode(path.read_bytes()).split("\n")
    except OSError as error:
        raise DataError(f"{path}: this listing cannot be read ({error.strerror})") from None
    entries, missing = [], []
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r")
        if not text.strip():
            continue
        if is_address(text):
            entries.append(text)
            continue
        entries.append(str(path.parent / text))
        if not Path(entries[-1]).is_file():
            missing.append(f"line {number}: {shown(text)}")
    if not entries:
        raise DataError(f"{path}: names no file; expected the path or address of an image in each line")
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise DataError(
            f"{path}: {len(missing)} of {len(entries)} files are not there "
            f"({', '.join(missing[:_MOST_NAMED])}{more}); relative paths count from {path.parent.absolute()}"
        )
    return entries


def find_all(
    sources: Sequence[str],
    listing: Path | None = None,
    leave_out: Path | str | None = None,
    results: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """The images that files, folders, addresses and a listing name, each once, in this order.

    At an address, files count that are called images; what a listing names counts whatever it is called.

    Args:
        sources: paths and addresses.
        listing: see :func:`read_listing`.
        leave_out: a sub-folder or address to skip, such as that of earlier results.
        results: paths and addresses of files to skip, such as earlier results beside the images.

    Returns:
        Images and files that were passed over, as paths and addresses.

    Raises:
        DataError: for a source that is absent, cannot be read, or holds no image.
    """
    images: dict[str, None] = {}
    passed_over: dict[str, None] = {}
    skipped = None if leave_out is None or is_address(str(leave_out)) else Path(leave_out)
    local = find_images(
        [Path(item) for item in sources if not is_address(item)],
        skipped,
        [Path(item) for item in results if not is_address(item)],
    )
    listed = read_listing(listing) if listing is not None else []
    files = find_images([Path(item) for item in listed if not is_address(item)])
    seen: set[Path] = set()
    for path in (*local.images, *files.images):
        if (real := path.resolve()) not in seen:
            seen.add(real)
            images[str(path)] = None
    passed_over.update(dict.fromkeys(str(path) for path in local.passed_over if path.resolve() not in seen))
    for source in filter(is_address, sources):
        found = _at(source, str(leave_out), set(results))
        images.update(dict.fromkeys(map(str, found[0])))
        passed_over.update(dict.fromkeys(found[1]))
    images.update(dict.fromkeys(filter(is_address, listed)))
    return list(images), [name for name in passed_over if name not in images]


def _at(address: str, leave_out: str, results: Collection[str]) -> tuple[list[str], list[str]]:
    below = f"{leave_out}/" if leave_out != canonical(address) else "\n"  # no address holds a line break
    files = [file.address for file in files_at(address)]
    files = [name for name in files if name not in results and not name.startswith(below)]
    images = [name for name in files if PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS]
    if not images:
        raise DataError(
            f"{address}: {len(files)} files, and none is called an image; looked for "
            f"{', '.join(sorted(IMAGE_ENDINGS))}"
        )
    return images, [name for name in files if name not in set(images)]
