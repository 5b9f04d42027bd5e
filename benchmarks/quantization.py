"""What does storing the network in 8 bits cost in mean IoU?

    python -m benchmarks.quantization data/processed --limit 500

PyTorch, the exported ONNX model and the one in 8 bits predict the same images of the prepared test split, evenly
spread over it; border and padding are left out, flip averaging is on.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from ae_pretrained.apps.export.export import ExportOptions, export_model
from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.files import write_json
from ae_pretrained.metrics.confusion import confusion_per_image, scores_from_confusion
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.preparation.resize import resize_mask

_BATCH = 32


def measure(segmenter: Segmenter, split: Split, rows: np.ndarray) -> tuple[float, float]:
    """Mean IoU over the chosen images, at the prepared size, and the CPU seconds that prediction took."""
    assert split.masks is not None
    classes = list(segmenter.classes)
    pooled = np.zeros((len(classes), len(classes)), dtype=np.int64)
    used = 0.0
    for start in range(0, len(rows), _BATCH):
        chosen = rows[start : start + _BATCH]
        before = time.process_time()
        maps = segmenter.probabilities(list(split.images[chosen]))
        used += time.process_time() - before
        side = segmenter.image_size
        truth = np.stack([resize_mask(mask, side, (0, 0, side, side)) for mask in split.masks[chosen]])
        guess = np.stack([planes.argmax(axis=0) for planes in maps]).astype(np.uint8)
        pooled += (
            confusion_per_image(torch.from_numpy(guess), torch.from_numpy(truth), len(classes))
            .sum(dim=0)
            .numpy()
        )
    return float(scores_from_confusion(pooled, classes)["mean_iou"]), used


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processed", type=Path, help="folder that the stage prepare wrote")
    parser.add_argument("--model", type=Path, help="default: the one that comes with the package")
    parser.add_argument("--limit", type=int, default=500, help="test images (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    weights = given.model or shipped_model("segmenter")
    split = open_split(given.processed, "test")
    rows = np.unique(np.linspace(0, len(split) - 1, min(given.limit, len(split))).round().astype(int))
    values: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {"PyTorch": weights, "ONNX": Path(folder) / "a.onnx", "ONNX int8": Path(folder) / "b.onnx"}
        export_model(weights, files["ONNX"], ExportOptions("onnx"))
        export_model(weights, files["ONNX int8"], ExportOptions("onnx", quantize=True))
        for name, file in files.items():
            score, seconds = measure(Segmenter.load(file, "cpu"), split, rows)
            values[name] = {"mean_iou": score, "cpu_seconds": seconds, "megabytes": file.stat().st_size / 1e6}
            print(
                f"{name:<10} mean IoU {score:.4f}   {seconds:6.1f} s of CPU   {values[name]['megabytes']:5.1f} MB"
            )
    loss = values["PyTorch"]["mean_iou"] - values["ONNX int8"]["mean_iou"]
    print(f"8 bits cost {loss:.4f} of mean IoU over {len(rows)} images")
    if given.json:
        write_json(given.json, {"images": len(rows), "loss_of_int8": loss, **values})


if __name__ == "__main__":
    main()
