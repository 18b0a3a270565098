"""What is cropped already: a small database beside the crops, which a kill cannot leave half done.

It holds a row a crop, so that neither the list of pictures nor the count of each plate need be in
memory, and the manifest is written from it in one piece.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_ctc.data.ccpd import CcpdPicture, parse_name
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

NAME = ".crops.sqlite3"
"""Of the database, in the folder of the crops."""

MANIFEST = ("file", "label", "colour", "width", "height", "subset", "split", "source")
"""Columns of ``manifest.csv``."""

_COLOURS = {"CCPD2019": "blue", "CCPD2020": "green"}
"""Of the plates, by the set that they are in; what a single plate shows may differ."""

_PENDING, _DONE, _REJECTED = range(3)
_COMMIT_EVERY = 10_000  # rows listed: few enough to repeat after a kill

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS crops (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, copy INTEGER NOT NULL, folder TEXT NOT NULL,
  split TEXT NOT NULL, subset TEXT NOT NULL, colour TEXT NOT NULL, label TEXT, n INTEGER,
  path TEXT NOT NULL, listed TEXT NOT NULL, state INTEGER NOT NULL, width INTEGER, height INTEGER,
  reason TEXT, UNIQUE (source, copy));
CREATE UNIQUE INDEX IF NOT EXISTS plates ON crops (folder, label, n);
CREATE INDEX IF NOT EXISTS states ON crops (state, id);
CREATE VIEW IF NOT EXISTS named AS
  SELECT *, folder || '/' || label || '_' || n || '.jpg' AS file FROM crops;
"""


@dataclass(frozen=True)
class Task:
    """A crop to make.

    Attributes:
        id: of its row.
        path: of the picture.
        source: name of the picture within its set.
        copy: which of the picture's crops, from 0.
        file: where the crop goes, below the folder of the crops.
    """

    id: int
    path: str
    source: str
    copy: int
    file: str


@dataclass(frozen=True)
class Made:
    """What became of a task: a size in pixels, or the reason why there is no crop."""

    id: int
    width: int = 0
    height: int = 0
    reason: str | None = None


