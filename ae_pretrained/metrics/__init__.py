"""Measures of reconstruction and segmentation, each over a whole split."""

from ae_pretrained.metrics.boundary import boundary_counts, boundary_iou
from ae_pretrained.metrics.calibration import CalibrationHistogram
from ae_pretrained.metrics.confusion import (
    class_counts,
    confusion_per_image,
    dice_per_class,
    iou_per_class,
    scores_from_confusion,
)
from ae_pretrained.metrics.image_quality import psnr, squared_error
from ae_pretrained.metrics.intervals import mean_iou_difference, mean_iou_interval
from ae_pretrained.metrics.ssim import ssim, ssim_per_image

__all__ = [
    "CalibrationHistogram",
    "boundary_counts",
    "boundary_iou",
    "class_counts",
    "confusion_per_image",
    "dice_per_class",
    "iou_per_class",
    "mean_iou_difference",
    "mean_iou_interval",
    "psnr",
    "scores_from_confusion",
    "squared_error",
    "ssim",
    "ssim_per_image",
]
