"""Health checks and metrics."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from crnn_ctc.serve.problems import Problem
from crnn_ctc.serve.prometheus import MEDIA_TYPE
from crnn_ctc.serve.schema import StateAnswer, problems
from crnn_ctc.serve.service import ALLOWED, service_of

router = APIRouter(tags=["running"])


@router.get("/healthz", summary="Liveness")
async def healthz() -> StateAnswer:
    """Answers while the event loop runs."""
    return StateAnswer(status="alive")


@router.get("/readyz", summary="Readiness", responses=problems(503))
async def readyz(request: Request) -> StateAnswer:
    """503 while a model's queue is full or the service is stopping."""
    for model in service_of(request).models.values():
        if not model.batcher.takes_more:
            raise Problem(503, f"{model.name} takes no more pictures now", retry_after=1)
    return StateAnswer(status="ready")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    dependencies=[ALLOWED],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problems(401)},
)
async def metrics(request: Request) -> Response:
    """Counts of requests and pictures, times, batch sizes, confidences and memory."""
    return Response(service_of(request).metrics.text(), headers={"Content-Type": MEDIA_TYPE})
