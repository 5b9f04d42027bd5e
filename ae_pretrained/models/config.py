"""The architecture of a network as plain values that travel with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ae_pretrained.errors import PipelineError

Norm = Literal["instance", "batch", "group"]


@dataclass(frozen=True)
class ModelConfig:
    """What it takes to build a network of the same shape.

    Attributes:
        features: channels per encoder stage; each stage after the first halves the size.
        encoder_dropout: spatial dropout per encoder stage, or one rate for all.
        decoder_dropout: spatial dropout per decoder stage, deepest first, one fewer than encoder stages; or one rate.
        norm: normalisation layer.
        encoder: ``convolutional``, to which ``features`` and ``encoder_dropout`` belong, ``efficientnet_lite0``,
            ``timm/NAME``, or ``timm/NAME@FILE`` where the pretrained weights come from a local file.

    Raises:
        PipelineError: when there are fewer than two stages, or dropout rates for another number of stages.

    Example:
        >>> ModelConfig(features=(8, 16, 32), decoder_dropout=0.1).decoder_dropout
        (0.1, 0.1)
    """

    features: tuple[int, ...] = (16, 32, 64, 128, 256, 256)
    encoder_dropout: float | tuple[float, ...] = 0.0
    decoder_dropout: float | tuple[float, ...] = 0.0
    norm: Norm = "instance"
    encoder: str = "convolutional"

    def __post_init__(self) -> None:
        stages = len(self.features)
        if stages < 2:
            raise PipelineError(
                f"features: found {list(self.features)}, expected the channels of two stages or more"
            )
        object.__setattr__(self, "features", tuple(self.features))
        for key, expected in (("encoder_dropout", stages), ("decoder_dropout", stages - 1)):
            rates = dropout_rates(getattr(self, key), expected)
            if len(rates) != expected:
                raise PipelineError(f"{key}: {stages} features need {expected} values, found {len(rates)}")
            object.__setattr__(self, key, rates)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the header of a weights file, without the file that the encoder once started from."""
        return {**asdict(self), "encoder": self.architecture}

    @property
    def architecture(self) -> str:
        """The encoder's name, without a file of weights."""
        return self.encoder.partition("@")[0]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The reverse of :meth:`to_dict`, after a way through JSON."""
        lists = {key: tuple(values[key]) for key in ("features", "encoder_dropout", "decoder_dropout")}
        return cls(**{**values, **lists})


def dropout_rates(dropout: float | Sequence[float], stages: int) -> tuple[float, ...]:
    """One rate per stage: those that are given, or the same for all."""
    return (float(dropout),) * stages if isinstance(dropout, float | int) else tuple(dropout)
