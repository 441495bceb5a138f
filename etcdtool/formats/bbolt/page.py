"""The layout of a bbolt file: meta pages, page headers and elements, read one at a time.

A file is an array of pages; page *n* starts at ``n * page_size``, and ``overflow`` further pages belong to it.
Integers are in the writer's byte order: little-endian on everything etcd supports officially.
Spec: ``docs/formats/bbolt.md``; upstream: ``internal/common/{page,meta,inode}.go``, ``db.go`` @ bbolt v1.5.0.

Everything here is plain and slow: `etcdtool.formats.bbolt.columns` is the fast twin, and shares no code with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats.digest import fnv1a64

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BRANCH_ELEMENT",
    "BUCKET_FLAG",
    "DEPTH_MAX",
    "HEADER",
    "LEAF_ELEMENT",
    "MAGIC",
    "META",
    "NO_FREELIST",
    "PAGE_SIZE_MAX",
    "PAGE_SIZE_MIN",
    "VERSION",
    "BranchElement",
    "Image",
    "LeafElement",
    "Meta",
    "Page",
    "PageError",
    "PageFlag",
    "branch_elements",
    "leaf_elements",
    "parse_inline_page",
]

HEADER = Struct("<QHHI")
"""Page header: id, flags, count, overflow."""
META = Struct("<IIIIQQQQQQ")
"""After a meta page's header: magic, version, page size, flags, root, sequence, freelist, pgid, txid, checksum."""
BRANCH_ELEMENT = Struct("<IIQ")
"""pos, ksize, pgid of the child."""
LEAF_ELEMENT = Struct("<IIII")
"""flags, pos, ksize, vsize."""
assert (HEADER.size, META.size, BRANCH_ELEMENT.size, LEAF_ELEMENT.size) == (16, 64, 16, 16)

MAGIC = 0xED0CDAED
VERSION = 2
NO_FREELIST = (1 << 64) - 1
"""In a meta: the freelist is not persisted (what etcd writes on Linux)."""
BUCKET_FLAG = 0x01
"""In a leaf element: the value is a bucket header."""
PAGE_SIZE_MIN = 1 << 10
PAGE_SIZE_MAX = 1 << 24
DEPTH_MAX = 64
"""Levels of a tree that are followed.

A tree grows a level only when its root splits, so no file is this deep.
"""

_MAGIC_OF_THE_OTHER_BYTE_ORDER = 0xEDDA0CED
_SECOND_META_OFFSETS = tuple(PAGE_SIZE_MIN << shift for shift in range(15))
_FIRST_READ_SIZE = 4096
_CHECKSUM_OFFSET = META.size - 8


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A meta page as it stands, good or not.

    Attributes:
        page_id: 0 or 1, by place.
        problem: why it cannot be used, in upstream's words, or None.
        page_size: in bytes.
        root: page id of the root bucket's root page.
        sequence: of the root bucket, 0 in practice.
        freelist: page id of the freelist, or `NO_FREELIST`.
        high_water_mark: the first page id that was never allocated ("pgid").
        txid: of the transaction that wrote it.
        checksum: FNV-1a 64 as stored.
        computed: the same as computed.
    """

    page_id: int
    problem: str | None
    page_size: int
    root: int
    sequence: int
    freelist: int
    high_water_mark: int
    txid: int
    checksum: int
    computed: int


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
    """One child of a branch page; ``offset`` is the file offset of the element itself."""

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
    """

    data: memoryview
    page_size: int
    meta: Meta
    metas: tuple[Meta, Meta]
    page_limit: int

    @classmethod
    def open(cls, data: memoryview, *, partial: bool = False) -> Image:
        """Find the page size, choose the meta by upstream's rule and check the size.

        Args:
            data: the file's bytes.
            partial: take a file that is shorter than its meta says; pages past the end are errors when they are met.

        Raises:
            FormatError: no usable meta, or a file cut short; ChecksumError where only the meta's checksum is wrong.
        """
        page_size = _detect_page_size(data)
        if len(data) < 2 * page_size:
            raise FormatError(
                "bbolt file", f"file size too small {len(data)}", hint=f"two pages take {2 * page_size} bytes"
            )
        first, second = _parse_meta(data, 0, 0), _parse_meta(data, page_size, 1)
        meta = _choose(first, second)
        if meta.page_size != page_size:
            raise FormatError(
                "bbolt meta page",
                f"page size {meta.page_size} where {page_size} was found",
                offset=meta.page_id * page_size,
            )
        size = meta.high_water_mark * page_size
        if size > len(data) and not partial:
            raise _cut_short(data, meta, second)
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
        yield BranchElement(bytes(key), child, page.offset + start)


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


