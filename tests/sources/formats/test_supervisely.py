from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from tests.sources.formats.shape_writers import supervisely_bitmap
from tests.sources.formats.small import FLOWER, HEIGHT, HOLE, LEAF, WIDTH, expected, image_at, inside, mask_in


def supervisely(root: Path, objects: list[dict[str, Any]]) -> Path:
    image_at(root / "ds" / "img" / "a.jpg")
    names = [{"title": name, "shape": "any", "color": "#112233"} for name in ("leaf", "flower")]
    (root / "meta.json").write_text(json.dumps({"classes": names, "tags": []}))
    path = root / "ds" / "ann" / "a.jpg.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    size = {"height": HEIGHT, "width": WIDTH}
    path.write_text(json.dumps({"description": "", "tags": [], "size": size, "objects": objects}))
    return path


def polygon(label: str, exterior: Any, *interior: Any) -> dict[str, Any]:
    shape = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": label, "geometryType": "polygon", "points": shape, "tags": []}


def test_supervisely_corners_are_centres_of_pixels(tmp_path: Path) -> None:
    leaf, flower, hole = (np.floor(ring).astype(int).tolist() for ring in (LEAF, FLOWER, HOLE))
    supervisely(tmp_path, [polygon("leaf", leaf, hole), polygon("flower", flower)])
    mask, classes = mask_in(tmp_path, "supervisely")
    assert classes == ["background", "leaf", "flower"]
    whole = [np.array(ring) + 0.5 for ring in (leaf, hole, flower)]
    # Corners on the centres of pixels: half of those on an outline are in, which scikit-image settles otherwise.
    wrong = mask != expected((1, inside(whole[0]) & ~inside(whole[1])), (2, inside(whole[2])))
    assert wrong.sum() <= 12
    # The tool rounds down. On average the outline is where it was drawn, and the area is the same.
    drawn = inside(FLOWER).sum()
    assert abs(int((mask == 2).sum()) - drawn) < 0.05 * drawn


def test_supervisely_fractions_rectangles_and_bitmaps(tmp_path: Path) -> None:
    box = {"classTitle": "flower", "geometryType": "rectangle", "points": {"exterior": [[60, 50], [69, 57]]}}
    bits = np.eye(6, dtype=bool)
    beyond = {"data": supervisely_bitmap(bits), "origin": [WIDTH - 3, -2]}
    supervisely(
        tmp_path,
        [polygon("leaf", LEAF), box, {"classTitle": "flower", "geometryType": "bitmap", "bitmap": beyond}],
    )
    rectangle = np.zeros((HEIGHT, WIDTH), dtype=bool)
    rectangle[50:58, 60:70] = True
    corner = np.zeros((HEIGHT, WIDTH), dtype=bool)
    corner[:4, WIDTH - 3 :] = bits[2:, :3]
    layers = ((1, inside(LEAF)), (2, rectangle), (2, corner))
    assert np.array_equal(mask_in(tmp_path, "supervisely")[0], expected(*layers))


@pytest.mark.parametrize("kind", ["line", "point", "graph", "alpha_mask"])
def test_supervisely_refuses_what_has_no_pixels(kind: str, tmp_path: Path) -> None:
    path = supervisely(tmp_path, [{"classTitle": "leaf", "geometryType": kind, "points": {"exterior": LEAF}}])
    with pytest.raises(DataError, match=rf"an object \('leaf'\) is a {kind}") as error:
        mask_in(tmp_path, "supervisely")
    assert str(path) in str(error.value)
