"""Eyes, mouth and whiskers, drawn onto a shaded head."""

from __future__ import annotations

import cv2
import numpy as np

from ae_pretrained.synthetic.head import FaceMarks
from ae_pretrained.synthetic.shading import Layer

_SHIFT = 4  # OpenCV draws at sixteenths of a pixel


def draw_face(layer: Layer, face: FaceMarks, eye_colour: np.ndarray, brightness: float, unit: float) -> None:
    """Draw the marks of a face (canvas px) onto its layer, in place.

    Args:
        layer: the shaded pet.
        face: marks in canvas px (y down).
        eye_colour: (3,) RGB 0-255; brightness: factor of the scene's light.
        unit: radius of the skull, px.
    """
    image = np.clip(layer.colour, 0, 255).astype(np.uint8)
    before = image.copy()
    corner = np.array([*layer.corner, 0.0])
    dark = tuple(int(v) for v in np.array([38, 30, 30]) * min(1.0, brightness))
    thin = max(1, round(0.045 * unit))
    for line in face.mouth:
        if _visible(layer, line[0] - corner, 0.30 * unit):
            _polyline(image, line - corner, dark, thin)
    for eye, normal in zip(face.eyes, face.eye_normals, strict=True):
        if normal[2] > 0.12 and _visible(layer, eye - corner, 0.30 * unit):
            _eye(image, eye - corner, normal, face, eye_colour, brightness)
    # Marks belong to the body: none may hang in the air beyond the outline.
    layer.colour[...] = np.where(image == before, layer.colour, image)


def draw_whiskers(canvas: np.ndarray, layer: Layer, face: FaceMarks, brightness: float, unit: float) -> None:
    """Whiskers reach beyond the outline, so they are drawn onto the float32 canvas, in place."""
    corner = np.array([*layer.corner, 0.0])
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    strokes = np.zeros(image.shape[:2], np.uint8)
    for root, tip in face.whiskers:
        if _visible(layer, root - corner, 0.25 * unit):
            middle = 0.5 * (root + tip) + [0.0, -0.05 * unit, 0.0]
            _polyline(strokes, np.stack([root, 0.5 * (root + middle), middle, tip]), (255,), 1)
    share = strokes[..., None].astype(np.float32) / 255.0 * 0.62
    canvas += share * (np.float32(min(246.0, 250.0 * brightness)) - canvas)


def _visible(layer: Layer, point: np.ndarray, tolerance: float) -> bool:
    """Whether nothing stands in front of a point (in the layer's px)."""
    x, y = int(point[0]), int(point[1])
    height, width = layer.depth.shape
    if not (0 <= x < width and 0 <= y < height):
        return False
    depth = layer.depth[y, x]
    return bool(depth < point[2] + tolerance)


def _eye(
    image: np.ndarray,
    centre: np.ndarray,
    normal: np.ndarray,
    face: FaceMarks,
    colour: np.ndarray,
    brightness: float,
) -> None:
    r = face.eye_radius
    # Seen from the side, a round eye is an ellipse, narrow along the projected normal.
    narrow = float(np.clip(np.sqrt(max(normal[2], 0.0)) * 1.05, 0.42, 1.0))
    roll = float(np.degrees(np.arctan2(face.up[1], face.up[0]))) + 90.0
    almond = 0.92 if face.slit else 0.95
    tone = min(1.1, brightness)
    shade = [
        tuple(int(np.clip(v * tone, 0, 255)) for v in c)
        for c in (np.array([30, 24, 26]), colour * 0.62, colour)
    ]

    def disc(dx: float, dy: float, rx: float, ry: float, c: tuple[int, ...]) -> None:
        angle = np.radians(roll)
        at = centre[:2] + r * np.array(
            [dx * np.cos(angle) - dy * np.sin(angle), dx * np.sin(angle) + dy * np.cos(angle)]
        )
        _ellipse(image, at, (max(rx * r, 0.6), max(ry * r, 0.6)), roll, c)

    disc(0, 0, 1.12 * narrow, 1.10 * almond, shade[0])
    disc(0, 0.03, 0.90 * narrow, 0.88 * almond, shade[1])
    disc(0, 0.14, 0.80 * narrow, 0.72 * almond, shade[2])
    if face.slit:
        disc(0, 0, 0.34 * narrow, 0.84 * almond, shade[0])
    else:
        disc(0, 0.0, 0.50 * narrow, 0.50 * almond, shade[0])
    light = tuple(int(v) for v in np.clip(np.array([255, 255, 250]) * tone, 0, 255))
    disc(-0.30 * narrow, -0.34, 0.26 * narrow + 0.03, 0.26, light)


def _ellipse(
    image: np.ndarray, centre: np.ndarray, radii: tuple[float, float], angle: float, colour: tuple[int, ...]
) -> None:
    scale = 1 << _SHIFT
    at = tuple(round(float(v) * scale) for v in centre)
    axes = tuple(round(v * scale) for v in radii)
    cv2.ellipse(image, at, axes, angle, 0, 360, colour, -1, cv2.LINE_AA, _SHIFT)


def _polyline(image: np.ndarray, points: np.ndarray, colour: tuple[int, ...], width: int) -> None:
    fixed = np.round(points[:, :2] * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(image, [fixed], False, colour, width, cv2.LINE_AA, _SHIFT)
