"""What a file holds of some keys: every stored revision of theirs, and which of them a read at a revision gives.

One pass over the columns of bucket ``key`` finds the rows of a range; only those are kept and grouped, so a question
about one key costs no more than the pass.  Whoever knows the places of the rows otherwise (an index) makes the same
`KeyRows` of them.
Format: docs/formats/mvcc.md; upstream: ``server/storage/mvcc/{index,kvstore_txn}.go`` @ v3.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from etcdtool.formats.words import unaligned_words
from etcdtool.model.compactions import Compactions, current_revision, open_history, read_meta
from etcdtool.model.grouping import NO_ROW, Keys, hash_keys, live_rows, rows_before
from etcdtool.model.growing import GrowingColumn
from etcdtool.model.key_order import key_order
from etcdtool.model.key_scan import Found, KeyScan
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.records import Records, read_records, slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_range import KeyChoice, KeyRange

__all__ = ["KEY_ROW_COLUMNS", "NO_ROW", "KeyRows", "RowFinder"]

_RECORDS_PER_BLOCK = 4096
_KEYS_PER_BLOCK = 1 << 16
KEY_ROW_COLUMNS: tuple[tuple[str, type[np.generic]], ...] = (
    ("main", np.int64),
    ("sub", np.int64),
    ("tombstone", np.bool_),
    ("message_start", np.int64),
    ("message_end", np.int64),
    ("key_start", np.int64),
    ("key_size", np.int64),
)


class RowFinder(Protocol):
    """Finds the rows of some keys in a database."""

    def __call__(
        self, image: Image, keys: KeyRange, *, engine: Engine = "columns", advance: Callable[[int], None] = ...
    ) -> KeyRows:
        """See `KeyRows.scan`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRows:
    """Every stored revision of the keys of a range, in the order of the bucket; arrays have one element each.

    Attributes:
        data: the file; offsets count from its start.
        compactions: how far the history of the store was cut off.
        current_revision: what a server that starts on the file calls its revision.
        main, sub, tombstone: the revision.
        message_start, message_end: where its record lies.
        key_start, key_size: where its key lies.
        before: the row before this one that has the same key, `NO_ROW` where there is none.
    """

    data: memoryview
    compactions: Compactions
    current_revision: int
    main: NDArray[np.int64]
    sub: NDArray[np.int64]
    tombstone: NDArray[np.bool_]
    message_start: NDArray[np.int64]
    message_end: NDArray[np.int64]
    key_start: NDArray[np.int64]
    key_size: NDArray[np.int64]
    before: NDArray[np.int64]
    engine: Engine = "columns"

    @classmethod
    def scan(
        cls,
        image: Image,
        keys: KeyChoice,
        *,
        engine: Engine = "columns",
        advance: Callable[[int], None] = lambda _: None,
    ) -> Self:
        """Find the rows of some keys by looking at the key of every revision of the database.

        Of the revisions of other keys nothing else is read, and nothing found wrong.

        Args:
            image: the database.
            keys: whose rows are wanted.
            engine: how the bucket is read; keys are compared and grouped one by one with ``plain``.
            advance: is told the bytes of each block when it was looked at.

        Raises:
            FormatError: a bucket cannot be walked, or something in a row of these keys is off.
        """
        compactions, bucket = open_history(image)
        parts = {name: GrowingColumn(kind) for name, kind in KEY_ROW_COLUMNS}
        scan = KeyScan(image, keys, engine, advance)
        for found in scan.found(bucket) if bucket is not None else ():
            _add(parts, found)
        columns = {name: column.finish() for name, column in parts.items()}
        return cls.of(image, current_revision(compactions, scan.newest), columns, engine=engine)

    @classmethod
    def of(cls, image: Image, newest: int, columns: Mapping[str, NDArray[Any]], *, engine: Engine = "columns") -> Self:
        """Take rows whose places are known.

        Args:
            image: the database.
            newest: what a server that starts on it calls its revision.
            columns: by the names of `KEY_ROW_COLUMNS`, in the order of the bucket.
            engine: how keys are grouped and compared.

        Raises:
            FormatError: bucket ``meta`` cannot be read.
        """
        keys = Keys(image.data, unaligned_words(image.data), columns["key_start"], columns["key_size"])
        return cls(
            data=image.data,
            compactions=Compactions.parse(read_meta(image)),
            current_revision=newest,
            before=_before(keys, engine),
            engine=engine,
            **columns,
        )

    def __len__(self) -> int:
        return len(self.main)

    @property
    def compact_revision(self) -> int:
        """What a server calls its compact revision; -1 when nothing was ever compacted."""
        return self.compactions.revision

    def check_readable(self, revision: int) -> None:
        """Refuse a revision that a server refuses to read at, in its words.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
        """
        self.compactions.check_readable(revision, self.current_revision)

    def live_at(self, revision: int) -> NDArray[np.int64]:
        """Return the rows that a read at a revision gives, in the order of their keys.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
        """
        self.check_readable(revision)
        return self.in_key_order(live_rows(self.before, self.tombstone, self.main <= revision))

    def newest(self) -> NDArray[np.int64]:
        """Return the newest row of each key, deletions among them, in the order of their keys."""
        return self.in_key_order(live_rows(self.before, np.zeros(len(self), dtype=np.bool_)))

    def in_key_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows in the order of their keys; those of one key stay as they are."""
        if self.engine == "plain":
            return np.array(sorted(rows.tolist(), key=self.key_of), dtype=np.int64)
        start, size = self.key_start[rows], self.key_size[rows]
        ordered: NDArray[np.int64] = rows[key_order(Keys(self.data, unaligned_words(self.data), start, size))]
        return ordered

    def key_of(self, row: int) -> bytes:
        """Return the user's key of a row."""
        start = int(self.key_start[row])
        return bytes(self.data[start : start + int(self.key_size[row])])

    def key_values(self, rows: NDArray[np.int64]) -> Iterator[KeyValue]:
        """Yield the records of rows, read as they are asked for.

        Raises:
            FormatError: one of them does not parse.
        """
        for start in range(0, len(rows), _RECORDS_PER_BLOCK):
            records = self.records(rows[start : start + _RECORDS_PER_BLOCK])
            keys = slices(self.data, records.key_start, records.key_size)
            values = slices(self.data, records.value_start, records.value_size)
            numbers = (records.create_revision, records.mod_revision, records.version, records.lease)
            for key, value, create, mod, version, lease in zip(
                keys, values, *(column.tolist() for column in numbers), strict=True
            ):
                yield KeyValue(key, create, mod, version, value, lease)

    def records(self, rows: NDArray[np.int64]) -> Records:
        """Return the records of rows as columns; those of deletions hold the key alone.

        Raises:
            FormatError: one of them does not parse.
        """
        return read_records(self.data, self.message_start[rows], self.message_end[rows], engine=self.engine)


def _add(parts: dict[str, GrowingColumn], found: Found) -> None:
    revisions = found.revisions
    parts["main"].extend(revisions.main)
    parts["sub"].extend(revisions.sub)
    parts["tombstone"].extend(revisions.tombstone)
    parts["message_start"].extend(revisions.message_start)
    parts["message_end"].extend(revisions.stop)
    parts["key_start"].extend(found.key_start)
    parts["key_size"].extend(found.key_size)


def _before(keys: Keys, engine: Engine) -> NDArray[np.int64]:
    if engine != "plain":
        hashes = np.empty(len(keys.start), dtype=np.uint64)
        for start in range(0, len(hashes), _KEYS_PER_BLOCK):  # of all at once, the words would take as much as the rows
            block = slice(start, start + _KEYS_PER_BLOCK)
            hashes[block] = hash_keys(keys.rows(block))
        return rows_before(keys, hashes)
    last: dict[bytes, int] = {}
    before = []
    for row in range(len(keys.start)):
        name = keys(row)
        before.append(last.get(name, NO_ROW))
        last[name] = row
    return np.array(before, dtype=np.int64)
