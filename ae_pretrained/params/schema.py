"""The schema of ``params.yaml``: one class per section, every key with its type, range and meaning.

The descriptions are the single source of the parameter reference in the documentation. Types are strict:
the text ``"1e-3"`` is no number and ``yes`` is no boolean, because a hyperparameter that was silently
converted is one that was silently misread.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from ae_pretrained.constants import IMAGENET_STRIDE
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.params.evaluation_params import EvalAEParams, EvalSegParams, RobustnessParams
from ae_pretrained.params.model_params import ModelParams, RuntimeParams
from ae_pretrained.params.section import Section
from ae_pretrained.params.training_params import TrainAEParams, TrainSegParams


class Params(Section):
    """Everything in ``params.yaml``."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        description="Seed of every random draw, but for the embedded images, which are always the same."
    )
    data: DataParams
    model: ModelParams
    runtime: RuntimeParams
    train_ae: TrainAEParams
    train_seg: TrainSegParams
    eval_ae: EvalAEParams
    eval_seg: EvalSegParams
    robustness: RobustnessParams

    @model_validator(mode="after")
    def _check(self) -> Params:
        if self.train_ae.corruption.mask_block > self.data.image_size:
            raise ValueError(
                f"train_ae.corruption.mask_block: {self.train_ae.corruption.mask_block} px is larger than "
                f"data.image_size, {self.data.image_size} px"
            )
        if self.train_ae.init == "imagenet" and self.model.encoder == "convolutional":
            raise ValueError(
                "train_ae.init: 'imagenet' goes on from the published weights of an encoder, and model.encoder: "
                "'convolutional' has none; use model.encoder: efficientnet_lite0 (or timm/NAME), or init: scratch"
            )
        if self.model.encoder != "convolutional":  # its strides are known where it is built: params/gate.py
            if self.data.resize == "crop":
                if self.model.encoder != "efficientnet_lite0":
                    raise ValueError(
                        f"model.encoder: {self.model.encoder!r} may look at a whole image at once, so that a window "
                        "and the whole differ; data.resize: crop needs convolutional or efficientnet_lite0"
                    )
                self._check_crops(IMAGENET_STRIDE)
            return self
        stages = len(self.model.features)
        if self.data.resize == "crop":
            self._check_crops(2 ** (stages - 1))
        if self.data.image_size < 2**stages:
            raise ValueError(
                f"model.features: {stages} stages reduce {self.data.image_size} px (data.image_size) to less "
                f"than 2 px; use at most {int(math.log2(self.data.image_size))} stages or at least "
                f"{2**stages} px"
            )
        for name, section in (("train_ae", self.train_ae), ("train_seg", self.train_seg)):
            if section.half_size > 0 and self.data.image_size < 2 ** (stages + 1):
                raise ValueError(
                    f"{name}.half_size: {stages} stages reduce half of {self.data.image_size} px (data.image_size) "
                    f"to less than 2 px; use 0.0 or at least {2 ** (stages + 1)} px"
                )
        if isinstance(self.train_ae.skips, int) and self.train_ae.skips >= stages:
            raise ValueError(
                f"train_ae.skips: {self.train_ae.skips} levels cannot be dropped, {stages} stages have "
                f"{stages - 1} skip connections; use 'none' to drop all"
            )
        return self

    def _check_crops(self, stride: int) -> None:
        """What windows of an image have to be, to see the same as the image whole."""
        stride = max(stride, IMAGENET_STRIDE) if self.train_seg.init == "imagenet" else stride
        for name, side in (
            ("data.image_size", self.data.image_size),
            ("eval_seg.window", self.eval_seg.window),
        ):
            if side % stride:
                lower = side // stride * stride
                raise ValueError(
                    f"{name}: {side} px is no multiple of {stride}, the stride of the deepest stage, which resize: "
                    f"crop needs; use {f'{lower} or ' if lower else ''}{lower + stride}"
                )
        if self.model.norm != "batch":
            raise ValueError(
                f"model.norm: {self.model.norm!r} normalises by what is in sight, so that a window and the whole "
                "image differ (instance norm: in half of the pixels); data.resize: crop needs batch"
            )
