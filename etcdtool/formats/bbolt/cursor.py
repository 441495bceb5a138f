"""Walk buckets of a bbolt file, one element at a time: the slow and obvious way.

This is the twin of `etcdtool.formats.bbolt.columns`; it serves small and inline buckets, salvage, and the tests that
compare the two.  It never recurses, and a page that is met twice in one walk is an error, so it ends on any bytes.
Upstream: ``cursor.go``, ``bucket.go`` @ bbolt v1.5.0.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

import msgspec

from etcdtool.formats.bbolt.page import (
    BUCKET_FLAG,
    DEPTH_MAX,
    PageError,
    PageFlag,
    branch_elements,
    leaf_elements,
    parse_inline_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.formats.bbolt.page import Image, Page

__all__ = [
    "BUCKET_HEADER",
    "Bucket",
    "Item",
    "get",
    "iter_items",
    "iter_leaves",
    "parse_bucket",
    "root_bucket",
    "root_buckets",
]

BUCKET_HEADER = Struct("<QQ")
"""The value of a bucket's element: root page id (0: inline), sequence."""
assert BUCKET_HEADER.size == 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where a bucket stands.

    Attributes:
        name: its key in the bucket above, ``b""`` for the root bucket.
        root: page id of its root page, 0 for an inline bucket.
        inline: the page inside its value, None when it has pages of its own.
        sequence: never used by etcd.
        page: page id of the leaf that holds its header (0 for the root bucket: the meta page).
        offset: file offset of its header.
    """

    name: bytes
    root: int
    inline: memoryview | None
    sequence: int
    page: int
    offset: int


class Item(msgspec.Struct, frozen=True, gc=False):
    """A pair of a bucket.

    Attributes:
        key: a copy.
        value: a view into the image.
        flags: `BUCKET_FLAG` when the value is the header of a nested bucket (etcd never nests).
        page: page id of its leaf; of an inline bucket, the page that holds the bucket.
        offset: file offset of the key; the value follows it.
    """

    key: bytes
    value: memoryview
    flags: int
    page: int
    offset: int


def root_bucket(image: Image) -> Bucket:
    """Return the bucket that holds the buckets."""
    meta = image.meta
    offset = meta.page_id * image.page_size
    return Bucket(name=b"", root=meta.root, inline=None, sequence=meta.sequence, page=meta.page_id, offset=offset)


def root_buckets(image: Image) -> dict[bytes, Bucket]:
    """Return the top-level buckets by name, in stored order.

    Raises:
        PageError: a page is off, an entry is no bucket, or a name stands twice.
    """
    buckets: dict[bytes, Bucket] = {}
    for item in iter_items(image, root_bucket(image)):
        if not item.flags & BUCKET_FLAG:
            raise PageError("bbolt.root-item", f"root bucket's entry {item.key!r}", "not a bucket", offset=item.offset)
        if item.key in buckets:
            raise PageError(
                "bbolt.key-order", f"bucket {item.key!r}", "stands twice in the root bucket", offset=item.offset
            )
        buckets[item.key] = parse_bucket(item)
    return buckets


def parse_bucket(item: Item) -> Bucket:
    """Return the bucket whose header is the item's value.

    Raises:
        PageError: the value is too short for a header, or for the page of an inline bucket.
    """
    offset = item.offset + len(item.key)
    if len(item.value) < BUCKET_HEADER.size:
        raise PageError(
            "bbolt.bucket-header", f"bucket {item.key!r}", f"header of {len(item.value)} bytes", offset=offset
        )
    root, sequence = BUCKET_HEADER.unpack(item.value[: BUCKET_HEADER.size])
    inline = item.value[BUCKET_HEADER.size :] if root == 0 else None
    return Bucket(name=item.key, root=root, inline=inline, sequence=sequence, page=item.page, offset=offset)


def iter_items(image: Image, bucket: Bucket) -> Iterator[Item]:
    """Yield a bucket's pairs in stored order; nested buckets come as items with `BUCKET_FLAG`.

    Raises:
        PageError: at the first page or element that is off.
    """
    for page_id, page in iter_leaves(image, bucket):
        for element in leaf_elements(page):
            yield Item(element.key, element.value, element.flags, page_id, element.offset)


def iter_leaves(image: Image, bucket: Bucket) -> Iterator[tuple[int, Page]]:
    """Yield a bucket's leaf pages in key order, each with the page id that holds it.

    Raises:
        PageError: a page is out of bounds, off, or met twice, or the tree is deeper than `DEPTH_MAX`.
    """
    if bucket.inline is not None:
        yield bucket.page, parse_inline_page(bucket.inline, bucket.offset + BUCKET_HEADER.size)
        return
    seen: set[int] = set()
    pending = [(bucket.root, 1)]
    while pending:
        page_id, depth = pending.pop()
        page = _visit(image, page_id, depth, seen)
        if page.flags == PageFlag.LEAF:
            yield page_id, page
        else:
            children = [(element.child, depth + 1) for element in branch_elements(page)]
            pending.extend(reversed(children))


def get(image: Image, bucket: Bucket, key: bytes) -> bytes | None:
    """Return the value of a key, None when the bucket does not hold it (or holds a nested bucket by that name).

    Raises:
        PageError: a page on the way is off.
    """
    page = _leaf_for(image, bucket, key)
    for element in leaf_elements(page):
        if element.key == key and not element.flags & BUCKET_FLAG:
            return bytes(element.value)
    return None


def _leaf_for(image: Image, bucket: Bucket, key: bytes) -> Page:
    if bucket.inline is not None:
        return parse_inline_page(bucket.inline, bucket.offset + BUCKET_HEADER.size)
    seen: set[int] = set()
    page = _visit(image, bucket.root, 1, seen)
    depth = 1
    while page.flags == PageFlag.BRANCH:
        depth += 1
        elements = list(branch_elements(page))
        index = bisect_right(elements, key, key=lambda element: element.key)
        page = _visit(image, elements[max(index - 1, 0)].child, depth, seen)
    return page


def _visit(image: Image, page_id: int, depth: int, seen: set[int]) -> Page:
    page = image.page(page_id)
    if page_id < 2 or page.flags not in (PageFlag.BRANCH, PageFlag.LEAF):
        problem = f"unexpected page type (flags: {page.flags:x})"
        raise PageError("bbolt.page-type", f"page {page_id}", problem, offset=page.offset)
    if depth > DEPTH_MAX:
        raise PageError("bbolt.tree-depth", f"page {page_id}", f"deeper than {DEPTH_MAX} levels", offset=page.offset)
    own = range(page_id, page_id + page.overflow + 1)
    if not seen.isdisjoint(own):
        raise PageError("bbolt.page-shared", f"page {page_id}", "multiple references", offset=page.offset)
    seen.update(own)
    return page
