"""Autoencoders of the study, one per pretext task, on every training image, without labels.

python -m studies.label_efficiency.pretrain [NAME ...]

trains the named ones, or those that missing cells start from; one whose weights are there is not trained anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_bytes, write_json
from ae_pretrained.pretraining.pretrain import pretrain
from ae_pretrained.provenance import provenance
from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.digests import data_digest, md5_of
from studies.label_efficiency.grid import (
    CHECKPOINTS,
    PRETRAINED,
    PROCESSED,
    WEIGHTS,
    Cell,
    cells_of,
    pretext_of,
    pretext_params,
    read_grid,
)
from studies.label_efficiency.records import (
    autoencoder_settings,
    missing_cells,
    read_record,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pretext", nargs="*")
    names = parser.parse_args().pretext
    grid, data = read_grid(), data_digest(PROCESSED)
    for name in names or pretexts_of(missing_cells(cells_of(grid), grid, data), grid):
        pretrain_missing(name, grid, data)


def pretexts_of(cells: list[Cell], grid: dict[str, Any]) -> list[str]:
    """The autoencoders that cells start from, each once."""
    return list(dict.fromkeys(name for cell in cells if (name := pretext_of(cell, grid)) is not None))


def pretrain_missing(name: str, grid: dict[str, Any], data: dict[str, str]) -> None:
    """Pretrain one autoencoder unless its weights are there, and record what it was made with.

    Args:
        name: of the pretext task.
        grid: the grid.
        data: digests of the images.

    Raises:
        PipelineError: when weights and record do not belong together.
    """
    weights, record = autoencoder_weights(name), PRETRAINED / f"{name}.json"
    if weights.is_file():
        print(f"{weights} is there")
        return
    params = pretext_params(name, grid)
    made_by = provenance(params.seed, params.runtime, params.train_ae.precision)
    if record.is_file():
        print(
            f"{weights} is not on this machine: trained anew, {record} will be of the new one",
            file=sys.stderr,
        )
    with tempfile.TemporaryDirectory() as folder:
        trained, metrics = Path(folder) / weights.name, Path(folder) / "metrics.json"
        pretrain(
            PROCESSED,
            params=params.train_ae,
            image_size=params.data.image_size,
            model=params.model,
            runtime=params.runtime,
            seed=params.seed,
            weights=trained,
            curve=PRETRAINED / f"{name}.csv",
            metrics=metrics,
            checkpoints=CHECKPOINTS / name,
        )
        values = {
            **json.loads(metrics.read_text(encoding="utf-8")),
            "weights_md5": md5_of(trained),
            "settings": autoencoder_settings(params),
            "data": data,
            "provenance": made_by,
        }
        # The weights last: without them everything is made anew, and never do they stand beside another's record.
        write_json(record, values)
        write_bytes(weights, trained.read_bytes())


def autoencoder_weights(name: str) -> Path:
    """Where the weights of an autoencoder belong.

    Raises:
        PipelineError: when the file there is not the one that its record is about, or still lies where an earlier
            version kept it.
    """
    weights, record = WEIGHTS / f"{name}.safetensors", PRETRAINED / f"{name}.json"
    former = PRETRAINED / weights.name
    if former.is_file() and not weights.is_file():
        raise PipelineError(f"{former}: weights now lie in {WEIGHTS}; move the file there, or remove it")
    if weights.is_file():
        recorded = read_record(record).get("weights_md5") if record.is_file() else None
        if recorded != md5_of(weights):
            raise PipelineError(
                f"{weights}: not the file that {record} is about (MD5 {recorded}, found {md5_of(weights)}); "
                "restore the one that belongs to it, or remove both to train it anew"
            )
    return weights


if __name__ == "__main__":
    run_stage(main)
