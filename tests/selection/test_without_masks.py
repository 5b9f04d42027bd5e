"""A project that starts without any mask: made, prepared, chosen from, labelled, prepared again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.init.folder_reading import read_folder
from ae_pretrained.apps.init.options import InitOptions
from ae_pretrained.dataset.arrays import ArraysError, count_images, open_split, require_masks
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.weights import save_model
from ae_pretrained.preparation.empty_split import require_masks_or_wait
from ae_pretrained.pretraining.pretrain import hold_back
from ae_pretrained.selection.choose_images import choose_images
from ae_pretrained.sources.added_masks import AddedMasks
from ae_pretrained.sources.base import DataError, Listing, Sample
from ae_pretrained.sources.pointer import write_link
from tests.processed import tiny_params
from tests.selection.test_choose_images import prepare_project
from tests.whole import WHOLE

CLASSES = WHOLE["data__classes"]
TOTAL = 30


def test_images_of_an_export_that_are_for_training_make_no_finding_and_are_named(tmp_path: Path) -> None:
    listing = Listing([Sample("a", tmp_path / "a.jpg", None, "unlabelled")], [])
    with pytest.raises(DataError, match=r"the first one: .*a\.jpg\. Bring the masks back"):
        require_masks_or_wait(listing, tiny_params(**WHOLE).data)


@pytest.mark.parametrize("resize", ["pad", "crop"])
def test_from_no_mask_to_splits(tmp_path: Path, resize: str) -> None:
    own, processed = tmp_path / "own", tmp_path / "data/processed"
    own.mkdir()
    rng = np.random.default_rng(0)
    for number in range(TOTAL):
        pixels = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(own / f"i{number:02}.png")
    (own / "a.mat").write_bytes(b"no image")  # as in the archive of the pets; not what the error is about
    with pytest.raises(PipelineError, match="--classes background,leaf"):
        read_folder(own, InitOptions())
    reading = read_folder(own, InitOptions(classes=tuple(CLASSES)))
    assert reading.values["data", "source"] == "folder"

    assert reading.values["data", "masks", "absent"] == "wait"

    changed = {**WHOLE, "data__resize": resize, "data__root": str(own)}
    (tmp_path / "data/raw").mkdir(parents=True)
    write_link(tmp_path / "data/raw", own, TOTAL)
    with pytest.raises(DataError, match=rf"own: {TOTAL} images, and none has a mask.*i00.*absent: wait"):
        prepare_project(tmp_path, tiny_params(**changed))
    assert not processed.exists()
    params = tiny_params(**changed, data__masks__absent="wait")
    prepare_project(tmp_path, params)
    assert count_images(processed) == {"unlabelled": TOTAL}
    with pytest.raises(ArraysError, match=r"no image has a mask yet.*label-next 20"):
        open_split(processed, "train")
    with pytest.raises(ArraysError, match="no image has a mask yet"):
        require_masks(processed)

    config = ModelConfig(**params.model.model_dump())
    save_model(Autoencoder(config, 1), tmp_path / "models/autoencoder.safetensors")

    def choose(hold_out: float | None) -> list[str]:
        selection = choose_images(tmp_path, params, 6, "coverage", Compute(), tmp_path, hold_out)
        return [choice.name for choice in selection.choices]

    with pytest.raises(PipelineError, match=r"drawn at random before.*--hold-out 0\.2"):
        choose(None)
    with pytest.raises(PipelineError, match="without an image"):
        choose(0)
    chosen = choose(0.1)
    held = [(own / f"{split}.txt").read_text().split() for split in ("val", "test")]
    assert [len(names) for names in held] == [3, 3]
    assert not {*held[0], *held[1]} & {*chosen}

    added = AddedMasks(tmp_path / "data/labels")
    mask = np.tile(np.arange(80) * len(CLASSES) // 80, (64, 1)).astype(np.uint8)
    for name in (*chosen, *held[0], *held[1]):
        added.write(name, mask, CLASSES)
    prepare_project(tmp_path, params)
    assert count_images(processed) == {"train": 6, "unlabelled": TOTAL - 12, "val": 3, "test": 3}
    assert sorted(open_split(processed, "train").column("name")) == sorted(chosen)
    assert not set(choose(None)) & {*chosen, *held[0], *held[1]}


def test_a_tenth_stands_in_for_val_and_groups_stay_together() -> None:
    groups = [""] * 60 + [f"g{number // 4}" for number in range(40)]
    held = hold_back(groups, 3)
    assert held.sum() == 10
    assert np.array_equal(held, hold_back(groups, 3))
    assert set(Counter(group for group, out in zip(groups, held, strict=True) if out and group).values()) <= {
        4
    }
    assert hold_back(["one"] * 5, 0).sum() == 1
    with pytest.raises(ArraysError, match="needs 2 or more"):
        hold_back([""], 0)
