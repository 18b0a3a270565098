"""What all requests share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from crnn_ctc.serve.keys import Keys
from crnn_ctc.serve.limits import Budget, Limits
from crnn_ctc.serve.metrics import Metrics
from crnn_ctc.serve.models import ServedModel
from crnn_ctc.serve.problems import Problem


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
    metrics: Metrics
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


# both are coroutines: FastAPI calls a plain function in another thread, which costs a millisecond
async def service_of(request: Request) -> Service:
    """The service that a request came to."""
    return cast(Service, request.app.state.service)


Shared = Annotated[Service, Depends(service_of)]

_BEARER = HTTPBearer(auto_error=False, description="An API key, where the service has any.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same.")


async def allowed(
    service: Shared,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> None:
    """Let pass who has a key, or everybody where there are none.

    Raises:
        Problem: 401.
    """
    if not service.keys.allow(bearer.credentials if bearer else header):
        raise Problem(
            401,
            "an API key is needed: Authorization: Bearer KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )
