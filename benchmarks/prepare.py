"""How long does `prepare` take beside decoding and resizing alone, and how does it grow?

    python -m benchmarks.prepare                                             drawn images
    python -m benchmarks.prepare ../shared/data/oxford-iiit-pet-128 --size 128

Both run in turns, with all cores. CPU seconds, of all processes together, say more than the clock where other
programs are running. For the growth, images are repeated (as links) to 1,000, 10,000 and 100,000 pairs, and each
number is prepared in a process of its own, whose largest memory is looked at; then batches are read from the arrays
in the order of a training. The leak check is off there: every image would be a near-duplicate of a hundred others.
Nothing is kept.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ae_pretrained.constants import IMAGES
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.dataset.batches import ArrayBatches, TrainingOrder
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.preparation.processes import count_processes, process_pool
from ae_pretrained.preparation.resize import content_box, resize_image, resize_mask
from ae_pretrained.sources.base import Sample
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.image_reader import read_image
from ae_pretrained.sources.mask_reader import read_mask
from ae_pretrained.sources.pointer import resolve_raw
from ae_pretrained.sources.registry import open_source
from benchmarks.common import (
    Timing,
    measure,
    median,
    median_ratio,
    parser,
    print_table,
    take_turns,
    write_result,
)
from benchmarks.material import params_for

_CHUNK = 64
_BATCH, _READ = 32, 500  # images a batch, batches that are read
_ALONE, _WHOLE = "decoding and resizing alone", "prepare"


def _decode_chunk(samples: Sequence[Sample], size: int) -> None:
    for sample in samples:
        image = read_image(sample.image)
        box = content_box(image.shape[1], image.shape[0], size, "stretch")
        resize_image(image, size, box)
        if sample.mask is not None:
            resize_mask(read_mask(sample.mask), size, box)


def decode_alone(raw: Path, params: DataParams) -> None:
    """Decode and resize every pair with as many processes as `prepare`, and drop the result."""
    samples = open_source(resolve_raw(raw), params).listing().samples
    chunks = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]
    with process_pool(count_processes(params.workers, len(chunks))) as pool:
        for _ in pool.map(partial(_decode_chunk, size=params.image_size), chunks):
            pass


def prepare_all(raw: Path, params: DataParams, out: Path) -> None:
    """`prepare`, as the stage calls it."""
    prepare(raw, out / "processed", params, 0, metrics_file=out / "prepare.json", plots=out / "plots")


def repeat(source: Path, target: Path, count: int) -> None:
    """An official layout of ``count`` pairs, made of links to the pairs of another."""
    source = source.resolve()
    images, trimaps = target / "images", target / "annotations" / "trimaps"
    images.mkdir(parents=True)
    trimaps.mkdir(parents=True)
    listed = {}
    for name in ("trainval.txt", "test.txt"):
        lines = (source / "annotations" / name).read_text().splitlines()
        listed[name] = [line.split() for line in lines if line and not line.startswith("#")]
    total = sum(map(len, listed.values()))
    rows: dict[str, list[str]] = {name: [] for name in listed}
    for name, entries in listed.items():
        for number in range(round(count * len(entries) / total)):
            old, *rest = entries[number % len(entries)]
            stem, _, last = old.rpartition("_")
            new = f"{stem}_{number // len(entries)}x{last}"
            (images / f"{new}.jpg").symlink_to(source / "images" / f"{old}.jpg")
            (trimaps / f"{new}.png").symlink_to(source / "annotations" / "trimaps" / f"{old}.png")
            rows[name].append(" ".join([new, *rest]))
    for name, lines in {**rows, "list.txt": [line for part in rows.values() for line in part]}.items():
        (target / "annotations" / name).write_text("\n".join(lines) + "\n")


def _params(root: Path | None, size: int, changes: dict[str, Any]) -> DataParams:
    # The model plays no part here, but the parameters are refused where it has too many stages for the size.
    model = {"model.features": [4, 8], "model.encoder_dropout": [0.0, 0.0], "model.decoder_dropout": [0.0]}
    return params_for(root, {"data.image_size": size, **model, "train_ae.skips": 1, **changes}).data


def anonymous_mib() -> float:
    """Memory of this process that is not a file's: pages of a mapped file go whenever they are wanted elsewhere."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def read_batches(processed: Path) -> dict[str, float]:
    """Milliseconds a batch of the training images, in the order of an epoch, and how much memory grows meanwhile."""
    split = open_split(processed, "train", "unlabelled")
    batches = ArrayBatches(split.images, split.masks, np.arange(len(split)))
    order = TrainingOrder(len(split), min(_BATCH, len(split)), updates_per_epoch=_READ)
    drawn = iter(order)
    batches[next(drawn)]
    before = anonymous_mib()

    def read() -> None:
        for positions in drawn:
            batches[positions]

    timing = measure(read)
    return {"read_ms": 1000 * timing.clock / (_READ - 1), "read_growth_mib": anonymous_mib() - before}


