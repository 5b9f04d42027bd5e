"""Stage fetch: the data set in ``data/raw``, drawn, downloaded, or linked where it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

from ae_pretrained.data.download import download_oxford
from ae_pretrained.data.link import write_link
from ae_pretrained.data.official import OfficialSource, find_layout
from ae_pretrained.data.records import DataError
from ae_pretrained.data.synthetic.dataset import write_synthetic
from ae_pretrained.params.data import DataParams

# What may lie in an empty data.root.
_PLACEHOLDERS = {"README.md", ".gitignore", ".gitkeep", ".DS_Store"}


def fetch(params: DataParams, seed: int, out: Path) -> None:
    """Bring the source into ``out``, in the official layout or as a link to it.

    Args:
        params: which source, and where.
        seed: seed of the embedded data set.
        out: folder to write; what an earlier run left there is replaced.

    Raises:
        DataError: when ``data.root`` holds something else, or a download fails.
    """
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    if params.source == "synthetic":
        drawn = params.synthetic
        write_synthetic(
            out, num_trainval=drawn.num_trainval, num_test=drawn.num_test, size=drawn.size, seed=seed
        )
        return
    _fetch_oxford(Path(params.root), params.classes, out)


def _fetch_oxford(root: Path, classes: list[str], out: Path) -> None:
    layout = find_layout(root)
    if layout is not None:
        records = OfficialSource(layout, classes).records()
        write_link(out, layout, len(records))
        print(f"{len(records)} listed pictures at {layout}", flush=True)
        return
    found = sorted(path.name for path in root.iterdir() if path.name not in _PLACEHOLDERS)
    if found:
        shown = ", ".join(found[:8]) + (", …" if len(found) > 8 else "")
        raise DataError(
            f"data.root: {root.absolute()} holds no official Oxford-IIIT Pet layout: looked for images/ and "
            f"annotations/trainval.txt there and one folder down, found {shown}. Point data.root to the folder "
            "that holds both, or to an empty folder to download the data set"
        )
    download_oxford(out)
