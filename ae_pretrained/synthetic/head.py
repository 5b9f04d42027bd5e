"""The head: skull, muzzle, ears and the places of eyes, mouth and whiskers.

Local axes: x forward (where the nose points), y up, z to the side; the unit is the radius of the skull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ae_pretrained.synthetic.breeds import CAT, Breed
from ae_pretrained.synthetic.solid import Part, Sculptor, Splats


@dataclass(frozen=True)
class FaceMarks:
    """What is drawn onto the head after it has been shaded; points and directions in the head's axes.

    Attributes:
        eyes: (2, 3) centres; eye_normals: (2, 3); eye_radius in skulls; slit: pupils are slits.
        mouth: polylines, each (K, 3).
        whiskers: (M, 2, 3) from root to tip.
        up: (3,) direction of the top of the head.
    """

    eyes: np.ndarray
    eye_normals: np.ndarray
    eye_radius: float
    slit: bool
    mouth: tuple[np.ndarray, ...]
    whiskers: np.ndarray
    up: np.ndarray

    def transformed(self, matrix: np.ndarray, offset: np.ndarray, scale: float) -> FaceMarks:
        """The same marks under ``x -> matrix @ x + offset``; `scale` is the matrix' enlargement."""
        return FaceMarks(
            self.eyes @ matrix.T + offset,
            _unit(self.eye_normals @ matrix.T),
            self.eye_radius * scale,
            self.slit,
            tuple(line @ matrix.T + offset for line in self.mouth),
            self.whiskers @ matrix.T + offset,
            _unit(self.up @ matrix.T),
        )


def sculpt_head(breed: Breed, tongue: bool, rng: np.random.Generator) -> tuple[Splats, FaceMarks]:
    """Head of `breed` with small individual differences; `tongue`: it shows its tongue."""
    return _cat(breed, tongue, rng) if breed.species == CAT else _dog(breed, tongue, rng)


def _cat(breed: Breed, tongue: bool, rng: np.random.Generator) -> tuple[Splats, FaceMarks]:
    s = Sculptor()
    vary = rng.uniform(0.94, 1.06, 4)
    s.ellipsoid((0, 0, 0), (0.88, 0.86, 0.98 * vary[0]), Part.SKULL, tangent=(0, 1, 0), white=0.1)
    s.ellipsoid((0.30, 0.25, 0), (0.55, 0.52, 0.42), Part.SKULL, tangent=(0, 1, 0), white=0.55)
    cheek = 0.62 * vary[1]
    for side in (-1, 1):
        s.ellipsoid(
            (0.18, -0.26, 0.46 * side), (0.58, 0.50, cheek), Part.SKULL, tangent=(0, -1, side), white=0.5
        )
    reach = 0.66 + breed.muzzle
    width = breed.muzzle_width
    s.ellipsoid(
        (reach - 0.22, -0.22, 0),
        (0.40, 0.30, 0.30),
        Part.MUZZLE,
        tangent=(0, 1, 0),
        extremity=0.75,
        white=0.8,
    )
    for side in (-1, 1):
        s.ellipsoid(
            (reach, -0.36, 0.17 * side),
            (0.27, 0.22, width * 0.68),
            Part.MUZZLE,
            tangent=(0, -0.3, side),
            extremity=1.0,
            white=1.0,
        )
    s.ellipsoid((reach - 0.08, -0.55, 0), (0.25, 0.20, 0.24), Part.MUZZLE, extremity=0.9, white=1.0)
    if tongue:  # as often and as large as a dog's, lest pink tell the species
        hang = rng.uniform(0.0, 0.12)
        s.chain(
            [(reach - 0.05, -0.46, 0), (reach + 0.14, -0.58, 0), (reach + 0.17, -0.80 - hang, 0)],
            [0.13, 0.19, 0.15],
            Part.TONGUE,
            flat=((1, 0.2, 0), 0.45),
        )
    tip = reach + 0.24
    s.ellipsoid((tip - 0.02, -0.20, 0), (0.10, 0.085, 0.145), Part.NOSE)
    s.ellipsoid((tip - 0.02, -0.27, 0), (0.09, 0.075, 0.07), Part.NOSE)
    _triangular_ears(s, 1.02 * breed.ear_size * vary[2], 0.46, root=(0.0, 0.58, 0.56), lean=0.36, sharp=0.02)

    normal = np.array([[0.86, 0.12, 0.42 * side] for side in (-1, 1)])
    eyes = np.array([[0.86, 0.10, 0.40 * side] for side in (-1, 1)])
    centre = np.array([tip, -0.32, 0.0])
    smile = [
        np.array([[tip, -0.30, 0], centre + [0.01, -0.10, 0]]),
        *(
            centre
            + np.array(
                [[0.01, -0.10, 0], [0.0, -0.17, 0.10 * d], [-0.05, -0.17, 0.22 * d], [-0.14, -0.12, 0.32 * d]]
            )
            for d in (-1, 1)
        ),
    ]
    return s.splats(), FaceMarks(
        eyes,
        _unit(normal),
        breed.eye * vary[3],
        True,
        tuple(smile),
        _whiskers(rng, reach, 0.30, 1.05, 4),
        np.array([0.0, 1, 0]),
    )


