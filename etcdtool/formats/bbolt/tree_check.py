"""Check one bucket's tree page by page, and say what is wrong with each.

Says everything ``bbolt check`` says of a tree, and goes on behind an error; it never recurses, and a page met twice is
not entered again.
Upstream: ``tx_check.go`` @ bbolt v1.5.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from etcdtool.findings import Finding, Severity
from etcdtool.formats.bbolt.cursor import BUCKET_HEADER, Item, parse_bucket
from etcdtool.formats.bbolt.page import (
    BUCKET_FLAG,
    DEPTH_MAX,
    HEADER,
    LEAF_ELEMENT,
    PageError,
    PageFlag,
    branch_elements,
    leaf_elements,
    parse_inline_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import BranchElement, Image, LeafElement, Page

__all__ = ["FREE", "USED", "TreeCheck", "check_inline", "error", "page_error"]

USED = 0x01
"""Mark of a page that was reached."""
FREE = 0x02
"""Mark of a page that stands in the freelist."""

_SHOWN_KEY_SIZE = 40


class _Task(NamedTuple):
    """A child still to be visited.

    Attributes:
        page_id: of the child.
        depth: its level, 1 for the root.
        key: the separator that leads to it, None for the root.
        place: its index among its parent's children.
        lower, upper: bounds that its parent's keys keep: ``lower <= key < upper``.
        parent: page id.
    """

    page_id: int
    depth: int
    key: bytes | None
    place: int
    lower: bytes | None
    upper: bytes | None
    parent: int


@dataclass(slots=True)
class TreeCheck:
    """One walk over a bucket's pages.

    Attributes:
        image: the file.
        bucket: not an inline one.
        marks: one byte a page, `USED` and `FREE`; pages of this bucket are marked.
        nested: buckets found in it, filled by `findings`.
        is_root: True for the bucket that holds the buckets and nothing else.
    """

    image: Image
    bucket: Bucket
    marks: bytearray
    nested: list[Bucket]
    is_root: bool = False
    _last: bytes | None = None

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong, in key order."""
        pending = [_Task(self.bucket.root, 1, None, 0, None, None, 0)]
        while pending:
            task = pending.pop()
            if task.key is not None:
                yield from self._separator(task, task.key)
            try:
                page = self._enter(task)
                yield from self._claim(page, task.parent)
                if page.flags == PageFlag.BRANCH:
                    branches = list(branch_elements(page))
                    pending.extend(reversed(_children(branches, task)))
                    yield from _gaps(self._where(page.id), page, ((item.offset, len(item.key)) for item in branches))
                else:
                    pairs = list(leaf_elements(page))
                    yield from _gaps(self._where(page.id), page, map(_span, pairs))
                    yield from self._leaf(task, pairs)
            except PageError as problem:
                yield page_error(problem, self._where(task.page_id))

    def _enter(self, task: _Task) -> Page:
        page = self.image.page(task.page_id)
        what = f"page {page.id}"
        if page.flags not in (PageFlag.BRANCH, PageFlag.LEAF):
            problem = f"unexpected page type (flags: {page.flags:x})"
            raise PageError("bbolt.page-type", what, problem, offset=page.offset)
        if task.depth > DEPTH_MAX:
            raise PageError("bbolt.tree-depth", what, f"deeper than {DEPTH_MAX} levels", offset=page.offset)
        return page

    def _claim(self, page: Page, parent: int) -> Iterator[Finding]:
        for page_id in range(page.id, page.id + page.overflow + 1):
            offset = page_id * self.image.page_size
            if self.marks[page_id] & USED:
                # stopping here keeps the work within the number of pages, however they overlap
                problem = f"multiple references, the second from page {parent}"
                raise PageError("bbolt.page-shared", f"page {page_id}", problem, offset=offset)
            if self.marks[page_id] & FREE:
                yield error("bbolt.page-freed", self._where(page_id), "reachable freed", offset)
            self.marks[page_id] |= USED

    def _separator(self, task: _Task, key: bytes) -> Iterator[Finding]:
        where = self._where(task.parent)
        offset = task.parent * self.image.page_size
        name = f"branch key {task.place} ({_shown(key)})"
        if task.place == 0 and task.lower is not None and key < task.lower:
            yield _order(where, f"{name} is below the key {_shown(task.lower)} in the page above", offset)
        if task.place > 0 and self._last is not None and key <= self._last:
            yield _order(where, f"{name} is not above the last key {_shown(self._last)} before it", offset)
        if task.upper is not None and key >= task.upper:
            yield _order(where, f"{name} is not below the next key {_shown(task.upper)}", offset)

    def _leaf(self, task: _Task, elements: list[LeafElement]) -> Iterator[Finding]:
        where = self._where(task.page_id)
        previous: bytes | None = None
        for index, element in enumerate(elements):
            key = element.key
            if previous is None and task.key is not None and key < task.key:
                yield _order(
                    where, f"first key {_shown(key)} is below its branch key {_shown(task.key)}", element.offset
                )
            if previous is not None and key <= previous:
                yield _not_above(where, index, key, previous, element.offset)
            yield from self._flags(where, task.page_id, element)
            previous = key
        if previous is None:
            yield from self._empty(where, task)
        if previous is not None:
            self._last = previous
            yield from self._upper(where, task, elements)

    def _empty(self, where: str, task: _Task) -> Iterator[Finding]:
        """Yield an error unless it is the root of an empty bucket, whose page is zeros behind the header."""
        offset = task.page_id * self.image.page_size
        if task.key is not None:
            yield error("bbolt.page-empty", where, "leaf page without elements below a branch page", offset)
        elif bytes(self.image.page(task.page_id).data[HEADER.size :]).strip(b"\0"):
            detail = "leaf page without elements, and with bytes behind its header, which writers leave zero"
            yield error("bbolt.page-empty", where, detail, offset)

    def _upper(self, where: str, task: _Task, elements: list[LeafElement]) -> Iterator[Finding]:
        above = [element for element in elements if task.upper is not None and element.key >= task.upper]
        if above:
            detail = f"key {_shown(above[0].key)} is not below the next branch key {_shown(task.upper or b'')}"
            more = f", nor are {len(above) - 1} more keys of the page" if len(above) > 1 else ""
            yield _order(where, detail + more, above[0].offset)

    def _flags(self, where: str, page_id: int, element: LeafElement) -> Iterator[Finding]:
        if element.flags & ~BUCKET_FLAG:
            yield _unknown_flags(where, element)
        if element.flags & BUCKET_FLAG:
            try:
                item = Item(element.key, element.value, element.flags, page_id, element.offset)
                bucket = parse_bucket(item)
            except PageError as problem:
                yield page_error(problem, where)
                return
            self.nested.append(bucket)
            if bucket.root and len(element.value) != BUCKET_HEADER.size:
                detail = f"{bucket_name(bucket)} has root page {bucket.root} and {len(element.value)} bytes, not 16"
                yield error("bbolt.bucket-header", where, detail, bucket.offset)
        elif self.is_root:
            yield error("bbolt.root-item", where, f"entry {_shown(element.key)} is not a bucket", element.offset)

    def _where(self, page_id: int) -> str:
        return f"page {page_id} of {bucket_name(self.bucket)}"


