from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.evaluate_segmenter import evaluate_segmenter
from ae_pretrained.evaluation.inference import Compute, class_probabilities, load_images
from ae_pretrained.evaluation.segmenter_measures import (
    SegmentationResult,
    check_segmenter,
    measure_segmenter,
    summarise,
)
from ae_pretrained.evaluation.segmenter_tables import (
    largest_remainder,
    write_confusion_rows,
    write_group_counts,
)
from ae_pretrained.metrics.confusion import class_counts
from ae_pretrained.models.weights import SegmenterInfo
from tests.evaluation.small import (
    CLASSES,
    BrightnessSegmenter,
    draw_split,
    params,
    real_processed,
    tiny_unet,
    write_processed,
    write_split,
)
from tools.review.paired import Counts, parse_counts

IMAGES = {
    "class_distribution",
    "class_scores",
    "confidence",
    "confusion_matrix",
    "error_maps",
    "grad_cam_bottleneck",
    "grad_cam_last_decoder_stage",
    "reliability",
    "score_by_breed",
    "score_by_size",
    "segmentation_best",
    "segmentation_median",
    "segmentation_worst",
}


def evaluate(root: Path, out: Path, model: nn.Module | None = None, **changes: object) -> dict[str, object]:
    evaluate_segmenter(
        model or tiny_unet(),  # type: ignore[arg-type]
        root,
        CLASSES,
        params(eval_seg__num_examples=2, eval_seg__bootstrap_samples=50, **changes).eval_seg,
        seed=1,
        metrics_file=out / "eval_seg.json",
        counts_file=out / "counts.csv",
        plots=out / "plots",
    )
    return json.loads((out / "eval_seg.json").read_text())


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_figures_match_torchmetrics_whatever_the_batch_size(tmp_path: Path, batch_size: int) -> None:
    draw_split(tmp_path, "test", 12)
    split = open_split(tmp_path, "test")
    model = tiny_unet()
    found = measure_segmenter(
        model,
        split,
        3,
        params(eval_seg__batch_size=batch_size, eval_seg__flip_averaging=False).eval_seg,
        Compute(),
    )
    with torch.inference_mode():
        prediction = model(load_images(split, range(12), torch.device("cpu"))).argmax(1)
    truth = torch.from_numpy(np.array(split.masks)).long()
    np.testing.assert_array_equal(
        found.pooled, MulticlassConfusionMatrix(3, ignore_index=255)(prediction, truth)
    )
    scores = summarise(found, CLASSES, params().eval_seg, seed=0)
    reference = MulticlassJaccardIndex(3, ignore_index=255, average=None)(prediction, truth)
    assert [scores[name]["iou"] for name in CLASSES] == pytest.approx(reference.tolist(), abs=1e-6)


def test_right_segmenter_scores_one(tmp_path: Path) -> None:
    draw_split(tmp_path, "test", 12)
    split = open_split(tmp_path, "test")
    found = measure_segmenter(BrightnessSegmenter(), split, 3, params().eval_seg, Compute())
    scores = summarise(found, CLASSES, params().eval_seg, seed=0)
    for key in ("pixel_accuracy", "mean_iou", "mean_image_dice", "boundary_iou", "image_class_accuracy"):
        assert scores[key] == 1.0, key
    assert scores["mean_iou_ci95"] == (1.0, 1.0)
    assert scores["mean_iou_all_background"] < 0.35


def test_image_without_predicted_pet_counts_as_wrong_species(tmp_path: Path) -> None:
    class NothingBelow(BrightnessSegmenter):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            logits[:, 1:] -= 1000.0 * (x.mean(dim=(1, 2, 3)) < 0.45)[:, None, None, None]  # dark images: dogs
            return logits

    draw_split(tmp_path, "test", 12)
    split = open_split(tmp_path, "test")
    found = measure_segmenter(NothingBelow(), split, 3, params().eval_seg, Compute())
    assert summarise(found, CLASSES, params().eval_seg, seed=0)["image_class_accuracy"] == 0.5


def test_flip_averaging_is_symmetric() -> None:
    images = torch.rand(2, 3, 32, 32)
    model = tiny_unet().eval()
    with torch.inference_mode():
        straight = class_probabilities(model, images, True, Compute())
        mirrored = class_probabilities(model, images.flip(-1), True, Compute())
        plain = class_probabilities(model, images, False, Compute())
    torch.testing.assert_close(straight, mirrored.flip(-1))
    torch.testing.assert_close(straight.sum(1), torch.ones(2, 32, 32))
    assert not torch.allclose(straight, plain)


def test_report_of_real_images_is_whole_and_the_same_again(tmp_path: Path, oxford_128: Path) -> None:
    root = real_processed(tmp_path / "processed", oxford_128)
    scores = evaluate(root, tmp_path / "a")
    evaluate(root, tmp_path / "b", eval_seg__batch_size=7)
    assert {path.stem for path in (tmp_path / "a/plots").glob("*.png")} == IMAGES
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert path.read_bytes() == other.read_bytes(), path.name
    expected = {"pixel_accuracy", "mean_iou", "mean_dice", "mean_foreground_dice", "mean_iou_ci95"}
    expected |= {
        "boundary_iou",
        "image_class_accuracy",
        "mean_iou_all_background",
        "mean_image_dice",
        "num_images",
    }
    assert expected | {"expected_calibration_error", *CLASSES} <= set(scores)


