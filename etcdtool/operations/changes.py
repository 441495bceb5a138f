"""Tell what happened between two revisions, as a watch from the first one on would have told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import UsageError
from etcdtool.model.events import Event, iter_events
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_rows import KeyRows, RowFinder
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["Changes", "changes"]


@dataclass(frozen=True, slots=True)
class Changes:
    """Events in the order in which they happened; iterate it for them.

    Attributes:
        from_revision, to_revision: the first and the last revision that was looked at.
        compact_revision: what a server calls its compact revision; -1 when nothing was ever compacted.
    """

    from_revision: int
    to_revision: int
    compact_revision: int
    _found: KeyRows
    _rows: NDArray[np.int64]
    _with_values: bool

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Event]:
        return iter_events(self._found, self._rows, with_values=self._with_values)


def changes(
    image: Image,
    keys: KeyRange | None = None,
    *,
    from_revision: int | None = None,
    to_revision: int | None = None,
    with_values: bool = False,
    find: RowFinder = KeyRows.scan,
    advance: Callable[[int], None] = lambda _: None,
    engine: Engine | None = None,
) -> Changes:
    """Find the changes of keys between two revisions, both included.

    Of what happened at the compact revision itself, only what a compaction keeps is there: deletions may be gone.

    Args:
        image: the database.
        keys: whose changes; default: those of every key.
        from_revision: default: the compact revision, or 1.
        to_revision: default: the newest.
        with_values: whether events hold the values.
        find: finds the rows of the keys.
        advance: is told the bytes of each part of the database when it was looked at.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        UsageError: the second revision is below the first one.
        EtcdtoolError: a revision is compacted, or was not reached yet.
        FormatError: the database cannot be read.
    """
    if from_revision is not None and to_revision is not None and to_revision < from_revision:
        raise UsageError(f"revision {to_revision} is before {from_revision}", hint="Give --from-rev the lower one.")
    found = find(image, keys or KeyRange.everything(), engine=engine or chosen_engine(), advance=advance)
    first = max(found.compact_revision, 1) if from_revision is None else from_revision
    last = found.current_revision if to_revision is None else to_revision
    found.check_readable(first)
    found.check_readable(last)
    rows = np.flatnonzero((found.main >= first) & (found.main <= last))
    return Changes(first, last, found.compact_revision, found, rows, with_values)
