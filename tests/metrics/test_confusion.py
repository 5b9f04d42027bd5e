from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score
from torchmetrics.classification import MulticlassConfusionMatrix

from ae_pretrained.errors import PipelineError
from ae_pretrained.metrics import confusion as measures

CLASSES = ("background", "cat", "dog")


def draw(
    seed: int = 0, count: int = 5, side: int = 12, classes: int = 3
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, classes, (count, side, side), generator=generator, dtype=torch.uint8)
    truth[torch.rand(truth.shape, generator=generator) < 0.2] = 255
    wrong = torch.rand(truth.shape, generator=generator) < 0.4
    guess = torch.randint(0, classes, truth.shape, generator=generator)
    prediction = torch.where(wrong | (truth == 255), guess, truth.long())
    return prediction, truth


def pooled(prediction: torch.Tensor, truth: torch.Tensor, classes: int = 3) -> np.ndarray:
    return measures.confusion_per_image(prediction, truth, classes).sum(0).numpy()


def test_confusion_matches_torchmetrics_image_by_image() -> None:
    prediction, truth = draw()
    reference = MulticlassConfusionMatrix(3, ignore_index=255)
    found = measures.confusion_per_image(prediction, truth, 3)
    for place in range(len(truth)):
        torch.testing.assert_close(found[place], reference(prediction[place], truth[place].long()))
    torch.testing.assert_close(found.sum(0), reference(prediction, truth.long()))


def test_scores_match_sklearn() -> None:
    prediction, truth = draw(1)
    scores = measures.scores_from_confusion(pooled(prediction, truth), CLASSES)
    there = truth != 255
    y, z = truth[there].numpy(), prediction[there].numpy()
    for key, reference in (
        ("iou", jaccard_score),
        ("dice", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
    ):
        expected = reference(y, z, average=None, labels=[0, 1, 2])
        assert [scores[name][key] for name in CLASSES] == pytest.approx(expected)
    assert scores["mean_iou"] == pytest.approx(jaccard_score(y, z, average="macro"))
    assert scores["mean_foreground_dice"] == pytest.approx(f1_score(y, z, average="macro", labels=[1, 2]))
    assert scores["pixel_accuracy"] == pytest.approx((y == z).mean())
    assert scores["absent_classes"] == []


@pytest.mark.parametrize("seed", range(5))
def test_dice_follows_from_iou(seed: int) -> None:
    matrix = pooled(*draw(seed))
    iou = measures.iou_per_class(matrix)
    np.testing.assert_allclose(measures.dice_per_class(matrix), 2 * iou / (1 + iou))


def test_class_never_predicted_scores_zero() -> None:
    truth = torch.tensor([[[0, 1, 2, 2]]], dtype=torch.uint8)
    scores = measures.scores_from_confusion(pooled(torch.tensor([[[0, 0, 2, 2]]]), truth), CLASSES)
    assert scores["cat"] == {"dice": 0.0, "iou": 0.0, "precision": 0.0, "recall": 0.0}
    assert scores["mean_iou"] == pytest.approx((0.5 + 0 + 1) / 3)


def test_class_only_predicted_scores_zero() -> None:
    truth = torch.tensor([[[0, 0, 2, 2]]], dtype=torch.uint8)
    scores = measures.scores_from_confusion(pooled(torch.tensor([[[0, 1, 2, 2]]]), truth), CLASSES)
    assert scores["cat"] == {"dice": 0.0, "iou": 0.0, "precision": 0.0, "recall": 0.0}
    assert scores["absent_classes"] == []


def test_class_in_neither_is_left_out_of_the_means() -> None:
    truth = torch.tensor([[[0, 0, 2, 255]]], dtype=torch.uint8)
    scores = measures.scores_from_confusion(pooled(torch.tensor([[[0, 2, 2, 1]]]), truth), CLASSES)
    assert scores["absent_classes"] == ["cat"]
    assert np.isnan(scores["cat"]["iou"])
    assert scores["mean_iou"] == pytest.approx(0.5)
    assert scores["mean_foreground_dice"] == pytest.approx(2 / 3)


def test_everything_ignored_has_no_score_and_no_warning() -> None:
    matrix = pooled(torch.zeros(2, 3, 3, dtype=torch.long), torch.full((2, 3, 3), 255, dtype=torch.uint8))
    assert not matrix.any()
    scores = measures.scores_from_confusion(matrix, CLASSES)
    assert np.isnan(scores["mean_iou"])
    assert scores["absent_classes"] == list(CLASSES)


def test_ignored_pixels_do_not_count() -> None:
    prediction, truth = draw(2)
    other = torch.where(truth == 255, (prediction + 1) % 3, prediction)
    np.testing.assert_array_equal(pooled(prediction, truth), pooled(other, truth))


def test_foreign_mask_value_is_refused() -> None:
    truth = torch.tensor([[[0, 7]]], dtype=torch.uint8)
    with pytest.raises(PipelineError, match=r"value 7, but there are 3 classes"):
        measures.confusion_per_image(torch.zeros(1, 1, 2, dtype=torch.long), truth, 3)
    with pytest.raises(PipelineError, match="value -8, "):
        measures.confusion_per_image(torch.zeros(1, 1, 2, dtype=torch.long), truth.long() - 8, 3)


@pytest.mark.parametrize("wrong", [3, -1])
def test_prediction_of_no_class_is_refused(wrong: int) -> None:
    truth = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    with pytest.raises(ValueError, match=f"prediction of {wrong}, but there are 3 classes"):
        measures.confusion_per_image(torch.tensor([[[wrong, 0]]]), truth, 3)
    assert measures.confusion_per_image(torch.tensor([[[2, wrong]]]), truth, 3).sum() == 1, (
        "ignored pixels may"
    )


def test_another_value_can_be_ignored() -> None:
    prediction, truth = draw()
    other = torch.where(truth == 255, -100, truth.long())
    found = measures.confusion_per_image(prediction, other, 3, ignore_index=-100)
    assert torch.equal(found, measures.confusion_per_image(prediction, truth, 3))


def test_all_background_guess() -> None:
    prediction, truth = draw(3)
    guess = measures.all_background(pooled(prediction, truth))
    np.testing.assert_array_equal(guess, pooled(torch.zeros_like(prediction), truth))


def test_majority_of_the_foreground() -> None:
    truth = torch.tensor([[[0, 1, 1, 2]], [[0, 0, 0, 0]], [[2, 2, 255, 1]]], dtype=torch.uint8)
    prediction = torch.tensor([[[2, 2, 1, 0]], [[0, 0, 0, 1]], [[0, 0, 1, 0]]])
    found = measures.majority_classes(measures.confusion_per_image(prediction, truth, 3).numpy())
    assert found[0].tolist() == [1, -1, 2]
    assert found[1].tolist() == [2, 1, -1]  # the ignored pixel predicted as cat does not count


def test_a_stray_pixel_of_another_class_is_no_missed_class() -> None:
    """90 pixels of background, 9 of cat, all right but one of background that is taken for dog."""
    confusion = np.array([[89, 0, 1], [0, 9, 0], [0, 0, 0]])
    iou = measures.iou_per_class(confusion)
    assert measures.mean_over_present(iou) == pytest.approx((89 / 90 + 1 + 0) / 3)
    assert measures.mean_over_true_classes(iou, confusion) == pytest.approx((89 / 90 + 1) / 2)
    empty = np.zeros((3, 3), dtype=int)
    assert np.isnan(measures.mean_over_true_classes(measures.iou_per_class(empty), empty))
