"""Model files of something else: each is named, with what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from ae_pretrained import Segmenter
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.weights import SegmenterInfo, save_model
from tests.prediction.small import save_small, small_unet


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
    save_model(small_unet(), tmp_path / "b", SegmenterInfo(("background", "cat", "dog"), 32, "crop"))
    assert "expected resize 'stretch' or 'pad', found 'crop'" in _refused(tmp_path / "b")


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
