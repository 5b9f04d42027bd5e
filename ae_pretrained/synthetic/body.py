"""The body in its poses, and the whole pet turned towards the camera.

Body axes: x forward, y up (0 is the ground), z to the pet's side; the unit is the body unit of `Breed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ae_pretrained.synthetic.breeds import CAT, Breed
from ae_pretrained.synthetic.head import FaceMarks, sculpt_head
from ae_pretrained.synthetic.solid import Part, Sculptor, Splats, join
from ae_pretrained.synthetic.tails import raised_tail, resting_tail

Pose = Literal["sit", "stand", "walk", "lie", "portrait"]
POSES: tuple[Pose, ...] = ("sit", "stand", "walk", "lie", "portrait")


@dataclass(frozen=True)
class View:
    """How the camera sees the pet, radians. A facing of 0 is a profile to the right, pi / 2 looks at us.

    Attributes:
        body, head: facing of body and head.
        pitch: how far the camera looks down.
        nod, tilt: of the head, downwards and sideways.
        mirror: look to the left instead.
    """

    body: float
    head: float
    pitch: float
    nod: float
    tilt: float
    mirror: bool


@dataclass(frozen=True)
class Pet:
    """A pet in camera axes (x right, y up, z towards the viewer), in body units.

    Attributes:
        splats, face: its surface, and what is drawn on it.
        head_centre: (3,); head_radius: of the skull.
        fluff: length of the hair, 0 to 1.
    """

    splats: Splats
    face: FaceMarks
    head_centre: np.ndarray
    head_radius: float
    fluff: float


def sculpt_pet(
    breed: Breed, pose: Pose, view: View, collar: bool, tongue: bool, rng: np.random.Generator
) -> Pet:
    """The pet in its pose, as the camera sees it."""
    s = Sculptor()
    chest, direction = _trunk_and_limbs(s, breed, pose, rng)
    body = s.splats().transformed(_yaw(view.body))
    reach = breed.neck + 0.55 * breed.chest + 0.70 * breed.head
    shoulder = _yaw(view.body) @ chest
    head = shoulder + _yaw(view.body) @ (direction * reach)
    turn = _yaw(view.head) @ _about_z(-view.nod) @ _about_x(view.tilt)

    skull, face = sculpt_head(breed, tongue, rng)
    scale = turn * breed.head
    skull = skull.transformed(scale, head)
    face = face.transformed(scale, head, breed.head)

    nape = head + scale @ np.array([-0.30, -0.30, 0.0])
    between = 0.5 * (shoulder + nape) + 0.04 * turn @ np.array([-1.0, 0.0, 0.0])
    thick = max(0.56 * breed.head, 0.55 * breed.chest)
    n = Sculptor()
    n.chain(
        [shoulder, between, nape],
        [0.92 * breed.chest, 0.5 * (0.8 * breed.chest + thick), thick],
        Part.NECK,
        white=(0.6, 0.5),
    )
    if collar:
        _collar(n, between, nape, 0.5 * (0.8 * breed.chest + thick), thick, turn)

    camera = _about_x(view.pitch)
    if view.mirror:
        camera = np.diag([-1.0, 1.0, 1.0]) @ camera
    splats = join([body, n.splats(), skull]).transformed(camera)
    return Pet(splats, face.transformed(camera, np.zeros(3), 1.0), camera @ head, breed.head, breed.fluff)


def _trunk_and_limbs(
    s: Sculptor, breed: Breed, pose: Pose, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Everything but neck and head; returns where the neck starts and its direction."""
    if pose in ("sit", "portrait"):
        return _sit(s, breed, rng)
    if pose == "lie":
        return _lie(s, breed, rng)
    return _stand(s, breed, rng, stride=1.0 if pose == "walk" else 0.25)


