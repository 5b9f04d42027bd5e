"""Phase 2: the segmenter, its encoder carried over."""

from ae_pretrained.finetuning.finetune import finetune

__all__ = ["finetune"]
