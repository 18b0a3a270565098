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
        models: by name, the default first.
        limits: what is refused.
        keys: who may read.
        metrics: what is counted.
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
        """A model by its name, or the default.

        Raises:
            Problem: 404, no such model.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem(404, f"no model of that name; there are: {', '.join(self.models)}")
        return self.models[name]


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    return cast(Service, request.app.state.service)


class Allowed(HTTPBearer):
    """A dependency that lets pass who has a key, or everybody where there are none.

    FastAPI takes time for each dependency, and calls one that is no coroutine in another thread: so
    there is this one alone.
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
            Problem: 401.
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
