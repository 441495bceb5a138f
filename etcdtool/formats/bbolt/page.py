"""The layout of a bbolt file: page headers and elements, read one at a time.

A file is an array of pages; page *n* starts at ``n * page_size``, and ``overflow`` further pages belong to it.
Integers are in the writer's byte order: little-endian on everything etcd supports officially.
Spec: ``docs/formats/bbolt.md``; upstream: ``internal/common/{page,inode}.go`` @ bbolt v1.5.0.

Everything here is plain and slow: `etcdtool.formats.bbolt.columns` is the fast twin, and shares no code with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt.meta import choose_meta, cut_short, detect_page_size, parse_meta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.formats.bbolt.columns import Tree
    from etcdtool.formats.bbolt.meta import Meta

__all__ = [
    "BRANCH_ELEMENT",
    "BUCKET_FLAG",
    "DEPTH_MAX",
    "HEADER",
    "LEAF_ELEMENT",
    "BranchElement",
    "Image",
    "LeafElement",
    "Page",
    "PageError",
    "PageFlag",
    "branch_elements",
    "leaf_elements",
    "parse_inline_page",
]

HEADER = Struct("<QHHI")
"""Page header: id, flags, count, overflow."""
BRANCH_ELEMENT = Struct("<IIQ")
"""pos, ksize, pgid of the child."""
LEAF_ELEMENT = Struct("<IIII")
"""flags, pos, ksize, vsize."""
assert HEADER.size == BRANCH_ELEMENT.size == LEAF_ELEMENT.size == 16

BUCKET_FLAG = 0x01
"""In a leaf element: the value is a bucket header."""
DEPTH_MAX = 64
"""Levels of a tree that are followed.