def check_inline(bucket: Bucket, inline: memoryview) -> Iterator[Finding]:
    """Yield what is wrong with an inline bucket (``bbolt check`` does not look into these)."""
    where = f"inline {bucket_name(bucket)} on page {bucket.page}"
    try:
        page = parse_inline_page(inline, bucket.offset + BUCKET_HEADER.size)
        elements = list(leaf_elements(page))
    except PageError as problem:
        yield page_error(problem, where)
        return
    yield from _gaps(where, page, map(_span, elements))
    yield from _inline_size(where, page, elements)
    if page.id:
        detail = f"its page identifies as {page.id}, not 0"
        yield Finding(code="bbolt.inline-id", severity=Severity.WARNING, where=where, detail=detail, offset=page.offset)
    previous: bytes | None = None
    for index, element in enumerate(elements):
        if previous is not None and element.key <= previous:
            yield _not_above(where, index, element.key, previous, element.offset)
        if element.flags & ~BUCKET_FLAG:
            yield _unknown_flags(where, element)
        if element.flags & BUCKET_FLAG:
            yield error(
                "bbolt.inline-nested", where, f"bucket {_shown(element.key)} in an inline bucket", element.offset
            )
        previous = element.key


def _inline_size(where: str, page: Page, elements: list[LeafElement]) -> Iterator[Finding]:
    """Yield an error where a bucket goes on behind its elements: every writer makes it as large as they are."""
    array_end = page.offset + HEADER.size + page.count * LEAF_ELEMENT.size
    end = max([array_end, *(start + size for start, size in map(_span, elements))])
    behind = page.offset + len(page.data) - end
    if behind:
        yield error("bbolt.inline-size", where, f"{behind} bytes stand behind its last element", end)


