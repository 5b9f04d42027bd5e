"""The page that ``dvc plots show`` and ``dvc plots diff`` fill, with its scripts inside: it opens offline.

DVC's own page loads Vega from a CDN and stays empty without a network. ``python -m tools.plots_page`` fetches the
three packages from the npm registry, at the versions below, and writes ``.dvc/plots/offline.html``.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / ".dvc" / "plots" / "offline.html"
# DVC asks for Vega 5, Vega-Lite 5 and Vega-Embed 6.
PACKAGES = (("vega", "5.33.1"), ("vega-lite", "5.23.0"), ("vega-embed", "6.29.0"))

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Plots</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; }
body > div { margin: 0 0 2rem; overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .25rem 1rem; text-align: left; }
img { height: auto; max-width: min(38rem, 90vw); }
</style>
__SCRIPTS__
</head>
<body>
{plot_divs}
</body>
</html>
"""


def fetch(name: str, version: str) -> tuple[str, str]:
    """The minified script of an npm package, and its licence (empty where the package has none inside)."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as tar:
            return _text(tar, f"package/build/{name}.min.js"), _text(tar, "package/LICENSE")


def _text(tar: tarfile.TarFile, path: str) -> str:
    stream = tar.extractfile(path) if path in tar.getnames() else None
    return stream.read().decode("utf-8").strip() if stream else ""


def build(scripts: list[tuple[str, str, str, str]]) -> str:
    """The page from (name, version, script, licence) of every package.

    Raises:
        ValueError: when a script would end its own tag or holds a mark that DVC replaces.
    """
    blocks = []
    # The three are by the same authors under the same BSD-3-Clause; vega leaves its text out of the package.
    shared = next(licence for *_, licence in scripts if licence)
    for name, version, script, licence in scripts:
        for mark in ("</script", "{plot_divs}", "{scripts}", "{refresh_tag}"):
            if mark in script.lower():
                raise ValueError(f"{name} {version} holds {mark!r} and cannot be put into the page")
        blocks.append(f"<script>\n/*! {name} {version}\n\n{licence or shared}\n*/\n{script}\n</script>")
    return _PAGE.replace("__SCRIPTS__", "\n".join(blocks))


def main() -> int:
    page = build([(name, version, *fetch(name, version)) for name, version in PACKAGES])
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(page, encoding="utf-8")
    print(f"{TARGET}: {len(page.encode()):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
