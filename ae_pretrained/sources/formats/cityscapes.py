"""Cityscapes and what is laid out like it: ``leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png`` with
``gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png``.

Classes go by the official table (Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding",
CVPR 2016; ``cityscapesscripts/helpers/labels.py``). Those that its evaluation leaves out are unlabelled unless
``data.classes`` names them. The coarse outlines of ``gtCoarse/`` count where an image has no fine ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.mask_pixels import find_numbers, read_numbers
from ae_pretrained.sources.formats.named_mask import NamedMask
from ae_pretrained.sources.formats.pairing import SEVERAL_MASKS, mask_without_image
from ae_pretrained.sources.mask_values import check_size

# Names by number; LEFT_OUT are those that the official evaluation leaves out.
# fmt: off
NAMES = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
    "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
    "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
    "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)
LEFT_OUT = frozenset({
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "parking",
    "rail track", "guard rail", "bridge", "tunnel", "polegroup", "caravan", "trailer",
})
# fmt: on
_LICENSE_PLATE = 255  # number −1 of the table
_VOID = "void"
_IMAGE = re.compile(r"(.+)_(?:leftImg8bit|rgb_anon)")
_MASK = re.compile(r"(.+)_gt(Fine|Coarse)?_labelIds")
_ENDING = "_labelIds.png"


class CityscapesSource(ExportSource):
    """Images and masks of numbers whose names are known."""

    title = "Cityscapes"
    expects = "leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png and gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png"
    paints_on_background = False

    @classmethod
    def find(cls, root: Path) -> str | None:
        # Some have no cities, and some a folder for each kind of weather.
        patterns = (f"gt*/{'*/' * depth}*{_ENDING}" for depth in (2, 1, 3))
        found = next((path for pattern in patterns for path in root.glob(pattern)), None)
        return None if found is None else found.relative_to(root).as_posix()

    def export_names(self) -> Iterable[str]:
        masks = [sample.mask for sample in self.listing().samples if sample.mask is not None]
        return _classes(find_numbers(masks))

    def read_listing(self) -> Listing:
        index = FileIndex(self.root)
        images: dict[str, str] = {}
        masks: dict[str, list[str]] = {}
        findings: list[Finding] = []
        for path in index.images():
            stem = PurePosixPath(path).stem
            if mask := _MASK.fullmatch(stem):
                masks.setdefault(mask[1], []).append(path)
            elif found := _IMAGE.fullmatch(stem):
                first = images.setdefault(found[1], path)
                if first != path:
                    detail = f"{self.root}: {first} and {path} are images of one name; remove one"
                    findings.append(Finding("", path, "stem used twice", detail, True))
        best: dict[str, str] = {}
        for name, paths in masks.items():
            best[name], *others = sorted(paths, key=_is_coarse)
            if name not in images:
                findings.append(mask_without_image(self.root, paths[0]))
            elif others and _is_coarse(others[0]) == _is_coarse(best[name]):
                detail = f"{self.root}: {best[name]} and {others[0]} are masks of one image; remove one"
                findings.append(Finding("", others[0], SEVERAL_MASKS, detail, True))
        withheld = _withheld(index, best)
        entries = []
        for name, image in images.items():
            has_mask = name in best and name not in withheld
            mask_file = index.files[best[name]] if has_mask else None
            entries.append(Entry(image, mask_file, split_of_folder(image)))
        no_images = {path for paths in masks.values() for path in paths}
        return self.make_listing(index, entries, findings, no_images)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        values = read_numbers(sample.mask)
        check_size(sample, values.shape, height, width)
        names = [f"value {number}" for number in range(256)]
        names[: len(NAMES)] = [
            _VOID if name in LEFT_OUT and name not in self.classes else name for name in NAMES
        ]
        names[_LICENSE_PLATE] = _VOID
        return NamedMask(values, names)


def _withheld(index: FileIndex, masks: dict[str, str]) -> set[str]:
    """Test images whose mask shows no class: the official masks are not published, dummies lie in their place."""

    def shows_none(name: str) -> bool:
        try:
            return not _classes(np.unique(read_numbers(index.files[masks[name]])).tolist())
        except DataError:  # a broken file, which is said where it is read
            return False

    test = [name for name, path in masks.items() if split_of_folder(path) == "test"]
    with ThreadPoolExecutor() as pool:
        return {name for name, withheld in zip(test, pool.map(shows_none, test), strict=True) if withheld}


def _classes(numbers: Iterable[int]) -> list[str]:
    """The names of those numbers that the official evaluation counts."""
    return [NAMES[number] for number in numbers if number < len(NAMES) and NAMES[number] not in LEFT_OUT]


def _is_coarse(path: str) -> bool:
    match = _MASK.fullmatch(PurePosixPath(path).stem)
    return match is not None and match[2] == "Coarse"
