"""A trained segmenter, ready for images of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.prediction.backends import LoadedModel, load_model
from ae_pretrained.prediction.enlarge import most_probable
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.preparation.resize import content_box, resize_image


@dataclass(frozen=True)
class Prediction:
    """What a segmenter says about one image.

    Attributes:
        mask: (H, W) uint8 class ids, at the size of the image.
        confidence: (H, W) float32, the probability of the class in ``mask``.
        shares: share of the image's pixels by class name; they sum to 1.
        class_name: the foreground class with the most pixels, None where there is no foreground.
        mean_confidence: mean of ``confidence`` over the foreground, over all pixels where there is none.
    """

    mask: np.ndarray
    confidence: np.ndarray
    shares: dict[str, float]
    class_name: str | None
    mean_confidence: float


class Segmenter:
    """Segments images.

        segmenter = Segmenter.load()
        prediction = segmenter.predict([image])[0]

    Attributes:
        classes: names by class id, background first.
        image_size: side of the square that the network sees, px.
        resize: how an image is resized to it: ``stretch``, or ``pad``, which keeps the aspect ratio.
        device: what runs the network, ``cpu`` or ``cuda``.
        decode: how files are to be decoded for it.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._logits = model.logits
        self.classes, self.image_size, self.resize = model.classes, model.image_size, model.resize
        self.device, self.decode = model.device, model.decode

    @classmethod
    def load(cls, path: Path | str | None = None, device: str = "auto") -> Segmenter:
        """Load a segmenter.

        Args:
            path: ``segmenter.safetensors`` of this pipeline, or a model exported to ``.onnx``; None for the one
                that comes with the package.
            device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

        Raises:
            PipelineError: when the file is absent, damaged or something else, or there is no such device.
        """
        return cls(load_model(shipped_model("segmenter") if path is None else Path(path), device))

    def predict(
        self, images: Sequence[np.ndarray], *, flip_averaging: bool = True, batch_size: int = 16
    ) -> list[Prediction]:
        """Segment images, each at its own size.

        Args:
            images: (H, W, 3) uint8 RGB each; sizes may differ.
            flip_averaging: average with the prediction for the mirror image: better, but takes twice as long.
            batch_size: images that go through the network at once.

        Raises:
            PipelineError: for an array that is no such image.
        """
        if batch_size < 1:
            raise PipelineError(f"batch_size: found {batch_size}, expected at least 1")
        predictions = []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            maps = self.probabilities(batch, flip_averaging=flip_averaging)
            predictions += [
                self.prediction(probabilities, image.shape[0], image.shape[1])
                for probabilities, image in zip(maps, batch, strict=True)
            ]
        return predictions

    def probabilities(self, images: Sequence[np.ndarray], *, flip_averaging: bool = True) -> list[np.ndarray]:
        """One batch through the network; the results stay at the network's size, however large the images are.

        Args:
            images: (H, W, 3) uint8 RGB each.
            flip_averaging: average with the prediction for the mirror image.

        Returns:
            Per image (C, h, w) float32 that sum to 1 over C; h and w are at most ``image_size``, without padding.

        Raises:
            PipelineError: for an array that is no such image.
        """
        if not images:
            return []
        for place, image in enumerate(images):
            _check(image, place)
        boxes = [
            content_box(image.shape[1], image.shape[0], self.image_size, self.resize) for image in images
        ]
        squares = np.stack(
            [resize_image(image, self.image_size, box) for image, box in zip(images, boxes, strict=True)]
        )
        inputs = np.ascontiguousarray(squares.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
        maps = _softmax(self._logits(inputs))
        if flip_averaging:
            mirrored = _softmax(self._logits(np.ascontiguousarray(inputs[..., ::-1])))
            maps = (maps + mirrored[..., ::-1]) / 2
        return [planes[:, y0:y1, x0:x1] for planes, (x0, y0, x1, y1) in zip(maps, boxes, strict=True)]

    def prediction(self, probabilities: np.ndarray, height: int, width: int) -> Prediction:
        """The prediction for an image of ``height`` x ``width`` px from its (C, h, w) of :meth:`probabilities`."""
        mask, confidence = most_probable(probabilities, height, width)
        counts = np.bincount(mask.ravel(), minlength=len(self.classes))
        shares = {name: float(count / mask.size) for name, count in zip(self.classes, counts, strict=True)}
        if not counts[1:].any():
            return Prediction(mask, confidence, shares, None, float(confidence.mean(dtype=np.float64)))
        over_foreground = float(confidence.mean(dtype=np.float64, where=mask > 0))
        return Prediction(
            mask, confidence, shares, self.classes[1 + int(counts[1:].argmax())], over_foreground
        )


def _check(image: np.ndarray, place: int) -> None:
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3:
        if image.shape[2] == 3 and image.size > 0:
            return
        found = f"uint8 of shape {image.shape}"
    else:
        found = (
            f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else repr(type(image))
        )
    raise PipelineError(f"images[{place}]: expected (H, W, 3) uint8 RGB, found {found}")


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Over axis 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
