"""Which revisions found outside of the tree belong into a salvaged bucket ``key``.

A revision never changes once it is written, so a copy on a page that no tree leads to is as good as the one that is
lost.  What may be wrong is its being there at all: a compaction may have deleted it, and the page is a leftover.
Above the compact revision nothing was deleted.  At and below it compaction keeps one revision a key: whatever else is
known of the key, from any page, proves the others deleted.
Format: docs/formats/mvcc.md, "Compaction"; upstream: ``server/storage/mvcc/key_index.go`` @ v3.7.1.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from etcdtool.errors import FormatError
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.lease import Lease
from etcdtool.model.revision import TOMBSTONE_SIZE, Revision, pack_revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from etcdtool.formats.bbolt.lenient import Pair
    from etcdtool.formats.bbolt.salvage import Gap

__all__ = ["Known", "is_lease", "is_revision", "known_of", "revision_of", "was_deleted"]


class Known(NamedTuple):
    """What is known of one revision of a key; ordered by revision."""

    main: int
    sub: int
    tombstone: bool
    create: int
    version: int


def is_revision(key: bytes, value: memoryview) -> bool:
    """Tell a pair of bucket ``key`` that every check passes from one that is damaged."""
    parsed = revision_of(key, value)
    return parsed is not None


def revision_of(key: bytes, value: memoryview) -> tuple[Revision, KeyValue] | None:
    """Return a pair of bucket ``key``, None where it is none or contradicts itself."""
    try:
        revision = Revision.parse(key)
        record = KeyValue.parse(value)
    except FormatError:
        return None
    if revision.tombstone != (len(key) == TOMBSTONE_SIZE):
        return None
    if revision.tombstone:
        return (revision, record) if record.key and not record.mod_revision else None
    is_marker = len(value) == 0  # of restore --bump-revision
    good = record.key and record.mod_revision == revision.main and 0 < record.create_revision <= revision.main
    return (revision, record) if is_marker or (good and record.version > 0) else None


def is_lease(key: bytes, value: memoryview) -> bool:
    """Tell whether a pair is one of bucket ``lease``."""
    try:
        Lease.parse(key, value)
    except FormatError:
        return False
    return True


def known_of(data: memoryview, pairs: Iterable[Pair], *, wanted: set[bytes] | None = None) -> dict[bytes, set[Known]]:
    """Gather what pairs tell of user keys, of those in ``wanted`` alone if that is given."""
    known: dict[bytes, set[Known]] = {}
    for pair in pairs:
        parsed = revision_of(pair.key, data[pair.start : pair.stop])
        if parsed is not None and (wanted is None or parsed[1].key in wanted):
            revision, record = parsed
            fact = Known(revision.main, revision.sub, revision.tombstone, record.create_revision, record.version)
            known.setdefault(record.key, set()).add(fact)
    return known


def was_deleted(
    revision: Revision, record: KeyValue, known: Mapping[bytes, list[Known]], compact_revision: int, gaps: list[Gap]
) -> bool | None:
    """Tell whether compaction deleted a revision; None where nothing known says either.

    Args:
        revision: of a pair that was found outside of the tree.
        record: its record.
        known: every revision known of its key, ascending.
        compact_revision: -1 if there was no compaction.
        gaps: where the tree does not tell what there is.
    """
    if revision.main > compact_revision:
        return False
    facts = known.get(record.key, [])
    later = facts[bisect_right(facts, (revision.main, revision.sub, True, 1 << 63, 1 << 63)) :]
    if revision.tombstone and revision.main < compact_revision:
        return True
    if any(fact.main <= compact_revision for fact in later):
        return True
    if not later:
        return None
    return _ended_before(later[0], revision, record, compact_revision, gaps)


def _ended_before(
    following: Known, revision: Revision, record: KeyValue, compact_revision: int, gaps: list[Gap]
) -> bool:
    """Tell whether what follows above the compact revision shows that the key went on in between, at or below it."""
    if following.tombstone:
        return False
    continues = following.create <= revision.main and following.version == record.version + 1
    if continues:
        return False
    # something stood in between; if no gap above the compact revision can hold it, it was at or below it
    first, last = pack_revision(compact_revision + 1), pack_revision(following.main)
    return not any(gap.lower < last and (gap.upper is None or gap.upper > first) for gap in gaps)
