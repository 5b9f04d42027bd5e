from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ae_pretrained.errors import PipelineError
from ae_pretrained.params import ParamsError, read_params
from ae_pretrained.params.editing import flatten
from ae_pretrained.study.grid import (
    Cell,
    MaskChoice,
    autoencoder_of,
    autoencoder_params,
    cell_params,
    cells_of,
    changes_of,
    lay_over,
    mask_choice_of,
    reference_of,
    study_params,
)
from ae_pretrained.study.layout import Study
from tests.conftest import COMMITTED_STUDIES, ROOT


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study runs from the root of the repository."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def study() -> Study:
    return Study(Path("studies/label_efficiency"))


@pytest.fixture(params=COMMITTED_STUDIES)
def committed(request: pytest.FixtureRequest) -> Study:
    return Study(Path("studies") / request.param)


def test_every_cell_of_the_committed_grid_is_valid(committed: Study) -> None:
    cells = cells_of(committed)
    assert reference_of(committed) in {cell.arm for cell in cells}
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        params = cell_params(cell, committed)
        assert params.train_seg.epochs * params.train_seg.updates_per_epoch == cell.updates
        assert params.data.label_fraction == cell.fraction
        assert params.seed == cell.seed
    for name, changes in committed.grid["pretexts"].items():
        study_params(committed, changes, name)


def test_arms_differ_in_where_they_start_alone(committed: Study) -> None:
    """Same updates, augmentation, loss, optimiser and network for every arm."""
    allowed = {("train_seg", key) for key in ("init", "transfer", "freeze_epochs", "encoder_lr_scale")}
    for arm, changes in committed.grid["arms"].items():
        assert set(flatten(changes)) <= allowed, arm


def test_the_study_has_the_keys_of_the_pipeline(committed: Study) -> None:
    keys = flatten(read_params(committed.params_file)).keys()
    assert keys == flatten(read_params(ROOT / "params.yaml")).keys()


def test_nothing_from_outside_in_the_study_of_the_images_alone() -> None:
    study = Study(Path("studies/images_alone"))
    for cell in cells_of(study):
        assert cell_params(cell, study).train_seg.init in ("scratch", "autoencoder")
        if autoencoder := autoencoder_of(cell, study):
            params = autoencoder_params(autoencoder, study)
            assert params.train_ae.init == "scratch"
            assert params.train_ae.loss.latent == params.train_ae.loss.perceptual == 0


@pytest.mark.parametrize("run", ["0.05", "0.05x", "x100", "1.5x100", "0x100", "0.05x0", "0.10x100"])
def test_bad_runs_are_refused(run: str) -> None:
    with pytest.raises(PipelineError, match="run"):
        Cell.parse("scratch", run, 0)


def test_a_misspelt_key_of_an_arm_is_refused(study: Study) -> None:
    values: dict[str, Any] = {"train_seg": {"lr": 1.0}}
    with pytest.raises(PipelineError, match="unknown key 'rl'"):
        lay_over(values, {"train_seg": {"rl": 2.0}}, "arm x")
    study.grid["arms"]["scratch"] = {"train_seg": {"init": "nowhere"}}
    with pytest.raises(ParamsError, match="arm scratch"):
        cell_params(Cell("scratch", 0.05, study.grid["validate_every"], 0), study)


def test_an_arm_or_a_task_that_is_not_described_is_refused(study: Study) -> None:
    with pytest.raises(PipelineError, match="arms: 'scrach' is not described; known are scratch, "):
        cell_params(Cell("scrach", 0.05, study.grid["validate_every"], 0), study)
    with pytest.raises(PipelineError, match="pretexts: 'our' is not described; known are ours, "):
        changes_of(study, "pretexts", "our")


def test_a_grid_of_the_version_before_is_told_what_to_change(study: Study) -> None:
    study.grid["baselines"] = study.grid.pop("compared")
    with pytest.raises(PipelineError, match=r"no list 'compared'.*was: baselines, transfers"):
        cells_of(study)


