"""The files that projects are made from, as they lie in this package.

``dvc.yaml``, ``params.yaml`` and ``by_corruption.json`` are generated from the pipeline of the repository by
``tools/project_template.py``; the others are written by hand.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "template"
# What every project has alike, by its path there. Here, names have no leading dot: packaging tools pass over those.
_FILES = {
    ".gitignore": "gitignore",
    ".dvcignore": "dvcignore",
    ".dvc/config": "dvc_config",
    ".dvc/.gitignore": "dvc_gitignore",
    ".dvc/plots/by_corruption.json": "by_corruption.json",
    "dvc.yaml": "dvc.yaml",
    "data/labels/README.md": "labels.md",
}


def read_template(name: str) -> str:
    """The text of a file of the template."""
    return (FOLDER / name).read_text(encoding="utf-8")


def project_files() -> dict[str, str]:
    """What every project has alike: texts by path below the project."""
    return {target: read_template(name) for target, name in _FILES.items()}
