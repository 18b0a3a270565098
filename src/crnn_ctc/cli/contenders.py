"""What a user wants evaluated: one model, two, or one whose output is read in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_ctc.cli.models import Runtime, open_model
from crnn_ctc.decode.decoder import Method, decoder_for
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.evaluation.result import Contender


def open_contenders(
    models: Sequence[str],
    threads: int = 1,
    decode: Method | None = None,
    against: Method | None = None,
    grammar: str | None = None,
    runtime: Runtime = Runtime.ONNXRUNTIME,
) -> list[Contender]:
    """One contender, or the two that are to be compared.

    Args:
        models: one or two, as a user names them.
        threads: of the network.
        decode: how to read the output; see :func:`decoder_for`.
        against: a second way of reading that of one model.
        grammar: by name, of every way that obeys one.
        runtime: that computes model files.

    Raises:
        InputError: there are not one or two, they are the same, or one cannot be used.
    """
    from crnn_ctc.evaluation.result import Contender

    if len(models) > 2:
        raise InputError(f"{models[2]}: two models can be compared; name one or two, then the data")
    if len(models) == 2 and against is not None:
        raise InputError(
            "--against compares two ways of reading one model's output; name one model, or leave "
            "it out"
        )
    if len(models) == 2 and Path(models[0]).resolve() == Path(models[1]).resolve():
        raise InputError(
            f"{models[0]}: named twice; name another model, or compare two ways of decoding with "
            "--against"
        )
    opened = [open_model(name, threads, runtime) for name in models]
    decoders = [decoder_for(model.card, decode, grammar) for model in opened]
    if against is not None:
        opened *= 2
        decoders.append(decoder_for(opened[0].card, against, grammar))
        if decoders[0].method == decoders[1].method:
            raise InputError(
                f"--against {against}: the model is decoded so already; give --decode another way"
            )
        names = [f"{opened[0].card.name}, {decoder.method}" for decoder in decoders]
    else:
        names = [model.card.name for model in opened]
        if len(set(names)) < len(names):
            names = list(models)  # two files of one recipe
    return [
        Contender(name, model, decoder)
        for name, model, decoder in zip(names, opened, decoders, strict=True)
    ]
