"""How long does `prepare` take, beside decoding and resizing alone?

    python -m benchmarks.prepare ../shared/data/oxford-iiit-pet-128 --image-size 128

Both are run in turns, several times, with all cores; the shortest of each counts. CPU seconds, of all processes
together, say more than the clock where other programs are running. Nothing is kept.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ae_pretrained.data.decode import read_mask, read_picture
from ae_pretrained.data.fetch import fetch
from ae_pretrained.data.link import resolve_raw
from ae_pretrained.data.prepare import prepare
from ae_pretrained.data.processes import count_processes, process_pool
from ae_pretrained.data.records import Record
from ae_pretrained.data.resize import content_box, resize_mask, resize_picture
from ae_pretrained.data.sources import open_source
from ae_pretrained.params import read_params, validate_params
from ae_pretrained.params.data import DataParams

_CHUNK = 64


def _decode_chunk(records: Sequence[Record], size: int) -> None:
    for record in records:
        picture = read_picture(record.image)
        box = content_box(picture.shape[1], picture.shape[0], size, "stretch")
        resize_picture(picture, size, box)
        if record.mask is not None:
            resize_mask(read_mask(record.mask), size, box)


def decode_alone(raw: Path, params: DataParams) -> None:
    """Decode and resize every pair with as many processes as `prepare`, and drop the result."""
    records = open_source(resolve_raw(raw), params).listing().records
    chunks = [records[start : start + _CHUNK] for start in range(0, len(records), _CHUNK)]
    with process_pool(count_processes(params.workers, len(chunks))) as pool:
        for _ in pool.map(partial(_decode_chunk, size=params.image_size), chunks):
            pass


def measure(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of CPU in this process and those it starts."""

    def cpu() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)

    clock, before = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - clock, cpu() - before


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="an unpacked official layout")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    values = read_params(Path("params.yaml"))
    values["data"] |= {
        "source": "oxford_iiit_pet",
        "root": str(given.root),
        "image_size": given.image_size,
        "resize": "stretch",
    }
    values["model"] |= {"features": [8, 8], "encoder_dropout": [0.0, 0.0], "decoder_dropout": [0.0]}
    values["train_ae"] |= {"skips": 1}
    params = validate_params(values).data
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        fetch(params, 0, out / "raw")

        def whole() -> None:
            prepare(
                out / "raw",
                out / "processed",
                params,
                0,
                metrics_file=out / "prepare.json",
                plots=out / "plots",
            )

        def alone() -> None:
            decode_alone(out / "raw", params)

        times = {"decoding and resizing alone": [], "prepare": []}  # type: dict[str, list[tuple[float, float]]]
        for _ in range(given.repeat):
            for name, work in zip(times, (alone, whole), strict=True):
                times[name].append(measure(work))
    best = {name: tuple(min(column) for column in zip(*rows, strict=True)) for name, rows in times.items()}
    for name, (clock, cpu) in best.items():
        print(f"{name:28} {clock:6.2f} s by the clock, {cpu:6.2f} s of CPU")
    (clock, cpu), (clock_alone, cpu_alone) = best["prepare"], best["decoding and resizing alone"]
    print(f"{'ratio':28} {clock / clock_alone:6.2f}   by the clock, {cpu / cpu_alone:6.2f}   of CPU")
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{'largest process':28} {peak / 1024:6.0f} MiB (Linux)")


if __name__ == "__main__":
    main()
