"""CSV and TSV manifests of labelled pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path

from crnn_ctc.data.labelled import LabelError, read_labelled
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.plates.schemes import normaliser
from promise import Target, kept

_FOLDER = Path(tempfile.mkdtemp())
_FILES = (_FOLDER / "train.csv", _FOLDER / "x.tsv")


def check(data: bytes) -> None:
    """Rows with a label and a line, faults told one by one; or a refusal."""
    for file in _FILES:
        file.write_bytes(data)
        for normalise in (normaliser(None), plate_label):
            faults: list[LabelError] = []
            with kept():
                for item in read_labelled(file, faults.append, normalise):
                    assert item.line > 1
                    assert normalise(item.text) == item.text, "normalising twice changes a label"
                    item.path.is_file()
            for fault in faults:
                with kept():
                    raise fault


TARGET = Target(
    check,
    (
        'file,label\na.jpg,皖A12345\nb.png,"00,123"\n'.encode(),
        "\ufefffile\tlabel\tcolour\r\na b.jpg\t 京A·D12345 \tgreen\r\n\r\n".encode(),
        "label,file,split\nx,../../etc/passwd,test\n,b.jpg,\ny,,\nÅe\u0301,c.jpg,dev\n".encode(),
        b'file,label\n"a\nb.jpg",x\n"unclosed,y\n',
    ),
)
