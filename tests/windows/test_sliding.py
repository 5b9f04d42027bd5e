from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ae_pretrained.errors import PipelineError
from ae_pretrained.sources.image_reader import read_image
from ae_pretrained.sources.mask_reader import read_mask
from ae_pretrained.windows import count_windows, probabilities_of, slide
from ae_pretrained.windows.placement import windows_along
from tests.prediction.small import random_image
from tests.windows.networks import by_color, deep_unet, logits_of, trained


def whole(bands: object, height: int, width: int) -> np.ndarray:
    """The bands put together; they cover every row once, in order."""
    parts, row = [], 0
    for first, band in bands:  # type: ignore[attr-defined]
        assert first == row
        assert band.dtype == np.float32
        assert band.shape[2] == width
        parts.append(band.copy())
        row += band.shape[1]
    assert row == height
    return np.concatenate(parts, axis=1)


SIZES = [(8, 8), (9, 300), (64, 64), (65, 63), (100, 70), (257, 190), (31, 500)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75])
def test_a_network_that_sees_single_pixels_is_not_changed(size: tuple[int, int], overlap: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = by_color(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)[0]
    bands = slide(by_color, image, window=96, overlap=overlap, stride=16, batch_size=3)
    found = whole(bands, *size)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


def test_windows_are_as_they_should_be() -> None:
    """Sides and starts are multiples of the stride, values those of the reflected image, calls as many as said."""
    image = np.random.default_rng(1).integers(0, 256, (150, 333, 3), dtype=np.uint8)
    reflected = cv2.copyMakeBorder(image, 0, 10, 0, 19, cv2.BORDER_REFLECT_101)
    tiles = {
        reflected[y : y + 96, x : x + 96].tobytes()
        for y in range(0, 160 - 95, 32)
        for x in range(0, 352 - 95, 32)
    }
    seen = 0

    def network(images: np.ndarray) -> np.ndarray:
        nonlocal seen
        assert images.shape[1:] == (3, 96, 96)
        assert len(images) <= 2
        for one in images:
            assert (one * 255).round().astype(np.uint8).transpose(1, 2, 0).tobytes() in tiles
        seen += len(images)
        return by_color(images)

    image.flags.writeable = False  # a memory map of prepared data is
    whole(slide(network, image, window=96, overlap=0.25, stride=32, batch_size=2), 150, 333)
    assert seen == count_windows(150, 333, window=96, overlap=0.25, stride=32) == 2 * 5


@pytest.mark.parametrize("length", [64, 512, 513, 900, 1440, 2432, 20_000])
def test_windows_are_few_and_evenly_spread(length: int) -> None:
    axis = windows_along(length, 512, 0.25, 32, 0)
    end = -(-length // 32) * 32
    assert axis.starts[0] == 0
    assert axis.starts[-1] + axis.side == end
    steps = np.diff(axis.starts)
    assert (steps % 32 == 0).all()
    assert (steps <= 384).all()
    assert len(steps) == max(0, -(-(end - 512) // 384))
    assert np.ptp(steps) <= 32 if len(steps) else end <= 512


def test_batches_are_bounded_in_pixels() -> None:
    sizes = []

    def network(images: np.ndarray) -> np.ndarray:
        sizes.append(len(images))
        return by_color(images)

    image = np.zeros((512, 5 * 512, 3), np.uint8)
    whole(slide(network, image, window=512, overlap=0.0, stride=32, batch_size=64), *image.shape[:2])
    assert sizes == [4, 1]


def test_an_image_of_one_window_is_one_call_and_exact() -> None:
    probabilities = probabilities_of(logits_of(deep_unet()), flip_averaging=True)
    image = random_image(200, 150)
    padded = cv2.copyMakeBorder(image, 0, 24, 0, 10, cv2.BORDER_REFLECT_101)
    expected = probabilities(
        np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    )
    found = whole(slide(probabilities, image, window=256, overlap=0.25, stride=32), 200, 150)
    assert np.array_equal(found, expected[0, :, :200, :150])


@pytest.mark.parametrize(
    ("norm", "halo", "equal"), [("batch", 224, True), ("batch", 0, False), ("instance", 224, False)]
)
def test_tiled_equals_whole(norm: str, halo: int, equal: bool, oxford_sample: Path) -> None:
    """With batch norm and a halo of half the receptive field; not without a halo, nor with instance norm."""
    photo = read_image(oxford_sample / "images" / "Bengal_201.jpg")
    image = cv2.resize(photo, (600, 560), interpolation=cv2.INTER_CUBIC)
    model = deep_unet(norm)  # type: ignore[arg-type]
    reflected = cv2.copyMakeBorder(image, 0, 16, 0, 8, cv2.BORDER_REFLECT_101)
    x = torch.from_numpy(reflected).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        expected = model(x).softmax(1)[0, :, :560, :600].numpy()
    probabilities = probabilities_of(logits_of(model), flip_averaging=False)
    found = whole(slide(probabilities, image, window=512, overlap=0.25, stride=32, halo=halo), 560, 600)
    assert (np.abs(found - expected).max() <= 1e-5) == equal
    assert expected.max(axis=0).std() > 0.05, "the network says the same everywhere"


def test_memory_does_not_grow_with_the_height() -> None:
    peaks = []
    for height in (1000, 8000):
        image = np.broadcast_to(np.uint8(9), (height, 400, 3))
        tracemalloc.start()
        for _ in slide(by_color, image, window=128, overlap=0.25, stride=32):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"window": 500}, r"window: 500 px is no multiple .* \(32 px\).*; use 480 or 512"),
        ({"window": 32}, r"window: 32 px .* less than twice that; use 64"),
        ({"window": 0}, "window: 0 px"),
        ({"overlap": -0.1}, r"overlap: found -0\.1, expected a share of the window from 0 to 0\.75"),
        ({"overlap": 0.8}, r"overlap: found 0\.8"),
        ({"overlap": float("nan")}, "overlap: found nan"),
        ({"stride": 0}, "stride: found 0"),
        ({"halo": 32}, "halo: found 32 px, .* window of at least 96 px"),
        ({"halo": -1}, "halo: found -1 px"),
        ({"batch_size": 0}, "batch_size: found 0"),
    ],
)
def test_bad_arguments_are_refused_at_once(given: dict[str, float], said: str) -> None:
    usual = {"window": 64, "overlap": 0.25, "stride": 32}
    with pytest.raises(PipelineError, match=said):
        slide(by_color, np.zeros((99, 99, 3), np.uint8), **{**usual, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(7, 100), (100, 7), (1, 1)])
