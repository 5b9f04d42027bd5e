"""Pipelines of their own, which `dvc repro` at the root does not start."""
