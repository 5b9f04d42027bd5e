"""A project folder for one's own pictures: looked at, set up, ready for ``dvc repro``."""
