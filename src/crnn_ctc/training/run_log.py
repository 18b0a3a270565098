"""The log of a run: metrics.jsonl, TensorBoard events, a picture of its curves."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

Row = dict[str, Any]

_QUIET = 10
"""Seconds between printed lines without a progress bar."""


def _duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


MEASURES = {
    "exact_match": ("wrong texts", 1.0),
    "mean_iou": ("missing of the mean IoU", 1.0),
    "corner_error": ("corner error of the plate's height", 0.0),
}
"""Validation measures: the name of their distance from the best value, and that value."""


class Record:
    """Writes rows of numbers to all outputs; a context manager.

    Args:
        folder: folder of the run.
        steps: number of steps of the whole run.
        step: step to resume from; later rows of an earlier process are dropped.
        batch_size: pictures per step.
    """

    def __init__(self, folder: Path, steps: int, step: int, batch_size: int) -> None:
        self._path = folder / "metrics.jsonl"
        self.rows = [row for row in read_rows(self._path) if row["step"] <= step]
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        self._path.write_text(text, encoding="utf-8")
        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        self._curves = folder / "curves.png"
        self._console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=steps, completed=step)
        self._shown: dict[str, str] = {}
        self._steps, self._first, self._size = steps, step, batch_size
        self._began = self._printed = time.perf_counter()
        self._exact_match: float | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        self._began = self._printed = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._file.close()
        self._board.close()

    def note(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def advance(self, step: int) -> None:
        """Advance the progress bar, or print a line every few seconds."""
        self._progress.update(self._task, completed=step)
        if not self._console.is_terminal and time.perf_counter() - self._printed > _QUIET:
            self._print(step)

    def write(self, kind: str, step: int, **numbers: float) -> None:
        """Add a row: ``kind`` is ``train`` or ``validation``."""
        row: Row = {"kind": kind, "step": step, **numbers}
        self.rows.append(row)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, number in numbers.items():
            self._board.add_scalar(f"{kind}/{name}", number, step)
        shown = ("loss", "learning_rate", "images_per_second", *MEASURES)
        self._shown |= {k: f"{k} {numbers[k]:.4g}" for k in shown if k in numbers}
        self._progress.update(self._task, description="  ".join(self._shown.values()))
        self._exact_match = numbers.get("exact_match", self._exact_match)
        if not self._console.is_terminal:
            self._print(step, **numbers)
        if kind == "validation":
            draw_curves(self.rows, self._curves)

    def _print(self, step: int, loss: float | None = None, **_: float) -> None:
        """One line: progress, remaining time and accuracy."""
        self._printed = time.perf_counter()
        seconds = (self._printed - self._began) / max(1, step - self._first)
        parts = [
            f"step {step:,} of {self._steps:,}",
            f"{_duration(seconds * (self._steps - step))} left",
            f"{self._size / max(seconds, 1e-9):.0f} images/s",
        ]
        if loss is not None:
            parts.append(f"loss {loss:.4g}")
        if self._exact_match is not None:
            parts.append(f"validation {100 * self._exact_match:.2f} % right")
        print("  ".join(parts), file=sys.stderr, flush=True)


class NullRecord:
    """The record of processes other than the main one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def note(self, line: str) -> None:
        """Nothing."""

    def advance(self, step: int) -> None:
        """Nothing."""

    def write(self, kind: str, step: int, **numbers: float) -> None:
        """Nothing."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a ``metrics.jsonl``, without a truncated last line."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def draw_curves(rows: list[Row], path: Path) -> None:
    """Plot the loss and the validation errors against steps, to a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    train = [row for row in rows if row["kind"] == "train"]
    validation = [row for row in rows if row["kind"] == "validation"]
    axes.plot([r["step"] for r in train], [r["loss"] for r in train], color="tab:blue", lw=1)
    axes.set(xlabel="step", ylabel="loss (training)", yscale="log")
    axes.yaxis.label.set_color("tab:blue")
    measure = next(name for name in MEASURES if all(name in row for row in validation))
    words, perfect = MEASURES[measure]
    wrong = axes.twinx()
    wrong.plot(
        [r["step"] for r in validation],
        [max(100 * abs(perfect - r[measure]), 0.01) for r in validation],
        color="tab:red",
        marker=".",
    )
    wrong.set(ylabel=f"{words} in % (validation)", yscale="log")
    wrong.yaxis.label.set_color("tab:red")
    wrong.yaxis.set_major_formatter("{x:g}")
    wrong.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


class Window:
    """Mean loss and speed since the last log line."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []  # on the device: reading one would wait for it
        self._images = 0
        self._since = time.perf_counter()

    def add(self, loss: Tensor, images: int) -> None:
        """One step's loss (), and its pictures."""
        self._losses.append(loss)
        self._images += images

    def take(self) -> dict[str, float]:
        """The means so far, which are then reset.

        Raises:
            InputError: the loss is not finite.
        """
        loss = float(np.mean(self.state()))
        if not math.isfinite(loss):
            raise InputError(
                "the loss is no longer a number; lower training.learning_rate, "
                "or set training.precision=float32"
            )
        seconds = time.perf_counter() - self._since
        speed = self._images / max(seconds, 1e-9)
        self._losses = []
        self.restart()
        return {"loss": loss, "images_per_second": speed}

    def restart(self) -> None:
        """Exclude the time since the last step from the speed."""
        self._images, self._since = 0, time.perf_counter()

    def state(self) -> list[float]:
        """State for a checkpoint."""
        return [float(loss) for loss in self._losses]

    def load(self, losses: list[float]) -> None:
        """Restore the state of a checkpoint."""
        self._losses = [torch.tensor(loss) for loss in losses]
