"""What a teacher sees in images that come again, kept on disk: computed once, read from then on."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ae_pretrained.errors import PipelineError

_TABLE = "create table if not exists maps (picture blob primary key, numbers blob) without rowid"


class FeatureCache:
    """Maps of single images, found by the images themselves, in an SQLite file.

    An image's key is its picture (8 bits a channel), so that a map is never that of another one, however the images
    are drawn, ordered or changed. One file is of one teacher, and is written by one process.

    Args:
        file: where the maps are kept; it is made with the first ones, and its folder too.

    Example:
        >>> import tempfile
        >>> images = torch.rand(4, 3, 32, 32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cache = FeatureCache(Path(folder) / "maps.sqlite")
        ...     first = cache.maps(images, [(3, 4, 4)], lambda new: [new[:, :, ::8, ::8]])
        ...     again = cache.maps(images, [(3, 4, 4)], lambda new: [])
        >>> torch.equal(first[0], again[0])
        True
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._opened: sqlite3.Connection | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies, and other processes, open the file themselves."""
        return {"file": self.file, "_opened": None}

    def maps(
        self,
        images: Tensor,
        shapes: Sequence[tuple[int, int, int]],
        compute: Callable[[Tensor], Sequence[Tensor]],
    ) -> list[Tensor]:
        """The maps of a batch; those that are not there are computed and kept.

        Args:
            images: (N, 3, H, W) in [0, 1].
            shapes: (C, h, w) of every map of an image.
            compute: from some of the images, (M, 3, H, W), to their maps, each (M, C, h, w).

        Returns:
            float32 maps, each (N, C, h, w), on the device of the images.

        Raises:
            PipelineError: when the file can be neither read nor written.
        """
        pictures = (images * 255).round().to(torch.uint8).cpu().numpy()
        keys = [_key(picture, shapes) for picture in pictures]
        try:
            found = self._read(keys)
            missing = [row for row, key in enumerate(keys) if key not in found]
            if missing:
                some = images if len(missing) == len(keys) else images[missing]
                numbers = torch.cat([one.float().flatten(1) for one in compute(some)], dim=1).cpu().numpy()
                new = {keys[row]: values for row, values in zip(missing, numbers, strict=True)}
                self._write(new)
                found |= new
        except (sqlite3.Error, OSError) as error:
            raise PipelineError(
                f"{self.file}: the teacher's features cannot be kept there ({error}); make room on that disk, or "
                "remove the file if it is damaged, and start again: training goes on from its last finished epoch"
            ) from None
        rows = torch.from_numpy(np.stack([found[key] for key in keys])).to(images.device)
        parts = rows.split([channels * height * width for channels, height, width in shapes], dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        found = {}
        for key in keys:
            row = self._file.execute("select numbers from maps where picture = ?", (key,)).fetchone()
            if row is not None:
                found[key] = np.frombuffer(row[0], dtype=np.float32)
        return found

    def _write(self, new: dict[bytes, np.ndarray]) -> None:
        rows = [(key, values.tobytes()) for key, values in new.items()]
        with self._file:  # all or, if killed, none
            self._file.executemany("insert or ignore into maps values (?, ?)", rows)

    @property
    def _file(self) -> sqlite3.Connection:
        if self._opened is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._opened = sqlite3.connect(self.file)
            # A log beside the file in place of a wait for the disk at every batch.
            self._opened.execute("pragma journal_mode = wal")
            self._opened.execute("pragma synchronous = normal")
            self._opened.execute(_TABLE)
        return self._opened


def _key(picture: np.ndarray, shapes: Sequence[tuple[int, int, int]]) -> bytes:
    digest = hashlib.blake2b(repr((picture.shape, list(shapes))).encode(), digest_size=16)
    digest.update(picture.tobytes())
    return digest.digest()
