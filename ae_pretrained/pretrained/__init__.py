"""The weights that come with the package, and their model card (README.md)."""
