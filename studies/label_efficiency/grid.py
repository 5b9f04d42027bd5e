"""What one cell of the study is: the parameters of the study with those of its arm laid over them."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ae_pretrained.errors import PipelineError
from ae_pretrained.params import Params, read_params, validate_params

FOLDER = Path("studies/label_efficiency")
PARAMS = FOLDER / "params.yaml"
GRID = FOLDER / "grid.yaml"
DATA = FOLDER / "data"
PROCESSED = DATA / "processed"
PRETRAINED = FOLDER / "pretrained"  # records of the autoencoders, in Git
WEIGHTS = FOLDER / "weights"  # their weights, which stay on the machine that made them
CELLS = FOLDER / "cells"
CHECKPOINTS = Path(".checkpoints/label_efficiency")
# Lists of arms in the grid, and of the runs that they have.
_GROUPS = (("compared", "runs"), ("controls", "control_runs"))
REFERENCE = "scratch"  # the arm that every other is compared with
OURS = "ours"  # the pretext task of arms that have none of their own name


@dataclass(frozen=True)
class Cell:
    """One training of the study.

    Attributes:
        arm: name of the arm in the grid.
        fraction: share of the training masks, in (0, 1].
        updates: optimiser steps.
        seed: of weights, order and augmentation. The split and the labelled subset are the same for all.
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
            raise PipelineError(
                f"{GRID}: run {run!r}: expected FRACTIONxUPDATES, such as 0.05x2500"
            ) from None
        if not 0 < cell.fraction <= 1 or cell.updates < 1:
            raise PipelineError(f"{GRID}: run {run!r}: the fraction lies in (0, 1], updates are at least 1")
        if run != cell.run:  # files are named after it
            raise PipelineError(f"{GRID}: run {run!r}: write it as {cell.run}")
        return cell

    @property
    def run(self) -> str:
        return f"{self.fraction:g}x{self.updates}"

    @property
    def name(self) -> str:
        return f"{self.arm}-{self.run}-{self.seed}"


def read_grid() -> dict[str, Any]:
    """The grid as written: arms, runs, seeds and what each arm and pretext changes."""
    grid = YAML(typ="safe", pure=True).load(GRID.read_text(encoding="utf-8"))
    assert isinstance(grid, dict)
    return grid


def cells_of(grid: dict[str, Any]) -> list[Cell]:
    """Every cell that the grid asks for.

    Raises:
        PipelineError: for a run of another form, or a list that the grid lacks.
    """
    for name in (name for group in (*_GROUPS, ("seeds",)) for name in group):
        if name not in grid:
            raise PipelineError(
                f"{GRID}: no list {name!r}. Arms with every run are in `compared` (was: baselines, transfers), those "
                "with the control runs in `controls` (was: baseline_controls, transfer_controls, other_pretexts)"
            )
    return [
        Cell.parse(arm, run, seed)
        for arms, runs in _GROUPS
        for arm in grid[arms]
        for run in grid[runs]
        for seed in grid["seeds"]
    ]


def study_params(changes: dict[str, Any], name: str) -> Params:
    """The parameters of the study with ``changes`` (nested sections) laid over them, validated.

    Args:
        changes: sections as in ``params.yaml``, only what differs.
        name: what the changes belong to, for the error.
    """
    values = copy.deepcopy(_read(PARAMS, PARAMS.read_bytes() if PARAMS.is_file() else b""))
    lay_over(values, changes, name)
    return validate_params(values, f"{PARAMS} with {name}")


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
            raise PipelineError(f"{GRID}: {name}: unknown key {key!r}; known are {', '.join(values)}")
        if isinstance(change, dict):
            lay_over(values[key], change, name)
        else:
            values[key] = change


def changes_of(grid: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """What an arm or a pretext task changes in the parameters, as the grid says.

    Args:
        kind: ``arms`` or ``pretexts``.

    Raises:
        PipelineError: for a name that the grid does not describe.
    """
    known = grid[kind]
    if name not in known:
        raise PipelineError(f"{GRID}: {kind}: {name!r} is not described; known are {', '.join(known)}")
    return dict(known[name] or {})


def cell_params(cell: Cell, grid: dict[str, Any]) -> Params:
    """What a cell is trained with; the same for every arm but for what the arm is about.

    Raises:
        PipelineError: when the updates are no multiple of the interval between validations, or the grid does not
            describe the arm.
    """
    interval = grid["validate_every"]
    if cell.updates % interval:
        raise PipelineError(f"{GRID}: {cell.updates} updates are no multiple of validate_every, {interval}")
    common = {
        "seed": cell.seed,
        "data": {"label_fraction": cell.fraction},
        "train_seg": {"updates_per_epoch": interval, "epochs": cell.updates // interval, "patience": 0},
    }
    params = study_params(common, "the common settings")
    values = params.model_dump()
    lay_over(values, changes_of(grid, "arms", cell.arm), f"arm {cell.arm}")
    return validate_params(values, f"{PARAMS} with arm {cell.arm}")


def pretext_of(cell: Cell, grid: dict[str, Any]) -> str | None:
    """Name of the autoencoder that a cell starts from; None for an arm that starts from none."""
    if cell_params(cell, grid).train_seg.init != "autoencoder":
        return None
    return cell.arm if cell.arm in grid["pretexts"] else OURS


def pretext_params(pretext: str, grid: dict[str, Any]) -> Params:
    """What an autoencoder of the study is pretrained with.

    Raises:
        PipelineError: for a task that the grid does not describe.
    """
    return study_params(changes_of(grid, "pretexts", pretext), f"pretext {pretext}")
