from __future__ import annotations

import torch

from ae_pretrained.dataset.cutmix import draw_boxes, paste


def test_boxes_are_half_of_an_image_everywhere() -> None:
    boxes = draw_boxes(400, (40, 60), generator=torch.Generator().manual_seed(0))
    areas = boxes.float().mean(dim=(1, 2))
    assert (areas - 0.5).abs().max() < 0.02  # sides are whole pixels
    for box in boxes[:20]:
        rows, columns = box.any(dim=1), box.any(dim=0)
        assert torch.equal(box, rows[:, None] & columns[None, :]), "a rectangle"
        assert (rows.int().diff().abs().sum(), columns.int().diff().abs().sum()) <= (2, 2), "in one piece"
    place = boxes.float().mean(dim=0)
    assert place[10:-10, 15:-15].min() > 0.6, "the middle is pasted over most often"
    assert place[:, 30].min() > 0, "the edges too"
    torch.testing.assert_close(place, place.flip(0, 1), atol=0.15, rtol=0)
    heights = boxes.any(dim=2).sum(dim=1)
    assert heights.min() <= 22
    assert heights.max() >= 38


def test_how_many_get_a_box() -> None:
    generator = torch.Generator().manual_seed(0)
    chosen = draw_boxes(2000, (8, 8), 0.3, generator).flatten(1).any(dim=1).float().mean()
    assert abs(chosen - 0.3) < 0.04
    assert not draw_boxes(50, (8, 8), 0.0, generator).any()


def test_what_is_pasted_is_the_one_before() -> None:
    values = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 2, 4, 4)
    boxes = torch.zeros(3, 4, 4, dtype=torch.bool)
    boxes[0, :2] = boxes[2, :, 3] = True
    found = paste(values, boxes)
    assert found[0, 0, :, 0].tolist() == [2, 2, 0, 0]
    assert torch.equal(found[1], values[1])
    assert found[2, 1, 0].tolist() == [2, 2, 2, 1]
    assert torch.equal(paste(values[:, 0], boxes), found[:, 0])
