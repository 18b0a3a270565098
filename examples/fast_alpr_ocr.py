"""fast-alpr with a reader of crnn-ctc: its detector finds the plates, this package reads them.

pip install "fast-alpr[onnx]" .
python examples/fast_alpr_ocr.py PHOTO
"""

from __future__ import annotations

import sys

import numpy as np
from fast_alpr import ALPR
from fast_alpr.base import BaseOCR, OcrResult

from crnn_ctc import InputError, Reader


class CrnnCtcOCR(BaseOCR):
    """A reader as fast-alpr's OCR; it is given crops in BGR."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def predict(self, cropped_plate: np.ndarray) -> OcrResult | None:
        """The text of a crop; None where there is none, or the crop is too small."""
        try:
            reading = self.reader(np.ascontiguousarray(cropped_plate[..., ::-1]))
        except InputError:
            return None
        return OcrResult(reading.text, reading.confidence) if reading.text else None


if __name__ == "__main__":
    for result in ALPR(ocr=CrnnCtcOCR(Reader())).predict(sys.argv[1]):
        print(result.ocr.text if result.ocr else "(no text)", result.detection.bounding_box)
