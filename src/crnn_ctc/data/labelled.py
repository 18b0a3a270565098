"""Labelled pictures: folders of ``TEXT_n.jpg``, and CSV or TSV manifests."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crnn_ctc.errors import InputError, printable_name
from crnn_ctc.image import names_picture

MANIFEST = "manifest.csv"
"""Name of the table that takes precedence in its folder."""

SPLITS = frozenset({"train", "val", "valid", "validation", "dev", "test"})
"""Names of folders and manifests that denote a split."""

_TABLES = frozenset({".csv", ".tsv", ".txt"})

_FOUND_TABLES = frozenset({".csv", ".tsv"})
"""Suffixes of tables that are detected beside pictures; others are read only if named."""

Fault = Literal["bad row"]


@dataclass(frozen=True)
class Labelled:
    """A picture and its text.

    Attributes:
        path: picture file, which may turn out to be unreadable.
        text: the label; empty for a picture without text.
        attributes: other columns of the manifest, such as colour and subset; without a column
            ``split``, the name of the folder or manifest if it denotes a split.
        listed: the manifest that lists the picture, or the picture's own path.
        line: line number in the manifest, from 1; 0 without a manifest.
    """

    path: Path
    text: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    listed: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.listed}:{self.line}" if self.line else self.listed


class LabelError(InputError):
    """An unusable label of one picture of a set.

    Args:
        listed: the manifest that lists the picture, or its own path.
        line: line number in the manifest; 0 without one.
        kind: kind of fault.
        what: the fault and the remedy.
    """

    def __init__(self, listed: str, line: int, kind: Fault, what: str) -> None:
        super().__init__(f"{listed}:{line}: {what}" if line else f"{listed}: {what}")
        self.listed, self.line, self.kind, self.what = listed, line, kind, what

    def __reduce__(self) -> tuple[type[LabelError], tuple[str, int, Fault, str]]:
        # by default, exceptions are pickled with their message only, which is not enough here
        return type(self), (self.listed, self.line, self.kind, self.what)


def fail(error: LabelError) -> None:
    """Raise the first fault."""
    raise error


def read_labelled(
    source: Path,
    report: Callable[[LabelError], None] = fail,
    normalise: Callable[[str], str] = str.strip,
) -> Iterator[Labelled]:
    """Yield the labelled pictures of a folder or a manifest, in order.

    Training, evaluation and the data tools use the same rules:

    - A manifest, CSV or TSV in UTF-8: columns ``file`` and ``label``, others are attributes. Labels
      are text: ``00123`` stays ``00123``; an empty label is a picture without text. Files are
      relative to the manifest, or to the folder beside it that has its name (``train/`` for
      ``train.csv``).
    - A folder, at any depth: tables with the columns ``file`` and ``label`` take precedence over
      file names. A table labels the folder of its name beside it (``train.csv`` for ``train/``),
      otherwise its own folder; ``manifest.csv`` takes precedence over other tables of its folder.
    - A folder without such a table: the label is the file's name up to its last ``_``, or the whole
      name.

    Args:
        source: folder or manifest.
        report: called with each unusable row, which is then skipped. By default it raises.
        normalise: applied to each label, such as :func:`~crnn_ctc.plates.scheme.plate_label`.

    Raises:
        InputError: no such file, no pictures in the folder, a manifest that is not UTF-8 or lacks a
            column; or what ``report`` raises.
    """
    if source.is_dir():
        found = _labelled_folder(source, report)
    elif source.suffix.lower() in _TABLES:
        found = _rows(source, report)
    elif not source.exists():
        raise InputError(f"{source}: no such file or folder; check the path")
    else:
        raise InputError(f"{source}: neither a folder nor a .csv or .tsv file; name one")
    for item in found:
        text = normalise(item.text)
        if _encodable(text):
            yield Labelled(item.path, text, item.attributes, item.listed, item.line)
        else:
            what = "the label is not UTF-8; rename the picture"
            report(LabelError(printable_name(item.listed), item.line, "bad row", what))


def _encodable(text: str) -> bool:
    """Tell whether a string has no lone surrogates, Python's form of bytes that are not UTF-8."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _labelled_folder(root: Path, report: Callable[[LabelError], None]) -> Iterator[Labelled]:
    """Yield the pictures below a folder; raise an error if there are none."""
    resolved = root.resolve()
    beside = _table_beside(resolved) if not _tables(root) else None
    if beside is not None:
        # messages show paths as the user gave them
        yield from _rows(root.parent / beside.name if root.name else beside, report)
        return
    empty = True
    for item in _folder(root, _split(resolved.parts[-1:]), report):
        empty = False
        yield item
    if empty and not _tables(root):
        raise InputError(f"{root}: holds no pictures; name a folder of TEXT_n.jpg, or a .csv file")


