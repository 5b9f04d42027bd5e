"""Autoencoder pretraining and its transfer to semantic segmentation."""

from __future__ import annotations

import sys

# Before any import that an older one cannot read. pip refuses an older one, but a PYTHONPATH does not.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit(
        f"ae_pretrained needs Python 3.10 or newer, and this is {sys.version.split()[0]}. Make an environment with "
        "a newer one: python3.11 -m venv .venv"
    )

import importlib
from typing import Any

from ae_pretrained import compat

__version__ = "0.1.0"

# Public names and where they live. As text, imported at first use: `import ae_pretrained` stays instant, and no
# stage of the pipeline comes to depend on the code of prediction, which it does not run.
_LAZY = {
    "Prediction": "ae_pretrained.prediction.outcome",
    "Segmenter": "ae_pretrained.prediction.segmenter",
}
__all__ = [*_LAZY]

compat.install()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
