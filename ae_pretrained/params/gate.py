"""The gate at the start of the pipeline: nothing runs on parameters that cannot be used."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_text
from ae_pretrained.names import is_address
from ae_pretrained.params.editing import changed_keys
from ae_pretrained.params.logger_packages import check_logger
from ae_pretrained.params.reading import ParamsError, load_params, parse_params, read_params, validate_params
from ae_pretrained.params.schema import Params

_PASSED = "The parameters have been checked against the schema.\n"
_LISTED = 12  # changed keys that an error lists


class Networks(Protocol):
    """Builds the networks that are named, which this folder cannot import; raises PipelineError."""

    def encoder_strides(self, name: str, side: int, pretrained: bool) -> Sequence[int]:
        """Strides of an encoder that takes images of ``side`` px, with its weights where they are needed."""

    def check_teacher(self, name: str, size: int) -> object:
        """A teacher with its weights, which sees images at ``size`` px."""


def check_params(path: Path, *, passed: Path, networks: Networks | None = None) -> Params:
    """Check a params file before any stage starts work.

    ``dvc exp run -S`` writes its values into the file before the first stage runs and leaves them there when a stage
    fails. The file is the user's and stays as it is; the error says which command puts it back, and what else that
    command would change.

    Args:
        path: the params file.
        passed: a file of constant content written on success: what the first real stage depends on.
        networks: builds the encoders and teachers that are named, so that a wrong name, weights that cannot be had
            and strides that do not fit are known now; None leaves them unchecked.

    Raises:
        ParamsError: naming every key at fault, what was found and what is allowed, or the logger whose package is
            not installed.
    """
    try:
        params = load_params(path)
        _check_root(params)
        check_logger(params.runtime.logger)
        if networks is not None:
            _check_networks(params, networks)
    except PipelineError as error:
        raise ParamsError(f"{error}\nNothing has run. {_way_back(path)}") from None
    write_text(passed, _PASSED)
    return params


def _check_networks(params: Params, networks: Networks) -> None:
    name, side, loss = params.model.encoder, params.data.image_size, params.train_ae.loss
    if loss.latent > 0 and loss.teacher != "efficientnet_lite0":
        networks.check_teacher(loss.teacher, loss.teacher_size)
    if name == "convolutional":
        return
    halved = [key for key in ("train_ae", "train_seg") if getattr(params, key).half_size > 0]
    least = side // 2 if halved else side
    pretrained = "imagenet" in (params.train_ae.init, params.train_seg.init)
    strides = networks.encoder_strides(name, least, pretrained)
    skips = params.train_ae.skips
    if isinstance(skips, int) and skips >= len(strides):
        raise ParamsError(
            f"train_ae.skips: {skips} levels cannot be dropped, {name} has {len(strides) - 1} skip connections; use "
            "'none' to drop all"
        )


def _check_root(params: Params) -> None:
    root = Path(params.data.root)
    # Also for `synthetic`, which reads nothing from there: DVC looks at the folder all the same.
    if root.is_dir() or is_address(params.data.root):  # of an address, fetch finds out
        return
    found = "a file" if root.exists() else "nothing"
    raise ParamsError(
        f"data.root: found {params.data.root!r}; expected a folder (with the images of "
        f"data.source={params.data.source}) at {root.absolute()}, where there is {found}"
    )


def _way_back(path: Path) -> str:
    """What to do about an unusable params file: the command, and what it changes."""
    if (".dvc", "tmp", "exps") in zip(*(path.resolve().parts[i:] for i in range(3)), strict=False):
        return f"This run had a folder of its own; your {path.name} is as it was."
    mend = f"Mend {path}, and run again."
    committed = _committed_text(path)
    if committed is None:
        return mend
    try:
        before = parse_params(committed, f"{path} as committed")
        _check_root(validate_params(before))
    except ParamsError:
        return f"{mend} (The committed one cannot be used either.)"
    # From HEAD and not from Git's index: `git add` may have put the same values there.
    way = f"{mend} Or put the committed one back:\n\n    git checkout HEAD -- {path}\n\n"
    try:
        changes = changed_keys(read_params(path), before)
    except ParamsError:  # no YAML
        return f"{way}which undoes all that was changed in it since."
    lines = [f"  {'.'.join(key)}: {_shown(now)} -> {_shown(then)}" for key, (now, then) in changes.items()]
    if len(lines) > _LISTED:
        lines[_LISTED:] = [f"  and {len(lines) - _LISTED} more; all are in `git diff HEAD -- {path}`"]
    return f"{way}which undoes all that differs from the commit:\n" + "\n".join(lines)


def _shown(value: object) -> str:
    return "absent" if value is None else repr(value)


def _committed_text(path: Path) -> str | None:
    """The file as it stands in the commit that is checked out, or None where Git does not have it."""
    command = ["git", "-C", str(path.resolve().parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    except OSError:  # Git is not installed
        return None
    return done.stdout if done.returncode == 0 else None
