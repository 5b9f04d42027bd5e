"""Let torchvision be imported next to a CPU-only build of torch.

The wheels of torchvision on the Python package index are CUDA builds. Beside a CPU build of torch their
compiled extension cannot be loaded, and ``import torchvision`` (hence torchmetrics and lightning, which try
it) stops with ``operator torchvision::nms does not exist``. Nothing in this package uses those operators, so
it is enough to *declare* them before torchvision asks for them.

The declaration must not happen where the extension does load (a matching build of torchvision defines the
same operators itself), therefore it waits for the first import of torchvision and tries the extension first.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[object] = []  # a torch.library.Library un-declares its operators when it is collected


class _DeclareTorchvisionOperators(MetaPathFinder):
    """A finder that finds nothing: it only acts before the real import of torchvision goes on."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare_missing_operators()


def _declare_missing_operators() -> None:
    import torch

    if torch.version.cuda is not None:
        return
    spec = importlib.machinery.PathFinder.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for extension in sorted(Path(spec.origin).parent.glob("_C*.so")):
        try:
            torch.ops.load_library(str(extension))
        except OSError:  # a CUDA build: its libraries are not on this machine
            continue
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)


def install() -> None:
    """Arrange for torchvision to be importable; costs nothing until it is imported."""
    if "torchvision" in sys.modules or any(
        isinstance(finder, _DeclareTorchvisionOperators) for finder in sys.meta_path
    ):
        return
    sys.meta_path.insert(0, _DeclareTorchvisionOperators())
