"""Pretraining as a Lightning task: corrupt, reconstruct, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import share_of
from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.batches import Batch, halve
from ae_pretrained.dataset.colours import Colours
from ae_pretrained.dataset.corruption import corrupt
from ae_pretrained.dataset.views import ViewPair, Views
from ae_pretrained.losses.contrastive_loss import ContrastiveLoss, DenseContrastiveLoss
from ae_pretrained.losses.feature_cache import FeatureCache
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss
from ae_pretrained.losses.reconstruction_loss import ReconstructionLoss
from ae_pretrained.metrics.image_quality import psnr, squared_error
from ae_pretrained.metrics.ssim import ssim
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.transfer import parameter_groups
from ae_pretrained.params.training_params import TrainAEParams
from ae_pretrained.training.training_task import TrainingTask

# Keys of train_ae.loss that ReconstructionLoss takes; the others are of losses of their own.
_RECONSTRUCTION = {
    "mse",
    "perceptual",
    "ssim",
    "perceptual_network",
    "perceptual_levels",
    "perceptual_size",
    "on",
}


class AutoencoderTask(TrainingTask):
    """Trains an autoencoder to undo a corruption, and if asked to tell views of one image from those of others.

    Batches are (images, padding): in the second, 255 marks pixels that count nowhere.

    Args:
        network: the autoencoder.
        params: the section of params.yaml.
        seed: the run's seed.
        crop: side of the square in the middle of the images of a batch that is trained on; None for all of it.
        cache: folder for what the teacher of the latent loss sees in images that come again (those of validation, and
            where augmentation is flips alone those of training); None to compute it every time.
    """

    network: Autoencoder
    params: TrainAEParams

    def __init__(
        self,
        network: Autoencoder,
        params: TrainAEParams,
        seed: int,
        crop: int | None = None,
        cache: Path | None = None,
    ) -> None:
        super().__init__(network, params, seed, self._parameter_groups, "train_ae")
        self.augment, self.crop = Augmentation(**params.augmentation.model_dump()), crop
        self.corruption = params.corruption.model_dump()
        self.loss = ReconstructionLoss(**params.loss.model_dump(include=_RECONSTRUCTION))
        self.cache = cache
        self.latent: LatentPerceptualLoss | None = None
        self.latent_weight = params.loss.latent
        if params.loss.latent > 0:
            encoder = network.encoder
            lite = params.loss.teacher == "efficientnet_lite0"
            size = params.loss.perceptual_size if lite else params.loss.teacher_size
            self.latent = LatentPerceptualLoss(encoder.channels, encoder.strides, size, params.loss.teacher)
        self._build_contrast()

    def _build_contrast(self) -> None:
        """Last of all, so that without it every draw of the other parts is the same."""
        loss, channels = self.params.loss, self.network.encoder.channels
        self.views: Views | None = None
        self.contrastive: ContrastiveLoss | None = None
        self.dense: DenseContrastiveLoss | None = None
        if loss.contrastive + loss.dense > 0:
            views = self.params.views.model_dump(exclude={"reconstructed"})
            colours = Colours(**{name: views.pop(name) for name in Colours.__dataclass_fields__})
            self.views = Views(**views, colours=colours)
        if loss.contrastive > 0:
            self.contrastive = ContrastiveLoss(channels, loss.temperature, shuffled=loss.shuffled)
        if loss.dense > 0:
            self.dense = DenseContrastiveLoss(channels, loss.temperature, shuffled=loss.shuffled)

    def on_fit_start(self) -> None:
        # EfficientNet-Lite0 on a GPU is done before the pictures have come back from it to be looked up.
        pays = self.device.type == "cpu" or self.params.loss.teacher != "efficientnet_lite0"
        if self.latent is not None and self.cache is not None and pays:
            self.latent.cache = FeatureCache(self.cache / f"teacher_features_{self.global_rank}.sqlite")

    def _come_again(self) -> bool:
        """Whether later epochs have the same images as this batch, to the pixel."""
        if self.views is not None:
            return False
        return not self.training or (self.crop is None and self.augment.only_flips)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        groups = parameter_groups(self.network, self.params.lr, 1.0, self.params.weight_decay)
        for name in ("latent", "contrastive", "dense"):
            if (loss := getattr(self, name)) is not None:
                maps = {"params": list(loss.parameters()), "lr": self.params.lr, "name": name}
                groups.append({**maps, "weight_decay": self.params.weight_decay})
        return groups

    def _drawn(
        self, batch: Batch, generator: torch.Generator, size: int | None
    ) -> tuple[Tensor, Tensor, ViewPair | None]:
        """Images and padding that are trained on, and the views that they are, if any."""
        if self.views is None:
            return *self.augment(*batch, generator, size=size), None
        pair = self.views(*batch, generator, size=size)
        return pair.images, pair.masks, pair

    def _losses(
        self,
        images: Tensor,
        padding: Tensor,
        generator: torch.Generator,
        pair: ViewPair | None,
        *,
        half_size: bool = False,
    ) -> dict[str, Tensor]:
        original = images
        if half_size:
            images, padding = halve(images, padding)
        valid = (padding != IGNORE_INDEX).unsqueeze(1)
        seen, changed = corrupt(images, **self.corruption, generator=generator)
        count = self._reconstructed_of(len(images))
        # One call of the network, which is what torch.compile compiles.
        output, features = self.network(seen, with_features=True, decoded=count)
        losses = self.loss(output, images[:count], valid[:count], changed[:count])
        if self.latent is not None:
            # The ImageNet network may look at every pixel there is.
            losses["latent"] = self.latent(features, original, valid, come_again=self._come_again())
            losses["total"] = losses["total"] + self.latent_weight * losses["latent"]
        if pair is not None:
            self._add_contrast(losses, features, valid, pair)
        return losses

    def _reconstructed_of(self, number: int) -> int | None:
        """How many of ``number`` images are reconstructed in training; None for all of them."""
        share = self.params.views.reconstructed
        return share_of(number, share) if self.views is not None and self.training and share < 1 else None

    def _add_contrast(
        self, losses: dict[str, Tensor], features: list[Tensor], valid: Tensor, pair: ViewPair
    ) -> None:
        # In validation, processes may have batches of other sizes, or fewer of them: each looks at its own.
        gather = self._gather if self.training and self.trainer.world_size > 1 else None
        if self.contrastive is not None:
            losses["contrastive"] = self.contrastive(features, valid, gather)
            losses["total"] = losses["total"] + self.params.loss.contrastive * losses["contrastive"]
        if self.dense is not None:
            losses["dense"] = self.dense(features, pair.places, pair.counted, gather)
            losses["total"] = losses["total"] + self.params.loss.dense * losses["dense"]

    def _gather(self, values: Tensor) -> Tensor:
        """Of every process, (W, …): all compute the one loss of the whole batch, and its gradient is exact."""
        gathered = self.all_gather(values, sync_grads=True)
        assert isinstance(gathered, Tensor)
        return gathered

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        generator = self.training_generator(batch_idx)
        images, padding, pair = self._drawn(batch, generator, self.crop)
        losses = self._losses(images, padding, generator, pair, half_size=self.at_half_size)
        return self.report(losses, "train", len(images))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        images, padding = batch
        generator = self.validation_generator(batch_idx)
        drawn = (images, padding, None) if self.views is None else self._drawn(batch, generator, None)
        seen, hidden, pair = drawn
        self.report(self._losses(seen, hidden, generator, pair), "val", len(images))
        # The quality that people ask about is that of clean images, whatever the pretext task was.
        valid = (padding != IGNORE_INDEX).unsqueeze(1)
        output = self.network(images).float()
        total, count = squared_error(output, images, valid)
        scores: dict[str, Any] = {
            "val_psnr": float(psnr((total / count).cpu().numpy()).mean()),
            "val_ssim": ssim(output, images, valid),
        }
        self.log_dict(scores, on_epoch=True, batch_size=len(images), sync_dist=True)
