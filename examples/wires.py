"""A drawn data set of thin and small things in large images, and the score that such things need.

Each image shows wires of 1.1 to 2 px, posts and spots on textured ground, and broad dark bands that are background:
shrunk to a small square, a wire becomes as faint as a band, and most of its pixels leave the mask. Sizes are ragged,
from 400 to 900 px a side, and one test image has 2000 x 1500 px. Some images are empty, some masks have patches that
nobody labelled (255).

**Masks are exact.** Everything is drawn at four times the size, without smoothing. A pixel of the image mixes ground
and thing by the share of its 16 parts that the thing covers; a pixel of the mask belongs to a thing where at least
half of them are covered, and to the class that covers most. From 1.1 px on, a line has no gap then, wherever it lies
between the pixels.

    python examples/wires.py draw wires
    ae-pretrained init wires-project --from wires --classes background,wire,post,spot --empty-masks background

``score`` compares two folders of masks. Beside the IoU it gives the *skeleton recall* of each class: the share of
the pixels of the true mask's skeleton that the predicted mask covers within 1 px. A wire of 2 px that is found whole,
but a pixel beside its place, has a recall of 1 and an IoU of a third; one of which two thirds are lost has a third of
both.

    python examples/wires.py score wires/masks predictions --names wires/test.txt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.morphology import skeletonize

CLASSES = ("background", "wire", "post", "spot")
WIRE, POST, SPOT = 1, 2, 3
UNLABELLED = 255
SIDES = (400, 900)  # px, of most images
LARGE = (2000, 1500)  # width and height of the first test image
SHARES = {"train": 0.6, "val": 0.15, "test": 0.25}
_FINE = 4  # parts of a pixel, a side
_NO_LEVEL = 128  # stands for no difference from the ground
_SHIFT = 4  # OpenCV draws at sixteenths of its pixels
# Levels of 255 by which things differ from the ground around them. Bands are broad and fainter than wires: shrunk,
# the two are equally dark.
_WIRE, _POST, _SPOT, _BAND = (-65, -40), (40, 65), (55, 85), (-40, -10)


class _Canvas:
    """Classes and levels at four times the size of the image; what is drawn last lies on top."""

    def __init__(self, width: int, height: int) -> None:
        self.labels = np.zeros((height * _FINE, width * _FINE), dtype=np.uint8)
        self.levels = np.full_like(self.labels, _NO_LEVEL)

    def line(self, points: np.ndarray, width: float, label: int, level: float) -> None:
        """Draw a curve through points (n, 2), its width and they in px of the image."""
        along = np.gradient(points, axis=0)
        across = along[:, ::-1] * (-1, 1) / np.hypot(*along.T)[:, None]
        # OpenCV fills its border too, and so adds half of a fine pixel on each side.
        aside = across * (width - 1 / _FINE) / 2
        outline = _fixed(np.concatenate([points + aside, (points - aside)[::-1]]))
        for layer, value in ((self.labels, label), (self.levels, _NO_LEVEL + level)):
            cv2.fillPoly(layer, [outline], int(value), cv2.LINE_8, _SHIFT)

    def disc(self, center: np.ndarray, radius: float, label: int, level: float) -> None:
        x, y = _fixed(center).tolist()
        for layer, value in ((self.labels, label), (self.levels, _NO_LEVEL + level)):
            cv2.circle(layer, (x, y), round(radius * _FINE * 2**_SHIFT), int(value), -1, cv2.LINE_8, _SHIFT)

    def shrunk(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mask (H, W), share of every pixel that is covered, and the mean level over the whole pixel."""
        size = (self.labels.shape[1] // _FINE, self.labels.shape[0] // _FINE)
        covered = [_share(self.labels == label, size) for label in (WIRE, POST, SPOT)]
        mask = np.where(sum(covered) >= 0.5, np.argmax(covered, axis=0) + 1, 0).astype(np.uint8)
        levels = cv2.resize(self.levels, size, interpolation=cv2.INTER_AREA).astype(np.float32) - _NO_LEVEL
        return mask, _share(self.levels != _NO_LEVEL, size), levels


def _share(parts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Of the 16 parts of every pixel, the share that is set; exact, since 240 / 16 is a whole number."""
    return np.asarray(cv2.resize(parts * np.uint8(240), size, interpolation=cv2.INTER_AREA)) / np.float32(240)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Points in px of the image, as OpenCV takes those of the canvas: whole numbers of sixteenths."""
    return np.asarray(np.round(((points + 0.5) * _FINE - 0.5) * 2**_SHIFT).astype(np.int32))


def _noise(width: int, height: int, cell: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of about unit variance, of patches of ``cell`` px."""
    small = rng.standard_normal((int(height / cell) + 3, int(width / cell) + 3)).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _ground(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Textured ground (H, W, 3), levels: light and shade, patches of two colours, and grain."""
    light = 16 * _noise(width, height, 220, rng) + 8 * _noise(width, height, 60, rng)
    grain = 5 * _noise(width, height, 9, rng) + 5 * _noise(width, height, 3, rng)
    patches = 1 / (1 + np.exp(-4 * _noise(width, height, 90, rng)))[..., None]
    first = rng.uniform((100, 95, 75), (150, 140, 125)).astype(np.float32)
    second = first + rng.normal(0, 12, 3).astype(np.float32)
    return patches * first + (1 - patches) * second + (light + grain)[..., None]


def _curve(start: np.ndarray, end: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Points (33, 2) of a parabola from start to end, whose middle lies ``bend`` (x, y) beside the straight line."""
    t = np.linspace(0, 1, 33)[:, None]
    return np.asarray(start + t * (end - start) + 4 * t * (1 - t) * bend)


def _crossing(size: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two points outside an image, on opposite sides of it."""
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    middle = size * rng.uniform(0.15, 0.85, 2)
    return middle - along * size.max() * 1.2, middle + along * size.max() * 1.2


def _row_of_posts(size: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Feet and tops (n, 2) of three to five posts; wires hang between the tops."""
    count = rng.integers(3, 6)
    step = np.array([rng.choice([-1, 1]) * rng.uniform(90, 200), rng.uniform(-50, 50)])
    feet = rng.uniform(0.05, 0.95, 2) * size + np.arange(count)[:, None] * step + rng.normal(0, 8, (count, 2))
    return feet, feet - np.stack([rng.uniform(-4, 4, count), rng.uniform(50, 110, count)], axis=1)


def draw(width: int, height: int, empty: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (H, W, 3) uint8 and its mask (H, W) uint8; an ``empty`` one shows bands alone."""
    size = np.array([width, height], dtype=np.float64)
    canvas = _Canvas(width, height)
    # As dense in a large image as in a small one: long lines by the side, short things by the area.
    sides, areas = size.mean() / 650, size.prod() / 650**2
    for _ in range(rng.poisson(4 * sides) + 1):
        line = _curve(*_crossing(size, rng), rng.uniform(-0.15, 0.15, 2) * size.max())
        canvas.line(line, rng.uniform(5, 16), 0, rng.uniform(*_BAND))
    if not empty:
        rows = [_row_of_posts(size, rng) for _ in range(rng.poisson(1.5 * areas) + 1)]
        lines = [
            _curve(top, then, np.array([0, rng.uniform(5, 25)]))
            for _, tops in rows
            for top, then in pairwise(tops)
        ]
        for _ in range(rng.poisson(2 * sides) + 1):
            lines.append(_curve(*_crossing(size, rng), rng.uniform(-0.12, 0.12, 2) * size.max()))
        for line in lines:
            canvas.line(line, rng.uniform(1.1, 2), WIRE, rng.uniform(*_WIRE))
        for feet, tops in rows:
            for post in np.stack([feet, tops], axis=1):
                canvas.line(post, rng.uniform(3, 6), POST, rng.uniform(*_POST))
        for _ in range(rng.poisson(9 * areas) + 1):
            canvas.disc(rng.uniform(0, 1, 2) * size, rng.uniform(2, 4.5), SPOT, rng.uniform(*_SPOT))
    mask, share, level = canvas.shrunk()
    ground = _ground(width, height, rng)
    # A thing hides the grain behind it, not the light.
    smooth = cv2.GaussianBlur(ground, (0, 0), 8)
    image = ground * (1 - share[..., None]) + smooth * share[..., None] + level[..., None]
    image += rng.normal(0, 4, image.shape).astype(np.float32)
    return image.clip(0, 255).round().astype(np.uint8), mask


def _leave_unlabelled(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Mark one to three patches of a mask as unlabelled, in place."""
    height, width = mask.shape
    for _ in range(rng.integers(1, 4)):
        x, y = rng.integers(0, width), rng.integers(0, height)
        axes = tuple(rng.integers(25, 110, 2).tolist())
        cv2.ellipse(mask, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, UNLABELLED, -1)


def write_wires(root: Path, images: int, seed: int) -> None:
    """Write images/, masks/, val.txt and test.txt; the other images are for training.

    Args:
        root: folder to write.
        images: how many; at least 8.
        seed: of every draw; the same images come of the same seed and number.
    """
    if images < 8:
        raise ValueError(f"images: expected at least 8, for three splits, found {images}")
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    counts = {split: round(images * SHARES[split]) for split in ("val", "test")}
    counts["train"] = images - sum(counts.values())
    for stream, (split, count) in enumerate(counts.items()):
        names = [f"{split}_{number:03}" for number in range(count)]
        for number, name in enumerate(names):
            rng = np.random.default_rng([seed, stream, number])
            large = split == "test" and number == 0
            width, height = LARGE if large else rng.integers(SIDES[0], SIDES[1] + 1, 2).tolist()
            image, mask = draw(width, height, number % 8 == 7, rng)
            if number % 4 == 1:
                _leave_unlabelled(mask, rng)
            Image.fromarray(image).save(root / "images" / f"{name}.png")
            Image.fromarray(mask).save(root / "masks" / f"{name}.png")
        if split != "train":
            (root / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def _pairs(truth: Path, predicted: Path, names: list[str] | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """True and predicted masks of the same name; of ``predict`` they end in ``_mask.png``."""
    for name in names or sorted(path.stem for path in truth.glob("*.png")):
        found = [
            path for path in (predicted / f"{name}_mask.png", predicted / f"{name}.png") if path.exists()
        ]
        if not found:
            sys.exit(
                f"{predicted}: no {name}_mask.png or {name}.png, which {truth} has; name fewer with --names"
            )
        masks = [np.asarray(Image.open(path)) for path in (truth / f"{name}.png", found[0])]
        if masks[0].shape != masks[1].shape:
            sys.exit(f"{found[0]}: (height, width) is {masks[1].shape}, expected {masks[0].shape}")
        yield masks[0], masks[1]


def score(
    truth: Path, predicted: Path, names: list[str] | None = None, within: int = 1
) -> dict[str, tuple[float, float]]:
    """IoU and skeleton recall of every class but background, pooled over all masks; unlabelled pixels are left out.

    The skeleton recall is the "topology sensitivity" of clDice (Shit et al. 2021, arXiv 2003.07311, equation 1) with
    a tolerance.

    Args:
        truth, predicted: folders of masks.
        names: stems to compare; None: all of ``truth``.
        within: px by which the predicted mask may lie beside the skeleton.

    Returns:
        By class name: IoU and skeleton recall, each in [0, 1], or nan where the true masks have no such class.
    """
    sums = np.zeros((len(CLASSES), 4), dtype=np.int64)
    near = np.ones((2 * within + 1, 2 * within + 1), dtype=np.uint8)
    for true, guess in _pairs(truth, predicted, names):
        known = true != UNLABELLED
        for label in range(1, len(CLASSES)):
            is_true, is_guess = true == label, (guess == label) & known
            skeleton = skeletonize(is_true)
            reached = cv2.dilate((guess == label).astype(np.uint8), near).astype(bool)
            counted = (is_true & is_guess, is_true | is_guess, skeleton & reached, skeleton)
            sums[label] += [np.count_nonzero(pixels) for pixels in counted]
    with np.errstate(invalid="ignore"):
        return {
            name: (float(both / either), float(hit / all_))
            for name, (both, either, hit, all_) in zip(CLASSES[1:], sums[1:], strict=True)
        }


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="write a folder of images and masks")
    drawing.add_argument("folder", type=Path, help="folder to write")
    drawing.add_argument("--images", type=int, default=60, help="of all splits together (default: 60)")
    drawing.add_argument("--seed", type=int, default=0)
    scoring = commands.add_parser("score", help="IoU and skeleton recall of predicted masks")
    scoring.add_argument("truth", type=Path, help="folder of true masks")
    scoring.add_argument("predicted", type=Path, help="folder of predicted masks: NAME_mask.png or NAME.png")
    scoring.add_argument("--names", type=Path, help="file with the names to compare (default: all of TRUTH)")
    scoring.add_argument("--within", type=int, default=1, help="tolerance in px (default: 1)")
    return parser


def main() -> None:
    arguments = build_parser().parse_args()
    if arguments.command == "draw":
        write_wires(arguments.folder, arguments.images, arguments.seed)
        print(f"{arguments.images} images with masks in {arguments.folder}")
        return
    names = arguments.names.read_text(encoding="utf-8").split() if arguments.names else None
    print(f"{'class':<12}{'IoU':>8}{'skeleton recall':>18}")
    for name, (iou, recall) in score(arguments.truth, arguments.predicted, names, arguments.within).items():
        print(f"{name:<12}{iou:>8.3f}{recall:>18.3f}")


if __name__ == "__main__":
    main()