def test_updates_between_validations_are_refused(study: Study) -> None:
    with pytest.raises(PipelineError, match="no multiple of validate_every"):
        cell_params(Cell("scratch", 0.05, study.grid["validate_every"] + 1, 0), study)


def test_seeds_of_one_autoencoder_and_replicates_of_several(study: Study) -> None:
    cells = [Cell("masked", 0.05, 100, seed) for seed in range(4)]
    names = [found.name for cell in cells if (found := autoencoder_of(cell, study))]
    assert names == ["masked"] * 4
    study.grid["autoencoders"] = 3
    found = [autoencoder_of(cell, study) for cell in cells]
    assert [one.name for one in found if one] == ["masked-0", "masked-1", "masked-2", "masked-0"]
    assert [autoencoder_params(one, study).seed for one in found if one] == [0, 1, 2, 0]
    assert autoencoder_of(Cell("scratch", 0.05, 100, 0), study) is None


def test_weights_that_the_study_does_not_make(study: Study) -> None:
    study.grid["autoencoder_files"] = {"ours": "models/autoencoder.safetensors"}
    found = autoencoder_of(Cell("encoder_decoder", 0.05, 100, 0), study)
    assert found is not None
    assert found.file == Path("models/autoencoder.safetensors")


def test_how_masks_are_chosen(study: Study) -> None:
    ours, scratch = (Cell(arm, 0.05, 100, 0) for arm in ("encoder_decoder", "scratch"))
    assert mask_choice_of(ours, study) is None
    study.grid["choices"] = {"encoder_decoder": "coverage", "scratch": "random"}
    assert mask_choice_of(ours, study) == MaskChoice("coverage", 1.0)
    study.grid["pool"] = 0.5
    assert mask_choice_of(scratch, study) == MaskChoice("random", 0.5)
    study.grid["choices"]["scratch"] = "coverage"
    with pytest.raises(PipelineError, match=r"choices: scratch: coverage compares images by the autoencoder"):
        mask_choice_of(scratch, study)
    study.grid["choices"]["scratch"] = "best"
    with pytest.raises(PipelineError, match=r"choices: scratch: found 'best', expected one of random, strat"):
        mask_choice_of(scratch, study)
    for pool in (0, 1.5, "half"):
        study.grid["pool"] = pool
        with pytest.raises(PipelineError, match=rf"pool: found {pool!r}, expected a share in \(0, 1\]"):
            mask_choice_of(ours, study)


def test_the_reference_is_an_arm(study: Study) -> None:
    assert reference_of(study) == "scratch"
    study.grid["reference"] = "masked"
    assert reference_of(study) == "masked"
    study.grid["reference"] = "rando"
    with pytest.raises(PipelineError, match="arms: 'rando' is not described"):
        reference_of(study)


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"grid.yaml: no such file; `ae-pretrained study` makes a study"):
        cells_of(Study(tmp_path))
    (tmp_path / "grid.yaml").write_text("[]")
    with pytest.raises(PipelineError, match=r"grid.yaml: expected a mapping of lists, found list"):
        cells_of(Study(tmp_path))
    (tmp_path / "grid.yaml").write_text("{")
    with pytest.raises(PipelineError, match=r"grid.yaml: no YAML"):
        cells_of(Study(tmp_path))


def test_the_arms_of_the_page_are_valid(study: Study) -> None:
    page = (ROOT / "docs/how-to/study.md").read_text(encoding="utf-8")
    more = YAML(typ="safe", pure=True).load(page.split("```yaml")[1].split("```")[0])
    for key, value in more.items():
        if isinstance(value, dict):
            study.grid[key] |= value
        else:
            study.grid[key] = value
    study.grid["compared"] = [*more["arms"]]
    for cell in cells_of(study):
        if cell.arm in more["arms"]:
            autoencoder = autoencoder_of(cell, study)
            assert autoencoder is not None
            assert autoencoder.name == f"{cell.arm}-{cell.seed % 3}"
            pretrained = autoencoder_params(autoencoder, study)
            assert pretrained.model == cell_params(cell, study).model
