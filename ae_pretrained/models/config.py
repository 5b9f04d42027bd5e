"""The architecture of a network as plain values that travel with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.model_params import ModelParams

Norm = Literal["instance", "batch", "group"]
EncoderKind = Literal["convolutional", "efficientnet_lite0"]


@dataclass(frozen=True)
class ModelConfig:
    """What it takes to build a network of the same shape.

    Attributes:
        features: channels per encoder stage.
        encoder_dropout: spatial dropout per encoder stage.
        decoder_dropout: spatial dropout per decoder stage, deepest first.
        norm: normalisation layer.
        encoder: which encoder; ``features`` and ``encoder_dropout`` are those of ``convolutional``.
    """

    features: tuple[int, ...]
    encoder_dropout: tuple[float, ...]
    decoder_dropout: tuple[float, ...]
    norm: Norm = "instance"
    encoder: EncoderKind = "convolutional"

    def __post_init__(self) -> None:
        stages = len(self.features)
        for key, expected in (("encoder_dropout", stages), ("decoder_dropout", stages - 1)):
            found = len(getattr(self, key))
            if found != expected:
                raise PipelineError(f"{key}: {stages} features need {expected} values, found {found}")

    @classmethod
    def from_params(cls, params: ModelParams) -> ModelConfig:
        return cls(
            tuple(params.features),
            tuple(params.encoder_dropout),
            tuple(params.decoder_dropout),
            params.norm,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the header of a weights file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The reverse of :meth:`to_dict`, after a way through JSON."""
        lists = {key: tuple(values[key]) for key in ("features", "encoder_dropout", "decoder_dropout")}
        return cls(**{**values, **lists})
