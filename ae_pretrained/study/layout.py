"""Where a study lies: its grid and parameters, the images that it uses, its records and its results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ae_pretrained.errors import PipelineError


@dataclass(frozen=True)
class Study:
    """A folder with ``grid.yaml``, relative to the folder of ``dvc.yaml`` and ``params.yaml``.

    A study with a ``params.yaml`` of its own has images of its own as well; one without is about the project that it
    lies in, and uses that project's parameters and prepared images.

    Attributes:
        folder: of the study.
    """

    folder: Path

    @property
    def grid_file(self) -> Path:
        return self.folder / "grid.yaml"

    @cached_property
    def grid(self) -> dict[str, Any]:
        """The grid as written: arms, runs, seeds and what each arm and pretext task changes.

        Raises:
            PipelineError: when the file is not there or is no mapping.
        """
        if not self.grid_file.is_file():
            raise PipelineError(
                f"{self.grid_file}: no such file; `ae-pretrained study` makes a study in the folder of a project"
            )
        try:
            grid = YAML(typ="safe", pure=True).load(self.grid_file.read_text(encoding="utf-8"))
        except YAMLError as error:
            raise PipelineError(f"{self.grid_file}: no YAML ({error})") from None
        if not isinstance(grid, dict):
            raise PipelineError(f"{self.grid_file}: expected a mapping of lists, found {type(grid).__name__}")
        return grid

    @property
    def has_own_images(self) -> bool:
        return (self.folder / "params.yaml").is_file()

    @property
    def params_file(self) -> Path:
        return self.folder / "params.yaml" if self.has_own_images else Path("params.yaml")

    @property
    def data(self) -> Path:
        return self.folder / "data" if self.has_own_images else Path("data")

    @property
    def processed(self) -> Path:
        return self.data / "processed"

    @property
    def pretrained(self) -> Path:
        """Records of the autoencoders, in Git."""
        return self.folder / "pretrained"

    @property
    def weights(self) -> Path:
        """Weights of the autoencoders, which stay on the machine that made them."""
        return self.folder / "weights"

    @property
    def cells(self) -> Path:
        return self.folder / "cells"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def checkpoints(self) -> Path:
        return Path(".checkpoints") / self.folder.name

    def command(self, *words: str) -> str:
        """A command of this study, as an error or a list of jobs names it."""
        return " ".join(["ae-pretrained", "study", words[0], str(self.folder), *words[1:]])
