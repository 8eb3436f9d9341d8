"""The table in one SQLite file: the local server's store, kept across restarts."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic_core import to_json

from turnout.errors import ConditionFailed, StoreError
from turnout.store.table import Item

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    partition TEXT NOT NULL,
    sort      TEXT NOT NULL,
    document  TEXT NOT NULL,
    counters  TEXT NOT NULL DEFAULT '{}',
    revision  INTEGER NOT NULL,
    expires   INTEGER,
    PRIMARY KEY (partition, sort)
) WITHOUT ROWID
"""
_COLUMNS = "partition, sort, document, counters, revision, expires"
_LIVE = "(expires IS NULL OR expires > :now)"

_Row = tuple[str, str, str, str, int, int | None]


class SqliteTable:
    """A table in a file. Calls run inline: one takes tens of microseconds, less than a thread's hop."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StoreError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open {path}: {error}") from error
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # In WAL mode NORMAL survives a killed process; only a power cut may lose the last writes.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            self._connection.close()
            raise StoreError(f"cannot open {path}: {error}") from error

    async def get(self, partition: str, sort: str) -> Item | None:
        with self._cursor() as cursor:
            row = cursor.execute(
                f"SELECT {_COLUMNS} FROM items WHERE partition = :partition AND sort = :sort AND {_LIVE}",
                {"partition": partition, "sort": sort, "now": int(time.time())},
            ).fetchone()
        return _item(row) if row else None

    async def put(self, item: Item, *, if_revision: int | None = None) -> int:
        with self._transaction() as cursor:
            stored, revision = _stored(cursor, item.partition, item.sort)
            live = stored.revision if stored else 0
            if if_revision is not None and live != if_revision:
                raise ConditionFailed(
                    f"{item.partition}/{item.sort} is at revision {live}, not {if_revision}"
                )
            counters = stored.counters if stored else {}
            _replace(cursor, replace(item, counters=counters, revision=revision + 1))
        return revision + 1

    async def query(
        self, partition: str, *, limit: int, descending: bool = False, after: str | None = None
    ) -> list[Item]:
        order, beyond = ("DESC", "<") if descending else ("ASC", ">")
        start = f"AND sort {beyond} :after" if after is not None else ""
        with self._cursor() as cursor:
            rows = cursor.execute(
                f"SELECT {_COLUMNS} FROM items WHERE partition = :partition AND {_LIVE} {start}"
                f" ORDER BY sort {order} LIMIT :limit",
                {"partition": partition, "now": int(time.time()), "after": after, "limit": limit},
            ).fetchall()
        return [_item(row) for row in rows]

    async def add(
        self,
        partition: str,
        sort: str,
        counter: str,
        amount: int,
        *,
        at_most: int | None = None,
        expires: int | None = None,
    ) -> int:
        with self._transaction() as cursor:
            stored, revision = _stored(cursor, partition, sort)
            item = stored or Item(partition, sort, {})
            value = item.counters.get(counter, 0) + amount
            if at_most is not None and value > at_most:
                raise ConditionFailed(f"{counter} would be {value}, over {at_most}")
            _replace(
                cursor,
                replace(
                    item,
                    counters={**item.counters, counter: value},
                    revision=revision + 1,
                    expires=item.expires if expires is None else expires,
                ),
            )
        return value

    async def delete(self, partition: str, sort: str) -> None:
        with self._cursor() as cursor:
            cursor.execute("DELETE FROM items WHERE partition = ? AND sort = ?", (partition, sort))

    async def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        try:
            yield self._connection.cursor()
        except sqlite3.Error as error:
            raise StoreError(f"SQLite: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """A write transaction, taken at once so that two processes cannot both read before writing."""
        with self._cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")


def _stored(cursor: sqlite3.Cursor, partition: str, sort: str) -> tuple[Item | None, int]:
    """Return the live item, and the revision of the stored one even if that is past its expiry."""
    row = cursor.execute(
        f"SELECT {_COLUMNS} FROM items WHERE partition = ? AND sort = ?", (partition, sort)
    ).fetchone()
    if not row:
        return None, 0
    item = _item(row)
    live = item.expires is None or item.expires > int(time.time())
    return (item if live else None), item.revision


def _replace(cursor: sqlite3.Cursor, item: Item) -> None:
    cursor.execute(
        f"INSERT OR REPLACE INTO items ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (
            item.partition,
            item.sort,
            to_json(item.document).decode(),
            to_json(item.counters).decode(),
            item.revision,
            item.expires,
        ),
    )


def _item(row: _Row) -> Item:
    partition, sort, document, counters, revision, expires = row
    return Item(partition, sort, json.loads(document), json.loads(counters), revision, expires)
