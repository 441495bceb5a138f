"""Which keys two stores hold otherwise: matched by hash and confirmed by bytes, compared where they lie in the files.

Most keys of two backups have the same record, byte for byte: only the others are parsed.  ``plain`` matches by a
dictionary and compares record by record.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from etcdtool.model.grouping import Keys, equal_strings, hash_keys, sorted_by_hash
from etcdtool.model.key_order import key_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from etcdtool.model.key_state import KeyState
    from etcdtool.model.records import Records

__all__ = ["KeyChange", "KeyDifference", "KeyDifferences", "KeySide", "Pairs", "compare_keys"]

_PAIRS_PER_BLOCK = 1 << 13
_RECORDS_PER_BLOCK = 1 << 12
_IDENTICAL, _TOUCHED, _LEASED, _CHANGED = range(4)


class KeyChange(Enum):
    """How a key differs.

    Only the last of these leaves what clients read as it was: `TOUCHED` has the same value and lease, and other
    revisions or another version.
    """

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    LEASED = "leased"
    TOUCHED = "touched"


class KeySide(NamedTuple):
    """What a store holds of a key; the value is a view into the file."""

    create_revision: int
    mod_revision: int
    version: int
    lease: int
    value: memoryview


class KeyDifference(NamedTuple):
    """A key that differs, with what each store holds of it; None where it does not exist."""

    key: bytes
    change: KeyChange
    before: KeySide | None
    after: KeySide | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of two states that are of one key: row numbers, int64."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.left)

    def rows(self, chosen: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
        """Return some of them."""
        return Pairs(self.left[chosen], self.right[chosen])

    def without(self, places: NDArray[np.int64]) -> Pairs:
        """Return all but some of them."""
        return Pairs(np.delete(self.left, places), np.delete(self.right, places))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDifferences:
    """In which keys two stores differ; row numbers of the two states.

    Attributes:
        before, after: the states.
        identical: keys that have the same record.
        added: rows of ``after``.
        removed: rows of ``before``.
        changed, leased, touched: pairs of rows.
    """

    before: KeyState
    after: KeyState
    identical: int
    added: NDArray[np.int64]
    removed: NDArray[np.int64]
    changed: Pairs
    leased: Pairs
    touched: Pairs

    @property
    def counts(self) -> dict[KeyChange, int]:
        """How many keys differ in which way."""
        return {
            KeyChange.ADDED: len(self.added),
            KeyChange.REMOVED: len(self.removed),
            KeyChange.CHANGED: len(self.changed),
            KeyChange.LEASED: len(self.leased),
            KeyChange.TOUCHED: len(self.touched),
        }

    def differences(self, *, touched: bool = False) -> Iterator[KeyDifference]:
        """Yield the keys that differ in the order of their bytes, read as they are asked for.

        Args:
            touched: whether those are among them that have the same value and lease.
        """
        pairs = [(KeyChange.CHANGED, self.changed), (KeyChange.LEASED, self.leased)]
        pairs += [(KeyChange.TOUCHED, self.touched)] if touched else []
        streams = [
            _stream(KeyChange.ADDED, self.after, self.added, None),
            _stream(KeyChange.REMOVED, self.before, self.removed, None),
            *(_stream(change, self.after, found.right, (self.before, found.left)) for change, found in pairs),
        ]
        for key, change, own, other in heapq.merge(*streams, key=itemgetter(0)):
            if change is KeyChange.REMOVED:
                yield KeyDifference(key, change, own, None)
            else:
                yield KeyDifference(key, change, other, own)


def compare_keys(before: KeyState, after: KeyState) -> KeyDifferences:
    """Find the keys that two states have otherwise; both were read by the same engine.

    Raises:
        FormatError: a record that does not stand the same in both does not parse.
    """
    pairs = _paired_plainly(before, after) if before.engine == "plain" else _paired(before, after)
    same = _by_blocks(pairs, lambda part: _same_records(before, after, part))
    rest = np.flatnonzero(~same)
    if before.engine != "plain":
        own = _by_blocks(pairs.rows(rest), lambda part: equal_strings(before.keys(part.left), after.keys(part.right)))
        if not own.all():  # two keys of one hash
            pairs, same = pairs.without(rest[~own]), np.delete(same, rest[~own])
    differing = pairs.rows(~same)
    kinds = _by_blocks(differing, lambda part: _kinds_of(before, after, part), kind=np.int8)
    added, removed = _left_over(after, pairs.right), _left_over(before, pairs.left)
    for state, rows in ((after, added), (before, removed)):
        _refuse_unreadable(state, rows)  # before anything of them is printed
    return KeyDifferences(
        before=before,
        after=after,
        identical=int(np.count_nonzero(same)) + int(np.count_nonzero(kinds == _IDENTICAL)),
        added=added,
        removed=removed,
        changed=differing.rows(kinds == _CHANGED),
        leased=differing.rows(kinds == _LEASED),
        touched=differing.rows(kinds == _TOUCHED),
    )


def _paired(before: KeyState, after: KeyState) -> Pairs:
    """Match rows whose keys have one hash; where that is no clear match, a dictionary decides."""
    left, right = before.keys(), after.keys()
    count = len(before)
    order, first = sorted_by_hash(np.concatenate((hash_keys(left), hash_keys(right))))
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(order)))
    twos = starts[sizes == 2]
    one, other = order[twos], order[twos + 1] - count
    clear = (one < count) & (other >= 0)
    found = Pairs(one[clear], other[clear])
    in_order = np.argsort(found.left)  # so that one side is read from the file as it lies there
    found = Pairs(found.left[in_order], found.right[in_order])
    doubtful = np.concatenate((starts[sizes > 2], twos[~clear]))
    if len(doubtful):
        rows = np.concatenate(
            [
                order[start : start + size]
                for start, size in zip(
                    doubtful.tolist(), sizes[np.searchsorted(starts, doubtful)].tolist(), strict=True
                )
            ]
        )
        more = _by_dictionary(left, rows[rows < count], right, rows[rows >= count] - count)
        found = Pairs(np.concatenate((found.left, more.left)), np.concatenate((found.right, more.right)))
    return found


def _paired_plainly(before: KeyState, after: KeyState) -> Pairs:
    return _by_dictionary(before.keys(), np.arange(len(before)), after.keys(), np.arange(len(after)))


def _by_dictionary(left: Keys, left_rows: NDArray[np.int64], right: Keys, right_rows: NDArray[np.int64]) -> Pairs:
    known = {left(row): row for row in left_rows.tolist()}
    found = [(known[key], row) for row in right_rows.tolist() if (key := right(row)) in known]
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Pairs(pairs[:, 0], pairs[:, 1])


def _by_blocks(pairs: Pairs, ask: Callable[[Pairs], NDArray[Any]], kind: type[np.generic] = np.bool_) -> NDArray[Any]:
    """Ask about pairs, so many at a time that what is looked at stays in cache."""
    found = np.empty(len(pairs.left), dtype=kind)
    for at in range(0, len(found), _PAIRS_PER_BLOCK):
        part = slice(at, at + _PAIRS_PER_BLOCK)
        found[part] = ask(pairs.rows(part))
    return found


def _same_records(before: KeyState, after: KeyState, pairs: Pairs) -> NDArray[np.bool_]:
    """Tell of which pairs revision and record are the same, byte for byte; keys are part of their records."""
    left, right = before.messages(pairs.left), after.messages(pairs.right)
    if before.engine == "plain":
        same = np.array([left(row) == right(row) for row in range(len(pairs.left))], dtype=np.bool_)
    else:
        same = equal_strings(left, right)
    same &= before.main[pairs.left] == after.main[pairs.right]
    return same


def _kinds_of(before: KeyState, after: KeyState, pairs: Pairs) -> NDArray[np.int8]:
    """Tell in what pairs of records differ."""
    left, right = before.records(pairs.left), after.records(pairs.right)
    left_values, right_values = _values(before, left), _values(after, right)
    if before.engine == "plain":
        equal = np.array([left_values(row) == right_values(row) for row in range(len(pairs.left))], dtype=np.bool_)
    else:
        equal = equal_strings(left_values, right_values)
    kinds = np.full(len(equal), _IDENTICAL, dtype=np.int8)
    other = before.main[pairs.left] != after.main[pairs.right]
    for name in ("create_revision", "mod_revision", "version"):
        other |= getattr(left, name) != getattr(right, name)
    kinds[other] = _TOUCHED
    kinds[left.lease != right.lease] = _LEASED
    kinds[~equal] = _CHANGED
    return kinds


def _values(state: KeyState, records: Records) -> Keys:
    return state.keys(slice(0))._replace(start=records.value_start, size=records.value_size)


def _left_over(state: KeyState, taken: NDArray[np.int64]) -> NDArray[np.int64]:
    rest = np.ones(len(state), dtype=np.bool_)
    rest[taken] = False
    return np.flatnonzero(rest)


def _refuse_unreadable(state: KeyState, rows: NDArray[np.int64]) -> None:
    for at in range(0, len(rows), _PAIRS_PER_BLOCK):
        state.records(rows[at : at + _PAIRS_PER_BLOCK])


def _in_key_order(state: KeyState, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of rows in the order of their keys."""
    keys = state.keys(rows)
    if state.engine == "plain":
        names = [keys(row) for row in range(len(rows))]
        return np.array(sorted(range(len(rows)), key=names.__getitem__), dtype=np.int64)
    return key_order(keys)


def _stream(
    change: KeyChange, leading: KeyState, rows: NDArray[np.int64], other: tuple[KeyState, NDArray[np.int64]] | None
) -> Iterator[tuple[bytes, KeyChange, KeySide, KeySide | None]]:
    """Yield keys in order, with what stands on the leading side and on the other one."""
    order = _in_key_order(leading, rows)
    for at in range(0, len(order), _RECORDS_PER_BLOCK):
        places = order[at : at + _RECORDS_PER_BLOCK]
        keys = leading.keys(rows[places])
        sides: Iterable[KeySide | None] = [None] * len(places)
        if other is not None:
            sides = _sides(other[0], other[1][places])
        for row, (own, side) in enumerate(zip(_sides(leading, rows[places]), sides, strict=True)):
            yield keys(row), change, own, side


def _sides(state: KeyState, rows: NDArray[np.int64]) -> Iterator[KeySide]:
    records = state.records(rows)
    columns = (
        records.create_revision,
        records.mod_revision,
        records.version,
        records.lease,
        records.value_start,
        records.value_size,
    )
    for create, mod, version, lease, start, size in zip(*(column.tolist() for column in columns), strict=True):
        yield KeySide(create, mod, version, lease, state.data[start : start + size])
