"""Buckets of a bbolt file as NumPy columns, a block of leaf pages at a time.

Branch pages are walked level by level; then the pairs of many leaf pages become arrays of offsets, and questions are
asked of arrays.  All bounds are compared as unsigned 64-bit numbers before they become indexes: NumPy would read a
negative index from the file's end without a word.
`etcdtool.formats.bbolt.cursor` is the plain twin: both give the same pairs, or both an error, for any bytes.
Spec: ``docs/formats/bbolt.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

import numpy as np

from etcdtool.formats.bbolt.cursor import BUCKET_HEADER, iter_leaves
from etcdtool.formats.bbolt.page import DEPTH_MAX, PageError, PageFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image

__all__ = [
    "BYTES_AT_ONCE",
    "PAGES_PER_BLOCK",
    "LeafBlock",
    "Leaves",
    "Level",
    "Tree",
    "UnevenTreeError",
    "contiguous_runs",
    "find_leaves",
    "iter_blocks",
    "iter_leaf_blocks",
    "leaf_pages",
    "pair_count",
    "walk",
]

PAGES_PER_BLOCK = 3072
"""Temporaries of so many 4 KiB pages stay in cache."""

BYTES_AT_ONCE = 64 << 20
"""After so much of the file that something is read of, the memory of the map is given back, where that is wanted."""

_ELEMENTS_PER_BLOCK_MAX = 1 << 18
_RECORD_SIZE = 16
_ELEMENT = np.dtype((np.void, _RECORD_SIZE))
_HEADER = np.dtype([("id", "<u8"), ("flags", "<u2"), ("count", "<u2"), ("overflow", "<u4")])
assert _HEADER.itemsize == _RECORD_SIZE


class UnevenTreeError(PageError):
    """Leaves of one tree stand at different depths, which `walk` does not follow."""


@dataclass(frozen=True, slots=True)
class LeafBlock:
    """Pairs of some neighbouring leaf pages, in stored order; one row a pair.

    Attributes:
        page: int64, page id of the leaf (of an inline bucket: the page that holds it).
        flags: uint32, `BUCKET_FLAG` for a nested bucket.
        key_start, value_start, value_end: int64, offsets in the image; the value follows the key.
        first: int64, rows with which a page begins.
        gapless: whether on each page the data follow the element array and each other, as every writer lays them.
    """

    page: NDArray[np.int64]
    flags: NDArray[np.uint32]
    key_start: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_end: NDArray[np.int64]
    first: NDArray[np.int64]
    gapless: bool

    def __len__(self) -> int:
        return len(self.page)

    def runs(self) -> list[tuple[int, int]]:
        """Return ``(start, stop)`` of the stretches in which each pair follows the one before without a gap."""
        if not self.gapless:
            return contiguous_runs(self.key_start, self.value_end)
        last = np.append(self.first[1:], len(self)) - 1
        return list(zip(self.key_start[self.first].tolist(), self.value_end[last].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Level:
    """The branch pages of one level, in key order.

    Attributes:
        pages: int64, page ids.
        first: int64, for each page the row of its first child.
        key_start, key_end: int64, one row a child: where its separator key stands.
    """

    pages: NDArray[np.int64]
    first: NDArray[np.int64]
    key_start: NDArray[np.int64]
    key_end: NDArray[np.int64]

    def is_gapless(self, page_size: int) -> bool:
        """As `LeafBlock.gapless`, of the separator keys."""
        counts = np.diff(np.append(self.first, len(self.key_start)))
        return _is_gapless(self.key_start, self.key_end, self.first, _data_starts(self.pages, counts, page_size))


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaf pages of a bucket in key order, and what their headers say: no header is looked at twice.

    Attributes:
        page: int64, page ids.
        count: uint16, pairs on each.
        overflow: uint32, further pages that belong to each.
    """

    page: NDArray[np.int64]
    count: NDArray[np.uint16]
    overflow: NDArray[np.uint32]

    @classmethod
    def of(cls, pages: NDArray[np.int64], headers: NDArray[np.void]) -> Self:
        """Take what is wanted of the headers of some pages."""
        return cls(pages, headers["count"].copy(), headers["overflow"].copy())

    def __len__(self) -> int:
        return len(self.page)

    @property
    def pair_count(self) -> int:
        """Pairs on all of them."""
        return int(self.count.sum(dtype=np.int64))

    def part(self, rows: slice | NDArray[np.bool_]) -> Leaves:
        """Return some of them."""
        return Leaves(self.page[rows], self.count[rows], self.overflow[rows])


@dataclass(frozen=True, slots=True)
class Tree:
    """A bucket's pages.

    Attributes:
        levels: branch levels from the root down; the children of the last one are the leaves.
        leaves: the leaf pages.
        owned: int64, ids of all pages of the bucket with their overflow, ascending.
    """

    levels: tuple[Level, ...]
    leaves: Leaves
    owned: NDArray[np.int64]


