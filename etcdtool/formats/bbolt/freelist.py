"""The freelist page: ids of pages that are free, where a writer persists them.

Upstream: ``internal/freelist/shared.go`` @ bbolt v1.5.0.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from etcdtool.formats.bbolt.meta import NO_FREELIST
from etcdtool.formats.bbolt.page import HEADER, PageError, PageFlag

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.page import Image, Page

__all__ = ["freelist_page", "parse_freelist"]

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
