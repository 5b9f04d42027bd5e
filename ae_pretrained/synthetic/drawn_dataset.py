"""The embedded data set on disk, in the layout of the official Oxford-IIIT Pet archives."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ae_pretrained.synthetic.breeds import BREEDS, CAT, DOG, Breed, by_species
from ae_pretrained.synthetic.scene import draw_image

JPEG_QUALITY = 92
_HEADER = (
    "#Image CLASS-ID SPECIES BREED ID\n"
    "#ID: 1:{classes} Class ids\n"
    "#SPECIES: 1:Cat 2:Dog\n"
    "#BREED ID: 1-{cats}:Cat 1:{dogs}:Dog\n"
    "#All images with 1st letter as captial are cat images\n"
    "#images with small first letter are dog images\n"
)


@dataclass(frozen=True)
class _Job:
    """One image to draw: the pair (split, number) seeds it, so the splits do not depend on one another."""

    stem: str
    breed: Breed
    key: tuple[int, int, int]  # seed, split, number within the split
    size: int


def write_synthetic(
    root: Path, *, num_trainval: int, num_test: int, size: int, seed: int, processes: int | None = None
) -> None:
    """Draw the embedded data set into `root`, which must not exist or be an empty folder.

    Writes ``images/<Breed>_<n>.jpg``, ``annotations/trimaps/<Breed>_<n>.png`` (1 pet, 2 background, 3 border) and
    ``annotations/{list,trainval,test}.txt`` with the official columns. Cats' breeds begin with an upper-case
    letter, dogs' with a lower-case one; either split has twice as many dogs as cats, breeds in equal numbers
    (as far as its size allows). The bytes depend on the arguments alone, not on `processes`; an image of the
    test split does not depend on `num_trainval`. `root` appears when everything is in it.

    Args:
        root: folder to make.
        num_trainval, num_test: images per split, at least 1 each.
        size: side of the square images, px, at least 32.
        seed: non-negative.
        processes: that draw; None takes one per available core.

    Raises:
        ValueError: an argument out of its range.
        FileExistsError: `root` holds something.
    """
    for name, value, least in (
        ("num_trainval", num_trainval, 1),
        ("num_test", num_test, 1),
        ("size", size, 32),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, found {value}")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f"{root} is not empty: give a folder that does not exist yet, or remove it")
    splits = _jobs(num_trainval, num_test, size, seed)
    root.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        (building / "images").mkdir()
        (building / "annotations" / "trimaps").mkdir(parents=True)
        _draw_all([job for jobs in splits.values() for job in jobs], building, processes or _cores())
        _write_lists(building / "annotations", splits)
        building.chmod(0o755)  # mkdtemp makes private folders
        if root.exists():
            root.rmdir()
        building.replace(root)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _jobs(num_trainval: int, num_test: int, size: int, seed: int) -> dict[str, list[_Job]]:
    # Two dogs and a cat, over and over, so that any length has very nearly twice as many dogs.
    cats, dogs = by_species(CAT), by_species(DOG)
    cycle = [breed for i, cat in enumerate(cats) for breed in (dogs[2 * i], cat, dogs[2 * i + 1])]
    numbers: Counter[str] = Counter()
    splits: dict[str, list[_Job]] = {}
    for split, (name, count) in enumerate((("trainval", num_trainval), ("test", num_test))):
        splits[name] = []
        for i in range(count):
            breed = cycle[i % len(cycle)]
            numbers[breed.name] += 1
            splits[name].append(_Job(f"{breed.name}_{numbers[breed.name]}", breed, (seed, split, i), size))
    return splits


def _draw_all(jobs: list[_Job], folder: Path, processes: int) -> None:
    # Fresh processes instead of forks: a fork of a process in which OpenCV or torch has threads can hang.
    processes = min(processes, len(jobs))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        images: Iterator[tuple[str, bytes, bytes]] = pool.map(_draw, jobs, chunksize=4)
        for stem, jpeg, png in tqdm(images, total=len(jobs), desc="drawing pets", unit="image", disable=None):
            (folder / "images" / f"{stem}.jpg").write_bytes(jpeg)
            (folder / "annotations" / "trimaps" / f"{stem}.png").write_bytes(png)


def _draw(job: _Job) -> tuple[str, bytes, bytes]:
    image, trimap = draw_image(job.breed, job.size, np.random.default_rng(job.key))
    jpeg = _encode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return job.stem, jpeg, _encode(".png", trimap, [])


def _encode(kind: str, array: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(kind, array, options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode an array of shape {array.shape} as {kind}")
    return bytes(data)


def _single_thread() -> None:
    """Images are drawn in parallel already."""
    cv2.setNumThreads(1)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _write_lists(folder: Path, splits: dict[str, list[_Job]]) -> None:
    ordered = sorted(BREEDS, key=lambda breed: breed.name.lower())
    class_id = {breed.name: i for i, breed in enumerate(ordered, start=1)}
    breed_id = {b.name: i for species in (CAT, DOG) for i, b in enumerate(by_species(species), start=1)}

    def rows(jobs: list[_Job]) -> str:
        # By class, then by name as text, as in the official lists.
        jobs = sorted(jobs, key=lambda job: (class_id[job.breed.name], job.stem))
        return "".join(
            f"{job.stem} {class_id[job.breed.name]} {job.breed.species} {breed_id[job.breed.name]}\n"
            for job in jobs
        )

    header = _HEADER.format(classes=len(BREEDS), cats=len(by_species(CAT)), dogs=len(by_species(DOG)))
    everything = [job for jobs in splits.values() for job in jobs]
    (folder / "list.txt").write_text(header + rows(everything), encoding="ascii")
    for name, jobs in splits.items():
        (folder / f"{name}.txt").write_text(rows(jobs), encoding="ascii")
