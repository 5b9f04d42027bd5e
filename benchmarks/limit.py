"""How close the model step comes to what the machine can do, and what stands between.

    python -m benchmarks.limit                        on a GPU or CPU, as runtime.accelerator finds it
    python -m benchmarks.limit --formats              all number and memory formats beside each other

FLOP are those of convolutions and matrix products, forward and backward (torch.utils.flop_counter). The step takes
turns with one large matrix product in the same number format; the breakdown is the operators' own time under
torch.profiler. Norms, upsampling, activations and the optimiser hold hardly any FLOP: their share is what is lost
between the two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from ae_pretrained.memory import keep_freed_memory
from benchmarks.common import Timing, median, median_ratio, parser, print_table, take_turns, write_result
from benchmarks.material import params_for, prepared
from benchmarks.steps import Setting, autocast, held_batch, make_step, time_steps

# The first group whose word is in an operator's name takes it.
_GROUPS = (
    ("optimiser", ("adam", "sgd", "foreach", "optimizer")),
    ("norm", ("group_norm", "batch_norm", "groupnorm", "batchnorm")),
    ("upsampling", ("upsample",)),
    ("convolution", ("conv",)),
    ("activation", ("leaky_relu",)),
    ("copies and formats", ("copy_", "cat", "clone", "contiguous", "reorder", "narrow")),
    ("loss", ("softmax", "sum", "where", "eq", "arange", "bitwise", "log", "neg", "div", "any", "ge", "lt", "ne")),
)  # fmt: skip


def group_of(operator: str) -> str:
    """What an operator of a breakdown counts as."""
    name = operator.lower()
    for group, words in _GROUPS:
        if any(word in name for word in words):
            return group
    return "other"


def matmul_flops(device: torch.device, dtype: torch.dtype, side: int) -> tuple[Callable[[], object], float]:
    """A product of two square matrices, and its FLOP."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return partial(torch.mm, a, b), 2.0 * side**3


def _seconds_for(
    wanted: float, work: Callable[[], object], flops: float, steps: int, device: torch.device
) -> Timing:
    """How long some work takes, scaled to the wanted FLOP."""
    one = time_steps(work, steps, device)
    return Timing(one.clock * wanted / flops, one.cpu * wanted / flops)


def breakdown(step: Callable[[], None], device: torch.device) -> dict[str, float]:
    """Share of the operators' own time by group, largest first."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    step()
    with profile(activities=activities) as recorded:
        for _ in range(3):
            step()
    own = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    totals: dict[str, float] = {}
    for event in recorded.key_averages():
        group = group_of(event.key)
        totals[group] = totals.get(group, 0.0) + getattr(event, own)
    whole = sum(totals.values())
    return {name: value / whole for name, value in sorted(totals.items(), key=lambda item: -item[1])}


def _formats(setting: Setting, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, Callable[[], Timing]]:
    """Steps in every number and memory format, from one seed."""

    def way(precision: str, memory: torch.memory_format, compiled: bool) -> Callable[[], Timing]:
        section = setting.params.train_seg.model_copy(update={"precision": precision})
        params = setting.params.model_copy(update={"train_seg": section})
        changed = Setting(params, setting.processed, setting.files, setting.steps, setting.device)
        network = changed.network().train()
        images, masks = batch[0].contiguous(memory_format=memory), batch[1]
        step = make_step(changed, network, (images, masks))
        network.to(memory_format=memory)  # type: ignore[call-overload]
        if compiled:
            network.compile()
        return lambda: time_steps(step, setting.steps, setting.device)

    contiguous, last = torch.contiguous_format, torch.channels_last
    return {
        "float32, NCHW": way("32", contiguous, False),
        "float32, channels last": way("32", last, False),
        "bf16, NCHW": way("bf16", contiguous, False),
        "bf16, channels last": way("bf16", last, False),
        "bf16, NCHW, compiled": way("bf16", contiguous, True),
    }


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=7)
    options.add_argument("--size", type=int, default=64, help="px (default: %(default)s)")
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--steps", type=int, default=4, help="timed steps a turn (default: %(default)s)")
    options.add_argument("--precision", default="auto", help="auto, 32, bf16, 16")
    options.add_argument("--matrix", type=int, default=0, help="side; default: 2048, on a GPU 8192")
    options.add_argument("--norm", default="instance", choices=["instance", "batch", "group"])
    options.add_argument("--formats", action="store_true", help="compare number and memory formats too")
    given = options.parse_args(arguments)
    keep_freed_memory()  # as the stages do
    params = params_for(
        None,
        {
            "data.image_size": given.size,
            "data.synthetic": {"num_trainval": 2 * given.batch_size, "num_test": 8, "size": given.size},
            "data.leak_check.enabled": False,
            "model.norm": given.norm,
            "train_seg.batch_size": given.batch_size,
            "train_seg.precision": given.precision,
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        processed = prepared(params, Path(folder))
        setting = Setting.make(params, processed, Path(folder) / "files", given.steps)
        batch = held_batch(setting)
    device = setting.device
    step = make_step(setting, setting.network().train(), batch)
    with FlopCounterMode(display=False) as counter:
        step()
    flops = counter.get_total_flops()
    with autocast(setting)():
        dtype = torch.mm(torch.ones(1, 1, device=device), torch.ones(1, 1, device=device)).dtype
    side = given.matrix or (8192 if device.type == "cuda" else 2048)
    product, product_flops = matmul_flops(device, dtype, side)
    work = {"step": (step, flops), "matrix product": (product, product_flops)}
    # Seconds for as many FLOP as one step holds.
    seconds: dict[str, list[Timing]] = take_turns(
        {name: partial(_seconds_for, flops, *one, given.steps, device) for name, one in work.items()},
        given.rounds,
    )
    reached = median_ratio(seconds["matrix product"], seconds["step"])
    title = f"{device.type}, {str(dtype).removeprefix('torch.')}, {given.size} px, batch {given.batch_size}"
    medians = {name: median(values) for name, values in seconds.items()}
    rows = [(k, f"{flops / t.clock / 1e9:.0f}", f"{flops / t.cpu / 1e9:.0f}") for k, t in medians.items()]
    print_table(f"{title}; {flops / 1e9:.1f} GFLOP a step", ("GFLOP/s", "by the clock", "of CPU"), rows)
    print(f"the step against the matrix product: {reached}")
    shares = breakdown(step, device)
    print_table("where the time of a step goes", ("", "share"), [(k, f"{v:.1%}") for k, v in shares.items()])
    figures: dict[str, Any] = {
        "device": device.type,
        "dtype": str(dtype),
        "size": given.size,
        "batch_size": given.batch_size,
        "norm": given.norm,
        "matrix": side,
        "flops_per_step": flops,
        "seconds_per_step_flops": seconds,
        "reached": reached,
        "shares": shares,
    }
    if given.formats:
        figures["formats"] = take_turns(_formats(setting, batch), given.rounds)
        medians = {name: median(values) for name, values in figures["formats"].items()}
        rows = [(k, f"{1000 * t.clock:.1f}", f"{1000 * t.cpu:.1f}") for k, t in medians.items()]
        print_table("formats", ("", "ms a step", "ms of CPU"), rows)
    write_result("limit", figures, given.out)


if __name__ == "__main__":
    main()
