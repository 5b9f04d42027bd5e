"""Near-duplicates: perceptual hashes find candidates, the pixels confirm them, and what is alike forms groups.

Frames of a fixed camera are all alike: 5,000 of them make 12.5 million pairs. So pairs are not listed. An image is
compared only with those that are not known to be in its group yet, which for such frames is once each; the pairs
within small groups, which is what people look at, are listed afterwards.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.fft import dct
from tqdm import tqdm

THUMBNAIL, _KEPT = 32, 8  # side of a thumbnail, side of the block of low frequencies in a hash
_BLOCK = 1024  # thumbnails that are hashed at a time
_ROWS = 64  # hashes that are compared with all others at a time: few enough to stay in a processor's cache
_COMPARED = 256  # thumbnails that are compared with one at a time
_LISTED = 12  # images of the largest group whose pairs are listed one by one
_EXAMPLES = 3  # pairs that are listed of larger groups
# Noise of a flat image must not be blown up to a pattern: below one grey level there is nothing to compare.
_SMALLEST_DEVIATION = 1.0


@dataclass(frozen=True)
class Pair:
    """Two near-identical images.

    Attributes:
        first, second: positions, first < second.
        bits: bits in which the hashes differ.
        distance: mean absolute difference of the thumbnails at zero mean and unit variance.
        difference: root mean square difference of the thumbnails as they are, grey levels.
        mirrored: whether one is the mirror image of the other.
    """

    first: int
    second: int
    bits: int
    distance: float
    difference: float
    mirrored: bool


def grey_thumbnail(image: np.ndarray) -> np.ndarray:
    """(32, 32) uint8 grey values of an (H, W, 3) uint8 image, each the mean of an area."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA))


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """The 64-bit DCT hash of each thumbnail (as ``imagehash.phash``): (N, 32, 32) to (N,) uint64."""
    hashes = np.empty(len(thumbnails), dtype=np.uint64)
    for start in range(0, len(thumbnails), _BLOCK):
        block = np.asarray(thumbnails[start : start + _BLOCK], dtype=np.float64)
        # One axis after the other: of the first only the low frequencies go on.
        low = dct(dct(block, axis=1)[:, :_KEPT], axis=2)[:, :, :_KEPT].reshape(len(block), -1)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[start : start + _BLOCK] = np.packbits(bits, axis=1).view(">u8").ravel()
    return hashes


@dataclass(frozen=True)
class Duplicates:
    """What is alike among N images.

    Attributes:
        groups: of at least two images each, positions in rising order; in order of their first image. Being alike is
            passed on: two images of a group need not be alike themselves, if others link them.
        pairs: near-identical pairs in order of position: all of groups of up to 12 images, and three of each larger
            one; of a pair that is near both ways, the way that is nearer.
    """

    groups: list[list[int]]
    pairs: list[Pair]


