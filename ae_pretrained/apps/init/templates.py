"""The files that projects are made from, as they lie in this package.

``dvc.yaml``, ``params.yaml``, ``modules.json`` and ``stages/`` are generated from the pipeline of the repository by
``tools/project_template.py``; the others are written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "template"
# Names without their leading dot, which packaging tools pass over.
_HIDDEN = {
    "gitignore": ".gitignore",
    "dvcignore": ".dvcignore",
    "dvc_config": ".dvc/config",
    "dvc_gitignore": ".dvc/.gitignore",
}


def read_template(name: str) -> str:
    """The text of a file of the template."""
    return (FOLDER / name).read_text(encoding="utf-8")


def project_files() -> dict[str, str]:
    """What every project has alike: texts by path below the project."""
    files = {target: read_template(name) for name, target in _HIDDEN.items()}
    files["dvc.yaml"] = read_template("dvc.yaml")
    for script in sorted((FOLDER / "stages").iterdir()):
        files[f"stages/{script.name.removesuffix('.txt')}"] = script.read_text(encoding="utf-8")
    return files


def stage_modules() -> dict[str, list[str]]:
    """Of every stage, the files and folders of this package that it imports, as ``ae_pretrained/…``."""
    return dict(json.loads(read_template("modules.json")))
