"""Bodies made of ellipsoids, and their projection onto a canvas.

A pet is a few hundred overlapping ellipsoids ("splats"). Each is seen in parallel projection, where its front
surface has a closed form; the nearest one wins a pixel. So every view of a body has its parts connected and in
the right order, and the depth gives light and shade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum

import numpy as np


class Part(IntEnum):
    """What a splat belongs to; decides its colour."""

    TORSO = 0
    NECK = 1
    LEG = 2
    PAW = 3
    TAIL = 4
    SKULL = 5
    MUZZLE = 6
    EAR = 7
    EAR_INSIDE = 8
    NOSE = 9
    TONGUE = 10
    COLLAR = 11
    TAG = 12


HEAD_PARTS = (Part.SKULL, Part.MUZZLE, Part.EAR, Part.EAR_INSIDE, Part.NOSE)


@dataclass(frozen=True)
class Splats:
    """N ellipsoids: the points ``centre + axes @ v`` with ``|v| <= 1``.

    Attributes:
        centre: (N, 3) float64; x right, y up (down once on a canvas), z towards the viewer.
        axes: (N, 3, 3) float64, columns are the semi-axes.
        tangent: (N, 3) float64, the direction in which the fur lies.
        part: (N,) int.
        along: (N,) distance along the limb, in units of the body: rings of a tabby are level sets of it.
        extremity: (N,) 0 at the trunk to 1 at the ends of ears, feet, tail, nose.
        white: (N,) 0 to 1, how readily white markings spread here.
    """

    centre: np.ndarray
    axes: np.ndarray
    tangent: np.ndarray
    part: np.ndarray
    along: np.ndarray
    extremity: np.ndarray
    white: np.ndarray

    def __len__(self) -> int:
        return len(self.centre)

    def transformed(self, matrix: np.ndarray, offset: np.ndarray | float = 0.0) -> Splats:
        """The same body under ``x -> matrix @ x + offset``, matrix (3, 3), offset (3,)."""
        return Splats(
            self.centre @ matrix.T + offset,
            matrix @ self.axes,
            self.tangent @ matrix.T,
            self.part,
            self.along,
            self.extremity,
            self.white,
        )

    def only(self, parts: tuple[Part, ...]) -> Splats:
        """The splats of some parts."""
        keep = np.isin(self.part, parts)
        return Splats(*(getattr(self, f.name)[keep] for f in fields(self)))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner, each (3,)."""
        half = np.sqrt((self.axes**2).sum(axis=2))
        return (self.centre - half).min(axis=0), (self.centre + half).max(axis=0)


def join(bodies: list[Splats]) -> Splats:
    """One body of several, in the given order."""
    return Splats(*(np.concatenate([getattr(body, f.name) for body in bodies]) for f in fields(Splats)))


@dataclass
class Sculptor:
    """Collects splats. Attributes given as a pair (a, b) run from a to b along a chain."""

    _rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, int, float, float, float]] = field(
        default_factory=list
    )

    def ellipsoid(
        self,
        centre: np.ndarray | tuple[float, float, float],
        radii: tuple[float, float, float],
        part: Part,
        *,
        turn: np.ndarray | None = None,
        tangent: tuple[float, float, float] = (0.0, -1.0, 0.0),
        along: float = 0.0,
        extremity: float = 0.0,
        white: float = 0.0,
    ) -> None:
        """One ellipsoid of the given radii along the (turned) axes; `turn` is a (3, 3) rotation."""
        axes = np.diag(radii) if turn is None else turn @ np.diag(radii)
        self._rows.append(
            (np.asarray(centre, float), axes, np.asarray(tangent, float), part, along, extremity, white)
        )

    def chain(
        self,
        points: np.ndarray | Sequence[np.ndarray | Sequence[float]],
        radii: Sequence[float],
        part: Part,
        *,
        flat: tuple[np.ndarray | tuple[float, float, float], float] | None = None,
        extremity: tuple[float, float] = (0.0, 0.0),
        white: tuple[float, float] = (0.0, 0.0),
        along: float = 0.0,
        spacing: float = 0.4,
    ) -> float:
        """A smooth limb through `points` (K, 3) with a radius at each; returns its length.

        `flat` = (normal, ratio) squashes it along a direction, as an ear is. `spacing` is the distance of
        neighbouring splats in radii: closer than the eye can tell at 0.4.
        """
        knots = np.asarray(points, float)
        fine, thickness = _smooth(knots, np.asarray(radii, float))
        steps = np.linalg.norm(np.diff(fine, axis=0), axis=1)
        # A thin end needs a denser row: walk in units of the local radius.
        walk = np.concatenate(
            [[0.0], np.cumsum(steps / np.maximum(0.5 * (thickness[1:] + thickness[:-1]), 1e-3))]
        )
        length = np.concatenate([[0.0], np.cumsum(steps)])
        count = min(60, max(2, int(np.ceil(walk[-1] / spacing)) + 1))
        at = np.interp(np.linspace(0.0, walk[-1], count), walk, np.arange(len(fine)))
        low = np.minimum(at.astype(int), len(fine) - 2)
        share = (at - low)[:, None]
        centres = fine[low] * (1 - share) + fine[low + 1] * share
        radius = np.interp(at, np.arange(len(fine)), thickness)
        arc = np.interp(at, np.arange(len(fine)), length)
        heading = (fine[low + 1] - fine[low]) / np.maximum(steps[low], 1e-9)[:, None]
        shape = np.eye(3)
        if flat is not None:
            normal = np.asarray(flat[0], float) / np.linalg.norm(flat[0])
            shape = shape + (flat[1] - 1.0) * np.outer(normal, normal)
        total = max(length[-1], 1e-9)
        for c, r, d, s in zip(centres, radius, heading, arc, strict=True):
            t = s / total
            self._rows.append(
                (
                    c,
                    r * shape,
                    d,
                    part,
                    along + s,
                    extremity[0] + t * (extremity[1] - extremity[0]),
                    white[0] + t * (white[1] - white[0]),
                )
            )
        return float(length[-1])

    def splats(self) -> Splats:
        """What has been collected."""
        centre, axes, tangent, part, along, extremity, white = zip(*self._rows, strict=True)
        return Splats(
            np.stack(centre),
            np.stack(axes),
            np.stack(tangent),
            np.array(part, int),
            np.array(along, float),
            np.array(extremity, float),
            np.array(white, float),
        )


