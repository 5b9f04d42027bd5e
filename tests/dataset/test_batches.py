from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_pretrained.dataset.batches import (
    ArrayBatches,
    BatchSizeError,
    EvaluationOrder,
    TrainingOrder,
    class_balancing_weights,
    class_frequencies,
    halve,
    make_loader,
    to_float,
)


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_half_the_size_is_the_mean_of_four_pixels(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    height, width = size
    images = rng.random((2, 3, height, width), dtype=np.float32)
    masks = rng.choice(np.array([0, 1, 255], np.uint8), (2, height, width))
    smaller, labels = halve(torch.from_numpy(images), torch.from_numpy(masks))
    h, w = height // 2, width // 2
    means = images[:, :, : 2 * h, : 2 * w].astype(np.float64).reshape(2, 3, h, 2, w, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(smaller.numpy(), means, atol=1e-6)
    assert labels.dtype == torch.uint8
    np.testing.assert_array_equal(
        labels.numpy(), masks[:, : 2 * h, : 2 * w].reshape(2, h, 2, w, 2)[:, :, 0, :, 0]
    )


def test_an_epoch_is_one_pass_without_repeats() -> None:
    order = TrainingOrder(23, 5, seed=1)
    batches = list(order)
    assert len(batches) == len(order) == 4
    drawn = [position for batch in batches for position in batch]
    assert len(set(drawn)) == 20


def test_epochs_differ_and_repeat_by_seed() -> None:
    order = TrainingOrder(20, 5, seed=1)
    first = list(order)
    order.set_epoch(1)
    assert list(order) != first
    order.set_epoch(0)
    assert list(order) == first
    assert list(TrainingOrder(20, 5, seed=2)) != first


def test_a_fixed_number_of_updates_goes_round_the_data() -> None:
    batches = list(TrainingOrder(7, 3, updates_per_epoch=10, seed=0))
    counts = np.bincount(np.concatenate(batches), minlength=7)
    assert len(batches) == 10
    assert counts.min() >= 4
    assert counts.max() <= 5


def test_processes_share_the_same_global_batches() -> None:
    whole = [set(batch) for batch in TrainingOrder(24, 8, seed=3)]
    parts = [list(TrainingOrder(24, 4, seed=3, rank=rank, world_size=2)) for rank in range(2)]
    for batch, one, two in zip(whole, *parts, strict=True):
        assert set(one) | set(two) == batch
        assert not set(one) & set(two)


def test_batch_larger_than_the_data_names_both() -> None:
    with pytest.raises(BatchSizeError, match=r"32 is more than the 31 training images.*at most 31"):
        TrainingOrder(31, 32)
    with pytest.raises(BatchSizeError, match=r"16 on each of 2 devices.*at most 15"):
        TrainingOrder(31, 16, world_size=2)


def test_evaluation_sees_every_image_once() -> None:
    assert list(EvaluationOrder(5, 2)) == [[0, 1], [2, 3], [4]]
    parts = [batch for rank in range(2) for batch in EvaluationOrder(5, 2, rank=rank, world_size=2)]
    assert sorted(position for batch in parts for position in batch) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_whatever_the_number_of_workers(workers: int) -> None:
    images = np.arange(12 * 2 * 2 * 3, dtype=np.uint8).reshape(12, 2, 2, 3)
    masks = np.arange(12 * 2 * 2, dtype=np.uint8).reshape(12, 2, 2)
    chosen = np.arange(1, 12)
    loader = make_loader(ArrayBatches(images, masks, chosen), TrainingOrder(11, 4, seed=0), workers)
    for positions, (seen, mask) in zip(TrainingOrder(11, 4, seed=0), loader, strict=True):
        rows = chosen[positions]
        assert torch.equal(seen, torch.from_numpy(images[rows]).permute(0, 3, 1, 2))
        assert torch.equal(mask, torch.from_numpy(masks[rows]))


def test_floats() -> None:
    assert to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_balancing_meets_every_foreground_class_equally_often() -> None:
    masks = np.zeros((10, 4, 4), dtype=np.uint8)
    masks[:2, 1:3, 1:3] = 1
    masks[2:9, 1:3, 1:3] = 2
    masks[0, 0, 0] = 2  # a minority does not change what the image counts for
    masks[:, 3] = 255
    chosen = np.arange(10)
    weights = class_balancing_weights(masks, chosen, 3)
    assert weights[:2].sum() == pytest.approx(weights[2:9].sum())
    assert weights[9] > 0
    drawn = np.concatenate(list(TrainingOrder(10, 5, updates_per_epoch=400, seed=0, weights=weights)))
    assert (drawn < 2).sum() == pytest.approx(((drawn >= 2) & (drawn < 9)).sum(), rel=0.15)


def test_class_frequencies_leave_ignored_pixels_out() -> None:
    masks = np.array([[[0, 0, 1, 255]], [[2, 2, 2, 2]], [[1, 1, 1, 1]]], dtype=np.uint8)
    shares = class_frequencies(masks, np.array([0, 1]), 3)
    assert shares.tolist() == pytest.approx([2 / 7, 1 / 7, 4 / 7])
