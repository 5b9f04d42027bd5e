"""Exports whose masks are image files, as the tools write them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from tests.sources.formats.drawn_images import VOID, Labelled, save_image, save_png


def voc_palette() -> list[int]:
    """The palette of Pascal VOC: the bits of the number, three at a time, are the highest bits of r, g and b."""
    palette = []
    for number in range(256):
        color = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                color[channel] |= (number >> (3 * bit + channel) & 1) << (7 - bit)
        palette += color
    return palette


def colors_of(names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """A colour for each class, as VOC would give them, and one for ignored pixels."""
    palette = voc_palette()
    found = {name: tuple(palette[3 * number : 3 * number + 3]) for number, name in enumerate(names)}
    return {**found, VOID: (224, 224, 192)}  # type: ignore[dict-item]


def colored(mask: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """A class mask in colour, (H, W, 3)."""
    table = np.zeros((256, 3), dtype=np.uint8)
    colors = list(colors_of(names).values())
    table[: len(names)], table[IGNORE_INDEX] = colors[:-1], colors[-1]
    return table[mask]


def write_voc(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As labelme2voc: palette masks, whose numbers ``class_names.txt`` names; with lists as VOC has them."""
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": [], "trainval": []}
    for drawing in drawings:
        save_image(drawing, root / "JPEGImages" / f"{drawing.name}.jpg")
        save_png(drawing.mask, root / "SegmentationClass" / f"{drawing.name}.png", voc_palette())
        lists[drawing.split].append(drawing.name)
        if drawing.split != "test":
            lists["trainval"].append(drawing.name)
    (root / "class_names.txt").write_text("\n".join(["_background_", *names[1:]]))
    write_lists(root, lists)


def write_lists(root: Path, lists: dict[str, list[str]]) -> None:
    """``ImageSets/Segmentation``."""
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True, exist_ok=True)
    for name, stems in lists.items():
        (folder / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems))


def write_cvat_masks(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As CVAT "Segmentation mask 1.1": masks in colour and ``labelmap.txt``."""
    lists: dict[str, list[str]] = {"Train": [], "Validation": [], "Test": []}
    for drawing in drawings:
        save_image(drawing, root / "JPEGImages" / f"{drawing.name}.jpg")
        for folder in ("SegmentationClass", "SegmentationObject"):
            save_png(colored(drawing.mask, names), root / folder / f"{drawing.name}.png")
        lists[{"train": "Train", "val": "Validation", "test": "Test"}[drawing.split]].append(drawing.name)
    write_lists(root, lists)
    lines = [f"{name}:{r},{g},{b}::" for name, (r, g, b) in colors_of(names).items()]
    (root / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n")


def write_roboflow(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As Roboflow "Semantic Segmentation Masks": all in the folder of the split, with a table of values."""
    for number, drawing in enumerate(drawings):
        folder = root / {"val": "valid"}.get(drawing.split, drawing.split)
        stem = f"{drawing.name}_jpg.rf.{number:032x}"
        save_image(drawing, folder / f"{stem}.jpg")
        save_png(drawing.mask, folder / f"{stem}_mask.png")
        with (folder / "_classes.csv").open("w", newline="") as file:
            rows = [*enumerate(names), (IGNORE_INDEX, VOID)]
            csv.writer(file).writerows(
                [("Pixel Value", " Class"), *((value, f" {name}") for value, name in rows)]
            )


def write_colors(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As CamVid is handed around: ``train/`` with ``train_labels/``, masks called NAME_L.png, ``class_dict.csv``."""
    for drawing in drawings:
        save_image(drawing, root / drawing.split / f"{drawing.name}.jpg")
        save_png(colored(drawing.mask, names), root / f"{drawing.split}_labels" / f"{drawing.name}_L.png")
    lines = [f"{name},{r},{g},{b}" for name, (r, g, b) in colors_of(names).items()]
    (root / "class_dict.csv").write_text("\n".join(["name,r,g,b", *lines]) + "\n")


def write_suffix(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """NAME.jpg and NAME_mask.png in the folder of the split; classes have no names."""
    for drawing in drawings:
        save_image(drawing, root / drawing.split / f"{drawing.name}.jpg")
        save_png(drawing.mask, root / drawing.split / f"{drawing.name}_mask.png")
