"""Write a bbolt file from pairs that lie in another file, column-wise and in one pass.

Pairs come as columns of offsets, block by block; element tables are computed as arrays, and bytes that lie one behind
the other in both files are copied at once.  Pages are divided as upstream divides them, so that a packed file is as
full as one that etcd has defragmented.
`etcdtool.formats.bbolt.writer` is the plain twin: from the same pairs both make files with the same content.
Spec: ``docs/formats/bbolt.md``; upstream: ``splitIndex`` in ``node.go`` @ bbolt v1.5.0, ``defragdb`` in
``server/storage/backend/backend.go`` @ etcd v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from etcdtool.formats.bbolt.cursor import BUCKET_HEADER
from etcdtool.formats.bbolt.division import INLINE_PART_OF_A_PAGE, join_an_only_row, page_starts
from etcdtool.formats.bbolt.nodes import pack_inline
from etcdtool.formats.bbolt.page import BUCKET_FLAG, HEADER, PageFlag
from etcdtool.formats.bbolt.writer import COUNT_MAX, Written, write_metas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.columns import LeafBlock
    from etcdtool.formats.bbolt.nodes import Pair
    from etcdtool.formats.bbolt.writer import Output

__all__ = ["BucketPacker", "Packer", "Spans", "joined"]

_RECORD_SIZE = 16
assert HEADER.size == _RECORD_SIZE
_BYTES_AT_ONCE = 1 << 20
_CHILDREN_AT_ONCE, _CHILDREN_ABOVE_AT_ONCE = 1 << 13, 1 << 7
"""Leaves, and branches, whose keys lie further apart: each key read brings the pages around it into memory."""
_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Spans:
    """Where pairs lie: int64 columns, one row a pair; the value follows the key.

    Attributes:
        start: offset of the key.
        key_size: its bytes.
        size: bytes of key and value.
    """

    start: NDArray[np.int64]
    key_size: NDArray[np.int64]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of(cls, block: LeafBlock) -> Self:
        """Return where the pairs of a block lie."""
        start = block.key_start
        return cls(start, block.value_start - start, block.value_end - start)

    def pairs(self, data: memoryview) -> Iterator[tuple[bytes, bytes]]:
        """Yield them one by one, for buckets of a few."""
        columns = (self.start.tolist(), self.key_size.tolist(), self.size.tolist())
        for start, key_size, size in zip(*columns, strict=True):
            yield bytes(data[start : start + key_size]), bytes(data[start + key_size : start + size])

    def rows(self, chosen: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Spans:
        """Return some of them."""
        return Spans(self.start[chosen], self.key_size[chosen], self.size[chosen])

    def behind(self, before: Spans) -> Spans:
        """Return others with these behind."""
        return Spans(
            np.concatenate((before.start, self.start)),
            np.concatenate((before.key_size, self.key_size)),
            np.concatenate((before.size, self.size)),
        )

    def by_bytes(self, size_max: int) -> Iterator[Spans]:
        """Yield them in parts of so many bytes at the most, or of a single pair."""
        ends = np.cumsum(self.size)
        start = done = 0
        while start < len(self):
            stop = max(int(np.searchsorted(ends, done + size_max, side="right")), start + 1)
            yield self.rows(slice(start, stop))
            start, done = stop, int(ends[stop - 1])


class Packer:
    """Writes buckets to a file that real etcd and bbolt open, one after the other in any order.

    Args:
        out: seekable, at position 0.
        page_size: a power of two from 1 KiB to 16 MiB.
        let_go: see `etcdtool.formats.bbolt.page.Image`, of the one that pairs lie in.
    """

    def __init__(self, out: Output, page_size: int, let_go: Callable[[], None] = lambda: None) -> None:
        self._pages = _Pages(out, page_size, let_go)
        self._entries: dict[bytes, bytes] = {}

    def bucket(self, name: bytes, data: memoryview, *, sequence: int = 0) -> BucketPacker:
        """Begin a bucket whose pairs lie in ``data``; it has to be finished before the next one begins."""
        return BucketPacker(self._pages, self._entries, name, data, sequence)

    def finish(self, *, txid: int = 2) -> Written:
        """Write what leads to the buckets; the file is left at the end of the image.

        Args:
            txid: of the meta in use; the other one gets the transaction before.
        """
        data, spans = joined(sorted(self._entries.items()))
        leaves = _Level(self._pages, data, PageFlag.LEAF, BUCKET_FLAG)
        leaves.add(spans)
        root = _pack_branches(self._pages, data, leaves)
        page_size, limit = self._pages.page_size, self._pages.next_id
        write_metas(self._pages.out, page_size=page_size, root=root, high_water_mark=limit, txid=txid)
        return Written(limit, limit * page_size)


class BucketPacker:
    """One bucket while it is written; made by `Packer.bucket`."""

    def __init__(
        self, pages: _Pages, entries: dict[bytes, bytes], name: bytes, data: memoryview, sequence: int
    ) -> None:
        self._pages = pages
        self._entries = entries
        self._name = name
        self._data = data
        self._sequence = sequence
        self._head: list[Spans] = []
        self._leaves: _Level | None = None

    def add(self, spans: Spans) -> None:
        """Take the next pairs, whose keys are above all before."""
        if self._leaves is None:
            self._head.append(spans)
            size = sum(len(part) * _RECORD_SIZE + int(part.size.sum()) for part in self._head)
            fits = HEADER.size + size <= self._pages.page_size // INLINE_PART_OF_A_PAGE
            if fits and sum(map(len, self._head)) <= COUNT_MAX:
                return
            self._leaves = _Level(self._pages, self._data, PageFlag.LEAF, 0)
        else:
            self._head = [spans]
        for part in self._head:
            for piece in part.by_bytes(_BYTES_AT_ONCE):
                self._leaves.add(piece)

    def finish(self) -> None:
        """Write the rest of its pages, or make it an inline bucket."""
        if self._leaves is not None:
            root = _pack_branches(self._pages, self._data, self._leaves)
            self._entries[self._name] = BUCKET_HEADER.pack(root, self._sequence)
            return
        pairs: list[Pair] = [(key, 0, value) for part in self._head for key, value in part.pairs(self._data)]
        self._entries[self._name] = BUCKET_HEADER.pack(0, self._sequence) + pack_inline(pairs)


def joined(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[memoryview, Spans]:
    """Lay a few pairs one behind the other, and say where they lie."""
    listed = list(pairs)
    key_size = np.array([len(key) for key, _ in listed], dtype=np.int64)
    size = key_size + np.array([len(value) for _, value in listed], dtype=np.int64)
    data = memoryview(b"".join(part for pair in listed for part in pair))
    return data, Spans(np.cumsum(size) - size, key_size, size)


@dataclass(slots=True)
class _Pages:
    """Hands out page ids in file order."""

    out: Output
    page_size: int
    let_go: Callable[[], None]
    next_id: int = field(default=2, init=False)

    def __post_init__(self) -> None:
        self.out.write(bytes(2 * self.page_size))

    def write(self, data: bytearray) -> None:
        """Write whole pages behind the others."""
        self.out.write(data)
        self.next_id += len(data) // self.page_size


def _pack_branches(pages: _Pages, data: memoryview, leaves: _Level) -> int:
    """Write the rest of the leaves, and the levels above them; return the root's page id."""
    keys, children = leaves.finish()
    at_once = _CHILDREN_AT_ONCE
    while len(children) > 1:
        branches = _Level(pages, data, PageFlag.BRANCH, 0)
        for at in range(0, len(children), at_once):
            part = slice(at, at + at_once)
            branches.add(keys.rows(part), children[part])
            pages.let_go()
        keys, children = branches.finish()
        at_once = _CHILDREN_ABOVE_AT_ONCE
    return int(children[0])