def _worker(raw: Path, out: Path, size: int) -> None:
    """Prepare once in this process, read batches, and print time and memory."""
    data = _params(raw, size, {"data.leak_check.enabled": False})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    timing = measure(lambda: prepare_all(raw, data, out))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    row = {"clock": timing.clock, "cpu": timing.cpu, "before": before, "main": peaks[0], "workers": peaks[1]}
    row |= {"gigabytes": (out / "processed" / IMAGES).stat().st_size / 1e9, **read_batches(out / "processed")}
    print(json.dumps(row))


def growth(raw: Path, counts: Sequence[int], size: int, folder: Path) -> list[dict[str, float]]:
    """Time and memory for some numbers of pairs."""
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            repeat(raw, Path(place) / "pairs", count)
            command = [sys.executable, "-m", "benchmarks.prepare", "--worker", f"{place}/pairs", place]
            command += ["--size", str(size)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append({"pairs": count, **json.loads(done.stdout.splitlines()[-1])})
    return rows


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=5)
    options.add_argument("root", type=Path, nargs="?", help="an unpacked official layout")
    options.add_argument("--size", type=int, default=64, help="px (default: %(default)s)")
    options.add_argument("--images", type=int, default=1000, help="images to draw, without a root")
    options.add_argument("--growth", type=int, nargs="*", default=[1_000, 10_000, 100_000], metavar="PAIRS")
    options.add_argument("--growth-size", type=int, default=32, help="px (default: %(default)s)")
    options.add_argument("--worker", type=Path, nargs=2, help="used by the benchmark itself")
    given = options.parse_args(arguments)
    if given.worker:
        raw, out = given.worker
        _worker(raw, out, given.size)
        return
    drawn = {"num_trainval": given.images // 2, "num_test": given.images - given.images // 2}
    changes = {"data.synthetic": {**drawn, "size": max(64, given.size)}}
    params = _params(given.root, given.size, changes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fetch(params, folder / "raw")
        pairs = len(open_source(resolve_raw(folder / "raw"), params).listing().samples)
        ways = {
            _ALONE: lambda: measure(lambda: decode_alone(folder / "raw", params)),
            _WHOLE: lambda: measure(lambda: prepare_all(folder / "raw", params, folder)),
        }
        timings: dict[str, list[Timing]] = take_turns(ways, given.rounds)
        grown = growth(resolve_raw(folder / "raw"), given.growth, given.growth_size, folder)
    medians = {name: median(rows) for name, rows in timings.items()}
    table = [(n, f"{t.clock:.2f}", f"{t.cpu:.2f}", f"{pairs / t.clock:.0f}") for n, t in medians.items()]
    print_table(f"{pairs} pairs, {given.size} px out", ("", "s by the clock", "s of CPU", "pairs/s"), table)
    ratio = median_ratio(timings[_WHOLE], timings[_ALONE])
    print(f"prepare against decoding and resizing alone: {ratio}")
    print_table(
        f"growth, {given.growth_size} px out, no leak check",
        (
            "pairs", "GB of images", "s by the clock", "s of CPU", "ms of CPU a pair", "MiB, main process",
            "MiB, a worker", "ms to read a batch", "MiB more after it",
        ),
        [
            (
                f"{row['pairs']:.0f}", f"{row['gigabytes']:.2f}", f"{row['clock']:.1f}", f"{row['cpu']:.1f}",
                f"{1000 * row['cpu'] / row['pairs']:.2f}",
                f"{row['main'] / 1024:.0f}", f"{row['workers'] / 1024:.0f}",
                f"{row['read_ms']:.2f}", f"{row['read_growth_mib']:.1f}",
            )
            for row in grown
        ],
    )  # fmt: skip
    figures = {
        "pairs": pairs,
        "size": given.size,
        "seconds": timings,
        "ratio": ratio,
        "growth_size": given.growth_size,
        "growth": grown,
    }
    write_result("prepare", figures, given.out)


if __name__ == "__main__":
    main()
