"""The U-Net that segments: the same encoder and decoder as the autoencoder, and a head of logits."""

from __future__ import annotations

from torch import Tensor, nn

from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.decoder import Decoder
from ae_pretrained.models.encoders import AnyEncoder, build_encoder
from ae_pretrained.models.layers import make_head


class UNet(nn.Module):
    """A U-Net (Ronneberger et al., arXiv 1505.04597) over a shared encoder.

    Args:
        config: the architecture. None for ``ModelConfig()``.
        num_classes: channels of the logits, the background included.
        pretrained: the encoder starts with the weights that are published with it.

    Example:
        >>> import torch
        >>> model = UNet(num_classes=4).eval()
        >>> model(torch.rand(1, 3, 64, 48)).shape
        torch.Size([1, 4, 64, 48])
    """

    encoder: AnyEncoder

    def __init__(
        self, config: ModelConfig | None = None, num_classes: int = 3, pretrained: bool = False
    ) -> None:
        super().__init__()
        config = config or ModelConfig()
        self.config, self.num_classes = config, num_classes
        self.encoder = build_encoder(config, pretrained)
        self.decoder = Decoder(
            self.encoder.channels, self.encoder.strides, config.decoder_dropout, config.norm
        )
        self.head = make_head(self.decoder.out_channels, num_classes)
        self.encoder_frozen = False

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, 3, H, W) in [0, 1]."""
        return self.head(self.decoder(self.encoder(x), (x.shape[-2], x.shape[-1])))

    def train(self, mode: bool = True) -> UNet:
        """As usual, but a frozen encoder stays in evaluation mode.

        Otherwise its dropout would go on and its batch statistics would move with every batch, however
        frozen its weights are.
        """
        super().train(mode)
        if self.encoder_frozen:
            self.encoder.eval()
        return self
