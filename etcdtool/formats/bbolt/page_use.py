"""What each byte of a bbolt file is used for, up to the last one.

Pages are told apart by kind, and leaf pages by what lies on them: their header, the array of elements, the pairs, and
what is left over.  The sums are exact for a file whose pages `etcdtool.formats.bbolt.check` finds good.
Spec: ``docs/formats/bbolt.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt.columns import UnevenTreeError, iter_blocks, walk
from etcdtool.formats.bbolt.cursor import BUCKET_HEADER, iter_leaves, root_bucket, root_buckets
from etcdtool.formats.bbolt.freelist import freelist_page
from etcdtool.formats.bbolt.page import HEADER, LEAF_ELEMENT, PageFlag, branch_elements, leaf_elements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["BucketUse", "FileUse", "LeafUse", "file_use", "leaf_use"]


@dataclass(frozen=True, slots=True)
class LeafUse:
    """The leaf pages of a bucket in key order; that of an inline bucket is its only one.

    Attributes:
        count: int64, pairs on each.
        size: int64, bytes of each, with its overflow.
        branch_size: bytes of the branch pages above them.
    """

    count: NDArray[np.int64]
    size: NDArray[np.int64]
    branch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketUse:
    """What a bucket takes, in bytes.

    Attributes:
        name: b"" for the root bucket.
        inline: whether it lies in a page of the root bucket.
        entries: pairs.
        entry_size: their keys and values.
        element_size: the arrays that say where they stand.
        header_size: the headers of leaf pages, and of the bucket itself where it is inline.
        slack: what is left over on leaf pages.
        branch_size: pages that lead to the leaves.
    """

    name: bytes
    inline: bool
    entries: int
    entry_size: int
    element_size: int
    header_size: int
    slack: int
    branch_size: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.entry_size + self.element_size + self.header_size + self.slack + self.branch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUse:
    """What the pages up to the high-water mark are used for, in bytes.

    Attributes:
        metas: both meta pages.
        freelist: the pages that list free ones, 0 where none are listed.
        free: pages that a writer takes first.
        root: what leads to the buckets: their names and headers.
        buckets: by name.
    """

    metas: int
    freelist: int
    free: int
    root: BucketUse
    buckets: dict[bytes, BucketUse] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of it."""
        own = self.metas + self.freelist + self.free + self.root.total
        return own + sum(bucket.total for bucket in self.buckets.values())


def file_use(
    image: Image, pages_used: int, *, engine: Engine = "columns", entry_sizes: Mapping[bytes, int] | None = None
) -> FileUse:
    """Add up what is used for what.

    Args:
        image: a file whose pages are good, and that has no buckets in buckets.
        pages_used: as `etcdtool.formats.bbolt.check.count_used` has it.
        engine: ``plain`` adds up pair by pair.
        entry_sizes: bytes of all keys and values of a bucket, where they are known.

    Raises:
        PageError: a page on the way is off.
    """
    page_size = image.page_size
    known = entry_sizes or {}
    buckets = root_buckets(image)
    root = root_bucket(image)
    leaves = leaf_use(image, root, engine=engine)
    # an inline bucket has its own line; here are the names, and the headers of those that have pages
    own = sum(len(name) + (0 if bucket.inline is not None else BUCKET_HEADER.size) for name, bucket in buckets.items())
    inline = sum(BUCKET_HEADER.size + len(bucket.inline) for bucket in buckets.values() if bucket.inline is not None)
    found = {
        name: _bucket_use(
            bucket,
            leaf_use(image, bucket, engine=engine),
            known[name] if name in known else _entry_size(image, bucket, engine),
        )
        for name, bucket in buckets.items()
    }
    freelist = freelist_page(image)
    return FileUse(
        metas=2 * page_size,
        freelist=len(freelist.data) if freelist is not None else 0,
        free=(image.high_water_mark - pages_used) * page_size,
        root=_bucket_use(root, leaves, own, elsewhere=inline),
        buckets=found,
    )


def leaf_use(image: Image, bucket: Bucket, *, engine: Engine = "columns") -> LeafUse:
    """Return what is known of a bucket's leaf pages without their pairs.

    Raises:
        PageError: a page on the way is off.
    """
    if bucket.inline is None and engine == "columns":
        try:
            tree = walk(image, bucket)
        except UnevenTreeError:
            pass
        else:
            size = (1 + tree.leaves.overflow.astype(np.int64)) * image.page_size
            branch_size = len(tree.owned) * image.page_size - int(size.sum())
            return LeafUse(tree.leaves.count.astype(np.int64), size, branch_size)
    pages = [page for _, page in iter_leaves(image, bucket)]
    return LeafUse(
        np.array([page.count for page in pages], dtype=np.int64),
        np.array([len(page.data) for page in pages], dtype=np.int64),
        0 if bucket.inline is not None else _branch_size(image, bucket),
    )


def _branch_size(image: Image, bucket: Bucket) -> int:
    size, pending = 0, [image.page(bucket.root)]
    while pending:
        page = pending.pop()
        if page.flags == PageFlag.BRANCH:
            size += len(page.data)
            pending += [image.page(element.child) for element in branch_elements(page)]
    return size


def _entry_size(image: Image, bucket: Bucket, engine: Engine) -> int:
    if engine == "plain":
        leaves = (page for _, page in iter_leaves(image, bucket))
        return sum(len(element.key) + len(element.value) for page in leaves for element in leaf_elements(page))
    return sum(int((block.value_end - block.key_start).sum()) for block in iter_blocks(image, bucket))


def _bucket_use(bucket: Bucket, leaves: LeafUse, entry_size: int, *, elsewhere: int = 0) -> BucketUse:
    """Put the figures of a bucket together; ``elsewhere`` are bytes on its pages that others count."""
    entries = int(leaves.count.sum())
    element_size = LEAF_ELEMENT.size * entries
    page_headers = HEADER.size * len(leaves.count)
    slack = int(leaves.size.sum()) - page_headers - element_size - entry_size - elsewhere
    return BucketUse(
        name=bucket.name,
        inline=bucket.inline is not None,
        entries=entries,
        entry_size=entry_size,
        element_size=element_size,
        header_size=page_headers + (BUCKET_HEADER.size if bucket.inline is not None else 0),
        slack=slack,
        branch_size=leaves.branch_size,
    )
