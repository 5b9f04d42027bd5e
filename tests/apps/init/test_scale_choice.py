"""What survives of masks that are shrunk, and what `init` makes of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.cli import main
from ae_pretrained.apps.init.mask_survival import WorkingSize, count_survival, mask_survival
from ae_pretrained.apps.init.scale_choice import crop_side
from ae_pretrained.apps.init.settings import crop_training_values
from ae_pretrained.params import Params, load_params
from ae_pretrained.preparation.resize import content_box, resize_mask
from ae_pretrained.sources.folder import FolderSource
from ae_pretrained.sources.mask_rule import MaskRule
from tests.conftest import ROOT

SIDE = 320  # px


def write_lines(root: Path, thickness: int, count: int = 12, side: int = SIDE) -> Path:
    """Images with a line of a thickness, another class in a broad block, and ignored pixels; places differ."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        mask = np.zeros((side, side), np.uint8)
        row = side // 3 + 7 * number
        mask[row : row + thickness] = 1
        mask[: side // 4, : side // 2] = 2
        mask[:, -9:] = 255
        image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / f"images/p{number:02}.png")
        Image.fromarray(mask).save(root / f"masks/p{number:02}.png")
    return root


def init(target: Path, images: Path, *options: str) -> Params:
    assert main(["init", str(target), "--from", str(images), "--classes", "soil,root,leaf", *options]) == 0
    return load_params(target / "params.yaml")


