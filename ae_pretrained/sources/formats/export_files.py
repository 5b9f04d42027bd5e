"""The files of an export: where a named image lies, which split a folder stands for, what belongs together."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ae_pretrained.sources.base import Finding
from ae_pretrained.sources.image_files import files_below, is_image
from ae_pretrained.sources.split_names import SPLIT_OF_WORD

# Exports have lists of the two together.
_SPLIT_OF_WORD = {**SPLIT_OF_WORD, "trainval": "train", "dev": "val"}
# Words that may stand beside a split's name in the name of a folder.
_NEUTRAL_WORDS = {
    "image",
    "images",
    "img",
    "imgs",
    "mask",
    "masks",
    "label",
    "labels",
    "set",
    "data",
    "annot",
}
_IMAGE_FOLDER_WORDS = {"dir", "jpegimages", "photo", "photos", "picture", "pictures", "unlabelled"}
# Not looked into: an export may have one of them for each image.
_OTHER_ENDINGS = {".csv", ".json", ".md", ".npy", ".txt", ".xml", ".yaml", ".yml"}
_ROBOFLOW = re.compile(r"(.+)\.rf\.[0-9A-Za-z]+$")


def split_of_file(name: str) -> str | None:
    """The split that a file's name speaks of: ``instances_val2017.json`` is of val."""
    found = {_SPLIT_OF_WORD[word] for word in _words(PurePosixPath(name).stem) if word in _SPLIT_OF_WORD}
    return found.pop() if len(found) == 1 else None


def split_of_folder(path: str) -> str | None:
    """The split that a folder of a path stands for, the innermost first: ``images/valid/a.jpg`` is of val."""
    for part in reversed(PurePosixPath(path).parts[:-1]):
        words = _words(part)
        splits = {_SPLIT_OF_WORD[word] for word in words if word in _SPLIT_OF_WORD}
        if len(splits) == 1 and all(word in _SPLIT_OF_WORD or word in _NEUTRAL_WORDS for word in words):
            return splits.pop()
    return None


def _words(text: str) -> list[str]:
    return re.findall("[a-z]+", text.casefold())


def group_of_file(path: str) -> str:
    """What belongs together: Roboflow exports several versions of one image as ``NAME.rf.CODE``; otherwise empty."""
    match = _ROBOFLOW.match(PurePosixPath(path).stem)
    return match[1] if match else ""


def group_of_folder(path: str) -> str:
    """The sub-folder that may be a patient or a scene: without folders that speak of splits, images and labels."""
    known = {*_SPLIT_OF_WORD, *_NEUTRAL_WORDS, *_IMAGE_FOLDER_WORDS}
    return "/".join(
        part
        for part in PurePosixPath(path).parts[:-1]
        if not (_words(part) and known.issuperset(_words(part)))
    )


def unique_names(paths: Iterable[str]) -> list[str]:
    """A name for each path: without its ending, unless another one differs by nothing else."""
    paths = list(paths)
    stems = [PurePosixPath(path).with_suffix("").as_posix() for path in paths]
    counts = Counter(stems)
    return [path if counts[stem] > 1 else stem for path, stem in zip(paths, stems, strict=True)]


class FileIndex:
    """All files below a folder, by their path from it, in order. Links are followed, hidden files are passed over.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        below = ((path.relative_to(root), path) for path in sorted(files_below(root)))
        self.files = {
            _composed(inner.as_posix()): path
            for inner, path in below
            if not any(part.startswith((".", "__MACOSX")) for part in inner.parts)
        }
        self._by_name: dict[str, list[str]] = {}
        for path in self.files:
            self._by_name.setdefault(PurePosixPath(path).name, []).append(path)

    def images(self) -> list[str]:
        """Files that are images, by their ending or, where that says nothing, by their content."""
        return [
            path
            for path, file in self.files.items()
            if file.suffix.lower() not in _OTHER_ENDINGS and is_image(file)
        ]

    def beside(self, known: set[str]) -> set[str]:
        """Images in the same folders as the known ones, and below ``unlabelled/``, that are not known."""
        folders = {PurePosixPath(path).parent for path in known}
        others = set(self.images()) - known
        return {p for p in others if p.startswith("unlabelled/") or PurePosixPath(p).parent in folders}

    def locate(
        self,
        name: str,
        source: Path,
        findings: list[Finding],
        subset: str = "",
        split: str | None = None,
    ) -> str | None:
        """The file that an export calls ``name``, which may be a path of the machine that it was made on.

        Args:
            name: as the export has it.
            source: the file of the export that says so, for the finding.
            findings: gets one when there is no such file, or several.
            subset: what the export calls the part that the image is in, which may be the name of its folder.
            split: of the image: where several files have the name, those in a folder of that split count.
        """
        wanted = PurePosixPath(_composed(name.replace("\\", "/")).lstrip("/"))
        near = source.parent.relative_to(self.root).as_posix()
        folders = (
            near,
            f"{near}/images",
            f"{near}/images/{subset}",
            f"images/{subset}",
            subset,
            "",
            "images",
        )
        for folder in folders:
            path = os.path.normpath(f"{folder}/{wanted}").replace(os.sep, "/").lstrip("/")
            if path in self.files:
                return path
        found = self._by_name.get(wanted.name, [])
        # The longest common end of the paths says which of several files is meant.
        common = {path: _common_end(PurePosixPath(path), wanted) for path in found}
        found = [path for path in found if common[path] == max(common.values())]
        if len(found) > 1 and split is not None:
            found = [path for path in found if split_of_folder(path) == split] or found
        if len(found) == 1:
            return found[0]
        if found:
            which = ", ".join(found[:4])
            detail = f"{source}: names the image {name!r}, which may be any of {which} below {self.root}"
            findings.append(Finding(split or "", name, "several images of one name", detail, True))
        else:
            detail = (
                f"{source}: names the image {name!r}, but no such file is below {self.root}; copy it there"
            )
            findings.append(Finding(split or "", name, "listed but absent", detail, True))
        return None


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _common_end(path: PurePosixPath, other: PurePosixPath) -> int:
    count = 0
    for one, two in zip(reversed(path.parts), reversed(other.parts), strict=False):
        if one != two:
            break
        count += 1
    return count
