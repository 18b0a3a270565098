"""Check a model file for forbidden content before any runtime opens it.

ONNX can name other files to read, functions, loops and libraries' own operators, and declare
tensors larger than any memory. A file that does is refused; the operators of a plain feed-forward
or recurrent network are all allowed. The walk over the protobuf reads no weights and takes a
millisecond; the field numbers are those of onnx.proto (ONNX IR version 10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from crnn_ctc.errors import InputError

MOST_BYTES = 300_000_000
"""Largest file, bytes. The largest network with 65,536 characters has some 170 MB."""

MOST_CARD = 1_000_000
"""Bytes of an entry of the metadata."""

FORBIDDEN = frozenset(
    # control flow: runs graphs within the graph
    b"If Loop Scan SequenceMap "
    # random output
    b"Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike "
    # output whose size depends on values: a few bytes can ask for any amount of memory
    b"CenterCropPad Compress ConstantOfShape EyeLike GridSample NonZero OneHot Range Resize Tile "
    b"Unique Upsample "
    # sequences, optional values, text and encoded pictures
    b"ConcatFromSequence ImageDecoder Optional OptionalGetElement OptionalHasElement "
    b"RegexFullMatch SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "
    b"SequenceLength SplitToSequence StringConcat StringNormalizer StringSplit "
    b"TfIdfVectorizer".split()
)
"""Operators of ONNX's own domain that no model may use."""

_MOST_FIELDS = 100_000  # the largest of ours has some 2,000
_MOST_ENTRIES = 16
_MOST_RANK = 8
# of an attribute: a stride, an axis, a hidden size; negative ones are two's complement
_MOST_NUMBER = 1 << 16
_LEAST_NUMBER = (1 << 64) - _MOST_NUMBER
_END = (1 << 63) - 1  # "to the end"

_INT64 = 7
_MOST_SIZE = 1 << 26  # numbers of a tensor whose shape is written down

_SIZES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2}
"""Bytes of an element, by type: float, uint8, int8, int32, int64, bool, float16."""

_NO_ONNX = "is cut short, or no ONNX file"
_VARINT, _BYTES = 0, 2  # how a field is written; 5: four bytes


@dataclass(frozen=True)
class _Message:
    """A message of the file: how each of its known fields is written, and what others hold."""

    known: dict[int, int]
    foreign: dict[int, str] = field(default_factory=dict)


_FUNCTIONS, _GRAPHS = "has functions of its own", "has graphs within its graph"
_MODEL = _Message(
    {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2},
    {20: "has steps of training", 25: _FUNCTIONS},
)
_ENTRY = _Message({1: 2, 2: 2})
_GRAPH = _Message({1: 2, 2: 2, 5: 2, 10: 2, 11: 2, 12: 2, 13: 2, 16: 2}, {15: "has sparse weights"})
_NODE = _Message({1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2, 9: 2}, {8: _FUNCTIONS})
_ATTRIBUTE = _Message(
    {1: 2, 2: 5, 3: 0, 4: 2, 5: 2, 7: 5, 8: 0, 13: 2, 20: 0},
    {6: _GRAPHS, 11: _GRAPHS, 21: _FUNCTIONS},
)
_TENSOR = _Message(
    {1: 0, 2: 0, 4: 2, 5: 2, 7: 2, 8: 2, 9: 2, 12: 2, 14: 0, 16: 2},
    {6: "has text as weights", 13: "keeps weights in other files"},
)


class _RefusedError(Exception):
    """Why; it follows "it"."""


def read_model(path: str | Path) -> bytes:
    """The content of a model file, fit to be given to a runtime.

    Raises:
        InputError: it cannot be read, is too large, or holds what no model of ours does.
    """
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise InputError(
                f"{path}: over {MOST_BYTES // 1_000_000} MB, no model of crnn-ctc is as large; "
                "give a file that crnn-ctc export wrote"
            )
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    check_model(content, str(path))
    return content


def check_model(content: bytes, name: str) -> None:
    """See that an ONNX model holds only what ours do.

    Args:
        content: bytes of the file.
        name: name of the file, for the message.

    Raises:
        InputError: it does not.
    """
    try:
        _Walk(content).model()
    except _RefusedError as error:
        raise InputError(
            f"{name}: not a model of crnn-ctc: it {error}; give a file that crnn-ctc export wrote"
        ) from None


