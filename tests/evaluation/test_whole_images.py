"""Figures and images of data that are kept whole (data.resize: crop)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained import Segmenter
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.close_ups import CLOSE_UP, show_images
from ae_pretrained.evaluation.evaluate_autoencoder import evaluate_autoencoder
from ae_pretrained.evaluation.evaluate_segmenter import evaluate_segmenter
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.evaluation.robustness import evaluate_robustness
from ae_pretrained.evaluation.segmenter_measures import check_segmenter, measure_segmenter
from ae_pretrained.metrics.confusion import scores_from_confusion
from ae_pretrained.models.weights import SegmenterInfo, save_model
from ae_pretrained.params import Params
from tests.evaluation.small import CLASSES, tiny_autoencoder, tiny_unet
from tests.whole import prepare_whole, whole_params, write_whole

INFO = SegmenterInfo(tuple(CLASSES), 32, "crop")


@pytest.fixture(scope="module")
def params() -> Params:
    return whole_params(eval_seg__bootstrap_samples=20, eval_seg__num_examples=2, robustness__max_images=6)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_whole(folder / "own", 30)
    return prepare_whole(folder / "own", folder, params)


def test_counts_are_those_of_the_masks_that_predict_gives(
    tmp_path: Path, processed: Path, params: Params
) -> None:
    model = tiny_unet()
    save_model(model, tmp_path / "m.safetensors", INFO)
    split = open_split(processed, "test")
    found = measure_segmenter(model, split, 3, params.eval_seg, Compute())
    segmenter = Segmenter.load(tmp_path / "m.safetensors")
    folder = processed.parent / "own"
    for row, name in enumerate(split.column("name")):
        image = np.array(Image.open(folder / "images" / f"{name}.png"))
        truth = np.array(Image.open(folder / "masks" / f"{name}.png"))
        section = params.eval_seg
        predicted = segmenter.predict([image], window=section.window, overlap=section.overlap)[0].mask
        counted = truth != 255
        expected = np.bincount(3 * truth[counted] + predicted[counted], minlength=9).reshape(3, 3)
        assert np.array_equal(found.confusion[row], expected), name
    assert len(np.unique(np.nonzero(found.pooled)[1])) > 1, "one class alone would prove little"


def test_all_that_is_written(tmp_path: Path, processed: Path, params: Params) -> None:
    model = tiny_unet()
    evaluate_segmenter(
        model,
        processed,
        CLASSES,
        params.eval_seg,
        1,
        tmp_path / "seg.json",
        tmp_path / "counts.csv",
        tmp_path / "seg",
        trained=INFO,
    )
    metrics = json.loads((tmp_path / "seg.json").read_text())
    test = open_split(processed, "test")
    assert metrics["num_images"] == len(test)
    names = {path.stem for path in (tmp_path / "seg").glob("*.png")}
    assert {"segmentation_best", "error_maps", "confidence", "grad_cam_bottleneck"} <= names
    evaluate_robustness(
        model,
        processed,
        CLASSES,
        params.robustness,
        1,
        tmp_path / "robust.json",
        tmp_path / "robust.csv",
        tmp_path / "robust",
        trained=INFO,
    )
    assert json.loads((tmp_path / "robust.json").read_text())["num_images"] == 6
    evaluate_autoencoder(
        tiny_autoencoder(),
        processed,
        CLASSES,
        params.eval_ae,
        params.train_ae.corruption,
        1,
        tmp_path / "ae.json",
        tmp_path / "ae",
        image_size=32,
    )
    assert json.loads((tmp_path / "ae.json").read_text())["num_images"] == len(test.tiles(32))


def test_a_clean_pass_over_windows_is_over_every_pixel_once(
    tmp_path: Path, processed: Path, params: Params
) -> None:
    """The first line of robustness is over tiles: as many labelled pixels as the images have."""
    test = open_split(processed, "test")
    tiles = test.tiles(32)
    labelled = sum(int((test.masks[row] != 255).sum()) for row in range(len(test)))
    assert sum(int((tiles.masks[row] != 255).sum()) for row in range(len(tiles))) == labelled
    result = measure_segmenter(tiny_unet(), tiles, 3, params.eval_seg, Compute())
    assert result.pooled.sum() == labelled
    assert scores_from_confusion(result.pooled, CLASSES)["pixel_accuracy"] > 0


def test_close_ups_show_what_an_image_shows_least_of(processed: Path, params: Params) -> None:
    test = open_split(processed, "test")
    rows = list(range(len(test)))
    shown = show_images(tiny_unet(), test, rows, params.eval_seg, Compute())
    assert shown.images.shape == (len(test), CLOSE_UP, CLOSE_UP, 3)
    assert shown.probabilities.shape == (len(test), 3, CLOSE_UP, CLOSE_UP)
    np.testing.assert_allclose(shown.probabilities.sum(axis=1), 1, rtol=1e-5)
    for row in rows:
        mask = test.masks[row]
        # These images are smaller than a close-up: all of them is in it, and beside them nothing counts.
        assert (shown.masks[row] != 255).sum() == (mask != 255).sum()
        for label in (1, 2):
            assert (shown.masks[row] == label).sum() == (mask == label).sum()


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (SegmenterInfo(tuple(CLASSES), 32, "pad"), "data.resize 'pad', the images are prepared whole"),
        (SegmenterInfo(("background", "pet"), 32, "crop"), "trained for the classes"),
    ],
)
def test_a_model_of_other_data_is_refused(processed: Path, info: SegmenterInfo, said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        check_segmenter(open_split(processed, "test"), CLASSES, info)
