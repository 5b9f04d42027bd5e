from __future__ import annotations

import base64
import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.cli import main
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.evaluate_autoencoder import evaluate_autoencoder
from ae_pretrained.evaluation.evaluate_segmenter import evaluate_segmenter
from ae_pretrained.evaluation.robustness import evaluate_robustness
from ae_pretrained.report.build import build_report, format_number, read_log
from ae_pretrained.report.comparison import Change, changes_since_commit
from ae_pretrained.report.embedded import EMBEDDED_SPREAD
from ae_pretrained.report.inlining import ENCODINGS, embed
from tests.conftest import ROOT, committed_values
from tests.evaluation.small import CLASSES, params, tiny_autoencoder, tiny_unet, write_processed
from tests.report.chromium import chromium_page, find_chromium


def write_log(path: Path, names: list[str]) -> None:
    draw = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *names])
        writer.writerows([epoch, *draw.random(len(names)).round(4)] for epoch in range(1, 5))


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics and plots of a small run."""
    root = tmp_path_factory.mktemp("run")
    processed = write_processed(root / "processed")
    values = params(robustness__max_images=4, eval_ae__num_examples=1, eval_seg__num_examples=1)
    metrics, plots = root / "metrics", root / "plots"
    evaluate_autoencoder(
        tiny_autoencoder(),
        processed,
        CLASSES,
        values.eval_ae,
        values.train_ae.corruption,
        0,
        metrics / "eval_ae.json",
        plots / "eval_ae",
        image_size=32,
    )
    evaluate_segmenter(
        tiny_unet(),
        processed,
        CLASSES,
        values.eval_seg,
        0,
        metrics / "eval_seg.json",
        plots / "eval_seg_counts.csv",
        plots / "eval_seg",
    )
    table = plots / "robustness.csv"
    evaluate_robustness(
        tiny_unet(),
        processed,
        CLASSES,
        values.robustness,
        0,
        metrics / "robustness.json",
        table,
        plots / "robustness",
    )
    (metrics / "prepare.json").write_text(json.dumps({"num_train": 12, "leaks": {"pairs": 0}}))
    for stage in ("train_ae", "train_seg"):
        (metrics / f"{stage}.json").write_text(json.dumps({"best_epoch": 3, "val_loss": 0.000123}))
    (plots / "prepare").mkdir()
    Image.new("RGB", (300, 200), "white").save(plots / "prepare" / "split_counts.png")
    write_log(plots / "train_ae.csv", ["lr", "train_loss", "val_loss", "val_psnr"])
    write_log(plots / "train_seg.csv", ["lr", "train_loss", "val_loss", "val_mean_iou", "val_dice_cat"])
    return root


def build(results: Path, out: Path, **changes: Any) -> str:
    values = committed_values()
    values["data"] |= changes
    build_report(values, results / "metrics", results / "plots", out)
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "report.html"
    build(results, out)
    return out


def test_page_is_whole_and_the_same_again(results: Path, page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert build(results, tmp_path / "again.html") == text
    assert len(text.encode()) < 10_000_000
    figures = json.loads((results / "metrics/eval_seg.json").read_text())
    assert f"{figures['mean_iou']:.3f}" in text
    low, high = figures["mean_iou_ci95"]
    assert f"{low:.3f} to {high:.3f}" in text
    assert "train_seg.encoder_lr_scale" in text
    assert "leaks.pairs" in text
    for anchor in re.findall(r'href="#([a-z]+)"', text):
        assert f'id="{anchor}"' in text
    shown = text.count('class="zoom"')
    assert shown == len(list((results / "plots").rglob("*.png"))) + 2  # and two sets of training curves


def test_page_asks_for_nothing_outside_itself(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert address.startswith(("data:", "#"))
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text


def test_published_results_stand_beside_runs_on_the_same_data_alone(
    results: Path, page: Path, tmp_path: Path
) -> None:
    other = page.read_text(encoding="utf-8")  # of the synthetic images
    text = build(results, tmp_path / "b.html", source="oxford_iiit_pet", root="<script>alert(1)</script>")
    for said in ("0.769", 'href="#published"', 'id="published"'):
        assert said in text
        assert said not in other
    assert f"{EMBEDDED_SPREAD.runs} runs (five" in other
    assert "runs (five" not in text, "it is of the drawn images"
    assert "<script>alert" not in text  # text from outside is escaped


def test_images_come_before_tables_and_parameters_are_folded(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    order = re.findall(r'<section id="(\w+)"', text)
    assert order[:2] == ["figures", "segmentation"]
    assert order.index("data") < order.index("classes") < order.index("worst") < order.index("run")
    folded = text[text.index("All parameters</summary>") :]
    assert "train_seg.encoder_lr_scale" in folded
    assert "train_seg.encoder_lr_scale" not in text[: -len(folded)]
    assert "<h2>Against the last commit" not in text  # it would depend on Git's state


def test_a_run_that_was_stopped_shows_what_there_is(results: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(results, run, ignore=shutil.ignore_patterns("processed"))
    values = committed_values()
    sizes = []
    for gone in ("robustness", "eval_seg", "train_seg", "eval_ae", "train_ae", "prepare"):
        (run / f"metrics/{gone}.json").unlink()
        (run / f"plots/{gone}.csv").unlink(missing_ok=True)
        shutil.rmtree(run / "plots" / gone, ignore_errors=True)
        build_report(values, run / "metrics", run / "plots", tmp_path / "report.html", partial=True)
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        said = re.findall(r"Missing: ([\w, ]+)\.", text)
        assert said[0].endswith("robustness")
        assert gone in said[0]
        for anchor in re.findall(r'href="#([a-z]+)"', text):
            assert f'id="{anchor}"' in text
        sizes.append(len(text))
    assert sizes == sorted(sizes, reverse=True)


def test_the_page_of_the_command_has_what_changed_since_the_commit(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(results, run, ignore=shutil.ignore_patterns("processed"))
    shutil.copy(ROOT / "params.yaml", run)
    monkeypatch.chdir(run)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert changes_since_commit(Path("metrics")) is None
    assert main(["summary"]) == 0
    assert "No committed run" in capsys.readouterr().out
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "--quiet"], ["add", "metrics"], ["commit", "--quiet", "--message", "run"]):
        subprocess.run(["git", *who, *words], check=True)
    assert changes_since_commit(Path("metrics")) == []
    figures = json.loads((run / "metrics/eval_seg.json").read_text())
    before, figures["mean_iou"] = figures["mean_iou"], 0.9
    (run / "metrics/eval_seg.json").write_text(json.dumps(figures))
    assert changes_since_commit(Path("metrics")) == [Change("eval_seg", "mean_iou", before, 0.9)]
    assert main(["report"]) == 0
    text = (run / "logs/report.html").read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', text)[:2] == ["changes", "figures"]
    assert "eval_seg: mean_iou" in text
    assert main(["summary"]) == 0
    assert re.search(r"eval_seg: mean_iou +\S+ +0\.9000 +\+", capsys.readouterr().out)


@pytest.mark.parametrize(
    "missing",
    [
        "metrics/eval_seg.json",
        "plots/train_ae.csv",
        "plots/eval_seg/tables/per_image.csv",
        "plots/robustness",
    ],
)
def test_missing_result_is_named(results: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(results, tmp_path / "run", ignore=shutil.ignore_patterns("processed"))
    path = tmp_path / "run" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(PipelineError, match=rf"{re.escape(missing)}: no such .*dvc repro"):
        build(tmp_path / "run", tmp_path / "report.html")


def test_broken_results_are_named(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "run", ignore=shutil.ignore_patterns("processed"))
    (tmp_path / "run/plots/prepare/split_counts.png").write_bytes(b"no image")
    with pytest.raises(PipelineError, match=r"split_counts\.png.*not a readable image"):
        build(tmp_path / "run", tmp_path / "report.html")
    (tmp_path / "run/metrics/prepare.json").write_text("{")
    with pytest.raises(PipelineError, match=r"prepare\.json: not valid JSON"):
        build(tmp_path / "run", tmp_path / "report.html")
    (tmp_path / "empty.csv").write_text("epoch,loss\n")
    with pytest.raises(PipelineError, match="at least one epoch"):
        read_log(tmp_path / "empty.csv")


def test_wide_and_noisy_images_are_made_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (700, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    sizes = []
    for encoding in ENCODINGS:
        item = embed(tmp_path / "noise.png", "noise", encoding)
        assert item.width == encoding.width
        assert item.height == round(700 * encoding.width / 2000)
        sizes.append(len(item.uri))
    assert sizes == sorted(sizes, reverse=True)


def test_numbers_for_people() -> None:
    shown = [format_number(value) for value in (1234567, 0.5, 0.00012, True, [0.1, 2], [], None, "x")]
    assert shown == ["1,234,567", "0.5000", "1.20e-04", "true", "0.1000, 2", "none", "none", "x"]


CHROMIUM = find_chromium()
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on the path (Debian: apt-get install chromium)"
)


@pytest.mark.long
@needs_chromium
@pytest.mark.parametrize(
    ("width", "height", "dark"), [(1366, 768, False), (390, 844, False), (390, 844, True)]
)
def test_in_a_browser(page: Path, tmp_path: Path, width: int, height: int, dark: bool) -> None:
    assert CHROMIUM is not None
    with chromium_page(CHROMIUM, tmp_path / "profile") as tab:
        tab.open(page, width, height, dark=dark)
        broken = "[...document.images].filter(i => i.hasAttribute('src') && !i.naturalWidth).length"
        assert tab.evaluate("document.images.length") > 20
        assert tab.evaluate(broken) == 0
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        # Nothing may hide beyond the edge either, opened details included.
        tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        beyond = "[...document.querySelectorAll('main *, nav *, header *')]"
        beyond += (
            f".filter(e => e.getBoundingClientRect().right > {width} + 1).map(e => e.outerHTML.slice(0, 80))"
        )
        assert tab.evaluate(beyond) == []
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page_color = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in re.findall(r"\d+", page_color)) < 200) == dark
        assert tab.complaints() == []
        assert tab.requested() == []


@pytest.mark.long
@needs_chromium
def test_printed_on_few_pages(page: Path, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    with chromium_page(CHROMIUM, tmp_path / "profile") as tab:
        tab.open(page, 1366, 768)
        printed = base64.b64decode(tab.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 7


@pytest.mark.long
@needs_chromium
def test_a_click_enlarges_and_escape_closes(page: Path, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    with chromium_page(CHROMIUM, tmp_path / "profile") as tab:
        tab.open(page, 390, 844)
        tab.evaluate("document.querySelectorAll('.zoom')[3].click()")
        assert tab.evaluate("document.getElementById('viewer').open")
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        same = "document.querySelector('#viewer img').src === document.querySelectorAll('.zoom img')[{}].src"
        assert tab.evaluate(same.format(3))
        tab.evaluate("document.querySelector('#viewer .next').click()")
        assert tab.evaluate(same.format(4))
        tab.evaluate("document.querySelector('#viewer .close').click()")
        assert not tab.evaluate("document.getElementById('viewer').open")
        assert tab.complaints() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_size": 96}, "<code>synthetic</code>, 96 px,"),
        ({"image_size": 256, "resize": "crop"}, "whole images, trained on crops of 256 px,"),
        ({"resize": "crop", "scale": 0.5}, "whole images at 0.5 of their size, trained on crops of 64 px,"),
    ],
)
def test_the_head_says_how_large_the_images_were(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    values = committed_values()
    values["data"] |= changes
    out = tmp_path / "report.html"
    # Of a run that has no results yet.
    build_report(values, tmp_path / "metrics", tmp_path / "plots", out, partial=True)
    assert said in " ".join(out.read_text(encoding="utf-8").split())
