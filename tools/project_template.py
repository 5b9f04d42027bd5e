"""The template that ``ae-pretrained init`` makes projects from, out of this repository's own pipeline.

A project has the stages of ``dvc.yaml`` and its ``params.yaml``, but neither the library nor the stage scripts.
Where a stage of the repository depends on ``ae_pretrained/FOLDER``, that of a project depends on
``library/FOLDER.txt``, the hashes of the same folder as it is installed. A test compares the template with what this
module makes.

    python -m tools.project_template --write
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ae_pretrained.params.editing import Key, set_values

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "ae_pretrained" / "apps" / "init" / "template"
PLOT = "by_corruption.json"  # the Vega-Lite template that a plot of dvc.yaml uses
_HEADER = """\
# The pipeline, as `ae-pretrained init` wrote it. Every `dvc repro` starts with the stage `library`, which takes a
# second: it writes down what is installed, so that an upgraded library re-runs the stages that its changes touch.
stages:
  library:
    desc: Write down the installed library, for the stages that use it
    cmd: ae-pretrained stage library
    always_changed: true
    outs:
"""
# What a line of the repository's dvc.yaml becomes in a project, by regular expression.
_CHANGES = (
    (r"cmd: python -m stages\.(\w+)$", r"cmd: ae-pretrained stage \1"),
    (r"- ae_pretrained/(\w+)$", r"- library/\1.txt"),
    (r"- stages/\w+\.py$", "- library/stages.txt"),
    (r"- requirements\.lock$", "- library/packages.txt"),
    (r"segments background, cat and dog", "segments the classes of params.yaml"),
    (r"^ +- plots/.*breed.*\n", ""),  # one's own images have none
    (r"^#.*\nplots:$", "# `dvc plots show` and `dvc plots diff` draw these.\nplots:"),
)
# What a project starts with in place of the values of the embedded run, which suit many drawn images and few minutes.
# ``init`` chooses sizes and epochs by the images.
_OWN_IMAGES: dict[Key, Any] = {
    ("model", "features"): [16, 32, 64, 128, 256, 256],
    ("model", "encoder_dropout"): [0.0, 0.0, 0.05, 0.1, 0.15, 0.15],
    ("model", "decoder_dropout"): [0.15, 0.1, 0.1, 0.05, 0.0],
    ("model", "norm"): "instance",
    ("train_ae", "epochs"): 10,
    ("train_ae", "batch_size"): 32,
    ("train_ae", "lr"): 0.002,
    ("train_seg", "batch_size"): 8,
    ("train_seg", "epochs"): 24,
    ("train_seg", "lr"): 0.002,
    ("train_seg", "loss", "class_weights"): "dynamic",
    ("train_seg", "augmentation", "affine"): 0.8,
    ("train_seg", "augmentation", "jitter"): 0.8,
    ("train_seg", "augmentation", "blur"): 0.1,
    ("train_seg", "augmentation", "noise"): 0.1,
    ("robustness", "max_images"): 200,
}


def project_template() -> dict[str, str]:
    """Texts of the generated files by their name in the template."""
    sources = {"dvc.yaml": "dvc.yaml", "params.yaml": "params.yaml", PLOT: f".dvc/plots/{PLOT}"}
    files = {name: (ROOT / source).read_text(encoding="utf-8") for name, source in sources.items()}
    files["dvc.yaml"] = _pipeline(files["dvc.yaml"])
    files["params.yaml"] = set_values(files["params.yaml"], _OWN_IMAGES)
    return files


def _pipeline(text: str) -> str:
    """The dvc.yaml of a project out of that of the repository."""
    _, _, body = text.partition("\nstages:\n")
    for pattern, replacement in _CHANGES:
        body = re.sub(pattern, replacement, body, flags=re.MULTILINE)
    names = sorted(set(re.findall(r"- (library/\w+\.txt)$", body, flags=re.MULTILINE)))
    outs = "".join(f"      - {name}:\n          cache: false\n" for name in names)
    return f"{_HEADER}{outs}\n{body}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the template into the package")
    write = parser.parse_args().write
    for name, text in project_template().items():
        print(name)
        if write:
            (TEMPLATE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
