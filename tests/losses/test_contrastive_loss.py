"""NT-Xent against a loop in float64, its gradient, and what it makes of collapse, padding and shuffled pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ae_pretrained.dataset.colours import Colours
from ae_pretrained.dataset.views import Views
from ae_pretrained.errors import PipelineError
from ae_pretrained.losses import ContrastiveLoss, DenseContrastiveLoss
from ae_pretrained.losses.contrastive_loss import features_at, nt_xent
from ae_pretrained.models.encoder import Encoder


def by_loops(embeddings: Tensor, temperature: float, counted: Tensor | None = None) -> float:
    """The formula as it is written, one anchor and one negative after the other."""
    views, images, per_image, _ = embeddings.shape

    def similarity(one: Tensor, two: Tensor) -> float:
        return float(one @ two / (one.norm() * two.norm())) / temperature

    losses = []
    for view in range(views):
        for image in range(images):
            for pair in range(per_image):
                if counted is not None and not counted[image, pair]:
                    continue
                anchor = embeddings[view, image, pair]
                positive = math.exp(similarity(anchor, embeddings[1 - view, image, pair]))
                negatives = sum(
                    math.exp(similarity(anchor, embeddings[v, i, p]))
                    for v in range(views)
                    for i in range(images)
                    for p in range(per_image)
                    if i != image and (counted is None or counted[i, p])
                )
                losses.append(-math.log(positive / (positive + negatives)))
    return sum(losses) / len(losses) if losses else 0.0


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("per_image", [1, 3])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_nt_xent_is_the_formula(per_image: int, temperature: float) -> None:
    embeddings = drawn(2, 5, per_image, 4)
    expected = by_loops(embeddings, temperature)
    assert float(nt_xent(embeddings, temperature)) == pytest.approx(expected, rel=1e-12)
    counted = torch.rand(5, per_image, generator=torch.Generator().manual_seed(1)) < 0.6
    assert 0 < counted.sum() < counted.numel()
    found = nt_xent(embeddings, temperature, counted)
    assert float(found) == pytest.approx(by_loops(embeddings, temperature, counted), rel=1e-12)


def test_one_pair_an_image_is_equation_1_of_simclr() -> None:
    """The denominator is over all of the 2N embeddings but the anchor itself."""
    embeddings = drawn(2, 4, 1, 8)
    flat = torch.nn.functional.normalize(embeddings.flatten(0, 2), dim=1)
    logits = flat @ flat.T / 0.5
    losses = [
        -(logits[a, (a + 4) % 8] - torch.logsumexp(torch.cat([logits[a, :a], logits[a, a + 1 :]]), 0))
        for a in range(8)
    ]
    torch.testing.assert_close(nt_xent(embeddings, 0.5), torch.stack(losses).mean())


def test_gradients() -> None:
    embeddings = drawn(2, 3, 2, 3).requires_grad_()
    counted = torch.tensor([[True, True], [True, False], [True, True]])
    for shuffled in (False, True):
        assert torch.autograd.gradcheck(
            lambda values, way=shuffled: nt_xent(values, 0.3, counted, shuffled=way), (embeddings,)
        )
    loss = nt_xent(embeddings, 0.3, counted)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert (gradient[:, 1, 1] == 0).all(), "a pair that does not count gets no gradient"
    assert (gradient[:, 0] != 0).any()


def test_collapse_is_chance_and_telling_apart_is_better() -> None:
    same = torch.ones(2, 8, 1, 4)
    assert float(nt_xent(same, 0.2)) == pytest.approx(math.log(15), rel=1e-5)
    dense = torch.ones(2, 8, 4, 4)
    assert float(nt_xent(dense, 0.2)) == pytest.approx(math.log(1 + 2 * 4 * 7), rel=1e-5)
    apart = torch.eye(8).view(1, 8, 1, 8).repeat(2, 1, 1, 1)
    assert float(nt_xent(apart, 0.2)) < 0.2


def test_shuffled_pairs_reward_nothing_that_is_in_the_images() -> None:
    apart = torch.eye(8).view(1, 8, 1, 8).repeat(2, 1, 1, 1)
    # The partner is of the next image: one candidate among 14, since an image's own other view is not looked at.
    assert float(nt_xent(apart, 0.2, shuffled=True)) == pytest.approx(math.log(14), rel=0.2)
    next_one = torch.stack([apart[0], apart[1].roll(1, dims=0)])
    assert float(nt_xent(next_one, 0.2, shuffled=True)) < float(nt_xent(apart, 0.2, shuffled=True))
    moved = apart.clone()
    moved[1, 3] = torch.randn(1, 8)  # partner of 2
    rows = nt_xent(moved, 0.2, shuffled=True), nt_xent(apart, 0.2, shuffled=True)
    assert rows[0] != rows[1]


@pytest.mark.parametrize("images", [1, 2])
def test_too_few_images_and_none_that_count_are_finite(images: int) -> None:
    embeddings = torch.randn(2, images, 2, 4, requires_grad=True)
    for counted in (None, torch.zeros(images, 2, dtype=torch.bool)):
        for shuffled in (False, True):
            loss = nt_xent(embeddings, 0.2, counted, shuffled=shuffled)
            loss.backward()
            assert torch.isfinite(loss)
            assert embeddings.grad is not None
            assert torch.isfinite(embeddings.grad).all()
    assert float(nt_xent(embeddings[:, :1], 0.2)) == 0.0, "one image has no other to be told from"


def test_two_deepest_stages_are_pooled_projected_and_averaged() -> None:
    loss = ContrastiveLoss((3, 4, 5), temperature=0.4, width=6).double()
    maps = [drawn(6, channels, side, side) for channels, side in ((3, 8), (4, 4), (5, 2))]
    expected = [
        by_loops(head(stage.mean(dim=(2, 3))).view(2, 3, 1, 6).detach(), 0.4)
        for head, stage in zip(loss.heads, maps[1:], strict=True)
    ]
    assert float(loss(maps)) == pytest.approx(sum(expected) / 2, rel=1e-12)


def test_padding_counts_in_no_pooled_feature() -> None:
    loss = ContrastiveLoss((4, 5), width=6).double()
    maps = [drawn(4, 4, 4, 4), drawn(4, 5, 2, 2)]
    valid = torch.ones(4, 1, 8, 8, dtype=torch.bool)
    torch.testing.assert_close(loss(maps, valid), loss(maps))
    valid[..., 4:] = False
    other = [stage.clone() for stage in maps]
    for stage in other:
        stage[..., stage.shape[-1] // 2 :] = 7.0
    torch.testing.assert_close(loss(other, valid), loss(maps, valid))
    assert not torch.isclose(loss(other), loss(maps))


def test_dense_loss_reads_both_maps_at_the_places() -> None:
    loss = DenseContrastiveLoss((4, 5), temperature=0.4, width=6).double()
    maps = [drawn(6, 4, 8, 8), drawn(6, 5, 4, 4)]
    # Middles of positions: there the feature is that of the position itself.
    columns, rows = torch.tensor([0, 1, 3]), torch.tensor([3, 2, 0])
    places = torch.stack([(2 * columns + 1) / 4 - 1, (2 * rows + 1) / 4 - 1], dim=-1).repeat(2, 3, 1, 1)
    read = features_at(maps[1], places)
    torch.testing.assert_close(read[1, 2], maps[1][5, :, rows, columns].T)
    expected = [
        by_loops(head(features_at(stage, places)).detach(), 0.4)
        for head, stage in zip(loss.heads, maps, strict=True)
    ]
    assert float(loss(maps, places)) == pytest.approx(sum(expected) / 2, rel=1e-12)


def test_which_stages_are_asked() -> None:
    """The deepest map of a small image has too few positions to tell places apart: dense reads the two above it."""
    maps = [drawn(4, channels, side, side) for channels, side in ((3, 16), (4, 8), (5, 4), (6, 2))]
    places = drawn(2, 2, 3, 2).tanh()
    for loss, asked in (
        (ContrastiveLoss((3, 4, 5, 6)), {2, 3}),
        (DenseContrastiveLoss((3, 4, 5, 6)), {1, 2}),
    ):
        leaves = [stage.clone().requires_grad_() for stage in maps]
        words = (places,) if isinstance(loss, DenseContrastiveLoss) else ()
        loss.double()(leaves, *words).backward()
        assert {stage for stage, leaf in enumerate(leaves) if leaf.grad is not None} == asked


def test_places_of_geometry_are_rewarded_and_others_are_not() -> None:
    """Features that say where in the scene they are give a low loss at the right places only."""
    views = Views(colours=Colours(jitter=0.0, grey=0.0, blur=0.0))
    scenes = torch.nn.functional.interpolate(torch.rand(16, 3, 4, 4), 64, mode="bilinear")
    pair = views(scenes, torch.zeros(16, 64, 64, dtype=torch.uint8), torch.Generator().manual_seed(0))
    vectors = features_at(pair.images - 0.5, pair.places)
    right = nt_xent(vectors, 0.1, pair.counted)
    wrong = nt_xent(vectors, 0.1, pair.counted, shuffled=True)
    moved = nt_xent(features_at(pair.images - 0.5, pair.places.flip(-1)), 0.1, pair.counted)
    assert right < 0.6 * min(wrong, moved)


def test_a_gathered_batch_is_one_batch() -> None:
    """Two processes with half of the images each compute the loss of one with all of them."""
    encoder_maps = [drawn(8, 4, 4, 4), drawn(8, 5, 2, 2)]
    places, counted = drawn(2, 4, 3, 2).tanh(), torch.tensor([[1, 1, 0]] * 4, dtype=torch.bool)
    for loss in (ContrastiveLoss((4, 5)).double(), DenseContrastiveLoss((4, 5)).double()):
        dense = isinstance(loss, DenseContrastiveLoss)
        words = (places, counted) if dense else (None,)
        whole = loss(encoder_maps, *words)
        halves = [
            [stage.unflatten(0, (2, 4))[:, part].flatten(0, 1) for stage in encoder_maps]
            for part in (slice(0, 2), slice(2, 4))
        ]
        said: list[list[Tensor]] = [[], []]
        for half, part in zip(range(2), (slice(0, 2), slice(2, 4)), strict=True):
            mine = (places[:, part], counted[part]) if dense else (None,)

            def listen(values: Tensor, heard: list[Tensor] = said[half]) -> Tensor:
                heard.append(values)
                return values.unsqueeze(0)

            loss(halves[half], *mine, gather=listen)
        answers = iter([torch.stack(both) for both in zip(*said, strict=True)])
        mine = (places[:, :2], counted[:2]) if dense else (None,)
        torch.testing.assert_close(loss(halves[0], *mine, gather=lambda _, heard=answers: next(heard)), whole)


def test_it_trains_an_encoder_to_tell_images_apart() -> None:
    torch.manual_seed(0)
    encoder = Encoder((8, 16, 32), norm="batch")
    whole, dense = ContrastiveLoss(encoder.channels), DenseContrastiveLoss(encoder.channels)
    parameters = [*encoder.parameters(), *whole.parameters(), *dense.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.003)
    images = torch.nn.functional.interpolate(torch.rand(16, 3, 4, 4), 32, mode="bilinear")
    masks = torch.zeros(16, 32, 32, dtype=torch.uint8)
    views, curve = (
        Views(colours=Colours(jitter=0.0, grey=0.0, blur=0.0)),
        [],
    )  # colours tell these images apart
    for step in range(60):
        pair = views(images, masks, torch.Generator().manual_seed(step))
        maps = encoder(pair.images)
        loss = whole(maps) + dense(maps, pair.places, pair.counted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    assert sum(curve[-5:]) / 5 < 0.75 * curve[0]
    assert all(parameter.grad is not None for parameter in parameters)


def test_temperature_must_be_above_0() -> None:
    with pytest.raises(PipelineError, match="temperature: found 0"):
        ContrastiveLoss((4, 5), temperature=0.0)
