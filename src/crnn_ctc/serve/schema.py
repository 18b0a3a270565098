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
    """Options of a request."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(
        None, max_length=200, description="Name of the model; by default the first."
    )
    alternatives: int = Field(
        0,
        ge=0,
        le=MOST_ALTERNATIVES,
        description="Number of next most probable texts; takes extra time.",
    )
    min_confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least confidence of accepted texts; by default the model's.",
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
    """A next most probable text."""

    display: Annotated[str, Field(description="The text, formatted for display.")] = ""


@dataclass(frozen=True, config=_DESCRIBED)
class ReadingAnswer(Reading):
    """The reading of a picture, or an error. Of a photograph, its most confident plate."""

    alternatives: tuple[AlternativeAnswer, ...] = ()
    plates: tuple[ReadingAnswer, ...] | None = None
    display: Annotated[
        str, Field(description="The text, formatted for display: a plate with its dot.")
    ] = ""
    name: Annotated[str, Field(description="Name of the file as sent, at most 200 characters.")] = (
        ""
    )


class Answer(BaseModel):
    """Readings in the order of the pictures."""

    model: str
    ms: float = Field(
        description="Milliseconds from the received request to the answer, with the queue."
    )
    readings: list[ReadingAnswer]


class ModelAnswer(BaseModel):
    """A served model."""

    name: str
    description: str
    characters: str = Field(description="Characters that the model reads.")
    grammar: str | None = Field(description="Allowed texts; null for any text.")
    parameters: int
    licence: str
    approximate_places: bool = Field(
        description="Whether the places of characters are approximate."
    )
    min_confidence: float = Field(
        description="Least confidence of accepted texts, where a request sets none."
    )


class LimitsAnswer(BaseModel):
    """Limits of a request; what exceeds them is refused."""

    body_bytes: int
    pixels: int
    pictures: int
    alternatives: int
    seconds: float


class ModelsAnswer(BaseModel):
    """The served models, the default first, and the limits of a request."""

    models: list[ModelAnswer]
    limits: LimitsAnswer


class StateAnswer(BaseModel):
    """State of the service."""

    status: str


class ProblemAnswer(BaseModel):
    """An error, as in RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


WHAT = {
    400: "No picture, or a malformed form.",
    401: "An API key is needed.",
    404: "No such model.",
    408: "The body did not arrive in time.",
    413: "Too many bytes or pictures.",
    415: "Not a form and not a picture.",
    422: "A parameter is wrong, or the body is a single picture that cannot be read.",
    503: "Overloaded; try again after Retry-After seconds.",
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
