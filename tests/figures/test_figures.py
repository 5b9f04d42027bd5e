"""Every figure is drawn with awkward content, and no two texts of it may touch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ae_pretrained.figures import charts, data_figures
from ae_pretrained.figures import segmentation_sheets as sheets
from ae_pretrained.figures.curves import RobustnessCurve, robustness_curves, training_curves
from ae_pretrained.figures.embedding_figures import Projection, embeddings_by_breed, embeddings_by_class
from ae_pretrained.figures.reconstruction_sheets import ReconstructedImage, reconstruction_sheet
from ae_pretrained.figures.style import png_bytes

CLASSES = ["background", "cat", "dog"]
MANY = ["background", *(f"class {place}" for place in range(1, 12))]
LONG = "american_pit_bull_terrier"
SMALLEST = 9.0  # points, at a figure width of eight inches


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def segmented(count: int, classes: int = 3) -> list[sheets.SegmentedImage]:
    draw = rng()
    return [
        sheets.SegmentedImage(
            caption=f"median: {LONG}_{place}, mean IoU 0.57",
            image=draw.integers(0, 255, (20, 20, 3), dtype=np.uint8),
            truth=draw.choice([*range(classes), 255], (20, 20)).astype(np.uint8),
            prediction=draw.integers(0, classes, (20, 20), dtype=np.uint8),
            probabilities=draw.dirichlet(np.ones(classes), (20, 20)).transpose(2, 0, 1),
        )
        for place in range(count)
    ]


def reconstructed(corrupted: bool) -> list[ReconstructedImage]:
    draw = rng()
    caption = f"{LONG}_199, PSNR 100.0 dB, SSIM -0.123"
    images = draw.random((2, 3, 3, 20, 20)).astype(np.float32)
    return [ReconstructedImage(caption, a, b, c if corrupted else None) for a, b, c in images]


def projections(count: int) -> list[Projection]:
    draw = rng()
    return [
        Projection(
            title,
            draw.standard_normal((count, 2)) * 100,
            ("PC 1 (59.7% of the variance)", "t-SNE 2"),
            np.arange(count),
        )
        for title in ("PCA", "t-SNE, perplexity 30, 1,500 images")
    ]


def log(epochs: int, classes: list[str]) -> dict[str, list[float]]:
    names = [
        "lr",
        "encoder_lr",
        "train_loss",
        "train_dice_loss",
        "train_cross_entropy",
        "val_loss",
        "val_mean_iou",
    ]
    names += [
        "val_mean_foreground_dice",
        *(f"val_{score}_{name}" for score in ("dice", "iou") for name in classes),
    ]
    draw = rng()
    return {"epoch": list(range(1, epochs + 1))} | {name: draw.random(epochs).tolist() for name in names}


def breeds(count: int) -> Figure:
    names = [f"{LONG}_{place}" for place in range(count)]
    means, counts = rng().random(count), rng().integers(1, 5000, count)
    return charts.score_by_group(names, means, counts, ["cat", "dog", "dragon"] * (count // 3), CLASSES)


def scores(classes: list[str]) -> Figure:
    values = rng().random((4, len(classes)))
    values[:, 1] = np.nan
    return charts.class_bars(dict(zip(("Dice", "IoU", "precision", "recall"), values, strict=True)), classes)


FIGURES: dict[str, Callable[[], Figure]] = {
    "side by side": lambda: sheets.side_by_side("Segmentation: worst by mean IoU", segmented(3), CLASSES),
    "side by side, many classes": lambda: sheets.side_by_side("Segmentation", segmented(1, 12), MANY),
    "error maps": lambda: sheets.error_maps([("best", segmented(6)), ("worst", segmented(1))], CLASSES),
    "confidence": lambda: sheets.confidence_maps(segmented(2), CLASSES),
    "confidence, many classes": lambda: sheets.confidence_maps(segmented(2, 12), MANY),
    "grad-cam": lambda: sheets.grad_cam_sheet(
        segmented(2), rng().random((2, 3, 20, 20)), CLASSES, "the bottleneck"
    ),
    "confusion": lambda: charts.confusion_matrix(rng().integers(0, 10**9, (3, 3)), CLASSES),
    "confusion, many classes": lambda: charts.confusion_matrix(rng().integers(0, 10**6, (12, 12)), MANY),
    "class scores": lambda: scores(CLASSES),
    "class scores, many classes": lambda: scores(MANY),
    "class distribution": lambda: charts.class_distribution(
        np.array([10**9, 5, 0]), np.array([10**9, 0, 9]), CLASSES
    ),
    "reliability": lambda: charts.reliability_diagram(
        np.linspace(0.03, 1, 15), np.linspace(0, 1, 15), np.arange(15) * 10**6, 0.0312
    ),
    "size": lambda: charts.score_by_size(
        rng().random(30),
        rng().random(30),
        ["cat", "dog", ""] * 10,
        np.array([[0.2, 0.5], [0.6, 0.7]]),
        CLASSES,
        "pet",
    ),
    "breeds": lambda: breeds(39),
    "breeds, too many": lambda: breeds(60),
    "reconstructions": lambda: reconstruction_sheet("Reconstructions: best by PSNR", reconstructed(False)),
    "reconstructions, corrupted": lambda: reconstruction_sheet("Reconstructions", reconstructed(True)),
    "embeddings, classes": lambda: embeddings_by_class(
        projections(40), ["cat", "dog", "", "fish"] * 10, CLASSES
    ),
    "embeddings, breeds": lambda: embeddings_by_breed(
        projections(74), [f"{LONG}_{place % 37}" for place in range(74)]
    ),
    "embeddings, too many breeds": lambda: embeddings_by_breed(
        projections(60)[:1], [f"breed {p}" for p in range(60)]
    ),
    "training": lambda: training_curves("Training of the segmenter", log(12, CLASSES), CLASSES),
    "training, one epoch": lambda: training_curves("Training", log(1, CLASSES), CLASSES),
    "robustness": lambda: robustness_curves(
        [RobustnessCurve("salt and pepper", "share of the pixels", 0.0, [(0.01, 0.5), (0.2, 0.1)])] * 9, 0.6
    ),
    "robustness, one": lambda: robustness_curves([RobustnessCurve("JPEG", "quality", 100, [(5, 0.1)])], 0.6),
}


def visible_texts(figure: Figure) -> list[Text]:
    """Every text that is drawn: matplotlib also keeps labels of ticks beyond the limits of an axis."""
    FigureCanvasAgg(figure).draw()
    hidden: set[Text] = set()
    for axes in figure.axes:
        if not axes.axison:
            hidden.update(axes.findobj(Text))
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    hidden.update((tick.label1, tick.label2))
    shown = figure.findobj(lambda item: isinstance(item, Text) and bool(item.get_text().strip()))
    return [text for text in shown if isinstance(text, Text) and text.get_visible() and text not in hidden]


@pytest.mark.parametrize("name", list(FIGURES))
def test_no_text_overlaps_another_or_leaves_the_figure(name: str) -> None:
    figure = FIGURES[name]()
    texts = visible_texts(figure)
    assert texts
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    width, height = figure.bbox.width, figure.bbox.height
    for words, box in boxes:
        assert box.x0 >= -1, words
        assert box.x1 <= width + 1, words
        assert box.y0 >= -1, words
        assert box.y1 <= height + 1, words
    for (words, box), (others, other) in combinations(boxes, 2):
        across = min(box.x1, other.x1) - max(box.x0, other.x0)
        down = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert across <= 1 or down <= 1, f"{words!r} overlaps {others!r}"


@pytest.mark.parametrize("name", list(FIGURES))
def test_text_is_large_enough_and_the_figure_is_titled(name: str) -> None:
    figure = FIGURES[name]()
    for text in visible_texts(figure):
        if "many classes" not in name:
            assert text.get_fontsize() >= SMALLEST, text.get_text()
    titles = [text for text in figure.findobj(Text) if text.get_fontsize() == 12.5 and text.get_text()]
    assert len(titles) == 1


@pytest.mark.parametrize("name", ["side by side", "breeds", "robustness"])
def test_same_content_gives_the_same_bytes_and_no_date(name: str) -> None:
    first, second = png_bytes(FIGURES[name]()), png_bytes(FIGURES[name]())
    assert first == second
    assert b"Software" not in first
    assert b"tEXt" not in first


@pytest.mark.filterwarnings("error")
def test_the_legend_of_many_classes_stays_within_the_figure() -> None:
    """With all classes in one line, the legend left the picture and squeezed the bars."""
    names = [f"a class {number}" for number in range(24)]
    counts = {split: [5] * 24 for split in ("train", "val", "test")}
    shares = {split: np.full(25, 0.04) for split in counts}
    for figure in (data_figures.split_counts(counts, names), data_figures.pixel_shares(shares, names)):
        FigureCanvasAgg(figure).draw()
        (axes,), (legend,) = figure.axes, figure.legends
        box = legend.get_window_extent()
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.x1
        assert axes.get_window_extent().width > 0.6 * figure.bbox.width
