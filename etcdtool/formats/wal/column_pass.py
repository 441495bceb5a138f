"""A pass over a WAL by columns: usual records are taken by the block, all others by the plain pass.

Each record's checksum is computed from the one stored in the record before it, so that one that fails says by itself
where the chain breaks.  The first row that fails, is odd, or does not go on where the log stands is read by the plain
pass: errors, and entries that replace others, have one place.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.formats.digest import crc32c
from etcdtool.formats.raft import HardState
from etcdtool.formats.wal.plain_pass import PlainPass

if TYPE_CHECKING:
    from etcdtool.formats.wal.columns import Entries, Rows
    from etcdtool.formats.wal.log import Scan

__all__ = ["BlockSizes", "ColumnPass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSizes:
    """How much a pass reads at once.

    Attributes:
        frames: frames whose columns are in memory together.
        shortest_run: usual rows between odd ones that are worth taking together.
        plain_bytes: what is read plainly first, so that small logs need no NumPy, which takes a while to load.
    """

    frames: int = 1 << 14
    shortest_run: int = 32
    plain_bytes: int = 1 << 19


class ColumnPass(PlainPass):
    """What such a pass has to remember besides its result."""

    __slots__ = ("_plain_bytes_left", "_sizes")

    def __init__(self, result: Scan, after_term: int | None, sizes: BlockSizes) -> None:
        super().__init__(result, after_term)
        self._sizes = sizes
        self._plain_bytes_left = sizes.plain_bytes

    def _read_records(self, number: int) -> None:
        goes_on = self._read_plainly(number, self._plain_bytes_left)
        self._plain_bytes_left = max(0, self._plain_bytes_left - self._reader.offset)
        if goes_on:
            self._read_by_columns(number)

    def _read_by_columns(self, number: int) -> None:
        from etcdtool.formats.wal.columns import frame_offsets, read_rows  # noqa: PLC0415  see `BlockSizes`
        from etcdtool.formats.words import unaligned_words  # noqa: PLC0415

        data = self._segment.data
        words = unaligned_words(data)
        while len(offsets := frame_offsets(data, self._reader.offset, self._sizes.frames)) > 1:
            if not self._take_block(read_rows(words, offsets), number):
                return
        self._read_plainly(number)  # only the plain reader knows whether this is an end

    def _take_block(self, rows: Rows, number: int) -> bool:
        """Take rows; tell whether the file goes on."""
        for start, stop, is_odd in rows.runs(self._sizes.shortest_run):
            taken = start
            while taken < stop:
                if not is_odd:
                    taken = self._take_usual(rows, taken, stop, number)
                if taken < stop:
                    taken = stop if is_odd else taken + 1
                    if not self._read_plainly(number, int(rows.stop[taken - 1])):
                        return False
        return True

    def _take_usual(self, rows: Rows, start: int, stop: int, number: int) -> int:
        """Take usual rows up to the first that does not go on where the log stands; return which that is."""
        stop = self._first_that_differs(rows, start, stop) if self._has_metadata else start
        if start < stop:
            stop = self._first_with_wrong_sum(rows, start, stop)
        if start == stop:
            return start
        self._append(rows.entries_of(start, stop), number)
        states = rows.states_of(start, stop)
        if len(states.row):
            self._result.hard_state = HardState(int(states.term[-1]), int(states.vote[-1]), int(states.commit[-1]))
        self._reader.crc = int(rows.crc[stop - 1])
        self._reader.offset = int(rows.stop[stop - 1])
        return stop

    def _first_that_differs(self, rows: Rows, start: int, stop: int) -> int:
        """Return the first row with a state or an entry that goes back or leaves a gap; ``stop`` if there is none.

        Rows follow each other in this, so only the first state and the first entry to keep can.
        """
        result = self._result
        states = rows.states_of(start, stop)
        if len(states.row) and (states.term[0] < result.hard_state.term or states.commit[0] < result.hard_state.commit):
            stop = int(states.row[0])
        entries = rows.entries_of(start, stop)
        if len(entries.row) and entries.index[0] != self._due():
            return int(entries.row[0])
        first = self._first_to_keep(entries)
        if first < len(entries.row):
            row = int(entries.index[first]) - result.first_index
            term_before = result.last_term if row else self._after_term or 0
            if row != result.entry_count or entries.term[first] < term_before:
                stop = int(entries.row[first])
        return stop

    def _first_with_wrong_sum(self, rows: Rows, start: int, stop: int) -> int:
        data = self._segment.data
        stored = rows.crc[start:stop].tolist()
        places = zip(
            rows.data_start[start:stop].tolist(),
            rows.data_stop[start:stop].tolist(),
            [self._reader.crc or 0, *stored[:-1]],
            strict=True,
        )
        computed = [crc32c(data[data_start:data_stop], before) for data_start, data_stop, before in places]
        if computed == stored:
            return stop
        return start + next(at for at, sums in enumerate(zip(stored, computed, strict=True)) if sums[0] != sums[1])

    def _append(self, entries: Entries, number: int) -> None:
        if not len(entries.row):
            return
        self._last_seen = int(entries.index[-1])
        self._highest_term = max(self._highest_term, int(entries.term[-1]))
        first = self._first_to_keep(entries)
        result = self._result
        result.terms.frombytes(entries.term[first:].tobytes())
        result.types.frombytes(entries.type[first:].tobytes())
        result.segment_numbers.extend(array("I", (number,)) * (len(entries.row) - first))
        result.data_offsets.frombytes(entries.data_start[first:].tobytes())
        result.data_sizes.frombytes(entries.data_size[first:].tobytes())

    def _first_to_keep(self, entries: Entries) -> int:
        """Return which of the entries, whose indexes go up one by one, is the first above ``after_index``."""
        if not len(entries.row):
            return 0
        return min(max(0, self._result.first_index - int(entries.index[0])), len(entries.row))
