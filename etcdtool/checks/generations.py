"""The history of each key: generations that hang together.

Above the compact revision the history is whole, so each put must continue its generation by one version; at and below
it only what compaction keeps is left.  Records made by ``etcdctl migrate`` or by a conversion have version 1 or 2 and a
create revision below their own: no history ever stood in between.
Format: docs/formats/mvcc.md, "Restore at boot", "Compaction"; upstream: ``server/storage/mvcc/key_index.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.checks.codes import Code, shown
from etcdtool.findings import Severity
from etcdtool.model.grouping import NO_ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.findings import Finding
    from etcdtool.model.keyspace import Keyspace

__all__ = ["CODES", "check_generations"]

BROKEN = Code(
    code="generations.broken",
    severity=Severity.ERROR,
    meaning="A change does not continue the history of its key: revisions between the two are lost, or one is wrong.",
    remedy="Use another copy, and compare hashkv with the other members.",
)
BEGINNING_LOST = Code(
    code="generations.beginning-lost",
    severity=Severity.ERROR,
    meaning="The first change of a key above the compact revision is not its creation: what came before is lost.",
    remedy="Use another copy, and compare hashkv with the other members.",
)
BEGINNING_DOUBTFUL = Code(
    code="generations.beginning-doubtful",
    severity=Severity.WARNING,
    meaning="Keys begin with version 2 above the compact revision. A conversion with --no-compact-mark makes them so; "
    "anywhere else their first revision is lost.",
    remedy="None is needed for converted data; else use another copy.",
)
CONVERTED = Code(
    code="generations.converted",
    severity=Severity.NOTE,
    meaning="Keys of version 1 were created before their revision: etcdctl migrate or a conversion from v2 made them.",
    remedy="None is needed.",
)
LEFTOVERS = Code(
    code="generations.leftovers",
    severity=Severity.NOTE,
    meaning="Revisions below the compact revision are still there that a compaction deletes: it was cut off, or a "
    "server forgot them (3.4.34-35 and 3.5.16-17 do with tombstones).",
    remedy="None is needed; the next compaction deletes them.",
)
_ROWS_PER_BLOCK = 1 << 14
CODES = (BROKEN, BEGINNING_LOST, BEGINNING_DOUBTFUL, CONVERTED, LEFTOVERS)


def check_generations(keyspace: Keyspace) -> Iterator[Finding]:
    """Yield where the history of a key does not hang together, in the order of the bucket."""
    beginnings = _Beginnings(keyspace)
    lost: list[Finding] = []
    for start in range(0, len(keyspace), _ROWS_PER_BLOCK):
        rows = np.arange(start, min(start + _ROWS_PER_BLOCK, len(keyspace)))
        if keyspace.key_size[rows[0] : rows[-1] + 1].min() == 0:
            rows = rows[keyspace.key_size[rows] > 0]  # the marker of a bumped revision has no key, and no history
        before = keyspace.before[rows]
        begins = before == NO_ROW
        lost.extend(beginnings.take(_Changes(keyspace, rows[begins])))
        continues = ~begins
        yield from _check_pairs(_Changes(keyspace, before[continues]), _Changes(keyspace, rows[continues]))
    yield from beginnings.findings()
    yield from lost
    if not keyspace.compactions.pending:
        yield from _check_leftovers(keyspace)


class _Changes:
    """Some rows of a key space: what they say of their keys' history, int64."""

    def __init__(self, keyspace: Keyspace, rows: NDArray[np.int64]) -> None:
        self.keyspace = keyspace
        self.rows = rows
        self.main = keyspace.main[rows].astype(np.int64, copy=False)
        self.create = keyspace.create_revision[rows].astype(np.int64, copy=False)
        self.version = keyspace.version[rows].astype(np.int64, copy=False)
        self.tombstone = keyspace.tombstone[rows]

    @property
    def is_creation(self) -> NDArray[np.bool_]:
        """Which ones begin a generation, where they are puts."""
        creation: NDArray[np.bool_] = (self.create == self.main) & (self.version == 1)
        return creation


