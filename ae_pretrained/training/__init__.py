"""The training engine: Lightning tasks, resuming, determinism."""
