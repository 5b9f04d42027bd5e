"""Losses of reconstruction, of contrast and of segmentation."""

from ae_pretrained.losses.contrastive_loss import ContrastiveLoss, DenseContrastiveLoss
from ae_pretrained.losses.cross_entropy_loss import CrossEntropyLoss, inverse_frequency_weights
from ae_pretrained.losses.dice_loss import DiceLoss
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss
from ae_pretrained.losses.perceptual_loss import PerceptualLoss
from ae_pretrained.losses.reconstruction_loss import ReconstructionLoss, masked_mse
from ae_pretrained.losses.segmentation_loss import SegmentationLoss

__all__ = [
    "ContrastiveLoss",
    "CrossEntropyLoss",
    "DenseContrastiveLoss",
    "DiceLoss",
    "LatentPerceptualLoss",
    "PerceptualLoss",
    "ReconstructionLoss",
    "SegmentationLoss",
    "inverse_frequency_weights",
    "masked_mse",
]