def test_an_image_that_is_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(PipelineError, match=rf"{size[1]} x {size[0]} px is too small; .* at least 8 px"):
        slide(by_color, np.zeros((*size, 3), np.uint8), window=64, overlap=0.25, stride=32)


def test_it_needs_no_torch() -> None:
    program = "import sys, ae_pretrained.windows; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.long
def test_with_the_defaults_few_pixels_change_their_class(oxford_sample: Path) -> None:
    """A network that was trained for a minute, on photographs twice as large as the window."""
    names = sorted(path.stem for path in (oxford_sample / "annotations" / "trimaps").glob("[!.]*.png"))
    photos = [read_image(oxford_sample / "images" / f"{name}.jpg") for name in names]
    trimaps = [read_mask(oxford_sample / "annotations" / "trimaps" / f"{name}.png") for name in names]
    model = trained(photos, [trimap - 1 for trimap in trimaps], steps=120)
    probabilities = probabilities_of(logits_of(model), flip_averaging=False)
    changed = []
    for photo in photos[:3]:
        image = cv2.resize(photo, (1024, 768), interpolation=cv2.INTER_CUBIC)
        expected = probabilities(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)[0]
        found = whole(slide(probabilities, image, window=512, overlap=0.25, stride=32), 768, 1024)
        assert len(np.unique(expected.argmax(axis=0))) > 1
        changed.append(np.mean(found.argmax(axis=0) != expected.argmax(axis=0)))
    assert 0 < np.mean(changed) <= 0.005
