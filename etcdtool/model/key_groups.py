"""Bring keys into groups by what they begin with, or by the parts that Kubernetes' layout gives them.

Groups of a whole database are made column-wise from its distinct keys; ``plain`` asks the rule for every one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from etcdtool.formats.words import Strings, find_byte, find_last_byte, is_ascii
from etcdtool.model.grouping import Keys, grouped, hash_keys
from etcdtool.model.key_range import KeyRange
from etcdtool.model.kubernetes_keys import ETCD_PREFIXES, parse_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from numpy.typing import NDArray

    from etcdtool.formats.engine import Engine

__all__ = ["GroupBy", "KeyRule", "Label", "Numbered", "group_of", "number_keys"]

_SEPARATOR = b"/"


class GroupBy(Enum):
    """What brings keys, or revisions, together."""

    PREFIX = "prefix"
    KEY = "key"
    KIND = "kind"
    NAMESPACE = "namespace"
    LEASE = "lease"
    SIZE_CLASS = "size-class"


class Label(NamedTuple):
    """What a group is called: ``name``, or ``what`` is said of one that has none."""

    name: bytes
    what: str = ""


_NAMES_OF_FOLDERS = (b"specs", b"endpoints")
NO_OBJECT = Label(b"", "not Kubernetes")
NO_NAMESPACE = Label(b"", "no namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """By what keys are brought together.

    Attributes:
        by: prefix, key, kind or namespace.
        depth: parts of a prefix.
        kubernetes_prefixes: as of `etcdtool.model.kubernetes_keys.parse_key`.
    """

    by: GroupBy
    depth: int = 2
    kubernetes_prefixes: tuple[bytes, ...] = ETCD_PREFIXES

    def label(self, key: bytes) -> Label:
        """Return the group of one key."""
        if self.by is GroupBy.KEY:
            return Label(key)
        if self.by is GroupBy.PREFIX:
            return Label(group_of(key, self.depth))
        parsed = parse_key(key, self.kubernetes_prefixes)
        if parsed is None:
            return NO_OBJECT
        if self.by is GroupBy.KIND:
            return Label(parsed.group_resource.encode())
        return Label(parsed.namespace.encode()) if parsed.namespace else NO_NAMESPACE


class Numbered(NamedTuple):
    """Groups by number, from 0 on, in the order in which their first key comes.

    Attributes:
        number: int64, of each key the number of its group.
        leaders: int64, of each group its first key.
    """

    number: NDArray[np.int64]
    leaders: NDArray[np.int64]


def group_of(key: bytes, depth: int) -> bytes:
    """Return the first ``depth`` parts of a key with the slash behind them; of a shorter one, all but its last part.

    A slash at the very start opens the first part: of ``/registry/pods/a`` the first part is ``/registry/``.
    """
    end = 1 if key.startswith(_SEPARATOR) else 0
    for _ in range(depth):
        found = key.find(_SEPARATOR, end)
        if found < 0:
            break
        end = found + 1
    return key[:end]


def number_keys(keys: Keys, rule: KeyRule, *, engine: Engine = "columns") -> Numbered:
    """Number the groups of distinct keys.

    Args:
        keys: no key twice.
        rule: what makes a group.
        engine: ``plain`` labels one key after the other.
    """
    count = len(keys.start)
    if rule.by is GroupBy.KEY:
        everything = np.arange(count, dtype=np.int64)
        return Numbered(everything, everything)
    if engine == "plain":
        return _first_come(rule.label(keys(row)) for row in range(count))
    strings = Strings(keys.start.astype(np.int64), keys.size.astype(np.int64))
    if rule.by is GroupBy.PREFIX:
        return _number_heads(keys, _prefix_sizes(keys, strings, rule.depth))
    return _number_by_folder(keys, strings, rule)


def _number_heads(keys: Keys, size: NDArray[np.int64]) -> Numbered:
    """Bring keys together whose first bytes, so many of each, are the same."""
    heads = keys._replace(size=size)
    order, first, _ = grouped(heads, hash_keys(heads))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(first) - 1
    return _renumbered(number)


def _number_by_folder(keys: Keys, strings: Strings, rule: KeyRule) -> Numbered:
    """Ask the rule for one key of each folder: what a key is of does not depend on its last part, but for a few.

    These are names that are no ASCII, which may be no text, or nothing, and those that may be part of a folder's name.
    """
    size = find_last_byte(keys.words, strings, _SEPARATOR[0]) + 1
    by_folder = _number_heads(keys, size)
    name = Strings(strings.start + size, strings.size - size)
    alone = (name.size == 0) | ~is_ascii(keys.words, name)
    for text in _NAMES_OF_FOLDERS:
        alone |= KeyRange.of(text).mask(keys.words, np.where(name.size > 0, name.start, 0), name.size)
    numbers: dict[Label, int] = {}
    sample = np.full(len(by_folder.leaders), len(size), dtype=np.int64)
    usual = np.flatnonzero(~alone)
    np.minimum.at(sample, by_folder.number[usual], usual)
    of_folder = [
        numbers.setdefault(rule.label(keys(row)), len(numbers)) if row < len(size) else 0 for row in sample.tolist()
    ]
    number = np.array(of_folder, dtype=np.int64)[by_folder.number]
    for row in np.flatnonzero(alone).tolist():
        number[row] = numbers.setdefault(rule.label(keys(row)), len(numbers))
    return _renumbered(number)


def _prefix_sizes(keys: Keys, strings: Strings, depth: int) -> NDArray[np.int64]:
    """Do for many keys what `group_of` does for one."""
    first = keys.words[strings.start] & np.uint64(0xFF)
    end: NDArray[np.int64] = ((first == _SEPARATOR[0]) & (strings.size > 0)).astype(np.int64)
    rows = np.arange(len(end))
    for _ in range(depth):
        part = Strings(strings.start[rows], strings.size[rows])
        found = find_byte(keys.words, part, _SEPARATOR[0], end[rows])
        rows = rows[found >= 0]
        if not len(rows):
            break
        end[rows] = found[found >= 0] + 1
    return end


def _first_come(labels: Iterable[Hashable]) -> Numbered:
    numbers: dict[Hashable, int] = {}
    leaders: list[int] = []
    number = []
    for row, label in enumerate(labels):
        if label not in numbers:
            leaders.append(row)
        number.append(numbers.setdefault(label, len(numbers)))
    return Numbered(np.array(number, dtype=np.int64), np.array(leaders, dtype=np.int64))


def _renumbered(number: NDArray[np.int64]) -> Numbered:
    """Turn any numbers into those of `Numbered`."""
    _, leaders, inverse = np.unique(number, return_index=True, return_inverse=True)
    order = np.argsort(leaders)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Numbered(rank[inverse.reshape(-1)], leaders[order].astype(np.int64))
