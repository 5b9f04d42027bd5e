"""How many photos a second, and in how much memory: PyTorch, ONNX and ONNX in 8 bits.

    python -m benchmarks.predict                                                    drawn images
    python -m benchmarks.predict ../shared/data/oxford-iiit-pet-sample/images       photos

Each way predicts in a process of its own, without overlays: decoded photos in, masks at their own size out. The ways
take turns, and the best round of each counts. `network` is the time of the network alone, at the size it was trained
on. CPU time, of all threads together, says more than the clock where other programs are running. With `--threads`
the number of cores can be bounded. Linux only. Memory includes the decoded photos (`--count`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import parser, print_table, take_turns, write_result

_FLIP = {"no flip": False, "flip averaging": True}


def _peak_mib() -> float:
    """The largest resident memory of this process so far."""
    # Not getrusage: what it tells of a fresh process includes its parent at the time of the fork.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def work(model: str | None, photos: Path, batch_size: int, flip: bool, count: int) -> dict[str, float]:
    """One measurement, in this process: photos per second, and the largest memory so far in MiB."""
    import numpy as np

    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.prediction.input_files import find_images, read_input_image
    from ae_pretrained.prediction.segmenter import Segmenter

    keep_freed_memory()  # as the command does
    segmenter = Segmenter.load(model, "cpu")
    paths = find_images([photos]).images
    images = [read_input_image(paths[i % len(paths)], "") for i in range(count)]
    segmenter.predict(images[:batch_size], flip_averaging=flip, batch_size=batch_size)  # warm
    start, used = time.perf_counter(), time.process_time()
    segmenter.predict(images, flip_averaging=flip, batch_size=batch_size)
    whole, used = time.perf_counter() - start, time.process_time() - used
    side = segmenter.image_size
    inputs = np.zeros((batch_size, side, side, 3), dtype=np.uint8)
    batches = max(1, count // batch_size)
    start = time.perf_counter()
    for _ in range(batches):
        segmenter.probabilities(list(inputs), flip_averaging=flip)
    network = time.perf_counter() - start
    return {
        "photos_per_second": count / whole,
        "cpu_ms_per_photo": 1000 * used / count,
        "network_per_second": batches * batch_size / network,
        "peak_mib": _peak_mib(),
    }


def _apart(arguments: list[str], threads: int) -> dict[str, float]:
    """The same in a fresh process: memory is that of one way alone."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)} if threads else dict(os.environ)
    command = [sys.executable, "-m", "benchmarks.predict", "--worker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _ways(model: Path | None, folder: Path) -> dict[str, str]:
    """Model file by name of the way; exports what is needed."""
    from ae_pretrained.apps.export.export import ExportOptions, export_model
    from ae_pretrained.prediction.shipped import shipped_model

    weights = model or shipped_model("segmenter")
    export_model(weights, folder / "model.onnx", ExportOptions("onnx"))
    export_model(weights, folder / "int8.onnx", ExportOptions("onnx", quantize=True))
    return {
        "PyTorch": str(weights),
        "ONNX": str(folder / "model.onnx"),
        "ONNX int8": str(folder / "int8.onnx"),
    }


def _photos(given: Path | None, folder: Path) -> Path:
    """The folder of the photos: the one given, the one in an official layout, or one of drawn images."""
    if given is None:
        # Not at the top: the memory of the workers is measured, and this imports all that `prepare` needs.
        from benchmarks.material import draw

        return draw(folder, {"num_trainval": 40, "num_test": 8, "size": 256}) / "images"
    return given / "images" if (given / "images").is_dir() else given


def _best(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The best round: the most a second, the least memory and CPU."""
    return {
        key: (max if key.endswith("per_second") else min)(one[key] for one in measured) for key in measured[0]
    }


def compare(photos: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for every way, batch size and kind of averaging."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ways = _ways(given.model, Path(folder))
        for batch_size in given.batch_sizes:
            for label, flip in _FLIP.items():
                common = [str(photos), "--count", str(given.count), "--batch-sizes", str(batch_size)]
                common += ["--flip"] if flip else []
                runs = {
                    way: partial(_apart, [*common, "--model", file], given.threads)
                    for way, file in ways.items()
                }
                for way, measured in take_turns(runs, given.rounds).items():
                    rows.append({"way": way, "batch_size": batch_size, "averaging": label, **_best(measured)})
    return rows


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=3)
    options.add_argument("photos", type=Path, nargs="?", help="a folder of photos, or an official layout")
    options.add_argument("--model", type=Path, help="default: the one that comes with the package")
    options.add_argument("--count", type=int, default=96, help="photos a measurement (default: %(default)s)")
    options.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16], metavar="N")
    options.add_argument("--threads", type=int, default=0, help="0: what PyTorch and onnxruntime choose")
    options.add_argument("--flip", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args(arguments)
    if given.worker:
        model = str(given.model) if given.model else None
        print(json.dumps(work(model, given.photos, given.batch_sizes[0], given.flip, given.count)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(_photos(given.photos, Path(folder)), given)
    print_table(
        f"{given.count} photos",
        ("", "batch", "averaging", "photos/s", "network/s", "ms of CPU a photo", "MiB"),
        [
            (
                row["way"], row["batch_size"], row["averaging"],
                *(f"{row[key]:.1f}" for key in ("photos_per_second", "network_per_second", "cpu_ms_per_photo")),
                f"{row['peak_mib']:.0f}",
            )
            for row in rows
        ],
    )  # fmt: skip
    write_result("predict", {"count": given.count, "rows": rows}, given.out)


if __name__ == "__main__":
    main()
