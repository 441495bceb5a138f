"""What each revision takes in a file, as columns: its entry, its value, and its share of the page that it lies on.

Format: docs/formats/bbolt.md, docs/formats/mvcc.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import LEAF_ELEMENT
from etcdtool.formats.bbolt.page_use import leaf_use
from etcdtool.formats.words import unaligned_words
from etcdtool.model import schema
from etcdtool.model.compactions import Compactions, read_meta
from etcdtool.model.grouping import Keys, grouped, hash_keys
from etcdtool.model.growing import GrowingColumn, NarrowColumn
from etcdtool.model.history import History, group_plainly
from etcdtool.model.rows import expected_rows, iter_rows, refuse_unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.columns import LeafBlock
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.page_use import LeafUse
    from etcdtool.formats.engine import Engine
    from etcdtool.model.rows import Rows

__all__ = ["Weights"]

_PAGES_AT_ONCE = 1 << 13
_LARGE_PAGE = 1 << 30
_NARROW_COLUMNS = ("main", "sub", "start", "size", "key_start", "key_size", "value_size")


@dataclass(slots=True, kw_only=True)
class Weights:
    """Every revision of a database with what it takes; one row a revision, in the order of the bucket.

    Attributes:
        history: the rows, by key.
        value_size: bytes of the value alone, 0 of a tombstone.
        overhead: bytes of its element, and its share of the page's header and of what is left over there.
        lease: int64, or None where nobody asked; see `take_leases`.
    """

    history: History
    value_size: NDArray[np.integer[Any]]
    overhead: NDArray[np.integer[Any]]
    lease: NDArray[np.int64] | None

    @classmethod
    def read(
        cls,
        image: Image,
        *,
        leases: bool = False,
        engine: Engine = "columns",
        look: Callable[[LeafBlock], object] = lambda _: None,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Self:
        """Read buckets ``meta`` and ``key`` of a database.

        Args:
            image: the database.
            leases: whether to keep the lease of every revision.
            engine: how the bucket is read; grouping is done by a dictionary with ``plain``.
            look: is shown the bucket's blocks of pairs; not with ``plain``.
            advance: is told the bytes of each block when it is read.

        Raises:
            FormatError: a bucket cannot be walked, or something in it is off.
        """
        bucket = cursor.root_buckets(image).get(schema.KEY)
        expected = expected_rows(image, bucket, engine)
        columns: dict[str, GrowingColumn] = {name: NarrowColumn(expected) for name in _NARROW_COLUMNS}
        columns["tombstone"] = GrowingColumn(np.bool_, expected)
        lease = GrowingColumn(np.int64, expected if leases else 0)
        hashes = GrowingColumn(np.uint64, expected)
        words = unaligned_words(image.data)
        for rows in iter_rows(image, bucket, engine=engine, look=look) if bucket is not None else ():
            refuse_unreadable(image.data, rows)
            _add(columns, rows)
            if leases:
                lease.extend(rows.lease)
            if engine == "columns":
                hashes.extend(hash_keys(Keys(image.data, words, rows.key_start, rows.key_size)))
            advance(int((rows.message_end - rows.offset).sum()))
        taken = {name: column.finish() for name, column in columns.items()}
        value_size = taken.pop("value_size")
        keys = Keys(image.data, words, taken["key_start"], taken["key_size"])
        order, first, before = group_plainly(keys) if engine == "plain" else grouped(keys, hashes.finish())
        overhead = NarrowColumn(0).finish()
        if bucket is not None:
            overhead = _overheads(leaf_use(image, bucket, engine=engine), taken["size"])
        compactions = Compactions.parse(read_meta(image))
        history = History(data=image.data, compactions=compactions, order=order, first=first, before=before, **taken)
        return cls(history=history, value_size=value_size, overhead=overhead, lease=lease.finish() if leases else None)

    def take_leases(self) -> NDArray[np.int64]:
        """Return the leases and forget them: they are as large as two other columns."""
        assert self.lease is not None
        lease, self.lease = self.lease, None
        return lease

    def __len__(self) -> int:
        return len(self.history)


def _add(columns: dict[str, GrowingColumn], rows: Rows) -> None:
    taken = {
        "main": rows.main.view(np.int64),
        "sub": rows.sub.view(np.int64),
        "tombstone": rows.tombstone,
        "start": rows.offset,
        "size": rows.message_end - rows.offset,
        "key_start": rows.key_start,
        "key_size": rows.key_size,
        "value_size": rows.value_size,
    }
    for name, column in columns.items():
        column.extend(taken[name])


def _overheads(leaves: LeafUse, size: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Share what each page has beside its pairs out to them, in proportion to their size; nothing is lost.

    A page that one large value has to itself puts all that it leaves empty on that value.
    """
    found = NarrowColumn(len(size))
    ends = np.cumsum(leaves.count)
    for at in range(0, len(leaves.count), _PAGES_AT_ONCE):
        pages = slice(at, at + _PAGES_AT_ONCE)
        count = leaves.count[pages]
        stop = int(ends[min(at + _PAGES_AT_ONCE, len(ends)) - 1])
        part = size[stop - int(count.sum()) : stop].astype(np.int64)
        found.extend(_shares(leaves.size[pages], count, part + LEAF_ELEMENT.size) + LEAF_ELEMENT.size)
    return found.finish()


def _shares(page_size: NDArray[np.int64], count: NDArray[np.int64], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share out what is left of each page; ``weight`` is that of the rows, ``count`` a page."""
    sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(weight)))
    last = np.cumsum(count)
    before = sums[last - count]
    taken = sums[last] - before
    rest = page_size - taken
    # of a page beyond this, where the product below would not fit, the last pair has it all
    rest_shared = np.where(page_size < _LARGE_PAGE, rest, 0)
    upto = (sums[1:] - np.repeat(before, count)) * np.repeat(rest_shared, count) // np.repeat(taken, count)
    shares: NDArray[np.int64] = np.diff(upto, prepend=0)
    some = count > 0
    begin = (last - count)[some]
    shares[begin] = upto[begin]
    shares[last[some] - 1] += (rest - rest_shared)[some]
    return shares
