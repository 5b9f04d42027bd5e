"""A segmenter measured on a whole split, streamed; and the figures that follow from the counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import Split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import (
    Compute,
    batches,
    class_probabilities,
    load_images,
    load_masks,
    network_logits,
)
from ae_pretrained.metrics import confusion as measures
from ae_pretrained.metrics.boundary import boundary_counts, boundary_iou
from ae_pretrained.metrics.calibration import CalibrationHistogram, Reliability
from ae_pretrained.metrics.intervals import mean_iou_interval
from ae_pretrained.models.memory_layout import place
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo
from ae_pretrained.params.evaluation_params import EvalSegParams
from ae_pretrained.windows.class_maps import class_map
from ae_pretrained.windows.logits import probabilities_of
from ae_pretrained.windows.sliding import slide


@dataclass(frozen=True)
class SegmentationResult:
    """What is kept of a split: a few numbers an image.

    Attributes:
        confusion: (N, C, C) int64 pixel counts per image, truth in rows.
        boundary: (2, C) int64 intersections and unions of the boundary regions, pooled.
        reliability: the reliability diagram over all labelled pixels.
    """

    confusion: np.ndarray
    boundary: np.ndarray
    reliability: Reliability

    @property
    def pooled(self) -> np.ndarray:
        """(C, C) counts over the split."""
        return self.confusion.sum(axis=0)

    @property
    def image_iou(self) -> np.ndarray:
        """(N,) mean IoU of each image over the classes that its truth shows; NaN if unlabelled."""
        return measures.mean_over_true_classes(measures.iou_per_class(self.confusion), self.confusion)


def check_segmenter(split: Split, classes: list[str], trained: SegmenterInfo | None) -> None:
    """Compare what a segmenter was trained for with the data it is to be measured on.

    Args:
        split: the images.
        classes: ``data.classes``.
        trained: what the model file states, if known.

    Raises:
        PipelineError: naming what differs and what to do.
    """
    if trained is None:
        return
    if list(trained.classes) != list(classes):
        raise PipelineError(
            f"the segmenter was trained for the classes {list(trained.classes)}, data.classes is {list(classes)}; "
            "train it again for these data, or restore the params it was trained with"
        )
    if (trained.resize == "crop") != split.is_packed:
        prepared = "whole" if split.is_packed else "as squares"
        raise PipelineError(
            f"the segmenter was trained with data.resize {trained.resize!r}, the images are prepared {prepared}; "
            "train it again, or restore that parameter"
        )
    if not split.is_packed and trained.image_size != split.images.shape[1]:
        raise PipelineError(
            f"the segmenter was trained on images of {trained.image_size} px, the prepared ones have "
            f"{split.images.shape[1]} px (data.image_size); train it again, or restore that size"
        )


@torch.inference_mode()
def measure_segmenter(
    model: nn.Module,
    split: Split,
    num_classes: int,
    params: EvalSegParams,
    compute: Compute,
) -> SegmentationResult:
    """Run a segmenter over a labelled split, one batch in memory at a time.

    Images that are kept whole are predicted as ``predict`` does it, window by window, and counted whole.

    Raises:
        PipelineError: when the model has another number of classes, or no pixel of the split is labelled.
    """
    place(model, compute.device)
    # Made at full length, as in measure_autoencoder.
    confusion = np.empty((len(split), num_classes, num_classes), dtype=np.int64)
    boundary = np.zeros((2, num_classes), dtype=np.int64)
    histogram = CalibrationHistogram(params.calibration_bins)
    predicted = (_windowed if split.is_packed else _batched)(model, split, num_classes, params, compute)
    with tqdm(total=len(split), desc="segmentation", unit="image", disable=None) as bar:
        for chosen, prediction, confidence, truth in predicted:
            counts = measures.confusion_per_image(prediction, truth, num_classes)
            confusion[chosen] = counts.cpu().numpy()
            boundary += boundary_counts(prediction, truth, num_classes, params.boundary_width).cpu().numpy()
            labelled = truth != IGNORE_INDEX
            histogram.update(confidence[labelled], prediction[labelled] == truth[labelled])
            bar.update(len(chosen))
    result = SegmentationResult(confusion, boundary, histogram.result())
    if not result.confusion.any():
        raise PipelineError(
            "no pixel of the test masks is labelled (all are 255), so nothing can be measured; "
            "check data.ignore_index and the masks"
        )
    return result


_Predicted = Iterator[tuple[np.ndarray, Tensor, Tensor, Tensor]]
"""Positions of some images; class ids, probabilities of these, and true masks, each (n, H, W)."""


def _batched(
    model: nn.Module, split: Split, num_classes: int, params: EvalSegParams, compute: Compute
) -> _Predicted:
    for chosen in batches(np.arange(len(split)), params.batch_size):
        truth = load_masks(split, chosen, compute.device)
        images = load_images(split, chosen, compute.device)
        probabilities = class_probabilities(model, images, params.flip_averaging, compute)
        check_outputs(probabilities.shape[1], num_classes)
        confidence, prediction = probabilities.max(dim=1)
        yield chosen, prediction, confidence, truth


def _windowed(
    model: nn.Module, split: Split, num_classes: int, params: EvalSegParams, compute: Compute
) -> _Predicted:
    assert isinstance(model, UNet)
    check_outputs(model.num_classes, num_classes)
    probabilities = probabilities_of(network_logits(model, compute), flip_averaging=params.flip_averaging)
    for row in range(len(split)):
        image = split.images[row]
        bands = slide(
            probabilities,
            image,
            window=params.window,
            overlap=params.overlap,
            stride=model.encoder.strides[-1],
            batch_size=params.batch_size,
        )
        mask, confidence = class_map(bands, *image.shape[:2])
        truth = np.array(split.masks[row])
        found, sure, true = (torch.from_numpy(values)[None] for values in (mask, confidence, truth))
        yield np.array([row]), found.long(), sure, true


def check_outputs(found: int, expected: int) -> None:
    """Raise PipelineError when a model gives another number of classes than the data have."""
    if found != expected:
        raise PipelineError(
            f"the segmenter gives {found} classes, data.classes names {expected}; "
            "it was trained for other data: train it again"
        )


def summarise(
    result: SegmentationResult, classes: list[str], params: EvalSegParams, seed: int
) -> dict[str, Any]:
    """The figures of ``metrics/eval_seg.json``.

    A class that neither truth nor prediction shows on the whole split is listed under ``absent_classes``, has
    no entry of its own and is left out of the means; ``mean_foreground_dice`` and ``image_class_accuracy`` are
    missing where no foreground is left to score. ``image_class_accuracy`` is over the images whose truth
    shows foreground: right when most predicted foreground pixels are of the class that covers most of the truth,
    wrong when none is predicted. ``mean_image_dice`` is the mean over images of the mean Dice over the
    classes that an image's truth shows.
    """
    pooled = result.pooled
    scores = measures.scores_from_confusion(pooled, classes)
    absent = scores["absent_classes"]
    if set(classes[1:]) <= set(absent):
        del scores["mean_foreground_dice"]
    by_class = {name: scores.pop(name) for name in classes}
    truth, predicted = measures.majority_classes(result.confusion)
    shows = truth >= 0
    background = measures.iou_per_class(measures.all_background(pooled))
    metrics = {
        **scores,
        "mean_iou_ci95": mean_iou_interval(result.confusion, params.bootstrap_samples, seed),
        "mean_iou_all_background": measures.mean_over_present(background),
        "boundary_iou": measures.mean_over_present(boundary_iou(result.boundary)),
        "mean_image_dice": np.nanmean(
            measures.mean_over_true_classes(measures.dice_per_class(result.confusion), result.confusion)
        ),
        "expected_calibration_error": result.reliability.expected_error,
        "num_images": len(result.confusion),
        "num_images_with_foreground": int(shows.sum()),
        "flip_averaging": params.flip_averaging,
    }
    if shows.any():
        metrics["image_class_accuracy"] = np.mean(predicted[shows] == truth[shows])
    return {**metrics, **{name: by_class[name] for name in classes if name not in absent}}
