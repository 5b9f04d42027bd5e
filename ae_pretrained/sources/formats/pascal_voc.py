"""The layout of Pascal VOC: ``JPEGImages``, ``SegmentationClass`` and lists in ``ImageSets/Segmentation``.

CVAT ("Segmentation mask 1.1", "PASCAL VOC 1.1") and labelme (``labelme2voc``) export it too. CVAT's ``labelmap.txt``
says which colour is which class, or, for masks with one channel, which line; ``class_names.txt`` of labelme says
which number. The border of 255 is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_file
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.label_colors import LabelColors, parse_label_colors
from ae_pretrained.sources.formats.mask_pixels import (
    channels,
    find_numbers,
    name_numbers,
    numbered_mask,
    read_numbers,
)
from ae_pretrained.sources.formats.named_mask import NamedMask
from ae_pretrained.sources.mask_values import check_size
from ae_pretrained.sources.name_lists import find_stem, read_names, read_text

_MASK_FOLDERS = ("SegmentationClassPNG", "SegmentationClass")  # older labelme has the PNGs in the first
_LISTS = "ImageSets/Segmentation"
_VOC_NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *(
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
)


class PascalVocSource(ExportSource):
    """Images and class masks in the layout of Pascal VOC."""

    title = "Pascal VOC (also CVAT 'Segmentation mask')"
    expects = "SegmentationClass/ with masks (and labelmap.txt, where the classes are not those of VOC)"
    paints_on_background = False

    @classmethod
    def find(cls, root: Path) -> str | None:
        for name in _MASK_FOLDERS:
            if any((root / name).rglob("*.png")):
                return f"{name}/"
        return None

    @property
    def _masks(self) -> Path:
        found = self.find(self.root)
        if found is None:
            raise DataError(f"{self.root}: {self.title}: expected {self.expects}")
        return self.root / found.rstrip("/")

    @property
    def numbered(self) -> bool:
        return self._label_colors is None and self._listed_names is None

    def export_names(self) -> Iterable[str]:
        if self._label_colors is not None:
            return self._label_colors.names
        if self._listed_names is not None:
            return self._listed_names
        masks = sorted(self._masks.rglob("*.png"))
        names, self.ignore_index = name_numbers(find_numbers(masks), self._masks)
        self.note(
            f"{self.root} has neither labelmap.txt nor class_names.txt: classes are numbered; name them in "
            "data.classes"
        )
        return names

    @cached_property
    def _label_colors(self) -> LabelColors | None:
        path = self.root / "labelmap.txt"
        if not path.is_file():
            return None
        return LabelColors(parse_label_colors(read_text(path), str(path)), path.name)

    @cached_property
    def _listed_names(self) -> list[str] | None:
        """Names by number: of labelme's list, or those of VOC itself where its own lists of objects are there."""
        path = self.root / "class_names.txt"
        if path.is_file():
            names = [line.strip() for line in read_text(path).splitlines()]
            return [name for name in names if name and name != "__ignore__"]
        is_voc = re.fullmatch(r"VOC20\d\d", self.root.name) or any(
            (self.root / "ImageSets" / "Main").glob("aeroplane_*.txt")
        )
        return list(_VOC_NAMES) if is_voc else None

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        folder = self._masks.name
        in_folder = [path for path in index.files if path.startswith(f"{folder}/") and path.endswith(".png")]
        masks = _by_stem(in_folder, findings)
        found = [path for path in index.images() if not path.startswith(("Segmentation", "unlabelled/"))]
        images = _by_stem([path for path in found if path.startswith("JPEGImages/")] or found, findings)
        if not images:
            raise DataError(
                f"{self.root}: there are {len(masks)} masks in {folder}/, but no images; put them into "
                f"{self.root / 'JPEGImages'} (in CVAT, export with 'Save images')"
            )
        split_of = self._lists(findings, images)
        no_images = [path for path in index.images() if not path.startswith("unlabelled/")]
        entries = []
        for stem, image in images.items():
            mask = masks.pop(stem, None)
            if mask is not None and split_of and stem not in split_of:
                findings.append(Finding("", stem, "not listed", f"no list in {_LISTS}/ names it", False))
            else:
                path = None if mask is None else index.files[mask]
                entries.append(Entry(image, path, split_of.get(stem)))
        for stem, mask in masks.items():
            detail = f"{index.files[mask]}: there is no image {stem}.*; add it, or remove the mask"
            findings.append(Finding("", mask, "mask without image", detail, True))
        return self.make_listing(index, entries, findings, no_images)

    def _lists(self, findings: list[Finding], images: dict[str, str]) -> dict[str, str | None]:
        """The split of every listed stem."""
        folder = self.root / _LISTS
        lists = {path.stem.casefold(): path for path in sorted(folder.glob("*.txt"))}
        if lists.keys() & {"train", "val"}:
            lists.pop("trainval", None)  # what the two hold together
        split_of: dict[str, str | None] = {}
        for name, path in lists.items():
            for entry in read_names(path):
                stem = find_stem(entry.strip('"'), images)
                split = split_of_file(name)
                if split_of.get(stem, split) != split:
                    raise DataError(
                        f"{path}: {stem} is in a list of another split too; an image is in one split"
                    )
                split_of[stem] = split
                if stem not in images:
                    detail = f"{path}: names {stem!r}, but there is no such image in JPEGImages/"
                    findings.append(Finding(split or "", stem, "listed but absent", detail, True))
        return split_of

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        colors = self._label_colors
        if colors is not None and (colors.grey or channels(sample.mask) not in ("1", "L")):
            named = colors.read(sample.mask)
        else:
            # Classes without names go by their place in data.classes.
            names = self._listed_names if colors is None else colors.names
            ignored = self.ignore_index if names is None else IGNORE_INDEX
            named = numbered_mask(read_numbers(sample.mask), names or self.classes, ignored)
        check_size(sample, named.values.shape, height, width)
        return named


def _by_stem(paths: Iterable[str], findings: list[Finding]) -> dict[str, str]:
    """Paths by what the lists call them: without the first folder and the ending."""
    found: dict[str, str] = {}
    for path in paths:
        parts = PurePosixPath(path).with_suffix("").parts
        other = found.setdefault("/".join(parts[1:] or parts), path)
        if other != path:
            detail = f"{other} and {path} share a stem; rename or remove one"
            findings.append(Finding("", path, "stem used twice", detail, True))
    return found
