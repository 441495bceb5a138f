"""A file as pages, whatever its metas say: their headers, their size, and the leaves among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.formats.bbolt.lenient import Pair, read_leaf
from etcdtool.formats.bbolt.meta import PAGE_SIZE_MAX, PAGE_SIZE_MIN
from etcdtool.formats.bbolt.page import HEADER, PageFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Pages", "guess_page_size", "scan_leaves"]


_SPANS_MAX = 16
"""How often all of a file may be handed out as overflow: damaged pages may all claim all the others."""


@dataclass(slots=True)
class Pages:
    """A file as pages, whatever its metas say.

    Attributes:
        data: the file, without its trailer.
        page_size: in bytes.
    """

    data: memoryview
    page_size: int
    _claimed: int = 0

    @property
    def limit(self) -> int:
        """Whole pages there are."""
        return len(self.data) // self.page_size

    def header(self, page_id: int) -> tuple[int, int, int, int]:
        """Return id, flags, count, overflow as they stand."""
        stored, flags, count, overflow = HEADER.unpack_from(self.data, page_id * self.page_size)
        return stored, flags, count, overflow

    def span(self, page_id: int) -> tuple[int, int]:
        """Return where a page starts and how far it reaches; up to the file's end where its overflow cannot be.

        Pages whose overflow adds up to many times the file lose it, so that the work stays within the file's size.
        """
        _, _, _, overflow = self.header(page_id)
        count = min(1 + overflow, self.limit - page_id)
        if count > 1:
            self._claimed += count
            if self._claimed > _SPANS_MAX * self.limit:
                count = 1
        return page_id * self.page_size, (page_id + count) * self.page_size


def scan_leaves(
    pages: Pages, taken: set[int], plausible: Callable[[bytes, memoryview], bool]
) -> Iterator[tuple[int, list[Pair]]]:
    """Yield (page id, pairs) of every page that is not taken and reads as a leaf of a bucket.

    Pages of free space are among them, so that what they hold may have been deleted since.
    """
    for page_id in range(2, pages.limit):
        _, flags, count, _ = pages.header(page_id)
        if page_id in taken or flags != PageFlag.LEAF or count == 0:
            continue
        start, stop = pages.span(page_id)
        slots = read_leaf(pages.data, start, stop, plausible)
        pairs = [slot.pair for slot in slots if slot.pair is not None]
        if 2 * len(pairs) > len(slots):
            yield page_id, pairs


def guess_page_size(data: memoryview) -> int:
    """Return the page size at which most pages name their own number, 4096 where none do."""
    best, most = 4096, 1
    size = PAGE_SIZE_MIN
    while size <= PAGE_SIZE_MAX and 3 * size <= len(data):
        own = sum(HEADER.unpack_from(data, page_id * size)[0] == page_id for page_id in range(2, len(data) // size))
        if own > most:
            best, most = size, own
        size *= 2
    return best