class _Level:
    """The pages of one level, written as they come full; the last two are held until it is known what follows."""

    def __init__(self, pages: _Pages, data: memoryview, page_flags: PageFlag, element_flags: int) -> None:
        self._pages = pages
        self._data = data
        self._page_flags = page_flags
        self._element_flags = element_flags
        self._rows = _NO_SPANS
        self._children = _NO_IDS
        self._written: list[tuple[Spans, NDArray[np.int64]]] = []

    def add(self, rows: Spans, children: NDArray[np.int64] | None = None) -> None:
        """Take rows: pairs of a leaf, or the first keys of pages below with the ids of these."""
        self._rows = rows.behind(self._rows)
        if children is not None:
            self._children = np.concatenate((self._children, children))
        starts = self._divide()
        self._write(starts[:-2])

    def finish(self) -> tuple[Spans, NDArray[np.int64]]:
        """Write the rest; return the first key and the id of every page."""
        starts = self._divide()
        join_an_only_row(starts)
        self._write(starts)
        firsts, ids = zip(*self._written, strict=True)
        whole = Spans(
            np.concatenate([rows.start for rows in firsts]),
            np.concatenate([rows.key_size for rows in firsts]),
            np.concatenate([rows.key_size for rows in firsts]),
        )
        return whole, np.concatenate(ids)

    def _divide(self) -> list[int]:
        return page_starts(self._rows.size, self._pages.page_size)

    def _write(self, starts: Sequence[int]) -> None:
        """Write pages that begin and end there, and hold the rows behind them."""
        if len(starts) < 2:
            return
        stop = starts[-1]
        rows, children = self._rows.rows(slice(stop)), self._children[:stop]
        borders = np.array(starts, dtype=np.int64)
        layout = _Layout.of(rows, borders, self._pages.page_size)
        ids = self._pages.next_id + layout.page // self._pages.page_size
        first_keys = rows.rows(borders[:-1]) if stop else _ONE_EMPTY
        self._written.append((first_keys, ids))
        buffer = bytearray(layout.size)
        records: NDArray[np.uint32] = np.frombuffer(buffer, dtype="<u4").reshape(-1, 4)
        layout.put_headers(records, self._page_flags, ids)
        records[layout.element // _RECORD_SIZE] = self._table(rows, children, layout)
        layout.copy(self._data, rows, buffer)
        self._pages.write(buffer)
        self._rows, self._children = self._rows.rows(slice(stop, None)), self._children[stop:]

    def _table(self, rows: Spans, children: NDArray[np.int64], layout: _Layout) -> NDArray[np.uint32]:
        """Return the records of all elements."""
        position = layout.target - layout.element  # counts from its own element
        columns: tuple[NDArray[np.int64] | int, ...]
        if self._page_flags is PageFlag.LEAF:
            columns = (self._element_flags, position, rows.key_size, rows.size - rows.key_size)
        else:
            columns = (position, rows.key_size, children & _U32, children >> 32)
        table = np.empty((len(rows), len(columns)), dtype="<u4")
        for number, column in enumerate(columns):
            table[:, number] = column
        return table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where pages and their elements lie in a buffer, in bytes.

    Attributes:
        page, count, overflow: one row a page.
        element, target: one row an element: its record, its data.
        size: of the buffer.
    """

    page: NDArray[np.int64]
    count: NDArray[np.int64]
    overflow: NDArray[np.int64]
    element: NDArray[np.int64]
    target: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, rows: Spans, borders: NDArray[np.int64], page_size: int) -> Self:
        """Lay out rows on pages: header, element array, then all data one behind the other."""
        count = np.diff(borders)
        ends = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(rows.size)))
        table_size = _RECORD_SIZE * (1 + count)
        page_count = -(-(table_size + ends[borders[1:]] - ends[borders[:-1]]) // page_size)
        page = (np.cumsum(page_count) - page_count) * page_size
        number = np.arange(len(rows), dtype=np.int64)
        return cls(
            page=page,
            count=count,
            overflow=page_count - 1,
            element=np.repeat(page + _RECORD_SIZE * (1 - borders[:-1]), count) + _RECORD_SIZE * number,
            target=np.repeat(page + table_size - ends[borders[:-1]], count) + ends[:-1],
            size=int(page_count.sum()) * page_size,
        )

    def put_headers(self, records: NDArray[np.uint32], flags: PageFlag, ids: NDArray[np.int64]) -> None:
        """Write the header of each page: id, flags and count, overflow."""
        place = self.page // _RECORD_SIZE
        for number, column in enumerate((ids & _U32, ids >> 32, int(flags) | self.count << 16, self.overflow)):
            records[place, number] = column

    def copy(self, data: memoryview, rows: Spans, buffer: bytearray) -> None:
        """Copy the rows' bytes, those at once that lie one behind the other on both sides."""
        if not len(rows):
            return
        shift = self.target - rows.start
        stop = rows.start + rows.size
        turns = np.flatnonzero((rows.start[1:] != stop[:-1]) | (shift[1:] != shift[:-1])) + 1
        first = np.concatenate((np.zeros(1, dtype=np.int64), turns))
        last = np.append(turns, len(rows)) - 1
        target = memoryview(buffer)
        for begin, end, by in zip(rows.start[first].tolist(), stop[last].tolist(), shift[first].tolist(), strict=True):
            target[begin + by : end + by] = data[begin:end]


_NO_IDS: NDArray[np.int64] = np.empty(0, dtype=np.int64)
_NO_SPANS = Spans(_NO_IDS, _NO_IDS, _NO_IDS)
_ONE_EMPTY = Spans(*(np.zeros(1, dtype=np.int64) for _ in range(3)))