def contiguous_runs(start: NDArray[np.int64], stop: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return ``(start, stop)`` of the stretches in which each span begins where the one before ends."""
    if not len(start):
        return []
    gaps = np.flatnonzero(start[1:] != stop[:-1])
    starts = np.concatenate((start[:1], start[gaps + 1]))
    stops = np.concatenate((stop[gaps], stop[-1:]))
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def find_leaves(image: Image, bucket: Bucket) -> Leaves:
    """Return a bucket's leaves; none for an inline bucket.

    Raises:
        PageError: a page is out of bounds, off, or met twice.
    """
    if bucket.inline is not None:
        return Leaves(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint16), np.empty(0, dtype=np.uint32))
    try:
        return walk(image, bucket).leaves
    except UnevenTreeError:
        # bbolt keeps all leaves at one depth; a reader need not, and the plain walk knows the order
        pages = np.array([page_id for page_id, _ in iter_leaves(image, bucket)], dtype=np.int64)
        return Leaves.of(pages, _Views(image).headers[pages])


def leaf_pages(image: Image, bucket: Bucket) -> NDArray[np.int64]:
    """Return the page ids of a bucket's leaves in key order, int64; none for an inline bucket.

    Raises:
        PageError: as in `find_leaves`.
    """
    return find_leaves(image, bucket).page


def pair_count(image: Image, bucket: Bucket) -> int:
    """Return how many pairs a bucket with pages of its own has by their headers; 0 for an inline one.

    Raises:
        PageError: as in `find_leaves`.
    """
    return find_leaves(image, bucket).pair_count


def iter_blocks(image: Image, bucket: Bucket, *, pages_per_block: int = PAGES_PER_BLOCK) -> Iterator[LeafBlock]:
    """Yield a bucket's pairs in blocks of so many leaf pages, fewer where pages hold very many pairs.

    An inline bucket is one block; blocks without pairs are left out.

    Raises:
        PageError: anything that leaves its page or the image, or as in `find_leaves`.
    """
    if bucket.inline is not None:
        block = _inline_block(bucket, bucket.inline)
        if len(block):
            yield block
        return
    yield from iter_leaf_blocks(image, find_leaves(image, bucket), pages_per_block)


def iter_leaf_blocks(image: Image, leaves: Leaves, pages_per_block: int) -> Iterator[LeafBlock]:
    """Yield the pairs of leaf pages that `find_leaves` has found."""
    views = _Views(image)
    ends = np.cumsum(leaves.count, dtype=np.int64)
    start = done = 0
    while start < len(leaves):
        most = int(np.searchsorted(ends, done + _ELEMENTS_PER_BLOCK_MAX, side="right"))
        stop = max(start + 1, min(start + pages_per_block, most, len(leaves)))
        if ends[stop - 1] > done:
            yield views.leaf_block(leaves.part(slice(start, stop)))
        start, done = stop, int(ends[stop - 1])


def walk(image: Image, bucket: Bucket, *, taken: bytearray | None = None) -> Tree:
    """Follow the branch pages of a bucket that has pages of its own, level by level; once, the image keeps the tree.

    Args:
        image: the file.
        bucket: not an inline one.
        taken: one byte a page; pages whose byte is not 0 are refused.

    Raises:
        UnevenTreeError: leaves stand at different depths.
        PageError: as `find_leaves`.
    """
    if (known := image.trees.get(bucket.root)) is not None:
        if taken is not None:
            _refuse_taken(known.owned, taken, image.page_size)
        return known
    views = _Views(image)
    levels: list[Level] = []
    owned: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    children: NDArray[np.uint64] = np.array([bucket.root], dtype=np.uint64)
    for _depth in range(DEPTH_MAX):
        pages, headers, owned = views.claim(children, owned)
        if taken is not None:
            _refuse_taken(pages, taken, image.page_size)
        flags = headers["flags"]
        leaf = flags == PageFlag.LEAF
        if leaf.all():
            tree = image.trees[bucket.root] = Tree(tuple(levels), Leaves.of(pages, headers), owned)
            return tree
        _require(leaf | (flags == PageFlag.BRANCH), "bbolt.page-type", "unexpected page type", pages * image.page_size)
        if leaf.any():
            problem = "leaves stand at different depths"
            offset = int(pages[0]) * image.page_size
            raise UnevenTreeError("bbolt.tree-uneven", "tree", problem, offset=offset)
        level, children = views.branch_level(pages, headers)
        levels.append(level)
    raise PageError(
        "bbolt.tree-depth", "tree", f"deeper than {DEPTH_MAX} levels", offset=int(pages[0]) * image.page_size
    )


def _refuse_taken(pages: NDArray[np.int64], taken: bytearray, page_size: int) -> None:
    fresh = np.frombuffer(taken, dtype=np.uint8)[pages] == 0
    _require(fresh, "bbolt.page-shared", "multiple references", pages * page_size)


class _Spans(NamedTuple):
    """Where elements stand: int64 offsets, one row an element."""

    element: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


class _Views:
    """The image seen as page headers and as 16-byte records."""

    def __init__(self, image: Image) -> None:
        self.page_size = image.page_size
        self.page_limit = image.page_limit
        self._let_go = image.let_go
        pages = image.data[: image.page_limit * image.page_size]
        self.headers = np.ndarray((image.page_limit,), dtype=_HEADER, buffer=pages, strides=(image.page_size,))
        record_count = len(pages) // _RECORD_SIZE
        self.records: NDArray[np.uint32] = np.ndarray((record_count, 4), dtype="<u4", buffer=pages)
        self.elements: NDArray[np.void] = np.ndarray((record_count,), dtype=_ELEMENT, buffer=pages)
        child_ids: NDArray[np.uint64] = np.ndarray((record_count, 2), dtype="<u8", buffer=pages)
        self.child_ids = child_ids[:, 1]

    def claim(
        self, pages: NDArray[np.uint64], owned: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.void], NDArray[np.int64]]:
        """Check headers and take the pages; return ids as indexes, the headers, and ``owned`` with the pages added."""
        good = (pages >= np.uint64(2)) & (pages < np.uint64(self.page_limit))
        if not good.all():
            page = int(pages[int(np.argmin(good))])
            offset = min(page, self.page_limit) * self.page_size
            problem = f"out of bounds: {self.page_limit} pages"
            raise PageError("bbolt.page-bounds", f"page {page}", problem, offset=offset)
        ids = pages.astype(np.int64)
        offsets = ids * self.page_size
        header = self._headers_of(ids)
        overflow = header["overflow"].astype(np.int64)
        room = (overflow + 1) * self.page_size - _RECORD_SIZE
        _require(header["id"] == pages, "bbolt.page-id", "self identifies as another page", offsets)
        _require(ids + overflow < self.page_limit, "bbolt.page-overflow", "overflow goes past the last page", offsets)
        fits = header["count"].astype(np.int64) * _RECORD_SIZE <= room
        _require(fits, "bbolt.page-count", "elements do not fit into the page", offsets)
        return ids, header, self._add(owned, ids, overflow + 1)

    def _headers_of(self, ids: NDArray[np.int64]) -> NDArray[np.void]:
        at_once = max(BYTES_AT_ONCE // self.page_size, 1)
        if len(ids) <= at_once:
            return self.headers[ids]
        found = np.empty(len(ids), dtype=_HEADER)
        for start in range(0, len(ids), at_once):
            part = slice(start, start + at_once)
            found[part] = self.headers[ids[part]]
            self._let_go()
        return found

    def _add(self, owned: NDArray[np.int64], ids: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(owned) + int(spans.sum()) > self.page_limit:
            raise PageError(
                "bbolt.page-shared", "tree", "more pages than there are", offset=int(ids[0]) * self.page_size
            )
        owned = np.sort(np.concatenate((owned, _expand(ids, spans))))
        _require(owned[1:] != owned[:-1], "bbolt.page-shared", "multiple references", owned[1:] * self.page_size)
        return owned

    def branch_level(self, pages: NDArray[np.int64], headers: NDArray[np.void]) -> tuple[Level, NDArray[np.uint64]]:
        """Return the separators of branch pages, and the ids of their children, unchecked."""
        counts = headers["count"].astype(np.int64)
        _require(counts > 0, "bbolt.page-count", "branch page without elements", pages * self.page_size)
        rows = _expand(pages * (self.page_size // _RECORD_SIZE) + 1, counts)
        record = self.records[rows]
        key_start = rows * _RECORD_SIZE + record[:, 0]
        key_end = key_start + record[:, 1]
        element = rows * _RECORD_SIZE
        page_end = _page_ends(pages, headers["overflow"], self.page_size)
        self._check_elements(pages, counts, page_end, _Spans(element, key_start, key_end))
        _require(key_end > key_start, "bbolt.key-empty", "empty key", element)
        return Level(pages, np.cumsum(counts) - counts, key_start, key_end), self.child_ids[rows]

    def leaf_block(self, leaves: Leaves) -> LeafBlock:
        """Return the pairs of leaf pages whose headers are checked."""
        if not leaves.count.all():
            leaves = leaves.part(leaves.count > 0)
        pages, counts = leaves.page, leaves.count.astype(np.int64)
        element = _expand(pages * (self.page_size // _RECORD_SIZE) + 1, counts)
        # whole elements, which are copied several times faster than rows of four numbers
        records = self.elements.take(element).view("<u4").reshape(-1, 4)
        element *= _RECORD_SIZE
        ends = np.cumsum(counts)
        block = _block(
            np.repeat(pages, counts), element, records, ends - counts, _data_starts(pages, counts, self.page_size)
        )
        page_end = _page_ends(pages, leaves.overflow, self.page_size)
        # what lies without a gap and ends on its page is inside, and claims no more than there is
        if not block.gapless or (block.value_end[ends - 1] > page_end).any():
            self._check_elements(pages, counts, page_end, _Spans(element, block.key_start, block.value_end))
        _require(block.value_start > block.key_start, "bbolt.key-empty", "empty key", element)
        return block

    def _check_elements(
        self, pages: NDArray[np.int64], counts: NDArray[np.int64], page_end: NDArray[np.int64], spans: _Spans
    ) -> None:
        offsets = pages * self.page_size
        room = page_end - offsets - _RECORD_SIZE * (1 + counts)
        claims = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(spans.end - spans.start)))
        last = np.cumsum(counts)
        claimed = claims[last] - claims[last - counts]
        _require(claimed <= room, "bbolt.element-bounds", "elements claim more than the page", offsets)
        _require(
            spans.end <= np.repeat(page_end, counts), "bbolt.element-bounds", "element leaves its page", spans.element
        )


def _inline_block(bucket: Bucket, inline: memoryview) -> LeafBlock:
    page_offset = bucket.offset + BUCKET_HEADER.size
    if len(inline) < _RECORD_SIZE:
        _refuse("bbolt.element-bounds", "inline bucket without room for a page header", page_offset)
    header = np.frombuffer(inline[:_RECORD_SIZE], dtype=_HEADER)[0]
    count = int(header["count"])
    room = len(inline) - _RECORD_SIZE * (1 + count)
    if header["flags"] != PageFlag.LEAF or header["overflow"]:
        _refuse("bbolt.page-type", "page of an inline bucket is no leaf without overflow", page_offset)
    if room < 0:
        _refuse("bbolt.page-count", "elements do not fit into the inline bucket", page_offset)
    array = inline[_RECORD_SIZE : _RECORD_SIZE * (1 + count)]
    records: NDArray[np.uint32] = np.ndarray((count, 4), dtype="<u4", buffer=array)
    element = page_offset + _RECORD_SIZE * np.arange(1, count + 1, dtype=np.int64)
    first = np.zeros(min(count, 1), dtype=np.int64)
    data_start = page_offset + _RECORD_SIZE * (1 + np.full(len(first), count))
    block = _block(np.full(count, bucket.page, dtype=np.int64), element, records, first, data_start)
    claimed = int((block.value_end - block.key_start).sum())
    if claimed > room:
        _refuse("bbolt.element-bounds", "elements claim more than the inline bucket", page_offset)
    _require(block.value_end <= page_offset + len(inline), "bbolt.element-bounds", "element leaves its bucket", element)
    _require(block.value_start > block.key_start, "bbolt.key-empty", "empty key", element)
    return block


def _block(
    page: NDArray[np.int64],
    element: NDArray[np.int64],
    record: NDArray[np.uint32],
    first: NDArray[np.int64],
    data_start: NDArray[np.int64],
) -> LeafBlock:
    key_start = element + record[:, 1]  # a position counts from its own element
    value_start = key_start + record[:, 2]
    value_end = value_start + record[:, 3]
    gapless = _is_gapless(key_start, value_end, first, data_start)
    return LeafBlock(page, record[:, 0], key_start, value_start, value_end, first, gapless)


def _data_starts(pages: NDArray[np.int64], counts: NDArray[np.int64], page_size: int) -> NDArray[np.int64]:
    """Return where behind its element array each page's data begin."""
    return pages * page_size + _RECORD_SIZE * (1 + counts)


def _page_ends(pages: NDArray[np.int64], overflow: NDArray[np.uint32], page_size: int) -> NDArray[np.int64]:
    """Return where each page ends, its overflow included."""
    return (pages + 1 + overflow) * page_size


def _is_gapless(
    start: NDArray[np.int64], stop: NDArray[np.int64], first: NDArray[np.int64], data_start: NDArray[np.int64]
) -> bool:
    """Tell whether each span begins where the one before ends, and each page's first one where its data do."""
    follows = start[1:] == stop[:-1]
    follows[first[1:] - 1] = True
    return bool(follows.all() and (start[first] == data_start).all())


def _expand(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``start, start + 1, …`` for each start, ``count`` numbers each."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total, dtype=np.int64)


def _require(good: NDArray[np.bool_], code: str, problem: str, offsets: NDArray[np.int64]) -> None:
    """Refuse the first row that is not good."""
    if not good.all():
        _refuse(code, problem, int(offsets[int(np.argmin(good))]))


def _refuse(code: str, problem: str, offset: int) -> NoReturn:
    raise PageError(code, "bbolt page", problem, offset=offset)
