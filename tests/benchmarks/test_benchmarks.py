"""Every benchmark runs through at a tiny size; how long anything takes is asserted nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ae_pretrained.files import write_json
from ae_pretrained.params import load_params
from ae_pretrained.prediction.shipped import shipped_model
from benchmarks import __main__ as everything
from benchmarks import clone, cluster, embedded, limit, predict, prepare, spread, startup, teacher, training
from benchmarks.common import Ratio, Timing, measure, median, median_ratio, take_turns, write_result
from benchmarks.limit import group_of

pytestmark = pytest.mark.long


def result(folder: Path, name: str) -> dict[str, Any]:
    values = dict(json.loads((folder / f"{name}.json").read_text()))
    assert values["machine"]["cores"] >= 1
    return values


def test_ways_take_turns_and_the_order_changes() -> None:
    seen: list[str] = []
    ways = {name: lambda name=name: seen.append(name) for name in "abc"}  # type: ignore[misc]
    assert take_turns(ways, 2) == {name: [None, None] for name in "abc"}
    assert "".join(seen) == "abccba"


def test_ratios_are_taken_round_by_round() -> None:
    above = [Timing(2.0, 4.0), Timing(30.0, 4.0), Timing(6.0, 4.0)]
    below = [Timing(1.0, 2.0), Timing(1.0, 1.0), Timing(2.0, 4.0)]
    assert median_ratio(above, below) == Ratio(clock=3.0, cpu=2.0)
    assert median(above) == Timing(clock=6.0, cpu=4.0)


def test_cpu_time_is_that_of_the_work_and_of_its_processes() -> None:
    slept = measure(lambda: time.sleep(0.2))
    assert slept.clock >= 0.2
    assert slept.cpu < 0.1
    loop = "import time\nwhile time.process_time() < 0.2: pass"
    assert measure(lambda: subprocess.run([sys.executable, "-c", loop], check=True)).cpu >= 0.2


def test_result_files(tmp_path: Path) -> None:
    write_result("made_up", {"seconds": {"one": [Timing(1.0, 2.0)]}, "ratio": Ratio(3.0, 4.0)}, tmp_path)
    figures = result(tmp_path, "made_up")
    assert figures["seconds"] == {"one": [{"clock": 1.0, "cpu": 2.0}]}
    assert figures["ratio"] == {"clock": 3.0, "cpu": 4.0}


@pytest.mark.parametrize(
    ("operator", "group"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten::native_group_norm_backward", "norm"),
        ("aten::upsample_bilinear2d_backward", "upsampling"),
        ("aten::leaky_relu_", "activation"),
        ("aten::_fused_adamw_", "optimiser"),
        ("aten::cat", "copies and formats"),
        ("aten::_log_softmax", "loss"),
        ("aten::bernoulli_", "other"),
    ],
)
def test_groups_of_operators(operator: str, group: str) -> None:
    assert group_of(operator) == group


def test_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--size", "64", "--batch-size", "2", "--images", "12", "--precision", "32"]
    training.main(["--rounds", "1", "--steps", "1", "--out", str(tmp_path), *small])
    figures = result(tmp_path, "training")
    assert set(figures["seconds_per_step"]) == {"ours", "plain", "held"}
    assert all(one["clock"] > 0 for row in figures["seconds_per_step"].values() for one in row)
    assert "speed against the plain loop" in capsys.readouterr().out


def test_teacher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher.main(["--rounds", "1", "--steps", "1", "--batch-size", "2", "--out", str(tmp_path)])
    figures = result(tmp_path, "teacher")
    assert set(figures["seconds_per_step"]) == {"computed", "kept"}
    assert float(capsys.readouterr().out.split("on disk: ")[1].split()[0]) > 0


def test_limit(tmp_path: Path) -> None:
    small = ["--size", "64", "--batch-size", "8", "--precision", "32", "--matrix", "512"]
    limit.main(["--rounds", "1", "--steps", "1", "--out", str(tmp_path), *small])
    figures = result(tmp_path, "limit")
    assert figures["flops_per_step"] > 1e8
    assert figures["reached"]["clock"] > 0
    assert figures["shares"]["convolution"] > 0
    assert np.isclose(sum(figures["shares"].values()), 1.0, atol=1e-4)


def test_prepare(tmp_path: Path) -> None:
    small = ["--images", "24", "--growth", "60", "--size", "64"]
    prepare.main(["--rounds", "1", "--out", str(tmp_path), *small])
    figures = result(tmp_path, "prepare")
    assert figures["pairs"] == 24
    assert [row["pairs"] for row in figures["growth"]] == [60]
    assert all(row["main"] > 0 and row["read_ms"] > 0 for row in figures["growth"])


def test_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Exporting takes longer than all else here, and has tests of its own.
    monkeypatch.setattr(predict, "_ways", lambda model, folder: {"PyTorch": str(shipped_model("segmenter"))})
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 60, 3), 90, dtype=np.uint8))
    small = [str(tmp_path), "--rounds", "1", "--count", "3", "--batch-sizes", "2", "--threads", "1"]
    predict.main([*small, "--out", str(tmp_path)])
    rows = result(tmp_path, "predict")["rows"]
    assert [row["averaging"] for row in rows] == ["no flip", "flip averaging"]
    assert all(row["photos_per_second"] > 0 and row["peak_mib"] > 10 for row in rows)


def test_cluster(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ae-pretrained[ray]'")
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 60, 3), 90, dtype=np.uint8))
    cluster.main([str(tmp_path), "--rounds", "1", "--count", "3", "--out", str(tmp_path / "out")])
    figures = result(tmp_path / "out", "cluster")
    assert figures["ratio"]["clock"] > 0
    assert figures["seconds"]["3"]["on Ray"][0]["cpu"] > 1, "that of the workers counts"
    assert "speed of Ray against the plain command" in capfd.readouterr().out


def test_startup(tmp_path: Path) -> None:
    startup.main(["--rounds", "1", "--no-dvc", "--out", str(tmp_path)])
    assert result(tmp_path, "startup")["ae-pretrained --help"]["clock"] > 0


def test_embedded(tmp_path: Path) -> None:
    embedded.main(["--stages", "validate", "--out", str(tmp_path)])
    assert list(result(tmp_path, "embedded")["stages"]) == ["validate"]
    stages = embedded.stages_of(clone.REPOSITORY / "dvc.yaml")
    assert stages.index("fetch") < stages.index("prepare") < stages.index("train_ae") < stages.index("report")


def test_all_of_them(tmp_path: Path) -> None:
    root, out = tmp_path / "images", tmp_path / "out"
    commands = [everything.command_of(name, root, out) for name in everything.NAMES]
    for name, command in zip(everything.NAMES, commands, strict=True):
        assert command[2] == f"benchmarks.{name}"
        assert (clone.REPOSITORY / "benchmarks" / f"{name}.py").is_file()
        assert command[-2:] == ["--out", str(out)]
        assert (str(root) in command) == (name in ("training", "prepare", "predict"))
    with pytest.raises(SystemExit):
        everything.main(["trainig"])


def test_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    commands: list[str] = []

    def instead(command: list[str], folder: Path) -> str:
        stage = command[-1].removeprefix("stages.")
        params = load_params(folder / "params.yaml")
        commands.append(f"{params.seed} {params.runtime.threads} {params.train_seg.precision} {stage}")
        iou = 0.8 + 0.01 * params.seed
        write_json(
            folder / "metrics" / "eval_seg.json",
            {"mean_iou": iou, "mean_iou_ci95": [iou, iou], "image_class_accuracy": 1.0},
        )
        return ""

    monkeypatch.setattr(spread, "run", instead)
    asked = ["--seeds", "1", "2", "--threads", "1", "--out", str(tmp_path)]
    spread.main([*asked, "--precision", "32"])
    assert [command.split()[-1] for command in commands[:2]] == ["validate", "fetch"], "once for all runs"
    of_run = ("prepare", "train_ae", "train_seg", "eval_seg")
    assert commands[2:] == [f"{seed} 1 32 {stage}" for seed in (1, 2) for stage in of_run]
    assert "2 runs: mean 0.815, 0.810 to 0.820, farthest 0.005 from it" in capsys.readouterr().out
    record = json.loads((tmp_path / "seed1_threads1_32.json").read_text())
    assert record["provenance"]["threads"] == 1

    commands.clear()
    spread.main([*asked, "--precision", "32", "bf16"])
    assert [command.split()[2] for command in commands[2:]] == ["bf16"] * 8, "what is there is not run again"
