"""What the page shows of one image."""

from __future__ import annotations

import base64
import io
import threading
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from ae_pretrained.errors import PipelineError
from ae_pretrained.figures.image_grids import ColorScale, color_scalar, to_uint8
from ae_pretrained.figures.style import class_colors, class_rgb
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.weights import load_autoencoder
from ae_pretrained.prediction.input_files import read_input_image
from ae_pretrained.prediction.outcome import Prediction
from ae_pretrained.prediction.scaling import at_scale
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.preparation.resize import content_box, resize_image
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_facts import DecodeOptions
from ae_pretrained.sources.image_reader import allowed_formats
from ae_pretrained.windows import OVERLAP, WINDOW, SmallImageError, slide

MAX_PIXELS = 50_000_000  # of an image, as large phone cameras make them
_SHOWN_SIDE = 1280  # px, of the layers sent to the page; figures are of the image at its own size
_CONFIDENCE_COLORS = "viridis"
_JPEG_QUALITY = 88


class NoImageError(PipelineError):
    """The bytes are no image of a kind that is understood."""


class DamagedImageError(PipelineError):
    """The bytes are an image that cannot be decoded, or is too small."""


class ImageTooLargeError(PipelineError):
    """The image has more pixels than the page takes on."""


class DemoModel:
    """A segmenter and, if there is one, an autoencoder, used by one thread at a time.

    Args:
        segmenter: finds the classes.
        autoencoder: reconstructs images, at the size that the segmenter sees; None: the page has no such layer.
    """

    def __init__(self, segmenter: Segmenter, autoencoder: Autoencoder | None) -> None:
        self.segmenter, self.autoencoder = segmenter, autoencoder
        self._lock = threading.Lock()

    @classmethod
    def load(cls, model: Path | None, autoencoder: Path | None) -> DemoModel:
        """Load weights; without a model of one's own, those that come with the package.

        Raises:
            PipelineError: when a file is absent or something else.
        """
        segmenter = Segmenter.load(model)
        if autoencoder is None and model is None:
            try:
                autoencoder = shipped_model("autoencoder")
            except PipelineError:
                return cls(segmenter, None)  # the page says so
        return cls(segmenter, None if autoencoder is None else load_autoencoder(autoencoder))

    def classes(self) -> list[dict[str, str]]:
        """Name and colour of every class."""
        names = self.segmenter.classes
        return [{"name": n, "color": c} for n, c in zip(names, class_colors(len(names)), strict=True)]

    def analyse(self, content: bytes) -> dict[str, Any]:
        """Segment an image.

        Args:
            content: bytes of an image file; kept in memory only.

        Returns:
            What the page needs, ready for JSON: ``width``, ``height``, ``class`` (or None), ``mean_confidence``,
            ``classes`` with ``name``, ``color`` and ``share``, and ``layers``, images as data URLs.

        Raises:
            NoImageError, DamagedImageError, ImageTooLargeError: see there.
        """
        image = _decode(content, self.segmenter.decode)
        with self._lock:
            try:
                prediction = self.segmenter.predict([image])[0]
            except SmallImageError as error:
                raise DamagedImageError(f"{error}.") from None
            rebuilt = None if self.autoencoder is None else self._reconstruct(self.autoencoder, image)
        height, width = image.shape[:2]
        return {
            "width": width,
            "height": height,
            "class": prediction.class_name,
            "mean_confidence": round(prediction.mean_confidence, 4),
            "classes": [
                {**item, "share": round(prediction.shares[item["name"]], 6)} for item in self.classes()
            ],
            "layers": self._layers(image, prediction, rebuilt),
        }

    def _reconstruct(self, autoencoder: Autoencoder, image: np.ndarray) -> np.ndarray:
        """The reconstruction of an image, (h, w, 3) uint8, at the network's size, without padding."""
        size, how = self.segmenter.image_size, self.segmenter.resize
        if how == "crop":
            return self._reconstruct_whole(autoencoder, image)
        box = content_box(image.shape[1], image.shape[0], size, how)
        square = torch.from_numpy(resize_image(image, size, box)).permute(2, 0, 1)
        with torch.inference_mode():
            rebuilt = autoencoder((square.float() / 255)[None])[0]
        x0, y0, x1, y1 = box
        return np.ascontiguousarray(to_uint8(rebuilt.numpy())[y0:y1, x0:x1])

    def _reconstruct_whole(self, autoencoder: Autoencoder, image: np.ndarray) -> np.ndarray:
        """The same where the network sees images whole: by windows; as large as the page shows it."""

        def rebuild(windows: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return np.asarray(autoencoder(torch.from_numpy(windows)))

        working = at_scale(image, self.segmenter.scale)
        rebuilt = np.empty_like(working)
        stride = autoencoder.encoder.strides[-1]
        for first, band in slide(rebuild, working, window=WINDOW, overlap=OVERLAP, stride=stride):
            rebuilt[first : first + band.shape[1]] = to_uint8(band)
        return np.asarray(cv2.resize(rebuilt, _shown_size(image), interpolation=cv2.INTER_AREA))

    def _layers(
        self, image: np.ndarray, prediction: Prediction, rebuilt: np.ndarray | None
    ) -> dict[str, str]:
        width, height = _shown_size(image)
        count = len(self.segmenter.classes)
        mask = cv2.resize(prediction.mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        alpha = np.where(mask > 0, 255, 0).astype(np.uint8)
        tint = np.dstack([class_rgb(count)[mask][..., ::-1], alpha])
        scale = ColorScale(_CONFIDENCE_COLORS, 1 / count, 1.0, "confidence")
        confidence = cv2.resize(prediction.confidence, (width, height), interpolation=cv2.INTER_AREA)
        shown = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        layers = {
            "image": _jpeg(shown),
            "mask": _data_url("png", tint),
            "confidence": _jpeg(color_scalar(confidence, scale)),
        }
        return (
            layers if rebuilt is None else {**layers, "reconstruction": _data_url("png", rebuilt[..., ::-1])}
        )


def _decode(content: bytes, options: DecodeOptions) -> np.ndarray:
    """(H, W, 3) uint8 RGB; the header is looked at before any pixel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is looked at below
            formats = allowed_formats("The image", content)
            with Image.open(io.BytesIO(content), formats=formats) as image:
                width, height = image.size
    except DataError as error:
        raise NoImageError(f"{error}.") from None
    except Image.DecompressionBombError:
        raise ImageTooLargeError(f"The image has more than {_megapixels(MAX_PIXELS)}.") from None
    except Exception:  # a decoder may raise anything on bytes that are no image
        raise NoImageError(
            "This is no image that can be read; send a JPEG, PNG, WebP, AVIF, GIF, BMP, JPEG 2000 or TIFF."
        ) from None
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(
            f"The image has {width} x {height} pixels ({_megapixels(width * height)}); at most "
            f"{_megapixels(MAX_PIXELS)} are taken. Make it smaller first."
        )
    try:
        return read_input_image(content, "The image", options)
    except DataError as error:
        raise DamagedImageError(f"{error}.") from None


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:.0f} megapixels"


def _shown_size(image: np.ndarray) -> tuple[int, int]:
    """Width and height of the layers: the image's own where it is small."""
    height, width = image.shape[:2]
    scale = min(1.0, _SHOWN_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _jpeg(image: np.ndarray) -> str:
    return _data_url("jpeg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])


def _data_url(kind: str, image: np.ndarray, options: list[int] | None = None) -> str:
    """An image with channels in OpenCV's order (BGR or BGRA) as a ``data:`` URL."""
    ending = "jpg" if kind == "jpeg" else kind
    written, content = cv2.imencode(f".{ending}", np.ascontiguousarray(image), options or [])
    if not written:
        raise RuntimeError(f"OpenCV wrote no {kind}")
    return f"data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode('ascii')}"
