from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.formats.detection import detect_format, open_export
from ae_pretrained.sources.oxford import OxfordSource
from tests.sources.formats.drawn_images import Labelled, drawn
from tests.sources.formats.exports import MASK_EXPORTS

CAMVID = [
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
]
CAMVID_VOID = 11


def wrong_pixels(root: Path, drawings: list[Labelled], names: list[str]) -> int:
    """Pixels of the masks read back that differ, through detection, listing and a pickled source and sample."""
    source = open_export(detect_format(root), root)
    # Formats whose background is what no shape covers call it so.
    told = [source.classes[0], *names[1:]]
    if all(name.startswith("class_") for name in source.classes[1:]):
        told = source.classes
        assert len(told) == len(names)
    assert sorted(told) == sorted(source.classes)
    listing = source.listing()
    assert not listing.findings
    by_name = {drawing.name: drawing for drawing in drawings}
    assert len(listing.samples) == len(drawings)
    wrong = 0
    for sample in listing.samples:
        drawing = by_name.pop(Path(sample.name).name.partition("_jpg.rf.")[0])
        assert sample.split == drawing.split
        worker, sample = pickle.loads(pickle.dumps((source, sample)))
        mask = worker.mask_of(sample, *drawing.mask.shape)
        assert mask.dtype == np.uint8
        table = np.full(256, IGNORE_INDEX)
        table[: len(told)] = [source.classes.index(name) for name in told]
        wrong += int((mask != table[drawing.mask]).sum())
    return wrong


@pytest.mark.parametrize("export", MASK_EXPORTS)
def test_masks_come_back_pixel_by_pixel_with_names_and_splits(export: str, tmp_path: Path) -> None:
    names, drawings = ["background", "leaf", "red flower"], drawn()
    kind, write = MASK_EXPORTS[export]
    write(tmp_path, drawings, names)
    assert detect_format(tmp_path) == kind
    assert wrong_pixels(tmp_path, drawings, names) == 0


@pytest.mark.parametrize("export", MASK_EXPORTS)
def test_road_scenes_come_back_pixel_by_pixel(export: str, tmp_path: Path, camvid: Path) -> None:
    drawings = []
    for split in ("train", "val", "test"):
        for name in (camvid / f"{split}.txt").read_text().split()[:2]:
            mask = np.asarray(Image.open(camvid / "masks" / f"{Path(name).stem}.png")).copy()
            mask[mask == CAMVID_VOID] = IGNORE_INDEX
            image = np.asarray(Image.open(camvid / "images" / f"{Path(name).stem}.jpg"))
            drawings.append(Labelled(Path(name).stem, split, image, mask))
    MASK_EXPORTS[export][1](tmp_path, drawings, CAMVID)
    assert wrong_pixels(tmp_path, drawings, CAMVID) == 0


@pytest.mark.parametrize("export", MASK_EXPORTS)
def test_pets_come_back_pixel_by_pixel(export: str, tmp_path: Path, oxford_sample: Path) -> None:
    names = ["background", "cat", "dog"]
    source = OxfordSource(oxford_sample, names)
    drawings, seen = [], Counter[str]()
    for sample in source.listing().samples:
        # Two of each species and split.
        key = f"{sample.class_name} {sample.split}"
        seen[key] += 1
        if seen[key] > 2:
            continue
        assert sample.mask is not None
        mask = source.class_mask(np.asarray(Image.open(sample.mask)), sample)
        image = np.asarray(Image.open(sample.image).convert("RGB"))
        split = "test" if sample.split == "test" else "train" if seen[key] == 1 else "val"
        drawings.append(Labelled(sample.name, split, image, mask))
    assert len(drawings) == 8
    MASK_EXPORTS[export][1](tmp_path, drawings, names)
    assert wrong_pixels(tmp_path, drawings, names) == 0
