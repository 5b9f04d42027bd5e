"""Everything that the pipeline tells about an autoencoder: metrics, reconstructions, embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.evaluation.autoencoder_measures import (
    ReconstructionResult,
    corrupt_one_by_one,
    measure_autoencoder,
    reconstruct,
    summarise_reconstruction,
)
from ae_pretrained.evaluation.embeddings import (
    MOST_EMBEDDED,
    labels_of,
    pooled_features,
    principal_components,
    probe_labels,
    tsne,
)
from ae_pretrained.evaluation.inference import Compute, load_images, tiles_of
from ae_pretrained.evaluation.selection import best_median_worst, spread
from ae_pretrained.figures.embedding_figures import Projection, embeddings_by_breed, embeddings_by_class
from ae_pretrained.figures.reconstruction_sheets import ReconstructedImage, reconstruction_sheet
from ae_pretrained.figures.style import save_png
from ae_pretrained.files import write_metrics
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.params.evaluation_params import EvalAEParams
from ae_pretrained.params.training_params import CorruptionParams


def evaluate_autoencoder(
    model: Autoencoder,
    processed: Path,
    classes: list[str],
    params: EvalAEParams,
    corruption: CorruptionParams,
    seed: int,
    metrics_file: Path,
    plots: Path,
    *,
    image_size: int,
    compute: Compute | None = None,
) -> None:
    """Evaluate an autoencoder on the test split; images that are kept whole are taken window by window.

    Writes ``metrics_file``: the figures of clean inputs, those of corrupted inputs under ``corrupted`` where
    the pretext corrupts, and under ``embeddings`` how well frozen features tell class and breed (fitted on
    train; of a split with more than ``MOST_EMBEDDED`` images, that many are taken, evenly spread over it). Writes
    into ``plots`` sheets of reconstructions and the embeddings as PNG.

    Args:
        model: (N, 3, H, W) in [0, 1] to the same; ``encoder`` gives a list of feature maps.
        processed: folder that ``prepare`` wrote.
        classes: ``data.classes``, background first.
        params: section ``eval_ae``.
        corruption: section ``train_ae.corruption``.
        seed: of the corruption and of t-SNE.
        image_size: side of the windows of images that are kept whole, px.
        compute: device and number format; CPU and float32 by default.

    Raises:
        PipelineError: when the test split is empty.
    """
    compute = compute or Compute()
    split, batch_size = tiles_of(open_split(processed, "test"), image_size, params.batch_size)
    train, _ = tiles_of(open_split(processed, "train"), image_size, batch_size)
    params = params.model_copy(update={"batch_size": batch_size})
    clean = measure_autoencoder(model, split, params.batch_size, None, seed, compute)
    metrics = summarise_reconstruction(clean)
    _write_reconstructions(plots, model, split, clean, None, params, seed, compute)
    if corruption.kind != "none":
        corrupted = measure_autoencoder(model, split, params.batch_size, corruption, seed, compute)
        metrics["corrupted"] = summarise_reconstruction(corrupted)
        _write_reconstructions(plots, model, split, corrupted, corruption, params, seed, compute)
    metrics["embeddings"] = _embeddings(plots, model, train, split, classes, params, seed, compute)
    write_metrics(metrics_file, metrics)


@torch.inference_mode()
def _write_reconstructions(
    plots: Path,
    model: nn.Module,
    split: Split,
    result: ReconstructionResult,
    corruption: CorruptionParams | None,
    params: EvalAEParams,
    seed: int,
    compute: Compute,
) -> None:
    names, scores = split.column("name"), result.psnr
    source = "" if corruption is None else " of corrupted images"
    suffix = "" if corruption is None else "_corrupted"
    for group in best_median_worst(scores, params.num_examples):
        images = load_images(split, group.rows, compute.device)
        shown = images
        if corruption is not None:
            shown, _ = corrupt_one_by_one(images, np.array(group.rows), corruption, seed)
        output = reconstruct(model, shown, compute)
        panels = [
            ReconstructedImage(
                caption=f"{names[row]}, {_scores(scores[row], result.ssim[row])}",
                original=images[place].cpu().numpy(),
                reconstruction=output[place].cpu().numpy(),
                corrupted=None if corruption is None else shown[place].cpu().numpy(),
            )
            for place, row in enumerate(group.rows)
        ]
        title = f"Reconstructions{source}: {group.name} by PSNR"
        save_png(reconstruction_sheet(title, panels), plots / f"reconstructions{suffix}_{group.name}.png")


def _scores(psnr: float, ssim: float) -> str:
    words = f"PSNR {psnr:.1f} dB"
    return words if np.isnan(ssim) else f"{words}, SSIM {ssim:.3f}"


def _embeddings(
    plots: Path,
    model: Autoencoder,
    train_split: Split,
    split: Split,
    classes: list[str],
    params: EvalAEParams,
    seed: int,
    compute: Compute,
) -> dict[str, Any]:
    """Probe the embeddings and draw them; what could not be drawn is said under ``not_drawn``."""

    def embed(part: Split, name: str) -> tuple[np.ndarray, dict[str, list[str]]]:
        rows = spread(len(part), MOST_EMBEDDED)
        words = f"embeddings of {name}"
        features = pooled_features(model.encoder, part, rows, params.batch_size, compute, words)
        return features, labels_of(part, rows)

    test, labels = embed(split, "test")
    train, train_labels = embed(train_split, "train")
    metrics: dict[str, Any] = {"num_train": len(train), "num_test": len(test)}
    metrics |= probe_labels(train, train_labels, test, labels, params.knn_neighbors)
    components = principal_components(test)
    if components is None:
        metrics["not_drawn"] = ["pca", "tsne"]
        return metrics
    first, second = components.explained
    metrics["pca_explained_variance"] = [first, second]
    axes = (f"PC 1 ({first:.1%} of the variance)", f"PC 2 ({second:.1%} of the variance)")
    projections = [Projection("PCA", components.points, axes, np.arange(len(test)))]
    rows = spread(len(test), params.tsne_points)
    print(f"t-SNE of {len(rows)} images", flush=True)
    placed = tsne(test[rows], components.points[rows], params.tsne_perplexity, seed)
    metrics["not_drawn"] = [] if placed else ["tsne"]
    if placed:
        points, perplexity = placed
        metrics["tsne_perplexity"] = perplexity
        title = f"t-SNE, perplexity {perplexity:.3g}, {len(rows):,} images"
        projections.append(Projection(title, points, ("t-SNE 1", "t-SNE 2"), rows))
    figure = embeddings_by_class(projections, labels["class"], classes)
    save_png(figure, plots / "embeddings_class.png")
    if any(labels["breed"]):
        save_png(embeddings_by_breed(projections, labels["breed"]), plots / "embeddings_breed.png")
    return metrics
