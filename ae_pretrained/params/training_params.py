"""Parameters of the two training stages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ae_pretrained.params.section import (
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    OpenFraction,
    Positive,
    Section,
)

ClassWeighting = Literal["dynamic", "static", "square_root", "none"]


class ColorParams(Section):
    """Random changes of colour and sharpness."""

    jitter: Fraction = Field(description="Probability of colour jitter.")
    brightness: Fraction = Field(description="Brightness factor is drawn from [1 - b, 1 + b].")
    contrast: Fraction = Field(description="Contrast factor is drawn from [1 - c, 1 + c].")
    saturation: Fraction = Field(description="Saturation factor is drawn from [1 - s, 1 + s].")
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = Field(description="Hue shift in turns.")
    blur: Fraction = Field(description="Probability of a Gaussian blur (3x3, sigma 0.1 to 1.5).")


class AugmentationParams(ColorParams):
    """Random changes of whole batches, image and mask together; drawn anew every epoch."""

    flip: Fraction = Field(description="Probability of a left-right flip.")
    affine: Fraction = Field(description="Probability of rotation + scaling + translation.")
    rotate: Annotated[float, Field(ge=0.0, le=180.0)] = Field(description="Largest rotation, degrees.")
    scale: OpenFraction = Field(description="Scale is drawn from [1 - s, 1 + s].")
    translate: OpenFraction = Field(description="Largest shift as a share of the side.")
    noise: Fraction = Field(description="Probability of Gaussian noise.")
    noise_std: NonNegative = Field(description="Standard deviation of that noise, images in [0, 1].")
    erase: Fraction = Field(description="Probability of coarse dropout: a random box of the image is greyed.")


class TrainingParams(Section):
    """What both training stages have in common."""

    epochs: Count = Field(description="Most epochs that are trained.")
    updates_per_epoch: CountOrZero = Field(
        description="Updates per epoch, drawing images again as needed (0: one pass over the data)."
    )
    half_size: OpenFraction = Field(
        description="Share of the epochs, from the start, trained at half of `data.image_size`, at a quarter of "
        "the work (progressive resizing). Validation is at full size throughout, and `patience` counts from there."
    )
    batch_size: Count = Field(description="Images per update and device.")
    optimizer: Literal["adam", "adamw", "sgd"] = Field(description="`sgd` uses Nesterov momentum.")
    lr: Positive = Field(description="Peak learning rate.")
    weight_decay: NonNegative = Field(description="Weight decay.")
    momentum: OpenFraction = Field(description="Momentum of `sgd`; first beta of the Adam family.")
    schedule: Literal["cosine", "polynomial", "constant"] = Field(
        description="Learning rate over the run: cosine to 0, polynomial with power 0.9, or constant."
    )
    warmup: OpenFraction = Field(description="Share of the run in which the rate rises linearly.")
    patience: CountOrZero = Field(description="Epochs without improvement before stopping (0: never stop).")
    keep: Literal["best", "last"] = Field(
        description="Weights that are kept: `best`, of the epoch that is best on val, or `last`, of the last epoch, "
        "for which nothing is chosen on val; needs `patience: 0`."
    )
    precision: Literal["auto", "32", "bf16", "16"] = Field(
        description="`auto`: bf16 where the hardware has it (CPUs included), else fp16 on a GPU, else fp32."
    )
    gradient_clip: NonNegative = Field(description="Largest norm of the gradient (0: no clipping).")
    ema_decay: OpenFraction = Field(
        description="Decay of the exponential moving average of the weights, which is what is kept (0: none)."
    )
    augmentation: AugmentationParams

    @model_validator(mode="after")
    def _check_keep(self) -> TrainingParams:
        if self.keep == "last" and self.patience > 0:
            raise ValueError(
                f"keep: 'last' is for a run whose length is fixed beforehand, but patience: {self.patience} ends it "
                "by its scores on val; write patience: 0, or keep: best"
            )
        return self

    @property
    def half_size_epochs(self) -> int:
        """Epochs at the start that are trained at half the size; always fewer than all."""
        return int(self.half_size * self.epochs)


class ReconstructionLossParams(Section):
    """A weighted sum: MSE, perceptual, 1 - SSIM, latent perceptual, contrastive, dense contrastive."""

    mse: NonNegative = Field(description="Weight of the mean squared error.")
    perceptual: NonNegative = Field(description="Weight of the perceptual loss.")
    ssim: NonNegative = Field(description="Weight of 1 - SSIM (11x11 Gaussian window, sigma 1.5).")
    latent: NonNegative = Field(
        description="Weight of the latent perceptual loss: the encoder's two deepest stages must predict the "
        "features of `teacher`. It brings in what that learnt from other images, and of `efficientnet_lite0` from "
        "ImageNet's labels."
    )
    teacher: Annotated[str, Field(pattern=r"^(efficientnet_lite0|timm/[\w.]+(@.+)?)$")] = Field(
        description="Of `latent`: `efficientnet_lite0` comes inside a package; `timm/NAME` is a pretrained network "
        "of the package timm, `timm/NAME@FILE` with the weights of a local file (docs/encoders.md)."
    )
    teacher_size: CountOrZero = Field(
        description="Side in pixels at which a teacher of timm sees images (0: its own); `efficientnet_lite0` goes "
        "by `perceptual_size`."
    )
    contrastive: NonNegative = Field(
        description="Weight of NT-Xent (SimCLR) between two views of every image, on the pooled features of the "
        "encoder's two deepest stages. Above 0, `views` take the place of `augmentation`, and every other part of "
        "the loss is of the views, too."
    )
    dense: NonNegative = Field(
        description="Weight of the same loss between the same place in two views, on the maps of the two stages "
        "above the deepest; negatives are places of other images. Above 0, `views` are drawn, as for `contrastive`."
    )
    temperature: Positive = Field(description="Of `contrastive` and `dense`.")
    shuffled: bool = Field(
        description="A control: `contrastive` and `dense` pair each image with the next one of the batch, which "
        "teaches nothing about what is in an image."
    )
    perceptual_network: Literal["efficientnet_lite0", "vgg16"] = Field(
        description="ImageNet features: `efficientnet_lite0` comes inside a package; `vgg16` is downloaded."
    )
    perceptual_levels: Annotated[int, Field(ge=1, le=5)] = Field(
        description="Resolutions of `efficientnet_lite0` that are compared, from stride 2 on: 3 (to stride 8) "
        "sees texture and parts, 5 (to stride 32) what a thing is."
    )
    perceptual_size: CountOrZero = Field(
        description="Side in pixels to which smaller images are enlarged before ImageNet's network sees them (0: "
        "as they are). Deep levels need it: they learnt on 224 px."
    )
    on: Literal["all", "corrupted"] = Field(
        description="Pixels whose error counts in the MSE: all, or only those that the corruption changed."
    )

    @model_validator(mode="after")
    def _check(self) -> ReconstructionLossParams:
        if self.teacher_size > 0 and self.teacher == "efficientnet_lite0":
            raise ValueError(
                "teacher_size: is for a teacher of timm; efficientnet_lite0 goes by perceptual_size"
            )
        if self.mse + self.perceptual + self.ssim == 0:
            raise ValueError("mse, perceptual, ssim: at least one weight must be above 0")
        return self


class CorruptionParams(Section):
    """The pretext task: what is done to the input that the autoencoder has to undo."""

    kind: Literal["none", "noise", "mask", "both"] = Field(
        description="`none` is plain reconstruction; `noise` adds Gaussian noise; `mask` hides blocks."
    )
    noise_std: NonNegative = Field(description="Standard deviation of the noise, images in [0, 1].")
    mask_fraction: OpenFraction = Field(description="Share of the blocks that is hidden.")
    mask_block: Count = Field(description="Side of a block, pixels.")


class ViewsParams(ColorParams):
    """Two views of every image, for `loss.contrastive` and `loss.dense`; drawn anew every epoch."""

    smallest_area: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        description="A view is a crop whose area is drawn from [smallest_area, 1] of the image; of `data.resize: "
        "crop`, of a window somewhat larger than `data.image_size`."
    )
    flip: Fraction = Field(description="Probability of a left-right flip.")
    grey: Fraction = Field(description="Probability that a view loses its colours.")
    places: Count = Field(description="Places per image that `loss.dense` compares.")
    reconstructed: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        description="Share of the views of a batch that are reconstructed in training. The decoder takes much "
        "of the time: with 0.125, an update of 128 images of 64 px took 0.4 to 0.6 of it on a CPU."
    )


class TrainAEParams(TrainingParams):
    """Pretraining of the autoencoder, without labels."""

    init: Literal["scratch", "imagenet"] = Field(
        description="`imagenet` goes on from the pretrained weights of `model.encoder`; `convolutional` has none."
    )
    skips: Literal["full", "none"] | Annotated[int, Field(ge=1)] = Field(
        description="Skip connections while pretraining: `full`, `none`, or how many of the top levels (the "
        "highest resolutions) are dropped."
    )
    loss: ReconstructionLossParams
    corruption: CorruptionParams
    views: ViewsParams

    @model_validator(mode="after")
    def _check(self) -> TrainAEParams:
        if self.loss.contrastive + self.loss.dense > 0 and self.batch_size < 2:
            raise ValueError(
                "batch_size: 1 leaves loss.contrastive and loss.dense no other image to tell apart; use at least 2"
            )
        if self.loss.on == "corrupted" and self.corruption.kind == "none":
            raise ValueError("loss.on: 'corrupted' needs a corruption.kind other than 'none'")
        return self


class SegmentationLossParams(Section):
    """loss = dice * soft Dice + cross_entropy * weighted cross-entropy; ignored pixels count in neither."""

    dice: NonNegative = Field(description="Weight of the soft Dice loss.")
    cross_entropy: NonNegative = Field(description="Weight of the cross-entropy.")
    class_weights: ClassWeighting = Field(
        description="Cross-entropy weights by inverse pixel frequency: per batch, over train, square root, or none."
    )

    @model_validator(mode="after")
    def _check(self) -> SegmentationLossParams:
        if self.dice + self.cross_entropy == 0:
            raise ValueError("dice, cross_entropy: at least one weight must be above 0")
        return self


class UnlabelledParams(ColorParams):
    """Images without labels beside the labelled ones: those without mask, and those beyond `data.label_fraction`.

    The keys of colour are of what the student sees.
    """

    use: Literal["none", "mean_teacher"] = Field(
        description="`mean_teacher`: the moving average of the weights (`ema_decay`) labels these images, and the "
        "network has to see the same in strongly changed ones. Their masks, where there are any, are not read."
    )
    batch_size: CountOrZero = Field(
        description="Unlabelled images per update and device (0: twice `train_seg.batch_size`)."
    )
    weight: Positive = Field(description="Weight of their loss.")
    ramp: Fraction = Field(description="Share of the run in which this weight rises from nearly 0.")
    confidence: Fraction = Field(
        description="Least probability, by the teacher, of a pixel's class that the network has to predict."
    )
    cutmix: Fraction = Field(
        description="Probability that a box, half of an image, comes from another image (CutMix)."
    )
    grey: Fraction = Field(description="Probability that an image loses its colours.")


class TrainSegParams(TrainingParams):
    """Transfer to segmentation."""

    init: Literal["scratch", "autoencoder", "random_frozen", "imagenet"] = Field(
        description="Where the encoder comes from. `random_frozen` is a control: random and never trained. "
        "`imagenet` is `model.encoder` with its pretrained weights; in place of `convolutional`, EfficientNet-Lite0."
    )
    transfer: Literal["encoder", "encoder_decoder"] = Field(
        description="What `autoencoder` carries over: the encoder, or the decoder too (all but the head)."
    )
    freeze_epochs: Annotated[int, Field(ge=-1)] = Field(
        description="Epochs at the start with the encoder frozen (-1: always frozen)."
    )
    encoder_lr_scale: Annotated[float, Field(gt=0.0, le=10.0)] = Field(
        description="Learning rate of a pretrained encoder relative to `lr`."
    )
    balanced_sampler: bool = Field(
        description="Draw the training images so that every foreground class is met equally often."
    )
    foreground_crops: Fraction = Field(
        description="Of `data.resize: crop`: share of the crops that are centred on a pixel of a foreground class, "
        "each class in turn; the others lie anywhere."
    )
    loss: SegmentationLossParams
    unlabelled: UnlabelledParams

    @model_validator(mode="after")
    def _check_teacher(self) -> TrainSegParams:
        if self.unlabelled.use == "mean_teacher" and self.ema_decay == 0:
            raise ValueError(
                "unlabelled.use: the teacher of 'mean_teacher' is the moving average of the weights, but ema_decay: "
                "0.0 keeps none; write ema_decay: 0.99"
            )
        return self

    @property
    def unlabelled_batch_size(self) -> int:
        """Unlabelled images per update and device."""
        return self.unlabelled.batch_size or 2 * self.batch_size