def _stand(s: Sculptor, b: Breed, rng: np.random.Generator, stride: float) -> tuple[np.ndarray, np.ndarray]:
    height = b.leg + 0.55 * b.chest
    rump = np.array([-0.5 * b.body, b.leg + 0.62 * b.waist, 0.0])
    chest = np.array([0.42 * b.body, height, 0.0])
    _trunk(s, b, rump, chest, sag=0.02)
    w, gap = b.leg_width, 0.52 * b.chest
    phase = rng.uniform(0, 2 * np.pi)
    for side, shift in ((-1, 0.0), (1, np.pi)):
        swing = 0.30 * b.leg * stride * np.sin(phase + shift)
        lift = max(0.0, 0.16 * b.leg * stride * np.cos(phase + shift))
        foot = np.array([0.40 * b.body + swing + 0.02, lift, gap * side])
        top = np.array([0.40 * b.body, height - 0.2 * b.chest, gap * side])
        _foreleg(s, b, top, foot)
        swing = -0.30 * b.leg * stride * np.sin(phase + shift + 0.5)
        lift = max(0.0, 0.14 * b.leg * stride * np.cos(phase + shift + 2.2))
        hind = np.array([-0.52 * b.body + swing, lift, 0.95 * gap * side])
        hip = np.array([-0.44 * b.body, rump[1] - 0.05 * b.leg, 0.75 * gap * side])
        knee = np.array([-0.34 * b.body + 0.7 * swing, lift * 0.6 + 0.52 * b.leg, 1.0 * gap * side])
        hock = hind + [-0.10 * b.leg - 0.02, 0.30 * b.leg, 0]
        s.chain(
            [hip, knee, hock, hind + [0, w, 0]],
            [0.85 * b.waist, 1.55 * w, 0.95 * w, 0.95 * w],
            Part.LEG,
            extremity=(0.0, 0.95),
            white=(0.0, 0.85),
        )
        _paw(s, hind, w)
    raised_tail(s, b, rump + [-0.75 * b.waist, 0.40 * b.waist, 0], rng)
    return chest + [0.06 * b.body, 0.30 * b.chest, 0], _unit(np.array([0.62, 0.9, 0.0]))