def _smooth(knots: np.ndarray, radii: np.ndarray, pieces: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Catmull-Rom curve through knots (K, 3): points and radii, ``(K - 1) * pieces + 1`` of each."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = (np.arange(pieces) / pieces)[None, :, None]
    a, b, c, d = (padded[i : len(knots) - 1 + i, None, :] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    points = np.concatenate([curve.reshape(-1, 3), knots[-1:]])
    at = np.arange(len(points)) / pieces
    return points, np.interp(at, np.arange(len(knots)), radii)


def rasterise(splats: Splats, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The front surface of a body given in canvas coordinates (px; y down, z towards the viewer).

    Returns:
        depth: (H, W) float32, z of the surface, -inf where there is none.
        owner: (H, W) int16, index of the splat that shows, -1 where there is none.
    """
    height, width = shape
    depth = np.full(shape, -np.inf, np.float32)
    owner = np.full(shape, -1, np.int16)
    # With S = M M^T: the outline is the ellipse d^T S_xy^-1 d = 1, and the front is the plane of conjugate
    # points plus the conditional half-thickness times sqrt(1 - d^T S_xy^-1 d).
    s = splats.axes @ splats.axes.transpose(0, 2, 1)
    determinant = s[:, 0, 0] * s[:, 1, 1] - s[:, 0, 1] ** 2
    determinant = np.maximum(determinant, 1e-12)
    a, b, c = s[:, 1, 1] / determinant, -s[:, 0, 1] / determinant, s[:, 0, 0] / determinant
    slope_x = a * s[:, 0, 2] + b * s[:, 1, 2]
    slope_y = b * s[:, 0, 2] + c * s[:, 1, 2]
    thickness = np.sqrt(np.maximum(s[:, 2, 2] - slope_x * s[:, 0, 2] - slope_y * s[:, 1, 2], 0.0))
    half = np.sqrt(np.stack([s[:, 0, 0], s[:, 1, 1]], axis=1))
    low = np.maximum(np.ceil(splats.centre[:, :2] - half - 0.5), 0).astype(int)
    high = np.minimum(np.floor(splats.centre[:, :2] + half - 0.5) + 1, [width, height]).astype(int)
    middle = splats.centre.astype(np.float32)
    a, b, c, slope_x, slope_y, thickness = (
        values.astype(np.float32) for values in (a, b, c, slope_x, slope_y, thickness)
    )
    xs, ys = (np.arange(n, dtype=np.float32) + np.float32(0.5) for n in (width, height))
    for i in range(len(splats)):
        (x0, y0), (x1, y1) = low[i], high[i]
        if x0 >= x1 or y0 >= y1:
            continue
        # Everything that a row or a column has in common is worked out once: the planes below are the cost.
        dx, dy = xs[x0:x1] - middle[i, 0], ys[y0:y1] - middle[i, 1]
        inside = (-2 * b[i] * dy)[:, None] * dx
        inside += np.float32(1.0) - a[i] * dx * dx
        inside -= (c[i] * dy * dy)[:, None]
        hit = inside > 0
        np.maximum(inside, 0.0, out=inside)
        front = np.sqrt(inside, out=inside)
        front *= thickness[i]
        front += slope_x[i] * dx
        front += (slope_y[i] * dy + middle[i, 2])[:, None]
        window = depth[y0:y1, x0:x1]
        nearer = hit & (front > window)
        np.copyto(window, front, where=nearer)
        np.copyto(owner[y0:y1, x0:x1], np.int16(i), where=nearer)
    return depth, owner
