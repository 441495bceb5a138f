"""``buckets``: which buckets a database has, how big they are, and what stands in one of them.

Figures are those of ``bbolt stats``: ``bucket.go`` (``Stats``) @ bbolt v1.5.0.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.page import PageFlag, branch_elements
from etcdtool.model import schema
from etcdtool.model.exported_keys import iter_key_records
from etcdtool.model.rows import iter_rows
from etcdtool.model.shown import record_of_any
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.formats.bbolt.cursor import Bucket, Item
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.model.exported import KeyRecord, OtherRecord
    from etcdtool.operations.status import HasImage

__all__ = ["BucketFigures", "bucket_figures", "iter_pairs", "iter_records"]

_PAGES_PER_BLOCK = 256  # the first lines come soon, and few pages are read for --limit


class BucketFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The size of one bucket.

    Attributes:
        name: raw.
        keys: pairs in it.
        key_bytes, value_bytes: of all of them.
        depth: levels of its tree, 1 for a single page.
        branch_pages, leaf_pages: logical ones, without overflow; 0 for an inline bucket.
        overflow_pages: further pages that belong to them.
        inline: whether it lies inside the page that names it.
        problem: why the figures are incomplete, or "".
    """

    name: bytes
    keys: int = 0
    key_bytes: int = 0
    value_bytes: int = 0
    depth: int = 0
    branch_pages: int = 0
    leaf_pages: int = 0
    overflow_pages: int = 0
    inline: bool = False
    problem: str = ""

    @property
    def pages(self) -> int:
        """All its pages, overflow included."""
        return self.branch_pages + self.leaf_pages + self.overflow_pages


def bucket_figures(database: HasImage) -> list[BucketFigures]:
    """Return the figures of every top-level bucket, in stored order; what cannot be read of one is told there.

    Raises:
        FormatError: the root bucket cannot be walked.
    """
    image = database.image
    return [_figures(image, bucket) for bucket in cursor.root_buckets(image).values()]


def iter_records(
    database: HasImage, name: bytes, *, limit: int = 0, reverse: bool = False
) -> Iterator[KeyRecord | OtherRecord]:
    """Yield what the pairs of a bucket say; arguments and errors as of `iter_pairs`."""
    if name == schema.KEY and not reverse:
        yield from islice(_key_records(database.image, _bucket(database.image, name)), limit or None)
        return
    for key, value in iter_pairs(database, name, limit=limit, reverse=reverse):
        yield record_of_any(name, key, value)


def iter_pairs(
    database: HasImage, name: bytes, *, limit: int = 0, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs of a bucket as they are stored.

    Args:
        database: an opened one.
        name: of the bucket.
        limit: at the most so many; 0: all.
        reverse: from the last one on.

    Raises:
        SourceError: there is no such bucket.
        FormatError: it cannot be walked.
    """
    items: Iterable[Item] = cursor.iter_items(database.image, _bucket(database.image, name))
    if reverse:
        items = reversed(deque(items, maxlen=limit or None))
    for item in islice(items, limit or None):
        yield item.key, bytes(item.value)


def _bucket(image: Image, name: bytes) -> Bucket:
    buckets = cursor.root_buckets(image)
    if name not in buckets:
        known = ", ".join(sorted(one.decode("utf-8", "backslashreplace") for one in buckets))
        raise SourceError(
            f"there is no bucket {name.decode('utf-8', 'backslashreplace')}", hint=f"There are: {known or 'none'}"
        )
    return buckets[name]


def _key_records(image: Image, bucket: Bucket) -> Iterator[KeyRecord | OtherRecord]:
    for rows in iter_rows(image, bucket, engine=chosen_engine(), pages_per_block=_PAGES_PER_BLOCK):
        if (rows.well_formed & rows.parsed).all():
            for records in iter_key_records(image.data, rows, np.arange(len(rows))):
                yield from records
            continue
        places = (rows.offset.tolist(), rows.message_start.tolist(), rows.message_end.tolist())
        for at, start, end in zip(*places, strict=True):
            yield record_of_any(schema.KEY, bytes(image.data[at:start]), bytes(image.data[start:end]))


def _figures(image: Image, bucket: Bucket) -> BucketFigures:
    try:
        keys, key_bytes, value_bytes = _sizes(image, bucket)
        if bucket.inline is not None:
            return BucketFigures(
                name=bucket.name, keys=keys, key_bytes=key_bytes, value_bytes=value_bytes, depth=1, inline=True
            )
        branches, leaves, overflow, depth = _pages(image, bucket)
    except FormatError as error:
        return BucketFigures(name=bucket.name, inline=bucket.inline is not None, problem=error.message)
    return BucketFigures(
        name=bucket.name,
        keys=keys,
        key_bytes=key_bytes,
        value_bytes=value_bytes,
        depth=depth,
        branch_pages=branches,
        leaf_pages=leaves,
        overflow_pages=overflow,
    )


def _sizes(image: Image, bucket: Bucket) -> tuple[int, int, int]:
    keys = key_bytes = value_bytes = 0
    for block in columns.iter_blocks(image, bucket):
        keys += len(block.key_start)
        key_bytes += int((block.value_start - block.key_start).sum())
        value_bytes += int((block.value_end - block.value_start).sum())
    return keys, key_bytes, value_bytes


def _pages(image: Image, bucket: Bucket) -> tuple[int, int, int, int]:
    """Return branch pages, leaf pages, overflow pages and levels."""
    try:
        tree = columns.walk(image, bucket)
    except columns.UnevenTreeError:
        return _pages_plainly(image, bucket)
    branches = sum(len(level.pages) for level in tree.levels)
    return branches, len(tree.leaves), len(tree.owned) - branches - len(tree.leaves), len(tree.levels) + 1


def _pages_plainly(image: Image, bucket: Bucket) -> tuple[int, int, int, int]:
    list(cursor.iter_leaves(image, bucket))  # says what is off, so that the rest can be short
    counts, overflow, deepest = {PageFlag.BRANCH: 0, PageFlag.LEAF: 0}, 0, 0
    pending = [(bucket.root, 1)]
    while pending:
        page_id, depth = pending.pop()
        page = image.page(page_id)
        counts[PageFlag(page.flags)] += 1
        overflow += page.overflow
        deepest = max(deepest, depth)
        if page.flags == PageFlag.BRANCH:
            pending += [(element.child, depth + 1) for element in branch_elements(page)]
    return counts[PageFlag.BRANCH], counts[PageFlag.LEAF], overflow, deepest