def _check_pairs(before: _Changes, after: _Changes) -> Iterator[Finding]:
    keyspace = after.keyspace
    updated = (after.create == before.create) & (after.version == before.version + 1)
    # most changes are of a key that was there before and still is
    odd = np.flatnonzero(~updated | before.tombstone | after.tombstone)
    if not len(odd):
        return
    tombstone, deleted = after.tombstone[odd], before.tombstone[odd]
    good = np.where(tombstone, ~deleted, np.where(deleted, after.is_creation[odd], updated[odd]))
    # at and below the compact revision any of a key's revisions may be gone already
    broken = odd[~good & (after.main[odd] > keyspace.compact_revision)]
    for one, other in zip(before.rows[broken].tolist(), after.rows[broken].tolist(), strict=True):
        detail = f"{_described(keyspace, other)} follows {_described(keyspace, one)}"
        yield BROKEN.finding(_key(keyspace, other), detail, offset=int(keyspace.message_start[other]))


class _Beginnings:
    """The first changes of all keys, block by block."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._converted = _Count()
        self._doubtful = _Count()

    def take(self, begin: _Changes) -> Iterator[Finding]:
        """Count what is said of all keys at once, and yield which keys have lost their beginning."""
        keyspace, version = self._keyspace, begin.version
        put = ~begin.tombstone
        older = put & (begin.create < begin.main)
        whole = begin.main > keyspace.compact_revision
        self._converted.add(begin.rows[older & (version == 1)])
        self._doubtful.add(begin.rows[whole & older & (version == 2)])
        explained = (put & begin.is_creation) | (older & (version >= 1) & (version <= 2))
        for row in begin.rows[whole & ~explained].tolist():
            detail = f"begins with {_described(keyspace, row)}"
            yield BEGINNING_LOST.finding(_key(keyspace, row), detail, offset=int(keyspace.message_start[row]))

    def findings(self) -> Iterator[Finding]:
        """Yield what was counted."""
        converted, doubtful = self._converted, self._doubtful
        if converted.count:
            detail = f"{converted} of version 1 created before their revision, first "
            yield CONVERTED.finding("bucket key", detail + _key(self._keyspace, converted.first))
        if doubtful.count:
            detail = f"{doubtful} beginning with version 2, first "
            yield BEGINNING_DOUBTFUL.finding("bucket key", detail + _key(self._keyspace, doubtful.first))


class _Count:
    """How many rows, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first = 0

    def add(self, rows: NDArray[np.int64]) -> None:
        """Count more rows, behind those before."""
        if len(rows) and not self.count:
            self.first = int(rows[0])
        self.count += len(rows)

    def __str__(self) -> str:
        return f"{self.count} key{'' if self.count == 1 else 's'}"


def _check_leftovers(keyspace: Keyspace) -> Iterator[Finding]:
    compact_revision = keyspace.compact_revision
    old = keyspace.main <= compact_revision
    if not old.any():
        return
    left = keyspace.tombstone & (keyspace.main < compact_revision)
    superseded = keyspace.before[old & (keyspace.key_size > 0)]
    left[superseded[superseded != NO_ROW]] = True
    count = int(np.count_nonzero(left))
    if count:
        first = int(np.argmax(left))
        yield LEFTOVERS.finding(
            "bucket key",
            f"{count} revisions that the compaction at {compact_revision} deletes, first {_described(keyspace, first)}",
            offset=int(keyspace.message_start[first]),
        )


def _described(keyspace: Keyspace, row: int) -> str:
    revision = int(keyspace.main[row])
    if keyspace.tombstone[row]:
        return f"a tombstone at revision {revision}"
    return f"version {keyspace.version[row]} created at {keyspace.create_revision[row]}, at revision {revision}"


def _key(keyspace: Keyspace, row: int) -> str:
    return f"key {shown(keyspace.key_of(row))}"
