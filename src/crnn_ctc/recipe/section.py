"""The base of a recipe's sections, and the types of their values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from crnn_ctc.image import MOST_SIDE

Positive = Annotated[int, Field(gt=0)]
Side = Annotated[int, Field(gt=0, le=MOST_SIDE)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """An immutable section of a recipe; unknown keys and wrong types are errors.

    The docstring of a field is its user documentation: see :mod:`crnn_ctc.recipe.keys`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )
