from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_pretrained.dataset.arrays import PaddingMasks, Split, open_split
from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.batches import to_float
from ae_pretrained.dataset.crops import CropBatches, CropOrder, Draw
from ae_pretrained.windows.packed import PackedArray
from tests.whole import prepare_whole, whole_params, write_whole


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Split:
    folder = tmp_path_factory.mktemp("whole")
    write_whole(folder / "own", 24)
    return open_split(prepare_whole(folder / "own", folder, whole_params()), "train")


def packed(*sizes: tuple[int, int], unlabelled: bool = False) -> Split:
    """Images (width, height) whose pixels are all different, labelled all over as class 1 (or not at all)."""
    pixels = np.array([width * height for width, height in sizes])
    offsets = np.cumsum(pixels) - pixels
    flat = np.arange(pixels.sum() * 3, dtype=np.int64).reshape(-1, 3) % 251
    masks = np.full(pixels.sum(), 255 if unlabelled else 1, np.uint8)
    arrays = [PackedArray(values, offsets, np.array(sizes)) for values in (flat.astype(np.uint8), masks)]
    boxes = [f"0 0 {width} {height}" for width, height in sizes]
    anchors = np.full((len(sizes), 2, 4, 2), -1, np.int32)
    return Split(arrays[0], arrays[1], {"name": list("abcdef"[: len(sizes)]), "box": boxes}, anchors)


@pytest.mark.parametrize("size", [(32, 32), (33, 65), (100, 7), (31, 31), (64, 96), (1, 200)])
def test_tiles_show_every_pixel_once(size: tuple[int, int]) -> None:
    split = packed(size)
    tiles = split.tiles(32)
    seen: Counter[tuple[int, int]] = Counter()
    image = split.images[0]
    assert isinstance(tiles.images, object)
    for place, window in enumerate(tiles.images.windows):  # type: ignore[attr-defined]
        x0, y0, x1, y1 = window.box
        assert np.array_equal(
            tiles.images[place][y0:y1, x0:x1],
            image[window.y + y0 : window.y + y1, window.x + x0 : window.x + x1],
        )
        counted = tiles.masks[place] != 255
        assert np.array_equal(counted, tiles.valid(np.array([place]))[0])
        assert np.array_equal(counted, PaddingMasks(tiles)[np.array([place])][0] == 0)
        for y, x in np.argwhere(counted).tolist():
            seen[window.y + y, window.x + x] += 1
    assert set(seen.values()) == {1}
    assert len(seen) == size[0] * size[1]


def test_tiles_are_read_like_arrays(train: Split) -> None:
    tiles = train.tiles(32)
    assert tiles.images.shape == (len(tiles), 32, 32, 3)
    assert tiles.masks.shape == (len(tiles), 32, 32)
    rows = np.array([3, 0, 3])
    for found in (tiles.images, tiles.masks):
        assert np.array_equal(found[rows], np.stack([found[3], found[0], found[3]]))
        assert np.array_equal(found[2:4], found[np.array([2, 3])])
        assert len(found[np.zeros(0, int)]) == 0


def test_a_crop_is_a_function_of_its_draw(train: Split) -> None:
    batches = CropBatches(train, np.arange(len(train)), 32, margin=6, foreground=0.5)
    order = CropOrder(len(batches), 4, seed=3, updates_per_epoch=5)
    draws = [draw for batch in order for draw in batch]
    one, again = (batches[draws] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert one[0].shape == (20, 3, 44, 44)
    assert one[1].shape == (20, 44, 44)
    for batch_size in (2, 10):  # the same crops, whatever batches they come in
        other = CropOrder(len(batches), batch_size, seed=3, updates_per_epoch=20 // batch_size)
        assert [draw for batch in other for draw in batch] == draws
    order.set_epoch(1)
    assert [draw.seed for batch in order for draw in batch] == [(3, 1)] * 20


def test_processes_share_the_draws_of_one() -> None:
    whole = [draw for batch in CropOrder(50, 8, seed=1) for draw in batch]
    parts = [CropOrder(50, 4, seed=1, rank=rank, world_size=2) for rank in range(2)]
    shared = [draw for pair in zip(*parts, strict=True) for batch in pair for draw in batch]
    assert sorted(shared, key=lambda draw: draw.place) == whole


def test_crops_are_cut_where_they_are_placed(train: Split) -> None:
    batches = CropBatches(train, np.arange(len(train)), 32, foreground=0.0)
    for place in range(60):
        draw = Draw(place % len(batches), place, (0, 0))
        row, y, x = batches.place(draw)
        images, masks = batches[[draw]]
        image = train.images[row]
        assert 0 <= y <= image.shape[0] - 32
        assert 0 <= x <= image.shape[1] - 32
        assert np.array_equal(images[0].permute(1, 2, 0).numpy(), image[y : y + 32, x : x + 32])
        assert np.array_equal(masks[0].numpy(), train.masks[row][y : y + 32, x : x + 32])


def test_one_pass_has_as_many_crops_as_there_are_pixels() -> None:
    batches = CropBatches(packed((64, 64), (40, 30), (320, 32)), np.arange(3), 32)
    assert Counter(batches.rows.tolist()) == {0: 4, 1: 1, 2: 10}


def test_classes_take_turns_and_lie_in_the_middle(train: Split) -> None:
    batches = CropBatches(train, np.arange(len(train)), 32, foreground=1.0)
    draws = [Draw(0, place, (0, 0)) for place in range(40)]
    _, masks = batches[draws]
    for place, mask in enumerate(masks):
        assert (mask == 1 + place % 2).any()
    rows = {batches.place(draw)[0] for draw in draws}
    assert len(rows) > 4  # of all images that show the class, not of that whose turn it would be
    none = CropBatches(train, np.arange(len(train)), 32, foreground=0.0)
    assert {none.place(draw)[0] for draw in draws} == {int(none.rows[0])}


def test_images_labelled_in_part_are_cropped_on_labels(train: Split) -> None:
    assert train.anchors is not None
    half = np.flatnonzero(train.anchors[:, 0, 0, 0] >= 0)
    assert len(half)
    batches = CropBatches(train, half, 32, foreground=0.0)
    for place in range(80):
        _, masks = batches[[Draw(place % len(batches), place, (0, 0))]]
        assert (masks != 255).any()
    # The autoencoder needs no labels: its masks say what is image.
    blind = CropBatches(train, half, 32, labelled=False)
    assert set(blind[[Draw(0, place, (0, 0)) for place in range(20)]][1].unique().tolist()) == {0}


def test_small_images_lie_in_the_middle_of_their_mirror_image() -> None:
    split = packed((20, 50))
    images, masks = CropBatches(split, np.arange(1), 32, foreground=0.0)[[Draw(0, 0, (0, 0))]]
    mask = masks[0].numpy()
    assert (mask[:, 6:26] == 1).all()
    assert (np.delete(mask, np.s_[6:26], axis=1) == 255).all()
    pixels = images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels[:, 0:6], pixels[:, 12:6:-1])
    assert np.array_equal(pixels[:, 26:], pixels[:, 24:18:-1])


@pytest.mark.parametrize("rotate", [0.0, 10.0, 45.0, 90.0])
def test_the_margin_holds_all_that_augmentation_brings_in(rotate: float) -> None:
    """Of a large image no pixel of a crop is unlabelled, however far it is turned, shrunk and shifted."""
    split = packed((300, 300))
    augment = Augmentation(
        flip=0.5, affine=1.0, rotate=rotate, scale=0.3, translate=0.1, jitter=0.0, blur=0.0
    )
    margin = augment.margin(32)
    row_batches = CropBatches(split, np.arange(1), 32, margin=margin, foreground=0.0)
    images, masks = row_batches[[Draw(0, place, (0, 0)) for place in range(200)]]
    # Those that lie at the edge of the image have a margin beyond it.
    inside = (masks == 1).all(dim=(1, 2))
    assert inside.sum() > 50
    generator = torch.Generator().manual_seed(0)
    _, moved = augment(to_float(images[inside]), masks[inside], generator, size=32)
    assert moved.shape[1:] == (32, 32)
    assert (moved == 1).all()
    narrow = (
        images[inside][..., margin:-margin, margin:-margin],
        masks[inside][..., margin:-margin, margin:-margin],
    )
    _, lost = augment(to_float(narrow[0]), narrow[1], torch.Generator().manual_seed(0))
    assert (lost == 255).any()


@pytest.mark.parametrize(
    "changes", [{"affine": 0.0, "flip": 0.0}, {"affine": 1.0, "rotate": 0.0, "scale": 0.0}]
)
def test_what_does_not_move_is_the_middle(changes: dict[str, float]) -> None:
    plain = {"flip": 0.0, "translate": 0.0, "jitter": 0.0, "blur": 0.0, "noise": 0.0, **changes}
    augment = Augmentation(**plain)  # type: ignore[arg-type]
    images, masks = torch.rand(2, 3, 44, 44), torch.randint(0, 3, (2, 44, 44))
    found, mask = augment(images, masks, size=32)
    torch.testing.assert_close(found, images[..., 6:38, 6:38], atol=1e-4, rtol=0)
    assert torch.equal(mask, masks[..., 6:38, 6:38])


def test_at_half_the_size_the_margin_is_whole_pixels() -> None:
    for side in (32, 256, 96):
        for rotate in (0.0, 3.0, 15.0):
            assert Augmentation(rotate=rotate).margin(side) % 2 == 0
    assert Augmentation(affine=0.0).margin(256) == 0


def test_reading_is_of_the_crop_alone(tmp_path: Path) -> None:
    """A crop of a large image touches the rows that it lies in, not all of the file."""

    class Counting(np.ndarray):
        largest = 0

        def __array_finalize__(self, other: object) -> None:
            if self.ndim == 3 and self.shape[1] < 2000:
                Counting.largest = max(Counting.largest, self.size)

    flat = np.zeros((2000 * 1000, 3), np.uint8).view(Counting)
    arrays = PackedArray(flat, np.array([0]), np.array([[2000, 1000]]))
    masks = PackedArray(np.zeros(2000 * 1000, np.uint8), np.array([0]), np.array([[2000, 1000]]))
    anchors = np.full((1, 2, 4, 2), -1, np.int32)
    split = Split(arrays, masks, {"name": ["a"], "box": ["0 0 2000 1000"]}, anchors)
    CropBatches(split, np.arange(1), 64, margin=10)[[Draw(0, place, (0, 0)) for place in range(20)]]
    assert 0 < Counting.largest <= 84 * 84 * 3
