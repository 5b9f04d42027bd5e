"""A trained segmenter, ready for images of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.prediction.backends import LoadedModel, load_model
from ae_pretrained.prediction.enlarge import most_probable
from ae_pretrained.prediction.outcome import ClassTally, Prediction, Segmentation
from ae_pretrained.prediction.scaling import at_scale, resize_bands
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.preparation.resize import content_box, resize_image, working_size
from ae_pretrained.windows import (
    OVERLAP,
    WINDOW,
    Bands,
    best_classes,
    check_windows,
    count_windows,
    probabilities_of,
    slide,
)


class Segmenter:
    """Segments images.

        segmenter = Segmenter.load()
        prediction = segmenter.predict([image])[0]

    Attributes:
        classes: names by class id, background first.
        image_size: side of the square that the network sees, px; of ``crop``, of the crops it was trained on.
        resize: how an image is resized to it: ``stretch``, or ``pad``, which keeps the aspect ratio; or ``crop``: a
            window slides over the image, of whatever size.
        device: what runs the network, ``cpu`` or ``cuda``.
        decode: how files are to be decoded for it.
        scale: of ``crop``: the size at which it sees images, relative to their own.
        stride: of ``crop``: of the network's deepest features, px.
        path: the model file; None of a model that was built in memory.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._logits = model.logits
        self.classes, self.image_size, self.resize = model.classes, model.image_size, model.resize
        self.device, self.decode = model.device, model.decode
        self.scale, self.stride, self.path = model.scale, model.stride, model.path

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
        self,
        images: Sequence[np.ndarray],
        *,
        flip_averaging: bool = True,
        batch_size: int = 16,
        window: int | None = None,
        overlap: float | None = None,
    ) -> list[Prediction]:
        """Segment images, each at its own size.

        Args:
            images: (H, W, 3) uint8 RGB each; sizes may differ.
            flip_averaging: average with the prediction for the mirror image: better, but takes twice as long.
            batch_size: images, or windows of one, that go through the network at once.
            window, overlap: see :meth:`windows`.

        Raises:
            PipelineError: for an array that is no such image, or an argument out of its range.
        """
        if batch_size < 1:
            raise PipelineError(f"batch_size: found {batch_size}, expected at least 1")
        if self.resize == "crop":
            for place, image in enumerate(images):
                _check(image, place)
            return [
                self._predict_whole(image, self.bands(image, flip_averaging, batch_size, window, overlap))
                for image in images
            ]
        self.windows(window, overlap)
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
        """A batch of resized images through the network; the results stay at its size, however large images are.

        Args:
            images: (H, W, 3) uint8 RGB each.
            flip_averaging: average with the prediction for the mirror image.

        Returns:
            Per image (C, h, w) float32 that sum to 1 over C; h and w are at most ``image_size``, without padding.

        Raises:
            PipelineError: for an array that is no such image, and of a model that sees images whole (``bands``).
        """
        if self.resize == "crop":
            raise PipelineError("probabilities: this model sees images whole (resize: crop); use bands")
        if not images:
            return []
        for place, image in enumerate(images):
            _check(image, place)
        how, size = self.resize, self.image_size
        boxes = [content_box(image.shape[1], image.shape[0], size, how) for image in images]
        squares = np.stack(
            [resize_image(image, self.image_size, box) for image, box in zip(images, boxes, strict=True)]
        )
        inputs = np.ascontiguousarray(squares.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
        maps = probabilities_of(self._logits, flip_averaging=flip_averaging)(inputs)
        return [planes[:, y0:y1, x0:x1] for planes, (x0, y0, x1, y1) in zip(maps, boxes, strict=True)]

    def prediction(self, probabilities: np.ndarray, height: int, width: int) -> Prediction:
        """The prediction for an image of ``height`` x ``width`` px from its (C, h, w) of :meth:`probabilities`."""
        mask, confidence = most_probable(probabilities, height, width)
        tally = ClassTally(self.classes)
        tally.add(mask, confidence)
        return Prediction(mask, *tally.figures(), confidence)

    def windows(self, window: int | None, overlap: float | None) -> tuple[int, float]:
        """Side and overlap of the windows of a model that sees images whole (``resize`` is ``crop``).

        Args:
            window: side of a window at the model's scale, px, a multiple of :attr:`stride`; None: 512.
            overlap: share of its side by which it overlaps the next one, 0 to 0.75; None: 0.25.

        Raises:
            PipelineError: for a value out of its range, and for any value with another kind of model.
        """
        if self.resize == "crop":
            side = WINDOW if window is None else window
            share = OVERLAP if overlap is None else overlap
            check_windows(side, share, self.stride)
            return side, share
        for name, value in (("window", window), ("overlap", overlap)):
            if value is not None:
                raise PipelineError(
                    f"{name}: found {value} with a model of resize {self.resize!r}, which sees every image at once, "
                    f"at {self.image_size} px; only models trained with resize: crop have windows"
                )
        return WINDOW, OVERLAP

    def count_windows(
        self, height: int, width: int, window: int | None = None, overlap: float | None = None
    ) -> int:
        """How many windows an image of ``height`` x ``width`` px takes; see :meth:`windows`."""
        side, share = self.windows(window, overlap)
        columns, rows = working_size(width, height, self.scale)
        return count_windows(rows, columns, window=side, overlap=share, stride=self.stride)

    def bands(
        self,
        image: np.ndarray,
        flip_averaging: bool = True,
        batch_size: int = 16,
        window: int | None = None,
        overlap: float | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Bands:
        """Probabilities of an image at its own size, for models of ``resize`` ``crop``; memory stays flat.

        Args:
            image: (H, W, 3) uint8 RGB, both sides at least 8 px at the model's scale.
            flip_averaging, batch_size, window, overlap: see :meth:`predict`.
            progress: called with the number of windows that are done, time and again.

        Returns:
            Iterator over first row and (C, rows, W) float32, from top to bottom; each step reuses the memory.

        Raises:
            PipelineError: for an array that is no such image, an argument out of its range, or another kind of model.
        """
        if self.resize != "crop":
            raise PipelineError(
                f"bands: this model sees every image at once (resize: {self.resize}); use probabilities or predict"
            )
        _check(image, 0)
        side, share = self.windows(window, overlap)
        network = probabilities_of(self._logits, flip_averaging=flip_averaging)

        def counted(images: np.ndarray) -> np.ndarray:
            maps = network(images)
            progress(len(images))
            return maps

        working = at_scale(image, self.scale)
        bands = slide(counted, working, window=side, overlap=share, stride=self.stride, batch_size=batch_size)
        return resize_bands(bands, working.shape[:2], image.shape[:2])

    def segment(self, bands: Bands, height: int, width: int) -> Segmentation:
        """The mask from :meth:`bands`, without a confidence per pixel, which takes four times its memory."""
        return self._collect(bands, np.empty((height, width), np.uint8), None)

    def _predict_whole(self, image: np.ndarray, bands: Bands) -> Prediction:
        confidence = np.empty(image.shape[:2], dtype=np.float32)
        found = self._collect(bands, np.empty(image.shape[:2], np.uint8), confidence)
        return Prediction(found.mask, found.shares, found.class_name, found.mean_confidence, confidence)

    def _collect(self, bands: Bands, mask: np.ndarray, confidence: np.ndarray | None) -> Segmentation:
        tally = ClassTally(self.classes)
        for first, band in bands:
            part = slice(first, first + band.shape[1])
            mask[part], best = best_classes(band)
            if confidence is not None:
                confidence[part] = best
            tally.add(mask[part], best)
        return Segmentation(mask, *tally.figures())


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
