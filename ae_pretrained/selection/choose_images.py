"""Which images of a project to label next, why, and what is written about it."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from torch import nn

from ae_pretrained.dataset.arrays import Split, count_images, open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.evaluation.segmenter_measures import check_segmenter
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.encoder import ImageSizeError
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import load_autoencoder, load_unet
from ae_pretrained.params.schema import Params
from ae_pretrained.selection.choices import Choice, Selection, write_selection
from ae_pretrained.selection.facility_location import nearest_cosines, shares_stood_for
from ae_pretrained.selection.frozen_splits import (
    HoldOut,
    SelectionError,
    check_frozen,
    check_hold_out,
    write_hold_out,
)
from ae_pretrained.selection.image_embeddings import comparable, embed
from ae_pretrained.selection.label_pool import LabelPool, check_arrays, hold_out_of, pool_of
from ae_pretrained.selection.squares import squares_of
from ae_pretrained.selection.strategies import Strategy, choose
from ae_pretrained.selection.uncertainty import Uncertainty, measure_uncertainty
from ae_pretrained.sources.added_masks import with_added_masks
from ae_pretrained.sources.pointer import resolve_raw
from ae_pretrained.sources.registry import open_source

_CLUSTERS_INSTEAD = "strata are clusters of the embeddings, not predicted classes"


@threadpool_limits.wrap(
    limits=1, user_api="blas"
)  # small products: threads wait for each other, and sums differ
def choose_images(
    project: Path,
    params: Params,
    count: int,
    strategy: Strategy,
    compute: Compute,
    out: Path,
    hold_out: float | None = None,
) -> Selection:
    """Choose images, and write ``out/label_next.csv`` and ``out/label_next.png``.

    Args:
        project: folder with ``data/raw``, ``data/processed`` and ``models``.
        params: of the project.
        count: how many images.
        strategy: see :func:`choose`.
        compute: device and number format.
        out: folder of the two files.
        hold_out: share of all images that val and test are to be each, where they are not fixed yet: they are filled
            up at random before anything is chosen, and written as ``val.txt`` and ``test.txt``.

    Raises:
        PipelineError: when something is missing, does not fit, or too few images are there; nothing is written then.
    """
    if count < 1:
        raise SelectionError(f"N: found {count}, expected how many images to choose, 1 or more")
    processed, root = project / "data/processed", resolve_raw(project / "data/raw")
    counts = count_images(processed)
    source = open_source(root, params.data)
    listing = with_added_masks(source, project / "data/labels", params.data.classes).listing()
    samples = {sample.name: sample for sample in listing.samples}
    if not counts.get("unlabelled"):
        raise SelectionError(
            f"{processed}: no image without a mask is there, all {sum(counts.values())} are labelled; add images to "
            f"{params.data.root}, then `dvc repro prepare`"
        )
    if hold_out is None:
        check_frozen(listing, root, params.data, count)
    else:
        check_hold_out(listing, root, params.data, hold_out)
    split = open_split(processed, "train", "unlabelled")
    check_arrays(split, params)
    # Where no image has a mask, there is no val and no test yet.
    held = {name: open_split(processed, name) for name in ("val", "test") if counts.get(name)}
    notes: list[str] = []
    drawn = (
        None
        if hold_out is None
        else hold_out_of(split, held, samples, hold_out, params.seed, sum(counts.values()))
    )
    pool = pool_of(split, held, samples, drawn, params.seed, notes)
    available = int(pool.candidate.sum())
    if available < count:
        raise _too_few(count, available, drawn)
    autoencoder = _autoencoder(project / "models/autoencoder.safetensors", params)
    segmenter = _segmenter(project / "models/segmenter.safetensors", split, params, strategy, notes)
    side = params.data.image_size
    try:
        features = embed(autoencoder, squares_of(split, pool.rows, side), compute)
    except ImageSizeError as error:
        raise SelectionError(f"{processed}: {error}") from None
    embeddings = comparable(features, pool.counted)
    candidates, covering = np.flatnonzero(pool.candidate), np.flatnonzero(~pool.candidate)
    looked_at = candidates
    measured: Uncertainty | None = None
    if segmenter and strategy in ("uncertain", "stratified"):
        measured = _measure(segmenter, pool, looked_at, params, compute)
        if strategy == "uncertain":
            _note_absent_classes(measured, params.data.classes, notes)
    strata = measured.main_class if measured else None
    if strategy == "stratified" and strata is not None and len(np.unique(strata)) == 1:
        notes.append(
            f"the segmenter sees {params.data.classes[strata[0]]} in every image: {_CLUSTERS_INSTEAD}"
        )
        strata = None
    chosen = choose(
        strategy,
        embeddings,
        covering,
        candidates,
        count,
        params.seed,
        entropy=measured.entropy if measured else None,
        main_class=strata,
    )
    if len(chosen) < count:
        raise SelectionError(
            f"only {len(chosen)} of {available} images without a mask can be chosen, not {count}: the others are "
            "near-duplicates of these or of labelled ones; ask for fewer"
        )
    if segmenter and measured is None:
        looked_at = np.array(chosen)
        measured = _measure(segmenter, pool, looked_at, params, compute)
    shares = shares_stood_for(embeddings, covering, chosen, candidates)
    nearest = nearest_cosines(embeddings, covering)
    said = {place: number for number, place in enumerate(looked_at.tolist())}
    names = pool.names
    choices = [
        Choice(
            samples[names[place]].image,
            names[place],
            float(share),
            float(nearest[place]) if len(covering) else nan,
            float(measured.entropy[said[place]]) if measured else nan,
            params.data.classes[measured.main_class[said[place]]] if measured else "",
        )
        for place, share in zip(chosen, shares.tolist(), strict=True)
    ]
    selection = Selection(choices, drawn, available, len(covering), notes)
    if drawn:
        write_hold_out(root, drawn, params.data)
    write_selection(out, selection, strategy, split, pool.rows[chosen])
    return selection


def _too_few(count: int, available: int, drawn: HoldOut | None) -> SelectionError:
    held = f" ({len(drawn.unlabelled)} more were to be held out for val and test)" if drawn else ""
    if not available:
        return SelectionError(
            f"no image without a mask is left to choose{held}; run `dvc repro` if masks are new, or add images"
        )
    return SelectionError(
        f"{count} images asked for, {available} without a mask are there{held}; ask for fewer"
    )


def _autoencoder(path: Path, params: Params) -> nn.Module:
    if not path.is_file():
        raise SelectionError(f"{path}: no autoencoder yet; run `dvc repro train_ae` first")
    model = load_autoencoder(path)
    wanted = ModelConfig(**params.model.model_dump())
    if model.config.to_dict() != wanted.to_dict():
        raise SelectionError(
            f"{path}: was trained with other settings, {model.config.to_dict()}; section model of params.yaml says "
            f"{wanted.to_dict()}. Run `dvc repro train_ae`, or restore the section"
        )
    return model.encoder


def _segmenter(path: Path, split: Split, params: Params, strategy: Strategy, notes: list[str]) -> UNet | None:
    """The segmenter, where there is one that fits the data; `uncertain` needs it."""
    if not path.is_file():
        if strategy == "uncertain":
            raise SelectionError(
                f"{path}: no segmenter yet, and --strategy uncertain asks it; run `dvc repro train_seg` first, or "
                "choose by coverage"
            )
        if strategy == "stratified":
            notes.append(f"no segmenter yet: {_CLUSTERS_INSTEAD}")
        return None
    model, info = load_unet(path)
    try:
        check_segmenter(split, params.data.classes, info)
    except PipelineError as error:
        if strategy in ("uncertain", "stratified"):
            raise
        notes.append(f"entropies are left out: {error}")
        return None
    return model


def _measure(
    model: UNet, pool: LabelPool, places: np.ndarray, params: Params, compute: Compute
) -> Uncertainty:
    squares = squares_of(pool.split, pool.rows[places], params.data.image_size)
    return measure_uncertainty(model, squares, len(params.data.classes), compute)


def _note_absent_classes(measured: Uncertainty, classes: Sequence[str], notes: list[str]) -> None:
    absent = [
        name for name, seen in zip(classes, measured.pixels.sum(axis=0).tolist(), strict=True) if not seen
    ]
    if absent:
        notes.append(
            f"the segmenter predicts no pixel of {', '.join(absent)}: it cannot be unsure of what it does not know; "
            "--strategy coverage is the safer choice"
        )
