# ruff: noqa: E501 - the table of breeds is read across
"""The twelve invented breeds. They differ in shape; cats and dogs in the markings of their coats, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CAT, DOG = 1, 2  # the species column of the official lists

EarKind = Literal["cat", "prick", "drop", "hound", "tipped", "rose"]
TailKind = Literal["cat", "sabre", "curl", "plume", "stub", "low"]


@dataclass(frozen=True)
class Breed:
    """Shape of a breed. Lengths are in body units (a medium body is one unit from shoulder to hip), except
    those of the face, which are in radii of the skull.

    Attributes:
        name: as in the official lists: cats begin with an upper-case letter, dogs with a lower-case one.
        species: CAT or DOG.
        body: shoulder to hip.
        chest, waist: radii of the trunk.
        leg: ground to chest; leg_width: radius of the foreleg.
        neck: free length of the neck.
        head: radius of the skull, larger than life as in an image book.
        muzzle, muzzle_width: length beyond the skull and radius at its root, in skulls.
        ear, ear_size: kind and scale.
        eye: radius of the eye, in skulls.
        tail, tail_length, tail_width: kind, length, radius.
        fluff: 0 (sleek) to 1 (long hair).
    """

    name: str
    species: int
    body: float
    chest: float
    waist: float
    leg: float
    leg_width: float
    neck: float
    head: float
    muzzle: float
    muzzle_width: float
    ear: EarKind
    ear_size: float
    eye: float
    tail: TailKind
    tail_length: float
    tail_width: float
    fluff: float


BREEDS: tuple[Breed, ...] = (
    # name                  species body chest waist  leg  width neck  head  muzzle w.   ear     size  eye   tail     len   width fluff
    Breed("Button_Cobby", CAT, 0.82, 0.27, 0.27, 0.36, 0.085, 0.04, 0.36, 0.16, 0.40, "cat", 0.86, 0.215, "cat", 0.90, 0.075, 0.30),
    Breed("Cloud_Longhair", CAT, 0.92, 0.27, 0.26, 0.42, 0.085, 0.06, 0.35, 0.18, 0.40, "cat", 0.98, 0.21, "cat", 1.00, 0.110, 0.95),
    Breed("Moonlit_Shorthair", CAT, 0.95, 0.23, 0.22, 0.47, 0.070, 0.10, 0.33, 0.20, 0.37, "cat", 1.08, 0.215, "cat", 1.10, 0.062, 0.20),
    Breed("Willow_Oriental", CAT, 1.02, 0.20, 0.18, 0.55, 0.060, 0.17, 0.31, 0.26, 0.34, "cat", 1.32, 0.21, "cat", 1.25, 0.052, 0.05),
    Breed("brook_dachs", DOG, 1.42, 0.27, 0.24, 0.24, 0.085, 0.18, 0.32, 1.02, 0.46, "hound", 0.95, 0.195, "sabre", 0.62, 0.060, 0.10),
    Breed("field_retriever", DOG, 1.06, 0.31, 0.26, 0.54, 0.098, 0.16, 0.34, 0.80, 0.52, "drop", 1.00, 0.19, "plume", 0.72, 0.085, 0.50),
    Breed("harbour_bulldog", DOG, 0.95, 0.36, 0.27, 0.38, 0.115, 0.06, 0.40, 0.46, 0.66, "rose", 0.85, 0.19, "stub", 0.16, 0.070, 0.05),
    Breed("meadow_beagle", DOG, 1.02, 0.28, 0.24, 0.46, 0.088, 0.13, 0.34, 0.74, 0.50, "hound", 1.20, 0.195, "sabre", 0.66, 0.062, 0.15),
    Breed("mountain_terrier", DOG, 0.86, 0.27, 0.25, 0.44, 0.088, 0.12, 0.33, 0.72, 0.56, "tipped", 1.00, 0.195, "sabre", 0.46, 0.075, 0.65),
    Breed("silver_sighthound", DOG, 1.16, 0.27, 0.17, 0.72, 0.068, 0.28, 0.29, 1.15, 0.42, "rose", 1.05, 0.19, "low", 0.80, 0.050, 0.05),
    Breed("tundra_spitz", DOG, 0.90, 0.30, 0.28, 0.48, 0.090, 0.08, 0.34, 0.66, 0.46, "prick", 0.82, 0.19, "curl", 0.85, 0.125, 1.00),
    Breed("valley_shepherd", DOG, 1.14, 0.29, 0.24, 0.58, 0.088, 0.16, 0.32, 0.98, 0.47, "prick", 1.18, 0.19, "plume", 0.85, 0.085, 0.45),
)  # fmt: skip


def by_species(species: int) -> list[Breed]:
    """The breeds of one species, in the order of their breed ids (1, 2, …)."""
    return [breed for breed in BREEDS if breed.species == species]
