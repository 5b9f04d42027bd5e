from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.cross_entropy_loss import CrossEntropyLoss, inverse_frequency_weights
from ae_pretrained.losses.dice_loss import DiceLoss
from ae_pretrained.losses.labels import LabelError
from ae_pretrained.losses.segmentation_loss import SegmentationLoss


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 6, 5, generator=generator, dtype=torch.float64)
    mask = torch.randint(0, 3, (2, 6, 5), generator=generator)
    mask[0, :2] = 255
    return logits, mask


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def labelled_pixels(logits: torch.Tensor, mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(pixels, classes) probabilities and (pixels,) truth, without ignored pixels, in float64."""
    p = softmax(logits.detach().double().numpy()).transpose(0, 2, 3, 1).reshape(-1, logits.shape[1])
    t = mask.numpy().reshape(-1)
    return p[t != 255], t[t != 255]


def reference_dice(logits: torch.Tensor, mask: torch.Tensor) -> float:
    p, t = labelled_pixels(logits, mask)
    losses = []
    for c in range(p.shape[1]):
        if (t == c).any():
            losses.append(1 - 2 * p[t == c, c].sum() / (p[:, c].sum() + (t == c).sum()))
    return float(np.mean(losses))


def reference_cross_entropy(logits: torch.Tensor, mask: torch.Tensor) -> float:
    p, t = labelled_pixels(logits, mask)
    counts = np.bincount(t, minlength=p.shape[1])
    weights = np.array([1 / n if n else 0.0 for n in counts])[t]
    return float(np.sum(-np.log(p[np.arange(len(t)), t]) * weights) / weights.sum())


def test_dice_against_the_formula(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert float(DiceLoss()(*batch)) == pytest.approx(reference_dice(*batch), abs=1e-6)


def test_dynamic_cross_entropy_against_the_formula(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    losses = SegmentationLoss()(*batch)
    assert float(losses["cross_entropy"]) == pytest.approx(reference_cross_entropy(*batch), abs=1e-6)
    torch.testing.assert_close(losses["total"], losses["dice"] + losses["cross_entropy"])


def test_plain_cross_entropy_is_that_of_pytorch(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, mask = batch
    expected = torch.nn.functional.cross_entropy(logits, mask, ignore_index=255)
    torch.testing.assert_close(CrossEntropyLoss("none")(logits, mask), expected)


@pytest.mark.parametrize("weights", [[0.2, 1.0, 0.7], torch.tensor([0.2, 1.0, 0.7])])
def test_own_class_weights_are_those_of_pytorch(
    batch: tuple[torch.Tensor, torch.Tensor], weights: list[float] | torch.Tensor
) -> None:
    logits, mask = batch
    expected = torch.nn.functional.cross_entropy(
        logits, mask, weight=torch.tensor([0.2, 1.0, 0.7]).double(), ignore_index=255
    )
    losses = SegmentationLoss(class_weights=weights)(logits, mask)
    torch.testing.assert_close(losses["cross_entropy"], expected)
    assert not SegmentationLoss(class_weights=weights).state_dict(), "weights are no part of a checkpoint"


@pytest.mark.parametrize("ignored", [0, 2, 255, -100])
def test_any_value_can_be_ignored(batch: tuple[torch.Tensor, torch.Tensor], ignored: int) -> None:
    """As if 255 stood there, whether the value is that of a class or of none."""
    logits, mask = batch
    other = mask.clone()
    if ignored in (0, 2):
        mask = torch.where(mask == ignored, 255, mask)
        other = torch.where(other == 255, ignored, other)
    else:
        other[other == 255] = ignored
    expected = SegmentationLoss()(logits, mask)
    found = SegmentationLoss(ignore_index=ignored)(logits, other)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_a_part_of_weight_zero_is_not_computed(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    losses = SegmentationLoss(dice=2.0, cross_entropy=0.0)(*batch)
    assert set(losses) == {"total", "dice"}
    torch.testing.assert_close(losses["total"], 2 * losses["dice"])
    assert set(SegmentationLoss(dice=0.0)(*batch)) == {"total", "cross_entropy"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"dice": 0.0, "cross_entropy": 0.0},
            "found weights of 0 and 0, expected none below 0 and one above",
        ),
        ({"dice": -1.0}, "found weights of -1 and 1"),
        ({"class_weights": "static"}, "class_weights: found 'static', expected one of 'dynamic', 'none'"),
    ],
)
def test_arguments_that_mean_nothing(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        SegmentationLoss(**wrong)


def test_weights_have_mean_one_over_present_classes() -> None:
    weights = inverse_frequency_weights(torch.tensor([6.0, 3.0, 0.0]))
    assert weights.tolist() == pytest.approx([2 / 3, 4 / 3, 0.0])
    assert inverse_frequency_weights(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["dynamic", "none"])
@pytest.mark.parametrize("missing", ["one class", "two classes", "every label"])
def test_finite_when_labels_are_missing(
    batch: tuple[torch.Tensor, torch.Tensor], kind: str, missing: str
) -> None:
    logits, mask = batch[0].float().requires_grad_(True), batch[1].clone()
    if missing == "one class":
        mask[mask == 1] = 0
    elif missing == "two classes":
        mask[mask != 255] = 2
    else:
        mask[:] = 255
    loss = SegmentationLoss(class_weights=kind)  # type: ignore[arg-type]
    losses = loss(logits, mask)
    losses["total"].backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    if missing == "every label":
        assert losses["total"] == 0
        assert (logits.grad == 0).all()
    elif kind == "dynamic":
        assert float(losses["dice"].detach()) == pytest.approx(reference_dice(logits, mask), abs=1e-5)
        assert float(losses["cross_entropy"].detach()) == pytest.approx(
            reference_cross_entropy(logits, mask), abs=1e-5
        )


def test_ignored_pixels_have_no_gradient(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, mask = batch[0].clone().requires_grad_(True), batch[1]
    SegmentationLoss()(logits, mask)["total"].backward()
    assert logits.grad is not None
    ignored = (mask == 255).unsqueeze(1).expand_as(logits)
    assert (logits.grad[ignored] == 0).all()
    assert (logits.grad[~ignored] != 0).any()


def test_gradients(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, mask = batch[0].clone().requires_grad_(True), batch[1]
    loss = SegmentationLoss()
    assert torch.autograd.gradcheck(lambda value: loss(value, mask)["dice"], (logits,))
    assert torch.autograd.gradcheck(lambda value: loss(value, mask)["cross_entropy"], (logits,))


def test_bytes_and_bf16_logits(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, mask = batch
    loss = SegmentationLoss()
    torch.testing.assert_close(loss(logits, mask.to(torch.uint8))["total"], loss(logits, mask)["total"])
    assert loss(logits.bfloat16(), mask)["total"].dtype == torch.float32


def test_a_perfect_prediction_costs_nothing() -> None:
    mask = torch.tensor([[[0, 1], [2, 255]]])
    logits = torch.full((1, 3, 2, 2), -50.0)
    for (row, column), value in {(0, 0): 0, (0, 1): 1, (1, 0): 2}.items():
        logits[0, value, row, column] = 50.0
    assert float(SegmentationLoss()(logits, mask)["total"]) == pytest.approx(0.0, abs=1e-4)


def test_half_precision_of_the_network_costs_no_digits_of_the_loss() -> None:
    """Pooled sums of many pixels under autocast agree with float64 on the same logits."""
    generator = torch.Generator().manual_seed(1)
    logits = (torch.randn(8, 3, 64, 64, generator=generator) * 2).bfloat16()
    mask = torch.randint(0, 3, (8, 64, 64), generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        losses = SegmentationLoss()(logits, mask)
    assert float(losses["dice"]) == pytest.approx(reference_dice(logits, mask), abs=1e-5)
    assert float(losses["cross_entropy"]) == pytest.approx(reference_cross_entropy(logits, mask), abs=1e-4)


def test_masks_that_do_not_fit_the_classes(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, mask = batch
    mask = mask.clone()
    mask[0, 3, 3] = 5
    for kind in (torch.uint8, torch.long):
        with pytest.raises(
            LabelError, match=r"value 5, but the model has 3 classes \(0 to 2; 255 is ignored\)"
        ):
            SegmentationLoss()(logits, mask.to(kind))
    for loss in (DiceLoss(), CrossEntropyLoss()):
        with pytest.raises(LabelError, match="value 5"):
            loss(logits, mask)


def test_other_numbers_of_classes() -> None:
    generator = torch.Generator().manual_seed(2)
    for classes in (2, 7):
        logits = torch.randn(2, classes, 5, 5, generator=generator, dtype=torch.float64)
        mask = torch.randint(0, classes, (2, 5, 5), generator=generator).to(torch.uint8)
        expected = reference_dice(logits, mask) + reference_cross_entropy(logits, mask)
        assert float(SegmentationLoss()(logits, mask)["total"]) == pytest.approx(expected, abs=1e-5)
