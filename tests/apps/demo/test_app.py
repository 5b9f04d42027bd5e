from __future__ import annotations

import base64
import io
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from flask.testing import FlaskClient
from PIL import Image

from ae_pretrained.apps.demo import analysis
from ae_pretrained.apps.demo.analysis import DemoModel
from ae_pretrained.apps.demo.app import MAX_UPLOAD, create_app
from ae_pretrained.apps.demo.server import allowed_hosts
from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.weights import load_autoencoder, save_model
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.sources.image_reader import read_image
from tests.apps.demo.conftest import CLASSES
from tests.prediction.small import random_image, save_small


@pytest.fixture
def demo_model(weights: Path) -> DemoModel:
    return DemoModel.load(weights / "segmenter.safetensors", weights / "autoencoder.safetensors")


@pytest.fixture
def client(demo_model: DemoModel) -> FlaskClient:
    return create_app(demo_model, allowed_hosts("127.0.0.1")).test_client()


def encoded(image: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def decoded(url: str) -> np.ndarray:
    content = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)))


def test_answer_is_what_the_models_say(client: FlaskClient, weights: Path, oxford_sample: Path) -> None:
    # One that is shown at its own size.
    paths = sorted((oxford_sample / "images").glob("*.jpg"))
    path = next(path for path in paths if max(Image.open(path).size) <= 1280)
    answer = client.post("/predict", data=path.read_bytes())
    assert answer.status_code == 200
    image = read_image(path)
    expected = Segmenter.load(weights / "segmenter.safetensors").predict([image])[0]
    found = answer.get_json()
    assert (found["height"], found["width"]) == image.shape[:2]
    assert found["class"] == expected.class_name
    assert found["mean_confidence"] == pytest.approx(expected.mean_confidence, abs=1e-4)
    assert {item["name"]: item["share"] for item in found["classes"]} == pytest.approx(
        expected.shares, abs=1e-6
    )
    layers = {name: decoded(url) for name, url in found["layers"].items()}
    assert layers.keys() == {"image", "mask", "confidence", "reconstruction"}
    # The tint is where the mask has a foreground, in the colour of its class.
    mask = layers["mask"]
    np.testing.assert_array_equal(mask[..., 3] > 0, expected.mask > 0)
    for number, item in enumerate(found["classes"][1:], start=1):
        color = tuple(int(item["color"][place : place + 2], 16) for place in (1, 3, 5))
        assert (mask[expected.mask == number][:, :3] == color).all()
    model = load_autoencoder(weights / "autoencoder.safetensors")
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        rebuilt = model(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)[0]
    expected_pixels = (rebuilt * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(layers["reconstruction"].astype(int) - expected_pixels).max() <= 1


def test_large_image_is_shown_smaller_and_measured_whole(client: FlaskClient) -> None:
    found = client.post("/predict", data=encoded(noise(700, 2000), "JPEG")).get_json()
    assert (found["height"], found["width"]) == (700, 2000)
    assert decoded(found["layers"]["mask"]).shape == (448, 1280, 4)
    assert decoded(found["layers"]["image"]).shape == (448, 1280, 3)


def test_without_autoencoder_there_is_no_reconstruction(weights: Path) -> None:
    demo_model = DemoModel.load(weights / "segmenter.safetensors", None)
    client = create_app(demo_model, None).test_client()
    assert "reconstruction" not in client.post("/predict", data=encoded(noise(40, 50))).get_json()["layers"]
    page = client.get("/").get_data(as_text=True)
    assert "No autoencoder is loaded" in page
    assert "disabled" in page


def test_a_model_that_sees_images_whole(tmp_path: Path) -> None:
    """Windows for the segmenter and for the autoencoder; an image too small for one is refused."""
    save_small(tmp_path / "s.safetensors", "crop", scale=0.5)
    torch.manual_seed(0)
    autoencoder = Autoencoder(ModelConfig((4, 8, 8), 0.0, 0.0, "batch"), 1)
    save_model(autoencoder, tmp_path / "a.safetensors")
    demo_model = DemoModel.load(tmp_path / "s.safetensors", tmp_path / "a.safetensors")
    client = create_app(demo_model, None).test_client()
    image = random_image(300, 1400)
    found = client.post("/predict", data=encoded(image)).get_json()
    expected = demo_model.segmenter.predict([image])[0]
    assert {item["name"]: item["share"] for item in found["classes"]} == pytest.approx(
        expected.shares, abs=1e-6
    )
    layers = {name: decoded(url) for name, url in found["layers"].items()}
    assert layers["reconstruction"].shape == layers["image"].shape == (274, 1280, 3)
    small = cv2.resize(image, (700, 150), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        padded = cv2.copyMakeBorder(small, 0, 2, 0, 0, cv2.BORDER_REFLECT_101)
        whole = autoencoder.eval()(torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255)[0, :, :150]
    pixels = (whole.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    shown = cv2.resize(pixels, (1280, 274), interpolation=cv2.INTER_AREA)
    assert np.abs(layers["reconstruction"].astype(int) - shown).mean() < 1
    answer = client.post("/predict", data=encoded(noise(10, 30)))
    assert answer.status_code == 422
    assert "image of 15 x 5 px is too small" in answer.get_json()["error"]


def jpeg_cut_short() -> bytes:
    return encoded(noise(200, 200), "JPEG")[:5000]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "no image"),
        (b"%PDF-1.4 no image at all", 415, "no image that can be read"),
        (b"GIF89a", 415, "no image that can be read"),
        (encoded(noise(30, 30), "PPM"), 415, "no image that can be read"),
        (jpeg_cut_short(), 422, "truncated"),
        (encoded(noise(60, 60))[:2000], 422, "not a readable image"),
        (bytes(MAX_UPLOAD + 1), 413, "20 MB"),
    ],
    ids=["empty", "pdf", "head-of-gif", "ppm", "cut-jpeg", "cut-png", "large"],
)
def test_what_is_no_image_is_refused(client: FlaskClient, body: bytes, status: int, said: str) -> None:
    answer = client.post("/predict", data=body)
    assert answer.status_code == status
    assert said in answer.get_json()["error"]


