"""The masks of an arm of a study about which images to label: chosen by a strategy, out of a pool.

A repetition has a pool of its own, a part of the training images that is the same for every arm: a strategy that
draws nothing would otherwise choose the same masks in each of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ae_pretrained.dataset.arrays import open_split, share_of
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.models.weights import load_autoencoder
from ae_pretrained.params import Params
from ae_pretrained.preparation.splits import nested_order
from ae_pretrained.selection.facility_location import facility_location
from ae_pretrained.selection.image_embeddings import comparable, embed
from ae_pretrained.selection.squares import squares_of
from ae_pretrained.study.grid import MaskChoice
from ae_pretrained.study.images import reorder_masks


def choose_masks(
    processed: Path, folder: Path, choice: MaskChoice, params: Params, seed: int, autoencoder: Path
) -> None:
    """Write a folder with the same images in which the training masks that a strategy chooses come first.

    Args:
        processed: what *prepare* wrote.
        folder: an empty folder; gets an index of its own, and links to everything else.
        choice: strategy and pool.
        params: of the cell; ``data.label_fraction`` says how many are chosen.
        seed: of pool and draws.
        autoencoder: weights whose encoder compares images; ``coverage`` alone looks at them.

    Raises:
        PipelineError: when the pool is too small, or has too few images that are no near-duplicates.
    """

    def ranks(train: list[dict[str, str]]) -> np.ndarray:
        count = share_of(len(train), params.data.label_fraction)
        pool = pool_of(len(train), choice.pool, seed)
        if len(pool) < count:
            raise PipelineError(
                f"grid.yaml: pool {choice.pool:g} of {len(train):,} training images are {len(pool):,}, fewer than "
                f"the {count:,} masks of a run; raise pool, or lower the share"
            )
        if choice.strategy == "coverage":
            chosen = covering(processed, pool, count, params, autoencoder)
        elif choice.strategy == "every_kth":
            chosen = every_kth([train[place]["name"] for place in pool], count, seed)
        else:
            strata = [train[place]["class"] if choice.strategy == "stratified" else "" for place in pool]
            chosen = np.argsort(nested_order([(stratum, "") for stratum in strata], seed))[:count]
        first = pool[chosen]
        order = np.concatenate([first, np.setdiff1d(np.arange(len(train)), first)])
        return np.argsort(order)

    reorder_masks(processed, folder, ranks)


def pool_of(number: int, share: float, seed: int) -> np.ndarray:
    """Sorted positions of the images that a repetition may choose from, drawn at random."""
    drawn = np.random.default_rng([seed, 3]).permutation(number)[: share_of(number, share)]
    return np.sort(drawn)


def every_kth(names: list[str], count: int, seed: int) -> np.ndarray:
    """Positions of ``count`` images evenly spaced through the names in their order, from a random start."""
    start = np.random.default_rng([seed, 4]).random()
    places = ((np.arange(count) + start) * len(names) / count).astype(int)
    return np.argsort(names, kind="stable")[places]


@threadpool_limits.wrap(limits=1, user_api="blas")  # sums in another order would choose others
def covering(processed: Path, pool: np.ndarray, count: int, params: Params, autoencoder: Path) -> np.ndarray:
    """Positions in the pool by facility location, as ``label-next`` chooses where nothing is labelled yet.

    Args:
        processed: what *prepare* wrote.
        pool: (n,) sorted positions in the training images.
        count: how many.
        params: of the cell.
        autoencoder: weights of the encoder.
    """
    encoder = load_autoencoder(autoencoder).encoder
    compute = best_compute(params.runtime.accelerator, params.runtime.threads)
    squares = squares_of(open_split(processed, "train"), pool, params.data.image_size)
    embeddings = comparable(embed(encoder, squares, compute), np.ones(len(pool), bool))
    chosen = facility_location(embeddings, np.array([], dtype=int), np.arange(len(pool)), count)
    if len(chosen) < count:
        raise PipelineError(
            f"{processed}: coverage finds {len(chosen)} of {len(pool):,} images that are no near-duplicates, and "
            f"{count} are asked for; raise pool, or lower the share"
        )
    return np.array(chosen)
