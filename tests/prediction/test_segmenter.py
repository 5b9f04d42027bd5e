from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import ae_pretrained
from ae_pretrained import Segmenter
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.weights import SegmenterInfo, load_unet, save_model
from ae_pretrained.prediction.backends import LoadedModel
from ae_pretrained.prediction.input_files import read_input_image
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.preparation.resize import content_box, resize_image, resize_mask
from tests.prediction.small import CLASSES, random_image, save_small, small_unet

SIZES = [(40, 60), (60, 40), (32, 32), (9, 200), (1, 1), (333, 500)]


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, ae_pretrained; before = [n for n in ('torch', 'numpy', 'cv2') if n in sys.modules];"
        "from ae_pretrained import Segmenter, Prediction; print(before, Segmenter.__name__, Prediction.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] Segmenter Prediction"


def test_other_names_of_the_package_are_refused_as_usual() -> None:
    assert "Segmenter" in dir(ae_pretrained)
    with pytest.raises(AttributeError, match="has no attribute 'Segmentor'"):
        _ = ae_pretrained.Segmentor


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("flip", [True, False])
def test_equals_the_steps_written_out(tmp_path: Path, resize: str, flip: bool) -> None:
    """Against torch alone: resize as `prepare` does, probabilities, padding cut off, bilinear, argmax."""
    path = save_small(tmp_path / "m.safetensors", resize, size=48)  # type: ignore[arg-type]
    model, _ = load_unet(path)
    images = [random_image(height, width, seed) for seed, (height, width) in enumerate(SIZES)]
    for image, found in zip(
        images, Segmenter.load(path).predict(images, flip_averaging=flip, batch_size=4), strict=True
    ):
        height, width = image.shape[:2]
        x0, y0, x1, y1 = box = content_box(width, height, 48, resize)  # type: ignore[arg-type]
        x = torch.from_numpy(resize_image(image, 48, box)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            p = model(x).softmax(1)
            if flip:
                p = (p + model(x.flip(-1)).softmax(1).flip(-1)) / 2
        large = F.interpolate(p[:, :, y0:y1, x0:x1], size=(height, width), mode="bilinear")[0]
        np.testing.assert_allclose(found.confidence, large.max(0).values.numpy(), atol=1e-4)
        assert found.mask.shape == (height, width)
        assert found.mask.dtype == np.uint8
        assert np.mean(found.mask == large.argmax(0).numpy()) > 0.999


def _fixed(masks: dict[str, np.ndarray], resize: str, size: int, sharpness: float = 20.0) -> Segmenter:
    """A segmenter whose network sees nothing and answers with one mask."""
    one_hot = np.eye(3, dtype=np.float32)[masks["square"]].transpose(2, 0, 1)

    def logits(images: np.ndarray) -> np.ndarray:
        return np.repeat(sharpness * one_hot[None], len(images), axis=0)

    return Segmenter(LoadedModel(logits, CLASSES, size, resize, "cpu"))  # type: ignore[arg-type]


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("shape", [(300, 450), (450, 300), (200, 200)])
def test_resizing_is_undone(resize: str, shape: tuple[int, int]) -> None:
    """A truth brought to the square as `prepare` does comes back where it was."""
    truth = np.zeros(shape, dtype=np.uint8)
    truth[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] * 9 // 10] = 1
    truth[-40:, :30] = 2
    box = content_box(shape[1], shape[0], 64, resize)  # type: ignore[arg-type]
    square = resize_mask(truth, 64, box)
    square[square == 255] = 2  # what a network might say about padding must not matter
    segmenter = _fixed({"square": square}, resize, 64)
    found = segmenter.predict([np.zeros((*shape, 3), np.uint8)], flip_averaging=False)[0]
    assert np.mean(found.mask == truth) > 0.97


def test_what_is_derived_from_the_mask() -> None:
    square = np.zeros((10, 10), dtype=np.uint8)
    square[:3], square[9, :5] = 2, 1
    found = _fixed({"square": square}, "stretch", 10).predict(
        [np.zeros((10, 10, 3), np.uint8)], flip_averaging=False
    )[0]
    assert np.array_equal(found.mask, square)
    assert found.class_name == "dog"
    assert found.shares == {"background": 0.65, "cat": 0.05, "dog": 0.3}
    assert found.mean_confidence == pytest.approx(float(found.confidence[square > 0].mean()))


def test_without_foreground_there_is_no_class() -> None:
    found = _fixed({"square": np.zeros((8, 8), np.uint8)}, "stretch", 8, 2.0).predict(
        [np.zeros((5, 7, 3), np.uint8)]
    )[0]
    assert found.class_name is None
    assert found.shares == {"background": 1.0, "cat": 0.0, "dog": 0.0}
    assert found.mean_confidence == pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-5)


