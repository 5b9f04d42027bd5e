"""Records of a study: what was found, and with which settings, images, code and machine.

Newer code leaves them true. One that does not fit what the grid asks for now is an error: it is neither kept nor made
anew in silence.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.params import Params
from ae_pretrained.params.editing import flatten
from ae_pretrained.study.grid import (
    Cell,
    autoencoder_of,
    autoencoder_params,
    autoencoders_of,
    cell_params,
    has_own_masks,
    mask_choice_of,
)
from ae_pretrained.study.layout import Study

_SHOWN = 3  # records that an error names


def cell_settings(params: Params) -> dict[str, Any]:
    """The parameters that decide a cell, beside its seed."""
    data = params.data.model_dump(include={"image_size", "classes", "label_fraction"})
    # num_examples is about images that a cell does not draw.
    evaluation = params.eval_seg.model_dump(exclude={"num_examples"})
    return {
        "data": data,
        "model": params.model.model_dump(),
        "train_seg": params.train_seg.model_dump(),
        "eval_seg": evaluation,
    }


def autoencoder_settings(params: Params) -> dict[str, Any]:
    """The parameters that decide an autoencoder of the study, its seed included."""
    return {"seed": params.seed, "model": params.model.model_dump(), "train_ae": params.train_ae.model_dump()}


def md5_of(path: Path) -> str:
    """MD5 of a file, the digest by which DVC knew the weights of the first cells."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def read_record(path: Path) -> dict[str, Any]:
    """A record as written.

    Raises:
        PipelineError: when it is no JSON object, or its curve is not beside it.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PipelineError(
            f"{path}: no JSON ({error}); restore the file, or remove it to run it anew"
        ) from None
    if not isinstance(values, dict):
        raise PipelineError(f"{path}: expected a JSON object; restore the file, or remove it to run it anew")
    if not path.with_suffix(".csv").is_file():
        raise PipelineError(
            f"{path.with_suffix('.csv')}: the curve of {path.name} is missing; "
            "restore it, or remove the .json as well to run it anew"
        )
    return values


def missing_cells(cells: Sequence[Cell], study: Study, data: dict[str, str]) -> list[Cell]:
    """Cells without a record, once every record that is there has been found to be what the grid asks for.

    Args:
        cells: those that the grid asks for.
        study: the study.
        data: digests of the images that are there now (``digests.data_digest``).

    Raises:
        PipelineError: naming records whose settings (or, where cells are to be run, images) are others, what differs
            and what to do.
    """
    of_cells = {record_of(cell, study): cell for cell in cells}
    asked = {path: cell_settings(cell_params(cell, study)) for path, cell in of_cells.items()}
    digests: dict[Path, str] = {}  # of weights that the study does not make
    for autoencoder in autoencoders_of(list(cells), study):
        if autoencoder.file is not None:
            if autoencoder.file.is_file():
                digests[autoencoder.file] = md5_of(autoencoder.file)
        else:
            record_file = study.pretrained / f"{autoencoder.name}.json"
            asked[record_file] = autoencoder_settings(autoencoder_params(autoencoder, study))
    missing = [cell for cell in cells if not record_of(cell, study).is_file()]
    wrong, unknown, old = [], Counter[str](), 0
    for path, settings in asked.items():
        if path.is_file():
            record = read_record(path)
            found, images = differences(record, settings), image_differences(record, data)
            if path in of_cells:
                found += _protocol_differences(record, of_cells[path], study, digests)
            old += bool(images)
            # Records of other images stand as they are; but new cells beside them would compare what cannot be.
            found += images if missing else []
            wrong += [f"{path}: {'; '.join(found)}"] if found else []
            unknown.update(
                ".".join(key)
                for key in flatten(settings).keys() - flatten(record.get("settings") or {}).keys()
            )
    if old and not missing:
        print(
            f"{old} records are of other images than those in {study.processed}; none is run anew",
            file=sys.stderr,
        )
    for key, count in sorted(unknown.items()):
        print(f"{key}: not compared, {count} records do not state it", file=sys.stderr)
    if wrong:
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise PipelineError(
            f"records that are not what {study.grid_file}, {study.params_file} and the images ask for now:\n  "
            + "\n  ".join(wrong[:_SHOWN])
            + more
            + "\nRemove these files to run them anew (of an autoencoder, those of the cells that start from it too), "
            "or restore what they were made with."
        )
    return missing


def record_of(cell: Cell, study: Study) -> Path:
    """Where the record of a cell is, or will be."""
    return study.cells / f"{cell.name}.json"


def _protocol_differences(
    record: dict[str, Any], cell: Cell, study: Study, digests: dict[Path, str]
) -> list[str]:
    """What a replicate of its own has, or started from, that is another now."""
    found = []
    choice = mask_choice_of(cell, study)
    for key, before, now in (
        ("own_masks", bool(record.get("own_masks")), has_own_masks(cell, study)),
        ("choice", record.get("choice"), None if choice is None else asdict(choice)),
    ):
        if before != now:
            found.append(f"{key} was {before}, now {now}")
    started, autoencoder = record.get("autoencoder"), autoencoder_of(cell, study)
    if started is None or autoencoder is None:
        return found  # then `init` differs, which the settings say
    if started.get("seed") != autoencoder.seed:
        found.append(f"the seed of its autoencoder was {started.get('seed')}, now {autoencoder.seed}")
    if autoencoder.file in digests and started.get("md5") != (digest := digests[autoencoder.file]):
        found.append(f"{autoencoder.file} was another (MD5 {started.get('md5')}, now {digest})")
    return found


def differences(record: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Settings of a record that differ from what is asked for.

    Only what both state is compared: a parameter that came or went with newer code makes no record stale.
    """
    recorded, wanted = flatten(record.get("settings") or {}), flatten(settings)
    return [
        f"{'.'.join(key)} was {recorded[key]!r}, now {value!r}"
        for key, value in wanted.items()
        if key in recorded and _plain(recorded[key]) != _plain(value)
    ]


def image_differences(record: dict[str, Any], data: dict[str, str]) -> list[str]:
    """Splits whose images were others when a record was made."""
    images = record.get("data") or {}
    return [
        f"the images of {split} were others ({images[split]}, now {digest})"
        for split, digest in data.items()
        if images.get(split, digest) != digest
    ]


def _plain(value: Any) -> Any:
    """A value as a record keeps it: floats to 6 digits after the point, lists for tuples."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
