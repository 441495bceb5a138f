"""Buckets of a bbolt file as NumPy columns, a block of leaf pages at a time.

Branch pages are walked level by level; then the pairs of many leaf pages become arrays of offsets, and questions are
asked of arrays.  All bounds are compared as unsigned 64-bit numbers before they become indexes: NumPy would read a
negative index from the file's end without a word.
`etcdtool.formats.bbolt.cursor` is the plain twin: both give the same pairs, or both an error, for any bytes.
Spec: ``docs/formats/bbolt.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np

from etcdtool.formats.bbolt.cursor import BUCKET_HEADER, iter_leaves
from etcdtool.formats.bbolt.page import DEPTH_MAX, PageError, PageFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image

__all__ = [
    "PAGES_PER_BLOCK",
    "LeafBlock",
    "Level",
    "Tree",
    "UnevenTreeError",
    "contiguous_runs",
    "iter_blocks",
    "iter_leaf_blocks",
    "leaf_pages",
    "walk",
]

PAGES_PER_BLOCK = 2048
"""Temporaries of so many 4 KiB pages stay in cache."""

_ELEMENTS_PER_BLOCK_MAX = 1 << 18
_RECORD_SIZE = 16
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
    """

    page: NDArray[np.int64]
    flags: NDArray[np.uint32]
    key_start: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_end: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.page)

    def is_gapless(self, page_size: int) -> bool:
        """Tell whether on each page the data follow the element array and each other, as every writer lays them."""
        turns = np.flatnonzero(self.page[1:] != self.page[:-1]) + 1
        first = np.concatenate((np.zeros(1, dtype=np.int64), turns))
        counts = np.diff(np.concatenate((first, np.array([len(self)]))))
        expected = np.empty(len(self), dtype=np.int64)
        expected[1:] = self.value_end[:-1]
        expected[first] = self.page[first] * page_size + _RECORD_SIZE * (1 + counts)
        return bool((self.key_start == expected).all())

    def runs(self) -> list[tuple[int, int]]:
        """Return ``(start, stop)`` of the stretches in which each pair follows the one before without a gap."""
        return contiguous_runs(self.key_start, self.value_end)


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
        """As `LeafBlock.is_gapless`, of the separator keys."""
        page = np.repeat(self.pages, np.diff(np.append(self.first, len(self.key_start))))
        flags = np.zeros(len(page), dtype=np.uint32)
        return LeafBlock(page, flags, self.key_start, self.key_end, self.key_end).is_gapless(page_size)


@dataclass(frozen=True, slots=True)
class Tree:
    """A bucket's pages.

    Attributes:
        levels: branch levels from the root down; the children of the last one are the leaves.
        leaves: int64, page ids in key order.
        owned: int64, ids of all pages of the bucket with their overflow, ascending.
    """

    levels: tuple[Level, ...]
    leaves: NDArray[np.int64]
    owned: NDArray[np.int64]