def _dog(breed: Breed, tongue: bool, rng: np.random.Generator) -> tuple[Splats, FaceMarks]:
    s = Sculptor()
    vary = rng.uniform(0.94, 1.06, 4)
    s.ellipsoid((0, 0.02, 0), (0.92, 0.86, 0.86 * vary[0]), Part.SKULL, tangent=(0, 1, 0), white=0.1)
    s.ellipsoid((0.30, 0.20, 0), (0.56, 0.56, 0.52), Part.SKULL, tangent=(0, 1, 0), white=0.55)
    for side in (-1, 1):
        s.ellipsoid(
            (0.16, -0.26, 0.38 * side), (0.58, 0.48, 0.46), Part.SKULL, tangent=(0, -1, side), white=0.4
        )
    root, width, length = 0.62, breed.muzzle_width, breed.muzzle * vary[1]
    tip = root + length
    drop = -0.20 - 0.10 * length
    end = width * (0.92 if length < 0.6 else 0.74)
    s.chain(
        [(root - 0.25, -0.10, 0), (root + 0.35 * length, -0.17, 0), (tip, drop, 0)],
        [width * 1.05, width * 0.94, end],
        Part.MUZZLE,
        extremity=(0.7, 1.0),
        white=(0.8, 1.0),
    )
    flews = (
        0.9 * width if length < 0.6 else 0.62 * width
    )  # lips that hang, most of all on a short broad muzzle
    for side in (-1, 1):
        s.ellipsoid(
            (tip - 0.30 * length - 0.05, drop - 0.5 * width, 0.55 * width * side),
            (0.28 + 0.30 * length, flews, 0.45 * width),
            Part.MUZZLE,
            tangent=(1, -0.5, 0),
            extremity=0.95,
            white=1.0,
        )
    gape = rng.choice([0.22, 0.34]) if tongue else 0.0
    jaw_end = np.array([tip - 0.12 - 0.2 * gape, drop - 0.92 * width - gape, 0])
    s.chain(
        [(root - 0.2, -0.42, 0), (root + 0.3 * length, -0.50 - 0.55 * gape, 0), jaw_end],
        [0.70 * width, 0.60 * width, 0.48 * width],
        Part.MUZZLE,
        extremity=(0.7, 0.95),
        white=(0.9, 1.0),
    )
    if tongue:
        hang = rng.uniform(0.0, 0.3)
        s.chain(
            [
                (root + 0.1, -0.45 - 0.4 * gape, 0),
                jaw_end + [-0.05, 0.40 * width, 0],
                jaw_end + [0.30, 0.10 * width - hang, 0],
            ],
            [0.26 * width, 0.36 * width, 0.28 * width],
            Part.TONGUE,
            flat=((0.3, 1, 0), 0.45),
        )
    big = 0.26 + 0.10 * width
    s.ellipsoid((tip + 0.80 * end, drop + 0.36 * end, 0), (0.20, 0.80 * big, big), Part.NOSE)
    _dog_ears(s, breed, rng, vary[2])

    eyes = np.array([[0.78, 0.22, 0.38 * side] for side in (-1, 1)])
    normal = np.array([[0.84, 0.14, 0.48 * side] for side in (-1, 1)])
    front = tip + end
    lines = [np.array([[front + 0.02, drop - 0.02, 0], [front - 0.04, drop - 0.40 * end, 0]])]
    whiskers = _whiskers(rng, tip - 0.1, 0.5 * width, 0.45, 2) if rng.random() < 0.4 else np.zeros((0, 2, 3))
    return s.splats(), FaceMarks(
        eyes, _unit(normal), breed.eye * vary[3], False, tuple(lines), whiskers, np.array([0.0, 1, 0])
    )