class Ledger:
    """The rows of one folder of crops. Only one process may have it open.

    Args:
        folder: of the crops; made where it is missing.
        settings: that the crops depend on; they must not change between two runs.

    Attributes:
        listed_twice: crops planned whose picture stands in another split too; the first counts.

    Raises:
        InputError: the folder cannot be written, another run works in it, or it holds crops made
            with other settings.
    """

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder = folder
        self.listed_twice = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / NAME, timeout=0.5)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self._check(settings)
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror or error}); choose another folder"
            ) from None
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise InputError(
                    f"{folder}: another run writes its crops there; wait for it"
                ) from None
            raise InputError(
                f"{folder}: cannot be written ({error}); free space or choose another folder"
            ) from None
        except sqlite3.DatabaseError:
            raise InputError(
                f"{folder / NAME}: damaged; delete this folder and start again"
            ) from None

    def _check(self, settings: dict[str, str]) -> None:
        """Keep the settings of the first run, and hold later ones to them."""
        with self._db:
            known = dict(self._db.execute("SELECT name, value FROM settings"))
            if not known:
                if any(self._folder.glob("CCPD*")):
                    raise InputError(
                        f"{self._folder}: holds other pictures already; choose an empty folder"
                    )
                self._db.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
                return
        for name, value in settings.items():
            if known.get(name) != value:
                raise InputError(
                    f"{self._folder}: its crops were made with {name} {known.get(name)}, not "
                    f"{value}; choose another folder"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error):
            raise InputError(
                f"{self._folder / NAME}: cannot be read or written ({error}); free space and run "
                "it again: it goes on where it stopped"
            ) from None

    def plan(self, pictures: Iterable[CcpdPicture], copies: int) -> Iterator[None]:
        """List the crops to make, one step a picture; what is listed already stays as it is.

        A plate's crops are numbered in the order of the pictures, so that numbers depend neither on
        the count of processes nor on kills.
        """
        # a bad name that was taken from the list since must not be reported for ever
        self._db.execute("DELETE FROM crops WHERE n IS NULL")
        for number, picture in enumerate(pictures, 1):
            reason, label = None, None
            try:
                name = parse_name(picture.source)
                label = name.plate
                if not name.complete:
                    reason = f"{picture.listed}: a character of {label} is not known to CCPD"
            except InputError as error:
                reason = f"{picture.listed}: {error}"
            for copy in range(copies if reason is None else 1):
                self._add(picture, copy, label, reason)
            if number % _COMMIT_EVERY == 0:
                self._db.commit()
            yield
        self._db.commit()

    def _add(self, picture: CcpdPicture, copy: int, label: str | None, reason: str | None) -> None:
        folder = f"{picture.dataset}/{picture.split}"
        key = (picture.source, copy)
        old = self._db.execute(
            "SELECT id, folder, path FROM crops WHERE source = ? AND copy = ?", key
        ).fetchone()
        if old is not None:
            self.listed_twice += old[1] != folder
            # the pictures may have been moved since; where they are is no part of the result
            if old[2] != str(picture.path) and old[1] == folder:
                self._db.execute(
                    "UPDATE crops SET path = ?, listed = ? WHERE id = ?",
                    (str(picture.path), picture.listed, old[0]),
                )
            return
        number = None
        if reason is None:
            last = self._db.execute(
                "SELECT max(n) FROM crops WHERE folder = ? AND label = ?", (folder, label)
            ).fetchone()[0]
            number = 0 if last is None else last + 1
        state = _PENDING if reason is None else _REJECTED
        self._db.execute(
            "INSERT INTO crops VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
            (*key, folder, picture.split, picture.subset, _COLOURS[picture.dataset], label, number,
             str(picture.path), picture.listed, state, reason),
        )  # fmt: skip

    def reopen(self) -> None:
        """Take up again what was rejected for its picture, and what was made and is gone."""
        self._db.execute(
            "UPDATE crops SET state = ?, reason = NULL WHERE state = ? AND n IS NOT NULL",
            (_PENDING, _REJECTED),
        )
        last = -1
        while True:
            # in parts: rows must not change under a query that runs
            rows = self._db.execute(
                "SELECT id, file FROM named WHERE state = ? AND id > ? ORDER BY id LIMIT 1000",
                (_DONE, last),
            ).fetchall()
            if not rows:
                break
            last = rows[-1][0]
            gone = [(_PENDING, i) for i, file in rows if not (self._folder / file).is_file()]
            self._db.executemany("UPDATE crops SET state = ? WHERE id = ?", gone)
        self._db.commit()

    def pending(self) -> Iterator[Task]:
        """Crops that are still to make, in order."""
        last = -1
        while rows := self._db.execute(
            "SELECT id, path, source, copy, file FROM named WHERE state = ? AND id > ? "
            "ORDER BY id LIMIT 256",
            (_PENDING, last),
        ).fetchall():
            last = rows[-1][0]
            yield from (Task(*row) for row in rows)

    def record(self, made: Iterable[Made]) -> None:
        """Write down what became of tasks, all of them or none."""
        with self._db:
            self._db.executemany(
                "UPDATE crops SET state = ?, width = ?, height = ?, reason = ? WHERE id = ?",
                [
                    (_DONE if m.reason is None else _REJECTED, m.width, m.height, m.reason, m.id)
                    for m in made
                ],
            )

    def count(self) -> tuple[int, int]:
        """How many crops are still to make, and how many are made."""
        counts = dict(self._db.execute("SELECT state, count(*) FROM crops GROUP BY state"))
        return counts.get(_PENDING, 0), counts.get(_DONE, 0)

    def folders(self) -> list[tuple[str, int]]:
        """Folders with the count of their crops."""
        return self._db.execute(
            "SELECT folder, count(*) FROM crops WHERE state = ? GROUP BY folder ORDER BY folder",
            (_DONE,),
        ).fetchall()

    def planned_folders(self) -> list[str]:
        """Folders that crops go to."""
        rows = self._db.execute("SELECT DISTINCT folder FROM crops WHERE n IS NOT NULL")
        return [row[0] for row in rows]

    def rejected(self, limit: int = -1) -> Iterator[tuple[str, str]]:
        """Pictures without a crop, by name, and why; at most ``limit`` of them."""
        yield from self._db.execute(
            "SELECT source, min(reason) FROM crops WHERE state = ? GROUP BY source "
            "ORDER BY source LIMIT ?",
            (_REJECTED, limit),
        )

    def count_rejected(self) -> int:
        """How many pictures are without a crop."""
        query = "SELECT count(DISTINCT source) FROM crops WHERE state = ?"
        return int(self._db.execute(query, (_REJECTED,)).fetchone()[0])

    def write_tables(self) -> None:
        """Write ``manifest.csv``, and ``rejected.csv`` where something was rejected.

        Raises:
            InputError: they cannot be written.
        """
        rows = self._db.execute(
            "SELECT file, label, colour, width, height, subset, split, source FROM named "
            "WHERE state = ? ORDER BY id",
            (_DONE,),
        )
        rejected = self._folder / "rejected.csv"
        try:
            _write(self._folder / "manifest.csv", MANIFEST, rows)
            if self.count_rejected():
                _write(rejected, ("source", "reason"), self.rejected())
            else:
                rejected.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"{error.filename}: cannot be written ({error.strerror or error}); "
                "free space and run it again: the crops are made"
            ) from None


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """A CSV file, there in one piece or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    part.replace(path)
