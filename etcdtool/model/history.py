"""The history of a store by revisions and keys alone: what compactions and hashes of the key space are computed from.

Its rows are those of `etcdtool.model.revisions`, all of them, brought together by user key.  About 58 bytes a revision
stay in memory.
Format: docs/formats/hashes.md; upstream: ``server/storage/mvcc/kvstore.go``, ``restore`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from etcdtool.formats.bbolt import columns
from etcdtool.formats.words import unaligned_words
from etcdtool.model.compactions import current_revision, open_history
from etcdtool.model.grouping import NO_ROW, Keys, grouped, hash_keys
from etcdtool.model.growing import GrowingColumn
from etcdtool.model.revisions import iter_keyed_revisions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.compactions import Compactions
    from etcdtool.model.revisions import Revisions

__all__ = ["History", "group_plainly"]

_COLUMNS: tuple[tuple[str, type[np.generic]], ...] = (
    ("main", np.int64),
    ("sub", np.int64),
    ("tombstone", np.bool_),
    ("start", np.int64),
    ("size", np.uint32),
    ("key_start", np.int64),
    ("key_size", np.uint32),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Every revision of a database, in the order of the bucket; offsets count from the start of the file.

    Attributes:
        data: the file.
        compactions: what bucket ``meta`` says of them.
        main, sub, tombstone: the revision.
        start, size: where its entry lies: revision key and record, one behind the other.
        key_start, key_size: where the user's key lies.
        order: row numbers brought together by key, ascending within a key; keys in no particular order.
        first: for each place in ``order``, whether a new key begins there.
        before: the row before each one that has the same key, `NO_ROW` where there is none.
    """

    data: memoryview
    compactions: Compactions
    main: NDArray[np.int64]
    sub: NDArray[np.int64]
    tombstone: NDArray[np.bool_]
    start: NDArray[np.int64]
    size: NDArray[np.uint32]
    key_start: NDArray[np.int64]
    key_size: NDArray[np.uint32]
    order: NDArray[np.int64]
    first: NDArray[np.bool_]
    before: NDArray[np.int64]

    @classmethod
    def read(
        cls,
        image: Image,
        *,
        engine: Engine = "columns",
        pages_per_block: int = columns.PAGES_PER_BLOCK,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Self:
        """Read buckets ``meta`` and ``key`` of a database.

        Args:
            image: the database.
            engine: how the bucket is read; grouping is done by a dictionary with ``plain``.
            pages_per_block: how many leaf pages are read at a time.
            advance: is told the bytes of each block when it is read.

        Raises:
            FormatError: a bucket cannot be walked, or something in it is off.
        """
        compactions, bucket = open_history(image)
        words = unaligned_words(image.data)
        expected = columns.pair_count(image, bucket) if bucket is not None and engine == "columns" else 0
        hashes = GrowingColumn(np.uint64, expected)
        parts = {name: GrowingColumn(kind, expected) for name, kind in _COLUMNS}
        if bucket is not None:
            for block, key_start, key_size in iter_keyed_revisions(
                image, bucket, engine=engine, pages_per_block=pages_per_block
            ):
                if engine == "columns":
                    hashes.extend(hash_keys(Keys(image.data, words, key_start, key_size)))
                _add(parts, block, key_start, key_size)
                advance(int((block.stop - block.start).sum()))
        taken = {name: column.finish() for name, column in parts.items()}
        keys = Keys(image.data, words, taken["key_start"], taken["key_size"])
        order, first, before = group_plainly(keys) if engine == "plain" else grouped(keys, hashes.finish())
        return cls(data=image.data, compactions=compactions, order=order, first=first, before=before, **taken)

    def __len__(self) -> int:
        return len(self.main)

    @property
    def current_revision(self) -> int:
        """What a server that starts on the data calls its revision."""
        return current_revision(self.compactions, int(self.main[-1]) if len(self) else 0)

    def key_of(self, row: int) -> bytes:
        """Return the user's key of a row."""
        start = int(self.key_start[row])
        return bytes(self.data[start : start + int(self.key_size[row])])

    def entry(self, row: int) -> memoryview:
        """Return the revision key of a row with the record behind it."""
        start = int(self.start[row])
        return self.data[start : start + int(self.size[row])]


def _add(
    parts: dict[str, GrowingColumn], block: Revisions, key_start: NDArray[np.int64], key_size: NDArray[np.int64]
) -> None:
    taken = {
        "main": block.main,
        "sub": block.sub,
        "tombstone": block.tombstone,
        "start": block.start,
        "size": block.stop - block.start,
        "key_start": key_start,
        "key_size": key_size,
    }
    for name, column in parts.items():
        column.extend(taken[name])


def group_plainly(keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return what `etcdtool.model.grouping.grouped` gives, by a dictionary; keys in the order in which they come."""
    groups: dict[bytes, list[int]] = {}
    before: list[int] = []
    for row in range(len(keys.start)):
        group = groups.setdefault(keys(row), [])
        before.append(group[-1] if group else NO_ROW)
        group.append(row)
    order = [row for rows in groups.values() for row in rows]
    first = [place == 0 for rows in groups.values() for place in range(len(rows))]
    return np.array(order, dtype=np.int64), np.array(first, dtype=np.bool_), np.array(before, dtype=np.int64)
