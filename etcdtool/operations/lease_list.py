"""``lease list``: the leases that a database holds, and the keys that hang on each.

Upstream: ``server/lease/lessor.go`` @ v3.7.1: a lease without a checkpoint has its whole TTL left after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.leases import iter_leases
from etcdtool.model.rows import iter_rows
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.operations.status import HasImage

__all__ = ["Leases", "ListedLease", "list_leases"]


@dataclass(slots=True, kw_only=True)
class ListedLease:
    """A lease.

    Attributes:
        id: int64.
        ttl_seconds: as granted; None where keys hang on it, and no server has granted it.
        remaining_ttl_seconds: at the last checkpoint, 0 without one.
        key_count: live keys that hang on it.
        keys: these, in order, where they were asked for.
    """

    id: int
    ttl_seconds: int | None
    remaining_ttl_seconds: int = 0
    key_count: int = 0
    keys: list[bytes] = field(default_factory=list)

    @property
    def left_seconds(self) -> int:
        """What a server that starts on the data gives it, 0 where it was not granted."""
        return self.remaining_ttl_seconds or self.ttl_seconds or 0


@dataclass(frozen=True, slots=True)
class Leases:
    """All leases.

    Attributes:
        revision: of the store.
        granted: by id.
        missing: leases that keys hang on, and that are not there.
        problems: what stands in the bucket and cannot be read.
    """

    revision: int
    granted: list[ListedLease]
    missing: list[ListedLease]
    problems: list[str]


def list_leases(
    database: HasImage, *, with_keys: bool = False, progress: Callable[[int, int], object] = lambda _, __: None
) -> Leases:
    """Return the leases of a database.

    Args:
        database: an opened one.
        with_keys: whether the keys are named.
        progress: is told how many bytes of how many were read.

    Raises:
        FormatError: a bucket cannot be walked.
    """
    engine = chosen_engine()
    image = database.image
    granted, problems = _granted(image, engine)
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, 2 * len(image.data))  # the keys are read twice

    keyspace = Keyspace.read(image, engine=engine, advance=advance)
    live = np.zeros(len(keyspace), dtype=np.bool_)
    live[keyspace.rows_at()] = True
    missing: dict[int, ListedLease] = {}
    for lease_ids, starts, sizes in _attached(image, live, engine, advance):
        unique, counts = np.unique(lease_ids, return_counts=True)
        for number, count in zip(unique.tolist(), counts.tolist(), strict=True):
            lease = granted.get(number) or missing.setdefault(number, ListedLease(id=number, ttl_seconds=None))
            lease.key_count += count
        if with_keys:
            for number, start, size in zip(lease_ids.tolist(), starts.tolist(), sizes.tolist(), strict=True):
                (granted.get(number) or missing[number]).keys.append(bytes(image.data[start : start + size]))
    for lease in (*granted.values(), *missing.values()):
        lease.keys.sort()
    return Leases(
        revision=keyspace.current_revision,
        granted=sorted(granted.values(), key=lambda lease: lease.id),
        missing=sorted(missing.values(), key=lambda lease: lease.id),
        problems=problems,
    )


def _granted(image: Image, engine: Engine) -> tuple[dict[int, ListedLease], list[str]]:
    granted: dict[int, ListedLease] = {}
    problems: list[str] = []
    bucket = cursor.root_buckets(image).get(schema.LEASE)
    for rows in iter_leases(image, bucket, engine=engine) if bucket is not None else ():
        columns = (rows.id.tolist(), rows.ttl_seconds.tolist(), rows.remaining_ttl_seconds.tolist())
        for row, (number, ttl, remaining) in enumerate(zip(*columns, strict=True)):
            if row in rows.problems:
                problems.append(f"offset {int(rows.offset[row]):#x}: {rows.problems[row]}")
            else:
                granted[number] = ListedLease(id=number, ttl_seconds=ttl, remaining_ttl_seconds=remaining)
    return granted, problems


def _attached(
    image: Image, live: NDArray[np.bool_], engine: Engine, advance: Callable[[int], object]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Return lease, key offset and key size of the live keys that hang on a lease, block by block."""
    bucket = cursor.root_buckets(image).get(schema.KEY)
    found = []
    row = 0
    for rows in iter_rows(image, bucket, engine=engine) if bucket is not None else ():
        advance(int((rows.message_end - rows.offset).sum()))
        readable = np.flatnonzero(rows.well_formed & rows.parsed)
        chosen = readable[live[row : row + len(readable)]]
        row += len(readable)
        chosen = chosen[rows.lease[chosen] != 0]
        if len(chosen):
            found.append((rows.lease[chosen], rows.key_start[chosen], rows.key_size[chosen]))
    return found
