"""Which images to label next: embeddings, uncertainty, strategies, and val and test that stay as they are."""
