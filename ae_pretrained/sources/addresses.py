"""Files at fsspec addresses (``s3://bucket/folder``, ``gs://…``, ``file:///…``): what is there, copies both ways.

Every kind of storage has a package of its own, which is imported by its first use: ``s3fs`` for S3, ``gcsfs`` for
Google Cloud. Keys and end points are theirs to find, in the environment or in their own files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from ae_pretrained.errors import PipelineError
from ae_pretrained.names import shown
from ae_pretrained.sources.base import DataError

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_BUCKETS = {*_EXTRAS, "az", "abfs", "abfss", "adl"}  # without folders: to make one would make the bucket
_RIGHTS = "check keys and rights, such as AWS_ACCESS_KEY_ID, AWS_PROFILE and the policy of the bucket"
_CONNECTION = (
    "check the connection, the end point (such as AWS_ENDPOINT_URL) and the keys, and give the command again"
)


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address.

    Attributes:
        address: whole, as a user writes it.
        size: bytes.
        below: its path below the address that was asked for.
        stamp: what tells one content from another: ETag, version or time, as the storage has it.
    """

    address: str
    size: int
    below: str
    stamp: str


def files_at(address: str) -> list[RemoteFile]:
    """Every file below an address, or the one that it names, in order of address; hidden ones not.

    Raises:
        DataError: when nothing is there, it may not be read, or the package of its kind is not installed.
    """
    system, root = _open(address)
    try:
        found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    except Exception as error:  # of the storage's own classes
        raise _refused(address, error) from None
    prefix = str(root).rstrip("/")
    files = []
    for path, info in sorted(found.items()):
        below = PurePosixPath(path[len(prefix) :].lstrip("/") or PurePosixPath(path).name)
        if info.get("type") != "file" or any(part.startswith(".") for part in below.parts):
            continue
        if ".." in below.parts:
            raise DataError(f"{address}: {shown(path)} points outside this folder; rename it there")
        stamp = next((str(info[key]) for key in ("ETag", "etag", "LastModified", "mtime") if key in info), "")
        files.append(
            RemoteFile(system.unstrip_protocol(path), int(info.get("size") or 0), below.as_posix(), stamp)
        )
    if not files:
        raise DataError(f"{address}: nothing is there; expected a file, or a folder with files")
    return files


def copy_from(address: str, target: Path) -> None:
    """Copy one file here, whole or not at all.

    Raises:
        DataError: naming the address, when it cannot be read.
    """
    system, path = _open(address)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name[:200]}.part")
    try:
        system.get_file(path, str(partial))
        partial.replace(target)
    except Exception as error:  # of the storage's own classes
        raise _refused(address, error) from None
    finally:
        partial.unlink(missing_ok=True)


def canonical(address: str) -> str:
    """An address as :func:`files_at` writes it, without a slash at its end.

    Raises:
        DataError: when the package of its kind is not installed.
    """
    system, path = _open(address)
    return str(system.unstrip_protocol(path)).rstrip("/")


def names_at(address: str) -> set[str]:
    """Names of the files and folders right in a folder at an address; none where it is not there.

    Raises:
        DataError: when it may not be read, or the package of its kind is not installed.
    """
    system, path = _open(address)
    try:
        system.invalidate_cache()  # other machines write there too
        return {PurePosixPath(name).name for name in system.ls(path, detail=False)}
    except FileNotFoundError:
        return set()
    except Exception as error:  # of the storage's own classes
        raise _refused(address, error) from None


def copy_to(source: Path, address: str) -> None:
    """Put one file up, which replaces what is there.

    Raises:
        DataError: naming the address, when it cannot be written, or its bucket is not there.
    """
    system, path = _open(address)
    try:
        if address.partition("://")[0] not in _BUCKETS:
            system.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        system.put_file(str(source), path)
    except Exception as error:  # of the storage's own classes
        raise _not_written(address, error) from None


def remove_at(address: str) -> None:
    """Remove a file, or a folder with what is in it; nothing where there is none.

    Raises:
        DataError: naming the address, when it may not be removed.
    """
    system, path = _open(address)
    try:
        system.rm(path, recursive=True)
    except FileNotFoundError:
        pass
    except Exception as error:  # of the storage's own classes
        raise _not_written(address, error) from None


def _open(address: str) -> tuple[Any, str]:
    kind = address.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError:
        extra = _EXTRAS.get(kind)
        install = f"run pip install 'ae-pretrained[{extra}]'" if extra else "install it"
        raise DataError(
            f"{address}: the package of fsspec that knows {kind}:// is not installed; {install}, on the workers of a "
            "cluster too"
        ) from None
    except ValueError as error:
        raise DataError(
            f"{address}: {error}; known are s3://, gs://, file:// and what fsspec reads"
        ) from None
    return system, str(path)


def _refused(address: str, error: Exception) -> PipelineError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{address}: nothing is there; expected a file, or a folder with files")
    if isinstance(error, PermissionError):
        return DataError(f"{address}: may not be read ({shown(str(error))}); {_RIGHTS}")
    return DataError(
        f"{address}: cannot be read ({type(error).__name__}: {shown(str(error))}); {_CONNECTION}"
    )


def _not_written(address: str, error: Exception) -> PipelineError:
    if isinstance(error, FileNotFoundError):
        bucket = "/".join(address.split("/")[:3])
        return DataError(f"{address}: cannot be written: there is no {bucket}; make it, or choose another")
    if isinstance(error, PermissionError):
        return DataError(
            f"{address}: may not be written, or not be removed ({shown(str(error))}); {_RIGHTS}: results are put up, "
            "and what is known of an interrupted run is removed at the end"
        )
    return DataError(
        f"{address}: cannot be written ({type(error).__name__}: {shown(str(error))}); {_CONNECTION}"
    )
