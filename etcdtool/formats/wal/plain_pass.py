"""A pass over a WAL, record by record: the slow, obvious way, which `column_pass` leaves all that is unusual to.

A record's type is not covered by its checksum, so what a record says is held against what raft can have written: terms
and commits that go back, entries without a term, indexes with a hole, or a log that outruns its last state give damage
away, before the start of the wanted entries too.

Upstream: ``ReadAll`` in ``server/storage/wal/wal.go`` @ v3.7.1.
"""

from __future__ import annotations

import sys

from etcdtool.errors import FormatError
from etcdtool.findings import Finding, Severity
from etcdtool.formats import wire
from etcdtool.formats.raft import ConfState, EntryType, HardState
from etcdtool.formats.wal.frames import SegmentReader
from etcdtool.formats.wal.log import Scan, SnapshotRecord
from etcdtool.formats.wal.records import LENGTH_SIZE, RecordType, frame_sizes, parse_entry, read_length

__all__ = ["PlainPass"]

_ENTRY, _CRC = int(RecordType.ENTRY), int(RecordType.CRC)  # looked at for every record
_ENTRY_TYPE_MAX = int(EntryType.CONF_CHANGE_V2)
_OTHER_TYPES = (RecordType.METADATA, RecordType.STATE, RecordType.SNAPSHOT)
_HOLES_MAX = 100  # in a sound log there is one for each snapshot that a leader has sent


