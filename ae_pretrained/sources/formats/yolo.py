"""YOLO segmentation: ``images/`` with a text file of polygons for each image in ``labels/``.

A line is the number of a class and the corners of one outline, as shares of width and height; holes arrive as bridges
from the outline and back. ``data.yaml`` names the classes and the folder, or the list, of each split. An image with
an empty text file is labelled, and empty; one without a file is unlabelled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.named_mask import Canvas, NamedMask
from ae_pretrained.sources.formats.rasterize import fill_polygon
from ae_pretrained.sources.name_lists import read_names, read_text

_SPLIT_KEYS = (("train", "train"), ("val", "val"), ("valid", "val"), ("test", "test"))
_NAME_FILES = ("classes.txt", "obj.names")
_SLACK = 0.02  # beyond the image, as a share of its side; further out it is pixels that were written


class YoloSource(ExportSource):
    """Images and polygons of a YOLO segmentation data set."""

    title = "YOLO segmentation"
    expects = "data.yaml with names (or classes.txt), and labels/ with a .txt file for each image"

    @classmethod
    def find(cls, root: Path) -> str | None:
        names = cls._names_file(root)
        if names is None:
            return None
        for pattern in ("labels/*.txt", "labels/*/*.txt", "*/labels/*.txt"):
            if any(root.glob(pattern)):
                return names.name
        return None

    @staticmethod
    def _names_file(root: Path) -> Path | None:
        for path in [*sorted(root.glob("*.yaml")), *sorted(root.glob("*.yml"))]:
            if any(
                line.startswith("names") for line in path.read_text("utf-8", errors="replace").splitlines()
            ):
                return path
        return next((root / name for name in _NAME_FILES if (root / name).is_file()), None)

    @cached_property
    def _content(self) -> tuple[str, dict[str, Any]]:
        """The file that names the classes, and what it says."""
        path = self._names_file(self.root)
        if path is None:
            raise DataError(f"{self.root}: expected {self.expects}")
        if path.name in _NAME_FILES:
            lines = read_text(path).splitlines()
            return path.name, {"names": [line.strip() for line in lines if line.strip()]}
        try:
            content = yaml.safe_load(read_text(path))
        except yaml.YAMLError as error:
            raise DataError(f"{path}: is no valid YAML ({error})") from None
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, dict) and all(isinstance(key, int) for key in names):
            content["names"] = [names.get(key, f"class {key}") for key in range(max(names, default=-1) + 1)]
        elif not isinstance(names, list):
            raise DataError(f"{path}: names: expected a list, or names by number, found {names!r}")
        content["names"] = [str(name).strip() for name in content["names"]]
        return path.name, content

    def export_names(self) -> Iterable[str]:
        return list(self._content[1]["names"])

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        split_of = self._splits(index, findings)
        entries, not_listed = [], []
        missing = 0
        for image in index.images():
            label = next((label for label in _label_paths(image) if label in index.files), None)
            if split_of and image not in split_of:
                if label is not None:
                    not_listed.append(image)
                    detail = f"{index.files[image]}: {self._content[0]} names it in no split"
                    findings.append(Finding("", image, "not listed", detail, False))
                continue
            if label is None and not split_of:
                continue
            missing += label is None
            split = split_of.get(image) or split_of_folder(image)
            entries.append(Entry(image, None if label is None else index.files[label], split))
        if missing:
            self.note(
                f"{missing} images have no file in labels/: read as unlabelled (an empty file means no object)"
            )
        return self.make_listing(index, entries, findings, not_listed)

    def _splits(self, index: FileIndex, findings: list[Finding]) -> dict[str, str]:
        """The split of every image that ``data.yaml`` assigns."""
        file, content = self._content
        found: dict[str, str] = {}
        images = index.images()
        for key, split in _SPLIT_KEYS:
            places = content.get(key) or []
            for place in [places] if isinstance(places, str) else places:
                inner = _below(self.root, str(place))
                if inner is None:
                    self.note(f"{file}: {key}: {place} is not below {self.root}: passed over")
                    continue
                if inner.endswith(".txt"):
                    listed = self._listed(self.root / inner, split, findings)
                else:
                    listed = [image for image in images if image.startswith(f"{inner}/")]
                for image in listed:
                    if found.setdefault(image, split) != split:
                        raise DataError(
                            f"{self.root / file}: {image} is in {found[image]} and in {split}; an image is in "
                            "one split"
                        )
        return found

    def _listed(self, path: Path, split: str, findings: list[Finding]) -> list[str]:
        """The images that a list names."""
        found = []
        for entry in read_names(path):
            image = _below(self.root, entry)
            if image is None:
                detail = f"{path}: names {entry!r}, but no such file is below {self.root}"
                findings.append(Finding(split, entry, "listed but absent", detail, True))
            else:
                found.append(image)
        return found

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        names = self._content[1]["names"]
        canvas = Canvas(height, width)
        for number, line in enumerate(read_text(sample.mask).splitlines(), start=1):
            if not line.strip():
                continue
            where = f"{sample.mask}, line {number}"
            try:
                label, *numbers = (float(word) for word in line.split())
            except ValueError:
                raise DataError(f"{where}: expected numbers, found {line[:60]!r}") from None
            if not (label.is_integer() and 0 <= label < len(names)):
                raise DataError(f"{where}: class {label:g}, but there are names for 0 to {len(names) - 1}")
            if len(numbers) == 4:
                raise DataError(
                    f"{where}: is a box, not an outline; segmentation needs polygons. Export as YOLO segmentation, "
                    "or turn the boxes into polygons"
                )
            if len(numbers) < 6 or len(numbers) % 2:
                raise DataError(
                    f"{where}: expected a class and at least three pairs of x and y, found {line[:60]!r}"
                )
            ring = np.array(numbers).reshape(-1, 2)
            if ring.min() < -_SLACK or ring.max() > 1 + _SLACK:
                raise DataError(
                    f"{where}: expected shares of width and height from 0 to 1, found {ring.min():g} to "
                    f"{ring.max():g}"
                )
            canvas.paint(names[int(label)], fill_polygon(ring * [width, height], height, width))
        return canvas.finished()


def _label_paths(image: str) -> list[str]:
    """Where the text file of an image may be: in ``labels/`` where it is in ``images/``, or beside it."""
    path = PurePosixPath(image).with_suffix(".txt")
    parts = list(path.parts)
    candidates = [path.as_posix()]
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        candidates.insert(0, "/".join([*parts[:last], "labels", *parts[last + 1 :]]))
    return candidates


def _below(root: Path, place: str) -> str | None:
    """A file or folder that ``data.yaml`` names, as a path from the root: its beginning is of another machine."""
    parts = [part for part in place.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts)):
        inner = "/".join(parts[start:])
        if (root / inner).exists():
            return os.path.normpath(inner)
    return None
