"""The training engine: Lightning tasks, resuming, determinism.

The names below need no Lightning; ``training.fit`` and ``training.training_task`` do.
"""

from ae_pretrained.training.optimization import learning_rate_factor, make_optimizer, make_scheduler

__all__ = ["learning_rate_factor", "make_optimizer", "make_scheduler"]
