"""Pseudo-labels and their loss against loops over pixels."""

from __future__ import annotations

import math

import pytest
import torch

from ae_pretrained.losses.pseudo_label_loss import pseudo_label_loss, pseudo_labels


def test_labels_and_loss_equal_a_loop_over_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = (3 * torch.randn((2, 3, 4, 5), generator=generator) for _ in range(2))
    valid = torch.rand((2, 4, 5), generator=generator) < 0.8
    labels = pseudo_labels(teacher, valid, 0.9)
    student.requires_grad_()
    loss = pseudo_label_loss(student, labels, valid)
    loss.backward()
    assert student.grad is not None
    total, sure = 0.0, 0
    for n in range(2):
        for y in range(4):
            for x in range(5):
                powers = [math.exp(float(value)) for value in teacher[n, :, y, x]]
                best = max(range(3), key=lambda label: powers[label])
                counts = bool(valid[n, y, x]) and powers[best] / sum(powers) >= 0.9
                assert int(labels[n, y, x]) == (best if counts else 255)
                if not counts:
                    assert not student.grad[n, :, y, x].any()
                    continue
                sure += 1
                own = [math.exp(float(value)) for value in student[n, :, y, x].detach()]
                total -= math.log(own[best] / sum(own))
                for label in range(3):  # softmax minus one-hot
                    expected = (own[label] / sum(own) - (label == best)) / int(valid.sum())
                    assert float(student.grad[n, label, y, x]) == pytest.approx(expected, abs=1e-6)
    assert 0 < sure < int(valid.sum()), "some pixels are sure, some are not"
    assert float(loss.detach()) == pytest.approx(total / int(valid.sum()), rel=1e-5)


def test_nothing_valid_costs_nothing() -> None:
    valid = torch.zeros((1, 2, 2), dtype=torch.bool)
    logits = torch.randn((1, 3, 2, 2), requires_grad=True)
    loss = pseudo_label_loss(logits, pseudo_labels(100 * logits.detach(), valid, 0.0), valid)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
