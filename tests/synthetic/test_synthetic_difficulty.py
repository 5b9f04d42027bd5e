"""What the embedded data set must not give away: species by colour, brightness, size or place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ae_pretrained.synthetic.drawn_dataset import write_synthetic

# The standard error of a guess on 240 dogs and 120 cats is 0.028: four of them lie between chance and the limit.
CHANCE_LIMIT = 0.62

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Images:
    """images (N, H, W, 3) uint8 BGR, trimaps (N, H, W) uint8, species (N,) 1 cat / 2 dog."""

    images: np.ndarray
    trimaps: np.ndarray
    species: np.ndarray


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Images:
    root = tmp_path_factory.mktemp("difficulty") / "raw"
    write_synthetic(root, num_trainval=348, num_test=12, size=64, seed=42)
    table = [
        line.split()
        for line in (root / "annotations" / "list.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    return Images(
        np.stack([_read(root / "images" / f"{row[0]}.jpg", cv2.IMREAD_COLOR) for row in table]),
        np.stack(
            [_read(root / "annotations" / "trimaps" / f"{row[0]}.png", cv2.IMREAD_GRAYSCALE) for row in table]
        ),
        np.array([int(row[2]) for row in table]),
    )


def _read(path: Path, flag: int) -> np.ndarray:
    array = cv2.imread(str(path), flag)
    assert array is not None, path
    return array


def _histograms(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Shares of the masked pixels in 16 bins of each of B, G, R, H, S, V and in 4 x 4 x 4 bins of B, G, R."""
    rows = []
    for image, mask in zip(images, masks.astype(np.uint8), strict=True):
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        counts = [
            cv2.calcHist([space], [c], mask, [16], [0, 256]).ravel()
            for space in (image, hsv)
            for c in range(3)
        ]
        counts.append(cv2.calcHist([image], [0, 1, 2], mask, [4, 4, 4], [0, 256] * 3).ravel())
        rows.append(np.concatenate(counts) / max(int(mask.sum()), 1))
    return np.array(rows)


def _brightness(p: Images) -> np.ndarray:
    grey = p.images.mean(axis=3)
    pet = p.trimaps == 1
    return np.stack([grey.mean(axis=(1, 2)), (grey * pet).sum(axis=(1, 2)) / pet.sum(axis=(1, 2))], axis=1)


def _centroid(p: Images) -> np.ndarray:
    return np.array([np.mean(np.nonzero(trimap != 2), axis=1) for trimap in p.trimaps])


CUES: dict[str, Callable[[Images], np.ndarray]] = {
    "colours of the whole image": lambda p: _histograms(p.images, np.ones_like(p.trimaps)),
    "colours of the pet": lambda p: _histograms(p.images, p.trimaps == 1),
    "colours of the background": lambda p: _histograms(p.images, p.trimaps == 2),
    "brightness": _brightness,
    "area of the pet": lambda p: (p.trimaps == 1).mean(axis=(1, 2))[:, None],
    "place of the pet": _centroid,
}
CLASSIFIERS = {
    "linear": make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
    ),
    "forest": RandomForestClassifier(
        150, class_weight="balanced_subsample", min_samples_leaf=4, random_state=0
    ),
}


def _balanced_accuracy(kind: str, features: np.ndarray, species: np.ndarray) -> float:
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    return float(
        balanced_accuracy_score(species, cross_val_predict(CLASSIFIERS[kind], features, species, cv=folds))
    )


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("cue", CUES)
def test_the_species_does_not_show_in(drawn: Images, cue: str, kind: str) -> None:
    accuracy = _balanced_accuracy(kind, CUES[cue](drawn), drawn.species)
    assert accuracy < CHANCE_LIMIT, (
        f"{kind} classifier tells species by {cue}: balanced accuracy {accuracy:.3f}"
    )


def test_the_classifiers_would_notice_a_colour(drawn: Images) -> None:
    """The same classifiers find the species at once when dogs are painted a little redder."""
    tinted = drawn.images.copy()
    dogs = drawn.species == 2
    tinted[dogs, :, :, 2] = np.minimum(tinted[dogs, :, :, 2] * 1.5, 255).astype(np.uint8)
    features = _histograms(tinted, drawn.trimaps == 1)
    assert _balanced_accuracy("forest", features, drawn.species) > 0.7


def test_an_all_background_guess_does_badly(drawn: Images) -> None:
    """Mean IoU of predicting background everywhere: its own IoU over three classes, border ignored."""
    known = drawn.trimaps != 3
    background = float((drawn.trimaps[known] == 2).mean())
    assert 0.17 < background / 3 < 0.27


def test_pets_and_borders_have_the_shares_of_the_real_data(drawn: Images) -> None:
    border = float((drawn.trimaps == 3).mean())
    assert 0.08 < border < 0.12
    # A pet's extent ends somewhere within the band.
    extent = (drawn.trimaps == 1).mean(axis=(1, 2)) + 0.5 * (drawn.trimaps == 3).mean(axis=(1, 2))
    low, high = np.quantile(extent, [0.05, 0.95])
    assert 0.13 < low < 0.25
    assert 0.35 < high < 0.55
    assert extent.min() > 0.08
