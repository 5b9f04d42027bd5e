from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from ae_pretrained.figures.image_grids import (
    ColorScale,
    color_mask,
    color_scalar,
    grey,
    overlay_mask,
    to_uint8,
)
from ae_pretrained.figures.label_sheet import SIDE, SheetImage, label_sheet
from ae_pretrained.figures.segmentation_sheets import SegmentedImage, error_map
from ae_pretrained.figures.style import IGNORE_COLOR, class_colors, class_rgb, hex_to_rgb


def lightness(color: np.ndarray) -> float:
    """L* of sRGB (CIE 1976)."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    y = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * np.cbrt(y) - 16 if y > 0.008856 else 903.3 * y


# Machado, Oliveira and Fernandes (2009), severity 1: what the three kinds of colour blindness see.
_BLINDNESS = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("kind", list(_BLINDNESS))
def test_classes_stay_apart_for_the_colour_blind(kind: str) -> None:
    matrix = np.array(_BLINDNESS[kind])
    seen = [np.clip(matrix @ np.array(to_rgb(color)), 0, 1) for color in [*class_colors(3), IGNORE_COLOR]]
    for place, color in enumerate(seen):
        for other in seen[:place]:
            assert np.linalg.norm(color - other) > 0.2 or abs(lightness(color) - lightness(other)) > 20


def test_any_number_of_classes_has_colours_of_its_own() -> None:
    assert len(set(class_colors(255))) == 255
    shown = np.array([to_rgb(color) for color in class_colors(15)])
    apart = np.abs(shown[:, None] - shown).max(axis=2) + np.eye(15)
    assert apart.min() > 0.13  # 15 classes can be told apart
    assert class_colors(3) == class_colors(200)[:3]
    with pytest.raises(ValueError, match="1 to 255"):
        class_colors(256)


def test_mask_colours() -> None:
    mask = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    colors = color_mask(mask, 3)
    np.testing.assert_array_equal(colors[0, 0], class_rgb(3)[0])
    np.testing.assert_array_equal(colors[1, 0], class_rgb(3)[2])
    np.testing.assert_array_equal(colors[1, 1], hex_to_rgb([IGNORE_COLOR])[0])


def test_overlay_leaves_background_and_ignored_alone() -> None:
    image = np.full((2, 2, 3), 100, dtype=np.uint8)
    mask = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    shown = overlay_mask(image, mask, 3, opacity=0.5)
    assert shown[0, 0].tolist() == [100, 100, 100]
    assert shown[1, 1].tolist() == [100, 100, 100]
    expected = (0.5 * 100 + 0.5 * class_rgb(3)[1]).round()
    np.testing.assert_allclose(shown[0, 1], expected, atol=1)


def test_conversions() -> None:
    assert to_uint8(np.array([0.0, 0.5, 2.0]).reshape(3, 1, 1)).tolist() == [[[0, 128, 255]]]
    assert grey(np.array([[[255, 0, 0]]], dtype=np.uint8)).tolist() == [[[76, 76, 76]]]
    scale = ColorScale("viridis", 0.0, 0.5, "")
    shown = color_scalar(np.array([[-1.0, 0.0, 0.5, 3.0]]), scale)[0]
    np.testing.assert_array_equal(shown[0], shown[1])
    np.testing.assert_array_equal(shown[2], shown[3])


def test_error_map_tells_the_kinds_of_errors_apart() -> None:
    image = np.full((1, 6, 3), 128, dtype=np.uint8)
    truth = np.array([[0, 1, 1, 0, 1, 255]], dtype=np.uint8)
    prediction = np.array([[0, 1, 0, 2, 2, 1]], dtype=np.uint8)
    colors = error_map(SegmentedImage("", image, truth, prediction, np.zeros((3, 1, 6))))[0]
    assert len({tuple(color) for color in colors.tolist()}) == 6
    assert len(set(colors[0].tolist())) == 1  # right background stays grey


def test_images_to_label_keep_their_proportions_and_names_do_not_overlap() -> None:
    images = [
        SheetImage(np.full((32, 32, 3), 40, np.uint8), size, "a" * 60, ["stands for 10.0%", "nearest 0.5"])
        for size in ((200, 100), (100, 200), (10, 10), (3000, 1), (50, 50), (50, 50))
    ]
    figure = label_sheet("Images to label next", "of 60", images)
    shapes = [np.argwhere(axes.images[0].get_array()[..., 0] < 255) for axes in figure.axes]
    sizes = [(np.ptp(dark[:, 1]) + 1, np.ptp(dark[:, 0]) + 1) for dark in shapes]
    assert sizes == [
        (SIDE, SIDE // 2),
        (SIDE // 2, SIDE),
        (SIDE, SIDE),
        (SIDE, 1),
        (SIDE, SIDE),
        (SIDE, SIDE),
    ]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.texts]
    assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    assert all(box.x1 <= figure.bbox.width for box in boxes)
