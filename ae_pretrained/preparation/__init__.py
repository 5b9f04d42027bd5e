"""From files to arrays: decoding, cleaning, resizing, splits."""

from ae_pretrained.preparation.resize import content_box, resize_image, resize_mask
from ae_pretrained.sources.image_reader import read_image
from ae_pretrained.sources.mask_reader import read_mask

__all__ = ["content_box", "read_image", "read_mask", "resize_image", "resize_mask"]
