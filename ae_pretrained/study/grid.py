"""What one cell of a study is: the parameters of the study with those of its arm laid over them."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ae_pretrained.errors import PipelineError
from ae_pretrained.params import Params, read_params, validate_params
from ae_pretrained.study.layout import Study

# Lists of arms in the grid, and of the runs that they have.
_GROUPS = (("compared", "runs"), ("controls", "control_runs"))
REFERENCE = "scratch"  # the arm that every other is compared with, where the grid names no other
MaskStrategy = Literal["random", "stratified", "every_kth", "coverage"]
OURS = "ours"  # the pretext task of arms that have none of their own name


@dataclass(frozen=True)
class Cell:
    """One training of a study.

    Attributes:
        arm: name of the arm in the grid.
        fraction: share of the training masks, in (0, 1].
        updates: optimiser steps.
        seed: of weights, order and augmentation; with ``own_masks`` also of which masks are used, and with
            ``autoencoders`` of the autoencoder.
    """

    arm: str
    fraction: float
    updates: int
    seed: int

    @staticmethod
    def parse(arm: str, run: str, seed: int) -> Cell:
        """A cell from ``run`` as the grid writes it: ``0.05x2500`` is 5 % of the labels, 2,500 updates.

        Raises:
            PipelineError: when ``run`` has another form.
        """
        fraction, _, updates = run.partition("x")
        try:
            cell = Cell(arm, float(fraction), int(updates), seed)
        except ValueError:
            raise PipelineError(f"run {run!r}: expected FRACTIONxUPDATES, such as 0.05x2500") from None
        if not 0 < cell.fraction <= 1 or cell.updates < 1:
            raise PipelineError(f"run {run!r}: the fraction lies in (0, 1], updates are at least 1")
        if run != cell.run:  # files are named after it
            raise PipelineError(f"run {run!r}: write it as {cell.run}")
        return cell

    @property
    def run(self) -> str:
        return f"{self.fraction:g}x{self.updates}"

    @property
    def name(self) -> str:
        return f"{self.arm}-{self.run}-{self.seed}"


@dataclass(frozen=True)
class MaskChoice:
    """How the training masks of an arm are chosen, in a study about which images to label.

    Attributes:
        strategy: ``random``, ``stratified`` (at random, each class in its proportion), ``every_kth`` (by name) or
            ``coverage`` (as ``label-next`` chooses).
        pool: share of the training images that each repetition chooses from, drawn by its seed, in (0, 1].
    """

    strategy: MaskStrategy
    pool: float


@dataclass(frozen=True)
class StudyAutoencoder:
    """One autoencoder of a study.

    Attributes:
        task: the pretext task in the grid.
        seed: None for the seed of the parameters, of the one autoencoder that all cells share.
        file: weights that the study does not make; None where it does.
    """

    task: str
    seed: int | None = None
    file: Path | None = None

    @property
    def name(self) -> str:
        return self.task if self.seed is None else f"{self.task}-{self.seed}"


def cells_of(study: Study) -> list[Cell]:
    """Every cell that the grid asks for.

    Raises:
        PipelineError: for a run of another form, or a list that the grid lacks.
    """
    for name in (name for group in (*_GROUPS, ("seeds",)) for name in group):
        if name not in study.grid:
            raise PipelineError(
                f"{study.grid_file}: no list {name!r}. Arms with every run are in `compared` (was: baselines, "
                "transfers), those with the control runs in `controls` (was: baseline_controls, transfer_controls, "
                "other_pretexts)"
            )
    try:
        return [
            Cell.parse(arm, run, seed)
            for arms, runs in _GROUPS
            for arm in study.grid[arms]
            for run in study.grid[runs]
            for seed in study.grid["seeds"]
        ]
    except PipelineError as error:
        raise PipelineError(f"{study.grid_file}: {error}") from None


def study_params(study: Study, changes: dict[str, Any], name: str) -> Params:
    """The parameters of the study with ``changes`` (nested sections) laid over them, validated.

    Args:
        study: the study.
        changes: sections as in ``params.yaml``, only what differs.
        name: what the changes belong to, for the error.
    """
    path = study.params_file
    values = copy.deepcopy(_read(path, path.read_bytes() if path.is_file() else b""))
    lay_over(values, changes, f"{study.grid_file}: {name}")
    return validate_params(values, f"{path} with {name}")


@functools.cache
def _read(path: Path, _content: bytes) -> dict[str, Any]:
    """The values of a params file, parsed once for each content that it has: every cell of the grid asks."""
    return read_params(path)


def lay_over(values: dict[str, Any], changes: dict[str, Any], name: str) -> None:
    """Replace values of nested sections in place.

    Raises:
        PipelineError: for a key that is not there, which would otherwise change nothing.
    """
    for key, change in changes.items():
        if key not in values:
            raise PipelineError(f"{name}: unknown key {key!r}; known are {', '.join(values)}")
        if isinstance(change, dict):
            lay_over(values[key], change, name)
        else:
            values[key] = change


def changes_of(study: Study, kind: str, name: str) -> dict[str, Any]:
    """What an arm or a pretext task changes in the parameters, as the grid says.

    Args:
        study: the study.
        kind: ``arms`` or ``pretexts``.
        name: of the arm or the task.

    Raises:
        PipelineError: for a name that the grid does not describe.
    """
    known = study.grid.get(kind) or {}
    if name not in known:
        raise PipelineError(
            f"{study.grid_file}: {kind}: {name!r} is not described; known are {', '.join(known)}"
        )
    return dict(known[name] or {})


def cell_params(cell: Cell, study: Study) -> Params:
    """What a cell is trained with; the same for every arm but for what the arm is about.

    Raises:
        PipelineError: when the updates are no multiple of the interval between validations, or the grid does not
            describe the arm.
    """
    interval = study.grid["validate_every"]
    if cell.updates % interval:
        raise PipelineError(
            f"{study.grid_file}: {cell.updates} updates are no multiple of validate_every, {interval}"
        )
    common = {
        "seed": cell.seed,
        "data": {"label_fraction": cell.fraction},
        "train_seg": {"updates_per_epoch": interval, "epochs": cell.updates // interval, "patience": 0},
    }
    values = study_params(study, common, "the common settings").model_dump()
    lay_over(values, changes_of(study, "arms", cell.arm), f"{study.grid_file}: arm {cell.arm}")
    return validate_params(values, f"{study.params_file} with arm {cell.arm}")


def autoencoder_of(cell: Cell, study: Study) -> StudyAutoencoder | None:
    """The autoencoder that a cell starts from; None for an arm that starts from none."""
    if cell_params(cell, study).train_seg.init != "autoencoder":
        return None
    task = cell.arm if cell.arm in (study.grid.get("pretexts") or {}) else OURS
    files = study.grid.get("autoencoder_files") or {}
    if task in files:
        return StudyAutoencoder(task, file=Path(files[task]))
    count = study.grid.get("autoencoders", 0)
    return StudyAutoencoder(task, seed=cell.seed % count if count else None)


def reference_of(study: Study) -> str:
    """The arm that every other is compared with.

    Raises:
        PipelineError: when the grid names one that it does not describe.
    """
    reference = study.grid.get("reference", REFERENCE)
    if "reference" in study.grid:
        changes_of(study, "arms", reference)
    return str(reference)


def mask_choice_of(cell: Cell, study: Study) -> MaskChoice | None:
    """How the masks of a cell are chosen; None in a study that is not about that.

    Raises:
        PipelineError: for an arm without a strategy, an unknown one, one that has no autoencoder to look with, or
            another pool than a share.
    """
    if "choices" not in study.grid:
        return None
    choices, strategies = study.grid["choices"], get_args(MaskStrategy)
    strategy: Any = choices.get(cell.arm) if isinstance(choices, dict) else None
    if strategy not in strategies:
        raise PipelineError(
            f"{study.grid_file}: choices: {cell.arm}: found {strategy!r}, expected one of {', '.join(strategies)}"
        )
    if strategy == "coverage" and autoencoder_of(cell, study) is None:
        raise PipelineError(
            f"{study.grid_file}: choices: {cell.arm}: coverage compares images by the autoencoder that an arm starts "
            "from, and this one starts from none; set train_seg.init: autoencoder, or choose another way"
        )
    pool = study.grid.get("pool", 1.0)
    if not isinstance(pool, int | float) or not 0 < pool <= 1:
        raise PipelineError(f"{study.grid_file}: pool: found {pool!r}, expected a share in (0, 1]")
    return MaskChoice(strategy, float(pool))


def has_own_masks(cell: Cell, study: Study) -> bool:
    """Whether the masks of a cell are its repetition's own, not the first ones of the order that *prepare* drew."""
    return mask_choice_of(cell, study) is not None or bool(study.grid.get("own_masks"))


def autoencoders_of(cells: list[Cell], study: Study) -> list[StudyAutoencoder]:
    """The autoencoders that cells start from, each once."""
    found = (autoencoder_of(cell, study) for cell in cells)
    return list(dict.fromkeys(autoencoder for autoencoder in found if autoencoder is not None))


def autoencoder_params(autoencoder: StudyAutoencoder, study: Study) -> Params:
    """What an autoencoder of the study is pretrained with.

    Raises:
        PipelineError: for a task that the grid does not describe.
    """
    changes = copy.deepcopy(changes_of(study, "pretexts", autoencoder.task))
    if autoencoder.seed is not None:
        changes["seed"] = autoencoder.seed
    return study_params(study, changes, f"pretext {autoencoder.task}")