A tree grows a level only when its root splits, so no file is this deep.
"""


class PageFlag(IntEnum):
    """What a page is; exactly one of these stands in its header."""

    BRANCH = 0x01
    LEAF = 0x02
    META = 0x04
    FREELIST = 0x10


class PageError(FormatError):
    """A page that does not follow the format.

    Attributes:
        code: the code of the finding that says the same (``bbolt.page-id``).
    """

    def __init__(self, code: str, what: str, problem: str, *, offset: int) -> None:
        self.code = code
        super().__init__(what, problem, offset=offset)


@dataclass(frozen=True, slots=True)
class Page:
    """A page with its overflow, header checked.

    Attributes:
        id: page id; for an inline bucket's page whatever its header says.
        flags: one of `PageFlag`.
        count: elements on it.
        overflow: further pages that belong to it.
        data: all its bytes, header included.
        offset: file offset of ``data[0]``.
    """

    id: int
    flags: int
    count: int
    overflow: int
    data: memoryview
    offset: int


class LeafElement(msgspec.Struct, frozen=True, gc=False):
    """One pair of a leaf page; ``offset`` is the file offset of the key, and the value follows the key."""

    flags: int
    key: bytes
    value: memoryview
    offset: int


class BranchElement(msgspec.Struct, frozen=True, gc=False):
    """One child of a branch page; ``offset`` is the file offset of the key."""

    key: bytes
    child: int
    offset: int


@dataclass(frozen=True, slots=True)
class Image:
    """A bbolt file in memory or mapped, its meta chosen.

    Attributes:
        data: the whole file; what follows the high-water mark (a trailer, a preallocated tail) is not looked at.
        page_size: in bytes, a power of two from 1 KiB to 16 MiB.
        meta: the meta in use.
        metas: both, by place.
        page_limit: pages that can be read: the high-water mark, or fewer in an image opened as partial.
        trees: where `etcdtool.formats.bbolt.columns` keeps the trees that it has walked, by root page.
        let_go: gives back the memory of a map: who goes through the whole file calls it now and then.
    """

    data: memoryview
    page_size: int
    meta: Meta
    metas: tuple[Meta, Meta]
    page_limit: int
    trees: dict[int, Tree] = field(default_factory=dict, compare=False, repr=False)
    let_go: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)

    @classmethod
    def open(cls, data: memoryview, *, partial: bool = False) -> Image:
        """Find the page size, choose the meta by upstream's rule and check the size.

        Args:
            data: the file's bytes.
            partial: take a file that is shorter than its meta says; pages past the end are errors when they are met.

        Raises:
            FormatError: no usable meta, or a file cut short; ChecksumError where only the meta's checksum is wrong.
        """
        page_size = detect_page_size(data)
        if len(data) < 2 * page_size:
            raise FormatError(
                "bbolt file", f"file size too small {len(data)}", hint=f"two pages take {2 * page_size} bytes"
            )
        first, second = parse_meta(data, 0, 0), parse_meta(data, page_size, 1)
        meta = choose_meta(first, second)
        if meta.page_size != page_size:
            raise FormatError(
                "bbolt meta page",
                f"page size {meta.page_size} where {page_size} was found",
                offset=meta.page_id * page_size,
            )
        size = meta.high_water_mark * page_size
        if size > len(data) and not partial:
            raise cut_short(data, meta, second)
        return cls(data, page_size, meta, (first, second), min(meta.high_water_mark, len(data) // page_size))

    @property
    def high_water_mark(self) -> int:
        """The first page id that was never allocated."""
        return self.meta.high_water_mark

    def page(self, page_id: int) -> Page:
        """Return a page with its overflow.

        Raises:
            PageError: the id is out of bounds, or the header does not fit it.
        """
        offset = page_id * self.page_size
        if not 0 <= page_id < self.page_limit:
            problem = f"out of bounds: {self.page_limit} pages"
            raise PageError("bbolt.page-bounds", f"page {page_id}", problem, offset=min(offset, len(self.data)))
        what = f"page {page_id}"
        stored, flags, count, overflow = HEADER.unpack(_span(self.data, offset, HEADER.size, what, 0))
        if stored != page_id:
            raise PageError("bbolt.page-id", what, f"self identifies as {stored}", offset=offset)
        if page_id + overflow >= self.page_limit:
            problem = f"overflow of {overflow} pages goes past the last of {self.page_limit} pages"
            raise PageError("bbolt.page-overflow", what, problem, offset=offset)
        return Page(
            page_id, flags, count, overflow, self.data[offset : offset + (1 + overflow) * self.page_size], offset
        )


def parse_inline_page(value: memoryview, offset: int) -> Page:
    """Return the page inside an inline bucket's value; ``value`` starts behind the bucket header, at ``offset``.

    Raises:
        PageError: no room for a header, or not a leaf without overflow.
    """
    what = "inline bucket"
    page_id, flags, count, overflow = HEADER.unpack(_span(value, 0, HEADER.size, what, offset))
    if flags != PageFlag.LEAF:
        raise PageError("bbolt.page-type", what, f"unexpected page type (flags: {flags:x})", offset=offset)
    if overflow:
        raise PageError("bbolt.page-overflow", what, f"overflow of {overflow} pages", offset=offset)
    return Page(page_id, flags, count, overflow, value, offset)


def leaf_elements(page: Page) -> Iterator[LeafElement]:
    """Yield the pairs of a leaf page in stored order, after the whole element array was checked.

    Raises:
        PageError: an element leaves the page, has an empty key, or the elements together claim more than there is.
    """
    array = _element_array(page)
    rows = list(LEAF_ELEMENT.iter_unpack(array))
    _check_claims(page, sum(ksize + vsize for _, _, ksize, vsize in rows))
    what = f"leaf element on page {page.id}"
    for index, (_, pos, ksize, vsize) in enumerate(rows):
        start = HEADER.size + index * LEAF_ELEMENT.size
        _span(page.data, start + pos, ksize + vsize, what, page.offset)
        _check_key_size(page, ksize, start)
    for index, (flags, pos, ksize, vsize) in enumerate(rows):
        start = HEADER.size + index * LEAF_ELEMENT.size + pos
        key = bytes(page.data[start : start + ksize])
        yield LeafElement(flags, key, page.data[start + ksize : start + ksize + vsize], page.offset + start)


def branch_elements(page: Page) -> Iterator[BranchElement]:
    """Yield the children of a branch page in stored order.

    Raises:
        PageError: there are none, or an element is off as in `leaf_elements`.
    """
    if page.count == 0:
        raise PageError("bbolt.page-count", f"page {page.id}", "branch page without elements", offset=page.offset)
    array = _element_array(page)
    rows = list(BRANCH_ELEMENT.iter_unpack(array))
    _check_claims(page, sum(ksize for _, ksize, _ in rows))
    for index, (pos, ksize, child) in enumerate(rows):
        start = HEADER.size + index * BRANCH_ELEMENT.size
        key = _span(page.data, start + pos, ksize, f"branch element on page {page.id}", page.offset)
        _check_key_size(page, ksize, start)
        yield BranchElement(bytes(key), child, page.offset + start + pos)


def _span(data: memoryview, start: int, size: int, what: str, base: int) -> memoryview:
    """Cut ``size`` bytes out of ``data``: the one place where plain access is held against bounds."""
    if start < 0 or size < 0 or start + size > len(data):
        problem = f"{size} bytes at {base + start:#x} go past the end at {base + len(data):#x}"
        raise PageError("bbolt.element-bounds", what, problem, offset=base + min(max(start, 0), len(data)))
    return data[start : start + size]


def _element_array(page: Page) -> memoryview:
    size = page.count * LEAF_ELEMENT.size
    if HEADER.size + size > len(page.data):
        problem = f"{page.count} elements do not fit into {len(page.data)} bytes"
        raise PageError("bbolt.page-count", f"page {page.id}", problem, offset=page.offset)
    return _span(page.data, HEADER.size, size, f"page {page.id}", page.offset)


def _check_claims(page: Page, claimed: int) -> None:
    # no writer lets elements overlap, and refusing it bounds the work: a page cannot give more bytes than it has
    room = len(page.data) - HEADER.size - page.count * LEAF_ELEMENT.size
    if claimed > room:
        problem = f"elements claim {claimed} bytes of {room}"
        raise PageError("bbolt.element-bounds", f"page {page.id}", problem, offset=page.offset)


def _check_key_size(page: Page, ksize: int, start: int) -> None:
    if ksize == 0:
        raise PageError("bbolt.key-empty", f"element on page {page.id}", "empty key", offset=page.offset + start)
