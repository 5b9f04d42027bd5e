"""Drafts out, corrections back: what is added, what is refused, and that it is trained on alone."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.cli import main
from ae_pretrained.apps.init.create_project import create_project
from ae_pretrained.apps.init.options import InitOptions
from ae_pretrained.params import load_params
from ae_pretrained.prediction.drafts import DraftFormat, write_drafts
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.added_masks import AddedMasks, with_added_masks
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.registry import open_source
from tests.prediction.small import CLASSES, random_image, save_small

Capture = pytest.CaptureFixture[str]
UNLABELLED = ("n0", "n1", "sub/n2", "turned")
LABELS = Path("data/labels")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of 12 labelled images and four without a mask, one turned by its EXIF; the current folder."""
    data = tmp_path / "images"
    for place, name in enumerate([*(f"p{number:02d}" for number in range(12)), *UNLABELLED]):
        image = Image.fromarray(random_image(40, 60, seed=place))
        path = data / "images" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if name == "turned":
            exif[0x0112] = 6
        image.save(path, exif=exif)
        if name.startswith("p"):
            mask = np.zeros((40, 60), dtype=np.uint8)
            mask[5:20, 5:30], mask[20:35, 20:50] = 1, 2
            (data / "masks").mkdir(exist_ok=True)
            Image.fromarray(mask).save(data / "masks" / f"{name}.png")
    create_project(tmp_path / "project", data, InitOptions(classes=CLASSES))
    save_small(tmp_path / "project" / "models" / "segmenter.safetensors")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def drafts(kind: DraftFormat, folder: Path = Path("drafts")) -> Path:
    images = {name: Path("../images/images") / f"{name}.jpg" for name in UNLABELLED}
    result = write_drafts(images, folder, kind, model=Path("models/segmenter.safetensors"), device="cpu")
    assert list(result.written) == list(UNLABELLED)
    assert result.unreadable == {}
    return folder


def truth(name: str) -> np.ndarray:
    """What a person would draw, at the size of the upright image."""
    mask = np.zeros((60, 40) if name == "turned" else (40, 60), dtype=np.uint8)
    mask[4:16, 6:30], mask[18:30, 3:20] = 1, 2
    return mask


def correct(folder: Path, kind: DraftFormat, *stems: str) -> None:
    """As a person does: what is drawn is replaced."""
    if kind == "png":
        for stem in stems:
            Image.fromarray(truth(stem)).save(folder / "masks" / f"{stem}.png")
    elif kind == "labelme":
        for stem in stems:
            path = folder / f"{stem}.json"
            content = json.loads(path.read_text())
            content["shapes"] = [
                {"label": "cat", "shape_type": "rectangle", "points": [[6, 4], [30, 16]]},
                {"label": "dog", "shape_type": "rectangle", "points": [[3, 18], [20, 30]]},
            ]
            path.write_text(json.dumps(content))
    else:
        tree = ElementTree.parse(folder / "annotations.xml")
        for image in tree.getroot().iterfind("image"):
            if Path(image.attrib["name"]).stem in stems:
                for shape in list(image):
                    image.remove(shape)
                for label, points in (("cat", "6,4;30,4;30,16;6,16"), ("dog", "3,18;20,18;20,30;3,30")):
                    ElementTree.SubElement(image, "polygon", label=label, points=points, z_order="0")
        tree.write(folder / "annotations.xml")


def added() -> dict[str, np.ndarray]:
    return {name: np.asarray(Image.open(path)) for name, path in AddedMasks(LABELS).names().items()}


def run_prepare() -> dict[str, str]:
    """The split of every image, by the stages themselves."""
    params = load_params(Path("params.yaml"))
    fetch(params.data, Path("data/raw"))
    prepare(
        Path("data/raw"),
        Path("data/processed"),
        params.data,
        params.seed,
        metrics_file=Path("metrics/prepare.json"),
        plots=Path("plots/prepare"),
        labels=LABELS,
    )
    with Path("data/processed/index.csv").open(newline="") as file:
        return {line["name"]: line["split"] for line in csv.DictReader(file)}


LONG = pytest.mark.long