def _folder(folder: Path, split: str, report: Callable[[LabelError], None]) -> Iterator[Labelled]:
    """Yield pictures below a folder, with only one folder's names in memory."""
    tables = _tables(folder)
    own = [table for table in tables if not table.with_suffix("").is_dir()]
    if own:
        for table in [folder / MANIFEST] if folder / MANIFEST in own else tables:
            yield from _rows(table, report)
        return
    attributes = {"split": split} if split else {}
    folders: list[str] = []
    pictures: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif names_picture(entry.name):
                pictures.append(entry.name)
    for name in sorted(pictures):
        stem = os.path.splitext(name)[0]  # noqa: PTH122  faster than a Path
        path = folder / name
        yield Labelled(path, stem.rpartition("_")[0] or stem, attributes, str(path))
    labelled = {table.stem: table for table in tables}
    for name in sorted(folders):
        inside = folder / name
        if name in labelled and not _tables(inside):
            yield from _rows(labelled[name], report)
        else:
            yield from _folder(inside, _split((name,)) or split, report)


def _tables(folder: Path) -> list[Path]:
    """List the tables in a folder that label pictures, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _FOUND_TABLES
        and not path.name.startswith(".")
        and _labels_pictures(path)
    )


def _table_beside(folder: Path) -> Path | None:
    """Find the table beside a folder that has its name and labels pictures."""
    found = (folder.with_name(f"{folder.name}{suffix}") for suffix in sorted(_FOUND_TABLES))
    return next((path for path in found if path.is_file() and _labels_pictures(path)), None)


def _labels_pictures(table: Path) -> bool:
    """Tell whether a table's first line has the columns ``file`` and ``label``."""
    try:
        with table.open("rb") as file:
            # any superset of ASCII will do here; other encodings than UTF-8 are rejected on reading
            header = file.readline(_MOST_HEADER).decode("latin-1")
    except OSError:
        return False
    return {"file", "label"} <= set(_columns(header.removeprefix("\u00ef\u00bb\u00bf")))


_MOST_HEADER = 1 << 16
"""Maximum length of a table's first line, in bytes."""


def _columns(header: str) -> list[str]:
    delimiter = "\t" if "\t" in header else ","
    try:
        return [c.strip().lower() for c in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _split(parts: tuple[str, ...]) -> str:
    return next((part.lower() for part in reversed(parts) if part.lower() in SPLITS), "")


def _rows(manifest: Path, report: Callable[[LabelError], None]) -> Iterator[Labelled]:
    line = 0  # last line of the last readable row
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            names = _columns(header)
            _check_header(manifest, names)
            split = _split((manifest.stem,))
            rows = csv.reader(file, delimiter="\t" if "\t" in header else ",")
            line = 1
            for row in rows:
                line = rows.line_num + 1  # the header has been read already
                if not any(row):
                    continue  # a blank line, as editors append
                item = _row(manifest, names, row, line, split)
                if isinstance(item, Labelled):
                    yield item
                else:
                    report(item)
    except FileNotFoundError:
        raise InputError(f"{manifest}: no such file; check the path") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{manifest}: not UTF-8 (byte {error.object[error.start]:#04x}); save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise InputError(
            f"{manifest}:{line + 1}: not a CSV file ({error}); save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        raise InputError(f"{manifest}: cannot be read ({error.strerror or error})") from None


def _check_header(manifest: Path, names: list[str]) -> None:
    for wanted in ("file", "label"):
        if names.count(wanted) != 1:
            have = ", ".join(names) or "nothing"
            many = "two columns" if wanted in names else "no column"
            raise InputError(
                f"{manifest}:1: {many} {wanted!r} (it has: {have}); its first line must name the "
                "columns file and label, parted by commas or tabs"
            )


def _row(
    manifest: Path, names: list[str], row: list[str], line: int, split: str
) -> Labelled | LabelError:
    listed = str(manifest)
    if len(row) != len(names):
        what = f"{len(row)} fields, the first line names {len(names)}; correct the line"
        return LabelError(listed, line, "bad row", what)
    values = dict(zip(names, row, strict=True))
    name, text = values.pop("file").strip(), values.pop("label")
    if not name or "\0" in name:
        return LabelError(listed, line, "bad row", "names no file; write it or leave the line out")
    if split:
        values.setdefault("split", split)
    return Labelled(_picture_path(manifest, name), text, values, listed, line)


def _picture_path(manifest: Path, name: str) -> Path:
    """Resolve the path of a manifest's picture; Windows separators are supported."""
    names = [name, name.replace("\\", "/")] if "\\" in name else [name]
    folders = (manifest.parent, manifest.parent / manifest.stem)
    candidates = [folder / each for each in names for folder in folders]
    return next((path for path in candidates if path.exists()), candidates[0])
