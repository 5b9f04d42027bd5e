"""Stage library of a project: what is installed, written down so that DVC sees when it changes.

In the repository a stage depends on folders of the library. In a project these folders are wherever Python packages
are installed, so a stage depends on lists of their hashes instead. An upgrade changes the lists of the folders that
it touches, and only the stages that use them run again.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import yaml

import ae_pretrained
from ae_pretrained.apps.stage_command import LIBRARY, stage_folder
from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_text
from ae_pretrained.project import WAY_ON

PACKAGES, STAGES = "packages", "stages"
_DIGITS = 16


def write_library(pipeline: Path) -> None:
    """Write the files that the stage ``library`` of a project promises; the same installation gives the same bytes.

    ``packages.txt`` has the versions of the packages that ae-pretrained needs, ``stages.txt`` the hashes of the stage
    scripts, and any other ``FOLDER.txt`` the hashes of the files in that folder of the library.

    Args:
        pipeline: ``dvc.yaml`` of the project; the files are written beside it.

    Raises:
        PipelineError: when there is no such stage, when a folder that it names is not installed, or a package.
    """
    for name in _promised(pipeline):
        out = pipeline.parent / name
        lines = _packages() if out.stem == PACKAGES else _hashes(_folder(out.stem, pipeline))
        write_text(out, "\n".join(lines) + "\n")


def _promised(pipeline: Path) -> list[str]:
    """The outputs of the stage ``library``."""
    try:
        outs = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"][LIBRARY]["outs"]
        return [out if isinstance(out, str) else str(next(iter(out))) for out in outs]
    except FileNotFoundError:
        raise PipelineError(f"{pipeline}: no such file here; run this in a project folder") from None
    except (KeyError, TypeError, yaml.YAMLError):
        raise PipelineError(
            f"{pipeline}: expected a stage {LIBRARY!r} with outs, as `ae-pretrained init` writes it"
        ) from None


def _folder(name: str, pipeline: Path) -> Path:
    folder = stage_folder() if name == STAGES else Path(ae_pretrained.__file__).parent / name
    if not folder.is_dir():
        raise PipelineError(
            f"{pipeline}: depends on the folder {name!r} of ae-pretrained, which version "
            f"{ae_pretrained.__version__} does not have: another version made this project. {WAY_ON}"
        )
    return folder


def _hashes(folder: Path) -> list[str]:
    """One line a file: hash and name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]}  {path.relative_to(folder.parent).as_posix()}"
        for path in files
    ]


def _packages() -> list[str]:
    """The versions of what ae-pretrained itself depends on; other packages change no figure."""
    lines = []
    for requirement in metadata.requires("ae-pretrained") or []:
        if "extra ==" in requirement:
            continue
        name = requirement
        for end in " ;<>=!~[(":
            name = name.partition(end)[0]
        try:
            lines.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            raise PipelineError(
                f"{name} is not installed, but ae-pretrained needs it; install ae-pretrained anew"
            ) from None
    return sorted(lines)
