"""Where the windows of an image lie, and how much each of them counts in every row and column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ae_pretrained.errors import PipelineError

WINDOW, OVERLAP = 512, 0.25  # as good as any where nobody says otherwise
SMALLEST_IMAGE = 8  # px; the reflection of less is mostly the reflection itself
LARGEST_OVERLAP = 0.75
_SIGMAS = 8  # side of a window, in standard deviations of its weights


class SmallImageError(PipelineError):
    """An image is too small for a window."""


@dataclass(frozen=True)
class AxisWindows:
    """The windows along one axis of an image.

    Attributes:
        side: of every window, px.
        starts: first pixel of each window; the last one ends where the reflected image ends.
        weights: per window (side,) float32; in every pixel those of all windows sum to 1.
    """

    side: int
    starts: tuple[int, ...]
    weights: tuple[np.ndarray, ...]


def check_windows(window: int, overlap: float, stride: int, halo: int = 0) -> None:
    """Refuse windows in which the network would not see what it sees in the whole image.

    Args:
        window, overlap, stride, halo: see :func:`ae_pretrained.windows.sliding.slide`.

    Raises:
        PipelineError: naming the argument, what was found and what is expected.
    """
    if stride < 1:
        raise PipelineError(f"stride: found {stride}, expected at least 1 px")
    if window % stride or window < 2 * stride:
        above = max(2, -(-window // stride)) * stride
        below = window // stride * stride
        raise PipelineError(
            f"window: {window} px is no multiple of the network's deepest stride ({stride} px), or less than twice "
            f"that; use {f'{below} or ' if 2 * stride <= below < above else ''}{above}"
        )
    if not 0 <= overlap <= LARGEST_OVERLAP:  # NaN, too
        raise PipelineError(
            f"overlap: found {overlap}, expected a share of the window from 0 to {LARGEST_OVERLAP}"
        )
    if halo < 0 or window - 2 * halo < stride:
        raise PipelineError(
            f"halo: found {halo} px, expected at least 0, and a window of at least {2 * max(halo, 0) + stride} px "
            f"for it (found {window} px)"
        )


def count_windows(height: int, width: int, *, window: int, overlap: float, stride: int, halo: int = 0) -> int:
    """How many windows an image of ``height`` x ``width`` px takes; the arguments are those of ``slide``.

    Raises:
        PipelineError: see :func:`check_windows`.

    Example:
        >>> from ae_pretrained.windows import OVERLAP, WINDOW, check_windows
        >>> check_windows(WINDOW, OVERLAP, stride=32)
        >>> count_windows(20_000, 20_000, window=WINDOW, overlap=OVERLAP, stride=32)
        2704
    """
    check_windows(window, overlap, stride, halo)
    return len(_starts(height, window, overlap, stride, halo)) * len(
        _starts(width, window, overlap, stride, halo)
    )


def windows_along(length: int, window: int, overlap: float, stride: int, halo: int) -> AxisWindows:
    """Place windows along an axis of ``length`` px; the arguments are those of ``slide``, checked."""
    starts = _starts(length, window, overlap, stride, halo)
    side = min(window, _reflected(length, stride))
    places = np.arange(side)
    bell = np.exp(-0.5 * ((places - (side - 1) / 2) / (side / _SIGMAS)) ** 2)
    bells = []
    for start in starts:
        # Beyond the end of the image the whole image has nothing to see either.
        first = halo if start > 0 else 0
        last = side - halo if start < starts[-1] else side
        bells.append(np.where((places >= first) & (places < last), bell, 0.0))
    total = np.zeros(starts[-1] + side)
    for start, weights in zip(starts, bells, strict=True):
        total[start : start + side] += weights
    shares = (weights / total[start : start + side] for start, weights in zip(starts, bells, strict=True))
    return AxisWindows(side, starts, tuple(share.astype(np.float32) for share in shares))


def _reflected(length: int, stride: int) -> int:
    """Length of an axis with its reflection: a multiple of the stride, and more than one of it, as encoders need."""
    return max(2, -(-length // stride)) * stride


def _starts(length: int, window: int, overlap: float, stride: int, halo: int) -> tuple[int, ...]:
    """As few windows as the overlap allows, evenly spread: what they overlap beyond that is context for nothing."""
    last = max(0, _reflected(length, stride) - window) // stride
    step = min(int(window * (1 - overlap)) // stride, (window - 2 * halo) // stride)
    gaps = -(-last // max(1, step))
    return tuple(place * last // max(1, gaps) * stride for place in range(gaps + 1))