@pytest.mark.parametrize("how", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.7, 1.0)])
def test_what_is_left_is_what_prepare_leaves(how: str, corner: tuple[float, float]) -> None:
    """By the functions of the stage, on masks of which a part of 2048 px is looked at, and of odd sizes."""
    rng = np.random.default_rng(1)
    for height, width in ((2300, 2111), (131, 97), (40, 50)):
        mask = rng.choice([0, 1, 2, 255], (height // 7 + 1, width // 7 + 1)).astype(np.uint8)
        mask = np.ascontiguousarray(mask.repeat(7, 0).repeat(7, 1)[:height, :width])
        if how == "crop":
            size = WorkingSize("crop", scale=0.35)
            small = cv2.resize(mask, size.content(width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        else:
            size = WorkingSize(how, 64)  # type: ignore[arg-type]
            box = content_box(width, height, 64, how)  # type: ignore[arg-type]
            x0, y0, x1, y1 = box
            small = resize_mask(mask, 64, box)[y0:y1, x0:x1]
        back = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        top, left = (int(share * max(0, side - 2048)) for share, side in zip(corner, mask.shape, strict=True))
        part = np.s_[top : top + 2048, left : left + 2048]
        true, back = mask[part], back[part]
        counts = count_survival(mask, [size], corner)[0]
        for label in (0, 1, 2):
            is_back = (back == label) & (true != 255)
            found = [(true == label).sum(), is_back.sum(), (is_back & (true == label)).sum()]
            assert counts[:, label].tolist() == found
        assert not counts[[0, 2], 255].any()


def test_turned_images_are_measured_too(tmp_path: Path) -> None:
    images = write_lines(tmp_path / "mine", thickness=1, count=2)
    (images / "images/p01.png").unlink()
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (SIDE, 200)).save(images / "images/p01.jpg", exif=turned)
    Image.fromarray(np.tile(np.arange(2, dtype=np.uint8), (SIDE, 100))).save(images / "masks/p01.png")
    data = load_params(ROOT / "params.yaml").data.model_copy(update={"source": "folder"})
    source = FolderSource(images, MaskRule([0, 1, 2]))
    samples = source.listing().samples
    for exif, expected in (("apply", 2), ("ignore", 1)):  # the mask lies on the turned image
        read_as = data.model_copy(update={"exif": exif})
        ious, count = mask_survival(samples, source, read_as, [WorkingSize("stretch", 64)], seed=0)
        assert count == expected
        assert ious.shape == (1, 3)


def test_a_line_of_one_pixel_takes_crops_at_full_size(tmp_path: Path) -> None:
    images = write_lines(tmp_path / "mine", thickness=1)
    params = init(tmp_path / "project", images)
    assert (params.data.resize, params.data.scale, params.data.image_size) == ("crop", 1.0, 256)
    assert params.model.norm == "batch"
    assert params.eval_seg.batch_size == params.robustness.batch_size == 4
    assert params.train_seg.batch_size == 8
    said = (tmp_path / "project/sanity.txt").read_text()
    assert "chosen: crops of 256 px at scale 1 (data.resize: crop)" in said
    assert "because at 64 px, stretched, the worst class (root 0." in said
    assert "no smaller scale leaves every class 0.9" in said
    row = next(line for line in said.splitlines() if "crops at 1 " in line)
    assert row.split()[3:9] == ["soil", "1.00", "1.00", "1.00", "1.00", "5"]  # 12 x 320 x 320 x 4 bytes
    assert row.endswith("<- chosen")
    assert "foreground_crops" in (tmp_path / "project/README.md").read_text()


def test_the_smallest_scale_that_keeps_every_class(tmp_path: Path) -> None:
    """Of lines of 8 px, a quarter of the size leaves 2 px exactly; at 64 px, a fifth, some get one."""
    images = write_lines(tmp_path / "mine", thickness=8)
    params = init(tmp_path / "project", images, "--image-size", "96")
    assert (params.data.resize, params.data.image_size) == ("crop", 96)
    kept = {}
    for line in (tmp_path / "project/sanity.txt").read_text().splitlines():
        if "crops at" in line and "chosen:" not in line:
            kept[float(line.split()[2])] = float(line.split()[4])
    assert params.data.scale == min(scale for scale, iou in kept.items() if iou >= 0.9)
    assert 0.125 < params.data.scale < 1


def test_broad_things_take_the_square(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = write_lines(tmp_path / "mine", thickness=80)
    params = init(tmp_path / "project", images)
    assert (params.data.resize, params.data.scale, params.data.image_size) == ("stretch", 1.0, 64)
    assert params.model.norm == "instance"
    said = capsys.readouterr().out
    assert "chosen: the square of 64 px, stretched (data.resize: stretch)" in said
    assert "crops at 0.5" not in said


def test_the_user_insists(tmp_path: Path) -> None:
    images = write_lines(tmp_path / "mine", thickness=2)
    square = init(tmp_path / "square", images, "--resize", "pad", "--image-size", "128")
    assert (square.data.resize, square.data.image_size) == ("pad", 128)
    assert "as --resize says, although at 128 px, padded" in (tmp_path / "square/sanity.txt").read_text()
    crops = init(tmp_path / "crops", images, "--resize", "crop", "--scale", "0.6")
    assert (crops.data.resize, crops.data.scale, crops.data.image_size) == ("crop", 0.6, 192)
    assert "crops at 0.6 " in (tmp_path / "crops/sanity.txt").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scale", "0.5"), "--scale 0.5: expected a number above 0 and up to 1, with --resize crop"),
        (("--resize", "crop", "--scale", "2"), "--scale 2: expected a number above 0 and up to 1"),
        (("--resize", "crop", "--scale", "0.002"), "--scale 0.002: nothing is left of root"),
        (("--resize", "crop", "--image-size", "100"), "data.image_size: 100 px is no multiple of 32"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = write_lines(tmp_path / "mine", thickness=1)
    assert main(
        ["init", str(tmp_path / "project"), "--from", str(images), "--classes", "soil,root,leaf", *options]
    )
    assert said in capsys.readouterr().err
    assert not (tmp_path / "project").exists()


def test_an_image_of_another_camera_is_named(tmp_path: Path) -> None:
    images = write_lines(tmp_path / "mine", thickness=1)
    for folder in ("images", "masks"):
        path = images / folder / "p05.png"
        Image.open(path).resize((SIDE, 4 * SIDE), Image.Resampling.NEAREST).save(path)
    init(tmp_path / "crops", images)
    said = (tmp_path / "crops/sanity.txt").read_text()
    assert (
        "images are more than 3 times larger or smaller than most (median longer side 320 px at data.scale): p05.png."
        in said
    )
    init(tmp_path / "square", images, "--resize", "stretch")
    assert "more than 3 times" not in (tmp_path / "square/sanity.txt").read_text()


def test_side_of_crops() -> None:
    large = np.array([[900, 700]] * 9 + [[100, 3000]])
    assert crop_side(large, 1.0) == 256
    assert crop_side(large, 0.3) == 192  # 210 px
    assert crop_side(large, 0.01) == 64


@pytest.mark.parametrize(
    ("pixels", "side", "batch", "per_epoch", "epochs"),
    [
        (1e6, 256, 8, 40, 30),  # an epoch sees each pixel many times
        (38e6, 256, 8, 72, 17),  # one pass
        (1e12, 256, 8, 120, 10),  # an epoch is a part of a pass
        (38e6, 128, 32, 72, 17),
        (38e6, 512, 4, 36 + 4, 30),
    ],
)
def test_epochs_of_crops(pixels: float, side: int, batch: int, per_epoch: int, epochs: int) -> None:
    values = crop_training_values(pixels, 2 * pixels, side)
    assert values["train_seg", "batch_size"] == batch
    assert values["train_seg", "updates_per_epoch"] == per_epoch
    assert values["train_seg", "epochs"] == epochs