def contiguous_runs(start: NDArray[np.int64], stop: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return ``(start, stop)`` of the stretches in which each span begins where the one before ends."""
    if not len(start):
        return []
    gaps = np.flatnonzero(start[1:] != stop[:-1])
    starts = np.concatenate((start[:1], start[gaps + 1]))
    stops = np.concatenate((stop[gaps], stop[-1:]))
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def leaf_pages(image: Image, bucket: Bucket) -> NDArray[np.int64]:
    """Return the page ids of a bucket's leaves in key order, int64; none for an inline bucket.

    Raises:
        PageError: a page is out of bounds, off, or met twice.
    """
    if bucket.inline is not None:
        return np.empty(0, dtype=np.int64)
    try:
        return walk(image, bucket).leaves
    except UnevenTreeError:
        # bbolt keeps all leaves at one depth; a reader need not, and the plain walk knows the order
        return np.array([page_id for page_id, _ in iter_leaves(image, bucket)], dtype=np.int64)


def iter_blocks(image: Image, bucket: Bucket, *, pages_per_block: int = PAGES_PER_BLOCK) -> Iterator[LeafBlock]:
    """Yield a bucket's pairs in blocks of so many leaf pages, fewer where pages hold very many pairs.

    An inline bucket is one block; blocks without pairs are left out.

    Raises:
        PageError: anything that leaves its page or the image, or as in `leaf_pages`.
    """
    if bucket.inline is not None:
        block = _inline_block(bucket, bucket.inline)
        if len(block):
            yield block
        return
    yield from iter_leaf_blocks(image, leaf_pages(image, bucket), pages_per_block)


def iter_leaf_blocks(image: Image, leaves: NDArray[np.int64], pages_per_block: int) -> Iterator[LeafBlock]:
    """Yield the pairs of leaf pages that `leaf_pages` has found."""
    views = _Views(image)
    ends = np.cumsum(views.headers["count"][leaves], dtype=np.int64)
    start = done = 0
    while start < len(leaves):
        most = int(np.searchsorted(ends, done + _ELEMENTS_PER_BLOCK_MAX, side="right"))
        stop = max(start + 1, min(start + pages_per_block, most, len(leaves)))
        if ends[stop - 1] > done:
            yield views.leaf_block(leaves[start:stop])
        start, done = stop, int(ends[stop - 1])


def walk(image: Image, bucket: Bucket, *, taken: bytearray | None = None) -> Tree:
    """Follow the branch pages of a bucket that has pages of its own, level by level.

    Args:
        image: the file.
        bucket: not an inline one.
        taken: one byte a page; pages whose byte is not 0 are refused.

    Raises:
        UnevenTreeError: leaves stand at different depths.
        PageError: as `leaf_pages`.
    """
    views = _Views(image)
    levels: list[Level] = []
    owned: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    children: NDArray[np.uint64] = np.array([bucket.root], dtype=np.uint64)
    for _depth in range(DEPTH_MAX):
        pages, owned = views.claim(children, owned)
        if taken is not None:
            fresh = np.frombuffer(taken, dtype=np.uint8)[pages] == 0
            _require(fresh, "bbolt.page-shared", "multiple references", pages * image.page_size)
        flags = views.headers["flags"][pages]
        leaf = flags == PageFlag.LEAF
        if leaf.all():
            return Tree(tuple(levels), pages, owned)
        _require(leaf | (flags == PageFlag.BRANCH), "bbolt.page-type", "unexpected page type", pages * image.page_size)
        if leaf.any():
            problem = "leaves stand at different depths"
            offset = int(pages[0]) * image.page_size
            raise UnevenTreeError("bbolt.tree-uneven", "tree", problem, offset=offset)
        level, children = views.branch_level(pages)
        levels.append(level)
    raise PageError(
        "bbolt.tree-depth", "tree", f"deeper than {DEPTH_MAX} levels", offset=int(pages[0]) * image.page_size
    )


class _Spans(NamedTuple):
    """Where elements stand: int64 offsets, one row an element."""

    element: NDArray[np.int64]
    key_start: NDArray[np.int64]
    key_end: NDArray[np.int64]
    end: NDArray[np.int64]


class _Views:
    """The image seen as page headers and as 16-byte records."""

    def __init__(self, image: Image) -> None:
        self.page_size = image.page_size
        self.page_limit = image.page_limit
        pages = image.data[: image.page_limit * image.page_size]
        self.headers = np.ndarray((image.page_limit,), dtype=_HEADER, buffer=pages, strides=(image.page_size,))
        record_count = len(pages) // _RECORD_SIZE
        self.records: NDArray[np.uint32] = np.ndarray((record_count, 4), dtype="<u4", buffer=pages)
        child_ids: NDArray[np.uint64] = np.ndarray((record_count, 2), dtype="<u8", buffer=pages)
        self.child_ids = child_ids[:, 1]

    def claim(self, pages: NDArray[np.uint64], owned: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Check headers and take the pages; return their ids as indexes, and ``owned`` with them added."""
        good = (pages >= np.uint64(2)) & (pages < np.uint64(self.page_limit))
        if not good.all():
            page = int(pages[int(np.argmin(good))])
            offset = min(page, self.page_limit) * self.page_size
            problem = f"out of bounds: {self.page_limit} pages"
            raise PageError("bbolt.page-bounds", f"page {page}", problem, offset=offset)
        ids = pages.astype(np.int64)
        offsets = ids * self.page_size
        header = self.headers[ids]
        overflow = header["overflow"].astype(np.int64)
        room = (overflow + 1) * self.page_size - _RECORD_SIZE
        _require(header["id"] == pages, "bbolt.page-id", "self identifies as another page", offsets)
        _require(ids + overflow < self.page_limit, "bbolt.page-overflow", "overflow goes past the last page", offsets)
        fits = header["count"].astype(np.int64) * _RECORD_SIZE <= room
        _require(fits, "bbolt.page-count", "elements do not fit into the page", offsets)
        return ids, self._add(owned, ids, overflow + 1)

    def _add(self, owned: NDArray[np.int64], ids: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(owned) + int(spans.sum()) > self.page_limit:
            raise PageError(
                "bbolt.page-shared", "tree", "more pages than there are", offset=int(ids[0]) * self.page_size
            )
        owned = np.sort(np.concatenate((owned, _expand(ids, spans))))
        _require(owned[1:] != owned[:-1], "bbolt.page-shared", "multiple references", owned[1:] * self.page_size)
        return owned

    def branch_level(self, pages: NDArray[np.int64]) -> tuple[Level, NDArray[np.uint64]]:
        """Return the separators of branch pages, and the ids of their children, unchecked."""
        counts = self.headers["count"][pages].astype(np.int64)
        _require(counts > 0, "bbolt.page-count", "branch page without elements", pages * self.page_size)
        rows = _expand(pages * (self.page_size // _RECORD_SIZE) + 1, counts)
        record = self.records[rows]
        key_start = rows * _RECORD_SIZE + record[:, 0]
        key_end = key_start + record[:, 1]
        self._check_elements(pages, counts, _Spans(rows * _RECORD_SIZE, key_start, key_end, key_end))
        return Level(pages, np.cumsum(counts) - counts, key_start, key_end), self.child_ids[rows]

    def leaf_block(self, pages: NDArray[np.int64]) -> LeafBlock:
        """Return the pairs of leaf pages whose headers are checked."""
        counts = self.headers["count"][pages].astype(np.int64)
        rows = _expand(pages * (self.page_size // _RECORD_SIZE) + 1, counts)
        element = rows * _RECORD_SIZE
        block = _block(np.repeat(pages, counts), element, self.records[rows])
        self._check_elements(pages, counts, _Spans(element, block.key_start, block.value_start, block.value_end))
        return block

    def _check_elements(self, pages: NDArray[np.int64], counts: NDArray[np.int64], spans: _Spans) -> None:
        page_count = self.headers["overflow"][pages].astype(np.int64) + 1
        page_end = (pages + page_count) * self.page_size
        room = page_count * self.page_size - _RECORD_SIZE * (1 + counts)
        claims = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(spans.end - spans.key_start)))
        last = np.cumsum(counts)
        claimed = claims[last] - claims[last - counts]
        _require(claimed <= room, "bbolt.element-bounds", "elements claim more than the page", pages * self.page_size)
        _require(
            spans.end <= np.repeat(page_end, counts), "bbolt.element-bounds", "element leaves its page", spans.element
        )
        _require(spans.key_end > spans.key_start, "bbolt.key-empty", "empty key", spans.element)


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
    block = _block(np.full(count, bucket.page, dtype=np.int64), element, records)
    claimed = int((block.value_end - block.key_start).sum())
    if claimed > room:
        _refuse("bbolt.element-bounds", "elements claim more than the inline bucket", page_offset)
    _require(block.value_end <= page_offset + len(inline), "bbolt.element-bounds", "element leaves its bucket", element)
    _require(block.value_start > block.key_start, "bbolt.key-empty", "empty key", element)
    return block


def _block(page: NDArray[np.int64], element: NDArray[np.int64], record: NDArray[np.uint32]) -> LeafBlock:
    key_start = element + record[:, 1]  # a position counts from its own element
    value_start = key_start + record[:, 2]
    return LeafBlock(page, record[:, 0], key_start, value_start, value_start + record[:, 3])


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
