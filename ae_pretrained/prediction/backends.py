"""What runs the network: PyTorch for this pipeline's weights, onnxruntime for an exported model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.sources.image_facts import FULL_RANGE, DecodeOptions
from ae_pretrained.windows.logits import Logits

Device = Literal["auto", "cpu", "cuda"]
Resize = Literal["stretch", "pad", "crop"]
_LARGEST_SCALE = 4.0


@dataclass(frozen=True)
class LoadedModel:
    """A segmenter that is ready to run.

    Attributes:
        logits: runs the network.
        classes: names by class id, background first.
        image_size: side of the square that images are resized to, px; of ``crop``, of the crops it was trained on.
        resize: how they are resized to it, ``stretch`` or ``pad``; or ``crop``: a window slides over them.
        device: what runs it, ``cpu`` or ``cuda``.
        decode: how files become pixels: as those of the data did that it was trained on, and always upright.
        scale: of ``crop``: the size at which it sees images, relative to their own.
        stride: of ``crop``: of the deepest features, px; windows are multiples of it.
        path: the file; None of a model that was built in memory.
    """

    logits: Logits
    classes: tuple[str, ...]
    image_size: int
    resize: Resize
    device: str
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    scale: float = 1.0
    stride: int = 32
    path: Path | None = None


def load_model(path: Path, device: str) -> LoadedModel:
    """Load a ``.onnx`` file with onnxruntime, and any other file as this pipeline's weights.

    Raises:
        PipelineError: when the file is absent, damaged or something else, or there is no such device.
    """
    if device not in get_args(Device):
        raise PipelineError(f"device: found {device!r}, expected one of {', '.join(get_args(Device))}")
    if not path.exists():
        raise PipelineError(
            f"{path}: no such model file; expected a segmenter (.safetensors) or a model exported to .onnx"
        )
    return _load_onnx(path, device) if path.suffix.lower() == ".onnx" else _load_weights(path, device)


def _checked(
    path: Path,
    logits: Logits,
    classes: Any,
    image_size: Any,
    resize: Any,
    device: str,
    white: Any,
    alpha: Any,
    scale: Any,
    stride: Any,
) -> LoadedModel:
    """Build a LoadedModel from what a file states about itself."""
    named = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    if not named or not 2 <= len(classes) <= 255:
        raise PipelineError(f"{path}: expected 2 to 255 class names, found {classes!r}; export it again")
    if not _is_count(image_size):
        raise PipelineError(
            f"{path}: expected an image size in pixels, found {image_size!r}; export it again"
        )
    if resize not in get_args(Resize):
        raise PipelineError(
            f"{path}: expected resize 'stretch', 'pad' or 'crop', found {resize!r}; export it again"
        )
    largest = _LARGEST_SCALE if resize == "crop" else 1.0
    if not isinstance(scale, int | float) or not 0 < scale <= largest or (resize != "crop" and scale != 1):
        expected = f"a scale above 0 and up to {_LARGEST_SCALE:g}" if resize == "crop" else "no scale but 1"
        raise PipelineError(
            f"{path}: expected {expected} with resize {resize!r}, found {scale!r}; export it again"
        )
    if not _is_count(stride):
        raise PipelineError(f"{path}: expected a stride in pixels, found {stride!r}; export it again")
    if not isinstance(white, int) or not 0 < white <= FULL_RANGE or alpha not in ("matte", "drop"):
        raise PipelineError(
            f"{path}: expected white of 1 to {FULL_RANGE} and alpha 'matte' or 'drop', found {white!r}, {alpha!r}; "
            "export it again"
        )
    decode = DecodeOptions(white, alpha)
    return LoadedModel(logits, tuple(classes), image_size, resize, device, decode, float(scale), stride, path)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _load_weights(path: Path, device: str) -> LoadedModel:
    import torch

    from ae_pretrained.hardware import use_tf32
    from ae_pretrained.models.memory_layout import place
    from ae_pretrained.models.weights import load_unet

    try:
        model, info = load_unet(path)
    except PipelineError:
        raise
    except (TypeError, ValueError) as error:  # values of another kind than those that are written
        raise PipelineError(f"{path}: the header describes no segmenter ({error}); train again") from None
    if device == "cuda" and not torch.cuda.is_available():
        raise PipelineError("device: found 'cuda', but PyTorch sees no GPU on this machine; use auto or cpu")
    target = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if target == "cuda":
        use_tf32(False)  # 10 bits would show in the masks
    place(model, target)

    def logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(images).to(target)).float().cpu())

    return _checked(
        path,
        logits,
        info.classes,
        info.image_size,
        info.resize,
        target,
        info.white,
        info.alpha,
        info.scale,
        model.encoder.strides[-1],
    )


def _load_onnx(path: Path, device: str) -> LoadedModel:
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "cuda" and "CUDAExecutionProvider" not in there:
        raise PipelineError(
            "device: found 'cuda', but this onnxruntime has no CUDA provider; install onnxruntime-gpu, or use "
            "auto or cpu"
        )
    use_gpu = device != "cpu" and "CUDAExecutionProvider" in there
    gpu = [("CUDAExecutionProvider", {"use_tf32": "0"})] if use_gpu else []
    providers = [*gpu, "CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(path, providers=providers)
    except Exception as error:  # onnxruntime raises classes of its own, below Exception, one per cause
        raise PipelineError(
            f"{path}: not a readable ONNX model ({error}); make one with `ae-pretrained export --format onnx`"
        ) from None
    stated = session.get_modelmeta().custom_metadata_map
    try:
        classes, side = json.loads(stated["classes"]), int(stated["image_size"])
        resize, name = stated["resize"], session.get_inputs()[0].name
        white, alpha = int(stated.get("white", FULL_RANGE)), stated.get("alpha", "matte")
        scale = float(stated.get("scale", 1.0))
        stride = int(stated["stride"]) if resize == "crop" else 1
    except (KeyError, ValueError, IndexError):
        raise PipelineError(
            f"{path}: an ONNX model without the metadata of a segmenter (found {sorted(stated) or 'none'}); "
            "expected one made with `ae-pretrained export --format onnx`"
        ) from None

    def logits(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {name: images})[0])

    target = "cuda" if use_gpu else "cpu"
    return _checked(path, logits, classes, side, resize, target, white, alpha, scale, stride)
