"""Schemas of the API."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from starlette.requests import Request

from crnn_ctc.decode import Alternative
from crnn_ctc.find.photo import Find
from crnn_ctc.reading import Reading, reading_json
from crnn_ctc.serve.limits import Limits
from crnn_ctc.serve.models import MOST_ALTERNATIVES, ServedModel
from crnn_ctc.serve.problems import MEDIA_TYPE, Problem

NAME_LENGTH = 200
"""Maximum length of a picture's name in the answer."""


class Options(BaseModel):
    """What a request may ask for."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=200, description="Its name; the first by default.")
    alternatives: int = Field(
        0, ge=0, le=MOST_ALTERNATIVES, description="Next best texts to give; they take time."
    )
    min_confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Accept texts with at least this confidence; the model's own by default.",
    )
    find: Find = Field(
        "auto",
        description="Which pictures are searched for plates: auto searches photographs and reads "
        "crops as they are, always searches all, never none.",
    )


def options_of(request: Request) -> Options:
    """Parse the query of a request, which is faster than FastAPI's own way.

    Raises:
        Problem: 422, a parameter is wrong or unknown.
    """
    try:
        return Options.model_validate(dict(request.query_params))
    except ValidationError as error:
        said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise Problem(422, "; ".join(said)[:500]) from None


def options_described() -> list[dict[str, Any]]:
    """Describe the options for the OpenAPI document."""
    described = Options.model_json_schema()["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in described.items()
    ]


def _describe(schema: dict[str, Any], kind: type[Any]) -> None:
    """Copy field descriptions from a dataclass's docstring to its schema; all are required."""
    schema["required"] = list(schema["properties"])
    said = inspect.getdoc(kind.__mro__[1]) or ""
    for name, meaning in re.findall(r"^    (\w+): (.+?)(?=^    \w|\Z)", said, re.M | re.S):
        schema["properties"][name].setdefault("description", " ".join(meaning.split()))


_DESCRIBED = ConfigDict(json_schema_extra=_describe)


@dataclass(frozen=True, config=_DESCRIBED)
class AlternativeAnswer(Alternative):
    """A next best text."""

    display: Annotated[str, Field(description="The text as people write it.")] = ""


@dataclass(frozen=True, config=_DESCRIBED)
class ReadingAnswer(Reading):
    """What was read in a picture, or why nothing was; of a photograph, its most confident plate."""

    alternatives: tuple[AlternativeAnswer, ...] = ()
    plates: tuple[ReadingAnswer, ...] | None = None
    display: Annotated[str, Field(description="As people write it: a plate with its dot.")] = ""
    name: Annotated[str, Field(description="Of the file as sent, cut to 200 characters.")] = ""


class Answer(BaseModel):
    """Readings, in the order of the pictures."""

    model: str
    ms: float = Field(description="Milliseconds from the whole request to the answer, queue too.")
    readings: list[ReadingAnswer]


class ModelAnswer(BaseModel):
    """A model that can be asked."""

    name: str
    description: str
    characters: str = Field(description="All that it can spell.")
    grammar: str | None = Field(description="What a text can be; null for anything.")
    parameters: int
    licence: str
    approximate_places: bool = Field(description="Whether characters may be spelt off their place.")
    min_confidence: float = Field(description="Of what is accepted, where a request does not say.")


class LimitsAnswer(BaseModel):
    """What is refused."""

    body_bytes: int
    pixels: int
    pictures: int
    alternatives: int
    seconds: float


class ModelsAnswer(BaseModel):
    """The models, the default first, and the limits."""

    models: list[ModelAnswer]
    limits: LimitsAnswer


class StateAnswer(BaseModel):
    """Whether the service lives or is ready."""

    status: str


class ProblemAnswer(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


WHAT = {
    400: "No picture, or a broken form.",
    401: "An API key is needed.",
    404: "No such model.",
    408: "The body did not arrive in time.",
    413: "Too many bytes or pictures.",
    415: "Neither a form nor a picture.",
    422: "A parameter is wrong; or the body is one picture and cannot be read.",
    503: "Busy; Retry-After says for how long.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route for the OpenAPI document."""
    schema = ProblemAnswer.model_json_schema()
    return {
        status: {"description": WHAT[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def reading_answer(name: str, reading: Reading, display: Callable[[str], str]) -> ReadingAnswer:
    """Convert a reading to its answer; ``display`` formats texts."""
    plates = reading.plates
    return ReadingAnswer(
        name=name[:NAME_LENGTH],
        plates=None if plates is None else tuple(reading_answer(name, p, display) for p in plates),
        **reading_json(reading, display),
    )


def model_answer(model: ServedModel) -> ModelAnswer:
    """Convert a model to its entry in the list."""
    card = model.card
    return ModelAnswer(
        name=model.name,
        description=card.description,
        characters=card.alphabet.characters,
        grammar=card.grammar,
        parameters=card.parameters,
        licence=card.licence,
        approximate_places=model.plates,
        min_confidence=model.min_confidence,
    )


def limits_answer(limits: Limits) -> LimitsAnswer:
    """Convert limits to their answer."""
    return LimitsAnswer(
        body_bytes=limits.body,
        pixels=limits.pixels,
        pictures=limits.pictures,
        alternatives=MOST_ALTERNATIVES,
        seconds=limits.seconds,
    )
