"""Using a trained segmenter: images in, masks, overlays and tables out."""

from ae_pretrained.prediction.outcome import Prediction
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.shipped import shipped_model

__all__ = ["Prediction", "Segmenter", "shipped_model"]
