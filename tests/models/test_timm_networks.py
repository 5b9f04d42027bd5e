"""Small networks of timm with random weights through both phases, export and predict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ae_pretrained.apps.export.onnx_model import to_onnx
from ae_pretrained.apps.export.quantization import quantize
from ae_pretrained.apps.export.torchscript import to_torchscript
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.explanations import explained_layers
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.encoder import Encoder, ImageSizeError
from ae_pretrained.models.encoders import encoder_strides
from ae_pretrained.models.timm_networks import TimmEncoder, TimmTeacher
from ae_pretrained.models.transfer import build_segmenter, freeze_encoder, parameter_groups
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo, WeightsError, save_model
from ae_pretrained.prediction.backends import load_model

timm: Any = pytest.importorskip("timm", reason="needs the extra: pip install 'ae-pretrained[timm]'")

INFO = SegmenterInfo(("background", "cat", "dog"), 64, "pad")
NAMES = ["timm/test_resnet", "timm/test_convnext"]  # strides from 2, with batch norm; from 4, with layer norm


def config(name: str) -> ModelConfig:
    return ModelConfig((4, 8), encoder=name, norm="batch")


def weights_of(network: str, folder: Path) -> Path:
    torch.manual_seed(3)
    path = folder / f"{network}.safetensors"
    save_file(timm.create_model(network).state_dict(), path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_as_declared(name: str) -> None:
    encoder = TimmEncoder(name).eval()
    maps = encoder(torch.rand(1, 3, 64, 96))
    assert [found.shape[1] for found in maps] == list(encoder.channels)
    assert [(64 // found.shape[2], 96 // found.shape[3]) for found in maps] == [
        (stride, stride) for stride in encoder.strides
    ]


def test_images_are_normalised_as_timm_says() -> None:
    encoder = TimmEncoder("timm/test_resnet").eval()
    x = torch.rand(1, 3, 64, 64)
    expected = encoder.network((x - 0.5) / 0.5)  # what timm states of this network
    assert torch.allclose(encoder(x)[-1], expected[-1], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_from_autoencoder_to_segmenter(name: str, tmp_path: Path) -> None:
    autoencoder = Autoencoder(config(name), skips=2)
    assert autoencoder(torch.rand(2, 3, 64, 64)).shape == (2, 3, 64, 64)
    path = tmp_path / "autoencoder.safetensors"
    save_model(autoencoder, path)
    model = build_segmenter("autoencoder", "encoder_decoder", config(name), 3, path)
    for key, value in autoencoder.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(model.state_dict()[key], value), key
    assert [group["lr"] for group in parameter_groups(model, 1.0, 0.1)] == [0.1, 0.1, 1.0, 1.0]
    freeze_encoder(model)
    before = {key: value.clone() for key, value in model.encoder.state_dict().items()}
    model.train()(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.encoder.state_dict().items())
    with pytest.raises(WeightsError, match="architecture timm/"):
        build_segmenter("autoencoder", "encoder", config("efficientnet_lite0"), 3, path)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_exports_and_predict(name: str, tmp_path: Path) -> None:
    model = UNet(config(name), 3).eval()
    path = tmp_path / "segmenter.safetensors"
    save_model(model, path, INFO)
    proto = to_onnx(model, INFO)
    exported, smaller = tmp_path / "segmenter.onnx", tmp_path / "int8.onnx"
    exported.write_bytes(proto.SerializeToString())
    smaller.write_bytes(quantize(proto).SerializeToString())
    script = tmp_path / "segmenter.pt"
    script.write_bytes(to_torchscript(model, INFO))
    for size in ((1, 64, 64), (2, 96, 70)):
        x = torch.rand(size[0], 3, *size[1:])
        with torch.no_grad():
            wanted = model(x).numpy()
        # Channels innermost in memory, where that is faster: sums in another order.
        assert np.abs(load_model(path, "cpu").logits(x.numpy()) - wanted).max() < 1e-5
        assert np.abs(load_model(exported, "cpu").logits(x.numpy()) - wanted).max() < 1e-3
        assert np.abs(torch.jit.load(script)(x).detach().numpy() - wanted).max() < 1e-4
        assert load_model(smaller, "cpu").logits(x.numpy()).shape == wanted.shape
    assert smaller.stat().st_size < exported.stat().st_size
    assert set(explained_layers(model)) == {"bottleneck", "last decoder stage"}


def test_weights_of_a_file(tmp_path: Path) -> None:
    file = weights_of("test_resnet", tmp_path)
    model = build_segmenter("imagenet", "encoder", config(f"timm/test_resnet@{file}"), 3)
    assert torch.equal(
        model.encoder.state_dict()["network.conv1.0.weight"], load_file(file)["conv1.0.weight"]
    )
    assert (
        model.config.to_dict()["encoder"] == "timm/test_resnet"
    )  # a path of this machine says nothing elsewhere
    pickle = tmp_path / "weights.pth"
    torch.save(load_file(file), pickle)
    again = TimmEncoder(f"timm/test_resnet@{pickle}", pretrained=True)
    assert torch.equal(again.state_dict()["network.conv1.0.weight"], load_file(file)["conv1.0.weight"])


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("evil",)


def test_bad_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = weights_of("test_convnext", tmp_path)
    tensors = load_file(weights_of("test_resnet", tmp_path))
    del tensors["layer1.0.bn1.weight"]
    save_file(tensors, tmp_path / "part.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(other.read_bytes()[:1000])
    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    for file in (other.name, "part.safetensors", "cut.safetensors", "evil.pth"):
        with pytest.raises(PipelineError, match=f"{file}: cannot be used as the weights of timm/test_resnet"):
            TimmEncoder(f"timm/test_resnet@{file}", pretrained=True)
    assert not Path("evil").exists()
    with pytest.raises(PipelineError, match=r"no weights file absent\.pth"):
        TimmTeacher("timm/test_vit@absent.pth")


def test_no_network_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("timm.models._hub.hf_hub_download", unreachable)
    said = r"timm/test_vit: .* about \d+ MB.*huggingface.co/timm/test_vit\S* \(no route to host\).*@model.safetensors"
    with pytest.raises(PipelineError, match=said):
        TimmTeacher("timm/test_vit")


def test_names_and_strides_that_do_not_fit() -> None:
    with pytest.raises(
        PipelineError, match=r"resnet81: timm .* knows no such network; did you mean timm/resnet"
    ):
        TimmEncoder("timm/resnet81")
    with pytest.raises(PipelineError, match=r"resnet18\.a1_in2k: .*did you mean timm/resnet18\.a1_in1k"):
        TimmEncoder("timm/resnet18.a1_in2k")
    with pytest.raises(PipelineError, match=r"test_vit: the strides .* \[16, 16, 16\]"):
        TimmEncoder("timm/test_vit")
    assert encoder_strides("timm/test_resnet", 64, pretrained=False) == (2, 4, 8, 16, 32)
    with pytest.raises(ImageSizeError, match=r"32 x 32 px .* above 32 px"):
        encoder_strides("timm/test_resnet", 32, pretrained=False)


@pytest.mark.parametrize("network", ["test_vit", "test_resnet"])
def test_a_student_learns_from_a_teacher(network: str, tmp_path: Path) -> None:
    file = weights_of(network, tmp_path)
    torch.manual_seed(0)
    student = Encoder((4, 8, 16, 32, 32), norm="batch")
    loss = LatentPerceptualLoss(student.channels, student.strides, 64, f"timm/{network}@{file}")
    images = torch.rand(4, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    optimizer = torch.optim.Adam([*student.parameters(), *loss.parameters()], lr=1e-2)
    values = []
    for _ in range(30):
        value = loss(student(images), images)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]
    assert not any(parameter.requires_grad for parameter in loss.network.parameters())


def test_patch_tokens_are_a_map_at_the_size_asked_for(tmp_path: Path) -> None:
    file = weights_of("test_vit", tmp_path)
    own, smaller = (
        TimmTeacher(f"timm/test_vit@{file}").eval(),
        TimmTeacher(f"timm/test_vit@{file}", 96).eval(),
    )
    x = torch.rand(1, 3, 160, 160)  # the size that timm states of it
    with torch.no_grad():
        tokens = own.network.forward_features((x - 0.5) / 0.5)[:, own.network.num_prefix_tokens :]
        assert torch.allclose(own(x)[0].flatten(2).transpose(1, 2), tokens, atol=1e-5)
        assert smaller(x)[0].shape == (1, 64, 6, 6)
    with pytest.raises(PipelineError, match=r"teacher_size: 100 px is no multiple of 16.*96 or 112"):
        TimmTeacher(f"timm/test_vit@{file}", 100)
