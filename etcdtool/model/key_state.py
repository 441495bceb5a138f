"""The keys that a store holds at a revision, with their records where they lie in the file.

Every revision is looked at, and only what stands at the one asked for stays: 24 to 48 bytes a key.
Format: docs/formats/mvcc.md; upstream: ``server/storage/mvcc/kvstore_txn.go`` @ v3.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.words import unaligned_words
from etcdtool.model.compactions import current_revision, open_history
from etcdtool.model.grouping import Keys, grouped, hash_keys, live_rows
from etcdtool.model.growing import GrowingColumn, NarrowColumn
from etcdtool.model.history import group_plainly
from etcdtool.model.records import Records, read_records
from etcdtool.model.revision import Revision
from etcdtool.model.revisions import iter_keyed_revisions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.compactions import Compactions
    from etcdtool.model.key_range import KeyChoice
    from etcdtool.model.revisions import Revisions

__all__ = ["Ends", "KeyState", "find_ends"]

_COLUMNS = ("main", "message_start", "message_size", "key_start", "key_size")


@dataclass(frozen=True, slots=True)
class Ends:
    """How far the history of a store reaches.

    Attributes:
        compactions: what bucket ``meta`` says of them.
        current_revision: what a server calls its revision.
    """

    compactions: Compactions
    current_revision: int

    @property
    def compact_revision(self) -> int:
        """What a server calls its compact revision; -1 when nothing was ever compacted."""
        return self.compactions.revision

    def check_readable(self, revision: int, name: str) -> None:
        """Refuse a revision that a server refuses to read at, in its words.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
        """
        if revision > self.current_revision:
            problem, hint = "is a future revision", f"The newest revision is {self.current_revision}"
        elif revision < self.compact_revision:
            problem, hint = "has been compacted", f"The oldest that can be read is {self.compact_revision}"
        else:
            return
        raise EtcdtoolError(f"{name}: mvcc: required revision {problem}", hint=hint)


def find_ends(image: Image, *, engine: Engine = "columns") -> Ends:
    """Tell how far the history reaches, by its last entry and bucket ``meta``.

    Raises:
        FormatError: a bucket cannot be walked, the last key is no revision, or a mark of compaction is none.
    """
    compactions, bucket = open_history(image)
    last = _last_key(image, bucket, engine) if bucket is not None else None
    newest = Revision.parse(last[0], offset=last[1]).main if last is not None else 0
    return Ends(compactions, current_revision(compactions, newest))


def _last_key(image: Image, bucket: Bucket, engine: Engine) -> tuple[bytes, int] | None:
    if engine == "columns" and bucket.inline is None:
        leaves = columns.find_leaves(image, bucket)
        rest = leaves.part(leaves.count > 0).part(slice(-1, None))
        blocks = columns.iter_leaf_blocks(image, rest, 1)
        for block in blocks:
            start = int(block.key_start[-1])
            return bytes(image.data[start : int(block.value_start[-1])]), start
        return None
    last = None
    for item in cursor.iter_items(image, bucket):
        last = item.key, item.offset
    return last


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """The keys that exist at a revision, in the order in which they were last written; one element each.

    Attributes:
        name: what a person knows the file as.
        data: the file; offsets count from its start.
        revision: the revision.
        main: of the change that made each key what it is.
        message_start, message_size: where its record lies.
        key_start, key_size: where the key lies.
        engine: how it was read, and is read further.
    """

    name: str
    data: memoryview
    revision: int
    main: NDArray[np.integer[Any]]
    message_start: NDArray[np.integer[Any]]
    message_size: NDArray[np.integer[Any]]
    key_start: NDArray[np.integer[Any]]
    key_size: NDArray[np.integer[Any]]
    engine: Engine

    @classmethod
    def read(
        cls,
        image: Image,
        revision: int,
        keys: KeyChoice,
        *,
        name: str = "",
        engine: Engine = "columns",
        advance: Callable[[int], None] = lambda _: None,
    ) -> Self:
        """Find the keys of a range that exist at a revision, which the history has to reach.

        Args:
            image: the database.
            revision: main revision.
            keys: whose state is wanted.
            name: what a person knows the file as.
            engine: how the bucket is read; keys are compared and grouped one by one with ``plain``.
            advance: is told the bytes of each block when it was looked at.

        Raises:
            FormatError: a bucket cannot be walked, or something in it is off.
        """
        _, bucket = open_history(image)
        words = unaligned_words(image.data)
        parts: dict[str, GrowingColumn] = {name: NarrowColumn() for name in _COLUMNS}
        parts["tombstone"] = GrowingColumn(np.bool_)
        hashes = GrowingColumn(np.uint64)
        for block, *places in iter_keyed_revisions(image, bucket, engine=engine) if bucket is not None else ():
            found = Keys(image.data, words, *places)
            chosen = _chosen(found, keys, engine) & (block.main <= revision)
            rows = slice(None) if chosen.all() else np.flatnonzero(chosen)
            _add(parts, block, found, rows)
            if engine == "columns":
                hashes.extend(hash_keys(found.rows(rows)))
            advance(int((block.stop - block.start).sum()))
        taken = {name: column.finish() for name, column in parts.items()}
        everything = Keys(image.data, words, taken["key_start"], taken["key_size"])
        before = (group_plainly(everything) if engine == "plain" else grouped(everything, hashes.finish()))[2]
        live = live_rows(before, taken.pop("tombstone"))
        del everything, before
        for column in _COLUMNS:  # one after the other, so that no more is held twice
            taken[column] = taken[column][live]
        return cls(name=name, data=image.data, revision=revision, engine=engine, **taken)

    def __len__(self) -> int:
        return len(self.main)

    def keys(self, rows: slice | NDArray[np.int64] = slice(None)) -> Keys:
        """Return where the keys of rows lie."""
        return Keys(self.data, unaligned_words(self.data), self.key_start[rows], self.key_size[rows])

    def messages(self, rows: slice | NDArray[np.int64] = slice(None)) -> Keys:
        """Return where the records of rows lie."""
        return Keys(self.data, unaligned_words(self.data), self.message_start[rows], self.message_size[rows])

    def records(self, rows: NDArray[np.int64]) -> Records:
        """Return the records of rows as columns.

        Raises:
            FormatError: one of them does not parse.
        """
        start = self.message_start[rows].astype(np.int64)
        try:
            return read_records(self.data, start, start + self.message_size[rows], engine=self.engine)
        except FormatError as error:
            raise error.at(self.name) from None


def _chosen(found: Keys, keys: KeyChoice, engine: Engine) -> NDArray[np.bool_]:
    if engine == "plain":
        return np.array([found(row) in keys for row in range(len(found.start))], dtype=np.bool_)
    return keys.mask(found.words, found.start, found.size)


def _add(parts: dict[str, GrowingColumn], block: Revisions, found: Keys, rows: slice | NDArray[np.int64]) -> None:
    taken = {
        "main": block.main,
        "tombstone": block.tombstone,
        "message_start": block.message_start,
        "message_size": block.stop - block.message_start,
        "key_start": found.start,
        "key_size": found.size,
    }
    for name, column in parts.items():
        column.extend(taken[name][rows])
