from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.evaluation import evaluate_autoencoder as evaluation
from ae_pretrained.evaluation.autoencoder_measures import (
    corrupt_one_by_one,
    measure_autoencoder,
    summarise_reconstruction,
)
from ae_pretrained.evaluation.embeddings import (
    labels_of,
    pooled_features,
    principal_components,
    probe_labels,
    tsne,
)
from ae_pretrained.evaluation.evaluate_autoencoder import evaluate_autoencoder
from ae_pretrained.evaluation.inference import Compute
from tests.evaluation.small import (
    CLASSES,
    draw_split,
    params,
    real_processed,
    tiny_autoencoder,
    write_processed,
    write_split,
)


class Copy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def evaluate(root: Path, out: Path, **changes: object) -> dict[str, object]:
    values = params(eval_ae__num_examples=2, eval_ae__tsne_perplexity=30.0, **changes)
    evaluate_autoencoder(
        tiny_autoencoder(),
        root,
        CLASSES,
        values.eval_ae,
        values.train_ae.corruption,
        seed=3,
        metrics_file=out / "eval_ae.json",
        plots=out / "plots",
        image_size=32,
    )
    return json.loads((out / "eval_ae.json").read_text())


def test_pooled_and_mean_psnr(tmp_path: Path) -> None:
    images, _ = draw_split(tmp_path, "test", 6)
    result = measure_autoencoder(tiny_autoencoder(), open_split(tmp_path, "test"), 4, None, 0, Compute())
    scores = summarise_reconstruction(result)
    with torch.inference_mode():
        batch = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        error = (tiny_autoencoder().eval()(batch) - batch).square().double()
    mse = error.mean(dim=(1, 2, 3))
    assert scores["mse"] == pytest.approx(float(error.mean()), rel=1e-5)
    assert scores["psnr"] == pytest.approx(float(-10 * mse.log10().mean()), rel=1e-5)
    assert scores["psnr_pooled"] == pytest.approx(float(-10 * error.mean().log10()), rel=1e-5)
    assert scores["psnr"] >= scores["psnr_pooled"]  # Jensen: the mean over images flatters
    assert "mse_changed_pixels" not in scores


