"""Values that all of the data layer agrees on."""

from __future__ import annotations

IGNORE_INDEX = 255