def error(code: str, where: str, detail: str, offset: int | None) -> Finding:
    """Return a finding that is an error."""
    return Finding(code=code, severity=Severity.ERROR, where=where, detail=detail, offset=offset)


def page_error(problem: PageError, where: str) -> Finding:
    """Return the finding that says what a reader's error says."""
    return error(problem.code, where, problem.problem, problem.offset)


def bucket_name(bucket: Bucket) -> str:
    """Return a bucket as a person would name it."""
    return f"bucket {_shown(bucket.name)}" if bucket.name else "the root bucket"


def _span(element: LeafElement) -> tuple[int, int]:
    return element.offset, len(element.key) + len(element.value)


def _gaps(where: str, page: Page, spans: Iterable[tuple[int, int]]) -> Iterator[Finding]:
    """Yield an error where data do not follow each other as every writer lays them: a size may be damaged."""
    expected = page.offset + HEADER.size + page.count * LEAF_ELEMENT.size
    for index, (start, size) in enumerate(spans):
        if start != expected:
            detail = f"element {index} stands at {start:#x}, not behind the one before it at {expected:#x}"
            yield Finding(
                code="bbolt.element-gap",
                severity=Severity.ERROR,
                where=where,
                detail=detail,
                offset=start,
                hint="Every bbolt writer lays elements without gaps; a size of the element before may be damaged",
            )
            return
        expected = start + size


def _children(elements: list[BranchElement], task: _Task) -> list[_Task]:
    uppers = [*(element.key for element in elements[1:]), task.upper]
    return [
        _Task(element.child, task.depth + 1, element.key, index, task.key, upper, task.page_id)
        for index, (element, upper) in enumerate(zip(elements, uppers, strict=True))
    ]


def _not_above(where: str, index: int, key: bytes, previous: bytes, offset: int) -> Finding:
    return _order(where, f"key {index} ({_shown(key)}) is not above the key before it ({_shown(previous)})", offset)


def _order(where: str, detail: str, offset: int) -> Finding:
    return error("bbolt.key-order", where, detail, offset)


def _unknown_flags(where: str, element: LeafElement) -> Finding:
    detail = f"element {_shown(element.key)} has unknown flags {element.flags:x}"
    return error("bbolt.element-flags", where, detail, element.offset)


def _shown(key: bytes) -> str:
    """Return a key as text where it is text, else as hex, cut to a bearable length."""
    head = key[:_SHOWN_KEY_SIZE]
    text = head.decode("ascii") if head.isascii() and head.decode("ascii").isprintable() else head.hex()
    return f"{text}…" if len(key) > _SHOWN_KEY_SIZE else text
