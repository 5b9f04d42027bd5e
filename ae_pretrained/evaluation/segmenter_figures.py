"""All images of a segmentation result, written as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.dataset.batches import to_float
from ae_pretrained.evaluation.close_ups import ShownImages, show_images
from ae_pretrained.evaluation.explanations import explained_layers, grad_cam
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.evaluation.segmenter_measures import SegmentationResult
from ae_pretrained.evaluation.segmenter_tables import foreground_share
from ae_pretrained.evaluation.selection import best_median_worst
from ae_pretrained.figures import charts
from ae_pretrained.figures import segmentation_sheets as sheets
from ae_pretrained.figures.style import save_png
from ae_pretrained.metrics import confusion as measures
from ae_pretrained.models.unet import UNet
from ae_pretrained.params.evaluation_params import EvalSegParams

_CLOSE_UPS = 2  # images of each group that get confidence and Grad-CAM rows
_SIXTHS = 6


def write_charts(plots: Path, split: Split, result: SegmentationResult, classes: list[str]) -> None:
    """Charts of the whole split: confusion, classes, calibration, pet size, breeds."""
    pooled = result.pooled
    save_png(charts.confusion_matrix(pooled, classes), plots / "confusion_matrix.png")
    scores = {
        "Dice": measures.dice_per_class(pooled),
        "IoU": measures.iou_per_class(pooled),
        "precision": measures.precision_per_class(pooled),
        "recall": measures.recall_per_class(pooled),
    }
    save_png(charts.class_bars(scores, classes), plots / "class_scores.png")
    save_png(
        charts.class_distribution(pooled.sum(axis=1), pooled.sum(axis=0), classes),
        plots / "class_distribution.png",
    )
    diagram = result.reliability
    save_png(
        charts.reliability_diagram(
            diagram.confidence, diagram.accuracy, diagram.count, diagram.expected_error
        ),
        plots / "reliability.png",
    )
    _write_size_analysis(plots / "score_by_size.png", result, classes)
    _write_breed_analysis(plots / "score_by_breed.png", split, result, classes)


def _write_size_analysis(path: Path, result: SegmentationResult, classes: list[str]) -> None:
    score, share = result.image_iou, foreground_share(result)
    scored = ~np.isnan(score)
    score, share = score[scored], share[scored]
    true_class = measures.majority_classes(result.confusion)[0][scored]
    names = [*classes, ""]
    order = np.argsort(share, kind="stable")
    sixths = [part for part in np.array_split(order, _SIXTHS) if len(part)]
    line = np.array([(share[part].mean(), score[part].mean()) for part in sixths])
    groups = [names[label] for label in true_class]
    noun = sheets.foreground_noun(classes)
    save_png(charts.score_by_size(share, score, groups, line, classes, noun), path)


def _write_breed_analysis(path: Path, split: Split, result: SegmentationResult, classes: list[str]) -> None:
    score = result.image_iou
    breeds, class_names = np.array(split.column("breed")), np.array(split.column("class"))
    known = (breeds != "") & ~np.isnan(score)
    if not known.any():
        return  # data without breeds: there is nothing to tell apart
    names = sorted(set(breeds[known].tolist()))
    members = [known & (breeds == name) for name in names]
    means = np.array([score[chosen].mean() for chosen in members])
    counts = np.array([int(chosen.sum()) for chosen in members])
    kinds = [str(class_names[chosen][0]) for chosen in members]
    save_png(charts.score_by_group(names, means, counts, kinds, classes), path)


def write_sheets(
    plots: Path,
    model: UNet,
    split: Split,
    result: SegmentationResult,
    classes: list[str],
    params: EvalSegParams,
    compute: Compute,
) -> None:
    """Sheets of chosen images, which go through the model a second time: nothing is kept of the first."""
    scores = result.image_iou
    groups = best_median_worst(scores, params.num_examples)
    examples = {
        group.name: _captioned(
            show_images(model, split, group.rows, params, compute), [scores[row] for row in group.rows]
        )
        for group in groups
    }
    for name, items in examples.items():
        title = f"Segmentation: {name} by mean IoU"
        save_png(sheets.side_by_side(title, items, classes), plots / f"segmentation_{name}.png")
    save_png(sheets.error_maps(list(examples.items()), classes), plots / "error_maps.png")
    close_ups = [
        replace(item, caption=f"{name}: {item.caption}")
        for name, items in examples.items()
        for item in items[:_CLOSE_UPS]
    ]
    save_png(sheets.confidence_maps(close_ups, classes), plots / "confidence.png")
    pixels = torch.from_numpy(np.stack([item.image for item in close_ups])).to(compute.device)
    images = to_float(pixels.permute(0, 3, 1, 2)).contiguous()
    for title, layer in explained_layers(model).items():
        heat = grad_cam(model, layer, images, len(classes), compute)
        sheet = sheets.grad_cam_sheet(close_ups, heat, classes, f"the {title}")
        save_png(sheet, plots / f"grad_cam_{title.replace(' ', '_')}.png")


def _captioned(shown: ShownImages, scores: Sequence[float]) -> list[sheets.SegmentedImage]:
    return [
        sheets.SegmentedImage(
            caption=f"{name}, mean IoU {score:.2f}",
            image=shown.images[place],
            truth=shown.masks[place],
            prediction=shown.probabilities[place].argmax(axis=0).astype(np.uint8),
            probabilities=shown.probabilities[place],
        )
        for place, (name, score) in enumerate(zip(shown.names, scores, strict=True))
    ]
