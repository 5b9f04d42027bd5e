"""Files that came back from an annotation tool: which image each describes, and its mask."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

import numpy as np

from ae_pretrained.annotations.labelme_file import CHECKED, KEY
from ae_pretrained.prediction.drafts import MANIFEST
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.formats.cvat_xml import CvatXmlSource
from ae_pretrained.sources.formats.export_source import AnnotatedSample
from ae_pretrained.sources.formats.labelme import LabelmeSource
from ae_pretrained.sources.image_files import is_image
from ae_pretrained.sources.mask_rule import MaskRule
from ae_pretrained.sources.name_lists import read_text


@dataclass(frozen=True)
class Corrected:
    """What a file says about one image.

    Attributes:
        file: the file.
        image: the name of the image, as the file has it, without its folder.
        kind: ``labelme``, ``cvat`` or ``png``.
        annotation: of CVAT: the part of the file that speaks of the image.
        digest: of labelme: that of the draft, as the file says; empty otherwise.
        model: of labelme: that of the draft's model.
        checked: whether a person ticked the flag that says so.
        empty: of CVAT, whose files list every image of a task: whether there is no shape.
    """

    file: Path
    image: str
    kind: str
    annotation: str = ""
    digest: str = ""
    model: str = ""
    checked: bool = False
    empty: bool = False

    @property
    def stem(self) -> str:
        """The name of the image without its ending."""
        return Path(self.image).stem

    def mask(self, image: Path, size: tuple[int, int], classes: Sequence[str]) -> np.ndarray:
        """The mask (height, width) uint8 in numbers of ``classes``, 255 ignored.

        Args:
            image: the file of the project, for errors.
            size: height and width of the upright image, px.
            classes: names by number, of the project; of PNG masks, those of the drafts.

        Raises:
            DataError: naming the file, for another size, an unknown class or a broken shape.
        """
        root = self.file.parent
        if self.kind == "labelme":
            sample = Sample(self.stem, image, self.file, "train")
            return LabelmeSource(root, classes).mask_of(sample, *size)
        if self.kind == "cvat":
            part = AnnotatedSample(self.stem, image, self.file, "train", annotation=self.annotation)
            return CvatXmlSource(root, classes).mask_of(part, *size)
        return MaskRule(classes).class_mask(Sample(self.stem, image, self.file, "train"), *size)


def find_corrected(folder: Path, kind: str | None) -> tuple[list[Corrected], list[str]]:
    """Every image that the files of a folder describe, and a line for each file that cannot be read.

    Args:
        folder: labelme JSON files (sub-folders too), CVAT's ``*.xml``, or PNG masks in ``masks/``.
        kind: of the drafts; None: what is there.

    Raises:
        DataError: when no such file is there.
    """
    faults: list[str] = []
    found: list[Corrected] = []
    if kind in (None, "labelme"):
        for path in sorted(folder.rglob("*.json")):
            if path.name != MANIFEST and not _hidden(path, folder):
                _take(_labelme, path, found, faults)
    if kind in (None, "cvat"):
        for path in sorted(folder.glob("*.xml")):
            _take(_cvat, path, found, faults)
    if kind in (None, "png") and (folder / "masks").is_dir():
        masks = (path for path in sorted((folder / "masks").rglob("*")) if path.is_file() and is_image(path))
        found += [Corrected(path, path.name, "png") for path in masks if not _hidden(path, folder)]
    if not found and not faults:
        raise DataError(
            f"{folder}: no corrected file{f' of {kind}' if kind else ''}; expected labelme's NAME.json, CVAT's "
            "annotations.xml (unpack the export here), or masks/NAME.png"
        )
    return found, faults


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _take(
    read: Callable[[Path], list[Corrected]], path: Path, found: list[Corrected], faults: list[str]
) -> None:
    try:
        found += read(path)
    except DataError as error:
        faults.append(str(error))


def _labelme(path: Path) -> list[Corrected]:
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise DataError(f"{path}: is no valid JSON ({error}); save it again in labelme") from None
    if not isinstance(content, dict) or "shapes" not in content:
        return []  # another program's file
    told, flags = content.get(KEY), content.get("flags")
    told = told if isinstance(told, dict) else {}
    # The name of the image as the tool wrote it, which may have run on another system.
    image = PureWindowsPath(str(content.get("imagePath") or path.name)).name
    checked = isinstance(flags, dict) and flags.get(CHECKED) is True
    digest, model = str(told.get("shapes", "")), str(told.get("model", ""))
    return [Corrected(path, image, "labelme", digest=digest, model=model, checked=checked)]


def _cvat(path: Path) -> list[Corrected]:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DataError(f"{path}: is no valid XML ({error}); export it again") from None
    if root.find("track") is not None:
        raise DataError(
            f"{path}: holds <track>, the annotation of a video; export it as 'CVAT for images 1.1'"
        )
    return [_cvat_image(path, image) for image in root.iterfind("image")]


def _cvat_image(path: Path, image: ElementTree.Element) -> Corrected:
    name = PureWindowsPath(image.get("name", "")).name
    return Corrected(path, name, "cvat", ElementTree.tostring(image, "unicode"), empty=not len(image))
