"""Contrastive losses: two views of one image must be told from those of all other images, whole or place by place.

Both losses project the maps of two stages of the encoder by a small head each and compare the projections with
NT-Xent (SimCLR, Chen et al. 2020, arXiv 2002.05709, equation 1). The heads are trained along and then thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError

_OfStage = TypeVar("_OfStage")
Gather = Callable[[Tensor], Tensor]  # of one process (…) to those of all W processes (W, …), with gradients


def nt_xent(
    embeddings: Tensor, temperature: float, counted: Tensor | None = None, *, shuffled: bool = False
) -> Tensor:
    """The normalised temperature-scaled cross-entropy of pairs, each of which is an anchor from either side.

    With cosine similarity s, the loss of anchor a with partner p is
    -log(exp(s(a, p) / t) / (exp(s(a, p) / t) + sum over n of exp(s(a, n) / t)), where n are all embeddings of other
    images, from both views. With one pair an image (K = 1) that is equation 1 of SimCLR.

    Args:
        embeddings: (2, N, K, D): of both views of N images, K that belong together pair by pair.
        temperature: t, above 0.
        counted: (N, K) booleans, False on pairs that are neither anchors nor negatives; None counts all.
        shuffled: a control: the partner is of the next image of the batch, and the true one is not looked at.

    Returns:
        The mean over the anchors, at least 0, and about the logarithm of the number of candidates for embeddings that
        say nothing; 0 when no pair counts.

    Example:
        >>> import torch
        >>> same = torch.eye(4).view(1, 4, 1, 4).repeat(2, 1, 1, 1)
        >>> nt_xent(same, temperature=0.1) < 0.001
        tensor(True)
    """
    _, images, per_image, _ = embeddings.shape
    image = torch.arange(images, device=embeddings.device).repeat_interleave(per_image)
    counts = torch.ones_like(image, dtype=torch.bool) if counted is None else counted.flatten()
    first, second = embeddings.flatten(1, 2)
    owners, counts_too = image, counts
    if shuffled:
        second, owners, counts_too = (
            values.roll(-per_image, dims=0) for values in (second, owners, counts_too)
        )
    known = torch.cat([counts, counts_too])
    both = F.normalize(torch.cat([first, second]), dim=1)
    owner = torch.cat([image, owners])
    place = torch.arange(len(both), device=both.device)
    partner = place.roll(len(both) // 2)
    left_out = (owner.unsqueeze(1) == owner) | ~known
    left_out[place, partner] = False
    logits = (both @ both.T / temperature).masked_fill(left_out, -torch.inf)
    losses = F.cross_entropy(logits, partner, reduction="none")
    weight = (counts & counts_too).repeat(2).to(losses.dtype)
    return (weight * losses).sum() / weight.sum().clamp(min=1.0)


class PairedViewsLoss(nn.Module):
    """What the two losses share: a head for each stage that is asked, and NT-Xent over all processes.

    Args:
        channels: channels of every stage of the encoder, shallow to deep.
        temperature: of the similarities, above 0.
        width: of the projections.
        shuffled: pairs views of different images, as a control (see :func:`nt_xent`).

    Raises:
        PipelineError: when the temperature is not above 0.
    """

    asked: slice  # of the stages, shallow to deep

    def __init__(
        self, channels: Sequence[int], temperature: float = 0.2, width: int = 128, *, shuffled: bool = False
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise PipelineError(f"temperature: found {temperature}, expected a number above 0")
        self.temperature, self.shuffled = temperature, shuffled
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, width))
            for wide in self._asked(channels)
        )

    def _asked(self, stages: Sequence[_OfStage]) -> Sequence[_OfStage]:
        """Those that the loss reads; of an encoder of one or two stages all."""
        return stages if len(stages) < 3 else stages[self.asked]

    def _compare(
        self,
        features: Sequence[Tensor],
        vectors_of: Callable[[Tensor], Tensor],
        counted: Tensor | None,
        gather: Gather | None,
    ) -> Tensor:
        """The mean over the stages; ``vectors_of`` makes (2, N, K, C) of a stage's maps (2N, C, h, w)."""
        # 16 bits are too few for similarities divided by a temperature.
        with torch.autocast(features[-1].device.type, enabled=False):
            if counted is not None and gather is not None:
                counted = torch.cat(tuple(gather(counted.float()))) > 0
            losses = []
            for head, maps in zip(self.heads, self._asked(features), strict=True):
                embeddings = head(vectors_of(maps if maps.dtype == torch.float64 else maps.float()))
                if gather is not None:
                    embeddings = torch.cat(tuple(gather(embeddings)), dim=1)
                losses.append(nt_xent(embeddings, self.temperature, counted, shuffled=self.shuffled))
            return torch.stack(losses).mean()


class ContrastiveLoss(PairedViewsLoss):
    """NT-Xent (SimCLR, equation 1) between the pooled features of two views of every image.

    The mean over the encoder's two deepest stages, whose maps are averaged over all positions. See
    :class:`PairedViewsLoss` for the arguments.

    Example:
        >>> import torch
        >>> from ae_pretrained.dataset.views import Views
        >>> from ae_pretrained.models import Encoder
        >>> encoder = Encoder((8, 16, 32), norm="batch")
        >>> loss = ContrastiveLoss(encoder.channels)
        >>> pair = Views()(torch.rand(4, 3, 32, 32), torch.zeros(4, 32, 32, dtype=torch.uint8))
        >>> loss(encoder(pair.images)).backward()
    """

    asked = slice(-2, None)

    def forward(
        self, features: Sequence[Tensor], valid: Tensor | None = None, gather: Gather | None = None
    ) -> Tensor:
        """A scalar, about log(2N - 1) at chance.

        Args:
            features: the encoder's maps, shallow to deep, each (2N, C, h, w): the first views of N images, then the
                second ones in the same order.
            valid: (2N, 1, H, W) booleans, False on padding; a position counts by its share of valid pixels.
            gather: brings together what all processes of a distributed run have; None for this one alone.
        """

        def pooled(maps: Tensor) -> Tensor:
            if valid is None:
                means = maps.mean(dim=(2, 3))
            else:
                weight = F.adaptive_avg_pool2d(valid.to(maps.dtype), (maps.shape[-2], maps.shape[-1]))
                total = weight.sum(dim=(2, 3)).clamp(min=1e-6)
                means = (maps * weight).sum(dim=(2, 3)) / total
            return means.unflatten(0, (2, -1)).unsqueeze(2)

        return self._compare(features, pooled, None, gather)


class DenseContrastiveLoss(PairedViewsLoss):
    """NT-Xent between the features of the same place in two views; negatives are the places of other images.

    The pixel-level contrast of VADeR (Pinheiro et al. 2020, arXiv 2011.05499, section 3), whose positives come from
    the known geometry of the views, with two differences: places are read from maps of the encoder between their
    positions (bilinearly), and negatives are the places of the other images of the batch, from both views, in place
    of a memory bank. It asks the two stages above the deepest one, whose map has too few positions to tell places
    apart: 2 x 2 for an image of 64 px and six stages. DenseCL (arXiv 2011.09157) takes the most similar position as
    the positive, and PixPro (arXiv 2011.10043) every near one. See :class:`PairedViewsLoss` for the arguments, and
    :func:`nt_xent` for the formula.

    Example:
        >>> import torch
        >>> from ae_pretrained.dataset.views import Views
        >>> from ae_pretrained.models import Encoder
        >>> encoder = Encoder((8, 16, 32), norm="batch")
        >>> loss = DenseContrastiveLoss(encoder.channels)
        >>> pair = Views()(torch.rand(4, 3, 32, 32), torch.zeros(4, 32, 32, dtype=torch.uint8))
        >>> loss(encoder(pair.images), pair.places, pair.counted).backward()
    """

    asked = slice(-3, -1)

    def forward(
        self,
        features: Sequence[Tensor],
        places: Tensor,
        counted: Tensor | None = None,
        gather: Gather | None = None,
    ) -> Tensor:
        """A scalar, about log(1 + 2K(N - 1)) at chance.

        Args:
            features: as of :class:`ContrastiveLoss`.
            places: (2, N, K, 2) x and y of the same K places of each image in both views, -1 to 1.
            counted: (N, K) booleans, False where there is no such place; None counts all.
            gather: as of :class:`ContrastiveLoss`.
        """
        return self._compare(features, lambda maps: features_at(maps, places), counted, gather)


def features_at(maps: Tensor, places: Tensor) -> Tensor:
    """Features (2, N, K, C) of maps (2N, C, h, w) at places (2, N, K, 2), x and y from -1 to 1, read bilinearly.

    Less than half a position from the edge it is the outermost position's feature.
    """
    grid = places.to(maps.dtype).flatten(0, 1).unsqueeze(2)
    found = F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found.squeeze(3).transpose(1, 2).unflatten(0, (2, -1))
