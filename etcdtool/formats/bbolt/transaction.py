"""Small edits of a bbolt file that leave all other pages where they are.

Changed nodes go to pages that the file's present state does not use, and a new meta page makes them the file's state
in one last write: whoever reads the file before that sees what was there.  Nothing is written here; `commit` says what
is to be written where.
Spec: ``docs/formats/bbolt.md``; upstream: ``tx.go``, ``bucket.go`` @ bbolt v1.5.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt.cursor import BUCKET_HEADER, Item, parse_bucket
from etcdtool.formats.bbolt.nodes import NewPages, Node, Tree, pack_inline
from etcdtool.formats.bbolt.page import BUCKET_FLAG, parse_inline_page
from etcdtool.formats.bbolt.writer import check_sizes, pack_meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.formats.bbolt.page import Image

__all__ = ["Edit", "Transaction"]

_TXID_MAX = (1 << 64) - 1
_INLINE_PART_OF_A_PAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What to write, in this order: make the file ``size`` bytes at least, write the pages, sync, write the meta, sync.

    Attributes:
        pages: (file offset, bytes), ascending; no page of the file's present state is among them.
        meta: (file offset, bytes) of the page that makes the new state the file's.
        size: bytes up to the new high-water mark.
        txid: of the new state.
    """

    pages: tuple[tuple[int, bytes], ...]
    meta: tuple[int, bytes]
    size: int
    txid: int


@dataclass(slots=True)
class _OpenBucket:
    tree: Tree
    sequence: int
    is_new: bool = False


class Transaction:
    """Changes to the top-level buckets of one file, seen by its own reads, and nowhere else until they are written.

    Args:
        image: a whole file; its pages are read as they are needed.
        free_pages: pages to use before the file is made longer, none of them in use
            (`etcdtool.formats.bbolt.freelist.free_pages`).
    """

    def __init__(self, image: Image, *, free_pages: Iterable[int] = ()) -> None:
        self._image = image
        self._free_pages = list(free_pages)
        self._root = Tree(image, image.meta.root)
        self._open: dict[bytes, _OpenBucket] = {}

    def has_bucket(self, name: bytes) -> bool:
        """Tell whether there is a bucket of that name."""
        return name in self._open or self._root.get(name) is not None

    def create_bucket(self, name: bytes) -> None:
        """Make an empty bucket, unless it is there."""
        if not name:
            raise ValueError("a bucket needs a name")
        check_sizes(name, b"")
        if not self.has_bucket(name):
            self._open[name] = _OpenBucket(Tree(self._image, Node()), 0, is_new=True)

    def get(self, bucket: bytes, key: bytes) -> bytes | None:
        """Return the value of a key, None when it is not there or holds a nested bucket."""
        found = self._bucket(bucket).tree.get(key)
        return None if found is None or found[0] & BUCKET_FLAG else bytes(found[1])

    def items(self, bucket: bytes, *, backwards: bool = False) -> Iterator[tuple[bytes, bytes | memoryview]]:
        """Yield a bucket's pairs in key order; change nothing meanwhile. Nested buckets are left out."""
        pairs = self._bucket(bucket).tree.items(backwards=backwards)
        return ((key, value) for key, flags, value in pairs if not flags & BUCKET_FLAG)

    def put(self, bucket: bytes, key: bytes, value: bytes) -> None:
        """Set a key of a bucket.

        Raises:
            KeyError: there is no such bucket.
            ValueError: the key is empty or holds a nested bucket, or something is too large.
        """
        if not key:
            raise ValueError("a key may not be empty")
        check_sizes(key, value)
        tree = self._bucket(bucket).tree
        self._refuse_bucket(tree, bucket, key)
        tree.put(key, 0, value)

    def delete(self, bucket: bytes, key: bytes) -> bool:
        """Remove a key of a bucket; return whether it was there.

        Raises:
            KeyError: there is no such bucket.
            ValueError: the key holds a nested bucket.
        """
        tree = self._bucket(bucket).tree
        self._refuse_bucket(tree, bucket, key)
        return tree.delete(key)

    def clear(self, bucket: bytes) -> int:
        """Remove every key of a bucket, and return how many there were."""
        keys = [key for key, _ in self.items(bucket)]
        for key in keys:
            self.delete(bucket, key)
        return len(keys)

    def commit(self) -> Edit:
        """Return what has to be written; the transaction is over then.

        Raises:
            FormatError: a page on the way is off, or the file has no transaction id left.
        """
        image = self._image
        page_id, txid = self._next_meta()
        pages = NewPages(image.page_size, image.high_water_mark, self._free_pages)
        for name, bucket in sorted(self._open.items()):
            if bucket.is_new or bucket.tree.dirty:
                self._root.put(name, BUCKET_FLAG, self._bucket_value(bucket, pages))
        root = self._root.write(pages)
        meta = pack_meta(
            page_id,
            page_size=image.page_size,
            root=root,
            sequence=image.meta.sequence,
            high_water_mark=pages.high_water_mark,
            txid=txid,
        )
        return Edit(
            pages=tuple((page * image.page_size, data) for page, data in sorted(pages.writes.items())),
            meta=(page_id * image.page_size, meta),
            size=pages.high_water_mark * image.page_size,
            txid=txid,
        )

    def _next_meta(self) -> tuple[int, int]:
        """Return page id and txid of the new meta."""
        meta = self._image.meta
        txid = meta.txid + 1
        if txid % 2 == meta.page_id:
            # a snapshot has its newer meta on page 0 whatever its txid: the meta in use must outlive a torn write
            txid += 1
        if txid > _TXID_MAX:
            offset = meta.page_id * self._image.page_size
            raise FormatError("bbolt meta page", f"no transaction id is left after {meta.txid}", offset=offset)
        return txid % 2, txid

    def _bucket(self, name: bytes) -> _OpenBucket:
        if name not in self._open:
            found = self._root.get(name)
            if found is None or not found[0] & BUCKET_FLAG:
                raise KeyError(name)
            # offsets only serve messages about a damaged header, which checks have ruled out by now
            bucket = parse_bucket(Item(name, memoryview(found[1]), found[0], 0, 0))
            root: int | Node = bucket.root
            if bucket.inline is not None:
                root = Node.read(parse_inline_page(bucket.inline, bucket.offset + BUCKET_HEADER.size), 0)
            self._open[name] = _OpenBucket(Tree(self._image, root), bucket.sequence)
        return self._open[name]

    def _bucket_value(self, bucket: _OpenBucket, pages: NewPages) -> bytes:
        pairs = bucket.tree.inline(self._image.page_size // _INLINE_PART_OF_A_PAGE)
        if pairs is not None:
            return BUCKET_HEADER.pack(0, bucket.sequence) + pack_inline(pairs)
        return BUCKET_HEADER.pack(bucket.tree.write(pages), bucket.sequence)

    @staticmethod
    def _refuse_bucket(tree: Tree, bucket: bytes, key: bytes) -> None:
        found = tree.get(key)
        if found is not None and found[0] & BUCKET_FLAG:
            raise ValueError(f"{key!r} in bucket {bucket!r} is a bucket itself")
