"""``page``: every page of a database by its header, and single pages with what is on them, damaged ones too.

What ``bbolt pages``, ``bbolt page`` and ``bbolt dump`` show; upstream: ``cmd/bbolt/command`` @ bbolt v1.5.0.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.freelist import freelist_page, parse_freelist
from etcdtool.formats.bbolt.lenient import read_branch, read_leaf
from etcdtool.formats.bbolt.loose_pages import Pages, guess_page_size
from etcdtool.formats.bbolt.meta import Meta, parse_meta
from etcdtool.formats.bbolt.page import BUCKET_FLAG, HEADER, Image, Page, PageFlag, branch_elements, leaf_elements
from etcdtool.formats.bbolt.tree_check import FREE, USED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.sources import Database

__all__ = ["Element", "PageContent", "PageList", "PageRow", "Pager"]

_TYPES = {PageFlag.BRANCH: "branch", PageFlag.LEAF: "leaf", PageFlag.META: "meta", PageFlag.FREELIST: "freelist"}
_HEADERS_ONLY = "no meta page can be used, so that nobody can tell which pages are free"


class PageRow(msgspec.Struct, frozen=True, gc=False):
    """A page by its header.

    Attributes:
        id: where it stands.
        kind: meta, branch, leaf, freelist, free, or what its flags are where they are none of these.
        count: elements on it; None of a free one.
        overflow: further pages that belong to it; None of a free one.
        bucket: whose page it is; b"" for the root bucket, None where that cannot be told.
        note: what is off with it, or "".
    """

    id: int
    kind: str
    count: int | None
    overflow: int | None
    bucket: bytes | None
    note: str = ""


class Element(msgspec.Struct, frozen=True, gc=False):
    """What stands at one place of a page.

    Attributes:
        index: from 0.
        key: raw; None where it cannot be read.
        value: of a leaf; None where it cannot be read, and on a branch page.
        child: page id that a branch element leads to.
        is_bucket: whether the value is the header of a bucket.
    """

    index: int
    key: bytes | None
    value: bytes | None = None
    child: int | None = None
    is_bucket: bool = False


class PageContent(msgspec.Struct, frozen=True, kw_only=True):
    """A page with all that is on it.

    Attributes:
        row: as in the list; never "free", since the header is shown as it stands.
        stored_id: what the header calls it.
        offset: where it starts in the file.
        data: its bytes, with overflow as far as there is any.
        meta: of a meta page.
        elements: of a branch or leaf page.
        free: ids in a freelist.
        problem: what is off with it, or "".
    """

    row: PageRow
    stored_id: int
    offset: int
    data: memoryview
    meta: Meta | None = None
    elements: tuple[Element, ...] = ()
    free: tuple[int, ...] = ()
    problem: str = ""


class PageList(msgspec.Struct, frozen=True, kw_only=True):
    """All pages.

    Attributes:
        rows: one a page, overflow left out; free ones one each.
        problems: what keeps the list from being sure.
    """

    rows: list[PageRow]
    problems: list[str]


class Pager:
    """Reads pages of a database, whatever state it is in."""

    def __init__(self, database: Database) -> None:
        self._image: Image | None = None
        self._problems: list[str] = []
        try:
            self._image = Image.open(database.data, partial=True)
        except FormatError as error:
            self._problems.append(f"{error.message}; {_HEADERS_ONLY}")
        page_size = self._image.page_size if self._image is not None else guess_page_size(database.data)
        self._pages = Pages(database.data, page_size)

    @property
    def page_size(self) -> int:
        """In bytes; guessed where no meta page can be used."""
        return self._pages.page_size

    @property
    def limit(self) -> int:
        """Pages up to the high-water mark, or to the end of the file."""
        return self._image.page_limit if self._image is not None else self._pages.limit

    def listed(self) -> PageList:
        """Return all pages by their headers."""
        marks = bytearray(self.limit)
        problems = list(self._problems)
        owners: dict[int, bytes] = {}
        free_is_told = False
        if self._image is not None:
            errors = [one for one in check(self._image, marks=marks) if one.severity is Severity.ERROR]
            if errors:
                shown = f"{errors[0].where}: {errors[0].detail}"
                more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
                problems.append(f"{shown}{more}; what a damaged page leads to is listed as free or as nobody's")
            owners = _owners(self._image)
            free_is_told = _has_freelist(self._image)
        rows = list(self._rows(marks, owners, free_is_told=free_is_told))
        return PageList(rows=rows, problems=problems)

    def content(self, page_id: int) -> PageContent:
        """Return a page with all that is on it.

        Raises:
            FormatError: there is no such page.
        """
        if not 0 <= page_id < self._pages.limit:
            raise FormatError(
                f"page {page_id}", f"out of bounds: there are {self._pages.limit} pages", hint="They count from 0"
            )
        stored, flags, count, overflow = self._pages.header(page_id)
        start, stop = self._pages.span(page_id)
        row = PageRow(page_id, _kind(flags), count, overflow, None)
        data = self._pages.data[start:stop]
        problems = []
        if stored != page_id:
            problems.append(f"self identifies as {stored}")
        if stop - start < (1 + overflow) * self.page_size:
            problems.append(f"overflow of {overflow} pages goes past the end")
        page = Page(page_id, flags, count, overflow, data, start)
        meta: Meta | None = None
        elements: tuple[Element, ...] = ()
        free: tuple[int, ...] = ()
        try:
            match flags:
                case PageFlag.META:
                    meta = parse_meta(self._pages.data, start, page_id)
                    problems += [meta.problem] if meta.problem else []
                case PageFlag.LEAF | PageFlag.BRANCH:
                    elements = tuple(_elements(page))
                case PageFlag.FREELIST if self._image is not None:
                    free = tuple(parse_freelist(self._image, page))
        except FormatError as error:
            problems.append(error.message)
            elements = tuple(_readable(self._pages.data, page))
        return PageContent(
            row=row,
            stored_id=stored,
            offset=start,
            data=data,
            meta=meta,
            elements=elements,
            free=free,
            problem="; ".join(problems),
        )

    def _rows(self, marks: bytearray, owners: dict[int, bytes], *, free_is_told: bool) -> Iterator[PageRow]:
        page_id = 0
        while page_id < self.limit:
            stored, flags, count, overflow = self._pages.header(page_id)
            mark = marks[page_id]
            is_free = bool(mark & FREE) if free_is_told else not mark and self._image is not None
            if is_free and not mark & USED:
                yield PageRow(page_id, "free", None, None, None)
                page_id += 1
                continue
            note = f"self identifies as {stored}" if stored != page_id else ""
            if not note and free_is_told and mark != USED:
                note = "stands in the freelist, and is used" if mark else "unreachable unfreed"
            yield PageRow(page_id, _kind(flags), count, overflow, owners.get(page_id), note)
            page_id += 1 + (overflow if not note and page_id + overflow < self.limit else 0)


def _kind(flags: int) -> str:
    return _TYPES.get(PageFlag(flags), "") if flags in set(PageFlag) else f"unknown<{flags:02x}>"


def _has_freelist(image: Image) -> bool:
    try:
        page = freelist_page(image)
        if page is None:
            return False
        parse_freelist(image, page)
    except FormatError:
        return False
    return True


def _owners(image: Image) -> dict[int, bytes]:
    """Return page id -> name of its bucket, as far as trees can be walked."""
    owners: dict[int, bytes] = {}
    buckets: deque[Bucket] = deque([cursor.root_bucket(image)])
    with contextlib.suppress(FormatError):
        buckets.extend(cursor.root_buckets(image).values())
    for bucket in buckets:
        if bucket.inline is not None:
            continue
        try:
            tree = columns.walk(image, bucket)
        except FormatError:
            continue
        owners |= dict.fromkeys(tree.owned.tolist(), bucket.name)
    return owners


def _elements(page: Page) -> Iterator[Element]:
    if page.flags == PageFlag.BRANCH:
        for index, branch in enumerate(branch_elements(page)):
            yield Element(index, branch.key, child=branch.child)
        return
    for index, leaf in enumerate(leaf_elements(page)):
        yield Element(index, leaf.key, bytes(leaf.value), is_bucket=bool(leaf.flags & BUCKET_FLAG))


def _readable(data: memoryview, page: Page) -> Iterator[Element]:
    """Yield what can be made out of a page whose elements are off."""
    start, stop = page.offset, page.offset + len(page.data)
    if page.flags == PageFlag.BRANCH:
        for index, child in enumerate(read_branch(data, start, stop)):
            yield Element(index, child.key, child=child.page_id)
    elif page.flags == PageFlag.LEAF and len(page.data) >= HEADER.size:
        for index, slot in enumerate(read_leaf(data, start, stop, lambda _, __: True)):
            if slot.pair is None:
                yield Element(index, None)
            else:
                value = bytes(data[slot.pair.start : slot.pair.stop])
                yield Element(index, slot.pair.key, value, is_bucket=bool(slot.flags & BUCKET_FLAG))
