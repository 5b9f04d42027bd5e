"""A trained segmenter in formats that run without this package."""
