"""Random changes of whole batches, image and mask together, on the device of the batch.

Every draw comes from an explicit generator, so that a batch looks the same whichever process feeds it and a
resumed run sees what an uninterrupted one would have seen. Flip, rotation, scale and shift become one matrix
and one resampling per image; brightness, contrast, saturation and hue one colour matrix per image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import check_probability

# The luma weights and colour axes of YIQ: a turn in its IQ plane changes the hue and keeps the luma.
_RGB_TO_YIQ = torch.tensor(((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)))
_YIQ_TO_RGB = torch.linalg.inv(_RGB_TO_YIQ)  # once: an inverse on a GPU makes the program wait for it
_MAX_BLUR_SIGMA, _MIN_BLUR_SIGMA = 1.5, 0.1
_ERASED_SIDE = (0.15, 0.45)  # of the image's side


@dataclass(frozen=True)
class Augmentation:
    """Draws a new version of a batch whenever it is called.

    The defaults are those of fine-tuning in ``params.yaml``; ``Augmentation(flip=0.5, affine=0, jitter=0, blur=0,
    noise=0)`` flips alone.

    Attributes:
        flip: probability of a left-right flip.
        affine: probability of rotation, scaling and translation together.
        rotate: largest rotation, degrees.
        scale: the scale is drawn from [1 - scale, 1 + scale].
        translate: largest shift as a share of the side.
        jitter: probability of a change of colours.
        brightness, contrast, saturation: each factor is drawn from [1 - value, 1 + value].
        hue: largest turn of the hue, in turns.
        blur: probability of a Gaussian blur (3x3, sigma 0.1 to 1.5).
        noise: probability of Gaussian noise.
        noise_std: standard deviation of that noise, of images in [0, 1].
        erase: probability that a random box of the image is greyed; its mask stays.
        ignore_index: mask value of what comes in from outside the image.

    Raises:
        PipelineError: when a probability is not in [0, 1].

    Example:
        >>> import torch
        >>> images, masks = torch.rand(4, 3, 32, 32), torch.randint(0, 3, (4, 32, 32))
        >>> augment = Augmentation(flip=0.5, rotate=30)
        >>> new_images, new_masks = augment(images, masks, torch.Generator().manual_seed(0))
        >>> new_images.shape, new_masks.shape
        (torch.Size([4, 3, 32, 32]), torch.Size([4, 32, 32]))
    """

    flip: float = 0.5
    affine: float = 0.8
    rotate: float = 15.0
    scale: float = 0.25
    translate: float = 0.1
    jitter: float = 0.8
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 0.03
    blur: float = 0.1
    noise: float = 0.1
    noise_std: float = 0.05
    erase: float = 0.0
    ignore_index: int = IGNORE_INDEX

    def __post_init__(self) -> None:
        for name in ("flip", "affine", "jitter", "blur", "noise", "erase"):
            check_probability(name, getattr(self, name))

    @property
    def only_flips(self) -> bool:
        """Whether an image comes as it is or mirrored, and in no other version."""
        return self.affine == self.jitter == self.blur == self.noise == self.erase == 0

    def margin(self, side: int) -> int:
        """Pixels beyond a square of ``side`` px, on each side, that rotation, scale and shift may bring into it.

        An even number, so that at half the size pixels still lie on pixels.
        """
        if self.affine == 0:
            return 0
        angle = math.radians(min(self.rotate, 45.0))
        reach = side / 2 * (math.cos(angle) + math.sin(angle)) / (1 - self.scale) + side * self.translate
        return 2 * math.ceil((reach + 1 - side / 2) / 2)

    def __call__(
        self,
        images: Tensor,
        masks: Tensor,
        generator: torch.Generator | None = None,
        *,
        size: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw a new version of a batch.

        Args:
            images: (N, 3, H, W) floats in [0, 1].
            masks: (N, H, W) integers.
            generator: source of every draw, on the device of the batch; None for PyTorch's global one.
            size: side of the square in the middle that is wanted; what surrounds it comes in by rotation, scale and
                shift. None for all of it.

        Returns:
            The new images, in [0, 1], and masks, of unchanged types; (N, 3, size, size) and (N, size, size).
        """
        # Positions, colour matrices and blurs are products and convolutions, which autocast would round to 16 bits:
        # at 512 px, positions would be off by nearly 2 px in bf16.
        with torch.autocast(images.device.type, enabled=False):
            return self._draw(images, masks, generator, size)

    def _draw(
        self, images: Tensor, masks: Tensor, generator: torch.Generator | None, size: int | None
    ) -> tuple[Tensor, Tensor]:
        images, masks = _move(images, masks, self, generator, size)
        images = _recolour(images, self, generator)
        if self.blur > 0:
            images = _blur(images, self.blur, generator)
        if self.noise > 0:
            chosen = _chosen(images, self.noise, generator).view(-1, 1, 1, 1)
            noise = torch.randn(images.shape, generator=generator, device=images.device)
            images = images + chosen * self.noise_std * noise
        if self.erase > 0:
            images = _erase(images, self.erase, generator)
        return images.clamp(0.0, 1.0), masks


