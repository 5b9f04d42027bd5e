"""The images that are shown: whole ones of one size, or close-ups at native size of those that are kept whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.evaluation.inference import Compute, batches, class_probabilities, load_images
from ae_pretrained.params.evaluation_params import EvalSegParams
from ae_pretrained.windows.packed import Window, around, close_up

CLOSE_UP = 256  # px


@dataclass(frozen=True)
class ShownImages:
    """Images to look at, with what a model says of them.

    Attributes:
        names: of the images.
        images: (n, H, W, 3) uint8.
        masks: (n, H, W) uint8 true classes, 255 ignored.
        probabilities: (n, C, H, W) float32.
    """

    names: list[str]
    images: np.ndarray
    masks: np.ndarray
    probabilities: np.ndarray


@torch.inference_mode()
def show_images(
    model: nn.Module, split: Split, rows: Sequence[int], params: EvalSegParams, compute: Compute
) -> ShownImages:
    """Some images of a split and the probabilities of their pixels.

    Of an image that is kept whole it is a close-up of 256 px around a pixel of the class that it shows least of:
    small things are there, and a thumbnail of the whole would hide them. The model sees a whole window around it.
    """
    shown, context = split, split
    if split.is_packed:
        side = max(params.window, CLOSE_UP)
        assert split.anchors is not None
        inner = [close_up(row, split.masks[row], split.anchors[row], CLOSE_UP) for row in rows]
        outer = [_around(split, window, side) for window in inner]
        shown, context = split.windows(inner, CLOSE_UP), split.windows(outer, side)
        rows = range(len(inner))
    maps: list[np.ndarray] = []
    for chosen in batches(np.asarray(rows), 1 if split.is_packed else len(rows)):
        images = load_images(context, chosen, compute.device)
        maps += list(class_probabilities(model, images, params.flip_averaging, compute).cpu().numpy())
    if split.is_packed:
        maps = [
            planes[:, small.y - large.y :, small.x - large.x :][:, :CLOSE_UP, :CLOSE_UP]
            for planes, small, large in zip(maps, inner, outer, strict=True)
        ]
    names = shown.column("name")
    chosen = np.asarray(rows)
    return ShownImages(
        [names[row] for row in rows], shown.images[chosen], shown.masks[chosen], np.stack(maps)
    )


def _around(split: Split, window: Window, side: int) -> Window:
    """A larger window with the same middle, or as near as the image allows, that holds a smaller one."""
    half = CLOSE_UP // 2
    return around(window.row, window.y + half, window.x + half, side, *split.masks[window.row].shape)
