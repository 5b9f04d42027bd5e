"""The web application behind the page: what may be asked, and what is answered."""

from __future__ import annotations

from collections.abc import Set
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from ae_pretrained.apps.demo.analysis import (
    DamagedImageError,
    DemoModel,
    ImageTooLargeError,
    NoImageError,
)

MAX_UPLOAD = 20 * 1024 * 1024  # bytes
_HEADERS = {
    # Nothing from elsewhere; images come inside the answer.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_STATUS = {NoImageError: 415, DamagedImageError: 422, ImageTooLargeError: 413}


def create_app(demo_model: DemoModel, hosts: Set[str] | None) -> Flask:
    """The application.

    Args:
        demo_model: the models.
        hosts: host names (without port) under which it may be called. A web site that gives its own name the
            address 127.0.0.1 (DNS rebinding) calls by another one and is refused. None: any name.
    """
    app = Flask(__name__, template_folder="template", static_folder="template", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD

    @app.before_request
    def check_caller() -> tuple[Response, int] | None:
        name = urlsplit(f"//{request.host}").hostname if request.host else None
        if hosts is not None and name not in hosts:
            return _error(f"This page does not go by the name {request.host!r}.", 403)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return _error("Only the page itself may ask.", 403)
        return None

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    def page() -> str:
        return render_template(
            "page.html",
            classes=demo_model.classes(),
            has_autoencoder=demo_model.autoencoder is not None,
            max_upload=MAX_UPLOAD,
            side=demo_model.segmenter.image_size,
        )

    @app.post("/predict")
    def predict() -> tuple[Response, int]:
        # The raw body: a form with files would be spooled to disk.
        content = request.get_data(cache=False)
        if not content:
            return _error("The request holds no image: send its bytes as the body.", 400)
        try:
            return jsonify(demo_model.analyse(content)), 200
        except tuple(_STATUS) as error:
            return _error(str(error), _STATUS[type(error)])

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_error_: RequestEntityTooLarge) -> tuple[Response, int]:
        return _error(f"The file is too large; at most {MAX_UPLOAD // 1024**2} MB are taken.", 413)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return _error(f"{error.name}.", error.code or 500)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[Response, int]:
        app.logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return _error("The program failed; the terminal that it runs in says why.", 500)

    return app


def _error(message: str, status: int) -> tuple[Response, int]:
    answer: dict[str, Any] = {"error": message}
    return jsonify(answer), status