def _sit(s: Sculptor, b: Breed, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    length = 0.80 * b.body
    rump = np.array([-0.28 * length, 1.02 * b.waist, 0.0])
    rise = min(0.86 * length, b.leg + 0.55 * b.chest - rump[1] + 0.10)
    chest = rump + [np.sqrt(length**2 - rise**2) * 0.85, rise, 0]
    _trunk(s, b, rump, chest, sag=-0.05)
    w, gap = b.leg_width, 0.46 * b.chest
    apart = rng.uniform(0.75, 1.1)
    front = chest[0] + 0.42 * b.chest
    for side in (-1, 1):
        top = chest + [0.10 * b.chest, -0.10 * b.chest, 1.05 * gap * side]
        _foreleg(s, b, top, np.array([front + rng.uniform(-0.03, 0.03), 0.0, gap * apart * side]))
        hip = rump + [0.02, -0.05, 0.70 * b.waist * side]
        knee = np.array([rump[0] + 0.42 * length * 0.8, 0.95 * b.waist, 1.12 * b.waist * side])
        heel = np.array([rump[0] + 0.10 * length, w * 0.9, 1.22 * b.waist * side])
        s.chain([hip, knee], [0.80 * b.waist, 0.50 * b.waist], Part.LEG, white=(0.0, 0.1))
        s.chain([knee, heel], [0.46 * b.waist, w], Part.LEG, extremity=(0.3, 0.7), white=(0.1, 0.6))
        toe = np.array([min(knee[0] + 0.12, front - 0.02), 0.0, heel[2] + 0.02 * side])
        s.chain([heel, toe + [0, 0.9 * w, 0]], [w, w], Part.LEG, extremity=(0.7, 0.95), white=(0.6, 0.9))
        _paw(s, toe, w)
    resting_tail(s, b, rump + [-0.80 * b.waist, -0.65 * b.waist, 0], rng, forward=0.75 * length)
    return chest + [0.03, 0.30 * b.chest, 0], _unit(np.array([0.30, 1.0, 0.0]))


def _lie(s: Sculptor, b: Breed, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rump = np.array([-0.48 * b.body, 0.92 * b.waist, 0.0])
    chest = np.array([0.38 * b.body, 1.02 * b.chest, 0.0])
    _trunk(s, b, rump, chest, sag=0.0)
    w = b.leg_width
    stretch = min(0.75 * b.leg + 0.12, 0.55)
    for side in (-1, 1):
        elbow = chest + [-0.10, -0.62 * b.chest, 0.72 * b.chest * side]
        foot = np.array([chest[0] + stretch + rng.uniform(-0.06, 0.06), 0.0, 0.55 * b.chest * side])
        s.chain(
            [chest + [0, -0.1, 0.6 * b.chest * side], elbow, foot + [0, w, 0]],
            [0.55 * b.chest, 1.3 * w, w],
            Part.LEG,
            extremity=(0.0, 0.95),
            white=(0.0, 0.85),
        )
        _paw(s, foot, w)
        knee = rump + [0.32 * b.body, -0.10, 0.98 * b.waist * side]
        s.chain(
            [rump + [0.02, 0.0, 0.62 * b.waist * side], knee],
            [0.86 * b.waist, 0.56 * b.waist],
            Part.LEG,
            white=(0.0, 0.1),
        )
        toe = np.array([knee[0] + 0.10, 0.0, 1.28 * b.waist * side])
        s.chain(
            [np.array([rump[0] + 0.06, w, 1.2 * b.waist * side]), toe + [0, 0.9 * w, 0]],
            [w, w],
            Part.LEG,
            extremity=(0.5, 0.95),
            white=(0.5, 0.9),
        )
        _paw(s, toe, w)
    resting_tail(s, b, rump + [-0.80 * b.waist, -0.55 * b.waist, 0], rng, forward=0.55 * b.body)
    return chest + [0.10 * b.chest, 0.35 * b.chest, 0], _unit(np.array([0.45, 1.0, 0.0]))


def _trunk(s: Sculptor, b: Breed, rump: np.ndarray, chest: np.ndarray, sag: float) -> None:
    line = chest - rump
    back = np.array([-line[1], line[0], 0.0]) / np.linalg.norm(line)
    knots = [rump, rump + 0.38 * line - back * (sag - 0.10 * (b.chest - b.waist)), chest]
    deep = b.chest * (1.0 if b.species == CAT else 1.04)
    s.chain(
        knots,
        [1.02 * b.waist, b.waist, deep],
        Part.TORSO,
        flat=((0, 0, 1), 0.88),
        white=(0.2, 0.5),
        spacing=0.2,
    )
    s.ellipsoid(
        chest + [0.10 * b.chest, -0.12 * b.chest, 0],
        (0.98 * b.chest, 1.05 * b.chest, 0.84 * b.chest),
        Part.TORSO,
        tangent=(0, -1, 0),
        along=float(np.linalg.norm(line)),
        white=0.8,
    )


def _foreleg(s: Sculptor, b: Breed, top: np.ndarray, foot: np.ndarray) -> None:
    w = b.leg_width
    elbow = 0.5 * (top + foot) + [-0.05 * b.leg, 0.04, 0]
    s.chain(
        [top, elbow, foot + [0, w, 0]],
        [0.60 * b.chest, 1.18 * w, w],
        Part.LEG,
        extremity=(0.0, 0.95),
        white=(0.0, 0.9),
    )
    _paw(s, foot, w)


def _paw(s: Sculptor, foot: np.ndarray, w: float) -> None:
    s.ellipsoid(
        foot + [0.75 * w, 0.82 * w, 0],
        (1.65 * w, 0.82 * w, 1.22 * w),
        Part.PAW,
        tangent=(1, 0, 0),
        extremity=1.0,
        white=1.0,
        along=0.9,
    )


def _collar(
    s: Sculptor, low: np.ndarray, high: np.ndarray, r_low: float, r_high: float, turn: np.ndarray
) -> None:
    axis = _unit(high - low)
    at = low + 0.45 * (high - low)
    radius = 1.05 * (r_low + 0.45 * (r_high - r_low))
    across = _unit(np.cross(axis, [0.31, 0.17, 0.93]))
    frame = np.stack([across, axis, np.cross(across, axis)], axis=1)
    s.ellipsoid(at, (radius, 0.055, radius), Part.COLLAR, turn=frame)
    front = turn @ np.array([1.0, 0.0, 0.0])
    front = _unit(front - axis * (front @ axis))
    s.ellipsoid(at + front * (radius + 0.01) - axis * 0.06, (0.055, 0.06, 0.055), Part.TAG)


def _yaw(angle: float) -> np.ndarray:
    """Rotation that brings +x to (cos, 0, sin)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def _about_x(angle: float) -> np.ndarray:
    """Looking down by `angle`: what is near comes lower in the image."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
