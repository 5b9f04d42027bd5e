"""From a pretrained encoder to a segmenter: what is carried over, what is frozen, the learning rate of each part."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

from torch import nn

from ae_pretrained.errors import check_choice
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import WeightsError, load_strictly, read_config, read_weights

Init = Literal["scratch", "autoencoder", "random_frozen", "imagenet"]
Transfer = Literal["encoder", "encoder_decoder"]


def build_segmenter(
    init: Init = "scratch",
    transfer: Transfer = "encoder",
    config: ModelConfig | None = None,
    num_classes: int = 3,
    autoencoder: Path | None = None,
) -> UNet:
    """A U-Net with the weights to start from.

    Args:
        init: ``scratch``; ``autoencoder``; ``random_frozen``, which starts like ``scratch`` (freezing it is
            the training's matter); ``imagenet``, the encoder with its published weights, and in place of a
            ``convolutional`` one, of which none are published, EfficientNet-Lite0.
        transfer: what ``autoencoder`` carries over: the encoder, or the decoder too. The head is always new.
        config: the architecture, None for ``ModelConfig()``.
        num_classes: channels of the logits.
        autoencoder: weights file of the pretrained autoencoder.

    Raises:
        WeightsError: when the autoencoder's architecture is another than ``config``.

    Example:
        >>> from ae_pretrained.models import load_autoencoder
        >>> from ae_pretrained.prediction import shipped_model
        >>> path = shipped_model("autoencoder")
        >>> config = load_autoencoder(path).config
        >>> model = build_segmenter("autoencoder", "encoder_decoder", config, num_classes=5, autoencoder=path)
        >>> model.head.out_channels
        5
    """
    check_choice("init", init, get_args(Init))
    check_choice("transfer", transfer, get_args(Transfer))
    config = config or ModelConfig()
    if init == "imagenet":
        if config.encoder == "convolutional":
            config = dataclasses.replace(config, encoder="efficientnet_lite0")
        return UNet(config, num_classes, pretrained=True)
    model = UNet(config, num_classes)
    if init == "autoencoder":
        if autoencoder is None:
            raise WeightsError("init 'autoencoder' needs the weights file of a pretrained autoencoder")
        _carry_over(model, autoencoder, transfer)
    return model


def _carry_over(model: UNet, path: Path, transfer: Transfer) -> None:
    tensors, header = read_weights(path, "autoencoder")
    found = read_config(header, path)
    for key in ("features", "norm", "architecture"):
        there, here = getattr(found, key), getattr(model.config, key)
        if there != here:
            raise WeightsError(
                f"{path}: the autoencoder has {key} {there}, the segmenter {here}; pretrain again with the "
                "same model parameters"
            )
    parts = ("encoder",) if transfer == "encoder" else ("encoder", "decoder")
    for part in parts:
        prefix = f"{part}."
        own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        load_strictly(getattr(model, part), own, f"{path} ({part})")


def freeze_encoder(model: UNet) -> None:
    """Stop the encoder's weights, norm statistics and dropout, until :func:`thaw_encoder`.

    Example:
        >>> from ae_pretrained.models import UNet
        >>> model = UNet(num_classes=2)
        >>> freeze_encoder(model)
        >>> any(parameter.requires_grad for parameter in model.encoder.parameters())
        False
        >>> thaw_encoder(model)
    """
    model.encoder_frozen = True
    model.encoder.requires_grad_(False)
    # Optimisers step along a gradient that is left over, whatever requires_grad says.
    model.encoder.zero_grad(set_to_none=True)
    model.encoder.eval()


def thaw_encoder(model: UNet) -> None:
    """Let the encoder take part in training again; see :func:`freeze_encoder` for an example."""
    model.encoder_frozen = False
    model.encoder.requires_grad_(True)
    model.encoder.train(model.training)


def is_frozen(model: UNet) -> bool:
    """Whether the encoder takes no part in training."""
    return model.encoder_frozen


def parameter_groups(
    model: Autoencoder | UNet, lr: float, encoder_lr_scale: float = 1.0, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Optimiser groups: encoder and rest, each split into what decays and what does not.

    Norm weights and biases are not decayed: pulling them to zero regularises nothing.

    Args:
        model: what is trained.
        lr: learning rate of decoder and head.
        encoder_lr_scale: that of the encoder, relative to ``lr``.
        weight_decay: of every weight of more than one dimension.

    Returns:
        Dictionaries with ``params``, ``lr``, ``weight_decay`` and ``name``; none is empty.

    Example:
        >>> from ae_pretrained.models import UNet
        >>> groups = parameter_groups(UNet(num_classes=3), lr=1e-3, encoder_lr_scale=0.1)
        >>> [group["name"] for group in groups]
        ['encoder', 'encoder_norm', 'decoder', 'decoder_norm']
    """
    rest = nn.ModuleList([model.decoder, model.head])
    groups = []
    for name, module, rate in (("encoder", model.encoder, lr * encoder_lr_scale), ("decoder", rest, lr)):
        parameters = list(module.parameters())
        decayed = [p for p in parameters if p.ndim > 1]
        kept = [p for p in parameters if p.ndim <= 1]
        groups.append({"params": decayed, "lr": rate, "weight_decay": weight_decay, "name": name})
        groups.append({"params": kept, "lr": rate, "weight_decay": 0.0, "name": f"{name}_norm"})
    return [group for group in groups if group["params"]]
