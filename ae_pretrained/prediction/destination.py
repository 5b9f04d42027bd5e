"""Where results go: a folder, or an address, to which they are put up from a temporary folder.

At an address lies what would lie in a folder, the journals of an interrupted run included, so that a run goes on
whichever machine it was on. An object there cannot grow: a journal is put up whole, whenever images are done.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ae_pretrained.names import is_address
from ae_pretrained.sources.addresses import canonical, copy_from, copy_to, names_at, remove_at

_CONNECTIONS = 16
_PROBE = ".write_check"


class Destination:
    """A folder: what is written there is where it belongs.

    Args:
        folder: made where it is absent, by the first file.

    Attributes:
        folder: to write into.
        at_once: images whose results are put up together.
    """

    at_once = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def everywhere(self) -> Path | str:
        """What names it in another process, too: see :func:`destination_at`."""
        return self.folder.absolute()

    def has(self, name: str) -> bool:
        """Whether something of this name was there before."""
        return os.path.lexists(self.folder / name)

    def check(self) -> None:
        """Find out whether files can be written, before the first image and not after the last.

        Raises:
            OSError: of a folder.
            DataError: of an address.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder):
            pass

    def fetch(self, name: str) -> None:
        """Have a file that is there in :attr:`folder` too; nothing where there is none."""

    def fetch_folder(self, name: str) -> None:
        """The same of every file right in a folder."""

    def put(self, names: Sequence[str], *, keep: bool = False) -> None:
        """Put up files that were written into :attr:`folder`, which go from there unless they are to be kept."""

    def remove(self, name: str) -> None:
        """Remove a folder of files."""
        shutil.rmtree(self.folder / name, ignore_errors=True)


class RemoteDestination(Destination):
    """An address; every method raises DataError when the storage refuses.

    Args:
        address: of a folder, such as ``s3://bucket/results``; it need not be there, the bucket must.
        folder: a temporary one.
    """

    at_once = 32

    def __init__(self, address: str, folder: Path) -> None:
        super().__init__(folder)
        self.address = canonical(address)
        self._names: set[str] | None = None

    def __str__(self) -> str:
        return self.address

    def everywhere(self) -> str:
        return self.address

    def has(self, name: str) -> bool:
        if self._names is None:
            self._names = names_at(self.address)
        return name in self._names

    def check(self) -> None:
        (self.folder / _PROBE).touch()
        self.put([_PROBE])
        remove_at(f"{self.address}/{_PROBE}")

    def fetch(self, name: str) -> None:
        folder, _, file = name.rpartition("/")
        if file in names_at(f"{self.address}/{folder}") if folder else self.has(file):
            self._get(name)

    def fetch_folder(self, name: str) -> None:
        if self.has(name):
            with ThreadPoolExecutor(_CONNECTIONS) as pool:
                list(pool.map(self._get, [f"{name}/{file}" for file in names_at(f"{self.address}/{name}")]))

    def _get(self, name: str) -> None:
        copy_from(f"{self.address}/{name}", self.folder / name)

    def put(self, names: Sequence[str], *, keep: bool = False) -> None:
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(self._put, names))
        if not keep:
            for name in names:
                (self.folder / name).unlink()

    def _put(self, name: str) -> None:
        copy_to(self.folder / name, f"{self.address}/{name}")

    def remove(self, name: str) -> None:
        super().remove(name)
        remove_at(f"{self.address}/{name}")


@contextmanager
def destination_at(where: str | Path) -> Iterator[Destination]:
    """The destination that a user names; the temporary folder of an address goes with the block.

    Args:
        where: a folder, or an address; ``file://`` is a folder too.
    """
    text = str(where)
    if not is_address(text):
        yield Destination(Path(where))
    elif text.startswith("file://"):
        yield Destination(Path(text.removeprefix("file://")))
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield RemoteDestination(text, Path(folder))
