"""From a mask of classes to connected regions, and to their outlines along pixel edges.

A pixel covers the unit square whose upper left corner is its (x, y), as in ``sources.formats.rasterize``: the outline
of the pixel (3, 5) goes through (3, 5), (4, 5), (4, 6), (3, 6). Outlines through the centres of the pixels at the
border, as ``cv2.findContours`` has them, lose half a pixel all around.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.formats.rasterize import Region, fill_polygon

# Right and lower edges of an outline lie this much inside the pixels' own. labelme rasterises with Pillow, which cuts
# fractions off and paints the outline: with it, an edge that is exactly on the next pixel's first column paints that
# column too. The centres of the pixels stay inside, which is what decides elsewhere. A power of two, which
# float32 holds.
_INSET = 1 / 64


@dataclass(frozen=True)
class ClassRegion:
    """Connected pixels of one class (by their edges; corners do not connect).

    Attributes:
        class_id: of all its pixels.
        x, y: column and row of the upper left pixel of ``mask``.
        mask: (h, w) bool, its smallest box.
    """

    class_id: int
    x: int
    y: int
    mask: np.ndarray


def connected_regions(mask: np.ndarray) -> Iterator[ClassRegion]:
    """The regions of every class of a mask, ignored pixels left out; by class, then from top to bottom.

    Args:
        mask: (H, W) uint8 class ids; 255 is ignored.
    """
    for class_id in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist():
        if class_id == IGNORE_INDEX:
            continue
        own = (mask == class_id).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(own, connectivity=4)
        for number in range(1, count):
            x, y, width, height = (int(value) for value in stats[number, :4])
            box = labels[y : y + height, x : x + width]
            yield ClassRegion(class_id, x, y, box == number)


def outline(mask: np.ndarray) -> np.ndarray:
    """The outer outline of one connected region, along pixel edges.

    Args:
        mask: (h, w) bool, connected by edges, with a pixel in its first row.

    Returns:
        (n, 2) int32 x and y of its corners, clockwise as seen on the screen, from the first pixel of the first row
        on. Where two pixels meet at a corner alone, the outline passes twice.
    """
    inside = np.pad(mask, 1)
    # Steps along pixel edges with the region on the right: right, down, left, up; from corner (y, x) of the lattice.
    here, above = inside[1:, 1:], inside[:-1, 1:]
    left, diagonal = inside[1:, :-1], inside[:-1, :-1]
    steps = np.stack([here & ~above, left & ~here, diagonal & ~left, above & ~diagonal])
    height, width = steps.shape[1:]
    free = steps.tobytes()
    moves, plane = (1, width, -1, -width), height * width
    start = int(np.argmax(mask[0]))
    position, direction, corners = start, 0, [start]
    while True:
        position += moves[direction]
        # A turn to the right stays with the same pixel, where two pixels meet at a corner.
        for turn in (1, 0, 3):
            following = (direction + turn) % 4
            if free[following * plane + position]:
                break
        if position == start and following == 0:
            break
        if following != direction:
            corners.append(position)
            direction = following
    y, x = np.divmod(np.array(corners, dtype=np.int32), width)
    return np.stack([x, y], axis=1).astype(np.int32)


def polygon(region: ClassRegion, epsilon: float) -> np.ndarray:
    """The outer outline of a region with fewer corners, its right and lower edges 1/64 px inside.

    Args:
        region: of :func:`connected_regions`.
        epsilon: how far the outline may move, px (Douglas and Peucker); 0 keeps every corner.

    Returns:
        (n, 2) float32 x and y in the image, n at least 3.
    """
    corners = outline(region.mask)
    ring = corners.astype(np.float32)
    before, after = np.roll(corners, 1, axis=0) - corners, np.roll(corners, -1, axis=0) - corners
    # Going clockwise, a right edge goes down and a lower edge goes left.
    ring[:, 0] -= _INSET * ((after[:, 1] > 0) | (before[:, 1] < 0))
    ring[:, 1] -= _INSET * ((after[:, 0] < 0) | (before[:, 0] > 0))
    if epsilon > 0:
        simple = cv2.approxPolyDP(ring.reshape(-1, 1, 2), epsilon, closed=True).reshape(-1, 2)
        if len(simple) > 2:
            ring = simple.astype(np.float32)
    return ring + np.array([region.x, region.y], dtype=np.float32)


@dataclass(frozen=True)
class ClassPolygon:
    """An outline to be painted.

    Attributes:
        class_id: of the pixels that are left when all is painted.
        ring: (n, 2) float32 x and y, px.
    """

    class_id: int
    ring: np.ndarray


def stacked_polygons(mask: np.ndarray, epsilon: float) -> list[ClassPolygon]:
    """Outlines without holes that give the mask again, painted one over the other on background.

    A hole is painted later, as the outline of what is in it: of another class, or of background. What encloses comes
    first: regions stand in the order of the area within their outer outline, the largest first. Background that
    nothing encloses is not outlined, nor are ignored pixels, which take the class of what is around them.

    Args:
        mask: (H, W) uint8 class ids, background 0; 255 is ignored.
        epsilon: see :func:`polygon`.
    """
    filled: list[tuple[int, int, ClassRegion, Region]] = []
    for place, region in enumerate(connected_regions(mask)):
        whole = fill_polygon(outline(region.mask).astype(np.float64), *region.mask.shape)
        filled.append((-int(whole.mask.sum()), place, region, whole))
    canvas = np.zeros(mask.shape, dtype=np.uint8)
    found = []
    for _, _, region, whole in sorted(filled, key=lambda item: item[:2]):
        height, width = region.mask.shape
        part = canvas[region.y : region.y + height, region.x : region.x + width]
        first = int(np.argmax(region.mask[0]))
        if part[0, first] == region.class_id:  # background, and nothing around it
            continue
        part[: whole.mask.shape[0], : whole.mask.shape[1]][whole.mask] = region.class_id
        found.append(ClassPolygon(region.class_id, polygon(region, epsilon)))
    return found


def painted(polygons: Iterable[ClassPolygon], height: int, width: int) -> np.ndarray:
    """The mask (height, width) uint8 that outlines give when they are painted in order, as the importers do."""
    mask = np.zeros((height, width), dtype=np.uint8)
    for item in polygons:
        region = fill_polygon(item.ring.astype(np.float64), height, width)
        rows, columns = region.mask.shape
        mask[region.y : region.y + rows, region.x : region.x + columns][region.mask] = item.class_id
    return mask