def _detect_page_size(data: memoryview) -> int:
    candidates = [0] if len(data) >= _FIRST_READ_SIZE else []
    candidates += [offset for offset in _SECOND_META_OFFSETS if offset < len(data) - 1024]
    for offset in candidates:
        meta = _parse_meta(data, offset, 0)
        if meta.problem is None:
            return _checked_page_size(meta.page_size, offset)
    raise _no_meta(data, candidates)


def _checked_page_size(page_size: int, offset: int) -> int:
    if not PAGE_SIZE_MIN <= page_size <= PAGE_SIZE_MAX or page_size & (page_size - 1):
        problem = f"page size {page_size} is no power of two from {PAGE_SIZE_MIN} to {PAGE_SIZE_MAX}"
        raise FormatError("bbolt meta page", problem, offset=offset)
    return page_size


def _no_meta(data: memoryview, candidates: list[int]) -> FormatError:
    for offset in candidates:
        meta = _parse_meta(data, offset, 0)
        if meta.problem == "big-endian":
            return FormatError(
                "bbolt file",
                "big-endian: written on a host of the other byte order",
                offset=offset,
                hint="Take a snapshot through a server, or read it on a big-endian host with etcd's own tools",
            )
        if meta.problem == "checksum error":
            return ChecksumError(
                "bbolt meta page",
                stored=f"{meta.checksum:016x}",
                computed=f"{meta.computed:016x}",
                offset=offset,
                hint="Neither meta page is usable; take another copy of the file",
            )
    problem = (_parse_meta(data, candidates[0], 0).problem if candidates else None) or "invalid database"
    return FormatError("bbolt file", problem, offset=0, hint="No meta page was found: this is no bbolt file")


def _cut_short(data: memoryview, meta: Meta, second: Meta) -> FormatError:
    size = meta.high_water_mark * meta.page_size
    problem = (
        f"cut short by {size - len(data)} bytes: {meta.high_water_mark} pages of {meta.page_size} bytes need {size}"
    )
    hint = "Copy the file again; what is left can be read with salvage"
    if second.problem is not None:
        hint = "The second meta page is not where this page size puts it, so the page size may be what is damaged"
    return FormatError("bbolt file", problem, offset=len(data), hint=hint)


def _choose(first: Meta, second: Meta) -> Meta:
    newer, older = (second, first) if second.txid > first.txid else (first, second)
    if newer.problem is None:
        return newer
    if older.problem is None:
        return older
    raise FormatError("bbolt meta page", first.problem or "", offset=0, hint="Neither meta page is usable")


def _parse_meta(data: memoryview, offset: int, page_id: int) -> Meta:
    raw = bytes(data[offset + HEADER.size : offset + HEADER.size + META.size]).ljust(META.size, b"\0")
    magic, version, page_size, _flags, root, sequence, freelist, high_water_mark, txid, checksum = META.unpack(raw)
    computed = fnv1a64(raw[:_CHECKSUM_OFFSET])
    return Meta(
        page_id=page_id,
        problem=_meta_problem(magic, version, good=checksum == computed),
        page_size=page_size,
        root=root,
        sequence=sequence,
        freelist=freelist,
        high_water_mark=high_water_mark,
        txid=txid,
        checksum=checksum,
        computed=computed,
    )


def _meta_problem(magic: int, version: int, *, good: bool) -> str | None:
    if magic == _MAGIC_OF_THE_OTHER_BYTE_ORDER:
        return "big-endian"
    if magic != MAGIC:
        return "invalid database"
    if version != VERSION:
        return "version mismatch"
    return None if good else "checksum error"
