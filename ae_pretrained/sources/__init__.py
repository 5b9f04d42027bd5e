"""Where images and masks come from. ``sources.fetch``, which also draws, is for the stage fetch to import."""

from ae_pretrained.sources.base import DataError, Source

__all__ = ["DataError", "Source"]
