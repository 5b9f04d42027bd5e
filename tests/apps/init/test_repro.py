"""A project, run by DVC from its own folder, with the library elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ae_pretrained.apps.init.create_project import create_project
from ae_pretrained.apps.init.options import InitOptions
from tests.apps.init.folders import write_images
from tests.conftest import ROOT
from tests.pipeline.conftest import TINY, Workspace

pytestmark = pytest.mark.long


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a wheel installs: the package, with the stage scripts in it."""
    site = tmp_path / "site"
    command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run([*command, "build_py", "--build-lib", str(site)], cwd=ROOT, check=True)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site / "ae_pretrained"


def test_repro_runs_then_has_nothing_to_do_then_sees_an_upgrade(tmp_path: Path, library: Path) -> None:
    images = write_images(tmp_path / "images", (0, 1, 255), unlabelled=4)
    create_project(tmp_path / "project", images, InitOptions(classes=("soil", "leaf")))
    project = Workspace(tmp_path / "project")
    skipped = ("data.synthetic", "data.image_size")
    tiny = {key: value for key, value in TINY.items() if not key.startswith(skipped)}
    project.set_params(**{key.replace(".", "__"): value for key, value in tiny.items()}, data__image_size=32)
    project.dvc("repro")
    figures = json.loads((project.path / "metrics/eval_seg.json").read_text())
    assert {"mean_iou", "soil", "leaf"} <= figures.keys()
    assert (project.path / "plots/report.html").stat().st_size > 10_000
    project.commit("First run")

    again = project.dvc("repro").stdout
    assert again.count("Running stage") == again.count("Running stage 'library'") == 1
    assert project.git("status", "--porcelain") == ""

    # An upgrade that changes the training of the segmenter, and one image that changes.
    module = library / "finetuning" / "finetune.py"
    module.write_text(module.read_text() + "\n# upgraded\n")
    (images / "images/p00.png").write_bytes((images / "images/p01.png").read_bytes())
    project.dvc("repro", "library")
    stale = json.loads(project.dvc("status", "--json").stdout)
    changed = {name for name, what in stale.items() if "changed deps" in str(what)}
    assert changed == {"fetch", "prepare", "train_seg"}
