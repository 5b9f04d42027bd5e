"""Where the weights lie that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import ae_pretrained.pretrained
from ae_pretrained.errors import PipelineError


def shipped_model(kind: Literal["autoencoder", "segmenter"]) -> Path:
    """The weights file that comes with the package.

    Raises:
        PipelineError: when the installation lacks it.
    """
    path = Path(ae_pretrained.pretrained.__path__[0]) / f"{kind}.safetensors"
    if not path.is_file():
        raise PipelineError(
            f"{path}: this installation lacks the weights that come with the package; name a model file of your "
            f"own (models/{kind}.safetensors, after `dvc repro`), or install the package again"
        )
    return path
