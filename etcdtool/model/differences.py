"""In which revisions two histories differ: aligned by revision as arrays, compared as bytes, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.model.history import History

__all__ = ["DifferingRows", "Part", "differing_rows"]


class Part(NamedTuple):
    """The rows of a history that are compared, ascending."""

    history: History
    rows: NDArray[np.int64]


class DifferingRows(NamedTuple):
    """Row numbers that differ: only in the reference, only in the other, and pairs that are in both."""

    missing: NDArray[np.int64]
    added: NDArray[np.int64]
    changed: tuple[NDArray[np.int64], NDArray[np.int64]]

    def __bool__(self) -> bool:
        return bool(len(self.missing) or len(self.added) or len(self.changed[0]))


def differing_rows(one: Part, other: Part) -> DifferingRows:
    """Compare two parts revision by revision, byte by byte."""
    one_common, other_common = _common(one, other)
    left, right = one.rows[one_common], other.rows[other_common]
    differing = _differing_pairs(one.history, left, other.history, right)
    return DifferingRows(
        np.delete(one.rows, one_common), np.delete(other.rows, other_common), (left[differing], right[differing])
    )


def _common(one: Part, other: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the revisions that both have, in each."""
    mains = [part.history.main[part.rows] for part in (one, other)]
    subs = [part.history.sub[part.rows] for part in (one, other)]
    if np.array_equal(mains[0], mains[1]) and np.array_equal(subs[0], subs[1]):
        everything = np.arange(len(one.rows), dtype=np.int64)
        return everything, everything
    # one number a revision: the ranks of its two numbers, which order as they do
    known_mains, known_subs = np.union1d(*mains), np.union1d(*subs)
    ranks = [
        np.searchsorted(known_mains, main) * len(known_subs) + np.searchsorted(known_subs, sub)
        for main, sub in zip(mains, subs, strict=True)
    ]
    _, one_places, other_places = np.intersect1d(ranks[0], ranks[1], assume_unique=True, return_indices=True)
    return one_places, other_places


def _differing_pairs(
    one: History, left: NDArray[np.int64], other: History, right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the places at which two rows of one revision hold different bytes."""
    same_size = one.size[left] == other.size[right]
    found = np.flatnonzero(~same_size).tolist()
    places = np.flatnonzero(same_size)
    left, right = left[places], right[places]
    start, other_start, size = one.start[left], other.start[right], one.size[left].astype(np.int64)
    # entries that lie one behind the other in both files are compared in one go
    ends = np.flatnonzero((start[1:] != (start + size)[:-1]) | (other_start[1:] != (other_start + size)[:-1]))
    bounds = np.concatenate(([0], ends + 1, [len(places)])) if len(places) else np.zeros(1, dtype=np.int64)
    begin = 0
    for end in bounds.tolist()[1:]:
        length = int(size[begin:end].sum())
        at, other_at = int(start[begin]), int(other_start[begin])
        if bytes(one.data[at : at + length]) != bytes(other.data[other_at : other_at + length]):
            found.extend(
                int(places[place])
                for place in range(begin, end)
                if bytes(one.entry(int(left[place]))) != bytes(other.entry(int(right[place])))
            )
        begin = end
    return np.array(sorted(found), dtype=np.int64)
