"""Stage fetch: draw, download or link the data set into data/raw."""

from pathlib import Path

from ae_pretrained.params import load_params
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    fetch(params.data, Path("data/raw"))


if __name__ == "__main__":
    run_stage(main)
