"""Which names a class may have: they become keys of metrics, columns of tables and labels of figures."""

from __future__ import annotations

from collections.abc import Sequence

from ae_pretrained.names import shown

_LONGEST = 60  # characters
_SEPARATORS = {
    ".": "keys of metrics are written with dots",
    "/": "it parts folders",
    "\\": "it parts folders",
}

_OF_EVAL_SEG = (  # metrics/eval_seg.json, where a class has a key beside these
    *(
        "absent_classes",
        "boundary_iou",
        "expected_calibration_error",
        "flip_averaging",
        "image_class_accuracy",
    ),
    *("mean_dice", "mean_foreground_dice", "mean_image_dice", "mean_iou", "mean_iou_all_background"),
    *("mean_iou_ci95", "num_images", "num_images_with_foreground", "pixel_accuracy"),
    *("dice", "iou", "precision", "recall"),
)
_OF_PREPARE = (  # metrics/prepare.json; pixels of no class, images of a class that nobody knows
    *(
        "ignored",
        "unknown",
        "num_listed",
        "num_train",
        "num_val",
        "num_test",
        "num_unlabelled",
        "num_left_out",
    ),
    *("left_out", "num_near_duplicates", "num_leaks", "near_duplicates", "classes", "num_breeds", "breeds"),
    *("pixel_share", "original_size", "warnings", "audit"),
)
_OF_TRAIN_SEG = (  # plots/train_seg.csv
    *("epoch", "lr", "encoder_lr", "train_loss", "train_cross_entropy", "train_dice"),
    *("val_loss", "val_cross_entropy", "val_dice", "val_mean_foreground_dice", "val_mean_iou"),
)
RESERVED = frozenset((*_OF_EVAL_SEG, *_OF_PREPARE, *_OF_TRAIN_SEG, "none"))
"""Names that metrics and tables use for something else; case does not matter."""


def check_class_names(names: Sequence[str]) -> None:
    """Refuse names that would stand for two things, or that a file or figure cannot show.

    Args:
        names: of the classes, background first.

    Raises:
        ValueError: naming the class, the reason and a name that would do.
    """
    before: dict[str, str] = {}
    for place, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"classes: name {place} is empty, found {name!r}; name every class")
        if name != name.strip() or shown(name) != name:
            raise ValueError(
                f"classes: {name!r} holds spaces at its ends, line breaks or control characters; write plain text"
            )
        if len(name) > _LONGEST:
            raise ValueError(f"classes: {name!r} has {len(name)} characters; use at most {_LONGEST}")
        for character, why in _SEPARATORS.items():
            if character in name:
                better = name.replace(character, "_")
                raise ValueError(f"classes: {name!r} holds {character!r}, and {why}; call it {better!r}, say")
        key = name.casefold()
        if key in RESERVED:
            raise ValueError(
                f"classes: {name!r} is the name of something else in metrics and tables; call it '{name}_class', "
                f"say. Reserved are {', '.join(sorted(RESERVED))}"
            )
        if key in before:
            how = "twice" if before[key] == name else f"and {before[key]!r}, which differ in case only"
            raise ValueError(f"classes: names must differ, found {name!r} {how}")
        if key == "background" and place:
            raise ValueError(
                f"classes: 'background' stands for the first class, mask value 0, found it at {place}; put it first, "
                "or give this class another name"
            )
        before[key] = name
