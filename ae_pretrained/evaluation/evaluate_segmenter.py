"""Everything that the pipeline tells about a segmenter: metrics, tables, images."""

from __future__ import annotations

from pathlib import Path

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.evaluation.segmenter_figures import write_charts, write_sheets
from ae_pretrained.evaluation.segmenter_measures import check_segmenter, measure_segmenter, summarise
from ae_pretrained.evaluation.segmenter_tables import (
    write_confusion_rows,
    write_group_counts,
    write_per_image,
)
from ae_pretrained.files import write_metrics
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo
from ae_pretrained.params.evaluation_params import EvalSegParams


def evaluate_segmenter(
    model: UNet,
    processed: Path,
    classes: list[str],
    params: EvalSegParams,
    seed: int,
    metrics_file: Path,
    counts_file: Path,
    plots: Path,
    *,
    compute: Compute | None = None,
    trained: SegmenterInfo | None = None,
) -> None:
    """Evaluate a segmenter on the test split.

    Writes ``metrics_file`` (see :func:`summarise`), ``counts_file`` (see :func:`write_group_counts`), and into
    ``plots`` the PNG images and ``tables/per_image.csv`` and ``tables/confusion.csv``.

    Args:
        model: gives logits (N, C, H, W) for images in [0, 1].
        processed: folder that ``prepare`` wrote.
        classes: C class names, background first.
        params: section ``eval_seg``.
        seed: of the bootstrap.
        compute: device and number format; CPU and float32 by default.
        trained: what the model file states; compared with the data.

    Raises:
        PipelineError: when model and data do not fit, or nothing can be measured.
    """
    compute = compute or Compute()
    split = open_split(processed, "test")
    check_segmenter(split, classes, trained)
    result = measure_segmenter(model, split, len(classes), params, compute)
    write_metrics(metrics_file, summarise(result, classes, params, seed))
    write_group_counts(counts_file, split.column("name"), result, classes)
    write_per_image(plots / "tables" / "per_image.csv", split, result, classes)
    write_confusion_rows(plots / "tables" / "confusion.csv", result.pooled, classes)
    print("images of the segmentation", flush=True)
    write_charts(plots, split, result, classes)
    write_sheets(plots, model, split, result, classes, params, compute)
