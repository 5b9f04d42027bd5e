"""Which cells may be compared with each other, and what a row of the table mixes.

Two arms are compared seed by seed. That the same seed draws the same batches holds within one code version and for
the same images alone. Another machine rounds sums differently: one more source of chance, which is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNKNOWN = "unknown"
_SHORT = 7  # digits of a commit or a digest
BySeed = Mapping[int, dict[str, Any]]


def origin(cell: dict[str, Any]) -> dict[str, str]:
    """Commit, code and machine of a cell, in short."""
    made_by = cell.get("provenance") or {}
    commit = (made_by.get("commit") or _UNKNOWN)[:_SHORT]
    device = made_by.get("device") or "cpu"
    return {
        "commit": commit + ("+changes" if made_by.get("modified") else ""),
        "code": (made_by.get("code") or _UNKNOWN)[:_SHORT],
        "machine": (made_by.get("processor") or _UNKNOWN) if device == "cpu" else device,
    }


def mixture(by_seed: BySeed) -> dict[str, str]:
    """The commits, code versions and machines of a row, each once."""
    origins = [origin(cell) for cell in by_seed.values()]
    columns = {"commits": "commit", "code": "code", "machines": "machine"}
    return {
        column: " + ".join(dict.fromkeys(cell[key] for cell in origins)) for column, key in columns.items()
    }


def why_not_paired(by_seed: BySeed, reference: BySeed) -> str:
    """Why no difference to the reference may be taken; empty where it may."""
    for seed, cell in by_seed.items():
        other = reference[seed]
        if cell is other:
            continue
        ours, theirs = code_of(cell), code_of(other)
        if ours is None or ours != theirs:
            return (
                f"not paired: code {(ours or _UNKNOWN)[:_SHORT]}, reference {(theirs or _UNKNOWN)[:_SHORT]}"
            )
        if cell.get("data") != other.get("data"):
            return "not paired: trained or measured on other images than the reference"
    return ""


def code_of(cell: dict[str, Any]) -> str | None:
    """Digest of the code that made a cell."""
    code = (cell.get("provenance") or {}).get("code")
    return None if code is None else str(code)


def other_machines(by_seed: BySeed, reference: BySeed) -> str:
    """A remark where a pair is of two machines; empty where none is."""
    pairs = {(origin(cell)["machine"], origin(reference[seed])["machine"]) for seed, cell in by_seed.items()}
    return "; ".join(f"on {ours}, reference on {theirs}" for ours, theirs in sorted(pairs) if ours != theirs)
