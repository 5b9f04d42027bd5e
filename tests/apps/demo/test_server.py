from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.apps.demo.app import MAX_UPLOAD
from ae_pretrained.apps.demo.server import is_loopback, open_socket
from ae_pretrained.errors import PipelineError
from tests.conftest import ROOT

# A test run in the background of a shell inherits that Ctrl-C is not heeded.
_PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from ae_pretrained.apps.cli import main; sys.exit(main(sys.argv[1:]))"
)


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "demo", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address, line + process.stderr.read() if process.stderr else line
        yield process, address.group()
    finally:
        process.kill()
        process.communicate()


def test_serves_and_ends_at_ctrl_c(weights: Path, tmp_path: Path) -> None:
    with running("--model", str(weights / "segmenter.safetensors")) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
            assert "waitress" not in str(answer.headers).lower()
        request = urllib.request.Request(f"{address}/predict", data=b"x" * (MAX_UPLOAD + 5))
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == 413  # noqa: PT017
        except urllib.error.URLError:
            pass  # the answer came, and the connection went, while the body was still being sent
        else:
            pytest.fail("a body over the limit was taken")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Stopped." in out
    assert "Traceback" not in err


def test_port_in_use(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["demo", "--port", str(port), "--model", str(weights / "segmenter.safetensors")]) == 1
    said = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is in use" in said
    assert "--port" in said


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [("127.0.0.1", 70000, "0 to 65535"), ("no such host", 0, "no such host"), ("192.0.2.1", 0, "192.0.2.1")],
)
def test_unusable_addresses(host: str, port: int, said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        open_socket(host, port)


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.2", "localhost", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.5", "::", "example.org")))
