"""One image: a pet in a scene, photographed, with its trimap."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ae_pretrained.synthetic import props
from ae_pretrained.synthetic.body import POSES, Pet, Pose, View, sculpt_pet
from ae_pretrained.synthetic.breeds import Breed
from ae_pretrained.synthetic.camera import cast_shadows, draw_light, expose
from ae_pretrained.synthetic.coats import Coat, draw_coat, fur_colour
from ae_pretrained.synthetic.easel import ground_shade
from ae_pretrained.synthetic.face import draw_face, draw_whiskers
from ae_pretrained.synthetic.indoor import room
from ae_pretrained.synthetic.outdoor import landscape
from ae_pretrained.synthetic.shading import Layer, Light, shade
from ae_pretrained.synthetic.solid import HEAD_PARTS, Splats
from ae_pretrained.synthetic.trimap import trimap

_LEAST_SIDE = 192  # px, of the drawing before it is averaged down
_POSE_SHARES = (0.28, 0.17, 0.17, 0.16, 0.22)


@dataclass(frozen=True)
class ScenePlan:
    """Everything about an image that is drawn before the pet: only the coat's markings depend on its species.

    Attributes:
        pose, view, coat, light: of the pet and its scene.
        collar, tongue, indoors: whether there is one, shows one, is.
        share: of the image that the pet should cover.
        place: two numbers in 0..1 that position it.
        roll: of the camera, degrees.
        occluded: whether something stands before the pet.
    """

    pose: Pose
    view: View
    coat: Coat
    light: Light
    collar: bool
    tongue: bool
    indoors: bool
    share: float
    place: tuple[float, float]
    roll: float
    occluded: bool


def draw_plan(species: int, rng: np.random.Generator) -> ScenePlan:
    """A plan for a CAT or a DOG."""
    pose = POSES[rng.choice(len(POSES), p=_POSE_SHARES)]
    # Sitting pets and portraits mostly look at us, walking ones are mostly seen from the side.
    body = rng.normal(1.05, 0.45) if pose in ("sit", "portrait") else rng.normal(0.40, 0.40)
    body = float(np.clip(body, -0.35, 1.75))
    head = float(np.clip(rng.uniform(0.40, 1.62), body - 1.2, body + 1.2))
    view = View(
        body=body,
        head=head,
        pitch=float(rng.uniform(0.10, 0.34)),
        nod=float(rng.normal(0.0, 0.12)),
        tilt=float(rng.normal(0.0, 0.14)),
        mirror=bool(rng.random() < 0.5),
    )
    return ScenePlan(
        pose=pose,
        view=view,
        coat=draw_coat(species, rng),
        light=draw_light(rng),
        collar=bool(rng.random() < 0.3),
        tongue=bool(rng.random() < 0.35),
        indoors=bool(rng.random() < 0.5),
        share=float(rng.uniform(0.30, 0.52) if pose == "portrait" else rng.uniform(0.17, 0.38)),
        place=(float(rng.random()), float(rng.random())),
        roll=float(rng.normal(0.0, 3.5)),
        occluded=bool(rng.random() < 0.35),
    )


def draw_image(breed: Breed, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image of a pet of `breed`.

    Args:
        breed: shape of the pet and, by its species, markings.
        size: side of the result, px.
        rng: all randomness.

    Returns:
        image (size, size, 3) uint8 RGB and trimap (size, size) uint8 (1 pet, 2 background, 3 border).
    """
    side = size * max(2, -(-_LEAST_SIDE // size))  # drawn large, then averaged down
    plan = draw_plan(breed.species, rng)
    pet = sculpt_pet(breed, plan.pose, plan.view, plan.collar, plan.tongue, rng)
    unit, offset = _compose(pet, plan, side)
    matrix = np.diag([unit, -unit, unit])
    body = pet.splats.transformed(matrix, offset)

    canvas, edge = _scene(plan, body, side, rng)
    _shadow(canvas, pet, plan, unit, offset)
    layer = _pet_layer(pet, body, plan, unit, side, rng)
    face = pet.face.transformed(matrix, offset, unit)
    brightness = float(plan.light.lamp.mean() * 0.7 + plan.light.ambient.mean())
    skull = pet.head_radius * unit
    draw_face(layer, face, plan.coat.eye, brightness, skull)
    layer.over(canvas)
    draw_whiskers(canvas, layer, face, brightness, skull)
    coverage = layer.coverage((side, side))
    if plan.occluded:
        _occlude(canvas, coverage, plan, matrix @ pet.head_centre + offset, skull, rng)
    cast_shadows(canvas, np.maximum(coverage, 0.6 if plan.indoors else _below(edge, side)), rng)

    canvas, coverage = _roll(canvas, plan.roll), _roll(coverage, plan.roll)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return expose(small, rng), trimap(coverage, size)


def _compose(pet: Pet, plan: ScenePlan, side: int) -> tuple[float, np.ndarray]:
    """Scale (px per body unit) and offset (3,) px that give the pet its share and place in the image."""
    low, high = pet.splats.bounds()
    head, skull = pet.head_centre, pet.head_radius
    face_low, face_high = pet.splats.only(HEAD_PARTS).bounds()
    if plan.pose == "portrait":
        # What counts is the part from the chest upwards: the rest will be cut by the lower edge.
        low = np.array([low[0], max(low[1], head[1] - 3.0 * skull), low[2]])
    extent = high[:2] - low[:2]
    unit = float(np.sqrt(plan.share / _area(pet.splats, low, high)))  # the image is 1 x 1 here
    # Slender pets in profile may grow a little over the frame, the head never small or out of it.
    unit = min(unit, 1.10 / extent[0], 1.12 / extent[1])
    unit = max(unit, 0.085 / skull)
    width, height = extent * unit

    x, y = plan.place
    left = -0.02 + x * (1.04 - width) if width < 1.0 else (1.0 - width) * x
    if plan.pose == "portrait":
        top = 0.02 + 0.10 * y if height > 0.88 else 1.0 - height + 0.02 * y
    else:
        top = (0.985 - height) * (0.45 + 0.55 * y) if height < 0.97 else 0.012
    left += _inside(left + (face_low[0] - low[0]) * unit, left + (face_high[0] - low[0]) * unit)
    top += _inside(top + (high[1] - face_high[1]) * unit, top + (high[1] - face_low[1]) * unit)
    return unit * side, np.array([(left - low[0] * unit) * side, (top + high[1] * unit) * side, 0.0])


def _area(splats: Splats, low: np.ndarray, high: np.ndarray) -> float:
    """Area of the silhouette between two corners, in square units; a quick estimate with discs."""
    scale = 96.0 / float((high[:2] - low[:2]).max())
    width, height = np.ceil((high[:2] - low[:2]) * scale).astype(int) + 1
    outline = splats.axes[:, :2] @ splats.axes[:, :2].transpose(0, 2, 1)
    radius = np.linalg.det(outline) ** 0.25 * scale
    x, y = (splats.centre[:, 0] - low[0]) * scale, (high[1] - splats.centre[:, 1]) * scale
    mask = np.zeros((height, width), np.uint8)
    for cx, cy, r in zip(
        x.astype(int).tolist(), y.astype(int).tolist(), radius.astype(int).tolist(), strict=True
    ):
        cv2.circle(mask, (cx, cy), r, 1, -1)
    return max(float(mask.sum()), 1.0) / scale**2


def _inside(start: float, end: float) -> float:
    """By how much to move the span from `start` to `end` so that it lies within 0..1, or centred if too long."""
    margin = 0.015
    if end - start > 1 - 2 * margin:
        return 0.5 - 0.5 * (start + end)
    return max(margin - start, 0.0) + min(1 - margin - end, 0.0)


def _scene(plan: ScenePlan, body: Splats, side: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Background with its things, (side, side, 3) float32, and the height of the ground's edge, 0 to 1."""
    feet = min(float(body.bounds()[1][1]) / side, 1.0)
    # The further the camera looks down, the higher the edge of the floor lies behind the pet.
    edge = float(np.clip(feet - 0.16 - 0.9 * plan.view.pitch * rng.uniform(0.6, 1.3), 0.22, 0.78))
    canvas = (room if plan.indoors else landscape)(side, edge, plan.light, rng)
    kinds = props.INDOOR if plan.indoors else props.OUTDOOR
    count = int(rng.integers(1, 5))
    for base in np.sort(rng.uniform(edge + 0.06, max(feet - 0.02, edge + 0.12), count)):
        thing = kinds[rng.integers(len(kinds))](rng.uniform(0.16, 0.38) * side, plan.light, rng)
        x = rng.uniform(0.0, 1.0) * side
        ground_shade(canvas, x, base * side, 0.5 * thing.alpha.shape[1], 0.035 * side, 0.5)
        thing.paste(canvas, x, base * side)
    return canvas, edge


def _below(edge: float, side: int) -> np.ndarray:
    """1 below a height of the image, 0 above, softly: (side, 1) float32."""
    rows = np.linspace(0, 1, side, dtype=np.float32)[:, None]
    return np.clip((rows - np.float32(edge)) / np.float32(0.12) + 1.0, 0.0, 1.0)


def _pet_layer(
    pet: Pet, body: Splats, plan: ScenePlan, unit: float, side: int, rng: np.random.Generator
) -> Layer:
    shift = (int(rng.integers(256)), int(rng.integers(256)))

    def paint(splats: Splats, owner: np.ndarray, points: np.ndarray) -> np.ndarray:
        return fur_colour(plan.coat, splats, owner, points, unit, side, shift)

    layer = shade(body, paint, plan.light, side, pet.fluff, rng)
    if layer is None:
        raise RuntimeError(
            f"a pet in pose {plan.pose!r} came to lie outside its image of {side} px: the composition has a fault"
        )
    return layer


def _shadow(canvas: np.ndarray, pet: Pet, plan: ScenePlan, unit: float, offset: np.ndarray) -> None:
    """The pet's shadow on the ground: every part of the body falls along the light."""
    side = canvas.shape[0]
    centre = pet.splats.centre[::2]
    radius = np.abs(np.linalg.det(pet.splats.axes[::2])) ** (1 / 3)
    cos, sin = np.cos(plan.view.pitch), np.sin(plan.view.pitch)
    height = centre[:, 1] * cos + centre[:, 2] * sin  # above the ground
    level = -centre[:, 1] * sin + centre[:, 2] * cos  # towards the viewer, on the ground
    slope = np.clip(-plan.light.direction[0] / -plan.light.direction[1], -0.9, 0.9)
    x = (centre[:, 0] + slope * height) * unit + offset[0]
    y = (level + 0.15 * height) * sin * unit + offset[1]
    half = 0.5  # a shadow is soft: half the resolution will do
    mask = np.zeros((side // 2, side // 2), np.uint8)
    for cx, cy, r in zip(x * half, y * half, radius * unit * half, strict=True):
        cv2.ellipse(
            mask, (int(cx), int(cy)), (max(int(r), 1), max(int(r * (sin + 0.12)), 1)), 0, 0, 360, 255, -1
        )
    soft = cv2.GaussianBlur(mask, (0, 0), 0.012 * side)
    share = cv2.resize(soft, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255.0
    canvas *= (1.0 - np.float32(0.50) * share)[..., None]


def _occlude(
    canvas: np.ndarray,
    coverage: np.ndarray,
    plan: ScenePlan,
    head: np.ndarray,
    skull: float,
    rng: np.random.Generator,
) -> None:
    """Put something before the pet that leaves its head free; in place on image and coverage."""
    side = canvas.shape[0]
    kinds = props.IN_FRONT_INDOOR if plan.indoors else props.IN_FRONT_OUTDOOR
    columns, rows = np.flatnonzero(coverage.max(axis=0) > 0.5), np.flatnonzero(coverage.max(axis=1) > 0.5)
    thing = kinds[rng.integers(len(kinds))](rng.uniform(0.22, 0.42) * side, plan.light, rng)
    height = thing.alpha.shape[0]
    x = rng.uniform(columns[0], columns[-1])
    base = min(rows[-1] + rng.uniform(0.01, 0.10) * side, side + 0.25 * height)
    if abs(x - head[0]) < 0.5 * thing.alpha.shape[1] + skull:
        # In the column of the head it may reach to the chin, not above.
        base = max(base, head[1] + 1.25 * skull + height)
    cover = np.zeros_like(coverage)
    ground_shade(canvas, x, base, 0.5 * thing.alpha.shape[1], 0.03 * side, 0.4)
    thing.paste(canvas, x, base, cover)
    coverage *= 1.0 - cover


def _roll(plane: np.ndarray, degrees: float) -> np.ndarray:
    """Turn the camera, magnified just enough that no corner stays empty."""
    side = plane.shape[0]
    radians = np.deg2rad(abs(degrees))
    scale = float(np.cos(radians) + np.sin(radians))
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, scale)
    return cv2.warpAffine(plane, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
