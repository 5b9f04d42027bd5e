"""How a segmenter bears distorted images: mean IoU and Dice by distortion and strength."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.distortions import DISTORTIONS, distort_batch
from ae_pretrained.evaluation.inference import (
    Compute,
    batches,
    class_probabilities,
    load_masks,
    tiles_of,
)
from ae_pretrained.evaluation.segmenter_measures import check_outputs, check_segmenter
from ae_pretrained.evaluation.selection import spread
from ae_pretrained.figures.curves import RobustnessCurve, robustness_curves
from ae_pretrained.figures.style import save_png
from ae_pretrained.files import write_metrics, write_table
from ae_pretrained.metrics.confusion import (
    confusion_per_image,
    dice_per_class,
    iou_per_class,
    mean_over_present,
)
from ae_pretrained.models.memory_layout import place
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo
from ae_pretrained.params.evaluation_params import RobustnessParams

CLEAN = "none"


def evaluate_robustness(
    model: UNet,
    processed: Path,
    classes: list[str],
    params: RobustnessParams,
    seed: int,
    metrics_file: Path,
    table: Path,
    plots: Path,
    *,
    compute: Compute | None = None,
    trained: SegmenterInfo | None = None,
) -> None:
    """Evaluate a segmenter on distorted test images, or on windows of images that are kept whole.

    Writes ``metrics_file`` with ``mean_iou_clean`` and ``mean_dice_clean`` over the images used,
    ``mean_iou`` and ``mean_dice`` (mean over distortions of the mean over strengths) and the same per
    distortion; ``table`` with columns corruption, strength, level (1 is the mildest), mean_iou, mean_dice,
    whose first row is the clean score (corruption ``none``, level 0); and the curves into ``plots``. A
    distortion whose list of strengths is empty is left out.

    Args:
        params: section ``robustness``.
        seed: of the distortions.
        compute, trained: as for ``evaluate_segmenter``.

    Raises:
        PipelineError: when model and data do not fit, no strength is given, or nothing is labelled.
    """
    compute = compute or Compute()
    whole = open_split(processed, "test")
    check_segmenter(whole, classes, trained)
    if whole.is_packed and trained is None:
        raise ValueError(
            "images that are kept whole need the size of the crops that the model was trained on"
        )
    split, batch_size = tiles_of(whole, trained.image_size if trained else 0, params.batch_size)
    params = params.model_copy(update={"batch_size": batch_size})
    rows = spread(len(split), params.max_images)
    strengths: dict[str, list[float]] = {name: list(getattr(params, name)) for name in DISTORTIONS}
    strengths = {name: values for name, values in strengths.items() if values}
    if not strengths:
        raise PipelineError(
            "robustness: every list of strengths is empty; give at least one corruption a strength"
        )
    place(model, compute.device)
    passes = 1 + sum(len(values) for values in strengths.values())
    lines: list[tuple[str, float, int, float, float]] = []
    with tqdm(total=passes * len(rows), desc="robustness", unit="image", disable=None) as bar:

        def score(name: str, strength: float, level: int) -> None:
            pooled = _pooled_confusion(
                model,
                split,
                rows,
                (name, strength),
                seed,
                len(classes),
                params,
                compute,
                bar,
            )
            iou, dice = mean_over_present(iou_per_class(pooled)), mean_over_present(dice_per_class(pooled))
            lines.append((name, strength, level, float(iou), float(dice)))

        score(CLEAN, 0.0, 0)
        for name, values in strengths.items():
            for level, strength in enumerate(values, start=1):
                score(name, float(strength), level)
    write_table(table, ("corruption", "strength", "level", "mean_iou", "mean_dice"), lines)
    write_metrics(metrics_file, _summarise(lines, len(rows)))
    curves = [
        RobustnessCurve(
            name.replace("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian"),
            DISTORTIONS[name].unit,
            DISTORTIONS[name].neutral,
            [(strength, iou) for other, strength, _, iou, _ in lines if other == name],
        )
        for name in strengths
    ]
    save_png(robustness_curves(curves, lines[0][3]), plots / "robustness.png")


@torch.inference_mode()
def _pooled_confusion(
    model: nn.Module,
    split: Split,
    rows: np.ndarray,
    distortion: tuple[str, float],
    seed: int,
    num_classes: int,
    params: RobustnessParams,
    compute: Compute,
    bar: tqdm,
) -> np.ndarray:
    name, strength = distortion
    pooled = np.zeros((num_classes, num_classes), dtype=np.int64)
    for chosen in batches(rows, params.batch_size):
        pixels = np.ascontiguousarray(split.images[chosen])
        values = (
            pixels.astype(np.float32) / 255
            if name == CLEAN
            else distort_batch(pixels, chosen, name, strength, seed)
        )
        images = torch.from_numpy(values).to(compute.device).permute(0, 3, 1, 2).contiguous()
        probabilities = class_probabilities(model, images, params.flip_averaging, compute)
        check_outputs(probabilities.shape[1], num_classes)
        truth = load_masks(split, chosen, compute.device)
        counts = confusion_per_image(probabilities.argmax(dim=1), truth, num_classes)
        pooled += counts.sum(dim=0).cpu().numpy()
        bar.update(len(chosen))
    if not pooled.any():
        raise PipelineError(
            "no pixel of the test masks is labelled (all are 255), so nothing can be measured"
        )
    return pooled


def _summarise(lines: list[tuple[str, float, int, float, float]], num_images: int) -> dict[str, Any]:
    names = list(dict.fromkeys(line[0] for line in lines[1:]))
    per_corruption = {
        name: {
            "mean_iou": float(np.mean([line[3] for line in lines if line[0] == name])),
            "mean_dice": float(np.mean([line[4] for line in lines if line[0] == name])),
        }
        for name in names
    }
    return {
        "mean_iou_clean": lines[0][3],
        "mean_dice_clean": lines[0][4],
        "mean_iou": float(np.mean([scores["mean_iou"] for scores in per_corruption.values()])),
        "mean_dice": float(np.mean([scores["mean_dice"] for scores in per_corruption.values()])),
        "num_images": num_images,
        "per_corruption": per_corruption,
    }
