"""Ending a run that no longer gets better."""

from __future__ import annotations

from typing import Any


class EarlyStopping:
    """Counts the validations since the last better one.

    A validation is better where more texts are right, or as many with fewer character errors. While
    no text has been right yet, none counts: a network trained from random weights reads nothing for
    a while before it begins to read.

    Args:
        patience: validations without a better one that end the run; 0 never ends it.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best = (0.0, 0.0)
        self._waited = 0

    def add(self, exact_match: float, cer: float) -> None:
        """Count a validation; both are fractions."""
        if (exact_match, -cer) > self._best:
            self._best, self._waited = (exact_match, -cer), 0
        elif exact_match > 0 or self._best[0] > 0:
            self._waited += 1

    @property
    def reached(self) -> bool:
        """Whether the run is to end."""
        return 0 < self._patience <= self._waited

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self._best, "waited": self._waited}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        exact_match, negative_cer = state["best"]
        self._best, self._waited = (float(exact_match), float(negative_cer)), int(state["waited"])
