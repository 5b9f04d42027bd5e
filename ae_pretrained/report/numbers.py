"""Figures as people read them."""

from __future__ import annotations

from typing import Any


def format_number(value: Any) -> str:
    """A figure for people: four decimals, thousands apart, lists with commas."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.2e}"
    if isinstance(value, list | tuple):
        return ", ".join(format_number(item) for item in value) or "none"
    return str(value)
