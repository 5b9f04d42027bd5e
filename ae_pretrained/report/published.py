"""Published results on Oxford-IIIT Pet with the classes background, cat and dog.

Test split and ignored border unless the remark says otherwise. None of the sources gives an interval.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedResult:
    """One published segmentation result.

    Attributes:
        source: project.
        model: what was trained.
        mean_iou: over the three classes.
        iou: of background, cat and dog; None where not published.
        other: further figures as published.
        remark: what makes it hard to compare.
    """

    source: str
    model: str
    mean_iou: float
    iou: tuple[float, float, float] | None
    other: str
    remark: str


_REFERENCE = "reference implementation (coursework)"
_SEMANTIC = "semantic-segmentation-pets"
_CATDOG = "CatDogSegNet"
_TEAM = "another team, same coursework"
_VALIDATION = "validation split, border counted as background"

PUBLISHED = (
    PublishedResult(
        _REFERENCE,
        "U-Net from scratch, 512 px",
        0.689,
        (0.862, 0.563, 0.641),
        "foreground Dice 0.751, accuracy 0.876",
        "up to 200 epochs",
    ),
    PublishedResult(
        _REFERENCE,
        "frozen autoencoder encoder",
        0.333,
        (0.658, 0.000, 0.339),
        "foreground Dice 0.253, accuracy 0.657",
        "never predicts cat: the training diverged",
    ),
    PublishedResult(
        _REFERENCE,
        "CLIP ViT-B/16 features + U-Net",
        0.597,
        (0.809, 0.444, 0.537),
        "accuracy 0.818",
        "pretrained on outside data",
    ),
    PublishedResult(
        _SEMANTIC,
        "U-Net from scratch, 256 px",
        0.769,
        (0.923, 0.668, 0.715),
        "Dice 0.865",
        "the best from-scratch result with a clean protocol",
    ),
    PublishedResult(
        _SEMANTIC,
        "frozen autoencoder encoder",
        0.570,
        (0.858, 0.358, 0.494),
        "Dice 0.704",
        "the best autoencoder result with a clean protocol",
    ),
    PublishedResult(
        _CATDOG,
        "U-Net from scratch, 31 M parameters, 512 px",
        0.799,
        (0.932, 0.723, 0.743),
        "",
        _VALIDATION,
    ),
    PublishedResult(
        _CATDOG,
        "frozen autoencoder encoder, no skips",
        0.434,
        (0.800, 0.285, 0.217),
        "",
        "validation split",
    ),
    PublishedResult(_TEAM, "U-Net from scratch", 0.769, None, "", "treatment of the border not stated"),
    PublishedResult(_TEAM, "autoencoder encoder", 0.538, None, "", "treatment of the border not stated"),
    PublishedResult(
        _TEAM,
        "frozen CLIP ViT + decoder",
        0.895,
        None,
        "",
        "pretrained on outside data; treatment of the border not stated",
    ),
)

PUBLISHED_RECONSTRUCTION = (
    "The reference implementation's autoencoder reports MSE 0.0023, PSNR 28.23 dB and SSIM 0.876. Its PSNR is a "
    "mean over images (the pooled MSE gives 26.37 dB), its zero padding flatters all three, and its skip "
    "connections are open: with them, copying the input is the easy solution."
)
