"""The gate at the start of the pipeline: nothing runs on parameters that cannot be used."""

from __future__ import annotations

from pathlib import Path

from ae_pretrained.files import write_text
from ae_pretrained.params.editing import Key, committed_text, experiment_overrides, restore
from ae_pretrained.params.reading import ParamsError, load_params
from ae_pretrained.params.schema import Params

_PASSED = "The parameters have been checked against the schema.\n"


def check_params(path: Path, *, passed: Path, memory: Path, baseline: str | None) -> Params:
    """Check a params file before any stage starts work; undo an experiment's bad override.

    ``dvc exp run -S`` writes its values into the file before the first stage runs and leaves them there when
    a stage fails. When such a run is stopped here, the keys that it set get their former values back.

    Args:
        path: the params file.
        passed: a file of constant content written on success: what the first real stage depends on.
        memory: copy of the last params file that passed outside an experiment.
        baseline: Git revision that the running experiment started from; None outside an experiment.

    Raises:
        ParamsError: naming every key at fault, what was found and what is allowed.
    """
    try:
        params = load_params(path)
        _check_root(params)
    except ParamsError as error:
        raise ParamsError(f"{error}{_undo(path, memory, baseline)}") from None
    if baseline is None:  # an experiment's values are not what to go back to
        write_text(memory, path.read_text(encoding="utf-8"))
    write_text(passed, _PASSED)
    return params


def _check_root(params: Params) -> None:
    root = Path(params.data.root)
    # Also for `synthetic`, which reads nothing from there: DVC looks at the folder all the same.
    if root.is_dir():
        return
    found = "a file" if root.exists() else "nothing"
    raise ParamsError(
        f"data.root: found {params.data.root!r}; expected a folder (with the images of "
        f"data.source={params.data.source}) at {root.absolute()}, where there is {found}"
    )


def _undo(path: Path, memory: Path, baseline: str | None) -> str:
    if baseline is None:
        return ""
    keys: set[Key] = experiment_overrides()
    texts = [memory.read_text(encoding="utf-8")] if memory.is_file() else []
    committed = committed_text(path, baseline)
    if committed is not None:
        texts.append(committed)
    if not keys or not texts:
        return ""
    lines = restore(path, keys, texts)
    return "\n" + "\n".join(["params.yaml has its former values back:", *(f"  {line}" for line in lines)])
