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
CODES = (BROKEN, BEGINNING_LOST, BEGINNING_DOUBTFUL, CONVERTED, LEFTOVERS)


def check_generations(keyspace: Keyspace) -> Iterator[Finding]:
    """Yield where the history of a key does not hang together."""
    main = keyspace.main.view(np.int64)
    named = keyspace.key_size[keyspace.order] > 0  # the marker of a bumped revision has no key, and no history
    continued = np.flatnonzero(~keyspace.first & named)
    before, after = keyspace.order[continued - 1], keyspace.order[continued]
    yield from _check_pairs(keyspace, main, before, after)
    yield from _check_beginnings(keyspace, main, keyspace.order[keyspace.first & named])
    if not keyspace.compactions.pending:
        yield from _check_leftovers(keyspace, main, before, after)


def _check_pairs(
    keyspace: Keyspace, main: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> Iterator[Finding]:
    create, version, tombstone = keyspace.create_revision, keyspace.version, keyspace.tombstone
    created = (create[after] == main[after]) & (version[after] == 1)
    updated = (create[after] == create[before]) & (version[after] == version[before] + 1)
    good = np.where(tombstone[after], ~tombstone[before], np.where(tombstone[before], created, updated))
    # at and below the compact revision any of a key's revisions may be gone already
    broken = ~good & (main[after] > keyspace.compact_revision)
    for one, other in zip(before[broken].tolist(), after[broken].tolist(), strict=True):
        detail = f"{_described(keyspace, other)} follows {_described(keyspace, one)}"
        yield BROKEN.finding(_key(keyspace, other), detail, offset=int(keyspace.message_start[other]))


def _check_beginnings(keyspace: Keyspace, main: NDArray[np.int64], begin: NDArray[np.int64]) -> Iterator[Finding]:
    create, version = keyspace.create_revision[begin], keyspace.version[begin]
    put = ~keyspace.tombstone[begin]
    older = put & (create < main[begin])
    converted = begin[older & (version == 1)]
    if len(converted):
        yield CONVERTED.finding(
            "bucket key",
            f"{_count(converted)} of version 1 created before their revision, first {_key(keyspace, converted[0])}",
        )
    whole = main[begin] > keyspace.compact_revision
    doubtful = begin[whole & older & (version == 2)]
    if len(doubtful):
        yield BEGINNING_DOUBTFUL.finding(
            "bucket key", f"{_count(doubtful)} beginning with version 2, first {_key(keyspace, doubtful[0])}"
        )
    created = put & (create == main[begin]) & (version == 1)
    explained = created | (older & (version >= 1) & (version <= 2))
    for row in begin[whole & ~explained].tolist():
        detail = f"begins with {_described(keyspace, row)}"
        yield BEGINNING_LOST.finding(_key(keyspace, row), detail, offset=int(keyspace.message_start[row]))


def _check_leftovers(
    keyspace: Keyspace, main: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> Iterator[Finding]:
    compact_revision = keyspace.compact_revision
    superseded = before[main[after] <= compact_revision]
    left = np.zeros(len(main), dtype=np.bool_)
    left[superseded] = True
    left |= keyspace.tombstone & (main < compact_revision)
    count = int(left.sum())
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


def _count(rows: NDArray[np.int64]) -> str:
    return f"{len(rows)} key{'' if len(rows) == 1 else 's'}"


def _key(keyspace: Keyspace, row: int) -> str:
    return f"key {shown(keyspace.key_of(row))}"
