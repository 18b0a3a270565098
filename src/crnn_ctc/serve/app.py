"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crnn_ctc import __version__
from crnn_ctc.serve import api, probes
from crnn_ctc.serve.drain import Drain
from crnn_ctc.serve.observe import Observer
from crnn_ctc.serve.problems import Problem
from crnn_ctc.serve.service import Service
from crnn_ctc.serve.site import site


def make_app(service: Service) -> FastAPI:
    """Create the application; its models run during its lifespan."""

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        for model in service.models.values():
            model.batcher.start()
        yield
        for model in service.models.values():
            await model.batcher.close()

    app = FastAPI(
        title="crnn-ctc",
        summary="Reads a short line of text - a licence plate, a row of digits - from a picture.",
        version=__version__,
        lifespan=working,
        # FastAPI's own pages load scripts from other sites
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.openapi = partial(_described, app)  # type: ignore[method-assign]
    app.include_router(api.router)
    app.include_router(probes.router)
    app.include_router(site())
    app.add_middleware(Observer, metrics=service.metrics)
    app.add_middleware(Drain, body=service.limits.body)  # the outermost
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Generate the OpenAPI document; a key may be sent in either header, or omitted."""
    document = FastAPI.openapi(app)
    schemes = document["components"]["securitySchemes"]
    schemes["header"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    for operations in document["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["security"] = [{"key": []}, {"header": []}, {}]
    return document


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {404: "no such page; the API is described at /docs", 405: "another method is needed"}
    said = detail.get(error.status_code, str(error.detail))
    return Problem(error.status_code, said, headers=error.headers).response()
