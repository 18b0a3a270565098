"""The web page, read once and served from memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PAGES = {"index.html": "/", "docs.html": "/docs"}


def site() -> APIRouter:
    """Create a route for each file of ``page/``."""
    router = APIRouter(include_in_schema=False)
    for file in (files("crnn_ctc.serve") / "page").iterdir():
        kind = _KINDS.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            path = _PAGES.get(file.name, f"/{file.name}")
            router.add_api_route(path, _sender(file.read_bytes(), kind), methods=["GET", "HEAD"])
    return router


def _sender(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        headers = {"Content-Type": kind, "Cache-Control": "no-cache"}
        return Response(content, headers=headers)

    return send