def test_enormous_image_is_refused_by_its_header(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(analysis, "read_input_image", never)
    # A bomb: 100 megapixels of zeros take some kilobytes as PNG.
    bomb = encoded(np.zeros((10_000, 10_000), dtype=np.uint8))
    assert len(bomb) < 200_000
    answer = client.post("/predict", data=bomb)
    assert answer.status_code == 413
    assert "10000 x 10000 pixels (100 megapixels); at most 50 megapixels" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8000", 403),
        ("", 403),
    ],
)
def test_only_its_own_names_on_loopback(client: FlaskClient, host: str, status: int) -> None:
    assert client.get("/", headers={"Host": host}).status_code == status


def test_any_name_where_the_names_are_not_known(demo_model: DemoModel) -> None:
    client = create_app(demo_model, allowed_hosts("0.0.0.0")).test_client()
    assert client.get("/", headers={"Host": "workstation.lan:8000"}).status_code == 200


def test_other_sites_may_not_ask(client: FlaskClient) -> None:
    body = encoded(noise(20, 20))
    own = {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}
    assert client.post("/predict", data=body, headers=own).status_code == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9000"):
        answer = client.post("/predict", data=body, headers={**own, "Origin": origin})
        assert answer.status_code == 403, origin


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("GET", "/static/../app.py", 404)],
)
def test_other_requests(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.get_json()["error"]


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for answer in (
        client.get("/"),
        client.get("/static/page.js"),
        client.post("/predict"),
        client.get("/no"),
    ):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_our_own_fault_is_told_without_its_inside(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Segmenter, "predict", broken)
    answer = client.post("/predict", data=encoded(noise(20, 20)))
    assert answer.status_code == 500
    assert "secret" not in answer.get_data(as_text=True)
    assert client.application.debug is False


def test_one_image_at_a_time(demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several requests at once: the model never runs twice at a time, and all get their own answer."""
    app = create_app(demo_model, None)
    inside, most = 0, 0
    predict = Segmenter.predict

    def watched(self: Segmenter, images: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            return predict(self, images)
        finally:
            inside -= 1

    monkeypatch.setattr(Segmenter, "predict", watched)
    widths: dict[int, int] = {}

    def ask(width: int) -> None:
        body = encoded(noise(20, width))
        widths[width] = app.test_client().post("/predict", data=body).get_json()["width"]

    threads = [threading.Thread(target=ask, args=(width,)) for width in range(20, 32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert widths == {width: width for width in range(20, 32)}


def test_models_that_are_none(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="absent"):
        DemoModel.load(tmp_path / "absent.safetensors", None)
    with pytest.raises(PipelineError, match="holds a 'segmenter', expected a 'autoencoder'"):
        DemoModel.load(weights / "segmenter.safetensors", weights / "segmenter.safetensors")


def test_the_page_names_the_classes(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    assert "distinguishes background, cat and dog" in page
    assert all(name in page for name in CLASSES)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
