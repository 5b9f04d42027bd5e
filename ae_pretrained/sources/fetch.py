"""Stage fetch: the data set in ``data/raw``, drawn, downloaded, or linked where it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

from ae_pretrained.names import is_address
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.download import download_oxford
from ae_pretrained.sources.folder import image_folder
from ae_pretrained.sources.formats.detection import FORMATS
from ae_pretrained.sources.mirror import mirror
from ae_pretrained.sources.oxford import find_layout
from ae_pretrained.sources.pointer import write_link
from ae_pretrained.sources.registry import open_source
from ae_pretrained.synthetic.drawn_dataset import write_synthetic

# The embedded images are one data set, whatever the run's seed: runs of several seeds are measured on the same test
# images, as those on real data are.
_DRAWING = 42
# What may lie in an empty data.root.
_PLACEHOLDERS = {"README.md", ".gitignore", ".gitkeep", ".DS_Store", "Thumbs.db"}


def fetch(params: DataParams, out: Path) -> None:
    """Bring the source into ``out``: drawn, downloaded, copied from an address, or a pointer to where it lies.

    Args:
        params: which source, and where.
        out: folder to write; what an earlier run left there is replaced.

    Raises:
        DataError: when ``data.root`` does not hold what the source looks for, a download fails, or ``out`` cannot
            be written.
    """
    # Looked at before anything is removed: a misspelt folder costs nothing that an earlier run has made.
    drawn, mirrored = params.source == "synthetic", is_address(params.root)
    root = None if drawn or mirrored else _find_root(params, Path(params.root))
    try:
        copied = mirror(params.root, out.with_name(f".{out.name}.mirror")) if mirrored and not drawn else None
        if copied is not None:
            _find_root(params, copied)  # raises where it does not hold what the source looks for
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        if drawn:
            scene = params.synthetic
            write_synthetic(
                out, num_trainval=scene.num_trainval, num_test=scene.num_test, size=scene.size, seed=_DRAWING
            )
        elif copied is not None:
            copied.replace(out)
            print(f"{_count(out, params)} images copied from {params.root}", flush=True)
        elif root is None:
            download_oxford(out)
            print(f"{_count(out, params)} listed images downloaded", flush=True)
        else:
            images = _count(root, params)
            write_link(out, root, images)
            print(f"{images} images at {root}", flush=True)
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}). Check the rights and the free "
            f"space of {out.parent.absolute()}"
        ) from error


def _count(root: Path, params: DataParams) -> int:
    return len(open_source(root, params).listing().samples)


def _find_root(params: DataParams, root: Path) -> Path | None:
    """The folder that the source can read, or None where the official archives are to be downloaded."""
    if not root.is_dir():
        raise DataError(f"data.root: {root.absolute()} is no folder; point data.root to the images")
    found = sorted(path.name for path in root.iterdir() if path.name not in _PLACEHOLDERS)
    shown = ", ".join(found[:8]) + (", …" if len(found) > 8 else "") if found else "nothing"
    if params.source == "folder":
        images = image_folder(root)
        if not images.is_dir() or not any(images.iterdir()):
            raise DataError(
                f"data.root: {root.absolute()} has no images; source 'folder' looks for images/ and masks/ "
                f"(and unlabelled/, if any) there, or for images alone; found {shown}"
            )
        return root
    if params.source == "original_project" or params.source in FORMATS:
        return root  # the source itself names what is missing
    layout = find_layout(root)
    if layout is None and found:
        raise DataError(
            f"data.root: {root.absolute()} holds no official Oxford-IIIT Pet layout: looked for images/ and "
            f"annotations/trainval.txt there and one folder down, found {shown}. Point data.root to the folder "
            "that holds both, or to an empty folder to download the data set"
        )
    return layout
