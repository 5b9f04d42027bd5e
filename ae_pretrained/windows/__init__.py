"""One window that slides over an image of any size, for evaluation and prediction alike; numpy alone."""

from ae_pretrained.windows.class_maps import best_classes, class_map
from ae_pretrained.windows.logits import probabilities_of, softmax
from ae_pretrained.windows.placement import OVERLAP, WINDOW, SmallImageError, check_windows, count_windows
from ae_pretrained.windows.sliding import Bands, slide

__all__ = [
    "OVERLAP",
    "WINDOW",
    "Bands",
    "SmallImageError",
    "best_classes",
    "check_windows",
    "class_map",
    "count_windows",
    "probabilities_of",
    "slide",
    "softmax",
]
