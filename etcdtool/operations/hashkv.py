"""``hashkv``: the hash of the history of the key space, as etcdutl 3.7 and a restarted server give it.

CRC-32C over the word ``key`` and every entry of bucket ``key`` up to a revision, without lengths, leaving out what a
compaction has deleted or will delete.  Records are hashed, not parsed: `etcdtool.operations.verify` does that.
Format: docs/formats/hashes.md, "hashkv"; upstream: ``server/storage/mvcc/hash.go`` @ v3.6.14, v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from etcdtool.errors import EtcdtoolError, UsageError
from etcdtool.formats.bbolt.columns import contiguous_runs
from etcdtool.formats.digest import crc32c, crc32c_of_runs
from etcdtool.model import schema
from etcdtool.model.compaction import hashed_rows
from etcdtool.model.compactions import current_revision, open_history
from etcdtool.model.history import History
from etcdtool.model.key_groups import group_of
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.hash_in_passing import hash_in_passing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from etcdtool.formats.engine import Engine
    from etcdtool.operations.status import HasImage

    Advance = Callable[[int], None]

__all__ = [
    "GroupHash",
    "HashKV",
    "RevisionError",
    "check_revision",
    "hash_rows",
    "hashkv",
    "hashkv_detailed",
]

_ROWS_PER_BLOCK = 1 << 16


class RevisionError(EtcdtoolError):
    """The revision asked for is compacted or was not reached; upstream's words."""

    @classmethod
    def compacted(cls, compact_revision: int, *, hint: str = "") -> RevisionError:
        """The history before ``compact_revision`` is gone."""
        hint = hint or f"The oldest that can be asked for is {compact_revision}"
        return cls("mvcc: required revision has been compacted", hint=hint)

    @classmethod
    def future(cls, revision: int) -> RevisionError:
        """The store ends at ``revision``."""
        return cls("mvcc: required revision is a future revision", hint=f"The newest is {revision}")


class GroupHash(msgspec.Struct, frozen=True, kw_only=True):
    """The hash of the entries of some keys.

    Attributes:
        prefix: what the keys begin with.
        hash: CRC-32C over the word ``key`` and the entries.
        revisions: how many entries.
        last_revision: main revision of the newest.
    """

    prefix: bytes
    hash: int
    revisions: int
    last_revision: int


class HashKV(msgspec.Struct, frozen=True, kw_only=True):
    """What ``hashkv`` tells.

    Attributes:
        hash: CRC-32C of the history.
        hash_revision: the main revision up to which it was taken.
        compact_revision: what a server calls its compact revision; -1 when nothing was ever compacted.
        from_revision: entries below this main revision were left out; None: none were.
        groups: the same hash by groups of keys, where that was asked for.
    """

    hash: int
    hash_revision: int
    compact_revision: int
    from_revision: int | None = None
    groups: tuple[GroupHash, ...] = ()


def hashkv(
    database: HasImage, revision: int = 0, *, advance: Advance = lambda _: None, engine: Engine | None = None
) -> HashKV:
    """Return the hash of the history up to a revision.

    Args:
        database: an opened one.
        revision: main revision; 0 for the newest. With a negative one nothing is hashed, as upstream has it.
        advance: is told the bytes of each block of entries when it is read.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        RevisionError: the revision is compacted, or was not reached yet.
        FormatError: the bucket cannot be walked, or a revision key or mark of compaction is off.
    """
    engine = engine or chosen_engine()
    image = database.image
    compactions, bucket = open_history(image)
    if compactions.revision < 1 or engine == "columns":
        passed = hash_in_passing(image, bucket, revision, compactions, engine=engine, advance=advance)
        current = current_revision(compactions, passed.last)
        check_revision(revision, current=current, compact=compactions.revision)
        if passed.checksum is not None:
            last = revision or current
            return HashKV(hash=passed.checksum, hash_revision=last, compact_revision=compactions.revision)
    history = History.read(image, engine=engine, advance=advance)
    return _hash_history(history, revision, engine)


def hashkv_detailed(
    database: HasImage,
    revision: int = 0,
    *,
    from_revision: int | None = None,
    depth: int | None = None,
    advance: Advance = lambda _: None,
    engine: Engine | None = None,
) -> HashKV:
    """Return the hash of part of the history, or by groups of keys.

    Args:
        database: as for `hashkv`.
        revision: as for `hashkv`.
        from_revision: leave out entries whose main revision is below. Above the compact revision the hash does not
            depend on compactions then.
        depth: give a hash for each group of keys too: those that share the first ``depth`` parts between slashes.
        advance: as for `hashkv`.
        engine: as for `hashkv`.

    Raises:
        UsageError: the range ends before it begins.
        RevisionError, FormatError: as for `hashkv`.
    """
    engine = engine or chosen_engine()
    history = History.read(database.image, engine=engine, advance=advance)
    return _hash_history(history, revision, engine, from_revision, depth)


def check_revision(revision: int, *, current: int, compact: int) -> None:
    """Refuse what a server refuses to hash.

    Raises:
        RevisionError: the revision is compacted, or was not reached yet.
    """
    if 0 < revision < compact:
        raise RevisionError.compacted(compact)
    if revision > current:
        raise RevisionError.future(current)


def hash_rows(history: History, rows: NDArray[np.int64]) -> int:
    """Return the CRC-32C over the word ``key`` and the entries of these rows, one call a contiguous run of bytes."""
    checksum = crc32c(schema.KEY, 0)
    for at in range(0, len(rows), _ROWS_PER_BLOCK):
        part = rows[at : at + _ROWS_PER_BLOCK]
        start = history.start[part]
        checksum = crc32c_of_runs(history.data, contiguous_runs(start, start + history.size[part]), checksum)
    return checksum


def _hash_history(
    history: History, revision: int, engine: Engine, from_revision: int | None = None, depth: int | None = None
) -> HashKV:
    current, compact = history.current_revision, history.compactions.revision
    check_revision(revision, current=current, compact=compact)
    last = revision or current
    if from_revision is not None:
        check_revision(from_revision, current=current, compact=-1)
        if from_revision > last:
            raise UsageError(f"the range ends at {last}, before it begins at {from_revision}")
    rows = np.flatnonzero(hashed_rows(history, last, engine=engine))
    if from_revision is not None:
        rows = rows[np.searchsorted(history.main[rows], from_revision) :]
    return HashKV(
        hash=hash_rows(history, rows),
        hash_revision=last,
        compact_revision=compact,
        from_revision=from_revision,
        groups=() if depth is None else tuple(_hash_groups(history, rows, depth)),
    )


def _hash_groups(history: History, rows: NDArray[np.int64], depth: int) -> Sequence[GroupHash]:
    numbers: dict[bytes, int] = {}
    group = np.empty(len(history), dtype=np.int64)
    leaders = history.order[history.first].tolist()
    of_key = [numbers.setdefault(group_of(history.key_of(row), depth), len(numbers)) for row in leaders]
    group[history.order] = np.array(of_key, dtype=np.int64)[np.cumsum(history.first) - 1]
    chosen = group[rows]
    by_group = np.argsort(chosen, kind="stable")
    ends = np.cumsum(np.bincount(chosen, minlength=len(numbers)))
    found = []
    for prefix, number in sorted(numbers.items()):
        own = rows[by_group[ends[number - 1] if number else 0 : ends[number]]]
        if len(own):
            last = int(history.main[own[-1]])
            found.append(GroupHash(prefix=prefix, hash=hash_rows(history, own), revisions=len(own), last_revision=last))
    return found
