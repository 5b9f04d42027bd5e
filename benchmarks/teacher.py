"""A step of pretraining with the teacher's features computed, and with them kept on disk.

    python -m benchmarks.teacher                                                     EfficientNet-Lite0
    python -m benchmarks.teacher timm/vit_small_patch14_dinov2.lvd142m --size 224    with the extra [timm]

The default autoencoder on a batch of random images that comes again and again: forward, the latent loss alone,
backward. A teacher of timm has random weights, which take as long as any others. `docs/encoders.md` says when
features are kept.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from ae_pretrained.losses.feature_cache import FeatureCache
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from benchmarks.common import Timing, median, median_ratio, parser, print_table, take_turns, write_result
from benchmarks.material import params_for
from benchmarks.steps import time_steps


def with_random_weights(teacher: str, folder: Path) -> str:
    """The name of a teacher; of timm's, with a weights file that is made for it."""
    if not teacher.startswith("timm/"):
        return teacher
    import timm

    file = folder / "teacher.safetensors"
    save_file(timm.create_model(teacher.removeprefix("timm/")).state_dict(), file)
    return f"{teacher}@{file}"


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=3)
    options.add_argument("teacher", nargs="?", default="efficientnet_lite0")
    options.add_argument(
        "--size", type=int, default=0, help="side at which the teacher sees images (0: its own)"
    )
    options.add_argument("--image-size", type=int, default=64, help="px (default: %(default)s)")
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--steps", type=int, default=4, help="timed steps a turn (default: %(default)s)")
    given = options.parse_args(arguments)
    params = params_for(None, {})
    network = Autoencoder(ModelConfig(**params.model.model_dump()), params.train_ae.skips).train()
    images = torch.randint(0, 256, (given.batch_size, 3, given.image_size, given.image_size)).float() / 255
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        teacher = with_random_weights(given.teacher, folder)
        encoder = network.encoder
        loss = LatentPerceptualLoss(encoder.channels, encoder.strides, given.size, teacher)
        loss.cache = FeatureCache(folder / "features.sqlite")

        def step(kept: bool) -> None:
            loss(encoder(images), images, come_again=kept).backward()

        def timed(kept: bool) -> Timing:
            return time_steps(lambda: step(kept), given.steps, torch.device("cpu"))

        ways = {"computed": lambda: timed(False), "kept": lambda: timed(True)}
        steps = take_turns(ways, given.rounds)
        kept_bytes = sum(file.stat().st_size for file in folder.glob("features.sqlite*"))
    medians = {way: median(values) for way, values in steps.items()}
    rows = [(way, f"{1000 * one.clock:.0f}", f"{1000 * one.cpu:.0f}") for way, one in medians.items()]
    size = f", seen at {given.size} px" if given.size else ""
    print_table(
        f"{given.teacher}{size}, {given.batch_size} images of {given.image_size} px, encoder and latent loss",
        ("features", "ms a step", "ms of CPU"),
        rows,
    )
    ratio = median_ratio(steps["computed"], steps["kept"])
    print(f"computed against kept: {ratio}")
    print(f"on disk: {kept_bytes / given.batch_size / 1000:.0f} kB an image")
    figures = {"teacher": given.teacher, "size": given.size, "seconds_per_step": steps, "ratio": ratio}
    write_result("teacher", figures, given.out)


if __name__ == "__main__":
    main()
