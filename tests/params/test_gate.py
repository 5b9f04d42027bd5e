from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained.errors import PipelineError
from ae_pretrained.params import ParamsError, load_params
from ae_pretrained.params.editing import set_values
from ae_pretrained.params.gate import check_params
from tests.conftest import ROOT

PASSED = Path("data/params_checked.txt")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git repository with the committed params.yaml, and the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data" / "local").mkdir(parents=True)
    git("init", "--quiet")
    commit()
    return tmp_path


def git(*words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


def commit() -> None:
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "params")


def override(**values: Any) -> None:
    """What ``dvc exp run -S`` does before the first stage; dots of the keys as double underscores."""
    path = Path("params.yaml")
    keyed = {tuple(key.split("__")): value for key, value in values.items()}
    path.write_text(set_values(path.read_text(encoding="utf-8"), keyed), encoding="utf-8")


def refused() -> str:
    before = Path("params.yaml").read_bytes()
    with pytest.raises(ParamsError) as error:
        check_params(Path("params.yaml"), passed=PASSED)
    assert not PASSED.exists()
    assert Path("params.yaml").read_bytes() == before  # the file is the user's
    return str(error.value)


def run_the_command(said: str) -> None:
    command = re.findall(r"^    (git checkout .*)$", said, flags=re.MULTILINE)
    assert len(command) == 1
    git(*command[0].split()[1:])


def test_good_params_open_the_gate(project: Path) -> None:
    assert check_params(Path("params.yaml"), passed=PASSED) == load_params(ROOT / "params.yaml")
    assert PASSED.is_file()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_seg__lr", "abc", "train_seg.lr: found 'abc' (str)"),
        ("train_seg__loss", 5, "train_seg.loss: found 5 (int); expected a section with the keys dice"),
        ("train_seg__epochs", 0, "train_seg.epochs: found 0 (int)"),
        ("model__norm", "layer", "model.norm: found 'layer'"),
        ("data__root", "nowhere", "data.root: found 'nowhere'; expected a folder"),
    ],
)
def test_the_error_names_the_key_and_the_command_that_puts_it_back(
    project: Path, key: str, value: Any, said: str
) -> None:
    committed = Path("params.yaml").read_bytes()
    override(**{key: value})
    git("add", "params.yaml")  # an index that holds the same values must not be what comes back
    text = refused()
    assert said in text
    assert "Nothing has run." in text
    assert f"\n  {key.replace('__', '.')}: {value!r} -> " in text
    run_the_command(text)
    assert Path("params.yaml").read_bytes() == committed
    check_params(Path("params.yaml"), passed=PASSED)


def test_an_address_is_left_to_fetch(project: Path) -> None:
    override(data__root="s3://bucket/images")
    assert check_params(Path("params.yaml"), passed=PASSED).data.root == "s3://bucket/images"


def test_the_error_says_what_else_the_command_would_undo(project: Path) -> None:
    override(train_seg__lr="abc", data__image_size=128, train_seg__loss__dice=2.0)
    text = refused()
    committed = load_params(ROOT / "params.yaml").train_seg.lr
    assert f"  train_seg.lr: 'abc' -> {committed}" in text
    assert "  data.image_size: 128 -> 64" in text
    assert "  train_seg.loss.dice: 2.0 -> 1.0" in text
    names = ("lr", "epochs", "batch_size", "warmup", "momentum", "weight_decay", "patience")
    override(**{f"{section}__{name}": 1 for section in ("train_ae", "train_seg") for name in names})
    assert "  and 4 more; all are in `git diff HEAD -- params.yaml`" in refused()


def test_a_file_that_is_no_yaml(project: Path) -> None:
    Path("params.yaml").write_text("seed: 1\nseed: 2\n")
    text = refused()
    assert "the key 'seed' is set a second time" in text
    assert text.endswith("which undoes all that was changed in it since.")
    run_the_command(text)
    check_params(Path("params.yaml"), passed=PASSED)


def test_no_command_where_the_commit_is_no_better(project: Path) -> None:
    override(train_seg__lr="abc")
    commit()
    override(seed=1)
    assert refused().endswith("Mend params.yaml, and run again. (The committed one cannot be used either.)")


def test_outside_git(project: Path) -> None:
    shutil.rmtree(".git")
    override(train_seg__lr="abc")
    assert refused().endswith("Nothing has run. Mend params.yaml, and run again.")


def test_a_run_in_a_folder_of_its_own_has_changed_nothing(project: Path, monkeypatch: Any) -> None:
    folder = project / ".dvc" / "tmp" / "exps" / "standalone" / "x"
    (folder / "data" / "local").mkdir(parents=True)
    shutil.copy("params.yaml", folder)
    monkeypatch.chdir(folder)
    override(train_seg__lr="abc")
    assert refused().endswith("This run had a folder of its own; your params.yaml is as it was.")


def test_a_logger_that_is_not_installed_is_named_before_any_work(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ae_pretrained.params.logger_packages.find_spec", lambda _: None)
    override(runtime__logger="tensorboard")
    said = refused()
    assert "runtime.logger: found 'tensorboard', whose package is not installed" in said
    assert "`pip install tensorboard`" in said
    assert "Nothing has run." in said
    run_the_command(said)
    check_params(Path("params.yaml"), passed=PASSED)


class _Networks:
    """Stands in for timm: an encoder of five levels, and a teacher that cannot be had."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def encoder_strides(self, name: str, side: int, pretrained: bool) -> list[int]:
        self.asked.append((name, side, pretrained))
        return [2, 4, 8, 16, 32]

    def check_teacher(self, name: str, size: int) -> None:
        raise PipelineError(f"{name} at {size}: no network")


def test_named_networks_are_built_before_anything_runs(project: Path) -> None:
    networks = _Networks()
    check_params(Path("params.yaml"), passed=PASSED, networks=networks)
    assert networks.asked == []
    PASSED.unlink()
    override(model__encoder="timm/resnet18", train_seg__init="imagenet", train_seg__half_size=0.5)
    check_params(Path("params.yaml"), passed=PASSED, networks=networks)
    assert networks.asked == [("timm/resnet18", 32, True)]
    override(train_ae__skips=5)
    with pytest.raises(ParamsError, match=r"train_ae\.skips: 5 .* timm/resnet18 has 4 skip connections"):
        check_params(Path("params.yaml"), passed=PASSED, networks=networks)
    override(train_ae__loss__teacher="timm/vit", train_ae__loss__teacher_size=224)
    with pytest.raises(ParamsError, match="timm/vit at 224: no network\nNothing has run"):
        check_params(Path("params.yaml"), passed=PASSED, networks=networks)
