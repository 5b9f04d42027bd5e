"""Names that people and cameras make, through preparation, figures, tables and prediction."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ae_pretrained.apps.cli import main
from ae_pretrained.constants import INDEX
from ae_pretrained.evaluation.evaluate_segmenter import evaluate_segmenter
from ae_pretrained.files import write_bytes
from ae_pretrained.names import LONGEST_FILE_NAME, drawn, file_stem, shown, shown_lines
from ae_pretrained.prediction.naming import MASK, OVERLAY, result_names
from tests.apps.init.folders import write_images
from tests.evaluation.small import params, tiny_unet
from tests.prediction.small import save_image, save_small
from tests.preparation.test_prepare import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file names there are text")

NAMES = {
    "no UTF-8": os.fsdecode(b"caf\xe9"),
    "two dollars": "a$b_$c",
    "formula": r"$\frac{$ \$5 $",
    "long": "x" * 251,
    "long, of two bytes": "é" * 125,
    "line break": "two\nlines\r",
    "control": "bell\x07 escape\x1b[31m\t",
    "separator": "line\u2028para\u2029 next\x85",
    "right to left": "gpj\u202egnp",
    "underscore": "_hidden_",
    "quotes": "\"a\", 'b'; <c> & d|e*?",
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of pairs of which some have the names."""
    root = write_images(tmp_path / "in", count=33)
    for number, name in enumerate(NAMES.values()):
        for kind in ("images", "masks"):
            try:
                (root / kind / f"p{number:02}.png").rename(root / kind / f"{name}.png")
            except OSError:
                pytest.skip("this file system takes fewer names")
    return root


def test_shown_is_one_line_of_valid_text() -> None:
    assert shown(NAMES["no UTF-8"]) == r"caf\xe9"
    assert shown(NAMES["line break"]) == r"two\nlines\r"
    assert shown("\ud800 \u202e \x1b") == r"\ud800 \u202e \x1b"
    for plain in ("café.jpg", "图像 01", "a$b", "👩‍🔬"):
        assert shown(plain) == plain
    assert shown(Path("a") / NAMES["no UTF-8"]) == r"a/caf\xe9"
    assert shown_lines("one\ntwo\x1b") == "one\ntwo\\x1b"


def test_drawn_is_no_formula_and_short() -> None:
    assert drawn("a$b$c") == r"a\$b\$c"
    assert drawn("_background_") == " _background_"
    assert drawn("x" * 60 + "end", 20) == "xxxxxxxxxx…xxxxxxend"
    for name in NAMES.values():
        figure = Figure()
        figure.text(0, 0, drawn(name))
        FigureCanvasAgg(figure).draw()  # raises for what it takes for a broken formula


@pytest.mark.parametrize("ending", [MASK, OVERLAY])
def test_a_stem_fits_on_every_file_system(ending: str, tmp_path: Path) -> None:
    for name in [*NAMES.values(), "", "a/b\\c", "é" * 300, "👩" * 80]:
        full = f"{file_stem(name, ending)}{ending}"
        assert len(full.encode("utf-8")) <= LONGEST_FILE_NAME
        write_bytes(tmp_path / full, b"x")  # its temporary name fits too
    assert file_stem("plain name.tar", ending) == "plain name.tar"


def test_results_of_long_names_are_told_apart() -> None:
    paths = [Path(f"{number}/{'x' * 250}{number}.png") for number in range(30)] + [Path("e\u0301"), Path("é")]
    names = result_names(paths)
    assert len(set(names)) == len(paths)
    assert names[-2:] == ["e\u0301", "é_2"], "one name where accents are composed"
    assert max(len(f"{name}{OVERLAY}") for name in names) <= LONGEST_FILE_NAME
    assert len(set(result_names([Path(f"{n}/image.png") for n in range(20_000)]))) == 20_000


