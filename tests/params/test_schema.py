from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ae_pretrained.params import ParamsError, load_params, read_params, validate_params
from ae_pretrained.params.reading import ADDED, RENAMED, schema_keys
from tests.conftest import ROOT, committed_values


@pytest.fixture
def values() -> dict[str, Any]:
    return committed_values()


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        values = values[section]
    values[name] = value


def test_committed_params_are_valid() -> None:
    assert load_params(ROOT / "params.yaml").data.source == "synthetic"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_seg.lr", "abc", "found 'abc' (str)"),
        ("train_seg.lr", "1e-3", "found '1e-3' (str)"),
        ("train_seg.lr", True, "found True (bool)"),
        ("train_seg.lr", -1.0, "greater than 0"),
        ("train_seg.lr", float("nan"), "train_seg.lr"),
        ("train_seg.epochs", 0, "greater than or equal to 1"),
        ("train_seg.epochs", 2.5, "train_seg.epochs"),
        ("train_seg.lrr", 1, "train_seg.lrr: unknown key, found 1; did you mean train_seg.lr?"),
        ("train_seg.dice", 1, "did you mean train_seg.loss.dice?"),
        ("epochs", 1, "did you mean train_ae.epochs or train_seg.epochs?"),
        ("extra", 1, "extra: unknown key, found 1; known at the top: seed, data, model"),
        ("train_seg.loss", 5, "found 5 (int); expected a section with the keys dice, cross_entropy"),
        ("train_seg.init", "imagnet", "'imagenet'"),
        ("data.val_fraction", 1.5, "less than 1"),
        ("data.classes", ["background", "pet"], "3 classes"),
        ("data.classes", ["background", "cat", "cat"], "names must differ"),
        ("data.ignore_index", 1, "also the value of class 'cat'"),
        ("model.encoder_dropout", [0.0], "  model.encoder_dropout: 6 features need 6 values, found 1"),
        ("model.norm", None, "model.norm"),
        ("data.image_size", 32, "use at most 5 stages or at least 64 px"),
        ("train_seg.half_size", 0.5, "use 0.0 or at least 128 px"),
        ("train_ae.half_size", 1.0, "less than 1"),
        ("train_ae.skips", "half", "  train_ae.skips: found 'half' (str)"),
        ("train_ae.skips", 6, "6 levels cannot be dropped"),
        ("train_ae.corruption.mask_block", 65, "larger than data.image_size"),
        ("robustness.jpeg", [0], "robustness.jpeg.0"),
    ],
)
def test_bad_value_is_named(values: dict[str, Any], key: str, value: Any, said: str) -> None:
    set_key(values, key, value)
    with pytest.raises(ParamsError) as error:
        validate_params(values)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results").glob("*/params.yaml")), ids=lambda p: p.parent.name
)
def test_params_of_earlier_versions_say_what_to_add(path: Path) -> None:
    """The values that the error names are all that such a file lacks."""
    values = read_params(path)
    for key, value in missing(values):
        set_key(values, key, value)
    validate_params(values)


