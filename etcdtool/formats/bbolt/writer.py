"""Write a bbolt file from sorted pairs, bottom-up and in one pass.

Leaves are filled one after the other; each full page hands its first key to the level above, so that only the page
being filled of each level is held.  The freelist is not persisted, as etcd has it on Linux.
Spec: ``docs/formats/bbolt.md``; upstream: ``node.go``, ``bucket.go``, ``internal/common/inode.go`` @ bbolt v1.5.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from etcdtool.formats.bbolt.cursor import BUCKET_HEADER
from etcdtool.formats.bbolt.meta import MAGIC, META, NO_FREELIST, PAGE_SIZE_MAX, PAGE_SIZE_MIN, VERSION
from etcdtool.formats.bbolt.page import BUCKET_FLAG, HEADER, LEAF_ELEMENT, PageFlag
from etcdtool.formats.digest import fnv1a64

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "COUNT_MAX",
    "KEY_SIZE_MAX",
    "VALUE_SIZE_MAX",
    "Buckets",
    "Output",
    "Written",
    "branch_table",
    "check_sizes",
    "leaf_table",
    "pack_meta",
    "pack_page",
    "write_database",
    "write_metas",
]

KEY_SIZE_MAX = 32768
VALUE_SIZE_MAX = (1 << 31) - 2

COUNT_MAX = 0xFFFE
"""Elements that a page's header can count, by upstream's rule."""
_ELEMENT_SIZE = LEAF_ELEMENT.size
_BRANCH_CHILDREN_MIN = 2


class Output(Protocol):
    """What a file is written to."""

    def write(self, data: bytes | bytearray, /) -> object:
        """Write at the position."""
        ...

    def seek(self, offset: int, /) -> object:
        """Move the position."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: ``high_water_mark`` pages, ``size`` bytes."""

    high_water_mark: int
    size: int


Pairs = Iterable[tuple[bytes, bytes]]
Buckets = Mapping[bytes, Pairs] | Iterable[tuple[bytes, Pairs]]


def write_database(out: BinaryIO, buckets: Buckets, *, page_size: int = 4096, txid: int = 2) -> Written:
    """Write buckets to a file that real etcd and bbolt open.

    Args:
        out: seekable, at position 0; left at the end of the image.
        buckets: by name; each one's pairs in strictly ascending key order, consumed once, bucket by bucket in the order
            of their names; or names with pairs, consumed in the order in which they come.
        page_size: a power of two from 1 KiB to 16 MiB; etcd on amd64 has 4096.
        txid: of the meta in use; the other one gets the transaction before.

    Raises:
        ValueError: pairs out of order, or a key, value, page size or txid outside the format's limits.
    """
    if not PAGE_SIZE_MIN <= page_size <= PAGE_SIZE_MAX or page_size & (page_size - 1):
        raise ValueError(f"page size {page_size} is no power of two from {PAGE_SIZE_MIN} to {PAGE_SIZE_MAX}")
    if not 1 <= txid < 1 << 64:
        raise ValueError(f"txid {txid} is out of range")
    pages = _Pages(out, page_size)
    in_order = sorted(buckets.items()) if isinstance(buckets, Mapping) else buckets
    entries = [(name, _write_bucket(pages, pairs)) for name, pairs in in_order]
    root = _Tree(pages, BUCKET_FLAG).write(_checked(sorted(entries)))
    write_metas(out, page_size=page_size, root=root, high_water_mark=pages.next_id, txid=txid)
    return Written(pages.next_id, pages.next_id * page_size)


def write_metas(out: Output, *, page_size: int, root: int, high_water_mark: int, txid: int) -> None:
    """Write both metas of a new file, and leave it at the end of the image."""
    for page_id in (0, 1):
        own_txid = txid - (txid % 2 != page_id)
        out.seek(page_id * page_size)
        out.write(pack_meta(page_id, page_size=page_size, root=root, high_water_mark=high_water_mark, txid=own_txid))
    out.seek(high_water_mark * page_size)


def pack_meta(
    page_id: int,
    *,
    page_size: int,
    root: int,
    high_water_mark: int,
    txid: int,
    sequence: int = 0,
    freelist: int = NO_FREELIST,
) -> bytes:
    """Return a whole meta page."""
    body = META.pack(MAGIC, VERSION, page_size, 0, root, sequence, freelist, high_water_mark, txid, 0)[:-8]
    page = HEADER.pack(page_id, PageFlag.META, 0, 0) + body + fnv1a64(body).to_bytes(8, "little")
    return page.ljust(page_size, b"\0")


