"""The schema of ``params.yaml`` and how it is read."""

from ae_pretrained.params.reading import ParamsError, load_params, read_params, validate_params
from ae_pretrained.params.schema import Params

__all__ = ["Params", "ParamsError", "load_params", "read_params", "validate_params"]
