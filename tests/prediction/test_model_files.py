"""Model files of something else: each is named, with what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from ae_pretrained import Segmenter
from ae_pretrained.apps.export.description import describe
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.weights import SegmenterInfo, save_model
from ae_pretrained.prediction.destination import Destination
from ae_pretrained.prediction.predict_files import predict_into
from ae_pretrained.prediction.streaming import stream_images
from ae_pretrained.sources.image_facts import DecodeOptions
from tests.prediction.small import CLASSES, random_image, save_small, small_unet


def header(path: Path) -> dict[str, object]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["ae_pretrained"])


def _refused(path: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        Segmenter.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_absent(tmp_path: Path) -> None:
    assert "no such model file" in _refused(tmp_path / "m.safetensors")
    assert "no such model file" in _refused(tmp_path / "m.onnx")
    assert "no such weights file" in _refused(tmp_path)


def test_an_autoencoder(tmp_path: Path) -> None:
    save_model(Autoencoder(ModelConfig((4, 8), (0, 0), (0,))), tmp_path / "a")
    assert "holds a 'autoencoder', expected a 'segmenter'" in _refused(tmp_path / "a")


def test_pickle_foreign_truncated_and_no_model(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pt")
    assert "PyTorch pickle" in _refused(tmp_path / "a.pt")
    save_file({"a": torch.zeros(1)}, tmp_path / "b")
    assert "without this pipeline's header" in _refused(tmp_path / "b")
    whole = save_small(tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[: len(whole) // 2])
    assert "damaged or truncated" in _refused(tmp_path / "c")
    (tmp_path / "d").write_text("an image, perhaps")
    assert "not a readable safetensors file" in _refused(tmp_path / "d")
    (tmp_path / "empty").touch()
    assert "not a readable safetensors file" in _refused(tmp_path / "empty")


def test_a_header_that_makes_no_sense(tmp_path: Path) -> None:
    save_model(small_unet(), tmp_path / "a", SegmenterInfo(("background", "cat", "dog"), 0, "stretch"))
    assert "expected an image size" in _refused(tmp_path / "a")
    save_model(small_unet(), tmp_path / "b", SegmenterInfo(CLASSES, 32, "squash"))
    assert "expected resize 'stretch', 'pad' or 'crop', found 'squash'" in _refused(tmp_path / "b")
    for scale in (0.0, -1.0, 5.0, "half", None):
        save_model(small_unet(), tmp_path / "c", SegmenterInfo(CLASSES, 32, "crop", scale=scale))  # type: ignore[arg-type]
        assert "expected a scale above 0 and up to 4" in _refused(tmp_path / "c")
    for classes in (3, None):
        save_file(
            {}, tmp_path / "e", {"ae_pretrained": json.dumps({**header(tmp_path / "c"), "classes": classes})}
        )
        assert "the header describes no segmenter" in _refused(tmp_path / "e")
    save_model(small_unet(), tmp_path / "d", SegmenterInfo(CLASSES, 32, "pad", scale=0.5))
    assert "expected no scale but 1 with resize 'pad', found 0.5" in _refused(tmp_path / "d")


def test_onnx_of_something_else(tmp_path: Path) -> None:
    for name, content in (("no.onnx", b"no model at all"), ("empty.onnx", b"")):
        (tmp_path / name).write_bytes(content)
        assert "not a readable ONNX model" in _refused(tmp_path / name)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "relu.onnx")
    assert "without the metadata of a segmenter" in _refused(tmp_path / "relu.onnx")
    for key, value in {"classes": '"cat"', "image_size": "32", "resize": "stretch"}.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, tmp_path / "classes.onnx")
    assert "expected 2 to 255 class names, found 'cat'" in _refused(tmp_path / "classes.onnx")
    np.testing.assert_equal(len(model.metadata_props), 3)


def test_how_the_data_were_decoded_comes_along(tmp_path: Path) -> None:
    plain = SegmenterInfo(CLASSES, 32, "stretch")
    save_model(small_unet(), tmp_path / "plain.safetensors", plain)
    assert b"white" not in (tmp_path / "plain.safetensors").read_bytes()
    assert Segmenter.load(tmp_path / "plain.safetensors").decode == DecodeOptions()
    info = SegmenterInfo(CLASSES, 32, "stretch", white=4095, alpha="drop")
    save_model(small_unet(), tmp_path / "a.safetensors", info)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    for key, value in describe(info, 4).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, tmp_path / "a.onnx")
    for name in ("a.safetensors", "a.onnx"):
        assert Segmenter.load(tmp_path / name).decode == DecodeOptions(4095, "drop")
    save_model(small_unet(), tmp_path / "b", SegmenterInfo(CLASSES, 32, "stretch", white=0))
    assert "expected white of 1 to 65535" in _refused(tmp_path / "b")


def test_images_are_decoded_as_the_model_needs_them(tmp_path: Path) -> None:
    values = (random_image(32, 32)[..., 0].astype(np.uint16) * 16) | 15  # 12 bits
    Image.fromarray(values).save(tmp_path / "scan.png")
    (batch,) = stream_images([tmp_path / "scan.png"], 1, DecodeOptions(white=4095))
    assert batch[0].pixels is not None
    assert np.abs(batch[0].pixels - values[..., None] * (255 / 4095)).max() <= 0.5 + 1e-9
    info = SegmenterInfo(CLASSES, 32, "stretch", white=4095)
    save_model(small_unet(), tmp_path / "a.safetensors", info)
    segmenter = Segmenter.load(tmp_path / "a.safetensors")
    predict_into(segmenter, [tmp_path / "scan.png"], Destination(tmp_path / "out"))
    written = np.asarray(Image.open(tmp_path / "out/scan_mask.png"))
    assert np.array_equal(written, segmenter.predict([batch[0].pixels])[0].mask)
