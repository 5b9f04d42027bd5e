"""Exported models give what PyTorch gives, on real images, whatever their number and size."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ae_pretrained import Segmenter
from ae_pretrained.apps.cli import main
from ae_pretrained.apps.export.description import smallest_input
from ae_pretrained.apps.export.export import ExportOptions
from ae_pretrained.apps.export.onnx_model import to_onnx
from ae_pretrained.apps.export.quantization import quantize
from ae_pretrained.apps.export.torchscript import to_torchscript
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.transfer import build_segmenter
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo, load_autoencoder, load_unet, save_model
from ae_pretrained.prediction.input_files import read_input_image
from ae_pretrained.prediction.shipped import shipped_model
from tests.prediction.small import CLASSES, random_image, save_small, small_unet

INFO = SegmenterInfo(("background", "cat", "dög"), 64, "pad")
# (images, height, width); no side but the first is a multiple of the strides
SIZES = [(1, 64, 64), (3, 50, 37), (2, 33, 129), (16, 65, 63)]
Run = Callable[[np.ndarray], np.ndarray]


def _onnx(proto: onnx.ModelProto) -> Run:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda x: np.asarray(session.run(None, {"images": x})[0])


def _script(content: bytes) -> Run:
    loaded = torch.jit.load(io.BytesIO(content))
    return lambda x: np.asarray(loaded(torch.from_numpy(x)))


def _torch(model: UNet, dtype: torch.dtype = torch.float32) -> Run:
    own = copy.deepcopy(model).to(dtype)

    def run(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(own(torch.from_numpy(x).to(dtype)))

    return run


def _softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(torch.from_numpy(logits).softmax(dim=1))


def _compare(model: UNet, proto: onnx.ModelProto, script: bytes, images: Callable[..., np.ndarray]) -> None:
    """Both exports against PyTorch at several sizes, logits within 1e-4.

    ONNX is compared with PyTorch in float64: in float32 PyTorch's own group norm, which instance norm runs on, is
    up to 6e-4 off where an image is flat, fifty times as much as onnxruntime. TorchScript runs the same kernels.
    """
    exact, usual, exported, scripted = (
        _torch(model, torch.float64),
        _torch(model),
        _onnx(proto),
        _script(script),
    )
    least = smallest_input(model)
    for size in [*SIZES, (2, least, least + 1)]:
        x = images(*size)
        logits, found = usual(x), exported(x)
        assert found.shape == logits.shape == (size[0], 3, *size[1:])
        assert np.abs(found - exact(x)).max() < 1e-4, size
        assert np.abs(_softmax(found) - _softmax(logits)).max() < 1e-3, size
        assert np.abs(scripted(x) - logits).max() < 1e-4, size


def _images(oxford_sample: Path, count: int, height: int, width: int) -> np.ndarray:
    """Real images as (count, 3, height, width) in [0, 1]."""
    paths = sorted((oxford_sample / "images").glob("*.jpg"))[:count]
    images = [
        cv2.resize(read_input_image(path, ""), (width, height), interpolation=cv2.INTER_AREA)
        for path in paths
    ]
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255


@lru_cache
def _network(name: str) -> UNet:
    if name == "imagenet":
        return build_segmenter("imagenet", "encoder", small_unet("batch").config, 3).eval()
    return small_unet(name)  # type: ignore[arg-type]


@lru_cache
def _exported(name: str) -> onnx.ModelProto:
    """Exporting takes seconds: once a network."""
    return to_onnx(_network(name), INFO)


@pytest.mark.parametrize(
    "name",
    ["instance", *(pytest.param(name, marks=pytest.mark.long) for name in ("batch", "group", "imagenet"))],
)
def test_exports_equal_pytorch_on_real_images(name: str, oxford_sample: Path) -> None:
    script = to_torchscript(_network(name), INFO)
    _compare(_network(name), _exported(name), script, partial(_images, oxford_sample))


@pytest.mark.long
def test_the_shipped_model_exported_equals_itself(oxford_sample: Path) -> None:
    try:
        path = shipped_model("segmenter")
    except PipelineError as error:
        pytest.skip(str(error))
    model, info = load_unet(path)
    images = partial(_images, oxford_sample)
    _compare(model, to_onnx(model, info), to_torchscript(model, info), images)


def test_metadata() -> None:
    model = _network("batch")
    session = onnxruntime.InferenceSession(_exported("batch").SerializeToString())
    stated = session.get_modelmeta().custom_metadata_map
    assert json.loads(stated["classes"]) == list(INFO.classes)
    assert (stated["image_size"], stated["resize"]) == ("64", "pad")
    assert "divided by 255" in stated["normalisation"]
    extra = {"classes": "", "image_size": "", "resize": "", "normalisation": ""}
    torch.jit.load(io.BytesIO(to_torchscript(model, INFO)), _extra_files=extra)
    texts = {key: value.decode() if isinstance(value, bytes) else value for key, value in extra.items()}
    assert texts == {key: stated[key] for key in extra}


@pytest.mark.long
def test_onnx_names_no_folder_of_this_machine_and_is_the_same_each_time() -> None:
    one = _exported("batch").SerializeToString(deterministic=True)
    assert to_onnx(_network("batch"), INFO).SerializeToString(deterministic=True) == one
    assert str(Path(__file__).resolve().parents[2]).encode() not in one
    assert b".py" not in one


def test_torchscript_runs_without_this_package(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(to_torchscript(small_unet(), INFO))
    program = (
        "import sys, torch; m = torch.jit.load('m.pt'); print(tuple(m(torch.rand(2, 3, 40, 31)).shape),"
        " 'ae_pretrained' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(2, 3, 40, 31) False"


def test_eight_bits_are_smaller_and_close(oxford_sample: Path) -> None:
    model, full = _network("batch"), _exported("batch")
    small = quantize(full)
    assert "ConvInteger" in {node.op_type for node in small.graph.node}
    assert {prop.key for prop in small.metadata_props} == {prop.key for prop in full.metadata_props}
    x = _images(oxford_sample, 4, 50, 61)
    expected, found = _torch(model)(x), _onnx(small)(x)
    assert found.shape == expected.shape
    assert 0 < np.abs(found - expected).mean() < 0.1 * expected.std()


def test_predict_takes_an_exported_model(tmp_path: Path) -> None:
    weights = save_small(tmp_path / "m.safetensors", "pad")
    assert (
        main(["export", "--format", "onnx", "--model", str(weights), "--out", str(tmp_path / "m.onnx")]) == 0
    )
    images = [random_image(40, 70), random_image(90, 50)]
    both = (Segmenter.load(tmp_path / name) for name in ("m.safetensors", "m.onnx"))
    first, second = (segmenter.predict(images) for segmenter in both)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a.confidence, b.confidence, atol=1e-4)
        assert a.class_name == b.class_name
    onnx_model = Segmenter.load(tmp_path / "m.onnx", "cpu")
    assert (onnx_model.classes, onnx_model.image_size, onnx_model.resize) == (CLASSES, 32, "pad")


def test_a_model_that_sees_images_whole(tmp_path: Path, oxford_sample: Path) -> None:
    """ONNX, in eight bits too, goes through the same windows; the files say what a user of them has to know."""
    weights = save_small(tmp_path / "m.safetensors", "crop", scale=0.75)
    model, info = load_unet(weights)
    proto = to_onnx(model, info)
    onnx.save(proto, tmp_path / "m.onnx")
    onnx.save(quantize(proto), tmp_path / "m8.onnx")
    stated = {prop.key: prop.value for prop in onnx.load(tmp_path / "m8.onnx").metadata_props}
    assert (stated["resize"], stated["scale"], stated["stride"]) == ("crop", "0.75", "4")
    assert "H and W multiples of 4, at least 8" in stated["input"]
    script = to_torchscript(model, info)
    extra = {"resize": "", "scale": "", "stride": ""}
    torch.jit.load(io.BytesIO(script), _extra_files=extra)
    assert {key: value.decode() for key, value in extra.items()} == {key: stated[key] for key in extra}  # type: ignore[attr-defined]
    images = np.random.default_rng(0).random((2, 3, 72, 104), dtype=np.float32)
    np.testing.assert_allclose(_script(script)(images), _torch(model)(images), atol=1e-4)

    photo = read_input_image(oxford_sample / "images" / "Bengal_10.jpg", "")
    usual, exported, small = (
        Segmenter.load(tmp_path / name).predict([photo], window=96, overlap=0.5)[0]
        for name in ("m.safetensors", "m.onnx", "m8.onnx")
    )
    np.testing.assert_allclose(exported.confidence, usual.confidence, atol=1e-4)
    assert np.mean(exported.mask == usual.mask) > 0.9999
    assert 0 < np.abs(small.confidence - usual.confidence).mean() < 0.1
    loaded = Segmenter.load(tmp_path / "m.onnx", "cpu")
    assert (loaded.resize, loaded.scale, loaded.stride) == ("crop", 0.75, 4)


@pytest.mark.parametrize(("key", "value"), [("scale", "0"), ("scale", "nan"), ("stride", "0")])
def test_a_header_of_onnx_that_makes_no_sense(tmp_path: Path, key: str, value: str) -> None:
    proto = copy.deepcopy(_exported("batch"))
    for prop in proto.metadata_props:
        prop.value = "crop" if prop.key == "resize" else prop.value
    for name in ("scale", "stride"):
        proto.metadata_props.add(key=name, value=value if name == key else "4")
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(PipelineError, match=rf"m\.onnx: expected a {key}"):
        Segmenter.load(tmp_path / "m.onnx", "cpu")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_small(tmp_path / "in" / "segmenter.safetensors")
    monkeypatch.chdir(tmp_path)
    # Plain ONNX: see the test above. An export takes seconds.
    for more in (["onnx", "--quantize"], ["torchscript"], ["safetensors", "--half"]):
        assert main(["export", "--model", str(weights), "--format", *more]) == 0
    assert "segmenter_int8.onnx: 0.0 MB" in capsys.readouterr().out
    names = {path.name for path in tmp_path.iterdir()} - {"in"}
    assert names == {"segmenter_int8.onnx", "segmenter.pt", "segmenter_half.safetensors"}
    half = tmp_path / "segmenter_half.safetensors"
    assert half.stat().st_size < weights.stat().st_size
    (tmp_path / "usual").touch()
    assert half.stat().st_mode == (tmp_path / "usual").stat().st_mode
    model, info = load_unet(half)
    assert info.classes == CLASSES
    for name, value in load_unet(weights)[0].state_dict().items():
        if value.is_floating_point():
            assert torch.equal(model.state_dict()[name], value.half().float())


def test_an_autoencoder_can_be_halved_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "autoencoder.safetensors"
    save_model(Autoencoder(ModelConfig((4, 8), (0, 0), (0,)), 1), path)
    out = ["--out", str(tmp_path / "out")]
    assert main(["export", "--format", "safetensors", "--half", "--model", str(path), *out]) == 0
    assert load_autoencoder(tmp_path / "out").skips == 1
    (tmp_path / "out").unlink()
    for form in ("onnx", "torchscript"):
        assert main(["export", "--format", form, "--model", str(path), *out]) == 1
        assert "holds a 'autoencoder', expected a 'segmenter'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = save_small(tmp_path / "m.safetensors")
    before = weights.read_bytes()
    (tmp_path / "file").touch()
    (tmp_path / "cut").write_bytes(before[:200])
    torch.save({}, tmp_path / "pickle.pt")

    def fails(*arguments: str) -> str:
        assert main(["export", *arguments]) == 1
        return capsys.readouterr().err

    own = ("--model", str(weights))
    assert "is the model itself" in fails("--format", "safetensors", *own, "--out", str(weights))
    assert "is a folder" in fails("--format", "onnx", *own, "--out", str(tmp_path))
    below = str(tmp_path / "file" / "a.onnx")
    assert "cannot be written" in fails("--format", "safetensors", *own, "--out", below)
    assert "no such weights file" in fails("--format", "safetensors", "--model", str(tmp_path / "none"))
    assert "damaged or truncated" in fails("--format", "onnx", "--model", str(tmp_path / "cut"))
    assert "PyTorch pickle" in fails("--format", "safetensors", "--model", str(tmp_path / "pickle.pt"))
    assert "--half: found with --format onnx" in fails("--format", "onnx", "--half", *own)
    assert "--quantize: found with --format torchscript" in fails(
        "--format", "torchscript", "--quantize", *own
    )
    assert weights.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors", "file", "cut", "pickle.pt"}


def test_default_names() -> None:
    model = Path("a/segmenter.safetensors")
    assert ExportOptions("onnx", quantize=True).default_name(model) == "segmenter_int8.onnx"
    assert ExportOptions("safetensors").default_name(model) == "segmenter.safetensors"
