from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from ae_pretrained.study.summarise import (
    area_rows,
    budget_titles,
    controls,
    curves,
    nested,
    summarise_groups,
    wide_rows,
)

CLASSES = ["background", "cat", "dog"]


def cell(arm: str, fraction: float, updates: int, seed: int, score: float, **made_by: Any) -> dict[str, Any]:
    ious = {name: {"iou": score} for name in CLASSES}
    return {
        "arm": arm,
        "label_fraction": fraction,
        "updates": updates,
        "seed": seed,
        "num_labelled": round(1000 * fraction),
        "test": {"mean_iou": score, **ious},
        "curve": [(updates // 2, score - 0.1), (updates, score)],
        "data": {"test": made_by.pop("images", "d" * 16)},
        "provenance": {
            "commit": "c" * 40,
            "code": "a" * 16,
            "processor": "CPU 1",
            "device": "cpu",
            **made_by,
        },
    }


@pytest.fixture
def table() -> list[dict[str, Any]]:
    cells = []
    for seed, noise in enumerate((0.0, 0.02, -0.01)):
        cells += [
            cell("scratch", 0.05, 100, seed, 0.4 + noise),
            cell("scratch", 0.05, 400, seed, 0.5 + noise),
            cell("ours", 0.05, 100, seed, 0.55 + noise),
            cell("ours", 0.05, 400, seed, 0.6 + noise + 0.01 * seed),
        ]
    return summarise_groups(cells, CLASSES)


def row(table: list[dict[str, Any]], arm: str, budget: str) -> dict[str, Any]:
    (found,) = [r for r in table if r["arm"] == arm and r["budget"] == budget]
    return found


def test_budgets_are_told_apart_and_differences_are_paired(table: list[dict[str, Any]]) -> None:
    assert row(table, "scratch", "short")["updates"] == 100
    long = row(table, "ours", "long")
    assert long["updates"] == 400
    assert long["mean_iou"] == pytest.approx(np.mean([0.6, 0.63, 0.61]))
    # The common noise cancels: what is left of the spread is 0, 0.01, 0.02.
    expected = stats.ttest_1samp([0.1, 0.11, 0.12], 0.0).confidence_interval(0.95)
    assert long["difference"] == pytest.approx(0.11)
    assert (long["difference_low"], long["difference_high"]) == pytest.approx(tuple(expected))
    assert row(table, "scratch", "long")["difference"] == 0.0


def test_updates_to_the_reference(table: list[dict[str, Any]]) -> None:
    """Ours is at 0.5 or more after half of its 400 updates, scratch only after all of them."""
    assert row(table, "ours", "long")["updates_to_reference"] == 200
    assert row(table, "scratch", "long")["updates_to_reference"] == 400


def test_what_is_drawn(table: list[dict[str, Any]]) -> None:
    drawn = curves(table, {"ours": "Ours"}, {})
    assert [curve.title for curve in drawn["long"]] == ["scratch", "Ours"]
    assert drawn["long"][1].points[0][0] == 0.05
    assert budget_titles(table)["short"] == "Short budget: 100 updates"
    (wide,) = wide_rows(table, ["scratch", "ours"])
    assert wide["label_percent"] == 5.0
    assert wide["ours"] == pytest.approx(row(table, "ours", "long")["mean_iou"])
    assert nested(table)["long"]["0.05"]["ours"]["seeds"] == 3


def test_without_the_reference_nothing_is_compared() -> None:
    (only,) = summarise_groups([cell("ours", 0.05, 100, 0, 0.5)], CLASSES)
    assert np.isnan(only["difference"])
    assert "difference" not in nested([only])["long"]["0.05"]["ours"]


def test_middle_budgets_are_in_the_tables_and_not_drawn() -> None:
    cells = [
        cell("ours", 0.1, updates, 0, score)
        for updates, score in ((100, 0.1), (200, 0.2), (300, 0.3), (400, 0.4))
    ]
    table = summarise_groups(cells, CLASSES)
    assert [row["budget"] for row in table] == ["short", "middle", "middle", "long"]
    middle = nested(table)["middle"]
    assert {name: arms["ours"]["updates"] for name, arms in middle.items()} == {
        "0.1x200": 200,
        "0.1x300": 300,
    }
    drawn = {
        budget: [point[1] for point in lines[0].points] for budget, lines in curves(table, {}, {}).items()
    }
    assert drawn == {"short": [0.1], "long": [0.4]}
    assert list(budget_titles(table)) == ["short", "long"]


def test_arms_of_a_single_share_are_controls_beside_the_others() -> None:
    """A control lies in a middle budget here: no panel of lines would show it."""
    cells = [
        cell(arm, fraction, updates, 0, 0.5)
        for arm in ("scratch", "ours")
        for fraction, updates in ((0.05, 100), (0.05, 200), (0.05, 400), (0.1, 400))
    ]
    table = summarise_groups([*cells, cell("frozen", 0.05, 200, 0, 0.45)], CLASSES)
    drawn = curves(table, {}, {})
    assert {curve.arm for lines in drawn.values() for curve in lines} == {"scratch", "ours"}
    side_by_side = controls(table, {"frozen": "Frozen"})
    assert side_by_side is not None
    assert side_by_side.title == "Every arm with 50 masks, 200 updates"
    assert {curve.title: curve.points[0][1] for curve in side_by_side.arms} == {
        "scratch": 0.5,
        "ours": 0.5,
        "Frozen": 0.45,
    }


def test_without_controls_every_arm_is_a_line(table: list[dict[str, Any]]) -> None:
    assert controls(table, {}) is None


def pair(seeds: int = 2, **made_by: Any) -> list[dict[str, Any]]:
    """Scratch and ours at one run; the last seed of ours was made by something else."""
    cells = [cell("scratch", 0.05, 100, seed, 0.5) for seed in range(seeds)]
    cells += [cell("ours", 0.05, 100, seed, 0.6) for seed in range(seeds - 1)]
    return [*cells, cell("ours", 0.05, 100, seeds - 1, 0.6, **made_by)]


def test_a_row_says_what_it_mixes() -> None:
    scratch, ours = summarise_groups(pair(commit="e" * 40, modified=True, processor="CPU 2"), CLASSES)
    assert (scratch["commits"], scratch["code"], scratch["machines"]) == ("ccccccc", "aaaaaaa", "CPU 1")
    assert ours["commits"] == "ccccccc + eeeeeee+changes"
    assert ours["machines"] == "CPU 1 + CPU 2"
    assert scratch["remark"] == ""
    # The same code on another machine is paired, and said.
    assert ours["difference"] == pytest.approx(0.1)
    assert ours["remark"] == "on CPU 2, reference on CPU 1"


@pytest.mark.parametrize(
    ("made_by", "remark"),
    [
        ({"code": "b" * 16}, "not paired: code bbbbbbb, reference aaaaaaa"),
        ({"code": None}, "not paired: code unknown, reference aaaaaaa"),
        ({"images": "f" * 16}, "not paired: trained or measured on other images than the reference"),
    ],
)
def test_cells_of_other_code_or_images_are_not_paired(made_by: dict[str, Any], remark: str) -> None:
    table = summarise_groups(pair(**made_by), CLASSES)
    ours = row(table, "ours", "long")
    assert ours["remark"] == remark
    assert ours["mean_iou"] == pytest.approx(0.6)
    assert np.isnan([ours[key] for key in ("difference", "difference_low", "updates_to_reference")]).all()
    assert "difference" not in nested(table)["long"]["0.05"]["ours"]
    assert row(table, "scratch", "long")["difference"] == 0.0


def test_records_that_say_nothing_of_their_code_are_not_paired() -> None:
    cells = pair()
    for values in cells:
        del values["provenance"]
    scratch, ours = summarise_groups(cells, CLASSES)
    assert (ours["commits"], ours["code"], ours["machines"]) == ("unknown",) * 3
    assert ours["remark"] == "not paired: code unknown, reference unknown"
    assert (scratch["difference"], scratch["remark"]) == (0.0, "")


def test_a_gpu_is_named_in_place_of_the_processor() -> None:
    _, ours = summarise_groups(pair(device="NVIDIA H100"), CLASSES)
    assert ours["machines"] == "CPU 1 + NVIDIA H100"


def curves_of(arm: str, seeds: range, better: float, **made_by: Any) -> list[dict[str, Any]]:
    """Cells of an arm at two shares; seed s is s hundredths better."""
    return [
        cell(arm, share, 100, seed, score + better + 0.01 * seed, **made_by)
        for seed in seeds
        for share, score in ((0.02, 0.4), (0.08, 0.6))
    ]


def test_the_area_is_compared_seed_by_seed() -> None:
    cells = [*curves_of("random", range(3), 0.0), *curves_of("ours", range(3), 0.05)]
    first, second = area_rows(cells, summarise_groups(cells, CLASSES, "random"), "random")
    assert (first["arm"], first["fewest_masks"], first["most_masks"], first["seeds"]) == ("random", 20, 80, 3)
    assert first["area"] == pytest.approx(0.51)
    assert first["difference"] == 0.0
    assert second["area"] == pytest.approx(0.56)
    assert second["difference"] == second["difference_high"] == pytest.approx(0.05)


def test_areas_of_other_code_are_not_compared_and_of_one_share_there_are_none() -> None:
    cells = [*curves_of("random", range(2), 0.0), *curves_of("ours", range(2), 0.05, code="b" * 16)]
    _, ours = area_rows(cells, summarise_groups(cells, CLASSES, "random"), "random")
    assert np.isnan(ours["difference"])
    single = [one for one in cells if one["label_fraction"] == 0.02]
    assert area_rows(single, summarise_groups(single, CLASSES, "random"), "random") == []


def test_an_arm_that_lacks_a_share_has_no_area() -> None:
    cells = [*curves_of("random", range(2), 0.0), *curves_of("ours", range(2), 0.05)[::2]]
    (only,) = area_rows(cells, summarise_groups(cells, CLASSES, "random"), "random")
    assert only["arm"] == "random"
