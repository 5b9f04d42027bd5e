from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.pseudo_label_loss import PseudoLabelLoss


def example(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 4, 9, 7, generator=generator, dtype=dtype) for _ in range(2))
    counted = torch.rand(3, 9, 7, generator=generator) > 0.3
    return student, 3 * teacher, counted


def test_against_pytorch() -> None:
    student, teacher, counted = example()
    found, share = PseudoLabelLoss(0.9)(student, teacher, counted)
    probability, label = teacher.double().softmax(dim=1).max(dim=1)
    kept = (probability >= 0.9) & counted
    assert 0.1 < kept.sum() / counted.sum() < 0.9
    expected = F.cross_entropy(student.double(), label, reduction="none")[kept].sum() / counted.sum()
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(share, kept.sum() / counted.sum())


def test_only_the_student_learns() -> None:
    student, teacher, counted = example()
    student.requires_grad_()
    teacher.requires_grad_()
    PseudoLabelLoss(0.9)(student, teacher, counted)[0].backward()
    assert teacher.grad is None
    assert student.grad is not None
    probability = teacher.softmax(dim=1).amax(dim=1)
    moved = student.grad.abs().amax(dim=1) > 0
    assert torch.equal(moved, (probability >= 0.9) & counted)


def test_nothing_counts() -> None:
    student, teacher, counted = example()
    student.requires_grad_()
    loss, share = PseudoLabelLoss(0.9)(student, teacher, torch.zeros_like(counted))
    loss.backward()
    assert (loss.item(), share.item()) == (0.0, 0.0)
    assert student.grad is not None
    assert not student.grad.any()


def test_a_confidence_is_a_probability() -> None:
    with pytest.raises(PipelineError, match=r"confidence: found 1\.5, expected a probability"):
        PseudoLabelLoss(1.5)
