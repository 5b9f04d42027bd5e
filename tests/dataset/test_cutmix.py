"""Boxes of CutMix: their area, their place, and what they bring in."""

from __future__ import annotations

import pytest
import torch

from ae_pretrained.dataset.cutmix import cutmix, cutmix_boxes


def test_boxes_are_rectangles_of_half_the_area_anywhere() -> None:
    boxes = cutmix_boxes((400, 40, 60), 1.0, torch.Generator().manual_seed(0))
    for box in boxes:
        rows, columns = box.any(dim=1), box.any(dim=0)
        assert torch.equal(box, rows[:, None] & columns[None, :])
        assert int(rows.sum()) * int(columns.sum()) == pytest.approx(1200, abs=61)
        for line in (rows, columns):
            assert int((line[1:] != line[:-1]).sum()) <= 2, "one stretch"
    assert boxes.any(dim=0).all(), "corners are met too"
    heights = boxes.any(dim=2).sum(dim=1)
    assert heights.min() < 22
    assert heights.max() > 38


def test_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    assert not cutmix_boxes((50, 8, 8), 0.0, generator).any()
    share = cutmix_boxes((2000, 8, 8), 0.3, generator).flatten(1).any(dim=1).float().mean()
    assert float(share) == pytest.approx(0.3, abs=0.04)


def test_a_box_comes_from_the_item_before() -> None:
    boxes = cutmix_boxes((3, 6, 6), 1.0, torch.Generator().manual_seed(1))
    labels = torch.arange(3).view(3, 1, 1).expand(3, 6, 6)
    images = labels.unsqueeze(1).expand(3, 3, 6, 6).float()
    mixed, of_labels = cutmix(images, boxes), cutmix(labels, boxes)
    for number in range(3):
        assert (of_labels[number][boxes[number]] == (number - 1) % 3).all()
        assert (of_labels[number][~boxes[number]] == number).all()
        assert torch.equal(mixed[number, 1], of_labels[number].float())
