"""State shared by all requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request

from crnn_ctc.serve.keys import Keys
from crnn_ctc.serve.limits import Budget, Limits
from crnn_ctc.serve.models import ServedModel
from crnn_ctc.serve.problems import Problem
from crnn_ctc.serve.prometheus import ServiceMetrics


@dataclass
class Service:
    """Models and rules of one service.

    Attributes:
        models: models by name, the default first.
        limits: limits on requests.
        keys: API keys.
        metrics: metrics of the service.
        budget: bytes that requests may hold.
    """

    models: Mapping[str, ServedModel]
    limits: Limits
    keys: Keys
    metrics: ServiceMetrics
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(self.limits.held)

    def model(self, name: str | None) -> ServedModel:
        """Look up a model by name, or the default.

        Raises:
            Problem: 404, no such model.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem(404, f"no model of that name; there are: {', '.join(self.models)}")
        return self.models[name]


def service_of(request: Request) -> Service:
    """The service that handles a request."""
    return cast(Service, request.app.state.service)


class Allowed(HTTPBearer):
    """A dependency that admits requests with a valid key, or all if there are no keys.

    It is the only dependency and a coroutine, as FastAPI takes time for each one and runs others in
    another thread.
    """

    def __init__(self) -> None:
        super().__init__(
            scheme_name="key",
            auto_error=False,
            description="An API key, where the service has any.",
        )

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Check the key of a request.

        Raises:
            Problem: 401, no valid key.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key")
        if not service_of(request).keys.allow(given):
            raise Problem(
                401,
                "an API key is needed: Authorization: Bearer KEY",
                headers={"WWW-Authenticate": "Bearer"},
            )


ALLOWED = Depends(Allowed())
