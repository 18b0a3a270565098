"""Early stopping."""

from __future__ import annotations

from typing import Any


class EarlyStopping:
    """Counts the validations since the last better one.

    Scores are compared as tuples; greater is better. Counting starts when the first number of a
    score has been above 0, since a network with random weights reads nothing at first.

    Args:
        patience: number of validations without improvement that ends the run; 0 for never.
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
        """Whether the run should end."""
        return 0 < self._patience <= self._waited

    def state(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"best": self._best, "waited": self._waited}

    def load(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self._best = tuple(float(number) for number in state["best"])
        self._waited = int(state["waited"])
