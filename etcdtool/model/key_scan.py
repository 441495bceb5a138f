"""Find the entries of some keys in bucket ``key``, by one look at the key of every record.

Of all other entries nothing more is read: whoever asks for a key gets it, whatever is wrong elsewhere.
``engine="plain"`` is the twin that goes entry by entry.
Format: docs/formats/mvcc.md, "Value".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from etcdtool.formats.ahead import read_ahead
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.words import unaligned_words
from etcdtool.model.revision import Revision
from etcdtool.model.revisions import (
    Revisions,
    checked_main,
    checked_order,
    first_key,
    record_keys,
    revisions_at,
    revisions_of_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_range import KeyChoice

__all__ = ["Found", "KeyScan"]

_ITEMS_PER_BLOCK = 4096


class Found(NamedTuple):
    """Revisions of the keys, at least one, and where the key of each lies: int64."""

    revisions: Revisions
    key_start: NDArray[np.int64]
    key_size: NDArray[np.int64]


@dataclass(slots=True)
class KeyScan:
    """One pass over bucket ``key``; `found` yields what it comes to, and then `newest` is known.

    Attributes:
        newest: main revision of the last entry of the bucket, 0 where there is none.
    """

    image: Image
    keys: KeyChoice
    engine: Engine = "columns"
    advance: Callable[[int], None] = lambda _: None
    newest: int = field(default=0, init=False)

    def found(self, bucket: Bucket) -> Iterator[Found]:
        """Yield the revisions of the keys in blocks, ascending.

        Raises:
            FormatError: the tree cannot be walked, or the revision of one of the keys is off, or the last of all.
        """
        last = (-1, -1)
        for found in self._plainly(bucket) if self.engine == "plain" else self._columns(bucket):
            last = checked_order(found.revisions, last)
            yield found

    def _columns(self, bucket: Bucket) -> Iterator[Found]:
        words = unaligned_words(self.image.data)
        blocks = self._blocks(bucket)
        if len(columns.find_leaves(self.image, bucket)) > columns.PAGES_PER_BLOCK:
            blocks = read_ahead(blocks)
        end = None
        for block, start, size in blocks:
            rows = np.flatnonzero(self.keys.mask(words, start, size))
            if len(rows):
                yield Found(revisions_at(self.image, block, rows), start[rows], size[rows])
            end = int(block.key_start[-1]), int(block.value_start[-1])
            self.advance(int((block.value_end - block.key_start).sum()))
        self._take_newest(end)

    def _blocks(self, bucket: Bucket) -> Iterator[tuple[columns.LeafBlock, NDArray[np.int64], NDArray[np.int64]]]:
        for block in columns.iter_blocks(self.image, bucket):
            yield block, *record_keys(self.image.data, block.value_start, block.value_end)

    def _plainly(self, bucket: Bucket) -> Iterator[Found]:
        data, end = self.image.data, None
        items = cursor.iter_items(self.image, bucket)
        while chunk := list(islice(items, _ITEMS_PER_BLOCK)):
            chosen, places = [], []
            for item in chunk:
                message = item.offset + len(item.key)
                start, size = first_key(data, message, message + len(item.value))
                if bytes(data[start : start + size]) in self.keys:
                    chosen.append(item)
                    places.append((start if size else 0, size))
                end = item.offset, message
            if chosen:
                start_column, size_column = np.array(places, dtype=np.int64).T
                yield Found(revisions_of_items(chosen), start_column, size_column)
            self.advance(sum(len(item.key) + len(item.value) for item in chunk))
        self._take_newest(end)

    def _take_newest(self, end: tuple[int, int] | None) -> None:
        if end is not None:
            revision = Revision.parse(self.image.data[end[0] : end[1]], offset=end[0])
            self.newest = checked_main(revision.main, end[0])
