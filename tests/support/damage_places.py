"""Where the fields of a database stand: every field of every page by the page's type, for faults to be put there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.cursor import BUCKET_HEADER
from etcdtool.formats.bbolt.freelist import freelist_page
from etcdtool.formats.bbolt.page import leaf_elements, parse_inline_page
from etcdtool.model.rows import iter_rows

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.page import Image, Page

__all__ = ["Places", "Span"]

_PAGE_FIELDS = (("page id", 0, 8), ("flags", 8, 2), ("count", 10, 2), ("overflow", 12, 4))
_LEAF_FIELDS = (("element flags", 0, 4), ("pos", 4, 4), ("ksize", 8, 4), ("vsize", 12, 4))
_BRANCH_FIELDS = (("pos", 0, 4), ("ksize", 4, 4), ("child", 8, 8))
META_FIELDS = {
    "magic": (16, 4),
    "version": (20, 4),
    "page size": (24, 4),
    "meta flags": (28, 4),
    "root": (32, 8),
    "sequence": (40, 8),
    "freelist": (48, 8),
    "high-water mark": (56, 8),
    "txid": (64, 8),
    "checksum": (72, 8),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one field: ``start`` to ``stop`` in the file, a little-endian number where ``is_number``."""

    start: int
    stop: int
    is_number: bool = False


@dataclass(slots=True)
class Places:
    """All fields of a good file.

    Attributes:
        image: the file, without a trailer.
        fields: (page type, field) -> where it stands, once for each page or element.
        pages: page type -> its pages, as spans with their overflow.
    """

    image: Image
    fields: dict[tuple[str, str], list[Span]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, image: Image) -> Places:
        """Walk a good file and note everything."""
        places = cls(image)
        used = {0, 1}
        for meta in image.metas:
            places._meta(meta.page_id * image.page_size)
        freelist = freelist_page(image)
        if freelist is not None:
            used.update(range(freelist.id, freelist.id + freelist.overflow + 1))
            places._page("freelist", freelist)
            for at in range(freelist.offset + 16, freelist.offset + 16 + 8 * freelist.count, 8):
                places._add("freelist", "ids", at, at + 8, is_number=True)
        root = cursor.root_bucket(image)
        used |= places._tree("root leaf", root)
        for bucket in cursor.root_buckets(image).values():
            if bucket.inline is not None:
                places._inline(bucket, bucket.inline)
            else:
                used |= places._tree("key leaf" if bucket.name == b"key" else "other leaf", bucket)
        for page_id in set(range(image.high_water_mark)) - used:
            start = page_id * image.page_size
            places._add("free page", "any byte", start, start + image.page_size)
        places._records()
        return places

    def _add(self, kind: str, name: str, start: int, stop: int, *, is_number: bool = False) -> None:
        if stop > start:
            self.fields[kind, name].append(Span(start, stop, is_number))

    def _page(self, kind: str, page: Page) -> None:
        for name, start, size in _PAGE_FIELDS:
            self._add(kind, name, page.offset + start, page.offset + start + size, is_number=True)

    def _meta(self, offset: int) -> None:
        for name, start, size in _PAGE_FIELDS:
            self._add("meta", name, offset + start, offset + start + size, is_number=True)
        for name, (start, size) in META_FIELDS.items():
            self._add("meta", name, offset + start, offset + start + size, is_number=True)

    def _tree(self, kind: str, bucket: cursor.Bucket) -> set[int]:
        image = self.image
        tree = columns.walk(image, bucket)
        for level in tree.levels:
            for page_id in level.pages.tolist():
                page = image.page(page_id)
                self._page("branch", page)
                self.pages["branch"].append(Span(page.offset, page.offset + len(page.data)))
                self._elements("branch", page.offset, page.count, _BRANCH_FIELDS)
            for start, stop in zip(level.key_start.tolist(), level.key_end.tolist(), strict=True):
                self._add("branch", "key", start, stop)
        for page_id in tree.leaves.page.tolist():
            self._leaf(kind, image.page(page_id))
        return set(tree.owned.tolist())

    def _leaf(self, kind: str, page: Page) -> None:
        self._page(kind, page)
        self.pages[kind].append(Span(page.offset, page.offset + len(page.data)))
        self._elements(kind, page.offset, page.count, _LEAF_FIELDS)
        end = page.offset + 16
        for element in leaf_elements(page):
            value_start = element.offset + len(element.key)
            end = value_start + len(element.value)
            if kind == "root leaf":
                self._add(kind, "bucket name", element.offset, value_start)
                self._add(kind, "bucket root", value_start, value_start + 8, is_number=True)
                self._add(kind, "bucket sequence", value_start + 8, value_start + 16, is_number=True)
            else:
                self._add(kind, "key", element.offset, value_start)
        self._add(kind, "unused end", end, page.offset + len(page.data))
        second = page.offset + self.image.page_size
        self._add("overflow page", "any byte", second, end)

    def _elements(self, kind: str, page_offset: int, count: int, fields: tuple[tuple[str, int, int], ...]) -> None:
        for at in range(page_offset + 16, page_offset + 16 * (1 + count), 16):
            for name, start, size in fields:
                self._add(kind, name, at + start, at + start + size, is_number=True)

    def _inline(self, bucket: cursor.Bucket, inline: memoryview) -> None:
        page = parse_inline_page(inline, bucket.offset + BUCKET_HEADER.size)
        self._page("inline page", page)
        self._elements("inline page", page.offset, page.count, _LEAF_FIELDS)
        for element in leaf_elements(page):
            value_start = element.offset + len(element.key)
            self._add("inline page", "key", element.offset, value_start)
            self._add("inline page", "value", value_start, value_start + len(element.value))

    def _records(self) -> None:
        bucket = cursor.root_buckets(self.image)[b"key"]
        for rows in iter_rows(self.image, bucket):
            key_end, value_end = rows.key_start + rows.key_size, rows.value_start + rows.value_size
            # after the key come its numbers, then tag and length of the value, if there is one
            numbers_end = np.where(rows.value_size > 0, rows.value_start - 2, rows.message_end)
            for row in range(len(rows)):
                kind = "key record"
                self._add(kind, "tag and size of the key", int(rows.message_start[row]), int(rows.key_start[row]))
                self._add(kind, "user key", int(rows.key_start[row]), int(key_end[row]))
                self._add(kind, "numbers", int(key_end[row]), int(numbers_end[row]))
                if rows.value_size[row]:
                    start = int(rows.value_start[row])
                    self._add(kind, "tag and size of the value", start - 2, start)
                    self._add(kind, "value", start, int(value_end[row]))
                    self._add(kind, "lease", int(value_end[row]), int(rows.message_end[row]))
