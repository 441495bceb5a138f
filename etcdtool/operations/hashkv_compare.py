"""Which of several databases differ, from which revision on, and in which keys.

The files are compared as if all were compacted at the highest of their compact revisions, up to the newest revision
that all of them have reached; entry by entry, byte by byte.  Files are equal exactly when ``hashkv`` gives the same
for them at every revision in between.
Format: docs/formats/hashes.md, "Comparing members".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import numpy as np

from etcdtool.errors import EtcdtoolError, FormatError, UsageError
from etcdtool.model.compaction import hashed_rows, rows_after_compaction
from etcdtool.model.compactions import Compactions
from etcdtool.model.differences import Part, differing_rows
from etcdtool.model.history import History
from etcdtool.model.key_groups import group_of
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.hashkv import RevisionError, hash_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.differences import DifferingRows
    from etcdtool.operations.hashkv import Advance

__all__ = ["Change", "Comparison", "Difference", "DifferingGroup", "DifferingKey", "Member", "NamedDatabase", "compare"]


class NamedDatabase(Protocol):
    """An opened database, such as `etcdtool.sources.Database`."""

    @property
    def name(self) -> str:
        """What to call it."""
        ...

    @property
    def image(self) -> Image:
        """The bbolt image; raises where there is none."""
        ...


class Change(Enum):
    """How two files differ in a revision."""

    MISSING = "missing"
    ADDED = "added"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of the files compared.

    Attributes:
        name: of the file.
        hash: what ``hashkv`` gives at the last revision compared, as if compacted as the comparison says.
        current_revision, compact_revision: the file's own.
    """

    name: str
    hash: int
    current_revision: int
    compact_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingKey:
    """A revision of a key in which a file differs from the reference.

    Attributes:
        key: the user's key.
        main, sub: the revision.
        change: missing from the file, added in it, or there with another content.
    """

    key: bytes
    main: int
    sub: int
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingGroup:
    """Keys that differ and begin alike.

    Attributes:
        prefix: what they begin with.
        keys, revisions: how many of them differ, and in how many revisions.
        first_revision: main revision of the first.
    """

    prefix: bytes
    keys: int
    revisions: int
    first_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """In what a file differs from the reference.

    Attributes:
        member, reference: their places among the files.
        first_revision: main revision from which on they differ.
        revisions: how many revisions differ.
        changes: how many of them in which way.
        keys: the first of them, in order of revision.
        groups: all of them by what their keys begin with, in order of the first revision.
    """

    member: int
    reference: int
    first_revision: int
    revisions: int
    changes: dict[Change, int]
    keys: tuple[DifferingKey, ...]
    groups: tuple[DifferingGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What comparing files found.

    Attributes:
        from_revision, to_revision: main revisions, both included, that were compared.
        compact_revision: where all were taken to be compacted; -1: nowhere.
        members: the files, in the order given.
        reference: place of the first of the largest number of files that agree.
        differences: one for each file that differs from it.
    """

    from_revision: int
    to_revision: int
    compact_revision: int
    members: tuple[Member, ...]
    reference: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether all files agree."""
        return not self.differences


def compare(
    databases: Sequence[NamedDatabase],
    *,
    from_revision: int | None = None,
    to_revision: int = 0,
    depth: int = 2,
    keys_max: int = 20,
    advance: Advance = lambda _: None,
    engine: Engine | None = None,
) -> Comparison:
    """Compare the histories of several databases.

    Args:
        databases: opened ones, two or more.
        from_revision: compare no older main revisions than this.
        to_revision: compare no newer ones; 0: up to the newest that all have reached.
        depth: how many parts between slashes the keys of a group share.
        keys_max: how many differing keys are named for each file.
        advance: is told the bytes of each block of entries when it is read.
        engine: how the buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        EtcdtoolError: no revision is in all files.
        RevisionError: the range asked for is not in all files.
        FormatError: a file cannot be read; names it.
    """
    engine = engine or chosen_engine()
    histories = [_read(database, engine, advance) for database in databases]
    names = [database.name for database in databases]
    compact = max(history.compactions.revision for history in histories)
    last = _last_revision(histories, names, compact, to_revision)
    first = max(compact, 1) if from_revision is None else from_revision
    if first > last:
        raise UsageError(f"the range ends at {last}, before it begins at {first}")
    compactions = Compactions(scheduled=max(compact, 0))
    members = tuple(
        Member(
            name=name,
            hash=hash_rows(history, np.flatnonzero(hashed_rows(history, last, compactions=compactions, engine=engine))),
            current_revision=history.current_revision,
            compact_revision=history.compactions.revision,
        )
        for name, history in zip(names, histories, strict=True)
    )
    parts = [_part(history, compact, from_revision, last, engine) for history in histories]
    reference = _reference(parts)
    differences = []
    for member, part in enumerate(parts):
        rows = differing_rows(parts[reference], part) if member != reference else None
        if rows:
            changes = _changes(parts[reference].history, part.history, rows)
            differences.append(_difference(member, reference, changes, depth, keys_max))
    return Comparison(
        from_revision=first,
        to_revision=last,
        compact_revision=compact,
        members=members,
        reference=reference,
        differences=tuple(differences),
    )


def _read(database: NamedDatabase, engine: Engine, advance: Advance) -> History:
    try:
        return History.read(database.image, engine=engine, advance=advance)
    except FormatError as error:
        raise error.at(database.name) from None


def _last_revision(histories: list[History], names: list[str], compact: int, to_revision: int) -> int:
    currents = [history.current_revision for history in histories]
    newest = min(currents)
    if newest < compact:
        behind = names[currents.index(newest)]
        ahead = names[[history.compactions.revision for history in histories].index(compact)]
        raise EtcdtoolError(
            f"{behind} ends at revision {newest}, and {ahead} is compacted at {compact}: no revision is in both",
            hint="Take snapshots of the members at about the same time.",
        )
    if to_revision and to_revision < compact:
        raise RevisionError.compacted(compact)
    if to_revision > newest:
        raise RevisionError.future(newest)
    return to_revision or newest


def _part(history: History, compact: int, from_revision: int | None, last: int, engine: Engine) -> Part:
    chosen = rows_after_compaction(history, compact, engine=engine) & (history.main <= last)
    if from_revision is not None:
        chosen &= history.main >= from_revision
    return Part(history, np.flatnonzero(chosen))


def _reference(parts: list[Part]) -> int:
    """Return the first of the largest number of parts that agree."""
    like: list[int] = []
    for number, part in enumerate(parts):
        alike = (one for one in range(number) if like[one] == one and not differing_rows(parts[one], part))
        like.append(next(alike, number))
    counts = Counter(like)
    return max(counts, key=lambda number: (counts[number], -number))


def _changes(one: History, other: History, rows: DifferingRows) -> list[DifferingKey]:
    """Return what differs in order of revision."""
    found = [*_described(one, rows.missing, Change.MISSING), *_described(other, rows.added, Change.ADDED)]
    for left, right in zip(*(column.tolist() for column in rows.changed), strict=True):
        if one.key_of(left) == other.key_of(right):
            found.extend(_described(one, [left], Change.CHANGED))
        else:
            found.extend(_described(one, [left], Change.MISSING))
            found.extend(_described(other, [right], Change.ADDED))
    return sorted(found, key=lambda change: (change.main, change.sub, change.change.value, change.key))


def _described(history: History, rows: NDArray[np.int64] | list[int], change: Change) -> Iterator[DifferingKey]:
    for row in rows:
        yield DifferingKey(
            key=history.key_of(int(row)), main=int(history.main[row]), sub=int(history.sub[row]), change=change
        )


def _difference(member: int, reference: int, changes: list[DifferingKey], depth: int, keys_max: int) -> Difference:
    groups: dict[bytes, list[DifferingKey]] = {}
    for change in changes:
        groups.setdefault(group_of(change.key, depth), []).append(change)
    return Difference(
        member=member,
        reference=reference,
        first_revision=changes[0].main,
        revisions=len(changes),
        changes=dict(Counter(change.change for change in changes)),
        keys=tuple(changes[:keys_max]),
        groups=tuple(
            DifferingGroup(
                prefix=prefix,
                keys=len({change.key for change in own}),
                revisions=len(own),
                first_revision=own[0].main,
            )
            for prefix, own in groups.items()
        ),
    )