def test_per_image_table_has_the_worst_first(tmp_path: Path) -> None:
    write_processed(tmp_path / "processed")
    evaluate(tmp_path / "processed", tmp_path)
    with (tmp_path / "plots/tables/per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["mean_iou"]) for row in rows]
    assert scores == sorted(scores)
    assert len(rows) == 12
    assert {row["true_class"] for row in rows} == {"cat", "dog"}


def read_counts(path: Path) -> Counts:
    return parse_counts(path.read_bytes(), path.name)


def test_counts_to_compare_runs_by(tmp_path: Path) -> None:
    write_processed(tmp_path / "processed")
    scores = evaluate(tmp_path / "processed", tmp_path)
    counts = read_counts(tmp_path / "counts.csv")
    assert counts.groups == sorted(open_split(tmp_path / "processed", "test").column("name"))
    assert counts.classes == CLASSES
    assert counts.mean_iou == pytest.approx(scores["mean_iou"], abs=1e-6)


def test_many_images_share_groups_that_depend_on_their_names_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 50, (2000, 3, 3))

    def written(chosen: np.ndarray) -> Counts:
        result = SegmentationResult(confusion[chosen], np.zeros((2, 3)), None)  # type: ignore[arg-type]
        write_group_counts(tmp_path / "counts.csv", [f"image {i}" for i in chosen], result, CLASSES)
        return read_counts(tmp_path / "counts.csv")

    everything, reordered, fewer = map(written, (np.arange(2000), rng.permutation(2000), np.arange(1500)))
    assert 450 < len(everything.groups) <= 500
    np.testing.assert_array_equal(everything.pixels, reordered.pixels)
    np.testing.assert_array_equal(everything.pixels.sum(0), class_counts(confusion.sum(0)))
    shared = [everything.groups.index(group) for group in fewer.groups]
    assert (everything.pixels[shared] >= fewer.pixels).all()


def test_split_without_a_class(tmp_path: Path) -> None:
    draw_split(tmp_path, "test", 6, only="dog")
    split = open_split(tmp_path, "test")
    found = measure_segmenter(BrightnessSegmenter(), split, 3, params().eval_seg, Compute())
    scores = summarise(found, CLASSES, params().eval_seg, seed=0)
    assert scores["absent_classes"] == ["cat"]
    assert "cat" not in scores
    assert scores["mean_iou"] == 1.0


@pytest.mark.parametrize("count", [1, 2, 4])
def test_very_few_images(tmp_path: Path, count: int) -> None:
    write_processed(tmp_path / "processed", test=count)
    scores = evaluate(tmp_path / "processed", tmp_path)
    assert scores["num_images"] == count
    assert (tmp_path / "plots/segmentation_best.png").is_file()


def test_images_without_foreground(tmp_path: Path) -> None:
    images = np.full((3, 32, 32, 3), 115, dtype=np.uint8)
    rows = [{"name": f"empty_{place}", "class": "", "breed": ""} for place in range(3)]
    write_split(tmp_path / "processed", "test", images, np.zeros((3, 32, 32), dtype=np.uint8), rows)
    split = open_split(tmp_path / "processed", "test")
    found = measure_segmenter(BrightnessSegmenter(), split, 3, params().eval_seg, Compute())
    scores = summarise(found, CLASSES, params().eval_seg, seed=0)
    assert scores["mean_iou"] == 1.0
    assert "image_class_accuracy" not in scores
    assert "mean_foreground_dice" not in scores
    evaluate(tmp_path / "processed", tmp_path)
    assert not (tmp_path / "plots/score_by_breed.png").exists()


def test_nothing_labelled_is_an_error(tmp_path: Path) -> None:
    images = np.full((2, 32, 32, 3), 115, dtype=np.uint8)
    rows = [{"name": "a"}, {"name": "b"}]
    write_split(tmp_path, "test", images, np.full((2, 32, 32), 255, dtype=np.uint8), rows)
    with pytest.raises(PipelineError, match="no pixel of the test masks is labelled"):
        measure_segmenter(tiny_unet(), open_split(tmp_path, "test"), 3, params().eval_seg, Compute())


def test_model_for_other_classes_or_another_size_is_refused(tmp_path: Path) -> None:
    draw_split(tmp_path, "test", 4)
    split = open_split(tmp_path, "test")
    with pytest.raises(PipelineError, match=r"gives 4 classes, data\.classes names 3"):
        measure_segmenter(tiny_unet(4), split, 3, params().eval_seg, Compute())
    with pytest.raises(PipelineError, match=r"trained for the classes \['background', 'pet'\]"):
        check_segmenter(split, CLASSES, SegmenterInfo(("background", "pet"), 32, "stretch"))
    with pytest.raises(PipelineError, match="trained on images of 64 px, the prepared ones have 32 px"):
        check_segmenter(split, CLASSES, SegmenterInfo(tuple(CLASSES), 64, "stretch"))


def test_confusion_rows_are_the_per_mille_of_every_class(tmp_path: Path) -> None:
    pooled = np.array([[997, 2, 1], [1, 1, 1], [0, 0, 0]])
    write_confusion_rows(tmp_path / "confusion.csv", pooled, CLASSES)
    with (tmp_path / "confusion.csv").open() as file:
        rows = [(row["actual"], row["predicted"]) for row in csv.DictReader(file)]
    assert rows.count(("background", "background")) == 997
    assert sorted(rows.count(("cat", name)) for name in CLASSES) == [333, 333, 334]
    assert not any(actual == "dog" for actual, _ in rows)


def test_largest_remainder_keeps_the_total() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, 1000, 4)
        assert largest_remainder(counts, 1000).sum() == (1000 if counts.sum() else 0)
