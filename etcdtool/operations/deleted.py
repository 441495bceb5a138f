"""Tell which keys were deleted since a revision and are gone, and where the value of each can still be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import EtcdtoolError
from etcdtool.model.events import Event, iter_events
from etcdtool.model.grouping import live_rows
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_rows import NO_ROW, KeyRows, RowFinder
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["Deleted", "DeletedKey", "deleted"]


@dataclass(frozen=True, slots=True)
class DeletedKey:
    """A key that is gone.

    Attributes:
        deletion: the event that took it.
        last: the put before that, None where it is not stored any more.
        read_at: a revision that the last value can be read at, None where there is none.
    """

    deletion: Event
    last: Event | None
    read_at: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """The keys that are gone, in their order; iterate it for them.

    Attributes:
        since_revision: the first revision that was looked at.
        current_revision: the newest revision of the store.
        compact_revision: what a server calls its compact revision; -1 when nothing was ever compacted.
        created_again: keys that were deleted since, and exist.
    """

    since_revision: int
    current_revision: int
    compact_revision: int
    created_again: int
    _found: KeyRows
    _rows: NDArray[np.int64]

    @property
    def is_complete(self) -> bool:
        """Whether no compaction can have taken a deletion that was asked for."""
        return self.since_revision > self.compact_revision

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DeletedKey]:
        before = self._found.before[self._rows]
        is_there = before != NO_ROW
        is_there[is_there] = ~self._found.tombstone[before[is_there]]
        puts = iter_events(self._found, before[is_there])
        deletions = iter_events(self._found, self._rows)
        for deletion, there in zip(deletions, is_there.tolist(), strict=True):
            last = next(puts) if there else None
            readable = last is not None and deletion.revision > max(self.compact_revision, 1)
            yield DeletedKey(deletion, last, deletion.revision - 1 if readable else None)


def deleted(
    image: Image,
    since_revision: int,
    keys: KeyRange | None = None,
    *,
    find: RowFinder = KeyRows.scan,
    advance: Callable[[int], None] = lambda _: None,
    engine: Engine | None = None,
) -> Deleted:
    """Find the keys that were deleted at a revision or after it, and were not created again.

    Args:
        image: the database.
        since_revision: the first revision that is looked at.
        keys: which keys; default: every one.
        find: finds the rows of the keys.
        advance: is told the bytes of each part of the database when it was looked at.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        EtcdtoolError: the revision was not reached yet.
        FormatError: the database cannot be read.
    """
    found = find(image, keys or KeyRange.everything(), engine=engine or chosen_engine(), advance=advance)
    if since_revision > found.current_revision:
        raise EtcdtoolError(
            f"revision {since_revision} was not reached yet", hint=f"The newest is {found.current_revision}."
        )
    newest = found.newest()
    rows = newest[found.tombstone[newest] & (found.main[newest] >= since_revision)]
    alive = live_rows(found.before, found.tombstone)
    deletion = _last_deletion(found)[alive]
    again = int((found.main[deletion[deletion != NO_ROW]] >= since_revision).sum())
    return Deleted(since_revision, found.current_revision, found.compact_revision, again, found, rows)


def _last_deletion(found: KeyRows) -> NDArray[np.int64]:
    """Return for each row the deletion of its key at or before it, `NO_ROW` where none is stored."""
    end = len(found)  # a row behind the last stands for none
    put_before = np.where(found.before == NO_ROW, end, found.before)
    step = np.append(np.where(found.tombstone, np.arange(end), put_before), end)
    # a row leads to the deletion before it over all puts between: every round doubles how many are stepped over
    while True:
        further = step[step]
        if (further == step).all():
            break
        step = further
    return np.where(step[:end] == end, NO_ROW, step[:end])
