"""Raters' answers on disk: SQLite that survives a crash at any moment. Nothing is ever overwritten."""

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic.errors import UserError
from clipsonic.interfaces.listen.assignment import Trial
from clipsonic.interfaces.listen.plan import ANSWERS

MOST_CHANGES = 50  # of one answer; who clicks on is stopped
TABLES = """
CREATE TABLE IF NOT EXISTS raters (
  number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, joined TEXT NOT NULL, trials TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS answers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rater INTEGER NOT NULL REFERENCES raters, trial TEXT NOT NULL,
  rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5), plays INTEGER NOT NULL CHECK (plays > 0),
  click TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (rater, trial, click)
) STRICT;
"""
NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
LATEST = "SELECT max(id) FROM answers GROUP BY rater, trial"


class TooManyChanges(Exception):
    """One answer was changed more often than anyone would."""


@dataclass(frozen=True)
class Rater:
    """Someone who agreed to take part."""

    number: int
    joined: str  # UTC
    trials: list[Trial]


@dataclass(frozen=True)
class Answer:
    """The last that was said of a clip."""

    rater: int
    trial: str
    rating: int
    plays: int
    first: str  # UTC, when anything was first said of it
    last: str
    times: int  # answers to it in all, changed ones too


class Store:
    """The answers of one test.

    An answer has a key of its own click: sent twice, it is stored once. Later answers win, earlier ones stay.
    """

    def __init__(self, test: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(
                test / ANSWERS, check_same_thread=False, isolation_level=None, timeout=30
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")  # on disk before the rater is told so
            self._db.execute("PRAGMA foreign_keys=ON")
            self._db.executescript(TABLES)
        except sqlite3.Error as error:
            raise UserError(f"{test / ANSWERS} cannot be used: {error}") from error

    def close(self) -> None:
        """Gives the file back."""
        with self._lock:
            self._db.close()

    def join(self, key: str, trials: Callable[[int], list[Trial]]) -> Rater:
        """The rater of that key, a new one with the next number if there is none."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                (number,) = self._db.execute("SELECT coalesce(max(number) + 1, 0) FROM raters").fetchone()
                page = json.dumps([trial.as_page() for trial in trials(number)])
                self._db.execute(
                    f"INSERT INTO raters VALUES (?, ?, {NOW}, ?) ON CONFLICT (key) DO NOTHING",
                    (number, key, page),
                )
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        rater = self.rater(key)
        assert rater is not None
        return rater

    def rater(self, key: str) -> Rater | None:
        """The rater of that key."""
        rows = self._all("SELECT number, joined, trials FROM raters WHERE key = ?", key)
        return _rater(*rows[0]) if rows else None

    def raters(self) -> list[Rater]:
        """All of them, by number."""
        return [
            _rater(*row) for row in self._all("SELECT number, joined, trials FROM raters ORDER BY number")
        ]

    def rate(self, rater: int, trial: str, rating: int, plays: int, click: str) -> None:
        """Stores an answer; a click that is stored already changes nothing.

        Raises:
            TooManyChanges: as it says.
        """
        with self._lock:
            count, known = self._db.execute(
                "SELECT count(*), coalesce(sum(click = ?), 0) FROM answers WHERE rater = ? AND trial = ?",
                (click, rater, trial),
            ).fetchone()
            if not known and count >= MOST_CHANGES:
                raise TooManyChanges
            self._db.execute(
                f"INSERT INTO answers (rater, trial, rating, plays, click, at) VALUES (?, ?, ?, ?, ?, {NOW}) "
                "ON CONFLICT (rater, trial, click) DO NOTHING",
                (rater, trial, rating, plays, click),
            )

    def ratings(self, rater: int) -> dict[str, int]:
        """What a rater said last, by trial."""
        return dict(
            self._all(f"SELECT trial, rating FROM answers WHERE rater = ? AND id IN ({LATEST})", rater)
        )

    def answers(self) -> list[Answer]:
        """The last answers of all raters, in the order they were given."""
        rows = self._all(
            "SELECT rater, trial, rating, plays, first, at, times FROM answers JOIN "
            "(SELECT max(id) AS last, min(at) AS first, count(*) AS times FROM answers GROUP BY rater, trial) "
            "ON id = last ORDER BY id"
        )
        return [Answer(*row) for row in rows]

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _rater(number: int, joined: str, trials: str) -> Rater:
    return Rater(number, joined, [Trial(**trial) for trial in json.loads(trials)])
