"""The hash of the history in one pass over it, for all files but odd ones.

What lies above the compact revision is hashed as it is read.  What lies at or below it counts only where no later
revision takes its place: it is held back until the keys of all revisions are known, and its checksum is put in front.
`etcdtool.model.compaction` is the whole rule, which needs the history grouped by keys.
Format: docs/formats/hashes.md, "hashkv"; upstream: ``server/storage/mvcc/hash.go`` @ v3.6.14, v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt import columns
from etcdtool.formats.digest import crc32c, crc32c_joined, crc32c_of_runs
from etcdtool.formats.words import unaligned_words
from etcdtool.model import schema
from etcdtool.model.grouping import Keys, hash_keys, superseded_rows
from etcdtool.model.growing import GrowingColumn
from etcdtool.model.revisions import iter_keyed_revisions, iter_revisions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.compactions import Compactions
    from etcdtool.model.revisions import Revisions

    Advance = Callable[[int], None]

__all__ = ["Passed", "hash_in_passing"]


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass has found.

    Attributes:
        checksum: CRC-32C of the history up to the revision; None where the pass cannot tell.
        last: main revision of the newest entry, 0 where there is none.
    """

    checksum: int | None
    last: int


def hash_in_passing(
    image: Image,
    bucket: Bucket | None,
    revision: int,
    compactions: Compactions,
    *,
    engine: Engine = "columns",
    advance: Advance = lambda _: None,
) -> Passed:
    """Hash the entries of bucket ``key`` up to a revision.

    Args:
        image: the database.
        bucket: its bucket ``key``, None where there is none.
        revision: main revision; 0 for the newest.
        compactions: of the store; none but with ``columns``.
        engine: how the bucket is read.
        advance: is told the bytes of each block of entries when it is read.

    Raises:
        FormatError: the bucket cannot be walked, or a revision key or record is off.
    """
    if bucket is None:
        return Passed(crc32c(schema.KEY, 0), 0)
    if compactions.revision < 1:
        return _hash_everything(image, bucket, revision, engine, advance)
    found = _Pass(image, revision, compactions.revision, columns.pair_count(image, bucket))
    for block, key_start, key_size in iter_keyed_revisions(image, bucket):
        found.add(block, key_start, key_size)
        advance(int((block.stop - block.start).sum()))
    return Passed(found.checksum(), found.last)


def _hash_everything(image: Image, bucket: Bucket, revision: int, engine: Engine, advance: Advance) -> Passed:
    checksum, last = crc32c(schema.KEY, 0), 0
    for block in iter_revisions(image, bucket, engine=engine):
        checksum = crc32c_of_runs(image.data, _runs_up_to(block, _count_up_to(block, revision)), checksum)
        last = int(block.main[-1])
        advance(int((block.stop - block.start).sum()))
    return Passed(checksum, last)


def _count_up_to(block: Revisions, revision: int) -> int:
    """Return how many revisions of a block are not above a main revision, all where that is 0."""
    return int(np.searchsorted(block.main, revision, side="right")) if revision else len(block)


def _runs_up_to(block: Revisions, stop: int) -> list[tuple[int, int]]:
    return block.runs if stop == len(block) else columns.contiguous_runs(block.start[:stop], block.stop[:stop])


@dataclass(slots=True)
class _Pass:
    """What is known of a store that was compacted, up to where it was read.

    Args:
        image: the database.
        revision: main revision up to which is hashed; 0 for the newest.
        compacted: the compact revision.
        expected: how many entries there may be.
    """

    image: Image
    revision: int
    compacted: int
    expected: int
    first: int = -1
    last: int = 0
    _ends_with_put: bool = False
    _checksum: int = 0
    _size: int = 0
    _columns: dict[str, GrowingColumn] = field(init=False)
    _old: dict[str, GrowingColumn] = field(init=False)

    def __post_init__(self) -> None:
        kinds: dict[str, type[np.generic]] = {"hash": np.uint64, "key_start": np.int64, "key_size": np.uint32}
        self._columns = {name: GrowingColumn(kind, self.expected) for name, kind in kinds.items()}
        self._old = {"start": GrowingColumn(np.int64), "stop": GrowingColumn(np.int64)}
        self._old["tombstone"] = GrowingColumn(np.bool_)

    def add(self, block: Revisions, key_start: NDArray[np.int64], key_size: NDArray[np.int64]) -> None:
        """Take the next entries."""
        self.first = self.first if self.first >= 0 else int(block.main[0])
        self.last = int(block.main[-1])
        taken = _count_up_to(block, self.revision)
        if taken:
            begin = int(np.searchsorted(block.main, block.main[taken - 1]))
            self._ends_with_put = begin > 0 and not block.tombstone[begin:taken].any()
        old = min(int(np.searchsorted(block.main, self.compacted, side="right")), taken)
        for name, column in self._old.items():
            column.extend(getattr(block, name)[:old])
        keys = Keys(self.image.data, unaligned_words(self.image.data), key_start[:taken], key_size[:taken])
        for name, part in (("hash", hash_keys(keys)), ("key_start", keys.start), ("key_size", keys.size)):
            self._columns[name].extend(part)
        runs = _runs_up_to(block, taken)
        if old:
            runs = columns.contiguous_runs(block.start[old:taken], block.stop[old:taken])
        self._checksum = crc32c_of_runs(self.image.data, runs, self._checksum)
        self._size += sum(stop - start for start, stop in runs)

    def checksum(self) -> int | None:
        """Return the checksum; None where this is a store that takes more to tell."""
        old = {name: column.finish() for name, column in self._old.items()}
        count = len(old["start"])
        checksum = crc32c(schema.KEY, 0)
        if count:
            if self.first < 1 or (self.revision or self.last) <= self.compacted:
                return None  # odd, or read at the compact revision, where tombstones count by a rule of their own
            taken = {name: column.finish() for name, column in self._columns.items()}
            keys = Keys(self.image.data, unaligned_words(self.image.data), taken["key_start"], taken["key_size"])
            superseded = superseded_rows(keys, taken["hash"], count)
            if superseded is None:
                return None
            kept = ~old["tombstone"]
            kept[superseded] = False
            if not (kept.any() or self._ends_with_put):
                return None  # where no key is left, upstream filters by nothing
            runs = columns.contiguous_runs(old["start"][kept], old["stop"][kept])
            checksum = crc32c_of_runs(self.image.data, runs, checksum)
        return crc32c_joined(checksum, self._checksum, self._size)
