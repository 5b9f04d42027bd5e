"""Class names that metrics, tables or figures would take for something else are refused before any work."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.evaluation.segmenter_measures import measure_segmenter, summarise
from ae_pretrained.figures.curves import training_curves
from ae_pretrained.params import ParamsError, validate_params
from ae_pretrained.params.class_names import RESERVED, check_class_names
from tests.apps.init.folders import write_images
from tests.conftest import ROOT, committed_values
from tests.evaluation.small import CLASSES, draw_split, params, tiny_unet
from tests.preparation.test_prepare import run

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mean_iou", "call it 'mean_iou_class', say. Reserved are absent_classes, audit"),
        ("Ignored", "'Ignored' is the name of something else"),
        ("pixel_accuracy", "call it 'pixel_accuracy_class'"),
        ("num_images", "Reserved are"),
        ("", "name 1 is empty"),
        (" \t", "name 1 is empty"),
        (" leaf", "spaces at its ends"),
        ("two\nlines", "line breaks or control characters"),
        ("caf\udce9", "control characters"),
        ("leaf.young", "call it 'leaf_young', say"),
        ("n/a", "call it 'n_a', say"),
        ("a\\b", "call it 'a_b', say"),
        ("x" * 61, "use at most 60"),
        ("flower", "names must differ, found 'flower' twice"),
        ("FLOWER", "'FLOWER' and 'flower', which differ in case only"),
        ("background", "'background' twice"),
        ("Background", "differ in case only"),
    ],
)
def test_names_that_are_refused(name: str, said: str) -> None:
    names = ["background", name, "stem"]
    if name.casefold() == "flower":
        names = ["background", "flower", name]
    with pytest.raises(ValueError, match="classes: ") as refusal:
        check_class_names(names)
    assert said in str(refusal.value)
    values = committed_values()
    values["data"] |= {"source": "folder", "classes": names}
    with pytest.raises(ParamsError, match=r"data\.classes"):
        validate_params(values)


def test_background_comes_first() -> None:
    with pytest.raises(ValueError, match=r"'background' stands for the first class.*found it at 1"):
        check_class_names(["leaf", "background"])


@pytest.mark.parametrize(
    "name", ["traffic light", "_background_", "a$b$", "Löwenzahn", "图像", "colr", "a:b=c"]
)
def test_names_that_are_taken(name: str) -> None:
    check_class_names(["soil", name])


def test_init_refuses_them_before_any_work(tmp_path: Path, capsys: Capture) -> None:
    images = write_images(tmp_path / "in")
    for name, said in (("ignored", "ignored_class"), ("mean_iou", "Reserved are"), ("a.b", "a_b")):
        arguments = [
            "init",
            str(tmp_path / "p"),
            "--from",
            str(images),
            "--classes",
            f"background,leaf,{name}",
        ]
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert "--classes: " in error
        assert said in error
        assert not (tmp_path / "p").exists()


def test_every_key_of_real_metrics_and_tables_is_reserved(tmp_path: Path) -> None:
    draw_split(tmp_path / "arrays", "test", 6)
    section = params(eval_seg__bootstrap_samples=20).eval_seg
    split = open_split(tmp_path / "arrays", "test")
    result = measure_segmenter(tiny_unet(), split, 3, section, Compute())
    summary = summarise(result, CLASSES, section, seed=1)
    keys = set(summary) - set(CLASSES)
    keys |= {key for name in CLASSES if name in summary for key in summary[name]}

    prepared = run(write_images(tmp_path / "in"), tmp_path, source="folder", classes=["background", "b", "c"])
    keys |= set(prepared)
    keys |= {key for shares in prepared["pixel_share"].values() for key in shares} - {"background", "b", "c"}
    keys |= {key for counts in prepared["classes"].values() for key in counts} - {"b", "c"}

    with (ROOT / "plots" / "train_seg.csv").open(newline="") as file:
        header = next(csv.reader(file))
    of_classes = {f"val_{score}_{name}" for score in ("dice", "iou") for name in CLASSES}
    keys |= set(header) - of_classes
    assert len(keys) > 30
    assert keys <= RESERVED, "add them to params/class_names.py"


def test_a_class_is_not_taken_for_a_learning_rate() -> None:
    columns = {"epoch": [1.0], "lr": [0.1], "val_iou_colr": [0.5], "val_iou_lr": [0.4]}
    figure = training_curves("training", columns, ["background", "colr"])
    panels = {axes.get_title(): [line.get_label() for line in axes.lines] for axes in figure.axes}
    assert panels["learning rate"] == ["lr"]
    assert panels["IoU by class, val"] == ["colr"]
    assert np.isfinite(figure.axes[0].lines[0].get_ydata()).all()
