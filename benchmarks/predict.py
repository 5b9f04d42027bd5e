"""How many photos a second, and in how much memory: PyTorch, ONNX and ONNX in 8 bits.

    python -m benchmarks.predict ../shared/data/oxford-iiit-pet-sample/images --json predict.json

Each way predicts in a process of its own, without overlays: decoded photos in, masks at their own size out. The ways
take turns, several times over, and the best of each counts. `network` is the time of the network alone, at the size
it was trained on. CPU time, of all threads together, says more than the clock where other programs are running.
With `--threads` the number of cores can be bounded. Linux only. Memory includes the decoded photos (`--count`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ae_pretrained.files import write_json

_FLIP = {"no flip": False, "flip averaging": True}


def _peak_mib() -> float:
    """The largest resident memory of this process so far."""
    # Not getrusage: what it tells of a fresh process includes its parent at the time of the fork.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def work(model: str | None, photos: Path, batch_size: int, flip: bool, count: int) -> dict[str, float]:
    """One measurement, in this process: photos per second, and the largest memory so far in MiB."""
    import numpy as np

    from ae_pretrained.prediction.photos import find_photos, read_photo
    from ae_pretrained.prediction.segmenter import Segmenter

    segmenter = Segmenter.load(model, "cpu")
    paths = find_photos([photos])
    images = [read_photo(paths[i % len(paths)], "") for i in range(count)]
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
    from ae_pretrained.export.export import ExportOptions, export_model
    from ae_pretrained.prediction.shipped import shipped_model

    weights = model or shipped_model("segmenter")
    export_model(weights, folder / "model.onnx", ExportOptions("onnx"))
    export_model(weights, folder / "int8.onnx", ExportOptions("onnx", quantize=True))
    return {
        "PyTorch": str(weights),
        "ONNX": str(folder / "model.onnx"),
        "ONNX int8": str(folder / "int8.onnx"),
    }


def _compare(given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ways = _ways(given.model, Path(folder))
        for batch_size in (1, 16):
            for label, flip in _FLIP.items():
                seen: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
                for _ in range(given.repeat):
                    for way, file in ways.items():
                        arguments = [str(given.photos), "--model", file, "--count", str(given.count)]
                        arguments += ["--batch-size", str(batch_size), *(["--flip"] if flip else [])]
                        seen[way].append(_apart(arguments, given.threads))
                for way, measured in seen.items():
                    best = {
                        key: (max if key.endswith("per_second") else min)(one[key] for one in measured)
                        for key in measured[0]
                    }
                    rows.append({"way": way, "batch_size": batch_size, "flip_averaging": flip, **best})
                    print(
                        f"{way:<10} batch {batch_size:>2}, {label:<14} {best['photos_per_second']:8.1f} photos/s "
                        f"{best['network_per_second']:8.1f} network/s "
                        f"{best['cpu_ms_per_photo']:7.1f} ms of CPU a photo {best['peak_mib']:7.0f} MiB",
                        flush=True,
                    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="a folder of photos")
    parser.add_argument("--model", type=Path, help="default: the one that comes with the package")
    parser.add_argument("--count", type=int, default=96, help="photos a measurement (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: what PyTorch and onnxruntime choose")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--batch-size", type=int, default=16, help=argparse.SUPPRESS)
    parser.add_argument("--flip", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        model = str(given.model) if given.model else None
        print(json.dumps(work(model, given.photos, given.batch_size, given.flip, given.count)))
        return
    rows = _compare(given)
    if given.json:
        write_json(given.json, {"count": given.count, "cores": os.cpu_count(), "rows": rows})


if __name__ == "__main__":
    main()
