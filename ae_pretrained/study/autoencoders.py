"""Autoencoders of a study, on every training image, without labels. One with weights there is not trained anew."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_bytes, write_json
from ae_pretrained.pretraining.pretrain import pretrain
from ae_pretrained.provenance import provenance
from ae_pretrained.study.grid import Cell, StudyAutoencoder, autoencoder_params, autoencoders_of
from ae_pretrained.study.layout import Study
from ae_pretrained.study.records import autoencoder_settings, md5_of, read_record


def wanted_autoencoders(
    cells: Sequence[Cell], study: Study, names: Sequence[str] = ()
) -> list[StudyAutoencoder]:
    """The autoencoders of the study that cells start from, or those of them that are named.

    Raises:
        PipelineError: for a name that no cell asks for.
    """
    found = {item.name: item for item in autoencoders_of(list(cells), study) if item.file is None}
    for name in names:
        if name not in found:
            raise PipelineError(
                f"{name}: no such autoencoder in {study.grid_file}; there are {', '.join(found)}"
            )
    return [found[name] for name in names or found]


def pretrain_missing(autoencoder: StudyAutoencoder, study: Study, data: dict[str, str]) -> None:
    """Pretrain one autoencoder unless its weights are there, and record what it was made with.

    Args:
        autoencoder: which one.
        study: the study.
        data: digests of the images.

    Raises:
        PipelineError: when weights and record do not belong together.
    """
    weights = autoencoder_weights(autoencoder, study)
    record = study.pretrained / f"{autoencoder.name}.json"
    if weights.is_file():
        print(f"{weights} is there")
        return
    params = autoencoder_params(autoencoder, study)
    made_by = provenance(params.seed, params.runtime, params.train_ae.precision)
    if record.is_file():
        print(f"{weights} is not on this machine: trained anew", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        trained, metrics, curve = (
            Path(folder) / name for name in (weights.name, "metrics.json", "curve.csv")
        )
        pretrain(
            study.processed,
            params=params.train_ae,
            image_size=params.data.image_size,
            model=params.model,
            runtime=params.runtime,
            seed=params.seed,
            weights=trained,
            curve=curve,
            metrics=metrics,
            checkpoints=study.checkpoints / autoencoder.name,
        )
        values = {
            **json.loads(metrics.read_text(encoding="utf-8")),
            "weights_md5": md5_of(trained),
            "settings": autoencoder_settings(params),
            "data": data,
            "provenance": made_by,
        }
        _keep_earlier(record, values["weights_md5"])
        # The weights last: without them everything is made anew, and never do they stand beside another's record.
        write_bytes(record.with_suffix(".csv"), curve.read_bytes())
        write_json(record, values)
        write_bytes(weights, trained.read_bytes())


def _keep_earlier(record: Path, digest: str) -> None:
    """Set the record of other weights of this name aside, as ``NAME.MD5.json``: cells that started from them name it.

    Another machine, or newer code, makes other weights of the same seed.
    """
    if not record.is_file() or (before := read_record(record).get("weights_md5")) == digest:
        return
    aside = record.with_name(f"{record.stem}.{str(before)[:8]}.json")
    write_bytes(aside.with_suffix(".csv"), record.with_suffix(".csv").read_bytes())
    record.rename(aside)
    print(f"{aside}: the record of the earlier weights (MD5 {before}), which are others", file=sys.stderr)


def autoencoder_weights(autoencoder: StudyAutoencoder, study: Study) -> Path:
    """Where the weights of an autoencoder belong.

    Raises:
        PipelineError: when the file there is not the one that its record is about, or still lies where an earlier
            version kept it.
    """
    if autoencoder.file is not None:
        return autoencoder.file
    weights = study.weights / f"{autoencoder.name}.safetensors"
    record = study.pretrained / f"{autoencoder.name}.json"
    former = study.pretrained / weights.name
    if former.is_file() and not weights.is_file():
        raise PipelineError(
            f"{former}: weights now lie in {study.weights}; move the file there, or remove it"
        )
    if weights.is_file():
        recorded = read_record(record).get("weights_md5") if record.is_file() else None
        if recorded != md5_of(weights):
            raise PipelineError(
                f"{weights}: not the file that {record} is about (MD5 {recorded}, found {md5_of(weights)}); "
                "restore the one that belongs to it, or remove both to train it anew"
            )
    return weights
