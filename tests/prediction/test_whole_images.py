"""Models that see images whole (resize: crop): the library call, the command, and what evaluation counts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ae_pretrained import Segmenter
from ae_pretrained.apps.cli import main
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.weights import load_unet
from ae_pretrained.prediction import scaling, streaming, window_progress
from ae_pretrained.prediction.enlarge import most_probable
from ae_pretrained.prediction.scaling import at_scale, resize_bands
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_reader import read_image
from ae_pretrained.sources.mask_reader import read_mask
from ae_pretrained.windows import SmallImageError, best_classes, class_map, probabilities_of, slide
from tests.prediction.small import enormous_png, random_image, save_image, save_small
from tests.windows.networks import logits_of

WINDOW = {"window": 64, "overlap": 0.5}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_small(tmp_path / "model" / "segmenter.safetensors", "crop")


@pytest.mark.parametrize("flip", [True, False])
def test_masks_are_those_that_evaluation_counts(model: Path, flip: bool) -> None:
    """Evaluation has a network and the window, and no Segmenter; both give the same float32 numbers."""
    image = random_image(150, 211)
    logits = logits_of(load_unet(model)[0])
    bands = slide(probabilities_of(logits, flip_averaging=flip), image, stride=4, batch_size=16, **WINDOW)  # type: ignore[arg-type]
    mask, confidence = class_map(bands, 150, 211)
    found = Segmenter.load(model).predict([image], flip_averaging=flip, **WINDOW)[0]  # type: ignore[arg-type]
    assert np.array_equal(found.mask, mask)
    # Channels innermost in memory, where that is faster: sums in another order.
    np.testing.assert_allclose(found.confidence, confidence, atol=1e-5)
    assert len(np.unique(mask)) > 1
    assert found.shares["cat"] == pytest.approx(np.mean(mask == 1))
    assert found.mean_confidence == pytest.approx(confidence[mask > 0].mean(), abs=1e-6)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 0.31])
def test_equals_the_steps_written_out(tmp_path: Path, scale: float) -> None:
    """Against torch alone, on an image of one window: resized, reflected, one pass, back to its own size."""
    path = save_small(tmp_path / "m.safetensors", "crop", scale=scale)
    model, _ = load_unet(path)
    image = random_image(130, 170)
    found = Segmenter.load(path).predict([image], flip_averaging=False)[0]
    height, width = round(130 * scale), round(170 * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, (width, height), interpolation=how)
    padded = cv2.copyMakeBorder(small, 0, -height % 4, 0, -width % 4, cv2.BORDER_REFLECT_101)
    x = torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        p = model(x).softmax(1)[:, :, :height, :width]
    large = F.interpolate(p, size=(130, 170), mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(found.confidence, large.max(0).values.numpy(), atol=1e-4)
    assert np.mean(found.mask == large.argmax(0).numpy()) > 0.999


@pytest.mark.parametrize("size", [(40, 30), (41, 97), (160, 33), (500, 20), (13, 11)])
@pytest.mark.parametrize("strip", [1, 700, 2**18])
def test_bands_come_back_to_the_size_of_the_image(
    size: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bilinear, every row once, whatever the bands and the strips."""
    monkeypatch.setattr(scaling, "_STRIP_PIXELS", strip)
    whole = np.random.default_rng(0).random((3, 40, 30)).astype(np.float32)
    cuts = [(0, 8), (8, 9), (9, 33), (33, 40)]
    bands = resize_bands(iter([(a, whole[:, a:b]) for a, b in cuts]), (40, 30), size)
    mask, confidence = most_probable(whole, *size)
    row = 0
    for first, band in bands:
        assert first == row
        row += band.shape[1]
        found_mask, found = best_classes(band)
        np.testing.assert_allclose(found, confidence[first:row], atol=1e-6)
        assert np.mean(found_mask == mask[first:row]) > 0.98  # ties aside
    assert row == size[0]


def test_an_image_at_its_own_scale_is_not_copied() -> None:
    image = random_image(40, 50)
    assert at_scale(image, 1.0) is image


def test_a_scale_that_makes_an_image_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "LARGEST", 5000)
    model = save_small(tmp_path / "m.safetensors", "crop", scale=2.0)
    images = [save_image(tmp_path / "large.png"), save_image(tmp_path / "small.png", 20, 30)]
    assert predict(model, tmp_path / "out", *images) == 2, "the others are predicted"
    with pytest.raises(DataError, match=r"50 x 40 px has more than .* at scale 2 of this model; cut it"):
        at_scale(random_image(40, 50), 2.0)


