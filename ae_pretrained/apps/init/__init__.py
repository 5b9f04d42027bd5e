"""A project folder for one's own images: looked at, set up, ready for ``dvc repro``."""
