"""What the documentation names exists: make targets, parameters, presets, modules, files, links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from dvc.cli import DvcParserError
from dvc.cli import parse_args as parse_dvc

from ae_pretrained.apps.cli import build_parser
from ae_pretrained.params import read_params
from ae_pretrained.params.editing import flatten
from ae_pretrained.params.presets import list_presets
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_named_things_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    # Commands stand at the start of an indented line or in backticks; prose may say "make" as well.
    assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, flags=re.MULTILINE)) <= targets
    keys = {".".join(key) for key in flatten(read_params(ROOT / "params.yaml"))}
    assert set(re.findall(r"-S '?([\w.]+)=", text)) <= keys
    assert set(re.findall(r"ae-pretrained preset (\w+)", text)) <= set(list_presets(ROOT / "presets"))
    for module in re.findall(r"python -m ((?:tools|stages|benchmarks)\.[\w.]+)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    files = re.findall(r"`((?:ae_pretrained|presets|stages|tests|tools)/[\w./]+)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "results/README.md"], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = target.partition("#")
        if ":" in name:
            continue  # another site
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not heading or heading in anchors(file), target


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings: small letters, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_says_first_whom_it_is_for(page: Path) -> None:
    assert re.match(r"# .+\n\n\*For [a-z]+", page.read_text(encoding="utf-8"))


def test_the_readme_is_short_and_shows_what_matters_first() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 600
    first = text[: text.index("## ")]
    assert first.count("](docs/images/") == 1
    assert len(re.findall(r"^    \S", first, flags=re.MULTILINE)) == 3


def commands_of(page: Path, program: str) -> list[list[str]]:
    """The words after a program's name in every indented line of a page, comments and line ends mended."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ").replace("<this repository>", "REPOSITORY")
    found = []
    for line in re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE):
        for part in re.split(r"\s&&\s|\s\|\s", line):
            if part.strip().startswith(f"{program} "):
                found.append(shlex.split(part, comments=True)[1:])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the parsers of the programs themselves: names of commands and options, and how many arguments there are.

    What they do runs elsewhere: the three of README's first screen in tests/test_wheel.py and
    tests/apps/init/test_repro.py, those of DVC in tests/pipeline, predict, export and demo in tests/apps.
    """
    for program, parse in (("ae-pretrained", build_parser().parse_args), ("dvc", parse_dvc)):
        for words in commands_of(page, program):
            try:
                parse([word for word in words if word != "…"])
            except (SystemExit, DvcParserError) as error:
                pytest.fail(f"{program} {' '.join(words)}: {error}\n{capsys.readouterr().err}")


def test_the_commands_of_the_readme_are_found() -> None:
    readme = ROOT / "README.md"
    assert ["init", "my-project", "--from", "my-images"] in commands_of(readme, "ae-pretrained")
    assert ["repro"] in commands_of(readme, "dvc")
