from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from ae_pretrained.apps.init.library import write_library
from ae_pretrained.apps.init.templates import project_files, read_template, stage_modules
from tests.conftest import ROOT
from tools.project_template import TEMPLATE, project_template


def test_template_is_in_step_with_the_pipeline() -> None:
    generated = project_template()
    for name, text in generated.items():
        assert (TEMPLATE / name).read_text(encoding="utf-8") == text, f"{name}: run `make deps`"
    scripts = {f"stages/{path.name}" for path in (TEMPLATE / "stages").iterdir()}
    assert scripts == {name for name in generated if name.startswith("stages/")}, "run `make deps`"


def test_a_project_depends_on_nothing_that_it_has_not() -> None:
    stages = YAML(typ="safe").load(read_template("dvc.yaml"))["stages"]
    outs = {out if isinstance(out, str) else next(iter(out)) for s in stages.values()
            for kind in ("outs", "metrics", "plots") for out in s.get(kind, [])}  # fmt: skip
    known = outs | project_files().keys() | {"params.yaml", "${data.root}"}
    for name, stage in stages.items():
        assert set(stage.get("deps", [])) <= known, name
    repository = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["library", *repository]
    for name, stage in repository.items():
        assert stages[name]["cmd"] == stage["cmd"]
        assert stages[name].get("params") == stage.get("params")


def test_the_library_is_written_down(tmp_path: Path) -> None:
    write_library(tmp_path / "one")
    write_library(tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(["packages.txt", *(f"{stage}.txt" for stage in stage_modules())])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    train = (tmp_path / "one/train_seg.txt").read_text()
    assert "  ae_pretrained/models/unet.py\n" in train
    assert "plotting" not in train, "a changed plot must not train anew"
    assert "torch==" in (tmp_path / "one/packages.txt").read_text()
    assert "pytest" not in (tmp_path / "one/packages.txt").read_text()
