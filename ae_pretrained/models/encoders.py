"""The one place that builds an encoder by its name."""

from __future__ import annotations

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.encoder import Encoder
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