def _triangular_ears(
    s: Sculptor, height: float, width: float, root: tuple[float, float, float], lean: float, sharp: float
) -> None:
    """Upright ears with a hollow front; `lean` is the outward slope, `sharp` the radius of the tip."""
    for side in (-1, 1):
        base = np.array([root[0], root[1] - 0.15, root[2] * side])
        up = _unit(np.array([-0.06, 1.0, lean * side]))
        tip = base + up * (height + 0.15)
        facing = _unit(np.array([1.0, 0.0, 0.45 * side]))
        mid = 0.5 * (base + tip) + 0.04 * np.array([0, 0, side])
        s.chain(
            [base, mid, tip],
            [width, 0.5 * (width + sharp) + 0.03, sharp],
            Part.EAR,
            flat=(facing, 0.30),
            extremity=(0.6, 1.0),
            spacing=0.22,
        )
        shift = facing * 0.10
        s.chain(
            [base + shift + 0.10 * up, mid + shift * 0.8, base + 0.84 * (tip - base) + shift * 0.5],
            [width * 0.60, 0.34 * (width + sharp), sharp],
            Part.EAR_INSIDE,
            flat=(facing, 0.20),
            spacing=0.22,
        )


def _dog_ears(s: Sculptor, breed: Breed, rng: np.random.Generator, vary: float) -> None:
    size = breed.ear_size * vary
    if breed.ear == "prick":
        _triangular_ears(s, 1.05 * size, 0.33, root=(-0.08, 0.62, 0.44), lean=0.16, sharp=0.09)
        return
    swing = rng.uniform(-0.12, 0.12)
    for side in (-1, 1):
        if breed.ear in ("drop", "hound"):
            long = (1.15 if breed.ear == "drop" else 1.55) * size
            knots = [
                (-0.10, 0.62, 0.48 * side),
                (-0.06, 0.48, 0.92 * side),
                (0.00 + swing * 0.5, 0.40 - 0.5 * long, 1.08 * side),
                (0.12 + swing, 0.42 - long, (1.02 + 0.1 * swing) * side),
            ]
            radii = [0.20, 0.30, 0.40 * size**0.5, 0.20 if breed.ear == "drop" else 0.28]
            s.chain(
                knots, radii, Part.EAR, flat=((0.25, 0.1, side), 0.38), extremity=(0.7, 1.0), spacing=0.22
            )
        elif breed.ear == "tipped":
            knots = [
                (-0.05, 0.50, 0.55 * side),
                (0.0, 0.98 * size, 0.72 * side),
                (0.30, 1.00 * size, 0.86 * side),
                (0.46, 0.62 * size, 0.95 * side),
            ]
            s.chain(
                knots,
                [0.32, 0.28, 0.26, 0.07],
                Part.EAR,
                flat=((1, 0.6, 0.3 * side), 0.45),
                extremity=(0.6, 1.0),
                spacing=0.22,
            )
        else:  # a rose ear: small, folded back and out
            knots = [
                (-0.10, 0.55, 0.55 * side),
                (-0.25, 0.80 * size, 0.86 * side),
                (-0.30, 0.66 * size, 1.22 * side),
                (-0.20, 0.34, 1.34 * side),
            ]
            s.chain(
                knots,
                [0.26, 0.27, 0.22, 0.06],
                Part.EAR,
                flat=((0.8, 0.6, 0.0), 0.5),
                extremity=(0.6, 1.0),
                spacing=0.22,
            )


def _whiskers(rng: np.random.Generator, reach: float, width: float, length: float, count: int) -> np.ndarray:
    rows = []
    for side in (-1, 1):
        for k in range(count):
            fan = (k + 0.5) / count - 0.5
            root = np.array([reach + 0.06, -0.38 - 0.10 * fan, width * side])
            tip = root + length * rng.uniform(0.85, 1.1) * np.array([0.05, 0.10 - 0.55 * fan, side])
            rows.append([root, tip])
    return np.array(rows)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
