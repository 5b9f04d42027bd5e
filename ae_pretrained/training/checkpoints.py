"""Where an interrupted run goes on, and when it must not.

A checkpoint belongs to one combination of parameters, code, data, libraries, device, number format and number of
processes: their fingerprint is the name of its folder. A run looks in the folder of its own fingerprint only, so that
a checkpoint of another combination is never resumed; such left-overs are removed.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import zipfile
import zlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

CHECKPOINT_NAME = "last"
_LIBRARIES = ("torch", "lightning", "numpy")
_BLOCK = 1 << 22


def fingerprint(settings: dict[str, Any], code: Path, data: Iterable[Path]) -> str:
    """Digest of everything that decides the outcome of a training run.

    Args:
        settings: JSON-like values: the parameters, and what of the machine decides the outcome
            (:func:`~ae_pretrained.hardware.numerics`).
        code: folder whose Python files are the code.
        data: files the run learns from.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=8)
    libraries = {name: metadata.version(name) for name in _LIBRARIES}
    head = {"settings": settings, "python": platform.python_version(), **libraries}
    digest.update(json.dumps(head, sort_keys=True).encode())
    for path in sorted(code.rglob("*.py")):
        digest.update(str(path.relative_to(code)).encode() + b"\0")
        digest.update(path.read_bytes())
    for path in data:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


class CheckpointFolder:
    """The folder of one run's checkpoint below a folder that a stage has for itself.

    Args:
        parent: the stage's folder.
        name: the run's fingerprint.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self.parent, self.path = parent, parent / name

    @property
    def file(self) -> Path:
        return self.path / f"{CHECKPOINT_NAME}.ckpt"

    def open(self, *, main: bool) -> Path | None:
        """Make the folder, remove those of other runs, and return the checkpoint to go on from, if any.

        A damaged one, such as a power cut leaves, is named on the terminal and set aside as ``last.ckpt.damaged``.

        Args:
            main: whether this process is the first of a distributed run, or alone; the others only look.
        """
        if main:
            self.path.mkdir(parents=True, exist_ok=True)
            for other in self.parent.iterdir():
                if other != self.path:
                    print(
                        f"{other}: removed, an interrupted run of other parameters, code, data or device",
                        flush=True,
                    )
                    shutil.rmtree(other) if other.is_dir() else other.unlink()
        if not self.file.is_file():
            return None
        fault = _fault_of(self.file)
        if not fault:
            return self.file
        if main:
            aside = self.file.with_name(f"{self.file.name}.damaged")
            self.file.replace(aside)
            print(
                f"{self.file}: this checkpoint of an interrupted run is damaged ({fault}), as after a power cut or "
                f"on a full disk; it is now {aside.name}, and training starts again from the first epoch",
                flush=True,
            )
        return None

    def remove(self) -> None:
        """Leave nothing behind: the run has succeeded. For the first process of a distributed run."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.parent.is_dir() and not any(self.parent.iterdir()):
            self.parent.rmdir()


def _fault_of(file: Path) -> str:
    """What is wrong with a checkpoint; nothing where every byte is as PyTorch wrote it.

    PyTorch writes ZIP archives, whose end lists what is in them, with a checksum each.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            torn = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        return str(error) or type(error).__name__
    return f"bad checksum of {torn}" if torn else ""
