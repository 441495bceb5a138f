"""What a compaction keeps, and what hashkv takes in, as masks over the rows of a `History`.

A compaction at R keeps of each key the newest revision at or below R of the generation that lives at R; of a key whose
tombstone is at R exactly, that tombstone.  The plain twin is `etcdtool.model.key_index`.
Format: docs/formats/hashes.md, "What a compaction keeps", "hashkv";
upstream: ``server/storage/mvcc/{key_index,hash}.go`` @ v3.6.14, v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.model.grouping import NO_ROW
from etcdtool.model.key_index import index_keys
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from etcdtool.formats.engine import Engine
    from etcdtool.model.compactions import Compactions
    from etcdtool.model.history import History

__all__ = ["hashed_rows", "kept_by_compaction", "kept_by_hashkv", "rows_after_compaction", "rows_kept"]


def hashed_rows(
    history: History, revision: int, *, compactions: Compactions | None = None, engine: Engine = "columns"
) -> NDArray[np.bool_]:
    """Tell of each row whether hashkv at a revision takes it in.

    An unfinished compaction counts as carried out, as it is soon after a server has started on the data.

    Args:
        history: the rows.
        revision: main revision up to which is hashed.
        compactions: those of another store, to hash as if its compactions had been made here.
        engine: ``plain`` asks the plain index.
    """
    compactions = compactions or history.compactions
    taken = history.main <= revision
    old = taken & (history.main <= compactions.revision)
    if not old.any():
        return taken
    taken &= ~old
    kept = kept_by_hashkv(history, revision, engine=engine)
    if kept.any():
        old &= kept
    elif compactions.pending:  # upstream filters by nothing then, and hashes what the compaction has left
        old &= kept_by_compaction(history, compactions.revision, engine=engine)
    # older versions delete the tombstones that newer ones keep
    return taken | (old & ~_tombstones_at(history, compactions.revision))


def rows_after_compaction(history: History, revision: int, *, engine: Engine = "columns") -> NDArray[np.bool_]:
    """Tell of each row whether a compaction at a revision leaves it; tombstones at the revision do not count.

    Two stores with the same history have the same rows then, whatever was compacted before, and by which version.
    """
    if revision < 1:
        return np.ones(len(history), dtype=np.bool_)
    kept = kept_by_compaction(history, revision, engine=engine) & ~_tombstones_at(history, revision)
    return kept | (history.main > revision)


def rows_kept(history: History, revisions: Iterable[int], *, engine: Engine = "columns") -> NDArray[np.bool_]:
    """Tell of each row whether compactions at these revisions, one after the other, leave it."""
    kept = np.ones(len(history), dtype=np.bool_)
    for revision in revisions:
        kept &= kept_by_compaction(history, revision, engine=engine) | (history.main > revision)
    return kept


def kept_by_hashkv(history: History, revision: int, *, engine: Engine = "columns") -> NDArray[np.bool_]:
    """Tell of each row whether upstream's ``index.Keep`` of a revision holds it."""
    if engine == "plain":
        return _kept_plainly(history, revision, tombstones=False)
    return _kept(history, revision)[0]


def kept_by_compaction(history: History, revision: int, *, engine: Engine = "columns") -> NDArray[np.bool_]:
    """Tell of each row at or below a revision whether a compaction there keeps it (``index.Compact``)."""
    if engine == "plain":
        return _kept_plainly(history, revision, tombstones=True)
    kept, tombstones = _kept(history, revision)
    kept[tombstones] = True
    return kept


def _tombstones_at(history: History, revision: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = history.tombstone & (history.main == revision)
    return found


def _kept(history: History, revision: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which rows are kept and no tombstones, and the numbers of the tombstones at the revision that are kept."""
    # rows ascend by revision, so a row's number tells whether it is reached
    begin, end = np.searchsorted(history.main, revision, "left"), np.searchsorted(history.main, revision, "right")
    if len(history) and history.main[0] >= 1 and not history.tombstone[begin:end].any():
        return _newest(history, int(end)), np.empty(0, dtype=np.int64)
    order, first = _indexed(history)
    tombstone = history.tombstone[order]
    reached = order < end
    newest = reached.copy()
    newest[:-1] &= first[1:] | ~reached[1:]
    newest &= ~tombstone
    # a second tombstone in a row is not indexed: the key was deleted already
    ends = tombstone & reached & (order >= begin)
    ends[1:] &= first[1:] | ~tombstone[:-1]
    ending = np.flatnonzero(ends)
    if len(ending):
        # what came back to life in the transaction that deleted it lives in the next generation: it is not reached
        key = np.cumsum(first)
        own = key[ending]
        newest &= ~np.isin(key, own)
        ending = ending[np.append(True, own[1:] != own[:-1])]
    kept = np.zeros(len(history), dtype=np.bool_)
    kept[order[newest]] = True
    return kept, order[ending]


def _newest(history: History, end: int) -> NDArray[np.bool_]:
    """Tell of each row whether it is the newest of its key among the first ``end`` rows, and no tombstone."""
    newest = np.zeros(len(history), dtype=np.bool_)
    newest[:end] = ~history.tombstone[:end]
    superseded = history.before[:end]
    newest[superseded[superseded != NO_ROW]] = False
    return newest


def _indexed(history: History) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return ``order`` and ``first`` of what a server loads: main revision 0 is not."""
    if not len(history) or history.main[0] >= 1:
        return history.order, history.first
    loaded = history.main[history.order] >= 1
    key = np.cumsum(history.first)[loaded]
    first = np.ones(len(key), dtype=np.bool_)
    first[1:] = key[1:] != key[:-1]
    return history.order[loaded], first


def _kept_plainly(history: History, revision: int, *, tombstones: bool) -> NDArray[np.bool_]:
    columns = zip(history.main.tolist(), history.sub.tolist(), history.tombstone.tolist(), strict=True)
    revisions = [Revision(main, sub, tombstone) for main, sub, tombstone in columns]
    indexes = index_keys((revision, history.key_of(row)) for row, revision in enumerate(revisions))
    kept = {index.compact(revision) if tombstones else index.keep(revision) for index in indexes}
    return np.array([revision in kept for revision in revisions], dtype=np.bool_)
