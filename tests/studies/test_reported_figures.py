"""The figures that README.md and results/README.md report are those of the files beside them."""

from __future__ import annotations

import csv
import json
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from ae_pretrained.report.embedded import EMBEDDED_SPREAD
from ae_pretrained.report.published import PUBLISHED, PublishedResult
from ae_pretrained.study.grid import REFERENCE
from tests.conftest import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "results/README.md"
SUMMARY = ROOT / "studies/label_efficiency/results/summary.csv"
RANGE = r"\**(0\.\d{3})\** \((0\.\d{3})–(0\.\d{3})\)"
# | 164 (5 %) | 1,500 | 0.592 (0.573–0.611) | **0.710** (0.705–0.716) | +11.9 points (10.2–13.6) |
STUDY_ROW = re.compile(
    rf"^\| ([\d,]+) \([^)]+\) \| ([\d,]+)[^|]* \| {RANGE} \| {RANGE} "
    r"\| ([+−]\d+\.\d) points \((−?\d+\.\d)–(−?\d+\.\d)\) \|$",
    re.MULTILINE,
)
# | `denoise` | what it starts from | what that knows | 0.600 | +0.9 (−1.2 to 2.9) |
CONTROL_ROW = re.compile(
    r"^\| `(\w+)` \|.*\| (0\.\d{3}) \| ([+−]\d+\.\d|0\.0) \((−?\d+\.\d) to (−?\d+\.\d)\) \|$", re.MULTILINE
)
# | model | 128 | **0.898** (0.890–0.906) | 0.959 | 0.847 | 0.888 |
MODEL_ROW = re.compile(rf"^\|.*\| {RANGE} \| (0\.\d{{3}}) \| (0\.\d{{3}}) \| (0\.\d{{3}}) \|", re.MULTILINE)
# | from scratch | 0.551 (0.539 to 0.562) | 0.206 | 0.204 | 0.261 | 0.365 | 0.305 | 3,472 s |
CAMVID_ROW = re.compile(
    r"^\|[^|]*\| \**(0\.\d{3})\** \((0\.\d{3}) to (0\.\d{3})\) " + r"\| (0\.\d{3}) " * 5 + r"\| [\d,]+ s \|$",
    re.MULTILINE,
)
# | **this pipeline** | model | 0.898 | 0.959 / 0.847 / 0.888 | foreground Dice 0.929, accuracy 0.963 | |
OUR_ROW = re.compile(
    r"^\| \**this pipeline\** \|.*\| (0\.\d{3}) \| (.*) "
    r"\| foreground Dice (0\.\d{3}), accuracy (0\.\d{3}) \| \|$",
    re.MULTILINE,
)


def summary() -> dict[tuple[str, str, str], dict[str, str]]:
    with SUMMARY.open(encoding="utf-8") as file:
        return {(row["num_labelled"], row["updates"], row["arm"]): row for row in csv.DictReader(file)}


def measured() -> list[dict[str, Any]]:
    """The metrics of every kept run on the test split of the pets."""
    files = (ROOT / "results").glob("*/eval_seg.json")
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [values for values in found if "cat" in values]


def shown(values: dict[str, str], name: str, scale: float = 1.0, digits: int = 3) -> list[str]:
    keys = (name, f"{name}_low", f"{name}_high")
    # + 0.0: a zero has no sign
    return [f"{round(scale * float(values[key]), digits) + 0.0:.{digits}f}" for key in keys]


def plain(figures: Sequence[str]) -> list[str]:
    """Figures as Python writes them: a hyphen for the minus sign, no plus sign."""
    return [figure.replace("−", "-").lstrip("+") for figure in figures]