class PlainPass:
    """What a pass has to remember besides its result."""

    __slots__ = (
        "_after_term",
        "_has_metadata",
        "_highest_term",
        "_holes",
        "_last_seen",
        "_matched",
        "_notes",
        "_reader",
        "_result",
        "_segment",
    )

    def __init__(self, result: Scan, after_term: int | None) -> None:
        self._result = result
        self._after_term = after_term
        self._matched = False
        self._has_metadata = False
        self._last_seen: int | None = None
        self._highest_term = 0
        self._holes: list[tuple[int, FormatError]] = []  # index before which entries are missing, and what to raise
        self._notes: list[int] = []  # where in this file a snapshot's record begins
        self._segment = result.segments[0]
        self._reader = SegmentReader(self._segment, None, is_last=True)

    def read_segment(self, number: int) -> None:
        """Read one file to its end."""
        result = self._result
        segment = self._segment = result.segments[number]
        crc = result.crc if number else None
        reader = self._reader = SegmentReader(segment, crc, is_last=number == len(result.segments) - 1)
        self._notes.clear()
        self._check_first_index()
        self._read_records(number)
        if reader.offset == 0:
            raise FormatError("wal file", f"holds no record ({len(segment.data)} bytes)", where=segment.name)
        result.crc = reader.crc or 0
        result.end_offset = reader.offset
        result.saved_offset = self._before_notes(reader.offset)
        result.torn_bytes = reader.torn_bytes
        result.findings += reader.findings

    def finish(self) -> None:
        """Check what only the whole log can tell."""
        result = self._result
        if not self._has_metadata:
            raise FormatError("wal", "holds no metadata record", where=result.segments[0].name)
        self._check_holes()
        if result.hard_state.commit > result.last_index:
            self._find(
                "wal.commit-beyond-end",
                Severity.ERROR,
                f"entries up to {result.hard_state.commit} are committed, and the log ends at {result.last_index}",
            )
        highest = max([self._highest_term, *(snapshot.term for snapshot in result.snapshots)])
        if highest > result.hard_state.term:
            self._find(
                "wal.state-missing",
                Severity.WARNING if result.torn_bytes else Severity.ERROR,
                f"entries or snapshots are of term {highest}, and the last state is of term {result.hard_state.term}",
            )
        if not self._matched:
            self._find(
                "wal.snapshot-not-found",
                Severity.WARNING,
                f"there is no snapshot record of index {result.after_index} to go on from",
            )

    def _before_notes(self, offset: int) -> int:
        """Return where the snapshot records begin that end here."""
        data = self._segment.data
        for start in reversed(self._notes):
            sizes = frame_sizes(read_length(data, start))
            if sizes is None or start + LENGTH_SIZE + sum(sizes) != offset:
                break
            offset = start
        return offset

    def _read_records(self, number: int) -> None:
        """Take the records of a file."""
        self._read_plainly(number)

    def _read_plainly(self, number: int, until: int = sys.maxsize) -> bool:
        """Take the records that begin before this offset; tell whether the file goes on there."""
        reader = self._reader
        for record_type, content, start, stop in reader.records(until):
            if record_type == _ENTRY:
                self._take_entry(content, start, stop, number)
            elif record_type != _CRC:
                self._take_other(record_type, content[start:stop].tobytes())
        return reader.offset >= until

    def _take_entry(self, content: memoryview, start: int, stop: int, number: int) -> None:
        result = self._result
        try:
            entry = parse_entry(content, start, stop)
        except wire.DecodeError as error:
            raise self._broken("holds no raftpb.Entry message") from error
        index, term = entry.index, entry.term
        if not self._has_metadata or index == 0 or term == 0 or not 0 <= entry.type <= _ENTRY_TYPE_MAX:
            raise self._broken(f"is no entry of a log (type {entry.type}, term {term}, index {index})")
        self._see(index, term)
        row = index - result.after_index - 1
        if row < 0:
            return
        terms = result.terms
        if row != len(terms):
            if row > len(terms):
                raise self._broken(f"has index {index} where {result.last_index + 1} is due: entries are missing")
            result.drop_from(row)
        if term < (terms[-1] if row else self._after_term or 0):
            raise self._broken(f"has term {term} at index {index}, and the entry before it has a higher one")
        is_apart = entry.data is not None or content is not self._segment.data
        if is_apart:
            result.keep_apart(row, content[start:stop].tobytes() if entry.data is None else entry.data)
        terms.append(term)
        result.types.append(entry.type)
        result.segment_numbers.append(number)
        result.data_offsets.append(0 if is_apart else entry.data_start)
        result.data_sizes.append(entry.data_stop - entry.data_start)

    def _see(self, index: int, term: int) -> None:
        """Note an entry, wanted or not, and a hole before it: only a snapshot that a leader has sent explains one."""
        if index > self._due():
            self._holes.append((index, self._broken(f"has index {index} where {self._due()} is due")))
            if len(self._holes) > _HOLES_MAX:
                self._check_holes()
                self._holes.clear()
        self._last_seen = index
        self._highest_term = max(self._highest_term, term)

    def _due(self) -> int:
        """Return the highest index that the next entry can have, snapshots apart; lower ones replace entries."""
        return max(self._segment.first_index, 1) if self._last_seen is None else self._last_seen + 1

    def _check_holes(self) -> None:
        sent = {snapshot.index for snapshot in self._result.snapshots}
        for index, error in self._holes:
            if index - 1 not in sent:
                raise error

    def _take_other(self, record_type: int, data: bytes) -> None:
        if record_type not in _OTHER_TYPES:
            raise self._broken(f"has the unknown type {record_type}")
        try:
            if record_type == RecordType.METADATA:
                self._take_metadata(data)
            elif not self._has_metadata:
                raise self._broken(f"of type {record_type} stands before the metadata")
            elif record_type == RecordType.STATE:
                self._take_state(wire.raft_pb2.HardState.FromString(data))
            else:
                self._take_snapshot(wire.wal_pb2.Snapshot.FromString(data))
        except wire.DecodeError as error:
            raise self._broken(f"of type {record_type} holds no message of that type") from error

    def _take_state(self, message: wire.raft_pb2.HardState) -> None:
        before = self._result.hard_state
        if message.term < max(1, before.term) or message.commit < before.commit:
            raise self._broken(
                f"sets term {message.term}, commit {message.commit} after term {before.term}, commit {before.commit}"
            )
        self._result.hard_state = HardState(message.term, message.vote, message.commit)

    def _take_snapshot(self, message: wire.wal_pb2.Snapshot) -> None:
        if (message.index == 0) != (message.term == 0):
            raise self._broken(f"is no note of a snapshot (index {message.index}, term {message.term})")
        self._notes.append(self._reader.offset)
        conf_state = ConfState.from_message(message.conf_state) if message.HasField("conf_state") else None
        self._result.snapshots.append(SnapshotRecord(message.index, message.term, conf_state))
        if message.index == self._result.after_index:
            self._matched = True
            if self._after_term not in (None, message.term):
                raise self._broken(f"has term {message.term} for the snapshot of term {self._after_term}")

    def _take_metadata(self, data: bytes) -> None:
        result = self._result
        if self._has_metadata:
            if data != result.metadata:
                raise self._broken("holds other metadata than the records before it: files of two members are mixed")
            return
        message = wire.etcdserver_pb2.Metadata.FromString(data)
        self._has_metadata = True
        result.metadata, result.node_id, result.cluster_id = data, message.NodeID, message.ClusterID

    def _check_first_index(self) -> None:
        if self._last_seen is not None and self._segment.first_index != self._last_seen + 1:
            self._find(
                "wal.first-index",
                Severity.WARNING,
                f"its name says that it starts at {self._segment.first_index}, and {self._last_seen + 1} is due",
            )

    def _broken(self, problem: str) -> FormatError:
        return FormatError("wal record", problem, offset=self._reader.offset, where=self._segment.name)

    def _find(self, code: str, severity: Severity, detail: str) -> None:
        self._result.findings.append(Finding(code=code, severity=severity, where=self._segment.name, detail=detail))
