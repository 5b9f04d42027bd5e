"""Every benchmark runs through at a tiny size; how long anything takes is asserted nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as everything
from benchmarks import clone, embedded, limit, prepare, startup, training
from benchmarks.common import median_ratio, take_turns
from benchmarks.limit import group_of


def result(folder: Path, name: str) -> dict[str, Any]:
    values = dict(json.loads((folder / f"{name}.json").read_text()))
    assert values["machine"]["cores"] >= 1
    return values


def test_ways_take_turns_and_the_order_changes() -> None:
    seen: list[str] = []
    ways = {name: lambda name=name: seen.append(name) for name in "abc"}  # type: ignore[misc]
    assert take_turns(ways, 2) == {name: [None, None] for name in "abc"}
    assert "".join(seen) == "abccba"
    assert median_ratio([2.0, 30.0, 6.0], [1.0, 1.0, 2.0]) == 3.0


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
    small = ["--size", "64", "--batch-size", "2", "--pictures", "12", "--precision", "32"]
    training.main(["--rounds", "1", "--steps", "1", "--out", str(tmp_path), *small])
    figures = result(tmp_path, "training")
    assert set(figures["seconds_per_step"]) == {"ours", "plain", "held"}
    assert all(seconds > 0 for row in figures["seconds_per_step"].values() for seconds in row)
    assert "ours against the plain loop" in capsys.readouterr().out


def test_limit(tmp_path: Path) -> None:
    small = ["--size", "64", "--batch-size", "8", "--precision", "32", "--matrix", "128"]
    limit.main(["--rounds", "1", "--steps", "1", "--out", str(tmp_path), *small])
    figures = result(tmp_path, "limit")
    assert figures["flops_per_step"] > 1e8
    assert figures["reached"] > 0
    assert figures["shares"]["convolution"] > 0
    assert np.isclose(sum(figures["shares"].values()), 1.0, atol=1e-4)


def test_prepare(tmp_path: Path) -> None:
    small = ["--pictures", "24", "--growth", "30", "60", "--size", "64"]
    prepare.main(["--rounds", "1", "--out", str(tmp_path), *small])
    figures = result(tmp_path, "prepare")
    assert figures["pairs"] == 24
    assert [row["pairs"] for row in figures["growth"]] == [30, 60]
    assert all(row["main"] > 0 for row in figures["growth"])


def test_startup(tmp_path: Path) -> None:
    startup.main(["--rounds", "1", "--no-dvc", "--out", str(tmp_path)])
    assert result(tmp_path, "startup")["ae-pretrained --help"]["clock"] > 0


def test_embedded(tmp_path: Path) -> None:
    embedded.main(["--stages", "validate", "--out", str(tmp_path)])
    assert list(result(tmp_path, "embedded")["stages"]) == ["validate"]
    stages = embedded.stages_of(clone.REPOSITORY / "dvc.yaml")
    assert stages.index("fetch") < stages.index("prepare") < stages.index("train_ae") < stages.index("report")


def test_all_of_them(tmp_path: Path) -> None:
    commands = [everything.command_of(name, tmp_path, tmp_path, tmp_path) for name in everything.NAMES]
    for name, command in zip(everything.NAMES, commands, strict=True):
        assert command[2] == f"benchmarks.{name}"
        assert (clone.REPOSITORY / "benchmarks" / f"{name}.py").is_file()
    with pytest.raises(SystemExit):
        everything.main(["trainig"])
