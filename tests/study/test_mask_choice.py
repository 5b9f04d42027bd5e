"""Which masks the ways to choose take, on the small study's drawn images."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.constants import INDEX
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import Compute, best_compute
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.weights import load_autoencoder
from ae_pretrained.params import Params
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.selection.image_embeddings import comparable, embed
from ae_pretrained.selection.squares import squares_of
from ae_pretrained.study.grid import Cell, MaskChoice, MaskStrategy, cell_params
from ae_pretrained.study.images import prepare_images
from ae_pretrained.study.mask_choice import choose_masks, every_kth, pool_of
from tests.study.small_study import change, fresh_study, write_small_study

SHARE = 0.3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the images of a small study are prepared, 40 of them for training."""
    root = tmp_path_factory.mktemp("choice")
    write_small_study(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        # The weights that come along need more than 32 px.
        change(
            fresh_study().folder / "params.yaml", {"data.synthetic.num_trainval": 44, "data.image_size": 64}
        )
        prepare_images(fresh_study())
    return root


@pytest.fixture(autouse=True)
def there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.fixture
def params() -> Params:
    study = fresh_study()
    study.grid["runs"] = [f"{SHARE}x4"]
    return cell_params(Cell("encoder_decoder", SHARE, 4, 0), study)


def chosen(
    folder: Path, strategy: MaskStrategy, params: Params, seed: int = 0, pool: float = 0.5
) -> list[dict[str, str]]:
    """The rows of the index whose masks a cell would use, in the order of the choice."""
    folder.mkdir()
    processed = fresh_study().processed
    choose_masks(processed, folder, MaskChoice(strategy, pool), params, seed, shipped_model("autoencoder"))
    with (folder / INDEX).open(newline="", encoding="utf-8") as file:
        train = [row for row in csv.DictReader(file) if row["split"] == "train"]
    assert sorted(int(row["label_order"]) for row in train) == list(range(len(train)))
    split = open_split(folder, "train")
    rows = [train[place] for place in split.labelled(params.data.label_fraction)]
    assert len(rows) == round(params.data.label_fraction * len(train))
    return sorted(rows, key=lambda row: int(row["label_order"]))


def names(rows: list[dict[str, str]]) -> list[str]:
    return [row["name"] for row in rows]


@pytest.mark.parametrize("strategy", ["random", "stratified", "every_kth", "coverage"])
def test_a_repetition_chooses_from_its_pool(tmp_path: Path, strategy: MaskStrategy, params: Params) -> None:
    first = names(chosen(tmp_path / "a", strategy, params))
    again = names(chosen(tmp_path / "b", strategy, params))
    other = names(chosen(tmp_path / "c", strategy, params, seed=1))
    assert first == again != other
    train = open_split(fresh_study().processed, "train").column("name")
    pool = {train[place] for place in pool_of(len(train), 0.5, 0)}
    assert set(first) <= pool
    assert len(set(first)) == len(first)


def test_every_class_in_its_proportion(tmp_path: Path, params: Params) -> None:
    train = open_split(fresh_study().processed, "train").column("class")
    pool = Counter(train[place] for place in pool_of(len(train), 0.5, 0))
    found = Counter(row["class"] for row in chosen(tmp_path / "a", "stratified", params))
    for name, number in pool.items():
        assert abs(found[name] - number * found.total() / pool.total()) < 1


def test_every_kth_by_name_is_evenly_spaced() -> None:
    shuffled = np.random.default_rng(0).permutation(100)
    found = every_kth([f"{number:03d}" for number in shuffled], 20, seed=0)
    spaced = np.diff([shuffled[place] for place in found])
    assert (spaced == 5).all()
    assert len({tuple(every_kth(["a"] * 100, 20, seed)) for seed in range(20)}) > 1, "the start is drawn"


def test_coverage_adds_the_image_that_brings_all_others_nearest(tmp_path: Path, params: Params) -> None:
    """The greedy choice by its definition, from all pairs."""
    found = names(chosen(tmp_path / "a", "coverage", params))
    split = open_split(fresh_study().processed, "train")
    pool = pool_of(len(split), 0.5, 0)
    model = load_autoencoder(shipped_model("autoencoder"))
    assert isinstance(model, Autoencoder)
    squares = squares_of(split, pool, params.data.image_size)
    compute: Compute = best_compute(params.runtime.accelerator, params.runtime.threads)
    unit = comparable(embed(model.encoder, squares, compute), np.ones(len(pool), bool))
    cosines = unit @ unit.T
    nearest, in_pool = np.full(len(pool), -1.0), [split.column("name")[row] for row in pool]
    assert len(set(found)) == len(found)
    for name in found:
        sums = [np.maximum(nearest, cosines[place]).sum() for place in range(len(pool))]
        # One of two that are as near, but for rounding, is as right as the other.
        assert sums[in_pool.index(name)] == pytest.approx(max(sums), abs=1e-5)
        nearest = np.maximum(nearest, cosines[in_pool.index(name)])


def test_a_pool_without_enough_images_is_refused(tmp_path: Path, params: Params) -> None:
    with pytest.raises(
        PipelineError, match=r"pool 0.1 of \d+ training images are 4, fewer than the 1\d masks"
    ):
        chosen(tmp_path / "a", "random", params, pool=0.1)
