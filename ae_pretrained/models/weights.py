"""Weights on disk: safetensors with the architecture in the header, loaded whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet

_HEADER = "ae_pretrained"  # name of the header entry, a JSON text
_FORMAT = "1"
Kind = Literal["autoencoder", "segmenter"]
_ENTRIES: dict[Kind, tuple[str, ...]] = {
    "autoencoder": ("config", "skips"),
    "segmenter": ("config", "classes", "image_size", "resize"),
}


class WeightsError(PipelineError):
    """A weights file does not hold what was asked for."""


@dataclass(frozen=True)
class SegmenterInfo:
    """What a user of a segmenter has to know.

    Attributes:
        classes: class names by mask value, background first.
        image_size: side of the square images that it was trained on, px; of ``crop``, of its crops.
        resize: how images were brought to that size: ``stretch``, ``pad``, or ``crop``, which keeps them whole.
        scale: of ``crop``: the size at which it sees images, relative to their own.
        white: the value of 16-bit images that became white.
        alpha: ``matte`` where transparent pixels were laid on mid-grey, ``drop`` where a fourth band was left out.

    See :func:`save_model` for an example.
    """

    classes: tuple[str, ...]
    image_size: int
    resize: str
    white: int = 65535
    alpha: str = "matte"
    scale: float = 1.0

    @property
    def decoding(self) -> dict[str, Any]:
        """``white``, ``alpha`` and ``scale`` where they are not the default, which files do not state."""
        default = {"white": 65535, "alpha": "matte", "scale": 1.0}
        return {name: value for name, value in asdict(self).items() if default.get(name, value) != value}


def save_model(
    model: Autoencoder | UNet,
    path: Path,
    info: SegmenterInfo | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write weights and architecture; the same weights give the same bytes.

    Args:
        model: an autoencoder, or a U-Net together with ``info``.
        path: file to write, under a temporary name first.
        info: classes and size of a segmenter.
        dtype: number format of floating-point weights on disk; half precision for shipping.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from ae_pretrained.models import UNet
        >>> path = Path(mkdtemp()) / "segmenter.safetensors"
        >>> save_model(UNet(num_classes=2), path, SegmenterInfo(("background", "leaf"), 64, "pad"))
        >>> load_unet(path)[1].classes
        ('background', 'leaf')
    """
    header: dict[str, Any] = {"format": _FORMAT, "config": model.config.to_dict()}
    if isinstance(model, Autoencoder):
        header |= {"kind": "autoencoder", "skips": model.skips}
    else:
        if info is None:
            raise ValueError("a segmenter is saved with its SegmenterInfo")
        header |= {"kind": "segmenter", **_stated(info)}
    tensors = {
        name: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # One entry alone: safetensors writes several in an order that differs from run to run.
        save_file(tensors, temporary, metadata={_HEADER: json.dumps(header, sort_keys=True)})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _stated(info: SegmenterInfo) -> dict[str, Any]:
    required = {name: value for name, value in asdict(info).items() if name in _ENTRIES["segmenter"]}
    return required | info.decoding


def read_weights(path: Path, kind: Kind) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (floats as float32) and header of a weights file.

    Raises:
        WeightsError: when the file is absent, damaged, of another format, or of another kind.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; expected a {kind} saved by this pipeline")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            header = _parse(metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        with path.open("rb") as raw:
            head = raw.read(4)
        looks = "a PyTorch pickle (.pt, .pth)" if head[:2] in (b"PK", b"\x80\x02") else "damaged or truncated"
        raise WeightsError(
            f"{path}: not a readable safetensors file ({error}); it looks {looks}. Expected a {kind} saved by "
            "this pipeline: restore it with `dvc checkout`, or train again"
        ) from None
    if not header:
        raise WeightsError(
            f"{path}: a safetensors file without this pipeline's header (found {sorted(metadata) or 'none'}); "
            f"expected a {kind} saved by this pipeline"
        )
    if header.get("format") != _FORMAT:
        raise WeightsError(
            f"{path}: weights file of format {header.get('format')!r}, expected {_FORMAT!r}; it was saved by "
            "another version of this package: use that version, or train again"
        )
    if header.get("kind") != kind:
        raise WeightsError(f"{path}: holds a {header.get('kind')!r}, expected a {kind!r}")
    absent = [entry for entry in _ENTRIES[kind] if entry not in header]
    if absent:
        raise WeightsError(
            f"{path}: the header of a {kind} lacks {', '.join(absent)}; found {sorted(header)}"
        )
    floats = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    return floats, header


def _parse(metadata: dict[str, str]) -> dict[str, Any]:
    """This pipeline's entry of a safetensors header; empty when there is none."""
    try:
        header = json.loads(metadata.get(_HEADER, "{}"))
    except json.JSONDecodeError:
        return {}
    return header if isinstance(header, dict) else {}


def is_autoencoder(path: Path) -> bool:
    """Whether the header of a file names an autoencoder; what is wrong with a file is for loading to say."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return _parse(file.metadata() or {}).get("kind") == "autoencoder"
    except (OSError, SafetensorError):
        return False


def read_config(header: dict[str, Any], path: Path) -> ModelConfig:
    """The architecture that a header describes.

    Raises:
        WeightsError: when it describes none.
    """
    try:
        return ModelConfig.from_dict(header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: the header describes no model of this package ({error!r})") from None


def load_strictly(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copy tensors into a module of exactly these names and shapes.

    Raises:
        WeightsError: naming what does not fit on either side; nothing has been copied then.
    """
    own = module.state_dict()
    problems = [f"missing {name} {tuple(own[name].shape)}" for name in own if name not in tensors]
    problems += [f"unknown {name} {tuple(tensors[name].shape)}" for name in tensors if name not in own]
    problems += [
        f"{name}: file {tuple(tensors[name].shape)}, model {tuple(value.shape)}"
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise WeightsError(f"{source}: weights do not fit the model: {'; '.join(problems[:5])}{more}")
    module.load_state_dict(tensors, strict=True)


def load_autoencoder(path: Path) -> Autoencoder:
    """Build the autoencoder that a file describes, in evaluation mode.

    Raises:
        WeightsError: see :func:`read_weights` and :func:`load_strictly`.

    Example:
        >>> from ae_pretrained.prediction import shipped_model
        >>> load_autoencoder(shipped_model("autoencoder")).skips
        2
    """
    tensors, header = read_weights(path, "autoencoder")
    model = Autoencoder(read_config(header, path), header["skips"])
    load_strictly(model, tensors, str(path))
    return model.eval()


def _decoding(header: dict[str, Any]) -> dict[str, Any]:
    return {name: header[name] for name in ("white", "alpha", "scale") if name in header}


def load_unet(path: Path) -> tuple[UNet, SegmenterInfo]:
    """Build the segmenter that a file describes, in evaluation mode, and what its user has to know.

    Raises:
        WeightsError: see :func:`read_weights` and :func:`load_strictly`.

    Example:
        >>> from ae_pretrained.prediction import shipped_model
        >>> model, info = load_unet(shipped_model("segmenter"))
        >>> info.classes
        ('background', 'cat', 'dog')
    """
    tensors, header = read_weights(path, "segmenter")
    info = SegmenterInfo(
        tuple(header["classes"]), header["image_size"], header["resize"], **_decoding(header)
    )
    model = UNet(read_config(header, path), len(info.classes))
    load_strictly(model, tensors, str(path))
    return model.eval(), info