def predict(model: Path, out: Path, *images: Path, more: tuple[str, ...] = ()) -> int:
    return main(["predict", *map(str, images), "--model", str(model), "--out", str(out), *more])


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_the_command_does_what_the_call_does(scale: float, tmp_path: Path, oxford_sample: Path) -> None:
    model = save_small(tmp_path / "m.safetensors", "crop", scale=scale)
    paths = [tmp_path / f"{name}.png" for name in ("a", "b")]
    for path in paths:  # details of photographs
        photo = read_image(oxford_sample / "images" / "Bengal_10.jpg")
        Image.fromarray(photo[50:200, 70 : 250 + 20 * (path.stem == "b")]).save(path)
    assert predict(model, tmp_path / "out", *paths, more=("--window", "64", "--overlap", "0.5")) == 0
    images = [read_image(path) for path in paths]
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())["predictions"]
    for path, entry, found in zip(paths, told, Segmenter.load(model).predict(images, **WINDOW), strict=True):  # type: ignore[arg-type]
        assert np.array_equal(read_mask(tmp_path / "out" / entry["mask"]), found.mask)
        assert entry["confidence"] == pytest.approx(found.mean_confidence, abs=1e-6)
        assert entry["shares"] == pytest.approx(found.shares, abs=1e-6)
        assert entry["class"] == found.class_name
        assert Image.open(tmp_path / "out" / f"{path.stem}_overlay.png").size == (
            entry["width"],
            entry["height"],
        )


def test_what_cannot_be_predicted_is_listed(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    save_image(folder / "fine.png")
    save_image(folder / "tiny.png", 7, 60)
    (folder / "huge.png").write_bytes(enormous_png())  # plain, and therefore tried
    (folder / "text.png").write_text("no image")
    assert predict(model, tmp_path / "out", folder) == 2
    said = capsys.readouterr().err
    assert "tiny.png: an image of 60 x 7 px is too small; both sides must have at least 8 px" in said
    for name in ("huge.png", "text.png"):
        assert f"{name}: not a readable image" in said
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [Path(entry["file"]).name for entry in told["predictions"]] == ["fine.png"]
    assert len(told["unreadable"]) == 3


def test_a_long_image_is_announced(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = save_image(tmp_path / "a.png", 200, 300)
    more = ("--window", "64", "--batch-size", "2")
    assert predict(model, tmp_path / "out", image, more=more) == 0
    assert "windows" not in capsys.readouterr().err
    monkeypatch.setattr(window_progress, "_WORTH_SAYING", 0)
    assert predict(model, tmp_path / "out", image, more=more) == 0
    count = Segmenter.load(model).count_windows(200, 300, 64)
    assert count == 4 * 6
    assert f"a.png, 300 x 200 px: {count} windows, about 1 min\n" in capsys.readouterr().err


def test_pages_are_counted(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [Image.fromarray(random_image(40, 50)) for _ in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    assert predict(model, tmp_path / "out", tmp_path / "scan.tif") == 0
    assert "of which the first was predicted: scan.tif (3)" in capsys.readouterr().out
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [entry["pages"] for entry in told["predictions"]] == [3]


def test_minutes() -> None:
    assert [window_progress._minutes(seconds) for seconds in (61, 1500, 5400)] == ["1 min", "25 min", "1.5 h"]


def test_memory_holds_one_image_at_a_time(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import weakref

    alive: list[weakref.ref[np.ndarray]] = []
    genuine = streaming.read_first_page

    def read(*arguments: object, **options: object) -> tuple[np.ndarray, int]:
        assert [ref for ref in alive if ref() is not None] == []
        pixels, pages = genuine(*arguments, **options)  # type: ignore[arg-type]
        alive.append(weakref.ref(pixels))
        return pixels, pages

    monkeypatch.setattr(streaming, "read_first_page", read)
    images = [save_image(tmp_path / f"{name}.png") for name in "abc"]
    assert predict(model, tmp_path / "out", *images) == 0
    assert len(alive) == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--window", "66"), "window: 66 px is no multiple of the network's deepest stride (4 px)"),
        (("--window", "4"), "window: 4 px"),
        (("--overlap", "0.9"), "overlap: found 0.9"),
        (("--overlap", "nan"), "overlap: found nan"),
    ],
)
def test_bad_windows_are_refused_before_any_work(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    assert predict(model, tmp_path / "out", save_image(tmp_path / "a.png"), more=more) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [("--window", "512"), ("--overlap", "0.25")])
def test_other_models_have_no_windows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    stretch = save_small(tmp_path / "m.safetensors")
    assert predict(stretch, tmp_path / "out", save_image(tmp_path / "a.png"), more=more) == 1
    said = capsys.readouterr().err
    assert "with a model of resize 'stretch', which sees every image at once, at 32 px" in said
    assert not (tmp_path / "out").exists()
    with pytest.raises(PipelineError, match="only models trained with resize: crop have windows"):
        Segmenter.load(stretch).predict([random_image(40, 40)], window=64)
    with pytest.raises(PipelineError, match="bands: this model sees every image at once"):
        Segmenter.load(stretch).bands(random_image(40, 40))


def test_bad_calls(model: Path) -> None:
    segmenter = Segmenter.load(model)
    with pytest.raises(PipelineError, match="use bands"):
        segmenter.probabilities([random_image(40, 40)])
    with pytest.raises(PipelineError, match=r"images\[1\]: expected"):
        segmenter.predict([random_image(40, 40), np.zeros((4, 4))])
    with pytest.raises(SmallImageError, match="3 x 40 px is too small"):
        segmenter.predict([random_image(40, 3)])
    assert segmenter.predict([]) == []


def test_a_gpu_computes_in_float32(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    Segmenter.load(model, "cpu")
    assert torch.backends.cudnn.allow_tf32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, _: self)
    assert Segmenter.load(model).device == "cuda"
    assert not torch.backends.cudnn.allow_tf32
