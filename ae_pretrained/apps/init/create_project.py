"""Making a project folder: whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ae_pretrained import __version__
from ae_pretrained.apps.init.folder_reading import read_folder
from ae_pretrained.apps.init.inspection import Inspection, header_sizes, inspect
from ae_pretrained.apps.init.options import InitOptions
from ae_pretrained.apps.init.sanity import draw_suspicious, sanity_report
from ae_pretrained.apps.init.scale_choice import choose_scale
from ae_pretrained.apps.init.settings import crop_training_values, smallest_image_size, training_values
from ae_pretrained.apps.init.templates import project_files, read_template
from ae_pretrained.errors import PipelineError
from ae_pretrained.names import shown
from ae_pretrained.params.class_names import check_class_names
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.params.editing import Key, set_values
from ae_pretrained.params.reading import validate_params
from ae_pretrained.params.schema import Params
from ae_pretrained.sources.registry import open_source

_PART = ".ae-pretrained-init.part"
# A variant for the README of a project, by how its images are brought to size.
_VARIANTS = {
    "square": "dvc exp run -S data.image_size=128         # finer outlines, four times the time",
    "crop": "dvc exp run -S train_seg.foreground_crops=0.6   # more crops on rare things",
}


def create_project(target: Path, images: Path, options: InitOptions) -> str:
    """Look at a folder of images and masks, and make a project folder for it.

    Everything is made in a hidden folder and moved into place at the end.

    Args:
        target: the project; must not exist, or be empty.
        images: folder with images/ and masks/ (and unlabelled/, and lists of names, if any), or an export of an
            annotation tool; read where it lies.
        options: see there.

    Returns:
        The sanity report.

    Raises:
        PipelineError: naming what is wrong with the images or the target; ``target`` is as it was then.
    """
    if options.image_size is not None and options.image_size < smallest_image_size():
        raise PipelineError(
            f"--image-size {options.image_size}: expected at least {smallest_image_size()} px"
        )
    if options.scale is not None and (options.resize != "crop" or not 0 < options.scale <= 1):
        raise PipelineError(
            f"--scale {options.scale:g}: expected a number above 0 and up to 1, with --resize crop; found --resize "
            f"{options.resize}"
        )
    if options.classes is not None:
        try:
            check_class_names(options.classes)
        except ValueError as error:
            raise PipelineError(f"--{error}") from None
    existed = _check_target(target)
    images = images.resolve()
    if shown(images) != images.as_posix():
        raise PipelineError(
            f"{images}: the path of the folder holds bytes that are no UTF-8, or control characters, which "
            "params.yaml cannot state; rename the folder"
        )
    # Inside an empty folder, which may be the current one or a mount; beside one that is not there yet.
    part = target / _PART if existed else target.parent / f".{target.name}{_PART}"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        report = _fill(part, target.absolute(), images, options)
        _move(part, target, existed)
    except OSError as error:
        raise PipelineError(
            f"{error.filename or target}: cannot be written ({error.strerror or error}); nothing is left half-made. "
            f"Check the rights and the free space of {target.absolute().parent}"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return report


def _check_target(target: Path) -> bool:
    """Whether the folder exists; raises PipelineError when it holds anything."""
    if not target.exists() and not target.is_symlink():
        return False
    if not target.is_dir():
        raise PipelineError(f"{target}: is a file; name a new or an empty folder for the project")
    found = sorted(path.name for path in target.iterdir() if path.name != _PART)
    if found:
        shown = ", ".join(found[:6]) + (", …" if len(found) > 6 else "")
        raise PipelineError(
            f"{target}: is not empty (holds {shown}); name a new or an empty folder, nothing is ever overwritten"
        )
    return True


def _fill(part: Path, target: Path, images: Path, options: InitOptions) -> str:
    reading = read_folder(images, options)
    sizes = header_sizes(reading.listing.samples)
    values: dict[Key, Any] = {
        **reading.values,
        ("data", "root"): _written_root(images, target),
        ("data", "image_size"): options.image_size or smallest_image_size(),
        ("data", "on_error"): options.on_error,
        ("data", "sixteen_bits"): options.sixteen_bits,
        ("data", "alpha"): options.alpha,
        ("data", "exif"): options.exif,
    }
    square = _params_text(values)[1]
    samples, source = reading.listing.samples, open_source(images, square.data)
    choice = choose_scale(samples, source, square.data, sizes, options, square.seed)
    values |= choice.values
    params = _params_text(values)[1]
    scratch = part / ".scratch"
    inspection = inspect(images, params.data, params.seed, scratch)
    if inspection.audit:
        draw_suspicious(inspection, scratch, params.data, part / "suspicious.png")
    shutil.rmtree(scratch)
    values |= _training(params.data, inspection)
    report = sanity_report(images, reading, inspection, choice)
    files = {**project_files(), "params.yaml": _params_text(values)[0], "sanity.txt": report + "\n"}
    files["README.md"] = _readme(target, images, params.data, inspection)
    for name, text in files.items():
        path = part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _put_under_git(part, target)
    return report


def _training(data: DataParams, inspection: Inspection) -> dict[Key, Any]:
    if data.resize != "crop":
        labelled = inspection.count("train")
        return training_values(labelled, labelled + inspection.count("unlabelled"), data.image_size)
    pixels = {split: inspection.pixels(split) * data.scale**2 for split in ("train", "unlabelled")}
    return crop_training_values(pixels["train"], sum(pixels.values()), data.image_size)


def _params_text(values: dict[Key, Any]) -> tuple[str, Params]:
    """params.yaml of a project, with its comments, and the same checked."""
    text = set_values(read_template("params.yaml"), values)
    _, _, body = text.partition("\nseed:")
    text = (
        "# Every hyperparameter of the pipeline, checked before any stage starts. Try a variant with\n"
        f"# `dvc exp run -S train_seg.lr=0.001`.\n\nseed:{body}"
    )
    return text, validate_params(YAML(typ="safe", pure=True).load(text), "the new params.yaml")


def _written_root(images: Path, target: Path) -> str:
    """``data.root``: relative within one Git repository, which may be cloned elsewhere; absolute otherwise."""
    repository = _work_tree(target)
    if repository is not None and images.is_relative_to(repository):
        return Path(os.path.relpath(images, target.resolve())).as_posix()
    return images.as_posix()


_WITHOUT_MASKS = """dvc repro train_ae
       ae-pretrained label-next 20 --hold-out 0.2   # chooses what to label, after val and test are drawn
       ae-pretrained labels FOLDER                  # brings the masks in
       dvc repro"""


def _readme(target: Path, images: Path, data: DataParams, inspection: Inspection) -> str:
    train, val, test = (inspection.count(name) for name in ("train", "val", "test"))
    counts, first = f"{train} for training, {val} for validation, {test} for testing", "dvc repro"
    if not train + val + test:
        counts, first = "none of them has a mask yet", _WITHOUT_MASKS
    return read_template("README.md").format(
        name=shown(target.name),
        images=images,
        classes=", ".join(data.classes),
        counts=counts,
        first=f"       {first}\n       ae-pretrained summary",
        variant=_VARIANTS["crop" if data.resize == "crop" else "square"],
        version=__version__,
    )


def _work_tree(folder: Path) -> Path | None:
    """The Git work tree that a folder, which need not exist yet, will be in."""
    for parent in folder.resolve().parents:
        if (parent / ".git").exists():
            return parent
    return None


def _put_under_git(part: Path, target: Path) -> None:
    """Make a Git repository unless the project will be in one; tell DVC where there is no Git at all.

    ``dvc init`` itself is not run: all that it would make is in the template, and it would enter the hidden folder
    into the index of an outer repository.
    """
    if _work_tree(target) is not None:
        return
    # Variables that a Git hook sets would point to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "init", "--quiet", str(part)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        config = part / ".dvc" / "config"
        config.write_text(config.read_text(encoding="utf-8") + "    no_scm = true\n", encoding="utf-8")
        return
    if done.returncode != 0:
        raise PipelineError(f"`git init` failed in {part}: {done.stderr.strip() or done.returncode}")


def _move(part: Path, target: Path, existed: bool) -> None:
    if not existed:
        part.rename(target)
        return
    moved: list[Path] = []
    try:
        for item in sorted(part.iterdir()):
            moved.append(item.rename(target / item.name))
    except BaseException:
        for path in moved:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        raise
