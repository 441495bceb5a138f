"""The freelist page: ids of pages that are free, where a writer persists them; and how to find them where it does not.

Upstream: ``internal/freelist/shared.go``, ``db.go`` (``freepages``) @ bbolt v1.5.0.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt.columns import UnevenTreeError, iter_blocks, walk
from etcdtool.formats.bbolt.cursor import iter_items, iter_leaves, parse_bucket, root_bucket
from etcdtool.formats.bbolt.meta import NO_FREELIST
from etcdtool.formats.bbolt.page import BUCKET_FLAG, HEADER, PageError, PageFlag, branch_elements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image, Page

__all__ = ["free_pages", "freelist_page", "parse_freelist"]

_ID = Struct("<Q")
_EXTENDED_COUNT = 0xFFFF


def freelist_page(image: Image) -> Page | None:
    """Return the page of the persisted freelist, None when there is none (etcd on Linux).

    Raises:
        PageError: it is out of bounds or no freelist page.
    """
    if image.meta.freelist == NO_FREELIST:
        return None
    page = image.page(image.meta.freelist)
    if page.flags != PageFlag.FREELIST:
        problem = f"unexpected page type (flags: {page.flags:x}) where the freelist should be"
        raise PageError("bbolt.freelist-type", f"page {page.id}", problem, offset=page.offset)
    return page


def parse_freelist(image: Image, page: Page) -> list[int]:
    """Return the page ids as they stand.

    Raises:
        PageError: more ids than fit into the page, or than there are pages.
    """
    count, start = page.count, HEADER.size
    if count == _EXTENDED_COUNT:
        # so many that the header cannot say: the first number is the count
        (count,) = _ID.unpack_from(page.data, start)
        start += _ID.size
    if count > image.high_water_mark:
        problem = f"{count} free pages of {image.high_water_mark} pages"
        raise PageError("bbolt.freelist-count", f"page {page.id}", problem, offset=page.offset)
    end = start + count * _ID.size
    if end > len(page.data):
        problem = f"{count} free pages do not fit into {len(page.data)} bytes"
        raise PageError("bbolt.freelist-count", f"page {page.id}", problem, offset=page.offset)
    return [page_id for (page_id,) in _ID.iter_unpack(page.data[start:end])]


def free_pages(image: Image) -> list[int]:
    """Return the ids of the pages that nothing in the file's present state uses, ascending.

    A persisted list is not believed: handing out a page that it names by mistake would destroy what is there.

    Raises:
        PageError: a page on the way is off.
    """
    used = np.zeros(image.high_water_mark, dtype=np.bool_)
    used[:2] = True
    page = freelist_page(image)
    if page is not None:
        used[page.id : page.id + page.overflow + 1] = True
    pending = [root_bucket(image)]
    while pending:
        bucket = pending.pop()
        if bucket.inline is None:
            used[_owned(image, bucket)] = True
        if any(block.flags.any() for block in iter_blocks(image, bucket)):
            nested = (item for item in iter_items(image, bucket) if item.flags & BUCKET_FLAG)
            pending.extend(parse_bucket(item) for item in nested)
    return [int(page_id) for page_id in np.flatnonzero(~used).tolist()]


def _owned(image: Image, bucket: Bucket) -> NDArray[np.int64]:
    """Return the ids of a bucket's pages, with their overflow."""
    try:
        return walk(image, bucket).owned
    except UnevenTreeError:
        pages = [page for _, page in iter_leaves(image, bucket)]  # says what is off, so that the rest can be short
        branches = [image.page(bucket.root)]
        while branches:
            pages.append(page := branches.pop())
            if page.flags == PageFlag.BRANCH:
                branches += [image.page(element.child) for element in branch_elements(page)]
        return np.concatenate([np.arange(page.id, page.id + page.overflow + 1) for page in pages])
