"""Stage validate: stop before any work when params.yaml cannot be used."""

from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.params.gate import check_params
from ae_pretrained.stage_runner import run_stage


class TimmNetworks:
    """Builds networks of timm; PyTorch is imported only where one is named."""

    def encoder_strides(self, name: str, side: int, pretrained: bool) -> Sequence[int]:
        from ae_pretrained.models.encoders import encoder_strides

        return encoder_strides(name, side, pretrained)

    def check_teacher(self, name: str, size: int) -> object:
        from ae_pretrained.models.timm_networks import TimmTeacher

        return TimmTeacher(name, size)


def main() -> None:
    check_params(Path("params.yaml"), passed=Path("data/params_checked.txt"), networks=TimmNetworks())


if __name__ == "__main__":
    run_stage(main)
