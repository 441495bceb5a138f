"""The revisions of a database in groups, and what each group amounts to: sums over columns, nothing a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec
import numpy as np

from etcdtool.formats.words import unaligned_words
from etcdtool.model.grouping import NO_ROW, Keys
from etcdtool.model.key_groups import GroupBy, Label, number_keys
from etcdtool.model.key_range import KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_groups import KeyRule
    from etcdtool.model.weights import Weights

__all__ = ["SORTS", "Amounts", "Group", "HotKey", "LargeValue", "Shares"]

_ROWS_PER_BLOCK = 1 << 16
_SIZES = ("live", "historic", "tombstones", "overhead")
_KIB = 1024
_CLASS_BOUNDS = (0, 1, 256, _KIB, 4 * _KIB, 16 * _KIB, 64 * _KIB, 256 * _KIB, _KIB * _KIB)
_CLASS_NAMES = (
    "deletions",
    "0 B",
    "1 B to 255 B",
    "256 B to 1 KiB",
    "1 KiB to 4 KiB",
    "4 KiB to 16 KiB",
    "16 KiB to 64 KiB",
    "64 KiB to 256 KiB",
    "256 KiB to 1 MiB",
    "1 MiB and more",
)
_NO_LEASE = Label(b"", "no lease")
SORTS = ("total", "live", "historic", "tombstones", "overhead", "keys", "revisions", "group")


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """What some revisions amount to; sizes in bytes.

    Attributes:
        keys, live_keys: distinct ones, and those of them that exist at the head.
        revisions: entries of the history.
        live: entries that are a key's value at the head.
        historic: older values.
        tombstones: deletions.
        overhead: elements, and the share of page headers and of what pages leave over.
    """

    keys: int = 0
    live_keys: int = 0
    revisions: int = 0
    live: int = 0
    historic: int = 0
    tombstones: int = 0
    overhead: int = 0

    @property
    def total(self) -> int:
        """All bytes."""
        return self.live + self.historic + self.tombstones + self.overhead


class Group(msgspec.Struct, frozen=True):
    """A group, and what it amounts to."""

    label: Label
    amounts: Amounts


class LargeValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value: its key and revision, its bytes, and whether it is the key's at the head."""

    key: bytes
    main: int
    sub: int
    size: int
    live: bool


class HotKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key, how many revisions are stored of it, and the bytes of their entries."""

    key: bytes
    revisions: int
    size: int


class _Distinct(NamedTuple):
    """The distinct keys, in the order in which they come.

    Attributes:
        number: int32, of each row that of its key.
        leaders: int64, of each key its first row.
        keys: the keys.
        inside: int64, those that begin with the prefix.
    """

    number: NDArray[np.int32]
    leaders: NDArray[np.int64]
    keys: Keys
    inside: NDArray[np.int64]

    @classmethod
    def of(cls, weights: Weights, prefix: bytes, engine: Engine) -> Self:
        history = weights.history
        leaders = np.flatnonzero(history.before == NO_ROW)
        rank = np.empty(len(leaders), dtype=np.int32)
        rank[np.argsort(history.order[history.first])] = np.arange(len(leaders))
        number = np.empty(len(history), dtype=np.int32)
        group = -1
        for rows in _blocks(len(history)):
            places = group + np.cumsum(history.first[rows])
            number[history.order[rows]] = rank[places]
            group = int(places[-1])
        words = unaligned_words(history.data)
        keys = Keys(history.data, words, history.key_start[leaders], history.key_size[leaders])
        return cls(number, leaders, keys, np.flatnonzero(_begins_with(keys, prefix, engine)))


@dataclass(frozen=True, slots=True)
class _Grouping:
    """The group of each row; what is outside of the prefix has the number behind the last.

    Attributes:
        number: int32, one a row.
        of_key: the same, one a distinct key, None where rows of a key may be in several groups.
        count: groups.
        label: what is said of a number.
    """

    number: NDArray[np.int32]
    of_key: NDArray[np.int32] | None
    count: int
    label: Callable[[int], Label]


@dataclass(frozen=True, slots=True)
class Shares:
    """All revisions with the group of each, and what the groups amount to; made by `Shares.of`."""

    _weights: Weights
    _distinct: _Distinct
    _live: NDArray[np.bool_]
    _grouping: _Grouping
    _sums: dict[str, NDArray[np.integer[Any]]]

    @classmethod
    def of(cls, weights: Weights, rule: KeyRule, prefix: bytes = b"", *, engine: Engine = "columns") -> Self:
        """Group revisions.

        Args:
            weights: of all of them.
            rule: by what.
            prefix: keys that do not begin so are in no group.
            engine: how keys are looked at.
        """
        history = weights.history
        distinct = _Distinct.of(weights, prefix, engine)
        grouping = _group(weights, rule, distinct, engine)
        live = ~history.tombstone
        live[history.before[history.before != NO_ROW]] = False
        return cls(weights, distinct, live, grouping, _sums(weights, grouping, distinct.number, live))

    @property
    def count(self) -> int:
        """Groups; what is outside of the prefix is none of them."""
        return self._grouping.count

    @property
    def outside(self) -> Amounts:
        """What the keys amount to that do not begin with the prefix."""
        return self._amounts(self.count)

    def groups(self, sort: str, limit: int) -> tuple[tuple[Group, ...], Amounts]:
        """Return the first groups, and what the others amount to.

        Args:
            sort: one of `SORTS`; the largest come first, but names as bytes order. Equal ones stand in the order in
                which their first key comes in the history.
            limit: how many, 0 for all.
        """
        label = self._grouping.label
        if sort == "group":
            numbers = sorted(range(self.count), key=label)
        else:
            numbers = np.argsort(-self._column(sort)[: self.count], kind="stable").tolist()
        shown = numbers[: limit or None]
        rest = np.array(numbers[len(shown) :], dtype=np.int64)
        sums = {name: int(column[rest].sum()) for name, column in self._sums.items()}
        return tuple(Group(label(number), self._amounts(number)) for number in shown), Amounts(**sums)

    def large_values(self, count: int) -> tuple[LargeValue, ...]:
        """Return the largest values, of the same size the oldest first."""
        history = self._weights.history
        size = np.where(self._grouping.number < self.count, self._weights.value_size, 0)
        return tuple(
            LargeValue(
                key=history.key_of(row),
                main=int(history.main[row]),
                sub=int(history.sub[row]),
                size=int(size[row]),
                live=bool(self._live[row]),
            )
            for row in _largest(size, count)
            if size[row]
        )

    def hot_keys(self, count: int) -> tuple[HotKey, ...]:
        """Return the keys with most revisions, of equal ones the oldest first; those with one are not named."""
        history = self._weights.history
        key, leaders = self._distinct.number, self._distinct.leaders
        inside = self._grouping.number < self.count
        revisions = _counted(key if inside.all() else key[inside], len(leaders))
        found = [number for number in _largest(revisions, count) if revisions[number] > 1]
        return tuple(
            HotKey(
                key=history.key_of(int(leaders[number])),
                revisions=int(revisions[number]),
                size=int(history.size[key == number].sum(dtype=np.int64)),
            )
            for number in found
        )

    def _amounts(self, number: int) -> Amounts:
        return Amounts(**{name: int(column[number]) for name, column in self._sums.items()})

    def _column(self, sort: str) -> NDArray[np.integer[Any]]:
        if sort != "total":
            return self._sums[sort]
        total = np.zeros(self.count + 1, dtype=np.int64)
        for name in _SIZES:
            total += self._sums[name]
        return total


def _begins_with(keys: Keys, prefix: bytes, engine: Engine) -> NDArray[np.bool_]:
    if not prefix:
        return np.ones(len(keys.start), dtype=np.bool_)
    if engine == "plain":
        return np.array([keys(row).startswith(prefix) for row in range(len(keys.start))], dtype=np.bool_)
    return KeyRange.prefix(prefix).mask(keys.words, keys.start, keys.size)


def _group(weights: Weights, rule: KeyRule, distinct: _Distinct, engine: Engine) -> _Grouping:
    if rule.by is GroupBy.LEASE:
        leases = weights.take_leases()
        ids = np.unique(leases)
        names = ids.view(np.uint64)
        number = _by_blocks(lambda rows: np.searchsorted(ids, rows), leases)
        del leases
        return _only_inside(number, len(ids), lambda place: _lease_label(int(names[place])), distinct)
    if rule.by is GroupBy.SIZE_CLASS:
        number = _by_blocks(lambda rows: np.searchsorted(_CLASS_BOUNDS, rows, side="right"), weights.value_size)
        number[weights.history.tombstone] = 0
        return _only_inside(number, len(_CLASS_NAMES), lambda place: Label(_CLASS_NAMES[place].encode()), distinct)
    keys, inside = distinct.keys, distinct.inside
    chosen = keys._replace(start=keys.start[inside], size=keys.size[inside])
    found = number_keys(chosen, rule, engine=engine)
    leaders = found.leaders
    of_key = np.full(len(keys.start), len(leaders), dtype=np.int32)
    of_key[inside] = found.number
    return _Grouping(
        of_key[distinct.number], of_key, len(leaders), lambda place: rule.label(chosen(int(leaders[place])))
    )


def _by_blocks(
    rule: Callable[[NDArray[np.integer[Any]]], NDArray[np.int64]], column: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    found = np.empty(len(column), dtype=np.int32)
    for rows in _blocks(len(column)):
        found[rows] = rule(column[rows])
    return found


def _only_inside(
    number: NDArray[np.int32], count: int, label: Callable[[int], Label], distinct: _Distinct
) -> _Grouping:
    """Leave out groups that hold nothing of the keys inside."""
    inside = np.zeros(len(distinct.leaders), dtype=np.bool_)
    inside[distinct.inside] = True
    number = np.where(inside[distinct.number], number, np.int32(count))
    used = np.flatnonzero(_counted(number, count + 1)[:count])
    place = np.full(count + 1, len(used), dtype=np.int32)
    place[used] = np.arange(len(used))
    return _Grouping(place[number], None, len(used), lambda one: label(int(used[one])))


def _lease_label(lease: int) -> Label:
    return Label(f"{lease:x}".encode()) if lease else _NO_LEASE


def _sums(
    weights: Weights, grouping: _Grouping, key: NDArray[np.int32], live: NDArray[np.bool_]
) -> dict[str, NDArray[np.integer[Any]]]:
    """Add up the columns of `Amounts`, one number a group and one for what is outside."""
    history, number, count = weights.history, grouping.number, grouping.count + 1
    kinds = {name: np.int64 if name in _SIZES else np.int32 for name in Amounts.__struct_fields__}
    sums: dict[str, NDArray[np.integer[Any]]] = {name: np.zeros(count, dtype=kind) for name, kind in kinds.items()}
    for rows in _blocks(len(number)):
        tombstone, size = history.tombstone[rows], history.size[rows].astype(np.int64)
        group = number[rows].astype(np.int64)
        np.add.at(sums["live_keys"], group[live[rows]], 1)
        np.add.at(sums["revisions"], group, 1)
        np.add.at(sums["live"], group, size * live[rows])
        np.add.at(sums["tombstones"], group, size * tombstone)
        np.add.at(sums["historic"], group, size * ~(live[rows] | tombstone))
        np.add.at(sums["overhead"], group, weights.overhead[rows].astype(np.int64))
    if grouping.of_key is not None:
        np.add.at(sums["keys"], grouping.of_key, 1)
    else:
        _count_keys(number, key, sums["keys"])
    return sums


def _count_keys(number: NDArray[np.int32], key: NDArray[np.int32], found: NDArray[np.integer[Any]]) -> None:
    """Count the distinct keys of each group, into ``found``."""
    span = int(key.max(initial=0)) + 1
    pairs = number.astype(np.int64)
    pairs *= span
    pairs += key
    pairs.sort()
    last = -1
    for rows in _blocks(len(pairs)):
        part = pairs[rows]
        np.add.at(found, part[np.diff(part, prepend=last) != 0] // span, 1)
        last = int(part[-1])


def _counted(number: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Count how often each number comes."""
    found = np.zeros(count, dtype=np.int32)
    for rows in _blocks(len(number)):
        np.add.at(found, number[rows], 1)
    return found


def _blocks(count: int) -> Iterator[slice]:
    """Yield all rows in blocks: arrays of all of them at once would take more than the columns do."""
    for at in range(0, count, _ROWS_PER_BLOCK):
        yield slice(at, at + _ROWS_PER_BLOCK)


def _largest(column: NDArray[Any], count: int) -> list[int]:
    """Return the places of the largest numbers, of equal ones the first."""
    if not count or not len(column):
        return []
    if count < len(column):
        least = np.partition(column, -count)[-count]
        above = np.flatnonzero(column > least)
        places = np.concatenate((above, np.flatnonzero(column == least)[: count - len(above)]))
    else:
        places = np.arange(len(column))
    order = np.lexsort((places, -column[places].astype(np.int64)))
    found: list[int] = places[order].tolist()
    return found
