"""Parameters of the evaluation stages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ae_pretrained.params.section import (
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    OpenFraction,
    Positive,
    Section,
)


class EvalAEParams(Section):
    """Evaluation of the autoencoder on the test split."""

    batch_size: Count = Field(description="Images per batch.")
    num_examples: Annotated[int, Field(ge=1, le=16)] = Field(
        description="Images shown for each of best, median and worst."
    )
    tsne_perplexity: Positive = Field(description="Perplexity of t-SNE (lowered where images are few).")
    tsne_points: Count = Field(description="Most images that t-SNE places.")
    knn_neighbors: Count = Field(description="Neighbours of the kNN probe of the latents.")


class EvalSegParams(Section):
    """Evaluation of the segmenter on the test split."""

    batch_size: Count = Field(description="Images per batch.")
    window: Annotated[int, Field(ge=32, le=4096)] = Field(
        description="Of `data.resize: crop`: side in pixels of the window that slides over an image."
    )
    overlap: Annotated[float, Field(ge=0.0, le=0.75)] = Field(
        description="Of `data.resize: crop`: share of its side by which a window overlaps the next one."
    )
    flip_averaging: bool = Field(description="Average the probabilities of an image and its mirror image.")
    bootstrap_samples: Count = Field(description="Resamplings behind the 95 % interval of the mean IoU.")
    boundary_width: Count = Field(description="Width of the band of the boundary IoU, pixels.")
    calibration_bins: Annotated[int, Field(ge=2, le=100)] = Field(
        description="Bins of the reliability diagram and the expected calibration error."
    )
    num_examples: Annotated[int, Field(ge=1, le=16)] = Field(
        description="Images shown for each of best, median and worst."
    )


class RobustnessParams(Section):
    """Mean IoU under corruptions of the test images, from the mildest strength to the strongest."""

    max_images: CountOrZero = Field(description="Test images used, spread over the split (0: all).")
    batch_size: Count = Field(description="Images per batch.")
    flip_averaging: bool = Field(description="As `eval_seg.flip_averaging`; twice the time.")
    gaussian_noise: list[NonNegative] = Field(description="Standard deviations, images in [0, 1].")
    gaussian_blur: list[NonNegative] = Field(description="Sigmas as shares of the side.")
    brightness_up: list[NonNegative] = Field(description="Added to the image, in [0, 1].")
    brightness_down: list[NonNegative] = Field(description="Subtracted from the image, in [0, 1].")
    contrast_up: list[Positive] = Field(description="Factors above 1 around the mean.")
    contrast_down: list[Fraction] = Field(description="Factors below 1 around the mean.")
    occlusion: list[OpenFraction] = Field(description="Share of the image under one grey square.")
    salt_and_pepper: list[OpenFraction] = Field(description="Share of pixels turned black or white.")
    jpeg: list[Annotated[int, Field(ge=1, le=100)]] = Field(description="JPEG qualities.")