class _Walk:
    """One pass over the fields of a file; nothing is copied but short names."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = _MOST_FIELDS

    def model(self) -> None:
        graphs = 0
        keys: list[bytes] = []
        for number, start, end in self._fields(0, len(self._content), _MODEL):
            if number == 7:
                graphs += 1
                self._graph(start, end)
            elif number == 14:
                keys.append(self._entry(start, end))
        if graphs != 1:
            raise _RefusedError(_NO_ONNX if self._content else "is empty")
        if len(keys) > _MOST_ENTRIES or len(keys) != len(set(keys)):
            raise _RefusedError("has more metadata than a card")

    def _entry(self, start: int, end: int) -> bytes:
        if end - start > MOST_CARD:
            raise _RefusedError(f"has metadata of over {MOST_CARD // 1_000_000} MB")
        key = b""
        for number, a, b in self._fields(start, end, _ENTRY):
            text = self._content[a:b]
            if number == 1:
                key = text
            try:
                text.decode()
            except UnicodeDecodeError:
                raise _RefusedError("has metadata that are no text") from None
        return key

    def _graph(self, start: int, end: int) -> None:
        for number, a, b in self._fields(start, end, _GRAPH):
            if number == 1:
                self._node(a, b)
            elif number == 5:
                self._tensor(a, b)

    def _node(self, start: int, end: int) -> None:
        operator = b""
        for number, a, b in self._fields(start, end, _NODE):
            if number == 4:
                operator = self._content[a:b]
                if operator in FORBIDDEN:
                    raise _RefusedError(
                        f"uses the operator {_shown(operator)}, which models must not"
                    )
            elif number == 5:
                self._attribute(a, b)
            elif number == 7 and b > a and self._content[a:b] != b"ai.onnx":
                raise _RefusedError(f"uses operators of {_shown(self._content[a:b])}")
        if not operator:
            raise _RefusedError("uses an operator without a name")

    def _attribute(self, start: int, end: int) -> None:
        listed: list[int] = []
        for number, a, b in self._fields(start, end, _ATTRIBUTE):
            if number == 5:
                self._tensor(a, b)
            elif number in {3, 8}:
                if _MOST_NUMBER < a < _LEAST_NUMBER and a != _END:
                    raise _RefusedError(f"has a setting of {a}")
                listed.append(a)
        self._sizes(listed)

    def _tensor(self, start: int, end: int) -> None:
        shape: list[int] = []
        kind = size = raw = 0
        listed: list[int] = []
        for number, a, b in self._fields(start, end, _TENSOR):
            if number == 1:
                shape.append(a)
            elif number == 2:
                kind = a
            elif number == 9:
                raw += b - a
                if raw <= 8 * _MOST_RANK:
                    listed += np.frombuffer(self._content, "<u8", (b - a) // 8, a).tolist()
            elif number == 7 and b - a <= 10 * _MOST_RANK:
                size += b - a
                while a < b:
                    value, a = self._varint(a, b)
                    listed.append(value)
            elif number in {4, 5, 7}:
                size += b - a
            elif number == 14 and a:
                raise _RefusedError("keeps weights in other files")
        if kind not in _SIZES:
            raise _RefusedError(f"has weights of type {kind}")
        if kind == _INT64:
            self._sizes(listed)
        count = prod(shape) if len(shape) <= _MOST_RANK else MOST_BYTES
        # of a list each element takes a byte or more
        if count * _SIZES[kind] != raw if raw else count > size:
            raise _RefusedError(
                f"states {'x'.join(map(str, shape[:_MOST_RANK]))} weights, which it does not hold"
            )

    @staticmethod
    def _sizes(listed: list[int]) -> None:
        """Integers of 64 bits are shapes, and parts of shapes."""
        known = [n for n in listed if 0 < n < _LEAST_NUMBER and n != _END]
        if prod(known) > _MOST_SIZE:
            raise _RefusedError(f"asks for a tensor of {'x'.join(map(str, known))}")

    def _fields(self, at: int, end: int, message: _Message) -> Iterator[tuple[int, int, int]]:
        """Each field's number, and where it starts and ends; of an integer, its value, twice."""
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise _RefusedError("has too many parts")
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            if message.known.get(number) != wire:
                raise _RefusedError(message.foreign.get(number, _NO_ONNX))
            if wire == _VARINT:
                value, at = self._varint(at, end)
                yield number, value, value
                continue
            size, at = self._varint(at, end) if wire == _BYTES else (4, at)
            if size > end - at:
                raise _RefusedError(_NO_ONNX)
            yield number, at, at + size
            at += size

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """The integer there, and where it ends."""
        value = shift = 0
        while at < end and shift < 70:
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & ((1 << 64) - 1), at
            shift += 7
        raise _RefusedError(_NO_ONNX)


def _shown(name: bytes) -> str:
    return name[:40].decode("utf-8", "replace")
