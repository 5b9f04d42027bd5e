"""The study on a few drawn images: what makes it small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ae_pretrained.params.editing import set_values
from ae_pretrained.study.layout import Study
from tests.conftest import ROOT
from tests.processed import SMALL

STUDY = Study(Path("studies/label_efficiency"))
_PARAMS: dict[str, Any] = {
    **SMALL,
    "model.norm": "batch",  # the study's own
    "data.source": "synthetic",
    "data.synthetic.num_trainval": 24,
    "data.synthetic.num_test": 6,
    "data.leak_check.enabled": False,
    "train_ae.epochs": 1,
    "train_ae.loss.perceptual_size": 0,
    "train_ae.loss.latent": 0.0,
    "train_seg.batch_size": 4,
    "eval_seg.bootstrap_samples": 20,
}
_GRID: dict[str, Any] = {
    "runs": ["0.5x4"],
    "seeds": [0],
    "validate_every": 2,
    "compared": ["scratch", "encoder_decoder"],
    "control_runs": ["0.5x4"],
    "controls": [],
}


def write_small_study(root: Path) -> None:
    """Write a small ``params.yaml`` and ``grid.yaml`` of the study below another root than the repository's.

    Args:
        root: a folder that takes the place of the repository's root; what the study writes will lie there.
    """
    (root / STUDY.folder).mkdir(parents=True, exist_ok=True)
    for path, values in ((STUDY.folder / "params.yaml", _PARAMS), (STUDY.grid_file, _GRID)):
        (root / path).write_text((ROOT / path).read_text(encoding="utf-8"), encoding="utf-8")
        change(root / path, values)


def change(path: Path, values: dict[str, Any]) -> None:
    """Set dotted keys of a YAML file."""
    keyed = {tuple(key.split(".")): value for key, value in values.items()}
    path.write_text(set_values(path.read_text(encoding="utf-8"), keyed), encoding="utf-8")


def fresh_study() -> Study:
    """The study in the current folder, as its files are now: a Study reads its grid once."""
    return Study(STUDY.folder)