def missing(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Keys and values that the error says to add."""
    try:
        validate_params(values)
    except ParamsError as error:
        pattern = r"^  ([\w.]+): missing; it came later, and (.+) is what was done without it$"
        said = re.findall(pattern, str(error), re.MULTILINE)
        return [(key, YAML(typ="safe", pure=True).load(value)) for key, value in said]
    return []


def test_added_keys_are_keys() -> None:
    assert set(ADDED) <= set(schema_keys())


def test_a_renamed_key_says_what_it_is_called_now(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RENAMED, "train_seg.rate", "renamed; write lr in its place")
    set_key(values, "train_seg.rate", 0.1)
    with pytest.raises(ParamsError, match=r"train_seg\.rate: renamed; write lr in its place$"):
        validate_params(values)
    assert not set(RENAMED) & set(schema_keys())


def test_a_loss_on_corrupted_pixels_needs_a_corruption(values: dict[str, Any]) -> None:
    set_key(values, "train_ae.loss.on", "corrupted")
    validate_params(values)
    set_key(values, "train_ae.corruption.kind", "none")
    with pytest.raises(ParamsError, match=r"needs a corruption\.kind"):
        validate_params(values)


@pytest.mark.parametrize("section", ["train_ae", "train_seg"])
def test_the_last_epoch_is_of_runs_of_fixed_length(values: dict[str, Any], section: str) -> None:
    set_key(values, f"{section}.keep", "last")
    with pytest.raises(ParamsError, match=rf"{section}\.keep: 'last' .*patience: 15"):
        validate_params(values)
    set_key(values, f"{section}.patience", 0)
    validate_params(values)


@pytest.mark.parametrize("weight", ["contrastive", "dense"])
def test_contrast_needs_another_image(values: dict[str, Any], weight: str) -> None:
    set_key(values, "train_ae.batch_size", 1)
    validate_params(values)
    set_key(values, f"train_ae.loss.{weight}", 1.0)
    with pytest.raises(ParamsError, match=r"train_ae\.batch_size: 1 leaves"):
        validate_params(values)


def test_pretraining_goes_on_from_an_encoder_with_weights(values: dict[str, Any]) -> None:
    set_key(values, "train_ae.init", "imagenet")
    with pytest.raises(ParamsError, match=r"train_ae\.init: 'imagenet' .*model\.encoder: efficientnet_lite0"):
        validate_params(values)
    set_key(values, "model.encoder", "efficientnet_lite0")
    validate_params(values)


def test_encoders_of_crops(values: dict[str, Any]) -> None:
    for key, value in {"data.resize": "crop", "data.image_size": 256, "model.norm": "batch"}.items():
        set_key(values, key, value)
    set_key(values, "model.encoder", "timm/resnet18")
    with pytest.raises(ParamsError, match=r"timm/resnet18.* needs convolutional or efficientnet_lite0"):
        validate_params(values)
    set_key(values, "model.encoder", "efficientnet_lite0")
    validate_params(values)
    set_key(values, "data.image_size", 240)
    with pytest.raises(ParamsError, match=r"data\.image_size: 240 px is no multiple of 32"):
        validate_params(values)


def test_blocks_are_of_the_oxford_layout(values: dict[str, Any]) -> None:
    set_key(values, "data.val_blocks", 10)
    validate_params(values)
    set_key(values, "data.source", "coco")
    with pytest.raises(ParamsError, match=r"data\.val_blocks: are of the official Oxford layout"):
        validate_params(values)


def test_every_fault_is_named_at_once(values: dict[str, Any]) -> None:
    values["train_seg"]["lr"] = "abc"
    del values["data"]["root"]
    with pytest.raises(ParamsError, match=r"(?s)data.root: missing.*train_seg.lr"):
        validate_params(values)


def test_whole_numbers_are_numbers(values: dict[str, Any]) -> None:
    values["train_seg"]["lr"] = 1
    values["robustness"]["contrast_up"] = [2]
    params = validate_params(values)
    assert params.train_seg.lr == 1.0
    assert params.robustness.contrast_up == [2.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nseed: 2\n", r"line 2 .* the key 'seed' is set a second time"),
        ("data:\n\tsource: x\n", r"line 2 \('source: x'\): found a tab"),
        ("<<<<<<< HEAD\nseed: 1\n=======\nseed: 2\n>>>>>>> main\n", "merge conflict"),
        ("", "expected a mapping"),
        ("- 1\n", "expected a mapping"),
    ],
)
def test_unreadable_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=said):
        load_params(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "params.yaml")


def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    """DVC reads YAML 1.2: `1e-4` is a number and `no` a word; PyYAML would say the opposite."""
    path = tmp_path / "params.yaml"
    path.write_text("a: 1e-4\nb: no\n")
    assert read_params(path) == {"a": 1e-4, "b": "no"}


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"seed: 1  # f\xfcr alle\n")
    with pytest.raises(
        ParamsError, match=r"params\.yaml: not valid UTF-8 \(byte 12: 0xfc\); save the file as UTF-8"
    ):
        load_params(tmp_path / "params.yaml")
