"""How good are written masks, at the size of the true ones? For models whose pipeline measures at another size.

    python -m studies.score_masks PREDICTIONS TRUTH --classes sky building … --ignore 11

compares PREDICTIONS/STEM_mask.png, as `ae-pretrained predict` writes them, with TRUTH/STEM.png, and prints metrics as
`eval_seg` does: from one confusion matrix of all pixels, with a 95 % bootstrap over images.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError
from ae_pretrained.metrics.confusion import confusion_per_image, scores_from_confusion
from ae_pretrained.metrics.intervals import mean_iou_interval
from ae_pretrained.stage_runner import run_stage

_ENDING = "_mask.png"


def score_masks(predictions: Path, truth: Path, classes: Sequence[str], ignore: int) -> dict[str, Any]:
    """Figures of all predicted masks in a folder.

    Args:
        predictions: folder of STEM_mask.png, values are class numbers.
        truth: folder with a STEM.png of the same size for each of them.
        classes: names by class number.
        ignore: value of the true masks that counts nowhere.

    Raises:
        PipelineError: when there is no prediction, or one without a true mask of its size.
    """
    files = sorted(predictions.glob(f"*{_ENDING}"))
    if not files:
        raise PipelineError(f"{predictions}: no {_ENDING} in it; run `ae-pretrained predict` first")
    counts = []
    for file in files:
        mask = truth / f"{file.name.removesuffix(_ENDING)}.png"
        if not mask.is_file():
            raise PipelineError(f"{mask}: no such file, and {file} is to be compared with it")
        predicted, true = _read(file), _read(mask)
        if predicted.shape != true.shape:
            raise PipelineError(f"{file}: {predicted.shape} pixels, and {mask} has {true.shape}")
        true[true == ignore] = IGNORE_INDEX
        images = [torch.from_numpy(values)[None] for values in (predicted, true)]
        counts.append(confusion_per_image(images[0], images[1], len(classes)).numpy())
    confusion = np.concatenate(counts)
    return {
        **scores_from_confusion(confusion.sum(axis=0), classes),
        "mean_iou_ci95": list(mean_iou_interval(confusion)),
        "num_images": len(files),
    }


def _read(path: Path) -> np.ndarray:
    with Image.open(path, formats=["PNG"]) as image:
        return np.array(image)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("predictions", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--ignore", type=int, default=IGNORE_INDEX)
    arguments = parser.parse_args()
    figures = score_masks(arguments.predictions, arguments.truth, arguments.classes, arguments.ignore)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    run_stage(main)
