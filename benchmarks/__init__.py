"""Speed, measured beside something: see README.md."""

import ae_pretrained  # noqa: F401  # first of all: torchvision and lightning cannot be imported without it
