"""How well does a segmenter do on full-size photos with trimaps, at their own size?

    python -m benchmarks.photos ../shared/data/oxford-iiit-pet-sample --out photos

Reads an official layout (images/, annotations/), predicts as `ae-pretrained predict` does, and compares with the
trimaps pixel by pixel at the original size, border left out, from one pooled confusion matrix. Photos that the model
may have been trained on (trainval) and others (test) are told apart; "all" holds also what no list names.
A trimap without any pet pixel is one that nobody drew: its photo counts nowhere, as in the pipeline. A sheet shows
every photo.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from tqdm import tqdm

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.figures.style import DPI, INK, MUTED, WIDTH, class_colors, save_png, styled
from ae_pretrained.files import write_json
from ae_pretrained.metrics.confusion import (
    confusion_per_image,
    iou_per_class,
    majority_classes,
    mean_over_true_classes,
    scores_from_confusion,
)
from ae_pretrained.prediction.input_files import read_input_image
from ae_pretrained.prediction.overlays import tint_image
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.sources.base import Sample
from ae_pretrained.sources.mask_reader import read_mask
from ae_pretrained.sources.oxford import OxfordSource

_ACROSS, _SHOWN = 6, 300  # photos a row; longer side of a photo on the sheet, px
_WRONG = "#B3261E"


@dataclass(frozen=True)
class Scored:
    """A photo and its (C, C) confusion matrix; ``image`` is what the sheet shows of it."""

    name: str
    split: str
    confusion: np.ndarray
    image: np.ndarray

    @property
    def iou(self) -> float:
        """Mean over the classes that the truth shows."""
        return float(mean_over_true_classes(iou_per_class(self.confusion), self.confusion))

    @property
    def drawn(self) -> bool:
        """Whether the truth shows a pet."""
        return bool(self.confusion[1:].any())

    def species(self) -> tuple[int, int]:
        """True and predicted class; -1 for none."""
        truth, predicted = majority_classes(self.confusion[None])
        return int(truth[0]), int(predicted[0])


def _records(source: OxfordSource) -> list[Sample]:
    """The listed pairs, and the photos with a trimap that no list names; cats have a capital in this data set."""
    listing = source.listing()
    records = list(listing.samples)
    for finding in listing.findings:
        image = source.root / "images" / finding.name
        mask = source.root / "annotations" / "trimaps" / f"{image.stem}.png"
        if image.suffix == ".jpg" and mask.is_file():
            species = "cat" if image.stem[0].isupper() else "dog"
            records.append(Sample(image.stem, image, mask, "unlabelled", species))
    return sorted(records, key=lambda record: record.name)


def score(root: Path, segmenter: Segmenter, flip_averaging: bool) -> list[Scored]:
    """Predict every pair, one at a time."""
    source = OxfordSource(root, list(segmenter.classes))
    scored = []
    for record in tqdm(_records(source), disable=None):
        assert record.mask is not None
        photo = read_input_image(record.image, record.name)
        truth = source.class_mask(read_mask(record.mask), record)
        mask = segmenter.predict([photo], flip_averaging=flip_averaging)[0].mask
        counts = confusion_per_image(
            torch.from_numpy(mask)[None], torch.from_numpy(truth)[None], len(segmenter.classes)
        )
        image = _small(photo, mask, truth, len(segmenter.classes))
        scored.append(Scored(record.name, record.split, counts[0].numpy(), image))
    return scored


def _small(photo: np.ndarray, mask: np.ndarray, truth: np.ndarray, num_classes: int) -> np.ndarray:
    """The photo with the prediction tinted and the truth outlined, shrunk for the sheet."""
    scale = _SHOWN / max(mask.shape)
    size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    tinted = tint_image(small, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), num_classes)
    pet = cv2.resize((truth > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
    outlines, _ = cv2.findContours(pet, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tinted, outlines, -1, (255, 255, 255), 1)
    return tinted


@styled
def sheet(scored: list[Scored], classes: tuple[str, ...], note: str) -> Figure:
    """Every photo, worst first, with its name, predicted species and mean IoU."""
    cell, caption, above, below = WIDTH / _ACROSS, 0.36, 0.62, 0.4
    rows = -(-len(scored) // _ACROSS)
    height = above + rows * (cell + caption) + below
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    figure.text(
        0.012, 1 - 0.22 / height, "Photos at their own size", fontsize=12.5, fontweight="bold", va="center"
    )
    figure.text(0.012, 1 - 0.46 / height, note, fontsize=9, color=MUTED, va="center")
    for place, item in enumerate(sorted(scored, key=lambda item: item.iou if item.drawn else 2)):
        row, column = divmod(place, _ACROSS)
        top = above + row * (cell + caption)
        box = (
            column / _ACROSS + 0.005,
            1 - (top + caption + cell) / height,
            1 / _ACROSS - 0.01,
            cell / height,
        )
        axes = figure.add_axes(box)
        axes.imshow(item.image)
        axes.set_anchor("N")
        axes.set_axis_off()
        truth, predicted = item.species()
        said = classes[predicted] if predicted > 0 else "nothing"
        x = column / _ACROSS + 0.006
        figure.text(x, 1 - (top + 0.11) / height, item.name, fontsize=7, color=MUTED, va="center")
        wrong = item.drawn and truth != predicted
        number = f"{item.iou:.2f}" if item.drawn else "no trimap"
        figure.text(
            x,
            1 - (top + 0.25) / height,
            f"{number}  {said}{' (wrong)' if wrong else ''}",
            fontsize=8,
            color=_WRONG if wrong else INK,
            va="center",
        )
    handles = [
        Patch(facecolor=color, label=f"predicted {name}")
        for name, color in zip(classes[1:], class_colors(len(classes))[1:], strict=True)
    ]
    handles.append(Patch(facecolor="white", edgecolor=MUTED, label="true outline (with the border)"))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles))
    return figure


def figures(scored: list[Scored], classes: tuple[str, ...]) -> dict[str, Any]:
    """Scores over some photos."""
    pooled = np.sum([item.confusion for item in scored], axis=0)
    right = [truth == predicted for truth, predicted in (item.species() for item in scored)]
    scores = scores_from_confusion(pooled, list(classes))
    return {
        "photos": len(scored),
        "mean_iou": scores["mean_iou"],
        "iou": {name: scores[name]["iou"] for name in classes if name not in scores["absent_classes"]},
        "pixel_accuracy": scores["pixel_accuracy"],
        "species_right": sum(right),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="an unpacked official layout")
    parser.add_argument("--model", type=Path, help="default: the one that comes with the package")
    parser.add_argument(
        "--out", type=Path, default=Path("photos"), help="photos.json and photos.png go there"
    )
    parser.add_argument("--no-flip", action="store_true")
    given = parser.parse_args()
    segmenter = Segmenter.load(given.model)
    scored = score(given.root, segmenter, not given.no_flip)
    drawn = [item for item in scored if item.drawn]
    groups = {"all": drawn} | {
        split: part for split in ("trainval", "test") if (part := [i for i in drawn if i.split == split])
    }
    result = {name: figures(part, segmenter.classes) for name, part in groups.items()}
    print(
        f"{'split':<10}{'photos':>7}{'mean IoU':>10}" + "".join(f"{name:>12}" for name in segmenter.classes)
    )
    for name, values in result.items():
        each = "".join(f"{values['iou'].get(c, float('nan')):12.3f}" for c in segmenter.classes)
        right = f"species right: {values['species_right']}"
        print(f"{name:<10}{values['photos']:>7}{values['mean_iou']:>10.3f}{each}   {right}")
    write_json(given.out / "photos.json", {"ignored_value": IGNORE_INDEX, **result})
    note = (
        f"{len(drawn)} photos with a trimap, {segmenter.image_size} px model, mean IoU "
        f"{result['all']['mean_iou']:.3f} pooled; worst first, number: mean IoU of the photo"
    )
    save_png(sheet(scored, segmenter.classes, note), given.out / "photos.png")


if __name__ == "__main__":
    main()
