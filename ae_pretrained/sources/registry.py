"""Which source reads which kind of data set."""

from __future__ import annotations

from pathlib import Path

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.sources.base import Source
from ae_pretrained.sources.folder import FolderSource
from ae_pretrained.sources.formats.detection import FORMATS, open_export
from ae_pretrained.sources.formats.suffix_masks import SuffixMaskSource
from ae_pretrained.sources.mask_rule import rule_of
from ae_pretrained.sources.original import OriginalSource
from ae_pretrained.sources.oxford import OxfordSource


def open_source(root: Path, params: DataParams) -> Source:
    """The source that ``data.source`` names, reading from ``root``; the embedded data has the official layout."""
    if params.source == "folder":
        return FolderSource(root, rule_of(params), params.group_by)
    if params.source == "suffix_masks":
        source = SuffixMaskSource(root, params.classes, params.ignore_index, rule=rule_of(params))
        source.group_by = params.group_by
        return source
    if params.source in FORMATS:
        return open_export(
            params.source,
            root,
            params.classes,
            params.ignore_index,
            params.unnamed_classes,
            params.colors,
            params.group_by,
        )
    if params.source == "original_project":
        return OriginalSource(root, params.classes)
    return OxfordSource(root, params.classes, params.val_blocks)