@pytest.mark.parametrize(
    "form", [r"0\.\d{3}", r"[−+]?\d+\.\d (?:points|with)"], ids=["scores", "differences"]
)
def test_figures_of_the_readme_stand_in_the_results(form: str) -> None:
    """Of the pets: what it says of the embedded run is in metrics/."""
    text = README.read_text(encoding="utf-8")
    pets = text[: text.index("## What you can do with it")]
    figures = {figure.split()[0] for figure in re.findall(form, pets)}
    assert len(figures) >= 4
    results = RESULTS.read_text(encoding="utf-8")
    assert [figure for figure in figures if figure not in results] == []


def test_the_embedded_run_of_the_readme_is_the_committed_one() -> None:
    figure = json.loads((ROOT / "metrics/eval_seg.json").read_text(encoding="utf-8"))["mean_iou"]
    for page in (README, ROOT / "docs/how-to/presets.md"):
        assert f"{figure:.3f}" in page.read_text(encoding="utf-8"), page


def spread_records() -> list[dict[str, Any]]:
    """The runs of the embedded pipeline that differ in seed, threads and number format."""
    files = sorted((ROOT / "benchmarks/embedded_spread").glob("seed*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def test_the_spread_of_the_embedded_run_is_that_of_its_records() -> None:
    records = spread_records()
    values = [record["test_mean_iou"] for record in records]
    origins = [record["provenance"] for record in records]
    grid = {(one["seed"], one["threads"], one["precision"]) for one in origins}
    assert len(grid) == len(records) == EMBEDDED_SPREAD.runs == 20
    assert len({one["commit"] for one in origins}) == 1
    assert not any(one["modified"] for one in origins)
    assert round(statistics.fmean(values), 3) == EMBEDDED_SPREAD.mean
    assert (round(min(values), 3), round(max(values), 3)) == (EMBEDDED_SPREAD.lowest, EMBEDDED_SPREAD.highest)
    said = f"between {EMBEDDED_SPREAD.lowest:.3f} and {EMBEDDED_SPREAD.highest:.3f}"
    assert said in " ".join(README.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("seed", [42, 1, 2, 3, 4])
def test_rows_of_the_spread_are_those_of_its_records(seed: int) -> None:
    figures = {
        (origin["threads"], origin["precision"]): f"{record['test_mean_iou']:.3f}"
        for record in spread_records()
        if (origin := record["provenance"])["seed"] == seed
    }
    row = [figures[threads, number] for threads in (1, 2) for number in ("bf16-mixed", "32-true")]
    text = (ROOT / "results/exploration.md").read_text(encoding="utf-8")
    assert f"| {seed} | {' | '.join(row)} |" in text


def test_rows_of_the_study_are_those_of_its_summary() -> None:
    rows = STUDY_ROW.findall(RESULTS.read_text(encoding="utf-8"))
    assert len(rows) >= 5, "the table of few labels has another form than this test reads"
    known = summary()
    for masks, updates, *figures in rows:
        run = masks.replace(",", ""), updates.replace(",", "")
        scratch, ours = known[(*run, "scratch")], known[(*run, "encoder_decoder")]
        expected = shown(scratch, "mean_iou") + shown(ours, "mean_iou") + shown(ours, "difference", 100, 1)
        assert plain(figures) == expected, run


def test_the_study_of_the_images_alone_is_reported_as_its_summary_has_it() -> None:
    """scratch | 0.576 (0.557 to 0.595) | 0.574 | …, and the difference in points, with its interval."""
    with (ROOT / "studies/images_alone/results/summary.csv").open(encoding="utf-8") as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    text = RESULTS.read_text(encoding="utf-8")
    section = text[text.index("### The images alone: contrast") :]
    for arm in ("scratch", "contrastive"):
        found = re.search(rf"^\| {arm} \| \**(\S+?)\** \((\S+) to (\S+)\) \| (\S+) \|", section, re.MULTILINE)
        assert found is not None, arm
        assert list(found.groups()) == [
            *shown(rows[arm], "mean_iou"),
            shown(rows[arm], "mean_iou_best_on_val")[0],
        ]
    found = re.search(
        r"^\| difference, points \| \**\+(\S+?)\** \((\S+) to (\S+)\) \|", section, re.MULTILINE
    )
    assert found is not None
    assert plain(found.groups()) == plain(shown(rows["contrastive"], "difference", 100, 1))
    for page in (README, ROOT / "docs/how-to/contrastive.md"):
        assert f"{found[1]} points" in page.read_text(encoding="utf-8"), page


def test_every_control_of_the_figure_stands_in_the_table() -> None:
    rows = CONTROL_ROW.findall(RESULTS.read_text(encoding="utf-8"))
    cells = summary()
    ((run, _),) = Counter(key[:2] for key in cells).most_common(1)
    known = {arm: row for (*others, arm), row in cells.items() if tuple(others) == run}
    assert {arm for arm, *_ in rows} == set(known) - {REFERENCE}
    for arm, *figures in rows:
        expected = [shown(known[arm], "mean_iou")[0], *shown(known[arm], "difference", 100, 1)]
        assert plain(figures) == expected, arm


def test_rows_of_models_are_those_of_their_metrics() -> None:
    rows = MODEL_ROW.findall(RESULTS.read_text(encoding="utf-8"))
    assert len(rows) >= 5, "the tables of all labels have another form than this test reads"
    kept = set()
    for values in measured():
        ious = [values[name]["iou"] for name in ("background", "cat", "dog")]
        interval = values["mean_iou_ci95"]
        kept.add(tuple(f"{value:.3f}" for value in (values["mean_iou"], *interval, *ious)))
    unknown = [row for row in rows if row not in kept]
    assert not unknown, "no results/*/eval_seg.json has these figures"


def test_rows_of_camvid_are_those_of_their_metrics() -> None:
    rows = CAMVID_ROW.findall(RESULTS.read_text(encoding="utf-8"))
    expected = []
    for run in ("camvid_scratch", "camvid_autoencoder", "camvid_imagenet", "camvid_square"):
        values = json.loads((ROOT / "results" / run / "eval_seg.json").read_text(encoding="utf-8"))
        ious = [values[name]["iou"] for name in ("pole", "sign", "fence", "pedestrian", "bicyclist")]
        expected.append(tuple(f"{v:.3f}" for v in (values["mean_iou"], *values["mean_iou_ci95"], *ious)))
    assert rows == expected


@pytest.mark.parametrize("result", PUBLISHED, ids=lambda result: f"{result.source}: {result.model}")
def test_every_published_result_stands_beside_ours(result: PublishedResult) -> None:
    """As the report has it: two copies of a figure, one for the page and one for people who read Markdown."""
    iou = "" if result.iou is None else " / ".join(f"{value:.3f}" for value in result.iou)
    row = f"| {result.source} | {result.model} | {result.mean_iou:.3f} | {iou} | {result.other} | {result.remark} |"
    assert row in RESULTS.read_text(encoding="utf-8").splitlines()


def test_ours_beside_the_published_results_are_those_of_the_metrics() -> None:
    rows = OUR_ROW.findall(RESULTS.read_text(encoding="utf-8"))
    assert len(rows) >= 5, "the table of published results has another form than this test reads"
    kept = set()
    for values in measured():
        ious = " / ".join(f"{values[name]['iou']:.3f}" for name in ("background", "cat", "dog"))
        others = (values["mean_foreground_dice"], values["pixel_accuracy"])
        kept.add((f"{values['mean_iou']:.3f}", ious, *(f"{value:.3f}" for value in others)))
    assert not set(rows) - kept, "no results/*/eval_seg.json has these figures"


def section(heading: str) -> str:
    """A part of results/README.md, up to the next heading."""
    text = RESULTS.read_text(encoding="utf-8")
    part = text[text.index(f"### {heading}\n") :]
    return part[: re.search(r"\n##+ ", part).start()]  # type: ignore[union-attr]


def pairs_as_in_the_summary(
    study: str, heading: str, reference: str, other: str
) -> dict[tuple[str, str], dict[str, str]]:
    """| 20 | 0.520 (0.500 to 0.540) | **0.600** (…) | +8.0 (5.0 to 11.0) |, a row for each number of masks."""
    with (ROOT / f"studies/{study}/results/summary.csv").open(encoding="utf-8") as file:
        known = {(row["num_labelled"], row["arm"]): row for row in csv.DictReader(file)}
    cell = r"\**(\S+?)\** \((\S+) to (\S+)\)"
    rows = re.findall(rf"^\| ([\d,]+) \| {cell} \| {cell} \| {cell} \|$", section(heading), re.MULTILINE)
    assert {masks.replace(",", "") for masks, *_ in rows} == {masks for masks, arm in known if arm == other}
    for shown_masks, *figures in rows:
        masks = shown_masks.replace(",", "")
        expected = shown(known[masks, reference], "mean_iou") + shown(known[masks, other], "mean_iou")
        assert plain(figures) == expected + shown(known[masks, other], "difference", 100, 1)
    return known


def check_other_arms(
    heading: str, known: dict[tuple[str, str], dict[str, str]], arms: Sequence[str]
) -> list[str]:
    """| 20 | −1.0 (−5.1 to 3.2) | +0.3 (−2.1 to 2.7) |, differences to the reference."""
    cell = r"(\S+) \((\S+) to (\S+)\)"
    rows = re.findall(rf"^\| ([\d,]+) \| {cell} \| {cell} \|$", section(heading), re.MULTILINE)
    found = [masks.replace(",", "") for masks, *_ in rows]
    assert set(found) == {masks for masks, arm in known if arm == arms[0]}
    for masks, (_, *figures) in zip(found, rows, strict=True):
        for arm, shown_figures in zip(arms, (figures[:3], figures[3:]), strict=True):
            assert plain(shown_figures) == shown(known[masks, arm], "difference", 100, 1), (masks, arm)
    return found


def test_further_pretraining_is_reported_as_its_summary_has_it() -> None:
    heading = "An ImageNet encoder, pretrained further"
    known = pairs_as_in_the_summary("imagenet_further", heading, "imagenet", "latent")
    shares = check_other_arms(heading, known, ("contrastive", "reconstruction"))
    page = " ".join((ROOT / "docs/encoders.md").read_text(encoding="utf-8").split())
    for arm in ("latent", "contrastive", "reconstruction"):
        gains = [float(shown(known[masks, arm], "difference", 100, 1)[0]) for masks in shares]
        assert ", ".join(f"{gain:+.1f}".replace("-", "−") for gain in gains) in page, arm


def test_the_study_of_choices_is_reported_as_its_summary_has_it() -> None:
    heading = "Which images to label first"
    known = pairs_as_in_the_summary("label_choice", heading, "random", "coverage")
    check_other_arms(heading, known, ("stratified", "every_kth"))
    with (ROOT / "studies/label_choice/results/area.csv").open(encoding="utf-8") as file:
        areas = {row["arm"]: shown(row, "difference", 100, 1) for row in csv.DictReader(file)}
    results, page = (
        path.read_text(encoding="utf-8").replace("−", "-")
        for path in (RESULTS, ROOT / "docs/how-to/label-next.md")
    )
    gain, low, high = areas["coverage"]
    assert f"by {gain} points ({low} to {high}) in the mean of the curve from 20 to 164 masks" in results
    assert f"{gain} points of test mean IoU over a random draw ({low} to {high}, five pools)" in page
    (gain, low, high), (other, lower, higher) = areas["stratified"], areas["every_kth"]
    assert f"{gain} ({low} to {high}) points for classes in their proportion" in results
    assert f"+{other} ({lower} to {higher}) for every k-th by name" in results


def test_road_scenes_are_reported_as_their_summary_has_it() -> None:
    heading = "The same on road scenes"
    known = pairs_as_in_the_summary("label_choice_camvid", heading, "random", "coverage")
    check_other_arms(heading, known, ("stratified", "every_kth"))
