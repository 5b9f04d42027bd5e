"""Which images of a small project are to be labelled next, and what stands in the way."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from ae_pretrained.apps.cli import main
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo, save_model
from ae_pretrained.params import Params
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.selection.choices import Selection
from ae_pretrained.selection.choose_images import choose_images
from ae_pretrained.sources.pointer import write_link
from tests.processed import tiny_params
from tests.whole import WHOLE, write_whole

CLASSES = WHOLE["data__classes"]
LABELLED, TOTAL = 16, 48


def params_of(**changes: Any) -> Params:
    return tiny_params(**{**WHOLE, "data__resize": "pad", "data__root": "own", **changes})


def prepare_project(project: Path, params: Params) -> None:
    prepare(
        project / "data/raw",
        project / "data/processed",
        params.data,
        params.seed,
        metrics_file=project / "prepare.json",
        plots=project / "plots",
        labels=project / "data/labels",
    )


def make_project(project: Path, params: Params, *, lists: bool = True) -> Path:
    """48 images, of which 16 have a mask; a list fixes val and test."""
    write_whole(project / "own", TOTAL)
    for number in range(LABELLED, TOTAL):
        (project / f"own/masks/i{number:02}.png").unlink()
    if lists:
        (project / "own/val.txt").write_text("i00\ni01\ni02\n")
        (project / "own/test.txt").write_text("i03\ni04\ni05\n")
    (project / "data/raw").mkdir(parents=True)
    write_link(project / "data/raw", project / "own", TOTAL)
    prepare_project(project, params)
    config = ModelConfig(**params.model.model_dump())
    save_model(Autoencoder(config, 1), project / "models/autoencoder.safetensors")
    return project


def add_segmenter(project: Path, params: Params, classes: list[str] = CLASSES) -> None:
    model = UNet(ModelConfig(**params.model.model_dump()), len(classes))
    info = SegmenterInfo(tuple(classes), params.data.image_size, params.data.resize)
    save_model(model, project / "models/segmenter.safetensors", info)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("made"), params_of())


@pytest.fixture
def project(tmp_path: Path, made: Path) -> Path:
    shutil.copytree(made, tmp_path / "p")
    write_link(tmp_path / "p/data/raw", tmp_path / "p/own", TOTAL)
    return tmp_path / "p"


def run(project: Path, count: int, params: Params | None = None, **options: Any) -> Selection:
    how = {"strategy": "coverage", "compute": Compute(), "out": project} | options
    return choose_images(project, params or params_of(), count, **how)


def names(selection: Selection) -> list[str]:
    return [choice.name for choice in selection.choices]


def test_the_table_says_what_and_why(project: Path) -> None:
    selection = run(project, 5)
    with (project / "label_next.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    for row, choice in zip(rows, selection.choices, strict=True):
        assert Path(row["file"]) == choice.image
        assert int(choice.name[1:]) >= LABELLED
        assert -1 <= float(row["nearest_labelled"]) < 1
        assert row["entropy"] == ""
    assert 0 < sum(float(row["share"]) for row in rows) <= 1
    sheet = cv2.imread(str(project / "label_next.png"))
    assert sheet is not None
    assert sheet.shape[1] == 1200


def test_masks_that_are_new_are_seen_before_and_after_prepare(project: Path) -> None:
    whole, first = names(run(project, 12)), names(run(project, 6))
    for name in first:
        width, height = Image.open(project / f"own/images/{name}.png").size
        Image.fromarray(np.eye(height, width, dtype=np.uint8)).save(project / f"own/masks/{name}.png")
    assert [*first, *names(run(project, 6))] == whole
    prepare_project(project, params_of())
    assert [*first, *names(run(project, 6))] == whole


@pytest.mark.parametrize("strategy", ["uncertain", "stratified"])
def test_a_segmenter_is_asked(project: Path, strategy: str) -> None:
    add_segmenter(project, params_of())
    selection = run(project, 4, strategy=strategy)
    assert all(0 < choice.entropy <= 1 for choice in selection.choices)
    assert {choice.predicted for choice in selection.choices} <= set(CLASSES)


@pytest.mark.parametrize("strategy", ["coverage", "uncertain"])
def test_images_that_are_kept_whole(tmp_path: Path, strategy: str) -> None:
    params = params_of(data__resize="crop")
    project = make_project(tmp_path, params)
    add_segmenter(project, params)
    selection = run(project, 5, params, strategy=strategy)
    assert len(set(names(selection))) == 5
    assert all(0 < choice.entropy <= 1 for choice in selection.choices)


def test_drawn_splits_are_refused_then_held_out(tmp_path: Path) -> None:
    params = params_of()
    project = make_project(tmp_path, params, lists=False)
    with pytest.raises(PipelineError, match=r"draw them anew.*--hold-out 0"):
        run(project, 5, params)
    assert not (project / "label_next.csv").exists()
    selection = run(project, 5, params, hold_out=0.2)
    lists = {split: (project / f"own/{split}.txt").read_text().split() for split in ("val", "test")}
    assert [len(members) for members in lists.values()] == [10, 10]
    assert not set(names(selection)) & {*lists["val"], *lists["test"]}
    assert selection.hold_out is not None
    assert all(int(name[1:]) >= LABELLED for name in selection.hold_out.unlabelled)
    assert names(run(project, 5, params)) == names(selection), "also before the splits are prepared anew"
    prepare_project(project, params)
    assert names(run(project, 5, params))
    with pytest.raises(PipelineError, match="leave it out"):
        run(project, 5, params, hold_out=0.2)


def test_a_group_of_val_or_test_is_left_out(tmp_path: Path) -> None:
    params = params_of()
    project = make_project(tmp_path, params)
    (project / "own/groups.csv").write_text("".join(f"i{n:02},scene\n" for n in (0, *range(20, TOTAL))))
    prepare_project(project, params)
    selection = run(project, 4, params)
    assert sorted(names(selection)) == ["i16", "i17", "i18", "i19"]
    assert "28 images belong to a group of val or test" in selection.notes[0]


def test_coverage_goes_on_without_a_segmenter_that_fits(project: Path) -> None:
    other_classes(project)
    selection = run(project, 3)
    assert "entropies are left out: the segmenter was trained for the classes" in selection.notes[0]
    assert all(np.isnan(choice.entropy) for choice in selection.choices)


def test_of_very_many_images_a_sample_is_ranked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ae_pretrained.selection.label_pool.MOST_RANKED", 20)
    selection = run(project, 3)
    assert selection.notes == [
        "42 images: a sample of 20, drawn by seed, is ranked; labelled images all count"
    ]
    assert selection.num_labelled == 10
    assert selection.num_unlabelled <= 20
    assert names(run(project, 3)) == names(selection)


def test_strata_without_a_segmenter_that_tells_images_apart(project: Path) -> None:
    said = "strata are clusters of the embeddings, not predicted classes"
    assert run(project, 12, strategy="stratified").notes == [f"no segmenter yet: {said}"]
    params = params_of()
    torch.manual_seed(0)
    model = UNet(ModelConfig(**params.model.model_dump()), 3)
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()  # all classes are equally likely everywhere: the first one is taken
    save_model(model, project / "models/segmenter.safetensors", SegmenterInfo(tuple(CLASSES), 32, "pad"))
    selection = run(project, 12, strategy="stratified")
    assert selection.notes == [f"the segmenter sees background in every image: {said}"]
    assert {round(choice.entropy, 4) for choice in selection.choices} == {1.0}
    unsure = run(project, 3, strategy="uncertain")
    assert unsure.notes[0].startswith("the segmenter predicts no pixel of cat, dog")


def test_the_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr("ae_pretrained.params.load_params", lambda _: params_of())
    assert main(["label-next", "4", "--strategy", "random", "--out", "chosen"]) == 0
    said = capsys.readouterr().out.splitlines()
    table = [line.split()[:2] for line in said if line.split()[0].isdigit()]
    with (project / "chosen/label_next.csv").open(newline="") as file:
        assert table == [[row["rank"], Path(row["file"]).stem] for row in csv.DictReader(file)]
    assert main(["label-next", "400"]) == 1
    assert "ERROR: 400 images asked for, 32 without a mask are there" in capsys.readouterr().err


def test_drafts_of_the_chosen_come_back_as_labels(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr("ae_pretrained.params.load_params", lambda _: params_of())
    ask = ["label-next", "3", "--prelabel", "labelme"]
    assert main(ask) == 1
    assert "models/segmenter.safetensors: no segmenter yet, and --prelabel" in capsys.readouterr().err
    add_segmenter(project, params_of())
    before = run(project, 6)
    assert main(ask) == 0
    assert "3 drafts in drafts: correct them, then `ae-pretrained labels drafts`" in capsys.readouterr().out
    assert {path.stem for path in (project / "drafts").glob("*.json")} == {*names(before)[:3], "drafts"}
    assert main(ask) == 1
    assert "drafts: is not empty; name a new folder with --drafts" in capsys.readouterr().err
    assert main(["labels", "drafts", "--accept-untouched"]) == 0
    assert {path.stem for path in (project / "data/labels/masks").iterdir()} == set(names(before)[:3])
    assert names(run(project, 3)) == names(before)[3:]


def test_real_images_that_are_twins_are_chosen_once(tmp_path: Path, oxford_128: Path) -> None:
    """Each image twice, the second saved as JPEG again."""
    project, params = tmp_path, params_of(data__image_size=64)
    paths = sorted((oxford_128 / "images").glob("*.jpg"))[::250]
    write_whole(project / "own", LABELLED)
    for number, path in enumerate(paths):
        image = Image.open(path).convert("RGB")
        image.save(project / f"own/images/r{number:02}a.png")
        image.save(project / f"own/images/r{number:02}b.jpg", quality=95)
    (project / "own/val.txt").write_text("i00\ni01\n")
    (project / "own/test.txt").write_text("i03\ni04\n")
    (project / "data/raw").mkdir(parents=True)
    write_link(project / "data/raw", project / "own", TOTAL)
    prepare_project(project, params)
    config = ModelConfig(**params.model.model_dump())
    save_model(Autoencoder(config, 1), project / "models/autoencoder.safetensors")
    chosen = names(run(project, len(paths), params))
    assert sorted(name[1:3] for name in chosen) == [f"{number:02}" for number in range(len(paths))]


def remove(*paths: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        for path in paths:
            (project / path).unlink()

    return change


def all_labelled(project: Path) -> None:
    params = params_of()
    for path in (project / "own/images").iterdir():
        if not (project / "own/masks" / path.name).exists():
            path.unlink()
    prepare_project(project, params)


def other_classes(project: Path) -> None:
    add_segmenter(project, params_of(), ["background", "leaf"])


def only_val(project: Path) -> None:
    (project / "own/test.txt").unlink()


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (remove(), {"count": 33}, "33 images asked for, 32 without a mask are there; ask for fewer"),
        (remove(), {"count": 0}, "N: found 0"),
        (all_labelled, {}, "no image without a mask is there, all 16 are labelled"),
        (remove("models/autoencoder.safetensors"), {}, "no autoencoder yet; run `dvc repro train_ae` first"),
        (remove("data/processed/index.csv"), {}, "run `dvc repro prepare` first"),
        (remove(), {"params": params_of(model__norm="group")}, "was trained with other settings"),
        (
            remove(),
            {"params": params_of(data__image_size=64)},
            "prepared at 32 px, params.yaml wants them at 64",
        ),
        (remove(), {"params": params_of(data__resize="crop")}, "params.yaml wants them whole"),
        (remove(), {"strategy": "uncertain"}, "no segmenter yet, and --strategy uncertain asks it"),
        (other_classes, {"strategy": "uncertain"}, "was trained for the classes"),
        (only_val, {}, "There is val.txt; write test.txt beside it"),
        (only_val, {"hold_out": 0.2}, "There is val.txt; write test.txt beside it"),
        (remove(), {"hold_out": 0.7}, "--hold-out: found 0.7"),
    ],
)
def test_what_cannot_be(
    project: Path, change: Callable[[Path], None], options: dict[str, Any], said: str
) -> None:
    change(project)
    with pytest.raises(PipelineError) as error:
        run(project, **{"count": 5, **options})
    assert said in str(error.value)
    assert not (project / "label_next.csv").exists()
