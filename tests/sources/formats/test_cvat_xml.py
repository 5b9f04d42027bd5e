from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from tests.sources.formats.small import FLOWER, HEIGHT, LEAF, WIDTH, expected, image_at, inside, mask_in


def cvat(root: Path, shapes: str, **attributes: str) -> Path:
    image_at(root / "images" / "a.jpg")
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><task><labels>'
        "<label><name>leaf</name></label><label><name>flower</name></label>"
        "<label><name>point of it</name><parent>leaf</parent></label></labels></task></meta>\n"
        f'  <image id="0" name="a.jpg" width="{WIDTH}" height="{HEIGHT}"{more}>{shapes}</image>\n</annotations>\n'
    )
    return root / "annotations.xml"


def points(ring: Any) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)


def test_cvat_shapes_by_z_order(tmp_path: Path) -> None:
    cvat(
        tmp_path,
        f'<polygon label="flower" source="manual" occluded="0" points="{points(FLOWER)}" z_order="2"></polygon>'
        f'<polygon label="leaf" source="manual" occluded="0" points="{points(LEAF)}" z_order="1">'
        '<attribute name="kind">oak</attribute></polygon>'
        '<box label="leaf" occluded="0" xtl="2.00" ytl="50.00" xbr="12.00" ybr="58.00" z_order="-1"></box>'
        '<ellipse label="flower" occluded="0" cx="10.00" cy="20.00" rx="8.00" ry="4.00" rotation="90.0" z_order="0"/>'
        '<tag label="leaf" source="manual"></tag>',
    )
    mask, classes = mask_in(tmp_path, "cvat_xml")
    assert classes == ["background", "leaf", "flower"]
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    box = (x > 2) & (x < 12) & (y > 50) & (y < 58)
    ellipse = ((x - 10) / 4) ** 2 + ((y - 20) / 8) ** 2 <= 1
    assert np.array_equal(mask, expected((1, box), (2, ellipse), (1, inside(LEAF)), (2, inside(FLOWER))))


def test_cvat_box_turned_by_its_middle(tmp_path: Path) -> None:
    cvat(tmp_path, '<box label="leaf" xtl="20" ytl="20" xbr="40" ybr="30" rotation="90" z_order="0"/>')
    box = np.zeros((HEIGHT, WIDTH), dtype=bool)
    box[15:35, 25:35] = True
    assert (mask_in(tmp_path, "cvat_xml")[0] != expected((1, box))).sum() <= 30  # rounding on the outline


@pytest.mark.parametrize("tag", ["polyline", "points", "cuboid", "skeleton"])
def test_cvat_refuses_shapes_without_area(tag: str, tmp_path: Path) -> None:
    cvat(tmp_path, f'<{tag} label="leaf" points="{points(LEAF)}" z_order="0"/>')
    with pytest.raises(
        DataError, match=rf"annotations.xml: a.jpg has a <{tag}> \('leaf'\), which has no area"
    ):
        mask_in(tmp_path, "cvat_xml")


def test_cvat_video_is_refused(tmp_path: Path) -> None:
    path = cvat(tmp_path, "")
    path.write_text(path.read_text().replace("</annotations>", '<track id="0" label="leaf"/></annotations>'))
    with pytest.raises(DataError, match=r"annotations.xml: holds <track>.*CVAT for images 1.1"):
        mask_in(tmp_path, "cvat_xml")
