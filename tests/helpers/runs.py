"""What a run folder holds."""

from __future__ import annotations

from pathlib import Path


def rows_so_far(run: Path) -> list[dict[str, float]]:
    from crnn_ctc.training.run_log import read_rows

    return read_rows(run / "metrics.jsonl")
