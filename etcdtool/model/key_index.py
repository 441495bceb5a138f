"""etcd's index of the history of a key, as upstream has it: generations, each a list of revisions.

This is the slow and obvious way to say what a compaction keeps; `etcdtool.model.compaction` says the same of columns,
and tests hold the two against each other.
Format: docs/formats/hashes.md, "What a compaction keeps"; upstream: ``server/storage/mvcc/key_index.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from etcdtool.model.revision import Revision

__all__ = ["KeyIndex", "index_keys"]


class KeyIndex:
    """The revisions of one key, divided where it was deleted.

    A tombstone ends a generation and opens an empty one; every generation but the last ends with a tombstone.
    """

    def __init__(self) -> None:
        self._generations: list[list[Revision]] = [[]]

    def restore(self, revision: Revision) -> None:
        """Take the next revision of the key, as a server does at its start."""
        generation = self._generations[-1]
        if revision.tombstone and not generation and len(self._generations) > 1:
            return  # the key is deleted already: the server logs a warning and forgets the tombstone
        generation.append(revision)
        if revision.tombstone:
            self._generations.append([])

    def compact(self, at: int) -> Revision | None:
        """Return the one revision at or below main revision ``at`` that a compaction there keeps, if there is one.

        A tombstone at exactly ``at`` is kept (since 3.4.34, 3.5.16 and 3.6.0).
        """
        return self._choose(at)[0]

    def keep(self, at: int) -> Revision | None:
        """Return the revision that hashkv at ``at`` keeps: the same, but never a tombstone."""
        chosen, is_tombstone = self._choose(at)
        return None if is_tombstone else chosen

    def _choose(self, at: int) -> tuple[Revision | None, bool]:
        number = 0
        while number < len(self._generations) - 1 and self._generations[number][-1].main < at:
            number += 1
        generation = self._generations[number]
        reached = [revision for revision in generation if revision.main <= at]
        if not reached:
            return None, False
        ends = len(reached) == len(generation) and number != len(self._generations) - 1
        return reached[-1], ends


def index_keys(entries: Iterable[tuple[Revision, bytes]]) -> Sequence[KeyIndex]:
    """Return the index of each key, from every revision in order with its key.

    Main revision 0 is stored by nobody, and not loaded either.
    """
    indexes: dict[bytes, KeyIndex] = {}
    for revision, key in entries:
        if revision.main >= 1:
            indexes.setdefault(key, KeyIndex()).restore(revision)
    return list(indexes.values())
