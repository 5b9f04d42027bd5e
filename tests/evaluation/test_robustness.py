from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.distortions import DISTORTIONS, distort_batch
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.evaluation.robustness import evaluate_robustness
from ae_pretrained.evaluation.segmenter_measures import measure_segmenter
from ae_pretrained.metrics.confusion import scores_from_confusion
from ae_pretrained.params.evaluation_params import RobustnessParams
from tests.evaluation.small import CLASSES, BrightnessSegmenter, params, write_processed


def few(**changes: object) -> RobustnessParams:
    nothing: dict[str, object] = {name: [] for name in DISTORTIONS}
    rest = {"max_images": 0, "batch_size": 64, "flip_averaging": False}
    return RobustnessParams.model_validate(nothing | rest | changes)


def evaluate(
    root: Path, out: Path, values: RobustnessParams, model: nn.Module | None = None
) -> dict[str, object]:
    evaluate_robustness(
        model or BrightnessSegmenter(),  # type: ignore[arg-type]
        root,
        CLASSES,
        values,
        seed=0,
        metrics_file=out / "robustness.json",
        table=out / "robustness.csv",
        plots=out / "plots",
    )
    return json.loads((out / "robustness.json").read_text())


@pytest.fixture
def images() -> np.ndarray:
    """Smooth as photographs are: JPEG at its best hardly changes them."""
    noise = np.random.default_rng(0).random((3, 32, 32, 3)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in noise])
    spread = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return (40 + 160 * spread).round().astype(np.uint8)


@pytest.mark.parametrize("name", list(DISTORTIONS))
def test_every_distortion_grows_with_its_strength(name: str, images: np.ndarray) -> None:
    clean, rows = images / 255, np.arange(3)
    neutral = distort_batch(images, rows, name, DISTORTIONS[name].neutral, 0)
    np.testing.assert_allclose(neutral, clean, atol=0.05 if name == "jpeg" else 1e-6)
    errors = []
    for strength in getattr(params().robustness, name):
        found = distort_batch(images, rows, name, float(strength), 0)
        assert found.dtype == np.float32
        assert found.shape == images.shape
        assert 0 <= found.min() <= found.max() <= 1
        errors.append(float(np.abs(found - clean).mean()))
    assert len(errors) >= 5
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]


def test_distortions_do_what_they_say(images: np.ndarray) -> None:
    rows, clean = np.arange(3), images.astype(np.float32) / 255
    noise = distort_batch(images, rows, "gaussian_noise", 0.05, 0) - clean
    assert noise.std() == pytest.approx(0.05, rel=0.05)
    np.testing.assert_allclose(
        distort_batch(images, rows, "brightness_up", 0.1, 0), clean + np.float32(0.1), atol=1e-6
    )
    covered = (distort_batch(images, rows, "occlusion", 0.25, 0) != clean).any(axis=3)
    assert covered.mean() == pytest.approx(0.25, abs=0.01)
    spoilt = distort_batch(images, rows, "salt_and_pepper", 0.2, 0)
    assert np.isin(spoilt, [0, 1]).all(axis=3).mean() == pytest.approx(0.2, abs=0.03)
    flat = distort_batch(images, rows, "contrast_down", 0.0, 0)
    assert flat.std(axis=(1, 2, 3)).max() < 1e-6


def test_draws_depend_on_seed_and_image_alone(images: np.ndarray) -> None:
    together = distort_batch(images, np.array([4, 8, 9]), "gaussian_noise", 0.2, 1)
    alone = distort_batch(images[1:2], np.array([8]), "gaussian_noise", 0.2, 1)
    np.testing.assert_array_equal(together[1], alone[0])
    assert not np.array_equal(together, distort_batch(images, np.array([4, 8, 9]), "gaussian_noise", 0.2, 2))


def test_figures_table_and_curves(tmp_path: Path) -> None:
    root = write_processed(tmp_path / "processed")
    values = few(gaussian_noise=[0.0, 0.3], contrast_down=[0.9, 0.1])
    scores = evaluate(root, tmp_path / "a", values)
    evaluate(root, tmp_path / "b", values.model_copy(update={"batch_size": 5}))
    for name in ("robustness.json", "robustness.csv", "plots/robustness.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with (tmp_path / "a/robustness.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["corruption"], float(row["strength"]), row["level"]) for row in rows] == [
        ("none", 0.0, "0"),
        ("gaussian_noise", 0.0, "1"),
        ("gaussian_noise", 0.3, "2"),
        ("contrast_down", 0.9, "1"),
        ("contrast_down", 0.1, "2"),
    ]
    assert rows[1]["mean_iou"] == rows[0]["mean_iou"]  # noise of strength 0 is none
    assert float(rows[2]["mean_iou"]) < float(rows[0]["mean_iou"])
    means = [np.mean([float(row["mean_iou"]) for row in rows[start : start + 2]]) for start in (1, 3)]
    assert scores["mean_iou"] == pytest.approx(np.mean(means), abs=1e-5)
    split = open_split(root, "test")
    plain = params(eval_seg__flip_averaging=False).eval_seg
    clean = measure_segmenter(BrightnessSegmenter(), split, 3, plain, Compute()).pooled
    assert scores["mean_iou_clean"] == pytest.approx(
        scores_from_confusion(clean, CLASSES)["mean_iou"], abs=1e-6
    )


def test_fewer_images_are_spread_over_the_split(tmp_path: Path) -> None:
    root = write_processed(tmp_path / "processed")
    assert evaluate(root, tmp_path, few(jpeg=[50], max_images=5))["num_images"] == 5


def test_no_strength_at_all_is_an_error(tmp_path: Path) -> None:
    root = write_processed(tmp_path / "processed")
    with pytest.raises(PipelineError, match="every list of strengths is empty"):
        evaluate(root, tmp_path, few())


@pytest.mark.parametrize("flip_averaging", [False, True])
def test_batches_and_mirror_images_are_those_of_the_parameters(tmp_path: Path, flip_averaging: bool) -> None:
    root = write_processed(tmp_path / "processed")
    seen: list[torch.Tensor] = []

    class Watched(BrightnessSegmenter):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return super().forward(x)

    values = few(jpeg=[50], max_images=5, batch_size=2, flip_averaging=flip_averaging)
    evaluate(root, tmp_path, values, Watched())
    sizes = [size for size in (2, 2, 1) for _ in range(1 + flip_averaging)]
    assert [len(x) for x in seen] == 2 * sizes, "clean and distorted"
    assert torch.equal(seen[0].flip(-1), seen[1]) == flip_averaging