def test_every_name_comes_through_prepare_and_evaluation(images: Path, tmp_path: Path) -> None:
    classes = ["background", "$leaf$", "_flower"]
    run(images, tmp_path, source="folder", classes=classes)
    index = (tmp_path / "processed" / INDEX).read_text(encoding="utf-8")
    assert len(index.splitlines()) == 34
    for name in NAMES.values():
        assert shown(name)[:40].partition('"')[0] in index
    evaluate_segmenter(
        tiny_unet(),
        tmp_path / "processed",
        classes,
        params(eval_seg__num_examples=8, eval_seg__bootstrap_samples=20).eval_seg,
        seed=1,
        metrics_file=tmp_path / "eval_seg.json",
        counts_file=tmp_path / "counts.csv",
        plots=tmp_path / "eval",
    )
    for table in ("counts.csv", "eval/tables/per_image.csv", "plots/tables/left_out.csv"):
        (tmp_path / table).read_text(encoding="utf-8")


def test_predict_writes_results_and_tables_for_every_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = save_small(tmp_path / "segmenter.safetensors")
    content = save_image(tmp_path / "plain.png").read_bytes()
    (tmp_path / "in").mkdir()
    for name in NAMES.values():
        try:
            (tmp_path / "in" / f"{name}.png").write_bytes(content)
        except OSError:
            pytest.skip("this file system takes fewer names")
    (tmp_path / "in" / f"{NAMES['no UTF-8']}_broken.png").write_bytes(content[:60])
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "in"), "--model", str(model), "--out", str(out)]) == 2
    told = json.loads((out / "predictions.json").read_text(encoding="utf-8"))
    assert len(told["predictions"]) == len(NAMES)
    for entry in told["predictions"]:
        assert (out / entry["mask"]).is_file()
        assert (out / entry["overlay"]).is_file()
    assert r"caf\xe9_broken.png" in told["unreadable"][0]["file"]
    table = (out / "predictions.csv").read_text(encoding="utf-8")
    assert len(table.splitlines()) == len(NAMES) + 1
    said = capfd.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out


def test_init_takes_every_name(images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (images / "images" / f"{NAMES['no UTF-8']} broken.png").write_bytes(b"")
    assert main(["init", str(tmp_path / "p"), "--from", str(images), "--on-error", "skip"]) == 0
    said = capfd.readouterr()
    assert r"caf\xe9 broken" in said.out
    assert r"caf\xe9 broken" in (tmp_path / "p" / "sanity.txt").read_text(encoding="utf-8")


def texts_of(figure: Figure) -> Iterator[str]:
    for text in figure.findobj(lambda item: isinstance(item, Text)):
        yield text.get_text()


def test_figures_draw_every_name_as_it_is() -> None:
    from ae_pretrained.figures import charts, data_figures, embedding_figures, image_grids
    from ae_pretrained.figures.curves import training_curves

    names = list(NAMES.values())
    count = len(names)
    images = np.zeros((count, 8, 8, 3), dtype=np.uint8)
    masks = np.ones((count, 8, 8), dtype=np.uint8)
    share = np.full(count, 1 / count)
    pooled = np.ones((count, count), dtype=np.int64)
    points = embedding_figures.Projection("PCA", np.zeros((count, 2)), ("x", "y"), np.arange(count))
    columns = {"epoch": [1.0], **{f"val_iou_{name}": [0.5] for name in names}}
    figures = [
        data_figures.contact_sheet("names", images, masks, names, names),
        data_figures.split_counts({"train": [1] * (count - 1)}, names[1:]),
        data_figures.pixel_shares({"train": np.append(share, 0.0)}, names),
        data_figures.breed_counts({name: {"train": 1} for name in names}),
        image_grids.image_sheet(
            "names",
            [image_grids.ImageRow(name, [images[0]]) for name in names],
            names[:1],
            [(names[0], "red")],
        ),
        charts.confusion_matrix(pooled, names),
        charts.class_bars({"IoU": share}, names),
        charts.class_distribution(share, share, names),
        charts.score_by_size(share, share, names, np.zeros((2, 2)), names, "object"),
        charts.score_by_group(names, share, np.ones(count, dtype=int), names, names),
        embedding_figures.embeddings_by_class([points], names, names),
        embedding_figures.embeddings_by_breed([points], names),
        training_curves("names", columns, names),
    ]
    for figure in figures:
        FigureCanvasAgg(figure).draw()
        for text in texts_of(figure):
            assert text == shown_lines(text)
            assert len(text) < 130
