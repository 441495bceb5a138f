"""An export as an SQLite database: a table a kind of record, for questions in SQL.

Keys, values and names are TEXT where they are UTF-8, else BLOB; SQLite keeps the two apart, so that nothing is lost.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from etcdtool.errors import EtcdtoolError
from etcdtool.model.exported import (
    Alarm,
    AuthSetting,
    ClusterSetting,
    Delete,
    LeaseRecord,
    MemberRecord,
    MetaSetting,
    Pair,
    Put,
    RemovedMember,
    RoleRecord,
    UserRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from etcdtool.model.exported import Header, KeyRecord, OtherRecord

__all__ = ["SqliteSink"]

_SCHEMA = """
CREATE TABLE export (
    history INTEGER NOT NULL,           -- 1 where table history has every stored revision
    revision INTEGER NOT NULL,          -- that of the store, or the one that was asked for
    compact_revision INTEGER NOT NULL,  -- -1: nothing was ever compacted
    range_start, range_end              -- the keys that were asked for, NULL for all
);
CREATE TABLE keys (
    key NOT NULL,                       -- TEXT where it is UTF-8, else BLOB; values likewise
    value,
    create_revision INTEGER NOT NULL,
    mod_revision INTEGER NOT NULL,
    sub INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease TEXT                          -- id in hex, NULL for none
);
CREATE TABLE history (
    mod_revision INTEGER NOT NULL,
    sub INTEGER NOT NULL,
    deleted INTEGER NOT NULL,           -- 1 for a tombstone
    key NOT NULL,
    value,
    create_revision INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease TEXT
);
CREATE TABLE leases (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL, remaining_ttl INTEGER NOT NULL);
CREATE TABLE members (id TEXT PRIMARY KEY, name TEXT, peer_urls TEXT, client_urls TEXT, is_learner INTEGER);
CREATE TABLE members_removed (id TEXT PRIMARY KEY);
CREATE TABLE cluster (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE meta (name TEXT PRIMARY KEY, value);
CREATE TABLE auth (name TEXT PRIMARY KEY, value INTEGER);
CREATE TABLE users (name TEXT PRIMARY KEY, password_hash TEXT, roles TEXT, no_password INTEGER);
CREATE TABLE roles (name TEXT PRIMARY KEY);
CREATE TABLE permissions (role TEXT NOT NULL, permission TEXT NOT NULL, key, range_end);
CREATE TABLE alarms (member TEXT, alarm TEXT);
CREATE TABLE pairs (bucket, key, value);  -- what no version of etcd writes
"""
_INDEXES = """
CREATE UNIQUE INDEX keys_key ON keys (key);
CREATE INDEX keys_lease ON keys (lease) WHERE lease IS NOT NULL;
CREATE INDEX history_key ON history (key, mod_revision);
CREATE INDEX history_revision ON history (mod_revision, sub);
"""
_KEYS = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)"
_HISTORY = "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteSink:
    """Writes an SQLite file.

    Args:
        path: an empty file.
    """

    exact = False
    takes_others = True

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._reporting():
            self._database = sqlite3.connect(path, isolation_level=None)
            # the file has no name of its own yet: nothing has to be undone, and it is synced as a whole
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(_SCHEMA)
            self._database.execute("BEGIN")

    def begin(self, header: Header) -> None:
        """Write the facts about all that follows."""
        asked = (
            _either(header.range_start, header.range_start_b64),
            _either(header.range_end, header.range_end_b64),
        )
        self._insert(
            "INSERT INTO export VALUES (?, ?, ?, ?, ?)",
            [(header.history, header.revision, header.compact_revision, *asked)],
        )

    def add(self, records: Sequence[KeyRecord | OtherRecord]) -> None:
        """Write live keys, or what is no key."""
        if records and isinstance(records[0], Put):
            self._insert(_KEYS, (_key(record) for record in records if isinstance(record, Put)))
            return
        for record in records:
            for statement, row in _statements(record):
                self._insert(statement, [row])

    def add_live(self, records: Sequence[KeyRecord | OtherRecord], live: Sequence[bool]) -> None:
        """Write revisions, the live keys among them into both tables."""
        self._insert(_HISTORY, map(_revision, records))
        alive = (record for record, is_live in zip(records, live, strict=True) if is_live)
        self._insert(_KEYS, (_key(record) for record in alive if isinstance(record, Put)))

    def finish(self) -> None:
        """Write the indexes."""
        with self._reporting():
            self._database.execute("COMMIT")
            self._database.executescript(_INDEXES)
            self._database.execute("ANALYZE")
            self._database.close()

    def close(self) -> None:
        """Leave the file, whatever state it is in."""
        self._database.close()

    def _insert(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._reporting():
            self._database.executemany(statement, rows)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise EtcdtoolError(
                f"SQLite cannot write the file: {error}", hint="Free some space, or give another folder."
            ) from error


def _either(text: object, content: object) -> object:
    if text is not UNSET:
        return text
    return None if content is UNSET else content


def _key(record: Put) -> tuple[Any, ...]:
    return (
        _either(record.key, record.key_b64),
        _either(record.value, record.value_b64),
        record.create_revision,
        record.mod_revision,
        record.sub,
        record.version,
        _either(record.lease, UNSET),
    )


def _revision(record: object) -> tuple[Any, ...]:
    if isinstance(record, Delete):
        return record.mod_revision, record.sub, 1, _either(record.key, record.key_b64), None, 0, 0, None
    assert isinstance(record, Put)
    key, value, create, mod, sub, version, lease = _key(record)
    return mod, sub, 0, key, value, create, version, lease


def _statements(record: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
    table, row = _ROWS[type(record)]
    values = row(record)
    yield f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values  # noqa: S608  names of our own
    if isinstance(record, RoleRecord):
        for one in record.permissions:
            where = _either(one.key, one.key_b64), _either(one.range_end, one.range_end_b64)
            yield "INSERT INTO permissions VALUES (?, ?, ?, ?)", (record.name, one.kind, *where)


def _pair(record: Pair) -> tuple[Any, ...]:
    return (
        _either(record.bucket, record.bucket_b64),
        _either(record.key, record.key_b64),
        _either(record.value, record.value_b64),
    )


def _sql_number(value: object) -> object:
    """Return a number that SQLite cannot hold as text."""
    return str(value) if isinstance(value, int) and value >= 1 << 63 else value


_ROWS: dict[type, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    LeaseRecord: ("leases", lambda one: (one.id, one.ttl, one.remaining_ttl)),
    MemberRecord: (
        "members",
        lambda one: (one.id, one.name, json.dumps(one.peer_urls), json.dumps(one.client_urls), one.is_learner),
    ),
    RemovedMember: ("members_removed", lambda one: (one.id,)),
    ClusterSetting: ("cluster", lambda one: (one.name, one.value)),
    MetaSetting: ("meta", lambda one: (one.name, _sql_number(one.value))),
    AuthSetting: ("auth", lambda one: (one.name, _sql_number(one.value))),
    UserRecord: ("users", lambda one: (one.name, one.password_hash, json.dumps(one.roles), one.no_password)),
    RoleRecord: ("roles", lambda one: (one.name,)),
    Alarm: ("alarms", lambda one: (one.member, one.alarm)),
    Pair: ("pairs", _pair),
}
