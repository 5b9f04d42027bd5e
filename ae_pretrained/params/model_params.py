"""Parameters of the network and of the machine it runs on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ae_pretrained.params.logger_packages import LoggerName
from ae_pretrained.params.section import (
    Count,
    CountOrZero,
    OpenFraction,
    Section,
)


class ModelParams(Section):
    """The network that the autoencoder and the U-Net share."""

    encoder: Annotated[str, Field(pattern=r"^(convolutional|efficientnet_lite0|timm/[\w.]+(@.+)?)$")] = Field(
        description="`convolutional`, shaped by the keys below; `efficientnet_lite0`; or `timm/NAME`, a network of "
        "the package timm, whose weights for `init: imagenet` come from the cache of the Hugging Face hub, or with "
        "`timm/NAME@FILE` from a local file. `features` and `encoder_dropout` are of `convolutional` alone "
        "(docs/encoders.md)."
    )
    features: list[Count] = Field(
        min_length=2, description="Channels per encoder stage; each stage after the first halves the size."
    )
    encoder_dropout: list[OpenFraction] = Field(description="Spatial dropout per encoder stage.")
    decoder_dropout: list[OpenFraction] = Field(
        description="Spatial dropout per decoder stage, deepest first; one fewer than encoder stages."
    )
    norm: Literal["instance", "batch", "group"] = Field(description="Normalisation layer (affine).")

    @model_validator(mode="after")
    def _check(self) -> ModelParams:
        stages = len(self.features)
        for key, expected in (("encoder_dropout", stages), ("decoder_dropout", stages - 1)):
            found = len(getattr(self, key))
            if found != expected:
                raise ValueError(f"{key}: {stages} features need {expected} values, found {found}")
        return self


class RuntimeParams(Section):
    """The machine: nothing here changes what is learnt, save rounding."""

    accelerator: Literal["auto", "cpu", "gpu"] = Field(description="`auto` takes a GPU where there is one.")
    devices: Count = Field(description="Devices per node; more than one trains with DDP.")
    num_nodes: Count = Field(description="Nodes; more than one trains with DDP.")
    loader_workers: CountOrZero = Field(
        description="Loader processes; 0 is fastest here, as batches are slices of an array on disk."
    )
    threads: CountOrZero = Field(
        description="Threads of PyTorch on the CPU; 0 is PyTorch's choice: one per core, or what OMP_NUM_THREADS "
        "says. Another number rounds differently. Fewer are faster where other programs are busy."
    )
    compile: bool = Field(description="Compile the model with torch.compile (pays off on long GPU runs).")
    deterministic: Literal["warn"] | bool = Field(
        description="The same digits from run to run: `warn` wherever PyTorch can, with a warning where not; `true` "
        "everywhere, or an error; `false` leaves it to chance, which is faster on a GPU and changes nothing on a CPU."
    )
    tf32: bool = Field(
        description="On a GPU, train with float32 convolutions in TF32: faster, with 10 bits for 23. Evaluation is "
        "in float32 either way."
    )
    logger: LoggerName = Field(
        description="What a training is watched with, beside the CSV of its curves; it writes to `logs/`, and needs "
        "its package (`pip install tensorboard`, …). No training runs again for it."
    )
