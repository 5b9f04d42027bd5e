"""Networks of the package timm by name, as encoders and as teachers of the latent loss.

timm is an optional package (``pip install 'ae-pretrained[timm]'``), imported where a network is named. A name is
``timm/NAME``, whose weights timm publishes, or ``timm/NAME@FILE`` with those of a local file.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError, shortened
from ae_pretrained.models.depthwise import float32_depthwise
from ae_pretrained.models.encoder import check_image_size

PREFIX = "timm/"


def split_name(name: str) -> tuple[str, Path | None]:
    """Name in timm, and the file of its weights, if one is named.

    Example:
        >>> split_name("timm/resnet18.a1_in1k@weights/mine.safetensors")[0]
        'resnet18.a1_in1k'
    """
    network, _, file = name.removeprefix(PREFIX).partition("@")
    return network, Path(file) if file else None


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise PipelineError(
            "a network 'timm/…' needs the package timm; run `pip install 'ae-pretrained[timm]'`"
        ) from None
    return timm


def _published(name: str) -> Any:
    """timm's entry of a name: size, mean and standard deviation of images, licence and place of the weights."""
    timm, network = _timm(), split_name(name)[0]
    known = timm.is_model(network)
    try:
        entry = timm.models.get_pretrained_cfg(network) if known else None
    except RuntimeError:  # the network is there, but no weights of this tag
        entry = None
    if entry is None:
        near = get_close_matches(network, [*timm.list_models(), *timm.list_pretrained()], n=3)
        raise PipelineError(
            f"{PREFIX}{network}: timm {timm.__version__} knows no such network"
            + (f"; did you mean {' or '.join(PREFIX + other for other in near)}?" if near else "")
        )
    return entry


def _build(name: str, pretrained: bool, **options: Any) -> nn.Module:
    """A network of timm; with ``pretrained`` all of its weights are loaded, or it is an error."""
    timm, entry, (network, file) = _timm(), _published(name), split_name(name)
    if not pretrained:
        return timm.create_model(network, **options)
    if file is not None and not file.is_file():
        raise PipelineError(f"{PREFIX}{network}: no weights file {file}")
    overlay = {"file": str(file), "custom_load": False} if file else None
    size = options.get("img_size")
    try:
        # Without a head timm loads whatever fits and passes over the rest. With its own head, it loads strictly.
        whole = {} if size is None else {"img_size": size}
        timm.create_model(network, pretrained=True, pretrained_cfg_overlay=overlay, **whole)
        return timm.create_model(network, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except Exception as error:  # of torch, safetensors, pickle, the hub or its HTTP client
        if file is not None:
            raise PipelineError(
                f"{file}: cannot be used as the weights of {PREFIX}{network}, as timm publishes or saves them, its "
                f"head included ({shortened(error)})"
            ) from None
        megabytes = 4e-6 * sum(weight.numel() for weight in timm.create_model(network).parameters())
        where = f"https://huggingface.co/{entry.hf_hub_id}" if entry.hf_hub_id else entry.url
        raise PipelineError(
            f"{PREFIX}{network}: its weights, about {megabytes:.0f} MB, are not in the cache and could not be "
            f"downloaded from {where or 'anywhere: none are published'} ({shortened(error)}); on a machine with a "
            f"network download model.safetensors from there, and name it here: {PREFIX}{network}@model.safetensors"
        ) from None


class TimmEncoder(nn.Module):
    """A network of timm as an encoder, by timm's ``features_only``.

    Args:
        name: ``timm/NAME`` or ``timm/NAME@FILE``.
        pretrained: with its weights (published, or of the file); otherwise random.

    Attributes:
        channels: channels of every feature map, shallow to deep.
        strides: how many input pixels one pixel of every feature map stands for.

    Raises:
        PipelineError: when timm is not installed, does not know the name or has no pyramid of feature maps of it, or
            when its weights cannot be had or are those of another network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, pretrained: bool = False) -> None:
        super().__init__()
        self.name = PREFIX + split_name(name)[0]
        network: Any = _build(name, pretrained, features_only=True)
        self.channels: tuple[int, ...] = tuple(network.feature_info.channels())
        self.strides: tuple[int, ...] = tuple(network.feature_info.reduction())
        if len(self.strides) < 2 or list(self.strides) != sorted(set(self.strides)):
            raise PipelineError(
                f"{self.name}: the strides of its feature maps are {list(self.strides)}; the encoder of a U-Net "
                "needs rising ones. A vision transformer can be train_ae.loss.teacher"
            )
        float32_depthwise(network)
        self.network = network
        _add_statistics(self, network.pretrained_cfg)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps, shallow to deep, of images (N, 3, H, W) in [0, 1].

        Raises:
            ImageSizeError: when the deepest map would be a single row or column.
        """
        check_image_size(x, self.strides[-1], f"the encoder {self.name} (model.encoder)")
        return list(self.network((x - self.mean) / self.std))


class TimmTeacher(nn.Module):
    """A pretrained network of timm that says what is in an image: a pyramid of maps, or of a ViT its patch tokens.

    Args:
        name: ``timm/NAME`` or ``timm/NAME@FILE``.
        size: side in px at which it sees images; 0 for its own.

    Attributes:
        channels, strides: of its maps, shallow to deep; a ViT has one.

    Raises:
        PipelineError: as :class:`TimmEncoder`; never are its weights random.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, size: int = 0) -> None:
        super().__init__()
        entry = _published(name)
        self.size = size or entry.input_size[-1]
        network: Any = _build(name, True, features_only=True)
        self.channels: tuple[int, ...] = tuple(network.feature_info.channels())
        self.strides: tuple[int, ...] = tuple(network.feature_info.reduction())
        self.is_pyramid = len(set(self.strides)) > 1
        if not self.is_pyramid:
            patch = self.strides[-1]
            if self.size % patch:
                lower = self.size // patch * patch
                raise PipelineError(
                    f"train_ae.loss.teacher_size: {self.size} px is no multiple of {patch}, the patch of {name}; use "
                    f"{f'{lower} or ' if lower else ''}{lower + patch}"
                )
            # The position embeddings are interpolated to the size.
            network = _build(name, True, num_classes=0, img_size=self.size)
            self.channels, self.strides = self.channels[-1:], self.strides[-1:]
        self.network = network
        _add_statistics(self, network.pretrained_cfg)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps, shallow to deep, of images (N, 3, H, W) in [0, 1], which are brought to its size."""
        size = (self.size, self.size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        x = (images - self.mean) / self.std
        if self.is_pyramid:
            return list(self.network(x))
        return list(self.network.forward_intermediates(x, indices=1, norm=True, intermediates_only=True))


def _add_statistics(module: nn.Module, entry: dict[str, Any]) -> None:
    for key in ("mean", "std"):
        module.register_buffer(key, torch.tensor(entry[key]).view(1, 3, 1, 1), persistent=False)