def test_the_batch_size_changes_nothing(tmp_path: Path) -> None:
    segmenter = Segmenter.load(save_small(tmp_path / "m.safetensors"))
    images = [random_image(30 + i, 50, i) for i in range(5)]
    one, three = segmenter.predict(images, batch_size=1), segmenter.predict(images, batch_size=3)
    for a, b in zip(one, three, strict=True):
        np.testing.assert_allclose(a.confidence, b.confidence, atol=1e-5)
    assert segmenter.predict([]) == []


def test_half_precision_weights_are_calculated_with_in_full(tmp_path: Path) -> None:
    info = SegmenterInfo(CLASSES, 32, "stretch")
    save_model(small_unet(), tmp_path / "full", info)
    save_model(small_unet(), tmp_path / "half", info, torch.float16)
    full, half = (
        Segmenter.load(tmp_path / name).predict([random_image(40, 40)])[0] for name in ("full", "half")
    )
    np.testing.assert_allclose(full.confidence, half.confidence, atol=2e-3)
    assert not np.array_equal(full.confidence, half.confidence)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((4, 4, 3)), "float64 of shape (4, 4, 3)"),
        (np.zeros((4, 4), np.uint8), "uint8 of shape (4, 4)"),
        (np.zeros((4, 4, 4), np.uint8), "uint8 of shape (4, 4, 4)"),
        (np.zeros((0, 4, 3), np.uint8), "uint8 of shape (0, 4, 3)"),
        ("image.jpg", "<class 'str'>"),
    ],
)
def test_no_image(tmp_path: Path, image: object, found: str) -> None:
    segmenter = Segmenter.load(save_small(tmp_path / "m.safetensors"))
    with pytest.raises(PipelineError) as caught:
        segmenter.predict([random_image(4, 4), image])  # type: ignore[list-item]
    assert f"images[1]: expected (H, W, 3) uint8 RGB, found {found}" in str(caught.value)


def test_bad_arguments(tmp_path: Path) -> None:
    path = save_small(tmp_path / "m.safetensors")
    with pytest.raises(PipelineError, match="batch_size: found 0"):
        Segmenter.load(path).predict([random_image(4, 4)], batch_size=0)
    with pytest.raises(PipelineError, match="device: found 'gpu', expected one of auto, cpu, cuda"):
        Segmenter.load(path, "gpu")
    if not torch.cuda.is_available():
        with pytest.raises(PipelineError, match="sees no GPU"):
            Segmenter.load(path, "cuda")


def test_the_shipped_model_works_on_a_real_image(oxford_sample: Path) -> None:
    try:
        shipped_model("segmenter")
    except PipelineError as error:
        pytest.skip(str(error))
    segmenter = Segmenter.load()
    assert segmenter.classes == CLASSES
    image = read_input_image(oxford_sample / "images" / "Bengal_201.jpg", "")
    found = segmenter.predict([image])[0]
    assert found.class_name == "cat"
    assert found.mask.shape == image.shape[:2]
    assert 0.1 < found.shares["cat"] < 0.9


def test_an_installation_without_weights_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import ae_pretrained.pretrained as package

    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    with pytest.raises(PipelineError, match="lacks the weights that come with the package"):
        Segmenter.load()