def _uniform(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """One draw per image from [0, 1)."""
    return torch.rand(len(images), generator=generator, device=images.device)


def _symmetric(images: Tensor, width: float, generator: torch.Generator | None) -> Tensor:
    return (2.0 * _uniform(images, generator) - 1.0) * width


def _chosen(images: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    return (_uniform(images, generator) < probability).float()


def _move(
    images: Tensor,
    masks: Tensor,
    settings: Augmentation,
    generator: torch.Generator | None,
    size: int | None,
) -> tuple[Tensor, Tensor]:
    out_height, out_width = (size, size) if size else images.shape[-2:]
    if settings.flip == 0 and settings.affine == 0:
        top, left = (images.shape[-2] - out_height) // 2, (images.shape[-1] - out_width) // 2
        inner = (..., slice(top, top + out_height), slice(left, left + out_width))
        return images[inner], masks[inner]
    mirror = 1.0 - 2.0 * _chosen(images, settings.flip, generator)
    moved = _chosen(images, settings.affine, generator)
    angle = moved * _symmetric(images, math.radians(settings.rotate), generator)
    zoom = 1.0 / (1.0 + moved * _symmetric(images, settings.scale, generator))
    # The normalised coordinates of an image run from -1 to 1: a side is 2 long.
    shift_x = moved * _symmetric(images, 2.0 * settings.translate, generator)
    shift_y = moved * _symmetric(images, 2.0 * settings.translate, generator)
    height, width = images.shape[-2:]
    aspect = height / width
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    matrix = torch.stack(
        [
            torch.stack([cos * mirror, -sin * aspect * mirror, shift_x], dim=1),
            torch.stack([sin / aspect, cos, shift_y], dim=1),
        ],
        dim=1,
    )
    if size is not None:
        # The coordinates of the output, which is smaller, to those of the whole.
        matrix = matrix * torch.tensor([[size / width], [size / height]], device=images.device)
    grid = F.affine_grid(matrix, [len(images), 3, out_height, out_width], align_corners=False)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    # Zeros come in from outside, so that the classes are moved up by one and "outside" becomes -1.
    shifted = masks.unsqueeze(1).float() + 1.0
    sampled = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    sampled = torch.where(sampled == 0.0, float(settings.ignore_index) + 1.0, sampled)
    return images, (sampled - 1.0).squeeze(1).to(masks.dtype)


def _recolour(images: Tensor, settings: Augmentation, generator: torch.Generator | None) -> Tensor:
    if settings.jitter == 0:
        return images
    chosen = _chosen(images, settings.jitter, generator)
    brightness = 1.0 + chosen * _symmetric(images, settings.brightness, generator)
    contrast = 1.0 + chosen * _symmetric(images, settings.contrast, generator)
    saturation = 1.0 + chosen * _symmetric(images, settings.saturation, generator)
    angle = chosen * _symmetric(images, 2.0 * math.pi * settings.hue, generator)
    to_yiq, to_rgb = (matrix.to(images.device, non_blocking=True) for matrix in (_RGB_TO_YIQ, _YIQ_TO_RGB))
    zero = torch.zeros_like(angle)
    cos, sin = saturation * torch.cos(angle), saturation * torch.sin(angle)
    turn = torch.stack(
        [
            torch.stack([torch.ones_like(angle), zero, zero], dim=1),
            torch.stack([zero, cos, -sin], dim=1),
            torch.stack([zero, sin, cos], dim=1),
        ],
        dim=1,
    )
    matrix = (to_rgb @ turn @ to_yiq) * (brightness * contrast).view(-1, 1, 1)
    mean = images.mean(dim=(1, 2, 3)) * brightness
    offset = (mean * (1.0 - contrast)).view(-1, 1, 1, 1)
    return torch.einsum("nij,njhw->nihw", matrix, images) + offset


def _blur(images: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """A 3x3 Gaussian; images that are not chosen get the identity kernel."""
    chosen = _chosen(images, probability, generator)
    sigma = _MIN_BLUR_SIGMA + (_MAX_BLUR_SIGMA - _MIN_BLUR_SIGMA) * _uniform(images, generator)
    side = torch.exp(-0.5 / sigma**2) * chosen
    centre = 1.0 / (1.0 + 2.0 * side)
    kernel = torch.stack([side * centre, centre, side * centre], dim=1)  # (N, 3)
    n, c, h, w = images.shape
    kernel = kernel.repeat_interleave(c, dim=0)
    flat = F.pad(images.reshape(1, n * c, h, w), (1, 1, 1, 1), mode="replicate")
    flat = F.conv2d(flat, kernel.view(n * c, 1, 3, 1), groups=n * c)
    return F.conv2d(flat, kernel.view(n * c, 1, 1, 3), groups=n * c).view(n, c, h, w)


def _erase(images: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    chosen = _chosen(images, probability, generator)
    low, high = _ERASED_SIDE
    height, width = images.shape[-2:]
    inside = chosen.view(-1, 1, 1).bool()
    for length, axis_shape in ((height, (1, -1, 1)), (width, (1, 1, -1))):
        side = low + (high - low) * _uniform(images, generator)
        start = _uniform(images, generator) * (1.0 - side)
        position = (torch.arange(length, device=images.device) + 0.5) / length
        position = position.view(axis_shape)
        start, stop = start.view(-1, 1, 1), (start + side).view(-1, 1, 1)
        inside = inside & (position >= start) & (position < stop)
    return torch.where(inside.unsqueeze(1), 0.5, images)
