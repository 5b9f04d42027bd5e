"""A study of one's own project: which trainings it takes, and the files that describe them."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from ae_pretrained.dataset.arrays import ArraysError, Split, open_split, share_of
from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_text
from ae_pretrained.params import Params, load_params
from ae_pretrained.study.images import draw_masks

_TEMPLATE = Path(__file__).parent / "template"
_SHARES = (0.25, 0.5, 1.0)
_LOOKS = 10  # at val, while a cell is trained
_PROCESSED = Path("data/processed")


def write_study(folder: Path, seeds: int) -> list[str]:
    """Write ``grid.yaml``, ``dvc.yaml`` and ``.gitignore`` of a study of the project in the current folder.

    Args:
        folder: of the study, inside the project.
        seeds: trainings of each kind.

    Returns:
        What will be run, in sentences.

    Raises:
        PipelineError: when there is no project or no prepared image, the study is there, or the masks are too few.
    """
    if not Path("params.yaml").is_file():
        raise PipelineError(
            "params.yaml: no such file here; run `ae-pretrained study` in the folder of a project"
        )
    if folder.is_absolute() or ".." in folder.parts:
        raise PipelineError(f"{folder}: a study lies inside the project; name a folder such as study")
    taken = [folder / name for name in ("grid.yaml", "dvc.yaml") if (folder / name).exists()]
    if taken:
        raise PipelineError(
            f"{taken[0]}: is there, and nothing is overwritten; `dvc repro {folder}/dvc.yaml` goes on with this "
            "study, and another name makes a second one (ae-pretrained study new NAME)"
        )
    if seeds < 1:
        raise PipelineError(f"--seeds: found {seeds}; at least 1, and 3 for an interval that says anything")
    params = load_params(Path("params.yaml"))
    train = open_split(_PROCESSED, "train")
    shares, left_out = _usable_shares(train, params, seeds)
    updates = _updates(params, len(train))
    interval = math.ceil(updates / _LOOKS)
    updates = interval * math.ceil(updates / interval)
    values = {
        "runs": "\n".join(f"  - {share:g}x{updates}" for share in shares),
        "seeds": str(list(range(seeds))),
        "interval": str(interval),
        "folder": folder.as_posix(),
        "up": "/".join([".."] * len(folder.parts)),
    }
    for name in ("grid.yaml", "dvc.yaml", "gitignore"):
        text = (_TEMPLATE / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        write_text(folder / (".gitignore" if name == "gitignore" else name), text)
    masks = ", ".join(str(share_of(len(train), share)) for share in shares)
    return [
        *left_out,
        f"{folder}: from scratch, from the autoencoder and from an ImageNet encoder, with {masks} masks, {seeds} "
        f"times each: {3 * len(shares) * seeds} trainings of {updates:,} updates, each as long as train_seg "
        f"({folder}/grid.yaml says which; shorten its lists for fewer)",
    ]


def _updates(params: Params, images: int) -> int:
    """Updates of the project's own training: every cell gets as many, whatever its share of the masks."""
    seg = params.train_seg
    chosen = share_of(images, params.data.label_fraction)
    return seg.epochs * (seg.updates_per_epoch or math.ceil(chosen / seg.batch_size))


def _usable_shares(train: Split, params: Params, seeds: int) -> tuple[list[float], list[str]]:
    """The shares that can be trained on, and why others cannot.

    Raises:
        PipelineError: when fewer than two are left.
    """
    batch, usable, reasons = params.train_seg.batch_size, [], []
    lacking = _lacking_classes(seeds)
    for share in _SHARES:
        count = share_of(len(train), share)
        if count < batch:
            reasons.append(
                f"{count} masks ({share:.0%}) are left out: fewer than train_seg.batch_size, {batch}"
            )
        elif share in lacking:
            reasons.append(f"{count} masks ({share:.0%}) are left out: {lacking[share]}")
        else:
            usable.append(share)
    if len(usable) < 2:
        raise PipelineError(
            f"{len(train)} training masks are too few for a study of shares: {'; '.join(reasons)}. Label more, or "
            "lower train_seg.batch_size"
        )
    return usable, reasons


def _lacking_classes(seeds: int) -> dict[float, str]:
    """By share: why a choice of masks that the study will draw cannot be trained on."""
    reasons: dict[float, str] = {}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            draw_masks(_PROCESSED, Path(folder), seed)
            drawn = open_split(Path(folder), "train")
            for share in _SHARES:
                try:
                    drawn.labelled(share)
                except ArraysError as error:
                    reasons.setdefault(share, str(error))
    return reasons
