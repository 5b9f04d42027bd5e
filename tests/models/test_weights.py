from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ae_pretrained.errors import PipelineError
from ae_pretrained.models import weights
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.transfer import (
    build_segmenter,
    freeze_encoder,
    is_frozen,
    parameter_groups,
    thaw_encoder,
)
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import (
    SegmenterInfo,
    WeightsError,
    load_autoencoder,
    load_strictly,
    load_unet,
    save_model,
)

CONFIG = ModelConfig((4, 8), (0.1, 0.2), (0.1,), norm="batch")
INFO = SegmenterInfo(("background", "cat", "dög"), 32, "pad")


@pytest.fixture
def autoencoder(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "autoencoder.safetensors"
    save_model(Autoencoder(CONFIG, 1), path)
    return path


def test_round_trip(tmp_path: Path) -> None:
    model = UNet(CONFIG, 3)
    model(torch.rand(2, 3, 16, 16))  # moves the statistics of batch norm
    path = tmp_path / "a" / "segmenter.safetensors"
    save_model(model, path, INFO)
    loaded, info = load_unet(path)
    assert info == INFO
    assert loaded.config == CONFIG
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(loaded(x), model.eval()(x))
    assert not loaded.training


def test_round_trip_of_the_autoencoder_keeps_its_skips(autoencoder: Path) -> None:
    torch.manual_seed(1)
    model = load_autoencoder(autoencoder)
    assert model.skips == 1
    assert model.config == CONFIG


def test_imagenet_segmenter_is_read_back(tmp_path: Path) -> None:
    model = build_segmenter("imagenet", "encoder", CONFIG, 3).eval()
    path = tmp_path / "segmenter.safetensors"
    save_model(model, path, INFO)
    x = torch.rand(1, 3, 40, 40)
    assert torch.equal(load_unet(path)[0](x), model(x))


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    model = UNet(CONFIG, 3)
    for name in ("one", "two"):
        save_model(model, tmp_path / name, INFO)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_half_precision_halves_the_file_and_loads_as_float32(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, features=(16, 32))
    model = UNet(config, 3).eval()
    save_model(model, tmp_path / "full", INFO)
    save_model(model, tmp_path / "half", INFO, dtype=torch.float16)
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    loaded = load_unet(tmp_path / "half")[0]
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    x = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(loaded(x), model(x), atol=0.05, rtol=0.05)


def test_damaged_and_foreign_files(autoencoder: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(autoencoder.read_bytes()[:-100])
    pickle = tmp_path / "pickle.safetensors"
    torch.save({"a": torch.zeros(2)}, pickle)
    bare = tmp_path / "bare.safetensors"
    save_file({"a": torch.zeros(2)}, bare)
    empty = tmp_path / "empty.safetensors"
    empty.write_bytes(b"")
    for path, said in (
        (cut, "damaged or truncated"),
        (pickle, "PyTorch pickle"),
        (bare, "without this pipeline's header"),
        (empty, "damaged or truncated"),
        (tmp_path / "absent.safetensors", "no such weights file"),
    ):
        with pytest.raises(WeightsError, match=said) as error:
            load_autoencoder(path)
        assert str(path) in str(error.value)
    with pytest.raises(WeightsError, match=r"holds a 'autoencoder', expected a 'segmenter'"):
        load_unet(autoencoder)


def test_nothing_is_loaded_in_part() -> None:
    model = UNet(CONFIG, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = UNet(dataclasses.replace(CONFIG, features=(4, 6)), 3).state_dict()
    del other["head.bias"]
    other["extra"] = torch.zeros(1)
    with pytest.raises(
        WeightsError, match=r"missing head.bias.*unknown extra.*file \(6, 4, 3, 3\), model \(8, 4, 3, 3\)"
    ):
        load_strictly(model, other, "other.safetensors")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_transfer_carries_over_what_it_says(autoencoder: Path) -> None:
    source = load_autoencoder(autoencoder).state_dict()
    for transfer, parts in (("encoder", ("encoder",)), ("encoder_decoder", ("encoder", "decoder"))):
        torch.manual_seed(7)
        fresh = UNet(CONFIG, 3).state_dict()
        torch.manual_seed(7)
        model = build_segmenter("autoencoder", transfer, CONFIG, 3, autoencoder)  # type: ignore[arg-type]
        for name, value in model.state_dict().items():
            origin = source if name.split(".")[0] in parts else fresh
            assert torch.equal(value, origin[name]), name


def test_transfer_refuses_another_architecture(autoencoder: Path) -> None:
    with pytest.raises(WeightsError, match=r"features \(4, 8\), the segmenter \(4, 16\)"):
        build_segmenter(
            "autoencoder", "encoder", dataclasses.replace(CONFIG, features=(4, 16)), 3, autoencoder
        )
    with pytest.raises(WeightsError, match="norm batch, the segmenter instance"):
        build_segmenter(
            "autoencoder", "encoder", dataclasses.replace(CONFIG, norm="instance"), 3, autoencoder
        )
    with pytest.raises(WeightsError, match="needs the weights file"):
        build_segmenter("autoencoder", "encoder", CONFIG, 3, None)


def rewritten(path: Path, changes: dict[str, object], to: Path) -> Path:
    """The same tensors under a changed header; None removes an entry."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["ae_pretrained"]) | changes
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = {key: value for key, value in header.items() if value is not None}
    save_file(tensors, to, metadata={"ae_pretrained": json.dumps(header)})
    return to


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "9"}, "of format '9', expected '1'"),
        ({"config": None}, "lacks config"),
        ({"skips": None}, "lacks skips"),
        ({"config": {"features": [4, 8]}}, "describes no model"),
        ({"config": {**CONFIG.to_dict(), "depth": 3}}, "describes no model.*depth"),
        ({"config": {**CONFIG.to_dict(), "decoder_dropout": []}}, "2 features need 1 values, found 0"),
        ({"config": {**CONFIG.to_dict(), "features": [4, 6]}}, r"file \(8, 4, 3, 3\), model \(6, 4, 3, 3\)"),
        ({"config": {**CONFIG.to_dict(), "norm": "instance"}}, "unknown decoder.*running_mean"),
        ({"skips": 7}, "skips: 7, expected"),
    ],
)
def test_header_that_does_not_fit(
    autoencoder: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    path = rewritten(autoencoder, changes, tmp_path / "changed.safetensors")
    with pytest.raises(PipelineError, match=said):
        load_autoencoder(path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "segmenter.safetensors"
    save_model(UNet(CONFIG, 3), path, INFO)
    before = path.read_bytes()

    def fails(_: object, temporary: Path, **__: object) -> None:
        temporary.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(weights, "save_file", fails)
    with pytest.raises(OSError, match="no space left"):
        save_model(UNet(CONFIG, 3), path, INFO)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def steps(model: UNet) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        model.train()
        loss = model(torch.rand(4, 3, 16, 16)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_frozen_means_weights_statistics_and_dropout() -> None:
    torch.manual_seed(0)
    model = UNet(CONFIG, 3)
    steps(model)  # leaves gradients behind, which must not be followed once frozen
    freeze_encoder(model)
    assert is_frozen(model)
    assert all(p.grad is None for p in model.encoder.parameters())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    steps(model)
    for name, value in model.state_dict().items():
        assert torch.equal(before[name], value) == name.startswith("encoder."), name
    x = torch.rand(2, 3, 16, 16)
    maps = [model.train().encoder(x)[-1] for _ in range(2)]
    assert torch.equal(*maps), "dropout of a frozen encoder is off"
    thaw_encoder(model)
    assert not is_frozen(model)
    assert model.encoder.training
    steps(model)
    moved = [name for name, value in model.state_dict().items() if not torch.equal(before[name], value)]
    assert {name for name in before if name.startswith("encoder.")} <= set(moved)


def test_thawing_in_evaluation_mode_does_not_switch_dropout_on() -> None:
    model = UNet(CONFIG, 3).eval()
    freeze_encoder(model)
    thaw_encoder(model)
    assert not model.encoder.training


def test_parameter_groups_hold_every_parameter_once() -> None:
    model = UNet(CONFIG, 3)
    groups = parameter_groups(model, 0.1, 0.5, 0.01)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    for group in groups:
        assert group["lr"] == (0.05 if group["name"].startswith("encoder") else 0.1)
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}
