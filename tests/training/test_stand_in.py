"""What a machine without a GPU can say of training on one: no step mixes devices or waits for a value."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

from ae_pretrained.params.editing import set_values
from ae_pretrained.params.presets import apply_preset

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
        reason="this PyTorch cannot register a device in Python",
    ),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("params")
    files = [folder / f"{name}.yaml" for name in ("default", "oxford", "paper")]
    for file in files:
        shutil.copy(ROOT / "params.yaml", file)
    apply_preset("oxford", ROOT / "presets", files[1])
    apply_preset("paper", ROOT / "presets", files[2])
    # VGG16's weights would have to be downloaded.
    network = {("train_ae", "loss", "perceptual_network"): "efficientnet_lite0"}
    files[2].write_text(set_values(files[2].read_text(encoding="utf-8"), network), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.stand_in", *map(str, files)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("what", "error"),
    [
        # PyTorch 2.13 says "at least two devices", 2.11 "two different devices".
        ("mixed devices", r"found (at least )?two (different )?devices"),
        ("a value asked for", "^DataDependentOutputException"),
    ],
)
def test_the_stand_in_notices(outcomes: dict[str, str], what: str, error: str) -> None:
    assert re.search(error, outcomes[what])


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("size", ["full", "half"])
@pytest.mark.parametrize("stage", ["train_ae", "train_seg"])
@pytest.mark.parametrize("params", ["default", "oxford", "paper"])
def test_a_step_stays_on_the_device(
    outcomes: dict[str, str], params: str, stage: str, size: str, precision: str
) -> None:
    assert outcomes[f"{params} {stage} {size} {precision}"] == ""
