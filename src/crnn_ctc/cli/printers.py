"""Output formats of readings."""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from collections.abc import Callable
from typing import Any, Protocol

from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import one_line, printable_name
from crnn_ctc.reading import Reading, TrackReading, reading_json


class OutputFormat(StrEnum):
    """Output format of readings."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    EXCEL = "excel"


class Printer(Protocol):
    """Prints readings, one at a time."""

    def row(self, name: str, reading: Reading) -> None:
        """Print one reading of the picture ``name``; of a photograph, one row per plate."""

    def end(self) -> None:
        """Print what follows the last reading."""


def printer_for(form: OutputFormat, show: Callable[[str], str], show_verdict: bool) -> Printer:
    """Create the printer of a format.

    Args:
        form: output format.
        show: formats a text for display.
        show_verdict: whether readings may be refused.
    """
    if form is OutputFormat.TABLE:
        return Table(show, show_verdict)
    if form is OutputFormat.JSON:
        return Json(show)
    return Text(show) if form is OutputFormat.TEXT else Csv(show, form is OutputFormat.EXCEL)


def numbered(reading: Reading) -> list[tuple[int | None, Reading]]:
    """Rows of a reading: the plates of a photograph, numbered from 1, or the reading unnumbered."""
    if not reading.plates:
        return [(None, reading)]
    return list(enumerate(reading.plates, 1))


class Table:
    """Columns for display; the path comes last, as its width varies.

    Args:
        show: formats a text for display.
        show_verdict: whether a column says which readings are accepted and which refused.
    """

    def __init__(self, show: Callable[[str], str], show_verdict: bool = False) -> None:
        self._show = show
        self._show_verdict = show_verdict
        verdict = "  answer  " if show_verdict else ""
        print(f"{'text':<12}  confidence{verdict}       ms  path")

    def row(self, name: str, reading: Reading) -> None:
        """Print one line, or one per plate."""
        for plate, one in numbered(reading):
            self._line(f"{name}  plate {plate}" if plate else name, one)

    def _line(self, name: str, reading: Reading) -> None:
        nothing = "(no text)" if reading.plates is None else "(no plate)"
        text = "(error)" if reading.error else self._show(reading.text) or nothing
        # a Chinese character takes two columns in a terminal
        wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
        confidence = f"{100 * reading.confidence:.2f} %" if reading.text else ""
        if self._show_verdict:
            answer = "" if reading.error else "accepted" if reading.accepted else "REFUSED"
            confidence = f"{confidence:>10}  {answer:<8}"
        path = one_line(printable_name(name))
        print(f"{text:<{12 - wide}}  {confidence:>10}  {reading.ms:7.2f}  {path}")

    def end(self) -> None:
        """Print nothing."""


class Text:
    """Texts only, one line per picture; empty if it could not be read or was refused.

    Args:
        show: formats a text for display.
    """

    def __init__(self, show: Callable[[str], str]) -> None:
        self._show = show

    def row(self, name: str, reading: Reading) -> None:
        """Print one line, or one per plate."""
        del name
        for one in reading.each():
            print(self._show(one.text) if one.accepted else "")

    def end(self) -> None:
        """Print nothing."""


class Json:
    """A JSON array, streamed; ``text`` is as read, ``display`` is formatted.

    Args:
        show: formats a text for display.
    """

    def __init__(self, show: Callable[[str], str]) -> None:
        self._before = "["
        self._show = show

    def row(self, name: str, reading: Reading) -> None:
        """Print one object, or one per plate."""
        for plate, one in numbered(reading):
            values = {"path": printable_name(name), "plate": plate}
            self._object(values | reading_json(one, self._show), one)

    def _object(self, values: dict[str, Any], reading: Reading) -> None:
        if isinstance(reading, TrackReading):
            values |= {"frames": reading.frames, "best": reading.best}
            values["skipped"] = list(reading.skipped)
        print(self._before, json.dumps(values, ensure_ascii=False), sep="\n", end="")
        self._before = ","

    def end(self) -> None:
        """Close the array."""
        print("[]" if self._before == "[" else "\n]")


class Csv:
    """Comma-separated values with a header; ``text`` is as read, ``display`` is formatted.

    Args:
        show: formats a text for display.
        bom: whether to begin with a byte order mark, by which Excel recognizes UTF-8.
    """

    def __init__(self, show: Callable[[str], str], bom: bool = False) -> None:
        self._show = show
        if bom:
            print("\ufeff", end="")
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        columns = ["path", "text", "confidence", "ms", "error", "display", "accepted"]
        self._writer.writerow([*columns, "plate", "corners"])

    def row(self, name: str, reading: Reading) -> None:
        """Print one line, or one per plate."""
        for plate, one in numbered(reading):
            self._line(name, plate, one)

    def _line(self, name: str, plate: int | None, reading: Reading) -> None:
        numbers = [f"{reading.confidence:.6f}", f"{reading.ms:.3f}"]
        shown = self._show(reading.text)
        accepted = str(reading.accepted).lower()
        error = reading.error or ""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in reading.corners)
        values = [printable_name(name), reading.text, *numbers, error, shown, accepted]
        self._writer.writerow([*values, plate or "", corners])

    def end(self) -> None:
        """Print nothing."""
