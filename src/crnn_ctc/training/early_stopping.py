"""Ending a run that no longer gets better."""

from __future__ import annotations

from typing import Any


class EarlyStopping:
    """Counts the validations since the last better one.

    A validation is better where its score is greater, compared as tuples are. While the first
    number of no score has been above 0, none counts: a network trained from random weights reads
    nothing for a while before it begins to read.

    Args:
        patience: validations without a better one that end the run; 0 never ends it.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best: tuple[float, ...] = (0.0, 0.0)
        self._waited = 0

    def add(self, *score: float) -> None:
        """Count a validation; see :meth:`crnn_ctc.training.loop.Task.score`."""
        if score > self._best:
            self._best, self._waited = score, 0
        elif score[0] > 0 or self._best[0] > 0:
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
        self._best = tuple(float(number) for number in state["best"])
        self._waited = int(state["waited"])
