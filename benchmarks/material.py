"""Data and models that benchmarks work with: drawn, or from an official layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ae_pretrained.params import Params, read_params, validate_params
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.fetch import fetch

_PARAMS = Path(__file__).parent.parent / "params.yaml"


def params_for(root: Path | None, changes: dict[str, Any]) -> Params:
    """The committed parameters, for the data at ``root`` or the embedded ones.

    Args:
        root: an unpacked official layout, or None.
        changes: values by dotted key, such as ``train_seg.batch_size``.
    """
    values = read_params(_PARAMS)
    source: dict[str, Any] = {"data.source": "synthetic"}
    if root is not None:
        source = {"data.source": "oxford_iiit_pet", "data.root": str(root.absolute())}
    for key, value in {**source, **changes}.items():
        *sections, name = key.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[name] = value
    return validate_params(values)


def draw(folder: Path, drawn: dict[str, int]) -> Path:
    """Draw images below a folder; returns the folder of the official layout that they make."""
    fetch(params_for(None, {"data.synthetic": drawn}).data, folder / "raw")
    return folder / "raw"


def prepared(params: Params, folder: Path) -> Path:
    """Fetch and prepare the data below a folder; returns the folder of the arrays."""
    fetch(params.data, folder / "raw")
    prepare(
        folder / "raw",
        folder / "processed",
        params.data,
        params.seed,
        metrics_file=folder / "prepare.json",
        plots=folder / "plots",
    )
    return folder / "processed"
