"""Held-out training digits that two models misread in the same way: mostly wrong labels.

    python bench/label_noise.py MODEL MODEL --data DIR [--sheet FILE.png]

The digits are those that training on EMNIST holds out, which neither model was trained on; a model
is a model file or a run folder. What both read alike against the label is a list to look at: some
are wrong labels, others are digits that both misread.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

from crnn_ctc.cli.model_options import open_model
from crnn_ctc.data.digits import hold_out, load_digits
from crnn_ctc.data.sequences import rows, texts
from crnn_ctc.decode import greedy_texts
from crnn_ctc.recipe import DigitsData

PER_ROW = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs=2)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    share = DigitsData(kind="digits").validation
    held = hold_out(load_digits(options.data, "train"), share)[1]
    n = len(held) // PER_ROW * PER_ROW
    images = rows(held.images[:n].reshape(-1, PER_ROW, 32, 32))
    labels = texts(held.labels[:n].reshape(-1, PER_ROW))

    wrong = []
    for name in options.models:
        model = open_model(name)
        read = greedy_texts(model.log_probs(images), model.card.alphabet)
        misread = {
            PER_ROW * row + place: got
            for row, (text, label) in enumerate(zip(read, labels, strict=True))
            if len(text) == len(label)
            for place, (got, truth) in enumerate(zip(text, label, strict=True))
            if got != truth
        }
        print(f"{model.card.name}: {len(misread)} of {n} digits misread")
        wrong.append(misread)
    same = sorted(i for i, got in wrong[0].items() if wrong[1].get(i) == got)
    share = len(same) / n
    print(f"misread alike by both: {len(same)}, {100 * share:.2f} % of the digits")
    print(f"rows of {PER_ROW} without such a digit: {100 * (1 - share) ** PER_ROW:.1f} %")
    if options.sheet:
        sheet = Image.new("L", (12 * 70, -(-max(len(same), 1) // 12) * 86), 60)
        draw = ImageDraw.Draw(sheet)
        for place, i in enumerate(same):
            x, y = place % 12 * 70, place // 12 * 86
            sheet.paste(Image.fromarray(held.images[i]).resize((64, 64)), (x, y))
            draw.text((x + 2, y + 66), f"{held.labels[i]} read {wrong[0][i]}", 255)
        sheet.save(options.sheet)


if __name__ == "__main__":
    main()
