from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.cli import main
from ae_pretrained.apps.init.create_project import create_project
from ae_pretrained.apps.init.options import InitOptions
from ae_pretrained.apps.init.settings import training_values
from ae_pretrained.errors import PipelineError
from ae_pretrained.params import load_params
from ae_pretrained.sources.registry import open_source
from tests.apps.init.folders import write_images
from tests.conftest import ROOT


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "my images", unlabelled=5)


def init(target: Path, images: Path, *options: str) -> int:
    return main(["init", str(target), "--from", str(images), *options])


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "my images")


def test_a_project_has_all_that_it_needs(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    assert init(project, images, "--classes", "soil, leaf,flower") == 0
    params = load_params(project / "params.yaml")
    assert params.data.source == "folder"
    assert params.data.root == str(images)
    assert params.data.classes == ["soil", "leaf", "flower"]
    assert params.data.ignore_index == 255
    assert params.data.resize == "stretch"
    for name in (
        ".dvc/config",
        ".dvc/.gitignore",
        ".dvcignore",
        ".gitignore",
        "dvc.yaml",
        "README.md",
        ".git/HEAD",
    ):
        assert (project / name).is_file(), name
    comments = [line.partition("#")[2] for line in (ROOT / "params.yaml").read_text().splitlines()[4:]]
    assert [
        line.partition("#")[2] for line in (project / "params.yaml").read_text().splitlines()[3:]
    ] == comments
    said = capsys.readouterr().out
    assert "24 with a mask, 5 without" in said
    assert "all of 64 x 48 px" in said
    assert "train 16, val 3, test 5, autoencoder alone 5 (drawn by seed)" in said
    assert "5 test images: the figures will be rough" in said
    assert leftovers(tmp_path) == ["project"]


def test_classes_without_names_are_asked_for(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path / "project", images) == 0
    assert load_params(tmp_path / "project/params.yaml").data.classes == ["background", "class_1", "class_2"]
    assert "name the classes in params.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "options", "expected", "ignored", "said"),
    [
        ((0, 255), (), [0, 255], 254, "0 is taken for background, 255 for the one class"),
        ((0, 128, 255), ("--mask-values", "0,128,255"), [0, 128, 255], 254, ""),
        # The numbers of Oxford's trimaps: 2 background, 1 pet, 3 border.
        ((1, 3, 2), ("--mask-values", "2,1", "--ignore-index", "3"), [2, 1], 3, ""),
    ],
)
def test_other_values_are_translated_by_the_stage_and_nothing_is_copied(
    tmp_path: Path,
    values: tuple[int, ...],
    options: tuple[str, ...],
    expected: list[int],
    ignored: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images, project = write_images(tmp_path / "my images", values), tmp_path / "project"
    assert init(project, images, *options) == 0
    assert said in capsys.readouterr().out
    data = load_params(project / "params.yaml").data
    assert (data.root, data.mask_values, data.ignore_index) == (str(images), expected, ignored)
    assert [path.name for path in (project / "data").rglob("*.*")] == ["README.md"]
    source = open_source(images, data)
    sample = source.listing().samples[3]
    assert sample.mask is not None
    table = {**{value: number for number, value in enumerate(expected)}, ignored: 255}
    stored = np.asarray(Image.open(sample.mask))
    np.testing.assert_array_equal(source.mask_of(sample, 48, 64), np.vectorize(table.get)(stored))


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ((0, 1, 3), (), "without a gap: 0, 1, 2, …, background first. Say which value is which class with "
         "--mask-values 0,1,3"),
        ((0, 0), (), "no class beside the background"),
        ((0, 255), ("--ignore-index", "255"), "no class beside the background"),
        ((0, 1, 2), ("--classes", "soil,leaf"), "names 2 classes (soil, leaf), but the masks hold 3 values"),
        ((0, 1, 2), ("--mask-values", "0,1"), "the masks hold 2, which --mask-values 0, 1 does not name"),
        ((0, 1), ("--mask-values", "0,1,7"), "names 7, but the masks hold 0, 1"),
        ((0, 1), ("--mask-values", "0,x"), "--mask-values: expected different numbers from 0 to 255"),
        ((0, 1), ("--classes", "a,a"), "different names"),
        ((0, 1), ("--image-size", "16"), "at least 64"),
    ],
)  # fmt: skip
def test_values_that_fit_nothing(
    tmp_path: Path,
    values: tuple[int, ...],
    options: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = write_images(tmp_path / "my images", values)
    assert init(tmp_path / "project", images, *options) == 1
    assert said in capsys.readouterr().err
    assert leftovers(tmp_path) == []


def test_masks_saved_as_shades(tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[::2], (48, 1))[:, :64]
    ramp[:, ::3] += 97
    for path in (images / "masks").iterdir():
        Image.fromarray(ramp).save(path)
    assert init(tmp_path / "project", images) == 1
    assert "shades of grey, not classes" in capsys.readouterr().err


def break_no_images(images: Path) -> None:
    for path in (*images.glob("images/*"), *images.glob("masks/*")):
        path.unlink()


def break_no_masks(images: Path) -> None:
    for path in images.glob("masks/*"):
        path.unlink()


def break_no_mask_folder(images: Path) -> None:
    (images / "masks").rename(images / "others")


def break_too_few(images: Path) -> None:
    for path in (*images.glob("*/p0[3-9].png"), *images.glob("*/p[12]*.png")):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_no_images, "no image has a mask"),
        (break_no_masks, "no image has a mask; "),
        (break_no_mask_folder, "no known layout; found images/, others/"),
        (break_too_few, "split is empty"),
    ],
)
def test_folders_that_are_none(
    tmp_path: Path, images: Path, damage: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(images)  # type: ignore[operator]
    assert init(tmp_path / "project", images) == 1
    assert said in capsys.readouterr().err
    assert leftovers(tmp_path) == []


def test_faulty_files_are_listed_or_left_out(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "masks/p03.png").unlink()
    (images / "images/p05.png").write_bytes(b"no image")
    (images / "masks/p07.png").write_bytes(b"no mask")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(images / "masks/p09.png")
    assert init(tmp_path / "project", images) == 1
    said = capsys.readouterr().err
    assert "p07.png" in said
    assert "--on-error skip" in said
    assert leftovers(tmp_path) == []
    assert init(tmp_path / "project", images, "--on-error", "skip") == 0
    assert load_params(tmp_path / "project/params.yaml").data.on_error == "skip"
    report = (tmp_path / "project/sanity.txt").read_text()
    assert "3 x unusable file" in report
    assert "1 x no mask" in report


def test_a_corrupt_image_is_found_beforehand(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "images/p05.png").write_bytes(b"no image")
    assert init(tmp_path / "project", images) == 1
    assert "1 file stands in the way" in capsys.readouterr().err
    assert leftovers(tmp_path) == []


def test_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = write_images(tmp_path / "my images", (0, 1, 255), count=40)
    for number in range(4):
        mask = np.asarray(Image.open(images / f"masks/p{number:02}.png")).copy()
        mask[:20] = 2
        Image.fromarray(mask).save(images / f"masks/p{number:02}.png")
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(images / "masks/p39.png")
    assert init(tmp_path / "project", images) == 0
    said = capsys.readouterr().out
    assert "masks of the train split only (4 in all)" in said
    assert "% of the pixels are unlabelled (value 255)" in said
    assert "1 of 40 masks: no foreground pixel in the mask (p39, …)" in said


def test_nothing_is_overwritten(tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "notes.txt").write_text("mine")
    assert init(project, images) == 1
    assert "is not empty (holds notes.txt)" in capsys.readouterr().err
    assert [path.name for path in project.iterdir()] == ["notes.txt"]
    assert init(project / "notes.txt", images) == 1
    assert "is a file" in capsys.readouterr().err


def test_an_empty_folder_is_filled(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is the current one: it stays the same folder."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    node = project.stat().st_ino
    assert init(Path(), images) == 0
    assert project.stat().st_ino == node
    assert (Path.cwd() / "dvc.yaml").is_file()
    assert not [path for path in project.iterdir() if path.name.endswith(".part")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_place(tmp_path: Path, images: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    with pytest.raises(PipelineError, match="cannot be written"):
        create_project(place / "project", images, InitOptions())


def test_a_place_that_cannot_be(tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert init(tmp_path / "file" / "project", images) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_failure_at_the_end_leaves_nothing(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ae_pretrained.apps.init.create_project._put_under_git", fail)
    with pytest.raises(PipelineError, match="No space left on device"):
        create_project(tmp_path / "project", images, InitOptions())
    assert leftovers(tmp_path) == []


def test_within_a_git_repository_no_other_is_made(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    images = write_images(tmp_path / "my images")
    project = tmp_path / "work" / "project"
    create_project(project, images, InitOptions())
    assert not (project / ".git").exists()
    assert load_params(project / "params.yaml").data.root == "../../my images"
    status = ["git", "-C", str(tmp_path), "status", "--porcelain"]
    assert ".part" not in subprocess.run(status, capture_output=True, text=True, check=True).stdout


def test_without_git(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    create_project(tmp_path / "project", images, InitOptions())
    assert "no_scm = true" in (tmp_path / "project/.dvc/config").read_text()


@pytest.mark.parametrize(
    ("labelled", "batch", "epochs"), [(20, 4, 100), (120, 8, 80), (700, 32, 57), (50_000, 32, 10)]
)
def test_training_takes_about_as_many_updates_whatever_the_number(
    labelled: int, batch: int, epochs: int
) -> None:
    values = training_values(labelled, labelled, 64)
    assert values["train_seg", "batch_size"] == batch
    assert values["train_seg", "epochs"] == epochs


def test_images_of_other_shapes_are_padded(tmp_path: Path) -> None:
    images = write_images(tmp_path / "my images")
    for path in (*images.glob("images/*"), *images.glob("masks/*")):
        Image.open(path).resize((64, 24), Image.Resampling.NEAREST).save(path)
    create_project(tmp_path / "project", images, InitOptions())
    assert load_params(tmp_path / "project/params.yaml").data.resize == "pad"


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize("content", [b"no image", b"\0\0\0\x18ftypheic" + bytes(20)])
def test_images_of_which_none_can_be_read(
    tmp_path: Path, images: Path, on_error: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (images / "images").iterdir():
        path.write_bytes(content)
    assert init(tmp_path / "project", images, "--on-error", on_error) == 1
    said = capsys.readouterr().err
    expected = (
        "24 files stand in the way" if on_error == "stop" else "none of the 24 images with a mask can be used"
    )
    assert expected in said
    assert "p00.png" in said
    assert leftovers(tmp_path) == []
    shutil.rmtree(images / "unlabelled")
    assert init(tmp_path / "project", images, "--on-error", on_error) == 1
    assert "none of the 24 images can be read; the first one: " in capsys.readouterr().err


def test_relative_links_and_masks_that_must_be_translated(tmp_path: Path) -> None:
    """Copies in the project were once hard links to relative links, which point elsewhere from there."""
    store = write_images(tmp_path / "store", values=(0, 255))
    images = tmp_path / "my images"
    for kind in ("images", "masks"):
        (images / kind).mkdir(parents=True)
        for path in (store / kind).iterdir():
            (images / kind / path.name).symlink_to(Path("../../store") / kind / path.name)
    assert init(tmp_path / "project", images) == 0
    params = load_params(tmp_path / "project/params.yaml").data
    source = open_source(images, params)
    samples = source.listing().samples
    assert len(samples) == 24
    for sample in samples:
        assert set(np.unique(source.mask_of(sample, 48, 64))) == {0, 1}


def test_what_came_out_wrong_is_said_shown_and_can_be_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = write_images(tmp_path / "mine")
    rng = np.random.default_rng(0)
    for path in (images / "images").iterdir():
        Image.fromarray(rng.integers(0, 4096, (48, 64)).astype(np.uint16)).save(path)
    for kind in ("images", "masks"):
        for patient in range(4):
            (images / kind / f"patient{patient}").mkdir()
            for number in range(patient * 6, patient * 6 + 6):
                name = f"p{number:02}.png"
                (images / kind / name).rename(images / kind / f"patient{patient}" / name)
    assert init(tmp_path / "one", images) == 0
    said = (tmp_path / "one/sanity.txt").read_text()
    assert "24 images: 16 bits, little of them used (patient0/p00.png, " in said
    assert "sub-folders (patient0, " in said
    assert (tmp_path / "one/suspicious.png").is_file()
    choices = ("--sixteen-bits", "found", "--group-by", "folder", "--leak-check", "off", "--exif", "ignore")
    assert init(tmp_path / "two", images, *choices, "--alpha", "drop") == 0
    said = (tmp_path / "two/sanity.txt").read_text()
    assert "16 bits" not in said
    assert "images of one sub-folder" not in said
    assert "near-duplicates are not looked for" in said
    assert not (tmp_path / "two/suspicious.png").exists()
    data = load_params(tmp_path / "two/params.yaml").data
    assert (data.sixteen_bits, data.group_by, data.exif, data.alpha) == ("found", "folder", "ignore", "drop")
    assert not data.leak_check.enabled


def test_a_project_without_masks_says_how_to_get_some(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(images / "masks")
    assert init(tmp_path / "project", images, "--classes", "background,leaf") == 0
    assert capsys.readouterr().out.count("label-next 20 --hold-out 0.2") >= 2
    page = (tmp_path / "project/README.md").read_text(encoding="utf-8")
    assert "(none of them has a mask yet)" in page
    steps = (
        "dvc repro train_ae",
        "ae-pretrained label-next 20",
        "ae-pretrained labels",
        "       dvc repro\n",
    )
    assert [page.index(step) for step in steps] == sorted(page.index(step) for step in steps)
