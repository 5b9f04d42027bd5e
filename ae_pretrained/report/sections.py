"""The galleries of the report: which images, in which order, and what they show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gallery:
    """Images of one folder below ``plots``.

    Attributes:
        anchor: id in the page.
        title: heading.
        short: the same in a word, for the menu.
        text: what to look for.
        folder: name of the folder.
        captions: file stem to caption, in the order shown. An image that a run did not make (data without
            breeds have no image by breed) is not shown.
    """

    anchor: str
    title: str
    short: str
    text: str
    folder: str
    captions: dict[str, str]


DATA_CAPTIONS = {
    "split_counts": "Images by split",
    "pixel_shares": "Pixels by class",
    "contact_train": "Images of train, with their masks",
    "contact_val": "Images of val, with their masks",
    "contact_test": "Images of test, with their masks",
    "contact_unlabelled": "Images without a usable mask",
    "suspicious": "Images to look at: tables/audit.csv says why",
}
"""Images of the stage ``prepare``, file stem to caption, in the order shown."""

_RANKS = ("best", "median", "worst")

GALLERIES = (
    Gallery(
        "segmentation",
        "Segmentation",
        "Segmentation",
        "Test images, ranked by their own mean IoU. Look at the worst ones: some are errors of the labels.",
        "eval_seg",
        {f"segmentation_{rank}": f"Image, truth, prediction, overlay: {rank}" for rank in _RANKS},
    ),
    Gallery(
        "explanations",
        "Errors, confidence, explanations",
        "Explanations",
        "The same images: the error of every pixel, how certain the network is, and what it looks at.",
        "eval_seg",
        {
            "error_maps": "Error of every pixel",
            "confidence": "Probability of every class, and the highest of them",
            "grad_cam_bottleneck": "Grad-CAM on the bottleneck",
            "grad_cam_last_decoder_stage": "Grad-CAM on the last decoder stage",
        },
    ),
    Gallery(
        "errors",
        "Where the errors are",
        "Errors",
        "Computed from the pixel counts of the whole test split; ignored pixels are not counted.",
        "eval_seg",
        {
            "confusion_matrix": "Confusion matrix",
            "class_scores": "Scores by class",
            "class_distribution": "Class distribution, truth and prediction",
            "reliability": "Reliability: confidence against accuracy",
            "score_by_size": "Mean IoU by size of the foreground",
            "score_by_breed": "Mean IoU by breed",
        },
    ),
    Gallery(
        "robustness",
        "Robustness",
        "Robustness",
        "Mean IoU on distorted test images. The network is the same; only its input gets worse.",
        "robustness",
        {"robustness": "Mean IoU by corruption and strength"},
    ),
    Gallery(
        "reconstruction",
        "Reconstruction",
        "Reconstruction",
        "Reconstructions of test images, ranked by PSNR. If the pretext task corrupts the input, the network is "
        "trained on corrupted images only, and clean input is new to it.",
        "eval_ae",
        {f"reconstructions_corrupted_{rank}": f"Corrupted input: {rank} by PSNR" for rank in _RANKS}
        | {f"reconstructions_{rank}": f"Clean input: {rank} by PSNR" for rank in _RANKS},
    ),
    Gallery(
        "embeddings",
        "Embeddings",
        "Embeddings",
        "Deepest features of the encoder, averaged over each image. The list of all figures has the accuracy of a "
        "linear classifier on them.",
        "eval_ae",
        {
            "embeddings_class": "PCA and t-SNE, coloured by class",
            "embeddings_breed": "PCA and t-SNE, by breed",
        },
    ),
)
