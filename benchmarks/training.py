"""Our training beside a plain PyTorch loop, and beside the same step with nothing to feed.

    python -m benchmarks.training                                          on drawn images
    python -m benchmarks.training ../shared/data/oxford-iiit-pet-128       on real ones

The same U-Net, batch and size; `benchmarks/steps.py` says what each way does. `plain` neither augments nor logs. Ours
keeps freed memory (`ae_pretrained/memory.py`), as the stages do: that holds for a whole process, hence one process
for ours and one for the plain loop. The ways take turns; ratios are taken round by round, and their median counts.
CPU time says more than the clock where other programs are running, as long as there is one thread
(OMP_NUM_THREADS=1): threads that wait use CPU too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from ae_pretrained.memory import keep_freed_memory
from benchmarks.common import Timing, median, median_ratio, parser, print_table, take_turns, write_result
from benchmarks.material import params_for, prepared
from benchmarks.steps import Setting, held, ours, plain


@contextmanager
def ways_apart(setting: Setting) -> Iterator[dict[str, Callable[[], Timing]]]:
    """The three ways, in two processes."""
    spawn = get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn, initializer=keep_freed_memory) as tuned,
        ProcessPoolExecutor(1, spawn) as untouched,
    ):
        yield {
            "ours": lambda: tuned.submit(ours, setting).result(),
            "plain": lambda: untouched.submit(plain, setting).result(),
            "held": lambda: tuned.submit(held, setting).result(),
        }


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=5)
    options.add_argument("root", type=Path, nargs="?", help="an unpacked official layout")
    options.add_argument("--size", type=int, default=64, help="px (default: %(default)s)")
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--steps", type=int, default=12, help="timed steps a turn (default: %(default)s)")
    options.add_argument("--precision", default="auto", help="of our training: auto, 32, bf16, 16")
    options.add_argument("--norm", default="instance", choices=["instance", "batch", "group"])
    options.add_argument("--images", type=int, default=240, help="images to draw, without a root")
    options.add_argument("--compile", action="store_true", help="our training with torch.compile")
    given = options.parse_args(arguments)
    params = params_for(
        given.root,
        {
            "data.image_size": given.size,
            "data.synthetic": {"num_trainval": given.images, "num_test": 16, "size": 2 * given.size},
            "data.leak_check.enabled": False,
            "model.norm": given.norm,
            "train_seg.batch_size": given.batch_size,
            "train_seg.precision": given.precision,
            "train_seg.init": "scratch",
            "runtime.compile": given.compile,
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        processed = prepared(params, Path(folder))
        setting = Setting.make(params, processed, Path(folder) / "files", given.steps)
        with ways_apart(setting) as ways:
            steps = take_turns(ways, given.rounds)
    medians = {name: median(values) for name, values in steps.items()}
    rows = [
        (name, f"{given.batch_size / one.clock:.0f}", f"{1000 * one.clock:.1f}", f"{1000 * one.cpu:.1f}")
        for name, one in medians.items()
    ]
    title = f"U-Net, {given.norm} norm, {given.size} px, batch {given.batch_size}, {setting.device.type}"
    print_table(title, ("", "images/s", "ms a step", "ms of CPU"), rows)
    against_plain = median_ratio(steps["plain"], steps["ours"])
    loaders = median_ratio(steps["held"], steps["ours"])
    print(f"speed against the plain loop: {against_plain}")
    print(f"speed against the step on one batch held in memory: {loaders}")
    figures = {
        "size": given.size,
        "norm": given.norm,
        "batch_size": given.batch_size,
        "device": setting.device.type,
        "seconds_per_step": steps,
        "ours_against_plain": against_plain,
        "loaders": loaders,
    }
    write_result("training", figures, given.out)


if __name__ == "__main__":
    main()
