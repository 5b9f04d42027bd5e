from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.params import load_params, read_params
from ae_pretrained.params.presets import apply_preset, list_presets, read_preset
from tests.conftest import ROOT


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def test_validate(params_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(params_file)]) == 0
    params_file.write_text(params_file.read_text().replace("seed: 42", "seed: -1"))
    assert main(["validate", str(params_file)]) == 1
    assert "seed: found -1 (int)" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(list_presets(ROOT / "presets")))
def test_every_preset_is_valid_and_keeps_the_comments(params_file: Path, name: str) -> None:
    before = params_file.read_text()
    apply_preset(name, ROOT / "presets", params_file)
    load_params(params_file)
    comments = [line.partition("#")[2] for line in before.splitlines() if "#" in line]
    after = [line.partition("#")[2] for line in params_file.read_text().splitlines() if "#" in line]
    assert after == comments


def test_a_preset_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    names = sorted(list_presets(ROOT / "presets"))
    outcomes = {}
    for first in names:
        for second in names:
            path = tmp_path / "params.yaml"
            path.write_bytes((ROOT / "params.yaml").read_bytes())
            apply_preset(first, ROOT / "presets", path)
            apply_preset(second, ROOT / "presets", path)
            outcomes[first, second] = read_params(path)
    for first in names:
        for second in names:
            assert outcomes[first, second] == outcomes[second, second], f"{second} after {first}"


def test_preset_shows_what_changes(params_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(ROOT / "presets")
    assert main(["preset", "paper", "--params", str(params_file), "--folder", folder]) == 0
    said = capsys.readouterr().out
    assert "train_seg.optimizer: adamw -> sgd" in said
    assert read_params(params_file)["train_seg"]["momentum"] == 0.99
    assert main(["preset", "--folder", folder]) == 0
    assert "paper" in capsys.readouterr().out


def test_the_paper_preset_is_the_original_recipe(params_file: Path) -> None:
    apply_preset("paper", ROOT / "presets", params_file)
    params = load_params(params_file)
    assert params.model.features == [32, 64, 128, 256, 512, 512]
    assert params.model.encoder_dropout == [0, 0, 0.1, 0.2, 0.3, 0.3]
    assert params.model.decoder_dropout == [0.3, 0.2, 0.2, 0.1, 0]
    ae, seg = params.train_ae, params.train_seg
    assert (ae.optimizer, ae.lr, ae.weight_decay, ae.batch_size) == ("adam", 1e-3, 1e-5, 32)
    assert (ae.epochs, ae.patience, ae.schedule, ae.skips) == (200, 15, "cosine", "full")
    assert (ae.loss.mse, ae.loss.perceptual, ae.loss.ssim) == (1.0, 0.1, 0.1)
    assert ae.corruption.kind == "none"
    assert (seg.optimizer, seg.lr, seg.momentum, seg.weight_decay) == ("sgd", 5e-3, 0.99, 1e-4)
    assert (seg.schedule, seg.batch_size, seg.init, seg.freeze_epochs) == (
        "polynomial",
        32,
        "autoencoder",
        -1,
    )
    assert (seg.loss.dice, seg.loss.cross_entropy, seg.loss.class_weights) == (1.0, 1.0, "dynamic")


def test_a_preset_may_extend_another() -> None:
    base, extended = (read_preset(name, ROOT / "presets") for name in ("oxford", "oxford64"))
    assert set(extended) == set(base)
    assert {key[-1] for key in base if base[key] != extended[key]} == {
        "image_size",
        "half_size",
        "perceptual_size",
        "epochs",
    }


def test_bad_presets_leave_the_file_alone(
    params_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = params_file.read_bytes()
    presets = tmp_path / "presets"
    presets.mkdir()
    (presets / "typo.yaml").write_text("# typo\ntrain_seg:\n  lrr: 1\n")
    (presets / "wrong.yaml").write_text("# wrong\ntrain_seg:\n  lr: fast\n")
    (presets / "lost.yaml").write_text("# lost\nextends: nowhere\n")
    (presets / "loop.yaml").write_text("# loop\nextends: back\n")
    (presets / "back.yaml").write_text("# back\nextends: loop\n")
    for name, said in (
        ("typo", "train_seg.lrr"),
        ("wrong", "train_seg.lr"),
        ("absent", "preset 'absent' is unknown"),
        ("lost", "preset 'nowhere', which lost extends, is unknown"),
        ("loop", "loop -> back -> loop"),
    ):
        arguments = ["preset", name, "--params", str(params_file), "--folder", str(presets)]
        assert main(arguments) == 1
        assert said in capsys.readouterr().err
    assert params_file.read_bytes() == before


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--metrics", str(tmp_path)]) == 1
    assert "no metrics there" in capsys.readouterr().err
    scores = {"dice": 0.5, "iou": 1 / 3, "precision": 0.5, "recall": 0.5}
    values = {"mean_iou": 0.4321, "mean_iou_ci95": [0.4, 0.5], "cat": scores}
    (tmp_path / "eval_seg.json").write_text(json.dumps(values))
    assert main(["summary", "--metrics", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "0.4321" in said
    assert "0.4000 to 0.5000" in said
    assert "0.3333" in said


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from ae_pretrained.apps.cli import build_parser; build_parser().format_help();"
        "print([n for n in ('torch', 'numpy', 'matplotlib', 'cv2', 'pydantic') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
