from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ae_pretrained.apps.cli import main
from ae_pretrained.apps.init.library import write_library
from ae_pretrained.apps.init.templates import project_files, read_template
from ae_pretrained.apps.stage_command import stage_names
from ae_pretrained.errors import PipelineError
from tests.conftest import ROOT
from tools.project_template import project_template


def stages(text: str) -> dict[str, dict[str, list[str]]]:
    return YAML(typ="safe").load(text)["stages"]


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(read_template("dvc.yaml"))
    return tmp_path / "dvc.yaml"


def test_template_is_in_step_with_the_pipeline() -> None:
    for name, text in project_template().items():
        assert read_template(name) == text, f"{name}: run `python -m tools.project_template --write`"


def test_a_project_has_the_stages_of_the_repository_and_copies_nothing() -> None:
    ours, theirs = stages((ROOT / "dvc.yaml").read_text()), stages(read_template("dvc.yaml"))
    assert list(theirs) == ["library", *ours]
    assert set(ours) == set(stage_names())
    for name, stage in ours.items():
        assert theirs[name]["cmd"] == f"ae-pretrained stage {name}"
        assert len(theirs[name]["deps"]) == len(stage["deps"])
        for kind in ("params", "outs", "metrics"):
            assert theirs[name].get(kind) == stage.get(kind)
    assert not [name for name in project_files() if name.endswith(".py")]


def test_a_project_depends_on_nothing_that_it_has_not() -> None:
    theirs = stages(read_template("dvc.yaml"))
    outs = {out if isinstance(out, str) else next(iter(out)) for s in theirs.values()
            for kind in ("outs", "metrics", "plots") for out in s.get(kind, [])}  # fmt: skip
    files = project_files().keys()
    folders = {Path(file).parent.as_posix() for file in files}
    known = outs | files | folders | {"params.yaml", "${data.root}"}
    for name, stage in theirs.items():
        assert set(stage.get("deps", [])) <= known, name


def test_the_library_is_written_down(pipeline: Path) -> None:
    write_library(pipeline)
    folder = pipeline.parent / "library"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    promised = stages(read_template("dvc.yaml"))["library"]["outs"]
    assert {f"library/{name}" for name in first} == {name for out in promised for name in out}
    write_library(pipeline)
    assert first == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "  models/unet.py\n" in (folder / "models.txt").read_text()
    assert "  stages/train_seg.py\n" in (folder / "stages.txt").read_text()
    assert "report.html.j2" in (folder / "report.txt").read_text()
    packages = (folder / "packages.txt").read_text()
    assert "torch==" in packages
    assert "pytest" not in packages, "a package that only tests need"


def test_a_project_of_another_version_says_so(pipeline: Path) -> None:
    pipeline.write_text(pipeline.read_text().replace("library/models.txt:", "library/networks.txt:"))
    with pytest.raises(
        PipelineError, match=r"folder 'networks' of ae-pretrained, .* does not have.* init NEW"
    ):
        write_library(pipeline)


def test_a_project_with_copied_scripts_is_told_what_to_do(tmp_path: Path) -> None:
    """The first stage of a project that version 0.1 made before its library moved."""
    command = [sys.executable, "-m", "ae_pretrained.project.library", "library"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("\nERROR: an earlier ae-pretrained made this project")
    assert "`ae-pretrained init NEW --from IMAGES`" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "no such file here"), ("stages: {}", "expected a stage 'library'"), (":", "expected")],
)
def test_a_stage_outside_a_project(
    tmp_path: Path,
    text: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if text is not None:
        (tmp_path / "dvc.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"ERROR: dvc.yaml: {said}"):
        main(["stage", "library"])


def test_a_stage_fails_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"ERROR: params.yaml: no such file"):
        main(["stage", "fetch"])
    with pytest.raises(SystemExit):
        main(["stage", "fetsh"])
    assert "invalid choice: 'fetsh'" in capsys.readouterr().err
