"""Serving the page."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Set
from pathlib import Path

from ae_pretrained.errors import PipelineError

_THREADS = 4


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: name or address to listen on.
        port: 0 takes any that is free.

    Raises:
        PipelineError: when the port is in use or not allowed, or there is no such host.
    """
    if not 0 <= port <= 65535:
        raise PipelineError(f"--port {port}: expected a number from 0 to 65535 (0: any that is free)")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror:
        raise PipelineError(f"--host {host}: no such host; on this machine alone: 127.0.0.1") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PipelineError(
                f"port {port} of {host} is in use, perhaps by another demo; stop that, or take another with "
                f"--port {port + 1 if port < 65535 else 8000}"
            ) from None
        if error.errno == errno.EACCES:
            raise PipelineError(
                f"port {port} needs the rights of an administrator; take --port 8000"
            ) from None
        raise PipelineError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror})"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_hosts(host: str) -> Set[str] | None:
    """Names that the page goes by: this machine's own on loopback; any elsewhere, where names are not known."""
    return {"127.0.0.1", "localhost", "::1", host} if is_loopback(host) else None


def serve(host: str, port: int, model: Path | None, autoencoder: Path | None) -> None:
    """Serve the page until Ctrl-C.

    Args:
        host, port: see :func:`open_socket`.
        model, autoencoder: see :meth:`ae_pretrained.apps.demo.analysis.DemoModel.load`.

    Raises:
        PipelineError: when the port or a weights file cannot be used.
    """
    with open_socket(host, port) as listening:  # first: a port in use is told before anything is loaded
        from waitress.server import create_server

        from ae_pretrained.apps.demo.analysis import DemoModel
        from ae_pretrained.apps.demo.app import MAX_UPLOAD, create_app

        app = create_app(DemoModel.load(model, autoencoder), allowed_hosts(host))
        server = create_server(
            app,
            sockets=[listening],
            threads=_THREADS,
            # Larger bodies are turned away before they are read; all others stay in memory, off the disk.
            max_request_body_size=MAX_UPLOAD + 1,
            inbuf_overflow=MAX_UPLOAD + 1,
            outbuf_overflow=2 * MAX_UPLOAD,
            ident=None,
        )
        address = f"[{host}]" if ":" in host else host
        print(f"Open http://{address}:{listening.getsockname()[1]} in a browser. Ctrl-C stops.", flush=True)
        if not is_loopback(host):
            print("Everyone who can reach this machine can use the page.", flush=True)
        server.run()  # returns at Ctrl-C
    print("\nStopped.", flush=True)
