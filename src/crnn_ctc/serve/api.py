"""The API: pictures in, readings out."""

from __future__ import annotations

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from crnn_ctc.serve.intake import declared_size, is_multipart, pictures_of
from crnn_ctc.serve.models import ReadRequest
from crnn_ctc.serve.problems import Problem
from crnn_ctc.serve.schema import (
    WHAT,
    Answer,
    ModelsAnswer,
    limits_answer,
    model_answer,
    options_described,
    options_of,
    problems,
    reading_answer,
)
from crnn_ctc.serve.service import ALLOWED, service_of

_BINARY = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["pictures"],
                "properties": {"pictures": {"type": "array", "minItems": 1, "items": _BINARY}},
            }
        },
        "image/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
    },
}

router = APIRouter(prefix="/v1", dependencies=[ALLOWED], tags=["reading"])


@router.post(
    "/read",
    summary="Read pictures",
    response_model=Answer,
    response_description="Readings.",
    responses=problems(*WHAT),
    openapi_extra={"parameters": options_described(), "requestBody": _BODY},
)
async def read(request: Request) -> Response:
    """Send pictures as files of a form, under any names, or one picture as the body.

    A file of a form that cannot be read gets an error; the others are read.
    """
    service, options = service_of(request), options_of(request)
    model = service.model(options.model)
    if options.find == "always" and not model.plates:
        raise Problem(422, f"find: {model.name} reads no plates; leave find out")
    with service.budget.take(declared_size(request, service.limits)):
        pictures = await pictures_of(request, service.limits)
        started = time.perf_counter()
        jobs = [
            ReadRequest(picture.content, options.alternatives, options.min_confidence, options.find)
            for picture in pictures
        ]
        readings = await model.batcher.do(jobs, service.limits.seconds)
    if readings[0].error is not None and not is_multipart(request):
        raise Problem(422, readings[0].error)
    answer = Answer(
        model=model.name,
        ms=round((time.perf_counter() - started) * 1e3, 3),
        readings=[
            reading_answer(picture.name, reading, model.display)
            for picture, reading in zip(pictures, readings, strict=True)
        ],
    )
    # already validated: FastAPI would validate it again
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/models", summary="List models", responses=problems(401))
async def models(request: Request) -> ModelsAnswer:
    """The served models, the default first, and the limits of a request."""
    service = service_of(request)
    return ModelsAnswer(
        models=[model_answer(model) for model in service.models.values()],
        limits=limits_answer(service.limits),
    )
