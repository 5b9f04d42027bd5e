"""The one place that builds an encoder by its name."""

from __future__ import annotations

import torch

from ae_pretrained.errors import PipelineError, shortened
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.encoder import Encoder, ImageSizeError
from ae_pretrained.models.imagenet import EfficientNetLiteEncoder
from ae_pretrained.models.timm_networks import PREFIX, TimmEncoder

AnyEncoder = Encoder | EfficientNetLiteEncoder | TimmEncoder


def build_encoder(config: ModelConfig, pretrained: bool = False) -> AnyEncoder:
    """The encoder that ``config.encoder`` names.

    Args:
        config: the architecture.
        pretrained: with the weights that are published with it or of the file that is named; otherwise random.

    Raises:
        PipelineError: when there is no such encoder, or its weights cannot be had.

    Example:
        >>> build_encoder(ModelConfig(features=(8, 16), encoder="convolutional")).strides
        (1, 2)
    """
    if config.encoder == "convolutional" and not pretrained:
        return Encoder(config.features, config.encoder_dropout, config.norm)
    if config.encoder == "efficientnet_lite0":
        encoder = EfficientNetLiteEncoder()
        if pretrained:
            encoder.load_imagenet_weights()
        return encoder
    if config.encoder.startswith(PREFIX):
        return TimmEncoder(config.encoder, pretrained)
    raise PipelineError(
        f"encoder: found {config.encoder!r} {'with' if pretrained else 'without'} pretrained weights, expected "
        "'convolutional' (without), 'efficientnet_lite0' or 'timm/NAME'"
    )


@torch.no_grad()
def encoder_strides(name: str, side: int, pretrained: bool) -> tuple[int, ...]:
    """Build an encoder and run it on one image: its strides, when it can be used.

    Args:
        name: ``efficientnet_lite0``, ``timm/NAME`` or ``timm/NAME@FILE``.
        side: of the square image, px.
        pretrained: its weights are needed too.

    Raises:
        PipelineError: saying why not.
    """
    encoder = build_encoder(ModelConfig(encoder=name), pretrained).eval()
    try:
        maps = encoder(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError, ValueError) as error:
        if isinstance(error, ImageSizeError):
            raise
        raise PipelineError(
            f"{name}: cannot take images of {side} px ({shortened(error)}); choose another network"
        ) from None
    if [found.shape[1] for found in maps] != list(encoder.channels):
        raise PipelineError(f"{name}: its maps are not (N, C, H, W); choose another network")
    return encoder.strides
