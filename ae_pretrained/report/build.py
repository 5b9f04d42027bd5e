"""The report of a run: one HTML page that needs nothing but a browser."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ae_pretrained import __version__
from ae_pretrained.errors import PipelineError
from ae_pretrained.figures.curves import training_curves
from ae_pretrained.figures.style import class_colors, png_bytes
from ae_pretrained.files import write_text
from ae_pretrained.params.editing import flatten
from ae_pretrained.report.comparison import Change
from ae_pretrained.report.embedded import EMBEDDED_SPREAD
from ae_pretrained.report.inlining import ENCODINGS, Embedded, Encoding, embed
from ae_pretrained.report.numbers import format_number
from ae_pretrained.report.published import PUBLISHED, PUBLISHED_RECONSTRUCTION
from ae_pretrained.report.sections import DATA_CAPTIONS, GALLERIES

LARGEST = 10_000_000  # bytes
_METRICS = ("prepare", "train_ae", "eval_ae", "train_seg", "eval_seg", "robustness")
_CURVES = {"train_ae": "Pretraining of the autoencoder", "train_seg": "Training of the segmenter"}
_WORST = 20


def build_report(
    params: dict[str, Any],
    metrics: Path,
    plots: Path,
    out: Path,
    *,
    partial: bool = False,
    changes: list[Change] | None = None,
) -> None:
    """Write the report.

    The page holds no clock time and no revision of the code, so that the same results give the same bytes;
    what pins code, data and weights of a run is ``dvc.lock``.

    Args:
        params: the plain values of ``params.yaml``.
        metrics: folder with the JSON files of all stages.
        plots: folder with ``prepare/``, ``eval_ae/``, ``eval_seg/``, ``robustness/`` and the training logs
            ``train_ae.csv`` and ``train_seg.csv``.
        out: the HTML file.
        partial: show what is there of a run that was stopped half-way, and name the stages that are missing.
        changes: figures that differ from the committed ones, shown on top; None for no comparison.

    Raises:
        PipelineError: when a file is absent or unreadable, or the page would be larger than 10 MB.
    """
    there = [name for name in _METRICS if not partial or (metrics / f"{name}.json").is_file()]
    figures = {name: _read_json(metrics / f"{name}.json") for name in there}
    classes = [str(name) for name in params["data"]["classes"]]
    curves = {
        title: png_bytes(training_curves(title, read_log(plots / f"{name}.csv"), classes))
        for name, title in _CURVES.items()
        if not partial or (plots / f"{name}.csv").is_file()
    }
    values: dict[str, Any] = {
        "params": params,
        "figures": figures,
        "flat_params": _dotted(params),
        "flat_figures": {name: _dotted(item) for name, item in figures.items()},
        "missing": [name for name in _METRICS if name not in figures],
        "changes": changes,
        "class_rows": [
            (name, color, figures.get("eval_seg", {}).get(name))
            for name, color in zip(classes, class_colors(len(classes)), strict=True)
        ],
        "published": PUBLISHED,
        "published_reconstruction": PUBLISHED_RECONSTRUCTION,
        "spread": EMBEDDED_SPREAD if params["data"]["source"] == "synthetic" else None,
        "comparable": classes == ["background", "cat", "dog"]
        and params["data"]["source"] == "oxford_iiit_pet",
        "worst": _read_rows(plots / "eval_seg" / "tables" / "per_image.csv")[:_WORST]
        if "eval_seg" in there
        else [],
        "classes": classes,
        "version": __version__,
    }
    for encoding in ENCODINGS:
        page = _render({**values, **_images(plots, curves, encoding, partial)})
        if len(page.encode("utf-8")) < LARGEST:
            write_text(out, page)
            return
    raise PipelineError(
        f"{out}: the page would be larger than {LARGEST // 1_000_000} MB even with small images; lower "
        "eval_ae.num_examples and eval_seg.num_examples"
    )


def _render(values: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("ae_pretrained.report", "template"),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = format_number
    return environment.get_template("report.html.j2").render(values)


def _images(plots: Path, curves: dict[str, bytes], encoding: Encoding, partial: bool) -> dict[str, Any]:
    galleries = [
        (gallery, _embedded(plots / gallery.folder, gallery.captions, encoding, partial))
        for gallery in GALLERIES
    ]
    return {
        "data_images": _embedded(plots / "prepare", DATA_CAPTIONS, encoding, partial),
        "curves": [embed(content, title, encoding) for title, content in curves.items()],
        "galleries": galleries,
    }


def _embedded(folder: Path, captions: dict[str, str], encoding: Encoding, partial: bool) -> list[Embedded]:
    if not folder.is_dir() and not partial:
        raise PipelineError(f"{folder}: no such folder, the report needs its images; run `dvc repro` first")
    paths = {stem: folder / f"{stem}.png" for stem in captions}
    return [embed(path, captions[stem], encoding) for stem, path in paths.items() if path.is_file()]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PipelineError(f"{path}: no such file, the report needs it; run `dvc repro` first") from None
    except json.JSONDecodeError as error:
        raise PipelineError(f"{path}: not valid JSON ({error}); run `dvc repro` again") from None


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        raise PipelineError(f"{path}: no such file, the report needs it; run `dvc repro` first") from None


def read_log(path: Path) -> dict[str, list[float]]:
    """A training log: column to one value per epoch, NaN where a cell is empty.

    Raises:
        PipelineError: when the file is absent or has no epoch.
    """
    rows = _read_rows(path)
    if not rows or "epoch" not in rows[0]:
        raise PipelineError(
            f"{path}: expected a column `epoch` and at least one epoch, found "
            f"{list(rows[0]) if rows else 'no row'}; train again"
        )
    return {key: [float(row[key]) if row[key] else math.nan for row in rows] for key in rows[0]}


def _dotted(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Nested mappings as (dotted key, value) in order."""
    return [(".".join(path), value) for path, value in flatten(values).items()]
