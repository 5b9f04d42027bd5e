"""`predict --engine ray` beside the plain command, on the same cores, from the command to the last table.

    python -m benchmarks.cluster ../shared/data/oxford-iiit-pet-128 --count 20000 --rounds 1
    python -m benchmarks.cluster --count 300                                            drawn images

Both take all cores: the plain command as threads, Ray as one worker a core. Images are repeated until there
are enough. They take turns; the time of a single image is that of starting up. CPU is that of all processes,
Ray's own included. The files that both write are compared. Linux only; needs `pip install 'ae-pretrained[ray]'`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

from ae_pretrained.prediction.input_files import find_images
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
from benchmarks.material import draw

_CHILD_SUBREAPER = 36  # of prctl
_PLAIN, _RAY = "plain command", "on Ray"


def repeat(photos: Path, folder: Path, count: int) -> Path:
    """A folder of ``count`` images, which are those of another again and again; linked where that can be done."""
    paths = find_images([photos]).images
    folder.mkdir()
    for number in range(count):
        path = paths[number % len(paths)]
        target = folder / f"{number:07}{path.suffix}"
        try:
            os.link(path.resolve(), target)
        except OSError:
            shutil.copyfile(path, target)
    return folder


def predict(images: Path, out: Path, engine: str, words: list[str]) -> None:
    """The command, and then the end of every process that it has left behind."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "ae_pretrained", "predict", str(images), "--out", str(out)]
    subprocess.run(
        [*command, "--engine", engine, "--device", "cpu", *words], check=True, stdout=subprocess.DEVNULL
    )
    with suppress(ChildProcessError):  # there is none any more
        while True:
            os.waitpid(-1, 0)


def timed(images: Path, out: Path, engine: str, words: list[str]) -> Timing:
    return measure(partial(predict, images, out, engine, words))


def check_same(one: Path, other: Path) -> None:
    """Raise ValueError where two folders of results differ."""
    names = [sorted(path.name for path in folder.iterdir()) for folder in (one, other)]
    if names[0] != names[1] or any((one / n).read_bytes() != (other / n).read_bytes() for n in names[0]):
        raise ValueError(f"{one} and {other} differ, although both engines predicted the same images")


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=3)
    options.add_argument("photos", type=Path, nargs="?", help="a folder of photos, or an official layout")
    options.add_argument("--count", type=int, default=300, help="images (default: %(default)s)")
    options.add_argument("--model", help="default: the one that comes with the package")
    given = options.parse_args(arguments)
    # Ray's processes leave the command that started them: they become children of this one, which counts their CPU.
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
    words = ["--no-flip", *(["--model", given.model] if given.model else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = given.photos or draw(folder, {"num_trainval": 40, "num_test": 8, "size": 128})
        photos = photos / "images" if (photos / "images").is_dir() else photos
        measured: dict[str, dict[str, list[Timing]]] = {}
        for count in (1, given.count):
            images = repeat(photos, folder / f"{count}", count)
            engines = {_PLAIN: "local", _RAY: "ray"}
            ways = {
                way: partial(timed, images, folder / engine, engine, words) for way, engine in engines.items()
            }
            measured[str(count)] = take_turns(ways, given.rounds)
            check_same(folder / "local", folder / "ray")
    print_table(
        f"{given.count} images",
        ("", "s to start", "s in all", "s of CPU", "images/s", "ms of CPU an image"),
        [
            (
                way, f"{start.clock:.1f}", f"{whole.clock:.1f}", f"{whole.cpu:.1f}",
                f"{given.count / whole.clock:.1f}", f"{1000 * (whole.cpu - start.cpu) / max(1, given.count - 1):.1f}",
            )
            for way in (_PLAIN, _RAY)
            for start, whole in [(median(measured["1"][way]), median(measured[str(given.count)][way]))]
        ],
    )  # fmt: skip
    whole = measured[str(given.count)]
    ratio = median_ratio(whole[_PLAIN], whole[_RAY])
    print(f"speed of Ray against the plain command: {ratio}")
    write_result("cluster", {"count": given.count, "seconds": measured, "ratio": ratio}, given.out)


if __name__ == "__main__":
    main()