def _normalised(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 1024) float64 of zero mean and unit variance, from (n, 32, 32)."""
    values = np.asarray(thumbnails, dtype=np.float64).reshape(len(thumbnails), -1)
    deviation = np.maximum(values.std(axis=1, keepdims=True), _SMALLEST_DEVIATION)
    return np.asarray((values - values.mean(axis=1, keepdims=True)) / deviation)


class _Search:
    """The hashes and thumbnails of all images, and the groups found so far."""

    def __init__(self, thumbnails: np.ndarray, hash_distance: int, pixel_distance: float) -> None:
        self.thumbnails, self.hash_distance, self.pixel_distance = thumbnails, hash_distance, pixel_distance
        self.hashes = perceptual_hashes(thumbnails)
        self.mirrored_hashes = perceptual_hashes(thumbnails[:, :, ::-1])
        self.label = np.arange(len(thumbnails))  # the first image of the group that each is in
        self.links: dict[int, list[Pair]] = {}  # examples by first image, of those found on the way

    def run(self) -> None:
        for mirrored, others in ((False, self.hashes), (True, self.mirrored_hashes)):
            what = "near-duplicates, mirrored" if mirrored else "near-duplicates"
            for start in tqdm(range(0, len(others), _ROWS), desc=what, disable=None, leave=False):
                # Of the table of all pairs only the part right of the diagonal is looked at.
                bits = np.bitwise_count(self.hashes[start : start + _ROWS, None] ^ others[None, start:])
                near = bits <= self.hash_distance
                for row in np.flatnonzero(near.any(axis=1)).tolist():
                    later = np.flatnonzero(near[row, row + 1 :]) + start + row + 1
                    self._join(start + row, later, mirrored)

    def _join(self, first: int, candidates: np.ndarray, mirrored: bool) -> None:
        """Bring the candidates that are alike into the group of an image."""
        while True:
            # What a piece has brought in need not be compared any more, nor what came in with it.
            candidates = candidates[self.label[candidates] != self.label[first]]
            if not len(candidates):
                return
            piece, candidates = candidates[:_COMPARED], candidates[_COMPARED:]
            distance = self.distances(first, piece, mirrored)
            alike = piece[distance <= self.pixel_distance]
            if not len(alike):
                continue
            merged = np.unique(self.label[[first, *alike]])
            self.label[np.isin(self.label, merged)] = merged[0]
            links = self.links.setdefault(first, [])
            links += [self.pair(first, int(second), mirrored) for second in alike[: _EXAMPLES - len(links)]]

    def distances(self, first: int, others: np.ndarray, mirrored: bool) -> np.ndarray:
        """(n,) mean absolute differences of normalised thumbnails."""
        compared = self.thumbnails[others]
        compared = compared[:, :, ::-1] if mirrored else compared
        one = _normalised(self.thumbnails[first : first + 1])
        return np.asarray(np.abs(_normalised(compared) - one).mean(axis=1))

    def pair(self, first: int, second: int, mirrored: bool) -> Pair:
        one, two = self.thumbnails[first], self.thumbnails[second]
        two = two[:, ::-1] if mirrored else two
        others = self.mirrored_hashes if mirrored else self.hashes
        bits = int(np.bitwise_count(self.hashes[first] ^ others[second]))
        distance = float(self.distances(first, np.array([second]), mirrored)[0])
        difference = float(np.sqrt(np.square(one.astype(np.float64) - two).mean()))
        return Pair(first, second, bits, distance, difference, mirrored)

    def pairs_within(self, group: list[int]) -> list[Pair]:
        """Every near-identical pair of a small group, a few of a large one."""
        if len(group) > _LISTED:
            return [pair for first in group for pair in self.links.get(first, [])][:_EXAMPLES]
        found = []
        for first, second in itertools.combinations(group, 2):
            ways = [self.pair(first, second, mirrored) for mirrored in (False, True)]
            near = [
                pair
                for pair in ways
                if pair.bits <= self.hash_distance and pair.distance <= self.pixel_distance
            ]
            found += sorted(near, key=lambda pair: pair.distance)[:1]
        return found


def find_duplicates(thumbnails: np.ndarray, hash_distance: int, pixel_distance: float) -> Duplicates:
    """Groups of near-identical images, mirror images included.

    Args:
        thumbnails: (N, 32, 32) uint8 grey values, possibly memory-mapped.
        hash_distance: most bits in which the hashes of a candidate differ.
        pixel_distance: largest mean absolute difference of thumbnails of zero mean and unit variance.

    Returns:
        Groups and pairs. Memory grows with N by 24 bytes; time is that of N squared comparisons of hashes and about N
        of thumbnails, however many of the images are alike.
    """
    if len(thumbnails) < 2:
        return Duplicates([], [])
    search = _Search(thumbnails, hash_distance, pixel_distance)
    search.run()
    order = np.argsort(search.label, kind="stable")
    starts = np.flatnonzero(np.diff(search.label[order], prepend=-1))
    groups = [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]
    pairs = [pair for group in groups for pair in search.pairs_within(group)]
    return Duplicates(groups, sorted(pairs, key=lambda pair: (pair.first, pair.second)))