@pytest.mark.parametrize(
    "kind", [pytest.param("labelme", marks=LONG), pytest.param("cvat", marks=LONG), "png"]
)
def test_corrected_drafts_are_trained_on(kind: DraftFormat, project: Path, capsys: Capture) -> None:
    before = run_prepare()
    assert {before[name] for name in UNLABELLED} == {"unlabelled"}
    folder = drafts(kind)
    capsys.readouterr()
    correct(folder, kind, "n0", "n2", "turned")
    assert main(["labels", "drafts"]) == 2  # n1 is as it was written
    said = capsys.readouterr().out
    assert "3 masks added to data/labels" in said
    assert "1 drafts were not taken" in said
    assert "n1" in said
    found = added()
    assert found.keys() == {"n0", "sub/n2", "turned"}
    for name, mask in found.items():
        assert np.array_equal(mask, truth(name.rpartition("/")[2]))
    # Drafts against corrections, pooled: from the kept drafts and the truth.
    pairs = [
        (np.asarray(Image.open(folder / ".drafts" / f"{stem}.png")), truth(stem))
        for stem in ("n0", "n2", "turned")
    ]
    both = sum(int(((draft == 2) & (mask == 2)).sum()) for draft, mask in pairs)
    either = sum(int(((draft == 2) | (mask == 2)).sum()) for draft, mask in pairs)
    assert f"{both / either:.3f}" in next(line for line in said.splitlines() if line.startswith("  dog"))
    with (LABELS / "corrections.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows.keys() == found.keys()
    assert float(rows["n0"]["changed"]) == pytest.approx((pairs[0][0] != pairs[0][1]).mean(), rel=1e-4)

    assert main(["labels", "drafts"]) == 2  # nothing new
    assert "0 masks added" in (again := capsys.readouterr().out)
    assert "3 masks were there already" in again
    assert main(["labels", "drafts", "--accept-untouched"]) == 0
    assert len(added()) == 4
    after = run_prepare()
    assert {after[name] for name in UNLABELLED} == {"train"}
    assert {name: after[name] for name in before if name not in UNLABELLED} == {
        name: split for name, split in before.items() if name not in UNLABELLED
    }


def test_added_masks_survive_another_order_of_the_classes(project: Path) -> None:
    correct(drafts("png"), "png", *("n0", "n1", "n2", "turned"))
    assert main(["labels", "drafts"]) == 0
    masks = AddedMasks(LABELS)
    params = load_params(Path("params.yaml")).data
    swapped = ["background", "dog", "cat"]
    source = with_added_masks(open_source(Path(params.root), params), LABELS, swapped)
    sample = next(sample for sample in source.listing().samples if sample.name == "n0")
    assert np.array_equal(source.mask_of(sample, 40, 60), np.array([0, 2, 1])[truth("n0")])
    with pytest.raises(ValueError, match=r"holds 'dog'.*but data.classes is background, cat"):
        masks.read(sample, 40, 60, ["background", "cat"])


def test_a_tick_in_labelme_accepts_a_draft_and_an_edit_needs_replace(project: Path, capsys: Capture) -> None:
    folder = drafts("labelme")
    path = folder / "n0.json"
    path.write_text(path.read_text().replace('"checked": false', '"checked": true'))
    assert main(["labels", "drafts"]) == 2
    assert added().keys() == {"n0"}
    first = added()["n0"]
    correct(folder, "labelme", "n0")
    capsys.readouterr()
    assert main(["labels", "drafts"]) == 1
    assert "--replace" in capsys.readouterr().out
    assert np.array_equal(added()["n0"], first)
    assert main(["labels", "drafts", "--replace", "--dry-run"]) == 2
    assert np.array_equal(added()["n0"], first)
    assert main(["labels", "drafts", "--replace"]) == 2
    assert np.array_equal(added()["n0"], truth("n0"))


def test_what_is_wrong_is_named_and_the_rest_goes_on(project: Path, capsys: Capture) -> None:
    folder = drafts("labelme")
    correct(folder, "labelme", "n0", "n1", "n2", "turned")
    unknown = json.loads((folder / "n1.json").read_text())
    unknown["shapes"][0]["label"] = "horse"
    (folder / "n1.json").write_text(json.dumps(unknown))
    broken = json.loads((folder / "n2.json").read_text())
    broken["shapes"][0]["points"] = [["x", 2], [3]]
    (folder / "n2.json").write_text(json.dumps(broken))
    size = json.loads((folder / "turned.json").read_text())
    size["imageHeight"], size["imageWidth"] = 400, 600
    (folder / "turned.json").write_text(json.dumps(size))
    (folder / "damaged.json").write_text('{"shapes": [')
    stranger = json.loads((folder / "n0.json").read_text()) | {"imagePath": "..\\stranger.jpg"}
    (folder / "stranger.json").write_text(json.dumps(stranger))
    labelled = stranger | {"imagePath": "p00.jpg"}
    (folder / "p00.json").write_text(json.dumps(labelled))
    assert main(["labels", "drafts"]) == 2
    said = capsys.readouterr().out
    assert added().keys() == {"n0"}
    assert "6 files were not taken" in said
    for name, reason in (
        ("n1.json", "horse"),
        ("n2.json", "n2.json"),
        ("turned.json", "600 x 400 px"),
        ("damaged.json", "no valid JSON"),
        ("stranger.json", "no image 'stranger.jpg'"),
        ("p00.json", "has a mask in the data already"),
    ):
        assert any(name in line and reason in line for line in said.splitlines()), name


def test_two_files_for_one_image_and_drafts_of_another_model(project: Path, capsys: Capture) -> None:
    folder = drafts("labelme")
    correct(folder, "labelme", "n0", "n1")
    (folder / "again").mkdir()
    shutil.copy(folder / "n0.json", folder / "again" / "n0.json")
    path = folder / "n1.json"
    content = json.loads(path.read_text())
    content["ae_pretrained"]["model"] = "sha256:other"
    path.write_text(json.dumps(content))
    assert main(["labels", "drafts"]) == 2
    said = capsys.readouterr().out
    assert "2 files describe this image" in said
    assert "n1.json: is a draft of another model than drafts.json says" in said
    assert added().keys() == {"n1"}


def test_files_without_drafts_are_read_by_the_names_of_images(project: Path, capsys: Capture) -> None:
    """Files that labelme itself wrote have no digest; CVAT lists images that nobody looked at."""
    folder = drafts("cvat")
    correct(folder, "cvat", "n0")
    export = Path("export")
    export.mkdir()
    tree = ElementTree.parse(folder / "annotations.xml")
    drawn = [image for image in tree.getroot().iterfind("image") if len(image)]
    emptied = next(image for image in drawn if image.attrib["name"] != "n0.jpg")
    for shape in list(emptied):
        emptied.remove(shape)
    tree.write(export / "annotations.xml")
    # Against its draft, an image whose shapes were all removed is corrected.
    assert main(["labels", "export", "--drafts", "drafts", "--dry-run"]) == 2
    assert "2 masks would be added" in capsys.readouterr().out
    assert not LABELS.joinpath("masks").exists()
    assert main(["labels", "export"]) == 2
    said = capsys.readouterr().out
    assert f"{emptied.attrib['name']} has no shape, and no draft had any" in said
    assert len(added()) == len(drawn) - 1
    assert np.array_equal(added()["n0"], truth("n0"))
    assert "Drafts against corrections" not in said


@pytest.mark.long
def test_a_listed_test_image_stays_one_of_test(project: Path) -> None:
    root = Path("../images")
    root.joinpath("test.txt").write_text("p00\np01\np02\nn0\n")
    assert "n0" not in run_prepare()  # nothing can be measured on it
    correct(drafts("png"), "png", "n0", "n1", "n2", "turned")
    assert main(["labels", "drafts"]) == 0
    splits = run_prepare()
    assert (splits["n0"], splits["n1"]) == ("test", "train")


def test_an_added_mask_without_its_image_stops_prepare(project: Path) -> None:
    correct(drafts("png"), "png", "n0")
    assert main(["labels", "drafts"]) == 2
    Path("../images/images/n0.jpg").unlink()
    with pytest.raises(ValueError, match=r"n0.png: the data has no image 'n0' any more"):
        run_prepare()


def test_refusals_before_any_work(project: Path, capsys: Capture) -> None:
    folder = drafts("png")
    with pytest.raises(ValueError, match="is not empty"):
        drafts("png", folder)
    assert main(["labels", "nowhere"]) == 1
    Path("empty").mkdir()
    assert main(["labels", "empty"]) == 1
    (folder / "drafts.json").write_text("{}")
    assert main(["labels", "drafts"]) == 1
    said = capsys.readouterr().err
    assert "nowhere: no such folder" in said
    assert "empty: no corrected file" in said
    assert "is not as it was written" in said
    assert not (LABELS / "masks").exists()
