"""Tell every revision of some keys that is still stored, and what is not stored any more."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.model.events import Event, EventKind, iter_events
from etcdtool.model.key_rows import KeyRows, RowFinder
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_range import KeyRange

__all__ = ["Histories", "KeyHistory", "history"]


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """What is stored of one key.

    Attributes:
        key: the key.
        events: its changes, the oldest first, at least one.
    """

    key: bytes
    events: Sequence[Event]

    @property
    def exists(self) -> bool:
        """Whether the key is there at the newest revision."""
        return self.events[-1].kind is not EventKind.DELETE


@dataclass(frozen=True, slots=True)
class Histories:
    """The history of each key, in the order of the keys; iterate it for them.

    Attributes:
        current_revision: the newest revision of the store.
        compact_revision: what a server calls its compact revision; -1 when nothing was ever compacted.
    """

    current_revision: int
    compact_revision: int
    _found: KeyRows
    _rows: NDArray[np.int64]
    _with_values: bool

    @property
    def revision_count(self) -> int:
        """How many revisions of the keys are stored."""
        return len(self._rows)

    def __iter__(self) -> Iterator[KeyHistory]:
        events = iter_events(self._found, self._rows, with_values=self._with_values)
        for key, of_key in groupby(events, attrgetter("key")):
            yield KeyHistory(key, list(of_key))


def history(
    image: Image,
    keys: KeyRange,
    *,
    with_values: bool = False,
    find: RowFinder = KeyRows.scan,
    advance: Callable[[int], None] = lambda _: None,
    engine: Engine | None = None,
) -> Histories:
    """Find every stored revision of keys; those below the compact revision too, which a server does not give any more.

    Args:
        image: the database.
        keys: which keys.
        with_values: whether events hold the values.
        find: finds the rows of the keys.
        advance: is told the bytes of each part of the database when it was looked at.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        FormatError: the database cannot be read.
    """
    found = find(image, keys, engine=engine or chosen_engine(), advance=advance)
    rows = found.in_key_order(np.arange(len(found)))
    return Histories(found.current_revision, found.compact_revision, found, rows, with_values)
