"""The v3 key space of a database: every stored revision, grouped by key, and the store's own revision numbers.

What survives of each revision is a row of 37 to 65 bytes in arrays; keys and values stay in the file and are read when
asked.
Format: docs/formats/mvcc.md, "Restore at boot".
Upstream: ``server/storage/mvcc/{kvstore,index,key_index}.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from etcdtool.errors import EtcdtoolError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.words import unaligned_words
from etcdtool.model import schema
from etcdtool.model.compactions import Compactions, read_bucket, read_meta
from etcdtool.model.grouping import NO_ROW, Keys, hash_keys, live_rows, rows_before
from etcdtool.model.growing import GrowingColumn, NarrowColumn
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.rows import Engine, Rows, expected_rows, iter_key_values, iter_rows, refuse_unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image

__all__ = [
    "NO_ROW",
    "Compactions",
    "Engine",
    "KeyValue",
    "Keyspace",
    "KeyspaceBuilder",
    "Rows",
    "expected_rows",
    "iter_key_values",
    "iter_rows",
    "read_bucket",
    "read_meta",
    "refuse_unreadable",
]

_NARROW_COLUMNS = (
    "main",
    "key_start",
    "key_size",
    "message_start",
    "message_size",
    "create_revision",
    "version",
)


class KeyspaceBuilder:
    """Takes rows block by block and makes a `Keyspace` of them.

    Args:
        image: the database.
        expected: how many rows there will be, as far as that is known.
    """

    def __init__(self, image: Image, expected: int = 0) -> None:
        self._data = image.data
        self._words = unaligned_words(image.data)
        self._hashes = GrowingColumn(np.uint64, expected)
        self._tombstone = GrowingColumn(np.bool_, expected)
        self._columns = {name: NarrowColumn(expected) for name in _NARROW_COLUMNS}

    def add(self, rows: Rows) -> None:
        """Take the rows whose revision and message are readable."""
        chosen = rows.well_formed & rows.parsed
        keep = slice(None) if chosen.all() else chosen
        taken = {
            "main": rows.main[keep].view(np.int64),
            "key_start": rows.key_start[keep],
            "key_size": rows.key_size[keep],
            "message_start": rows.message_start[keep],
            "message_size": (rows.message_end - rows.message_start)[keep],
            "create_revision": rows.create_revision[keep],
            "version": rows.version[keep],
        }
        self._hashes.extend(hash_keys(Keys(self._data, self._words, taken["key_start"], taken["key_size"])))
        self._tombstone.extend(rows.tombstone[keep])
        for name, column in self._columns.items():
            column.extend(taken[name])

    def finish(self, compactions: Compactions) -> Keyspace:
        """Group what was added; the builder is used up."""
        columns = {name: column.finish() for name, column in self._columns.items()}
        keys = Keys(self._data, self._words, columns["key_start"], columns["key_size"])
        return Keyspace(
            data=self._data,
            compactions=compactions,
            tombstone=self._tombstone.finish(),
            before=rows_before(keys, self._hashes.finish()),
            **columns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyspace:
    """Every revision of a database whose key and value are readable.

    Arrays below have one element a revision, in the order of the bucket; offsets count from the start of the file.
    Whole numbers are uint32 where all of a column fit, else int64: make them int64 before you add to them.

    Attributes:
        data: the file.
        compactions: what bucket ``meta`` says of them.
        main, tombstone, create_revision, version: as in `Rows`.
        key_start, key_size: where the user's key lies.
        message_start, message_size: where the KeyValue lies.
        before: int64, the row before this one that has the same key, `NO_ROW` where there is none.
    """

    data: memoryview
    compactions: Compactions
    main: NDArray[np.integer[Any]]
    key_start: NDArray[np.integer[Any]]
    key_size: NDArray[np.integer[Any]]
    message_start: NDArray[np.integer[Any]]
    message_size: NDArray[np.integer[Any]]
    create_revision: NDArray[np.integer[Any]]
    version: NDArray[np.integer[Any]]
    tombstone: NDArray[np.bool_]
    before: NDArray[np.int64]

    @classmethod
    def read(
        cls, image: Image, *, engine: Engine = "columns", advance: Callable[[int], object] = lambda _: None
    ) -> Keyspace:
        """Read bucket ``key`` and ``meta`` of a database; without bucket ``key``, a key space that holds nothing.

        Args:
            image: the database.
            engine: how it is read.
            advance: is told the bytes of each block of pairs when it was read.

        Raises:
            FormatError: a bucket cannot be walked, or a compaction mark is no revision.
        """
        bucket = cursor.root_buckets(image).get(schema.KEY)
        builder = KeyspaceBuilder(image, expected_rows(image, bucket, engine))
        if bucket is not None:
            for rows in iter_rows(image, bucket, engine=engine):
                builder.add(rows)
                advance(int((rows.message_end - rows.offset).sum()))
        return builder.finish(Compactions.parse(read_meta(image)))

    def __len__(self) -> int:
        return len(self.main)

    @property
    def compact_revision(self) -> int:
        """What a server calls its compact revision; -1 when nothing was ever compacted."""
        return self.compactions.revision

    @property
    def current_revision(self) -> int:
        """What a server calls its revision: that of the last change, or of a compaction beyond it; 1 in a new store."""
        last = int(self.main[-1]) if len(self.main) else 1
        return max(last, self.compactions.finished, self.compactions.scheduled)

    def rows_at(self, revision: int | None = None) -> NDArray[np.int64]:
        """Return the rows that were the live keys at a revision (default: now), ascending.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
        """
        if revision is None:
            return live_rows(self.before, self.tombstone)
        self._check_readable(revision)
        return live_rows(self.before, self.tombstone, self.main <= revision)

    def _check_readable(self, revision: int) -> None:
        if revision > self.current_revision:
            raise EtcdtoolError(
                f"revision {revision} is a future revision", hint=f"The newest is {self.current_revision}"
            )
        if revision < self.compact_revision:
            raise EtcdtoolError(
                f"revision {revision} has been compacted",
                hint=f"The oldest that can be read is {self.compact_revision}",
            )

    @property
    def live_key_count(self) -> int:
        """Keys that exist at the head, the marker of ``restore --bump-revision`` included, as upstream counts."""
        return len(self.rows_at())

    def key_of(self, row: int) -> bytes:
        """Return the user's key of a row."""
        start = int(self.key_start[row])
        return bytes(self.data[start : start + int(self.key_size[row])])

    def key_value(self, row: int) -> KeyValue:
        """Return the record of a row, read by the generated parser."""
        start = int(self.message_start[row])
        return KeyValue.parse(self.data[start : start + int(self.message_size[row])], offset=start)

    def items_at(self, revision: int | None = None) -> Iterator[KeyValue]:
        """Yield what a range over all keys answers at a revision (default: now), in key order.

        The marker that ``restore --bump-revision`` leaves under the empty key is left out, as no client can see it.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
        """
        rows = self.rows_at(revision)
        keyed = sorted((self.key_of(row), row) for row in rows[self.key_size[rows] > 0].tolist())
        for _, row in keyed:
            yield self.key_value(row)
