"""A study in a project, made and run as a user does, on a few drawn images."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from ae_pretrained.apps.cli import main
from ae_pretrained.apps.study.new_study import write_study
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.weights import save_model
from ae_pretrained.params import read_params
from ae_pretrained.study.images import draw_masks
from tests.conftest import ROOT
from tests.processed import make_processed, tiny_params
from tests.study.small_study import change
from tests.whole import prepare_whole, whole_params, write_whole

CHANGES = {
    "train_seg__epochs": 2,
    "train_seg__batch_size": 4,
    "train_seg__init": "autoencoder",
    "eval_seg__bootstrap_samples": 20,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after `dvc repro train_ae`: parameters, prepared images, an autoencoder."""
    root = tmp_path_factory.mktemp("project")
    params = tiny_params(**CHANGES)
    processed = make_processed(root / "made", params)
    (root / "data").mkdir()
    processed.rename(root / "data/processed")
    YAML().dump(params.model_dump(mode="json"), root / "params.yaml")
    save_model(Autoencoder(ModelConfig(**params.model.model_dump())), root / "models/autoencoder.safetensors")
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_a_project_to_an_answer(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["study", "new", "study", "--seeds", "2"])
    out = capsys.readouterr().out
    masks = len(open_split(Path("data/processed"), "train"))
    assert f"with {round(masks / 4)}, {round(masks / 2)}, {masks} masks, 2 times each: 18 trainings of" in out
    assert "Next: dvc repro study/dvc.yaml" in out
    grid = Path("study/grid.yaml")
    updates = 2 * -(-masks // 4)
    assert YAML(typ="safe").load(grid)["runs"] == [f"{share}x{updates}" for share in ("0.25", "0.5", "1")]
    change(
        grid,
        {
            "compared": ["scratch", "pretrained"],
            "runs": [f"0.5x{updates}", f"1x{updates}"],
            "validate_every": updates,
        },
    )
    main(["study", "cells", "study"])
    main(["study", "summarise"])
    lines = (project / "study/results/answer.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("- 34 masks, ") for line in lines) == 2
    assert [line for line in lines if line.startswith("- pretrained on these images: ")]
    assert (project / "study/results/label_efficiency.png").stat().st_size > 5_000
    record = json.loads(
        (project / f"study/cells/pretrained-0.5x{updates}-1.json").read_text(encoding="utf-8")
    )
    assert record["own_masks"]
    assert record["num_labelled"] == round(masks / 2)
    main(["study", "cells"])  # nothing is missing
    assert "8 of 8 cells have a record, 0 to run" in capsys.readouterr().out
    weights = Path("models/autoencoder.safetensors")
    save_model(Autoencoder(ModelConfig(**tiny_params().model.model_dump())), weights)
    assert main(["study", "cells"]) != 0
    assert "models/autoencoder.safetensors was another (MD5" in capsys.readouterr().err


@pytest.mark.long
def test_with_images_that_are_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = whole_params(**CHANGES)
    write_whole(tmp_path / "images", 32)
    prepare_whole(tmp_path / "images", tmp_path / "data", params)
    YAML().dump(params.model_dump(mode="json"), Path("params.yaml"))
    write_study(Path("study"), 1)
    (run,) = YAML(typ="safe").load(Path("study/grid.yaml"))["runs"][1:2]
    change(Path("study/grid.yaml"), {"validate_every": int(run.partition("x")[2])})
    assert main(["study", "cell", "study", "scratch", run, "0"]) == 0
    record = json.loads(Path(f"study/cells/scratch-{run}-0.json").read_text(encoding="utf-8"))
    assert 0 < record["test"]["mean_iou"] < 1
    assert record["data"].keys() == {"train", "val", "test"}
    assert (
        main(["study", "cell", "study", "scratch", run, "0"]) == 0
    )  # there: the images have the same digest


def test_the_files_are_valid(project: Path) -> None:
    write_study(Path("studies/mine"), 3)
    pipeline = YAML(typ="safe").load(Path("studies/mine/dvc.yaml"))
    for stage in pipeline["stages"].values():
        assert stage["wdir"] == "../.."
        assert stage["cmd"].endswith(" studies/mine")
    known = read_params(ROOT / "params.yaml")
    for entry in pipeline["stages"]["cells"]["params"]:
        if isinstance(entry, str):
            section, _, key = entry.partition(".")
            assert section in known
            assert not key or key in known[section]
        else:
            grid = YAML(typ="safe").load(Path("studies/mine/grid.yaml"))
            assert set(entry["studies/mine/grid.yaml"]) <= grid.keys()


def test_another_draw_has_the_same_images_in_another_order(project: Path, tmp_path: Path) -> None:
    drawn = [tmp_path / f"draw{seed}" for seed in (0, 1)]
    for seed, folder in enumerate(drawn):
        folder.mkdir()
        draw_masks(Path("data/processed"), folder, seed)
    own, other = (open_split(folder, "train") for folder in drawn)
    assert (own.images[:] == other.images[:]).all()
    assert sorted(own.columns["label_order"]) == sorted(other.columns["label_order"])
    assert own.labelled(0.5).tolist() != other.labelled(0.5).tolist()
    assert set(own.labelled(0.25)) < set(own.labelled(0.5))
    with (drawn[0] / "index.csv").open() as one, Path("data/processed/index.csv").open() as before:
        for row, former in zip(csv.DictReader(one), csv.DictReader(before), strict=True):
            assert {**row, "label_order": ""} == {**former, "label_order": ""}
            assert (row["label_order"] == "") == (row["split"] != "train")


def test_bad_input_is_named(project: Path) -> None:
    with pytest.raises(PipelineError, match="a study lies inside the project"):
        write_study(Path("../study"), 3)
    with pytest.raises(PipelineError, match="--seeds: found 0; at least 1"):
        write_study(Path("study"), 0)
    write_study(Path("study"), 1)
    with pytest.raises(PipelineError, match=r"study/grid.yaml: is there, and nothing is overwritten"):
        write_study(Path("study"), 1)
    change(Path("params.yaml"), {"train_seg.batch_size": 30})
    with pytest.raises(
        PipelineError, match=r"too few for a study of shares: .*fewer than train_seg.batch_size, 30"
    ):
        write_study(Path("other"), 1)
    Path("params.yaml").unlink()
    with pytest.raises(PipelineError, match=r"params.yaml: no such file here; run `ae-pretrained study`"):
        write_study(Path("other"), 1)


def test_a_share_that_lacks_a_class_is_left_out(project: Path) -> None:
    index = Path("data/processed/index.csv")
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    train = [row for row in rows if row["split"] == "train"]
    for row in train:
        row["class"] = "cat"
    # Two alone, the first of which has the rank 8 or 9: a quarter of the 34 masks lack them.
    for row in train[:2]:
        row["class"] = "dog"
    masks = np.load("data/processed/masks.npy", mmap_mode="r+")
    masks[masks == 2] = 1
    masks[:2][masks[:2] == 1] = 2
    masks.flush()
    with index.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    said = write_study(Path("study"), 3)
    assert "masks (25%) are left out: data.label_fraction: 0.25" in said[0]
    assert "0.25x" not in Path("study/grid.yaml").read_text(encoding="utf-8")
