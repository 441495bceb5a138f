"""Stored revisions as the events that a watch sends: puts and deletions, with what stood before each.

Upstream: ``server/storage/mvcc/watchable_store.go`` (``kvsToEvents``) @ v3.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.model.key_rows import NO_ROW, KeyRows
from etcdtool.model.records import Records, slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Event", "EventKind", "iter_events"]

_ROWS_PER_BLOCK = 4096
_UNKNOWN = -1


class EventKind(Enum):
    """What happened to a key."""

    CREATE = "create"
    PUT = "put"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of a key.

    Attributes:
        kind: what happened.
        key: the key.
        revision, sub: the revision it happened at.
        create_revision, version, lease: as the record has them; 0 of a deletion.
        value_size: bytes of the value; 0 of a deletion.
        value: the value, None where it was not asked for and of a deletion.
        previous_revision: when the key was changed before, None where that is not stored (any more).
        missing_versions: how many puts of this life of the key, just before this event, are not stored any more; None
            of a deletion whose puts are all gone.
    """

    kind: EventKind
    key: bytes
    revision: int
    sub: int
    create_revision: int
    version: int
    lease: int
    value_size: int
    value: bytes | None
    previous_revision: int | None
    missing_versions: int | None


def iter_events(found: KeyRows, rows: NDArray[np.int64], *, with_values: bool = False) -> Iterator[Event]:
    """Yield rows as events, in the order given.

    Raises:
        FormatError: a record does not parse.
    """
    for start in range(0, len(rows), _ROWS_PER_BLOCK):
        yield from _events_of_block(found, rows[start : start + _ROWS_PER_BLOCK], with_values=with_values)


def _events_of_block(found: KeyRows, rows: NDArray[np.int64], *, with_values: bool) -> Iterator[Event]:
    records, before = found.records(rows), found.before[rows]
    main, tombstone = found.main[rows], found.tombstone[rows]
    columns = zip(
        slices(found.data, records.key_start, records.key_size),
        slices(found.data, records.value_start, records.value_size),
        tombstone.tolist(),
        main.tolist(),
        found.sub[rows].tolist(),
        records.create_revision.tolist(),
        records.version.tolist(),
        records.lease.tolist(),
        np.where(before == NO_ROW, _UNKNOWN, found.main[before]).tolist(),
        _missing(found, records, before, tombstone).tolist(),
        strict=True,
    )
    for key, value, deleted, revision, sub, create, version, lease, previous, missing in columns:
        put = EventKind.CREATE if create == revision else EventKind.PUT
        yield Event(
            kind=EventKind.DELETE if deleted else put,
            key=key,
            revision=revision,
            sub=sub,
            create_revision=create,
            version=version,
            lease=lease,
            value_size=len(value),
            value=value if with_values and not deleted else None,
            previous_revision=None if previous == _UNKNOWN else previous,
            missing_versions=None if missing == _UNKNOWN else missing,
        )


def _missing(
    found: KeyRows, records: Records, before: NDArray[np.int64], tombstone: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return how many versions are not stored between each row and the one before it, `_UNKNOWN` where nobody knows."""
    earlier = np.flatnonzero(before != NO_ROW)
    earlier = earlier[~found.tombstone[before[earlier]]]
    those = found.records(before[earlier])
    version = np.zeros(len(before), dtype=np.int64)
    version[earlier] = those.version * (those.create_revision == records.create_revision[earlier])
    missing: NDArray[np.int64] = np.maximum(records.version - version - 1, 0)
    missing[tombstone] = _UNKNOWN
    missing[earlier[tombstone[earlier]]] = 0
    return missing
