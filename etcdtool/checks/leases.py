"""Leases: each by itself, and whether the leases that live keys name are there.

Format: docs/formats/mvcc.md, "Leases at restore"; upstream: ``server/lease/lessor.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.checks.codes import Code, shown
from etcdtool.findings import Severity
from etcdtool.model.growing import GrowingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.findings import Finding
    from etcdtool.model.keyspace import Keyspace
    from etcdtool.model.leases import LeaseRows
    from etcdtool.model.rows import Rows

__all__ = ["CODES", "LeaseCheck"]

_TTL_SECONDS_MAX = 9_000_000_000

UNREADABLE = Code(
    code="leases.unreadable",
    severity=Severity.ERROR,
    meaning="An entry of bucket lease is no lease, or one of another id than it is filed under. Servers stop at it, or "
    "let its keys live forever.",
    remedy="Use another copy.",
)
ID = Code(
    code="leases.id",
    severity=Severity.ERROR,
    meaning="A lease has the id 0, which means no lease.",
    remedy="Use another copy.",
)
TTL = Code(
    code="leases.ttl",
    severity=Severity.WARNING,
    meaning="A lease has a TTL that no server grants (1 to 9,000,000,000 seconds), or more of it left than it has.",
    remedy="Compare with another copy.",
)
ORPHANS = Code(
    code="leases.orphans",
    severity=Severity.NOTE,
    meaning="Keys name a lease that does not exist, so they never expire. Servers leave them behind when a lease "
    "expires while a restore or a crash comes in between.",
    remedy="None is needed to restore. Delete the keys, or put them anew with a lease, if they should expire.",
)
CODES = (UNREADABLE, ID, TTL, ORPHANS)


class LeaseCheck:
    """Checks leases first, then the rows of bucket ``key`` block by block, and says at the end which keys are orphans.

    Takes 8 bytes a lease, and 8 bytes a revision where revisions name leases.
    """

    def __init__(self) -> None:
        self._ids: list[NDArray[np.int64]] = []
        self._row_count = 0
        self._named = GrowingColumn(np.int64)

    def findings(self, leases: LeaseRows) -> Iterator[Finding]:
        """Take a block of leases, and yield what is off about each."""
        readable = np.ones(len(leases.id), dtype=np.bool_)
        for row, problem in leases.problems.items():
            readable[row] = False
            yield UNREADABLE.finding("bucket lease", problem, offset=int(leases.offset[row]))
        self._ids.append(leases.id[readable])
        for row in np.flatnonzero(readable & (leases.id == 0)).tolist():
            yield ID.finding("bucket lease", "a lease of id 0", offset=int(leases.offset[row]))
        ttl, left = leases.ttl_seconds, leases.remaining_ttl_seconds
        odd = readable & ((ttl < 1) | (ttl > _TTL_SECONDS_MAX) | (left < 0) | (left > ttl))
        for row in np.flatnonzero(odd).tolist():
            detail = f"a TTL of {ttl[row]} s" + (f", {left[row]} s of it left" if left[row] else "")
            yield TTL.finding(f"lease {_hexadecimal(leases.id[row])}", detail, offset=int(leases.offset[row]))

    def add(self, rows: Rows) -> None:
        """Take a block of those revisions that the key space takes too."""
        chosen = rows.well_formed & rows.parsed
        lease = rows.lease if chosen.all() else rows.lease[chosen]
        if lease.any():
            self._named.extend(np.zeros(self._row_count - len(self._named), dtype=np.int64))
            self._named.extend(lease)
        self._row_count += len(lease)

    def orphans(self, keyspace: Keyspace) -> Iterator[Finding]:
        """Yield one finding if live keys name leases that do not exist."""
        rows = self.orphan_rows(keyspace)
        if len(rows):
            first = keyspace.key_value(int(rows[0]))
            more = f" and {len(rows) - 1} more keys name" if len(rows) > 1 else " names"
            yield ORPHANS.finding(
                f"key {shown(first.key)}",
                f"the key{more} a lease that does not exist, first {_hexadecimal(first.lease)}",
                offset=int(keyspace.message_start[rows[0]]),
            )

    def orphan_rows(self, keyspace: Keyspace) -> NDArray[np.int64]:
        """Return the rows of live keys that name leases that do not exist, in the order of the bucket."""
        if not len(self._named):
            return np.zeros(0, dtype=np.int64)
        named = self._named.finish()
        rows = keyspace.rows_at()
        rows = rows[: np.searchsorted(rows, len(named))]  # behind them nothing names a lease
        lease = named[rows]
        undefined = self._undefined(lease)
        return rows[np.isin(lease, undefined)] if len(undefined) else rows[:0]

    def _undefined(self, lease: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which of some leases do not exist, in order."""
        defined = np.concatenate([*self._ids, np.zeros(1, dtype=np.int64)])  # 0 is no lease, which none is missing
        defined.sort()  # the bucket has them in order already, negative ones last
        wanted = np.sort(lease)  # in order they are looked up several times faster
        place = np.searchsorted(defined, wanted)
        np.minimum(place, len(defined) - 1, out=place)
        missing: NDArray[np.int64] = wanted[defined[place] != wanted]
        return missing


def _hexadecimal(lease_id: int | np.int64) -> str:
    return f"{int(lease_id) & (1 << 64) - 1:x}"
