"""Figures: arrays in, matplotlib figures out; no result is computed here."""

from ae_pretrained.figures.charts import confusion_matrix
from ae_pretrained.figures.image_grids import overlay_mask
from ae_pretrained.figures.style import class_colors, save_png

__all__ = ["class_colors", "confusion_matrix", "overlay_mask", "save_png"]
