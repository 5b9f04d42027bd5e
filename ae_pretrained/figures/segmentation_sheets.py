"""Sheets about segmentation: side by side, error maps, confidence, Grad-CAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ae_pretrained.figures.image_grids import (
    ColorScale,
    ImageRow,
    color_mask,
    color_scalar,
    grey,
    image_sheet,
    overlay_mask,
)
from ae_pretrained.figures.style import IGNORE_COLOR, class_colors, hex_to_rgb

MOST_CLASSES_SHOWN = 5  # columns of a sheet; more would be too small to read
_TILES_ACROSS = 4
_ERROR_COLORS = {
    "right": "#009E73",
    "missed": "#D55E00",
    "false": "#CC79A7",
    "wrong": "#F0E442",
    "ignored": IGNORE_COLOR,
}


@dataclass(frozen=True)
class SegmentedImage:
    """An image with its truth and prediction.

    Attributes:
        caption: name and scores.
        image: (H, W, 3) uint8.
        truth: (H, W) uint8 classes, 255 ignored.
        prediction: (H, W) classes.
        probabilities: (C, H, W) in [0, 1].
    """

    caption: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    probabilities: np.ndarray


def foreground_noun(classes: Sequence[str]) -> str:
    """What to call a foreground region: a pet, or an object in other data."""
    return "pet" if set(classes[1:]) <= {"cat", "dog"} else "object"


def _class_legend(classes: Sequence[str]) -> list[tuple[str, str]]:
    legend = list(zip(classes, class_colors(len(classes)), strict=True))
    return [*legend, ("ignored", IGNORE_COLOR)]


def side_by_side(title: str, images: Sequence[SegmentedImage], classes: Sequence[str]) -> Figure:
    """Image, truth, prediction and overlay of each image."""
    count = len(classes)
    rows = [
        ImageRow(
            item.caption,
            [
                item.image,
                color_mask(item.truth, count),
                color_mask(item.prediction, count),
                overlay_mask(item.image, item.prediction, count),
            ],
        )
        for item in images
    ]
    return image_sheet(
        title, rows, ("Image", "Truth", "Prediction", "Overlay"), legend=_class_legend(classes)
    )


def error_map(item: SegmentedImage) -> np.ndarray:
    """Colour every pixel by the kind of its error; correct background shows the image in light grey."""
    truth, prediction = item.truth, item.prediction
    canvas = (grey(item.image) * 0.35 + 165).astype(np.uint8)  # light: ignored pixels are dark grey
    there, found, counted = (truth > 0) & (truth != 255), prediction > 0, truth != 255
    kinds = {
        "right": there & (truth == prediction),
        "missed": there & ~found,
        "false": counted & ~there & found,
        "wrong": there & found & (truth != prediction),
        "ignored": ~counted,
    }
    for kind, pixels in kinds.items():
        color = hex_to_rgb([_ERROR_COLORS[kind]])[0]
        canvas[pixels] = (0.25 * canvas[pixels] + 0.75 * color).astype(np.uint8)
    return canvas


def error_maps(groups: Sequence[tuple[str, Sequence[SegmentedImage]]], classes: Sequence[str]) -> Figure:
    """Error maps of groups of images (name of the group, its images), four in a line."""
    noun = foreground_noun(classes)
    rows = []
    for name, images in groups:
        for start in range(0, len(images), _TILES_ACROSS):
            line = images[start : start + _TILES_ACROSS]
            caption = name if start == 0 else f"{name}, continued"
            rows.append(ImageRow(caption, [error_map(item) for item in line]))
    labels = [f"right {noun}", f"missed {noun}", f"false {noun}", "wrong class", "ignored"]
    return image_sheet(
        "Error maps",
        rows,
        legend=list(zip(labels, _ERROR_COLORS.values(), strict=True)),
        note="Where the background is correct, the image is shown in grey.",
    )


def shown_classes(images: Sequence[SegmentedImage], num_classes: int) -> list[int]:
    """The classes that get a column: all, or those of the highest mean probability if there are many."""
    if num_classes <= MOST_CLASSES_SHOWN:
        return list(range(num_classes))
    mean = np.mean([item.probabilities.mean(axis=(1, 2)) for item in images], axis=0)
    return sorted(np.argsort(-mean, kind="stable")[:MOST_CLASSES_SHOWN].tolist())


def confidence_maps(images: Sequence[SegmentedImage], classes: Sequence[str]) -> Figure:
    """Probability of every class and the largest of them, next to the image."""
    scale = ColorScale("viridis", 0.0, 1.0, "probability")
    shown = shown_classes(images, len(classes))
    rows = [
        ImageRow(
            item.caption,
            [
                item.image,
                *(color_scalar(item.probabilities[place], scale) for place in shown),
                color_scalar(item.probabilities.max(axis=0), scale),
            ],
        )
        for item in images
    ]
    headings = ["Image", *(classes[place] for place in shown), "highest"]
    return image_sheet("Confidence: probability by pixel", rows, headings, scale=scale)


def grad_cam_sheet(
    images: Sequence[SegmentedImage], maps: np.ndarray, classes: Sequence[str], layer: str
) -> Figure:
    """Grad-CAM of one layer for every class, laid over the image in grey.

    Args:
        images: n images.
        maps: (n, C, H, W) in [0, 1].
        layer: what the layer is called in the title.
    """
    scale = ColorScale("inferno", 0.0, 1.0, "evidence for the class, relative to its peak in the image")
    shown = shown_classes(images, len(classes))
    rows = []
    for item, heat in zip(images, maps, strict=True):
        overlays = [
            (0.35 * grey(item.image) + 0.65 * color_scalar(heat[place], scale)).round().astype(np.uint8)
            for place in shown
        ]
        rows.append(ImageRow(item.caption, [item.image, *overlays]))
    return image_sheet(
        f"Grad-CAM on {layer}", rows, ["Image", *(classes[place] for place in shown)], scale=scale
    )
