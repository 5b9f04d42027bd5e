"""The page in a real browser."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server

from ae_pretrained.apps.demo.analysis import DemoModel
from ae_pretrained.apps.demo.app import create_app
from ae_pretrained.apps.demo.server import allowed_hosts, open_socket
from tests.report.chromium import find_chromium

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.long

# What a user's drop does, with the bytes of a file handed in.
_DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name));
    dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def address(weights: Path) -> Iterator[str]:
    demo_model = DemoModel.load(weights / "segmenter.safetensors", weights / "autoencoder.safetensors")
    with open_socket("127.0.0.1", 0) as listening:
        server = create_server(
            create_app(demo_model, allowed_hosts("127.0.0.1")), sockets=[listening], threads=2
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (`apt install chromium`)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A tab, all that it asked for, and all that its console complained of."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.page = browser.new_context(**options).new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: message.type in ("error", "warning") and self.complaints.append(message.text),
        )
        self.page.goto(address)

    def drop(self, path: Path) -> None:
        self.page.evaluate(_DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])


@pytest.fixture
def tab(browser: Any, address: str) -> Iterator[Watched]:
    watched = Watched(browser, address)
    yield watched
    watched.page.context.close()


@pytest.fixture
def image(oxford_sample: Path) -> Path:
    return sorted((oxford_sample / "images").glob("*.jpg"))[0]


def test_drop_an_image_and_toggle_the_layers(tab: Watched, address: str, image: Path) -> None:
    page = tab.page
    assert page.locator("#result").is_hidden()
    tab.drop(image)
    page.locator("#mask").wait_for(state="visible")
    natural = "(image) => [image.naturalWidth, image.naturalHeight]"
    assert page.locator("#mask").evaluate(natural) == page.locator("#image").evaluate(natural)
    assert min(page.locator("#image").evaluate(natural)) > 100
    shares = [float(cell.removesuffix(" %")) for cell in page.locator("#shares td").all_inner_texts()]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert page.locator("#class").inner_text() in ("cat", "dog", "nothing but background")
    assert page.locator("#size").inner_text().endswith("px")

    for name, label in (("confidence", "Confidence"), ("reconstruction", "Reconstruction")):
        layer = page.locator(f"#{name}")
        assert layer.is_hidden()
        page.get_by_label(label).check()
        assert layer.is_visible()
        assert min(layer.evaluate(natural)) > 0
    assert page.locator("#scale").is_visible()
    page.get_by_label("Classes").uncheck()
    assert page.locator("#mask").is_hidden()
    page.get_by_label("Opacity of the layers").fill("25")
    assert page.locator("#confidence").evaluate("(image) => getComputedStyle(image).opacity") == "0.25"
    assert "25 %" in page.locator("#opacity-value").inner_text()

    # Every layer lies exactly on the image.
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("image", "confidence", "reconstruction")]
    for box in boxes[1:]:
        assert all(abs(box[key] - boxes[0][key]) <= 1 for key in box)
    assert tab.complaints == []
    assert all(url.startswith((address, "data:")) for url in tab.requests), tab.requests


def test_choose_a_file_then_another(tab: Watched, oxford_sample: Path) -> None:
    first, second = sorted((oxford_sample / "images").glob("*.jpg"))[:2]
    for image in (first, second):
        tab.page.get_by_label("Choose an image").last.set_input_files(image)
        tab.page.wait_for_function(
            "name => document.getElementById('image').alt.endsWith(name)", arg=image.name
        )
    assert tab.complaints == []


def test_what_is_no_image(tab: Watched, tmp_path: Path, image: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    tab.drop(text)
    alert = tab.page.get_by_role("alert")
    alert.wait_for(state="visible")
    assert "no image that can be read" in alert.inner_text()
    assert tab.page.locator("#result").is_hidden()
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(21 * 1024 * 1024))
    tab.page.locator("#file").set_input_files(large)
    tab.page.wait_for_function("document.getElementById('error').textContent.includes('at most 20 MB')")
    tab.drop(image)
    tab.page.locator("#mask").wait_for(state="visible")
    assert alert.is_hidden()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1280, "dark")])
def test_fits_the_screen(browser: Any, address: str, image: Path, width: int, scheme: str) -> None:
    watched = Watched(browser, address, viewport={"width": width, "height": 800}, color_scheme=scheme)
    watched.drop(image)
    watched.page.locator("#mask").wait_for(state="visible")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    ground = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, ground[4:-1].split(","))) / 3
    assert lightness < 64 if scheme == "dark" else lightness > 192
    assert watched.complaints == []
    watched.page.context.close()


def test_everything_has_a_name(tab: Watched, image: Path) -> None:
    """For those who do not see the page: every control and every image on it says what it is."""
    tab.drop(image)
    tab.page.locator("#mask").wait_for(state="visible")
    unnamed = tab.page.evaluate(
        "() => [...document.querySelectorAll('input')].filter((i) => !i.labels.length).map((i) => i.id)"
        ".concat([...document.querySelectorAll('img')].filter((i) => !i.alt).map((i) => i.id))"
    )
    assert unnamed == []
