"""Values that all of the data layer agrees on."""

from __future__ import annotations

IGNORE_INDEX = 255

# What a folder of prepared arrays holds.
IMAGES, MASKS, INDEX = "images.npy", "masks.npy", "index.csv"
# Of data.resize: crop, pixels that crops may be centred on, and the column of the index with an image's first pixel.
ANCHORS, OFFSET = "anchors.npy", "offset"
DECODING = "decoding.json"  # how files became pixels, where that is not as by default; a model has to know

IMAGENET_STRIDE = 32  # px of an image for one of the deepest features of the ImageNet encoder
