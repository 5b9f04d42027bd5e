"""The drawn wires: exact masks without gaps, the same from the same seed; and the score that thin things need."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.cli import build_parser, main
from ae_pretrained.params import load_params
from examples import wires
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wires")
    wires.write_wires(root, images=8, seed=3)
    return root


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def line(angle: float, shift: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Mask and cover of a line of 80 px through the middle of 100 x 100 px."""
    canvas = wires._Canvas(100, 100)
    along = np.array([np.cos(angle), np.sin(angle)])
    points = 50 + np.linspace(-40, 40, 33)[:, None] * along + shift * along[::-1] * (-1, 1)
    canvas.line(points, width, wires.WIRE, -40)
    mask, cover, _ = canvas.shrunk()
    return mask, cover


def test_thinnest_wire_has_no_gap_and_the_mask_is_what_is_half_covered() -> None:
    for angle in np.radians([0, 3, 10, 27, 45, 62, 90]):
        for shift in (0, 0.3, 0.5, 0.7):
            mask, cover = line(angle, shift, 1.1)
            assert cv2.connectedComponents(mask, connectivity=8)[0] == 2
            np.testing.assert_array_equal(mask == wires.WIRE, cover >= 0.5)


@pytest.mark.parametrize("width", [1.25, 2, 4])
def test_a_line_is_as_broad_as_it_should_be(width: float) -> None:
    for angle in np.radians([0, 10, 45, 90]):
        assert line(angle, 0.2, width)[1].sum() / 80 == pytest.approx(width, abs=0.11)


def test_folder_is_ragged_with_empty_images_and_unlabelled_patches(folder: Path) -> None:
    masks = {path.stem: read(path) for path in sorted((folder / "masks").iterdir())}
    assert len(masks) == 8
    for name, mask in masks.items():
        assert read(folder / "images" / f"{name}.png").shape == (*mask.shape, 3)
    assert masks["test_000"].shape == (1500, 2000)
    sides = {side for name, mask in masks.items() if name != "test_000" for side in mask.shape}
    assert len(sides) > 10
    assert min(sides) >= 400
    assert max(sides) <= 900
    values = [set(np.unique(mask).tolist()) for mask in masks.values()]
    assert {0, 1, 2, 3} in values
    assert any(255 in found for found in values)
    listed = [(folder / f"{split}.txt").read_text().split() for split in ("val", "test")]
    assert [len(names) for names in listed] == [1, 2]
    assert masks.keys() >= {*listed[0], *listed[1]}


def test_an_empty_image_shows_bands_alone() -> None:
    image, mask = wires.draw(150, 120, True, np.random.default_rng(0))
    assert not mask.any()
    assert image.shape == (120, 150, 3)


def test_what_is_thin_differs_from_its_surroundings(folder: Path) -> None:
    """What a network has to see: wires are darker than the pixels beside them, posts and spots lighter."""
    image, mask = (read(folder / kind / "train_000.png") for kind in ("images", "masks"))
    grey = image.mean(axis=2)
    for label, low, high in ((wires.WIRE, -60, -15), (wires.POST, 25, 70), (wires.SPOT, 30, 90)):
        inside = mask == label
        near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))).astype(bool) & (mask == 0)
        assert low < grey[inside].mean() - grey[near].mean() < high


def test_same_seed_same_images(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "LARGE", (200, 100))  # the others do not depend on it
    wires.write_wires(tmp_path, images=8, seed=3)
    for name in ("images/train_000.png", "masks/val_000.png"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    drawn = [wires.draw(90, 80, False, np.random.default_rng(seed))[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()
    with pytest.raises(ValueError, match="at least 8, for three splits, found 3"):
        wires.write_wires(tmp_path, images=3, seed=0)


def save(folder: Path, name: str, mask: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(mask.astype(np.uint8)).save(folder / f"{name}.png")


def test_score_of_wires_that_are_found_broadened_moved_and_lost(tmp_path: Path) -> None:
    true = np.zeros((60, 60), np.uint8)
    true[20, 5:55], true[40:50, 30:33] = wires.WIRE, wires.POST
    true[:, :10] = 255  # five pixels of the wire are unlabelled
    save(tmp_path / "true", "a", true)

    def scores(rows: list[int], within: int) -> dict[str, tuple[float, float]]:
        guess = np.zeros_like(true)
        guess[rows, 5:55] = wires.WIRE
        save(tmp_path / "guess", "a_mask", guess)
        return wires.score(tmp_path / "true", tmp_path / "guess", within=within)

    assert scores([20], 0)["wire"] == (1, 1)
    assert scores([19, 20, 21], 0)["wire"] == (pytest.approx(1 / 3), 1)
    assert scores([21], 0)["wire"] == (0, 0)
    assert scores([21], 1)["wire"] == (0, 1)
    lost = scores([], 1)
    assert lost["wire"] == lost["post"] == (0, 0)
    assert np.isnan(lost["spot"]).all()


def test_score_from_the_command_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["wires.py", "score", str(folder / "masks"), str(tmp_path), "--names", str(folder / "val.txt")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit, match=r"no val_000_mask\.png or val_000\.png"):
        wires.main()
    for name in ("val_000",):
        save(tmp_path, f"{name}_mask", read(folder / "masks" / f"{name}.png"))
    wires.main()
    assert "wire           1.000             1.000" in capsys.readouterr().out
    save(tmp_path, "val_000_mask", np.zeros((5, 5)))
    with pytest.raises(SystemExit, match=r"\(height, width\) is \(5, 5\), expected"):
        wires.main()


def commands_of_the_page() -> list[list[str]]:
    page = (ROOT / "docs/native_resolution.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    return [shlex.split(line) for line in lines if line.startswith(("python ", "ae-pretrained "))]


def test_commands_of_the_page_are_understood() -> None:
    """Those that train are not run here."""
    commands = commands_of_the_page()
    assert {words[1].rpartition("/")[2] for words in commands} == {"wires.py", "init", "summary", "predict"}
    for words in commands:
        if words[0] == "python":
            wires.build_parser().parse_args(words[2:])
        else:
            build_parser().parse_args(words[1:])


@pytest.mark.long
def test_page_comes_to_what_it_says(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wires").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    [words] = [words for words in commands_of_the_page() if words[1] == "init"]
    assert main(words[1:]) == 0
    params = load_params(tmp_path / "wires-project/params.yaml")
    assert (params.data.resize, params.data.scale, params.data.image_size) == ("crop", 1.0, 256)
    assert (params.model.norm, params.train_seg.foreground_crops) == ("batch", 0.33)
    assert params.train_ae.batch_size == params.train_seg.batch_size == 8
    assert (params.eval_seg.window, params.eval_seg.overlap, params.eval_seg.batch_size) == (512, 0.25, 4)
    # What the data set is for: at 128 px the wires are gone, and no scale but the full one keeps them.
    kept = {}
    for line in capsys.readouterr().out.splitlines():
        if match := re.match(r" *(\d+ px|crops at [\d.]+).*wire ([\d.]+) ", line):
            kept[match[1]] = float(match[2])
    assert kept["128 px"] < 0.25
    assert kept["crops at 0.75"] < 0.9
    assert "crops at 1" not in kept  # another class is the worst there
