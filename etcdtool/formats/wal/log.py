"""What one pass over a WAL found, with the entries by their place in the files."""

from __future__ import annotations

from array import array
from collections.abc import Iterator  # noqa: TC003  documented types stay readable at run time
from dataclasses import dataclass, field

import msgspec

from etcdtool.findings import Finding  # noqa: TC001  documented types stay readable at run time
from etcdtool.formats.raft import ConfState, HardState
from etcdtool.formats.wal.segments import Segment  # noqa: TC001  documented types stay readable at run time

__all__ = ["Entry", "Scan", "SnapshotRecord"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of the raft log.

    Attributes:
        index, term: its place in the log.
        type: an `EntryType` number.
        data: a view into the segment's bytes; empty for a leader's no-op.
    """

    index: int
    term: int
    type: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """The WAL's note that a snapshot was taken; ``conf_state`` is None in records of 3.4 and older."""

    index: int
    term: int
    conf_state: ConfState | None


@dataclass(slots=True)
class Scan:
    """What one pass over the segments found.

    Entries are those with an index above ``after_index`` that no later record replaced; row r is index
    ``after_index + 1 + r``.

    Attributes:
        segments: the segments that were read.
        after_index: entries start behind it.
        metadata: the raw metadata record, the same in all files.
        node_id, cluster_id: from the metadata.
        hard_state: the last one.
        snapshots: every snapshot record, in order.
        findings: what is worth telling; an error among them means that the end of the log may be lost.
        crc: running checksum at the end, where a writer would go on.
        end_offset: in the last segment, where the valid records end.
        saved_offset: likewise, without the snapshot records at the end: only behind others does a server look
            whether the file is full.
        torn_bytes: bytes from there to the last one that is not zero.
        replaced_count: entries that later ones with the same index took the place of.
        terms, types, segment_numbers, data_offsets, data_sizes: one element an entry.
    """

    segments: tuple[Segment, ...]
    after_index: int
    metadata: bytes = b""
    node_id: int = 0
    cluster_id: int = 0
    hard_state: HardState = field(default_factory=HardState)
    snapshots: list[SnapshotRecord] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    crc: int = 0
    end_offset: int = 0
    saved_offset: int = 0
    torn_bytes: int = 0
    replaced_count: int = 0
    terms: array[int] = field(default_factory=lambda: array("Q"))
    types: array[int] = field(default_factory=lambda: array("i"))
    segment_numbers: array[int] = field(default_factory=lambda: array("I"))
    data_offsets: array[int] = field(default_factory=lambda: array("Q"))
    data_sizes: array[int] = field(default_factory=lambda: array("Q"))
    _apart: dict[int, bytes] = field(default_factory=dict)

    @property
    def entry_count(self) -> int:
        """How many entries there are."""
        return len(self.terms)

    @property
    def first_index(self) -> int:
        """Index of the first entry; one above `last_index` when there is none."""
        return self.after_index + 1

    @property
    def last_index(self) -> int:
        """Index of the last entry; ``after_index`` when there is none."""
        return self.after_index + len(self.terms)

    @property
    def last_term(self) -> int:
        """Term of the last entry, or 0."""
        return self.terms[-1] if self.terms else 0

    def valid_snapshots(self) -> list[SnapshotRecord]:
        """Return the snapshot records that the last hard state covers: a ``.snap`` must match one to be used."""
        return [snapshot for snapshot in self.snapshots if snapshot.index <= self.hard_state.commit]

    def entry_data(self, index: int) -> memoryview:
        """Return the data of the entry with this raft index; `IndexError` outside the log."""
        row = index - self.after_index - 1
        if not 0 <= row < len(self.terms):
            raise IndexError(index)
        return self._row_data(row)

    def entries(self, start_index: int | None = None, stop_index: int | None = None) -> Iterator[Entry]:
        """Yield the entries with ``start_index <= index < stop_index``, by default all."""
        start = 0 if start_index is None else max(0, start_index - self.first_index)
        stop = len(self.terms) if stop_index is None else min(len(self.terms), stop_index - self.first_index)
        views = [segment.data for segment in self.segments]
        apart, first_index = self._apart, self.first_index
        terms, types, numbers = self.terms, self.types, self.segment_numbers
        offsets, sizes = self.data_offsets, self.data_sizes
        for row in range(start, stop):
            offset = offsets[row]
            # no data can lie at offset 0, where the first length field is
            data = views[numbers[row]][offset : offset + sizes[row]] if offset else memoryview(apart[row])
            yield Entry(first_index + row, terms[row], types[row], data)

    def drop_from(self, row: int) -> None:
        """Forget the entries from this row on, which a new leader's entries replace."""
        self.replaced_count += len(self.terms) - row
        for dropped in range(row, len(self.terms)) if self._apart else ():
            self._apart.pop(dropped, None)
        for column in (self.terms, self.types, self.segment_numbers, self.data_offsets, self.data_sizes):
            del column[row:]

    def keep_apart(self, row: int, data: bytes) -> None:
        """Keep the data of an entry that has no single place in its file."""
        self._apart[row] = data

    def _row_data(self, row: int) -> memoryview:
        offset = self.data_offsets[row]
        if not offset:
            return memoryview(self._apart[row])
        return self.segments[self.segment_numbers[row]].data[offset : offset + self.data_sizes[row]]
