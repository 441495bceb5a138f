"""How pairs are divided into pages, and how many pages a packed file takes, told without writing it.

`etcdtool.formats.bbolt.packer` divides by the same rule, so that the count is exact for the files that it writes.
Upstream: ``splitIndex`` in ``node.go`` @ bbolt v1.5.0, ``defragdb`` in ``server/storage/backend/backend.go`` @ v3.7.1.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt.page import HEADER
from etcdtool.formats.bbolt.writer import COUNT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Sizes = Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]

__all__ = ["FILL_PERCENT", "INLINE_PART_OF_A_PAGE", "PackedCount", "join_an_only_row", "page_starts"]

FILL_PERCENT = 0.9
"""How full pages get: what etcd's defrag sets."""
INLINE_PART_OF_A_PAGE = 4
_KEYS_PER_PAGE_MIN = 2
_RECORD_SIZE = 16
assert HEADER.size == _RECORD_SIZE
_ROWS_AT_ONCE = 1 << 14


def page_starts(size: NDArray[np.int64], page_size: int) -> list[int]:
    """Return the rows with which pages begin by upstream's rule, and behind them where the last one ends.

    Args:
        size: bytes of each row, its record in the element array left out.
        page_size: in bytes.
    """
    ends = [0, *np.cumsum(size + _RECORD_SIZE).tolist()]
    count, start, starts = len(ends) - 1, 0, [0]
    room = int(page_size * FILL_PERCENT) - HEADER.size
    while start < count:
        stop = bisect_right(ends, ends[start] + room, start + 1) - 1
        if stop < start + _KEYS_PER_PAGE_MIN:
            stop = min(start + _KEYS_PER_PAGE_MIN, count)
        elif stop > start + COUNT_MAX:
            stop = start + COUNT_MAX
        starts.append(stop)
        start = stop
    return starts if count else [0, 0]


def join_an_only_row(starts: list[int]) -> None:
    """Put a row that is alone on the last page together with the page before, which gives up one where it can."""
    if len(starts) > 2 and starts[-1] - starts[-2] < _KEYS_PER_PAGE_MIN:
        if starts[-2] - starts[-3] > _KEYS_PER_PAGE_MIN:
            starts[-2] -= 1
        else:
            del starts[-2]


class PackedCount:
    """Counts the pages that `etcdtool.formats.bbolt.packer.Packer` makes of buckets.

    Args:
        page_size: of the packed file.
    """

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._pages = 2  # the metas
        self._entries: dict[bytes, int] = {}

    def bucket(self, name: bytes, sizes: Sizes) -> None:
        """Take a bucket: blocks of the bytes that each pair has and that its key has, in order."""
        head: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        held = count = 0
        blocks = iter(sizes)
        for size, key_size in blocks:
            head.append((size, key_size))
            count += len(size)
            held += _RECORD_SIZE * len(size) + int(size.sum())
            if HEADER.size + held > self._page_size // INLINE_PART_OF_A_PAGE or count > COUNT_MAX:
                self._pages += self._tree((*head, *_cut(blocks)))
                self._entries[name] = len(name) + HEADER.size
                return
        # the header of the bucket, and its page
        self._entries[name] = len(name) + 2 * HEADER.size + held

    def finish(self) -> int:
        """Return the pages of the whole file."""
        entries = sorted(self._entries.items())
        size = np.array([size for _, size in entries], dtype=np.int64)
        key_size = np.array([len(name) for name, _ in entries], dtype=np.int64)
        return self._pages + self._tree([(size, key_size)])

    def _tree(self, sizes: Sizes) -> int:
        """Return the pages of leaves and of the branches above them."""
        level = _Level(self._page_size)
        for size, key_size in _cut(sizes):
            level.add(size, key_size)
        first_keys = level.finish()
        pages = level.pages
        while len(first_keys) > 1:
            level = _Level(self._page_size)
            level.add(first_keys, first_keys)
            first_keys = level.finish()
            pages += level.pages
        return pages


class _Level:
    """The pages of one level; the last two are held until it is known what follows.

    Attributes:
        pages: counted so far, with their overflow.
    """

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._size: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._key_size: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._first_keys: list[NDArray[np.int64]] = []
        self.pages = 0

    def add(self, size: NDArray[np.int64], key_size: NDArray[np.int64]) -> None:
        """Take rows: bytes of each, and of its key."""
        self._size = np.concatenate((self._size, size))
        self._key_size = np.concatenate((self._key_size, key_size))
        self._count(page_starts(self._size, self._page_size)[:-2])

    def finish(self) -> NDArray[np.int64]:
        """Count the rest; return the bytes of the first key of every page."""
        starts = page_starts(self._size, self._page_size)
        join_an_only_row(starts)
        self._count(starts)
        return np.concatenate(self._first_keys)

    def _count(self, starts: list[int]) -> None:
        if len(starts) < 2:
            return
        borders = np.array(starts, dtype=np.int64)
        ends = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(self._size)))[borders]
        taken = HEADER.size + _RECORD_SIZE * np.diff(borders) + np.diff(ends)
        self.pages += int((-(-taken // self._page_size)).sum())
        stop = starts[-1]
        self._first_keys.append(self._key_size[borders[:-1]] if stop else np.zeros(1, dtype=np.int64))
        self._size, self._key_size = self._size[stop:], self._key_size[stop:]


def _cut(sizes: Sizes) -> Sizes:
    """Yield the same in small blocks: borders of pages are looked up in a list."""
    for size, key_size in sizes:
        for at in range(0, len(size), _ROWS_AT_ONCE):
            part = slice(at, at + _ROWS_AT_ONCE)
            yield size[part].astype(np.int64, copy=False), key_size[part].astype(np.int64, copy=False)
