"""Settings of short training runs for comparison: recipe plates-nano, a few minutes each."""

from __future__ import annotations

from pathlib import Path

RECIPE = "plates-nano"
BATCH = 64


def changes(seed: int, images: int, glyphs: Path | None) -> list[str]:
    """List changes of the recipe, as for ``--set``.

    Args:
        seed: random seed of the run.
        images: number of training pictures.
        glyphs: folder of character pictures; None for the bundled typefaces.
    """
    return [
        f"seed={seed}",
        f"training.images={images}",
        f"training.batch_size={BATCH}",
        "training.learning_rate=2e-3",
        "training.warmup=0.1",
        "training.flat_start=0.4",
        "training.ema_decay=0.995",
        *([f"data.glyphs={glyphs.resolve()}"] if glyphs else []),
    ]