def test_padding_counts_nowhere(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    rows = [{"name": str(place), "box": "0 6 32 26"} for place in range(4)]

    class SpoilPadding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y[:, :, :6] = 1 - y[:, :, :6]
            y[:, :, 26:] = 0.0
            return y

    write_split(tmp_path, "test", images, None, rows)
    split = open_split(tmp_path, "test")
    scores = summarise_reconstruction(measure_autoencoder(SpoilPadding(), split, 3, None, 0, Compute()))
    assert scores["mse"] == 0.0
    assert scores["ssim"] == pytest.approx(1.0)
    assert scores["psnr"] == 100.0


def test_corruption_does_not_depend_on_the_batch(tmp_path: Path) -> None:
    draw_split(tmp_path, "test", 7)
    split = open_split(tmp_path, "test")
    corruption = params(train_ae__corruption={**params().train_ae.corruption.model_dump(), "kind": "both"})
    results = [
        measure_autoencoder(Copy(), split, size, corruption.train_ae.corruption, 5, Compute())
        for size in (1, 4)
    ]
    np.testing.assert_allclose(results[0].error, results[1].error, rtol=1e-12)
    hiding = corruption.train_ae.corruption.model_copy(update={"kind": "mask"})
    scores = summarise_reconstruction(measure_autoencoder(Copy(), split, 4, hiding, 5, Compute()))
    # A copy makes no error where nothing was hidden, so all of it lies in the changed pixels.
    assert scores["mse_changed_pixels"] > scores["mse"] > 0
    images = torch.rand(2, 3, 32, 32)
    one, _ = corrupt_one_by_one(images, np.array([0, 1]), corruption.train_ae.corruption, 5)
    other, _ = corrupt_one_by_one(images, np.array([0, 1]), corruption.train_ae.corruption, 6)
    assert not torch.equal(one, other)


def test_report_of_real_images_is_whole_and_the_same_again(tmp_path: Path, oxford_128: Path) -> None:
    root = real_processed(tmp_path / "processed", oxford_128)
    scores = evaluate(root, tmp_path / "a")
    evaluate(root, tmp_path / "b", eval_ae__batch_size=5)
    names = {path.stem for path in (tmp_path / "a/plots").glob("*.png")}
    ranks = ("best", "median", "worst")
    assert names == {
        "embeddings_class",
        "embeddings_breed",
        *(f"reconstructions_{rank}" for rank in ranks),
        *(f"reconstructions_corrupted_{rank}" for rank in ranks),
    }
    first = tmp_path / "a/plots/embeddings_class.png"
    assert first.read_bytes() == (tmp_path / "b/plots/embeddings_class.png").read_bytes()
    assert {"mse", "psnr", "psnr_pooled", "ssim", "num_images"} <= set(scores)
    assert {"mse", "psnr", "psnr_pooled", "ssim", "num_images"} <= set(scores["corrupted"])  # type: ignore[call-overload]
    assert scores["embeddings"]["tsne_perplexity"] == pytest.approx(23 / 3, abs=1e-6)  # type: ignore[index]


def test_plain_pretext_has_no_corrupted_figures(tmp_path: Path) -> None:
    write_processed(tmp_path / "processed")
    plain = {**params().train_ae.corruption.model_dump(), "kind": "none"}
    loss = {**params().train_ae.loss.model_dump(), "on": "all"}
    scores = evaluate(tmp_path / "processed", tmp_path, train_ae__corruption=plain, train_ae__loss=loss)
    assert "corrupted" not in scores
    assert not list((tmp_path / "plots").glob("*corrupted*"))


@pytest.mark.parametrize(("count", "missing"), [(1, ["pca", "tsne"]), (3, ["tsne"]), (5, [])])
def test_very_few_images(tmp_path: Path, count: int, missing: list[str]) -> None:
    write_processed(tmp_path / "processed", test=count)
    scores = evaluate(tmp_path / "processed", tmp_path)
    assert scores["embeddings"]["not_drawn"] == missing  # type: ignore[index]
    assert (tmp_path / "plots/embeddings_class.png").exists() == ("pca" not in missing)


def test_of_many_images_some_are_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_processed(tmp_path / "processed")
    monkeypatch.setattr(evaluation, "MOST_EMBEDDED", 7)
    scores = evaluate(tmp_path / "processed", tmp_path)
    assert scores["num_images"] == 12
    embeddings = scores["embeddings"]
    assert isinstance(embeddings, dict)
    assert (embeddings["num_train"], embeddings["num_test"]) == (7, 7)
    assert embeddings["tsne_perplexity"] == 2  # a third of the six others
    assert (tmp_path / "plots/embeddings_breed.png").is_file()


def test_images_all_alike(tmp_path: Path) -> None:
    images = np.full((8, 32, 32, 3), 100, dtype=np.uint8)
    rows = [{"name": f"same_{place}", "class": "", "breed": ""} for place in range(8)]
    for split in ("train", "test"):
        write_split(tmp_path / "processed", split, images, np.zeros((8, 32, 32), dtype=np.uint8), rows)
    scores = evaluate(tmp_path / "processed", tmp_path)
    embeddings = scores["embeddings"]
    assert embeddings == {
        "num_train": 8,
        "num_test": 8,
        "not_probed": ["class", "breed"],
        "not_drawn": ["pca", "tsne"],
    }


def test_features_leave_padding_out(tmp_path: Path) -> None:
    class Deepest(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [x, nn.functional.avg_pool2d(x, 4)]

    images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    images[:, :, 8:24] = 200
    rows = [{"name": "a", "box": "8 0 24 32"}, {"name": "b"}]
    write_split(tmp_path, "test", images, None, rows)
    features = pooled_features(Deepest(), open_split(tmp_path, "test"), np.arange(2), 2, Compute(), "")
    np.testing.assert_allclose(features, [[200 / 255] * 12, [100 / 255] * 12], rtol=1e-5)


def test_features_survive_an_instance_norm(tmp_path: Path) -> None:
    """Its means over an image are all alike; what lies where is not."""

    class Deepest(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [nn.functional.instance_norm(nn.functional.avg_pool2d(x, 8))]

    images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    images[0, :16], images[1, :, :16] = 200, 200
    write_split(tmp_path, "test", images, None, [{"name": "a"}, {"name": "b"}])
    features = pooled_features(Deepest(), open_split(tmp_path, "test"), np.arange(2), 2, Compute(), "")
    np.testing.assert_allclose(features.mean(axis=1), 0, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1


def test_probes_read_what_is_there(tmp_path: Path) -> None:
    write_processed(tmp_path)
    train, test = (labels_of(open_split(tmp_path, name), np.arange(2, 12)) for name in ("train", "test"))
    known = [np.array([[float(name == "cat"), 0.1] for name in labels["class"]]) for labels in (train, test)]
    scores = probe_labels(known[0], train, known[1], test, neighbors=3)
    assert scores["class"] == {"linear_probe": 1.0, "knn": 1.0, "majority": 0.5}
    assert scores["not_probed"] == []


def test_principal_components_match_sklearn() -> None:
    from sklearn.decomposition import PCA

    features = np.random.default_rng(0).standard_normal((50, 6)) * [5, 3, 1, 1, 1, 1]
    found = principal_components(features)
    assert found is not None
    reference = PCA(2).fit(features)
    np.testing.assert_allclose(found.explained, reference.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(found.points), np.abs(reference.transform(features)))


def test_tsne_keeps_groups_apart_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.standard_normal((20, 5)), 20 + rng.standard_normal((20, 5))])
    start = principal_components(features)
    assert start is not None
    first, second = (tsne(features, start.points, 30.0, seed=0) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == pytest.approx(13.0)
    means = first[0][:20].mean(0), first[0][20:].mean(0)
    assert np.linalg.norm(means[0] - means[1]) > first[0][:20].std()
