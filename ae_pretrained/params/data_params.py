"""Parameters of the data: sources, cleaning, splits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ae_pretrained.params.class_names import check_class_names
from ae_pretrained.params.section import (
    Count,
    CountOrZero,
    NonNegative,
    Section,
)


class SyntheticParams(Section):
    """The embedded data set that the program draws itself."""

    num_trainval: Count = Field(description="Images drawn for training and validation.")
    num_test: Count = Field(description="Images drawn for the test split.")
    size: Annotated[int, Field(ge=32, le=1024)] = Field(description="Side of a drawn image, pixels.")


class MaskCleaningParams(Section):
    """How masks are read, and removal of specks and holes from them."""

    threshold: Annotated[int, Field(ge=0, le=255)] = Field(
        description="Of masks with one class: values from this one on are the class, lower ones background (0: no "
        "threshold). For black and white masks saved as JPEG, and for numbered instances."
    )
    empty: Literal["background", "unlabelled"] = Field(
        description="What a mask without foreground means: `background` is an image that shows no class, trained on "
        "and measured; `unlabelled` is one that nobody labelled."
    )
    absent: Literal["stop", "wait"] = Field(
        description="When no image at all has a mask: `stop`, since they are not where they should be; or `wait`: "
        "all images are for the autoencoder until some are labelled (docs/how-to/label-next.md)."
    )
    min_speck: CountOrZero = Field(
        description="Connected pet regions smaller than this many pixels become background (0: keep all)."
    )
    min_hole: CountOrZero = Field(
        description="Holes in a pet smaller than this many pixels are filled with its class (0: keep all)."
    )


class LeakCheckParams(Section):
    """Search for near-duplicate images across the splits; train loses its copy, test never does."""

    enabled: bool = Field(description="Look for near-duplicates between train, val and test.")
    hash_distance: Annotated[int, Field(ge=0, le=64)] = Field(
        description="Pairs whose 64-bit perceptual hashes differ in at most this many bits are candidates."
    )
    pixel_distance: NonNegative = Field(
        description="A candidate is confirmed when the mean absolute difference of the two images, as "
        "32x32 grey thumbnails of zero mean and unit variance, is at most this."
    )


SourceName = Literal[
    "synthetic",
    "oxford_iiit_pet",
    "folder",
    "original_project",
    "coco",
    "labelme",
    "cvat_xml",
    "pascal_voc",
    "roboflow_masks",
    "supervisely",
    "label_studio",
    "yolo",
    "cityscapes",
    "color_masks",
    "suffix_masks",
]


# Sources of cats and dogs, in given splits.
_OWN_SPLITS = ("synthetic", "oxford_iiit_pet", "original_project")
_NUMBERED = ("folder", "suffix_masks")  # sources whose masks hold numbers without names


class DataParams(Section):
    """Where the images come from and what is done to them before training."""

    source: SourceName = Field(
        description="`synthetic` draws cats and dogs; `oxford_iiit_pet` is the official layout, downloaded "
        "when absent; `folder` is one's own images/ + masks/; `original_project` is Train/Val/Test folders; the "
        "others are exports of annotation tools, see formats.md."
    )
    root: str = Field(
        min_length=1,
        description="Folder that holds the images of every source but `synthetic`, or its address, such as "
        "`s3://bucket/folder`. Tracked by DVC: a changed image re-runs the pipeline.",
    )
    image_size: Annotated[int, Field(ge=16, le=2048)] = Field(
        description="Side of the square images that the models see, pixels; with `resize: crop`, of the crops that "
        "they are trained on."
    )
    resize: Literal["stretch", "pad", "crop"] = Field(
        description="`stretch` ignores the aspect ratio; `pad` keeps it, and padding counts nowhere; `crop` keeps "
        "images whole, at `scale`: training draws crops of them, and a window slides over them afterwards."
    )
    scale: Annotated[float, Field(gt=0.0, le=4.0)] = Field(
        description="Of `resize: crop`: the size at which images are kept, relative to their own. `stretch` and "
        "`pad` need 1.0."
    )
    classes: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=2, description="Class names by mask value, background first."
    )
    ignore_index: Annotated[int, Field(ge=0, le=255)] = Field(
        description="Mask value of `folder` data that marks unlabelled pixels (255 inside the pipeline)."
    )
    mask_values: list[Annotated[int, Field(ge=0, le=255)]] = Field(
        description="Value in the mask files of each of `classes`, background first; empty: class numbers 0, 1, 2, …"
    )
    unnamed_classes: Literal["stop", "background", "ignore"] = Field(
        description="What pixels are whose class an export names and `classes` does not: an error, background, or "
        "unlabelled."
    )
    colors: list[Annotated[str, Field(min_length=1)]] = Field(
        description="Of masks in colour, a class and its colour in each entry, as in label_colors.txt (`leaf 0 128 "
        "0`); empty: as the list in `root` says (`color_masks`), or masks hold numbers (`folder`)."
    )
    val_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        description="Share of trainval that is held out for validation where the data bring no such split."
    )
    val_blocks: CountOrZero = Field(
        description="Images of a breed with neighbouring numbers that go into train or val together, of the official "
        "Oxford layout: neighbours are often shots of one animal (0: each image by itself)."
    )
    test_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        description="Share held out for testing where the data bring no test split (`folder` data and exports)."
    )
    label_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        description="Share of the training masks that segmentation may see; nested and stratified. The "
        "autoencoder sees every training image all the same."
    )
    group_by: Literal["none", "folder"] = Field(
        description="What keeps images in one split, beside near-duplicates and groups.csv: `folder` is the "
        "sub-folder (one patient, one scene), of `folder` data and of exports."
    )
    sixteen_bits: Literal["full", "found"] = Field(
        description="What value of 16-bit images becomes white: `full`, 65535, or `found`, the full scale "
        "of the bits that the images use (4095 for 12 bits in 16, as of CT and microscopes); one scale for all, lone "
        "hot pixels left out."
    )
    alpha: Literal["matte", "drop"] = Field(
        description="A fourth band: `matte` takes it for transparency, with mid-grey behind; `drop` takes the "
        "colours as they are (infrared, depth)."
    )
    exif: Literal["apply", "ignore", "with_mask"] = Field(
        description="Images that EXIF says are turned: `apply` turns them, and their masks lie on the turned image; "
        "`ignore` turns neither; `with_mask` turns both."
    )
    on_error: Literal["stop", "skip"] = Field(
        description="What to do about an unusable file: stop the run, or leave it out, count and list it."
    )
    workers: CountOrZero = Field(description="Processes that decode images (0: one per core).")
    masks: MaskCleaningParams
    leak_check: LeakCheckParams
    synthetic: SyntheticParams

    @model_validator(mode="after")
    def _check(self) -> DataParams:
        check_class_names(self.classes)
        if self.source in _OWN_SPLITS and len(self.classes) != 3:
            raise ValueError(
                f"classes: source {self.source!r} has 3 classes (background, cat, dog), found {self.classes}"
            )
        if self.scale != 1.0 and self.resize != "crop":
            raise ValueError(
                f"scale: found {self.scale:g} with resize {self.resize!r}, which brings every image to image_size; "
                "write scale: 1.0, or resize: crop"
            )
        if self.group_by != "none" and self.source in _OWN_SPLITS:
            raise ValueError(
                f"group_by: is of folders and exports, found source {self.source!r}; write group_by: none"
            )
        if self.val_blocks and self.source not in ("oxford_iiit_pet", "synthetic"):
            raise ValueError(
                f"val_blocks: are of the official Oxford layout, found source {self.source!r}; write val_blocks: 0, "
                "and keep images together with group_by or groups.csv"
            )
        self._check_mask_values()
        return self

    def _check_mask_values(self) -> None:
        numbered = self.source in _NUMBERED
        if self.colors and not (numbered or self.source == "color_masks"):
            raise ValueError(
                f"colors: are of sources 'color_masks' and {_NUMBERED}, found source {self.source!r}; write "
                "colors: []"
            )
        if not numbered and (self.mask_values or self.masks.threshold):
            raise ValueError(
                f"mask_values, masks.threshold: are of sources {_NUMBERED}, found source {self.source!r}; write "
                "mask_values: [] and threshold: 0"
            )
        if sum(map(bool, (numbered and self.colors, self.mask_values, self.masks.threshold))) > 1:
            raise ValueError("colors, mask_values, masks.threshold: more than one is set; empty the others")
        if self.masks.threshold and len(self.classes) != 2:
            raise ValueError(
                f"masks.threshold: divides into background and one class, found classes {self.classes}"
            )
        if self.mask_values:
            if len(set(self.mask_values)) != len(self.classes) or len(self.mask_values) != len(self.classes):
                raise ValueError(
                    f"mask_values: expected one value a class, all different, found {self.mask_values} for "
                    f"{self.classes}"
                )
            if self.ignore_index in self.mask_values:
                raise ValueError(
                    f"ignore_index: {self.ignore_index} is also in mask_values {self.mask_values}; choose a value "
                    "that the masks do not hold"
                )
        elif not self.masks.threshold and self.ignore_index < len(self.classes):
            raise ValueError(
                f"ignore_index: {self.ignore_index} is also the value of class "
                f"{self.classes[self.ignore_index]!r}; choose one from {len(self.classes)} to 255"
            )
