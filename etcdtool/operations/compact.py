"""``compact``: cut off the history before a revision, as a server does, without one.

Of every key the newest revision at or below that revision stays, unless the key was deleted before it; later revisions
are not touched.  Both marks of bucket ``meta`` say then that the compaction is finished; consistent index and term stay
as they are, since nothing was applied.  What a server finds scheduled and not finished it carries out at its start: so
does this.
Format: docs/formats/hashes.md, "What a compaction keeps"; upstream: ``server/storage/mvcc/kvstore.go``,
``kvstore_compaction.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.model import schema
from etcdtool.model.compaction import rows_kept
from etcdtool.model.history import History
from etcdtool.model.revision import pack_revision
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.hashkv import RevisionError
from etcdtool.operations.repack import Changes
from etcdtool.operations.shrink import Plan, Shrunk, in_place, to_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.model.compactions import Compactions
    from etcdtool.operations.shrink import Member
    from etcdtool.sources import Database

    Progress = Callable[[int, int], None]

__all__ = ["Compacted", "compact", "compact_to_snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did.

    Attributes:
        revision: where it cut.
        compact_revision_before: where the history was cut before; -1: it never was.
        resumed: the revision of a compaction that was scheduled and not finished, and is carried out by this one too;
            None: there was none.
        current_revision: the newest.
        revisions_before, revisions_removed: entries of the history.
        shrunk: what was written.
    """

    revision: int
    compact_revision_before: int
    resumed: int | None
    current_revision: int
    revisions_before: int
    revisions_removed: int
    shrunk: Shrunk


def compact(member: Member, revision: int, *, progress: Progress | None = None) -> Compacted:
    """Compact the database of a stopped member, and defragment it.

    Args:
        member: whose.
        revision: main revision, above the last compaction's and not above the newest; that of a compaction which is
            scheduled finishes it.
        progress: as of `in_place`.

    Raises:
        RevisionError: the revision is compacted already, or was not reached yet.
        EtcdtoolError: as of `in_place`.
    """
    cut = _Cut(revision)
    return cut.result(in_place(member, cut.plan(), progress=progress))


def compact_to_snapshot(source: Path, target: Path, revision: int, *, progress: Progress | None = None) -> Compacted:
    """Write a compacted snapshot; see `compact` and `to_snapshot`."""
    cut = _Cut(revision)
    return cut.result(to_snapshot(source, target, cut.plan(), progress=progress))


@dataclass(slots=True)
class _Cut:
    revision: int
    _facts: dict[str, int] = field(default_factory=dict, init=False)
    _before: Compactions | None = field(default=None, init=False)

    def plan(self) -> Plan:
        return Plan(verb="compact", changes=self._changes)

    def _changes(self, database: Database, advance: Callable[[int], None]) -> Changes:
        """Choose what stays."""
        engine = chosen_engine()
        history = History.read(database.image, engine=engine, advance=advance)
        self._before = history.compactions
        _refuse(self.revision, history)
        resumed = [self._before.scheduled] if self._before.pending else []
        kept = rows_kept(history, [*resumed, self.revision], engine=engine)
        self._facts = {
            "current_revision": history.current_revision,
            "revisions_before": len(history),
            "revisions_removed": len(history) - int(np.count_nonzero(kept)),
        }
        mark = pack_revision(self.revision)
        return Changes(kept=kept, meta={schema.SCHEDULED_COMPACT_REV: mark, schema.FINISHED_COMPACT_REV: mark})

    def result(self, shrunk: Shrunk) -> Compacted:
        before = self._before
        assert before is not None
        return Compacted(
            revision=self.revision,
            compact_revision_before=before.finished,
            resumed=before.scheduled if before.pending else None,
            shrunk=shrunk,
            **self._facts,
        )


def _refuse(revision: int, history: History) -> None:
    """Refuse what a server refuses, but for the end of a compaction that it would carry out at its start."""
    before, current = history.compactions, history.current_revision
    if before.pending and revision == before.scheduled:
        return
    if revision <= before.revision:
        hint = f"It is compacted at {before.revision} already"
        if before.pending:
            hint = f"A compaction at {before.scheduled} is scheduled and not finished; --rev {before.scheduled} does so"
        raise RevisionError.compacted(before.revision, hint=hint)
    if revision > current:
        raise RevisionError.future(current)