def pack_page(
    page_id: int, flags: PageFlag, count: int, body: Iterable[bytes | memoryview], size: int, *, page_size: int
) -> bytes:
    """Return a page whose body is ``size`` bytes, with as much overflow as it takes, padded to whole pages."""
    page_count = max(-(-(HEADER.size + size) // page_size), 1)
    padding = page_count * page_size - HEADER.size - size
    return b"".join([HEADER.pack(page_id, flags, count, page_count - 1), *body, bytes(padding)])


class _Pages:
    """Hands out page ids in file order."""

    def __init__(self, out: BinaryIO, page_size: int) -> None:
        self.page_size = page_size
        self.next_id = 2
        self._out = out
        out.write(bytes(2 * page_size))

    def write(self, flags: PageFlag, count: int, body: list[bytes], size: int) -> int:
        """Write a page whose body is ``size`` bytes, with as much overflow as it takes; return its id."""
        page_id = self.next_id
        page = pack_page(page_id, flags, count, body, size, page_size=self.page_size)
        self._out.write(page)
        self.next_id += len(page) // self.page_size
        return page_id


class _Tree:
    """One B+tree: the leaf being filled, and above it the branch being filled of each level."""

    def __init__(self, pages: _Pages, element_flags: int) -> None:
        self._pages = pages
        self._element_flags = element_flags
        self._levels: list[_Level] = []

    def write(self, pairs: Iterable[tuple[bytes, bytes]]) -> int:
        """Write all pages of the tree, return the root's page id."""
        parts: list[bytes] = []
        size = 0
        room = self._pages.page_size - HEADER.size
        for key, value in pairs:
            item_size = _ELEMENT_SIZE + len(key) + len(value)
            if parts and (size + item_size > room or len(parts) >= 2 * COUNT_MAX):
                self._add(0, parts[0], self._write_leaf(parts, size))
                parts = []
                size = 0
            parts += (key, value)
            size += item_size
        last = self._write_leaf(parts, size)
        return self._finish(parts[0], last) if self._levels else last

    def _write_leaf(self, parts: list[bytes], size: int) -> int:
        body = [leaf_table(parts, self._element_flags), *parts]
        return self._pages.write(PageFlag.LEAF, len(parts) // 2, body, size)

    def _add(self, height: int, key: bytes, child: int) -> None:
        while True:
            if height == len(self._levels):
                self._levels.append(_Level())
            full = self._levels[height].add(key, child, self._pages)
            if full is None:
                return
            key, child = full
            height += 1

    def _finish(self, key: bytes, child: int) -> int:
        height = 0
        while True:
            self._add(height, key, child)
            level = self._levels[height]
            key, child = level.keys[0], level.write(self._pages, len(level.keys))
            height += 1
            if height == len(self._levels):
                return child


class _Level:
    """The branch page of one level that is being filled."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.children: list[int] = []
        self.size = 0

    def add(self, key: bytes, child: int, pages: _Pages) -> tuple[bytes, int] | None:
        """Take a child; when the page is full, write it and return its first key and id."""
        done = None
        item_size = _ELEMENT_SIZE + len(key)
        crowded = self.size + item_size > pages.page_size - HEADER.size or len(self.keys) >= COUNT_MAX
        if crowded and len(self.keys) > _BRANCH_CHILDREN_MIN:
            # the newest child stays behind, so that the level's last page has two as well
            done = self.keys[0], self.write(pages, len(self.keys) - 1)
        self.keys.append(key)
        self.children.append(child)
        self.size += item_size
        return done

    def write(self, pages: _Pages, count: int) -> int:
        """Write the first ``count`` children as a page and forget them."""
        keys, children = self.keys[:count], self.children[:count]
        self.keys, self.children = self.keys[count:], self.children[count:]
        size = sum(map(len, keys)) + count * _ELEMENT_SIZE
        self.size -= size
        return pages.write(PageFlag.BRANCH, count, [branch_table(keys, children), *keys], size)


def _write_bucket(pages: _Pages, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write a bucket's pages, if it needs any; return its value in the root bucket."""
    inline_max = pages.page_size // 4
    head: list[tuple[bytes, bytes]] = []
    size = 0
    rest = iter(_checked(pairs))
    for key, value in rest:
        head.append((key, value))
        size += _ELEMENT_SIZE + len(key) + len(value)
        if HEADER.size + size > inline_max or len(head) > COUNT_MAX:
            return BUCKET_HEADER.pack(_Tree(pages, 0).write(chain(head, rest)), 0)
    parts = list(chain.from_iterable(head))
    page = [HEADER.pack(0, PageFlag.LEAF, len(head), 0), leaf_table(parts, 0), *parts]
    return BUCKET_HEADER.pack(0, 0) + b"".join(page)


def _checked(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    previous = b""
    for key, value in pairs:
        if key <= previous:
            raise ValueError(f"key {key!r} after {previous!r}: keys must ascend and not be empty")
        check_sizes(key, value)
        previous = key
        yield key, value


def check_sizes(key: bytes, value: bytes | memoryview) -> None:
    """Refuse what upstream's ``Put`` refuses.

    Raises:
        ValueError: key or value is too large.
    """
    if len(key) > KEY_SIZE_MAX or len(value) > VALUE_SIZE_MAX:
        raise ValueError(f"key of {len(key)} bytes with a value of {len(value)} bytes is too large")


def leaf_table(parts: Sequence[bytes | memoryview], flags: int | Sequence[int]) -> bytes:
    """Return the element array for ``[key, value, key, value, ...]``; ``flags`` of all elements, or of each."""
    count = len(parts) // 2
    sizes = np.fromiter(map(len, parts), dtype=np.int64, count=2 * count).reshape(count, 2)
    table = np.empty((count, 4), dtype="<u4")
    table[:, 0] = flags
    table[:, 1] = _positions(sizes.sum(axis=1))
    table[:, 2:] = sizes
    return table.tobytes()


def branch_table(keys: Sequence[bytes], children: Sequence[int]) -> bytes:
    """Return the element array of a branch page."""
    sizes = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
    table = np.empty(len(keys), dtype=[("pos", "<u4"), ("ksize", "<u4"), ("child", "<u8")])
    table["pos"] = _positions(sizes)
    table["ksize"] = sizes
    table["child"] = children
    return table.tobytes()


def _positions(sizes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    # a position counts from its own element: the rest of the array, then all data before
    remaining = np.arange(len(sizes), 0, -1, dtype=np.int64) * _ELEMENT_SIZE
    return remaining + np.cumsum(sizes) - sizes
