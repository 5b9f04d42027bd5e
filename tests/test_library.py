"""The library in a notebook: public names, their examples, docs/library.md, and what importing them costs."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ae_pretrained.params.editing import set_values
from tests.conftest import ROOT
from tests.processed import make_processed, tiny_params

PACKAGES = (
    "dataset", "evaluation", "figures", "finetuning", "losses", "metrics", "models", "prediction", "preparation",
    "pretraining", "sources", "training", "windows",
)  # fmt: skip
PAGE = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
FILES = sorted(file for name in PACKAGES for file in (ROOT / "ae_pretrained" / name).glob("*.py"))
WITH_EXAMPLES = [file for file in FILES if ">>> " in file.read_text(encoding="utf-8")]
LINES = [line for file in WITH_EXAMPLES for line in file.read_text(encoding="utf-8").splitlines()]
EXAMPLES = "\n".join([*BLOCKS, *(line for line in LINES if ">>> " in line)])
# What these define is plain: the models, losses, augmentation and metrics of the design.
PLAIN = (
    "losses/*.py", "metrics/*.py", "models/*.py", "dataset/augmentation.py", "dataset/corruption.py",
    "training/optimization.py",
)  # fmt: skip


def public_names(package: str) -> dict[str, object]:
    module = importlib.import_module(f"ae_pretrained.{package}")
    return {name: getattr(module, name) for name in module.__all__}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_listed_and_has_an_example(package: str) -> None:
    names = public_names(package)
    assert names
    listed = next(
        line for line in PAGE.splitlines() if line.startswith("|") and f"`ae_pretrained.{package}`" in line
    )
    for name, value in names.items():
        assert f"`{name}`" in listed
        error = inspect.isclass(value) and issubclass(value, Exception)
        assert error or getattr(value, "_is_protocol", False) or re.search(rf"\b{name}\b", EXAMPLES), name
    assert set(re.findall(r"`(\w+)`", listed)) - set(names) <= {
        name for other in ("pretraining", "finetuning") for name in public_names(other)
    }


@pytest.mark.parametrize("file", WITH_EXAMPLES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_examples_in_docstrings(file: Path) -> None:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    importlib.import_module(module)
    # From here, as a package may have a function of the name of a module in it.
    failed, attempted = doctest.testmod(sys.modules[module], optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted
    assert not failed


def test_the_page_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = tiny_params(train_seg__init="autoencoder")
    make_processed(tmp_path / "data", params)
    keys = {
        (section, name): value
        for section in ("data", "model", "train_ae", "train_seg")
        for name, value in getattr(params, section).model_dump().items()
        if not isinstance(value, dict)
    }
    keys["train_ae", "loss", "perceptual_size"] = 0
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(set_values(text, keys), encoding="utf-8")
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "cat.jpg"), image)
    cv2.imwrite(str(tmp_path / "cat_mask.png"), image[..., 0] % 3)
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == 7
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/library.md", "exec"), names)
    assert (tmp_path / "trial" / "segmenter.safetensors").is_file()


def test_importing_them_is_light() -> None:
    """One process, as each pays for PyTorch: lightest first, and after each what must not have been loaded yet."""
    program = (
        "import sys\n"
        "def no(*names):\n"
        "    print(*(n for n in names if n in sys.modules))\n"
        "import ae_pretrained.sources, ae_pretrained.preparation, ae_pretrained.prediction\n"
        "no('torch', 'matplotlib', 'ae_pretrained.sources.fetch', 'ae_pretrained.params')\n"
        "import ae_pretrained.models, ae_pretrained.losses, ae_pretrained.metrics\n"
        "import ae_pretrained.dataset.augmentation, ae_pretrained.dataset.corruption, ae_pretrained.training\n"
        "no('lightning', 'torchmetrics', 'torchvision', 'sklearn', 'captum', 'matplotlib', 'ae_pretrained.params')\n"
        "import ae_pretrained.evaluation\n"
        "no('lightning', 'sklearn', 'captum', 'ae_pretrained.training.fit')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == ["", "", "", ""]


@pytest.mark.parametrize("pattern", PLAIN)
def test_plain_modules_know_no_params(pattern: str) -> None:
    files = list((ROOT / "ae_pretrained").glob(pattern))
    assert files
    for file in files:
        assert "ae_pretrained.params" not in file.read_text(encoding="utf-8"), file.name


def test_no_two_modules_or_classes_of_one_name() -> None:
    files = [file for file in (ROOT / "ae_pretrained").rglob("*.py") if "template" not in file.parts]
    modules = [file.stem for file in files if not file.stem.startswith("__")]
    classes = [
        name
        for file in files
        for name in re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    for names in (modules, classes):
        assert len(names) > 50
        assert sorted(names) == sorted(set(names))
